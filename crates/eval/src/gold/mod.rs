//! Label files: reading them into samples, and writing samples for people to label.
//!
//! A row says itself what it is: ours, doccano's and Label Studio's differ only in how labels are written, so one
//! reader takes them all, even mixed. A row with any fault is left out whole, since a sample that lost a label is
//! wrong; each fault becomes a [`Diagnostic`] with file, line and mend.

mod annotations;
mod book;
mod long_csv;
mod row;
mod span;
mod write;

use std::fs;
use std::io::Read;
use std::path::Path;

use lundian_core::{Diagnostic, Sample, Taxonomy};
use serde_json::value::RawValue;

use book::Book;
pub use write::{
    Proposal, ToLabel, doccano_row, label_studio_annotated, label_studio_config, label_studio_tasks, sample_row,
    unlabelled_row,
};

/// Reads a label file; `-` is standard input.
///
/// Formats, told apart by their content: our JSONL (DESIGN, section 6), doccano's JSONL export, Label Studio's JSON
/// export, and long CSV with the columns `task,worker,label` (optionally `text`, `doc`, `section`). Where several
/// annotators labelled a paragraph and nobody adjudicated, a thesis is taken as argued if more than half of them gave
/// it. Rows without an answer yet (`"labels": null`, a task without annotations) are left out with a remark.
///
/// Errors are diagnostics with `error` set; the samples that could be read come back all the same. If most labels are
/// of no thesis in `taxonomy`, the file is refused as a whole.
pub fn read_gold(path: &Path, taxonomy: &Taxonomy) -> (Vec<Sample>, Vec<Diagnostic>) {
    let name = path.display().to_string();
    let read = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(e) => {
            let fault = Diagnostic::error(name, format!("cannot be read: {e}"));
            return (Vec::new(), vec![fault.with_hint("give the path of a label file")]);
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => read_gold_str(&name, text, taxonomy),
        Err(e) => {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
            let fault = Diagnostic::error(name, "not UTF-8").at_line(line).with_hint("save the file as UTF-8");
            (Vec::new(), vec![fault])
        }
    }
}

/// Reads a label file that is already in memory; `name` stands for it in messages. See [`read_gold`].
pub fn read_gold_str(name: &str, text: &str, taxonomy: &Taxonomy) -> (Vec<Sample>, Vec<Diagnostic>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut book = Book::new(name, taxonomy);
    match text.trim_start().chars().next() {
        None => book.remark("there is nothing in it"),
        Some('[') => read_array(text, &mut book),
        Some('{') => {
            for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                row::read(line, i + 1, &mut book);
            }
        }
        Some(_) => long_csv::read(text, &mut book),
    }
    book.finish()
}

/// A JSON array of rows. Each is kept as a slice of `text`, so that its line is known.
fn read_array(text: &str, book: &mut Book<'_>) {
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(rows) => {
            let (mut line, mut from) = (1, 0);
            for raw in rows {
                let at = raw.get().as_ptr() as usize - text.as_ptr() as usize;
                line += text[from..at].bytes().filter(|b| *b == b'\n').count();
                from = at;
                row::read(raw.get(), line, book);
            }
        }
        Err(e) => book.not_json(&e, text, 0),
    }
}

#[cfg(test)]
mod tests;
