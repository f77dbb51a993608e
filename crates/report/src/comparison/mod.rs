//! `compare`: how systems agree and differ where nobody knows the answer, one file a format.

mod page;
mod table;

pub use page::comparison_html;
pub use table::comparison_table;

use lundian_eval::Comparison;
use lundian_eval::gold::ToLabel;

use crate::format::{Look, ReportFormat, json};

/// Writes a comparison. The paragraphs to label are its disagreements with their text: pages show them.
pub type WriteComparison = fn(&Comparison, &[ToLabel<'_>], &Look<'_>) -> String;

/// Every output format of `compare`.
pub const COMPARISON_FORMATS: &[ReportFormat<WriteComparison>] = &[
    ReportFormat {
        name: "table",
        endings: &["txt"],
        doc: "for reading in a terminal: votes, agreement, where systems disagree most",
        write: |comparison, to_label, look| {
            comparison_table(comparison, to_label, look.taxonomy, look.color, look.width)
        },
    },
    ReportFormat {
        name: "json",
        endings: &["json"],
        doc: "every figure, in keys that do not change",
        write: |comparison, _, _| json(comparison),
    },
    ReportFormat {
        name: "html",
        endings: &["html", "htm"],
        doc: "one self-contained page: agreement as a heat map, disagreements to browse",
        write: |comparison, to_label, look| comparison_html(comparison, to_label, look.taxonomy, look.lang),
    },
];
