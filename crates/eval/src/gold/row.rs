//! One JSON row of a label file: ours, doccano's or Label Studio's.

use std::collections::BTreeMap;

use lundian_core::{Label, Paragraph, Sample, Stance};
use serde_json::{Map, Value};

use super::annotations::{add, majority};
use super::book::Book;
use super::span::{self, Indexed};

/// More faults than anybody mends in one row.
const FAULTS: usize = 20;

type Object = Map<String, Value>;

/// Reads the JSON of one row that stands on `line` into `book`.
pub(super) fn read(json: &str, line: usize, book: &mut Book<'_>) {
    let row = match serde_json::from_str(json) {
        Ok(Value::Object(row)) => row,
        Ok(other) => {
            return book.fault(line, format!("a row is {}", kind(&other)), "write one JSON object a line");
        }
        Err(e) => return book.not_json(&e, json, line - 1),
    };
    let before = book.faults();
    let mut row = Row { fields: row, line, book };
    let sample = if matches!(row.fields.get("data"), Some(Value::Object(_))) { row.task() } else { row.sample() };
    let Some(sample) = sample else { return };
    if book.faults() == before {
        book.push(line, sample);
    }
}

/// A row whose fields are taken out one by one; what is left over is passed through.
struct Row<'b, 'a> {
    fields: Object,
    line: usize,
    book: &'b mut Book<'a>,
}

impl Row<'_, '_> {
    fn fault(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.book.fault(self.line, message, hint);
    }

    /// Takes a text field; absent and null are empty.
    fn text(&mut self, key: &str) -> String {
        match self.fields.shift_remove(key) {
            Some(Value::String(s)) => s,
            None | Some(Value::Null) => String::new(),
            Some(other) => {
                self.fault(format!("{key:?} is {}", kind(&other)), "write it as a string");
                String::new()
            }
        }
    }

    /// Takes an id: a string, or a number as tools write it.
    fn id(&mut self, key: &str) -> String {
        match self.fields.get(key) {
            Some(Value::Number(n)) => {
                let id = n.to_string();
                self.fields.shift_remove(key);
                id
            }
            _ => self.text(key),
        }
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.fields.shift_remove(key) {
            Some(Value::Bool(b)) => b,
            None | Some(Value::Null) => false,
            Some(other) => {
                self.fault(format!("{key:?} is {}", kind(&other)), "write true or false");
                false
            }
        }
    }

    /// Takes the fields of the paragraph; everything without a meaning of its own stays in `extra`.
    fn paragraph(&mut self) -> Paragraph {
        let before = self.book.faults();
        let mut id = self.id("sample_id");
        let own = self.id("id");
        if id.is_empty() {
            id = own;
        }
        if id.is_empty() && self.book.faults() == before {
            self.fault("there is no \"id\"", "give the paragraph an id of its own");
        }
        if !self.fields.contains_key("text") {
            self.fault("there is no \"text\"", "give the paragraph's text");
        }
        Paragraph {
            id,
            doc: self.id("doc"),
            text: self.text("text"),
            title: self.text("title"),
            section: self.id("section"),
            heading: self.text("heading"),
            prev: self.text("prev"),
            author: self.text("author"),
            date: self.id("date"),
            source: None,
            duplicate_of: None,
            extra: Map::new(),
        }
    }

    /// A row of ours or of doccano's: `None` if it is not labelled yet.
    fn sample(&mut self) -> Option<Sample> {
        let paragraph = self.paragraph();
        let role = self.text("role");
        let needs_context = self.flag("needs_context");
        let annotators = self.annotators();
        let keys = ["labels", "label", "entities"];
        let labels = match keys.into_iter().find_map(|key| self.fields.shift_remove(key)) {
            Some(Value::Array(labels)) => labels,
            Some(Value::Null) => {
                self.book.unlabelled();
                return None;
            }
            Some(other) => {
                self.fault(format!("\"labels\" is {}", kind(&other)), "write an array; [] says: no thesis");
                return None;
            }
            None => {
                self.fault("there are no \"labels\"", "write \"labels\": [] where the paragraph argues no thesis");
                return None;
            }
        };
        let text = Indexed::new(&paragraph.text);
        let mut read: Vec<Label> = Vec::new();
        let before = self.book.faults();
        for label in labels {
            // The row is lost, and nobody reads more about it.
            if self.book.faults() - before > FAULTS {
                break;
            }
            let ours = label.get("thesis").is_some();
            let Some(label) = self.label(label, &text) else { continue };
            if ours && read.iter().any(|l| l.thesis == label.thesis) {
                let slug = &self.book.taxonomy.theses()[label.thesis].slug;
                let message = format!("thesis {slug:?} is labelled twice: the first label counts");
                self.book.remark_on(self.line, message, "keep one label for each thesis");
            }
            add(&mut read, label);
        }
        Some(self.finish(paragraph, read, role, needs_context, annotators))
    }

    fn finish(
        &mut self,
        mut paragraph: Paragraph,
        labels: Vec<Label>,
        role: String,
        needs_context: bool,
        annotators: BTreeMap<String, Vec<usize>>,
    ) -> Sample {
        paragraph.extra = std::mem::take(&mut self.fields);
        Sample { paragraph, labels, role, needs_context, annotators }
    }

    /// `{"annotator": ["slug", ...], ...}`
    fn annotators(&mut self) -> BTreeMap<String, Vec<usize>> {
        let mut read = BTreeMap::new();
        let map = match self.fields.shift_remove("annotators") {
            None | Some(Value::Null) => return read,
            Some(Value::Object(map)) => map,
            Some(other) => {
                let message = format!("\"annotators\" is {}", kind(&other));
                self.fault(message, "write {\"NAME\": [\"SLUG\", ...], ...}");
                return read;
            }
        };
        for (name, slugs) in map {
            let Value::Array(slugs) = slugs else {
                self.fault(format!("annotator {name:?} has {}", kind(&slugs)), "write an array of slugs");
                continue;
            };
            let mut theses = Vec::with_capacity(slugs.len());
            for slug in slugs {
                match slug.as_str() {
                    Some(slug) => theses.extend(self.book.thesis(self.line, slug)),
                    None => self.fault(
                        format!("annotator {name:?} has {} among the slugs", kind(&slug)),
                        "write an array of slugs",
                    ),
                }
            }
            theses.sort_unstable();
            theses.dedup();
            read.insert(name, theses);
        }
        read
    }

    /// One label, in any of the ways that it is written: `{"thesis", "stance", "start", "end", "quote"}` (ours),
    /// `[start, end, "slug"]`, `"slug"` or `{"label", "start_offset", "end_offset"}` (doccano's).
    fn label(&mut self, label: Value, text: &Indexed<'_>) -> Option<Label> {
        const SHAPE: &str = "write {\"thesis\": \"SLUG\", \"start\": N, \"end\": N, \"quote\": \"...\"}";
        match label {
            Value::Object(mut o) => {
                let slug = match o.shift_remove("thesis").or_else(|| o.shift_remove("label")) {
                    Some(Value::String(slug)) => slug,
                    Some(other) => {
                        self.fault(format!("a label's thesis is {}", kind(&other)), SHAPE);
                        return None;
                    }
                    None => {
                        self.fault("a label names no thesis", SHAPE);
                        return None;
                    }
                };
                let thesis = self.book.thesis(self.line, &slug);
                let stance = self.stance(&o);
                let quote = self.quote(&o);
                let start = o.get("start").or_else(|| o.get("start_offset"));
                let end = o.get("end").or_else(|| o.get("end_offset"));
                let evidence = self.evidence(text, start, end, quote.as_deref());
                Some(Label { thesis: thesis?, stance: stance?, evidence })
            }
            Value::String(slug) => {
                let thesis = self.book.thesis(self.line, &slug)?;
                Some(Label { thesis, stance: Stance::Endorse, evidence: None })
            }
            Value::Array(parts) => match parts.as_slice() {
                [start, end, Value::String(slug)] => {
                    let thesis = self.book.thesis(self.line, slug);
                    let evidence = self.evidence(text, Some(start), Some(end), None);
                    Some(Label { thesis: thesis?, stance: Stance::Endorse, evidence })
                }
                _ => {
                    self.fault("a label is an array", "write [START, END, \"SLUG\"]");
                    None
                }
            },
            other => {
                self.fault(format!("a label is {}", kind(&other)), SHAPE);
                None
            }
        }
    }

    fn stance(&mut self, label: &Object) -> Option<Stance> {
        match label.get("stance") {
            None | Some(Value::Null) => Some(Stance::Endorse),
            Some(value) => {
                let stance = serde_json::from_value(value.clone()).ok();
                if stance.is_none() {
                    self.fault(format!("unknown stance {value}"), "write endorse, reject or report");
                }
                stance
            }
        }
    }

    fn quote(&mut self, label: &Object) -> Option<String> {
        match label.get("quote") {
            Some(Value::String(quote)) => Some(quote.clone()),
            None | Some(Value::Null) => None,
            Some(other) => {
                self.fault(format!("a label's quote is {}", kind(other)), "write it as a string");
                None
            }
        }
    }

    fn evidence(
        &mut self,
        text: &Indexed<'_>,
        start: Option<&Value>,
        end: Option<&Value>,
        quote: Option<&str>,
    ) -> Option<std::ops::Range<usize>> {
        let given = |v: Option<&Value>| v.is_some_and(|v| !v.is_null());
        let range = match (given(start), given(end), quote) {
            (false, false, None) => return None,
            (false, false, Some(quote)) => span::find(text, quote),
            _ => match (start.and_then(Value::as_u64), end.and_then(Value::as_u64)) {
                (Some(start), Some(end)) => span::resolve(text, start, end, quote),
                _ => {
                    let show = |v: Option<&Value>| v.map_or("missing".to_owned(), Value::to_string);
                    let message = format!("evidence from {} to {}", show(start), show(end));
                    self.fault(message, "give \"start\" and \"end\" as whole numbers, or neither");
                    return None;
                }
            },
        };
        match range {
            Ok(range) => Some(range),
            Err(e) => {
                self.fault(e.message, e.hint);
                None
            }
        }
    }

    /// A task of Label Studio's JSON export: the paragraph is in `data`, each annotation in `annotations`.
    fn task(&mut self) -> Option<Sample> {
        let task_id = self.id("id");
        let annotations = match self.fields.shift_remove("annotations") {
            Some(Value::Array(annotations)) => annotations,
            None | Some(Value::Null) => Vec::new(),
            Some(other) => {
                self.fault(format!("\"annotations\" is {}", kind(&other)), "export the project as JSON");
                return None;
            }
        };
        if let Some(Value::Object(data)) = self.fields.shift_remove("data") {
            self.fields = data;
        }
        if !["id", "sample_id"].iter().any(|key| self.fields.contains_key(*key)) {
            self.fields.insert("id".to_owned(), Value::String(task_id));
        }
        let paragraph = self.paragraph();
        let role = self.text("role");
        let needs_context = self.flag("needs_context");
        let mut by_annotator: BTreeMap<String, Vec<Label>> = BTreeMap::new();
        let mut ground_truth = None;
        let text = Indexed::new(&paragraph.text);
        for (i, annotation) in annotations.iter().enumerate() {
            if annotation.get("was_cancelled").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            let labels = self.annotation(annotation, &text);
            if annotation.get("ground_truth").and_then(Value::as_bool) == Some(true) {
                ground_truth = Some(labels.clone());
            }
            by_annotator.insert(annotator(annotation).unwrap_or_else(|| format!("annotation {}", i + 1)), labels);
        }
        if by_annotator.is_empty() {
            self.book.unlabelled();
            return None;
        }
        let labels = ground_truth.unwrap_or_else(|| majority(by_annotator.values()));
        let annotators = by_annotator
            .into_iter()
            .map(|(name, labels)| {
                let mut theses: Vec<usize> = labels.iter().map(|l| l.thesis).collect();
                theses.sort_unstable();
                (name, theses)
            })
            .collect();
        Some(self.finish(paragraph, labels, role, needs_context, annotators))
    }

    /// The labels of one annotation: regions (`labels`) carry evidence, `choices` and `taxonomy` do not.
    fn annotation(&mut self, annotation: &Value, text: &Indexed<'_>) -> Vec<Label> {
        let mut labels = Vec::new();
        for result in annotation.get("result").and_then(Value::as_array).into_iter().flatten() {
            let Some(value) = result.get("value") else { continue };
            let slugs = ["labels", "hypertextlabels", "choices"].iter().find_map(|key| value.get(*key));
            let Some(slugs) = slugs.and_then(Value::as_array) else { continue };
            let start = value.get("start").or_else(|| value.pointer("/globalOffsets/start"));
            let end = value.get("end").or_else(|| value.pointer("/globalOffsets/end"));
            let quote = value.get("text").and_then(Value::as_str);
            for slug in slugs {
                let Some(slug) = slug.as_str() else {
                    self.fault(format!("a label is {}", kind(slug)), "export the project as JSON");
                    continue;
                };
                let thesis = self.book.thesis(self.line, slug);
                let evidence = self.evidence(text, start, end, quote);
                if let Some(thesis) = thesis {
                    add(&mut labels, Label { thesis, stance: Stance::Endorse, evidence });
                }
            }
        }
        labels
    }
}

/// Who made an annotation: `completed_by` is a number or an object with the user's e-mail address.
fn annotator(annotation: &Value) -> Option<String> {
    match annotation.get("completed_by")? {
        Value::Number(n) => Some(n.to_string()),
        Value::String(s) => Some(s.clone()),
        user @ Value::Object(_) => match user.get("email").or_else(|| user.get("id"))? {
            Value::String(s) => Some(s.clone()),
            other => Some(other.to_string()),
        },
        _ => None,
    }
}

/// What a JSON value is, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
