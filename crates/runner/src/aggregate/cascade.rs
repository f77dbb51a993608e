//! A cascade: cheap systems first, the dear ones only for paragraphs that the cheap ones leave undecided.
//!
//! Every stage combines all systems that have run by then by the mean of their log-odds. Fewer systems are surer
//! together than more, so each stage has a threshold of its own; its log-odds are shifted until that coincides with the
//! threshold of the last. A paragraph is undecided while the combined score of any thesis lies within a band around the
//! threshold, or while nobody has an opinion on a thesis. The band is chosen with the threshold: the cheapest that loses
//! no more F1 than it may, or the best that costs no more than it may.
//!
//! The decision that matters: [`Aggregate::combine`] looks at no score that a run with this cascade would not have asked
//! for. A cascade can be evaluated on the scores of all its systems, and the figures are those of the spared run.

use std::sync::Arc;

use lundian_core::Thresholds;
use lundian_eval::{Counts, macro_average, micro};
use serde::{Deserialize, Serialize};

use super::fitted::{FitOptions, Fitted, parameters, round};
use super::log_odds::log_odds;
use super::logistic::{logit, sigmoid};
use super::training::{FitError, Training};
use super::{Aggregate, AggregateError, CASCADE, Entry, Panel};
use crate::Gate;

pub(super) const ENTRY: Entry = Entry {
    name: CASCADE,
    doc: "log-odds that ask slow systems only about paragraphs that the fast ones leave undecided",
    build,
    fit: Some(fit),
    on_scale: false,
};

/// A stage begins at a system that takes this many times as long as all before it together.
const JUMP: f64 = 3.0;
/// Systems that take less than this share of the time of all are not worth a stage: sparing them saves nothing.
const WORTH: f64 = 0.05;
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

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loss(most) => write!(f, "a loss of at most {most} F1"),
            Self::Cost(most) => write!(f, "a cost of at most {most} of the time of all systems"),
        }
    }
}

/// What a cascade has learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CascadeFit {
    pub(super) target: Target,
    /// A score from the first up to the second leaves a thesis undecided; if the second is 1, one of 1 does, too.
    pub(super) band: [f64; 2],
    pub(super) expected: Expected,
    stages: Vec<StageFit>,
}

/// What a cascade does to the samples that its band was chosen on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Share of paragraphs that reach each stage.
    pub reached: Vec<f64>,
    /// Share of the time of all systems on all paragraphs.
    pub cost: f64,
    /// Mean F1 of the theses, in [0, 1].
    pub macro_f1: f64,
    /// F1 over all labels alike, in [0, 1].
    pub micro_f1: f64,
    /// Macro F1 of all systems on all paragraphs.
    pub full_macro_f1: f64,
    /// Micro F1 of all systems on all paragraphs.
    pub full_micro_f1: f64,
}

impl Expected {
    fn new(tried: &Tried, full: &Tried) -> Self {
        Self {
            reached: tried.reached.iter().copied().map(round).collect(),
            cost: round(tried.cost),
            macro_f1: round(tried.macro_f1),
            micro_f1: round(tried.micro_f1),
            full_macro_f1: round(full.macro_f1),
            full_micro_f1: round(full.micro_f1),
        }
    }

    /// Whether a band was found that keeps to the target; else the one in use comes nearest.
    pub fn meets(&self, target: Target) -> bool {
        let loss = (self.full_macro_f1 - self.macro_f1).max(self.full_micro_f1 - self.micro_f1);
        let (value, most) = match target {
            Target::Loss(most) => (loss, most),
            Target::Cost(most) => (self.cost, most),
        };
        // The figures are rounded.
        value <= most + 2e-4
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = 100.0 * self.reached.last().copied().unwrap_or(1.0);
        let cost = 100.0 * self.cost;
        let Self { macro_f1, micro_f1, full_macro_f1, full_micro_f1, .. } = self;
        write!(
            f,
            "{last:.0} % of paragraphs reach the last stage, {cost:.1} % of the time of all systems on all; macro F1 \
             {macro_f1:.4} (all: {full_macro_f1:.4}), micro F1 {micro_f1:.4} (all: {full_micro_f1:.4})"
        )
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StageFit {
    /// Names of the systems that this stage adds.
    systems: Vec<String>,
    /// Seconds that they take for a paragraph.
    seconds: f64,
    /// What is added to the mean log-odds of the systems so far, so that the threshold is that of the last stage.
    shift: f64,
}

impl CascadeFit {
    pub(super) fn fault(&self, panel: &[String]) -> Option<String> {
        let [low, high] = self.band;
        if !(0.0 <= low && low <= high && high <= 1.0) {
            return Some(format!("band {low} to {high} is none between 0 and 1"));
        }
        let mut named: Vec<&String> = self.stages.iter().flat_map(|s| &s.systems).collect();
        let mut wanted: Vec<&String> = panel.iter().collect();
        if self.stages.iter().any(|stage| stage.systems.is_empty()) {
            return Some("a stage has no system".to_owned());
        }
        if let Some(stage) = self.stages.iter().find(|stage| !is_time(stage.seconds)) {
            return Some(format!("a stage cannot take {} seconds", stage.seconds));
        }
        if let Some(stage) = self.stages.iter().find(|stage| !stage.shift.is_finite()) {
            return Some(format!("a stage cannot be shifted by {}", stage.shift));
        }
        named.sort_unstable();
        wanted.sort_unstable();
        (named != wanted).then(|| "the stages must name each system of the panel once".to_owned())
    }
}

/// Stages of systems by the seconds that each takes for a paragraph: the cheapest first, a new stage where the next
/// system costs several times what all before it cost together and is a part of the whole that is worth sparing.
pub fn stages_by_cost(seconds: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..seconds.len()).collect();
    order.sort_by(|&a, &b| seconds[a].total_cmp(&seconds[b]));
    let worth = WORTH * seconds.iter().sum::<f64>();
    let mut stages: Vec<Vec<usize>> = Vec::new();
    let mut before = 0.0;
    for system in order {
        match stages.last_mut() {
            Some(stage) if seconds[system] <= (JUMP * before).max(worth) => stage.push(system),
            _ => stages.push(vec![system]),
        }
        before += seconds[system];
    }
    stages
}

fn fit(training: &Training<'_>, options: &FitOptions, fitted: &mut Fitted) -> Result<(), FitError> {
    training.samples(CASCADE)?;
    let systems = training.systems();
    check_target(options.target)?;
    if options.seconds.len() != systems || !options.seconds.iter().copied().all(is_time) {
        return Err(FitError::Costs { costs: options.seconds.len(), systems });
    }
    let stages = stages_by_cost(&options.seconds);
    if stages.len() < 2 {
        return Err(FitError::OneStage(JUMP));
    }
    let stage = |systems: &Vec<usize>| StageFit {
        systems: systems.iter().map(|&s| training.panel.names[s].clone()).collect(),
        seconds: systems.iter().map(|&s| options.seconds[s]).sum(),
        shift: 0.0,
    };
    let mut cascade = CascadeFit {
        target: options.target,
        band: [0.0, 1.0],
        expected: Expected::default(),
        stages: stages.iter().map(stage).collect(),
    };
    cascade.align(training, |scores| best_threshold(training, scores));
    let threshold = best_threshold(training, &cascade.full_scores(training));
    cascade.tune(training, options.target, threshold, None)?;
    fitted.cascade = Some(cascade);
    let thresholds = Thresholds { origin: "chosen with the band".to_owned(), ..Thresholds::uniform(threshold) };
    fitted.thresholds.insert(CASCADE.to_owned(), thresholds);
    Ok(())
}

/// Whether these are seconds that something may take.
pub(super) fn is_time(seconds: f64) -> bool {
    seconds >= 0.0 && seconds.is_finite()
}

fn check_target(target: Target) -> Result<(), FitError> {
    match target {
        Target::Loss(loss) if !(loss >= 0.0 && loss.is_finite()) => Err(FitError::Target("a loss of at least 0")),
        Target::Cost(cost) if !(cost > 0.0 && cost <= 1.0) => Err(FitError::Target("a cost in (0, 1]")),
        _ => Ok(()),
    }
}

impl CascadeFit {
    /// Scores of the last stage, `samples x theses`: what the threshold is chosen on.
    pub(super) fn full_scores(&self, tuning: &Training<'_>) -> Vec<f32> {
        self.scores(tuning).pop().unwrap_or_default()
    }

    /// Shifts all stages to the threshold of the last. `threshold_for` gives the threshold that suits some scores
    /// (`samples x theses`) best.
    pub(super) fn align(&mut self, tuning: &Training<'_>, threshold_for: impl Fn(&[f32]) -> f32) {
        self.stages.iter_mut().for_each(|stage| stage.shift = 0.0);
        let thresholds: Vec<f64> = self.scores(tuning).iter().map(|s| log_odds_of(threshold_for(s))).collect();
        if let Some(last) = thresholds.last() {
            self.stages.iter_mut().zip(&thresholds).for_each(|(stage, own)| stage.shift = round(last - own));
        }
    }

    /// Chooses the band anew for a target and a threshold, on samples that the stages were not fitted on. `seconds`, a
    /// number a system of the panel, takes the place of the stored ones.
    pub(super) fn tune(
        &mut self,
        tuning: &Training<'_>,
        target: Target,
        threshold: f32,
        seconds: Option<&[f64]>,
    ) -> Result<(), FitError> {
        check_target(target)?;
        if let Some(seconds) = seconds {
            let stages = self.stages_of(tuning.panel);
            for (stage, systems) in self.stages.iter_mut().zip(stages) {
                stage.seconds = systems.iter().map(|&s| seconds[s]).sum();
            }
        }
        let seconds: Vec<f64> = self.stages.iter().map(|s| s.seconds).collect();
        let choice =
            Trial { training: tuning, scores: &self.scores(tuning), seconds: &seconds }.choose(target, threshold);
        (self.target, self.band) = (target, choice.band);
        self.expected = Expected::new(&choice.tried, &choice.full);
        Ok(())
    }

    /// Its stages, in words.
    pub(super) fn stages_in_words(&self) -> String {
        let stages: Vec<String> = self.stages.iter().map(|s| s.systems.join(", ")).collect();
        stages.join(", then ")
    }

    /// By stage, the systems that it adds, as numbers of the panel, which has to be the one that it was fitted for.
    fn stages_of(&self, panel: &Panel) -> Vec<Vec<usize>> {
        let index = |name: &String| panel.names.iter().position(|n| n == name).unwrap_or_default();
        self.stages.iter().map(|s| s.systems.iter().map(index).collect()).collect()
    }

    fn plan(&self, panel: &Panel) -> Plan {
        Plan {
            stages: self.stages_of(panel),
            shifts: self.stages.iter().map(|s| s.shift).collect(),
            band: self.band.map(|b| b as f32),
        }
    }

    /// By stage, the combined scores, `samples x theses`; NaN in rows that are not in `tuning`.
    fn scores(&self, tuning: &Training<'_>) -> Vec<Vec<f32>> {
        let plan = self.plan(tuning.panel);
        let of_stage = |stage: usize| {
            let mut scores = vec![f32::NAN; tuning.cells()];
            for &row in tuning.rows() {
                let at = row * tuning.theses();
                scores[at..at + tuning.theses()].copy_from_slice(&plan.scores(stage, &tuning.row(row)));
            }
            scores
        };
        (0..self.stages.len()).map(of_stage).collect()
    }
}

fn log_odds_of(threshold: f32) -> f64 {
    logit(f64::from(threshold).clamp(1e-6, 1.0 - 1e-6))
}

/// Whether a thesis has no score, or one in the band, which includes its upper end only where that is 1.
fn undecided(scores: &[f32], band: [f32; 2]) -> bool {
    let [low, high] = band;
    scores.iter().any(|&s| s.is_nan() || (low <= s && (s < high || high == 1.0)))
}

/// Scores of samples that the stages have not seen, on which bands are tried.
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

/// The best band.
struct Choice {
    band: [f64; 2],
    tried: Tried,
    /// What all systems on all paragraphs do.
    full: Tried,
}

impl Trial<'_> {
    fn choose(&self, target: Target, threshold: f32) -> Choice {
        let full = self.outcome(threshold, |_, _| true);
        let at = log_odds_of(threshold);
        let mut best: Option<([f32; 2], Tried, f64)> = None;
        for down in 0..=STEPS {
            for up in 0..=STEPS {
                // The last steps ask about everything, also where a system is silent and its score exactly 0, or where
                // it is certain and its score exactly 1.
                let low = if down == STEPS { 0.0 } else { sigmoid(at - STEP * f64::from(down)) };
                let high = if up == STEPS { 1.0 } else { sigmoid(at + STEP * f64::from(up)) };
                let band = [low, high].map(|end| end as f32);
                let tried = self.outcome(threshold, |stage, row| undecided(self.row(stage, row), band));
                let loss = (full.macro_f1 - tried.macro_f1).max(full.micro_f1 - tried.micro_f1);
                // How far the target is missed comes first, then what the target leaves open.
                let (missed, open) = match target {
                    Target::Loss(most) => ((loss - most).max(0.0), tried.cost),
                    Target::Cost(most) => ((tried.cost - most).max(0.0), loss),
                };
                let value = if missed > 0.0 { 1e3 + missed } else { open };
                if best.as_ref().is_none_or(|(_, _, v)| value < *v) {
                    best = Some((band, tried, value));
                }
            }
        }
        let (band, tried, _) = best.expect("at least one band is tried");
        Choice { band: band.map(f64::from), tried, full }
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

/// The threshold with the best macro F1 for scores, `samples x theses`.
fn best_threshold(training: &Training<'_>, scores: &[f32]) -> f32 {
    let mut cells: Vec<(f32, usize, bool)> = Vec::new();
    let theses = training.theses();
    let mut counts = vec![Counts::default(); theses];
    for &row in training.rows() {
        for (thesis, &score) in scores[row * theses..(row + 1) * theses].iter().enumerate() {
            let argued = training.argues(row, thesis);
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

fn build(panel: &Panel, fitted: Option<&Fitted>) -> Result<Box<dyn Aggregate>, AggregateError> {
    let (fit, _) = parameters(CASCADE, panel, fitted, |f| f.cascade.as_ref())?;
    Ok(Box::new(Cascade(Arc::new(fit.plan(panel)))))
}

#[derive(Debug)]
struct Plan {
    /// By stage, the systems that it adds, as numbers of the run's panel.
    stages: Vec<Vec<usize>>,
    /// By stage, what is added to the log-odds.
    shifts: Vec<f64>,
    band: [f32; 2],
}

impl Plan {
    /// The scores after `stage`.
    fn scores(&self, stage: usize, scores: &[&[f32]]) -> Vec<f32> {
        let so_far: Vec<&[f32]> = self.stages[..=stage].iter().flatten().map(|&s| scores[s]).collect();
        log_odds(&so_far, self.shifts[stage])
    }
}

impl Gate for Plan {
    fn stages(&self) -> &[Vec<usize>] {
        &self.stages
    }

    /// Whether a thesis has no score, or one in the band, which includes its upper end only where that is 1.
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
