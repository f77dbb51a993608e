//! The highest score: a thesis counts if any system is sure of it.

use super::{Aggregate, Entry, fold_present};

pub(super) const ENTRY: Entry = Entry {
    name: "max",
    doc: "the highest score of any system",
    build: |_, _| Ok(Box::new(Max)),
    fit: None,
    on_scale: true,
};

struct Max;

impl Aggregate for Max {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        fold_present(scores, |_, present| present.iter().fold(0.0, |max, (_, s)| s.max(max)))
    }
}
