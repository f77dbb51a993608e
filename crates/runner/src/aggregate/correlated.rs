//! Systems that err together: two of them are not two votes.
//!
//! The decision that matters: truth itself makes systems agree, so only the agreement beyond it counts. With labels it
//! is the correlation of two systems' votes among the paragraphs that argue a thesis, and among those that do not,
//! pooled over theses and both classes; without, the agreement that Dawid and Skene's model does not predict, on the
//! same scale.

use serde::{Deserialize, Serialize};

use super::dawid_skene::{self, Model};
use super::training::Training;

/// From this correlation on two systems are said to err together. Two systems of one kind on the same features reach
/// 0.5 and more; independent ones stay below 0.2.
pub const NOTABLE: f64 = 0.3;
/// Without labels, agreement and skill cannot be told apart with fewer systems.
const FEWEST_UNLABELLED: usize = 4;

/// How a correlation was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Correlation of the errors, against labels.
    Errors,
    /// Agreement beyond what Dawid and Skene's model predicts, without labels.
    Agreement,
}

/// How far two systems err together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// The first system.
    pub a: String,
    /// The second.
    pub b: String,
    /// From -1 to 1; 0 if their errors have nothing to do with each other.
    pub value: f64,
    /// How it was measured.
    pub by: Measure,
}

impl Correlation {
    /// True if it is so high that the two are not two votes.
    pub fn is_notable(&self) -> bool {
        self.value >= NOTABLE
    }

    /// What to tell the reader.
    pub fn sentence(&self) -> String {
        let Self { a, b, value, by } = self;
        let measured = match by {
            Measure::Errors => format!("correlation of their errors {value:.2}"),
            Measure::Agreement => format!("agreement beyond what their skill explains {value:.2}"),
        };
        if self.is_notable() {
            format!("{a} and {b} err together ({measured}): their agreement is worth less than that of two votes")
        } else {
            format!("{a} and {b} err mostly apart ({measured})")
        }
    }
}

/// How far each pair of systems errs together, the closest pair first. Votes are at the systems' own thresholds.
/// Without labels it takes four systems or more, and there is no answer for fewer.
pub fn correlated(training: &Training<'_>) -> Vec<Correlation> {
    let labelled = training.samples("").is_ok();
    if !labelled && training.systems() < FEWEST_UNLABELLED {
        return Vec::new();
    }
    let models = if labelled { Vec::new() } else { dawid_skene::pooled(training) };
    let mut found = Vec::new();
    for a in 0..training.systems() {
        for b in a + 1..training.systems() {
            let mut sums = Sums::default();
            for thesis in 0..training.theses() {
                match models.get(thesis) {
                    None => sums.add_labelled(training, thesis, [a, b]),
                    Some(model) => sums.add_predicted(training, thesis, [a, b], model),
                }
            }
            let [a, b] = [a, b].map(|s| training.panel.names[s].clone());
            let by = if labelled { Measure::Errors } else { Measure::Agreement };
            found.push(Correlation { a, b, value: sums.correlation(), by });
        }
    }
    found.sort_by(|x, y| y.value.total_cmp(&x.value));
    found
}

/// Sums over strata: covariance, and both variances, times the number of paragraphs.
#[derive(Default)]
struct Sums {
    covariance: f64,
    variances: [f64; 2],
}

impl Sums {
    fn correlation(&self) -> f64 {
        let scale = (self.variances[0] * self.variances[1]).sqrt();
        if scale > 1e-12 { super::fitted::round((self.covariance / scale).clamp(-1.0, 1.0)) } else { 0.0 }
    }

    /// Adds the paragraphs that argue a thesis, and those that do not, each around their own means.
    fn add_labelled(&mut self, training: &Training<'_>, thesis: usize, pair: [usize; 2]) {
        for argued in [true, false] {
            let rows = training.rows().iter().filter(|&&row| training.argues(row, thesis) == argued);
            let Some(([a, b, both], n)) = votes(training, rows, thesis, pair) else { continue };
            self.covariance += both - a * b / n;
            self.variances[0] += a - a * a / n;
            self.variances[1] += b - b * b / n;
        }
    }

    /// Adds what the joint votes on a thesis exceed the model's prediction by.
    fn add_predicted(&mut self, training: &Training<'_>, thesis: usize, pair: [usize; 2], model: &Model) {
        let Some(([.., both], n)) = votes(training, training.rows().iter(), thesis, pair) else { return };
        let [a, b] = pair.map(|s| model.rates[s]);
        let of_class = |share: f64, a: f64, b: f64| [share * a * b, share * a * (1.0 - a), share * b * (1.0 - b)];
        let argued = of_class(model.prior, a.sensitivity, b.sensitivity);
        let others = of_class(1.0 - model.prior, 1.0 - a.specificity, 1.0 - b.specificity);
        self.covariance += both - n * (argued[0] + others[0]);
        self.variances[0] += n * (argued[1] + others[1]);
        self.variances[1] += n * (argued[2] + others[2]);
    }
}

/// Among the rows on which both vote: yes of the first, of the second, of both, and how many rows; `None` if none.
fn votes<'r>(
    training: &Training<'_>,
    rows: impl Iterator<Item = &'r usize>,
    thesis: usize,
    pair: [usize; 2],
) -> Option<([f64; 3], f64)> {
    let (mut yes, mut n) = ([0.0; 3], 0.0);
    for &row in rows {
        let [Some(a), Some(b)] = pair.map(|s| training.vote(s, row, thesis)) else { continue };
        n += 1.0;
        yes.iter_mut().zip([a, b, a && b]).for_each(|(sum, x)| *sum += f64::from(u8::from(x)));
    }
    (n > 0.0).then_some((yes, n))
}
