//! DistilBERT (Sanh et al., *DistilBERT, a distilled version of BERT*, 2019): BERT without segments, under other names.
//! Weights are named as in Hugging Face transformers' `modeling_distilbert.py`.

use candle_core::Result;
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::Value;

use super::bert::{Bert, Layer, Names, Sizes};
use super::blocks::{LayerNorm, inside, only, positive, shared_out};
use crate::ModelError;

/// What is needed of `config.json`. Positions by sines are stored as weights, like learnt ones.
#[derive(Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    /// Layers that are kept, where not all are.
    num_hidden_layers: Option<usize>,
    n_heads: usize,
    hidden_dim: usize,
    #[serde(default = "gelu")]
    activation: String,
    max_position_embeddings: usize,
}

fn gelu() -> String {
    "gelu".to_owned()
}

const EPSILON: f64 = 1e-12;

const NAMES: Names = [
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
];

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        positive(&[
            ("vocab_size", self.vocab_size),
            ("dim", self.dim),
            ("n_layers", self.layers()),
            ("n_heads", self.n_heads),
            ("hidden_dim", self.hidden_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        shared_out(("dim", self.dim), ("n_heads", self.n_heads))?;
        only("activation", self.activation.as_str(), "gelu")
    }

    fn layers(&self) -> usize {
        self.num_hidden_layers.unwrap_or(self.n_layers)
    }
}

pub(super) fn open(config: &Value, vb: &VarBuilder<'_>) -> std::result::Result<Bert, ModelError> {
    let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
    config.check().map_err(ModelError::Config)?;
    read(&config, &inside(vb, &["distilbert"], "embeddings.word_embeddings.weight")).map_err(ModelError::weights)
}

fn read(config: &Config, vb: &VarBuilder<'_>) -> Result<Bert> {
    let (width, embeddings) = (config.dim, vb.pp("embeddings"));
    let table = |rows: usize, name: &str| embeddings.pp(name).get((rows, width), "weight");
    let sizes = Sizes { width, inner: config.hidden_dim, heads: config.n_heads, epsilon: EPSILON };
    let layers = vb.pp("transformer.layer");
    Ok(Bert {
        words: table(config.vocab_size, "word_embeddings")?,
        positions: table(config.max_position_embeddings, "position_embeddings")?,
        first_position: 0,
        segment: None,
        norm: LayerNorm::new(width, EPSILON, embeddings.pp("LayerNorm"))?,
        layers: (0..config.layers()).map(|n| Layer::new(&sizes, &NAMES, layers.pp(n))).collect::<Result<_>>()?,
    })
}
