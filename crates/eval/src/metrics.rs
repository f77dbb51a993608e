//! Precision, recall, F1 and their averages, all computed from three counts per thesis.
//!
//! The one decision: a ratio with nothing below the line is 0, as scikit-learn's `zero_division=0`, and the macro
//! average leaves out theses without support, so that a thesis that the gold file does not have costs nothing.

use serde::Serialize;

use crate::labels::Labels;

/// What happened to one thesis: the counts that precision, recall and F1 are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Paragraphs that argue it and were given it.
    pub tp: u64,
    /// Paragraphs that were given it.
    pub predicted: u64,
    /// Paragraphs that argue it.
    pub support: u64,
}

impl Counts {
    /// Share of what was given that is right; 0 if nothing was given.
    pub fn precision(self) -> f64 {
        ratio(self.tp, self.predicted)
    }

    /// Share of what is there that was given; 0 if nothing is there.
    pub fn recall(self) -> f64 {
        ratio(self.tp, self.support)
    }

    /// Harmonic mean of the two, `2 tp / (predicted + support)` (van Rijsbergen 1979); 0 if nothing is there and
    /// nothing was given.
    pub fn f1(self) -> f64 {
        ratio(2 * self.tp, self.predicted + self.support)
    }

    /// Precision, recall and F1.
    pub fn prf(self) -> Prf {
        Prf { precision: self.precision(), recall: self.recall(), f1: self.f1() }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tp += other.tp;
        self.predicted += other.predicted;
        self.support += other.support;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |mut total, c| {
            total += c;
            total
        })
    }
}

/// `a / b`, or 0 where `b` is 0.
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// Mean of `values`, `None` where there are none.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0usize);
    for value in values {
        sum += value;
        n += 1;
    }
    (n > 0).then(|| sum / n as f64)
}

/// Precision, recall and F1, each in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Prf {
    /// Share of what was given that is right.
    pub precision: f64,
    /// Share of what is there that was given.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// Micro average: one count over all theses (scikit-learn `average="micro"`).
pub fn micro(counts: &[Counts]) -> Prf {
    counts.iter().copied().sum::<Counts>().prf()
}

/// Macro average: the mean over the theses with support; all 0 if none has any. Macro F1 is the mean of the F1s, not
/// the F1 of the means (Opitz and Burst 2019).
pub fn macro_average(counts: &[Counts]) -> Prf {
    let average =
        |f: fn(Counts) -> f64| mean(counts.iter().filter(|c| c.support > 0).map(|c| f(*c))).unwrap_or_default();
    Prf { precision: average(Counts::precision), recall: average(Counts::recall), f1: average(Counts::f1) }
}

/// Counts of each thesis.
///
/// # Panics
/// If the two matrices differ in shape.
pub fn counts(gold: &Labels, predicted: &Labels) -> Vec<Counts> {
    counts_of_rows(gold, predicted, 0..gold.rows())
}

/// Counts of each thesis over some rows.
pub(crate) fn counts_of_rows(gold: &Labels, predicted: &Labels, rows: impl IntoIterator<Item = usize>) -> Vec<Counts> {
    assert_eq!((gold.rows(), gold.theses()), (predicted.rows(), predicted.theses()), "shapes of label matrices");
    let mut counts = vec![Counts::default(); gold.theses()];
    for row in rows {
        for ((count, g), p) in counts.iter_mut().zip(gold.row(row)).zip(predicted.row(row)) {
            count.tp += u64::from(*g && *p);
            count.predicted += u64::from(*p);
            count.support += u64::from(*g);
        }
    }
    counts
}

/// Share of paragraphs whose set of theses is exactly right (scikit-learn `accuracy_score` on indicators); `None`
/// without paragraphs.
pub fn subset_accuracy(gold: &Labels, predicted: &Labels) -> Option<f64> {
    mean((0..gold.rows()).map(|r| f64::from(u8::from(gold.row(r) == predicted.row(r)))))
}

/// Mean over paragraphs of |intersection| / |union| of the two sets of theses; two empty sets agree fully, so they
/// count 1 (scikit-learn `jaccard_score(average="samples", zero_division=1)`). `None` without paragraphs.
pub fn jaccard(gold: &Labels, predicted: &Labels) -> Option<f64> {
    mean((0..gold.rows()).map(|r| set_jaccard(gold.row(r), predicted.row(r))))
}

/// |intersection| / |union| of two sets of theses, 1 for two empty ones.
pub(crate) fn set_jaccard(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count() as u64;
    let either = a.iter().zip(b).filter(|(a, b)| **a || **b).count() as u64;
    if either == 0 { 1.0 } else { ratio(both, either) }
}

/// Does a paragraph argue a thesis at all? Counts over paragraphs.
pub fn any_thesis(gold: &Labels, predicted: &Labels) -> Counts {
    let group = |labels: &Labels| labels.grouped(1, |_| 0);
    counts(&group(gold), &group(predicted)).into_iter().sum()
}

/// One step of a precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Scores at or above this count as given.
    pub threshold: f32,
    /// Precision there.
    pub precision: f64,
    /// Recall there.
    pub recall: f64,
}

/// The precision-recall curve of `(score, is it there)` pairs, from the highest threshold to the lowest, one point
/// for each distinct score; empty if nothing is there. Abstentions (NaN) rank below every score, so a thesis that a
/// system will not judge costs it recall.
pub fn precision_recall_curve(scored: &mut [(f32, bool)]) -> Vec<CurvePoint> {
    let positives = scored.iter().filter(|(_, y)| *y).count() as u64;
    let rank = |s: f32| if s.is_nan() { f32::NEG_INFINITY } else { s };
    scored.sort_unstable_by(|a, b| rank(b.0).total_cmp(&rank(a.0)));
    let mut points = Vec::new();
    if positives == 0 {
        return points;
    }
    let (mut tp, mut seen) = (0, 0);
    for group in scored.chunk_by(|a, b| rank(a.0) == rank(b.0)) {
        tp += group.iter().filter(|(_, y)| *y).count() as u64;
        seen += group.len() as u64;
        let threshold = if group[0].0.is_nan() { 0.0 } else { group[0].0 };
        points.push(CurvePoint { threshold, precision: ratio(tp, seen), recall: ratio(tp, positives) });
    }
    points
}

/// Average precision, `sum over steps of (R_n - R_{n-1}) P_n` (scikit-learn `average_precision_score`: no
/// interpolation). `None` if nothing is there, or if the system abstains throughout.
pub fn average_precision(scored: &mut [(f32, bool)]) -> Option<f64> {
    if scored.iter().all(|(s, _)| s.is_nan()) {
        return None;
    }
    let curve = precision_recall_curve(scored);
    let mut before = 0.0;
    let mut area = 0.0;
    for p in &curve {
        area += (p.recall - before) * p.precision;
        before = p.recall;
    }
    (!curve.is_empty()).then_some(area)
}
