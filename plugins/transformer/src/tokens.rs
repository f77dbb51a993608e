//! From a paragraph and its context to tokens.
//!
//! The decision that matters: the paragraph comes first and is the only part that is pooled; its heading and the end of
//! the paragraph before stand behind it, after a separator, where attention can see them. So context can tell what
//! "this" is, but a thesis of the paragraph before does not become one of this paragraph by itself. Text is normalised
//! as by [`lundian_text`], so that Simplified and Traditional are one. A paragraph that is too long is read in windows
//! that overlap; nothing is cut off.

use std::ops::Range;

use lundian_plugin::Unit;
use lundian_text::{Normalised, normalise};
use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use crate::ModelError;
use crate::encoder::{Encoder, Tokens};
use crate::ops::Sequences;

/// How much a model reads at once, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// Of the paragraph itself, at least 8; longer ones are read in windows.
    pub window: usize,
    /// Of the heading, its beginning.
    pub heading: usize,
    /// Of the paragraph before, its end.
    pub prev: usize,
}

impl Default for Lengths {
    fn default() -> Self {
        Self { window: 192, heading: 12, prev: 32 }
    }
}

impl Lengths {
    /// Without context, for an encoder that was not trained on it.
    pub(crate) fn alone(encoder: &dyn Encoder) -> Self {
        let most = encoder.max_tokens().saturating_sub(MARKS);
        Self { window: Self::default().window.min(most), heading: 0, prev: 0 }
    }
}

/// Tokens that open, separate and close.
const MARKS: usize = 4;

/// One window of a paragraph, with its context.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) ids: Vec<u32>,
    /// Where the context begins: tokens before it are pooled.
    pub(crate) own: usize,
    /// Of each of the paragraph's tokens in the window, its bytes in the normalised text. The first stands at place 1.
    pub(crate) bytes: Vec<Range<usize>>,
}

impl Window {
    /// The same window without those of the paragraph's tokens that touch `bytes` of its normalised text.
    pub(crate) fn without(&self, bytes: &Range<usize>) -> Self {
        let stays = |b: &Range<usize>| b.end <= bytes.start || b.start >= bytes.end;
        let mut ids = vec![self.ids[0]];
        ids.extend(self.bytes.iter().zip(&self.ids[1..]).filter(|(b, _)| stays(b)).map(|(_, id)| id));
        let own = ids.len() + 1;
        ids.extend(&self.ids[self.own - 1..]);
        Self { ids, own, bytes: self.bytes.iter().filter(|b| stays(b)).cloned().collect() }
    }
}

/// A tokenizer that fits a model.
#[derive(Clone)]
pub(crate) struct Reader {
    tokenizer: Tokenizer,
    lengths: Lengths,
    open: u32,
    close: u32,
}

impl Reader {
    /// Reads a `tokenizer.json`.
    pub(crate) fn new(
        tokenizer: &[u8],
        lengths: Lengths,
        vocabulary: usize,
        max_tokens: usize,
    ) -> Result<Self, ModelError> {
        let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        let pieces = tokenizer.get_vocab(true).into_values().max().map_or(0, |most| most as usize + 1);
        if pieces > vocabulary {
            return Err(ModelError::Vocabulary { tokenizer: pieces, weights: vocabulary });
        }
        let longest = [lengths.heading, lengths.prev, MARKS].into_iter().fold(lengths.window, usize::saturating_add);
        if lengths.window < 8 || longest > max_tokens {
            return Err(ModelError::Config(format!(
                "a window of {} tokens with its context: at least 8, and {longest} must not exceed {max_tokens}",
                lengths.window
            )));
        }
        let (open, close) = (mark(&tokenizer, ["<s>", "[CLS]"])?, mark(&tokenizer, ["</s>", "[SEP]"])?);
        Ok(Self { tokenizer, lengths, open, close })
    }

    /// The token that stands for one that is to be guessed.
    pub(crate) fn mask(&self) -> Result<u32, ModelError> {
        mark(&self.tokenizer, ["<mask>", "[MASK]"])
    }

    /// The tokens of a text without any marks, and the bytes of each.
    fn tokens(&self, text: &str) -> Result<(Vec<u32>, Vec<Range<usize>>), String> {
        let encoding = self.tokenizer.encode(text, false).map_err(|e| e.to_string())?;
        Ok((encoding.get_ids().to_vec(), encoding.get_offsets().iter().map(|&(start, end)| start..end).collect()))
    }

    /// The windows of a paragraph: at least one, and the normalised text that their bytes count.
    pub(crate) fn windows(&self, unit: &Unit<'_>) -> Result<(Vec<Window>, Normalised), String> {
        let normalised = Normalised::new(unit.text);
        let (ids, bytes) = self.tokens(normalised.as_str())?;
        let mut context = self.tokens(&normalise(unit.heading))?.0;
        context.truncate(self.lengths.heading);
        let prev = self.tokens(&normalise(unit.prev))?.0;
        context.extend(&prev[prev.len().saturating_sub(self.lengths.prev)..]);

        let window = self.lengths.window;
        let starts: Vec<usize> = match ids.len() {
            n if n <= window => vec![0],
            // As few as overlap by a quarter, at even distances.
            n => {
                let steps = (n - window).div_ceil(window * 3 / 4);
                (0..=steps).map(|i| i * (n - window) / steps).collect()
            }
        };
        let of = |start: usize| {
            let range = start..(start + window).min(ids.len());
            let mut all = vec![self.open];
            all.extend(&ids[range.clone()]);
            all.push(self.close);
            let own = all.len();
            if !context.is_empty() {
                all.extend(&context);
                all.push(self.close);
            }
            Window { ids: all, own, bytes: bytes[range].to_vec() }
        };
        Ok((starts.into_iter().map(of).collect(), normalised))
    }
}

/// The number of a token that goes by one of two names.
fn mark(tokenizer: &Tokenizer, names: [&str; 2]) -> Result<u32, ModelError> {
    let known = names.iter().find_map(|name| tokenizer.token_to_id(name));
    known.ok_or_else(|| ModelError::Tokenizer(format!("has neither {} nor {}", names[0], names[1])))
}

/// Windows one after another, and the tokens of each that are pooled.
pub(crate) fn pack<'a>(windows: impl Iterator<Item = &'a Window>) -> (Tokens, Sequences) {
    let mut ids = Vec::new();
    let lengths = windows.map(|window| {
        ids.extend(&window.ids);
        (window.ids.len(), window.own)
    });
    let (sequences, pooled) = layout(lengths);
    (Tokens { ids, sequences }, pooled)
}

/// Where sequences stand that are put one after another, and the tokens of each that are pooled, given the number of its
/// tokens and of its pooled ones.
pub(crate) fn layout(lengths: impl Iterator<Item = (usize, usize)>) -> (Sequences, Sequences) {
    let mut end = 0;
    let places = lengths.map(|(tokens, own)| {
        let start = end;
        end += tokens;
        (start..end, start..start + own)
    });
    let (sequences, pooled): (Vec<_>, Vec<_>) = places.unzip();
    (Sequences::from(sequences), Sequences::from(pooled))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What Python's tokenizers finds (see `tests/make_tokens.py`).
    #[derive(Deserialize)]
    struct Row {
        text: String,
        ids: Vec<u32>,
    }

    fn read(path: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    fn reader(lengths: Lengths) -> Reader {
        Reader::new(&read("../../models/thesis-encoder/tokenizer.json"), lengths, 40_000, 512).unwrap()
    }

    #[test]
    fn pieces_are_those_of_python() {
        let reader = reader(Lengths::default());
        let rows: Vec<Row> = serde_json::from_slice(&read("tests/data/tokens.json")).unwrap();
        assert_eq!(rows.len(), 200);
        for Row { text, ids } in rows {
            assert_eq!(reader.tokens(&text).unwrap().0, ids, "{text:?}");
        }
    }

    #[test]
    fn context_stands_behind_the_paragraph_and_is_cut_on_the_far_side() {
        let reader = reader(Lengths { window: 20, heading: 3, prev: 4 });
        let ids = |text: &str| reader.tokens(text).unwrap().0;
        let unit = Unit {
            text: "产能过剩",
            prev: "工厂停工，工人回家，没有钱花",
            heading: "关于内循环的十个问题",
            ..Unit::default()
        };
        let (windows, normalised) = reader.windows(&unit).unwrap();
        let [window] = &windows[..] else { panic!("{} windows", windows.len()) };
        let (own, heading, prev) = (ids("产能过剩"), ids(unit.heading), ids("工厂停工,工人回家,没有钱花"));
        let mut wanted = vec![0];
        wanted.extend(&own);
        wanted.push(2);
        assert_eq!(window.own, wanted.len());
        wanted.extend(&heading[..3]);
        wanted.extend(&prev[prev.len() - 4..]);
        wanted.push(2);
        assert_eq!(window.ids, wanted);

        let last = window.bytes.last().unwrap().clone();
        assert_eq!(last.end, normalised.as_str().len());
        let without = window.without(&last);
        assert_eq!((without.own, without.bytes.len()), (window.own - 1, window.bytes.len() - 1));
        assert_eq!(without.ids.len(), window.ids.len() - 1);
        assert_eq!(without.ids[without.own - 1], 2);
    }

    #[test]
    fn windows_overlap_and_leave_nothing_out() {
        let reader = reader(Lengths { window: 20, heading: 3, prev: 4 });
        for repeats in 1..40 {
            let text = "工厂停工,工人回家。".repeat(repeats);
            let all = reader.tokens(&text).unwrap().1;
            let (windows, _) = reader.windows(&Unit { text: &text, ..Unit::default() }).unwrap();
            let mut next = 0;
            for window in &windows {
                assert!(window.bytes.len() <= 20);
                let first = all.iter().position(|b| *b == window.bytes[0]).unwrap();
                assert!(first <= next);
                next = first + window.bytes.len();
            }
            assert_eq!(next, all.len());
        }
    }
}
