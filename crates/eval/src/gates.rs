//! Gates for continuous integration: `macro_f1=0.5` fails a system that scores less.
//!
//! What can be asked for stands in one table, [`METRICS`].

use std::fmt;
use std::str::FromStr;

use lundian_core::Kind;

use crate::evaluation::{Evaluation, SystemReport};

/// Whether more or less of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

type Figure = fn(&SystemReport) -> Option<f64>;

/// Figures of a system that a gate may name.
const METRICS: &[(&str, Better, Figure)] = &[
    ("macro_f1", Better::Higher, |s| Some(s.macro_average.prf.f1)),
    ("macro_precision", Better::Higher, |s| Some(s.macro_average.prf.precision)),
    ("macro_recall", Better::Higher, |s| Some(s.macro_average.prf.recall)),
    ("micro_f1", Better::Higher, |s| Some(s.micro.prf.f1)),
    ("micro_precision", Better::Higher, |s| Some(s.micro.prf.precision)),
    ("micro_recall", Better::Higher, |s| Some(s.micro.prf.recall)),
    ("family_macro_f1", Better::Higher, |s| Some(s.family.macro_f1)),
    ("family_micro_f1", Better::Higher, |s| Some(s.family.micro_f1)),
    ("subset_accuracy", Better::Higher, |s| s.subset_accuracy),
    ("jaccard", Better::Higher, |s| s.jaccard),
    ("any_thesis_f1", Better::Higher, |s| Some(s.any_thesis.f1)),
    ("token_f1", Better::Higher, |s| s.evidence.token_f1),
    ("iou50_f1", Better::Higher, |s| s.evidence.iou50_f1),
    ("role_accuracy", Better::Higher, |s| Some(s.role.as_ref()?.accuracy)),
    ("role_macro_f1", Better::Higher, |s| Some(s.role.as_ref()?.macro_f1)),
    ("coverage", Better::Higher, |s| s.coverage),
    ("paragraphs_per_second", Better::Higher, |s| s.paragraphs_per_second),
    ("ece", Better::Lower, |s| s.ece),
    ("brier", Better::Lower, |s| s.brier),
    ("aurc", Better::Lower, |s| s.risk_coverage.aurc),
];

/// What a system must reach: `METRIC=VALUE`, `f1:THESIS=VALUE`, or either after `SYSTEM/`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The only system that it is for; `None` for every system that is no baseline.
    pub system: Option<String>,
    /// Name of the figure.
    pub metric: String,
    /// The least, or for figures of error the most, that passes.
    pub limit: f64,
}

/// Why a gate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Not `METRIC=VALUE`.
    #[error("{0:?} is not a gate: write METRIC=VALUE, for example macro_f1=0.5")]
    Shape(String),
    /// The value is no finite number.
    #[error("{value:?} in {gate:?} is not a number")]
    Value {
        /// The gate.
        gate: String,
        /// Its value.
        value: String,
    },
    /// There is no such figure.
    #[error("there is no metric {metric:?}: use one of {}, or f1:THESIS", known())]
    Metric {
        /// The figure named.
        metric: String,
    },
    /// There is no such system in the report.
    #[error("there is no system {0:?} in the evaluation")]
    System(String),
    /// There is no such thesis in the report.
    #[error("there is no thesis {0:?} in the evaluation: `lundian thesis list` shows the slugs")]
    Thesis(String),
}

fn known() -> String {
    METRICS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(gate: &str) -> Result<Self, GateError> {
        let (left, value) = gate.rsplit_once('=').ok_or_else(|| GateError::Shape(gate.to_owned()))?;
        let (system, metric) = match left.rsplit_once('/') {
            Some((system, metric)) => (Some(system.trim().to_owned()), metric.trim()),
            None => (None, left.trim()),
        };
        if metric.is_empty() {
            return Err(GateError::Shape(gate.to_owned()));
        }
        if !metric.starts_with("f1:") && !METRICS.iter().any(|(name, ..)| *name == metric) {
            return Err(GateError::Metric { metric: metric.to_owned() });
        }
        let limit = value.trim().parse().ok().filter(|v: &f64| v.is_finite());
        let limit = limit.ok_or_else(|| GateError::Value { gate: gate.to_owned(), value: value.trim().to_owned() })?;
        Ok(Self { system, metric: metric.to_owned(), limit })
    }
}

/// A gate that a system did not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct GateFailure {
    /// The system.
    pub system: String,
    /// The figure.
    pub metric: String,
    /// What it is; `None` if it is not defined, which fails.
    pub value: Option<f64>,
    /// What it had to reach.
    pub limit: f64,
    lower: bool,
}

impl fmt::Display for GateFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, metric, limit, .. } = self;
        match self.value {
            Some(value) => {
                let side = if self.lower { "above" } else { "below" };
                write!(f, "{system}: {metric} is {value:.4}, {side} {limit}")
            }
            None => write!(f, "{system}: {metric} is not defined here, so it does not reach {limit}"),
        }
    }
}

/// Which gates fail. A gate without a system holds for every system that is no baseline; a figure that is not
/// defined fails.
///
/// # Errors
/// If a gate names a system or a thesis that the evaluation does not have.
pub fn failed_gates(evaluation: &Evaluation, gates: &[Gate]) -> Result<Vec<GateFailure>, GateError> {
    let mut failures = Vec::new();
    for gate in gates {
        let systems: Vec<&SystemReport> = match &gate.system {
            Some(name) => {
                let named = evaluation.systems.iter().find(|s| s.name == *name);
                vec![named.ok_or_else(|| GateError::System(name.clone()))?]
            }
            None => evaluation.systems.iter().filter(|s| s.kind != Kind::Baseline).collect(),
        };
        for system in systems {
            let (better, value) = figure(system, &gate.metric)?;
            let passes = value.is_some_and(|v| match better {
                Better::Higher => v >= gate.limit,
                Better::Lower => v <= gate.limit,
            });
            if !passes {
                failures.push(GateFailure {
                    system: system.name.clone(),
                    metric: gate.metric.clone(),
                    value,
                    limit: gate.limit,
                    lower: better == Better::Lower,
                });
            }
        }
    }
    Ok(failures)
}

fn figure(system: &SystemReport, metric: &str) -> Result<(Better, Option<f64>), GateError> {
    if let Some(slug) = metric.strip_prefix("f1:") {
        let thesis = system.per_thesis.iter().find(|t| t.thesis == slug);
        let thesis = thesis.ok_or_else(|| GateError::Thesis(slug.to_owned()))?;
        return Ok((Better::Higher, Some(thesis.prf.f1)));
    }
    let known = METRICS.iter().find(|(name, ..)| *name == metric);
    let (_, better, figure) = known.ok_or_else(|| GateError::Metric { metric: metric.to_owned() })?;
    Ok((*better, figure(system)))
}
