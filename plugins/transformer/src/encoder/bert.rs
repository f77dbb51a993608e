//! BERT (Devlin et al., *BERT: pre-training of deep bidirectional transformers*, 2019) and its kin with other
//! positions, RoBERTa and XLM-R. Weights are named as in Hugging Face transformers' `modeling_bert.py` and
//! `modeling_roberta.py`.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::Value;

use super::{Dropout, Encoder, Tokens};
use crate::ModelError;
use crate::ops::{self, Sequences};

/// What is needed of `config.json`.
#[derive(Clone, Debug, Deserialize)]
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
        let positive = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, n)| *n == 0) {
            return Err(format!("{name} is 0"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("hidden_act {:?} is not supported, only \"gelu\"", self.hidden_act));
        }
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type {:?} is not supported, only \"absolute\"",
                self.position_embedding_type
            ));
        }
        if self.max_position_embeddings <= self.first_position() {
            return Err(format!("max_position_embeddings {} leaves no position", self.max_position_embeddings));
        }
        Ok(())
    }

    /// RoBERTa counts positions from the padding piece's number on.
    fn first_position(&self) -> usize {
        if self.model_type == "bert" { 0 } else { self.pad_token_id.unwrap_or(1) + 1 }
    }
}

#[derive(Clone, Debug)]
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: vb.get((outputs, inputs), "weight")?, bias: vb.get(outputs, "bias")? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, &self.weight, &self.bias)
    }
}

#[derive(Clone, Debug)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    fn new(width: usize, epsilon: f64, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: vb.get(width, "weight")?, bias: vb.get(width, "bias")?, epsilon })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

#[derive(Clone, Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

impl Layer {
    fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let (attention, output) = (vb.pp("attention"), vb.pp("output"));
        let norm = |vb: VarBuilder<'_>| LayerNorm::new(width, config.layer_norm_eps, vb);
        Ok(Self {
            query: Linear::new(width, width, attention.pp("self.query"))?,
            key: Linear::new(width, width, attention.pp("self.key"))?,
            value: Linear::new(width, width, attention.pp("self.value"))?,
            attention_output: Linear::new(width, width, attention.pp("output.dense"))?,
            attention_norm: norm(attention.pp("output.LayerNorm"))?,
            intermediate: Linear::new(width, inner, vb.pp("intermediate.dense"))?,
            output: Linear::new(inner, width, output.pp("dense"))?,
            output_norm: norm(output.pp("LayerNorm"))?,
            heads: config.num_attention_heads,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        sequences: &Sequences,
        dropout: impl Fn(&Tensor, u64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let (q, k, v) = (self.query.forward(x)?, self.key.forward(x)?, self.value.forward(x)?);
        let mixed = self.attention_output.forward(&ops::attention(&q, &k, &v, self.heads, sequences)?)?;
        let x = self.attention_norm.forward(&(dropout(&mixed, 0)? + x)?)?;
        let inner = ops::gelu(&self.intermediate.forward(&x)?)?;
        self.output_norm.forward(&(dropout(&self.output.forward(&inner)?, 1)? + &x)?)
    }
}

/// The encoder.
pub(super) struct Bert {
    config: Config,
    words: Tensor,
    positions: Tensor,
    segments: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    pub(super) fn new(config: &Value, vb: VarBuilder<'_>) -> std::result::Result<Self, ModelError> {
        let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
        config.check().map_err(ModelError::Config)?;
        // A model with a head keeps its encoder under its own name.
        let prefix = ["bert", "roberta"]
            .into_iter()
            .find(|p| vb.contains_tensor(&format!("{p}.embeddings.word_embeddings.weight")));
        let vb = prefix.map_or_else(|| vb.clone(), |p| vb.pp(p));
        let (width, embeddings) = (config.hidden_size, vb.pp("embeddings"));
        let table = |rows: usize, name: &str| embeddings.pp(name).get((rows, width), "weight");
        let layers = vb.pp("encoder.layer");
        let weights = || -> Result<Self> {
            Ok(Self {
                words: table(config.vocab_size, "word_embeddings")?,
                positions: table(config.max_position_embeddings, "position_embeddings")?,
                segments: table(config.type_vocab_size, "token_type_embeddings")?,
                norm: LayerNorm::new(width, config.layer_norm_eps, embeddings.pp("LayerNorm"))?,
                layers: (0..config.num_hidden_layers)
                    .map(|n| Layer::new(&config, layers.pp(n)))
                    .collect::<Result<_>>()?,
                config: config.clone(),
            })
        };
        weights().map_err(ModelError::weights)
    }
}

impl Encoder for Bert {
    fn width(&self) -> usize {
        self.config.hidden_size
    }

    fn depth(&self) -> usize {
        self.layers.len()
    }

    fn max_tokens(&self) -> usize {
        self.config.max_position_embeddings - self.config.first_position()
    }

    fn vocabulary(&self) -> usize {
        self.config.vocab_size
    }

    fn embed(&self, tokens: &Tokens) -> Result<Tensor> {
        let device = self.words.device();
        let rows = |table: &Tensor, numbers: Vec<u32>| {
            let count = numbers.len();
            table.index_select(&Tensor::from_vec(numbers, count, device)?, 0)
        };
        let first = self.config.first_position() as u32;
        let positions = tokens.sequences.iter().flat_map(|s| (0..s.len() as u32).map(|n| first + n)).collect();
        let sum = (rows(&self.words, tokens.ids.clone())? + rows(&self.positions, positions)?)?;
        // All tokens count as of the first segment, as in RoBERTa and its kin, which know no other.
        self.norm.forward(&sum.broadcast_add(&self.segments.narrow(0, 0, 1)?)?)
    }

    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor> {
        self.layers[layer].forward(x, sequences, |x, place| dropout.apply(x, 2 * layer as u64 + place + 1))
    }
}
