//! The words that every part of Lundian shares: taxonomy, document, paragraph, scores, evidence and the
//! [`Classifier`] trait.
//!
//! The decision that matters: this crate does no input or output and names no particular thesis. Everything that
//! knows about files, shared libraries, terminals or statistics sits above it.

mod classifier;
mod diagnostic;
mod document;
mod output;
mod sample;
mod taxonomy;
mod thresholds;

pub use classifier::{Batch, Cancel, Classifier, ClassifierError, Kind, Setup, Unit};
pub use diagnostic::Diagnostic;
pub use document::{Document, Paragraph, SourceRange};
pub use output::{Evidence, Failure, Output, OutputError};
pub use sample::{Label, Role, RoleScores, Sample, Stance};
pub use taxonomy::{Family, Names, Taxonomy, TaxonomyError, Thesis};
pub use thresholds::Thresholds;
