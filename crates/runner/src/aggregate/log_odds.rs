//! The mean of the log-odds: the logarithmic opinion pool with equal weights (Genest and McConway, *Allocating the
//! weights in the linear opinion pool*, 1990; Satopää et al., *Combining multiple probability predictions using a simple
//! logit model*, 2014).
//!
//! Where the plain mean lets one sure system speak for all, this asks the others to be at least possible: a doubt of
//! 0.01 weighs as much against a thesis as 0.99 does for it.

use super::{Aggregate, Entry, fold_present};

pub(super) const ENTRY: Entry = Entry {
    name: "log-odds",
    doc: "the mean of the log-odds of the systems that do not abstain",
    build: |_, _| Ok(Box::new(LogOdds)),
    fit: None,
    on_scale: true,
};

/// Scores are held this far from 0 and 1: a system that finds nothing has not proved that there is nothing.
const DOUBT: f32 = 0.01;

struct LogOdds;

impl Aggregate for LogOdds {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        fold_present(scores, |_, present| {
            let log_odds = |score: f32| {
                let p = score.clamp(DOUBT, 1.0 - DOUBT);
                (p / (1.0 - p)).ln()
            };
            let mean = present.iter().map(|(_, score)| log_odds(*score)).sum::<f32>() / present.len() as f32;
            1.0 / (1.0 + (-mean).exp())
        })
    }
}
