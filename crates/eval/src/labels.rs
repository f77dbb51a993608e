//! Label matrices: which paragraph argues which thesis, by a person or by a system.

use lundian_core::{Output, Sample};

/// `paragraphs x theses`, row-major: true where the thesis is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    theses: usize,
    cells: Vec<bool>,
}

impl Labels {
    /// No labels at all.
    pub fn none(rows: usize, theses: usize) -> Self {
        Self { theses, cells: vec![false; rows * theses] }
    }

    /// The labels of samples. Theses that the matrix does not have are ignored.
    pub fn of_samples(samples: &[Sample], theses: usize) -> Self {
        let mut labels = Self::none(samples.len(), theses);
        for (row, sample) in samples.iter().enumerate() {
            for label in sample.labels.iter().filter(|l| l.thesis < theses) {
                labels.set(row, label.thesis, true);
            }
        }
        labels
    }

    /// The labels that a system gives: score at or above the thesis' threshold. Abstaining gives none.
    ///
    /// # Panics
    /// If `thresholds` has not one entry per thesis.
    pub fn of_output(output: &Output, thresholds: &[f32]) -> Self {
        assert_eq!(output.theses(), thresholds.len(), "one threshold per thesis");
        // NaN compares false with everything, which is what abstaining should do here.
        let cells = output.scores().iter().enumerate().map(|(i, s)| *s >= thresholds[i % thresholds.len()]).collect();
        Self { theses: output.theses(), cells }
    }

    /// Number of paragraphs.
    pub fn rows(&self) -> usize {
        self.cells.len().checked_div(self.theses).unwrap_or(0)
    }

    /// Number of theses.
    pub fn theses(&self) -> usize {
        self.theses
    }

    /// One paragraph, one cell per thesis.
    ///
    /// # Panics
    /// If `row` is out of range.
    pub fn row(&self, row: usize) -> &[bool] {
        &self.cells[row * self.theses..(row + 1) * self.theses]
    }

    /// Sets one cell.
    ///
    /// # Panics
    /// If `row` is out of range.
    pub fn set(&mut self, row: usize, thesis: usize, given: bool) {
        self.cells[row * self.theses + thesis] = given;
    }

    /// Columns merged: thesis `t` becomes column `group_of(t)` of `groups`, given where any of its theses is.
    pub(crate) fn grouped(&self, groups: usize, group_of: impl Fn(usize) -> usize) -> Self {
        let mut merged = Self::none(self.rows(), groups);
        for row in 0..self.rows() {
            for (thesis, given) in self.row(row).iter().enumerate() {
                if *given {
                    merged.set(row, group_of(thesis), true);
                }
            }
        }
        merged
    }
}
