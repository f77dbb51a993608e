//! Heads: from the vectors of tokens to one logit per thesis.
//!
//! The decision that matters: every head gives logits whose sigmoid is a probability, so that all that comes after
//! (calibration, windows, evidence) need not know which head it is.

mod classification;

use candle_core::{Result, Tensor};

use crate::encoder::Dropout;
use crate::ops::{self, Sequences};
use crate::zero_shot::References;

pub(crate) use classification::Classification;

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
    /// That of a Hugging Face model for sequence classification.
    Classification(Classification),
    /// Likeness to what the taxonomy says of each thesis.
    Likeness(References),
}

impl Head {
    /// One row of logits per sequence of `x`, whose tokens in `pooled` are the paragraph's.
    pub(crate) fn logits(&self, x: &Tensor, pooled: &Sequences) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Mean(affine) => mean(x, pooled, affine, Dropout::NONE)?.to_vec2(),
            Self::Attention(query, affine) => attention(x, pooled, query, affine, Dropout::NONE)?.to_vec2(),
            Self::Classification(head) => head.logits(x, pooled),
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
