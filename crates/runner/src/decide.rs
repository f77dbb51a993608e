//! From the systems' verdicts to the labels of a paragraph.

use std::ops::Range;
use std::sync::Arc;

use lundian_core::{Taxonomy, Thresholds, Unit};

use crate::aggregate::{Aggregate, AggregateError, Entry, Fitted, Panel};
use crate::{Gate, Labelled, System};

/// Most evidence spans kept for one label: the strongest.
pub const MAX_EVIDENCE: usize = 5;

/// A span that supports a label.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceSpan {
    /// Bytes of the paragraph's text.
    pub range: Range<usize>,
    /// How much it carries, in [0, 1].
    pub weight: f32,
    /// Index of the system that found it.
    pub system: usize,
}

/// Why a system scores a label as it does, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// Index of the system.
    pub system: usize,
    /// Its reason.
    pub reason: String,
}

/// One label of a paragraph.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Index of the thesis.
    pub thesis: usize,
    /// Its score, in [0, 1].
    pub score: f32,
    /// What supports it, strongest first, at most [`MAX_EVIDENCE`] spans.
    pub evidence: Vec<EvidenceSpan>,
    /// Reasons in words, where they were asked for; see [`explain`].
    pub why: Vec<Why>,
}

/// Asks every system for its reasons for each label, besides its score.
pub fn explain(row: &Labelled, labels: &mut [Decision], systems: &[System]) {
    let unit = Unit::from(&row.paragraph);
    for label in labels {
        for (index, (system, verdict)) in systems.iter().zip(&row.verdicts).enumerate() {
            let score = verdict.scores[label.thesis];
            let summary = match (verdict.spared, score.is_nan()) {
                (true, _) => "was not asked".to_owned(),
                (false, true) => "abstains".to_owned(),
                (false, false) => format!("score {score:.2}"),
            };
            let reasons = system.classifier.explain(&unit, label.thesis);
            label.why.extend([summary].into_iter().chain(reasons).map(|reason| Why { system: index, reason }));
        }
    }
}

/// Turns verdicts into labels: by one system alone, or by an aggregate of several.
pub struct Judge {
    name: String,
    aggregate: Option<Box<dyn Aggregate>>,
    thresholds: Vec<f32>,
    origin: String,
}

impl Judge {
    /// Judges by `aggregate`, with what was learned for it, or, where there is one system only, by that system itself.
    /// `threshold`, if given, holds for every thesis in place of the stored ones.
    ///
    /// # Errors
    /// If the aggregate is learned and `fitted` has no parameters for these systems.
    ///
    /// # Panics
    /// If there are no systems.
    pub fn new(
        systems: &[System],
        aggregate: &Entry,
        fitted: Option<&Fitted>,
        taxonomy: &Taxonomy,
        threshold: Option<f32>,
    ) -> Result<Self, AggregateError> {
        let (name, aggregate, stored) = if let [only] = systems {
            (only.name.clone(), None, only.thresholds.clone())
        } else {
            assert!(!systems.is_empty(), "a run has at least one system");
            let built = aggregate.for_panel(&Panel::new(systems, taxonomy), fitted)?;
            let stored = built.thresholds();
            (aggregate.name.to_owned(), Some(built), stored)
        };
        let used = match threshold {
            Some(t) => Thresholds { origin: "given".into(), ..Thresholds::uniform(t) },
            None => stored,
        };
        Ok(Self { name, aggregate, thresholds: used.resolve(taxonomy), origin: used.origin })
    }

    /// The same judge with other thresholds.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: &Thresholds, taxonomy: &Taxonomy) -> Self {
        self.thresholds = thresholds.resolve(taxonomy);
        self.origin.clone_from(&thresholds.origin);
        self
    }

    /// The plan by which [`run`](crate::run) may spare systems, if the aggregate has one; for [`Options::gate`].
    ///
    /// [`Options::gate`]: crate::Options::gate
    pub fn gate(&self) -> Option<Arc<dyn Gate>> {
        self.aggregate.as_ref().and_then(|a| a.gate())
    }

    /// Name of the system or aggregate that judges.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The thresholds in use, one a thesis.
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// Where the thresholds come from, in words; empty if not recorded.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The combined scores of a paragraph, one a thesis; NaN where every system abstains.
    pub fn scores(&self, row: &Labelled) -> Vec<f32> {
        match &self.aggregate {
            None => row.verdicts[0].scores.clone(),
            Some(aggregate) => {
                let scores: Vec<&[f32]> = row.verdicts.iter().map(|v| v.scores.as_slice()).collect();
                aggregate.combine(&scores)
            }
        }
    }

    /// The labels of a paragraph with these [`scores`](Self::scores): the theses at or above their threshold, highest
    /// score first.
    pub fn decide(&self, row: &Labelled, scores: &[f32]) -> Vec<Decision> {
        let mut decisions: Vec<Decision> = scores
            .iter()
            .zip(&self.thresholds)
            .enumerate()
            .filter(|(_, (score, threshold))| score >= threshold)
            .map(|(thesis, (&score, _))| Decision {
                thesis,
                score,
                evidence: evidence_for(row, thesis),
                why: Vec::new(),
            })
            .collect();
        decisions.sort_by(|a, b| b.score.total_cmp(&a.score));
        decisions
    }
}

fn evidence_for(row: &Labelled, thesis: usize) -> Vec<EvidenceSpan> {
    let mut spans: Vec<EvidenceSpan> = row
        .verdicts
        .iter()
        .enumerate()
        .flat_map(|(system, verdict)| {
            verdict.evidence.iter().filter(|s| s.thesis == thesis).map(move |s| EvidenceSpan {
                range: s.range.clone(),
                weight: s.weight,
                system,
            })
        })
        .collect();
    spans.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.range.start.cmp(&b.range.start)));
    spans.truncate(MAX_EVIDENCE);
    spans
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lundian_core::{Batch, Classifier, ClassifierError, Kind, Output, Paragraph};

    use super::*;
    use crate::aggregate::find;
    use crate::{Span, Verdict};

    struct Silent;

    impl Classifier for Silent {
        fn classify(&self, _: &Batch<'_>, _: &mut Output) -> Result<(), ClassifierError> {
            Ok(())
        }
    }

    fn verdict(first: f32, second: f32, weight: f32) -> Verdict {
        let mut scores = vec![f32::NAN; Taxonomy::china_economy().len()];
        scores[..2].copy_from_slice(&[first, second]);
        Verdict { scores, evidence: vec![Span { thesis: 1, range: 0..3, weight }], ..Verdict::default() }
    }

    fn systems(n: usize) -> Vec<System> {
        (0..n).map(|i| System::new(format!("s{i}"), Kind::Plugin, Arc::new(Silent))).collect()
    }

    #[test]
    fn labels_are_ordered_and_carry_every_systems_evidence() {
        let taxonomy = Taxonomy::china_economy();
        let judge = Judge::new(&systems(2), find("mean").unwrap(), None, &taxonomy, Some(0.5)).unwrap();
        let row = Labelled {
            paragraph: Paragraph::default(),
            verdicts: vec![verdict(0.4, 0.9, 0.2), verdict(0.6, 0.7, 0.8)],
        };
        let labels = judge.decide(&row, &judge.scores(&row));
        assert_eq!(labels.iter().map(|l| l.thesis).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(labels[0].evidence.iter().map(|e| e.system).collect::<Vec<_>>(), [1, 0]);
        assert!(labels[1].evidence.is_empty());
        assert_eq!(judge.name(), "mean");
    }

    #[test]
    fn one_system_speaks_for_itself() {
        let taxonomy = Taxonomy::china_economy();
        let judge = Judge::new(&systems(1), find("vote").unwrap(), None, &taxonomy, None).unwrap();
        let row = Labelled { paragraph: Paragraph::default(), verdicts: vec![verdict(0.4, 0.5, 1.0)] };
        assert_eq!(judge.name(), "s0");
        assert_eq!(judge.decide(&row, &judge.scores(&row)).iter().map(|l| l.thesis).collect::<Vec<_>>(), [1]);
    }
}
