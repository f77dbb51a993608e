//! From logits to probabilities: a sigmoid per thesis, over its own logit and a few that stand around it.
//!
//! The decision that matters: it is only ever fitted on logits of samples that the model behind them has not seen
//! (see [`train`](crate::train())); logits of training samples lie too far from 0 and would make it far too sure.
//!
//! Platt's sigmoid (*Probabilistic outputs for support vector machines*, 1999) knows one logit. Two sorts of others
//! tell it what one-against-rest training on single paragraphs cannot: the largest logit of all other theses, since
//! paragraphs argue few theses and where one speaks loudly the quiet ones are likelier to be echoes; and the logits
//! of the paragraph before and of the heading, by the same weights, since authors argue a thesis over several
//! paragraphs. Both have a handful of parameters, where features of the context would have as many as those of the text.

use serde::{Deserialize, Serialize};

/// What a sigmoid sees, in order: own logit, largest other logit, logit of the paragraph before, whether there is one,
/// logit of the heading, whether there is one, and 1. What is not there counts 0.
const SIGNALS: usize = 7;
/// What is learnt of each signal.
type Coefficients = [f64; SIGNALS];

/// How firmly the coefficients of single theses are held to those that all theses share: a slope and an intercept can
/// be learnt from few samples, more cannot.
const TIES: Coefficients = [4.0, 1e3, 1e3, 1e3, 1e3, 1e3, 4.0];
/// The penalty on what all share; only there to keep the optimum finite.
const FREE: Coefficients = [1e-3; SIGNALS];
/// Where learning starts from: the logit as it is.
const START: Coefficients = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
/// The least slope: more of the same words must never make a thesis less likely.
const LEAST_SLOPE: f32 = 0.05;
const ITERATIONS: usize = 50;

/// `p = 1 / (1 + exp(-Σ coefficient · signal))`, by the names of the signals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sigmoid {
    pub(crate) slope: f32,
    pub(crate) rival: f32,
    pub(crate) prev: f32,
    pub(crate) has_prev: f32,
    pub(crate) heading: f32,
    pub(crate) has_heading: f32,
    pub(crate) intercept: f32,
}

impl Sigmoid {
    fn from_coefficients(c: Coefficients) -> Self {
        let [slope, rival, prev, has_prev, heading, has_heading, intercept] = c.map(|x| x as f32);
        Self { slope: slope.max(LEAST_SLOPE), rival, prev, has_prev, heading, has_heading, intercept }
    }

    /// Its coefficients, in the order of the signals.
    pub(crate) fn coefficients(&self) -> [f32; SIGNALS] {
        [self.slope, self.rival, self.prev, self.has_prev, self.heading, self.has_heading, self.intercept]
    }
}

/// The logits, one per thesis each, that one paragraph and its context give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logits<'a> {
    pub(crate) own: &'a [f32],
    pub(crate) prev: Option<&'a [f32]>,
    pub(crate) heading: Option<&'a [f32]>,
}

impl<'a> Logits<'a> {
    /// The signals of each thesis in turn.
    fn signals(self) -> impl Iterator<Item = [f32; SIGNALS]> + use<'a> {
        let context = |logits: Option<&[f32]>, thesis: usize| logits.map_or([0.0, 0.0], |l| [l[thesis], 1.0]);
        rivals(self.own).enumerate().map(move |(thesis, rival)| {
            let ([prev, has_prev], [heading, has_heading]) =
                (context(self.prev, thesis), context(self.heading, thesis));
            [self.own[thesis], rival, prev, has_prev, heading, has_heading, 1.0]
        })
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

/// Fills `probabilities`, one per thesis, in [0, 1].
pub(crate) fn to_probabilities(sigmoids: &[Sigmoid], logits: Logits<'_>, probabilities: &mut [f32]) {
    for ((probability, sigmoid), signals) in probabilities.iter_mut().zip(sigmoids).zip(logits.signals()) {
        let z: f32 = sigmoid.coefficients().iter().zip(signals).map(|(c, s)| c * s).sum();
        *probability = 1.0 / (1.0 + (-z).exp());
    }
}

/// One thesis of one held-out sample: its signals, and whether it is argued.
type Case = (Coefficients, bool);

/// Fits one sigmoid per thesis to held-out logits and whether each of them is argued.
///
/// Theses with few samples borrow from the rest: first one sigmoid is fitted to all theses together, then each
/// thesis's own, with a Gaussian prior around the shared one.
pub(crate) fn fit<'a>(theses: usize, samples: impl Iterator<Item = (Logits<'a>, &'a [bool])>) -> Vec<Sigmoid> {
    let cases: Vec<Case> = samples
        .flat_map(|(logits, argued)| logits.signals().zip(argued))
        .map(|(signals, &argued)| (signals.map(f64::from), argued))
        .collect();
    let shared = newton(cases.iter(), START, FREE);
    (0..theses)
        .map(|thesis| Sigmoid::from_coefficients(newton(cases.iter().skip(thesis).step_by(theses), shared, TIES)))
        .collect()
}

/// Maximises the likelihood under Gaussian priors of means `prior` and precisions `ties`, by Newton's method with step
/// halving. Concave, so that there is one optimum.
fn newton<'a>(cases: impl Iterator<Item = &'a Case> + Clone, prior: Coefficients, ties: Coefficients) -> Coefficients {
    let dot = |a: &Coefficients, b: &Coefficients| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let loss = |at: &Coefficients| {
        let data: f64 = cases
            .clone()
            .map(|(x, argued)| {
                let z = if *argued { -dot(at, x) } else { dot(at, x) };
                z.max(0.0) + (-z.abs()).exp().ln_1p()
            })
            .sum();
        data + (0..SIGNALS).map(|i| 0.5 * ties[i] * (at[i] - prior[i]).powi(2)).sum::<f64>()
    };
    let mut at = prior;
    let mut current = loss(&at);
    for _ in 0..ITERATIONS {
        let mut hessian = [[0f64; SIGNALS]; SIGNALS];
        let mut gradient = [0f64; SIGNALS];
        for i in 0..SIGNALS {
            hessian[i][i] = ties[i];
            gradient[i] = ties[i] * (at[i] - prior[i]);
        }
        for (x, argued) in cases.clone() {
            let p = 1.0 / (1.0 + (-dot(&at, x)).exp());
            let (pull, curve) = (p - f64::from(u8::from(*argued)), p * (1.0 - p));
            for i in 0..SIGNALS {
                for j in 0..SIGNALS {
                    hessian[i][j] += curve * x[i] * x[j];
                }
                gradient[i] += pull * x[i];
            }
        }
        let step = solve(hessian, gradient);
        let candidates = (0..30).map(|halvings| {
            let size = 0.5f64.powi(halvings);
            let next: Coefficients = std::array::from_fn(|i| at[i] - size * step[i]);
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

/// Solves a positive definite system by elimination, which needs no pivoting there.
fn solve(mut matrix: [[f64; SIGNALS]; SIGNALS], mut right: Coefficients) -> Coefficients {
    for i in 0..SIGNALS {
        let pivot = matrix[i];
        for k in i + 1..SIGNALS {
            let factor = matrix[k][i] / pivot[i];
            (i..SIGNALS).for_each(|j| matrix[k][j] -= factor * pivot[j]);
            right[k] -= factor * right[i];
        }
    }
    for i in (0..SIGNALS).rev() {
        let known: f64 = (i + 1..SIGNALS).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn alone(own: &[f32]) -> Logits<'_> {
        Logits { own, prev: None, heading: None }
    }

    #[test]
    fn finds_the_sigmoids_that_made_the_samples() {
        let sigmoid = |slope, intercept| {
            let (prev, has_prev, heading, has_heading) = (0.4, 0.5, 0.2, -0.3);
            Sigmoid { slope, rival: -0.4, prev, has_prev, heading, has_heading, intercept }
        };
        let truth = [sigmoid(2.0, -1.0), sigmoid(0.7, 1.0), sigmoid(1.2, 0.0)];
        let mut random = Random::new(3);
        let mut draw = || [(); 3].map(|()| random.unit() as f32 * 6.0 - 3.0);
        let rows: Vec<([[f32; 3]; 3], usize)> = (0..20_000).map(|i| ([draw(), draw(), draw()], i)).collect();
        let logits = |(row, i): &'_ ([[f32; 3]; 3], usize)| -> Logits<'static> {
            let leak = |x: [f32; 3]| &*Box::leak(Box::new(x));
            Logits {
                own: leak(row[0]),
                prev: (i % 2 == 0).then(|| leak(row[1]) as &[f32]),
                heading: (i % 3 == 0).then(|| leak(row[2]) as &[f32]),
            }
        };
        let samples: Vec<(Logits<'static>, [bool; 3])> = rows
            .iter()
            .map(|row| {
                let (logits, mut probabilities) = (logits(row), [0.0; 3]);
                to_probabilities(&truth, logits, &mut probabilities);
                (logits, probabilities.map(|p| random.unit() < f64::from(p)))
            })
            .collect();
        for (found, truth) in fit(3, samples.iter().map(|(l, a)| (*l, a.as_slice()))).iter().zip(truth) {
            let pairs = found.coefficients().into_iter().zip(truth.coefficients());
            assert!(pairs.into_iter().all(|(f, t)| (f - t).abs() < 0.15), "{found:?} for {truth:?}");
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
        let cases: [&[([f32; 1], [bool; 1])]; 3] = [&[], &[([1.0], [false]); 4], &[([-5.0], [false]), ([5.0], [true])]];
        for samples in cases {
            for s in fit(1, samples.iter().map(|(l, a)| (alone(l), a.as_slice()))) {
                assert!(s.slope > 0.0 && s.coefficients().iter().all(|x| x.is_finite()), "{s:?}");
            }
        }
    }
}
