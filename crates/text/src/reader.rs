//! Inputs as the user names them to a stream of paragraphs.
//!
//! The decision that matters: one input that cannot be read never stops the others. It comes out as a diagnostic in
//! its place in the stream; only if there is nothing at all to read is it an error of the whole.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::Read;
use std::path::{Path, PathBuf};

use lundian_core::{Diagnostic, Paragraph};

use crate::rows::Rows;
use crate::segment::{cut, stem};

/// A document's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Markdown, as people and programs write it.
    Markdown,
    /// A web page.
    Html,
    /// Text without markup.
    Plain,
    /// One JSON object a line, one paragraph an object.
    Jsonl,
    /// Comma-separated values with a header, one paragraph a row.
    Csv,
}

impl Format {
    /// The format that a file's ending stands for.
    pub fn of_path(path: &str) -> Option<Self> {
        let ending = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "md" | "markdown" | "mkd" => Self::Markdown,
            "html" | "htm" | "xhtml" | "shtml" => Self::Html,
            "txt" | "text" => Self::Plain,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            _ => return None,
        })
    }

    /// The format that a document seems to have, by how it begins. Text without a sign of another is Markdown: plain
    /// text reads the same as Markdown but for its marks.
    pub fn sniff(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(4096)];
        let head = String::from_utf8_lossy(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)).to_lowercase();
        let head = head.trim_start();
        let array = head.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'));
        if array || head.starts_with('{') && head.contains('"') {
            return Self::Jsonl;
        }
        let html = ["<!doctype html", "<html", "<head", "<body", "<article", "<div", "<p>", "<p "];
        if html.iter().any(|tag| head.starts_with(tag))
            || head.starts_with("<?xml") && head.contains("<html")
            || head.starts_with("<!--") && head.contains("<html")
        {
            return Self::Html;
        }
        Self::Markdown
    }

    /// True where a row is a paragraph.
    pub fn is_rows(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv)
    }
}

/// How inputs are read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Name of the column or key that holds the paragraph, in CSV and JSONL.
    pub text_column: String,
    /// The format of every input; `None` to go by the ending, else by the content.
    pub format: Option<Format>,
    /// The least length of a paragraph in documents, in Chinese characters (a word of other letters counts as half a
    /// character). Shorter lines become headings.
    pub min_length: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { text_column: "text".to_owned(), format: None, min_length: 10 }
    }
}

/// What comes out of the inputs.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every item is a paragraph")]
pub enum Item {
    /// A paragraph.
    Paragraph(Paragraph),
    /// A message about one place; where its `error` is set, input was lost.
    Diagnostic(Diagnostic),
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There was no input.
    #[error("there is no input: name a file, a folder, or - for standard input")]
    NoInput,
    /// None of the inputs can be read.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Unreadable(Vec<Diagnostic>),
}

/// Opens the inputs: files, folders (recursed, in order of names, hidden files left out), and `-` for standard input.
/// Inputs are looked at, not yet read.
///
/// # Errors
/// [`ReadError`] if there is nothing at all to read. A single input that is missing, or a folder without documents,
/// is an error diagnostic in the stream.
pub fn read(inputs: &[String], options: &Options) -> Result<Reader, ReadError> {
    if inputs.is_empty() {
        return Err(ReadError::NoInput);
    }
    let mut queue = VecDeque::new();
    for input in inputs {
        expand(input, options, &mut queue);
    }
    if queue.iter().all(Result::is_err) {
        return Err(ReadError::Unreadable(queue.into_iter().filter_map(Result::err).collect()));
    }
    let documents = queue.iter().filter(|d| d.is_ok()).count();
    Ok(Reader {
        options: options.clone(),
        queue,
        documents,
        rows: None,
        pending: VecDeque::new(),
        texts: Texts::default(),
        ids: HashSet::new(),
        stems: HashSet::new(),
    })
}

/// A document to be read.
struct Entry {
    /// Its path; `None` for standard input.
    path: Option<PathBuf>,
    /// Its path as the user named it, for messages.
    named: String,
    /// Its id, if no other document has it.
    id: String,
}

/// Puts the documents of `input` into the queue.
fn expand(input: &str, options: &Options, queue: &mut VecDeque<Result<Entry, Diagnostic>>) {
    if input == "-" {
        queue.push_back(Ok(Entry { path: None, named: "-".into(), id: "-".into() }));
        return;
    }
    let path = Path::new(input);
    match std::fs::metadata(path) {
        Err(e) => {
            let problem = Diagnostic::error(
                input,
                if e.kind() == std::io::ErrorKind::NotFound {
                    "there is no such file or folder".to_owned()
                } else {
                    format!("cannot be read: {e}")
                },
            );
            queue.push_back(Err(problem.with_hint("check the path")));
        }
        Ok(metadata) if metadata.is_dir() => {
            let before = queue.len();
            let visible = |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().to_string_lossy().starts_with('.');
            for entry in
                walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible)
            {
                match entry {
                    Ok(entry) if entry.file_type().is_file() => {
                        let named = entry.path().to_string_lossy().into_owned();
                        if options.format.is_none() && Format::of_path(&named).is_none() {
                            continue;
                        }
                        let id = entry
                            .path()
                            .strip_prefix(path)
                            .unwrap_or(entry.path())
                            .to_string_lossy()
                            .replace('\\', "/");
                        queue.push_back(Ok(Entry { path: Some(entry.into_path()), named, id }));
                    }
                    Ok(_) => {}
                    Err(e) => {
                        let at = e.path().map_or_else(|| input.to_owned(), |p| p.to_string_lossy().into_owned());
                        queue.push_back(Err(Diagnostic::error(at, format!("cannot be read: {e}"))));
                    }
                }
            }
            if queue.len() == before {
                let problem = Diagnostic::error(input, "there are no documents in this folder");
                queue.push_back(Err(problem.with_hint("documents end in .md, .html, .txt, .jsonl or .csv")));
            }
        }
        Ok(_) => {
            queue.push_back(Ok(Entry { path: Some(path.to_owned()), named: input.to_owned(), id: input.to_owned() }))
        }
    }
}

/// The paragraphs of all inputs, in order. Documents are read one at a time; files of rows, row by row.
pub struct Reader {
    options: Options,
    queue: VecDeque<Result<Entry, Diagnostic>>,
    documents: usize,
    rows: Option<Rows>,
    pending: VecDeque<Item>,
    texts: Texts,
    ids: HashSet<String>,
    stems: HashSet<String>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("documents", &self.documents)
            .field("left", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Number of documents among the inputs, read or not.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// The files not yet begun, in order; standard input is not among them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.queue.iter().filter_map(|d| d.as_ref().ok()?.path.as_deref())
    }

    /// Number of documents not yet begun.
    pub fn documents_left(&self) -> usize {
        self.queue.iter().filter(|d| d.is_ok()).count()
    }

    /// Begins to read a document.
    fn open(&mut self, entry: Entry) {
        let id = unique(if self.ids.contains(&entry.id) { entry.named.clone() } else { entry.id }, &mut self.ids);
        let stem = unique(stem(&id).to_owned(), &mut self.stems);
        let problem =
            |e: &std::io::Error| Item::Diagnostic(Diagnostic::error(&entry.named, format!("cannot be read: {e}")));
        let mut input: Box<dyn Read + Send> = match &entry.path {
            None => Box::new(std::io::stdin()),
            Some(path) => match File::open(path) {
                Ok(file) => Box::new(file),
                Err(e) => return self.pending.push_back(problem(&e)),
            },
        };
        let format = match self.options.format.or_else(|| Format::of_path(&entry.named)) {
            Some(format) => format,
            None => {
                let mut head = Vec::new();
                if let Err(e) = input.by_ref().take(4096).read_to_end(&mut head) {
                    return self.pending.push_back(problem(&e));
                }
                let format = Format::sniff(&head);
                input = Box::new(std::io::Cursor::new(head).chain(input));
                format
            }
        };
        if format.is_rows() {
            self.rows = Some(Rows::new(&entry.named, (&id, &stem), input, format, &self.options));
            return;
        }
        let mut bytes = Vec::new();
        if let Err(e) = input.read_to_end(&mut bytes) {
            return self.pending.push_back(problem(&e));
        }
        let (document, diagnostics) = cut(&id, &stem, &bytes, format, &self.options);
        for mut diagnostic in diagnostics {
            entry.named.clone_into(&mut diagnostic.path);
            self.pending.push_back(Item::Diagnostic(diagnostic));
        }
        self.pending.extend(document.paragraphs.into_iter().map(Item::Paragraph));
    }

    fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.pending.pop_front() {
                return Some(item);
            }
            if let Some(rows) = &mut self.rows {
                match rows.next() {
                    Some(item) => return Some(item),
                    None => self.rows = None,
                }
            }
            match self.queue.pop_front()? {
                Ok(entry) => self.open(entry),
                Err(problem) => return Some(Item::Diagnostic(problem)),
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let mut item = self.next_item()?;
        if let Item::Paragraph(p) = &mut item {
            p.duplicate_of = self.texts.first_with(p);
        }
        Some(item)
    }
}

/// `name`, or with a number behind it if it is taken; takes it.
fn unique(name: String, taken: &mut HashSet<String>) -> String {
    let free = if taken.contains(&name) {
        (2..).map(|n| format!("{name}~{n}")).find(|n| !taken.contains(n)).unwrap_or(name)
    } else {
        name
    };
    taken.insert(free.clone());
    free
}

/// Which texts were seen, and the id of the first paragraph with each: hashes of 64 bits, so that millions fit. Two
/// different texts among millions share one with a chance below one in a million.
#[derive(Default)]
pub(crate) struct Texts {
    seen: HashMap<u64, u32, BuildHasherDefault<DefaultHasher>>,
    /// The ids behind each other, and where each begins.
    ids: String,
    starts: Vec<u32>,
}

impl Texts {
    /// Past so many texts nothing new is remembered: memory stays bounded.
    const MOST: usize = 2_000_000;

    /// The id of the first paragraph with the text of `p`, if there was one; else remembers `p`.
    pub(crate) fn first_with(&mut self, p: &Paragraph) -> Option<String> {
        let hash = self.seen.hasher().hash_one(&p.text);
        if let Some(n) = self.seen.get(&hash) {
            let n = *n as usize;
            let start = *self.starts.get(n)? as usize;
            let end = self.starts.get(n + 1).map_or(self.ids.len(), |e| *e as usize);
            return self.ids.get(start..end).map(str::to_owned);
        }
        let start = u32::try_from(self.ids.len()).ok()?;
        if self.starts.len() < Self::MOST {
            self.seen.insert(hash, self.starts.len() as u32);
            self.starts.push(start);
            self.ids.push_str(&p.id);
        }
        None
    }
}
