//! From a plugin that was found to a classifier that runs, here or elsewhere.

use std::sync::Arc;

use lundian_core::{Batch, Classifier, ClassifierError, Output, Setup, Thresholds};
use lundian_plugin::border::Foreign;

use crate::native::{check_agreement, load, read_library, sha256_hex};
use crate::{Found, HostError, Level, Trust};

/// Receives the lines of plugins' logs: the plugin's id, how much the line matters, and the line.
pub type Log = Arc<dyn Fn(&str, Level, &str) + Send + Sync>;

/// Where a plugin runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// In this process: fast to start, but a crash of it is a crash of ours.
    #[default]
    InProcess,
}

/// Makes classifiers of plugins.
#[derive(Clone)]
#[non_exhaustive]
pub struct Loader {
    /// What may run.
    pub trust: Trust,
    /// Where it runs.
    pub isolation: Isolation,
    /// Who hears what it has to say.
    pub log: Log,
}

impl Loader {
    /// A loader whose plugins' logs nobody hears.
    pub fn new(trust: Trust, isolation: Isolation) -> Self {
        Self { trust, isolation, log: Arc::new(|_, _, _| {}) }
    }

    /// The same loader, with `log` hearing the plugins' logs.
    #[must_use]
    pub fn with_log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// Makes a classifier of a plugin. The setup's folder is the plugin's own, whatever it was before.
    ///
    /// # Errors
    /// When the plugin may not run, or cannot.
    pub fn load(&self, found: &Found, setup: &Setup<'_>) -> Result<Arc<dyn Classifier>, HostError> {
        let id = &found.manifest.id;
        let bytes = read_library(id, &found.library)?;
        found.check_hash(&sha256_hex(&bytes), &self.trust)?;
        let setup = setup.clone().with_dir(&found.dir);
        match &self.isolation {
            Isolation::InProcess => {
                let entry = load(&bytes, &found.library)?;
                check_agreement(&entry, &found.manifest, &found.library)?;
                let (log, name) = (Arc::clone(&self.log), id.clone());
                let plugin = Foreign::create(entry, &setup, Arc::new(move |level, line| log(&name, level, line)))
                    .map_err(|error| HostError::Create { id: id.clone(), error })?;
                Ok(Arc::new(InProcess { plugin, thresholds: found.manifest.thresholds.clone() }))
            }
        }
    }
}

struct InProcess {
    plugin: Foreign,
    thresholds: Option<Thresholds>,
}

impl Classifier for InProcess {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        self.plugin.classify(batch, out)
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone().unwrap_or_else(|| self.plugin.thresholds())
    }
}
