//! Aggregates: one score a thesis from what several systems say.
//!
//! An aggregate sees one paragraph at a time: a row of scores a system. One file each, one row each in [`AGGREGATES`].
//! Some learn from samples first ([`fit`]); what they have learned is [`Fitted`], a file for one panel of systems.

mod beside_mean;
pub mod cascade;
mod correlated;
mod dawid_skene;
mod fitted;
mod log_odds;
mod logistic;
mod max;
mod mean;
mod stack;
mod training;
mod vote;
mod weighted;

use std::sync::Arc;

use lundian_core::{Taxonomy, Thresholds};

use crate::{Gate, System};

pub use beside_mean::{Figures, beside_mean};
pub use correlated::{Correlation, Measure, NOTABLE, correlated};
pub use fitted::{DataFile, FitOptions, Fitted, FittedError, cross_fit, fit};
pub use training::{FitError, Training};

const WEIGHTED: &str = "weighted";
const STACK: &str = "stack";
const DAWID_SKENE: &str = "dawid-skene";
/// The word that `--aggregate` takes for the cascade, the one aggregate with a target.
pub const CASCADE: &str = "cascade";

/// Combines the systems' scores of one paragraph.
pub trait Aggregate: Send + Sync {
    /// One score a thesis, in [0, 1]; NaN where every system abstains. `scores[system][thesis]` is NaN where a system
    /// abstains or has failed.
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32>;

    /// The thresholds that go with the combined scores.
    fn thresholds(&self) -> Thresholds {
        Thresholds::default()
    }

    /// The plan by which a run may spare systems without changing what [`combine`](Self::combine) gives.
    fn gate(&self) -> Option<Arc<dyn Gate>> {
        None
    }
}

/// The systems whose scores are combined.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Their names, in the order of the score rows.
    pub names: Vec<String>,
    /// Slugs of the theses, in the order of the scores.
    pub theses: Vec<String>,
    /// Per system and thesis, from which score on it counts the thesis as argued.
    pub thresholds: Vec<Vec<f32>>,
}

impl Panel {
    /// The panel of a run.
    pub fn new(systems: &[System], taxonomy: &Taxonomy) -> Self {
        Self {
            names: systems.iter().map(|s| s.name.clone()).collect(),
            theses: taxonomy.theses().iter().map(|t| t.slug.clone()).collect(),
            thresholds: systems.iter().map(|s| s.thresholds.resolve(taxonomy)).collect(),
        }
    }
}

type Build = fn(&Panel, Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError>;
type Learn = fn(&Training<'_>, &FitOptions, &mut Fitted) -> Result<(), FitError>;

/// One way to combine.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The word that `--aggregate` takes.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    /// Makes it for a panel, with what was learned for it; see [`for_panel`](Self::for_panel).
    build: Build,
    /// Learns, if it has to, and writes what it learned.
    fit: Option<Learn>,
    /// True if its scores are on the scale of the systems' own, so that thresholds combine as scores do.
    on_scale: bool,
}

impl Entry {
    /// True if it has to be fitted before it can be used.
    pub fn is_learned(&self) -> bool {
        self.fit.is_some()
    }

    /// The aggregate for a panel, with the thresholds of `fitted` where it has some for this aggregate and panel. Where
    /// nobody has chosen any, a mean counts a thesis as argued where systems just at their own thresholds would take it.
    ///
    /// # Errors
    /// If the aggregate is learned and `fitted` has no parameters for exactly these systems.
    pub fn for_panel(&self, panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
        let aggregate = (self.build)(panel, fitted)?;
        let stored = fitted.filter(|f| f.is_for(panel)).and_then(|f| f.thresholds.get(self.name));
        let thresholds = match stored {
            Some(thresholds) => thresholds.clone(),
            None if self.on_scale => combined_thresholds(&*aggregate, panel),
            None => return Ok(aggregate),
        };
        Ok(Box::new(Tuned { aggregate, thresholds }))
    }
}

/// What the aggregate makes of scores that are just the systems' thresholds.
fn combined_thresholds(aggregate: &dyn Aggregate, panel: &Panel) -> Thresholds {
    let rows: Vec<&[f32]> = panel.thresholds.iter().map(Vec::as_slice).collect();
    let combined = aggregate.combine(&rows);
    let mut thresholds = Thresholds::uniform(combined.first().copied().unwrap_or(0.5));
    let differing = panel.theses.iter().zip(combined).filter(|(_, t)| *t != thresholds.global);
    thresholds.per_thesis = differing.map(|(slug, t)| (slug.clone(), t)).collect();
    thresholds.origin = "combined from the systems' own".to_owned();
    thresholds
}

/// An aggregate with thresholds that were chosen for it.
struct Tuned {
    aggregate: Box<dyn Aggregate>,
    thresholds: Thresholds,
}

impl Aggregate for Tuned {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        self.aggregate.combine(scores)
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone()
    }

    fn gate(&self) -> Option<Arc<dyn Gate>> {
        self.aggregate.gate()
    }
}

/// Why an aggregate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// Nothing was learned yet.
    #[error(
        "{method} has to be fitted for the plugins {panel} first: run `lundian train ensemble --gold FILE -o DIR` with \
         the same plugins, or use --aggregate mean"
    )]
    NotFitted {
        /// The aggregate.
        method: &'static str,
        /// The systems of the run.
        panel: String,
    },
    /// Something was learned, for other systems.
    #[error(
        "{method} was fitted for the plugins {fitted}, and this run has {panel}: run `lundian train ensemble --gold FILE \
         -o DIR` with the plugins of this run, or use --aggregate mean"
    )]
    OtherPanel {
        /// The aggregate.
        method: &'static str,
        /// The systems of the run.
        panel: String,
        /// The systems that it was fitted for.
        fitted: String,
    },
}

/// Every aggregate.
pub const AGGREGATES: &[Entry] = &[
    mean::ENTRY,
    log_odds::ENTRY,
    vote::ENTRY,
    max::ENTRY,
    weighted::ENTRY,
    stack::ENTRY,
    dawid_skene::ENTRY,
    cascade::ENTRY,
];

/// The aggregate called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    AGGREGATES.iter().find(|e| e.name == name)
}

/// The words that `--aggregate` takes, for messages.
pub fn names() -> String {
    AGGREGATES.iter().map(|e| e.name).collect::<Vec<_>>().join(", ")
}

/// Folds, thesis by thesis, the scores of the systems that do not abstain; NaN where all do.
fn fold_present(scores: &[&[f32]], combine: impl Fn(usize, &[(usize, f32)]) -> f32) -> Vec<f32> {
    let theses = scores.first().map_or(0, |row| row.len());
    let mut present = Vec::with_capacity(scores.len());
    (0..theses)
        .map(|thesis| {
            present.clear();
            present.extend(scores.iter().map(|row| row[thesis]).enumerate().filter(|(_, s)| !s.is_nan()));
            if present.is_empty() { f32::NAN } else { combine(thesis, &present) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: f32 = f32::NAN;

    fn combine(name: &str, thresholds: &[f32], scores: &[&[f32]]) -> Vec<f32> {
        let panel = Panel {
            names: thresholds.iter().map(|t| t.to_string()).collect(),
            theses: (0..scores[0].len()).map(|t| format!("t{t}")).collect(),
            thresholds: thresholds.iter().map(|&t| vec![t; scores[0].len()]).collect(),
        };
        find(name).unwrap().for_panel(&panel, None).unwrap().combine(scores)
    }

    fn assert_close(got: &[f32], want: &[f32]) {
        assert_eq!(got.len(), want.len());
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-6 || (g.is_nan() && w.is_nan()), "{got:?} {want:?}");
        }
    }

    #[test]
    fn abstentions_do_not_count_as_zero() {
        let scores: &[&[f32]] = &[&[0.9, 0.2, N, N], &[0.1, N, N, 0.4], &[0.2, 0.6, N, N]];
        assert_close(&combine("mean", &[0.5; 3], scores), &[0.4, 0.4, N, 0.4]);
        assert_close(&combine("max", &[0.5; 3], scores), &[0.9, 0.6, N, 0.4]);
        assert_close(&combine("vote", &[0.5; 3], scores), &[1.0 / 3.0, 0.5, N, 0.0]);
        // Odds of 9, 1/9 and 1/4; of 1/4 and 3/2; of 2/3.
        let of = |odds: f32| odds / (1.0 + odds);
        let expected = [of(0.25_f32.cbrt()), of((0.25_f32 * 1.5).sqrt()), N, 0.4];
        assert_close(&combine("log-odds", &[0.5; 3], scores), &expected);
    }

    #[test]
    fn certainty_is_met_with_some_doubt() {
        let scores: &[&[f32]] = &[&[1.0, 0.0, 1.0, 0.0], &[0.0, 0.0, 1.0, 0.5]];
        let odds = (1.0_f32 / 99.0).sqrt();
        assert_close(&combine("log-odds", &[0.5; 2], scores), &[0.5, 0.01, 0.99, odds / (1.0 + odds)]);
    }

    #[test]
    fn a_panel_without_tuned_thresholds_combines_those_of_its_systems() {
        let panel = Panel {
            names: vec!["a".into(), "b".into()],
            theses: vec!["x".into(), "y".into()],
            thresholds: vec![vec![0.2, 0.5], vec![0.4, 0.5]],
        };
        let of = |name: &str, slug: &str| find(name).unwrap().for_panel(&panel, None).unwrap().thresholds().of(slug);
        assert_close(&[of("mean", "x"), of("mean", "y")], &[0.3, 0.5]);
        assert_close(&[of("max", "x"), of("max", "y")], &[0.4, 0.5]);
        assert!(of("vote", "x") > 0.5, "votes are not scores");
    }

    #[test]
    fn votes_follow_each_systems_own_threshold() {
        let scores: &[&[f32]] = &[&[0.3], &[0.3]];
        assert_close(&combine("vote", &[0.25, 0.5], scores), &[0.5]);
        assert_close(&combine("vote", &[0.25, 0.3], scores), &[1.0]);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = AGGREGATES.iter().map(|e| e.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AGGREGATES.len());
        assert!(find("nothing").is_none());
    }
}
