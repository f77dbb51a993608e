//! What a system gets wrong: single errors, the surest first, and the theses that it takes for one another.

use std::collections::HashMap;

use lundian_core::{Output, Sample, Taxonomy};
use serde::Serialize;

use crate::bootstrap::given;
use crate::labels::Labels;

/// Which way a decision is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Given, and not argued.
    FalseAlarm,
    /// Argued, and not given.
    Miss,
}

/// One wrong decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorCase {
    /// Id of the paragraph.
    pub id: String,
    /// Slug of the thesis.
    pub thesis: String,
    /// Which way it is wrong.
    pub kind: ErrorKind,
    /// The score; `None` where the system abstained.
    pub score: Option<f32>,
    /// How far the score is on the wrong side of the threshold; `None` where the system abstained.
    pub confidence: Option<f32>,
}

/// A thesis that a paragraph argues and the system missed, and what it gave instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Slug of the thesis that was missed.
    pub thesis: String,
    /// Slug of a false alarm on the same paragraph; `None` where there was no false alarm.
    pub given: Option<String>,
    /// Number of paragraphs.
    pub count: u64,
}

/// Wrong decisions, the surest first, at most `limit`; misses by abstention come last.
pub(crate) fn error_cases(
    samples: &[Sample],
    gold: &Labels,
    predicted: &Labels,
    output: &Output,
    thresholds: &[f32],
    taxonomy: &Taxonomy,
    limit: usize,
) -> Vec<ErrorCase> {
    let mut wrong: Vec<(f32, usize, usize)> = Vec::new();
    for row in 0..samples.len() {
        for (thesis, (g, p)) in gold.row(row).iter().zip(predicted.row(row)).enumerate() {
            if g != p {
                let confidence = (output.row(row)[thesis] - thresholds[thesis]).abs();
                wrong.push((if confidence.is_nan() { -1.0 } else { confidence }, row, thesis));
            }
        }
    }
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    wrong.truncate(limit);
    let case = |(confidence, row, thesis): (f32, usize, usize)| {
        let score = output.row(row)[thesis];
        ErrorCase {
            id: samples[row].paragraph.id.clone(),
            thesis: taxonomy.theses()[thesis].slug.clone(),
            kind: if gold.row(row)[thesis] { ErrorKind::Miss } else { ErrorKind::FalseAlarm },
            score: (!score.is_nan()).then_some(score),
            confidence: (!score.is_nan()).then_some(confidence),
        }
    };
    wrong.into_iter().map(case).collect()
}

/// For each thesis that was missed somewhere, the false alarms on the same paragraphs, the most frequent first.
pub(crate) fn confusions(gold: &Labels, predicted: &Labels, taxonomy: &Taxonomy) -> Vec<Confusion> {
    let mut counts: HashMap<(usize, Option<usize>), u64> = HashMap::new();
    for row in 0..gold.rows() {
        let (g, p) = (gold.row(row), predicted.row(row));
        let alarms: Vec<usize> = given(p).filter(|t| !g[*t]).collect();
        for missed in given(g).filter(|t| !p[*t]) {
            for alarm in &alarms {
                *counts.entry((missed, Some(*alarm))).or_default() += 1;
            }
            if alarms.is_empty() {
                *counts.entry((missed, None)).or_default() += 1;
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|((missed, alarm), count)| (*missed, std::cmp::Reverse(*count), *alarm));
    let slug = |t: usize| taxonomy.theses()[t].slug.clone();
    counts.into_iter().map(|((t, g), count)| Confusion { thesis: slug(t), given: g.map(slug), count }).collect()
}
