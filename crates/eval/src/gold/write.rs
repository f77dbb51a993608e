//! Writing samples, and paragraphs that wait for labels, in the formats that [`read_gold`](super::read_gold) reads.
//!
//! A paragraph that nobody has labelled is written with `"labels": null` (JSONL) or without annotations (Label
//! Studio), so that a file given back half done is not taken for a file full of empty answers. doccano cannot tell
//! the two apart: export "only approved documents" there.

use std::ops::Range;

use lundian_core::{Label, Paragraph, Sample, Taxonomy};
use serde_json::{Map, Value, json};

/// What one system says about one thesis of a paragraph that is to be labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal<'a> {
    /// Name of the system.
    pub system: &'a str,
    /// Index of the thesis.
    pub thesis: usize,
    /// Its score, in [0, 1].
    pub score: f32,
    /// Whether the score reaches the system's threshold.
    pub labelled: bool,
    /// Its evidence: bytes of the text.
    pub evidence: Vec<Range<usize>>,
}

/// A paragraph that waits for labels.
#[derive(Clone, Debug, PartialEq)]
pub struct ToLabel<'a> {
    /// The paragraph.
    pub paragraph: &'a Paragraph,
    /// How far the systems disagree about it: vote entropy in bits.
    pub entropy: f64,
    /// What they say, for the annotator to see.
    pub proposals: Vec<Proposal<'a>>,
}

/// A labelled sample as one row of our JSONL (no line break).
pub fn sample_row(sample: &Sample, taxonomy: &Taxonomy) -> String {
    let mut row = paragraph_fields("id", &sample.paragraph);
    let text = &sample.paragraph.text;
    let labels: Vec<Value> = sample.labels.iter().map(|l| label_value(l, text, taxonomy)).collect();
    row.insert("labels".to_owned(), Value::Array(labels));
    if !sample.role.is_empty() {
        row.insert("role".to_owned(), json!(sample.role));
    }
    row.insert("needs_context".to_owned(), json!(sample.needs_context));
    if !sample.annotators.is_empty() {
        let slugs = |theses: &Vec<usize>| theses.iter().map(|t| slug(taxonomy, *t)).collect::<Vec<_>>();
        let annotators: Map<String, Value> =
            sample.annotators.iter().map(|(name, theses)| (name.clone(), json!(slugs(theses)))).collect();
        row.insert("annotators".to_owned(), Value::Object(annotators));
    }
    for (key, value) in &sample.paragraph.extra {
        row.entry(key.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(row).to_string()
}

/// A paragraph to be labelled as one row of our JSONL: `labels` is null until somebody fills it in, and `systems`
/// shows every system's scores and evidence.
pub fn unlabelled_row(item: &ToLabel<'_>, taxonomy: &Taxonomy) -> String {
    let mut row = paragraph_fields("id", item.paragraph);
    row.insert("labels".to_owned(), Value::Null);
    row.insert("entropy".to_owned(), json!(item.entropy));
    let mut systems: Map<String, Value> = Map::new();
    for p in &item.proposals {
        let said =
            json!({"score": p.score, "labelled": p.labelled, "evidence": spans(&p.evidence, &item.paragraph.text)});
        let system = systems.entry(p.system.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(system) = system {
            system.insert(slug(taxonomy, p.thesis).to_owned(), said);
        }
    }
    row.insert("systems".to_owned(), Value::Object(systems));
    Value::Object(row).to_string()
}

/// One row of a doccano JSONL import (sequence labelling). Labels without evidence span the whole paragraph; stances
/// are lost, since doccano has no place for them.
pub fn doccano_row(paragraph: &Paragraph, labels: &[Label], taxonomy: &Taxonomy) -> String {
    // doccano gives rows ids of its own: ours travels beside it.
    let mut row = paragraph_fields("sample_id", paragraph);
    let label = |l: &Label| {
        let (start, end) = code_points(&paragraph.text, &l.evidence.clone().unwrap_or(0..paragraph.text.len()));
        json!([start, end, slug(taxonomy, l.thesis)])
    };
    row.insert("label".to_owned(), labels.iter().map(label).collect());
    Value::Object(row).to_string()
}

/// A Label Studio import file: one task for each paragraph, with each system's labels as a prediction that the
/// annotator may accept. Use it with [`label_studio_config`].
pub fn label_studio_tasks(items: &[ToLabel<'_>], taxonomy: &Taxonomy) -> Value {
    let task = |item: &ToLabel<'_>| {
        let text = &item.paragraph.text;
        let mut predictions: Map<String, Value> = Map::new();
        for p in item.proposals.iter().filter(|p| p.labelled) {
            let results = predictions.entry(p.system.to_owned()).or_insert_with(|| json!([]));
            if let Value::Array(results) = results {
                let spans: Vec<_> = p.evidence.iter().cloned().map(Some).collect();
                let spans = if spans.is_empty() { vec![None] } else { spans };
                results.extend(spans.iter().map(|span| region(text, slug(taxonomy, p.thesis), span.as_ref())));
            }
        }
        let predictions: Vec<Value> = predictions
            .into_iter()
            .map(|(system, result)| json!({"model_version": system, "result": result}))
            .collect();
        json!({"data": paragraph_fields("id", item.paragraph), "predictions": predictions})
    };
    items.iter().map(task).collect()
}

/// Labelled samples as a Label Studio import file; the labels are annotations marked as ground truth. Stances are
/// lost.
pub fn label_studio_annotated(samples: &[Sample], taxonomy: &Taxonomy) -> Value {
    let task = |s: &Sample| {
        let region = |l: &Label| region(&s.paragraph.text, slug(taxonomy, l.thesis), l.evidence.as_ref());
        let result: Vec<Value> = s.labels.iter().map(region).collect();
        json!({
            "data": paragraph_fields("id", &s.paragraph),
            "annotations": [{"ground_truth": true, "result": result}],
        })
    };
    samples.iter().map(task).collect()
}

/// The labelling interface for Label Studio: the paragraph with its context, a span label and a check box for each
/// thesis.
pub fn label_studio_config(taxonomy: &Taxonomy) -> String {
    let mut labels = String::new();
    let mut choices = String::new();
    for thesis in taxonomy.theses() {
        let hint = xml(&format!("{}: {}", thesis.name.en, thesis.proposition.en));
        labels += &format!("    <Label value=\"{}\" hint=\"{hint}\"/>\n", thesis.slug);
        choices += &format!("    <Choice value=\"{}\" hint=\"{hint}\"/>\n", thesis.slug);
    }
    format!(
        "<View>\n  <Header value=\"$title\"/>\n  <Text name=\"prev\" value=\"$prev\"/>\n  \
         <Labels name=\"thesis\" toName=\"text\">\n{labels}  </Labels>\n  <Text name=\"text\" value=\"$text\"/>\n  \
         <Choices name=\"unquoted\" toName=\"text\" choice=\"multiple\">\n{choices}  </Choices>\n</View>\n"
    )
}

fn slug(taxonomy: &Taxonomy, thesis: usize) -> &str {
    &taxonomy.theses()[thesis].slug
}

fn paragraph_fields(id: &str, p: &Paragraph) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert(id.to_owned(), json!(p.id));
    let fields = [("doc", &p.doc), ("section", &p.section), ("title", &p.title), ("heading", &p.heading)];
    let fields = fields.into_iter().chain([("author", &p.author), ("date", &p.date), ("prev", &p.prev)]);
    for (key, value) in fields {
        // Label Studio's interface refers to `title` and `prev`, so these are written even when empty.
        if !value.is_empty() || key == "title" || key == "prev" {
            row.insert(key.to_owned(), json!(value));
        }
    }
    row.insert("text".to_owned(), json!(p.text));
    row
}

fn label_value(label: &Label, text: &str, taxonomy: &Taxonomy) -> Value {
    let mut value = json!({"thesis": slug(taxonomy, label.thesis), "stance": label.stance});
    if let (Some(range), Value::Object(fields)) = (&label.evidence, &mut value) {
        let (start, end) = code_points(text, range);
        fields.insert("start".to_owned(), json!(start));
        fields.insert("end".to_owned(), json!(end));
        fields.insert("quote".to_owned(), json!(&text[range.clone()]));
    }
    value
}

fn spans(ranges: &[Range<usize>], text: &str) -> Value {
    let span = |r: &Range<usize>| {
        let (start, end) = code_points(text, r);
        json!({"start": start, "end": end, "quote": &text[r.clone()]})
    };
    ranges.iter().map(span).collect()
}

fn region(text: &str, slug: &str, span: Option<&Range<usize>>) -> Value {
    match span {
        Some(range) => {
            let (start, end) = code_points(text, range);
            let value = json!({"start": start, "end": end, "text": &text[range.clone()], "labels": [slug]});
            json!({"from_name": "thesis", "to_name": "text", "type": "labels", "value": value})
        }
        None => {
            json!({"from_name": "unquoted", "to_name": "text", "type": "choices", "value": {"choices": [slug]}})
        }
    }
}

/// Code points of the byte range `range` of `text`.
fn code_points(text: &str, range: &Range<usize>) -> (usize, usize) {
    let start = text[..range.start].chars().count();
    (start, start + text[range.clone()].chars().count())
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
