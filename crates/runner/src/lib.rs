//! Runs several classifiers over a stream of paragraphs and combines what they say.
//!
//! The decision that matters: the runner sees nothing but [`lundian_core::Classifier`]. Whether a classifier is linked
//! in, loaded from a shared library or lives in another process is not its business, so neither is any of their faults:
//! a classifier that fails costs its own scores and nothing else.

pub mod aggregate;
mod clause;
mod decide;
mod gate;
mod pipeline;
mod system;

pub use decide::{Decision, EvidenceSpan, Judge, MAX_EVIDENCE, Why, evidence_for, explain, mean_role};
pub use gate::Gate;
pub use pipeline::{
    Labelled, Options, RunError, Span, StageSummary, Summary, SystemSummary, Verdict, run, stages_in_words,
};
pub use system::System;
