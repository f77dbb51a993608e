//! From logits to probabilities: a sigmoid per thesis, over its own logit and its strongest rival's.
//!
//! The decision that matters: it is only ever fitted on logits of samples that the model behind them has not seen
//! (see [`train`](crate::train())); logits of training samples lie too far from 0 and would make it far too sure.
//!
//! Platt's sigmoid (*Probabilistic outputs for support vector machines*, 1999) knows one logit. A second term, the
//! largest logit of all other theses, tells it what one-against-rest training cannot: paragraphs argue few theses, so
//! that where one speaks loudly the quiet ones are likelier to be echoes.

use serde::{Deserialize, Serialize};

/// `p = 1 / (1 + exp(-(slope · logit + rival · other + intercept)))`, where `other` is the largest logit of the other
/// theses (0 if there is none).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sigmoid {
    pub(crate) slope: f32,
    pub(crate) rival: f32,
    pub(crate) intercept: f32,
}

/// How firmly the parameters of single theses are held to those that all theses share.
const TIES: [f64; 3] = [4.0, 40.0, 4.0];
/// The penalty on what all share; only there to keep the optimum finite.
const FREE: [f64; 3] = [1e-3; 3];
/// The least slope: more of the same words must never make a thesis less likely.
const LEAST_SLOPE: f32 = 0.05;
const ITERATIONS: usize = 50;

impl Sigmoid {
    fn probability(self, logit: f32, other: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * logit + self.rival * other + self.intercept)).exp())
    }
}

/// For each of one text's logits, the largest of the others; 0 if there is none.
fn rivals(logits: &[f32]) -> impl Iterator<Item = f32> + use<> {
    let (mut first, mut second, mut place) = (f32::NEG_INFINITY, f32::NEG_INFINITY, 0);
    for (i, &logit) in logits.iter().enumerate() {
        if logit > first {
            (second, first, place) = (first, logit, i);
        } else {
            second = second.max(logit);
        }
    }
    let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
    (0..logits.len()).map(move |i| finite(if i == place { second } else { first }))
}

/// Turns one text's logits, one per thesis, into probabilities in [0, 1].
pub(crate) fn to_probabilities(sigmoids: &[Sigmoid], logits: &mut [f32]) {
    let others = rivals(logits);
    for ((logit, sigmoid), other) in logits.iter_mut().zip(sigmoids).zip(others) {
        *logit = sigmoid.probability(*logit, other);
    }
}

/// One thesis of one held-out sample: what the sigmoid sees, with a 1 for the intercept, and whether it is argued.
type Case = ([f64; 3], bool);

/// Fits one sigmoid per thesis to held-out logits (row-major, `theses` columns) and whether each is argued.
///
/// Theses with few samples borrow from the rest: first one sigmoid is fitted to all theses together, then each
/// thesis's own, with a Gaussian prior around the shared one.
pub(crate) fn fit(theses: usize, logits: &[f32], argued: &[bool]) -> Vec<Sigmoid> {
    let others = logits.chunks(theses.max(1)).flat_map(rivals);
    let cases: Vec<Case> = (logits.iter().zip(others).zip(argued))
        .map(|((&logit, other), &argued)| ([f64::from(logit), f64::from(other), 1.0], argued))
        .collect();
    let shared = newton(cases.iter(), [1.0, 0.0, 0.0], FREE);
    (0..theses)
        .map(|thesis| {
            let [slope, rival, intercept] = newton(cases.iter().skip(thesis).step_by(theses), shared, TIES);
            Sigmoid { slope: (slope as f32).max(LEAST_SLOPE), rival: rival as f32, intercept: intercept as f32 }
        })
        .collect()
}

/// Maximises the likelihood under Gaussian priors of means `prior` and precisions `ties`, by Newton's method with step
/// halving. Concave, so that there is one optimum.
fn newton<'a>(cases: impl Iterator<Item = &'a Case> + Clone, prior: [f64; 3], ties: [f64; 3]) -> [f64; 3] {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let loss = |at: &[f64; 3]| {
        let data: f64 = cases
            .clone()
            .map(|(x, argued)| {
                let z = if *argued { -dot(at, x) } else { dot(at, x) };
                z.max(0.0) + (-z.abs()).exp().ln_1p()
            })
            .sum();
        data + (0..3).map(|i| 0.5 * ties[i] * (at[i] - prior[i]).powi(2)).sum::<f64>()
    };
    let mut at = prior;
    let mut current = loss(&at);
    for _ in 0..ITERATIONS {
        // The Hessian, and the gradient as its last column.
        let mut system = [[0f64; 4]; 3];
        for i in 0..3 {
            system[i][i] = ties[i];
            system[i][3] = ties[i] * (at[i] - prior[i]);
        }
        for (x, argued) in cases.clone() {
            let p = 1.0 / (1.0 + (-dot(&at, x)).exp());
            let (pull, curve) = (p - f64::from(u8::from(*argued)), p * (1.0 - p));
            for (i, row) in system.iter_mut().enumerate() {
                for j in 0..3 {
                    row[j] += curve * x[i] * x[j];
                }
                row[3] += pull * x[i];
            }
        }
        let step = solve(system);
        let candidates = (0..30).map(|halvings| {
            let size = 0.5f64.powi(halvings);
            let next = [at[0] - size * step[0], at[1] - size * step[1], at[2] - size * step[2]];
            (next, loss(&next))
        });
        let Some((next, better)) = candidates.into_iter().find(|(_, l)| *l < current) else { break };
        let gain = current - better;
        (at, current) = (next, better);
        if gain < 1e-9 {
            break;
        }
    }
    at
}

/// Solves a positive definite system, whose right-hand side is its last column, by elimination.
fn solve(mut system: [[f64; 4]; 3]) -> [f64; 3] {
    for i in 0..3 {
        let pivot = system[i];
        for row in &mut system[i + 1..] {
            let factor = row[i] / pivot[i];
            (i..4).for_each(|j| row[j] -= factor * pivot[j]);
        }
    }
    let mut x = [0.0; 3];
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| system[i][j] * x[j]).sum();
        x[i] = (system[i][3] - known) / system[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn finds_the_sigmoids_that_made_the_samples() {
        let truth = [
            Sigmoid { slope: 2.0, rival: -0.5, intercept: -1.0 },
            Sigmoid { slope: 0.7, rival: -0.3, intercept: 1.0 },
            Sigmoid { slope: 1.2, rival: -0.4, intercept: 0.0 },
        ];
        let mut random = Random::new(3);
        let (mut logits, mut argued) = (Vec::new(), Vec::new());
        for _ in 0..20_000 {
            let row = [(); 3].map(|()| random.unit() as f32 * 6.0 - 3.0);
            let mut probabilities = row;
            to_probabilities(&truth, &mut probabilities);
            logits.extend(row);
            argued.extend(probabilities.map(|p| random.unit() < f64::from(p)));
        }
        for (found, truth) in fit(3, &logits, &argued).iter().zip(truth) {
            let pairs = [(found.slope, truth.slope), (found.rival, truth.rival), (found.intercept, truth.intercept)];
            assert!(pairs.iter().all(|(f, t)| (f - t).abs() < 0.15), "{found:?} for {truth:?}");
        }
    }

    #[test]
    fn the_rival_is_the_largest_of_the_others() {
        assert_eq!(rivals(&[1.0, 3.0, 2.0]).collect::<Vec<_>>(), [3.0, 2.0, 3.0]);
        assert_eq!(rivals(&[3.0, 3.0]).collect::<Vec<_>>(), [3.0, 3.0]);
        assert_eq!(rivals(&[-7.0]).collect::<Vec<_>>(), [0.0]);
    }

    #[test]
    fn degenerate_samples_give_finite_sigmoids() {
        for (logits, argued) in [(vec![], vec![]), (vec![1.0; 4], vec![false; 4]), (vec![-5.0, 5.0], vec![false, true])]
        {
            for s in fit(1, &logits, &argued) {
                assert!(s.slope > 0.0 && [s.slope, s.rival, s.intercept].iter().all(|x| x.is_finite()), "{s:?}");
            }
        }
    }
}
