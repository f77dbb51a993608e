//! Scoring systems against labelled samples: one call, one report.
//!
//! Everything is computed from the same label matrices and the same bootstrap draws, so that no two figures of a
//! report can contradict each other.

use lundian_core::{Kind, Output, Sample, Taxonomy, Thresholds};

use crate::baseline::{floor, prior, prior_output};
use crate::bootstrap::{Draws, Plan, draw, interval};
use crate::calibration::{brier, ece, reliability, risk_coverage};
use crate::ceiling::ceiling;
use crate::clusters::{Clusters, resampled_by};
use crate::errors::{confusions, error_cases};
use crate::evaluation::{
    Average, Evaluation, FamilyReport, FamilyScore, GoldSummary, Resampling, SystemReport, ThesisReport,
};
use crate::evidence::evidence;
use crate::labels::Labels;
use crate::metrics::{
    Counts, CurvePoint, any_thesis, average_precision, counts, jaccard, macro_average, micro, precision_recall_curve,
    subset_accuracy,
};
use crate::pairs::{Pair, holm, only_right, paired_interval, randomisation_p};
use crate::random::parallel;
use crate::roles::{role_prior, roles, says_roles};
use crate::slices::slices;

/// What one system said about the samples.
#[derive(Clone, Debug)]
pub struct SystemOutput<'a> {
    /// Its name, unique in a report.
    pub name: &'a str,
    /// What sort of method it is.
    pub kind: Kind,
    /// Scores and evidence: one row per sample, one column per thesis.
    pub output: &'a Output,
    /// From which score on it gives a thesis.
    pub thresholds: &'a Thresholds,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How to evaluate.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the gold file, for the report.
    pub gold_file: String,
    /// Bootstrap draws, and swaps of the randomisation test; 0 leaves intervals out and every p-value at 1.
    pub draws: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// Number of threads; results do not depend on it.
    pub threads: usize,
    /// Further keys of the gold file to slice by.
    pub slices: Vec<String>,
    /// Tells the script of a text, for slices; this crate knows no scripts.
    pub script: Option<fn(&str) -> String>,
    /// Share of paragraphs that argue each thesis, for the baseline; by default that of the gold file itself.
    pub prior: Option<Vec<f32>>,
    /// Wrong decisions listed for each system.
    pub max_errors: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gold_file: String::new(),
            draws: 2000,
            seed: 0,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            slices: Vec::new(),
            script: None,
            prior: None,
            max_errors: 500,
        }
    }
}

/// Why systems could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A system scored another number of paragraphs or theses.
    #[error("system {system:?} gives {rows} x {theses} scores for {samples} samples and {expected} theses")]
    Shape {
        /// The system.
        system: String,
        /// Its rows.
        rows: usize,
        /// Its columns.
        theses: usize,
        /// Paragraphs that were expected.
        samples: usize,
        /// Theses that were expected.
        expected: usize,
    },
    /// Two systems of one name.
    #[error("two systems are called {0:?}: rename one of them")]
    Duplicate(String),
}

/// Points kept of a precision-recall curve.
const CURVE_POINTS: usize = 200;

/// Scores systems against samples. A baseline called `prior` is always added: it scores every paragraph with the
/// share of paragraphs that argue the thesis, and so decides with the majority. Where systems say roles, it says the
/// commonest one throughout.
///
/// Degenerate input has defined results: ratios with nothing below the line are 0, means of nothing are `None`, and
/// with fewer than two clusters (sections, or documents) there are no intervals.
///
/// # Errors
/// If a system's scores do not fit the samples, or two systems share a name.
pub fn evaluate(
    samples: &[Sample],
    systems: &[SystemOutput<'_>],
    taxonomy: &Taxonomy,
    options: &Options,
) -> Result<Evaluation, EvalError> {
    check(samples, systems, taxonomy)?;
    let theses = taxonomy.len();
    let own_prior = options.prior.as_ref().filter(|p| p.len() == theses);
    let mut baseline_output = prior_output(own_prior.unwrap_or(&prior(samples, theses)), samples.len());
    if systems.iter().any(|s| says_roles(s.output))
        && let Some(shares) = role_prior(samples)
    {
        (0..samples.len()).for_each(|row| baseline_output.set_role(row, shares));
    }
    let mut baseline_thresholds = Thresholds::uniform(0.5);
    baseline_thresholds.origin = "the majority's decision".to_owned();
    let baseline = SystemOutput {
        name: "prior",
        kind: Kind::Baseline,
        output: &baseline_output,
        thresholds: &baseline_thresholds,
        seconds: 0.0,
    };
    let with_baseline = systems.iter().any(|s| s.name == baseline.name);
    let systems: Vec<&SystemOutput<'_>> = systems.iter().chain((!with_baseline).then_some(&baseline)).collect();

    let gold = Labels::of_samples(samples, theses);
    let predicted: Vec<Labels> =
        systems.iter().map(|s| Labels::of_output(s.output, &s.thresholds.resolve(taxonomy))).collect();
    let clusters = Clusters::of_samples(samples);
    let plan = Plan { draws: options.draws, seed: options.seed, threads: options.threads };
    let drawn = draw(&gold, &predicted.iter().collect::<Vec<_>>(), &clusters, plan);

    let outputs: Vec<&Output> = systems.iter().map(|s| s.output).collect();
    let mut reports = parallel(systems.len(), options.threads, |i| {
        report(systems[i], samples, &gold, &predicted[i], &drawn[i], taxonomy, options)
    });
    let of_roles = roles(samples, &outputs, &clusters, plan);
    reports.iter_mut().zip(of_roles).for_each(|(report, role)| report.role = role);
    let named: Vec<(&str, &Labels)> = systems.iter().map(|s| s.name).zip(&predicted).collect();
    let (slices, mut notes) = slices(samples, &gold, &named, &clusters, options, plan);
    if samples.is_empty() {
        notes.push("the gold file has no paragraphs: there is nothing to score against".to_owned());
    } else if clusters.count < 2 {
        notes.push("all paragraphs are of one section or document: no intervals can be given".to_owned());
    }
    if own_prior.is_none() {
        notes.push("the baseline knows the label frequencies of the gold file itself".to_owned());
    }
    Ok(Evaluation {
        gold: summary(samples, &gold, options),
        resampling: Resampling {
            draws: options.draws,
            seed: options.seed,
            by: resampled_by(samples),
            clusters: clusters.count,
        },
        pairs: pairs(&systems, samples, &gold, &predicted, &drawn, &clusters, plan),
        systems: reports,
        ceiling: ceiling(samples, theses),
        floor: floor(&counts(&gold, &gold), samples.len()),
        slices,
        notes,
    })
}

fn check(samples: &[Sample], systems: &[SystemOutput<'_>], taxonomy: &Taxonomy) -> Result<(), EvalError> {
    for (i, system) in systems.iter().enumerate() {
        let (rows, theses) = (system.output.rows(), system.output.theses());
        if (rows, theses) != (samples.len(), taxonomy.len()) {
            return Err(EvalError::Shape {
                system: system.name.to_owned(),
                rows,
                theses,
                samples: samples.len(),
                expected: taxonomy.len(),
            });
        }
        if systems[..i].iter().any(|s| s.name == system.name) {
            return Err(EvalError::Duplicate(system.name.to_owned()));
        }
    }
    Ok(())
}

fn summary(samples: &[Sample], gold: &Labels, options: &Options) -> GoldSummary {
    let documents: std::collections::HashSet<&str> = samples.iter().map(|s| s.paragraph.doc.as_str()).collect();
    let counts = counts(gold, gold);
    GoldSummary {
        file: options.gold_file.clone(),
        paragraphs: samples.len(),
        labels: counts.iter().map(|c| c.support).sum(),
        documents: documents.len(),
        theses: counts.iter().filter(|c| c.support > 0).count(),
    }
}

fn report(
    system: &SystemOutput<'_>,
    samples: &[Sample],
    gold: &Labels,
    predicted: &Labels,
    drawn: &Draws,
    taxonomy: &Taxonomy,
    options: &Options,
) -> SystemReport {
    let output = system.output;
    let thresholds = system.thresholds.resolve(taxonomy);
    let by_thesis = counts(gold, predicted);
    let n = samples.len();
    let cells = || (0..n).flat_map(|r| output.row(r).iter().copied().zip(gold.row(r).iter().copied()));
    let bins = reliability(cells());
    let judged = output.scores().iter().filter(|s| !s.is_nan()).count();
    let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
    SystemReport {
        name: system.name.to_owned(),
        kind: system.kind,
        micro: Average { prf: micro(&by_thesis), ci95: interval(&drawn.micro) },
        macro_average: Average { prf: macro_average(&by_thesis), ci95: interval(&drawn.macro_average) },
        family: families(gold, predicted, taxonomy),
        subset_accuracy: subset_accuracy(gold, predicted),
        jaccard: jaccard(gold, predicted),
        ece: ece(&bins),
        brier: brier(cells()),
        any_thesis: any_thesis(gold, predicted).prf(),
        evidence: evidence(samples, predicted, &output.evidence),
        role: None,
        coverage: share(judged, output.scores().len()),
        failed: output.failures.len(),
        per_thesis: per_thesis(output, gold, &by_thesis, &thresholds, drawn, taxonomy),
        thresholds: system.thresholds.origin.clone(),
        seconds: system.seconds,
        paragraphs_per_second: (system.seconds > 0.0).then(|| n as f64 / system.seconds),
        reliability: bins,
        risk_coverage: risk_coverage(
            (0..n).map(|r| (confidence(output.row(r), &thresholds), gold.row(r) != predicted.row(r))).collect(),
        ),
        precision_recall: thinned(precision_recall_curve(&mut cells().collect::<Vec<_>>())),
        confusions: confusions(gold, predicted, taxonomy),
        errors: error_cases(samples, gold, predicted, output, &thresholds, taxonomy, options.max_errors),
        faithfulness: None,
        invariance: None,
    }
}

fn per_thesis(
    output: &Output,
    gold: &Labels,
    counts: &[Counts],
    thresholds: &[f32],
    drawn: &Draws,
    taxonomy: &Taxonomy,
) -> Vec<ThesisReport> {
    let one = |(t, c): (usize, &Counts)| {
        let mut scored: Vec<(f32, bool)> = (0..gold.rows()).map(|r| (output.row(r)[t], gold.row(r)[t])).collect();
        let judged = scored.iter().filter(|(s, _)| !s.is_nan()).count();
        ThesisReport {
            thesis: taxonomy.theses()[t].slug.clone(),
            support: c.support,
            predicted: c.predicted,
            prf: c.prf(),
            ci95: interval(&drawn.theses[t]),
            average_precision: average_precision(&mut scored),
            threshold: thresholds[t],
            coverage: (!scored.is_empty()).then(|| judged as f64 / scored.len() as f64),
        }
    };
    counts.iter().enumerate().map(one).collect()
}

fn families(gold: &Labels, predicted: &Labels, taxonomy: &Taxonomy) -> FamilyReport {
    let grouped = |labels: &Labels| labels.grouped(taxonomy.families().len(), |t| taxonomy.family_of(t));
    let counts = counts(&grouped(gold), &grouped(predicted));
    let score = |(family, c): (&lundian_core::Family, &Counts)| FamilyScore {
        family: family.slug.clone(),
        support: c.support,
        prf: c.prf(),
    };
    FamilyReport {
        micro_f1: micro(&counts).f1,
        macro_f1: macro_average(&counts).f1,
        per_family: taxonomy.families().iter().zip(&counts).map(score).collect(),
    }
}

/// How far the least certain decision is from its threshold; 0 where the system has no opinion at all.
fn confidence(scores: &[f32], thresholds: &[f32]) -> f32 {
    let margins = scores.iter().zip(thresholds).map(|(s, t)| (s - t).abs()).filter(|m| !m.is_nan());
    margins.reduce(f32::min).unwrap_or(0.0)
}

/// Some of the points of a curve, evenly spread, the first and the last among them.
fn thinned(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    let n = points.len();
    if n <= CURVE_POINTS {
        return points;
    }
    (0..CURVE_POINTS).map(|i| points[i * (n - 1) / (CURVE_POINTS - 1)]).collect()
}

fn pairs(
    systems: &[&SystemOutput<'_>],
    samples: &[Sample],
    gold: &Labels,
    predicted: &[Labels],
    drawn: &[Draws],
    clusters: &Clusters,
    plan: Plan,
) -> Vec<Pair> {
    let real: Vec<usize> = (0..systems.len()).filter(|i| systems[*i].kind != Kind::Baseline).collect();
    let mut pairs = Vec::new();
    for (i, &a) in real.iter().enumerate() {
        for &b in &real[i + 1..] {
            let (counts_a, counts_b) = (counts(gold, &predicted[a]), counts(gold, &predicted[b]));
            let (only_a_right, only_b_right) = only_right(samples, gold, &predicted[a], &predicted[b]);
            pairs.push(Pair {
                a: systems[a].name.to_owned(),
                b: systems[b].name.to_owned(),
                delta_macro_f1: macro_average(&counts_a).f1 - macro_average(&counts_b).f1,
                ci95: paired_interval(&drawn[a].macro_average, &drawn[b].macro_average),
                p_value: randomisation_p(gold, &predicted[a], &predicted[b], clusters, plan),
                p_holm: 1.0,
                delta_micro_f1: micro(&counts_a).f1 - micro(&counts_b).f1,
                only_a_right,
                only_b_right,
            });
        }
    }
    let corrected = holm(&pairs.iter().map(|p| p.p_value).collect::<Vec<_>>());
    pairs.iter_mut().zip(corrected).for_each(|(pair, p)| pair.p_holm = p);
    pairs
}
