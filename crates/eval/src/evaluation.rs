//! What an evaluation says, as plain data.
//!
//! The JSON keys are those of the design document, section 6. Figures that are not defined (an average of nothing, an
//! interval from one cluster) are `None`, which JSON writes as null, and never NaN.

use lundian_core::Kind;
use serde::Serialize;

use crate::baseline::Floor;
use crate::calibration::{Bin, RiskCoverage};
use crate::ceiling::Ceiling;
use crate::clusters::ResampledBy;
use crate::errors::{Confusion, ErrorCase};
use crate::evidence::EvidenceReport;
use crate::faithfulness::Faithfulness;
use crate::metrics::{CurvePoint, Prf};
use crate::pairs::Pair;
use crate::roles::RoleReport;
use crate::slices::Slice;

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// What was scored against.
    pub gold: GoldSummary,
    /// How intervals and p-values were drawn.
    pub resampling: Resampling,
    /// Each system, in the order given; the baseline comes last.
    pub systems: Vec<SystemReport>,
    /// Each pair of systems, baselines left out.
    pub pairs: Vec<Pair>,
    /// How well annotators predict each other; `None` unless the gold file holds several.
    pub ceiling: Option<Ceiling>,
    /// F1 of giving every thesis to every paragraph.
    pub floor: Floor,
    /// Parts of the gold file.
    pub slices: Vec<Slice>,
    /// What the reader should know about these figures.
    pub notes: Vec<String>,
}

/// The gold file in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GoldSummary {
    /// Its name.
    pub file: String,
    /// Paragraphs.
    pub paragraphs: usize,
    /// Labels.
    pub labels: u64,
    /// Documents.
    pub documents: usize,
    /// Theses with support: what macro figures average over.
    pub theses: usize,
}

/// How intervals and p-values were drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resampling {
    /// Number of draws.
    pub draws: usize,
    /// Their seed.
    pub seed: u64,
    /// What was resampled as a whole.
    pub by: ResampledBy,
    /// How many of them there are.
    pub clusters: usize,
}

/// An average with the interval of its F1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Average {
    /// Precision, recall, F1.
    #[serde(flatten)]
    pub prf: Prf,
    /// 95 % interval of F1; `None` with fewer than two clusters.
    pub ci95: Option<[f64; 2]>,
}

/// Figures over families: a paragraph argues a family if it argues any of its theses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyReport {
    /// Micro F1 over families.
    pub micro_f1: f64,
    /// Macro F1 over the families with support.
    pub macro_f1: f64,
    /// Each family.
    pub per_family: Vec<FamilyScore>,
}

/// One family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyScore {
    /// Its slug.
    pub family: String,
    /// Paragraphs that argue it.
    pub support: u64,
    /// Precision, recall, F1.
    #[serde(flatten)]
    pub prf: Prf,
}

/// One thesis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThesisReport {
    /// Its slug.
    pub thesis: String,
    /// Paragraphs that argue it.
    pub support: u64,
    /// Paragraphs that were given it.
    pub predicted: u64,
    /// Precision, recall, F1.
    #[serde(flatten)]
    pub prf: Prf,
    /// 95 % interval of F1, over the draws in which the thesis occurs; `None` without any.
    pub ci95: Option<[f64; 2]>,
    /// Average precision; `None` if nothing is there or the system abstains throughout.
    pub average_precision: Option<f64>,
    /// From which score on the system gives it.
    pub threshold: f32,
    /// Share of paragraphs on which the system has an opinion.
    pub coverage: Option<f64>,
}

/// One system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SystemReport {
    /// Its name.
    pub name: String,
    /// What sort of method it is.
    pub kind: Kind,
    /// Over all labels alike.
    pub micro: Average,
    /// Over theses with support alike.
    #[serde(rename = "macro")]
    pub macro_average: Average,
    /// Over families.
    pub family: FamilyReport,
    /// Share of paragraphs whose set of theses is exactly right.
    pub subset_accuracy: Option<f64>,
    /// Mean overlap of the two sets of theses.
    pub jaccard: Option<f64>,
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Does a paragraph argue a thesis at all?
    pub any_thesis: Prf,
    /// Evidence against gold quotes.
    pub evidence: EvidenceReport,
    /// What paragraphs do; `None` if it says no roles, or none are recorded.
    pub role: Option<RoleReport>,
    /// Share of paragraph-thesis cells on which the system has an opinion.
    pub coverage: Option<f64>,
    /// Paragraphs that it could not judge.
    pub failed: usize,
    /// Each thesis, in the taxonomy's order.
    pub per_thesis: Vec<ThesisReport>,
    /// Where the thresholds come from.
    pub thresholds: String,
    /// How long it took.
    pub seconds: f64,
    /// Its speed; `None` if the time is not known.
    pub paragraphs_per_second: Option<f64>,
    /// Reliability curve.
    pub reliability: Vec<Bin>,
    /// Risk-coverage curve.
    pub risk_coverage: RiskCoverage,
    /// Precision-recall curve over all paragraph-thesis cells; at most 200 points.
    pub precision_recall: Vec<CurvePoint>,
    /// What it takes for what.
    pub confusions: Vec<Confusion>,
    /// Its wrong decisions, the surest first.
    pub errors: Vec<ErrorCase>,
    /// Whether its evidence carries its scores; `None` unless it was tested, which takes the classifier itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faithfulness: Option<Faithfulness>,
    /// How its labels change with the text; `None` unless it was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invariance: Option<Invariance>,
}

/// How a system's labels change when the text changes in a way that should not matter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Invariance {
    /// What was changed, in a word.
    pub change: String,
    /// Share of paragraphs whose set of theses changed; `None` without paragraphs.
    pub flip_rate: Option<f64>,
    /// Their ids.
    pub changed: Vec<String>,
}
