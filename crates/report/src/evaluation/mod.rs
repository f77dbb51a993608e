//! `evaluate`: systems scored against labelled samples, one file a format.

mod page;
mod table;

pub use page::evaluation_html;
pub use table::evaluation_table;

use lundian_core::Sample;
use lundian_eval::Evaluation;

use crate::format::{Look, ReportFormat, json};

/// Writes an evaluation. The samples are those that were scored: pages show their text.
pub type WriteEvaluation = fn(&Evaluation, &[Sample], &Look<'_>) -> String;

/// Every output format of `evaluate`.
pub const EVALUATION_FORMATS: &[ReportFormat<WriteEvaluation>] = &[
    ReportFormat {
        name: "table",
        endings: &["txt"],
        doc: "for reading in a terminal: systems, theses, differences",
        write: |evaluation, _, look| evaluation_table(evaluation, look.taxonomy, look.color, look.width),
    },
    ReportFormat {
        name: "json",
        endings: &["json"],
        doc: "every figure, in keys that do not change",
        write: |evaluation, _, _| json(evaluation),
    },
    ReportFormat {
        name: "html",
        endings: &["html", "htm"],
        doc: "one self-contained page: figures with intervals, curves, errors to browse",
        write: |evaluation, samples, look| evaluation_html(evaluation, samples, look.taxonomy, look.lang),
    },
];
