//! What a plugin author depends on: the words of `lundian-core`, the [`Plugin`] trait, [`export!`] and [`testing`].
//!
//! A plugin is a library crate with `crate-type = ["cdylib", "rlib"]`, a file `plugin.toml` beside its `Cargo.toml`
//! that says what it is, and code like this, which scores a thesis 1 where a paragraph says its Chinese name, and
//! shows where:
//!
//! ```
//! use lundian_plugin::{Batch, Classifier, ClassifierError, Output, Plugin, Setup, export};
//!
//! struct Names(Vec<String>);
//!
//! impl Plugin for Names {
//!     fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
//!         Ok(Self(setup.taxonomy.theses().iter().map(|t| t.name.zh.clone()).collect()))
//!     }
//! }
//!
//! impl Classifier for Names {
//!     fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
//!         for (row, unit) in batch.units.iter().enumerate() {
//!             for (thesis, name) in self.0.iter().enumerate() {
//!                 let Some(start) = unit.text.find(name) else { continue };
//!                 out.set(row, thesis, 1.0);
//!                 out.add_evidence(row, thesis, start..start + name.len(), 1.0);
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! export!(Names, manifest = "format = 1\nid = 'names'\nversion = '0.1.0'\nabi = 1");
//!
//! # let setup_taxonomy = lundian_plugin::Taxonomy::china_economy();
//! # let name = &setup_taxonomy.theses()[3].name.zh;
//! # let text = format!("有人说：{name}。");
//! # let out = lundian_plugin::testing::classify::<Names>(&[&text]).unwrap();
//! # assert_eq!((out.row(0)[3], out.evidence[0].range.start), (1.0, "有人说：".len()));
//! # assert!(out.row(0)[0].is_nan());
//! ```
//!
//! Real plugins write `export!(Names);`, which reads `plugin.toml`; the manifest stands inline here so that the
//! example is in one piece.
//!
//! # What a plugin promises
//!
//! - Scores are in [0, 1]; a thesis that it has no opinion on is left alone (NaN), which is not the same as 0.
//! - Roles, if it knows them ([`Output::set_role`]), are [`RoleScores`]: in the order of [`Role::ALL`], of sum 1.
//! - Evidence is in bytes of [`Unit::text`] as it came in, on character boundaries, with a weight in [0, 1].
//! - The answer for a paragraph depends on that paragraph and its context only: not on how paragraphs are batched, nor
//!   on the number of threads. `classify` may run on several threads at once.
//! - A paragraph that cannot be judged is [`Output::fail`]; an `Err` means the whole batch.
//! - A slow plugin asks `batch.cancel` now and then, and returns [`ClassifierError::Cancelled`].
//!
//! The host checks all of it. Panics are caught and reported as the error of the call.
//!
//! # Settings
//!
//! [`Setup::config`] reads the plugin's settings into a type of its own; [`Setup::dir`] is its folder, for model files.
//! Standard output is nobody's: it goes to the plugin's log in a worker process, and nowhere good elsewhere.

pub mod border;
pub mod testing;
pub mod training;

pub use lundian_core::*;
pub use serde_json;

/// A classifier that can be made from a [`Setup`].
pub trait Plugin: Classifier + Sized + 'static {
    /// Makes the classifier.
    ///
    /// # Errors
    /// When the settings or the plugin's own files are wrong.
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError>;
}

/// Makes a [`Plugin`] the plugin of this shared library: defines its one exported C function.
///
/// `export!(MyPlugin)` builds `plugin.toml`, which stands beside `Cargo.toml`, into the library;
/// `export!(MyPlugin, manifest = TEXT)` takes the text of the manifest from a constant expression. Use it once per
/// library. A crate that is also linked into a program as an rlib writes `#[cfg(feature = "export")]` before it and has
/// a cargo feature of that name, off by default: two plugins in one program would both define the function.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        $crate::export!($plugin, manifest = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml")));
    };
    ($plugin:ty, manifest = $manifest:expr) => {
        const _: () = {
            static ENTRY: $crate::border::abi::LundianEntry = $crate::border::entry::<$plugin>($manifest);

            // SAFETY: the name is the one that the host looks for; nothing else in a plugin defines it.
            #[unsafe(no_mangle)]
            extern "C" fn lundian_plugin() -> *const $crate::border::abi::LundianEntry {
                &ENTRY
            }
        };
    };
}

/// The guide for plugin authors, whose examples are tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins.md")]
struct Guide;
