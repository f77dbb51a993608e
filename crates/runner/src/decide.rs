//! From the systems' verdicts to the labels of a paragraph.

use std::ops::Range;
use std::sync::Arc;

use lundian_core::{RoleScores, Taxonomy, Thresholds, Unit};

use crate::aggregate::{Aggregate, AggregateError, Entry, Fitted, Panel};
use crate::clause::clause_around;
use crate::{Gate, Labelled, System, Verdict};

/// Most pieces of evidence for one label: more are less often right than useful.
pub const MAX_EVIDENCE: usize = 2;

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
    /// What supports it, strongest first, at most [`MAX_EVIDENCE`] clauses; see [`evidence_for`].
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

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("name", &self.name).finish_non_exhaustive()
    }
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

    /// The plan by which [`run`](crate::run) may spare systems, if the aggregate has one.
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
        let scores: Vec<&[f32]> = row.verdicts.iter().map(|v| v.scores.as_slice()).collect();
        self.combine(&scores)
    }

    /// The same of a row of scores for each system.
    pub(crate) fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        self.aggregate.as_ref().map_or_else(|| scores[0].to_vec(), |aggregate| aggregate.combine(scores))
    }

    /// The theses at or above their threshold, in the order of the taxonomy.
    pub(crate) fn labels(&self, scores: &[f32]) -> impl Iterator<Item = usize> {
        let labels = scores.iter().zip(&self.thresholds).map(|(score, threshold)| score >= threshold);
        labels.enumerate().filter_map(|(thesis, yes)| yes.then_some(thesis))
    }

    /// The labels of a paragraph with these [`scores`](Self::scores): the theses at or above their threshold, highest
    /// score first.
    pub fn decide(&self, row: &Labelled, scores: &[f32]) -> Vec<Decision> {
        let systems: Vec<usize> = (0..row.verdicts.len()).collect();
        let mut decisions: Vec<Decision> = self
            .labels(scores)
            .map(|thesis| Decision {
                thesis,
                score: scores[thesis],
                evidence: evidence_for(&row.paragraph.text, &row.verdicts, &systems, thesis),
                why: Vec::new(),
            })
            .collect();
        decisions.sort_by(|a, b| b.score.total_cmp(&a.score));
        decisions
    }
}

/// How likely each role of a paragraph is: the plain mean of those of `verdicts` that say it, `None` where none does.
///
/// A mean with equal weights whatever combines the theses: what an aggregate learned of its systems, it learned on theses.
pub fn mean_role<'v>(verdicts: impl IntoIterator<Item = &'v Verdict>) -> Option<RoleScores> {
    let said: Vec<&RoleScores> = verdicts.into_iter().filter_map(|v| v.role.as_ref()).collect();
    let mean = |role: usize| said.iter().map(|scores| scores[role]).sum::<f32>() / said.len() as f32;
    (!said.is_empty()).then(|| std::array::from_fn(mean))
}

/// What supports a thesis in a paragraph of the text `text`, by those of `verdicts` whose numbers are in `systems`, for
/// people to read: strongest first, at most [`MAX_EVIDENCE`] clauses. Where systems point to the same words, spans that no
/// other system touches are left out: they are less often what people mark.
pub fn evidence_for(text: &str, verdicts: &[Verdict], systems: &[usize], thesis: usize) -> Vec<EvidenceSpan> {
    let of_system = |&system: &usize| {
        verdicts[system].evidence.iter().filter(|s| s.thesis == thesis).map(move |s| EvidenceSpan {
            range: s.range.clone(),
            weight: s.weight,
            system,
        })
    };
    let spans: Vec<EvidenceSpan> = systems.iter().flat_map(of_system).collect();
    let touches = |a: &EvidenceSpan, b: &EvidenceSpan| {
        a.system != b.system && a.range.start < b.range.end && b.range.start < a.range.end
    };
    let (shared, alone): (Vec<_>, Vec<_>) = spans.iter().cloned().partition(|a| spans.iter().any(|b| touches(a, b)));
    let mut spans = if shared.is_empty() { alone } else { shared };
    spans.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.range.start.cmp(&b.range.start)));
    let mut clauses: Vec<EvidenceSpan> = Vec::new();
    for span in spans.into_iter().take(MAX_EVIDENCE) {
        let range = clause_around(text, &span.range);
        if !clauses.iter().any(|known| known.range == range) {
            clauses.push(EvidenceSpan { range, ..span });
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lundian_core::{Batch, Classifier, ClassifierError, Kind, Output, Paragraph, Role};

    use super::*;
    use crate::Span;
    use crate::aggregate::find;

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
    fn labels_are_ordered_and_carry_evidence_of_the_surest_system() {
        let taxonomy = Taxonomy::china_economy();
        let judge = Judge::new(&systems(2), find("mean").unwrap(), None, &taxonomy, Some(0.5)).unwrap();
        let row = Labelled {
            paragraph: Paragraph::default(),
            verdicts: vec![verdict(0.4, 0.9, 0.2), verdict(0.6, 0.7, 0.8)],
        };
        let labels = judge.decide(&row, &judge.scores(&row));
        assert_eq!(labels.iter().map(|l| l.thesis).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(labels[0].evidence.iter().map(|e| e.system).collect::<Vec<_>>(), [1]);
        assert!(labels[1].evidence.is_empty());
        assert_eq!(judge.name(), "mean");
    }

    #[test]
    fn clauses_that_two_systems_point_to_come_before_those_of_one() {
        let text = "aa bb，cc dd，ee ff，gg hh";
        let at = |words: &str| text.find(words).map(|start| start..start + words.len()).unwrap();
        let found = |spans: &[(usize, &str, f32)]| Verdict {
            evidence: spans.iter().map(|&(thesis, words, weight)| Span { thesis, range: at(words), weight }).collect(),
            ..Verdict::default()
        };
        let verdicts = [
            found(&[(0, "aa b", 0.4), (0, "ff", 0.9), (1, "dd", 1.0)]),
            found(&[(0, "a b", 0.5), (0, "bb", 0.1)]),
            found(&[(0, "hh", 1.0), (0, "gg", 0.3), (0, "cc", 0.2)]),
        ];
        let of = |systems: &[usize], thesis| -> Vec<(usize, &str)> {
            evidence_for(text, &verdicts, systems, thesis).into_iter().map(|e| (e.system, &text[e.range])).collect()
        };
        // The same clause is not shown twice.
        assert_eq!(of(&[0, 1, 2], 0), [(1, "aa bb")]);
        // What only one system points to, where none agrees; a system does not agree with itself.
        assert_eq!(of(&[1, 2], 0), [(2, "gg hh"), (1, "aa bb")]);
        assert_eq!(of(&[2], 0), [(2, "gg hh")]);
        assert_eq!((of(&[0, 1, 2], 1), of(&[0, 1, 2], 2)), (vec![(0, "cc dd")], vec![]));
        // Next to each other is not the same.
        let beside = [found(&[(0, "aa", 0.2)]), found(&[(0, " bb", 0.3), (0, "cc dd", 0.1)]), found(&[(0, "dd", 0.2)])];
        let spans = evidence_for(text, &beside, &[0, 1, 2], 0);
        assert_eq!(spans.iter().map(|e| &text[e.range.clone()]).collect::<Vec<_>>(), ["cc dd"]);
    }

    #[test]
    fn the_role_is_that_of_the_mean_of_those_who_say_one() {
        let says = |role| Verdict { role: Some(role), ..Verdict::default() };
        let (explains, proposes) = ([0.5, 0.25, 0.25, 0.0], [0.0, 0.25, 0.75, 0.0]);
        let silent = Verdict::default();
        assert_eq!(mean_role(&[]), None);
        assert_eq!(mean_role(&[silent.clone(), Verdict { spared: true, ..silent.clone() }]), None);
        assert_eq!(mean_role(&[silent.clone(), says(explains)]), Some(explains), "silence has no weight");
        let mean = mean_role(&[says(explains), silent, says(proposes)]).unwrap();
        assert_eq!((mean, Role::likeliest(&mean)), ([0.25, 0.25, 0.5, 0.0], Role::Remedy));
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
