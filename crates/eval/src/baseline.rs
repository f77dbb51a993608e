//! What costs nothing: systems that do not read the text.

use lundian_core::{Output, Sample};
use serde::Serialize;

use crate::metrics::{Counts, macro_average, micro};

/// F1 of giving every thesis to every paragraph: a system below it is of no use, however well it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Floor {
    /// Micro F1.
    pub micro_f1: f64,
    /// Macro F1.
    pub macro_f1: f64,
}

/// The floor for a file with this support.
pub(crate) fn floor(counts: &[Counts], paragraphs: usize) -> Floor {
    let always: Vec<Counts> =
        counts.iter().map(|c| Counts { tp: c.support, predicted: paragraphs as u64, support: c.support }).collect();
    Floor { micro_f1: micro(&always).f1, macro_f1: macro_average(&always).f1 }
}

/// Share of paragraphs that argue each thesis; all 0 without samples.
pub fn prior(samples: &[Sample], theses: usize) -> Vec<f32> {
    let mut counts = vec![0u32; theses];
    for label in samples.iter().flat_map(|s| &s.labels).filter(|l| l.thesis < theses) {
        counts[label.thesis] += 1;
    }
    counts.into_iter().map(|n| n as f32 / samples.len().max(1) as f32).collect()
}

/// A system that scores every paragraph with the prior. At threshold 0.5 it makes the majority's decision
/// (scikit-learn `DummyClassifier(strategy="prior")`).
pub fn prior_output(prior: &[f32], rows: usize) -> Output {
    let mut output = Output::new(rows, prior.len());
    for row in 0..rows {
        output.row_mut(row).copy_from_slice(prior);
    }
    output
}
