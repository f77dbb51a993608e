//! A cascade: cheap systems first, the dear ones only for paragraphs that the cheap ones leave undecided.
//!
//! Each stage has a `stack` of all systems that have run by then, so that every stage gives
//! probabilities on the same scale and one threshold serves all. A paragraph is undecided while the probability of any
//! thesis lies within a band around that threshold, or while nobody has an opinion on a thesis. The band is chosen on
//! cross-fitted scores: the cheapest that loses no more F1 than it may, or the best that costs no more than it may.
//!
//! The decision that matters: [`Aggregate::combine`] looks at no score that a run with this cascade would not have asked
//! for. A cascade can be evaluated on the scores of all its systems, and the figures are those of the spared run.

use std::sync::Arc;

use lundian_eval::{Counts, macro_average, micro};
use serde::{Deserialize, Serialize};

use super::fitted::{FitOptions, Fitted, parameters, round};
use super::logistic::{logit, sigmoid};
use super::stack::{Stack, StackFit, fit_systems};
use super::training::{FitError, Training};
use super::{Aggregate, AggregateError, CASCADE, Entry, Panel};
use crate::Gate;

pub(super) const ENTRY: Entry = Entry {
    name: CASCADE,
    doc: "a stack that asks slow systems only about paragraphs that the fast ones leave undecided",
    build,
    fit: Some(fit),
    on_scale: false,
};

/// A stage begins at a system that takes this many times as long as all before it together.
const JUMP: f64 = 3.0;
/// Steps of the band's ends from the threshold, in log-odds, and how many are tried.
const STEP: f64 = 0.25;
const STEPS: u32 = 24;

/// What a cascade aims at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The cheapest band with which neither macro nor micro F1 falls by more than this below that of all systems on
    /// all paragraphs; at least 0.
    Loss(f64),
    /// The best band that takes at most this share of the time of all systems on all paragraphs; in (0, 1].
    Cost(f64),
}

/// What a cascade has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CascadeFit {
    target: Target,
    /// A probability from the first up to the second leaves a thesis undecided.
    band: [f64; 2],
    expected: Expected,
    stages: Vec<StageFit>,
}

/// What the cascade did to the samples that it was fitted on, by cross-fitted scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Share of paragraphs that reached each stage.
    reached: Vec<f64>,
    /// Share of the time of all systems on all paragraphs.
    cost: f64,
    macro_f1: f64,
    micro_f1: f64,
    /// The same, of all systems on all paragraphs.
    full_macro_f1: f64,
    full_micro_f1: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageFit {
    /// Names of the systems that this stage adds.
    systems: Vec<String>,
    /// Seconds that they take for a paragraph.
    seconds: f64,
    /// Over the systems of this stage and those before it, in order.
    stack: StackFit,
}

impl CascadeFit {
    pub(super) fn fault(&self, panel: &[String]) -> Option<String> {
        let [low, high] = self.band;
        if !(0.0 <= low && low <= high && high <= 1.0) {
            return Some(format!("band {low} to {high} is none between 0 and 1"));
        }
        let mut named: Vec<&String> = self.stages.iter().flat_map(|s| &s.systems).collect();
        let mut wanted: Vec<&String> = panel.iter().collect();
        let mut seen = 0;
        for stage in &self.stages {
            seen += stage.systems.len();
            if let Some(fault) = stage.stack.fault(seen) {
                return Some(fault);
            }
        }
        named.sort_unstable();
        wanted.sort_unstable();
        (named != wanted).then(|| "the stages must name each system of the panel once".to_owned())
    }
}

/// Stages of systems by the seconds that each takes for a paragraph: the cheapest first, a new stage where the next
/// system costs several times what all before it cost together.
pub fn stages_by_cost(seconds: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..seconds.len()).collect();
    order.sort_by(|&a, &b| seconds[a].total_cmp(&seconds[b]));
    let mut stages: Vec<Vec<usize>> = Vec::new();
    let mut before = 0.0;
    for system in order {
        match stages.last_mut() {
            Some(stage) if seconds[system] <= JUMP * before => stage.push(system),
            _ => stages.push(vec![system]),
        }
        before += seconds[system];
    }
    stages
}

fn fit(training: &Training<'_>, options: &FitOptions, fitted: &mut Fitted) -> Result<(), FitError> {
    let samples = training.samples(CASCADE)?;
    let (systems, theses) = (training.systems(), training.theses());
    match options.target {
        Target::Loss(loss) if !(loss >= 0.0 && loss.is_finite()) => {
            return Err(FitError::Target("a loss of at least 0"));
        }
        Target::Cost(cost) if !(cost > 0.0 && cost <= 1.0) => return Err(FitError::Target("a cost in (0, 1]")),
        _ => {}
    }
    if options.seconds.len() != systems || options.seconds.iter().any(|s| !(*s >= 0.0 && s.is_finite())) {
        return Err(FitError::Costs { costs: options.seconds.len(), systems });
    }
    let stages = stages_by_cost(&options.seconds);
    if stages.len() < 2 {
        return Err(FitError::OneStage(JUMP));
    }
    let so_far = |stage: usize| -> Vec<usize> { stages[..=stage].concat() };
    let seconds: Vec<f64> = stages.iter().map(|s| s.iter().map(|&i| options.seconds[i]).sum()).collect();

    // Scores of each stage for the samples, each by stacks that have not seen its section.
    let mut scores = vec![vec![f32::NAN; samples.len() * theses]; stages.len()];
    for (others, rows) in training.splits(options.folds)? {
        for (stage, scores) in scores.iter_mut().enumerate() {
            let systems = so_far(stage);
            let stack = stack_in_order(&fit_systems(&others, &systems, options)?, &training.panel.theses);
            for &row in &rows {
                let all = training.row(row);
                let some: Vec<&[f32]> = systems.iter().map(|&s| all[s]).collect();
                scores[row * theses..(row + 1) * theses].copy_from_slice(&stack.scores(&some));
            }
        }
    }
    let trial = Trial { training, scores: &scores, seconds: &seconds };
    let (band, outcome, full) = trial.choose(options.target);
    let last = |stage: usize| -> Result<StageFit, FitError> {
        Ok(StageFit {
            systems: stages[stage].iter().map(|&s| training.panel.names[s].clone()).collect(),
            seconds: seconds[stage],
            stack: fit_systems(training, &so_far(stage), options)?,
        })
    };
    fitted.cascade = Some(CascadeFit {
        target: options.target,
        band: band.map(|b| f64::from(b as f32)),
        expected: Expected {
            reached: outcome.reached.iter().copied().map(round).collect(),
            cost: round(outcome.cost),
            macro_f1: round(outcome.macro_f1),
            micro_f1: round(outcome.micro_f1),
            full_macro_f1: round(full.macro_f1),
            full_micro_f1: round(full.micro_f1),
        },
        stages: (0..stages.len()).map(last).collect::<Result<_, _>>()?,
    });
    Ok(())
}

/// A stack whose systems come in the order of its own lists.
fn stack_in_order(fit: &StackFit, theses: &[String]) -> Stack {
    fit.stack(theses, &(0..fit.systems()).collect::<Vec<_>>())
}

fn undecided(scores: &[f32], band: [f32; 2]) -> bool {
    scores.iter().any(|s| s.is_nan() || (band[0] <= *s && *s < band[1]))
}

/// Cross-fitted scores on which bands are tried.
struct Trial<'a> {
    training: &'a Training<'a>,
    /// By stage, `samples x theses`.
    scores: &'a [Vec<f32>],
    /// By stage, for a paragraph.
    seconds: &'a [f64],
}

/// What a band would have done.
struct Tried {
    reached: Vec<f64>,
    cost: f64,
    macro_f1: f64,
    micro_f1: f64,
}

impl Trial<'_> {
    /// The best band, what it does, and what all systems on all paragraphs do.
    fn choose(&self, target: Target) -> ([f64; 2], Tried, Tried) {
        let threshold = self.threshold();
        let full = self.outcome(threshold, |_, _| true);
        let at = logit(f64::from(threshold).clamp(1e-6, 1.0 - 1e-6));
        let mut best: Option<([f64; 2], Tried, f64)> = None;
        for down in 0..=STEPS {
            for up in 0..=STEPS {
                let band = [sigmoid(at - STEP * f64::from(down)), sigmoid(at + STEP * f64::from(up))];
                let ends = band.map(|b| b as f32);
                let tried = self.outcome(threshold, |stage, row| undecided(self.row(stage, row), ends));
                let loss = (full.macro_f1 - tried.macro_f1).max(full.micro_f1 - tried.micro_f1);
                // How far the target is missed comes first, then what the target leaves open.
                let (missed, open) = match target {
                    Target::Loss(most) => ((loss - most).max(0.0), tried.cost),
                    Target::Cost(most) => ((tried.cost - most).max(0.0), loss),
                };
                let key = |m: f64, o: f64| if m > 0.0 { 1e3 + m } else { o };
                let value = key(missed, open);
                if best.as_ref().is_none_or(|(_, _, v)| value < *v) {
                    best = Some((band, tried, value));
                }
            }
        }
        let (band, tried, _) = best.expect("at least one band is tried");
        (band, tried, full)
    }

    /// The threshold with the best macro F1 for the scores of the last stage.
    fn threshold(&self) -> f32 {
        let mut cells: Vec<(f32, usize, bool)> = Vec::new();
        let theses = self.training.theses();
        let last = self.scores.len() - 1;
        let mut counts = vec![Counts::default(); theses];
        for &row in self.training.rows() {
            for (thesis, &score) in self.row(last, row).iter().enumerate() {
                let argued = self.training.argues(row, thesis);
                counts[thesis].support += u64::from(argued);
                cells.push((score, thesis, argued));
            }
        }
        cells.retain(|(s, ..)| !s.is_nan());
        cells.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut best, mut threshold) = (0.0, 0.5);
        for group in cells.chunk_by(|a, b| a.0 == b.0) {
            for &(_, thesis, argued) in group {
                counts[thesis].predicted += 1;
                counts[thesis].tp += u64::from(argued);
            }
            let f1 = macro_average(&counts).f1;
            if f1 > best {
                (best, threshold) = (f1, group[0].0);
            }
        }
        threshold
    }

    fn row(&self, stage: usize, row: usize) -> &[f32] {
        let theses = self.training.theses();
        &self.scores[stage][row * theses..(row + 1) * theses]
    }

    fn outcome(&self, threshold: f32, goes_on: impl Fn(usize, usize) -> bool) -> Tried {
        let theses = self.training.theses();
        let mut counts = vec![Counts::default(); theses];
        let mut reached = vec![0usize; self.scores.len()];
        for &row in self.training.rows() {
            let mut stage = 0;
            reached[0] += 1;
            while stage + 1 < self.scores.len() && goes_on(stage, row) {
                stage += 1;
                reached[stage] += 1;
            }
            for (thesis, &score) in self.row(stage, row).iter().enumerate() {
                let (argued, given) = (self.training.argues(row, thesis), score >= threshold);
                counts[thesis] +=
                    Counts { tp: u64::from(argued && given), predicted: u64::from(given), support: u64::from(argued) };
            }
        }
        let rows = self.training.rows().len().max(1) as f64;
        let share = |n: usize| n as f64 / rows;
        let spent: f64 = reached.iter().zip(self.seconds).map(|(&n, s)| share(n) * s).sum();
        Tried {
            cost: spent / self.seconds.iter().sum::<f64>().max(f64::MIN_POSITIVE),
            reached: reached.into_iter().map(share).collect(),
            macro_f1: macro_average(&counts).f1,
            micro_f1: micro(&counts).f1,
        }
    }
}

fn build(panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
    let (fit, _) = parameters(CASCADE, panel, fitted, |f| f.cascade.as_ref())?;
    let index = |name: &String| panel.names.iter().position(|n| n == name).unwrap_or_default();
    let stages: Vec<Vec<usize>> = fit.stages.iter().map(|s| s.systems.iter().map(index).collect()).collect();
    let stacks = fit.stages.iter().map(|s| stack_in_order(&s.stack, &panel.theses)).collect();
    Ok(Box::new(Cascade(Arc::new(Plan { stages, stacks, band: fit.band.map(|b| b as f32) }))))
}

#[derive(Debug)]
struct Plan {
    /// By stage, the systems that it adds, as numbers of the run's panel.
    stages: Vec<Vec<usize>>,
    /// By stage, over all systems so far.
    stacks: Vec<Stack>,
    band: [f32; 2],
}

impl Plan {
    /// The scores after `stage`.
    fn scores(&self, stage: usize, scores: &[&[f32]]) -> Vec<f32> {
        let so_far: Vec<&[f32]> = self.stages[..=stage].iter().flatten().map(|&s| scores[s]).collect();
        self.stacks[stage].scores(&so_far)
    }
}

impl Gate for Plan {
    fn stages(&self) -> &[Vec<usize>] {
        &self.stages
    }

    fn undecided(&self, stage: usize, scores: &[&[f32]]) -> bool {
        undecided(&self.scores(stage - 1, scores), self.band)
    }
}

struct Cascade(Arc<Plan>);

impl Aggregate for Cascade {
    fn combine(&self, scores: &[&[f32]]) -> Vec<f32> {
        let plan = &self.0;
        let mut stage = 0;
        loop {
            let combined = plan.scores(stage, scores);
            if stage + 1 == plan.stages.len() || !undecided(&combined, plan.band) {
                return combined;
            }
            stage += 1;
        }
    }

    fn gate(&self) -> Option<Arc<dyn Gate>> {
        Some(self.0.clone())
    }
}
