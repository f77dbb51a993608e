//! Which method to trust, on what, and how sure: label files, metrics with intervals, agreement, thresholds.
//!
//! The decision that matters: everything is computed from label matrices and score matrices in memory. This crate
//! runs no classifier and prints nothing; a figure that is not defined is `None` and never NaN.

pub mod gold;

mod baseline;
mod bootstrap;
mod calibration;
mod ceiling;
mod clusters;
mod errors;
mod evaluate;
mod evidence;
mod labels;
mod metrics;
mod pairs;
mod random;
mod slices;

pub use baseline::{Floor, prior, prior_output};
pub use calibration::{Bin, RiskCoverage, RiskPoint, brier, ece, reliability, risk_coverage};
pub use ceiling::{AnnotatorScore, Ceiling, ceiling};
pub use clusters::ResampledBy;
pub use errors::{Confusion, ErrorCase, ErrorKind};
pub use evaluate::{
    Average, EvalError, Evaluation, FamilyReport, FamilyScore, GoldSummary, Options, Resampling, SystemOutput,
    SystemReport, ThesisReport, evaluate,
};
pub use evidence::{EvidenceReport, evidence};
pub use gold::{read_gold, read_gold_str};
pub use labels::Labels;
pub use metrics::{
    Counts, CurvePoint, Prf, any_thesis, average_precision, counts, jaccard, macro_average, micro,
    precision_recall_curve, subset_accuracy,
};
pub use pairs::{Pair, holm};
pub use slices::{Slice, SliceScore};
