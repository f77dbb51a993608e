//! Majority vote: the share of the systems that reach their own threshold.

use lundian_core::Thresholds;

use super::{Aggregate, Entry, Panel, fold_present};

pub(super) const ENTRY: Entry = Entry {
    name: "vote",
    doc: "the share of systems at or above their own threshold; more than half is a label",
    build: |panel, _| Ok(Box::new(Vote { panel: panel.clone() })),
    fit: None,
    on_scale: false,
};

struct Vote {
    panel: Panel,
}

impl Aggregate for Vote {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        fold_present(scores, |thesis, present| {
            let yes = present.iter().filter(|(system, s)| *s >= self.panel.thresholds[*system][thesis]).count();
            yes as f32 / present.len() as f32
        })
    }

    fn thresholds(&self) -> Thresholds {
        // Just above one half: a tie is no majority.
        Thresholds { origin: "majority".into(), ..Thresholds::uniform(0.500_001) }
    }
}
