//! Finds, checks, trusts and loads plugins, and runs them here or in a worker process.
//!
//! The decision that matters: a plugin is data until the user says otherwise. [`discover`] reads `plugin.toml` files
//! and hashes libraries but runs nothing; [`Trust`] remembers, by the hash of its bytes, which libraries may run; and
//! [`Loader::load`] checks that hash on the very bytes that it loads. What comes out is a
//! [`Classifier`](lundian_core::Classifier) like any other: nobody downstream can tell where it runs.

mod bisect;
#[cfg(unix)]
mod conform;
mod discover;
mod error;
mod load;
mod manifest;
mod native;
mod place;
mod signature;
mod trust;
#[cfg(unix)]
pub mod worker;

#[cfg(unix)]
pub use conform::{CHECKS, Check, CheckResult, Conformance, Outcome};
pub use discover::{Found, PATH_VARIABLE, State, discover, search_dirs};
pub use error::HostError;
pub use load::{Isolation, Loader, Log};
pub use lundian_plugin::border::{EntryError, Level};
pub use manifest::{MANIFEST_FILE, Manifest, ManifestError};
pub use native::sha256_hex;
pub use place::Home;
pub use signature::{PublicKey, SignatureError};
pub use trust::{Candidate, Trust, Trusted};
#[cfg(unix)]
pub use worker::{Sandbox, WorkerOptions, worker_main};
