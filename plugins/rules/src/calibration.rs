//! What labelled samples say about the rules: a weight for each, and thresholds for the theses.
//!
//! The weight of a rule is its precision on the training samples, drawn towards the weight that its author wrote (the
//! mean of a Beta distribution): a rule that never fired keeps what the author believed. Thresholds are chosen on
//! samples that the weights have not seen.

use std::collections::BTreeMap;

use lundian_plugin::{Sample, Thresholds};
use serde::{Deserialize, Serialize};

use crate::Rules;

/// How many samples the weight that a pack gives counts for.
pub const PRIOR_STRENGTH: f32 = 4.0;

/// Weights of rules and thresholds of theses, as kept in `calibration.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this file's form.
    pub format: u32,
    /// From which score on a thesis counts as argued.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// By pack and rule id: how likely a paragraph in which the rule fires argues its thesis, in (0, 1). Rules that are
    /// not here keep the weight that their pack gives.
    #[serde(default)]
    pub weights: BTreeMap<String, BTreeMap<String, f32>>,
}

impl Calibration {
    /// Reads a calibration from TOML.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn from_toml(source: &str) -> Result<Self, String> {
        let c: Self = toml::from_str(source).map_err(|e| e.to_string().trim_end().to_owned())?;
        if c.format != 1 {
            return Err(format!("format {} is unknown; this program reads format = 1", c.format));
        }
        let weights = c.weights.iter().flat_map(|(pack, rules)| rules.iter().map(move |(id, w)| (pack, id, *w)));
        for (pack, id, weight) in weights {
            if !(0.0..=1.0).contains(&weight) {
                return Err(format!("weight {weight} of rule {pack}/{id} is outside [0, 1]"));
            }
        }
        let thresholds = std::iter::once(&c.thresholds.global).chain(c.thresholds.per_thesis.values());
        if let Some(bad) = thresholds.into_iter().find(|t| !(0.0..=1.0).contains(*t)) {
            return Err(format!("threshold {bad} is outside [0, 1]"));
        }
        Ok(c)
    }

    /// The calibration as TOML, ready for a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers and strings only")
    }
}

/// Estimates the weights of `rules` from `train`, and the threshold from `tune` (from `train` where that is empty).
///
/// A weight is `(right + s w) / (fired + s)` with the pack's weight `w` and `s` = [`PRIOR_STRENGTH`]. One threshold for
/// all theses is chosen, the one with the best micro-F1; a threshold for each thesis would have too few samples to be
/// worth its freedom.
pub fn calibrate(rules: &Rules, train: &[Sample], tune: &[Sample]) -> Calibration {
    let mut weights: BTreeMap<String, BTreeMap<String, f32>> = BTreeMap::new();
    let prior = rules.with_calibration(&Calibration::default());
    let mut counts = vec![(0u32, 0u32); prior.len()];
    let mut scratch = prior.program.scratch();
    for sample in train {
        for firing in prior.program.run(&(&sample.paragraph).into(), &mut scratch) {
            let (fired, right) = &mut counts[firing.rule];
            *fired += 1;
            *right += u32::from(sample.argues(prior.rules[firing.rule].rule.thesis));
        }
    }
    for (rule, (fired, right)) in prior.rules.iter().zip(counts).filter(|(_, (fired, _))| *fired > 0) {
        let weight = (right as f32 + PRIOR_STRENGTH * rule.rule.weight) / (fired as f32 + PRIOR_STRENGTH);
        // Two digits are more than the counts can bear, and keep the file readable.
        let weight = (weight.clamp(0.01, 0.99) * 100.0).round() / 100.0;
        weights.entry(rule.pack.to_string()).or_default().insert(rule.rule.id.clone(), weight);
    }
    let mut calibration = Calibration { format: 1, thresholds: Thresholds::default(), weights };
    let tune = if tune.is_empty() { train } else { tune };
    let fitted = rules.with_calibration(&calibration);
    calibration.thresholds.global = best_threshold(&fitted, tune);
    calibration
}

/// The threshold in steps of 0.05 with the best micro-F1.
fn best_threshold(rules: &Rules, samples: &[Sample]) -> f32 {
    let mut scored: Vec<(f32, bool)> = Vec::new();
    let mut support = 0u32;
    for sample in samples {
        support += sample.labels.len() as u32;
        for (thesis, score) in rules.scores(&(&sample.paragraph).into()).into_iter().enumerate() {
            if score > 0.0 {
                scored.push((score, sample.argues(thesis)));
            }
        }
    }
    let f1 = |threshold: f32| {
        let chosen = scored.iter().filter(|(score, _)| *score >= threshold);
        let (n, right) = chosen.fold((0u32, 0u32), |(n, r), (_, ok)| (n + 1, r + u32::from(*ok)));
        2.0 * right as f32 / ((n + support) as f32).max(1.0)
    };
    let steps = (2..=18).map(|i| i as f32 * 0.05);
    steps.max_by(|a, b| f1(*a).total_cmp(&f1(*b))).unwrap_or(0.5)
}
