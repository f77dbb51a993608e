//! ModernBERT (Warner et al., *Smarter, better, faster, longer: a modern bidirectional encoder*, 2024). Weights are named
//! as in Hugging Face transformers' `modeling_modernbert.py`.
//!
//! Norms stand before each part of a layer, but not before the first; the last one, after all layers, is done by the last
//! layer here. It belongs to none, so training leaves it as it is. Positions are rotations of queries and keys (Su et
//! al., *RoFormer*, 2021), and most layers look at near tokens only.

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
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default = "positions")]
    max_position_embeddings: usize,
    #[serde(default = "epsilon")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "far")]
    global_rope_theta: f64,
    /// As the global one if it is there and null.
    #[serde(default = "near")]
    local_rope_theta: Option<f64>,
    #[serde(default = "three")]
    global_attn_every_n_layers: usize,
    #[serde(default = "window")]
    local_attention: usize,
    rope_scaling: Option<Value>,
    // From transformers 5 on, in place of the options above.
    layer_types: Option<Vec<LayerType>>,
    rope_parameters: Option<Rotations>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    FullAttention,
    SlidingAttention,
}

#[derive(Debug, Deserialize)]
struct Rotations {
    full_attention: Rotation,
    sliding_attention: Rotation,
}

#[derive(Debug, Deserialize)]
struct Rotation {
    rope_type: String,
    rope_theta: f64,
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn positions() -> usize {
    8192
}

fn epsilon() -> f64 {
    1e-5
}

fn far() -> f64 {
    160_000.0
}

fn near() -> Option<f64> {
    Some(10_000.0)
}

fn three() -> usize {
    3
}

fn window() -> usize {
    128
}

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        positive(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("global_attn_every_n_layers", self.global_attn_every_n_layers),
        ])?;
        shared_out(("hidden_size", self.hidden_size), ("num_attention_heads", self.num_attention_heads))?;
        if !(self.hidden_size / self.num_attention_heads).is_multiple_of(2) {
            return Err("hidden_size / num_attention_heads is odd: rotations need pairs".to_owned());
        }
        only("hidden_activation", self.hidden_activation.as_str(), "gelu")?;
        if let Some(scaling) = &self.rope_scaling {
            return Err(format!("rope_scaling {scaling} is not supported, only null"));
        }
        if let Some(Rotations { full_attention, sliding_attention }) = &self.rope_parameters {
            only("rope_parameters.full_attention.rope_type", full_attention.rope_type.as_str(), "default")?;
            only("rope_parameters.sliding_attention.rope_type", sliding_attention.rope_type.as_str(), "default")?;
        }
        if self.layer_types.as_ref().is_some_and(|types| types.len() < self.num_hidden_layers) {
            return Err(format!("layer_types has fewer than num_hidden_layers {}", self.num_hidden_layers));
        }
        for kind in [LayerType::FullAttention, LayerType::SlidingAttention] {
            let theta = self.theta(kind);
            if !(theta.is_finite() && theta > 0.0) {
                return Err(format!("rope_theta {theta} is not above 0"));
            }
        }
        Ok(())
    }

    fn kind(&self, layer: usize) -> LayerType {
        match &self.layer_types {
            Some(types) => types[layer],
            None if layer.is_multiple_of(self.global_attn_every_n_layers) => LayerType::FullAttention,
            None => LayerType::SlidingAttention,
        }
    }

    fn theta(&self, kind: LayerType) -> f64 {
        match (&self.rope_parameters, kind) {
            (Some(rotations), LayerType::FullAttention) => rotations.full_attention.rope_theta,
            (Some(rotations), LayerType::SlidingAttention) => rotations.sliding_attention.rope_theta,
            (None, LayerType::FullAttention) => self.global_rope_theta,
            (None, LayerType::SlidingAttention) => self.local_rope_theta.unwrap_or(self.global_rope_theta),
        }
    }
}

struct Layer {
    attention_norm: Option<LayerNorm>,
    /// Queries, keys and values, one after another.
    attention_input: Linear,
    attention_output: Linear,
    norm: LayerNorm,
    /// What goes through GELU, then what multiplies it.
    input: Linear,
    output: Linear,
    heads: usize,
    /// How far from a token those lie that it heeds.
    reach: usize,
    /// How fast rotations slow down from pair to pair.
    theta: f32,
}

impl Layer {
    fn new(config: &Config, layer: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| LayerNorm::with(width, config.norm_eps, config.norm_bias, vb.pp(name));
        let attention = |outputs: usize, name: &str| Linear::with(width, outputs, config.attention_bias, vb.pp(name));
        let mlp =
            |inputs: usize, outputs: usize, name: &str| Linear::with(inputs, outputs, config.mlp_bias, vb.pp(name));
        let kind = config.kind(layer);
        Ok(Self {
            attention_norm: (layer > 0).then(|| norm("attn_norm")).transpose()?,
            attention_input: attention(width.saturating_mul(3), "attn.Wqkv")?,
            attention_output: attention(width, "attn.Wo")?,
            norm: norm("mlp_norm")?,
            input: mlp(width, inner.saturating_mul(2), "mlp.Wi")?,
            output: mlp(inner, width, "mlp.Wo")?,
            heads: config.num_attention_heads,
            reach: if kind == LayerType::FullAttention { usize::MAX } else { config.local_attention / 2 },
            theta: config.theta(kind) as f32,
        })
    }

    fn attention(&self, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let width = x.dim(1)?;
        let all = match &self.attention_norm {
            Some(norm) => self.attention_input.forward(&norm.forward(x)?)?,
            None => self.attention_input.forward(x)?,
        };
        let [q, k, v] = [0, 1, 2].map(|n| all.narrow(1, n * width, width));
        let size = width / self.heads;
        let turns = turns(sequences, size / 2, self.theta, x)?;
        let turned = |x: &Tensor| rotate(x, self.heads, &turns);
        let mixed =
            ops::attention_within(&turned(&q?)?, &turned(&k?)?, &v?.contiguous()?, self.heads, self.reach, sequences)?;
        self.attention_output.forward(&mixed)
    }

    fn forward(
        &self,
        x: &Tensor,
        sequences: &Sequences,
        dropout: impl Fn(&Tensor, u64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let x = ops::add(&dropout(&self.attention(x, sequences)?, 0)?, x)?;
        let both = self.input.forward(&self.norm.forward(&x)?)?;
        let inner = both.dim(1)? / 2;
        let half = |n: usize| both.narrow(1, n * inner, inner)?.contiguous();
        let gated = (ops::gelu(&half(0)?)? * half(1)?)?;
        ops::add(&dropout(&self.output.forward(&gated)?, 1)?, &x)
    }
}

/// Cosine and sine of each token's angles, by its place in its sequence: `tokens x 1 x pairs`.
fn turns(sequences: &Sequences, pairs: usize, theta: f32, like: &Tensor) -> Result<[Tensor; 2]> {
    let speeds: Vec<f32> = (0..pairs).map(|pair| theta.powf(pair as f32 / pairs as f32).recip()).collect();
    let angles: Vec<f32> = sequences
        .iter()
        .flat_map(|tokens| 0..tokens.len())
        .flat_map(|place| speeds.iter().map(move |speed| place as f32 * speed))
        .collect();
    let shape = (angles.len() / pairs, 1, pairs);
    let angles = Tensor::from_vec(angles, shape, like.device())?;
    Ok([angles.cos()?, angles.sin()?])
}

/// Each head's number `i` of the first half turned together with number `i` of the second half.
fn rotate(x: &Tensor, heads: usize, [cos, sin]: &[Tensor; 2]) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let size = width / heads;
    let by_head = x.reshape((tokens, heads, size))?;
    let (a, b) = (by_head.narrow(2, 0, size / 2)?, by_head.narrow(2, size / 2, size / 2)?);
    let first = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
    let second = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
    Tensor::cat(&[first, second], 2)?.reshape((tokens, width))?.contiguous()
}

/// The encoder.
pub(super) struct ModernBert {
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    max_tokens: usize,
}

impl ModernBert {
    pub(super) fn new(config: &Value, vb: &VarBuilder<'_>) -> std::result::Result<Self, ModelError> {
        let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
        config.check().map_err(ModelError::Config)?;
        Self::read(&config, &inside(vb, &["model"], "embeddings.tok_embeddings.weight")).map_err(ModelError::weights)
    }

    fn read(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let norm = |name: &str| LayerNorm::with(config.hidden_size, config.norm_eps, config.norm_bias, vb.pp(name));
        let layers = vb.pp("layers");
        Ok(Self {
            words: vb.get((config.vocab_size, config.hidden_size), "embeddings.tok_embeddings.weight")?,
            norm: norm("embeddings.norm")?,
            layers: (0..config.num_hidden_layers)
                .map(|n| Layer::new(config, n, &layers.pp(n)))
                .collect::<Result<_>>()?,
            final_norm: norm("final_norm")?,
            max_tokens: config.max_position_embeddings,
        })
    }
}

impl Encoder for ModernBert {
    fn width(&self) -> usize {
        self.words.dims()[1]
    }

    fn depth(&self) -> usize {
        self.layers.len()
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn words(&self) -> &Tensor {
        &self.words
    }

    fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        self.norm.forward(&rows(&self.words, tokens.ids.clone())?)
    }

    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor> {
        let x = self.layers[layer].forward(x, sequences, |x, place| dropout.apply(x, 2 * layer as u64 + place + 1))?;
        if layer + 1 == self.layers.len() { self.final_norm.forward(&x) } else { Ok(x) }
    }
}
