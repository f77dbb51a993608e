//! What can be wrong with a plugin, each with its own words: what is wrong, where, and what to type next.

use std::path::PathBuf;

use lundian_core::ClassifierError;
use lundian_plugin::border::{EntryError, abi};

use crate::{ManifestError, SignatureError};

/// Why a plugin cannot be found, trusted or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The plugin's description is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A folder without a `plugin.toml`.
    #[error("{}: there is no plugin.toml in it", dir.display())]
    NoManifest {
        /// The folder.
        dir: PathBuf,
    },
    /// The library is not where the manifest says.
    #[error("{}: the library of plugin {id:?} is not there: build it, or name it under `library` in plugin.toml", path.display())]
    NoLibrary {
        /// Id of the plugin.
        id: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// The library is not one, or not for this machine.
    #[error("{}: not a shared library for this machine: {reason}", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// The library ends too early.
    #[error("{}: truncated: it has {found} bytes and should have {expected} or more; copy or build it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that it has.
        found: u64,
        /// Bytes that its own headers speak of.
        expected: u64,
    },
    /// A shared library, but not of a plugin.
    #[error("{}: a shared library, but not a plugin: it does not export `{}`", path.display(), abi::ENTRY_SYMBOL)]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// The library's entry cannot be used: wrong magic, other ABI, too small, functions missing.
    #[error("{}: {error}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: EntryError,
    },
    /// The manifest is for another ABI.
    #[error("plugin {id:?} is for plugin ABI {found}, this program speaks ABI {}: rebuild it", abi::ABI_MAJOR)]
    Abi {
        /// Id of the plugin.
        id: String,
        /// `abi` of the manifest.
        found: u16,
    },
    /// The manifest does not say which bytes it describes.
    #[error("{}: there is no sha256 in it: run `lundian plugin add {}`", path.display(), path.parent().unwrap_or(path).display())]
    NoHash {
        /// The manifest.
        path: PathBuf,
    },
    /// The library is not the one that the manifest describes.
    #[error(
        "{}: its bytes have changed since plugin {id:?} was added (sha256 {found:.12}..., was {expected:.12}...): if that was you, run `lundian plugin add {}` again",
        path.display(),
        path.parent().unwrap_or(path).display()
    )]
    Changed {
        /// Id of the plugin.
        id: String,
        /// The library.
        path: PathBuf,
        /// The hash that was recorded.
        expected: String,
        /// The hash of the bytes.
        found: String,
    },
    /// The user has not said that this library may run.
    #[error("plugin {id:?} is not trusted: look at it, then run `lundian plugin add {}`", dir.display())]
    NotTrusted {
        /// Id of the plugin.
        id: String,
        /// Its folder.
        dir: PathBuf,
    },
    /// What should be a public key is none.
    #[error(
        "{key:?} is no public key of minisign ({reason}): give the key itself, RW..., or a file with it, such as minisign.pub"
    )]
    PublicKey {
        /// What was given.
        key: String,
        /// Why it is none.
        reason: String,
    },
    /// The library is not signed as the user asks.
    #[error("plugin {id:?} is not signed by {key}: {error}")]
    Signature {
        /// Id of the plugin.
        id: String,
        /// The key.
        key: String,
        /// What is wrong.
        error: SignatureError,
    },
    /// The library is not signed as the one was that was added before.
    #[error(
        "plugin {id:?} was added as signed by {key}, and only what that key signs may take its place, but {error}; if you mean to trust something else, run `lundian plugin remove {id}` first"
    )]
    Pinned {
        /// Id of the plugin.
        id: String,
        /// The key.
        key: String,
        /// What is wrong.
        error: SignatureError,
    },
    /// The library says one thing of itself and `plugin.toml` another.
    #[error("{}: plugin.toml says `{key} = {beside}`, the library itself says `{key} = {inside}`: one of them is not what it claims", path.display())]
    Disagreement {
        /// The library.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value in `plugin.toml`.
        beside: String,
        /// Its value in the library.
        inside: String,
    },
    /// Another user could change the plugin, or the list of what is trusted.
    #[error("{}: other users can write to it: run `chmod go-w {}`", path.display(), path.display())]
    Writable {
        /// The file or folder.
        path: PathBuf,
    },
    /// The list of trusted plugins cannot be read.
    #[error("{}: {reason}", path.display())]
    TrustFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nowhere to keep the user's own files.
    #[error("no home folder: set HOME, or XDG_CONFIG_HOME and XDG_DATA_HOME to absolute paths")]
    NoHome,
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The plugin's worker process is of no use.
    #[error("plugin {id:?}: its worker process {message}")]
    Worker {
        /// Id of the plugin.
        id: String,
        /// What happened to it.
        message: String,
    },
    /// A worker process found that the library cannot be used: the message of one of the other errors.
    #[error("{message}")]
    Unusable {
        /// The message.
        message: String,
    },
    /// The plugin could not be made.
    #[error("plugin {id:?}: {error}")]
    Create {
        /// Id of the plugin.
        id: String,
        /// What it says.
        error: ClassifierError,
    },
}

impl HostError {
    /// For `map_err` on file operations.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}
