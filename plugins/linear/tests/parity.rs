//! The solver gives scikit-learn's weights on scikit-learn's features. `parity.py` made the reference.

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
}

#[test]
fn weights_equal_those_of_scikit_learn() {
    let reference: Reference = serde_json::from_str(include_str!("parity.json")).unwrap();
    let mut rows = Rows::new(reference.ngrams.len());
    for row in reference.rows {
        rows.push(row);
    }
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
