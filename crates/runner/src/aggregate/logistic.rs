//! Logistic regression of a handful of features, with a Gaussian prior on each weight.
//!
//! Newton's method with step halving. The prior makes the optimum exist and be unique, even where no sample or only
//! one class is there; a pinned weight stays at its prior mean.

/// Most Newton steps; five to ten are usual.
const STEPS: usize = 60;
/// A step that gains less than this share of the loss is the last.
const GAIN: f64 = 1e-10;

/// Samples as rows of features, with whether each argues the thesis.
#[derive(Clone, Debug, Default)]
pub(super) struct Cases {
    width: usize,
    features: Vec<f64>,
    argued: Vec<bool>,
}

impl Cases {
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Adds a case of as many features as the width says.
    pub(super) fn push(&mut self, features: impl IntoIterator<Item = f64>, argued: bool) {
        self.features.extend(features);
        self.argued.push(argued);
        debug_assert_eq!(self.features.len(), self.argued.len() * self.width);
    }

    pub(super) fn positives(&self) -> usize {
        self.argued.iter().filter(|a| **a).count()
    }

    fn iter(&self) -> impl Iterator<Item = (&[f64], bool)> {
        self.features.chunks_exact(self.width).zip(self.argued.iter().copied())
    }

    /// The negative log-likelihood of `weights`, without the prior.
    pub(super) fn loss(&self, weights: &[f64]) -> f64 {
        self.iter()
            .map(|(x, argued)| {
                let z = dot(weights, x);
                softplus(if argued { -z } else { z })
            })
            .sum()
    }
}

/// What a weight is thought to be before any case is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    /// Its mean.
    pub(super) mean: f64,
    /// Its precision, above 0: how many "nats a squared unit" it costs to leave the mean.
    pub(super) precision: f64,
    /// Whether it may leave the mean at all.
    pub(super) pinned: bool,
}

/// The logarithm of the odds of a probability.
pub(super) fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The probability of these log-odds.
pub(super) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// The weights with the largest posterior density.
pub(super) fn fit(cases: &Cases, priors: &[Prior]) -> Vec<f64> {
    let width = cases.width;
    let mut at: Vec<f64> = priors.iter().map(|p| p.mean).collect();
    let loss = |at: &[f64]| {
        let penalty: f64 = at.iter().zip(priors).map(|(w, p)| 0.5 * p.precision * (w - p.mean).powi(2)).sum();
        cases.loss(at) + penalty
    };
    let mut current = loss(&at);
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = at.iter().zip(priors).map(|(w, p)| p.precision * (w - p.mean)).collect();
        let mut hessian = vec![0.0; width * width];
        for (x, argued) in cases.iter() {
            let p = sigmoid(dot(&at, x));
            let (pull, curve) = (p - f64::from(u8::from(argued)), p * (1.0 - p));
            for i in (0..width).filter(|&i| x[i] != 0.0) {
                gradient[i] += pull * x[i];
                for j in 0..=i {
                    hessian[i * width + j] += curve * x[i] * x[j];
                }
            }
        }
        for (i, prior) in priors.iter().enumerate() {
            hessian[i * width + i] += prior.precision;
            if prior.pinned {
                gradient[i] = 0.0;
                (0..width).for_each(|j| hessian[i.max(j) * width + i.min(j)] = f64::from(u8::from(i == j)));
            }
        }
        let step = solve(hessian, gradient);
        let candidates = (0..30).map(|halvings| {
            let size = 0.5f64.powi(halvings);
            let next: Vec<f64> = at.iter().zip(&step).map(|(w, s)| w - size * s).collect();
            let value = loss(&next);
            (next, value)
        });
        let Some((next, better)) = candidates.into_iter().find(|(_, value)| *value < current) else { break };
        let gain = current - better;
        (at, current) = (next, better);
        if gain <= GAIN * current.abs() {
            break;
        }
    }
    at
}

/// Solves a positive definite system, of which the lower triangle is given, by Cholesky's decomposition.
fn solve(mut lower: Vec<f64>, mut x: Vec<f64>) -> Vec<f64> {
    let n = x.len();
    for i in 0..n {
        for j in 0..=i {
            let known = dot(&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
            let rest = lower[i * n + j] - known;
            lower[i * n + j] = if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / lower[j * n + j] };
        }
    }
    for i in 0..n {
        x[i] = (x[i] - dot(&lower[i * n..i * n + i], &x[..i])) / lower[i * n + i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| lower[j * n + i] * x[j]).sum();
        x[i] = (x[i] - known) / lower[i * n + i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(mean: f64, precision: f64) -> Prior {
        Prior { mean, precision, pinned: false }
    }

    #[test]
    fn solves_a_positive_definite_system() {
        let x = solve(vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.6, 1.5, 3.0], vec![1.0, -2.0, 3.0]);
        let full = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.5], [0.6, 1.5, 3.0]];
        for (row, want) in full.iter().zip([1.0, -2.0, 3.0]) {
            assert!((dot(row, &x) - want).abs() < 1e-12);
        }
    }

    #[test]
    fn the_gradient_vanishes_at_the_optimum() {
        let mut cases = Cases::new(3);
        for i in 0..200u32 {
            let (a, b) = (f64::from(i * 37 % 101) / 50.0 - 1.0, f64::from(i * 53 % 97) / 48.0 - 1.0);
            cases.push([1.0, a, b], (i * 7919) % 13 < if a > 0.0 { 9 } else { 3 });
        }
        let priors = [free(0.0, 0.1), free(1.0, 2.0), free(0.0, 1.0)];
        let w = fit(&cases, &priors);
        for i in 0..3 {
            let data: f64 = cases.iter().map(|(x, y)| (sigmoid(dot(&w, x)) - f64::from(u8::from(y))) * x[i]).sum();
            assert!((data + priors[i].precision * (w[i] - priors[i].mean)).abs() < 1e-4, "{i}: {w:?}");
        }
    }

    #[test]
    fn without_cases_and_when_pinned_the_prior_stands() {
        assert_eq!(fit(&Cases::new(2), &[free(0.3, 1.0), free(-1.0, 2.0)]), [0.3, -1.0]);
        let mut cases = Cases::new(2);
        (0..50).for_each(|_| cases.push([1.0, 1.0], true));
        let w = fit(&cases, &[Prior { pinned: true, ..free(0.25, 1.0) }, free(0.0, 1.0)]);
        assert_eq!(w[0], 0.25);
        assert!(w[1] > 1.0);
    }
}
