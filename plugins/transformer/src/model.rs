//! A model: an encoder with a head for theses and perhaps one for roles, its tokenizer, and how a logit becomes a probability.
//!
//! The decision that matters: nothing in a model's folder is believed. The manifest says the hash of the weights, the
//! tokenizer must fit the vocabulary, and every number must be finite; a model that loads can be used without further
//! checks.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use lundian_plugin::training::DataFile;
use lundian_plugin::{Role, RoleScores, Taxonomy, Thesis, Thresholds, Unit};
use lundian_text::Normalised;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ModelError;
use crate::encoder::{self, Dropout, Encoder};
use crate::head::{self, Classification, Head, Trained};
use crate::ops::{self, Sequences};
use crate::params::Params;
use crate::roles;
use crate::tokens::{Lengths, Reader, Window, pack};
use crate::weights::{self, WEIGHTS};
use crate::zero_shot::{Reference, References};

/// The version of the format that is written. Older ones stay readable, or say how to make them anew.
pub const FORMAT: u32 = 1;
/// Name of the readable part of a model.
pub const MANIFEST: &str = "model.toml";
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";

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
    /// How the head for roles was trained, where that was done by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<Lesson>,
    #[serde(default)]
    pub(crate) data: Vec<DataFile>,
}

/// How one head was trained, and on what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lesson {
    pub(crate) params: Params,
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
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

pub(crate) fn read(dir: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = dir.join(name);
    fs::read(&path).map_err(|why| ModelError::Io { path, why })
}

/// Writes the file `name` of `dir` whole or not at all.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{name}.part")));
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|why| ModelError::Io { path, why })
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

    /// Takes a folder's contents.
    pub(crate) fn load(config: &[u8], tokenizer: &[u8], weights: &[u8]) -> Result<Self, ModelError> {
        let config = serde_json::from_slice(config).map_err(|e| ModelError::Config(e.to_string()))?;
        Ok(Self { config, tokenizer: tokenizer.to_vec(), weights: weights::from_bytes(weights)? })
    }

    /// Writes them into the folder `dir`, with `weights` as the file of weights.
    pub(crate) fn save(&self, dir: &Path, weights: &[u8]) -> Result<(), ModelError> {
        let config = serde_json::to_vec_pretty(&self.config).unwrap_or_default();
        write(dir, WEIGHTS, weights)?;
        write(dir, CONFIG, &config)?;
        write(dir, TOKENIZER, &self.tokenizer)
    }

    pub(crate) fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_tensors(self.weights.clone(), DType::F32, &Device::Cpu)
    }
}

/// A trained model. Made by [`train`](crate::train()) or read by [`Model::open`].
pub struct Model {
    pub(crate) manifest: Manifest,
    pub(crate) encoder: Box<dyn Encoder>,
    pub(crate) head: Head,
    /// The head for roles.
    pub(crate) roles: Option<Trained>,
    pub(crate) reader: Reader,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// What a model says of a window.
pub(crate) struct Judged {
    /// The logits of its theses.
    pub(crate) theses: Vec<f32>,
    pub(crate) roles: Option<RoleScores>,
}

/// A paragraph's windows and its normalised text.
pub(crate) type Text = (Vec<Window>, Normalised);

impl Model {
    /// Reads the model in the folder `dir`.
    ///
    /// # Errors
    /// If a file is missing, damaged, of another format, or not made for the others.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let manifest = Manifest::source(dir)?;
        let files = [CONFIG, TOKENIZER, WEIGHTS].map(|name| read(dir, name));
        let [config, tokenizer, weights] = files;
        Self::load(&manifest, &config?, &tokenizer?, &weights?)
    }

    /// Reads a model from the contents of its files: `model.toml`, `config.json`, `tokenizer.json` and
    /// `model.safetensors`.
    ///
    /// # Errors
    /// If one is damaged, of another format, or not made for the others.
    pub fn load(manifest: &str, config: &[u8], tokenizer: &[u8], weights: &[u8]) -> Result<Self, ModelError> {
        let manifest = Manifest::parse(manifest)?;
        let found = sha256(weights);
        if found != manifest.weights.sha256 {
            return Err(ModelError::Hash { found, said: manifest.weights.sha256 });
        }
        let mut model = Self::new(manifest, &Parts::load(config, tokenizer, weights)?)?;
        model.encoder.compact().map_err(ModelError::weights)?;
        Ok(model)
    }

    pub(crate) fn new(manifest: Manifest, parts: &Parts) -> Result<Self, ModelError> {
        let builder = parts.builder();
        let encoder = encoder::open(&parts.config, builder.clone())?;
        let read = |names, classes| {
            Trained::read(&builder, names, manifest.params.pooling, classes, encoder.width())
                .map_err(ModelError::weights)
        };
        let head = Head::Trained(read(&head::THESES, manifest.theses.len())?);
        let has_roles = builder.contains_tensor(head::ROLES.weight);
        let roles = has_roles.then(|| read(&head::ROLES, Role::ALL.len())).transpose()?;
        let lengths = manifest.params.lengths;
        let reader = Reader::new(&parts.tokenizer, lengths, encoder.vocabulary(), encoder.max_tokens())?;
        Ok(Self { manifest, encoder, head, roles, reader })
    }

    /// Reads a Hugging Face model for sequence classification in the folder `dir`. Its labels (`id2label`) are theses of
    /// `taxonomy` by slug or by name; `labels` says, by label, the slug of others. A label that is no thesis counts for
    /// none. By `problem_type`, labels exclude each other (softmax) or not (sigmoid).
    ///
    /// # Errors
    /// If a file is missing, damaged or not made for the others, or if no label is a thesis.
    pub fn classification_head(
        dir: &Path,
        taxonomy: &Taxonomy,
        labels: &BTreeMap<String, String>,
    ) -> Result<Self, ModelError> {
        let parts = Parts::open(dir)?;
        let names = label_names(&parts.config)?;
        let slug = |name: &String| -> String {
            let of = |t: &&Thesis| t.slug == *name || t.name.zh == *name || t.name.en == *name;
            let found = taxonomy.theses().iter().find(of).map(|t| t.slug.clone());
            labels.get(name).cloned().or(found).unwrap_or_else(|| name.clone())
        };
        let theses: Vec<String> = names.iter().map(slug).collect();
        if !theses.iter().any(|slug| taxonomy.index(slug).is_some()) {
            return Err(ModelError::Labels { labels: names.join(", ") });
        }
        let builder = parts.builder();
        let encoder = encoder::open(&parts.config, builder.clone())?;
        let exclusive = match parts.config["problem_type"].as_str() {
            Some("multi_label_classification") => false,
            Some("single_label_classification") | None => true,
            Some(other) => return Err(ModelError::Config(format!("problem_type {other:?} gives no labels"))),
        };
        let head = Classification::new(&parts.config, &builder, encoder.width(), theses.len(), exclusive)?;
        let head = Head::Classification(head);
        let thresholds = Thresholds { origin: "where it is likelier than not".to_owned(), ..Thresholds::default() };
        Self::adopt(theses, Calibration::default(), thresholds, encoder, head, &parts.tokenizer)
    }

    /// Makes a model without any training, from an encoder and what `taxonomy` says of its theses. `dir` is the folder of
    /// an encoder or of a model, whose head then does not count.
    ///
    /// # Errors
    /// If a file is missing, damaged or not made for the others, or if the taxonomy's texts cannot be read.
    pub fn zero_shot(dir: &Path, taxonomy: &Taxonomy) -> Result<Self, ModelError> {
        Self::zero_shot_of(&Parts::open(dir)?, taxonomy)
    }

    pub(crate) fn zero_shot_of(parts: &Parts, taxonomy: &Taxonomy) -> Result<Self, ModelError> {
        let encoder = encoder::open(&parts.config, parts.builder())?;
        let reader =
            Reader::new(&parts.tokenizer, Lengths::alone(&*encoder), encoder.vocabulary(), encoder.max_tokens())?;
        let mut references = Vec::new();
        for (number, thesis) in taxonomy.theses().iter().enumerate() {
            // Notes on inclusion are left out: they speak to coders, often in another language, and no text is like them.
            // Measured with the e5 base, they cost a few points of F1.
            let own = [&thesis.name.zh, &thesis.proposition.zh].into_iter().chain(&thesis.examples);
            let others = thesis.counterexamples.iter().map(|text| (None, text));
            for (thesis, text) in
                own.map(|text| (Some(number), text)).chain(others).filter(|(_, t)| !t.trim().is_empty())
            {
                let (windows, _) = reader.windows(&Unit { text, ..Unit::default() }).map_err(ModelError::Tokenizer)?;
                let (tokens, pooled) = pack(windows.iter().take(1));
                let vector = encoder
                    .states(&tokens, Dropout::NONE)
                    .and_then(|x| ops::mean_rows(&x, &pooled)?.flatten_all()?.to_vec1())
                    .map_err(ModelError::weights)?;
                references.push(Reference { thesis, vector });
            }
        }
        let (references, calibration, global) = References::new(taxonomy.len(), references);
        let origin = calibration.origin.replace("fitted", "chosen");
        let thresholds = Thresholds { global, origin, ..Thresholds::default() };
        let theses = taxonomy.theses().iter().map(|t| t.slug.clone()).collect();
        Self::adopt(theses, calibration, thresholds, encoder, Head::Likeness(references), &parts.tokenizer)
    }

    /// A model that was not made by [`train`](crate::train()): it reads paragraphs without their context.
    fn adopt(
        theses: Vec<String>,
        calibration: Calibration,
        thresholds: Thresholds,
        encoder: Box<dyn Encoder>,
        head: Head,
        tokenizer: &[u8],
    ) -> Result<Self, ModelError> {
        let lengths = Lengths::alone(&*encoder);
        let reader = Reader::new(tokenizer, lengths, encoder.vocabulary(), encoder.max_tokens())?;
        let manifest = Manifest {
            format: FORMAT,
            kind: "transformer".to_owned(),
            theses,
            base: Base::default(),
            weights: WeightsFile::default(),
            params: Params { lengths, ..Params::default() },
            calibration,
            thresholds,
            metrics: BTreeMap::new(),
            roles: None,
            data: Vec::new(),
        };
        Ok(Self { manifest, encoder, head, roles: None, reader })
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

    /// What all heads say of each window.
    pub(crate) fn judge<'a>(&self, windows: impl Iterator<Item = &'a Window>) -> candle_core::Result<Vec<Judged>> {
        let (x, pooled) = self.encode(windows)?;
        let roles: Vec<Option<RoleScores>> = match &self.roles {
            Some(head) => {
                let logits = head.logits(&x, &pooled, Dropout::NONE)?.to_vec2()?;
                logits.iter().map(|logits| Some(roles::probabilities(logits))).collect()
            }
            None => vec![None; pooled.len()],
        };
        let theses = self.head.logits(&x, &pooled)?;
        Ok(theses.into_iter().zip(roles).map(|(theses, roles)| Judged { theses, roles }).collect())
    }

    /// The logits of theses, one vector per window.
    pub(crate) fn logits<'a>(&self, windows: impl Iterator<Item = &'a Window>) -> candle_core::Result<Vec<Vec<f32>>> {
        let (x, pooled) = self.encode(windows)?;
        self.head.logits(&x, &pooled)
    }

    /// The vectors of the tokens of windows, and which of them are the paragraphs'.
    fn encode<'a>(&self, windows: impl Iterator<Item = &'a Window>) -> candle_core::Result<(Tensor, Sequences)> {
        let (tokens, pooled) = pack(windows);
        Ok((self.encoder.states(&tokens, Dropout::NONE)?, pooled))
    }
}

/// The names of a classification head's labels, in the order of its rows.
fn label_names(config: &Value) -> Result<Vec<String>, ModelError> {
    let map: BTreeMap<usize, String> = config["id2label"]
        .as_object()
        .map(|map| map.iter().filter_map(|(id, name)| Some((id.parse().ok()?, name.as_str()?.to_owned()))).collect())
        .unwrap_or_default();
    if map.is_empty() || map.keys().copied().ne(0..map.len()) {
        return Err(ModelError::Config("id2label does not name labels 0, 1, 2, ...".to_owned()));
    }
    Ok(map.into_values().collect())
}

impl Manifest {
    /// The text of the manifest in the folder `dir`.
    pub(crate) fn source(dir: &Path) -> Result<String, ModelError> {
        String::from_utf8(read(dir, MANIFEST)?).map_err(|e| ModelError::Manifest(e.to_string()))
    }

    pub(crate) fn parse(source: &str) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let not_toml = |e: toml::de::Error| ModelError::Manifest(e.to_string().trim_end().to_owned());
        let Version { format } = toml::from_str(source).map_err(not_toml)?;
        if format != FORMAT {
            return Err(ModelError::Format(format));
        }
        let manifest: Self = toml::from_str(source).map_err(not_toml)?;
        manifest.check().map_err(ModelError::Manifest)?;
        Ok(manifest)
    }

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
        all.insert(head::THESES.weight.to_owned(), Tensor::ones((2, tiny::WIDTH), DType::F32, &Device::Cpu).unwrap());
        all.insert(head::THESES.bias.to_owned(), Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap());
        all.insert(head::THESES.query.to_owned(), Tensor::ones((2, tiny::WIDTH), DType::F32, &Device::Cpu).unwrap());
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
            roles: None,
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

    /// Adds a classification head with labels of these names to the base in the folder `dir`.
    fn save_head(dir: &Path, labels: [&str; 2], problem: &str) {
        tiny::save(dir);
        let mut config = tiny::config();
        config["id2label"] = serde_json::json!({"0": labels[0], "1": labels[1]});
        config["problem_type"] = problem.into();
        fs::write(dir.join(CONFIG), config.to_string()).unwrap();
        let mut all: HashMap<String, Tensor> =
            tiny::weights().into_iter().map(|(name, t)| (format!("bert.{name}"), t)).collect();
        let dense = Tensor::ones((tiny::WIDTH, tiny::WIDTH), DType::F32, &Device::Cpu).unwrap();
        let bias = Tensor::zeros(tiny::WIDTH, DType::F32, &Device::Cpu).unwrap();
        let out: Vec<f32> = (0..2 * tiny::WIDTH).map(|i| i as f32 * 0.1 - 1.0).collect();
        all.insert("bert.pooler.dense.weight".to_owned(), dense);
        all.insert("bert.pooler.dense.bias".to_owned(), bias);
        all.insert("classifier.weight".to_owned(), Tensor::from_vec(out, (2, tiny::WIDTH), &Device::Cpu).unwrap());
        all.insert("classifier.bias".to_owned(), Tensor::new(&[0.3f32, -0.2], &Device::Cpu).unwrap());
        candle_core::safetensors::save(&all, dir.join(WEIGHTS)).unwrap();
    }

    #[test]
    fn labels_of_a_classification_head_are_theses_by_slug_name_or_table() {
        let taxonomy = Taxonomy::china_economy();
        let (first, second) = (&taxonomy.theses()[0], &taxonomy.theses()[1]);
        let dir = tempfile::tempdir().unwrap();
        save_head(dir.path(), [&first.name.zh, "LABEL_1"], "single_label_classification");
        let table = BTreeMap::from([("LABEL_1".to_owned(), second.slug.clone())]);
        let model = Model::classification_head(dir.path(), &taxonomy, &table).unwrap();
        assert_eq!(model.theses(), [first.slug.as_str(), second.slug.as_str()]);
        let (windows, _) = model.read(&Unit { text: "东西卖不出去", ..Unit::default() }).unwrap();
        let logits = &model.logits(windows.iter()).unwrap()[0];
        let sum: f32 = logits.iter().map(|z| model.calibration().probability(*z)).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{logits:?}");

        save_head(dir.path(), [&first.slug, "LABEL_1"], "multi_label_classification");
        let model = Model::classification_head(dir.path(), &taxonomy, &BTreeMap::new()).unwrap();
        assert_eq!(model.theses(), [first.slug.as_str(), "LABEL_1"]);
        let independent = &model.logits(windows.iter()).unwrap()[0];
        assert!((independent[0] - independent[1] - logits[0]).abs() < 1e-4, "{independent:?} {logits:?}");

        save_head(dir.path(), ["good", "bad"], "multi_label_classification");
        let error = Model::classification_head(dir.path(), &taxonomy, &BTreeMap::new()).unwrap_err();
        assert!(matches!(&error, ModelError::Labels { labels } if labels == "good, bad"), "{error}");
        save_head(dir.path(), [&first.slug, "b"], "regression");
        assert!(matches!(
            Model::classification_head(dir.path(), &taxonomy, &BTreeMap::new()),
            Err(ModelError::Config(_))
        ));
    }

    #[test]
    fn zero_shot_scores_any_taxonomy() {
        let dir = tempfile::tempdir().unwrap();
        tiny::save(dir.path());
        let taxonomy = Taxonomy::china_economy();
        let model = Model::zero_shot(dir.path(), &taxonomy).unwrap();
        assert_eq!(model.theses().len(), taxonomy.len());
        let (windows, _) = model.read(&Unit { text: "东西卖不出去", ..Unit::default() }).unwrap();
        assert!(model.logits(windows.iter()).unwrap()[0].iter().all(|z| z.is_finite()));
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
