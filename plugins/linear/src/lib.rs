//! A linear model over character n-grams: fast, small, and hard to beat on short texts.
//!
//! A paragraph becomes a sublinear TF-IDF vector of its n-grams ([`Params`] says which), a plane per thesis gives a
//! logit, and a sigmoid per thesis, fitted on held-out samples, the probability. The program carries a trained model
//! inside itself; the setting `model = DIR` takes another.
//!
//! The decision that matters: everything is one linear form of n-grams that are known by name, so that a score can be
//! taken apart into the phrases that carry it ([`Linear`] gives them as evidence).
//!
//! ```
//! use lundian_linear::{Params, train};
//! use lundian_plugin::{Label, Paragraph, Sample, Taxonomy};
//!
//! let taxonomy = Taxonomy::china_economy();
//! let samples: Vec<Sample> = ["东西卖不出去", "天气很好", "产品卖不出去", "天气不错"]
//!     .iter()
//!     .enumerate()
//!     .map(|(i, text)| Sample {
//!         paragraph: Paragraph { id: i.to_string(), text: text.to_string(), ..Default::default() },
//!         labels: (i % 2 == 0).then(|| Label { thesis: 4, stance: Default::default(), evidence: None }).into_iter().collect(),
//!         ..Default::default()
//!     })
//!     .collect();
//! let params = Params { min_df: 2, folds: 2, ..Params::default() }.check()?;
//! let model = train(&taxonomy, &samples, &params, &mut |_| {})?;
//! assert!(model.features() > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calibration;
pub mod elastic_net;
mod evidence;
mod format;
mod model;
mod ngram;
mod params;
mod random;
pub mod solver;
mod tfidf;
mod train;

use std::path::PathBuf;

use lundian_plugin::{Batch, Classifier, ClassifierError, Output, Plugin, Setup, Taxonomy, Thresholds};
use lundian_text::Normalised;
use serde::Deserialize;

use calibration::Logits;
use evidence::Contributions;
pub use format::{FORMAT, MANIFEST, ModelError, WEIGHTS, sha256};
pub use model::Model;
use model::Scratch;
pub use params::{Params, ParamsError, ValidParams};
pub use train::{Progress, Stage, TrainError, cross_fit, train};

/// The model that is built in.
const BUNDLED: (&str, &[u8]) = (
    include_str!("../../../models/thesis-linear/model.toml"),
    include_bytes!("../../../models/thesis-linear/weights.bin"),
);

/// Evidence is shown from this part of a thesis's threshold on: below it nobody will ask for it.
const EVIDENCE_FROM: f32 = 0.5;
/// Paragraphs between two looks at the batch's cancel flag.
const CANCEL_EVERY: usize = 64;

/// The settings of the plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Folder of a model of the user's own, relative to [`Setup::dir`]; the one built in if not given.
    model: Option<PathBuf>,
}

/// A model at work on a taxonomy.
#[derive(Clone, Debug)]
pub struct Linear {
    model: Model,
    /// Of each thesis of the taxonomy, its number in the model; theses that the model does not know are abstained from.
    columns: Vec<Option<usize>>,
    /// Of each thesis of the taxonomy, the score from which on evidence is given.
    evidence_from: Vec<f32>,
}

impl Linear {
    /// The classifier that `model` gives for `taxonomy`; theses are matched by slug.
    pub fn new(model: Model, taxonomy: &Taxonomy) -> Self {
        let number = |slug: &str| model.theses().iter().position(|known| known == slug);
        let columns = taxonomy.theses().iter().map(|t| number(&t.slug)).collect();
        let evidence_from = model.thresholds.resolve(taxonomy).into_iter().map(|t| t * EVIDENCE_FROM).collect();
        Self { model, columns, evidence_from }
    }

    /// The model behind it.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl Plugin for Linear {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let Settings { model } = setup.config()?;
        let model = match model {
            None => {
                Model::load(BUNDLED.0, BUNDLED.1).map_err(|e| ClassifierError::Model(format!("built-in model: {e}")))?
            }
            Some(dir) => {
                let dir = setup.dir.map_or_else(|| dir.clone(), |own| own.join(&dir));
                Model::open(&dir).map_err(|e| ClassifierError::Model(format!("model {}: {e}", dir.display())))?
            }
        };
        Ok(Self::new(model, setup.taxonomy))
    }
}

impl Classifier for Linear {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        let mut scratch = Scratch::default();
        let mut scores = vec![0.0; self.model.theses().len()];
        let (mut own, mut prev, mut heading) = (Scored::default(), Scored::default(), Scored::default());
        for (row, unit) in batch.units.iter().enumerate() {
            if row % CANCEL_EVERY == 0 && batch.cancel.is_cancelled() {
                return Err(ClassifierError::Cancelled);
            }
            if self.model.params().context {
                // The paragraph before has mostly just been scored itself.
                if own.is_of(unit.prev) {
                    std::mem::swap(&mut own, &mut prev);
                } else {
                    prev.score(&self.model, unit.prev, &mut scratch);
                }
                heading.score(&self.model, unit.heading, &mut scratch);
            }
            own.score(&self.model, unit.text, &mut scratch);
            let logits = Logits { own: &own.logits, prev: prev.present(), heading: heading.present() };
            calibration::to_probabilities(&self.model.calibration, logits, &mut scores);

            let mut contributions = None;
            for (thesis, column) in self.columns.iter().enumerate() {
                let Some(column) = *column else { continue };
                let score = scores[column];
                out.set(row, thesis, score);
                if batch.evidence && score >= self.evidence_from[thesis] {
                    let contributions = contributions
                        .get_or_insert_with(|| Contributions::new(&self.model, own.normalised.as_str(), own.norm));
                    for (range, weight) in contributions.phrases(&own.normalised, column) {
                        out.add_evidence(row, thesis, range, weight);
                    }
                }
            }
        }
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        self.model.thresholds.clone()
    }
}

/// A text and its logits, kept while the paragraphs that follow may need them.
#[derive(Clone, Debug, Default)]
struct Scored<'a> {
    text: &'a str,
    normalised: Normalised,
    /// One per thesis of the model; none before the first text.
    logits: Vec<f32>,
    norm: f32,
}

impl<'a> Scored<'a> {
    fn is_of(&self, text: &str) -> bool {
        self.text == text && !self.logits.is_empty()
    }

    fn score(&mut self, model: &Model, text: &'a str, scratch: &mut Scratch) {
        if !self.is_of(text) {
            self.text = text;
            self.normalised = Normalised::new(text);
            self.logits.resize(model.theses().len(), 0.0);
            self.norm = model.logits(self.normalised.as_str(), scratch, &mut self.logits);
        }
    }

    /// The logits, if there is a text.
    fn present(&self) -> Option<&[f32]> {
        (!self.normalised.as_str().is_empty()).then_some(&self.logits)
    }
}

#[cfg(feature = "export")]
lundian_plugin::export!(Linear);
