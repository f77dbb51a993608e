//! BERT (Devlin et al., *BERT: pre-training of deep bidirectional transformers*, 2019) and its kin with other
//! positions, RoBERTa and XLM-R. Weights are named as in Hugging Face transformers' `modeling_bert.py` and
//! `modeling_roberta.py`.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::Value;

use super::blocks::{LayerNorm, Linear, inside, only, positive, rows, shared_out};
use super::{Dropout, Encoder, Tokens};
use crate::ModelError;
use crate::ops::{self, Sequences};

/// What is needed of `config.json`.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default)]
    pad_token_id: Option<usize>,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

fn two() -> usize {
    2
}

fn epsilon() -> f64 {
    1e-12
}

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        positive(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("type_vocab_size", self.type_vocab_size),
        ])?;
        shared_out(("hidden_size", self.hidden_size), ("num_attention_heads", self.num_attention_heads))?;
        only("hidden_act", self.hidden_act.as_str(), "gelu")?;
        only("position_embedding_type", self.position_embedding_type.as_str(), "absolute")?;
        if self.max_position_embeddings <= self.first_position() {
            return Err(format!("max_position_embeddings {} leaves no position", self.max_position_embeddings));
        }
        Ok(())
    }

    /// RoBERTa counts positions from the padding piece's number on.
    fn first_position(&self) -> usize {
        if self.model_type == "bert" { 0 } else { self.pad_token_id.unwrap_or(1).saturating_add(1) }
    }
}

/// What the weights of a layer are called in it: query, key, value, output of attention, its norm, the inner and the
/// outer linear map, their norm.
pub(super) type Names = [&'static str; 8];

const NAMES: Names = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// Sizes of a layer.
pub(super) struct Sizes {
    pub(super) width: usize,
    pub(super) inner: usize,
    pub(super) heads: usize,
    pub(super) epsilon: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    pub(super) heads: usize,
}

impl Layer {
    pub(super) fn new(sizes: &Sizes, names: &Names, vb: VarBuilder<'_>) -> Result<Self> {
        let &Sizes { width, inner, heads, epsilon } = sizes;
        let [query, key, value, attention_output, attention_norm, intermediate, output, output_norm] =
            names.map(|name| vb.pp(name));
        Ok(Self {
            query: Linear::new(width, width, query)?,
            key: Linear::new(width, width, key)?,
            value: Linear::new(width, width, value)?,
            attention_output: Linear::new(width, width, attention_output)?,
            attention_norm: LayerNorm::new(width, epsilon, attention_norm)?,
            intermediate: Linear::new(width, inner, intermediate)?,
            output: Linear::new(inner, width, output)?,
            output_norm: LayerNorm::new(width, epsilon, output_norm)?,
            heads,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        sequences: &Sequences,
        dropout: impl Fn(&Tensor, u64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        self.complete(x, &ops::attention(&q, &k, &v, self.heads, sequences)?, dropout)
    }

    /// See [`Encoder::compact`].
    pub(super) fn compact(&mut self) -> Result<()> {
        let Self { query, key, value, attention_output, intermediate, output, .. } = self;
        [query, key, value, attention_output, intermediate, output].into_iter().try_for_each(Linear::compact)
    }

    /// What comes out, given what went in and what attention made of it.
    pub(super) fn complete(
        &self,
        x: &Tensor,
        attended: &Tensor,
        dropout: impl Fn(&Tensor, u64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mixed = self.attention_output.forward(attended)?;
        let x = self.attention_norm.forward(&ops::add(&dropout(&mixed, 0)?, x)?)?;
        let inner = ops::gelu(&self.intermediate.forward(&x)?)?;
        self.output_norm.forward(&ops::add(&dropout(&self.output.forward(&inner)?, 1)?, &x)?)
    }
}

/// The encoder.
pub(super) struct Bert {
    /// `pieces x width`.
    pub(super) words: Tensor,
    /// `positions x width`.
    pub(super) positions: Tensor,
    /// Number of the first token's position.
    pub(super) first_position: usize,
    /// What is added to all tokens: they count as of the first segment, as in RoBERTa and its kin, which know no other.
    pub(super) segment: Option<Tensor>,
    pub(super) norm: LayerNorm,
    pub(super) layers: Vec<Layer>,
}

impl Bert {
    pub(super) fn new(config: &Value, vb: &VarBuilder<'_>) -> std::result::Result<Self, ModelError> {
        let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
        config.check().map_err(ModelError::Config)?;
        Self::read(&config, &inside(vb, &["bert", "roberta"], "embeddings.word_embeddings.weight"))
            .map_err(ModelError::weights)
    }

    fn read(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let (width, embeddings) = (config.hidden_size, vb.pp("embeddings"));
        let table = |rows: usize, name: &str| embeddings.pp(name).get((rows, width), "weight");
        let sizes = Sizes {
            width,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps,
        };
        let layers = vb.pp("encoder.layer");
        Ok(Self {
            words: table(config.vocab_size, "word_embeddings")?,
            positions: table(config.max_position_embeddings, "position_embeddings")?,
            first_position: config.first_position(),
            segment: Some(table(config.type_vocab_size, "token_type_embeddings")?.narrow(0, 0, 1)?),
            norm: LayerNorm::new(width, config.layer_norm_eps, embeddings.pp("LayerNorm"))?,
            layers: (0..config.num_hidden_layers)
                .map(|n| Layer::new(&sizes, &NAMES, layers.pp(n)))
                .collect::<Result<_>>()?,
        })
    }
}

impl Encoder for Bert {
    fn width(&self) -> usize {
        self.words.dims()[1]
    }

    fn depth(&self) -> usize {
        self.layers.len()
    }

    fn max_tokens(&self) -> usize {
        self.positions.dims()[0] - self.first_position
    }

    fn words(&self) -> &Tensor {
        &self.words
    }

    fn compact(&mut self) -> Result<()> {
        self.layers.iter_mut().try_for_each(Layer::compact)
    }

    fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        let first = self.first_position as u32;
        let positions = tokens.sequences.iter().flat_map(|s| (0..s.len() as u32).map(|n| first + n)).collect();
        let mut sum = (rows(&self.words, tokens.ids.clone())? + rows(&self.positions, positions)?)?;
        if let Some(segment) = &self.segment {
            sum = sum.broadcast_add(segment)?;
        }
        self.norm.forward(&sum)
    }

    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor> {
        self.layers[layer].forward(x, sequences, |x, place| dropout.apply(x, 2 * layer as u64 + place + 1))
    }
}
