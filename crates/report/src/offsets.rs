//! From bytes, which memory counts in, to Unicode code points, which files count in.

use std::ops::Range;

/// Translates byte offsets of one text to code points.
#[derive(Debug)]
pub struct CodePoints<'a> {
    text: &'a str,
}

impl<'a> CodePoints<'a> {
    /// For offsets into `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// Code points before byte `offset`, which must lie on a character boundary.
    ///
    /// # Panics
    /// If it does not.
    pub fn of(&self, offset: usize) -> usize {
        self.text[..offset].chars().count()
    }

    /// The code points of a byte range.
    ///
    /// # Panics
    /// If an end does not lie on a character boundary.
    pub fn range(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.of(range.start);
        start..start + self.text[range.clone()].chars().count()
    }
}

#[cfg(test)]
mod tests {
    use super::CodePoints;

    #[test]
    fn counts_characters() {
        let text = "产能😀过剩";
        let points = CodePoints::new(text);
        assert_eq!(points.range(&(6..13)), 2..4);
        assert_eq!(points.of(text.len()), 5);
    }
}
