//! Where a system is good and where it is not: figures for parts of the gold file.
//!
//! What the file can be cut by stands in one table, [`KEYS`]; any other key of the rows can be asked for by name.

use std::collections::BTreeMap;

use lundian_core::{Label, Sample};
use serde::Serialize;
use serde_json::Value;

use crate::bootstrap::{Plan, Tally, interval, resample};
use crate::clusters::Clusters;
use crate::evaluate::Options;
use crate::labels::Labels;
use crate::metrics::{Counts, counts_of_rows, macro_average, mean, micro};
use crate::random::parallel;

/// How a key cuts the file.
enum Cut {
    /// Each paragraph belongs to one slice or none. The number orders the slices.
    Paragraphs(fn(&Sample, &Options) -> Option<(usize, String)>),
    /// Each label belongs to a slice. A prediction has no such mark, so only recall can be told.
    Labels(fn(&Label) -> &'static str),
}

/// What a gold file is cut by when nothing else is asked for.
const KEYS: &[(&str, Cut)] = &[
    ("document", Cut::Paragraphs(|s, _| named(&s.paragraph.doc))),
    ("length", Cut::Paragraphs(|s, _| Some(length(&s.paragraph.text)))),
    ("role", Cut::Paragraphs(|s, _| named(&s.role))),
    ("stance", Cut::Labels(|l| l.stance.as_str())),
    ("script", Cut::Paragraphs(|s, options| options.script.and_then(|script| named(&script(&s.paragraph.text))))),
    ("needs_context", Cut::Paragraphs(|s, _| named(if s.needs_context { "true" } else { "false" }))),
];

/// Slices of one key that are shown, the largest: more would be a list of paragraphs.
const MOST_SLICES: usize = 50;

/// Upper limits of the length buckets, in characters.
const LENGTHS: [usize; 4] = [50, 100, 200, 400];

/// One part of the gold file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    /// What the file is cut by.
    pub key: String,
    /// What the paragraphs (or labels, for `stance`) of this part have in common.
    pub value: String,
    /// Paragraphs in it.
    pub paragraphs: usize,
    /// Labels in it.
    pub labels: u64,
    /// Figures of each system.
    pub systems: Vec<SliceScore>,
}

/// One system on one part of the gold file. Only recall is known where labels and not paragraphs are cut.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SliceScore {
    /// Name of the system.
    pub name: String,
    /// Micro precision.
    pub precision: Option<f64>,
    /// Micro recall.
    pub recall: f64,
    /// Micro F1.
    pub f1: Option<f64>,
    /// 95 % interval of micro F1, or of recall where only that is known; `None` with fewer than two clusters.
    pub ci95: Option<[f64; 2]>,
    /// Macro F1 over the theses with support in this part.
    pub macro_f1: Option<f64>,
    /// Share of paragraphs whose set of theses is exactly right.
    pub subset_accuracy: Option<f64>,
}

/// A part, before it is scored.
struct Part {
    key: String,
    value: String,
    rows: Vec<usize>,
    /// Only these labels count, and only recall; `None` counts everything.
    gold: Option<Labels>,
}

/// Scores every part of the gold file. Remarks say which keys could not be used.
pub(crate) fn slices(
    samples: &[Sample],
    gold: &Labels,
    systems: &[(&str, &Labels)],
    clusters: &Clusters,
    options: &Options,
    plan: Plan,
) -> (Vec<Slice>, Vec<String>) {
    let mut parts = Vec::new();
    let mut remarks = Vec::new();
    for (key, cut) in KEYS {
        cut_by(key, cut, samples, gold.theses(), options, &mut parts, &mut remarks);
    }
    for key in &options.slices {
        if KEYS.iter().any(|(known, _)| known == key) {
            continue;
        }
        let before = parts.len();
        let of = |s: &Sample| other_key(s, key).map(|value| (0, value));
        collect(key, samples, of, &mut parts, &mut remarks);
        if parts.len() == before {
            remarks.push(format!("no paragraph of the gold file has a key {key:?} to slice by"));
        }
    }
    let single = Plan { threads: 1, ..plan };
    let scored = parallel(parts.len(), plan.threads, |i| score(&parts[i], gold, systems, clusters, single));
    (scored, remarks)
}

fn cut_by(
    key: &str,
    cut: &Cut,
    samples: &[Sample],
    theses: usize,
    options: &Options,
    parts: &mut Vec<Part>,
    remarks: &mut Vec<String>,
) {
    match cut {
        Cut::Paragraphs(of) => collect(key, samples, |s| of(s, options), parts, remarks),
        Cut::Labels(of) => {
            let mut by_value: BTreeMap<&str, (Vec<usize>, Labels)> = BTreeMap::new();
            for (row, sample) in samples.iter().enumerate() {
                for label in sample.labels.iter().filter(|l| l.thesis < theses) {
                    let (rows, only) =
                        by_value.entry(of(label)).or_insert_with(|| (Vec::new(), Labels::none(samples.len(), theses)));
                    only.set(row, label.thesis, true);
                    if rows.last() != Some(&row) {
                        rows.push(row);
                    }
                }
            }
            parts.extend(by_value.into_iter().map(|(value, (rows, only))| Part {
                key: key.to_owned(),
                value: value.to_owned(),
                rows,
                gold: Some(only),
            }));
        }
    }
}

fn collect(
    key: &str,
    samples: &[Sample],
    of: impl Fn(&Sample) -> Option<(usize, String)>,
    parts: &mut Vec<Part>,
    remarks: &mut Vec<String>,
) {
    let mut by_value: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
    for (row, sample) in samples.iter().enumerate() {
        if let Some(value) = of(sample) {
            by_value.entry(value).or_default().push(row);
        }
    }
    if by_value.len() > MOST_SLICES {
        let mut sizes: Vec<usize> = by_value.values().map(Vec::len).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        remarks.push(format!("{key}: the {MOST_SLICES} largest of {} slices are shown", by_value.len()));
        let least = sizes[MOST_SLICES - 1];
        let mut equal = MOST_SLICES - sizes.iter().filter(|n| **n > least).count();
        by_value.retain(|_, rows| {
            let fits = rows.len() > least || (rows.len() == least && equal > 0);
            equal -= usize::from(rows.len() == least && equal > 0);
            fits
        });
    }
    parts.extend(by_value.into_iter().map(|((_, value), rows)| Part { key: key.to_owned(), value, rows, gold: None }));
}

fn score(part: &Part, all: &Labels, systems: &[(&str, &Labels)], clusters: &Clusters, plan: Plan) -> Slice {
    let gold = part.gold.as_ref().unwrap_or(all);
    let recall_only = part.gold.is_some();
    let rows = || part.rows.iter().copied();
    let intervals = intervals(part, gold, systems, clusters, plan);
    let score = |((name, predicted), ci95): (&(&str, &Labels), Option<[f64; 2]>)| {
        let counts = counts_of_rows(gold, predicted, rows());
        let total = micro(&counts);
        let known = |value: f64| (!recall_only).then_some(value);
        let exact = rows().map(|r| f64::from(u8::from(gold.row(r) == predicted.row(r))));
        SliceScore {
            name: (*name).to_owned(),
            precision: known(total.precision),
            recall: total.recall,
            f1: known(total.f1),
            ci95,
            macro_f1: known(macro_average(&counts).f1),
            subset_accuracy: mean(exact).and_then(known),
        }
    };
    Slice {
        key: part.key.clone(),
        value: part.value.clone(),
        paragraphs: part.rows.len(),
        labels: rows().map(|r| gold.row(r).iter().filter(|g| **g).count() as u64).sum(),
        systems: systems.iter().zip(intervals).map(score).collect(),
    }
}

/// Intervals of micro F1 (or recall) of every system, from the same draws.
fn intervals(
    part: &Part,
    gold: &Labels,
    systems: &[(&str, &Labels)],
    clusters: &Clusters,
    plan: Plan,
) -> Vec<Option<[f64; 2]>> {
    let clusters = clusters.of_rows(&part.rows);
    if clusters.count < 2 {
        return vec![None; systems.len()];
    }
    // Slot 0 is the support, slots 2 s + 1 and 2 s + 2 are true positives and predictions of system s.
    let tally = Tally::new(&clusters, 1 + 2 * systems.len(), |i| {
        let row = part.rows[i];
        let count = |cells: &mut dyn Iterator<Item = bool>| cells.filter(|c| *c).count() as f64;
        let there = gold.row(row);
        let mut entries = vec![(0, count(&mut there.iter().copied()))];
        for (s, (_, predicted)) in systems.iter().enumerate() {
            let given = predicted.row(row);
            entries.push((2 * s + 1, count(&mut given.iter().zip(there).map(|(p, g)| *p && *g))));
            entries.push((2 * s + 2, count(&mut given.iter().copied())));
        }
        entries
    });
    let mut figures = vec![Vec::with_capacity(plan.draws); systems.len()];
    let (mut weights, mut totals) = (Vec::new(), Vec::new());
    for draw in 0..plan.draws {
        resample(clusters.count, plan.seed, draw, &mut weights);
        tally.weighted(&weights, &mut totals);
        for (s, figures) in figures.iter_mut().enumerate() {
            let counts =
                Counts { support: totals[0] as u64, tp: totals[2 * s + 1] as u64, predicted: totals[2 * s + 2] as u64 };
            figures.push(if part.gold.is_some() { counts.recall() } else { counts.f1() });
        }
    }
    figures.iter().map(|f| interval(f)).collect()
}

fn named(value: &str) -> Option<(usize, String)> {
    (!value.is_empty()).then(|| (0, value.to_owned()))
}

/// Length bucket of a text, in characters.
fn length(text: &str) -> (usize, String) {
    let n = text.chars().count();
    let bucket = LENGTHS.iter().position(|limit| n < *limit).unwrap_or(LENGTHS.len());
    let name = match bucket {
        0 => format!("0-{}", LENGTHS[0] - 1),
        i if i < LENGTHS.len() => format!("{}-{}", LENGTHS[i - 1], LENGTHS[i] - 1),
        _ => format!("{}+", LENGTHS[LENGTHS.len() - 1]),
    };
    (bucket, name)
}

/// Value of any other key of a row.
fn other_key(sample: &Sample, key: &str) -> Option<String> {
    let p = &sample.paragraph;
    let own = match key {
        "section" => &p.section,
        "title" => &p.title,
        "heading" => &p.heading,
        "author" => &p.author,
        "date" => &p.date,
        _ => {
            return match p.extra.get(key)? {
                Value::Null => None,
                Value::String(s) => Some(s.clone()),
                other => Some(other.to_string()),
            };
        }
    };
    (!own.is_empty()).then(|| own.clone())
}
