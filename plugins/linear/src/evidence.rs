//! Evidence: the words of a paragraph that carry a score.
//!
//! The decision that matters: every n-gram spreads what it adds to the logit evenly over its characters, so that words
//! which many n-grams speak for stand out; runs of such characters are merged into phrases, and no phrase crosses a
//! punctuation mark.

use std::ops::Range;

use lundian_text::Normalised;

use crate::model::Model;
use crate::ngram;
use crate::tfidf::sublinear;

/// A character counts if it carries at least this part of what the strongest one carries.
const STRONG: f32 = 0.35;
/// Weaker characters between two strong ones, up to this many, join them.
const GAP: usize = 2;
/// The most phrases for one thesis.
const MOST: usize = 3;
/// Phrases shorter than this, in characters, say too little.
const SHORTEST: usize = 2;

/// Characters that begin or end no phrase.
fn is_loose(c: char) -> bool {
    !c.is_alphanumeric() || "的了着过是在和与就都也而且但又还把被让对从到以于这那其之个们我你他她它很最更".contains(c)
}

/// Marks that no phrase crosses.
fn is_border(c: char) -> bool {
    c.is_control() || "。,、;:!?…—《》()[]{}【】\"'".contains(c)
}

/// What each n-gram of one text adds, found once for all theses of the text.
pub(crate) struct Contributions<'a> {
    model: &'a Model,
    /// First byte of each character of the normal form, and the character.
    chars: Vec<(usize, char)>,
    /// Each known n-gram: its number, its characters, and what a weight of 1 adds.
    ngrams: Vec<(u32, Range<usize>, f32)>,
}

impl<'a> Contributions<'a> {
    /// Looks at a normalised text whose features were divided by `norm`.
    pub(crate) fn new(model: &'a Model, text: &str, norm: f32) -> Self {
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        let place = |byte: usize| chars.partition_point(|(at, _)| *at < byte);
        let mut ngrams: Vec<(u32, Range<usize>, f32)> = Vec::new();
        ngram::for_each(text, &model.lengths(), |hash, bytes| {
            if let Some(number) = model.vocabulary.get(hash) {
                ngrams.push((number, place(bytes.start)..place(bytes.end), 0.0));
            }
        });
        ngrams.sort_by_key(|(number, ..)| *number);
        for run in ngrams.chunk_by_mut(|a, b| a.0 == b.0) {
            let share = sublinear(run.len() as u32) * model.idf[run[0].0 as usize] / norm / run.len() as f32;
            run.iter_mut().for_each(|(.., value)| *value = share);
        }
        Self { model, chars, ngrams }
    }

    /// The phrases that carry the score of thesis number `thesis`, strongest first: bytes of the original text, and
    /// the part, in [0, 1], of everything that speaks for the thesis.
    pub(crate) fn phrases(&self, normalised: &Normalised, thesis: usize) -> Vec<(Range<usize>, f32)> {
        let mut carried = vec![0f32; self.chars.len()];
        for (number, chars, value) in &self.ngrams {
            let each = value * self.model.quantised.weight(*number, thesis) / chars.len() as f32;
            carried[chars.clone()].iter_mut().for_each(|c| *c += each);
        }
        let most = carried.iter().copied().fold(0f32, f32::max);
        if most <= 0.0 {
            return Vec::new();
        }
        let total: f32 = carried.iter().filter(|c| **c > 0.0).sum();
        let mut phrases: Vec<(Range<usize>, f32)> = self
            .runs(&carried, STRONG * most)
            .into_iter()
            .filter_map(|run| self.trim(run))
            .map(|run| {
                let weight: f32 = carried[run.clone()].iter().filter(|c| **c > 0.0).sum();
                (run, (weight / total).clamp(0.0, 1.0))
            })
            .collect();
        phrases.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.start.cmp(&b.0.start)));
        phrases.truncate(MOST);
        phrases
            .into_iter()
            .map(|(run, weight)| {
                let end = self.chars[run.end - 1];
                let bytes = self.chars[run.start].0..end.0 + end.1.len_utf8();
                (normalised.to_original(bytes), weight)
            })
            .filter(|(bytes, _)| !bytes.is_empty())
            .collect()
    }

    /// Runs of characters that carry at least `least`, joined over small gaps.
    fn runs(&self, carried: &[f32], least: f32) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut border_since = true;
        for (i, &(_, c)) in self.chars.iter().enumerate() {
            if is_border(c) {
                border_since = true;
            } else if carried[i] >= least {
                match runs.last_mut() {
                    Some(run) if !border_since && i - run.end <= GAP => run.end = i + 1,
                    _ => runs.push(i..i + 1),
                }
                border_since = false;
            }
        }
        runs
    }

    /// `run` without loose characters at its ends, widened to whole numbers and Latin words; `None` if too little is
    /// left.
    fn trim(&self, run: Range<usize>) -> Option<Range<usize>> {
        let Range { mut start, mut end } = run;
        let char_at = |i: usize| self.chars[i].1;
        let is_word = |i: usize| char_at(i).is_ascii_alphanumeric();
        while start > 0 && is_word(start) && is_word(start - 1) {
            start -= 1;
        }
        while end < self.chars.len() && is_word(end - 1) && is_word(end) {
            end += 1;
        }
        while start < end && is_loose(char_at(start)) {
            start += 1;
        }
        while start < end && is_loose(char_at(end - 1)) {
            end -= 1;
        }
        (end - start >= SHORTEST).then_some(start..end)
    }
}
