//! Stacking: a logistic regression over what the systems say, thesis by thesis.
//!
//! Each system gives three features: the log-odds of its score, whether it is silent (a score of exactly 0: no rule
//! fired, say, from which no log-odds can be had) and whether it abstains. First all theses share one set of weights,
//! whose prior is the plain mean of log-odds; then each thesis has its own, with a Gaussian prior around the shared ones.
//! How firmly they are held to them is chosen by cross-fitted log loss, so that a thesis with few samples, or a file
//! with few theses, ends with the shared weights, and no samples at all would end with the mean.
//!
//! The decision that matters: a larger score of a system never makes a thesis less likely. Where the data ask for it
//! (two systems that say the same), the weight is 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fitted::{FitOptions, Fitted, parameters, round};
use super::logistic::{self, Cases, Prior, logit, sigmoid};
use super::training::{FitError, Training};
use super::{Aggregate, AggregateError, Entry, Panel, STACK};

pub(super) const ENTRY: Entry = Entry {
    name: STACK,
    doc: "a logistic regression over the systems' scores, fitted on labelled samples",
    build,
    fit: Some(fit),
    on_scale: false,
};

/// Scores are taken to be at least this far from 0 and 1: log-odds beyond say more than any system knows.
const FLOOR: f64 = 0.01;
/// Features of a system.
const FEATURES: usize = 3;
/// How firmly the shared weights are held to the mean of log-odds.
const SHARED_TIE: f64 = 1.0;
/// Ties of a thesis to the shared weights that are tried, the firmest last.
const TIES: [f64; 5] = [1.0, 4.0, 16.0, 64.0, 256.0];
/// The intercept is held less firmly than the slopes: theses differ in how frequent they are before anything else.
const INTERCEPT_TIE: f64 = 0.25;

/// What a stack has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StackFit {
    /// How firmly the weights of a thesis were held to the shared ones; infinity would be "entirely".
    tie: f64,
    shared: Weights,
    /// By slug; theses that are not here have the shared weights.
    #[serde(default)]
    theses: BTreeMap<String, Weights>,
}

/// Log-odds are `intercept + Σ slope·logit(score)` over the systems with a score, plus `silent` for each whose score is
/// 0 and `abstains` for each that has none. Lists are in the panel's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weights {
    intercept: f64,
    slope: Vec<f64>,
    silent: Vec<f64>,
    abstains: Vec<f64>,
}

impl Weights {
    fn from_flat(flat: &[f64]) -> Self {
        let of = |feature: usize| flat[1..].chunks_exact(FEATURES).map(|w| round(w[feature])).collect();
        Self { intercept: round(flat[0]), slope: of(0), silent: of(1), abstains: of(2) }
    }

    /// The intercept, then three weights a system, systems in `order`.
    fn flat(&self, order: &[usize]) -> Vec<f64> {
        let of_system = |&i: &usize| [self.slope[i], self.silent[i], self.abstains[i]];
        std::iter::once(self.intercept).chain(order.iter().flat_map(of_system)).collect()
    }

    fn fault(&self, systems: usize) -> Option<String> {
        let lists = [&self.slope, &self.silent, &self.abstains];
        if lists.iter().any(|l| l.len() != systems) {
            return Some(format!("slope, silent and abstains must each have {systems} weights, one a system"));
        }
        let mut all = lists.into_iter().flatten().chain([&self.intercept]);
        all.find(|w| !w.is_finite()).map(|w| format!("{w} is not a weight"))
    }
}

impl StackFit {
    pub(super) fn fault(&self, systems: usize) -> Option<String> {
        std::iter::once(&self.shared).chain(self.theses.values()).find_map(|w| w.fault(systems))
    }
}

fn features(score: f32) -> [f64; FEATURES] {
    if score.is_nan() {
        [0.0, 0.0, 1.0]
    } else if score == 0.0 {
        [0.0, 1.0, 0.0]
    } else {
        [logit(f64::from(score).clamp(FLOOR, 1.0 - FLOOR)), 0.0, 0.0]
    }
}

/// One case of a thesis: a 1 for the intercept, and the features of the systems.
fn case(scores: impl Iterator<Item = f32>) -> impl Iterator<Item = f64> {
    std::iter::once(1.0).chain(scores.flat_map(features))
}

fn fit(training: &Training<'_>, options: &FitOptions, fitted: &mut Fitted) -> Result<(), FitError> {
    training.samples(STACK)?;
    let mut losses = [0.0; TIES.len()];
    for (others, rows) in training.splits(options.folds)? {
        let shared = shared(&others);
        for thesis in 0..training.theses() {
            let (seen, held_out) = (cases(&others, thesis, others.rows()), cases(training, thesis, &rows));
            for (loss, tie) in losses.iter_mut().zip(TIES) {
                *loss += held_out.loss(&of_thesis(&seen, &shared, tie));
            }
        }
    }
    let best = (0..TIES.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(TIES.len() - 1);
    let tie = TIES[best];
    let shared = shared(training);
    let theses = (0..training.theses())
        .map(|thesis| (thesis, cases(training, thesis, training.rows())))
        .filter(|(_, cases)| cases.positives() > 0)
        .map(|(thesis, cases)| {
            (training.panel.theses[thesis].clone(), Weights::from_flat(&of_thesis(&cases, &shared, tie)))
        })
        .collect();
    fitted.stack = Some(StackFit { tie, shared: Weights::from_flat(&shared), theses });
    Ok(())
}

fn cases(training: &Training<'_>, thesis: usize, rows: &[usize]) -> Cases {
    let mut cases = Cases::new(1 + FEATURES * training.systems());
    for &row in rows {
        cases.push(case((0..training.systems()).map(|s| training.score(s, row, thesis))), training.argues(row, thesis));
    }
    cases
}

/// The weights of all theses together.
fn shared(training: &Training<'_>) -> Vec<f64> {
    let mut pooled = Cases::new(1 + FEATURES * training.systems());
    for &row in training.rows() {
        for thesis in 0..training.theses() {
            pooled.push(
                case((0..training.systems()).map(|s| training.score(s, row, thesis))),
                training.argues(row, thesis),
            );
        }
    }
    let share = 1.0 / training.systems() as f64;
    let mean_of_system = [share, share * logit(FLOOR), 0.0];
    let means = std::iter::once(0.0).chain(std::iter::repeat_n(mean_of_system, training.systems()).flatten());
    let priors = means.enumerate().map(|(i, mean)| {
        let precision = if i == 0 { SHARED_TIE * INTERCEPT_TIE } else { SHARED_TIE };
        Prior { mean, precision, pinned: false }
    });
    rising(&pooled, priors.collect())
}

/// The weights of one thesis; the shared ones if no sample argues it.
fn of_thesis(cases: &Cases, shared: &[f64], tie: f64) -> Vec<f64> {
    if cases.positives() == 0 {
        return shared.to_vec();
    }
    let prior = |(i, &mean): (usize, &f64)| {
        let precision = if i == 0 { tie * INTERCEPT_TIE } else { tie };
        Prior { mean, precision, pinned: false }
    };
    rising(cases, shared.iter().enumerate().map(prior).collect())
}

/// Fits with no slope below 0: those that would fall are pinned at 0, one round after the other.
fn rising(cases: &Cases, mut priors: Vec<Prior>) -> Vec<f64> {
    loop {
        let weights = logistic::fit(cases, &priors);
        let mut again = false;
        for (i, prior) in priors.iter_mut().enumerate().skip(1).step_by(FEATURES) {
            if weights[i] < 0.0 {
                *prior = Prior { mean: 0.0, pinned: true, ..*prior };
                again = true;
            }
        }
        if !again {
            return weights;
        }
    }
}

fn build(panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
    let (fit, order) = parameters(STACK, panel, fitted, |f| f.stack.as_ref())?;
    let weights = |slug| fit.theses.get(slug).unwrap_or(&fit.shared).flat(&order);
    Ok(Box::new(Stack { weights: panel.theses.iter().map(weights).collect() }))
}

/// A stack at work.
#[derive(Clone, Debug)]
struct Stack {
    /// By thesis: the intercept, then three weights a system.
    weights: Vec<Vec<f64>>,
}

impl Aggregate for Stack {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        let score = |(thesis, weights): (usize, &Vec<f64>)| {
            let of_thesis = || scores.iter().map(|row| row[thesis]);
            if of_thesis().all(f32::is_nan) {
                return f32::NAN;
            }
            sigmoid(weights.iter().zip(case(of_thesis())).map(|(w, x)| w * x).sum()) as f32
        };
        self.weights.iter().enumerate().map(score).collect()
    }
}
