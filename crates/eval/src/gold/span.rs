//! Evidence spans of a file, checked against the paragraph and turned into bytes.
//!
//! Files count Unicode code points. Tools written in JavaScript may count UTF-16 units instead; with a quote beside
//! the offsets that can be told, and is put right.

use std::cell::OnceCell;
use std::ops::Range;

/// Why a span cannot be used, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SpanFault {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Characters of a quote that a message shows.
const SHOWN: usize = 40;

/// The text of a paragraph, in which positions are found without counting through it for each.
pub(super) struct Indexed<'t> {
    text: &'t str,
    /// First byte of each code point, then the length.
    starts: OnceCell<Vec<usize>>,
    /// For texts that count differently there: UTF-16 units before each code point, then all of them.
    utf16: OnceCell<Option<Vec<u64>>>,
}

impl<'t> Indexed<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, starts: OnceCell::new(), utf16: OnceCell::new() }
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| self.text.char_indices().map(|(at, _)| at).chain([self.text.len()]).collect())
    }

    fn code_points(&self) -> usize {
        self.starts().len() - 1
    }

    /// Bytes of the code points `start..end`; `None` if that is not in the text.
    fn range(&self, start: u64, end: u64) -> Option<Range<usize>> {
        let byte = |point: u64| self.starts().get(usize::try_from(point).ok()?).copied();
        Some(byte(start)?..byte(end)?)
    }

    /// Bytes of the UTF-16 units `start..end`, where these are not the code points; `None` if an end is outside the
    /// text or in a character.
    fn range_of_utf16(&self, start: u64, end: u64) -> Option<Range<usize>> {
        let units = self.utf16.get_or_init(|| {
            let mut units = vec![0];
            let mut count = 0;
            for c in self.text.chars() {
                count += c.len_utf16() as u64;
                units.push(count);
            }
            (count >= units.len() as u64).then_some(units)
        });
        let point = |unit: u64| Some(units.as_ref()?.binary_search(&unit).ok()? as u64);
        self.range(point(start)?, point(end)?)
    }
}

/// Bytes of the code points `start..end` of `indexed`, checked against `quote` where there is one.
pub(super) fn resolve(
    indexed: &Indexed<'_>,
    start: u64,
    end: u64,
    quote: Option<&str>,
) -> Result<Range<usize>, SpanFault> {
    let text = indexed.text;
    let fault = |message: String, hint: String| Err(SpanFault { message, hint });
    if start >= end {
        return fault(format!("evidence {start}..{end} is empty"), "`end` is one past the last character".to_owned());
    }
    let found = indexed.range(start, end);
    let Some(quote) = quote else {
        return found.map_or_else(|| fault(beyond(indexed, start, end), count_hint(None)), Ok);
    };
    if let Some(range) = found.clone().filter(|r| text[r.clone()] == *quote) {
        return Ok(range);
    }
    if let Some(range) = indexed.range_of_utf16(start, end).filter(|r| text[r.clone()] == *quote) {
        return Ok(range);
    }
    let elsewhere = text.find(quote).filter(|_| !quote.is_empty()).map(|at| {
        let from = text[..at].chars().count();
        (from, from + quote.chars().count())
    });
    match found {
        None => fault(beyond(indexed, start, end), count_hint(elsewhere)),
        Some(range) => {
            let (quote, reads) = (shown(quote), shown(&text[range]));
            let message = format!("quote {quote} does not match {start}..{end}, which reads {reads}");
            fault(message, count_hint(elsewhere))
        }
    }
}

/// Bytes of the only place of `quote` in the text, for files that give no offsets.
pub(super) fn find(indexed: &Indexed<'_>, quote: &str) -> Result<Range<usize>, SpanFault> {
    match indexed.text.find(quote).filter(|_| !quote.is_empty()) {
        Some(at) => Ok(at..at + quote.len()),
        None => Err(SpanFault {
            message: format!("quote {} is not in the text", shown(quote)),
            hint: "copy the quote from `text`, or leave it out".to_owned(),
        }),
    }
}

/// A quote as a message shows it.
fn shown(quote: &str) -> String {
    match quote.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{:?}...", &quote[..at]),
        None => format!("{quote:?}"),
    }
}

fn beyond(indexed: &Indexed<'_>, start: u64, end: u64) -> String {
    format!("evidence {start}..{end} is beyond the text, which has {} characters", indexed.code_points())
}

fn count_hint(elsewhere: Option<(usize, usize)>) -> String {
    match elsewhere {
        Some((from, to)) => format!("the quote stands at {from}..{to}; offsets count Unicode code points"),
        None => "offsets count Unicode code points, so that text[start:end] == quote in Python".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, start: u64, end: u64, quote: Option<&str>) -> Result<Range<usize>, SpanFault> {
        super::resolve(&Indexed::new(text), start, end, quote)
    }

    fn find(text: &str, quote: &str) -> Result<Range<usize>, SpanFault> {
        super::find(&Indexed::new(text), quote)
    }

    #[test]
    fn code_points_become_bytes() {
        assert_eq!(resolve("a论点b", 1, 3, Some("论点")), Ok(1..7));
        assert_eq!(resolve("a论点b", 1, 4, None), Ok(1..8));
    }

    #[test]
    fn utf16_offsets_are_recognised_by_their_quote() {
        assert_eq!(resolve("😀论点", 1, 3, Some("论点")), Ok(4..10));
        assert_eq!(resolve("😀论点", 2, 4, Some("论点")), Ok(4..10));
        assert!(resolve("😀论点", 1, 4, Some("论点")).is_err());
    }

    #[test]
    fn faults_say_where_the_quote_stands() {
        let e = resolve("a论点b", 0, 2, Some("论点")).unwrap_err();
        assert!(e.message.contains("reads \"a论\"") && e.hint.contains("1..3"), "{e:?}");
        let e = resolve("论点", 0, 9, None).unwrap_err();
        assert!(e.message.contains("beyond the text, which has 2 characters"), "{e:?}");
        assert!(resolve("论点", 1, 1, None).unwrap_err().message.contains("empty"));
        assert!(resolve("论点", u64::MAX - 1, u64::MAX, None).is_err());
        assert_eq!(find("a论点", "论点"), Ok(1..7));
        let long = "论点".repeat(1000);
        let e = resolve(&long, 0, 1999, Some(&long)).unwrap_err();
        assert!(e.message.len() < 1000 && e.hint.contains("0..2000"), "{e:?}");
        assert!(find("a", "论").is_err() && find("a", "").is_err());
    }
}
