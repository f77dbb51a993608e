//! Paragraphs without labels, the output of `segment`.

use std::io::{self, Write};

use lundian_core::Paragraph;
use serde_json::Value;

use crate::labels::record::paragraph_record;

/// A format of `segment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFormat {
    /// For reading in a terminal.
    Table,
    /// One JSON object a paragraph.
    Jsonl,
    /// One JSON array.
    Json,
    /// A row a paragraph.
    Csv,
}

/// The words that `--format` takes, with their formats.
pub const SEGMENT_FORMATS: &[(&str, SegmentFormat)] = &[
    ("table", SegmentFormat::Table),
    ("jsonl", SegmentFormat::Jsonl),
    ("json", SegmentFormat::Json),
    ("csv", SegmentFormat::Csv),
];

const COLUMNS: [&str; 11] =
    ["id", "doc", "title", "section", "heading", "author", "date", "start", "end", "duplicate_of", "text"];

/// Writes paragraphs one after another.
pub struct SegmentWriter<'a> {
    inner: Inner<'a>,
    count: usize,
}

enum Inner<'a> {
    Table { out: Box<dyn Write + 'a>, place: (String, String, String) },
    Jsonl(Box<dyn Write + 'a>),
    Json(Box<dyn Write + 'a>),
    Csv(Box<csv::Writer<Box<dyn Write + 'a>>>),
}

impl<'a> SegmentWriter<'a> {
    /// Begins a listing.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn new(format: SegmentFormat, mut out: Box<dyn Write + 'a>) -> io::Result<Self> {
        let inner = match format {
            SegmentFormat::Table => Inner::Table { out, place: Default::default() },
            SegmentFormat::Jsonl => Inner::Jsonl(out),
            SegmentFormat::Json => {
                out.write_all(b"[")?;
                Inner::Json(out)
            }
            SegmentFormat::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(COLUMNS)?;
                Inner::Csv(Box::new(csv))
            }
        };
        Ok(Self { inner, count: 0 })
    }

    /// Writes one paragraph.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn row(&mut self, p: &Paragraph) -> io::Result<()> {
        match &mut self.inner {
            Inner::Table { out, place } => {
                let here = (p.doc.clone(), p.author.clone(), p.heading.clone());
                if *place != here {
                    let parts = [&p.doc, &p.title, &p.author, &p.heading];
                    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
                    writeln!(out, "\n{}", parts.join(" · "))?;
                    *place = here;
                }
                let number = p.id.rsplit('-').next().unwrap_or(&p.id);
                writeln!(out, "{number:>4}  {}", p.text.replace('\n', " "))?;
            }
            Inner::Jsonl(out) => {
                serde_json::to_writer(&mut *out, &record(p))?;
                out.write_all(b"\n")?;
            }
            Inner::Json(out) => {
                out.write_all(if self.count == 0 { b"\n" } else { b",\n" })?;
                serde_json::to_writer(&mut *out, &record(p))?;
            }
            Inner::Csv(csv) => {
                let (start, end) = p.source.map_or_else(Default::default, |s| (s.start.to_string(), s.end.to_string()));
                let first = p.duplicate_of.as_deref().unwrap_or_default();
                let cells =
                    [&p.id, &p.doc, &p.title, &p.section, &p.heading, &p.author, &p.date, &start, &end, first, &p.text];
                csv.write_record(cells)?;
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Ends the listing.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self.inner {
            Inner::Table { mut out, .. } | Inner::Jsonl(mut out) => out.flush(),
            Inner::Json(mut out) => {
                out.write_all(b"\n]\n")?;
                out.flush()
            }
            Inner::Csv(mut csv) => csv.flush(),
        }
    }
}

/// The paragraph's own keys and those of its input that mean nothing to us.
fn record(p: &Paragraph) -> Value {
    let mut map = paragraph_record(p);
    for (key, value) in &p.extra {
        if !map.contains_key(key) {
            map.insert(key.clone(), value.clone());
        }
    }
    Value::Object(map)
}
