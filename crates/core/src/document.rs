//! Documents and their paragraphs, the units that are labelled.
//!
//! A paragraph carries its own context (title, heading, previous paragraph), so that it can be labelled, stored and
//! shuffled without its document.

use serde_json::{Map, Value};

/// A place in a document's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRange {
    /// First position, in Unicode code points of the decoded source (a byte-order mark is not counted).
    pub start: usize,
    /// One past the last position, in code points.
    pub end: usize,
}

/// One paragraph: the coding unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paragraph {
    /// Unique within a run.
    pub id: String,
    /// Id of the document that it comes from.
    pub doc: String,
    /// The text as found, with markup, links and line breaks resolved. Evidence offsets count its bytes.
    pub text: String,
    /// Title of the document; empty if unknown.
    pub title: String,
    /// One author's answer within the document, or another unit whose paragraphs belong together; empty if none.
    pub section: String,
    /// The nearest heading above; empty if none.
    pub heading: String,
    /// Text of the paragraph before it in the same section; empty if it is the first.
    pub prev: String,
    /// Author of the section or document; empty if unknown.
    pub author: String,
    /// Date of the section or document as written; empty if unknown.
    pub date: String,
    /// Where it stands in the decoded source; `None` for row input (JSONL, CSV).
    pub source: Option<SourceRange>,
    /// Id of the first paragraph of this run with exactly the same text, if this one repeats it.
    pub duplicate_of: Option<String>,
    /// Other keys of row input, passed through to the output untouched.
    pub extra: Map<String, Value>,
}

/// A document cut into paragraphs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Id of the document: its path as the user named it.
    pub id: String,
    /// Title; empty if unknown.
    pub title: String,
    /// Author of the whole; empty if unknown or if sections have authors of their own.
    pub author: String,
    /// Date as written; empty if unknown.
    pub date: String,
    /// Its paragraphs, in order.
    pub paragraphs: Vec<Paragraph>,
}
