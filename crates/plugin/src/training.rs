//! What plugins that learn have in common: the record of what they learnt from, and the choice of a threshold.

use serde::{Deserialize, Serialize};

/// A file that a model was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Number of samples in it.
    pub samples: usize,
}

/// A threshold, and what it scores where it was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The score from which on a thesis counts as argued.
    pub threshold: f32,
    /// In [0, 1].
    pub macro_f1: f64,
    /// In [0, 1].
    pub micro_f1: f64,
}

/// The score from which on theses should count as argued: the one that makes micro-F1 and macro-F1 together largest on
/// `scores` (row-major, `theses` columns, in [0, 1]; NaN counts as below any threshold) against the truth. One for
/// all theses: rare ones have too few samples for a threshold of their own. It lies halfway between two scores, and
/// is 0.5 where nothing is argued. Macro-F1 averages over the theses that occur in the truth.
pub fn choose_threshold(theses: usize, scores: &[f32], argued: &[bool]) -> Choice {
    let mut support = vec![0usize; theses];
    let mut order: Vec<usize> = Vec::new();
    for (i, score) in scores.iter().enumerate() {
        support[i % theses] += usize::from(argued[i]);
        if !score.is_nan() {
            order.push(i);
        }
    }
    let present = support.iter().filter(|s| **s > 0).count();
    let mut best = Choice { threshold: 0.5, macro_f1: 0.0, micro_f1: 0.0 };
    if present == 0 {
        return best;
    }
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let f1 = |hits: usize, calls: usize, support: usize| 2.0 * hits as f64 / (calls + support).max(1) as f64;

    // One more call at a time, the surest first.
    let (mut calls, mut hits) = (vec![0usize; theses], vec![0usize; theses]);
    let (mut all_hits, all_support) = (0usize, support.iter().sum::<usize>());
    let mut macro_sum = 0.0;
    for (n, &i) in order.iter().enumerate() {
        let thesis = i % theses;
        let of_thesis = |calls: &[usize], hits: &[usize]| match support[thesis] {
            0 => 0.0,
            support => f1(hits[thesis], calls[thesis], support),
        };
        macro_sum -= of_thesis(&calls, &hits);
        calls[thesis] += 1;
        hits[thesis] += usize::from(argued[i]);
        all_hits += usize::from(argued[i]);
        macro_sum += of_thesis(&calls, &hits);
        let below = order.get(n + 1).map_or(0.0, |&next| scores[next]);
        let (macro_f1, micro_f1) = (macro_sum / present as f64, f1(all_hits, n + 1, all_support));
        if below < scores[i] && macro_f1 + micro_f1 > best.macro_f1 + best.micro_f1 {
            best = Choice { threshold: 0.5 * (scores[i] + below), macro_f1, micro_f1 };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::choose_threshold;

    #[test]
    fn between_the_last_hit_and_the_first_miss() {
        let scores = [0.9, 0.2, 0.8, 0.1, 0.3, f32::NAN];
        let choice = choose_threshold(2, &scores, &[true, false, true, false, false, false]);
        assert!((choice.threshold - 0.55).abs() < 1e-6);
        assert_eq!((choice.macro_f1, choice.micro_f1), (1.0, 1.0));
        assert_eq!(choose_threshold(2, &scores, &[false; 6]).threshold, 0.5);
    }

    #[test]
    fn ties_are_called_together() {
        // Calling only one of the two equal scores is not possible.
        let choice = choose_threshold(1, &[0.6, 0.6, 0.1], &[true, false, false]);
        assert!((choice.threshold - 0.35).abs() < 1e-6);
        assert!((choice.micro_f1 - 2.0 / 3.0).abs() < 1e-9);
    }
}
