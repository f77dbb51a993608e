//! `lundian.toml`: the settings that a project keeps. Flags win over it.
//!
//! A file found in the working directory may have come with the documents, so it cannot name folders to load native code
//! from; that takes a flag, the environment or the user's own data directory, and the user's trust besides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lundian_core::Taxonomy;
use lundian_runner::System;
use serde::Deserialize;

use crate::cli::Global;

/// The name looked for in the working directory.
const FILE: &str = "lundian.toml";

/// Settings with their file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    pub(crate) taxonomy: Option<PathBuf>,
    pub(crate) plugins: Vec<String>,
    pub(crate) aggregate: Option<String>,
    pub(crate) ensemble: Option<PathBuf>,
    pub(crate) threshold: Option<f32>,
    pub(crate) threads: Option<usize>,
    pub(crate) format: Option<String>,
    pub(crate) text_column: Option<String>,
    /// Settings of a plugin, by its name.
    pub(crate) plugin: BTreeMap<String, toml::Table>,
    /// Never allowed; here to say why.
    plugin_dir: Option<toml::Value>,
    /// The settings file itself.
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Config {
    /// Reads the file that `--config` names, or `lundian.toml` of the working directory if there is one.
    pub(crate) fn load(global: &Global) -> anyhow::Result<Self> {
        let path = match &global.config {
            Some(path) => path.clone(),
            None if Path::new(FILE).is_file() => PathBuf::from(FILE),
            None => return Ok(Self::default()),
        };
        let source = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let mut config: Self =
            toml::from_str(&source).map_err(|e| anyhow::anyhow!("{}: {}", path.display(), e.to_string().trim_end()))?;
        if config.plugin_dir.is_some() {
            bail!(
                "{}: plugin-dir cannot stand in a settings file, which could make foreign code load; \
                 use --plugin-dir or LUNDIAN_PLUGIN_PATH",
                path.display()
            );
        }
        if let Some(t) = config.threshold {
            check_threshold(t).with_context(|| format!("{}: threshold", path.display()))?;
        }
        // Paths in the file are relative to it, not to where the program was started.
        if let Some(folder) = path.parent() {
            for file in [&mut config.taxonomy, &mut config.ensemble].into_iter().flatten() {
                *file = folder.join(&*file);
            }
        }
        config.file = Some(path);
        Ok(config)
    }

    /// The folder of the settings file, which paths in it are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// Files besides the input that a run of `systems` depends on, for its manifest: the settings file, what aggregates
    /// have learned, and what the settings of the systems name, such as rule packs and the files of a model.
    pub(crate) fn files(&self, ensemble: Option<&Path>, systems: &[System]) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.file.iter().cloned().collect();
        files.extend(ensemble.or(self.ensemble.as_deref()).map(Path::to_owned));
        for table in systems.iter().filter_map(|s| self.plugin.get(&s.name)) {
            add_files(&toml::Value::Table(table.clone()), self.folder(), &mut files);
        }
        files
    }

    /// The taxonomy: the flag's, else the file's, else the embedded one.
    pub(crate) fn taxonomy(&self, global: &Global) -> anyhow::Result<Taxonomy> {
        let Some(path) = global.taxonomy.as_ref().or(self.taxonomy.as_ref()) else {
            return Ok(Taxonomy::china_economy());
        };
        let source = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        Taxonomy::from_toml(&source).with_context(|| path.display().to_string())
    }

    /// The settings of the plugin `name` as JSON; null if there are none.
    pub(crate) fn plugin_settings(&self, name: &str) -> anyhow::Result<serde_json::Value> {
        self.plugin.get(name).map_or(Ok(serde_json::Value::Null), |table| Ok(serde_json::to_value(table)?))
    }
}

/// Adds the files that strings in `value` name, relative to `folder`; of a folder, those that it holds.
fn add_files(value: &toml::Value, folder: &Path, files: &mut Vec<PathBuf>) {
    match value {
        toml::Value::String(name) if !name.is_empty() => {
            let path = folder.join(name);
            if path.is_file() {
                files.push(path);
            } else if let Ok(entries) = std::fs::read_dir(&path) {
                let mut held: Vec<PathBuf> =
                    entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
                held.sort_unstable();
                files.append(&mut held);
            }
        }
        toml::Value::Array(values) => values.iter().for_each(|v| add_files(v, folder, files)),
        toml::Value::Table(table) => table.values().for_each(|v| add_files(v, folder, files)),
        _ => {}
    }
}

/// Refuses a threshold that no score could be compared with.
pub(crate) fn check_threshold(threshold: f32) -> anyhow::Result<f32> {
    if (0.0..=1.0).contains(&threshold) { Ok(threshold) } else { bail!("{threshold} is not between 0 and 1") }
}

/// [`check_threshold`] for the command line.
pub(crate) fn parse_threshold(word: &str) -> Result<f32, String> {
    word.parse::<f32>().map_err(|e| e.to_string()).and_then(|t| check_threshold(t).map_err(|e| e.to_string()))
}
