//! A labelled paragraph as one JSON object: the keys of `classify --format jsonl`.

use lundian_core::{Paragraph, Role, RoleScores, Taxonomy};
use lundian_runner::{Decision, Labelled, mean_role};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Context;
use crate::CodePoints;

/// Keys of the role. They are ours even where no system says one: a row that took the role of its input then would pass for
/// one that a system judged.
const ROLE: &str = "role";
const ROLES: &str = "roles";

/// Scores below this are left out of `systems`, to keep a line readable; a missing thesis scores (nearly) nothing, an
/// abstention is null.
const NEGLIGIBLE: f32 = 0.01;

#[derive(Serialize)]
pub(super) struct LabelRecord<'a> {
    thesis: &'a str,
    family: &'a str,
    score: f64,
    evidence: Vec<EvidenceRecord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<WhyRecord<'a>>,
}

#[derive(Serialize)]
struct WhyRecord<'a> {
    system: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct EvidenceRecord<'a> {
    start: usize,
    end: usize,
    quote: &'a str,
    weight: f64,
    system: &'a str,
}

/// A score with the digits that mean something.
pub(super) fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

pub(super) fn label_records<'a>(
    context: &'a Context<'_>,
    paragraph: &'a Paragraph,
    labels: &'a [Decision],
) -> Vec<LabelRecord<'a>> {
    let points = CodePoints::new(&paragraph.text);
    labels
        .iter()
        .map(|label| LabelRecord {
            thesis: &context.taxonomy.theses()[label.thesis].slug,
            family: &context.taxonomy.theses()[label.thesis].family,
            score: rounded(label.score),
            evidence: label
                .evidence
                .iter()
                .map(|e| {
                    let at = points.range(&e.range);
                    EvidenceRecord {
                        start: at.start,
                        end: at.end,
                        quote: &paragraph.text[e.range.clone()],
                        weight: rounded(e.weight),
                        system: &context.systems[e.system].name,
                    }
                })
                .collect(),
            why: label
                .why
                .iter()
                .map(|w| WhyRecord { system: &context.systems[w.system].name, reason: &w.reason })
                .collect(),
        })
        .collect()
}

/// The paragraph's own keys; empty ones are left out, the keys of its input that mean nothing to us are kept.
pub(crate) fn paragraph_record(p: &Paragraph) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("id".into(), json!(p.id));
    map.insert("doc".into(), json!(p.doc));
    let optional = [
        ("title", &p.title),
        ("section", &p.section),
        ("heading", &p.heading),
        ("author", &p.author),
        ("date", &p.date),
        ("prev", &p.prev),
    ];
    for (key, value) in optional {
        if !value.is_empty() {
            map.insert(key.into(), json!(value));
        }
    }
    if let Some(source) = p.source {
        map.insert("source".into(), json!({"start": source.start, "end": source.end}));
    }
    if let Some(first) = &p.duplicate_of {
        map.insert("duplicate_of".into(), json!(first));
    }
    map.insert("text".into(), json!(p.text));
    map
}

pub(super) fn record(context: &Context<'_>, row: &Labelled, labels: &[Decision]) -> Value {
    let mut map = paragraph_record(&row.paragraph);
    map.insert("labels".into(), json!(label_records(context, &row.paragraph, labels)));
    if let Some(scores) = mean_role(&row.verdicts) {
        map.insert(ROLE.into(), json!(Role::likeliest(&scores)));
        map.insert(ROLES.into(), roles_record(&scores));
    }
    let mut systems = Map::new();
    let mut failed = Vec::new();
    for (system, verdict) in context.systems.iter().zip(&row.verdicts) {
        if verdict.failed.is_some() {
            failed.push(system.name.as_str());
        } else {
            systems.insert(system.name.clone(), scores_record(context.taxonomy, &verdict.scores));
        }
    }
    map.insert("systems".into(), Value::Object(systems));
    map.insert("failed".into(), json!(failed));
    for (key, value) in &row.paragraph.extra {
        if !map.contains_key(key) && ![ROLE, ROLES].contains(&key.as_str()) {
            map.insert(key.clone(), value.clone());
        }
    }
    Value::Object(map)
}

fn roles_record(scores: &RoleScores) -> Value {
    let roles = Role::ALL.into_iter().zip(scores);
    Value::Object(roles.map(|(role, &s)| (role.as_str().to_owned(), json!(rounded(s)))).collect())
}

fn scores_record(taxonomy: &Taxonomy, scores: &[f32]) -> Value {
    let shown = taxonomy.theses().iter().zip(scores).filter(|(_, s)| s.is_nan() || **s >= NEGLIGIBLE);
    // A NaN has no JSON form of its own: it becomes null.
    Value::Object(shown.map(|(thesis, &s)| (thesis.slug.clone(), json!(rounded(s)))).collect())
}
