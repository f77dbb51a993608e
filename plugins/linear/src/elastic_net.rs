//! Logistic regression with an L1 penalty, alone or mixed with L2 (the elastic net): most weights come out as exact zeros.
//!
//! The decision that matters: Newton steps whose quadratic model is minimised one coordinate at a time, over a working
//! set. The logits change once a step, so that a step needs as few exponentials as there are rows; a weight that is
//! zero and whose gradient the penalty holds costs one walk over its column a step, whatever happens inside it. The
//! method is newGLMNET of liblinear's solver 6: Yuan, Ho and Lin, *An improved GLMNET for L1-regularized logistic
//! regression*, Journal of Machine Learning Research 13 (2012), with the elastic net and the passes over non-zero
//! weights of Friedman, Hastie and Tibshirani, *Regularization paths for generalized linear models via coordinate
//! descent*, Journal of Statistical Software 33 (2010).

use crate::solver::{Plane, Rows, Stop};

/// A step's quadratic model is minimised until its largest violation is this part of the one that the step began with.
const FORCING: f64 = 0.1;
/// Passes over the working set after which a step is taken anyway.
const INNER_PASSES: usize = 1000;
/// Part of the decrease that the gradient promises which a step must bring; liblinear's value.
const SUFFICIENT: f64 = 0.01;
/// Halvings of a step after which nothing better can be found in floating-point numbers.
const HALVINGS: usize = 30;
/// What keeps a curvature above zero; liblinear's value.
const LEAST_CURVATURE: f64 = 1e-12;
/// Part of the loss that a difference of two losses may be wrong by.
const ROUNDING: f64 = 1e-14;

/// Feature vectors as compressed sparse columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    bounds: Vec<usize>,
    entries: Vec<(u32, f32)>,
    rows: usize,
}

impl Columns {
    /// The columns of `rows`.
    pub fn new(rows: &Rows) -> Self {
        let each =
            || (0..rows.len()).flat_map(|i| rows.row(i).iter().map(move |&(feature, value)| (i, feature, value)));
        let mut bounds = vec![0; rows.width() + 1];
        each().for_each(|(_, feature, _)| bounds[feature as usize + 1] += 1);
        for feature in 0..rows.width() {
            bounds[feature + 1] += bounds[feature];
        }
        let mut next = bounds.clone();
        let mut entries = vec![(0, 0.0); bounds[rows.width()]];
        for (row, feature, value) in each() {
            entries[next[feature as usize]] = (row as u32, value);
            next[feature as usize] += 1;
        }
        Self { bounds, entries, rows: rows.len() }
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The rows that have a feature, and its value there.
    fn column(&self, feature: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let column = &self.entries[self.bounds[feature]..self.bounds[feature + 1]];
        column.iter().map(|&(row, value)| (row as usize, f64::from(value)))
    }
}

/// Minimises `Σ costs[i] · ln(1 + exp(-yᵢ·logitᵢ)) + l1_ratio·|w|₁ + (1 - l1_ratio)/2·|w|²` over the weights `w` and the
/// bias, where `yᵢ` is 1 if `positive[i]`, else -1. Rows of cost 0 play no part. The bias is not penalised, as with
/// scikit-learn's solver `saga`. Stops when the objective's subgradient of least size has no entry above
/// `stop.tolerance`, or after `stop.passes` Newton steps.
///
/// If all rows that count are of one class, the bias grows until the tolerance is reached; it stays finite.
///
/// # Panics
/// If `positive` or `costs` has not one entry per row.
pub fn elastic_net(columns: &Columns, positive: &[bool], costs: &[f64], l1_ratio: f64, stop: Stop) -> Plane {
    assert_eq!((positive.len(), costs.len()), (columns.rows, columns.rows), "one class and one cost per row");
    let l2 = 1.0 - l1_ratio;
    let mut plane = Plane { weights: vec![0.0; columns.width()], bias: log_odds(positive, costs) };
    let mut logits = vec![plane.bias; columns.rows];
    for _ in 0..stop.passes {
        let chances: Vec<f64> = logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
        let slopes: Vec<f64> = (chances.iter().zip(positive).zip(costs))
            .map(|((p, &positive), cost)| cost * (p - f64::from(u8::from(positive))))
            .collect();
        let curvatures: Vec<f64> = chances.iter().zip(costs).map(|(p, cost)| cost * p * (1.0 - p)).collect();

        let bias_gradient: f64 = slopes.iter().sum();
        let mut largest = bias_gradient.abs();
        let mut set = Vec::new();
        for (feature, &weight) in plane.weights.iter().enumerate() {
            let gradient = columns.column(feature).map(|(i, x)| slopes[i] * x).sum::<f64>() + l2 * weight;
            let violation = violation(weight, gradient, l1_ratio);
            if weight != 0.0 || violation > 0.0 {
                largest = largest.max(violation);
                let curvature = columns.column(feature).map(|(i, x)| curvatures[i] * x * x).sum::<f64>() + l2;
                let curvature = curvature.max(LEAST_CURVATURE);
                set.push(Coordinate { feature, gradient, curvature, start: weight, weight });
            }
        }
        if largest <= stop.tolerance {
            break;
        }

        let mut model = Quadratic {
            columns,
            l1: l1_ratio,
            l2,
            bias_gradient,
            bias_curvature: curvatures.iter().sum::<f64>().max(LEAST_CURVATURE),
            curvatures,
            bias_step: 0.0,
            steps: vec![0.0; columns.rows],
        };
        model.minimise(&mut set, FORCING * largest);
        let (bias_step, steps) = (model.bias_step, model.steps);

        // The longest of the steps 1, 1/2, 1/4, ... that lowers the objective enough.
        let loss = |part: f64| -> f64 {
            let rows = positive.iter().zip(costs).zip(logits.iter().zip(&steps));
            rows.map(|((&positive, cost), (logit, step))| cost * softplus(logit + part * step, positive)).sum()
        };
        let penalty = |part: f64| -> f64 {
            let weights = set.iter().map(|c| c.start + part * (c.weight - c.start));
            weights.map(|w| l1_ratio * w.abs() + 0.5 * l2 * w * w).sum()
        };
        let promised: f64 = bias_gradient * bias_step
            + set
                .iter()
                .map(|c| c.gradient * (c.weight - c.start) + l1_ratio * (c.weight.abs() - c.start.abs()))
                .sum::<f64>();
        let (loss_now, penalty_now) = (loss(0.0), penalty(0.0));
        let lowers = |part: &f64| {
            let change = loss(*part) - loss_now + penalty(*part) - penalty_now;
            change <= SUFFICIENT * part * promised + ROUNDING * loss_now
        };
        let Some(part) = (0..HALVINGS).map(|halvings| 0.5f64.powi(halvings as i32)).find(lowers) else { break };
        for c in &set {
            // Exactly zero if the step is whole and its end is.
            plane.weights[c.feature] = c.start + part * (c.weight - c.start);
        }
        plane.bias += part * bias_step;
        logits.iter_mut().zip(&steps).for_each(|(logit, step)| *logit += part * step);
    }
    plane
}

/// A weight of the working set within one Newton step.
struct Coordinate {
    feature: usize,
    /// Of the smooth part of the objective, where the step begins.
    gradient: f64,
    curvature: f64,
    start: f64,
    weight: f64,
}

/// The objective with its loss replaced by the second-order expansion around the point where a step begins.
struct Quadratic<'a> {
    columns: &'a Columns,
    l1: f64,
    l2: f64,
    bias_gradient: f64,
    bias_curvature: f64,
    /// Of the loss in each row's logit.
    curvatures: Vec<f64>,
    bias_step: f64,
    /// By how much each row's logit changes.
    steps: Vec<f64>,
}

impl Quadratic<'_> {
    /// Moves the weights of `set`, and the bias, until no violation is above `tolerance`. Between passes over the whole
    /// set, only weights that are not zero are visited.
    fn minimise(&mut self, set: &mut [Coordinate], tolerance: f64) {
        let mut passes = 0;
        while passes < INNER_PASSES && self.pass(set, false) > tolerance {
            passes += 1;
            while passes < INNER_PASSES && self.pass(set, true) > tolerance {
                passes += 1;
            }
        }
    }

    /// Minimises along each coordinate in turn; gives the largest violation that was found on the way.
    fn pass(&mut self, set: &mut [Coordinate], non_zero_only: bool) -> f64 {
        let slope: f64 = self.curvatures.iter().zip(&self.steps).map(|(h, step)| h * step).sum();
        let gradient = self.bias_gradient + slope;
        let mut largest = gradient.abs();
        let by = -gradient / self.bias_curvature;
        self.bias_step += by;
        self.steps.iter_mut().for_each(|step| *step += by);
        for c in set.iter_mut().filter(|c| !non_zero_only || c.weight != 0.0) {
            let column = || self.columns.column(c.feature);
            let slope: f64 = column().map(|(i, x)| self.curvatures[i] * self.steps[i] * x).sum();
            let gradient = c.gradient + slope + self.l2 * (c.weight - c.start);
            largest = largest.max(violation(c.weight, gradient, self.l1));
            let weight = soft_threshold(c.weight - gradient / c.curvature, self.l1 / c.curvature);
            let by = weight - c.weight;
            if by != 0.0 {
                c.weight = weight;
                for (i, x) in self.columns.column(c.feature) {
                    self.steps[i] += by * x;
                }
            }
        }
        largest
    }
}

/// The size of the smallest subgradient of `l1·|w|` plus a smooth function that has `gradient` at `w = weight`.
fn violation(weight: f64, gradient: f64, l1: f64) -> f64 {
    if weight == 0.0 { (gradient.abs() - l1).max(0.0) } else { (gradient + l1 * weight.signum()).abs() }
}

/// The point that minimises `(z - x)²/2 + by·|z|`.
fn soft_threshold(x: f64, by: f64) -> f64 {
    if x > by {
        x - by
    } else if x < -by {
        x + by
    } else {
        0.0
    }
}

/// `ln(1 + exp(-y·logit))`, without overflow.
fn softplus(logit: f64, positive: bool) -> f64 {
    let x = if positive { -logit } else { logit };
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The bias that is best while all weights are zero; 0 where none is.
fn log_odds(positive: &[bool], costs: &[f64]) -> f64 {
    let cost_of = |class: bool| positive.iter().zip(costs).filter(|(p, _)| **p == class).map(|(_, c)| c).sum::<f64>();
    let (yes, no) = (cost_of(true), cost_of(false));
    if yes > 0.0 && no > 0.0 { (yes / no).ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const EXACT: Stop = Stop { tolerance: 1e-8, passes: 10_000 };

    /// Rows, classes and costs at random: of 60 features, most say nothing.
    fn problem(seed: u64) -> (Rows, Vec<bool>, Vec<f64>) {
        let mut random = Random::new(seed);
        let mut rows = Rows::new(60);
        let (mut positive, mut costs) = (Vec::new(), Vec::new());
        for i in 0..80 {
            let row: Vec<(u32, f32)> =
                (0..60).filter(|f| (i + f) % 3 != 0).map(|f| (f, random.unit() as f32 - 0.4)).collect();
            let signal: f32 = row.iter().filter(|(f, _)| *f < 4).map(|(_, x)| x).sum();
            positive.push(f64::from(signal) + random.unit() > 0.9);
            costs.push([0.0, 0.5, 2.0, 10.0][i as usize % 4]);
            rows.push(row);
        }
        (rows, positive, costs)
    }

    /// The gradient of the loss in the weights, then in the bias, from the rows and not as the solver finds it.
    fn loss_gradient(plane: &Plane, rows: &Rows, positive: &[bool], costs: &[f64]) -> Vec<f64> {
        let mut g = vec![0.0; rows.width() + 1];
        for i in 0..rows.len() {
            let y = if positive[i] { 1.0 } else { -1.0 };
            let pull = -costs[i] * y / (1.0 + (y * plane.logit(rows.row(i))).exp());
            rows.row(i).iter().for_each(|(f, x)| g[*f as usize] += pull * f64::from(*x));
            g[rows.width()] += pull;
        }
        g
    }

    #[test]
    fn the_result_is_optimal_and_its_zeros_are_exact() {
        for seed in 0..5 {
            let (rows, positive, costs) = problem(seed);
            let columns = Columns::new(&rows);
            for l1_ratio in [0.1, 0.5, 1.0] {
                let plane = elastic_net(&columns, &positive, &costs, l1_ratio, EXACT);
                let g = loss_gradient(&plane, &rows, &positive, &costs);
                assert!(g[rows.width()].abs() < 1e-6, "bias: {}", g[rows.width()]);
                for (&w, g) in plane.weights.iter().zip(g) {
                    let g = g + (1.0 - l1_ratio) * w;
                    if w == 0.0 {
                        assert!(g.abs() <= l1_ratio + 1e-6, "{g} at zero");
                    } else {
                        assert!((g + l1_ratio * w.signum()).abs() < 1e-6, "{g} at {w}");
                    }
                }
                let zeros = plane.weights.iter().filter(|w| **w == 0.0).count();
                assert!((1..60).contains(&zeros), "{zeros} zeros at {l1_ratio}");
            }
        }
    }

    #[test]
    fn a_weight_by_hand() {
        // Two rows of opposite classes and values: no bias, and 2c/(1 + exp(w)) = 1 at the optimum.
        let mut rows = Rows::new(2);
        rows.push([(0, 1.0)]);
        rows.push([(0, -1.0)]);
        let columns = Columns::new(&rows);
        let plane = elastic_net(&columns, &[true, false], &[3.0, 3.0], 1.0, EXACT);
        assert!((plane.weights[0] - 5f64.ln()).abs() < 1e-8, "{}", plane.weights[0]);
        assert!(plane.bias.abs() < 1e-8 && plane.weights[1] == 0.0);
        // The gradient at zero is c: a penalty of 1 holds it.
        let held = elastic_net(&columns, &[true, false], &[0.99, 0.99], 1.0, EXACT);
        assert_eq!(held, Plane { weights: vec![0.0; 2], bias: 0.0 });
    }

    #[test]
    fn rows_may_be_empty_and_classes_missing() {
        let mut rows = Rows::new(3);
        rows.push([]);
        rows.push([(0, 1.0)]);
        let plane = elastic_net(&Columns::new(&rows), &[false, false], &[1.0, 1.0], 1.0, EXACT);
        assert!(plane.bias < -5.0 && plane.bias.is_finite() && plane.weights.iter().all(|w| *w == 0.0));
        let none = elastic_net(&Columns::new(&Rows::new(2)), &[], &[], 1.0, EXACT);
        assert_eq!(none, Plane { weights: vec![0.0; 2], bias: 0.0 });
    }
}
