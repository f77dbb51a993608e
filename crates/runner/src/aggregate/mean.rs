//! The mean of the scores: the yardstick for everything cleverer.

use super::{Aggregate, Entry, fold_present};

pub(super) const ENTRY: Entry = Entry {
    name: "mean",
    doc: "the mean score of the systems that do not abstain",
    build: |_, _| Ok(Box::new(Mean)),
    fit: None,
    on_scale: true,
};

struct Mean;

impl Aggregate for Mean {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        mean(scores)
    }
}

/// The mean of the scores that there are; NaN where there are none.
fn mean(scores: &[&[f32]]) -> Vec<f32> {
    fold_present(scores, |_, present| {
        let sum: f32 = present.iter().map(|(_, s)| s).sum();
        sum / present.len() as f32
    })
}
