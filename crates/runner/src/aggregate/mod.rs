//! Aggregates: one score a thesis from what several systems say.
//!
//! An aggregate sees one paragraph at a time: a row of scores a system. One file each, one row each in [`AGGREGATES`].

mod max;
mod mean;
mod vote;

use lundian_core::{Taxonomy, Thresholds};

use crate::System;

/// Combines the systems' scores of one paragraph.
pub trait Aggregate: Send + Sync {
    /// One score a thesis, in [0, 1]; NaN where every system abstains. `scores[system][thesis]` is NaN where a system
    /// abstains or has failed.
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32>;

    /// The thresholds that go with the combined scores.
    fn thresholds(&self) -> Thresholds {
        Thresholds::default()
    }
}

/// The systems whose scores are combined.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Their names, in the order of the score rows.
    pub names: Vec<String>,
    /// Per system and thesis, from which score on it counts the thesis as argued.
    pub thresholds: Vec<Vec<f32>>,
}

impl Panel {
    /// The panel of a run.
    pub fn new(systems: &[System], taxonomy: &Taxonomy) -> Self {
        Self {
            names: systems.iter().map(|s| s.name.clone()).collect(),
            thresholds: systems.iter().map(|s| s.thresholds.resolve(taxonomy)).collect(),
        }
    }
}

/// One way to combine.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The word that `--aggregate` takes.
    pub name: &'static str,
    /// What it does, in a line.
    pub doc: &'static str,
    /// Makes it for a panel.
    pub build: fn(&Panel) -> Box<dyn Aggregate>,
}

/// Every aggregate.
pub const AGGREGATES: &[Entry] = &[mean::ENTRY, vote::ENTRY, max::ENTRY];

/// The aggregate called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    AGGREGATES.iter().find(|e| e.name == name)
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
            thresholds: thresholds.iter().map(|&t| vec![t; scores[0].len()]).collect(),
        };
        (find(name).unwrap().build)(&panel).combine(scores)
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
