//! What there is to reach: how well one annotator predicts the others. A system that scores above it has learned the
//! gold file's habits, not the theses.

use std::collections::{BTreeMap, BTreeSet};

use lundian_core::Sample;
use serde::Serialize;

use crate::labels::Labels;
use crate::metrics::{counts, macro_average, mean, micro, subset_accuracy};

/// Leave-one-out agreement of the annotators, in the systems' own figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Mean over annotators of their micro F1.
    pub micro_f1: f64,
    /// Mean over annotators of their macro F1.
    pub macro_f1: f64,
    /// Mean over annotators of their share of exactly equal sets.
    pub subset_accuracy: f64,
    /// Paragraphs with two annotators or more.
    pub paragraphs: usize,
    /// Each annotator against the others.
    pub annotators: Vec<AnnotatorScore>,
}

/// One annotator, scored against the others as if they were gold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnnotatorScore {
    /// As named in the file.
    pub name: String,
    /// Paragraphs that somebody else labelled, too.
    pub paragraphs: usize,
    /// Micro F1.
    pub micro_f1: f64,
    /// Macro F1.
    pub macro_f1: f64,
}

/// Scores every annotator against the theses that more than half of the others gave. `None` unless some paragraph has
/// two annotators.
pub fn ceiling(samples: &[Sample], theses: usize) -> Option<Ceiling> {
    let shared: Vec<&Sample> = samples.iter().filter(|s| s.annotators.len() > 1).collect();
    let names: BTreeSet<&String> = shared.iter().flat_map(|s| s.annotators.keys()).collect();
    let mut accuracy = Vec::new();
    let mut annotators = Vec::new();
    for name in names {
        let rows: Vec<&BTreeMap<String, Vec<usize>>> =
            shared.iter().map(|s| &s.annotators).filter(|a| a.contains_key(name)).collect();
        let mut own = Labels::none(rows.len(), theses);
        let mut others = Labels::none(rows.len(), theses);
        for (row, annotations) in rows.iter().enumerate() {
            let mut votes = vec![0usize; theses];
            for (annotator, given) in *annotations {
                for thesis in given.iter().filter(|t| **t < theses) {
                    if annotator == name {
                        own.set(row, *thesis, true);
                    } else {
                        votes[*thesis] += 1;
                    }
                }
            }
            let majority = annotations.len() - 1;
            (0..theses).filter(|t| 2 * votes[*t] > majority).for_each(|t| others.set(row, t, true));
        }
        let counts = counts(&others, &own);
        accuracy.extend(subset_accuracy(&others, &own));
        annotators.push(AnnotatorScore {
            name: name.clone(),
            paragraphs: rows.len(),
            micro_f1: micro(&counts).f1,
            macro_f1: macro_average(&counts).f1,
        });
    }
    Some(Ceiling {
        micro_f1: mean(annotators.iter().map(|a| a.micro_f1))?,
        macro_f1: mean(annotators.iter().map(|a| a.macro_f1))?,
        subset_accuracy: mean(accuracy)?,
        paragraphs: shared.len(),
        annotators,
    })
}
