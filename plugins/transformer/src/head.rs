//! Heads: from the vectors of tokens to one logit per thesis.
//!
//! The decision that matters: every head gives logits whose sigmoid is a probability, so that all that comes after
//! (calibration, windows, evidence) need not know which head it is.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::encoder::Dropout;
use crate::ops::{self, Sequences};
use crate::zero_shot::References;

/// A weight and a bias.
pub(crate) type Affine = [Tensor; 2];

/// Names of a trained head's weights.
pub(crate) const NAMES: [&str; 2] = ["classifier.weight", "classifier.bias"];
/// Name of the query of [`Head::Attention`].
pub(crate) const QUERY: &str = "classifier.query";

/// A head with its weights.
pub(crate) enum Head {
    /// The mean of a paragraph's tokens, times a matrix: what [`train`](crate::train()) learns.
    Mean(Affine),
    /// The same with a mean of its own for each thesis; the query says which tokens count for it.
    Attention(Tensor, Affine),
    /// The first token through a dense layer and tanh, then a matrix: the heads of Hugging Face's models for sequence
    /// classification.
    First {
        /// From the first token's vector.
        dense: Affine,
        /// To logits of labels.
        out: Affine,
        /// Whether labels exclude each other.
        exclusive: bool,
    },
    /// Likeness to what the taxonomy says of each thesis.
    Likeness(References),
}

impl Head {
    /// The head of a Hugging Face model for sequence classification with `labels` labels: of BERT, whose dense layer is
    /// the pooler's, or of RoBERTa, whose head has one of its own.
    pub(crate) fn first(vb: &VarBuilder<'_>, width: usize, labels: usize, exclusive: bool) -> Result<Self> {
        let affine = |name: &str, outputs: usize| -> Result<Affine> {
            let vb = vb.pp(name);
            Ok([vb.get((outputs, width), "weight")?, vb.get(outputs, "bias")?])
        };
        let names = if vb.contains_tensor("classifier.out_proj.weight") {
            ["classifier.dense", "classifier.out_proj"]
        } else {
            ["bert.pooler.dense", "classifier"]
        };
        Ok(Self::First { dense: affine(names[0], width)?, out: affine(names[1], labels)?, exclusive })
    }

    /// One row of logits per sequence of `x`, whose tokens in `pooled` are the paragraph's.
    pub(crate) fn logits(&self, x: &Tensor, pooled: &Sequences) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Mean(affine) => mean(x, pooled, affine, Dropout::NONE)?.to_vec2(),
            Self::Attention(query, affine) => attention(x, pooled, query, affine, Dropout::NONE)?.to_vec2(),
            Self::First { dense, out, exclusive } => {
                let firsts: Vec<u32> = pooled.iter().map(|tokens| tokens.start as u32).collect();
                let count = firsts.len();
                let first = x.index_select(&Tensor::from_vec(firsts, count, x.device())?, 0)?;
                let dense = ops::linear(&first, &dense[0], &dense[1])?.tanh()?;
                let mut logits = ops::linear(&dense, &out[0], &out[1])?.to_vec2()?;
                if *exclusive {
                    logits.iter_mut().for_each(|row| *row = against_the_rest(row));
                }
                Ok(logits)
            }
            Self::Likeness(references) => Ok(references.logits(&ops::mean_rows(x, pooled)?.to_vec2()?)),
        }
    }
}

/// The mean of each sequence's pooled tokens, times `affine`.
pub(crate) fn mean(x: &Tensor, pooled: &Sequences, affine: &Affine, dropout: Dropout) -> Result<Tensor> {
    ops::linear(&dropout.apply(&ops::mean_rows(x, pooled)?, 0)?, &affine[0], &affine[1])
}

/// For each sequence and thesis, the mean of the pooled tokens weighted by `softmax(query · x / sqrt(width))`, times the
/// thesis's row of `affine`. A query of zeros gives the plain mean.
pub(crate) fn attention(
    x: &Tensor,
    pooled: &Sequences,
    query: &Tensor,
    affine: &Affine,
    dropout: Dropout,
) -> Result<Tensor> {
    let means = dropout.apply(&ops::attentive_means(x, query, pooled)?, 0)?;
    let means = means.reshape((pooled.len(), query.dim(0)?, query.dim(1)?))?;
    means.broadcast_mul(&affine[0])?.sum(2)?.broadcast_add(&affine[1])
}

/// From logits of labels that exclude each other to ones whose sigmoid is the softmax.
fn against_the_rest(logits: &[f32]) -> Vec<f32> {
    let rest = |i: usize| {
        let others = || logits.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, z)| *z);
        let most = others().fold(f32::NEG_INFINITY, f32::max);
        if most.is_finite() { most + others().map(|z| (z - most).exp()).sum::<f32>().ln() } else { 0.0 }
    };
    logits.iter().enumerate().map(|(i, z)| z - rest(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::against_the_rest;

    #[test]
    fn the_sigmoid_against_the_rest_is_the_softmax() {
        let logits = [1.0f32, -2.0, 0.5, 30.0];
        let total: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        for (z, against) in logits.iter().zip(against_the_rest(&logits)) {
            let (softmax, sigmoid) = (f64::from(*z).exp() / total, 1.0 / (1.0 + (-f64::from(against)).exp()));
            assert!((softmax - sigmoid).abs() < 1e-6);
        }
        assert_eq!(against_the_rest(&[0.7]), [0.7]);
    }
}
