//! What a classifier says about a batch: a matrix of scores, evidence spans and failures.
//!
//! Abstaining is the default: a cell that a classifier never writes stays NaN, which is not the same as 0.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::RoleScores;

/// How far the sum of a paragraph's role scores may be from 1.
const ROLE_SUM_TOLERANCE: f32 = 1e-3;

/// A span of a paragraph that supports a thesis.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Row of the batch.
    pub row: usize,
    /// Index of the thesis in the taxonomy.
    pub thesis: usize,
    /// Bytes of the paragraph's original text; both ends on character boundaries.
    pub range: Range<usize>,
    /// How much the span carries, in [0, 1].
    pub weight: f32,
}

/// A paragraph that a classifier could not judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Row of the batch.
    pub row: usize,
    /// Why, in one line.
    pub reason: String,
}

/// The answer to one batch: `rows x theses` scores (row-major, NaN where it abstains), roles, evidence and failures.
#[derive(Clone, Debug, Default)]
pub struct Output {
    rows: usize,
    theses: usize,
    scores: Vec<f32>,
    /// Empty until a row has a role: most classifiers give none.
    roles: Vec<Option<RoleScores>>,
    /// Evidence spans, in any order.
    pub evidence: Vec<Evidence>,
    /// Rows that could not be judged; their scores count as abstentions.
    pub failures: Vec<Failure>,
}

impl Output {
    /// An answer that abstains everywhere.
    pub fn new(rows: usize, theses: usize) -> Self {
        Self {
            rows,
            theses,
            scores: vec![f32::NAN; rows * theses],
            roles: Vec::new(),
            evidence: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Number of paragraphs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of theses.
    pub fn theses(&self) -> usize {
        self.theses
    }

    /// The scores of one paragraph, one per thesis.
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows).
    pub fn row(&self, row: usize) -> &[f32] {
        &self.scores[row * self.theses..(row + 1) * self.theses]
    }

    /// The scores of one paragraph, to be written.
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows).
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.scores[row * self.theses..(row + 1) * self.theses]
    }

    /// The whole matrix, row-major.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// The whole matrix, row-major, to be written.
    pub fn scores_mut(&mut self) -> &mut [f32] {
        &mut self.scores
    }

    /// Scores one thesis of one paragraph, in [0, 1].
    ///
    /// # Panics
    /// If `row` or `thesis` is out of range.
    pub fn set(&mut self, row: usize, thesis: usize, score: f32) {
        self.row_mut(row)[thesis] = score;
    }

    /// How likely each role of a paragraph is; `None` from classifiers that know nothing of roles.
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows).
    pub fn role(&self, row: usize) -> Option<&RoleScores> {
        assert!(row < self.rows, "paragraph {row} of {}", self.rows);
        self.roles.get(row)?.as_ref()
    }

    /// What [`role`](Self::role) says of every row; may be empty where no row has one.
    pub fn roles(&self) -> &[Option<RoleScores>] {
        &self.roles
    }

    /// Says how likely each role of a paragraph is, see [`RoleScores`].
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows).
    pub fn set_role(&mut self, row: usize, scores: RoleScores) {
        self.roles.resize(self.rows, None);
        self.roles[row] = Some(scores);
    }

    /// Adds an evidence span: bytes of the paragraph's original text.
    pub fn add_evidence(&mut self, row: usize, thesis: usize, range: Range<usize>, weight: f32) {
        self.evidence.push(Evidence { row, thesis, range, weight });
    }

    /// Reports that one paragraph could not be judged, and makes its scores abstentions.
    pub fn fail(&mut self, row: usize, reason: impl Into<String>) {
        self.silence(row);
        self.evidence.retain(|e| e.row != row);
        self.failures.push(Failure { row, reason: reason.into() });
    }

    /// Checks everything that a classifier promises: scores in [0, 1] or NaN, roles that are [`RoleScores`], and evidence
    /// inside `texts`, on character boundaries, with a weight in [0, 1].
    ///
    /// # Errors
    /// The first promise that is broken, with its row.
    pub fn check<'a>(&self, mut text: impl FnMut(usize) -> &'a str) -> Result<(), OutputError> {
        for (i, &score) in self.scores.iter().enumerate() {
            self.check_score(i, score)?;
        }
        (0..self.roles.len()).try_for_each(|row| self.check_role(row))?;
        self.evidence.iter().try_for_each(|e| self.check_evidence(e, &mut text))
    }

    /// Fails every row that breaks a promise of [`check`](Self::check), and keeps the others.
    ///
    /// # Errors
    /// A broken promise that is no row's fault: evidence or a failure for a row that the batch does not have.
    pub fn fail_broken_rows<'a>(&mut self, mut text: impl FnMut(usize) -> &'a str) -> Result<(), OutputError> {
        let mut broken: BTreeMap<usize, String> = BTreeMap::new();
        for (i, &score) in self.scores.iter().enumerate() {
            if let Err(e) = self.check_score(i, score) {
                broken.entry(i / self.theses).or_insert_with(|| e.to_string());
            }
        }
        for row in 0..self.roles.len() {
            if let Err(e) = self.check_role(row) {
                broken.entry(row).or_insert_with(|| e.to_string());
            }
        }
        for e in &self.evidence {
            match self.check_evidence(e, &mut text) {
                Ok(()) => {}
                Err(out_of_batch @ OutputError::Row { .. }) => return Err(out_of_batch),
                Err(error) => drop(broken.entry(e.row).or_insert_with(|| error.to_string())),
            }
        }
        if let Some(f) = self.failures.iter().find(|f| f.row >= self.rows) {
            return Err(OutputError::Row { row: f.row, rows: self.rows });
        }
        if !broken.is_empty() {
            self.evidence.retain(|e| !broken.contains_key(&e.row));
            self.failures.retain(|f| !broken.contains_key(&f.row));
            for (row, reason) in broken {
                self.silence(row);
                self.failures.push(Failure { row, reason });
            }
        }
        Ok(())
    }

    /// Makes the scores of a row abstentions, and takes away its role.
    fn silence(&mut self, row: usize) {
        self.row_mut(row).fill(f32::NAN);
        if let Some(role) = self.roles.get_mut(row) {
            *role = None;
        }
    }

    fn check_score(&self, i: usize, score: f32) -> Result<(), OutputError> {
        if score.is_nan() || (0.0..=1.0).contains(&score) {
            return Ok(());
        }
        Err(OutputError::Score { row: i / self.theses, thesis: i % self.theses, score })
    }

    fn check_role(&self, row: usize) -> Result<(), OutputError> {
        let Some(scores) = self.roles[row] else { return Ok(()) };
        let sum: f32 = scores.iter().sum();
        if scores.iter().all(|s| (0.0..=1.0).contains(s)) && (sum - 1.0).abs() <= ROLE_SUM_TOLERANCE {
            return Ok(());
        }
        Err(OutputError::Role { row, scores })
    }

    fn check_evidence<'a>(&self, e: &Evidence, text: &mut impl FnMut(usize) -> &'a str) -> Result<(), OutputError> {
        if e.row >= self.rows {
            return Err(OutputError::Row { row: e.row, rows: self.rows });
        }
        if e.thesis >= self.theses {
            return Err(OutputError::Thesis { row: e.row, thesis: e.thesis, theses: self.theses });
        }
        let t = text(e.row);
        if e.range.start >= e.range.end || t.get(e.range.clone()).is_none() {
            return Err(OutputError::Span { row: e.row, start: e.range.start, end: e.range.end, len: t.len() });
        }
        if !(0.0..=1.0).contains(&e.weight) {
            return Err(OutputError::Weight { row: e.row, weight: e.weight });
        }
        Ok(())
    }
}

/// A promise that a classifier's answer breaks.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A score outside [0, 1] that is not NaN.
    #[error("score {score} for paragraph {row}, thesis {thesis} is outside [0, 1]")]
    Score {
        /// Row of the batch.
        row: usize,
        /// Index of the thesis.
        thesis: usize,
        /// The score.
        score: f32,
    },
    /// Role scores that are not in [0, 1] or do not sum to 1.
    #[error("roles of paragraph {row} are scored {scores:?}, which is not 4 numbers in [0, 1] of sum 1")]
    Role {
        /// Row of the batch.
        row: usize,
        /// The scores.
        scores: RoleScores,
    },
    /// Evidence for a row that the batch does not have.
    #[error("evidence for paragraph {row} of a batch of {rows}")]
    Row {
        /// The row named.
        row: usize,
        /// Rows in the batch.
        rows: usize,
    },
    /// Evidence for a thesis that the taxonomy does not have.
    #[error("evidence in paragraph {row} for thesis {thesis} of {theses}")]
    Thesis {
        /// Row of the batch.
        row: usize,
        /// The index named.
        thesis: usize,
        /// Theses in the taxonomy.
        theses: usize,
    },
    /// An evidence span that is empty, outside the text or inside a character.
    #[error("evidence {start}..{end} in paragraph {row} is empty, outside its {len} bytes or inside a character")]
    Span {
        /// Row of the batch.
        row: usize,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Bytes of the paragraph.
        len: usize,
    },
    /// An evidence weight outside [0, 1].
    #[error("evidence weight {weight} in paragraph {row} is outside [0, 1]")]
    Weight {
        /// Row of the batch.
        row: usize,
        /// The weight.
        weight: f32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_abstention_and_failing_wipes_a_row() {
        let mut out = Output::new(2, 3);
        assert!(out.scores().iter().all(|s| s.is_nan()));
        out.set(1, 2, 0.5);
        out.add_evidence(1, 2, 0..3, 1.0);
        out.set_role(1, [0.1, 0.2, 0.3, 0.4]);
        out.fail(1, "poison");
        assert_eq!(out.role(1), None);
        assert!(out.row(1).iter().all(|s| s.is_nan()));
        assert!(out.evidence.is_empty());
        assert_eq!(out.failures, [Failure { row: 1, reason: "poison".into() }]);
    }

    #[test]
    fn every_broken_promise_is_found() {
        let check = |f: &dyn Fn(&mut Output)| {
            let mut out = Output::new(1, 2);
            f(&mut out);
            out.check(|_| "论点").err()
        };
        assert_eq!(check(&|o| o.add_evidence(0, 1, 0..3, 0.5)), None);
        for bad in [f32::INFINITY, -0.1, 1e30, f32::NEG_INFINITY] {
            assert!(matches!(check(&|o| o.set(0, 1, bad)), Some(OutputError::Score { thesis: 1, .. })));
        }
        assert!(matches!(check(&|o| o.add_evidence(1, 0, 0..3, 0.5)), Some(OutputError::Row { .. })));
        assert!(matches!(check(&|o| o.add_evidence(0, 2, 0..3, 0.5)), Some(OutputError::Thesis { .. })));
        assert_eq!(check(&|o| o.set_role(0, [0.25; 4])), None);
        for bad in [[0.5; 4], [1.5, -0.5, 0.0, 0.0], [f32::NAN, 1.0, 0.0, 0.0]] {
            assert!(matches!(check(&|o| o.set_role(0, bad)), Some(OutputError::Role { row: 0, .. })));
        }
        for span in [0..7, 1..3, 3..3, 0..2] {
            assert!(matches!(check(&|o| o.add_evidence(0, 0, span.clone(), 0.5)), Some(OutputError::Span { .. })));
        }
        for weight in [f32::NAN, 1.5] {
            assert!(matches!(check(&|o| o.add_evidence(0, 0, 0..3, weight)), Some(OutputError::Weight { .. })));
        }
    }

    #[test]
    fn a_broken_row_fails_alone() {
        let mut out = Output::new(4, 2);
        out.scores_mut().copy_from_slice(&[0.1, 0.2, 0.3, f32::INFINITY, 0.5, 0.6, 0.7, 0.8]);
        (0..3).for_each(|row| out.set_role(row, [1.0, 0.0, 0.0, 0.0]));
        out.set_role(3, [0.5; 4]);
        out.add_evidence(0, 0, 0..3, 0.5);
        out.add_evidence(1, 0, 0..3, 0.5);
        out.add_evidence(2, 1, 1..3, 0.5);
        out.fail_broken_rows(|_| "论点").unwrap();
        assert_eq!(out.row(0), [0.1, 0.2]);
        assert!(out.scores()[2..].iter().all(|s| s.is_nan()));
        assert_eq!(out.evidence, [Evidence { row: 0, thesis: 0, range: 0..3, weight: 0.5 }]);
        assert_eq!((0..4).map(|row| out.role(row).is_some()).collect::<Vec<_>>(), [true, false, false, false]);
        assert_eq!(out.failures.iter().map(|f| f.row).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(out.failures[1].reason.contains("inside a character"));
        assert!(out.failures[2].reason.contains("4 numbers in [0, 1] of sum 1"));

        out.add_evidence(4, 0, 0..3, 0.5);
        assert_eq!(out.fail_broken_rows(|_| "论点"), Err(OutputError::Row { row: 4, rows: 4 }));
    }
}
