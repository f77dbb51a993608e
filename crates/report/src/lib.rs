//! Writes results for people and programs: one file a format.
//!
//! The decision that matters: a format is a stream. Each writer gets one paragraph after another and keeps at most what
//! its summary needs, so that the formats for programs run in constant memory.

mod agreement;
mod comparison;
mod evaluation;
mod figures;
mod format;
mod html;
mod labels;
mod offsets;
mod segments;
mod table;
mod training;

pub use agreement::{AGREEMENT_FORMATS, WriteAgreement, agreement_table};
pub use comparison::{COMPARISON_FORMATS, WriteComparison, comparison_html, comparison_table};
pub use evaluation::{EVALUATION_FORMATS, WriteEvaluation, evaluation_html, evaluation_table};
pub use format::{Look, ReportFormat};
pub use html::Lang;
pub use labels::{Context, FORMATS, FormatEntry, LabelWriter, Open, SystemInfo, find_format, format_of_path};
pub use offsets::CodePoints;
pub use segments::{SEGMENT_FORMATS, SegmentFormat, SegmentWriter};
pub use table::{Align, Column, Table};
pub use training::{TrainingPoint, training_html};
