//! L2-regularised logistic regression on sparse rows, by coordinate descent in the dual.
//!
//! The decision that matters: the dual, not the primal. Text has far more features than paragraphs, and one pass of
//! dual coordinate descent costs one walk over the non-zeros, whatever the number of features; a few dozen passes are
//! enough. Method and stopping rule are those of liblinear's solver 7: Yu, Huang and Lin, *Dual coordinate descent
//! methods for logistic regression and maximum entropy models*, Machine Learning 85 (2011), algorithm 5. The crates
//! that were considered bind the C++ library or take dense features only.

use crate::random::Random;

/// Feature vectors as compressed sparse rows: indices ascend within a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    bounds: Vec<usize>,
    entries: Vec<(u32, f32)>,
    width: usize,
}

impl Rows {
    /// No rows yet, of `width` features.
    pub fn new(width: usize) -> Self {
        Self { bounds: vec![0], entries: Vec::new(), width }
    }

    /// Adds a row of `(feature, value)`; features at or past the width are left out.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        let width = self.width;
        self.entries.extend(row.into_iter().filter(|(feature, _)| (*feature as usize) < width));
        self.bounds.push(self.entries.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One row, as `(feature, value)`.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Self::len).
    pub fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.bounds[row]..self.bounds[row + 1]]
    }
}

/// A separating plane: the logit of a row is its product with `weights`, plus `bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// One weight per feature.
    pub weights: Vec<f64>,
    /// What every logit starts from. [`logistic_regression`] penalises it like a weight, as liblinear does;
    /// [`elastic_net`](crate::elastic_net::elastic_net) does not.
    pub bias: f64,
}

impl Plane {
    /// The logit of `row`.
    pub fn logit(&self, row: &[(u32, f32)]) -> f64 {
        self.bias + dot(&self.weights, row)
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// The largest gradient that counts as none: of a dual variable, or of a weight where there is an L1 penalty.
    pub tolerance: f64,
    /// Passes over the rows, or Newton steps, after which to stop anyway.
    pub passes: usize,
}

/// Minimises `|w|²/2 + Σ costs[i] · ln(1 + exp(-yᵢ·logitᵢ))` over the plane `w` (its bias included), where `yᵢ` is 1 if
/// `positive[i]`, else -1. Rows of cost 0 play no part. The result depends on the order of visits, and so on `seed`,
/// only within `stop.tolerance`; the same seed gives the same bits.
///
/// # Panics
/// If `positive` or `costs` has not one entry per row.
pub fn logistic_regression(rows: &Rows, positive: &[bool], costs: &[f64], stop: Stop, seed: u64) -> Plane {
    assert_eq!((positive.len(), costs.len()), (rows.len(), rows.len()), "one class and one cost per row");
    const NEWTON_STEPS: usize = 100;
    const SHRINK: f64 = 0.1;

    let mut order: Vec<u32> = (0..rows.len() as u32).filter(|&i| costs[i as usize] > 0.0).collect();
    // The two dual variables of a row sum to its cost.
    let mut alpha: Vec<[f64; 2]> =
        costs.iter().map(|&c| (1e-3 * c).min(1e-8)).zip(costs).map(|(a, c)| [a, c - a]).collect();
    let mut plane = Plane { weights: vec![0.0; rows.width()], bias: 0.0 };
    let norms: Vec<f64> =
        (0..rows.len()).map(|i| 1.0 + rows.row(i).iter().map(|(_, v)| f64::from(*v).powi(2)).sum::<f64>()).collect();
    for &i in &order {
        let i = i as usize;
        step(&mut plane, rows.row(i), signed(positive[i], alpha[i][0]));
    }

    let mut random = Random::new(seed);
    let mut inner_tolerance = 1e-2;
    let least_inner_tolerance = stop.tolerance.min(1e-8);
    for _ in 0..stop.passes {
        random.shuffle(&mut order);
        let mut newton_steps = 0;
        let mut largest_gradient = 0f64;
        for &i in &order {
            let i = i as usize;
            let (row, cost, a) = (rows.row(i), costs[i], norms[i]);
            let b = signed(positive[i], plane.logit(row));
            // Of the pair, the variable that ends below half of the cost is the one that is computed accurately.
            let (moved, sign) = if 0.5 * a * (alpha[i][1] - alpha[i][0]) + b < 0.0 { (1, -1.0) } else { (0, 1.0) };
            let old = alpha[i][moved];
            let mut z = if cost - old < 0.5 * cost { 0.1 * old } else { old };
            let gradient_at = |z: f64| a * (z - old) + sign * b + (z / (cost - z)).ln();
            let mut gradient = gradient_at(z);
            largest_gradient = largest_gradient.max(gradient.abs());
            let mut steps = 0;
            while steps < NEWTON_STEPS && gradient.abs() >= inner_tolerance {
                let next = z - gradient / (a + cost / (cost - z) / z);
                z = if next <= 0.0 { z * SHRINK } else { next };
                gradient = gradient_at(z);
                steps += 1;
            }
            newton_steps += steps;
            if steps > 0 {
                alpha[i][moved] = z;
                alpha[i][1 - moved] = cost - z;
                step(&mut plane, row, signed(positive[i], sign * (z - old)));
            }
        }
        if largest_gradient < stop.tolerance {
            break;
        }
        if newton_steps <= order.len() / 10 {
            inner_tolerance = f64::max(least_inner_tolerance, 0.1 * inner_tolerance);
        }
    }
    plane
}

fn signed(positive: bool, x: f64) -> f64 {
    if positive { x } else { -x }
}

fn dot(weights: &[f64], row: &[(u32, f32)]) -> f64 {
    row.iter().map(|(feature, value)| weights[*feature as usize] * f64::from(*value)).sum()
}

fn step(plane: &mut Plane, row: &[(u32, f32)], by: f64) {
    for (feature, value) in row {
        plane.weights[*feature as usize] += by * f64::from(*value);
    }
    plane.bias += by;
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Stop = Stop { tolerance: 1e-8, passes: 10_000 };

    /// The gradient of the primal objective, which is zero at the optimum and nowhere else.
    fn gradient(plane: &Plane, rows: &Rows, positive: &[bool], costs: &[f64]) -> Vec<f64> {
        let mut g: Vec<f64> = plane.weights.iter().copied().chain([plane.bias]).collect();
        for i in 0..rows.len() {
            let y = signed(positive[i], 1.0);
            let pull = -costs[i] * y / (1.0 + (y * plane.logit(rows.row(i))).exp());
            for (f, v) in rows.row(i) {
                g[*f as usize] += pull * f64::from(*v);
            }
            *g.last_mut().unwrap() += pull;
        }
        g
    }

    #[test]
    fn the_gradient_vanishes_at_the_result() {
        let mut random = Random::new(1);
        let mut rows = Rows::new(12);
        let mut positive = Vec::new();
        let mut costs = Vec::new();
        for i in 0..40 {
            rows.push(
                (0..12).filter(|f| (i + f) % 3 != 0).map(|f| (f, random.unit() as f32 - 0.4)).collect::<Vec<_>>(),
            );
            positive.push(random.unit() < 0.3);
            costs.push([0.0, 0.5, 2.0, 10.0][i as usize % 4]);
        }
        let plane = logistic_regression(&rows, &positive, &costs, EXACT, 7);
        for g in gradient(&plane, &rows, &positive, &costs) {
            assert!(g.abs() < 1e-5, "{g}");
        }
    }

    #[test]
    fn rows_may_be_empty_and_classes_missing() {
        let mut rows = Rows::new(3);
        rows.push([]);
        rows.push([(0, 1.0), (7, 1.0)]);
        assert_eq!(rows.row(1), [(0, 1.0)]);
        let plane = logistic_regression(&rows, &[false, false], &[1.0, 1.0], EXACT, 0);
        assert!(plane.logit(rows.row(0)) < 0.0 && plane.weights.iter().all(|w| w.is_finite()));
        let none = logistic_regression(&Rows::new(2), &[], &[], EXACT, 0);
        assert_eq!(none, Plane { weights: vec![0.0; 2], bias: 0.0 });
    }
}
