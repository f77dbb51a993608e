//! The text that rules see, and the same form for what packs say.
//!
//! Terms and expressions are brought to the form of the text once, when a pack is loaded, so that matching compares
//! bytes and nothing else. Beyond the normal form of `lundian-text`, ASCII letters are lower case here.

use lundian_text::normalise;

/// A literal of a pack as it stands in the text.
pub(crate) fn literal(text: &str) -> String {
    let mut text = normalise(text);
    text.make_ascii_lowercase();
    text
}

/// A regular expression of a pack as it fits the text: each character that is not ASCII takes its normal form, escaped,
/// since a full-width bracket must not become a group.
pub(crate) fn pattern(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut buffer = [0; 4];
    for c in pattern.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.push_str(&regex::escape(&normalise(c.encode_utf8(&mut buffer))));
        }
    }
    out
}

/// True for the marks of the normal form that end a sentence, or a part that could be one.
pub(crate) fn ends_sentence(c: char) -> bool {
    matches!(c, '。' | '!' | '?' | ';' | '\n')
}

/// True for the marks of the normal form that end a clause: a negation does not reach across them.
pub(crate) fn ends_clause(c: char) -> bool {
    ends_sentence(c) || matches!(c, ',' | ':' | '—')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_and_texts_meet_in_one_form() {
        assert_eq!(literal("產能過剩，ＧＤＰ"), "产能过剩,gdp");
        assert_eq!(pattern(r"（[，。]?過\d+"), r"\([,。]?过\d+");
    }
}
