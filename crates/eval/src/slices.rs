//! Where a system is good and where it is not: figures for parts of the gold file.
//!
//! What the file can be cut by stands in one table, [`KEYS`]; any other key of the rows can be asked for by name.

use std::collections::BTreeMap;

use lundian_core::{Label, Sample};
use serde::Serialize;
use serde_json::Value;

use crate::bootstrap::{Plan, Statistic, Tally, intervals};
use crate::clusters::Clusters;
use crate::evaluate::Options;
use crate::labels::Labels;
use crate::metrics::{Counts, counts_of_rows, macro_average, mean, micro};

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
    let intervals = intervals_of(&parts, samples.len(), gold, systems, clusters, plan);
    let scored = parts.iter().zip(intervals).map(|(part, ci95)| score(part, gold, systems, &ci95)).collect();
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

fn score(part: &Part, all: &Labels, systems: &[(&str, &Labels)], intervals: &[Option<[f64; 2]>]) -> Slice {
    let gold = part.gold.as_ref().unwrap_or(all);
    let rows = || part.rows.iter().copied();
    let score = |((name, predicted), ci95): (&(&str, &Labels), &Option<[f64; 2]>)| {
        let counts = counts_of_rows(gold, predicted, rows());
        let total = micro(&counts);
        let known = |value: f64| part.gold.is_none().then_some(value);
        let exact = rows().map(|r| f64::from(u8::from(gold.row(r) == predicted.row(r))));
        SliceScore {
            name: (*name).to_owned(),
            precision: known(total.precision),
            recall: total.recall,
            f1: known(total.f1),
            ci95: *ci95,
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

/// Intervals of micro F1 (or recall) of every system on every part. The whole file is resampled, so a part is of
/// another size in each draw; draws in which a part has nothing to score are left out of it.
fn intervals_of(
    parts: &[Part],
    rows: usize,
    gold: &Labels,
    systems: &[(&str, &Labels)],
    clusters: &Clusters,
    plan: Plan,
) -> Vec<Vec<Option<[f64; 2]>>> {
    let mut parts_of_row = vec![Vec::new(); rows];
    for (i, part) in parts.iter().enumerate() {
        part.rows.iter().for_each(|row| parts_of_row[*row].push(i));
    }
    // Slots of a part: its support, then true positives and predictions of each system.
    let width = 1 + 2 * systems.len();
    let tally = Tally::new(clusters, parts.len() * width, |row| {
        let count = |cells: &mut dyn Iterator<Item = bool>| cells.filter(|c| *c).count() as f64;
        let mut entries = Vec::new();
        for part in &parts_of_row[row] {
            let there = parts[*part].gold.as_ref().unwrap_or(gold).row(row);
            let slot = part * width;
            entries.push((slot, count(&mut there.iter().copied())));
            for (s, (_, predicted)) in systems.iter().enumerate() {
                let given = predicted.row(row);
                entries.push((slot + 2 * s + 1, count(&mut given.iter().zip(there).map(|(p, g)| *p && *g))));
                entries.push((slot + 2 * s + 2, count(&mut given.iter().copied())));
            }
        }
        entries
    });
    let recall_only: Vec<bool> = parts.iter().map(|p| p.gold.is_some()).collect();
    let figures = move |totals: &[f64], figures: &mut Vec<Option<f64>>| {
        for (sums, recall_only) in totals.chunks_exact(width).zip(&recall_only) {
            figures.extend(sums[1..].chunks_exact(2).map(|s| {
                let c = Counts { support: sums[0] as u64, tp: s[0] as u64, predicted: s[1] as u64 };
                match recall_only {
                    true => (c.support > 0).then(|| c.recall()),
                    false => (c.support + c.predicted > 0).then(|| c.f1()),
                }
            }));
        }
    };
    let statistic = Statistic { tally, figures: Box::new(figures) };
    let all = intervals(&[&statistic], clusters.count, plan).into_iter().flatten().collect::<Vec<_>>();
    let of_part = |(i, part): (usize, &Part)| {
        let several = part.rows.iter().any(|r| clusters.of_row[*r] != clusters.of_row[part.rows[0]]);
        let own = &all[i * systems.len()..(i + 1) * systems.len()];
        if several { own.to_vec() } else { vec![None; systems.len()] }
    };
    parts.iter().enumerate().map(of_part).collect()
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
