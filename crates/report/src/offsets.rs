//! From bytes, which memory counts in, to Unicode code points, which files count in.

use std::ops::Range;

/// Bytes between two places at which the count is remembered.
const STRIDE: usize = 1024;

/// Translates byte offsets of one text to code points, in time that does not grow with the text.
#[derive(Debug)]
pub struct CodePoints<'a> {
    text: &'a str,
    /// Code points that begin before each multiple of [`STRIDE`].
    counts: Vec<usize>,
}

impl<'a> CodePoints<'a> {
    /// For offsets into `text`.
    pub fn new(text: &'a str) -> Self {
        let mut next = 0;
        let mut count = |chunk: &[u8]| {
            let before = next;
            next += begun(chunk);
            before
        };
        Self { text, counts: text.as_bytes().chunks(STRIDE).map(&mut count).collect() }
    }

    /// Code points before byte `offset`, which must lie on a character boundary.
    ///
    /// # Panics
    /// If it does not.
    pub fn of(&self, offset: usize) -> usize {
        assert!(self.text.is_char_boundary(offset), "byte {offset} is not the start of a character");
        let stride = (offset / STRIDE).min(self.counts.len().saturating_sub(1));
        let before = self.counts.get(stride).copied().unwrap_or(0);
        before + begun(&self.text.as_bytes()[stride * STRIDE..offset])
    }

    /// The code points of a byte range.
    ///
    /// # Panics
    /// If an end does not lie on a character boundary.
    pub fn range(&self, range: &Range<usize>) -> Range<usize> {
        self.of(range.start)..self.of(range.end)
    }
}

/// Code points that begin in a piece of UTF-8.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
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

    #[test]
    fn counts_the_same_in_long_texts() {
        assert_eq!(CodePoints::new("").of(0), 0);
        for pieces in [1, 93, 341, 342, 2000] {
            let text = "a产😀é".repeat(pieces);
            let points = CodePoints::new(&text);
            for (count, (offset, _)) in text.char_indices().chain([(text.len(), ' ')]).enumerate() {
                assert_eq!(points.of(offset), count);
            }
        }
    }
}
