//! How to train: what may be chosen, and what is allowed.

use serde::{Deserialize, Serialize};

/// How to train a model. [`check`](Params::check) it to use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Characters of the shortest n-grams; at least 1.
    pub min_ngram: usize,
    /// Characters of the longest n-grams; at most 8.
    pub max_ngram: usize,
    /// Paragraphs that an n-gram must occur in to be a feature; at least 1.
    pub min_df: u32,
    /// The most features that are kept, the most frequent first.
    pub max_features: usize,
    /// What the loss of one sample costs, against the penalty on the weights (scikit-learn's `C`); above 0.
    pub c: f64,
    /// The part of L1 in the penalty, in [0, 1] (scikit-learn's `l1_ratio`): 0 penalises half the squared weights, 1 their
    /// absolute values, anything between is the elastic net. Above 0 most weights become zero, n-grams of no use to any
    /// thesis leave the model, and biases are not penalised.
    pub l1_ratio: f64,
    /// How many times more a sample that argues the thesis costs than one that does not; above 0.
    pub positive_weight: f64,
    /// What the evidence of a label costs as a sample of its own, against a whole paragraph; 0 leaves it out. It shows
    /// the words that matter (Zaidan, Eisner and Piatko, *Using annotator rationales*, NAACL 2007).
    pub evidence_weight: f64,
    /// Largest gradient at which training stops, of a dual variable or, with L1, of a weight; above 0.
    pub tolerance: f64,
    /// Parts for cross-fitting; samples of one section (else document) stay together. At least 2.
    pub folds: usize,
    /// Only samples with one of these values of their key `source` calibrate scores and thresholds: those whose label
    /// frequencies are the real ones. Empty: all samples.
    pub calibrate_on: Vec<String>,
    /// Whether the paragraph before and the heading count, too: what they say raises or lowers the score a little.
    pub context: bool,
    /// Same seed, same samples: same model.
    pub seed: u64,
    /// Theses trained at the same time; 0 for as many as the machine has cores. The result does not depend on it.
    pub threads: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            min_ngram: 1,
            max_ngram: 5,
            min_df: 3,
            max_features: 60_000,
            c: 5.0,
            l1_ratio: 0.0,
            positive_weight: 1.0,
            evidence_weight: 0.3,
            tolerance: 0.01,
            folds: 5,
            calibrate_on: Vec::new(),
            context: true,
            seed: 0,
            threads: 0,
        }
    }
}

/// Parameters that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidParams(Params);

impl ValidParams {
    /// The parameters.
    pub fn get(&self) -> &Params {
        &self.0
    }
}

impl Params {
    /// Checks them.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(self) -> Result<ValidParams, ParamsError> {
        let above_zero = |x: f64| x.is_finite() && x > 0.0;
        let rules = [
            ("min_ngram", "at least 1 and at most max_ngram", self.min_ngram >= 1 && self.min_ngram <= self.max_ngram),
            ("max_ngram", "at most 8", self.max_ngram <= 8),
            ("min_df", "at least 1", self.min_df >= 1),
            ("max_features", "from 1 to 10000000", (1..=10_000_000).contains(&self.max_features)),
            ("c", "a number above 0", above_zero(self.c)),
            ("l1_ratio", "from 0 to 1", (0.0..=1.0).contains(&self.l1_ratio)),
            ("positive_weight", "a number above 0", above_zero(self.positive_weight)),
            (
                "evidence_weight",
                "a number, at least 0",
                self.evidence_weight.is_finite() && self.evidence_weight >= 0.0,
            ),
            ("tolerance", "a number above 0", above_zero(self.tolerance)),
            ("folds", "from 2 to 100", (2..=100).contains(&self.folds)),
        ];
        match rules.into_iter().find(|(.., holds)| !holds) {
            Some((name, must, _)) => Err(ParamsError { name, must }),
            None => Ok(ValidParams(self)),
        }
    }
}

/// A parameter that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {must}")]
pub struct ParamsError {
    /// The parameter.
    pub name: &'static str,
    /// What it must be.
    pub must: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_and_what_is_out_of_range_is_named() {
        assert_eq!(Params::default().check().unwrap().get(), &Params::default());
        let wrong = |change: &dyn Fn(&mut Params)| {
            let mut params = Params::default();
            change(&mut params);
            params.check().unwrap_err().name
        };
        assert_eq!(wrong(&|p| p.min_ngram = 0), "min_ngram");
        assert_eq!(wrong(&|p| p.max_ngram = 9), "max_ngram");
        assert_eq!(wrong(&|p| p.c = f64::NAN), "c");
        assert_eq!(wrong(&|p| p.l1_ratio = 1.01), "l1_ratio");
        assert_eq!(wrong(&|p| p.l1_ratio = f64::NAN), "l1_ratio");
        assert_eq!(wrong(&|p| p.tolerance = 0.0), "tolerance");
        assert_eq!(wrong(&|p| p.folds = 1), "folds");
    }
}
