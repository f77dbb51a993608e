//! A trained model: the weights of every n-gram for every thesis, and how a logit becomes a probability.
//!
//! The decision that matters: weights are 8-bit integers with one scale per n-gram, in rows of one n-gram each. An
//! n-gram found in a text then costs one cache line for all theses together, and a hundred thousand n-grams fit in
//! less than 5 MB.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lundian_plugin::Thresholds;
use lundian_plugin::training::DataFile;

use crate::calibration::Sigmoid;
use crate::ngram::{self, Vocabulary};
use crate::params::Params;
use crate::tfidf::{idf, sublinear};

/// A trained model. Made by [`train`](crate::train) or read by [`Model::load`].
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) theses: Vec<String>,
    pub(crate) vocabulary: Vocabulary,
    /// Number of texts that document frequencies were counted in.
    pub(crate) texts: u32,
    /// Of each n-gram, how many of those texts have it.
    pub(crate) df: Vec<u32>,
    /// Of each n-gram, from `df`.
    pub(crate) idf: Vec<f32>,
    pub(crate) quantised: Quantised,
    /// By thesis.
    pub(crate) biases: Vec<f32>,
    /// By thesis.
    pub(crate) calibration: Vec<Sigmoid>,
    pub(crate) params: Params,
    /// From which score on a thesis counts as argued.
    pub thresholds: Thresholds,
    /// What the model was made from.
    pub data: Vec<DataFile>,
    /// What it scores, by name; set by whoever measured it.
    pub metrics: BTreeMap<String, f64>,
}

/// Weights as 8-bit integers: `rows x columns`, where the weight of a row and column is `scales[row]` times the integer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantised {
    pub(crate) columns: usize,
    pub(crate) scales: Vec<f32>,
    pub(crate) integers: Vec<i8>,
}

impl Quantised {
    /// Quantises rows of weights; the error of a weight is at most 1/254 of the largest of its row.
    pub(crate) fn new(columns: usize, rows: impl Iterator<Item = Vec<f32>>) -> Self {
        let (mut scales, mut integers) = (Vec::new(), Vec::new());
        for row in rows {
            let scale = row.iter().fold(0f32, |most, w| most.max(w.abs())) / 127.0;
            let steps = |w: f32| if scale > 0.0 { (w / scale).round() as i8 } else { 0 };
            scales.push(scale);
            integers.extend(row.into_iter().map(steps));
        }
        Self { columns, scales, integers }
    }

    #[inline]
    pub(crate) fn row(&self, row: u32) -> &[i8] {
        let start = row as usize * self.columns;
        &self.integers[start..start + self.columns]
    }

    pub(crate) fn weight(&self, row: u32, column: usize) -> f32 {
        self.scales[row as usize] * f32::from(self.row(row)[column])
    }
}

/// Memory that is used again for each text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    found: Vec<u32>,
}

impl Model {
    /// The slugs of the theses that it knows.
    pub fn theses(&self) -> &[String] {
        &self.theses
    }

    /// How it was trained.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Number of n-grams that it knows.
    pub fn features(&self) -> usize {
        self.vocabulary.len()
    }

    pub(crate) fn lengths(&self) -> RangeInclusive<usize> {
        self.params.min_ngram..=self.params.max_ngram
    }

    pub(crate) fn idf_of(texts: u32, df: &[u32]) -> Vec<f32> {
        df.iter().map(|&df| idf(texts as usize, df)).collect()
    }

    /// Fills `logits`, one per thesis, for a normalised text, and returns the norm that its features were divided by.
    /// A text without any n-gram that is known gets the biases.
    pub(crate) fn logits(&self, text: &str, scratch: &mut Scratch, logits: &mut [f32]) -> f32 {
        let found = &mut scratch.found;
        found.clear();
        ngram::for_each(text, &self.lengths(), |hash, _| found.extend(self.vocabulary.get(hash)));
        // In the order of features, so that sums come out the same bit for bit wherever the n-grams stand.
        found.sort_unstable();
        logits.fill(0.0);
        let mut squares = 0f32;
        for run in found.chunk_by(|a, b| a == b) {
            let feature = run[0];
            let value = sublinear(run.len() as u32) * self.idf[feature as usize];
            squares += value * value;
            let step = value * self.quantised.scales[feature as usize];
            for (logit, &integer) in logits.iter_mut().zip(self.quantised.row(feature)) {
                *logit += step * f32::from(integer);
            }
        }
        let norm = if squares > 0.0 { squares.sqrt() } else { 1.0 };
        for (logit, bias) in logits.iter_mut().zip(&self.biases) {
            *logit = *logit / norm + bias;
        }
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantisation_keeps_weights_to_half_a_step() {
        let rows = [vec![0.5, -1.0, 0.003], vec![0.0; 3], vec![1e-8, 0.0, -2e-8]];
        let q = Quantised::new(3, rows.iter().cloned());
        for (r, row) in rows.iter().enumerate() {
            let most = row.iter().fold(0f32, |m, w| m.max(w.abs()));
            for (c, w) in row.iter().enumerate() {
                assert!((q.weight(r as u32, c) - w).abs() <= most / 253.0, "{w}");
            }
        }
    }
}
