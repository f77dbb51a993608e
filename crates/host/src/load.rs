//! From a plugin that was found to a classifier that runs, here or elsewhere.

use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::AtomicUsize;

use lundian_core::{Batch, Classifier, Output, Setup, Thresholds};
use lundian_plugin::border::Foreign;

use crate::bisect::{Attempt, Bisect, Setback};
use crate::native::{check_agreement, load, read_library, sha256_hex};
#[cfg(unix)]
use crate::worker::{self, Listener, Pool, WorkerOptions, frame};
use crate::{Found, HostError, Level, Trust};

/// Receives the lines of plugins' logs: the plugin's id, how much the line matters, and the line.
pub type Log = Arc<dyn Fn(&str, Level, &str) + Send + Sync>;

/// Failures after which a plugin is switched off for the run, unless [`Loader::max_failures`] says otherwise.
const MAX_FAILURES: usize = 10;

/// Where a plugin runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// In this process: fast to start, but a crash of it is a crash of ours.
    #[default]
    InProcess,
    /// In worker processes.
    #[cfg(unix)]
    Process(WorkerOptions),
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
    /// Paragraphs that a plugin may fail on before it is switched off for the run. Default: 10.
    pub max_failures: usize,
}

impl Loader {
    /// A loader whose plugins' logs nobody hears.
    pub fn new(trust: Trust, isolation: Isolation) -> Self {
        Self { trust, isolation, log: Arc::new(|_, _, _| {}), max_failures: MAX_FAILURES }
    }

    /// The same loader, with `log` hearing the plugins' logs.
    #[must_use]
    pub fn with_log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// Makes a classifier of a plugin. The setup's folder is the plugin's own, whatever it was before.
    ///
    /// The classifier loses only the paragraphs that break the plugin, which are [`Output::fail`]ed, until there are
    /// too many of them: then the rest of the run fails, with the reason.
    ///
    /// # Errors
    /// When the plugin may not run, or cannot.
    pub fn load(&self, found: &Found, setup: &Setup<'_>) -> Result<Arc<dyn Classifier>, HostError> {
        let id = &found.manifest.id;
        let bytes = read_library(id, &found.library)?;
        let sha256 = sha256_hex(&bytes);
        found.check_may_run(&sha256, &self.trust)?;
        let setup = setup.clone().with_dir(&found.dir);
        let theses = setup.taxonomy.len();
        let (log, name) = (Arc::clone(&self.log), id.clone());
        let log = move |level: Level, line: &str| log(&name, level, line);
        match &self.isolation {
            Isolation::InProcess => {
                let entry = load(&bytes, &found.library)?;
                check_agreement(&entry, &found.manifest, &found.library)?;
                let plugin = Foreign::create(entry, &setup, Arc::new(log))
                    .map_err(|error| HostError::Create { id: id.clone(), error })?;
                Ok(self.finish(found, InProcess { plugin, theses }))
            }
            #[cfg(unix)]
            Isolation::Process(options) => {
                let Found { dir, library, source: manifest, .. } = found;
                let plugin = worker::Plugin { id, library, sha256: &sha256, dir, manifest };
                let load = frame::Load::new(plugin, &setup, options);
                let listener = Arc::new(Listener { log: Arc::new(log), printed: AtomicUsize::new(0) });
                Ok(self.finish(found, Pool::start(options.clone(), load, theses, listener)?))
            }
        }
    }

    fn finish(&self, found: &Found, plugin: impl Attempt + 'static) -> Arc<dyn Classifier> {
        let thresholds = found.manifest.thresholds.clone().unwrap_or_else(|| plugin.thresholds());
        Arc::new(Bisect::new(plugin, thresholds, self.max_failures))
    }
}

struct InProcess {
    plugin: Foreign,
    theses: usize,
}

impl Attempt for InProcess {
    fn attempt(&self, part: &Batch<'_>, _: f64) -> Result<Output, Setback> {
        let mut out = Output::new(part.len(), self.theses);
        self.plugin.classify(part, &mut out)?;
        Ok(out)
    }

    fn thresholds(&self) -> Thresholds {
        self.plugin.thresholds()
    }
}
