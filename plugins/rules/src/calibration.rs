//! What labelled samples say about the rules: a weight for each, and thresholds for the theses.
//!
//! The weight of a rule is its precision on the training samples, drawn towards the weight that its author wrote (the
//! mean of a Beta distribution): a rule that never fired keeps what the author believed. Rules are written from the very
//! samples that they are weighed on, and look better there than elsewhere; so all weights are moved by one step on the
//! scale of log-odds, the one that fits samples which the authors have not read. The threshold is chosen on those, too.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lundian_plugin::{Sample, Thresholds};
use serde::{Deserialize, Serialize};

use crate::{Rules, noisy_or};

/// How many samples the weight that a pack gives counts for.
pub const PRIOR_STRENGTH: f32 = 4.0;

/// The form of `calibration.toml` that this program reads.
const FORMAT: u32 = 1;

/// Weights of rules and thresholds of theses, as kept in `calibration.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this file's form.
    pub format: u32,
    /// From which score on a thesis counts as argued.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// By pack and rule id: how likely a paragraph in which the rule fires argues its thesis, in (0, 1]. Rules that are
    /// not here keep the weight that their pack gives.
    #[serde(default)]
    pub weights: BTreeMap<String, BTreeMap<String, f32>>,
}

impl Calibration {
    /// Reads a calibration from TOML.
    ///
    /// # Errors
    /// What is wrong, with line and column where TOML gives them.
    pub fn from_toml(source: &str) -> Result<Self, CalibrationError> {
        let c: Self =
            toml::from_str(source).map_err(|e| CalibrationError::Toml(e.to_string().trim_end().to_owned()))?;
        if c.format != FORMAT {
            return Err(CalibrationError::Format(c.format));
        }
        for (pack, rules) in &c.weights {
            if let Some((id, &weight)) = rules.iter().find(|(_, w)| !(**w > 0.0 && **w <= 1.0)) {
                return Err(CalibrationError::Weight { rule: format!("{pack}/{id}"), weight });
            }
        }
        let mut thresholds = std::iter::once(&c.thresholds.global).chain(c.thresholds.per_thesis.values());
        match thresholds.find(|t| !(0.0..=1.0).contains(*t)) {
            Some(&threshold) => Err(CalibrationError::Threshold(threshold)),
            None => Ok(c),
        }
    }

    /// The calibration as TOML, ready for a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers and strings only")
    }
}

impl Default for Calibration {
    /// Knows nothing: every rule keeps the weight of its pack, and the threshold is 0.5.
    fn default() -> Self {
        Self { format: FORMAT, thresholds: Thresholds::default(), weights: BTreeMap::new() }
    }
}

/// Why a calibration cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// Not the TOML of a calibration; the message carries line and column.
    #[error("not a calibration of rules: {0}")]
    Toml(String),
    /// Of another version of the program.
    #[error("format {0} is unknown: this program reads format = 1")]
    Format(u32),
    /// A weight outside (0, 1].
    #[error("weight {weight} of rule {rule} is outside (0, 1]")]
    Weight {
        /// Pack and id of the rule.
        rule: String,
        /// The weight.
        weight: f32,
    },
    /// A threshold outside [0, 1].
    #[error("threshold {0} is outside [0, 1]")]
    Threshold(f32),
}

/// Estimates the weights of `rules` from `train`, and corrects them and chooses the threshold on `tune`, samples that
/// nobody read while writing the rules. Without any, the weights stay as estimated, and `train` must do for the threshold.
///
/// A weight is `(right + s w) / (fired + s)` with the pack's weight `w` and `s` = [`PRIOR_STRENGTH`]; the correction
/// adds to its log-odds the constant that minimises the log loss of the scores above 0. One threshold for all theses is
/// chosen, the one with the best micro-F1: one for each would have too few samples to be worth its freedom.
pub fn calibrate(rules: &Rules, train: &[Sample], tune: &[Sample]) -> Calibration {
    let mut counts = vec![(0u32, 0u32); rules.len()];
    for (sample, fired) in train.iter().zip(firings(rules, train)) {
        for rule in fired {
            counts[rule].0 += 1;
            counts[rule].1 += u32::from(sample.argues(rules.rules[rule].rule.thesis));
        }
    }
    let estimate = |(rule, (fired, right)): (&crate::Rule, (u32, u32))| {
        (right as f32 + PRIOR_STRENGTH * rule.rule.weight) / (fired as f32 + PRIOR_STRENGTH)
    };
    let estimates: Vec<f32> = rules.rules.iter().zip(counts).map(estimate).collect();

    let samples = if tune.is_empty() { train } else { tune };
    let fired = firings(rules, samples);
    // The scores above 0 with these weights, and whether each is right.
    let scored = |weights: &[f32]| -> Vec<(f32, bool)> {
        let mut scored = Vec::new();
        for (sample, fired) in samples.iter().zip(&fired) {
            let mut scores = BTreeMap::new();
            for &rule in fired {
                let score = scores.entry(rules.rules[rule].rule.thesis).or_insert(0.0);
                *score = noisy_or(*score, weights[rule]);
            }
            scored.extend(scores.into_iter().map(|(thesis, score)| (score, sample.argues(thesis))));
        }
        scored
    };
    let steps = if tune.is_empty() { 0..=0 } else { STEPS };
    let candidates = steps.map(|step| moved(&estimates, f32::from(step) * STEP));
    let weights = candidates.min_by(|a, b| log_loss(&scored(a)).total_cmp(&log_loss(&scored(b)))).unwrap_or_default();

    let support = samples.iter().map(|sample| sample.labels.len()).sum();
    let global = best_threshold(&scored(&weights), support);
    let mut by_pack: BTreeMap<String, BTreeMap<String, f32>> = BTreeMap::new();
    for (rule, weight) in rules.rules.iter().zip(weights) {
        by_pack.entry(rule.pack.to_string()).or_default().insert(rule.rule.id.clone(), weight);
    }
    Calibration { format: FORMAT, thresholds: Thresholds::uniform(global), weights: by_pack }
}

/// The step of log-odds by which corrections are tried, and how many of them are.
const STEP: f32 = 0.1;
const STEPS: RangeInclusive<i8> = -50..=10;

/// By sample, the rules that fire in it.
fn firings(rules: &Rules, samples: &[Sample]) -> Vec<Vec<usize>> {
    let mut scratch = rules.program.scratch();
    let fired = |sample: &Sample| {
        let firings = rules.program.run(&(&sample.paragraph).into(), &mut scratch);
        firings.into_iter().map(|firing| firing.rule).collect()
    };
    samples.iter().map(fired).collect()
}

/// Weights with `step` added to their log-odds. Two digits are more than the counts can bear, and keep the file readable.
fn moved(weights: &[f32], step: f32) -> Vec<f32> {
    let moved = |w: &f32| {
        let odds = w / (1.0 - w).max(f32::MIN_POSITIVE) * step.exp();
        let weight = if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 };
        (weight.clamp(0.01, 0.99) * 100.0).round() / 100.0
    };
    weights.iter().map(moved).collect()
}

fn log_loss(scored: &[(f32, bool)]) -> f64 {
    scored.iter().map(|&(score, right)| -f64::from(if right { score } else { 1.0 - score }).max(1e-6).ln()).sum()
}

/// The threshold in steps of 0.05 with the best micro-F1; of several, the one nearest to one half.
fn best_threshold(scored: &[(f32, bool)], support: usize) -> f32 {
    let f1 = |threshold: f32| {
        let chosen = scored.iter().filter(|(score, _)| *score >= threshold);
        let (n, right) = chosen.fold((0, 0), |(n, r), (_, ok)| (n + 1, r + usize::from(*ok)));
        2.0 * right as f32 / ((n + support) as f32).max(1.0)
    };
    let steps = (2..=18).map(|i| i as f32 / 20.0);
    let better = |a: &f32, b: &f32| f1(*a).total_cmp(&f1(*b)).then((b - 0.5).abs().total_cmp(&(a - 0.5).abs()));
    steps.max_by(better).unwrap_or(0.5)
}
