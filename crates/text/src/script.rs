//! Traditional and Simplified script: conversion by OpenCC, and which of the two a text is written in.
//!
//! The decision that matters: whether a text needs conversion at all is read off a small static table, so that text in
//! Simplified script never pays for loading the dictionary.

use std::sync::LazyLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

static TO_SIMPLIFIED: LazyLock<OpenCC> = LazyLock::new(|| load(BuiltinConfig::T2s));
static TO_TRADITIONAL: LazyLock<OpenCC> = LazyLock::new(|| load(BuiltinConfig::S2t));

fn load(config: BuiltinConfig) -> OpenCC {
    OpenCC::from_config(config).expect("the dictionary is embedded in the library")
}

/// First character of the table [`CONVERTIBLE`].
const FIRST: usize = 0x3400;

/// The characters of the basic plane that Traditional to Simplified conversion may change, alone or within a phrase:
/// keys of OpenCC's dictionaries TSCharacters and TSPhrases, one bit each from [`FIRST`] on.
static CONVERTIBLE: [u64; 432] = bitmap(include_bytes!("../data/traditional.txt"));

const fn bitmap(text: &[u8]) -> [u64; 432] {
    let mut bits = [0; 432];
    let mut i = 0;
    while i < text.len() {
        if text[i] < 0x80 {
            i += 1;
            continue;
        }
        let c =
            ((text[i] & 0x0f) as usize) << 12 | ((text[i + 1] & 0x3f) as usize) << 6 | (text[i + 2] & 0x3f) as usize;
        bits[(c - FIRST) / 64] |= 1 << ((c - FIRST) % 64);
        i += 3;
    }
    bits
}

/// True if Traditional to Simplified conversion may change `c`. Everything beyond the basic plane counts: it is rare.
#[inline]
pub(crate) fn may_convert(c: char) -> bool {
    match c as usize {
        c @ 0x3400..=0x9fff => CONVERTIBLE[(c - FIRST) / 64] >> ((c - FIRST) % 64) & 1 == 1,
        0x20000..=0x3ffff => true,
        _ => false,
    }
}

/// True for the characters that OpenCC's phrases are made of; a phrase never reaches across any other.
#[inline]
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// `han` in Simplified script, with one character for each of its characters.
///
/// OpenCC maps a few characters to ones that it would map again, so conversion is repeated until nothing changes.
pub(crate) fn to_simplified(han: &str) -> String {
    let mut text = han.to_owned();
    for _ in 0..4 {
        let next = TO_SIMPLIFIED.convert(&text);
        if next == text || next.chars().count() != text.chars().count() {
            break;
        }
        let settled = !next.chars().any(may_convert);
        text = next;
        if settled {
            break;
        }
    }
    text
}

/// The text in Traditional script, by OpenCC's phrases and characters (`s2t`); what is not Simplified stays.
///
/// ```
/// assert_eq!(lundian_text::to_traditional("产能过剩"), "產能過剩");
/// ```
pub fn to_traditional(text: &str) -> String {
    TO_TRADITIONAL.convert(text)
}

/// The script of a Chinese text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Script {
    /// Simplified, at most for a fifth of the characters that tell.
    Simplified,
    /// Traditional, at most for a fifth of the characters that tell.
    Traditional,
    /// Both.
    Mixed,
    /// No character tells: all are common to both scripts, or the text is not Chinese.
    Neither,
}

impl Script {
    /// A word for files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simplified => "simplified",
            Self::Traditional => "traditional",
            Self::Mixed => "mixed",
            Self::Neither => "neither",
        }
    }
}

/// The script that `text` is written in, from the characters that stand in only one of the two.
///
/// ```
/// use lundian_text::{Script, script};
/// assert_eq!(script("产能过剩"), Script::Simplified);
/// assert_eq!(script("產能過剩"), Script::Traditional);
/// assert_eq!(script("GDP 大"), Script::Neither);
/// ```
pub fn script(text: &str) -> Script {
    let (mut simplified, mut traditional) = (0usize, 0usize);
    for c in text.chars() {
        match telling(c) {
            Some(Script::Simplified) => simplified += 1,
            Some(Script::Traditional) => traditional += 1,
            _ => {}
        }
    }
    match (simplified, traditional) {
        (0, 0) => Script::Neither,
        (s, t) if t * 4 <= s => Script::Simplified,
        (s, t) if s * 4 <= t => Script::Traditional,
        _ => Script::Mixed,
    }
}

/// The only script that `c` stands in, if there is one.
fn telling(c: char) -> Option<Script> {
    /// One entry for each character of the basic plane's Han range, from [`FIRST`] on.
    static TELLING: LazyLock<Vec<Option<Script>>> = LazyLock::new(|| {
        let mut buffer = [0; 4];
        (0x3400u32..=0x9fff)
            .map(|c| {
                let c = char::from_u32(c)?;
                let alone: &str = c.encode_utf8(&mut buffer);
                match (TO_SIMPLIFIED.convert(alone) != alone, TO_TRADITIONAL.convert(alone) != alone) {
                    (true, false) => Some(Script::Traditional),
                    (false, true) => Some(Script::Simplified),
                    _ => None,
                }
            })
            .collect()
    });
    is_han(c).then(|| TELLING.get(c as usize - FIRST).copied().flatten()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_character_that_opencc_converts() {
        for c in (0u32..0x2_0000).filter_map(char::from_u32) {
            let alone = c.to_string();
            let converted = TO_SIMPLIFIED.convert(&alone);
            assert_eq!(converted.chars().count(), 1, "{c}");
            assert!(converted == alone || may_convert(c), "{c} is missing from data/traditional.txt");
        }
    }

    #[test]
    fn phrases_convert_characters_that_stay_when_alone() {
        assert_eq!(to_simplified("瞭解"), "了解");
        assert_eq!(to_simplified("瞭望"), "瞭望");
        assert_eq!(to_simplified("乾隆"), "乾隆");
        assert_eq!(to_simplified("乾燥"), "干燥");
    }

    #[test]
    fn script_of_a_text() {
        assert_eq!(script("不是供给不足，而是需求不足。"), Script::Simplified);
        assert_eq!(script("不是供給不足，而是需求不足。"), Script::Traditional);
        assert_eq!(script("供给不足；供給不足"), Script::Mixed);
        assert_eq!(script("hello 大小"), Script::Neither);
        // 后 is the empress of Traditional texts, too: a single one does not make a text mixed.
        assert_eq!(script("皇后說這個經濟問題還沒有解決"), Script::Traditional);
    }
}
