//! One JSON object a paragraph.

use std::io::{self, Write};

use lundian_runner::{Decision, Labelled, Summary};

use super::record::record;
use super::{Context, FormatEntry, LabelWriter};

pub(super) const ENTRY: FormatEntry = FormatEntry {
    name: "jsonl",
    endings: &["jsonl", "ndjson"],
    doc: "one JSON object a paragraph",
    open: |out, context| Ok(Box::new(Jsonl { out, context })),
};

struct Jsonl<'a> {
    out: Box<dyn Write + 'a>,
    context: Context<'a>,
}

impl LabelWriter for Jsonl<'_> {
    fn row(&mut self, row: &Labelled, _scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &record(&self.context, row, labels))?;
        self.out.write_all(b"\n")
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.out.flush()
    }
}
