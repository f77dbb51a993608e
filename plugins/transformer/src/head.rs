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

/// Names of a trained head's weights.
pub(crate) const NAMES: [&str; 2] = ["classifier.weight", "classifier.bias"];
/// Name of the query of [`Trained`].
pub(crate) const QUERY: &str = "classifier.query";

/// A head with its weights.
pub(crate) enum Head {
    /// What [`train`](crate::train()) learns.
    Trained(Trained),
    /// That of a Hugging Face model for sequence classification.
    Classification(Classification),
    /// Likeness to what the taxonomy says of each thesis.
    Likeness(References),
}

impl Head {
    /// One row of logits per sequence of `x`, whose tokens in `pooled` are the paragraph's.
    pub(crate) fn logits(&self, x: &Tensor, pooled: &Sequences) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Trained(head) => head.logits(x, pooled, Dropout::NONE)?.to_vec2(),
            Self::Classification(head) => head.logits(x, pooled),
            Self::Likeness(references) => Ok(references.logits(&ops::mean_rows(x, pooled)?.to_vec2()?)),
        }
    }
}

/// A mean of a paragraph's tokens, times a matrix.
pub(crate) struct Trained {
    /// A row for each thesis, which says how much tokens count for it; without one all count alike.
    pub(crate) query: Option<Tensor>,
    /// A row for each thesis.
    pub(crate) weight: Tensor,
    /// A number for each thesis.
    pub(crate) bias: Tensor,
}

impl Trained {
    /// The logits of each sequence, `sequences x theses`. With a query, each thesis has a mean of its own, in which tokens
    /// are weighted by `softmax(query · x / sqrt(width))`: a query of zeros gives the plain mean.
    pub(crate) fn logits(&self, x: &Tensor, pooled: &Sequences, dropout: Dropout) -> Result<Tensor> {
        let Some(query) = &self.query else {
            return ops::linear(&dropout.apply(&ops::mean_rows(x, pooled)?, 0)?, &self.weight, &self.bias);
        };
        let means = dropout.apply(&ops::attentive_means(x, query, pooled)?, 0)?;
        let means = means.reshape((pooled.len(), query.dim(0)?, query.dim(1)?))?;
        means.broadcast_mul(&self.weight)?.sum(2)?.broadcast_add(&self.bias)
    }
}
