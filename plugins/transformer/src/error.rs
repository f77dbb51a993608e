//! Why a model cannot be read or written.

use std::path::PathBuf;

use crate::encoder::ARCHITECTURES;
use crate::model::FORMAT;

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
    /// Not the manifest of such a model.
    #[error("model.toml: {0}")]
    Manifest(String),
    /// A format that this version does not know.
    #[error(
        "model.toml: format {0} is not one that this version reads (it reads {FORMAT}): train the model anew, or update the program"
    )]
    Format(u32),
    /// Other weights than the manifest was written for.
    #[error("model.safetensors has SHA-256 {found}, model.toml says {said}: copy all files again from one place")]
    Hash {
        /// The hash of the weights.
        found: String,
        /// The hash in the manifest.
        said: String,
    },
    /// A `config.json` that does not fit.
    #[error("config.json: {0}")]
    Config(String),
    /// An architecture that this version does not know.
    #[error("config.json: model_type {0:?} is not one that this version reads: {known}", known = ARCHITECTURES.join(", "))]
    Architecture(String),
    /// A classification head whose labels are of another taxonomy.
    #[error(
        "config.json: none of the labels ({labels}) is a thesis of the taxonomy: name them in the setting `labels`, as `LABEL = SLUG`"
    )]
    Labels {
        /// The labels.
        labels: String,
    },
    /// A tokenizer that cannot be read.
    #[error("tokenizer.json: {0}")]
    Tokenizer(String),
    /// A tokenizer of another model.
    #[error(
        "tokenizer.json has pieces up to number {tokenizer}, the weights know {weights}: take both from the same model"
    )]
    Vocabulary {
        /// One more than the largest number of a piece.
        tokenizer: usize,
        /// Rows of the embedding.
        weights: usize,
    },
    /// Weights as a pickle.
    #[error(
        "{0} is a pickle, which may run any code when it is opened, and is not read: save the model as safetensors (`save_pretrained(DIR, safe_serialization=True)`)"
    )]
    Pickle(PathBuf),
    /// Weights that are damaged or do not fit the configuration.
    #[error("weights: {0}")]
    Weights(String),
}

impl ModelError {
    pub(crate) fn weights(error: candle_core::Error) -> Self {
        // Candle adds a stack trace to its errors where one is asked for; the first line says it all.
        let text = error.to_string();
        Self::Weights(text.lines().next().unwrap_or_default().to_owned())
    }
}
