//! The solvers give scikit-learn's weights on scikit-learn's features. `parity.py` made the reference.

#![allow(clippy::unwrap_used, reason = "a test")]

use lundian_linear::elastic_net::{Columns, elastic_net};
use lundian_linear::solver::{Rows, Stop, logistic_regression};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    rows: Vec<Vec<(u32, f32)>>,
    ngrams: Vec<String>,
    positive: Vec<bool>,
    costs: Vec<f64>,
    weights: Vec<f64>,
    bias: f64,
    elastic_net: Vec<Sparse>,
}

#[derive(Deserialize)]
struct Sparse {
    l1_ratio: f64,
    /// Those that are not zero, with their features.
    weights: Vec<(usize, f64)>,
    bias: f64,
}

impl Reference {
    fn read() -> Self {
        serde_json::from_str(include_str!("parity.json")).unwrap()
    }

    fn rows(&self) -> Rows {
        let mut rows = Rows::new(self.ngrams.len());
        self.rows.iter().for_each(|row| rows.push(row.iter().copied()));
        rows
    }
}

#[test]
fn weights_equal_those_of_scikit_learn() {
    let reference = Reference::read();
    let rows = reference.rows();
    let stop = Stop { tolerance: 1e-9, passes: 100_000 };
    for seed in 0..3 {
        let plane = logistic_regression(&rows, &reference.positive, &reference.costs, stop, seed);
        assert!((plane.bias - reference.bias).abs() < 1e-4, "{} for {}", plane.bias, reference.bias);
        assert_eq!(plane.weights.len(), reference.weights.len());
        for (found, wanted) in plane.weights.iter().zip(&reference.weights) {
            assert!((found - wanted).abs() < 1e-4, "{found} for {wanted}");
        }
    }
}

/// Of each n-gram, the first one that is in the same texts as often. L1 does not care which of the two has the weight.
fn twins(reference: &Reference) -> Vec<usize> {
    let mut columns = vec![Vec::new(); reference.ngrams.len()];
    for (i, row) in reference.rows.iter().enumerate() {
        row.iter().for_each(|&(feature, value)| columns[feature as usize].push((i, value)));
    }
    columns.iter().map(|column| columns.iter().position(|other| other == column).unwrap()).collect()
}

#[test]
fn sparse_weights_equal_those_of_scikit_learn() {
    let reference = Reference::read();
    let columns = Columns::new(&reference.rows());
    let twins = twins(&reference);
    let together = |weights: &mut dyn Iterator<Item = (usize, f64)>| {
        let mut sums = vec![0.0; twins.len()];
        weights.for_each(|(feature, weight)| sums[twins[feature]] += weight);
        sums
    };
    let stop = Stop { tolerance: 1e-9, passes: 1000 };
    for Sparse { l1_ratio, weights, bias } in &reference.elastic_net {
        let plane = elastic_net(&columns, &reference.positive, &reference.costs, *l1_ratio, stop);
        assert!((plane.bias - bias).abs() < 1e-4, "{} for {bias}", plane.bias);
        let found = together(&mut plane.weights.iter().copied().enumerate());
        let wanted = together(&mut weights.iter().copied());
        for (feature, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            assert!((found - wanted).abs() < 1e-4, "{found} for {wanted} of {feature} at {l1_ratio}");
            assert_eq!(*found == 0.0, *wanted == 0.0, "{found} for {wanted} of {feature} at {l1_ratio}");
        }
    }
}
