//! Training: from labelled samples to a [`Model`].
//!
//! The decision that matters: everything that follows the weights (the calibration, the threshold, the scores that a
//! stacked aggregate learns from) is fitted on cross-fitted scores, of samples whose section or document the weights
//! have not seen. Nobody's paragraphs are on both sides.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lundian_plugin::training::choose_threshold;
use lundian_plugin::{Sample, Taxonomy, Thresholds};
use lundian_text::normalise;
use serde_json::Value;

use crate::calibration::{self, Logits, Sigmoid};
use crate::elastic_net::{Columns, elastic_net};
use crate::model::{Model, Quantised};
use crate::params::{Params, ValidParams};
use crate::solver::{Plane, Stop, logistic_regression};
use crate::tfidf::{Counts, Features};

/// Passes over the samples after which a solver stops; a few dozen are usual.
const PASSES: usize = 1000;

/// How far training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What has just been finished.
    pub stage: Stage,
    /// Steps finished.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
}

/// A step of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Counting n-grams.
    Count,
    /// A model of all samples but those of one fold, for held-out scores.
    Fold,
    /// The model of all samples.
    Fit,
}

/// Why training is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// No sample argues anything.
    #[error("none of the {0} samples argues a thesis: nothing can be learned from them")]
    NoLabels(usize),
    /// Too few authors or documents to hold some out.
    #[error(
        "{folds} folds need at least as many sections or documents, and the samples come from {clusters}: \
         give more samples or set folds = {clusters}"
    )]
    Clusters {
        /// Folds asked for.
        folds: usize,
        /// Sections, or documents where there are none.
        clusters: usize,
    },
    /// A label of a thesis that the taxonomy does not have.
    #[error("sample {id:?} argues thesis number {thesis} of a taxonomy of {theses}")]
    Thesis {
        /// The sample.
        id: String,
        /// The thesis.
        thesis: usize,
        /// Theses in the taxonomy.
        theses: usize,
    },
    /// No sample to calibrate on.
    #[error("no sample has one of the sources {0:?} that calibrate_on names")]
    CalibrateOn(Vec<String>),
    /// The samples have no n-gram in common.
    #[error("no n-gram occurs in {min_df} samples: lower min_df, or give more samples")]
    NoFeatures {
        /// Samples asked for.
        min_df: u32,
    },
    /// A penalty so strong that every weight is zero.
    #[error("the penalty leaves no n-gram a weight: raise c, or lower l1_ratio")]
    NoWeights,
    /// Two n-grams that cannot be told apart.
    #[error("{0}")]
    Vocabulary(String),
}

/// Trains a model on `samples`, labelled by `taxonomy`.
///
/// Its calibration and threshold come from cross-fitted scores of the samples (of those that
/// [`Params::calibrate_on`] names, if any). The same samples, parameters and seed give the same model, on any number
/// of threads. Normalises the texts itself; stances do not matter.
///
/// # Errors
/// When the samples do not suffice.
pub fn train(
    taxonomy: &Taxonomy,
    samples: &[Sample],
    params: &ValidParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Model, TrainError> {
    let job = Job::new(taxonomy, samples, params.get(), 1, progress)?;
    let logits = job.held_out_logits(progress);
    let all: Vec<usize> = (0..samples.len()).collect();
    let (features, planes) = job.fit(&all);
    if features.df.is_empty() {
        let none_before_pruning = job.features(&all).df.is_empty();
        let min_df = params.get().min_df;
        return Err(if none_before_pruning { TrainError::NoFeatures { min_df } } else { TrainError::NoWeights });
    }
    let calibration = job.calibrate(&logits, &job.representative(&all));
    let thresholds = {
        let rows = job.representative(&all);
        let scores = job.probabilities(&logits, &calibration, &rows);
        let argued: Vec<bool> = rows.iter().flat_map(|&r| job.row(&job.argued, r)).copied().collect();
        Thresholds {
            global: choose_threshold(job.theses, &scores, &argued).threshold,
            per_thesis: BTreeMap::new(),
            origin: "chosen on cross-fitted scores of the training samples".to_owned(),
        }
    };
    let vocabulary = job.counts.vocabulary(&features).map_err(TrainError::Vocabulary)?;
    let weights = (0..features.df.len()).map(|f| planes.iter().map(|plane| plane.weights[f] as f32).collect());
    let model = Model {
        theses: taxonomy.theses().iter().map(|t| t.slug.clone()).collect(),
        vocabulary,
        texts: features.texts as u32,
        idf: Model::idf_of(features.texts as u32, &features.df),
        df: features.df,
        quantised: Quantised::new(planes.len(), weights),
        biases: planes.iter().map(|plane| plane.bias as f32).collect(),
        calibration,
        params: params.get().clone(),
        thresholds,
        data: Vec::new(),
        metrics: BTreeMap::new(),
    };
    progress(Progress { stage: Stage::Fit, done: job.steps, total: job.steps });
    Ok(model)
}

/// Out-of-fold calibrated scores of the samples themselves: `samples x theses`, row-major, in [0, 1], for an aggregate to
/// learn from. The weights behind a score have not seen its section (else document), and its sigmoid is fitted without
/// the labels of its fold. (The logits that the sigmoid is fitted to come from models of the other folds' complements,
/// as is usual; a handful of numbers cannot carry labels over.) The folds are those of [`train`] with the same
/// parameters.
///
/// # Errors
/// As [`train`].
pub fn cross_fit(
    taxonomy: &Taxonomy,
    samples: &[Sample],
    params: &ValidParams,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<f32>, TrainError> {
    let job = Job::new(taxonomy, samples, params.get(), 0, progress)?;
    let logits = job.held_out_logits(progress);
    let mut scores = vec![0.0; job.argued.len()];
    for fold in 0..params.get().folds {
        let calibration = job.calibrate(&logits, &job.representative(&job.rows_where(|f| f != fold)));
        let rows = job.rows_where(|f| f == fold);
        let of_fold = job.probabilities(&logits, &calibration, &rows);
        for (&row, probabilities) in rows.iter().zip(of_fold.chunks(job.theses)) {
            scores[row * job.theses..][..job.theses].copy_from_slice(probabilities);
        }
    }
    Ok(scores)
}

/// The fold of each sample. Clusters, the largest first, go to the fold that has the fewest samples so far.
pub(crate) fn folds(samples: &[Sample], folds: usize, seed: u64) -> Result<Vec<usize>, TrainError> {
    let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, sample) in samples.iter().enumerate() {
        members.entry(sample.cluster()).or_default().push(i);
    }
    if members.len() < folds {
        return Err(TrainError::Clusters { folds, clusters: members.len() });
    }
    let mut clusters: Vec<(&str, Vec<usize>)> = members.into_iter().collect();
    clusters.sort_unstable();
    crate::random::Random::new(seed).shuffle(&mut clusters);
    clusters.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let mut sizes = vec![0; folds];
    let mut fold_of = vec![0; samples.len()];
    for (_, rows) in clusters {
        let fold = (0..folds).min_by_key(|&f| sizes[f]).unwrap_or(0);
        sizes[fold] += rows.len();
        rows.into_iter().for_each(|row| fold_of[row] = fold);
    }
    Ok(fold_of)
}

/// The words of a sample that show some of its labels.
struct Quote {
    sample: usize,
    range: Range<usize>,
    /// The theses whose evidence is just here. Of the sample's other theses, nothing is known about these words.
    theses: Vec<usize>,
}

/// All evidence of the samples, each stretch of words once.
fn quotes(samples: &[Sample]) -> Vec<Quote> {
    let mut quotes: Vec<Quote> = Vec::new();
    for (sample, s) in samples.iter().enumerate() {
        let first = quotes.len();
        for label in &s.labels {
            let Some(range) = label.evidence.clone().filter(|r| s.paragraph.text.get(r.clone()).is_some()) else {
                continue;
            };
            match quotes[first..].iter_mut().find(|quote| quote.range == range) {
                Some(quote) => quote.theses.push(label.thesis),
                None => quotes.push(Quote { sample, range, theses: vec![label.thesis] }),
            }
        }
    }
    quotes
}

/// What all steps of one training share.
struct Job<'a> {
    params: &'a Params,
    theses: usize,
    /// Of all paragraphs, then of the paragraphs before them, of their headings, and of the quotes.
    counts: Counts,
    quotes: Vec<Quote>,
    /// Of the texts that `counts` counts, whether there is one; contexts that are not wanted count as absent.
    present: Vec<bool>,
    /// `samples x theses`.
    argued: Vec<bool>,
    fold_of: Vec<usize>,
    /// Of each sample, whether it calibrates.
    calibrates: Vec<bool>,
    steps: usize,
}

impl<'a> Job<'a> {
    fn new(
        taxonomy: &Taxonomy,
        samples: &'a [Sample],
        params: &'a Params,
        fits: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, TrainError> {
        let theses = taxonomy.len();
        let mut argued = vec![false; samples.len() * theses];
        for (row, sample) in samples.iter().enumerate() {
            for label in &sample.labels {
                if label.thesis >= theses {
                    let id = sample.paragraph.id.clone();
                    return Err(TrainError::Thesis { id, thesis: label.thesis, theses });
                }
                argued[row * theses + label.thesis] = true;
            }
        }
        if !argued.contains(&true) {
            return Err(TrainError::NoLabels(samples.len()));
        }
        let fold_of = folds(samples, params.folds, params.seed)?;
        let wanted = &params.calibrate_on;
        let source = |s: &Sample| s.paragraph.extra.get("source").and_then(Value::as_str).unwrap_or("").to_owned();
        let calibrates: Vec<bool> = samples.iter().map(|s| wanted.is_empty() || wanted.contains(&source(s))).collect();
        if !calibrates.contains(&true) {
            return Err(TrainError::CalibrateOn(wanted.clone()));
        }
        let quotes = if params.evidence_weight > 0.0 { quotes(samples) } else { Vec::new() };
        let context = |text: &'a str| if params.context { text } else { "" };
        let texts: Vec<String> = (samples.iter().map(|s| s.paragraph.text.as_str()))
            .chain(samples.iter().map(|s| context(&s.paragraph.prev)))
            .chain(samples.iter().map(|s| context(&s.paragraph.heading)))
            .chain(quotes.iter().map(|q| &samples[q.sample].paragraph.text[q.range.clone()]))
            .map(normalise)
            .collect();
        let present = texts[..3 * samples.len()].iter().map(|text| !text.is_empty()).collect();
        let counts = Counts::new(&texts, &(params.min_ngram..=params.max_ngram));
        let steps = 1 + params.folds + fits;
        progress(Progress { stage: Stage::Count, done: 1, total: steps });
        Ok(Self { params, theses, counts, quotes, present, argued, fold_of, calibrates, steps })
    }

    fn row<'m, T>(&self, matrix: &'m [T], row: usize) -> &'m [T] {
        &matrix[row * self.theses..(row + 1) * self.theses]
    }

    fn rows_where(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|&row| wanted(self.fold_of[row])).collect()
    }

    fn representative(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().copied().filter(|&row| self.calibrates[row]).collect()
    }

    /// For each text that `counts` counts, the logits of a model trained without the fold of its sample.
    fn held_out_logits(&self, progress: &mut dyn FnMut(Progress)) -> Vec<f32> {
        let samples = self.fold_of.len();
        let mut logits = vec![0.0; self.present.len() * self.theses];
        for fold in 0..self.params.folds {
            let (features, planes) = self.fit(&self.rows_where(|f| f != fold));
            let held_out: Vec<usize> =
                (0..self.present.len()).filter(|&t| self.present[t] && self.fold_of[t % samples] == fold).collect();
            let rows = self.counts.rows(&features, &held_out);
            for (i, &text) in held_out.iter().enumerate() {
                for (thesis, plane) in planes.iter().enumerate() {
                    logits[text * self.theses + thesis] = plane.logit(rows.row(i)) as f32;
                }
            }
            progress(Progress { stage: Stage::Fold, done: fold + 2, total: self.steps });
        }
        logits
    }

    /// The logits of sample number `row` and its context.
    fn logits<'m>(&self, logits: &'m [f32], row: usize) -> Logits<'m> {
        let samples = self.fold_of.len();
        let context = |text: usize| self.present[text].then(|| self.row(logits, text));
        Logits { own: self.row(logits, row), prev: context(row + samples), heading: context(row + 2 * samples) }
    }

    fn features(&self, among: &[usize]) -> Features {
        self.counts.features(among, self.params.min_df, self.params.max_features)
    }

    /// One plane per thesis, from the samples numbered `among`. With L1, over features that a thesis has a use for.
    ///
    /// A feature of no use still takes part in the length that a vector is divided by, and cannot just be left out:
    /// planes are fitted anew without it. The few that are of no use only then stay.
    fn fit(&self, among: &[usize]) -> (Features, Vec<Plane>) {
        let features = self.features(among);
        let planes = self.planes(&features, among);
        if self.params.l1_ratio == 0.0 {
            return (features, planes);
        }
        let features = features.retain(|feature| planes.iter().any(|plane| plane.weights[feature] != 0.0));
        let planes = self.planes(&features, among);
        (features, planes)
    }

    /// One plane per thesis over `features`, from the samples numbered `among`.
    fn planes(&self, features: &Features, among: &[usize]) -> Vec<Plane> {
        let mut chosen = vec![false; self.fold_of.len()];
        among.iter().for_each(|&row| chosen[row] = true);
        let (quote_texts, quotes): (Vec<usize>, Vec<&Quote>) =
            (self.present.len()..).zip(&self.quotes).filter(|(_, quote)| chosen[quote.sample]).unzip();
        let rows = self.counts.rows(features, &[among, &quote_texts].concat());
        let columns = (self.params.l1_ratio > 0.0).then(|| Columns::new(&rows));
        let stop = Stop { tolerance: self.params.tolerance, passes: PASSES };
        let argues = |row: usize, thesis: usize| self.row(&self.argued, row)[thesis];
        let fit_one = |thesis: usize| {
            let quoted = quotes.iter().map(|quote| quote.theses.contains(&thesis));
            let positive: Vec<bool> = among.iter().map(|&row| argues(row, thesis)).chain(quoted).collect();
            let costs: Vec<f64> = (positive.iter().enumerate())
                .map(|(i, &positive)| {
                    let cost = self.params.c * if positive { self.params.positive_weight } else { 1.0 };
                    match i.checked_sub(among.len()).map(|i| quotes[i]) {
                        None => cost,
                        Some(quote) if !positive && argues(quote.sample, thesis) => 0.0,
                        Some(_) => cost * self.params.evidence_weight,
                    }
                })
                .collect();
            match &columns {
                Some(columns) => elastic_net(columns, &positive, &costs, self.params.l1_ratio, stop),
                None => {
                    let seed = self.params.seed.wrapping_add(thesis as u64);
                    logistic_regression(&rows, &positive, &costs, stop, seed)
                }
            }
        };
        let threads = match self.params.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let thesis = next.fetch_add(1, Ordering::Relaxed);
                if thesis >= self.theses {
                    return done;
                }
                done.push((thesis, fit_one(thesis)));
            }
        };
        let mut planes: Vec<(usize, Plane)> = thread::scope(|scope| {
            let workers: Vec<_> = (1..threads.min(self.theses)).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for worker in workers {
                done.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        planes.sort_unstable_by_key(|(thesis, _)| *thesis);
        planes.into_iter().map(|(_, plane)| plane).collect()
    }

    fn calibrate(&self, logits: &[f32], rows: &[usize]) -> Vec<Sigmoid> {
        let samples = rows.iter().map(|&row| (self.logits(logits, row), self.row(&self.argued, row)));
        calibration::fit(self.theses, samples)
    }

    /// `rows x theses`.
    fn probabilities(&self, logits: &[f32], sigmoids: &[Sigmoid], rows: &[usize]) -> Vec<f32> {
        let mut probabilities = vec![0.0; rows.len() * self.theses];
        for (&row, out) in rows.iter().zip(probabilities.chunks_mut(self.theses)) {
            calibration::to_probabilities(sigmoids, self.logits(logits, row), out);
        }
        probabilities
    }
}
