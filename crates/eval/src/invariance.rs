//! Do labels stay the same when the text changes in a way that should not matter?

use serde::Serialize;

use crate::labels::Labels;

/// How many labels changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlipRate {
    /// Share of paragraphs whose set of theses changed (Ribeiro et al. 2020, invariance test); `None` without
    /// paragraphs.
    pub flip_rate: Option<f64>,
    /// Numbers of the rows that changed.
    pub changed: Vec<usize>,
    /// Number of paragraphs that changed, for each thesis.
    pub per_thesis: Vec<u64>,
}

/// Compares the labels of the same paragraphs before and after a change of the text.
///
/// # Panics
/// If the two matrices differ in shape.
pub fn flip_rate(before: &Labels, after: &Labels) -> FlipRate {
    assert_eq!((before.rows(), before.theses()), (after.rows(), after.theses()), "shapes of label matrices");
    let mut per_thesis = vec![0; before.theses()];
    let mut changed = Vec::new();
    for row in 0..before.rows() {
        let (b, a) = (before.row(row), after.row(row));
        for (count, (b, a)) in per_thesis.iter_mut().zip(b.iter().zip(a)) {
            *count += u64::from(b != a);
        }
        if b != a {
            changed.push(row);
        }
    }
    let share = (before.rows() > 0).then(|| changed.len() as f64 / before.rows() as f64);
    FlipRate { flip_rate: share, changed, per_thesis }
}
