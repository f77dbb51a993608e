//! How well a system's evidence matches the quotes of the gold file (token F1 and IoU F1 of ERASER, DeYoung et al.
//! 2020).
//!
//! Characters are the tokens, white space apart: Chinese has no others that everyone agrees on. The pairs looked at
//! are paragraph and thesis with a quote in the gold file. Where the system does not give the thesis its evidence
//! does not count, which costs recall; false alarms are charged in the labels' precision and not here again.

use std::collections::HashMap;
use std::ops::Range;

use lundian_core::{Evidence, Sample};
use serde::Serialize;

use crate::labels::Labels;
use crate::metrics::Counts;

/// Evidence against gold quotes. Every figure is `None` where the gold file has no quotes or the system no evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EvidenceReport {
    /// F1 over characters, added up over all pairs.
    pub token_f1: Option<f64>,
    /// F1 over spans; a span counts as found if it overlaps the quote by half of their union or more.
    pub iou50_f1: Option<f64>,
    /// Precision over characters.
    pub token_precision: Option<f64>,
    /// Recall over characters.
    pub token_recall: Option<f64>,
    /// F1 over characters where the system gives the thesis: how well it points, apart from how well it finds.
    pub token_f1_found: Option<f64>,
    /// Pairs with a quote in the gold file.
    pub quotes: u64,
    /// Pairs of those where the system gives the thesis.
    pub found: u64,
}

/// Spans of each paragraph and thesis.
pub(crate) type Spans = HashMap<(usize, usize), Vec<Range<usize>>>;

/// Evidence by paragraph and thesis, in the order given.
pub(crate) fn by_cell(evidence: &[Evidence]) -> Spans {
    let mut spans = Spans::new();
    for e in evidence {
        spans.entry((e.row, e.thesis)).or_default().push(e.range.clone());
    }
    spans
}

/// Compares a system's evidence with the gold quotes. Spans that are not on character boundaries are ignored.
pub fn evidence(samples: &[Sample], predicted: &Labels, evidence: &[Evidence]) -> EvidenceReport {
    let spans = by_cell(evidence);
    let mut report = EvidenceReport::default();
    let (mut tokens, mut tokens_found, mut whole) = (Counts::default(), Counts::default(), Counts::default());
    for (row, sample) in samples.iter().enumerate() {
        for label in &sample.labels {
            let Some(quote) = &label.evidence else { continue };
            report.quotes += 1;
            let found = predicted.row(row).get(label.thesis).copied().unwrap_or(false);
            let empty = Vec::new();
            let given = if found { spans.get(&(row, label.thesis)).unwrap_or(&empty) } else { &empty };
            let pair = overlap(&sample.paragraph.text, quote, given);
            tokens += pair;
            whole += matches(&sample.paragraph.text, quote, given);
            if found {
                report.found += 1;
                tokens_found += pair;
            }
        }
    }
    if report.quotes > 0 && !evidence.is_empty() {
        report.token_f1 = Some(tokens.f1());
        report.iou50_f1 = Some(whole.f1());
        report.token_precision = Some(tokens.precision());
        report.token_recall = Some(tokens.recall());
        report.token_f1_found = (report.found > 0).then(|| tokens_found.f1());
    }
    report
}

/// Characters of the quote and of the union of the spans.
fn overlap(text: &str, quote: &Range<usize>, spans: &[Range<usize>]) -> Counts {
    let mut counts = Counts::default();
    for (i, _) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let there = quote.contains(&i);
        let given = spans.iter().any(|s| s.contains(&i));
        counts.tp += u64::from(there && given);
        counts.predicted += u64::from(given);
        counts.support += u64::from(there);
    }
    counts
}

/// One quote against the distinct spans: it is found at most once.
fn matches(text: &str, quote: &Range<usize>, spans: &[Range<usize>]) -> Counts {
    let mut distinct: Vec<_> = spans.iter().map(|s| (s.start, s.end)).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let half = |&(start, end): &(usize, usize)| {
        let c = overlap(text, quote, std::slice::from_ref(&(start..end)));
        c.tp > 0 && 2 * c.tp >= c.predicted + c.support - c.tp
    };
    Counts { tp: u64::from(distinct.iter().any(half)), predicted: distinct.len() as u64, support: 1 }
}
