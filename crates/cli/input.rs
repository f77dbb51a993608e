//! Reading documents: paragraphs go on, diagnostics go to standard error.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use lundian_core::Paragraph;
use lundian_text::{Item, Options, Reader};

use crate::cli::Input;
use crate::config::Config;
use crate::output;

/// A stream of paragraphs that says what could not be read.
pub(crate) struct Paragraphs {
    reader: Reader,
    errors: Arc<AtomicUsize>,
}

impl Paragraphs {
    /// Opens the inputs.
    pub(crate) fn open(input: &Input, config: &Config) -> anyhow::Result<Self> {
        let mut options = Options::default();
        if let Some(column) = input.text_column.as_ref().or(config.text_column.as_ref()) {
            options.text_column.clone_from(column);
        }
        options.format = input.input_format.map(Into::into);
        Ok(Self { reader: lundian_text::read(&input.inputs, &options)?, errors: Arc::default() })
    }

    /// The files that will be read.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.reader.files().map(Path::to_owned).collect()
    }

    /// Counts the errors met so far, also after the stream has been handed on.
    pub(crate) fn errors(&self) -> ErrorCount {
        ErrorCount(Arc::clone(&self.errors))
    }
}

/// How many pieces of input were lost.
pub(crate) struct ErrorCount(Arc<AtomicUsize>);

impl ErrorCount {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if errors are all that there was.
    pub(crate) fn refuse_nothing(&self, paragraphs: usize) -> anyhow::Result<()> {
        if paragraphs == 0 && self.get() > 0 { bail!("none of the input could be read") } else { Ok(()) }
    }
}

impl Iterator for Paragraphs {
    type Item = Paragraph;

    fn next(&mut self) -> Option<Paragraph> {
        loop {
            match self.reader.next()? {
                Item::Paragraph(paragraph) => return Some(paragraph),
                Item::Diagnostic(diagnostic) => {
                    if diagnostic.error {
                        self.errors.fetch_add(1, Ordering::Relaxed);
                    }
                    output::say_diagnostic(&diagnostic);
                }
            }
        }
    }
}
