//! The trait that every method implements, and what it is given.
//!
//! A classifier is made once for a taxonomy and a configuration, and then only reads: [`Classifier::classify`] takes
//! `&self` and may be called from several threads at once. Answers must not depend on how paragraphs are batched.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Output, Taxonomy, Thresholds};

/// What sort of method a system is; shown in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Hand-written rules.
    Rules,
    /// A linear model over features of the text.
    Linear,
    /// A neural encoder.
    Transformer,
    /// Anything else that came in as a plugin.
    Plugin,
    /// A combination of other systems.
    Aggregate,
    /// A floor to compare with.
    Baseline,
}

impl Kind {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Linear => "linear",
            Self::Transformer => "transformer",
            Self::Plugin => "plugin",
            Self::Aggregate => "aggregate",
            Self::Baseline => "baseline",
        }
    }
}

/// One paragraph as a classifier sees it: the text to label, and context that may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit<'a> {
    /// The paragraph to label, as found (not normalised).
    pub text: &'a str,
    /// The paragraph before it.
    pub prev: &'a str,
    /// The heading above it.
    pub heading: &'a str,
    /// Title of its document.
    pub title: &'a str,
}

impl<'a> From<&'a crate::Paragraph> for Unit<'a> {
    fn from(p: &'a crate::Paragraph) -> Self {
        Self { text: &p.text, prev: &p.prev, heading: &p.heading, title: &p.title }
    }
}

/// A flag, shared and cheap to ask, that says that nobody waits for the answer any more.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Default)]
struct Flag {
    set: AtomicBool,
    ask: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl Cancel {
    /// A flag that is also set when `ask` says so: for work whose caller is on the far side of a border.
    pub fn from_fn(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Flag { set: AtomicBool::new(false), ask: Some(Box::new(ask)) }))
    }

    /// Asks for the work to stop.
    pub fn cancel(&self) {
        self.0.set.store(true, Ordering::Relaxed);
    }

    /// True once the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.set.load(Ordering::Relaxed) || self.0.ask.as_ref().is_some_and(|ask| ask())
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

/// Paragraphs to be labelled together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The paragraphs.
    pub units: &'a [Unit<'a>],
    /// Whether evidence is wanted; without it a classifier may save itself the work.
    pub evidence: bool,
    /// Set when the answer is no longer wanted; a slow classifier asks it now and then.
    pub cancel: Cancel,
}

impl<'a> Batch<'a> {
    /// A batch that wants evidence.
    pub fn new(units: &'a [Unit<'a>]) -> Self {
        Self { units, evidence: true, cancel: Cancel::default() }
    }

    /// The same batch, without evidence.
    #[must_use]
    pub fn without_evidence(mut self) -> Self {
        self.evidence = false;
        self
    }

    /// The same batch, stopped by `cancel`.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Number of paragraphs.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

/// A method that scores paragraphs against the theses of a taxonomy.
pub trait Classifier: Send + Sync {
    /// Scores a batch: for each paragraph and thesis a score in [0, 1], NaN to abstain, and evidence spans where
    /// `batch.evidence` is set. `out` comes in with `batch.len()` rows, one column per thesis, all abstaining.
    ///
    /// # Errors
    /// When the whole batch could not be judged. A single bad paragraph is [`Output::fail`] instead.
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError>;

    /// Why a paragraph gets its score for thesis number `thesis`, one reason a line for a reader (which rule fired, which
    /// feature weighs most). The default has nothing to add to the evidence.
    fn explain(&self, unit: &Unit<'_>, thesis: usize) -> Vec<String> {
        let _ = (unit, thesis);
        Vec::new()
    }

    /// The thresholds stored with this classifier's model. The default is 0.5 for every thesis.
    fn thresholds(&self) -> Thresholds {
        Thresholds::default()
    }
}

/// What a classifier is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup<'a> {
    /// The theses to score; columns of the score matrix follow its order.
    pub taxonomy: &'a Taxonomy,
    /// The plugin's own settings, a JSON object; see [`Setup::config`].
    pub settings: &'a Value,
    /// Folder that paths in the settings are relative to, if there is one: that of the plugin's own files; for a plugin
    /// that is part of the program, that of the settings file.
    pub dir: Option<&'a Path>,
}

impl<'a> Setup<'a> {
    /// A setup with a taxonomy, settings (`Value::Null` counts as none) and no folder.
    pub fn new(taxonomy: &'a Taxonomy, settings: &'a Value) -> Self {
        Self { taxonomy, settings, dir: None }
    }

    /// The same setup with a folder, see [`Setup::dir`].
    #[must_use]
    pub fn with_dir(mut self, dir: &'a Path) -> Self {
        self.dir = Some(dir);
        self
    }

    /// The settings as the plugin's own type. Use `#[serde(default, deny_unknown_fields)]` on it: then no settings
    /// mean the defaults, and a misspelt key is an error.
    ///
    /// # Errors
    /// [`ClassifierError::Config`], naming the key, where the settings do not fit.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, ClassifierError> {
        let empty = Value::Object(serde_json::Map::new());
        let settings = if self.settings.is_null() { &empty } else { self.settings };
        T::deserialize(settings).map_err(|e| ClassifierError::Config(e.to_string()))
    }
}

/// Why a classifier could not be made or could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifierError {
    /// The settings are wrong.
    #[error("wrong settings: {0}")]
    Config(String),
    /// The model, pack or other file of the classifier is missing or wrong.
    #[error("{0}")]
    Model(String),
    /// The answer was not wanted any more.
    #[error("cancelled")]
    Cancelled,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for ClassifierError {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for ClassifierError {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_owned())
    }
}
