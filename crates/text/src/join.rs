//! Sentences that a page has broken over lines or blank lines, put together again.
//!
//! The decision that matters: a missing full stop proves nothing, since many people write none. Pieces are joined only
//! on positive evidence that the second goes on: a bracket still open, a mark that cannot open a line, a word cut in
//! two, a word that cannot end a clause, or lines filled to one width. Only where an author plainly does end sentences
//! with a mark is a long piece without one taken as broken.

use std::collections::HashMap;

use crate::block::{Block, Kind};
use crate::normalise::normalise;
use crate::script::is_han;

/// No sentence is longer, in bytes; what seems to be is not joined any further.
const LONGEST: usize = 8192;
/// Marks that cannot open a line.
const CANNOT_OPEN: &str = "，。、；：！？」』）》】〉”’,;:!?)";
/// Marks that end a sentence, or a line that stands for one.
const ENDS: &str = "。！？!?…；;：:」』”’\"）)】》]~～.";
/// Brackets and quotation marks that come in pairs.
const PAIRS: &[(char, char)] =
    &[('「', '」'), ('『', '』'), ('（', '）'), ('(', ')'), ('《', '》'), ('〈', '〉'), ('【', '】'), ('“', '”')];
/// Words (in Simplified script) that cannot end a clause.
const CANNOT_END: &[&str] = &[
    "而是",
    "就是",
    "但是",
    "因为",
    "由于",
    "以及",
    "并且",
    "或者",
    "如果",
    "对于",
    "关于",
    "通过",
    "为了",
    "随着",
    "根据",
    "按照",
    "包括",
    "例如",
    "甚至",
    "还是",
    "不仅",
    "而且",
    "所谓的",
    "将",
    "把",
    "被",
    "与",
    "和",
    "及",
    "或",
    "向",
    "从",
    "使",
    "令",
    "让",
    "会",
    "应该",
    "可以",
    "必须",
    "能够",
];
/// How sentences open. A piece that begins so is not the rest of another.
const OPENERS: &[&str] = &[
    "但",
    "因",
    "所以",
    "如果",
    "而",
    "这",
    "那",
    "我",
    "你",
    "他",
    "她",
    "它",
    "大家",
    "现在",
    "目前",
    "首先",
    "其次",
    "最后",
    "当然",
    "其实",
    "比如",
    "例如",
    "同时",
    "另",
    "此",
    "然后",
    "于是",
    "以上",
    "以下",
    "总",
    "综上",
    "有人",
    "以前",
    "为什么",
    "怎么",
    "什么",
    "就",
    "不过",
    "然而",
    "由于",
    "对于",
    "关于",
    "根据",
    "从",
    "在",
    "当",
    "一个",
    "一是",
    "二是",
    "三是",
    "其中",
    "只有",
    "只要",
    "即使",
    "虽然",
    "尽管",
    "今年",
    "去年",
];
/// Characters that end a sentence well enough without a mark.
const PARTICLES: &str = "的了吗嗎呢吧啊嘛呀哦等…";
/// What may follow a number that stands alone.
pub(crate) const UNITS: &str = "年月日时時个個万萬亿億%％点點号號";

/// Puts broken sentences of one run of text together. The blocks are in order and of one section, with no heading
/// between them.
pub(crate) fn join(blocks: Vec<Block>, words: &Words) -> Vec<Block> {
    let punctuated = is_punctuated(&blocks);
    let goes_on = |text: &str, i: usize| {
        let (last, next) = (&blocks[i - 1], &blocks[i]);
        words.goes_on(text, next, last, punctuated)
    };
    let mut out: Vec<Block> = Vec::with_capacity(blocks.len());
    for (i, block) in blocks.iter().enumerate() {
        let Some(before) = out.last_mut() else {
            out.push(block.clone());
            continue;
        };
        // A clause that ends in a comma goes on if what follows is itself a broken piece.
        let into_broken = || {
            before.text.ends_with(['，', ','])
                && block.kind == Kind::Text
                && !is_listed(&block.text)
                && i + 1 < blocks.len()
                && goes_on(&format!("{}{}", before.text, block.text), i + 1)
        };
        if before.text.len() < LONGEST && (goes_on(&before.text, i) || into_broken()) {
            let spaced = before.text.ends_with(|c: char| c.is_ascii_alphabetic() || ",.;:".contains(c))
                && block.text.starts_with(|c: char| c.is_ascii_alphanumeric());
            if spaced {
                before.text.push(' ');
            }
            before.text.push_str(&block.text);
            before.range.end = block.range.end;
        } else {
            out.push(block.clone());
        }
    }
    out
}

/// True if the author ends sentences with marks, so that a long piece without one is broken: plain from enough long
/// pieces that do, or from breaks that leave no doubt.
fn is_punctuated(blocks: &[Block]) -> bool {
    let long: Vec<&Block> = blocks.iter().filter(|b| columns(&b.text) >= 50).collect();
    let ended = long.iter().filter(|b| b.text.ends_with(|c| ENDS.contains(c))).count();
    let breaks = blocks.windows(2).filter(|w| is_surely_broken(&w[0].text, &w[1].text)).count();
    long.len() >= 10 && ended * 10 >= long.len() * 7 || breaks >= 2 && ended * 2 >= long.len()
}

/// True if `next` goes on with `text` whoever wrote it: it begins with a mark that cannot open a line, or `text` ends
/// with a bracket just opened, or a number is parted from its unit.
fn is_surely_broken(text: &str, next: &str) -> bool {
    let (Some(end), Some(start)) = (text.chars().next_back(), next.chars().next()) else { return false };
    CANNOT_OPEN.contains(start)
        || end.is_ascii_digit() && UNITS.contains(start)
        || PAIRS.iter().any(|(open, _)| *open == end)
}

/// What a document knows about words and lines: its pairs of characters, and the width that its lines are filled to.
pub(crate) struct Words {
    pairs: HashMap<(char, char), u32>,
    chars: HashMap<char, u32>,
    /// Width of hand-wrapped lines, in half-width columns; `None` if lines are not wrapped.
    wrapped_at: Option<usize>,
}

impl Words {
    /// Counts over the pieces of a document.
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let mut words = Self { pairs: HashMap::new(), chars: HashMap::new(), wrapped_at: wrapped_at(blocks) };
        for block in blocks {
            let mut previous = None;
            for c in block.text.chars() {
                if !is_han(c) {
                    previous = None;
                    continue;
                }
                *words.chars.entry(c).or_default() += 1;
                if let Some(previous) = previous {
                    *words.pairs.entry((previous, c)).or_default() += 1;
                }
                previous = Some(c);
            }
        }
        words
    }

    /// True if there is evidence that `next` goes on with the sentence of `text`. `last` is the piece that `text` ends
    /// with; `punctuated` says that the author ends sentences with marks.
    fn goes_on(&self, text: &str, next: &Block, last: &Block, punctuated: bool) -> bool {
        let (Some(end), Some(start)) = (text.chars().next_back(), next.text.chars().next()) else { return false };
        if next.kind != Kind::Text {
            return false;
        }
        if let Some(width) = self.wrapped_at
            && next.adjacent
            && columns(&last.text) + 6 >= width
        {
            return true;
        }
        if is_surely_broken(text, &next.text) || is_open(text, &next.text) && !"。！？!?…".contains(end) {
            return true;
        }
        if ENDS.contains(end) || end == '，' || end == ',' || is_listed(&next.text) {
            return false;
        }
        if end == '、' {
            let list = next.text.ends_with('、') || text.trim_end_matches('、').ends_with(|c| ENDS.contains(c));
            return !list;
        }
        if self.cuts_word(text, &next.text, punctuated) || cannot_end(text, &next.text) {
            return true;
        }
        // A long piece, or one of several sentences, is no heading: without a mark at its end it is broken.
        let prose = text.contains('。') || columns(text) >= 70 && text.contains(['，', '；', '：']);
        punctuated
            && prose
            && !is_listed(text)
            && !PARTICLES.contains(end)
            && !end.is_ascii_digit()
            && !start.is_ascii_digit()
            && !opens_sentence(&next.text)
    }

    /// True if the last character of `text` and the first of `next` are a word of this document that the break cuts in
    /// two. In punctuated text one more occurrence of the word will do.
    fn cuts_word(&self, text: &str, next: &str, punctuated: bool) -> bool {
        let mut tail = text.chars().rev();
        let mut head = next.chars();
        let (Some(end), Some(start)) = (tail.next(), head.next()) else { return false };
        let pair = |a, b| self.pairs.get(&(a, b)).copied().unwrap_or(0);
        let count = |c| self.chars.get(&c).copied().unwrap_or(0).max(1);
        let cut = pair(end, start);
        // The two may belong to their own sides more than to each other.
        let left = tail.next().map_or(0, |c| pair(c, end));
        let right = head.next().map_or(0, |c| pair(start, c));
        let strength = f64::from(cut) / f64::from(count(end).min(count(start)));
        // A stump of one or two characters before a mark is most likely the end of a word.
        let stump = next.chars().take(3).skip(1).any(|c| "。，、；".contains(c));
        let least = if punctuated { 1 } else { 2 };
        cut >= 1 && stump && strength >= 0.1 || cut >= least && strength >= 0.3 && cut * 5 >= left.max(right) * 4
    }
}

/// True if `text` begins as sentences do.
fn opens_sentence(text: &str) -> bool {
    // No opener has more characters.
    let beginning = normalise(&text.chars().take(4).collect::<String>());
    OPENERS.iter().any(|w| beginning.starts_with(w))
}

/// True if `text` opens a bracket that it does not close, and `next` does not open another before it closes it.
fn is_open(text: &str, next: &str) -> bool {
    PAIRS.iter().any(|(open, close)| {
        let depth = text.chars().fold(0i32, |d, c| {
            if c == *open {
                d + 1
            } else if c == *close {
                (d - 1).max(0)
            } else {
                d
            }
        });
        depth > 0 && next.chars().find(|c| c == open || c == close) != Some(*open)
    })
}

/// True if the last word of `text` cannot end a clause.
fn cannot_end(text: &str, next: &str) -> bool {
    let tail: String = text.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    let tail = normalise(&tail);
    if CANNOT_END.iter().any(|w| tail.ends_with(w)) {
        // Words that also end other words: 社会, 参与, 转让.
        return ![
            "社会", "机会", "大会", "协会", "参与", "转让", "谦让", "普及", "涉及", "总和", "温和", "方向", "导向",
            "学会", "体会", "才会", "不会", "都会",
        ]
        .iter()
        .any(|w| tail.ends_with(w))
            || ["才会", "不会", "都会"].iter().any(|w| tail.ends_with(w)) && next.starts_with(is_han);
    }
    // An attribute waits for its noun: a short one, soon ended by a mark.
    tail.ends_with('的') && !text.contains('是') && next.chars().take(7).skip(2).any(|c| "。，、；,".contains(c))
}

/// True if a line opens like an item of a list.
pub(crate) fn is_listed(text: &str) -> bool {
    let rest = text.trim_start_matches(['（', '(', '[', '【']);
    let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "一二三四五六七八九十①②③④⑤⑥⑦⑧⑨⑩".contains(c));
    let numbered = number.len() < rest.len()
        && number.starts_with(['、', '.', '．', '）', ')', ']', '】', '，', ',', ' ', '：', ':', '是']);
    numbered
        || rest.starts_with(['①', '②', '③', '④', '⑤', '⑥', '⑦', '⑧', '⑨', '⑩', '-', '•', '·', '▲', '■', '●', '—'])
        || rest.starts_with('第')
            && rest.chars().nth(1).is_some_and(|c| "一二三四五六七八九十".contains(c) || c.is_ascii_digit())
}

/// Width in half-width columns.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// The width that lines are filled to, if most lines that have another right below them are filled and end anywhere.
fn wrapped_at(blocks: &[Block]) -> Option<usize> {
    // Titles, credits and the like are short and say nothing about the width.
    let inner: Vec<&str> = blocks
        .windows(2)
        .filter(|w| w[1].adjacent && w[1].kind == Kind::Text)
        .map(|w| w[0].text.as_str())
        .filter(|t| columns(t) >= 30)
        .collect();
    if inner.len() < 3 {
        return None;
    }
    let width = inner.iter().map(|t| columns(t)).max()?;
    let filled = inner.iter().filter(|t| columns(t) + 8 >= width).count();
    let open = inner.iter().filter(|t| !t.ends_with(|c| ENDS.contains(c))).count();
    (width <= 160 && filled * 10 >= inner.len() * 7 && open * 2 >= inner.len()).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&str], adjacent: bool) -> Vec<String> {
        let blocks: Vec<Block> = pieces
            .iter()
            .enumerate()
            .map(|(i, t)| Block { range: i..i + 1, text: (*t).into(), kind: Kind::Text, adjacent: adjacent && i > 0 })
            .collect();
        let words = Words::new(&blocks);
        join(blocks, &words).into_iter().map(|b| b.text).collect()
    }

    #[test]
    fn broken_sentences_are_joined() {
        for pieces in [
            &["12", "月9日，商务部公布了新的措施。"][..],
            &["他在会上批评说：「", "上项目，一说就是几样。」"],
            &["这种过剩总是以运动的样子出现", "，根源在于补贴。"],
            &["补贴「扩大", "产能」的做法要停。"],
            &["这并非无能，而是", "理性的选择。"],
            &["各方都要承担债务、", "风险和成本。"],
        ] {
            assert_eq!(joined(pieces, false), [pieces.concat()], "{pieces:?}");
        }
        assert_eq!(
            joined(&["改革是根本。改革要快。", "但谁都不愿意去碰体制改", "革。这不是无能。"], false),
            ["改革是根本。改革要快。", "但谁都不愿意去碰体制改革。这不是无能。"]
        );
    }

    #[test]
    fn lines_without_a_full_stop_stay_apart() {
        for pieces in [
            &["收入的下降已经来到这个时刻", "收入下降来自外部"][..],
            &["所以会出现几个特征，对岸会", "1、降低进口"],
            &["如果以赚钱为目的，", "阻碍升级反而有利"],
            &["我们不反对参与", "大家都来"],
            &["工厂算效率，家庭算现金流。", "这是两本账。"],
        ] {
            assert_eq!(joined(pieces, false), pieces, "{pieces:?}");
        }
    }

    #[test]
    fn lines_filled_to_one_width_are_one_paragraph() {
        let lines = [
            "居民的收入在国民收入里的份额太低，所以厂里造出来的",
            "东西没有人买得起，这样的过剩不是技术的问题，也不是",
            "管理的问题，而是分配的问题，只有把收入分给劳动者才",
            "能解决。",
        ];
        assert_eq!(joined(&lines, true), [lines.concat()]);
    }
}
