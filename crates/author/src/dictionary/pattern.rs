//! From a term of a dictionary, with its wildcards, to what a rule pack can match.
//!
//! The decision that matters: dictionaries are made for text that is cut into words, and Chinese is not. So a Chinese
//! term becomes a literal that is found anywhere, and `*` at its ends says nothing; a term in Latin letters becomes an
//! expression that minds the borders of words.

use lundian_text::normalise;
use regex::escape;

/// Parts that a literal of a pack may have, with `…` between them.
const PARTS: usize = 4;
/// Characters that `*` within a Chinese term stands for, at most: as `…` in packs.
const GAP: &str = ".{0,6}";

/// What a term becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Matcher {
    /// A literal, perhaps with gaps.
    Literal(String),
    /// An expression without the borders of words, and whether it has one at its start and its end.
    Expression { body: String, start: bool, end: bool },
}

/// A term that can be matched, and a sentence that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    pub(super) matcher: Matcher,
    pub(super) example: String,
}

/// Reads a term: `*` is any number of characters of a word, `?` is one.
pub(super) fn compile(pattern: &str) -> Result<Compiled, &'static str> {
    let normal = normalise(pattern).to_ascii_lowercase();
    let normal = normal.split_whitespace().collect::<Vec<_>>().join(" ");
    let core = normal.trim_matches('*').trim();
    if core.chars().all(|c| matches!(c, '*' | '?' | ' ')) {
        return Err("it would match everything");
    }
    let core = close_up(core);
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let start = !normal.starts_with('*') && core.starts_with(is_word);
    let end = !normal.ends_with('*') && core.ends_with(is_word);
    let instance: String = core.chars().filter(|&c| c != '*').map(|c| if c == '?' { '某' } else { c }).collect();
    let instance = if core.is_ascii() { instance.replace('某', "x") } else { instance };
    let example = format!("这里说到“{instance}”。");
    // A mark that combines with what stands before it is not found as it is written.
    let said = normalise(&example).to_ascii_lowercase();
    if !core.split(['*', '?', ' ']).all(|part| said.contains(part)) {
        return Err("it changes when text is normalised");
    }
    let literal = !start && !end && !core.contains(['?', ' ']) && !core.starts_with('@');
    if literal {
        let parts: Vec<&str> = core.split('*').filter(|p| !p.is_empty()).collect();
        return match parts.len() {
            1..=PARTS => Ok(Compiled { matcher: Matcher::Literal(parts.join("…")), example }),
            _ => Err("it has too many wildcards"),
        };
    }
    Ok(Compiled { matcher: Matcher::Expression { body: expression(&core), start, end }, example })
}

/// Takes out the spaces that tokenisers put between Chinese words.
fn close_up(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_ascii = |i: usize| chars.get(i).is_some_and(char::is_ascii);
    let keep = |&(i, &c): &(usize, &char)| c != ' ' || i == 0 || is_ascii(i - 1) || is_ascii(i + 1);
    chars.iter().enumerate().filter(keep).map(|(_, c)| c).collect()
}

fn expression(core: &str) -> String {
    let chars: Vec<char> = core.chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let is_latin = |j: usize| chars.get(j).is_some_and(char::is_ascii_alphanumeric);
        let (before, after) = (is_latin(i.wrapping_sub(1)), is_latin(i + 1));
        match c {
            '*' if before || after => out.push_str("[a-z0-9]*"),
            '*' => out.push_str(GAP),
            '?' => out.push('.'),
            ' ' if before && after => out.push_str(r"\s+"),
            ' ' => out.push_str(r"\s*"),
            c => out.push_str(&escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_terms_are_literals_and_latin_ones_mind_words() {
        let literal = |p: &str| match compile(p).unwrap().matcher {
            Matcher::Literal(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(literal("產能過剩*"), "产能过剩");
        assert_eq!(literal("产能 过剩"), "产能过剩");
        assert_eq!(literal("越*越"), "越…越");
        assert_eq!(literal("*bank*"), "bank");
        let expression = |p: &str| match compile(p).unwrap().matcher {
            Matcher::Expression { body, start, end } => (body, start, end),
            other => panic!("{other:?}"),
        };
        assert_eq!(expression("Debt*"), ("debt".into(), true, false));
        assert_eq!(expression("interest rate"), (r"interest\s+rate".into(), true, true));
        assert_eq!(expression("un*able"), ("un[a-z0-9]*able".into(), true, true));
        assert_eq!(expression("不?而"), ("不.而".into(), false, false));
        assert_eq!(expression("c++"), (r"c\+\+".into(), true, false));
        for everything in ["*", "??", "* *"] {
            compile(everything).unwrap_err();
        }
        assert_eq!(compile("e*\u{301}"), Err("it changes when text is normalised"));
    }
}
