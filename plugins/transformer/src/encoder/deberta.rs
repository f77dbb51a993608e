//! DeBERTa, versions 2 and 3 (He et al., *DeBERTa: decoding-enhanced BERT with disentangled attention*, 2021, and
//! *DeBERTaV3*, 2023). Weights are named as in Hugging Face transformers' `modeling_deberta_v2.py`.
//!
//! How much a token heeds another is the sum of three products: of their contents, of the one's content with the
//! distance (`c2p`), and of the other's content with the distance (`p2c`). The table of distances is shared by all
//! layers; it belongs to none of them, so training leaves it as it is.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use candle_nn::ops::softmax;
use serde::Deserialize;
use serde_json::Value;

use super::bert::{self, Names, Sizes};
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
    attention_head_size: Option<usize>,
    intermediate_size: usize,
    embedding_size: Option<usize>,
    #[serde(default = "gelu")]
    hidden_act: String,
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default)]
    relative_attention: bool,
    pos_att_type: Option<Kinds>,
    #[serde(default = "unset")]
    max_relative_positions: i64,
    #[serde(default = "unset")]
    position_buckets: i64,
    #[serde(default)]
    share_att_key: bool,
    #[serde(default)]
    norm_rel_ebd: String,
    #[serde(default = "yes")]
    position_biased_input: bool,
    #[serde(default)]
    conv_kernel_size: i64,
    #[serde(default = "one")]
    conv_groups: usize,
    #[serde(default = "tanh")]
    conv_act: String,
}

/// `pos_att_type`, of which both forms are in use.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Kinds {
    List(Vec<String>),
    Joined(String),
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn tanh() -> String {
    "tanh".to_owned()
}

fn epsilon() -> f64 {
    1e-7
}

fn unset() -> i64 {
    -1
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        positive(&[
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("embedding_size", self.embedding_size()),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        shared_out(("hidden_size", self.hidden_size), ("num_attention_heads", self.num_attention_heads))?;
        let size = self.hidden_size / self.num_attention_heads;
        only("attention_head_size", self.attention_head_size.unwrap_or(size), size)?;
        only("hidden_act", self.hidden_act.as_str(), "gelu")?;
        only("relative_attention", self.relative_attention, true)?;
        for kind in self.kinds() {
            if !["c2p", "p2c"].contains(&kind.as_str()) {
                return Err(format!("pos_att_type {kind:?} is not supported, only \"c2p\" and \"p2c\""));
            }
        }
        for kind in self.norm_rel_ebd.to_lowercase().split('|').map(str::trim) {
            if !["", "none", "layer_norm"].contains(&kind) {
                return Err(format!("norm_rel_ebd {kind:?} is not supported, only \"none\" and \"layer_norm\""));
            }
        }
        let Distances { buckets, furthest } = self.distances();
        if furthest > i64::from(u16::MAX) {
            return Err(format!("max_relative_positions {furthest} is too large"));
        }
        if buckets.is_some_and(|buckets| buckets < 2 || furthest - 1 <= buckets / 2) {
            return Err(format!(
                "position_buckets {} must be at least 2, and half of it below max_relative_positions {furthest}",
                self.position_buckets
            ));
        }
        if self.conv_kernel_size > 0 {
            only("conv_groups", self.conv_groups, 1)?;
            if self.conv_kernel_size % 2 == 0 {
                return Err(format!("conv_kernel_size {} is not odd", self.conv_kernel_size));
            }
            if !["tanh", "gelu"].contains(&self.conv_act.as_str()) {
                return Err(format!("conv_act {:?} is not supported, only \"tanh\" and \"gelu\"", self.conv_act));
            }
        }
        Ok(())
    }

    fn kinds(&self) -> Vec<String> {
        let clean = |kind: &str| kind.trim().to_lowercase();
        match &self.pos_att_type {
            None => Vec::new(),
            Some(Kinds::List(kinds)) => kinds.iter().map(|kind| clean(kind)).collect(),
            Some(Kinds::Joined(kinds)) => kinds.split('|').map(clean).filter(|kind| !kind.is_empty()).collect(),
        }
    }

    fn embedding_size(&self) -> usize {
        self.embedding_size.unwrap_or(self.hidden_size)
    }

    fn distances(&self) -> Distances {
        let most = i64::try_from(self.max_position_embeddings).unwrap_or(i64::MAX);
        let furthest = if self.max_relative_positions < 1 { most } else { self.max_relative_positions };
        Distances { buckets: (self.position_buckets > 0).then_some(self.position_buckets), furthest }
    }
}

/// Which row of the table stands for a distance.
#[derive(Clone, Copy, Debug)]
struct Distances {
    /// If set, the larger a distance is, the more distances share its row.
    buckets: Option<i64>,
    furthest: i64,
}

impl Distances {
    /// Rows for one direction.
    fn span(self) -> i64 {
        self.buckets.unwrap_or(self.furthest)
    }

    fn row(self, distance: i64) -> u32 {
        let bucket = self.buckets.map_or(distance, |buckets| self.bucket(distance, buckets / 2));
        // Between 0 and twice the largest span: it fits.
        (bucket + self.span()).clamp(0, 2 * self.span() - 1) as u32
    }

    /// Up to `middle`, the distance itself; from there on, as many buckets again at distances that grow as a power.
    fn bucket(self, distance: i64, middle: i64) -> i64 {
        let far = distance.abs();
        if far <= middle {
            return distance;
        }
        let part = (far as f32 / middle as f32).ln() / ((self.furthest - 1) as f32 / middle as f32).ln();
        distance.signum() * ((part * (middle - 1) as f32).ceil() as i64 + middle)
    }

    /// For each pair of `tokens` tokens, the row of the distance from the second to the first: `tokens x tokens`.
    fn rows(self, tokens: usize) -> Vec<u32> {
        let tokens = tokens as i64;
        let row: Vec<u32> = (1 - tokens..tokens).map(|distance| self.row(distance)).collect();
        (0..tokens)
            .flat_map(|i| (0..tokens).map(move |j| i - j + tokens - 1))
            .map(|place| row[place as usize])
            .collect()
    }
}

/// As [`bert`](super::bert) has them.
const NAMES: Names = [
    "attention.self.query_proj",
    "attention.self.key_proj",
    "attention.self.value_proj",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// BERT's layer, with attention of its own.
struct Layer {
    bert: bert::Layer,
    /// From the table of distances, for `c2p`.
    distance_key: Option<Linear>,
    /// From the table of distances, for `p2c`.
    distance_query: Option<Linear>,
}

impl Layer {
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let sizes = Sizes {
            width: config.hidden_size,
            inner: config.intermediate_size,
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps,
        };
        let bert = bert::Layer::new(&sizes, &NAMES, vb.clone())?;
        let kinds = config.kinds();
        let of = |kind: &str, own: &str, shared: &Linear| {
            let separate = || Linear::new(sizes.width, sizes.width, vb.pp(own));
            let used = kinds.iter().any(|k| k == kind);
            used.then(|| if config.share_att_key { Ok(shared.clone()) } else { separate() }).transpose()
        };
        Ok(Self {
            distance_key: of("c2p", "attention.self.pos_key_proj", &bert.key)?,
            distance_query: of("p2c", "attention.self.pos_query_proj", &bert.query)?,
            bert,
        })
    }

    /// `rows x width` as `heads x rows x size`.
    fn by_head(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        x.reshape((rows, self.bert.heads, width / self.bert.heads))?.transpose(0, 1)?.contiguous()
    }

    fn attention(&self, x: &Tensor, table: &Tensor, distances: Distances, sequences: &Sequences) -> Result<Tensor> {
        let width = x.dim(1)?;
        let (q, k, v) = (self.bert.query.forward(x)?, self.bert.key.forward(x)?, self.bert.value.forward(x)?);
        let by_distance = |linear: &Option<Linear>| -> Result<Option<Tensor>> {
            linear.as_ref().map(|linear| self.by_head(&linear.forward(table)?)).transpose()
        };
        let (distance_keys, distance_queries) = (by_distance(&self.distance_key)?, by_distance(&self.distance_query)?);
        let products = 1 + usize::from(distance_keys.is_some()) + usize::from(distance_queries.is_some());
        let scale = ((width / self.bert.heads * products) as f64).sqrt().recip();
        let mixed = sequences.iter().map(|tokens| {
            let own = |x: &Tensor| self.by_head(&x.narrow(0, tokens.start, tokens.len())?);
            let (q, k, v) = (own(&q)?, own(&k)?, own(&v)?);
            let count = tokens.len();
            let rows = Tensor::from_vec(distances.rows(count), (1, count, count), x.device())?.broadcast_as((
                self.bert.heads,
                count,
                count,
            ))?;
            let mut scores = q.matmul(&k.t()?)?;
            if let Some(keys) = &distance_keys {
                scores = (scores + q.matmul(&keys.t()?)?.gather(&rows.contiguous()?, 2)?)?;
            }
            if let Some(queries) = &distance_queries {
                let of_keys = k.matmul(&queries.t()?)?.gather(&rows.t()?.contiguous()?, 2)?;
                scores = (scores + of_keys.t()?)?;
            }
            softmax(&(scores * scale)?, 2)?.matmul(&v)?.transpose(0, 1)?.reshape((count, width))
        });
        Tensor::cat(&mixed.collect::<Result<Vec<_>>>()?, 0)
    }
}

/// What is added to the first layer's result: a convolution of what went into it.
struct Convolution {
    /// `outputs x inputs x taps`.
    weight: Tensor,
    bias: Tensor,
    norm: LayerNorm,
    gelu: bool,
}

impl Convolution {
    fn new(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let (width, conv) = (config.hidden_size, vb.pp("conv"));
        Ok(Self {
            weight: conv.get((width, width, config.conv_kernel_size as usize), "weight")?,
            bias: conv.get(width, "bias")?,
            norm: LayerNorm::new(width, config.layer_norm_eps, vb.pp("LayerNorm"))?,
            gelu: config.conv_act == "gelu",
        })
    }

    /// `first` went into the layer, `x` came out of it.
    fn forward(&self, first: &Tensor, x: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let taps = self.weight.dim(2)?;
        let parts = sequences.iter().map(|tokens| {
            let own = first.narrow(0, tokens.start, tokens.len())?;
            let wide = own.pad_with_zeros(0, taps / 2, taps / 2)?;
            let of_tap = |tap: usize| {
                let weight = self.weight.narrow(2, tap, 1)?.squeeze(2)?;
                wide.narrow(0, tap, tokens.len())?.matmul(&weight.t()?)
            };
            (1..taps).try_fold(of_tap(0)?, |sum, tap| sum + of_tap(tap)?)?.broadcast_add(&self.bias)
        });
        let all = Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)?;
        let all = if self.gelu { ops::gelu(&all)? } else { all.tanh()? };
        self.norm.forward(&ops::add(&all, x)?)
    }
}

/// The encoder.
pub(super) struct Deberta {
    words: Tensor,
    positions: Option<Tensor>,
    segment: Option<Tensor>,
    /// `width x embedding size`, where embeddings have another width than layers.
    projection: Option<Linear>,
    norm: LayerNorm,
    /// The table of distances: `twice the span x width`.
    table: Tensor,
    table_norm: Option<LayerNorm>,
    distances: Distances,
    convolution: Option<Convolution>,
    layers: Vec<Layer>,
    width: usize,
    max_tokens: usize,
}

impl Deberta {
    pub(super) fn new(config: &Value, vb: &VarBuilder<'_>) -> std::result::Result<Self, ModelError> {
        let config = Config::deserialize(config).map_err(|e| ModelError::Config(e.to_string()))?;
        config.check().map_err(ModelError::Config)?;
        Self::read(&config, &inside(vb, &["deberta"], "embeddings.word_embeddings.weight")).map_err(ModelError::weights)
    }

    fn read(config: &Config, vb: &VarBuilder<'_>) -> Result<Self> {
        let (width, size) = (config.hidden_size, config.embedding_size());
        let (embeddings, encoder) = (vb.pp("embeddings"), vb.pp("encoder"));
        let table = |rows: usize, name: &str| embeddings.pp(name).get((rows, size), "weight");
        let norm = |vb: VarBuilder<'_>| LayerNorm::new(width, config.layer_norm_eps, vb);
        let (distances, layers) = (config.distances(), encoder.pp("layer"));
        let positions =
            config.position_biased_input.then(|| table(config.max_position_embeddings, "position_embeddings"));
        let segment = (config.type_vocab_size > 0)
            .then(|| table(config.type_vocab_size, "token_type_embeddings")?.narrow(0, 0, 1));
        let projection = (size != width).then(|| Linear::with(size, width, false, embeddings.pp("embed_proj")));
        let table_norm =
            config.norm_rel_ebd.to_lowercase().contains("layer_norm").then(|| norm(encoder.pp("LayerNorm")));
        let convolution = (config.conv_kernel_size > 0).then(|| Convolution::new(config, &encoder.pp("conv")));
        Ok(Self {
            words: table(config.vocab_size, "word_embeddings")?,
            positions: positions.transpose()?,
            segment: segment.transpose()?,
            projection: projection.transpose()?,
            norm: norm(embeddings.pp("LayerNorm"))?,
            table: encoder.pp("rel_embeddings").get((2 * distances.span() as usize, width), "weight")?,
            table_norm: table_norm.transpose()?,
            distances,
            convolution: convolution.transpose()?,
            layers: (0..config.num_hidden_layers).map(|n| Layer::new(config, &layers.pp(n))).collect::<Result<_>>()?,
            width,
            max_tokens: config.max_position_embeddings,
        })
    }
}

impl Encoder for Deberta {
    fn width(&self) -> usize {
        self.width
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
        let mut sum = rows(&self.words, tokens.ids.clone())?;
        if let Some(positions) = &self.positions {
            let numbers = tokens.sequences.iter().flat_map(|s| 0..s.len() as u32).collect();
            sum = (sum + rows(positions, numbers)?)?;
        }
        if let Some(segment) = &self.segment {
            sum = sum.broadcast_add(segment)?;
        }
        if let Some(projection) = &self.projection {
            sum = projection.forward(&sum)?;
        }
        self.norm.forward(&sum)
    }

    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor> {
        let table =
            self.table_norm.as_ref().map_or_else(|| Ok(self.table.clone()), |norm| norm.forward(&self.table))?;
        let this = &self.layers[layer];
        let attended = this.attention(x, &table, self.distances, sequences)?;
        let out = this.bert.complete(x, &attended, |x, place| dropout.apply(x, 2 * layer as u64 + place + 1))?;
        match &self.convolution {
            Some(convolution) if layer == 0 => convolution.forward(x, &out, sequences),
            _ => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Distances;

    #[test]
    fn buckets_are_those_of_version_3() {
        // By `make_log_bucket_position(distance, 256, 512)` of transformers.
        let distances = Distances { buckets: Some(256), furthest: 512 };
        for (distance, bucket) in [
            (0, 0),
            (128, 128),
            (130, 130),
            (140, 137),
            (200, 169),
            (256, 192),
            (300, 207),
            (400, 233),
            (500, 254),
            (511, 255),
        ] {
            assert_eq!(distances.row(distance), 256 + bucket, "{distance}");
            assert_eq!(distances.row(-distance), 256 - bucket, "-{distance}");
        }
        assert_eq!((distances.row(700), distances.row(-700)), (511, 0));
    }

    #[test]
    fn without_buckets_what_is_further_than_the_furthest_counts_as_that() {
        let distances = Distances { buckets: None, furthest: 20 };
        assert_eq!([-30, -20, -1, 0, 19, 20, 30].map(|d| distances.row(d)), [0, 0, 19, 20, 39, 39, 39]);
        assert_eq!(distances.rows(2), [20, 19, 21, 20]);
    }
}
