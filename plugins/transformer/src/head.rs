//! Heads: from the vectors of tokens to one logit per thesis, and to one per role.
//!
//! The decision that matters: every head for theses gives logits whose sigmoid is a probability, so that all that comes
//! after (calibration, windows, evidence) need not know which head it is. That for roles is made as the trained one for
//! theses is; its logits go through a softmax (see `roles`).

mod classification;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::encoder::Dropout;
use crate::ops::{self, Sequences};
use crate::params::Pooling;
use crate::zero_shot::References;

pub(crate) use classification::Classification;

/// Names of the weights of a [`Trained`] head.
pub(crate) struct Names {
    pub(crate) weight: &'static str,
    pub(crate) bias: &'static str,
    pub(crate) query: &'static str,
}

/// Of the head for theses.
pub(crate) const THESES: Names =
    Names { weight: "classifier.weight", bias: "classifier.bias", query: "classifier.query" };
/// Of the head for roles, which a model may lack.
pub(crate) const ROLES: Names = Names { weight: "roles.weight", bias: "roles.bias", query: "roles.query" };

impl Names {
    pub(crate) fn contain(&self, name: &str) -> bool {
        [self.weight, self.bias, self.query].contains(&name)
    }
}

/// A head for theses with its weights.
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
    /// A row for each class, a thesis or a role, which says how much tokens count for it; without one all count alike.
    pub(crate) query: Option<Tensor>,
    /// A row for each class.
    pub(crate) weight: Tensor,
    /// A number for each class.
    pub(crate) bias: Tensor,
}

impl Trained {
    /// The head called `names` for `classes` classes on an encoder of `width` numbers per token.
    pub(crate) fn read(
        vb: &VarBuilder<'_>,
        names: &Names,
        pooling: Pooling,
        classes: usize,
        width: usize,
    ) -> Result<Self> {
        let query = match pooling {
            Pooling::Mean => None,
            Pooling::Attention => Some(vb.get((classes, width), names.query)?),
        };
        Ok(Self { query, weight: vb.get((classes, width), names.weight)?, bias: vb.get(classes, names.bias)? })
    }

    /// The logits of each sequence, `sequences x classes`. With a query, each class has a mean of its own, in which tokens
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
