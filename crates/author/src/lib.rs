//! What plugin authors use besides `lundian-plugin`: projects to start from, dictionaries as rule packs, the conformance
//! kit's report.
//!
//! The decision that matters: nothing here is part of running a plugin. The program calls it for `lundian plugin new` and
//! `lundian plugin check`, and leaves it alone otherwise.

#[cfg(unix)]
mod conformance;
pub mod dictionary;
mod scaffold;
mod text;

#[cfg(unix)]
pub use conformance::{CheckOptions, Report, Row, UnknownCheck, Verdict, check};
pub use scaffold::{Lang, ScaffoldError, ScaffoldOptions, find_checkout, scaffold, scaffold_dictionary};
