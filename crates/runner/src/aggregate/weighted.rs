//! A mean in which the better system counts for more.
//!
//! The weight of a system is the log-odds of its balanced accuracy at its own threshold, which is how independent votes
//! should be weighed (Nitzan and Paroush, *Optimal decision rules in uncertain dichotomous choice situations*, 1982); a
//! system that is no better than chance counts for nothing. Sensitivity and specificity of a thesis are drawn towards
//! those of all theses together, so that a thesis without samples has the weights of all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fitted::{FitOptions, Fitted, parameters, round};
use super::logistic::logit;
use super::training::{FitError, Training};
use super::{Aggregate, AggregateError, Entry, Panel, WEIGHTED, fold_present};

pub(super) const ENTRY: Entry = Entry {
    name: WEIGHTED,
    doc: "the mean, weighted by each system's skill on labelled samples",
    build,
    fit: Some(fit),
    on_scale: true,
};

/// Samples that the rates of all theses count for in those of one.
const STRENGTH: f64 = 10.0;

/// Per system a weight, at least 0; a list is in the panel's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WeightedFit {
    shared: Vec<f64>,
    /// By slug.
    #[serde(default)]
    theses: BTreeMap<String, Vec<f64>>,
}

impl WeightedFit {
    /// The theses that have weights of their own.
    #[cfg(test)]
    pub(super) fn slugs(&self) -> impl Iterator<Item = &str> {
        self.theses.keys().map(String::as_str)
    }

    pub(super) fn fault(&self, systems: usize) -> Option<String> {
        let all = || std::iter::once(&self.shared).chain(self.theses.values());
        if all().any(|w| w.len() != systems) {
            return Some(format!("every list must have {systems} weights, one a system"));
        }
        all().flatten().find(|w| !(w.is_finite() && **w >= 0.0)).map(|w| format!("{w} is not a weight of at least 0"))
    }
}

/// Right and all, among the samples that argue a thesis and among those that do not.
#[derive(Clone, Copy, Default)]
struct Rates {
    hits: f64,
    positives: f64,
    rejections: f64,
    negatives: f64,
}

impl Rates {
    fn add(&mut self, argued: bool, voted: bool) {
        let right = f64::from(u8::from(argued == voted));
        if argued {
            self.positives += 1.0;
            self.hits += right;
        } else {
            self.negatives += 1.0;
            self.rejections += right;
        }
    }

    /// Sensitivity and specificity, drawn towards `prior`.
    fn towards(self, prior: (f64, f64), strength: f64) -> (f64, f64) {
        let sensitivity = (self.hits + strength * prior.0) / (self.positives + strength);
        let specificity = (self.rejections + strength * prior.1) / (self.negatives + strength);
        (sensitivity, specificity)
    }
}

fn weight((sensitivity, specificity): (f64, f64)) -> f64 {
    round(logit(((sensitivity + specificity) / 2.0).clamp(0.5, 0.999)))
}

fn fit(training: &Training<'_>, _: &FitOptions, fitted: &mut Fitted) -> Result<(), FitError> {
    training.samples(WEIGHTED)?;
    let (systems, theses) = (training.systems(), training.theses());
    let mut rates = vec![vec![Rates::default(); systems]; theses];
    let mut pooled = vec![Rates::default(); systems];
    for &row in training.rows() {
        for (thesis, of_thesis) in rates.iter_mut().enumerate() {
            let argued = training.argues(row, thesis);
            for (system, (own, pooled)) in of_thesis.iter_mut().zip(&mut pooled).enumerate() {
                if let Some(voted) = training.vote(system, row, thesis) {
                    own.add(argued, voted);
                    pooled.add(argued, voted);
                }
            }
        }
    }
    let shared: Vec<(f64, f64)> = pooled.iter().map(|r| r.towards((0.5, 0.5), 1.0)).collect();
    let of_thesis = |rates: &[Rates]| -> Vec<f64> {
        rates.iter().zip(&shared).map(|(r, shared)| weight(r.towards(*shared, STRENGTH))).collect()
    };
    fitted.weighted = Some(WeightedFit {
        shared: shared.iter().copied().map(weight).collect(),
        theses: training.panel.theses.iter().zip(&rates).map(|(slug, r)| (slug.clone(), of_thesis(r))).collect(),
    });
    Ok(())
}

fn build(panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
    let (fit, order) = parameters(WEIGHTED, panel, fitted, |f| f.weighted.as_ref())?;
    let row = |slug: &String| {
        let weights = fit.theses.get(slug).unwrap_or(&fit.shared);
        order.iter().map(|&i| weights[i] as f32).collect()
    };
    Ok(Box::new(Weighted { weights: panel.theses.iter().map(row).collect() }))
}

struct Weighted {
    /// By thesis and system.
    weights: Vec<Vec<f32>>,
}

impl Aggregate for Weighted {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        fold_present(scores, |thesis, present| {
            let weights = &self.weights[thesis];
            let total: f32 = present.iter().map(|(system, _)| weights[*system]).sum();
            if total > 0.0 {
                present.iter().map(|(system, s)| weights[*system] * s).sum::<f32>() / total
            } else {
                // Nobody who speaks has any skill: all are equal.
                present.iter().map(|(_, s)| s).sum::<f32>() / present.len() as f32
            }
        })
    }
}
