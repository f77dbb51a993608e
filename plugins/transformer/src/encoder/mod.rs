//! Encoders: from packed tokens to one vector per token.
//!
//! The decision that matters: an encoder is an embedding and a row of layers that can be run one by one. Training can
//! then keep what frozen lower layers give, and run only those above.
//!
//! A new architecture is one file and one line of [`open`].

mod bert;
mod blocks;
mod deberta;
mod distilbert;
mod modernbert;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde_json::Value;

use crate::ModelError;
use crate::ops::{self, Sequences};

pub(crate) use blocks::{LayerNorm, Linear, only, rows};

/// The values of `model_type` that [`open`] knows.
pub(crate) const ARCHITECTURES: [&str; 6] =
    ["bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "modernbert"];

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
    /// The vector of each piece of the vocabulary: `pieces x size`, where the size is mostly the [`width`](Self::width).
    fn words(&self) -> &Tensor;
    /// Number of pieces that it has a vector for.
    fn vocabulary(&self) -> usize {
        self.words().dims()[0]
    }
    /// From now on computes in whole numbers where it can: for inference, with weights that are 8-bit integers in their
    /// file. Architectures that do not say how go on in floats.
    fn compact(&mut self) -> Result<()> {
        Ok(())
    }
    /// What goes into the first layer: `tokens x width`.
    fn embed(&self, tokens: &Tokens) -> Result<Tensor>;
    /// What comes out of layer number `layer`, given what came out of the one before: `tokens x width`.
    fn layer(&self, layer: usize, x: &Tensor, sequences: &Sequences, dropout: Dropout) -> Result<Tensor>;

    /// What comes out of the last layer: `tokens x width`.
    fn states(&self, tokens: &Tokens, dropout: Dropout) -> Result<Tensor> {
        self.layers(0, self.embed(tokens)?, &tokens.sequences, dropout)
    }

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
        "bert" | "roberta" | "xlm-roberta" => Ok(Box::new(bert::Bert::new(config, &weights)?)),
        "distilbert" => Ok(Box::new(distilbert::open(config, &weights)?)),
        "deberta-v2" => Ok(Box::new(deberta::Deberta::new(config, &weights)?)),
        "modernbert" => Ok(Box::new(modernbert::ModernBert::new(config, &weights)?)),
        other => Err(ModelError::Architecture(other.to_owned())),
    }
}

/// The layer that a weight belongs to by its name (`...layer.3...`, `...layers.3...`), if to one.
pub(crate) fn layer_of(name: &str) -> Option<usize> {
    // The convolution of DeBERTa is done after the first layer.
    if name.contains("encoder.conv.") {
        return Some(0);
    }
    let mut parts = name.split('.');
    parts.find(|part| matches!(*part, "layer" | "layers"))?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use candle_core::{DType, Device, Var};
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::head::Classification;
    use crate::model::{CONFIG, read};
    use crate::weights;

    /// Folders of `tests/data`; one that ends with `head` has a classification head.
    const CHECKPOINTS: [&str; 12] = [
        "bert",
        "bert-head",
        "xlm-roberta",
        "xlm-roberta-head",
        "distilbert",
        "distilbert-head",
        "deberta-v2",
        "deberta-v3",
        "deberta-v3-head",
        "modernbert",
        "modernbert-head",
        "modernbert-mean-head",
    ];

    /// What Python transformers gives (see `tests/make_reference.py`).
    #[derive(Deserialize)]
    struct Expected {
        sequences: Vec<Vec<u32>>,
        outputs: Vec<Vec<Vec<f32>>>,
    }

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn config(name: &str) -> Value {
        serde_json::from_slice(&read(&folder(name), CONFIG).unwrap()).unwrap()
    }

    fn expected(name: &str) -> Expected {
        serde_json::from_slice(&read(&folder(name), "expected.json").unwrap()).unwrap()
    }

    fn builder(weights: HashMap<String, Tensor>) -> VarBuilder<'static> {
        VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu)
    }

    fn packed(sequences: &[Vec<u32>]) -> Tokens {
        let mut ranges = Vec::new();
        for sequence in sequences {
            let start = ranges.last().map_or(0, |r: &std::ops::Range<usize>| r.end);
            ranges.push(start..start + sequence.len());
        }
        Tokens { ids: sequences.concat(), sequences: Arc::from(ranges) }
    }

    fn states(encoder: &dyn Encoder, tokens: &Tokens) -> Tensor {
        encoder.states(tokens, Dropout::NONE).unwrap()
    }

    /// The states of all tokens, or the logits of all sequences if there is a head.
    fn outputs(encoder: &dyn Encoder, head: Option<&Classification>, sequences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let tokens = packed(sequences);
        let x = states(encoder, &tokens);
        head.map_or_else(|| x.to_vec2().unwrap(), |head| head.logits(&x, &tokens.sequences).unwrap())
    }

    fn furthest(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
        assert_eq!(a.len(), b.len());
        let pairs = a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
    }

    #[test]
    fn outputs_are_those_of_python_transformers_alone_and_together() {
        for name in CHECKPOINTS {
            let (config, builder) = (config(name), builder(weights::read(&folder(name)).unwrap()));
            let encoder = open(&config, builder.clone()).unwrap();
            let head = name
                .ends_with("head")
                .then(|| Classification::new(&config, &builder, encoder.width(), 3, false).unwrap());
            let Expected { sequences, outputs: wanted } = expected(name);
            let together = outputs(&*encoder, head.as_ref(), &sequences);
            let one = |s: &Vec<u32>| outputs(&*encoder, head.as_ref(), std::slice::from_ref(s));
            let alone: Vec<Vec<f32>> = sequences.iter().flat_map(one).collect();
            let off = furthest(&together, &wanted.concat());
            assert!(off < 1e-4, "{name}: {off}");
            let off = furthest(&together, &alone);
            assert!(off < 1e-5, "{name}, alone: {off}");
        }
    }

    #[test]
    fn a_step_along_the_gradient_of_all_layers_lowers_the_loss() {
        for name in CHECKPOINTS {
            let mut vars = Vec::new();
            let mut weights = weights::read(&folder(name)).unwrap();
            for (name, weight) in &mut weights {
                if layer_of(name).is_some() {
                    let var = Var::from_tensor(weight).unwrap();
                    *weight = var.as_tensor().clone();
                    vars.push((name.clone(), var));
                }
            }
            let encoder = open(&config(name), builder(weights)).unwrap();
            let tokens = packed(&expected(name).sequences);
            // A token's numbers have a mean square near 1 after the last norm, so this is neither 0 nor at its least.
            let loss = || (states(&*encoder, &tokens) - 0.5).unwrap().sqr().unwrap().mean_all().unwrap();
            let before = loss();
            let gradients = before.backward().unwrap();
            let of = |var: &Var| gradients.get(var.as_tensor()).cloned();
            let square = |gradient: Tensor| gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            let mut norm = 0.0;
            for (weight, var) in &vars {
                let own = of(var).map(square).unwrap_or_else(|| panic!("{name}: {weight} has no gradient"));
                // What is added to all keys alike does not change attention.
                let key = ["key.bias", "k_lin.bias", "key_proj.bias"].iter().any(|end| weight.ends_with(end));
                assert!(own > 0.0 || key, "{name}: the gradient of {weight} is 0");
                norm += own;
            }
            for (_, var) in &vars {
                let step = (of(var).unwrap() * f64::from(0.01 / norm.sqrt())).unwrap();
                var.set(&(var.as_tensor() - step).unwrap()).unwrap();
            }
            let [before, after] = [before, loss()].map(|loss| loss.to_scalar::<f32>().unwrap());
            // To first order it falls by the length of the step times the norm of the gradient.
            let fall = (before - after) / (0.01 * norm.sqrt());
            assert!((0.5..1.5).contains(&fall), "{name}: {before} {after} {fall}");
        }
    }

    #[test]
    fn weights_belong_to_the_layer_that_their_name_says() {
        for (name, layer) in [
            ("roberta.encoder.layer.11.attention.output.LayerNorm.bias", Some(11)),
            ("distilbert.transformer.layer.0.sa_layer_norm.weight", Some(0)),
            ("model.layers.21.mlp.Wi.weight", Some(21)),
            ("layers.3.attn.Wqkv.weight", Some(3)),
            ("deberta.encoder.conv.conv.weight", Some(0)),
            ("deberta.encoder.rel_embeddings.weight", None),
            ("deberta.encoder.LayerNorm.weight", None),
            ("embeddings.LayerNorm.weight", None),
            ("final_norm.weight", None),
            ("classifier.weight", None),
        ] {
            assert_eq!(layer_of(name), layer, "{name}");
        }
    }

    #[test]
    fn fewer_layers_are_kept_where_num_hidden_layers_says_so() {
        for name in CHECKPOINTS {
            let mut config = config(name);
            let weights = weights::read(&folder(name)).unwrap();
            let all = open(&config, builder(weights.clone())).unwrap();
            config["num_hidden_layers"] = json!(1);
            let kept = weights.into_iter().filter(|(name, _)| layer_of(name).is_none_or(|layer| layer < 1)).collect();
            let one = open(&config, builder(kept)).unwrap();
            assert_eq!((all.depth() > 1, one.depth()), (true, 1), "{name}");
            assert_eq!(outputs(&*one, None, &[vec![0, 5, 2]]).len(), 3);
        }
    }

    #[test]
    fn a_modernbert_that_transformers_5_wrote_is_the_same() {
        let (mut config, weights) = (config("modernbert"), weights::read(&folder("modernbert")).unwrap());
        let sequences = expected("modernbert").sequences;
        let before = outputs(&*open(&config, builder(weights.clone())).unwrap(), None, &sequences);
        config["layer_types"] = json!(["full_attention", "sliding_attention", "sliding_attention", "full_attention"]);
        config["global_attn_every_n_layers"] = json!(1);
        config["rope_parameters"] = json!({
            "full_attention": {"rope_type": "default", "rope_theta": 160000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}
        });
        config["global_rope_theta"] = json!(1.0);
        assert_eq!(outputs(&*open(&config, builder(weights)).unwrap(), None, &sequences), before);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (name, option, value) in [
            ("bert", "hidden_act", json!("relu")),
            ("bert", "position_embedding_type", json!("relative_key")),
            ("bert", "num_attention_heads", json!(5)),
            ("bert", "max_position_embeddings", json!(0)),
            ("xlm-roberta", "max_position_embeddings", json!(2)),
            ("distilbert", "activation", json!("relu")),
            ("distilbert", "n_heads", json!(0)),
            ("distilbert", "dim", json!(18)),
            ("deberta-v3", "hidden_act", json!("gelu_new")),
            ("deberta-v3", "relative_attention", json!(false)),
            ("deberta-v3", "pos_att_type", json!(["c2p", "p2p"])),
            ("deberta-v3", "position_buckets", json!(1)),
            ("deberta-v3", "position_buckets", json!(200)),
            ("deberta-v3", "norm_rel_ebd", json!("layer_norm|rms")),
            ("deberta-v3", "attention_head_size", json!(8)),
            ("deberta-v3", "max_relative_positions", json!(i64::MAX)),
            ("deberta-v2", "conv_kernel_size", json!(2)),
            ("deberta-v2", "conv_groups", json!(2)),
            ("deberta-v2", "conv_act", json!("swish")),
            ("modernbert", "hidden_activation", json!("silu")),
            ("modernbert", "global_attn_every_n_layers", json!(0)),
            ("modernbert", "num_attention_heads", json!(16)),
            ("modernbert", "rope_scaling", json!({"type": "linear"})),
            ("modernbert", "local_rope_theta", json!(-1.0)),
            ("modernbert", "layer_types", json!(["full_attention"])),
            ("modernbert", "layer_types", json!(vec!["chunked_attention"; 4])),
        ] {
            let (mut config, weights) = (config(name), weights::read(&folder(name)).unwrap());
            config[option] = value.clone();
            let error = open(&config, builder(weights)).err().unwrap_or_else(|| panic!("{name}: {option} {value}"));
            assert!(matches!(error, ModelError::Config(_)), "{name}: {option} {value}: {error}");
        }
        for (name, option) in [
            ("deberta-v3-head", "pooler_hidden_act"),
            ("modernbert-head", "classifier_activation"),
            ("modernbert-head", "classifier_pooling"),
        ] {
            let (mut config, builder) = (config(name), builder(weights::read(&folder(name)).unwrap()));
            config[option] = json!("other");
            let error = Classification::new(&config, &builder, 16, 3, false).err().unwrap();
            assert!(matches!(&error, ModelError::Config(why) if why.contains(option)), "{name}: {option}: {error}");
        }
    }

    #[test]
    fn weights_that_the_configuration_asks_for_must_be_there() {
        for (name, option, value) in [
            ("distilbert", "n_layers", json!(3)),
            ("deberta-v3", "share_att_key", json!(false)),
            ("deberta-v3", "position_biased_input", json!(true)),
            ("deberta-v3", "conv_kernel_size", json!(3)),
            ("deberta-v3", "type_vocab_size", json!(2)),
            ("deberta-v2", "position_buckets", json!(8)),
            ("deberta-v2", "embedding_size", json!(16)),
            ("modernbert", "attention_bias", json!(true)),
            ("modernbert", "norm_bias", json!(true)),
            ("modernbert", "intermediate_size", json!(usize::MAX)),
        ] {
            let (mut config, weights) = (config(name), weights::read(&folder(name)).unwrap());
            config[option] = value.clone();
            let error = open(&config, builder(weights)).err().unwrap_or_else(|| panic!("{name}: {option} {value}"));
            assert!(matches!(error, ModelError::Weights(_)), "{name}: {option} {value}: {error}");
        }
        let unknown = open(&json!({"model_type": "deberta"}), builder(HashMap::new())).err().unwrap().to_string();
        assert!(ARCHITECTURES.iter().all(|known| unknown.contains(known)), "{unknown}");
    }
}
