//! Any bytes as JSONL and as CSV, in any encoding.

use lundian_core::Paragraph;
use lundian_text::{Format, Options, segment};
use serde_json::{Map, Value, json};

/// Keys with a meaning of their own.
const KEYS: [&str; 9] = ["id", "doc", "text", "title", "section", "heading", "prev", "author", "date"];

/// Paragraphs are whole, and read back as they were written.
pub fn run(data: &[u8]) {
    for format in [Format::Jsonl, Format::Csv] {
        let mut options = Options::default();
        options.format = Some(format);
        let (document, diagnostics) = segment("case", data, &options);
        crate::document::assert_paragraphs(&document);
        assert!(document.paragraphs.iter().all(|p| p.source.is_none() && !p.extra.contains_key("text")));
        // Line ends within quotation marks count in CSV, and so does a lone carriage return.
        let lines = data.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 1;
        assert!(document.paragraphs.len() + diagnostics.len() <= lines + 1);

        let written: String = document.paragraphs.iter().map(|p| row(p) + "\n").collect();
        options.format = Some(Format::Jsonl);
        let (again, diagnostics) = segment("case", written.as_bytes(), &options);
        assert!(document.paragraphs.is_empty() || diagnostics.is_empty(), "{diagnostics:?}");
        let mut paragraphs = document.paragraphs;
        paragraphs.iter_mut().for_each(|p| p.extra.retain(|key, _| !KEYS.contains(&key.as_str())));
        assert_eq!(again.paragraphs, paragraphs);
    }
}

/// A paragraph as a line of JSON. What a key of ours held that is no plain value is left out.
fn row(p: &Paragraph) -> String {
    let values = [&p.id, &p.doc, &p.text, &p.title, &p.section, &p.heading, &p.prev, &p.author, &p.date];
    let own = KEYS.into_iter().zip(values).map(|(key, value)| (key.to_owned(), json!(value)));
    let mut row: Map<String, Value> = own.collect();
    for (key, value) in &p.extra {
        row.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(row).to_string()
}
