//! A model: an encoder with a head for theses, its tokenizer, and how a logit becomes a probability.
//!
//! The decision that matters: nothing in a model's folder is believed. The manifest says the hash of the weights, the
//! tokenizer must fit the vocabulary, and every number must be finite; a model that loads can be used without further
//! checks.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use lundian_plugin::{Thresholds, Unit};
use lundian_text::Normalised;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ModelError;
use crate::encoder::{self, Dropout, Encoder};
use crate::ops::{self, Sequences};
use crate::params::Params;
use crate::tokens::{Lengths, Reader, Window, pack};
use crate::weights::{self, WEIGHTS};

/// The version of the format that is written. Older ones stay readable, or say how to make them anew.
pub const FORMAT: u32 = 1;
/// Name of the readable part of a model.
pub const MANIFEST: &str = "model.toml";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Names of the head's weights.
pub(crate) const HEAD: [&str; 2] = ["classifier.weight", "classifier.bias"];

/// A file that a model was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Number of samples in it.
    pub samples: usize,
}

/// The model that training started from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Its name.
    pub name: String,
    /// Its licence, an SPDX expression.
    pub licence: String,
}

/// `p = 1 / (1 + exp(-(slope · logit + intercept)))`, for all theses alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Above 0.
    pub slope: f32,
    /// Any number.
    pub intercept: f32,
    /// Where it comes from, in words.
    pub origin: String,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { slope: 1.0, intercept: 0.0, origin: "none: probabilities as learnt".to_owned() }
    }
}

impl Calibration {
    /// The probability of a logit, in [0, 1].
    pub fn probability(&self, logit: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * logit + self.intercept)).exp())
    }

    /// The one under which `argued` is likeliest, given logits (Platt, *Probabilistic outputs for support vector
    /// machines*, 1999), by Newton's method; two numbers for all theses together, since rare ones have too few samples
    /// for their own.
    pub(crate) fn fit(logits: &[f32], argued: &[bool]) -> Self {
        // A weak pull to the logit as it is keeps the optimum finite.
        const PULL: f64 = 1e-2;
        let (mut slope, mut intercept) = (1f64, 0f64);
        for _ in 0..30 {
            let (mut ga, mut gb) = (PULL * (slope - 1.0), PULL * intercept);
            let (mut haa, mut hab, mut hbb) = (PULL, 0.0, PULL);
            for (&z, &argued) in logits.iter().zip(argued) {
                let z = f64::from(z);
                let p = 1.0 / (1.0 + (-(slope * z + intercept)).exp());
                let (pull, curve) = (p - f64::from(u8::from(argued)), p * (1.0 - p));
                (ga, gb) = (ga + pull * z, gb + pull);
                (haa, hab, hbb) = (haa + curve * z * z, hab + curve * z, hbb + curve);
            }
            let determinant = haa * hbb - hab * hab;
            let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
            // Short steps: far from the optimum a whole one can overshoot.
            let size = (1.0 / da.abs().max(db.abs())).min(1.0);
            (slope, intercept) = ((slope - size * da).max(0.05), intercept - size * db);
        }
        Self { slope: slope as f32, intercept: intercept as f32, origin: String::new() }
    }
}

/// `model.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) kind: String,
    /// The slugs of the theses, in the order of the head's rows.
    pub(crate) theses: Vec<String>,
    pub(crate) base: Base,
    pub(crate) weights: WeightsFile,
    pub(crate) params: Params,
    pub(crate) calibration: Calibration,
    pub(crate) thresholds: Thresholds,
    #[serde(default)]
    pub(crate) metrics: BTreeMap<String, f64>,
    #[serde(default)]
    pub(crate) data: Vec<DataFile>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightsFile {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// SHA-256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(crate) fn read(dir: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = dir.join(name);
    fs::read(&path).map_err(|source| ModelError::Io { path, source })
}

/// Writes the file `name` of `dir` whole or not at all.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{name}.part")));
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|source| ModelError::Io { path, source })
}

/// A base, or a model without its manifest.
pub(crate) struct Parts {
    pub(crate) config: Value,
    pub(crate) tokenizer: Vec<u8>,
    pub(crate) weights: HashMap<String, Tensor>,
}

impl Parts {
    /// Reads the folder `dir` as Hugging Face transformers writes one.
    pub(crate) fn open(dir: &Path) -> Result<Self, ModelError> {
        let config = read(dir, CONFIG)?;
        let config = serde_json::from_slice(&config).map_err(|e| ModelError::Config(e.to_string()))?;
        Ok(Self { config, tokenizer: read(dir, TOKENIZER)?, weights: weights::read(dir)? })
    }

    pub(crate) fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_tensors(self.weights.clone(), DType::F32, &Device::Cpu)
    }
}

/// A trained model. Made by [`train`](crate::train()) or read by [`Model::open`].
pub struct Model {
    pub(crate) manifest: Manifest,
    pub(crate) encoder: Box<dyn Encoder>,
    pub(crate) head: [Tensor; 2],
    pub(crate) reader: Reader,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// A paragraph's windows and its normalised text.
pub(crate) type Text = (Vec<Window>, Normalised);

impl Model {
    /// Reads the model in the folder `dir`.
    ///
    /// # Errors
    /// If a file is missing, damaged, of another format, or not made for the others.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let text = String::from_utf8(read(dir, MANIFEST)?).map_err(|e| ModelError::Manifest(e.to_string()))?;
        let not_toml = |e: toml::de::Error| ModelError::Manifest(e.to_string().trim_end().to_owned());
        let Version { format } = toml::from_str(&text).map_err(not_toml)?;
        if format != FORMAT {
            return Err(ModelError::Format(format));
        }
        let manifest: Manifest = toml::from_str(&text).map_err(not_toml)?;
        manifest.check().map_err(ModelError::Manifest)?;
        let found = sha256(&read(dir, WEIGHTS)?);
        if found != manifest.weights.sha256 {
            return Err(ModelError::Hash { found, said: manifest.weights.sha256 });
        }
        Self::new(manifest, &Parts::open(dir)?)
    }

    pub(crate) fn new(manifest: Manifest, parts: &Parts) -> Result<Self, ModelError> {
        let builder = parts.builder();
        let encoder = encoder::open(&parts.config, builder.clone())?;
        let theses = manifest.theses.len();
        let head = [builder.get((theses, encoder.width()), HEAD[0]), builder.get(theses, HEAD[1])];
        let [weight, bias] = head;
        let head = [weight.map_err(ModelError::weights)?, bias.map_err(ModelError::weights)?];
        let lengths = manifest.params.lengths;
        let reader = Reader::new(&parts.tokenizer, lengths, encoder.vocabulary(), encoder.max_tokens())?;
        Ok(Self { manifest, encoder, head, reader })
    }

    /// The slugs of the theses that it knows.
    pub fn theses(&self) -> &[String] {
        &self.manifest.theses
    }

    /// How it was trained.
    pub fn params(&self) -> &Params {
        &self.manifest.params
    }

    /// How much it reads at once.
    pub fn lengths(&self) -> Lengths {
        self.manifest.params.lengths
    }

    /// From which score on a thesis counts as argued.
    pub fn thresholds(&self) -> &Thresholds {
        &self.manifest.thresholds
    }

    /// How a logit becomes a probability.
    pub fn calibration(&self) -> &Calibration {
        &self.manifest.calibration
    }

    /// What it scores, by name; set by whoever measured it.
    pub fn metrics(&self) -> &BTreeMap<String, f64> {
        &self.manifest.metrics
    }

    /// Notes what the model scores, for its manifest.
    pub fn set_metric(&mut self, name: impl Into<String>, value: f64) {
        self.manifest.metrics.insert(name.into(), value);
    }

    /// Writes `model.toml` anew, beside the weights in the folder `dir`.
    ///
    /// # Errors
    /// If it cannot be written; what was there before is then still whole.
    pub fn save_manifest(&self, dir: &Path) -> Result<(), ModelError> {
        self.manifest.save(dir)
    }

    /// A paragraph as tokens.
    pub(crate) fn read(&self, unit: &Unit<'_>) -> Result<Text, String> {
        self.reader.windows(unit)
    }

    /// One vector of logits per window.
    pub(crate) fn logits<'a>(&self, windows: impl Iterator<Item = &'a Window>) -> candle_core::Result<Vec<Vec<f32>>> {
        let (tokens, pooled) = pack(windows);
        let x = self.encoder.layers(0, self.encoder.embed(&tokens)?, &tokens.sequences, Dropout::NONE)?;
        head(&x, &pooled, &self.head, Dropout::NONE)?.to_vec2()
    }
}

/// The logits of sequences: the mean of the vectors of each one's pooled tokens, times the head.
pub(crate) fn head(
    x: &Tensor,
    pooled: &Sequences,
    head: &[Tensor; 2],
    dropout: Dropout,
) -> candle_core::Result<Tensor> {
    ops::linear(&dropout.apply(&ops::mean_rows(x, pooled)?, 0)?, &head[0], &head[1])
}

impl Manifest {
    pub(crate) fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let text = toml::to_string(self).map_err(|e| ModelError::Manifest(e.to_string()))?;
        write(dir, MANIFEST, text.as_bytes())
    }

    fn check(&self) -> Result<(), String> {
        if self.kind != "transformer" {
            return Err(format!("kind is {:?}, this is the plugin for \"transformer\"", self.kind));
        }
        let Calibration { slope, intercept, .. } = self.calibration;
        if !(slope > 0.0 && slope < 1e6 && intercept.abs() < 1e6) {
            return Err("the calibration is not finite, or its slope not above 0".to_owned());
        }
        let mut thresholds = self.thresholds.per_thesis.values().chain([&self.thresholds.global]);
        if !thresholds.all(|t| (0.0..=1.0).contains(t)) {
            return Err("a threshold is outside [0, 1]".to_owned());
        }
        self.params.clone().check().map_err(|e| format!("params.{e}"))?;
        let mut slugs: Vec<&String> = self.theses.iter().collect();
        slugs.sort_unstable();
        match slugs.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("thesis {:?} is there twice", pair[0])),
            None if slugs.is_empty() => Err("it has no thesis".to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;

    fn save(dir: &Path) {
        tiny::save(dir);
        let mut all = tiny::weights();
        all.insert(HEAD[0].to_owned(), Tensor::ones((2, tiny::WIDTH), DType::F32, &Device::Cpu).unwrap());
        all.insert(HEAD[1].to_owned(), Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap());
        let bytes = weights::quantise(&all).unwrap();
        fs::write(dir.join(WEIGHTS), &bytes).unwrap();
        manifest(&bytes).save(dir).unwrap();
    }

    fn manifest(weights: &[u8]) -> Manifest {
        Manifest {
            format: FORMAT,
            kind: "transformer".to_owned(),
            theses: vec!["a".to_owned(), "b".to_owned()],
            base: Base::default(),
            weights: WeightsFile { sha256: sha256(weights), bytes: weights.len() as u64 },
            params: Params { lengths: Lengths { window: 16, heading: 4, prev: 8 }, ..Params::default() },
            calibration: Calibration::default(),
            thresholds: Thresholds::default(),
            metrics: BTreeMap::new(),
            data: Vec::new(),
        }
    }

    #[test]
    fn a_model_reads_a_paragraph_in_windows_and_alone_as_with_others() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path());
        let model = Model::open(dir.path()).unwrap();
        let long = tiny::CHARACTERS.repeat(3);
        let units = [("东西", ""), ("", ""), (long.as_str(), "很好"), ("🙂𠀀 abc", "产品")];
        let mut all = Vec::new();
        for (text, prev) in units {
            let (windows, _) = model.read(&Unit { text, prev, ..Unit::default() }).unwrap();
            assert!(!windows.is_empty() && windows.iter().all(|w| w.bytes.len() <= 16));
            all.extend(windows);
        }
        // Every character of the long one is in a window.
        let covered: std::collections::BTreeSet<usize> =
            all[2..all.len() - 1].iter().flat_map(|w| w.bytes.iter().map(|b| b.start)).collect();
        assert_eq!(covered.len(), long.chars().count());
        let together = model.logits(all.iter()).unwrap();
        for (window, together) in all.iter().zip(&together) {
            let alone = &model.logits(std::iter::once(window)).unwrap()[0];
            assert!(alone.iter().zip(together).all(|(a, t)| (a - t).abs() < 1e-5 && a.is_finite()));
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = |change: &dyn Fn(&Path)| {
            save(dir.path());
            change(dir.path());
            Model::open(dir.path()).unwrap_err()
        };
        let edit = |name: &'static str, change: &'static dyn Fn(&mut Value)| {
            move |dir: &Path| {
                let mut value: Value = serde_json::from_slice(&fs::read(dir.join(name)).unwrap()).unwrap();
                change(&mut value);
                fs::write(dir.join(name), value.to_string()).unwrap();
            }
        };
        assert!(matches!(error(&|d| fs::write(d.join(WEIGHTS), b"other").unwrap()), ModelError::Hash { .. }));
        assert!(matches!(error(&|d| fs::write(d.join(MANIFEST), "format = 9").unwrap()), ModelError::Format(9)));
        assert!(matches!(error(&|d| fs::remove_file(d.join(TOKENIZER)).unwrap()), ModelError::Io { .. }));
        assert!(matches!(error(&|d| fs::write(d.join(TOKENIZER), "{}").unwrap()), ModelError::Tokenizer(_)));
        let unknown = error(&edit(CONFIG, &|c| c["model_type"] = "t5".into()));
        assert!(matches!(unknown, ModelError::Architecture(name) if name == "t5"));
        for (key, value) in
            [("num_attention_heads", 3), ("num_attention_heads", 0), ("hidden_size", 32), ("num_hidden_layers", 3)]
        {
            let found = error(&|dir: &Path| {
                let mut config = tiny::config();
                config[key] = value.into();
                fs::write(dir.join(CONFIG), config.to_string()).unwrap();
            });
            assert!(matches!(found, ModelError::Config(_) | ModelError::Weights(_)), "{key} {value}: {found}");
        }
        let more = error(&edit(TOKENIZER, &|t| {
            t["model"]["vocab"].as_array_mut().unwrap().push(serde_json::json!(["新", -1.0]))
        }));
        assert!(matches!(more, ModelError::Vocabulary { .. }));
        let manifest = |change: &'static dyn Fn(&mut Manifest)| {
            move |dir: &Path| {
                let mut manifest = manifest(&fs::read(dir.join(WEIGHTS)).unwrap());
                change(&mut manifest);
                manifest.save(dir).unwrap();
            }
        };
        let wrong: [&'static dyn Fn(&mut Manifest); 5] = [
            &|m| m.kind = "linear".to_owned(),
            &|m| m.calibration.slope = 0.0,
            &|m| m.thresholds.global = 2.0,
            &|m| m.theses = vec!["a".to_owned(); 2],
            &|m| m.params.batch = 0,
        ];
        for change in wrong {
            assert!(matches!(error(&manifest(change)), ModelError::Manifest(_)));
        }
        let three = error(&manifest(&|m| m.theses.push("c".to_owned())));
        assert!(matches!(three, ModelError::Weights(_)));
    }

    #[test]
    fn calibration_finds_the_sigmoid_that_made_the_labels() {
        let mut random = crate::random::Random::new(1);
        let truth = Calibration { slope: 1.7, intercept: -0.8, origin: String::new() };
        let logits: Vec<f32> = (0..20_000).map(|_| random.unit() as f32 * 8.0 - 4.0).collect();
        let argued: Vec<bool> = logits.iter().map(|z| random.unit() < f64::from(truth.probability(*z))).collect();
        let found = Calibration::fit(&logits, &argued);
        assert!((found.slope - 1.7).abs() < 0.1 && (found.intercept + 0.8).abs() < 0.1, "{found:?}");
        for (logits, argued) in [(vec![], vec![]), (vec![3.0; 4], vec![false; 4]), (vec![-5.0, 5.0], vec![false, true])]
        {
            let Calibration { slope, intercept, .. } = Calibration::fit(&logits, &argued);
            assert!(slope > 0.0 && slope.is_finite() && intercept.is_finite());
        }
    }
}
