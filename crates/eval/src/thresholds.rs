//! Choosing the score from which on a thesis counts as argued.
//!
//! Thresholds are chosen on a tuning file, never on the file that is then evaluated. F1 only changes where a score is
//! crossed, so every cut between two scores is tried, and the middle of the best gap is taken: it is as far as can be
//! from either decision.

use lundian_core::{Output, Sample, Taxonomy, Thresholds};

use crate::labels::Labels;
use crate::metrics::Counts;

/// What a threshold is to maximise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// The mean F1 of the theses with support.
    #[default]
    MacroF1,
    /// F1 over all labels alike.
    MicroF1,
    /// The mean of these two: rare theses count, and so does every label.
    Balanced,
}

/// How many thresholds to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One for all theses.
    Global,
    /// One for each thesis with at least this support in the tuning file, which maximises its own F1; the others
    /// share a global one. With little support a threshold of its own fits the tuning file and nothing else.
    PerThesis {
        /// Labels that a thesis must have.
        min_support: u64,
    },
}

/// Chooses thresholds for a system on a tuning file called `file`, which their origin names.
///
/// Where nothing can be gained (no samples, no labels, or a system that abstains or ranks nothing right), the
/// threshold is 0.5 and the origin says so.
///
/// # Panics
/// If `output` has not one row per sample and one column per thesis.
pub fn choose_thresholds(
    samples: &[Sample],
    output: &Output,
    taxonomy: &Taxonomy,
    mode: Mode,
    objective: Objective,
    file: &str,
) -> Thresholds {
    assert_eq!((output.rows(), output.theses()), (samples.len(), taxonomy.len()), "shape of the scores");
    let gold = Labels::of_samples(samples, taxonomy.len());
    let all: Vec<usize> = (0..taxonomy.len()).collect();
    let global = best_cut(&gold, output, &all, objective);
    let mut thresholds = Thresholds::uniform(global.unwrap_or(0.5));
    let target = match objective {
        Objective::MacroF1 => "macro F1",
        Objective::MicroF1 => "micro F1",
        Objective::Balanced => "the mean of macro and micro F1",
    };
    thresholds.origin = match global {
        Some(_) => format!("chosen on {file} for {target}"),
        None => format!("0.5: {file} gives no reason for another"),
    };
    if let (Mode::PerThesis { min_support }, Some(_)) = (mode, global) {
        for (t, thesis) in taxonomy.theses().iter().enumerate() {
            let support = (0..samples.len()).filter(|r| gold.row(*r)[t]).count() as u64;
            if support >= min_support.max(1)
                && let Some(cut) = best_cut(&gold, output, &[t], Objective::MacroF1)
            {
                thresholds.per_thesis.insert(thesis.slug.clone(), cut);
            }
        }
        let own = thresholds.per_thesis.len();
        thresholds.origin += &format!(", {own} theses with a threshold of their own (support {min_support} or more)");
    }
    thresholds
}

/// The best threshold for some theses together; `None` if none gives an F1 above 0.
fn best_cut(gold: &Labels, output: &Output, theses: &[usize], objective: Objective) -> Option<f32> {
    let mut cells: Vec<(f32, usize, bool)> = Vec::with_capacity(gold.rows() * theses.len());
    let mut counts = vec![Counts::default(); theses.len()];
    for row in 0..gold.rows() {
        for (i, thesis) in theses.iter().enumerate() {
            let argued = gold.row(row)[*thesis];
            counts[i].support += u64::from(argued);
            let score = output.row(row)[*thesis];
            if !score.is_nan() {
                cells.push((score, i, argued));
            }
        }
    }
    cells.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut sweep = Sweep::new(counts, objective);
    // Best figure, the gap that its threshold has to either side, the threshold.
    let mut best: Option<(f64, f32, f32)> = None;
    let mut at = 0;
    for group in cells.chunk_by(|a, b| a.0 == b.0) {
        group.iter().for_each(|(_, i, argued)| sweep.give(*i, *argued));
        at += group.len();
        let score = group[0].0;
        let next = cells.get(at).map_or(0.0, |c| c.0.min(score));
        let gap = score - next;
        let f1 = sweep.f1();
        // Sums of the same terms in another order may differ in the last digits: such figures are ties.
        let better = best.is_none_or(|(f, g, _)| f1 > f + 1e-12 || (f1 > f - 1e-12 && gap > g));
        if f1 > 0.0 && better {
            best = Some((f1, gap, middle(next, score)));
        }
    }
    best.map(|(_, _, threshold)| threshold)
}

/// A threshold that takes `above` in and leaves `below` out.
fn middle(below: f32, above: f32) -> f32 {
    let middle = below + (above - below) / 2.0;
    if middle > below { middle } else { above }
}

/// The objective while the threshold sinks and predictions come in one by one.
struct Sweep {
    counts: Vec<Counts>,
    objective: Objective,
    supported: usize,
    total: Counts,
    /// Sum of the F1s of theses with support.
    sum: f64,
}

impl Sweep {
    fn new(counts: Vec<Counts>, objective: Objective) -> Self {
        let supported = counts.iter().filter(|c| c.support > 0).count();
        let total = counts.iter().copied().sum();
        Self { counts, objective, supported, total, sum: 0.0 }
    }

    fn give(&mut self, thesis: usize, argued: bool) {
        let one = Counts { tp: u64::from(argued), predicted: 1, support: 0 };
        let count = &mut self.counts[thesis];
        let before = count.f1();
        *count += one;
        if count.support > 0 {
            self.sum += count.f1() - before;
        }
        self.total += one;
    }

    fn f1(&self) -> f64 {
        let macro_f1 = self.sum / self.supported.max(1) as f64;
        match self.objective {
            Objective::MicroF1 => self.total.f1(),
            Objective::MacroF1 => macro_f1,
            Objective::Balanced => (macro_f1 + self.total.f1()) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use lundian_core::{Label, Stance};
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{counts, macro_average, micro};

    fn taxonomy() -> Taxonomy {
        Taxonomy::china_economy()
    }

    fn tuning(cells: &[(usize, f32, bool)]) -> (Vec<Sample>, Output) {
        let mut output = Output::new(cells.len(), taxonomy().len());
        let sample = |(row, (thesis, score, argued)): (usize, &(usize, f32, bool))| {
            output.row_mut(row).fill(0.0);
            output.set(row, *thesis, *score);
            let label = Label { thesis: *thesis, stance: Stance::Endorse, evidence: None };
            Sample { labels: Vec::from_iter(argued.then_some(label)), ..Sample::default() }
        };
        let samples = cells.iter().enumerate().map(sample).collect();
        (samples, output)
    }

    #[test]
    fn the_middle_of_the_gap() {
        let (samples, output) = tuning(&[(0, 0.9, true), (0, 0.7, true), (0, 0.3, false), (1, 0.2, false)]);
        for objective in [Objective::MacroF1, Objective::MicroF1] {
            let t = choose_thresholds(&samples, &output, &taxonomy(), Mode::Global, objective, "dev.jsonl");
            assert_eq!(t.global, 0.5);
            assert!(t.origin.starts_with("chosen on dev.jsonl for m"), "{}", t.origin);
        }
    }

    #[test]
    fn a_thesis_of_its_own_needs_support() {
        let cells = [(0, 0.9, true), (0, 0.8, true), (0, 0.6, false), (1, 0.2, true), (1, 0.1, false)];
        let (samples, output) = tuning(&cells);
        let mode = Mode::PerThesis { min_support: 2 };
        let t = choose_thresholds(&samples, &output, &taxonomy(), mode, Objective::MacroF1, "dev");
        let slugs: Vec<&str> = t.per_thesis.keys().map(String::as_str).collect();
        assert_eq!(slugs, [taxonomy().theses()[0].slug.as_str()]);
        assert!((t.per_thesis[slugs[0]] - 0.7).abs() < 1e-6);
        assert!(t.global < 0.2 && t.global > 0.1, "{t:?}");
    }

    #[test]
    fn nothing_to_choose_from() {
        let t = taxonomy();
        let none = choose_thresholds(&[], &Output::new(0, t.len()), &t, Mode::Global, Objective::MacroF1, "f");
        assert_eq!((none.global, none.origin.as_str()), (0.5, "0.5: f gives no reason for another"));
        let (samples, output) = tuning(&[(0, 0.9, false)]);
        let mode = Mode::PerThesis { min_support: 0 };
        let none = choose_thresholds(&samples, &output, &t, mode, Objective::MicroF1, "f");
        assert!(none.global == 0.5 && none.per_thesis.is_empty());
        let (samples, _) = tuning(&[(0, 0.9, true)]);
        let silent = choose_thresholds(&samples, &Output::new(1, t.len()), &t, mode, Objective::MicroF1, "f");
        assert!(silent.global == 0.5 && silent.per_thesis.is_empty());
    }

    proptest! {
        /// No cut on a fine grid is better than the one chosen.
        #[test]
        fn the_best_there_is(cells in proptest::collection::vec((0usize..3, 0u8..20, any::<bool>()), 1..30)) {
            let cells: Vec<_> = cells.into_iter().map(|(t, s, y)| (t, f32::from(s) / 20.0, y)).collect();
            let (samples, output) = tuning(&cells);
            let t = taxonomy();
            let gold = Labels::of_samples(&samples, t.len());
            for objective in [Objective::MacroF1, Objective::MicroF1, Objective::Balanced] {
                let figure = |threshold: f32| {
                    let counts = counts(&gold, &Labels::of_output(&output, &vec![threshold; t.len()]));
                    match objective {
                        Objective::MacroF1 => macro_average(&counts).f1,
                        Objective::MicroF1 => micro(&counts).f1,
                        Objective::Balanced => (macro_average(&counts).f1 + micro(&counts).f1) / 2.0,
                    }
                };
                let chosen = choose_thresholds(&samples, &output, &t, Mode::Global, objective, "f");
                let got = figure(chosen.global);
                for cut in 0..=40 {
                    prop_assert!(figure(cut as f32 / 40.0) <= got + 1e-9, "{cut} {chosen:?}");
                }
            }
        }
    }
}
