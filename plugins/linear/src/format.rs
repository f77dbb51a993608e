//! Models as files: `model.toml`, which people read too, and `weights.bin`.
//!
//! The decision that matters: nothing in either file is believed. The manifest says the hash of the weights, sizes are
//! checked against each other before anything is read, and every number must be finite; a model that loads can be
//! used without further checks.
//!
//! # `weights.bin`, format 1
//!
//! All numbers are little-endian. With `T` theses and `F` n-grams:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `LUNDLIN` and the format, `01` |
//! | 4, 4, 4 | `T`, `F`, number of texts that frequencies were counted in, as u32 |
//! | 4 T | bias of each thesis, f32 |
//! | 4 F | number of texts with each n-gram, u32 |
//! | 4 F | scale of each n-gram's weights, f32 |
//! | T F | weights in units of the scale, i8, row by row of one n-gram |
//! | rest | n-grams in the order of their bytes; each as two bytes and a tail: bytes shared with the one before it, length of the tail, the tail in UTF-8 |

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lundian_plugin::Thresholds;
use lundian_plugin::training::DataFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calibration::Sigmoid;
use crate::model::{Model, Quantised};
use crate::ngram::Vocabulary;
use crate::params::Params;

/// The version of the format that is written. Older ones stay readable, or say how to make them anew.
pub const FORMAT: u32 = 1;
/// Name of the readable part of a model.
pub const MANIFEST: &str = "model.toml";
/// Name of the weights of a model.
pub const WEIGHTS: &str = "weights.bin";

const MAGIC: &[u8; 8] = b"LUNDLIN\x01";

/// Why a model cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file that cannot be read or written.
    #[error("{path}: {why}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// Not the manifest of a linear model.
    #[error("model.toml: {0}")]
    Manifest(String),
    /// A format that this version does not know.
    #[error(
        "model.toml: format {0} is not one that this version reads (it reads {FORMAT}): train the model anew, or update the program"
    )]
    Format(u32),
    /// Other weights than the manifest was written for.
    #[error("weights.bin has SHA-256 {found}, model.toml says {said}: copy both files again from one place")]
    Hash {
        /// The hash of the weights.
        found: String,
        /// The hash in the manifest.
        said: String,
    },
    /// Weights that are damaged.
    #[error("weights.bin: {0}")]
    Weights(String),
}

/// `model.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    kind: String,
    weights: WeightsFile,
    params: Params,
    thresholds: Thresholds,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    data: Vec<DataFile>,
    thesis: Vec<ThesisEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightsFile {
    sha256: String,
    bytes: usize,
    features: usize,
}

/// A thesis, in the order of the columns of the weights.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThesisEntry {
    slug: String,
    calibration: Sigmoid,
}

/// SHA-256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Model {
    /// Writes the model's two files into `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// If a file cannot be written; the files that were there before are then still whole.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let (manifest, weights) = self.to_files();
        fs::create_dir_all(dir).map_err(|why| ModelError::Io { path: dir.to_owned(), why })?;
        for (name, bytes) in [(WEIGHTS, weights.as_slice()), (MANIFEST, manifest.as_bytes())] {
            let path = dir.join(name);
            let temporary = dir.join(format!("{name}.part"));
            fs::write(&temporary, bytes)
                .and_then(|()| fs::rename(&temporary, &path))
                .map_err(|why| ModelError::Io { path, why })?;
        }
        Ok(())
    }

    /// Reads the model in the folder `dir`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of another format.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read(&path).map_err(|why| ModelError::Io { path, why })
        };
        let manifest = String::from_utf8(read(MANIFEST)?).map_err(|e| ModelError::Manifest(e.to_string()))?;
        Self::load(&manifest, &read(WEIGHTS)?)
    }

    /// Reads a model from the contents of its two files.
    ///
    /// # Errors
    /// If either is damaged, of another format, or not made for the other.
    pub fn load(manifest: &str, weights: &[u8]) -> Result<Self, ModelError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let not_toml = |e: toml::de::Error| ModelError::Manifest(e.to_string().trim_end().to_owned());
        let Version { format } = toml::from_str(manifest).map_err(not_toml)?;
        if format != FORMAT {
            return Err(ModelError::Format(format));
        }
        let manifest: Manifest = toml::from_str(manifest).map_err(not_toml)?;
        if manifest.kind != "linear" {
            return Err(ModelError::Manifest(format!(
                "kind is {:?}, this is the plugin for \"linear\"",
                manifest.kind
            )));
        }
        let found = sha256(weights);
        if found != manifest.weights.sha256 {
            return Err(ModelError::Hash { found, said: manifest.weights.sha256 });
        }
        let calibration: Vec<Sigmoid> = manifest.thesis.iter().map(|t| t.calibration).collect();
        let thresholds = manifest.thresholds.per_thesis.values().copied().chain([manifest.thresholds.global]);
        if !calibration.iter().all(|s| s.coefficients().iter().all(|x| x.abs() < 1e6)) {
            return Err(ModelError::Manifest("a calibration is not finite, or far too large".to_owned()));
        }
        if !thresholds.into_iter().all(|t| (0.0..=1.0).contains(&t)) {
            return Err(ModelError::Manifest("a threshold is outside [0, 1]".to_owned()));
        }
        let params = manifest.params.check().map_err(|e| ModelError::Manifest(format!("params.{e}")))?.get().clone();
        let theses: Vec<String> = manifest.thesis.into_iter().map(|t| t.slug).collect();
        let mut slugs: Vec<&String> = theses.iter().collect();
        slugs.sort_unstable();
        if let Some(pair) = slugs.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ModelError::Manifest(format!("thesis {:?} is there twice", pair[0])));
        }
        let parts = Parts::read(weights, theses.len()).map_err(ModelError::Weights)?;
        Ok(Self {
            idf: Self::idf_of(parts.texts, &parts.df),
            theses,
            vocabulary: parts.vocabulary,
            texts: parts.texts,
            df: parts.df,
            quantised: parts.quantised,
            biases: parts.biases,
            calibration,
            params,
            thresholds: manifest.thresholds,
            data: manifest.data,
            metrics: manifest.metrics,
        })
    }

    /// The contents of `model.toml` and `weights.bin`.
    pub fn to_files(&self) -> (String, Vec<u8>) {
        let weights = self.weights();
        let manifest = Manifest {
            format: FORMAT,
            kind: "linear".to_owned(),
            weights: WeightsFile { sha256: sha256(&weights), bytes: weights.len(), features: self.features() },
            params: self.params.clone(),
            thresholds: self.thresholds.clone(),
            metrics: self.metrics.clone(),
            data: self.data.clone(),
            thesis: (self.theses.iter().cloned().zip(&self.calibration))
                .map(|(slug, &calibration)| ThesisEntry { slug, calibration })
                .collect(),
        };
        let manifest = toml::to_string(&manifest).expect("a manifest holds only strings, numbers and tables of them");
        (manifest, weights)
    }

    fn weights(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for n in [self.theses.len() as u32, self.vocabulary.len() as u32, self.texts] {
            bytes.extend(n.to_le_bytes());
        }
        bytes.extend(self.biases.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.df.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.quantised.scales.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.quantised.integers.iter().flat_map(|x| x.to_le_bytes()));
        let mut before = "";
        for ngram in self.vocabulary.ngrams() {
            let shared = before.bytes().zip(ngram.bytes()).take_while(|(a, b)| a == b).count();
            // At most 8 characters of at most 4 bytes: both lengths fit in a byte.
            bytes.extend([shared as u8, (ngram.len() - shared) as u8]);
            bytes.extend(&ngram.as_bytes()[shared..]);
            before = ngram;
        }
        bytes
    }
}

/// What `weights.bin` holds.
struct Parts {
    texts: u32,
    biases: Vec<f32>,
    df: Vec<u32>,
    quantised: Quantised,
    vocabulary: Vocabulary,
}

impl Parts {
    fn read(mut bytes: &[u8], theses: usize) -> Result<Self, String> {
        let bytes = &mut bytes;
        if take(bytes, MAGIC.len())? != MAGIC {
            return Err("not the weights of a linear model, or of another format".to_owned());
        }
        let (columns, features, texts) = (u32_of(bytes)?, u32_of(bytes)?, u32_of(bytes)?);
        let (columns, features) = (columns as usize, features as usize);
        if columns != theses {
            return Err(format!("weights for {columns} theses, model.toml lists {theses}"));
        }
        let biases = floats(bytes, columns)?;
        let df: Vec<u32> = words(bytes, features)?.map(u32::from_le_bytes).collect();
        if df.iter().any(|&df| df > texts) {
            return Err(format!("an n-gram in more than all {texts} texts"));
        }
        let scales = floats(bytes, features)?;
        let size = features.checked_mul(columns).ok_or("too many weights")?;
        let integers: Vec<i8> = take(bytes, size)?.iter().map(|b| i8::from_le_bytes([*b])).collect();
        let mut ngrams: Vec<Box<str>> = Vec::new();
        let mut before: Vec<u8> = Vec::new();
        for _ in 0..features {
            let lengths = take(bytes, 2)?;
            let (shared, tail) = (usize::from(lengths[0]), usize::from(lengths[1]));
            if shared > before.len() {
                return Err("an n-gram shares more than there is with the one before it".to_owned());
            }
            before.truncate(shared);
            before.extend(take(bytes, tail)?);
            ngrams.push(std::str::from_utf8(&before).map_err(|_| "an n-gram is not UTF-8")?.into());
        }
        if !bytes.is_empty() {
            return Err(format!("{} bytes too many", bytes.len()));
        }
        let vocabulary = Vocabulary::new(ngrams)?;
        Ok(Self { texts, biases, df, quantised: Quantised { columns, scales, integers }, vocabulary })
    }
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8], String> {
    let (head, tail) = bytes
        .split_at_checked(n)
        .ok_or_else(|| format!("cut short: {n} more bytes expected, {} there", bytes.len()))?;
    *bytes = tail;
    Ok(head)
}

fn u32_of(bytes: &mut &[u8]) -> Result<u32, String> {
    Ok(words(bytes, 1)?.map(u32::from_le_bytes).sum())
}

fn words<'a>(bytes: &mut &'a [u8], n: usize) -> Result<impl Iterator<Item = [u8; 4]> + 'a, String> {
    let part = take(bytes, n.checked_mul(4).ok_or("too many numbers")?)?;
    Ok(part.chunks_exact(4).map(|c| [c[0], c[1], c[2], c[3]]))
}

fn floats(bytes: &mut &[u8], n: usize) -> Result<Vec<f32>, String> {
    let floats: Vec<f32> = words(bytes, n)?.map(f32::from_le_bytes).collect();
    // Neither infinite nor so large that a sum could be.
    let sane = floats.iter().all(|x| x.abs() < 1e12);
    if sane { Ok(floats) } else { Err("a number is not finite, or far too large".to_owned()) }
}
