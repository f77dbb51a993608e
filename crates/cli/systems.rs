//! The plugins of this program: those linked in, and those found in plugin folders.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use lundian_core::{Classifier, ClassifierError, Kind, Setup, Taxonomy};
use lundian_host::{Found, Home, Isolation, Loader, State, Trust, discover, search_dirs};
#[cfg(unix)]
use lundian_host::{Sandbox, WorkerOptions};
use lundian_linear::Linear;
use lundian_plugin::Plugin;
use lundian_rules::Rules;
use lundian_runner::aggregate::{Fitted, Panel};
use lundian_runner::{Options, System};
use serde::{Deserialize, Serialize};

use crate::cli::{Global, IsolationArgs, IsolationMode, SandboxMode, Systems};
use crate::config::Config;
use crate::output;

/// A plugin that is part of the program.
pub(crate) struct Bundled {
    /// The word that `--plugin` takes.
    pub(crate) name: &'static str,
    /// What sort of method it is.
    pub(crate) kind: Kind,
    /// What it is, in a line.
    pub(crate) doc: &'static str,
    /// Makes it.
    pub(crate) create: fn(&Setup<'_>) -> Result<Arc<dyn Classifier>, ClassifierError>,
}

fn create<P: Plugin>(setup: &Setup<'_>) -> Result<Arc<dyn Classifier>, ClassifierError> {
    Ok(Arc::new(P::create(setup)?))
}

/// The plugins that are part of the program.
pub(crate) const BUNDLED: &[Bundled] = &[
    Bundled {
        name: "rules",
        kind: Kind::Rules,
        doc: "hand-written rules; every label shows the words that gave it",
        create: create::<Rules>,
    },
    Bundled {
        name: "linear",
        kind: Kind::Linear,
        doc: "logistic regression over character n-grams",
        create: create::<Linear>,
    },
    #[cfg(feature = "transformer")]
    Bundled {
        name: "transformer",
        kind: Kind::Transformer,
        doc: "a fine-tuned multilingual encoder; slow",
        create: create::<lundian_transformer::Transformer>,
    },
];

/// What aggregates have learned for panels of bundled plugins, as files: at most one for a panel.
const ENSEMBLES: &[&str] = &[
    include_str!("../../models/ensemble/model.toml"),
    #[cfg(feature = "transformer")]
    include_str!("../../models/ensemble/with-transformer.toml"),
];

/// The plugins that are not part of the program, and what may run of them.
pub(crate) struct Installed {
    /// Where the user's own files are.
    pub(crate) home: Home,
    /// The list of what may run.
    pub(crate) trust: Trust,
    /// The folders that were searched.
    pub(crate) dirs: Vec<std::path::PathBuf>,
    /// What was found, by id.
    pub(crate) found: Vec<Found>,
}

impl Installed {
    /// Looks for plugins; runs none.
    pub(crate) fn find(global: &Global) -> anyhow::Result<Self> {
        let home = Home::from_env()?;
        let trust = Trust::read(&home)?;
        let dirs = search_dirs(&global.plugin_dir, &home);
        let (found, messages) = discover(&dirs, &trust);
        for message in messages {
            output::say_diagnostic(&message);
        }
        Ok(Self { home, trust, dirs, found })
    }

    fn get(&self, id: &str) -> Option<&Found> {
        self.found.iter().find(|f| f.manifest.id == id)
    }
}

/// First argument of the program when it starts itself as a worker.
pub(crate) const WORKER: &str = "__worker";

/// What a run is made of besides its input, for its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PluginRecord {
    name: String,
    kind: Kind,
    version: String,
    /// Hash of the library; what is bundled is covered by the hash of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    settings: serde_json::Value,
}

/// The systems of a run, and what is known of their plugins.
pub(crate) struct Built {
    pub(crate) systems: Vec<System>,
    pub(crate) plugins: Vec<PluginRecord>,
}

/// Makes the systems of a run: those that the flags name, else those that the settings name, else all that can be used.
pub(crate) fn build(systems: &Systems, global: &Global, config: &Config, taxonomy: &Taxonomy) -> anyhow::Result<Built> {
    let installed = Installed::find(global)?;
    let named = if systems.plugins.is_empty() { &config.plugins } else { &systems.plugins };
    let mut names: Vec<&str> = named.iter().map(String::as_str).collect();
    if names.is_empty() {
        let usable = installed.found.iter().filter(|f| f.state == State::Usable).map(|f| f.manifest.id.as_str());
        names = BUNDLED.iter().map(|b| b.name).chain(usable).collect();
    }
    let loader = loader(&installed.trust, &systems.isolation)?;
    let mut built = Built { systems: Vec::new(), plugins: Vec::new() };
    for name in names {
        if built.systems.iter().any(|s| s.name == name) {
            bail!("plugin {name:?} is named twice");
        }
        let settings = config.plugin_settings(name)?;
        let setup = Setup::new(taxonomy, &settings);
        let (kind, version, sha256, classifier) = if let Some(bundled) = BUNDLED.iter().find(|b| b.name == name) {
            let classifier =
                (bundled.create)(&setup.with_dir(config.folder())).with_context(|| format!("plugin {name}"))?;
            (bundled.kind, env!("CARGO_PKG_VERSION").to_owned(), None, classifier)
        } else if let Some(found) = installed.get(name) {
            let m = &found.manifest;
            (m.kind, m.version.clone(), found.sha256.clone(), loader.load(found, &setup)?)
        } else {
            bail!("there is no plugin {name:?}; `lundian plugin list` names them");
        };
        built.systems.push(System::new(name, kind, classifier));
        built.plugins.push(PluginRecord { name: name.to_owned(), kind, version, sha256, settings });
    }
    Ok(built)
}

/// How plugins that are not part of the program are run: in workers, unless the user says otherwise.
fn loader(trust: &Trust, isolation: &IsolationArgs) -> anyhow::Result<Loader> {
    #[cfg(unix)]
    let isolation = if isolation.isolation == IsolationMode::Process {
        let mut options = WorkerOptions::this_program([WORKER])?;
        options.workers = isolation.workers.max(1);
        options.deadline = Duration::from_secs(isolation.deadline.max(1));
        options.memory = Some(isolation.memory_mb.saturating_mul(1 << 20));
        options.sandbox = if isolation.sandbox == SandboxMode::On { Sandbox::On } else { Sandbox::Off };
        Isolation::Process(options)
    } else {
        Isolation::InProcess
    };
    #[cfg(not(unix))]
    let isolation = Isolation::InProcess;
    let log = Arc::new(|id: &str, _, line: &str| output::say(format_args!("{id}: {line}")));
    Ok(Loader::new(trust.clone(), isolation).with_log(log))
}

/// How the systems are run: with the threads that flag or settings say, stopped by Ctrl-C.
pub(crate) fn run_options(systems: &Systems, config: &Config) -> anyhow::Result<Options> {
    let mut options = Options::default();
    if let Some(threads) = systems.threads.or(config.threads) {
        options.threads = threads;
        // The transformer spreads a batch over threads of its own; they are to be no more, either. There are none yet.
        #[cfg(feature = "transformer")]
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
    }
    output::stop_on_interrupt(options.cancel.clone())?;
    Ok(options)
}

/// What aggregates have learned: the flag's file, else that of the settings, else what comes with the program for the
/// panel of this run, else nothing.
pub(crate) fn fitted(args: &Systems, config: &Config, panel: &Panel) -> anyhow::Result<Fitted> {
    let Some(path) = args.ensemble.as_ref().or(config.ensemble.as_ref()) else {
        return Ok(ensembles().find(|f| f.is_for(panel)).unwrap_or_else(|| Fitted::new(panel)));
    };
    let source = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    Fitted::from_toml(&source).with_context(|| path.display().to_string())
}

fn ensembles() -> impl Iterator<Item = Fitted> {
    ENSEMBLES.iter().map(|source| Fitted::from_toml(source).expect("the built-in parameters are checked by a test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_ensemble_is_for_another_panel_of_bundled_plugins() {
        let mut panels: Vec<Vec<String>> = ensembles().map(|f| f.panel).collect();
        for name in panels.iter().flatten() {
            assert!(BUNDLED.iter().any(|b| b.name == name), "{name}");
        }
        panels.iter_mut().for_each(|p| p.sort_unstable());
        panels.sort_unstable();
        panels.dedup();
        assert_eq!(panels.len(), ENSEMBLES.len());
    }
}
