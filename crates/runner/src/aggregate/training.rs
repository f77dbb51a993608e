//! What an aggregate learns from: the scores of a panel for the same paragraphs, with or without their labels.
//!
//! The decision that matters: a learned aggregate must be given scores that its systems would give to paragraphs which
//! they have not seen. A system that was trained on these samples has to be cross-fitted first; nothing here can tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use lundian_core::Sample;

use super::Panel;

/// Score matrices of a panel over the same paragraphs, checked.
#[derive(Clone, Debug)]
pub struct Training<'a> {
    pub(super) panel: &'a Panel,
    scores: Vec<&'a [f32]>,
    samples: Option<&'a [Sample]>,
    argued: Arc<[bool]>,
    rows: Vec<usize>,
}

impl<'a> Training<'a> {
    /// Labelled samples, and for each system of the panel its scores: row-major, a row a sample, a column a thesis of
    /// the panel, in [0, 1], NaN where the system abstains. See [`Training`] on where the scores must come from.
    ///
    /// # Errors
    /// [`FitError::Shape`], [`FitError::Score`], [`FitError::NoLabels`].
    pub fn new(panel: &'a Panel, samples: &'a [Sample], scores: &[&'a [f32]]) -> Result<Self, FitError> {
        let theses = panel.theses.len();
        let mut argued = vec![false; samples.len() * theses];
        for (row, sample) in samples.iter().enumerate() {
            for label in sample.labels.iter().filter(|l| l.thesis < theses) {
                argued[row * theses + label.thesis] = true;
            }
        }
        if !argued.contains(&true) {
            return Err(FitError::NoLabels(samples.len()));
        }
        Self { samples: Some(samples), argued: argued.into(), ..Self::unlabelled(panel, scores)? }.check(samples.len())
    }

    /// Scores of paragraphs that nobody has labelled; they suffice for `dawid-skene`.
    ///
    /// # Errors
    /// [`FitError::Shape`], [`FitError::Score`].
    pub fn unlabelled(panel: &'a Panel, scores: &[&'a [f32]]) -> Result<Self, FitError> {
        let rows = scores.first().map_or(0, |s| s.len() / panel.theses.len().max(1));
        Self { panel, scores: scores.to_vec(), samples: None, argued: Arc::from([]), rows: (0..rows).collect() }
            .check(rows)
    }

    fn check(self, rows: usize) -> Result<Self, FitError> {
        let Panel { names, theses, .. } = self.panel;
        if self.scores.len() != names.len() {
            return Err(FitError::Systems { matrices: self.scores.len(), systems: names.len() });
        }
        for (system, scores) in names.iter().zip(&self.scores) {
            let expected = rows * theses.len();
            if scores.len() != expected {
                return Err(FitError::Shape { system: system.clone(), scores: scores.len(), expected });
            }
            if let Some(at) = scores.iter().position(|s| !s.is_nan() && !(0.0..=1.0).contains(s)) {
                return Err(FitError::Score { system: system.clone(), row: at / theses.len(), score: scores[at] });
            }
        }
        Ok(self)
    }

    /// The same matrices, seen through some rows only.
    fn among(&self, rows: Vec<usize>) -> Self {
        Self { rows, ..self.clone() }
    }

    /// The rows to learn from.
    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    pub(super) fn systems(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn theses(&self) -> usize {
        self.panel.theses.len()
    }

    /// Cells of a score matrix, seen or not.
    pub(super) fn cells(&self) -> usize {
        self.scores.first().map_or(0, |s| s.len())
    }

    pub(super) fn score(&self, system: usize, row: usize, thesis: usize) -> f32 {
        self.scores[system][row * self.theses() + thesis]
    }

    /// One paragraph's scores, a slice a system.
    pub(super) fn row(&self, row: usize) -> Vec<&'a [f32]> {
        let theses = self.theses();
        self.scores.iter().map(|s| &s[row * theses..(row + 1) * theses]).collect()
    }

    /// What a system votes at its own threshold; `None` if it abstains.
    pub(super) fn vote(&self, system: usize, row: usize, thesis: usize) -> Option<bool> {
        let score = self.score(system, row, thesis);
        (!score.is_nan()).then(|| score >= self.panel.thresholds[system][thesis])
    }

    pub(super) fn argues(&self, row: usize, thesis: usize) -> bool {
        self.argued[row * self.theses() + thesis]
    }

    /// The samples.
    ///
    /// # Errors
    /// [`FitError::Unlabelled`] if there are none.
    pub(super) fn samples(&self, method: &'static str) -> Result<&'a [Sample], FitError> {
        self.samples.ok_or(FitError::Unlabelled(method))
    }

    /// The fold of each sample: clusters (sections, else documents), the largest first, go to the fold that has the
    /// fewest samples so far. Nobody's paragraphs are in two folds.
    ///
    /// # Errors
    /// [`FitError::Clusters`] if there are fewer clusters than folds, [`FitError::Folds`] for fewer than two folds.
    pub(super) fn folds(&self, folds: usize) -> Result<Vec<usize>, FitError> {
        let samples = self.samples("cross-fitting")?;
        if folds < 2 {
            return Err(FitError::Folds(folds));
        }
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &row in &self.rows {
            members.entry(samples[row].cluster()).or_default().push(row);
        }
        if members.len() < folds {
            return Err(FitError::Clusters { folds, clusters: members.len() });
        }
        let mut clusters: Vec<Vec<usize>> = members.into_values().collect();
        clusters.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
        let mut sizes = vec![0; folds];
        let mut fold_of = vec![usize::MAX; samples.len()];
        for rows in clusters {
            let fold = (0..folds).min_by_key(|&f| sizes[f]).unwrap_or(0);
            sizes[fold] += rows.len();
            rows.into_iter().for_each(|row| fold_of[row] = fold);
        }
        Ok(fold_of)
    }

    /// For each fold, this training without its rows, and its rows.
    pub(super) fn splits(&self, folds: usize) -> Result<Vec<(Self, Vec<usize>)>, FitError> {
        let fold_of = self.folds(folds)?;
        Ok((0..folds)
            .map(|fold| {
                let (inside, outside) = self.rows.iter().partition(|&&row| fold_of[row] == fold);
                (self.among(outside), inside)
            })
            .collect())
    }
}

/// Why an aggregate cannot be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Not one matrix a system.
    #[error("{matrices} score matrices for {systems} systems")]
    Systems {
        /// Matrices given.
        matrices: usize,
        /// Systems of the panel.
        systems: usize,
    },
    /// A matrix of another size.
    #[error("system {system:?} has {scores} scores where {expected} were expected, one a paragraph and thesis")]
    Shape {
        /// The system.
        system: String,
        /// Scores given.
        scores: usize,
        /// Scores expected.
        expected: usize,
    },
    /// A score that is none.
    #[error("system {system:?} gives paragraph {row} the score {score}, which is outside [0, 1]")]
    Score {
        /// The system.
        system: String,
        /// The paragraph, counted from 0.
        row: usize,
        /// The score.
        score: f32,
    },
    /// Nothing to learn.
    #[error("none of the {0} samples argues a thesis: nothing can be learned from them")]
    NoLabels(usize),
    /// Labels are needed.
    #[error("{0} needs labelled samples; dawid-skene is the aggregate that can be fitted without")]
    Unlabelled(&'static str),
    /// Too few authors or documents to hold some out.
    #[error(
        "{folds} folds need at least as many sections or documents, and the samples come from {clusters}: give more \
         samples or fewer folds"
    )]
    Clusters {
        /// Folds asked for.
        folds: usize,
        /// Sections, or documents where there are none.
        clusters: usize,
    },
    /// Nothing would be held out.
    #[error("{0} folds hold nothing out; give 2 or more")]
    Folds(usize),
    /// Parameters that were fitted and cannot be used.
    #[error("{0}")]
    Unfit(String),
    /// A method that learns nothing.
    #[error("{0} has nothing to learn")]
    NotLearned(&'static str),
    /// Costs that fit nothing.
    #[error("cascade needs the seconds a paragraph of each of the {systems} systems, and got {costs}")]
    Costs {
        /// Costs given.
        costs: usize,
        /// Systems of the panel.
        systems: usize,
    },
    /// No cascade to tune.
    #[error("there is no cascade for these systems to tune: fit one first with `lundian train ensemble`")]
    NoCascade,
    /// A target that is none.
    #[error("the target of a cascade must be {0}")]
    Target(&'static str),
    /// Nothing can be saved.
    #[error("cascade has nothing to spare: no system of this panel costs more than {0} times the ones before it")]
    OneStage(f64),
}
