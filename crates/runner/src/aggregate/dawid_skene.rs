//! Dawid and Skene's model: how good each system is, and what is argued, from the systems' agreement alone.
//!
//! A. P. Dawid and A. M. Skene, *Maximum likelihood estimation of observer error-rates using the EM algorithm* (1979),
//! for each thesis as a question of yes or no: a system votes yes at its own threshold, with a sensitivity and a
//! specificity; a thesis has a share of paragraphs that argue it. An abstention is a vote not cast. EM starts from the
//! majority. No labels are needed, but assumptions are: that systems err independently, and that there are at least
//! three; with two the parameters are not determined by the data, and the priors decide.
//!
//! The decision that matters: a thesis is argued in few paragraphs, too few to learn a system's rates from. They are
//! drawn towards the rates over all theses together, and a thesis that is never voted for has just those.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fitted::{FitOptions, Fitted, parameters, round};
use super::training::{FitError, Training};
use super::{Aggregate, AggregateError, DAWID_SKENE, Entry, Panel};

pub(super) const ENTRY: Entry = Entry {
    name: DAWID_SKENE,
    doc: "the probability by Dawid and Skene's model of the votes; learns from agreement, without labels",
    build,
    fit: Some(fit),
    on_scale: false,
};

/// Paragraphs that the rates of all theses count for in those of one, in each class.
const STRENGTH: f64 = 20.0;
/// What is thought of a system's rates before anything is seen, and how many paragraphs that counts for: it finds more
/// than half of what is argued, and rarely what is not.
const FIRST: Rates = Rates { sensitivity: 0.7, specificity: 0.97 };
const FIRST_STRENGTH: f64 = 10.0;
/// EM stops when no posterior moves by more than this, or after so many rounds.
const TOLERANCE: f64 = 1e-9;
const ROUNDS: usize = 500;
/// Probabilities stay this far from 0 and 1, so that a likelihood is never 0.
const EPSILON: f64 = 1e-10;

/// How one system votes on one thesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    /// Share of yes among the paragraphs that argue it.
    pub(super) sensitivity: f64,
    /// Share of no among the others.
    pub(super) specificity: f64,
}

/// One thesis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    /// Share of paragraphs that argue it.
    pub(super) prior: f64,
    /// By system.
    pub(super) rates: Vec<Rates>,
}

/// What the rates are drawn towards, and how many paragraphs of each class that counts for.
#[derive(Clone, Copy, Debug)]
struct Drawn<'a> {
    towards: &'a [Rates],
    strength: f64,
}

impl Model {
    /// The probability that a paragraph with these votes argues the thesis.
    pub(super) fn posterior(&self, votes: impl Iterator<Item = Option<bool>>) -> f64 {
        let clip = |p: f64| p.clamp(EPSILON, 1.0 - EPSILON);
        let mut log_odds = clip(self.prior).ln() - clip(1.0 - self.prior).ln();
        for (vote, rates) in votes.zip(&self.rates) {
            let (sensitivity, specificity) = (clip(rates.sensitivity), clip(rates.specificity));
            log_odds += match vote {
                None => 0.0,
                Some(true) => sensitivity.ln() - (1.0 - specificity).ln(),
                Some(false) => (1.0 - sensitivity).ln() - specificity.ln(),
            };
        }
        super::logistic::sigmoid(log_odds)
    }

    /// The model under which `argued`, the probability of each paragraph, is most likely.
    fn maximise(votes: &[Vec<Option<bool>>], argued: &[f64], drawn: Drawn<'_>) -> Self {
        // Per system: yes among argued, votes among argued, no among others, votes among others.
        let mut counts = vec![[0.0; 4]; drawn.towards.len()];
        for (votes, &p) in votes.iter().zip(argued) {
            for (count, vote) in counts.iter_mut().zip(votes) {
                let Some(vote) = *vote else { continue };
                let (yes, no) = if vote { (1.0, 0.0) } else { (0.0, 1.0) };
                count.iter_mut().zip([p * yes, p, (1.0 - p) * no, 1.0 - p]).for_each(|(c, x)| *c += x);
            }
        }
        let share = |part: f64, all: f64, prior: f64| {
            let all = all + drawn.strength;
            if all > 0.0 { (part + drawn.strength * prior) / all } else { prior }
        };
        let rates = counts.iter().zip(drawn.towards).map(|(c, prior)| Rates {
            sensitivity: share(c[0], c[1], prior.sensitivity),
            specificity: share(c[2], c[3], prior.specificity),
        });
        let prior = if argued.is_empty() { 0.0 } else { argued.iter().sum::<f64>() / argued.len() as f64 };
        Self { prior, rates: rates.collect() }
    }

    /// Fits one thesis by EM from the majority vote.
    fn fit(votes: &[Vec<Option<bool>>], drawn: Drawn<'_>) -> Self {
        let mut argued: Vec<f64> = votes.iter().map(|v| majority(v)).collect();
        let mut model = Self::maximise(votes, &argued, drawn);
        for _ in 0..ROUNDS {
            let next: Vec<f64> = votes.iter().map(|v| model.posterior(v.iter().copied())).collect();
            let moved = next.iter().zip(&argued).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            argued = next;
            model = Self::maximise(votes, &argued, drawn);
            if moved < TOLERANCE {
                break;
            }
        }
        model
    }
}

/// The share of yes among the votes cast; one half if there are none.
fn majority(votes: &[Option<bool>]) -> f64 {
    let cast = votes.iter().flatten().count();
    if cast == 0 { 0.5 } else { votes.iter().flatten().filter(|v| **v).count() as f64 / cast as f64 }
}

/// Rates over all theses together, each with its own share of paragraphs: by system, and by thesis the share.
pub(super) fn pooled(training: &Training<'_>) -> Vec<Model> {
    let votes: Vec<Vec<Vec<Option<bool>>>> = (0..training.theses()).map(|t| votes_on(training, t)).collect();
    let first = vec![FIRST; training.systems()];
    let drawn = Drawn { towards: &first, strength: FIRST_STRENGTH };
    let all: Vec<Vec<Option<bool>>> = votes.iter().flatten().cloned().collect();
    let mut argued: Vec<Vec<f64>> = votes.iter().map(|v| v.iter().map(|v| majority(v)).collect()).collect();
    let mut models: Vec<Model> = Vec::new();
    for _ in 0..ROUNDS {
        let rates = Model::maximise(&all, &argued.concat(), drawn).rates;
        models = argued
            .iter()
            .map(|a| Model { prior: a.iter().sum::<f64>() / a.len().max(1) as f64, rates: rates.clone() })
            .collect();
        let mut moved: f64 = 0.0;
        for ((argued, votes), model) in argued.iter_mut().zip(&votes).zip(&models) {
            for (p, votes) in argued.iter_mut().zip(votes) {
                let next = model.posterior(votes.iter().copied());
                moved = moved.max((next - *p).abs());
                *p = next;
            }
        }
        if moved < TOLERANCE {
            break;
        }
    }
    models
}

/// By paragraph, the votes of the systems on a thesis; paragraphs on which nobody votes are left out.
fn votes_on(training: &Training<'_>, thesis: usize) -> Vec<Vec<Option<bool>>> {
    let of_row = |&row: &usize| (0..training.systems()).map(|s| training.vote(s, row, thesis)).collect();
    training.rows().iter().map(of_row).filter(|v: &Vec<Option<bool>>| v.iter().any(Option::is_some)).collect()
}

fn fit(training: &Training<'_>, _: &FitOptions, fitted: &mut Fitted) -> Result<(), FitError> {
    let pooled = pooled(training);
    let shared = pooled.first().map_or_else(|| vec![FIRST; training.systems()], |m| m.rates.clone());
    let drawn = Drawn { towards: &shared, strength: STRENGTH };
    let mut theses = BTreeMap::new();
    for (thesis, slug) in training.panel.theses.iter().enumerate() {
        let votes = votes_on(training, thesis);
        if !votes.is_empty() {
            theses.insert(slug.clone(), ModelFit::from(&Model::fit(&votes, drawn)));
        }
    }
    let prior = pooled.iter().map(|m| m.prior).sum::<f64>() / pooled.len().max(1) as f64;
    fitted.dawid_skene = Some(DawidSkeneFit { shared: ModelFit::from(&Model { prior, rates: shared }), theses });
    Ok(())
}

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DawidSkeneFit {
    shared: ModelFit,
    /// By slug; theses that are not here have the shared parameters.
    #[serde(default)]
    theses: BTreeMap<String, ModelFit>,
}

/// A [`Model`] as it stands in the file; lists are in the panel's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFit {
    prior: f64,
    sensitivity: Vec<f64>,
    specificity: Vec<f64>,
}

impl From<&Model> for ModelFit {
    fn from(model: &Model) -> Self {
        Self {
            // A share of 0 would say that no vote can ever change it.
            prior: round(model.prior).max(1e-4),
            sensitivity: model.rates.iter().map(|r| round(r.sensitivity)).collect(),
            specificity: model.rates.iter().map(|r| round(r.specificity)).collect(),
        }
    }
}

impl ModelFit {
    fn model(&self, order: &[usize]) -> Model {
        let rates = order.iter().map(|&i| Rates { sensitivity: self.sensitivity[i], specificity: self.specificity[i] });
        Model { prior: self.prior, rates: rates.collect() }
    }
}

impl DawidSkeneFit {
    pub(super) fn fault(&self, systems: usize) -> Option<String> {
        std::iter::once(&self.shared).chain(self.theses.values()).find_map(|m| {
            if m.sensitivity.len() != systems || m.specificity.len() != systems {
                return Some(format!("sensitivity and specificity must each have {systems} entries, one a system"));
            }
            let mut all = m.sensitivity.iter().chain(&m.specificity).chain([&m.prior]);
            all.find(|p| !(0.0..=1.0).contains(*p)).map(|p| format!("{p} is not between 0 and 1"))
        })
    }
}

fn build(panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
    let (fit, order) = parameters(DAWID_SKENE, panel, fitted, |f| f.dawid_skene.as_ref())?;
    let models = panel.theses.iter().map(|slug| fit.theses.get(slug).unwrap_or(&fit.shared).model(&order)).collect();
    Ok(Box::new(DawidSkene { models, thresholds: panel.thresholds.clone() }))
}

struct DawidSkene {
    models: Vec<Model>,
    /// By system and thesis.
    thresholds: Vec<Vec<f32>>,
}

impl Aggregate for DawidSkene {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        let score = |(thesis, model): (usize, &Model)| {
            if scores.iter().all(|row| row[thesis].is_nan()) {
                return f32::NAN;
            }
            let votes = scores.iter().zip(&self.thresholds);
            let votes = votes.map(|(row, t)| (!row[thesis].is_nan()).then(|| row[thesis] >= t[thesis]));
            model.posterior(votes) as f32
        };
        self.models.iter().enumerate().map(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Made by `tests/reference.py` from crowd-kit and snorkel; a vote is 1, 0, or -1 to abstain.
    #[derive(Deserialize)]
    struct Reference {
        votes: Vec<Vec<i8>>,
        majority: Vec<f64>,
        snorkel_majority: Vec<f64>,
        dawid_skene: Parameters,
        label_model: Parameters,
    }

    #[derive(Deserialize)]
    struct Parameters {
        prior: f64,
        sensitivity: Vec<f64>,
        specificity: Vec<f64>,
        posterior: Vec<f64>,
    }

    impl Parameters {
        fn model(&self) -> Model {
            let rates = self.sensitivity.iter().zip(&self.specificity);
            let rates = rates.map(|(&sensitivity, &specificity)| Rates { sensitivity, specificity });
            Model { prior: self.prior, rates: rates.collect() }
        }
    }

    fn reference() -> (Reference, Vec<Vec<Option<bool>>>) {
        let reference: Reference = serde_json::from_str(include_str!("../../tests/reference.json")).unwrap();
        let cast = |v: &i8| (*v >= 0).then_some(*v == 1);
        let votes = reference.votes.iter().map(|row| row.iter().map(cast).collect()).collect();
        (reference, votes)
    }

    fn assert_close(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance, "{got} for {want}");
    }

    #[test]
    fn majority_is_that_of_crowd_kit_and_snorkel() {
        let (reference, votes) = reference();
        for ((votes, share), hard) in votes.iter().zip(&reference.majority).zip(&reference.snorkel_majority) {
            let ours = majority(votes);
            assert_close(ours, *share, 1e-12);
            let decided = if ours == 0.5 { 0.5 } else { f64::from(u8::from(ours > 0.5)) };
            assert_close(decided, *hard, 1e-12);
        }
    }

    #[test]
    fn parameters_and_posteriors_are_those_of_crowd_kit() {
        let (reference, votes) = reference();
        let wanted = &reference.dawid_skene;
        let model = Model::fit(&votes, Drawn { towards: &[FIRST; 5], strength: 0.0 });
        assert_close(model.prior, wanted.prior, 1e-6);
        for (ours, theirs) in model.rates.iter().zip(&wanted.model().rates) {
            assert_close(ours.sensitivity, theirs.sensitivity, 1e-6);
            assert_close(ours.specificity, theirs.specificity, 1e-6);
        }
        for (votes, posterior) in votes.iter().zip(&wanted.posterior) {
            assert_close(model.posterior(votes.iter().copied()), *posterior, 1e-6);
        }
    }

    #[test]
    fn posteriors_are_those_of_snorkels_label_model() {
        let (reference, votes) = reference();
        let model = reference.label_model.model();
        for (votes, posterior) in votes.iter().zip(&reference.label_model.posterior) {
            assert_close(model.posterior(votes.iter().copied()), *posterior, 1e-6);
        }
    }

    #[test]
    fn the_rates_of_all_theses_steady_those_of_a_rare_one() {
        let shared = [Rates { sensitivity: 0.8, specificity: 0.95 }, Rates { sensitivity: 0.6, specificity: 0.99 }];
        let drawn = Drawn { towards: &shared, strength: 20.0 };
        let mut votes = vec![vec![Some(false), Some(false)]; 200];
        votes.push(vec![Some(true), Some(false)]);
        let model = Model::fit(&votes, drawn);
        for (rates, shared) in model.rates.iter().zip(shared) {
            assert!((rates.sensitivity - shared.sensitivity).abs() < 0.05, "{rates:?}");
        }
        assert!(model.prior < 0.02);
    }
}
