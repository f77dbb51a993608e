//! Is one system better than another, and where do they differ?
//!
//! The interval comes from a paired cluster bootstrap, the p-value from approximate randomisation: under the null
//! hypothesis it does not matter which system gave an answer, so whole clusters of answers are swapped at random
//! (Noreen 1989; Yeh 2000). All p-values of a report are corrected together (Holm 1979).

use lundian_core::Sample;
use serde::Serialize;

use crate::bootstrap::{Plan, Tally, given, interval};
use crate::clusters::Clusters;
use crate::labels::Labels;
use crate::metrics::{Counts, counts, macro_average};
use crate::random::{Random, parallel};

/// Two systems on the same paragraphs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Name of the first system.
    pub a: String,
    /// Name of the second.
    pub b: String,
    /// Macro F1 of `a` less that of `b`.
    pub delta_macro_f1: f64,
    /// 95 % interval of the difference; `None` with fewer than two clusters.
    pub ci95: Option<[f64; 2]>,
    /// Two-sided p-value of the difference, not corrected.
    pub p_value: f64,
    /// The same after Holm's correction over all pairs of the report.
    pub p_holm: f64,
    /// Micro F1 of `a` less that of `b`.
    pub delta_micro_f1: f64,
    /// Ids of paragraphs whose set of theses `a` gets exactly right and `b` does not.
    pub only_a_right: Vec<String>,
    /// The other way round.
    pub only_b_right: Vec<String>,
}

/// Ids of the paragraphs that only the first, and only the second system gets exactly right.
pub(crate) fn only_right(samples: &[Sample], gold: &Labels, a: &Labels, b: &Labels) -> (Vec<String>, Vec<String>) {
    let (mut only_a, mut only_b) = (Vec::new(), Vec::new());
    for (row, sample) in samples.iter().enumerate() {
        match (a.row(row) == gold.row(row), b.row(row) == gold.row(row)) {
            (true, false) => only_a.push(sample.paragraph.id.clone()),
            (false, true) => only_b.push(sample.paragraph.id.clone()),
            _ => {}
        }
    }
    (only_a, only_b)
}

/// Interval of the difference of figures drawn from the same resamples.
pub(crate) fn paired_interval(a: &[f64], b: &[f64]) -> Option<[f64; 2]> {
    interval(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// Approximate-randomisation p-value of the difference of macro F1:
/// `(1 + swaps with a difference at least as large) / (1 + swaps)`, which is never 0 (Phipson and Smyth 2010).
pub(crate) fn randomisation_p(gold: &Labels, a: &Labels, b: &Labels, clusters: &Clusters, plan: Plan) -> f64 {
    let (base_a, base_b) = (counts(gold, a), counts(gold, b));
    let observed = (macro_average(&base_a).f1 - macro_average(&base_b).f1).abs();
    let difference = difference_tally(gold, a, b, clusters);
    let differing: Vec<usize> = (0..clusters.count).filter(|c| !difference.cluster(*c).is_empty()).collect();
    let as_large = parallel(plan.draws, plan.threads, |draw| {
        let mut random = Random::of_draw(!plan.seed, draw);
        let mut moved = vec![0.0; 2 * gold.theses()];
        for chunk in differing.chunks(64) {
            let bits = random.next();
            for (i, cluster) in chunk.iter().enumerate() {
                if bits >> i & 1 == 1 {
                    for (slot, count) in difference.cluster(*cluster) {
                        moved[*slot as usize] += count;
                    }
                }
            }
        }
        let swapped = |base: &[Counts], sign: f64| {
            let counts: Vec<Counts> = base
                .iter()
                .zip(moved.chunks_exact(2))
                .map(|(c, m)| Counts {
                    tp: (c.tp as f64 + sign * m[0]) as u64,
                    predicted: (c.predicted as f64 + sign * m[1]) as u64,
                    support: c.support,
                })
                .collect();
            macro_average(&counts).f1
        };
        // The tolerance keeps a swap that restores the observed figure from being lost to rounding.
        (swapped(&base_a, -1.0) - swapped(&base_b, 1.0)).abs() >= observed - 1e-12
    });
    let n = as_large.iter().filter(|large| **large).count();
    (1 + n) as f64 / (1 + plan.draws) as f64
}

/// What `a` counts more than `b`, by cluster: true positives (slot `2 t`) and predictions (slot `2 t + 1`).
fn difference_tally(gold: &Labels, a: &Labels, b: &Labels, clusters: &Clusters) -> Tally {
    Tally::new(clusters, 2 * gold.theses(), |row| {
        let right = gold.row(row);
        let signed = |labels: &'_ Labels, sign: f64| {
            given(labels.row(row))
                .flat_map(|t| [(2 * t, sign * f64::from(u8::from(right[t]))), (2 * t + 1, sign)])
                .collect::<Vec<_>>()
        };
        let mut entries = signed(a, 1.0);
        entries.extend(signed(b, -1.0));
        entries
    })
}

/// Holm's step-down correction: adjusted p-values, in the order given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, i) in order.into_iter().enumerate() {
        largest = largest.max(p_values[i] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}
