//! Which method to trust, on what, and how sure: label files, metrics with intervals, agreement, thresholds.
//!
//! The decision that matters: everything is computed from label matrices and score matrices in memory. This crate
//! runs no classifier and prints nothing; a figure that is not defined is `None` and never NaN.

pub mod gold;

mod agreement;
mod alpha;
mod baseline;
mod bootstrap;
mod calibration;
mod ceiling;
mod clusters;
mod compare;
mod errors;
mod evaluate;
mod evaluation;
mod evidence;
mod faithfulness;
mod gates;
mod invariance;
mod labels;
mod metrics;
mod pairs;
mod random;
mod ratings;
mod roles;
mod slices;
mod thresholds;

pub use agreement::{Agreement, PairAgreement, RaterSummary, ThesisAgreement, TwoByTwo, agreement};
pub use alpha::{Alpha, masi_distance};
pub use baseline::{Floor, prior, prior_output};
pub use calibration::{Bin, RiskCoverage, RiskPoint, brier, ece, reliability, risk_coverage};
pub use ceiling::{AnnotatorScore, Ceiling, ceiling};
pub use clusters::ResampledBy;
pub use compare::{CompareOptions, Comparison, Disagreement, LfSummary, SystemVotes, ThesisVotes, compare, to_label};
pub use errors::{Confusion, ErrorCase, ErrorKind};
pub use evaluate::{EvalError, Options, SystemOutput, evaluate};
pub use evaluation::{
    Average, Evaluation, FamilyReport, FamilyScore, GoldSummary, Invariance, Resampling, SystemReport, ThesisReport,
};
pub use evidence::{EvidenceReport, evidence};
pub use faithfulness::{Claim, Faithfulness, faithfulness};
pub use gates::{Gate, GateError, GateFailure, failed_gates};
pub use gold::{read_gold, read_gold_str};
pub use invariance::{FlipRate, flip_rate};
pub use labels::Labels;
pub use metrics::{
    Counts, CurvePoint, Prf, any_thesis, average_precision, counts, jaccard, macro_average, micro,
    precision_recall_curve, subset_accuracy,
};
pub use pairs::{Pair, holm};
pub use ratings::Ratings;
pub use roles::{RoleReport, RoleScore};
pub use slices::{Slice, SliceScore};
pub use thresholds::{Mode, Objective, choose_thresholds};
