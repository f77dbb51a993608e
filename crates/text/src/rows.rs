//! JSONL and CSV: one paragraph a row.
//!
//! The decision that matters: rows are read one by one and never collected, so that a file may be larger than memory.
//! A malformed row is told with its place, and the next one is read.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

use lundian_core::{Diagnostic, Document, Paragraph};
use serde_json::{Map, Value};

use crate::decode::Utf8Reader;
use crate::reader::{Format, Item, Options};
use crate::segment::stem;

/// Longest line of JSONL that is read: a file without line ends must not fill the memory.
const MAX_LINE: u64 = 64 << 20;

/// The paragraphs of one file of rows, in order.
pub(crate) struct Rows {
    /// The file as the user named it, for messages.
    path: String,
    /// Document of rows that name none.
    doc: String,
    stem: String,
    column: String,
    source: Source,
    pending: VecDeque<Item>,
    /// Paragraphs given out so far.
    count: usize,
    /// Document, section and text of the row before.
    before: (String, String, String),
}

/// The line that a row begins on, and what is in it.
type Row = (usize, Map<String, Value>);

enum Source {
    Json { input: Box<dyn BufRead + Send>, line: usize },
    Csv { input: Box<csv::Reader<Box<dyn Read + Send>>>, header: Vec<String> },
    Ended,
}

impl Rows {
    /// Begins to read `input`, the file that the user named `path`, with the id and the file stem of its document.
    /// Problems with the whole file come out as the first items.
    pub(crate) fn new(
        path: &str,
        (doc, stem): (&str, &str),
        input: Box<dyn Read + Send>,
        format: Format,
        options: &Options,
    ) -> Self {
        let mut rows = Self {
            path: path.to_owned(),
            doc: doc.to_owned(),
            stem: stem.to_owned(),
            column: options.text_column.clone(),
            source: Source::Ended,
            pending: VecDeque::new(),
            count: 0,
            before: Default::default(),
        };
        let decoded = match Utf8Reader::new(input) {
            Ok(Ok(decoded)) => decoded,
            Ok(Err(e)) => {
                rows.problem(
                    Diagnostic::error(path, e.to_string()).with_hint("save it as UTF-8 text, or leave it out"),
                );
                return rows;
            }
            Err(e) => {
                rows.problem(Diagnostic::error(path, format!("cannot be read: {e}")));
                return rows;
            }
        };
        if format == Format::Csv {
            rows.open_csv(Box::new(decoded));
        } else {
            rows.source = Source::Json { input: Box::new(BufReader::new(decoded)), line: 0 };
        }
        rows
    }

    fn open_csv(&mut self, input: Box<dyn Read + Send>) {
        let mut input = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header: Vec<String> = match input.headers() {
            Ok(header) => header.iter().map(|h| h.trim().to_owned()).collect(),
            Err(e) => {
                return self.problem(Diagnostic::error(&self.path, format!("cannot be read as CSV: {e}")).at_line(1));
            }
        };
        if header.iter().all(String::is_empty) {
            return self.problem(Diagnostic::warning(&self.path, "the file is empty"));
        }
        if !header.contains(&self.column) {
            let columns = listed(header.iter().map(String::as_str));
            let message = format!("there is no column {:?}; the columns are {columns}", self.column);
            let problem = Diagnostic::error(&self.path, message).at_line(1);
            return self.problem(problem.with_hint("name the column of the text with --text-column"));
        }
        self.source = Source::Csv { input: Box::new(input), header };
    }

    fn problem(&mut self, diagnostic: Diagnostic) {
        self.pending.push_back(Item::Diagnostic(diagnostic));
    }

    /// Reads one row; `None` at the end.
    fn row(&mut self) -> Option<Result<Row, Diagnostic>> {
        match &mut self.source {
            Source::Ended => None,
            Source::Json { input, line } => loop {
                let mut bytes = Vec::new();
                match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
                    Ok(0) => return None,
                    Ok(_) => *line += 1,
                    Err(e) => {
                        self.source = Source::Ended;
                        return Some(Err(Diagnostic::error(&self.path, format!("cannot be read: {e}"))));
                    }
                }
                if bytes.trim_ascii().is_empty() {
                    continue;
                }
                let line = *line;
                let row = json_row(&bytes, &self.path, line).map(|row| (line, row));
                if row.is_err() && line == 1 && matches!(bytes.trim_ascii(), [b'['] | [b'{'] | [b'[', b'{', ..]) {
                    // One message for the whole file in place of one for each of its lines.
                    self.source = Source::Ended;
                    let problem = Diagnostic::error(&self.path, "a JSON document, not one object a line").at_line(1);
                    return Some(Err(problem.with_hint("for an array: jq -c '.[]' FILE > FILE.jsonl")));
                }
                return Some(row);
            },
            Source::Csv { input, header } => {
                let mut record = csv::StringRecord::new();
                match input.read_record(&mut record) {
                    Ok(false) => None,
                    Ok(true) => {
                        let line = record.position().map_or(0, |p| p.line() as usize);
                        let row = header
                            .iter()
                            .zip(record.iter())
                            .map(|(key, value)| (key.clone(), Value::String(value.to_owned())))
                            .collect();
                        Some(Ok((line, row)))
                    }
                    Err(e) => {
                        let line = e.position().map_or(0, |p| p.line() as usize);
                        // Damage to the stream itself would come back for ever.
                        if e.is_io_error() {
                            self.source = Source::Ended;
                        }
                        Some(Err(Diagnostic::error(&self.path, format!("cannot be read as CSV: {e}")).at_line(line)))
                    }
                }
            }
        }
    }

    fn paragraph(&mut self, line: usize, mut row: Map<String, Value>) -> Result<Paragraph, Diagnostic> {
        let text = match row.shift_remove(&self.column) {
            Some(Value::String(text)) => text,
            Some(_) => {
                let problem = Diagnostic::error(&self.path, format!("{:?} is not a string", self.column)).at_line(line);
                return Err(problem.with_hint("put the paragraph there, in quotation marks"));
            }
            None => {
                let keys = listed(row.keys().map(String::as_str));
                let message = format!("there is no {:?}; the keys are {keys}", self.column);
                let problem = Diagnostic::error(&self.path, message).at_line(line);
                return Err(problem.with_hint("name the key of the text with --text-column"));
            }
        };
        if text.trim().is_empty() {
            return Err(Diagnostic::warning(&self.path, "the text of this row is empty").at_line(line));
        }
        let mut take = |key: &str| match row.get(key) {
            Some(Value::String(_) | Value::Number(_)) => match row.shift_remove(key) {
                Some(Value::String(s)) => Some(s),
                Some(other) => Some(other.to_string()),
                None => None,
            },
            Some(Value::Null) => {
                row.shift_remove(key);
                None
            }
            // What is no plain value means something else to its owner, and is passed through.
            _ => None,
        };
        let id = take("id").filter(|id| !id.is_empty());
        let doc = take("doc").filter(|d| !d.is_empty()).unwrap_or_else(|| self.doc.clone());
        let section = take("section").unwrap_or_default();
        let prev = take("prev");
        let (title, heading) = (take("title").unwrap_or_default(), take("heading").unwrap_or_default());
        let (author, date) = (take("author").unwrap_or_default(), take("date").unwrap_or_default());
        self.count += 1;
        let id = id.unwrap_or_else(|| format!("{}-{:04}", self.stem, self.count));
        let follows = self.before.0 == doc && self.before.1 == section;
        let prev = prev.unwrap_or_else(|| if follows { self.before.2.clone() } else { String::new() });
        self.before = (doc.clone(), section.clone(), text.clone());
        Ok(Paragraph {
            id,
            doc,
            text,
            title,
            section,
            heading,
            prev,
            author,
            date,
            source: None,
            duplicate_of: None,
            extra: row,
        })
    }
}

impl Iterator for Rows {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(item) = self.pending.pop_front() {
            return Some(item);
        }
        Some(match self.row()?.and_then(|(line, row)| self.paragraph(line, row)) {
            Ok(paragraph) => Item::Paragraph(paragraph),
            Err(problem) => Item::Diagnostic(problem),
        })
    }
}

/// The first few of `names`, each as far as anybody reads it.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 20;
    let mut names = names.map(|name| name.chars().take(40).collect::<String>());
    let mut list = names.by_ref().take(MOST).collect::<Vec<_>>().join(", ");
    if names.next().is_some() {
        list.push_str(", ...");
    }
    list
}

/// One line of JSONL as an object.
fn json_row(bytes: &[u8], path: &str, line: usize) -> Result<Map<String, Value>, Diagnostic> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let column = String::from_utf8_lossy(&bytes[..e.valid_up_to()]).chars().count() + 1;
        Diagnostic::error(path, "this line is not UTF-8")
            .at_line(line)
            .at_column(column)
            .with_hint("save the file as UTF-8")
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Err(Diagnostic::error(path, "this line is JSON, but not an object")
            .at_line(line)
            .with_hint("write one object a line: {\"id\": ..., \"text\": ...}")),
        Err(e) => {
            let start = text.split('\n').take(e.line().saturating_sub(1)).map(|l| l.len() + 1).sum::<usize>();
            let at = (start + e.column().saturating_sub(1)).min(text.len());
            let column = text.char_indices().take_while(|(i, _)| *i < at).count() + 1;
            // serde_json counts lines within the one that it was given.
            let what = e.to_string();
            let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
            Err(Diagnostic::error(path, format!("malformed JSON: {what}"))
                .at_line(line)
                .at_column(column)
                .with_hint("write one object a line: {\"id\": ..., \"text\": ...}"))
        }
    }
}

/// All rows of a file in memory as one document.
pub(crate) fn document(id: &str, bytes: &[u8], format: Format, options: &Options) -> (Document, Vec<Diagnostic>) {
    let mut document = Document { id: id.to_owned(), ..Document::default() };
    let mut diagnostics = Vec::new();
    let mut texts = crate::reader::Texts::default();
    let input: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(bytes.to_vec()));
    for item in Rows::new(id, (id, stem(id)), input, format, options) {
        match item {
            Item::Paragraph(mut p) => {
                p.duplicate_of = texts.first_with(&p);
                document.paragraphs.push(p);
            }
            Item::Diagnostic(d) => diagnostics.push(d),
        }
    }
    (document, diagnostics)
}
