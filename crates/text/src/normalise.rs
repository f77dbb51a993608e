//! The normal form of a text, with a map from its spans back to the original.
//!
//! The decision that matters: the map records only the places where lengths change. Most Chinese text changes only in
//! its full-width punctuation, and text that is normal already needs no map at all.

use std::ops::Range;

use unicode_normalization::char::{canonical_combining_class, decompose_compatible};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::script::{is_han, may_convert, to_simplified};

/// A text in its normal form, with the way back to the original. The normal form is
///
/// 1. Unicode NFKC: compatibility forms folded, so `，：；！？（）Ａ１` become ASCII and the ideographic space a space,
///    combining sequences composed; `。`, `、` and `《》` stay;
/// 2. without the invisible U+00AD, U+200B, U+2060 and U+FEFF, which pages put inside words;
/// 3. all double quotation marks and corner brackets (`“ ” „ ‟ 〝 〞 〟 「 」`) as `"`, all single ones and white
///    corner brackets (`‘ ’ ‚ ‛ 『 』`) as `'`: which kind is used says where a text was set, not what it says;
/// 4. in Simplified script, by OpenCC's phrases and characters.
///
/// Case, line breaks and white space are kept. Normalising twice gives the same as normalising once.
///
/// ```
/// use lundian_text::Normalised;
/// let text = "這裡，產能過剩！";
/// let normalised = Normalised::new(text);
/// assert_eq!(normalised.as_str(), "这里,产能过剩!");
/// let at = normalised.as_str().find("产能过剩").unwrap();
/// assert_eq!(&text[normalised.to_original(at..at + 12)], "產能過剩");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normalised {
    text: String,
    original_len: usize,
    /// From the composed form to the original.
    composed: Map,
    /// From the simplified form, which is `text`, to the composed form.
    simplified: Map,
}

impl Normalised {
    /// Normalises `original`.
    pub fn new(original: &str) -> Self {
        let mut composed = Map::default();
        let mut simplified = Map::default();
        let (text, convertible) = compose(original, &mut composed);
        let text = if convertible { simplify(&text, &mut simplified) } else { text };
        Self { text, original_len: original.len(), composed, simplified }
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The smallest range of bytes of the original that covers `range` of the bytes of the normal form. Both ends are
    /// on character boundaries. A range that cuts a character, or characters that come from one sequence, gets the
    /// whole of it; one that reaches past the end is cut; an empty one stays empty.
    pub fn to_original(&self, range: Range<usize>) -> Range<usize> {
        let start = boundary_before(&self.text, range.start);
        if range.end <= range.start {
            let at = self.composed.start(self.simplified.start(start)).min(self.original_len);
            return at..at;
        }
        let end = boundary_after(&self.text, range.end);
        let (start, end) = (self.simplified.start(start), self.simplified.end(end));
        let (start, end) = (self.composed.start(start), self.composed.end(end));
        start..end.max(start)
    }
}

/// The normal form of `original`, where no map back is needed; see [`Normalised`].
pub fn normalise(original: &str) -> String {
    Normalised::new(original).text
}

/// The last character boundary at or before `at`.
fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// The first character boundary at or after `at`.
fn boundary_after(text: &str, at: usize) -> usize {
    (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

/// A piece of the text before (`from`) that became another of the text after (`to`), in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    from: Range<usize>,
    to: Range<usize>,
}

/// The edits that lead from one text to another, in order; between them offsets only shift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Map(Vec<Edit>);

impl Map {
    /// Records that `from` became `to`.
    fn push(&mut self, from: Range<usize>, to: Range<usize>) {
        self.0.push(Edit { from, to });
    }

    /// Where the character at `at` of the text after begins in the text before.
    fn start(&self, at: usize) -> usize {
        let next = self.0.partition_point(|e| e.to.end <= at);
        match self.0.get(next) {
            Some(edit) if edit.to.start <= at => edit.from.start,
            _ => self.shift(next, at),
        }
    }

    /// Where the character that stops at `at` of the text after ends in the text before.
    fn end(&self, at: usize) -> usize {
        let next = self.0.partition_point(|e| e.to.end < at);
        match self.0.get(next) {
            Some(edit) if edit.to.start < at => edit.from.end,
            _ => self.shift(next, at),
        }
    }

    /// `at`, moved by the edits before number `next`.
    fn shift(&self, next: usize, at: usize) -> usize {
        match next.checked_sub(1).and_then(|last| self.0.get(last)) {
            Some(edit) => edit.from.end + (at - edit.to.end),
            None => at,
        }
    }
}

/// What composing does to a character.
enum Class {
    /// Stays, whatever stands before it.
    Plain,
    /// Becomes this character, and leaves what stands before alone.
    Becomes(char),
    /// Must be looked at together with its neighbours.
    Other,
}

#[inline]
fn classify(c: char) -> Class {
    match c {
        '\0'..='\x7f' | '—' | '、'..='〇' | '《'..='》' | '【'..='〒' | '\u{3400}'..='\u{9fff}' => Class::Plain,
        '！'..='～' => Class::Becomes(char::from(0x20 + (c as u32 - 0xff00) as u8)),
        '\u{3000}' | '\u{a0}' => Class::Becomes(' '),
        _ => quotation_mark(c).map_or(Class::Other, Class::Becomes),
    }
}

/// The plain form of a quotation mark.
fn quotation_mark(c: char) -> Option<char> {
    match c {
        '\u{201c}'..='\u{201f}' | '〝' | '〞' | '〟' | '「' | '」' => Some('"'),
        '\u{2018}'..='\u{201b}' | '『' | '』' => Some('\''),
        _ => None,
    }
}

/// Characters without width or meaning that are left out.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// True if nothing before `c` can change with it: text may be cut before it and the pieces composed one by one.
/// So it is for a starter that never composes with what precedes; full and half width forms are judged by what they
/// decompose to.
fn is_boundary(c: char) -> bool {
    if !matches!(classify(c), Class::Other) {
        return true;
    }
    if is_ignored(c) {
        return false;
    }
    let mut first = None;
    decompose_compatible(c, |d| first = first.or(Some(d)));
    let first = first.unwrap_or(c);
    canonical_combining_class(first) == 0 && is_nfc_quick(std::iter::once(first)) == IsNormalized::Yes
        // Composed characters count as normal, but what they decompose to may still not.
        && canonical_combining_class(c) == 0
}

/// Steps 1 to 3 of the normal form, and whether the result has characters that step 4 may change.
fn compose(original: &str, map: &mut Map) -> (String, bool) {
    let mut out = String::with_capacity(original.len());
    let mut convertible = false;
    // Everything before `done` is in `out`; characters from there to the one at hand stay as they are.
    let (mut done, mut previous) = (0, 0);
    let mut chars = original.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let class = classify(c);
        if let Class::Plain = class {
            convertible |= may_convert(c);
            previous = at;
            continue;
        }
        let next_is_boundary = chars.peek().is_none_or(|&(_, next)| is_boundary(next));
        let mut end = at + c.len_utf8();
        let start = if is_boundary(c) { at } else { previous.max(done) };
        out.push_str(&original[done..start]);
        let to = out.len();
        match class {
            Class::Becomes(simple) if next_is_boundary => out.push(simple),
            _ => {
                while let Some(&(next, c)) = chars.peek().filter(|(_, c)| !is_boundary(*c)) {
                    end = next + c.len_utf8();
                    chars.next();
                }
                let kept = original[start..end].trim_end_matches(is_ignored);
                out.extend(kept.chars().filter(|c| !is_ignored(*c)).nfkc().map(|c| quotation_mark(c).unwrap_or(c)));
                convertible |= out[to..].chars().any(may_convert);
                end = start + kept.len();
            }
        }
        // A character that became one of the same length needs no record: offsets and boundaries are the same.
        let piece = &original[start..end];
        let one_for_one = out.len() - to == piece.len() && is_single(piece) && is_single(&out[to..]);
        if !one_for_one && out[to..] != *piece {
            map.push(start..end, to..out.len());
        }
        // Ignored characters at the end of the piece are an edit of their own: no span of the result need cover them.
        let ignored = original[end..].len() - original[end..].trim_start_matches(is_ignored).len();
        if ignored > 0 {
            map.push(end..end + ignored, out.len()..out.len());
            end += ignored;
        }
        (done, previous) = (end, end);
    }
    out.push_str(&original[done..]);
    (out, convertible)
}

fn is_single(text: &str) -> bool {
    text.chars().nth(1).is_none()
}

/// Step 4 of the normal form. OpenCC gives one character for each, so that pieces align without its help.
fn simplify(text: &str, map: &mut Map) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let plain = rest.len() - rest.trim_start_matches(|c| !is_han(c)).len();
        let han_end = plain + rest[plain..].len() - rest[plain..].trim_start_matches(is_han).len();
        let han = &rest[plain..han_end];
        out.push_str(&rest[..plain]);
        if han.chars().any(may_convert) {
            let simple = to_simplified(han);
            let (mut from, mut to) = (at + plain, out.len());
            for (a, b) in han.chars().map(char::len_utf8).zip(simple.chars().map(char::len_utf8)) {
                if a != b {
                    map.push(from..from + a, to..to + b);
                }
                (from, to) = (from + a, to + b);
            }
            out.push_str(&simple);
        } else {
            out.push_str(han);
        }
        at += han_end;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The original words behind the first place where the normal form says `words`.
    fn behind<'a>(original: &'a str, words: &str) -> &'a str {
        let normalised = Normalised::new(original);
        let at = normalised.as_str().find(words).unwrap_or_else(|| panic!("{words:?} in {:?}", normalised.as_str()));
        &original[normalised.to_original(at..at + words.len())]
    }

    #[test]
    fn the_normal_form() {
        for (original, normal) in [
            ("", ""),
            ("产能过剩。", "产能过剩。"),
            ("產能過剩，「內捲」！", "产能过剩,\"内卷\"!"),
            ("ＧＤＰ　增长１００％", "GDP 增长100%"),
            ("“双循环”与‘内需’", "\"双循环\"与'内需'"),
            ("内\u{200b}卷\u{feff}", "内卷"),
            ("e\u{200b}\u{301}", "é"),
            ("ｶﾞ", "ガ"),
            ("각", "각"),
            ("ﬁnance…", "finance..."),
            ("①㈠½", "1(一)1\u{2044}2"),
            ("\u{f900}", "岂"),
            ("薴", "苎"),
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            ("\u{301}a\u{301}\u{323}", "\u{301}ạ\u{301}"),
            ("line\r\nnext", "line\r\nnext"),
        ] {
            assert_eq!(normalise(original), normal, "{original:?}");
        }
    }

    #[test]
    fn spans_map_back() {
        assert_eq!(behind("看，產能過剩！", "产能过剩"), "產能過剩");
        assert_eq!(behind("看，產能過剩！", ","), "，");
        assert_eq!(behind("ﬁnance", "f"), "ﬁ");
        assert_eq!(behind("ﬁnance", "n"), "n");
        assert_eq!(behind("x內\u{200b}卷\u{200b}y", "内卷"), "內\u{200b}卷");
        assert_eq!(behind("x內\u{200b}卷\u{200b}y", "卷"), "卷");
        assert_eq!(behind("二噁英和𨦫", "英和"), "英和");
        assert_eq!(behind("cafe\u{301}，好", "é"), "e\u{301}");
        assert_eq!(behind("cafe\u{301}，好", "好"), "好");
    }

    #[test]
    fn normal_text_needs_no_map() {
        let normalised = Normalised::new("产能过剩的根源是需求不足。GDP, 100%");
        assert_eq!((normalised.composed.0.capacity(), normalised.simplified.0.capacity()), (0, 0));
        let normalised = Normalised::new("產能過剩");
        assert_eq!((normalised.composed.0.capacity(), normalised.simplified.0.capacity()), (0, 0));
    }

    #[test]
    fn odd_ranges_are_mended() {
        let text = "，產能";
        let n = Normalised::new(text);
        assert_eq!(n.to_original(0..100), 0..text.len());
        assert_eq!(n.to_original(2..3), 3..6);
        assert_eq!(n.to_original(1..1), 3..3);
        assert_eq!(n.to_original(100..200), text.len()..text.len());
        assert!(Normalised::new("").to_original(0..5).is_empty());
    }

    /// Text of pieces that are awkward each in its own way.
    fn awkward() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[产能过剩需求不足的经济]{1,6}",
            4 => "[產能過剩內捲乾隆瞭解反覆藉薴二噁英]{1,6}",
            2 => "[，：；！？（）「」『』“”‘’…—。、]{1,2}",
            2 => "[a-zA-Z0-9 \\r\\n]{1,4}",
            1 => "[\u{ff01}-\u{ff9f}]{1,3}",
            1 => "[\u{300}-\u{36f}\u{3099}\u{309a}\u{5b0}-\u{5bd}]{1,3}",
            1 => "[\u{1100}-\u{11ff}\u{ac00}-\u{ac40}]{1,4}",
            1 => "[\u{fb00}-\u{fb4f}\u{f900}-\u{faff}\u{2f800}-\u{2fa1d}]{1,3}",
            1 => "[\u{200b}-\u{200f}\u{ad}\u{2060}\u{feff}]{1,2}",
            1 => "[\u{20000}-\u{2ebe0}\u{3400}-\u{3480}]{1,2}",
            1 => Just("👨\u{200d}👩\u{200d}👧🏽🇨🇳".to_owned()),
            1 => "\\PC{1,4}",
            1 => any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// The normal form by its definition, the whole text at once and without a map.
    fn by_definition(original: &str) -> String {
        let visible: String = original.chars().filter(|c| !is_ignored(*c)).collect();
        let composed: String = visible.nfkc().map(|c| quotation_mark(c).unwrap_or(c)).collect();
        to_simplified(&composed)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn normal_form_is_as_defined(text in awkward()) {
            prop_assert_eq!(normalise(&text), by_definition(&text));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in awkward()) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }

        /// A span maps back onto characters of which it is the normal form, or a part of it where the span cuts a
        /// sequence; the whole maps onto the whole but for invisible characters at its ends.
        #[test]
        fn every_span_maps_back_onto_the_same_characters(text in awkward(), a in 0usize..200, b in 0usize..200) {
            let n = Normalised::new(&text);
            let bounds: Vec<usize> =
                n.as_str().char_indices().map(|(i, _)| i).chain([n.as_str().len()]).collect();
            let (a, b) = (bounds[a.min(b) % bounds.len()], bounds[a.max(b) % bounds.len()]);
            let (a, b) = (a.min(b), a.max(b));
            let range = n.to_original(a..b);
            let original = &text[range.clone()];
            let span = &n.as_str()[a..b];
            // Phrase conversion depends on neighbours, so compare the forms before it: character by character.
            let form: String = original.chars().filter(|c| !is_ignored(*c)).nfkc()
                .map(|c| quotation_mark(c).unwrap_or(c)).collect();
            let same = |x: char, y: char| x == y || (is_han(x) && is_han(y) && may_convert(x));
            let found = form.char_indices().any(|(i, _)| {
                let mut rest = form[i..].chars();
                span.chars().all(|y| rest.next().is_some_and(|x| same(x, y)))
            });
            prop_assert!(found || span.is_empty(), "{:?} is not in {:?}", span, form);
        }

        #[test]
        fn the_map_is_monotone_and_tight(text in awkward()) {
            let n = Normalised::new(&text);
            let mut previous = 0..0;
            for (i, c) in n.as_str().char_indices() {
                let range = n.to_original(i..i + c.len_utf8());
                prop_assert!(!range.is_empty());
                prop_assert!(range.start >= previous.start && range.end >= previous.end);
                // Characters either come from the same sequence or do not overlap.
                prop_assert!(range == previous || range.start >= previous.end);
                prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                // Nothing is passed over but invisible characters.
                if range != previous {
                    prop_assert!(text[previous.end..range.start].chars().all(is_ignored));
                }
                previous = range;
            }
            prop_assert!(text[previous.end..].chars().all(is_ignored));
        }
    }
}
