//! Which plugins there are, and whether each may run. Reads files and hashes libraries; runs nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lundian_core::Diagnostic;
use lundian_plugin::border::abi;

use crate::native::{check_hash, check_private, read_library, sha256_hex};
use crate::{Home, HostError, MANIFEST_FILE, Manifest, Trust};

/// Variable with further folders to search, separated as in `PATH`.
pub const PATH_VARIABLE: &str = "LUNDIAN_PLUGIN_PATH";

/// Whether a plugin may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It may.
    Usable,
    /// The user has not said so.
    Untrusted,
    /// The library is not the one that was added.
    Changed,
    /// It cannot, whatever the user says; [`Found::problem`] says why.
    Broken,
}

impl State {
    /// A word for lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Untrusted => "untrusted",
            Self::Changed => "changed",
            Self::Broken => "broken",
        }
    }
}

/// A plugin that was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its library, absolute.
    pub library: PathBuf,
    /// Hash of the library's bytes, in hexadecimal; `None` if it cannot be read.
    pub sha256: Option<String>,
    /// Whether it may run.
    pub state: State,
    /// Why it may not.
    pub problem: Option<HostError>,
    /// Text of its manifest.
    pub(crate) source: String,
}

impl Found {
    /// Looks at the plugin in the folder `dir`.
    ///
    /// # Errors
    /// When there is no readable manifest. Everything else that is wrong becomes the [`problem`](Self::problem).
    pub fn at(dir: &Path, trust: &Trust) -> Result<Self, HostError> {
        let dir = std::path::absolute(dir).and_then(std::fs::canonicalize).map_err(HostError::io(dir))?;
        let (manifest, source) = read_manifest(&dir)?;
        let library = dir.join(manifest.library_file());
        let mut found = Self { manifest, dir, library, sha256: None, state: State::Usable, problem: None, source };
        if let Err(problem) = found.check(trust) {
            found.state = match problem {
                HostError::NotTrusted { .. } => State::Untrusted,
                HostError::Changed { .. } => State::Changed,
                _ => State::Broken,
            };
            found.problem = Some(problem);
        }
        Ok(found)
    }

    fn check(&mut self, trust: &Trust) -> Result<(), HostError> {
        let bytes = read_library(&self.manifest.id, &self.library)?;
        let found = self.sha256.insert(sha256_hex(&bytes)).clone();
        self.check_may_run(&found, trust)
    }

    /// Whether a library with the hash `found` may run as this plugin.
    pub(crate) fn check_may_run(&self, found: &str, trust: &Trust) -> Result<(), HostError> {
        let id = &self.manifest.id;
        if self.manifest.abi != abi::ABI_MAJOR {
            return Err(HostError::Abi { id: id.clone(), found: self.manifest.abi });
        }
        let manifest_file = self.dir.join(MANIFEST_FILE);
        for path in [&self.dir, &manifest_file, &self.library] {
            check_private(path)?;
        }
        let expected = self.manifest.sha256.as_deref().ok_or(HostError::NoHash { path: manifest_file })?;
        check_hash(id, &self.library, expected, found)?;
        if !trust.allows(found) {
            return Err(HostError::NotTrusted { id: id.clone(), dir: self.dir.clone() });
        }
        Ok(())
    }
}

/// The manifest in the folder `dir`, and its text.
pub(crate) fn read_manifest(dir: &Path) -> Result<(Manifest, String), HostError> {
    let path = dir.join(MANIFEST_FILE);
    let source = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => HostError::NoManifest { dir: dir.to_owned() },
        _ => HostError::Io { path: path.clone(), error },
    })?;
    Ok((Manifest::parse(&source, &path)?, source))
}

/// The folders that are searched, in order: those that the user named, those of `LUNDIAN_PLUGIN_PATH`, and the user's
/// data folder.
pub fn search_dirs(named: &[PathBuf], home: &Home) -> Vec<PathBuf> {
    let variable = std::env::var_os(PATH_VARIABLE).unwrap_or_default();
    let from_variable = std::env::split_paths(&variable).filter(|p| !p.as_os_str().is_empty());
    named.iter().cloned().chain(from_variable).chain([home.plugins()]).collect()
}

/// The plugins in `dirs`, sorted by id: each folder that holds a `plugin.toml`, and each folder directly below that
/// does. Where two have one id, the first folder wins. Messages are about manifests that cannot be read, plugins that
/// are hidden by others, and folders that cannot be listed; one that does not exist is no matter.
pub fn discover(dirs: &[PathBuf], trust: &Trust) -> (Vec<Found>, Vec<Diagnostic>) {
    let mut found: Vec<Found> = Vec::new();
    let mut messages = Vec::new();
    let mut seen: HashMap<String, PathBuf> = HashMap::new();
    for dir in dirs {
        for folder in plugin_folders(dir, &mut messages) {
            match Found::at(&folder, trust) {
                Ok(plugin) => match seen.get(&plugin.manifest.id) {
                    Some(first) if *first == plugin.dir => {}
                    Some(first) => {
                        let message = format!("plugin {:?} is hidden by {}", plugin.manifest.id, first.display());
                        messages.push(Diagnostic::warning(plugin.dir.display().to_string(), message));
                    }
                    None => {
                        seen.insert(plugin.manifest.id.clone(), plugin.dir.clone());
                        found.push(plugin);
                    }
                },
                Err(HostError::Manifest(e)) => messages.push(e.0),
                Err(HostError::Io { path, error }) => {
                    messages.push(Diagnostic::error(path.display().to_string(), error.to_string()));
                }
                Err(e) => messages.push(Diagnostic::error(folder.display().to_string(), e.to_string())),
            }
        }
    }
    found.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
    (found, messages)
}

fn plugin_folders(dir: &Path, messages: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    if dir.join(MANIFEST_FILE).is_file() {
        return vec![dir.to_owned()];
    }
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            folders.retain(|f| f.join(MANIFEST_FILE).is_file());
            folders.sort();
            folders
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            messages.push(Diagnostic::error(dir.display().to_string(), e.to_string()));
            Vec::new()
        }
    }
}
