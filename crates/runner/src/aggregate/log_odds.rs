//! The mean of the log-odds: the logarithmic opinion pool with equal weights (Genest and McConway, *Allocating the
//! weights in the linear opinion pool*, 1990; Satopää et al., *Combining multiple probability predictions using a simple
//! logit model*, 2014).
//!
//! Where the plain mean lets one sure system speak for all, this asks the others to be at least possible: a doubt of
//! 0.01 weighs as much against a thesis as 0.99 does for it.

use super::logistic::{logit, sigmoid};
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
        log_odds(scores, 0.0)
    }
}

/// The mean of the log-odds that there are, and `shift` more, as probabilities; NaN where there are none.
pub(super) fn log_odds(scores: &[&[f32]], shift: f64) -> Vec<f32> {
    fold_present(scores, |_, present| {
        let sum: f64 = present.iter().map(|(_, score)| logit(f64::from(score.clamp(DOUBT, 1.0 - DOUBT)))).sum();
        sigmoid(sum / present.len() as f64 + shift) as f32
    })
}
