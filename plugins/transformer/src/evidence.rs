//! Evidence: the clause of a paragraph that carries a score.
//!
//! The decision that matters: a clause is left out, and what a thesis's logit loses by that is what the clause carries
//! (occlusion). A clause is a phrase that people can read, unlike the scattered tokens that gradients point to, and
//! what is shown has by construction been seen to matter. All clauses of a window go through the encoder together,
//! for all theses at once.

use std::ops::Range;

use lundian_text::Normalised;

use crate::model::Model;
use crate::tokens::Window;

/// Other clauses are shown, too, if they carry at least this part of what the strongest one does.
const STRONG: f32 = 0.8;
/// The most clauses for one thesis.
const MOST: usize = 2;
/// Clauses shorter than this, in characters, join the one after them.
const SHORTEST: usize = 4;

/// Marks that end a clause, in normalised text.
fn ends_clause(c: char) -> bool {
    "。,、;:!?…\n".contains(c)
}

/// The clauses of a normalised text, as bytes, without the marks and white space around them.
fn clauses(text: &str) -> Vec<Range<usize>> {
    let mut clauses = Vec::new();
    let mut start = 0;
    let mut push = |start: usize, end: usize, least: usize| {
        let part = &text[start..end];
        let inner = part.trim_matches(|c: char| !c.is_alphanumeric());
        let enough = inner.chars().count() >= least;
        if enough {
            let from = start + part.find(inner).unwrap_or(0);
            clauses.push(from..from + inner.len());
        }
        enough
    };
    for (at, c) in text.char_indices() {
        if ends_clause(c) && push(start, at, SHORTEST) {
            start = at + c.len_utf8();
        }
    }
    push(start, text.len(), 1);
    clauses
}

/// What each clause of one window carries, for all theses.
pub(crate) struct Clauses {
    /// Bytes of the normalised text.
    clauses: Vec<Range<usize>>,
    /// By clause, then by thesis of the model: what the logit loses without it.
    losses: Vec<Vec<f32>>,
}

impl Clauses {
    /// Looks at a window of `text` that has the logits `whole`.
    pub(crate) fn new(model: &Model, window: &Window, text: &str, whole: &[f32]) -> candle_core::Result<Self> {
        let seen = window.bytes.first().map_or(0, |b| b.start)..window.bytes.last().map_or(0, |b| b.end);
        let mut clauses: Vec<Range<usize>> = clauses(text);
        clauses.retain(|c| c.start < seen.end && c.end > seen.start);
        let without: Vec<Window> = clauses.iter().map(|clause| window.without(clause)).collect();
        let losses = if clauses.len() == 1 {
            // Nothing is left to compare with.
            vec![whole.iter().map(|_| 1.0).collect()]
        } else {
            let logits = model.logits(without.iter())?;
            logits.iter().map(|without| whole.iter().zip(without).map(|(w, o)| w - o).collect()).collect()
        };
        Ok(Self { clauses, losses })
    }

    /// The clauses that carry the score of thesis number `thesis` of the model, strongest first: bytes of the original
    /// text, and the part, in [0, 1], of everything that speaks for the thesis.
    pub(crate) fn of(&self, thesis: usize, normalised: &Normalised) -> Vec<(Range<usize>, f32)> {
        let mut carried: Vec<(usize, f32)> =
            self.losses.iter().map(|l| l[thesis]).enumerate().filter(|(_, loss)| *loss > 0.0).collect();
        let total: f32 = carried.iter().map(|(_, loss)| loss).sum();
        carried.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let least = carried.first().map_or(0.0, |(_, most)| STRONG * most);
        carried.retain(|(_, loss)| *loss >= least);
        carried.truncate(MOST);
        carried
            .into_iter()
            .map(|(n, loss)| (normalised.to_original(self.clauses[n].clone()), (loss / total).clamp(0.0, 1.0)))
            .filter(|(bytes, _)| !bytes.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::clauses;

    fn cut(text: &str) -> Vec<&str> {
        clauses(text).into_iter().map(|c| &text[c]).collect()
    }

    #[test]
    fn clauses_end_at_marks_and_short_ones_join_the_next() {
        assert_eq!(cut("东西卖不出去,所以工厂停工。就这样"), ["东西卖不出去", "所以工厂停工", "就这样"]);
        assert_eq!(cut("因此,产能过剩。"), ["因此,产能过剩"]);
        assert_eq!(cut("《内循环》为何难"), ["内循环》为何难"]);
        assert_eq!(cut("。。!"), Vec::<&str>::new());
        assert_eq!(cut(""), Vec::<&str>::new());
    }
}
