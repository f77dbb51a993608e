//! Dictionaries of other programs, read into categories of terms.
//!
//! The decision that matters: all formats become one flat list of categories, each with the names of those that it lies
//! in, since all that is done with a category is to map it to a thesis. A line that makes no sense costs itself, not the
//! file.

mod lexicoder;
mod liwc;
mod mapping;
mod pack;
mod pattern;
mod wordstat;
mod yaml;
mod yoshikoder;

use std::collections::HashMap;
use std::path::Path;

use lundian_core::Diagnostic;

pub use mapping::{Mapping, MappingError};
pub use pack::{PackError, PackOptions, pack_from_dictionary};

/// More messages than anybody reads.
const MESSAGES: usize = 100;
/// Categories within categories; deeper ones are no dictionary.
const DEPTH: usize = 64;
/// Characters of the name of a category, of which each category within it keeps a copy.
const NAME: usize = 200;

/// A format of dictionaries.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Format {
    /// Its name, for messages and flags.
    pub name: &'static str,
    /// Endings of its files, without the dot.
    pub endings: &'static [&'static str],
    /// What it is, in a line.
    pub doc: &'static str,
    read: fn(&str, &mut Reader<'_>),
}

/// The formats. A new one is a file and a line here.
pub const FORMATS: &[Format] = &[
    Format { name: "quanteda", endings: &["yml", "yaml"], doc: "YAML, as quanteda writes it", read: yaml::read },
    Format { name: "liwc", endings: &["dic"], doc: "LIWC: a legend between % lines, then words", read: liwc::read },
    Format { name: "lexicoder", endings: &["lc3"], doc: "Lexicoder 3: +category, then terms", read: lexicoder::read },
    Format { name: "wordstat", endings: &["cat"], doc: "WordStat: an indented outline", read: wordstat::read },
    Format { name: "yoshikoder", endings: &["ykd"], doc: "Yoshikoder: XML", read: yoshikoder::read },
];

/// Categories of terms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dictionary {
    /// The file, as the user named it.
    pub path: String,
    /// Name of its format.
    pub format: &'static str,
    /// Its categories, in the order of the file; some may have no terms of their own.
    pub categories: Vec<Category>,
}

/// A category of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Category {
    /// Names from the outermost category to this one; at least one.
    pub names: Vec<String>,
    /// Line on which it begins, counted from 1.
    pub line: usize,
    /// Its terms, as written, wildcards included.
    pub terms: Vec<Term>,
}

impl Category {
    /// The names with dots between them, as quanteda writes them.
    pub fn path(&self) -> String {
        self.names.join(".")
    }
}

/// A term of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Term {
    /// The term, wildcards included.
    pub pattern: String,
    /// Its line, counted from 1.
    pub line: usize,
}

/// Why a dictionary cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DictionaryError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Its bytes are no text.
    #[error("{path}: {error}")]
    Decode {
        /// The file.
        path: String,
        /// Why.
        error: lundian_text::DecodeError,
    },
    /// Its name does not say what it is.
    #[error("{path}: its ending is none of a dictionary's (.yml, .yaml, .dic, .lc3, .cat, .ykd): rename it")]
    Format {
        /// The file.
        path: String,
    },
}

impl Dictionary {
    /// Reads a dictionary, whose format is told by the ending of its name. Messages are about lines that were left out.
    ///
    /// # Errors
    /// When there is no such file, or it is not text, or its name does not tell the format.
    pub fn read(path: &Path) -> Result<(Self, Vec<Diagnostic>), DictionaryError> {
        let shown = path.display().to_string();
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let Some(format) = FORMATS.iter().find(|f| f.endings.contains(&ending.as_str())) else {
            return Err(DictionaryError::Format { path: shown });
        };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return Err(DictionaryError::Io { path: shown, error }),
        };
        match lundian_text::decode(&bytes) {
            Ok(source) => Ok(Self::parse(format, &shown, &source)),
            Err(error) => Err(DictionaryError::Decode { path: shown, error }),
        }
    }

    /// Reads a dictionary from text; `path` is for messages.
    pub fn parse(format: &Format, path: &str, source: &str) -> (Self, Vec<Diagnostic>) {
        let mut reader = Reader { path, categories: Vec::new(), known: HashMap::new(), diagnostics: Vec::new() };
        (format.read)(source, &mut reader);
        if reader.categories.iter().all(|c| c.terms.is_empty()) && !reader.diagnostics.iter().any(|d| d.error) {
            let d = Diagnostic::error(path, format!("no terms in this {} dictionary", format.name));
            reader.diagnostics.push(d.with_hint(format!("it should be {}", format.doc)));
        }
        let Reader { categories, diagnostics, .. } = reader;
        (Self { path: path.to_owned(), format: format.name, categories }, diagnostics)
    }
}

/// What a format's reader fills.
struct Reader<'a> {
    path: &'a str,
    categories: Vec<Category>,
    /// Number of each category, by its names.
    known: HashMap<Vec<String>, usize>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Begins a category within `parent`; returns its number. One that was there before is continued.
    fn category(&mut self, parent: Option<usize>, name: &str, line: usize) -> usize {
        let mut names = parent.map_or_else(Vec::new, |p| self.categories[p].names.clone());
        names.push(clean(name).chars().take(NAME).collect());
        let next = self.categories.len();
        let category = *self.known.entry(names.clone()).or_insert(next);
        if category == next {
            self.categories.push(Category { names, line, terms: Vec::new() });
        }
        category
    }

    fn term(&mut self, category: usize, pattern: &str, line: usize) {
        let pattern = clean(pattern);
        if !pattern.is_empty() {
            self.categories[category].terms.push(Term { pattern, line });
        }
    }

    /// Something that was left out.
    fn skipped(&mut self, line: usize, message: impl Into<String>, hint: &str) {
        if self.diagnostics.len() < MESSAGES {
            let d = Diagnostic::warning(self.path, message).at_line(line);
            self.diagnostics.push(if hint.is_empty() { d } else { d.with_hint(hint) });
        }
    }

    /// Something that ends the reading.
    fn broken(&mut self, line: usize, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(self.path, message).at_line(line));
    }
}

/// `text` without control characters, and with single spaces.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The categories that are open in an indented outline.
#[derive(Default)]
struct Outline(Vec<(usize, usize)>);

impl Outline {
    /// The category that a line with this indentation lies in; those that it closes are closed.
    fn parent(&mut self, indent: usize) -> Option<usize> {
        while self.0.last().is_some_and(|(of_last, _)| *of_last >= indent) {
            self.0.pop();
        }
        self.0.last().map(|(_, category)| *category)
    }

    fn open(&mut self, indent: usize, category: usize) {
        self.0.push((indent, category));
    }

    fn depth(&self) -> usize {
        self.0.len()
    }
}

/// Indentation of a line: its leading tabs, or its leading spaces if it has no tabs.
fn indentation(line: &str) -> usize {
    let blank = &line[..line.len() - line.trim_start().len()];
    match blank.matches('\t').count() {
        0 => blank.chars().count(),
        tabs => tabs,
    }
}

#[cfg(test)]
mod tests;
