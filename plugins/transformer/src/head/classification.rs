//! The heads of Hugging Face's models for sequence classification.
//!
//! The decision that matters: they differ in what they pool, in one function and in names, so they are one head with
//! these as its parts.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::Value;

use crate::ModelError;
use crate::encoder::{LayerNorm, Linear, only, rows};
use crate::ops::{self, Sequences};

/// What is done after the dense layer.
#[derive(Clone, Copy, Debug)]
enum Activation {
    Tanh,
    Relu,
    Gelu,
}

/// A head with its weights: a dense layer, then a matrix.
pub(crate) struct Classification {
    /// Whether it takes the mean of all tokens, and not the first.
    mean: bool,
    dense: Linear,
    activation: Activation,
    norm: Option<LayerNorm>,
    out: Linear,
    /// Whether labels exclude each other.
    exclusive: bool,
}

/// What a `config.json` says of the head, beside its labels.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    model_type: String,
    // Of DeBERTa.
    #[serde(default = "gelu")]
    pooler_hidden_act: String,
    // Of ModernBERT.
    #[serde(default = "gelu")]
    classifier_activation: String,
    #[serde(default = "cls")]
    classifier_pooling: String,
    #[serde(default)]
    classifier_bias: bool,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default = "epsilon")]
    norm_eps: f64,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn cls() -> String {
    "cls".to_owned()
}

fn epsilon() -> f64 {
    1e-5
}

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        only("pooler_hidden_act", self.pooler_hidden_act.as_str(), "gelu")?;
        only("classifier_activation", self.classifier_activation.as_str(), "gelu")?;
        match self.classifier_pooling.as_str() {
            "cls" | "mean" => Ok(()),
            other => Err(format!("classifier_pooling {other:?} is not supported, only \"cls\" and \"mean\"")),
        }
    }
}

impl Classification {
    /// The head with `labels` labels on an encoder of `width` numbers per token.
    pub(crate) fn new(
        config: &Value,
        vb: &VarBuilder<'_>,
        width: usize,
        labels: usize,
        exclusive: bool,
    ) -> std::result::Result<Self, ModelError> {
        let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
        config.check().map_err(ModelError::Config)?;
        Self::read(&config, vb, width, labels, exclusive).map_err(ModelError::weights)
    }

    fn read(config: &Config, vb: &VarBuilder<'_>, width: usize, labels: usize, exclusive: bool) -> Result<Self> {
        let modern = config.model_type == "modernbert";
        let (dense, activation, out) = match config.model_type.as_str() {
            "bert" => ("bert.pooler.dense", Activation::Tanh, "classifier"),
            "distilbert" => ("pre_classifier", Activation::Relu, "classifier"),
            "deberta-v2" => ("pooler.dense", Activation::Gelu, "classifier"),
            "modernbert" => ("head.dense", Activation::Gelu, "classifier"),
            _ => ("classifier.dense", Activation::Tanh, "classifier.out_proj"),
        };
        let norm = || LayerNorm::with(width, config.norm_eps, config.norm_bias, vb.pp("head.norm"));
        Ok(Self {
            mean: modern && config.classifier_pooling == "mean",
            dense: Linear::with(width, width, !modern || config.classifier_bias, vb.pp(dense))?,
            activation,
            norm: modern.then(norm).transpose()?,
            out: Linear::new(width, labels, vb.pp(out))?,
            exclusive,
        })
    }

    /// One row of logits per sequence of `x`, whose tokens in `pooled` are the paragraph's.
    pub(crate) fn logits(&self, x: &Tensor, pooled: &Sequences) -> Result<Vec<Vec<f32>>> {
        let vectors = if self.mean {
            ops::mean_rows(x, pooled)?
        } else {
            rows(x, pooled.iter().map(|tokens| tokens.start as u32).collect())?
        };
        let dense = self.dense.forward(&vectors)?;
        let active = match self.activation {
            Activation::Tanh => dense.tanh()?,
            Activation::Relu => dense.relu()?,
            Activation::Gelu => ops::gelu(&dense)?,
        };
        let normed = self.norm.as_ref().map_or_else(|| Ok(active.clone()), |norm| norm.forward(&active))?;
        let mut logits = self.out.forward(&normed)?.to_vec2()?;
        if self.exclusive {
            logits.iter_mut().for_each(|row| *row = against_the_rest(row));
        }
        Ok(logits)
    }
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
