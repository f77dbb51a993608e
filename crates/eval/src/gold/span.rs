//! Evidence spans of a file, checked against the paragraph and turned into bytes.
//!
//! Files count Unicode code points. Tools written in JavaScript may count UTF-16 units instead; with a quote beside
//! the offsets that can be told, and is put right.

use std::ops::Range;

/// Why a span cannot be used, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SpanFault {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Bytes of the code points `start..end` of `text`, checked against `quote` where there is one.
pub(super) fn resolve(text: &str, start: u64, end: u64, quote: Option<&str>) -> Result<Range<usize>, SpanFault> {
    let fault = |message: String, hint: String| Err(SpanFault { message, hint });
    if start >= end {
        return fault(format!("evidence {start}..{end} is empty"), "`end` is one past the last character".to_owned());
    }
    let found = range_of(text, start, end, |_| 1);
    let Some(quote) = quote else {
        return found.map_or_else(|| fault(beyond(text, start, end), count_hint(None)), Ok);
    };
    if let Some(range) = found.clone().filter(|r| text[r.clone()] == *quote) {
        return Ok(range);
    }
    if let Some(range) = range_of(text, start, end, char::len_utf16).filter(|r| text[r.clone()] == *quote) {
        return Ok(range);
    }
    let elsewhere = text.find(quote).filter(|_| !quote.is_empty()).map(|at| {
        let from = text[..at].chars().count();
        (from, from + quote.chars().count())
    });
    match found {
        None => fault(beyond(text, start, end), count_hint(elsewhere)),
        Some(range) => {
            let message = format!("quote {quote:?} does not match {start}..{end}, which reads {:?}", &text[range]);
            fault(message, count_hint(elsewhere))
        }
    }
}

/// Bytes of the only place of `quote` in `text`, for files that give no offsets.
pub(super) fn find(text: &str, quote: &str) -> Result<Range<usize>, SpanFault> {
    match text.find(quote).filter(|_| !quote.is_empty()) {
        Some(at) => Ok(at..at + quote.len()),
        None => Err(SpanFault {
            message: format!("quote {quote:?} is not in the text"),
            hint: "copy the quote from `text`, or leave it out".to_owned(),
        }),
    }
}

/// Bytes of `start..end` where each character counts `width`; `None` if an end is outside the text or in a character.
fn range_of(text: &str, start: u64, end: u64, width: impl Fn(char) -> usize) -> Option<Range<usize>> {
    let mut position = 0u64;
    let mut from = None;
    for (byte, c) in text.char_indices().chain([(text.len(), '\0')]) {
        if position == start {
            from = Some(byte);
        }
        if position == end {
            return Some(from?..byte);
        }
        position += width(c) as u64;
    }
    None
}

fn beyond(text: &str, start: u64, end: u64) -> String {
    format!("evidence {start}..{end} is beyond the text, which has {} characters", text.chars().count())
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

    #[test]
    fn code_points_become_bytes() {
        assert_eq!(resolve("a论点b", 1, 3, Some("论点")), Ok(1..7));
        assert_eq!(resolve("a论点b", 1, 4, None), Ok(1..8));
    }

    #[test]
    fn utf16_offsets_are_recognised_by_their_quote() {
        assert_eq!(resolve("😀论点", 1, 3, Some("论点")), Ok(4..10));
        assert_eq!(resolve("😀论点", 2, 4, Some("论点")), Ok(4..10));
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
        assert!(find("a", "论").is_err() && find("a", "").is_err());
    }
}
