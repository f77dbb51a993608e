//! Reports that are written at once, unlike labels, which are a stream: what a format is, and how it may look.

use std::path::Path;

use lundian_core::Taxonomy;

use crate::html::Lang;

/// How a report is to look.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Look<'a> {
    /// The theses.
    pub taxonomy: &'a Taxonomy,
    /// Whether to write colours (terminal formats only).
    pub color: bool,
    /// Columns of the terminal (terminal formats only).
    pub width: usize,
    /// Language of the words around the data (pages only).
    pub lang: Lang,
}

impl<'a> Look<'a> {
    /// Without colour, 100 columns wide, in English.
    pub fn new(taxonomy: &'a Taxonomy) -> Self {
        Self { taxonomy, color: false, width: 100, lang: Lang::En }
    }
}

/// One format of a report; `W` is the function that writes it.
#[derive(Clone, Copy, Debug)]
pub struct ReportFormat<W> {
    /// The word that `--format` takes.
    pub name: &'static str,
    /// The file endings that choose it.
    pub endings: &'static [&'static str],
    /// What it is, in a line.
    pub doc: &'static str,
    /// Writes the report.
    pub write: W,
}

impl<W> ReportFormat<W> {
    /// The format called `name`.
    pub fn find<'f>(formats: &'f [Self], name: &str) -> Option<&'f Self> {
        formats.iter().find(|f| f.name == name)
    }

    /// The format that the ending of `path` stands for.
    pub fn of_path<'f>(formats: &'f [Self], path: &Path) -> Option<&'f Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        formats.iter().find(|f| f.endings.contains(&ending.as_str()))
    }
}

/// A report as indented JSON that ends with a line break.
///
/// The reports are plain data with string keys, so that writing them to memory cannot fail.
pub(crate) fn json(report: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
