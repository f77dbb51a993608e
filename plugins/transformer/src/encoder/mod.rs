//! Encoders: from packed tokens to one vector per token.
//!
//! The decision that matters: an encoder is an embedding and a row of layers that can be run one by one. Training can
//! then keep what frozen lower layers give, and run only those above.
//!
//! A new architecture is one file and one line of [`open`].

mod bert;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde_json::Value;

use crate::ModelError;
use crate::ops::{self, Sequences};

/// Tokens of several sequences, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// Number of each token in the vocabulary.
    pub(crate) ids: Vec<u32>,
    /// The tokens of each sequence.
    pub(crate) sequences: Sequences,
}

/// How much of what layers give is dropped in training, and by which draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    pub(crate) rate: f32,
    pub(crate) seed: u64,
}

impl Dropout {
    pub(crate) const NONE: Self = Self { rate: 0.0, seed: 0 };

    /// Drops of `x`; `place` tells the draws of one pass apart.
    pub(crate) fn apply(self, x: &Tensor, place: u64) -> Result<Tensor> {
        ops::dropout(x, self.rate, self.seed.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// An encoder with its weights.
pub(crate) trait Encoder: Send + Sync {
    /// Numbers per token.
    fn width(&self) -> usize;
    /// Number of layers.
    fn depth(&self) -> usize;
    /// The most tokens of a sequence.
    fn max_tokens(&self) -> usize;
    /// Number of pieces that it has a vector for.
    fn vocabulary(&self) -> usize;
    /// What goes into the first layer: `tokens x width`.
    fn embed(&self, tokens: &Tokens) -> Result<Tensor>;
    /// What comes out of layer number `layer`, given what came out of the one before: `tokens x width`.
    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor>;

    /// All layers from number `from` on.
    fn layers(&self, from: usize, mut x: Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor> {
        for layer in from..self.depth() {
            x = self.layer(layer, &x, sequences, dropout)?;
        }
        Ok(x)
    }
}

/// The encoder that `config` (of a `config.json`) describes, with the weights behind `weights`.
pub(crate) fn open(config: &Value, weights: VarBuilder<'_>) -> std::result::Result<Box<dyn Encoder>, ModelError> {
    let model_type = config["model_type"].as_str().unwrap_or_default();
    match model_type {
        "bert" | "roberta" | "xlm-roberta" => Ok(Box::new(bert::Bert::new(config, weights)?)),
        other => Err(ModelError::Architecture(other.to_owned())),
    }
}

/// The layer that a weight belongs to by its name (`...layer.3...`), if to one.
pub(crate) fn layer_of(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once("layer.")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use serde::Deserialize;

    use super::*;
    use crate::head::Head;
    use crate::model::{CONFIG, read};
    use crate::weights;

    /// What Python transformers gives (see `tests/make_reference.py`).
    #[derive(Deserialize)]
    struct Expected {
        sequences: Vec<Vec<u32>>,
        outputs: Vec<Vec<Vec<f32>>>,
    }

    /// The states of all tokens, or the logits of all sequences if there is a head.
    fn outputs(encoder: &dyn Encoder, head: Option<&Head>, sequences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut ranges = Vec::new();
        for sequence in sequences {
            let start = ranges.last().map_or(0, |r: &std::ops::Range<usize>| r.end);
            ranges.push(start..start + sequence.len());
        }
        let tokens = Tokens { ids: sequences.concat(), sequences: Arc::from(ranges) };
        let x = encoder.embed(&tokens).unwrap();
        let x = encoder.layers(0, x, &tokens.sequences, Dropout::NONE).unwrap();
        head.map_or_else(|| x.to_vec2().unwrap(), |head| head.logits(&x, &tokens.sequences).unwrap())
    }

    #[test]
    fn outputs_are_those_of_python_transformers_alone_and_together() {
        for name in ["bert", "xlm-roberta", "bert-head", "xlm-roberta-head"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
            let config = serde_json::from_slice(&read(&dir, CONFIG).unwrap()).unwrap();
            let weights = weights::read(&dir).unwrap();
            let builder = VarBuilder::from_tensors(weights, candle_core::DType::F32, &candle_core::Device::Cpu);
            let encoder = open(&config, builder.clone()).unwrap();
            let head = name.ends_with("head").then(|| Head::first(&builder, encoder.width(), 3, false).unwrap());
            let expected: Expected = serde_json::from_slice(&read(&dir, "expected.json").unwrap()).unwrap();
            let together = outputs(&*encoder, head.as_ref(), &expected.sequences);
            let one = |s: &Vec<u32>| outputs(&*encoder, head.as_ref(), std::slice::from_ref(s));
            let alone: Vec<Vec<f32>> = expected.sequences.iter().flat_map(one).collect();
            assert_eq!(together.len(), expected.outputs.concat().len());
            for (row, wanted) in expected.outputs.concat().iter().enumerate() {
                for (i, wanted) in wanted.iter().enumerate() {
                    assert!(
                        (together[row][i] - wanted).abs() < 1e-4,
                        "{name} {row} {i}: {} {wanted}",
                        together[row][i]
                    );
                    assert!((alone[row][i] - together[row][i]).abs() < 1e-5);
                }
            }
        }
    }
}
