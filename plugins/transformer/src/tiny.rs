//! A base that is small enough for tests: random weights, and a tokenizer that knows a few characters.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde_json::json;

use crate::random::Random;

/// The characters that it knows, each one piece.
pub(crate) const CHARACTERS: &str = "东西卖不出去天气很好产品错,。工厂停";

pub(crate) const WIDTH: usize = 16;

const MARKS: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

fn pieces() -> usize {
    MARKS.len() + CHARACTERS.chars().count()
}

/// `config.json`.
pub(crate) fn config() -> serde_json::Value {
    json!({
        "model_type": "bert", "vocab_size": pieces(), "hidden_size": WIDTH,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32, "max_position_embeddings": 64,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12
    })
}

/// `tokenizer.json`.
pub(crate) fn tokenizer() -> serde_json::Value {
    let marks = MARKS.into_iter().map(|mark| json!([mark, 0.0]));
    let characters = CHARACTERS.chars().map(|c| json!([c.to_string(), -1.0]));
    json!({"version": "1.0", "model": {"type": "Unigram", "unk_id": 3, "vocab": marks.chain(characters).collect::<Vec<_>>()}})
}

/// Random weights for [`config`].
pub(crate) fn weights() -> BTreeMap<String, Tensor> {
    let mut random = Random::new(1);
    let mut weights = BTreeMap::new();
    let mut add = |name: String, shape: &[usize], around: f32| {
        let numbers = (0..shape.iter().product()).map(|_| around + (random.unit() as f32 - 0.5)).collect::<Vec<f32>>();
        weights.insert(name, Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap());
    };
    for (name, rows) in [("word", pieces()), ("position", 64), ("token_type", 2)] {
        add(format!("embeddings.{name}_embeddings.weight"), &[rows, WIDTH], 0.0);
    }
    add("embeddings.LayerNorm.weight".to_owned(), &[WIDTH], 1.0);
    add("embeddings.LayerNorm.bias".to_owned(), &[WIDTH], 0.0);
    for layer in 0..2 {
        for (name, outputs, inputs) in [
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", 32, WIDTH),
            ("output.dense", WIDTH, 32),
        ] {
            add(format!("encoder.layer.{layer}.{name}.weight"), &[outputs, inputs], 0.0);
            add(format!("encoder.layer.{layer}.{name}.bias"), &[outputs], 0.0);
        }
        for name in ["attention.output", "output"] {
            add(format!("encoder.layer.{layer}.{name}.LayerNorm.weight"), &[WIDTH], 1.0);
            add(format!("encoder.layer.{layer}.{name}.LayerNorm.bias"), &[WIDTH], 0.0);
        }
    }
    weights
}

/// Writes the base into the folder `dir`.
pub(crate) fn save(dir: &Path) {
    std::fs::write(dir.join("config.json"), config().to_string()).unwrap();
    std::fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let weights: std::collections::HashMap<String, Tensor> = weights().into_iter().collect();
    candle_core::safetensors::save(&weights, dir.join("model.safetensors")).unwrap();
}
