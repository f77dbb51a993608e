//! Fine-tuning: from labelled samples and a base to a model.
//!
//! The decision that matters: everything that a step needs follows from the parameters, the samples and its number, and
//! all that is learnt is written down after each pass. Training that was stopped goes on as if it had not been.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use lundian_plugin::training::{Choice, DataFile, choose_threshold};
use lundian_plugin::{Paragraph, Role, Sample, Taxonomy, Thresholds, Unit};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::ModelError;
use crate::encoder::{self, Dropout, Encoder, layer_of};
use crate::head::{self, Trained};
use crate::model::{
    Base, Calibration, FORMAT, Lesson, MANIFEST, Manifest, Model, Parts, WeightsFile, hex, sha256, write,
};
use crate::optimiser::{self, Slot};
use crate::params::{Heads, Params, Pooling, ValidParams};
use crate::random::Random;
use crate::roles::{self, Figures};
use crate::tokens::{Reader, Window, layout, pack};
use crate::weights;

/// Folder of the last finished pass, in the folder of the model.
const CHECKPOINT: &str = "checkpoint";
/// Name of the log in a model's folder: a [`Progress`] a line.
pub const LOG: &str = "train.jsonl";
const STATE: &str = "state.json";
/// Steps between two reports of progress.
pub(crate) const REPORT_EVERY: u64 = 10;
/// Windows that are scored together.
const SCORED_TOGETHER: usize = 16;

/// What training has come to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Progress {
    /// Passes begun, from 1.
    pub epoch: usize,
    /// Steps done of `steps`.
    pub step: u64,
    /// All steps.
    pub steps: u64,
    /// Mean loss since the last report: of a thesis of a sample, or of a sample's role where only these are learnt.
    pub loss: f32,
    /// Tokens a second since the last report.
    pub tokens_per_second: f32,
    /// Macro-F1 and micro-F1 on the tuning samples, at the end of a pass.
    pub tune: Option<(f64, f64)>,
    /// Part of the tuning samples with a role that get it, at the end of a pass, if roles are learnt.
    #[serde(default)]
    pub roles: Option<f64>,
}

/// Why training cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The base, or a file of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Samples without any label.
    #[error("none of the {0} samples argues a thesis: there is nothing to learn")]
    NoLabels(usize),
    /// A label outside the taxonomy.
    #[error("sample {id}: thesis number {thesis}, but the taxonomy has {theses}")]
    Thesis {
        /// The sample.
        id: String,
        /// The label.
        thesis: usize,
        /// Theses of the taxonomy.
        theses: usize,
    },
    /// No text to adapt to.
    #[error("the {0} paragraphs have no text to learn from")]
    NoText(usize),
    /// No tuning samples, or none with a label.
    #[error("none of the {0} tuning samples argues a thesis: there is nothing to choose by")]
    NoTuning(usize),
    /// No sample with a role, where only roles are to be learnt.
    #[error(
        "none of the {count} {samples} has a role: with heads = \"roles\" there is nothing to learn or to choose by"
    )]
    NoRoles {
        /// Which samples.
        samples: &'static str,
        /// How many.
        count: usize,
    },
    /// A base without theses that can stay as they are.
    #[error("heads = \"roles\" needs a base that is a model for the theses of the taxonomy {taxonomy:?}")]
    NoModel {
        /// The name of the taxonomy.
        taxonomy: String,
    },
    /// A weight of 0 for the only head that learns.
    #[error("heads = \"roles\" needs a role_weight above 0")]
    NoWeight,
    /// A teacher, who scores theses, for the head of roles.
    #[error("heads = \"roles\" has nothing to learn from a teacher, who scores theses only")]
    Teacher,
    /// A sample that the tokenizer cannot read.
    #[error("sample {id}: {why}")]
    Sample {
        /// The sample.
        id: String,
        /// Why.
        why: String,
    },
    /// More layers than the base has.
    #[error("the base has {depth} layers: it cannot keep {layers}")]
    Layers {
        /// Layers of the base.
        depth: usize,
        /// Layers to keep.
        layers: usize,
    },
    /// A checkpoint of another training.
    #[error("{path}: {why}; train without resuming, or into another folder")]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// Why it cannot be gone on from.
        why: String,
    },
    /// Weights that are not finite any more.
    #[error("step {step}: the gradient is not finite; a lower learning_rate may help")]
    Diverged {
        /// The step.
        step: u64,
    },
    /// A computation that failed.
    #[error("training: {0}")]
    Compute(#[from] candle_core::Error),
}

/// A paragraph that a teacher scored: another classifier, or several together (Hinton et al., *Distilling the knowledge in
/// a neural network*, 2015).
#[derive(Clone, Debug)]
pub struct Taught {
    /// The paragraph.
    pub paragraph: Paragraph,
    /// The probability of each thesis of the taxonomy, in [0, 1].
    pub scores: Vec<f32>,
}

/// What to train on, from what, and where to.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The theses; the head has a row for each.
    pub taxonomy: &'a Taxonomy,
    /// What is learnt from; stances do not matter.
    pub samples: &'a [Sample],
    /// What is learnt besides, from a teacher; may be empty.
    pub taught: &'a [Taught],
    /// What the best pass, the calibration and the threshold are chosen on.
    pub tune: &'a [Sample],
    /// Name of the tuning samples, for the model's manifest.
    pub tune_name: &'a str,
    /// Folder of the base. If it is a model for the same theses, its head is gone on with, too.
    pub base: &'a Path,
    /// Name and licence of the base, for the model's manifest.
    pub base_name: Base,
    /// The files that the samples are from, for the model's manifest.
    pub data: Vec<DataFile>,
    /// Folder of the model, which is made if it is not there. The log and the checkpoint go there, too.
    pub out: &'a Path,
    /// Whether to go on from the checkpoint there, if there is one.
    pub resume: bool,
}

/// What is remembered between passes, besides weights.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    params: Params,
    /// Fingerprint of what training starts from.
    start: String,
    epochs: usize,
    step: u64,
    best_epoch: usize,
    best: f64,
}

/// Trains a model, writes it to `job.out`, and reads it from there.
///
/// # Errors
/// When the base cannot be read, the samples do not suffice, or a file cannot be written.
pub fn train(job: &Job<'_>, params: &ValidParams, progress: &mut dyn FnMut(Progress)) -> Result<Model, TrainError> {
    let trainer = Trainer::new(job, params.get())?;
    trainer.run(progress)?;
    Ok(Model::open(job.out)?)
}

/// A sample, ready to be learnt from.
struct Prepared {
    windows: Vec<Window>,
    /// What comes out of the frozen layers, one matrix of `tokens x width` for each window.
    frozen: Vec<Vec<f32>>,
    /// Of each thesis, how far it is argued, in [0, 1].
    targets: Vec<f32>,
    /// Number of its role, if it has one that is known.
    role: Option<usize>,
    /// How much it counts.
    weight: f32,
}

/// What the heads give for windows: logits of theses, and of roles if these are learnt.
struct Logits {
    theses: Tensor,
    roles: Option<Tensor>,
}

/// What the tuning samples get.
struct Tuned {
    /// Logits of theses, row-major: of each thesis, the largest of a paragraph's windows.
    logits: Vec<f32>,
    roles: Option<Figures>,
}

struct Trainer<'a> {
    job: &'a Job<'a>,
    params: Params,
    /// The manifest of the base, where its theses stay as they are.
    kept: Option<Manifest>,
    /// Layers that stay as they are.
    freeze: usize,
    parts: Parts,
    encoder: Box<dyn Encoder>,
    head: Trained,
    roles: Option<Trained>,
    slots: Vec<Slot>,
    samples: Vec<Prepared>,
    tune: Vec<Prepared>,
    /// Of each thesis, how often a sample that argues it counts.
    positive_weights: Vec<f32>,
}

impl<'a> Trainer<'a> {
    fn new(job: &'a Job<'a>, params: &Params) -> Result<Self, TrainError> {
        let theses = job.taxonomy.len();
        for sample in job.samples.iter().chain(job.tune) {
            if let Some(label) = sample.labels.iter().find(|l| l.thesis >= theses) {
                let id = sample.paragraph.id.clone();
                return Err(TrainError::Thesis { id, thesis: label.thesis, theses });
            }
        }
        let known = goes_on_from(job)?;
        let goes_on = known.is_some();
        let mut params = params.clone();
        let kept = match params.heads {
            Heads::All => {
                check_theses(job)?;
                None
            }
            Heads::Roles => {
                let known = known.ok_or_else(|| TrainError::NoModel { taxonomy: job.taxonomy.name().to_owned() })?;
                check_roles(job, &params)?;
                let Params { pooling, lengths, .. } = known.params;
                params = Params { layers: 0, freeze: usize::MAX, pooling, lengths, ..params };
                Some(known)
            }
        };
        let mut parts = Parts::open(job.base)?;
        let depth = encoder::open(&parts.config, parts.builder())?.depth();
        let layers = if params.layers == 0 { depth } else { params.layers };
        if layers > depth {
            return Err(TrainError::Layers { depth, layers });
        }
        let freeze = params.freeze.min(layers);
        parts.config["num_hidden_layers"] = json!(layers);
        parts.weights.retain(|name, _| layer_of(name).is_none_or(|layer| layer < layers));

        let rate = |layer: usize| params.learning_rate * params.layer_decay.powi((layers - 1 - layer) as i32);
        let mut slots = learn_layers(&mut parts.weights, freeze, params.weight_decay, rate)?;
        let encoder = encoder::open(&parts.config, parts.builder())?;
        let width = encoder.width();
        let thesis_counts = counts(theses, job.samples.iter().flat_map(|s| (0..theses).filter(|t| s.argues(*t))));
        let role_counts =
            counts(Role::ALL.len(), job.samples.iter().filter_map(Sample::known_role).map(|role| role as usize));
        let all = job.samples.len();
        // Each class starts with its own odds, so that the first steps need not learn which are rare.
        let odds: Vec<f32> = thesis_counts.iter().map(|&n| ((n as f32 + 1.0) / (all - n + 1) as f32).ln()).collect();
        let shares: Vec<f32> = role_counts.iter().map(|&n| ((n as f32 + 1.0) / (all + 1) as f32).ln()).collect();
        let mut start = first_head(&head::THESES, odds, width, params.seed ^ 0x0048_6561_6400)?;
        start.extend(first_head(&head::ROLES, shares, width, params.seed ^ 0x0052_6f6c_6573)?);
        if goes_on {
            start.extend(parts.weights.clone());
        }
        parts.weights.retain(|name, _| !head::ROLES.contain(name));
        let mut learn = |names: &head::Names, classes: usize| -> Result<Trained, TrainError> {
            let mut part = |name: &str| -> Result<Tensor, TrainError> {
                let tensor = start.get(name).cloned();
                // A query of zeros is the plain mean.
                let tensor = tensor.map_or_else(|| Tensor::zeros((classes, width), DType::F32, &Device::Cpu), Ok)?;
                let var = Var::from_tensor(&tensor)?;
                let tensor = var.as_tensor().clone();
                parts.weights.insert(name.to_owned(), tensor.clone());
                slots.push(Slot::new(name.to_owned(), var, params.head_learning_rate, params.weight_decay));
                Ok(tensor)
            };
            let (weight, bias) = (part(names.weight)?, part(names.bias)?);
            let query = match params.pooling {
                Pooling::Mean => None,
                Pooling::Attention => Some(part(names.query)?),
            };
            Ok(Trained { query, weight, bias })
        };
        let has_roles = params.role_weight > 0.0 && role_counts.iter().any(|n| *n > 0);
        let roles = has_roles.then(|| learn(&head::ROLES, Role::ALL.len())).transpose()?;
        let head = match &kept {
            None => learn(&head::THESES, theses)?,
            Some(_) => Trained::read(&parts.builder(), &head::THESES, params.pooling, theses, width)?,
        };
        let reader = Reader::new(&parts.tokenizer, params.lengths, encoder.vocabulary(), encoder.max_tokens())?;
        let positive_weights = thesis_counts
            .iter()
            .map(|&n| ((all - n) as f32 / n.max(1) as f32).sqrt().clamp(1.0, params.positive_weight))
            .collect();
        let prepare = |paragraph: &Paragraph, targets: Vec<f32>, role: Option<usize>, weight: f32| {
            let (windows, frozen) = read(paragraph, &reader, &*encoder, freeze)?;
            Ok(Prepared { windows, frozen, targets, role, weight })
        };
        let labelled = |sample: &Sample, smooth: f32| {
            let target = |thesis: usize| if sample.argues(thesis) { 1.0 - smooth } else { smooth };
            prepare(
                &sample.paragraph,
                (0..theses).map(target).collect(),
                sample.known_role().map(|role| role as usize),
                1.0,
            )
        };
        // Where only roles are learnt, what has none teaches nothing.
        let counts = |sample: &&Sample| kept.is_none() || sample.known_role().is_some();
        let samples = job.samples.par_iter().filter(counts).map(|s| labelled(s, params.label_smoothing));
        let mut samples: Vec<Prepared> = samples.collect::<Result<_, TrainError>>()?;
        if kept.is_none() {
            let taught =
                job.taught.par_iter().map(|t| prepare(&t.paragraph, t.scores.clone(), None, params.teacher_weight));
            samples.par_extend(taught.collect::<Result<Vec<_>, TrainError>>()?);
        }
        let tune = job.tune.par_iter().map(|s| labelled(s, 0.0)).collect::<Result<_, TrainError>>()?;
        Ok(Self { job, params, kept, freeze, parts, encoder, head, roles, slots, samples, tune, positive_weights })
    }

    fn steps(&self) -> u64 {
        (self.samples.len().div_ceil(self.params.batch) * self.params.epochs) as u64
    }

    fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), TrainError> {
        let checkpoint = self.job.out.join(CHECKPOINT);
        fs::create_dir_all(&checkpoint).map_err(|why| ModelError::Io { path: checkpoint.clone(), why })?;
        let mut state = State { params: self.params.clone(), start: self.fingerprint()?, ..State::default() };
        let mut best = self.learnt()?;
        if self.job.resume && checkpoint.join(STATE).is_file() {
            (state, best) = self.restore(&checkpoint)?;
        }
        let log_path = self.job.out.join(LOG);
        let kept = if state.epochs > 0 { log_until(&log_path, state.step) } else { String::new() };
        let mut log = fs::write(&log_path, kept)
            .and_then(|()| fs::OpenOptions::new().append(true).open(&log_path))
            .map_err(|why| ModelError::Io { path: log_path.clone(), why })?;
        let mut report = |now: Progress| {
            progress(now);
            let line = serde_json::to_string(&now).unwrap_or_default();
            writeln!(log, "{line}").map_err(|why| ModelError::Io { path: log_path.clone(), why })
        };
        while state.epochs < self.params.epochs {
            let epoch = state.epochs + 1;
            let mut order: Vec<usize> = (0..self.samples.len()).collect();
            Random::of_pass(self.params.seed, epoch).shuffle(&mut order);
            let (mut loss, mut seen, mut tokens, mut since) = (0.0, 0, 0, Instant::now());
            let mut now = Progress {
                epoch,
                step: state.step,
                steps: self.steps(),
                loss: 0.0,
                tokens_per_second: 0.0,
                tune: None,
                roles: None,
            };
            // Losses in that of a sample.
            let terms = if self.kept.is_some() { 1 } else { self.job.taxonomy.len() };
            let mut batches = order.chunks(self.params.batch).peekable();
            while let Some(batch) = batches.next() {
                state.step += 1;
                let (batch_loss, batch_tokens) = self.step(batch, epoch, state.step)?;
                (loss, seen, tokens) = (loss + batch_loss, seen + batch.len(), tokens + batch_tokens);
                // The end of a pass is reported below, with what it scores.
                let ends = batches.peek().is_none();
                if ends || state.step.is_multiple_of(REPORT_EVERY) {
                    now.step = state.step;
                    now.loss = loss / (seen * terms) as f32;
                    now.tokens_per_second = tokens as f32 / since.elapsed().as_secs_f32();
                    (loss, seen, tokens, since) = (0.0, 0, 0, Instant::now());
                    if !ends {
                        report(now)?;
                    }
                }
            }
            state.epochs = epoch;
            let tuned = self.tuned()?;
            let choice = self.choose(&tuned.logits, &Calibration::default());
            now.tune = Some((choice.macro_f1, choice.micro_f1));
            now.roles = tuned.roles.map(|figures| figures.accuracy);
            report(now)?;
            let reached = match self.kept {
                None => choice.macro_f1,
                Some(_) => tuned.roles.map_or(0.0, |figures| figures.macro_f1),
            };
            if reached > state.best {
                (state.best, state.best_epoch) = (reached, epoch);
                best = self.learnt()?;
            }
            self.save_checkpoint(&checkpoint, &state, &best)?;
            if self.params.patience > 0 && epoch >= state.best_epoch + self.params.patience {
                break;
            }
        }
        for (slot, weights) in self.slots.iter().zip(best) {
            slot.var.set(&weights)?;
        }
        self.save(&state)
    }

    /// SHA-256 of all samples as they are read and of the weights that are learnt, as they are at first.
    fn fingerprint(&self) -> Result<String, TrainError> {
        let mut hash = Sha256::new();
        for sample in self.samples.iter().chain(&self.tune) {
            for window in &sample.windows {
                window.ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
            }
            sample.targets.iter().for_each(|target| hash.update(target.to_le_bytes()));
            hash.update([sample.role.map_or(u8::MAX, |role| role as u8)]);
        }
        for slot in &self.slots {
            let weights = slot.var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        }
        Ok(hex(&hash.finalize()))
    }

    /// A copy of what is learnt.
    fn learnt(&self) -> Result<Vec<Tensor>, TrainError> {
        Ok(self.slots.iter().map(|slot| slot.var.as_tensor().copy()).collect::<Result<_, _>>()?)
    }

    /// One step; returns the sum of the losses and the number of tokens.
    fn step(&mut self, batch: &[usize], epoch: usize, step: u64) -> Result<(f32, usize), TrainError> {
        let Params { shards, seed, .. } = self.params;
        let work = |rows: &[usize], seed| self.gradients(rows, epoch, seed, batch.len());
        let done: Vec<(GradStore, f32, usize)> = optimiser::in_shards(batch, shards, seed, step, work)?;
        let loss = done.iter().map(|(_, loss, _)| loss).sum();
        let tokens = done.iter().map(|(.., tokens)| tokens).sum();
        let gradients: Vec<GradStore> = done.into_iter().map(|(gradients, ..)| gradients).collect();
        let rate = optimiser::rate(step, self.steps(), self.params.warmup);
        let norm = optimiser::step(&mut self.slots, &gradients, step, rate, self.params.clip as f32)?;
        if norm.is_finite() { Ok((loss, tokens)) } else { Err(TrainError::Diverged { step }) }
    }

    /// The gradient of the loss of `rows`, of a batch of `batch` samples; the sum of their losses; number of tokens.
    fn gradients(
        &self,
        rows: &[usize],
        epoch: usize,
        seed: u64,
        batch: usize,
    ) -> Result<(GradStore, f32, usize), TrainError> {
        // A paragraph of several windows shows another one in each pass.
        let of = |row: &usize| {
            let sample = &self.samples[*row];
            (sample, epoch % sample.windows.len())
        };
        let picked: Vec<(&Prepared, usize)> = rows.iter().map(of).collect();
        let (logits, tokens) = self.forward(&picked, Some(seed))?;
        let part = 1.0 / batch as f32;
        // The gradient of the loss by the logits is known; their product has the same.
        let product = |logits: &Tensor, slope: Vec<f32>| -> Result<Tensor, TrainError> {
            let slope = Tensor::from_vec(slope, logits.shape(), logits.device())?;
            Ok((logits * slope)?.sum_all()?)
        };
        let (mut loss, mut products) = (0.0, Vec::new());
        if self.kept.is_none() {
            let mut slope = Vec::with_capacity(rows.len() * self.job.taxonomy.len());
            for (values, (sample, _)) in logits.theses.to_vec2::<f32>()?.iter().zip(&picked) {
                for ((&z, &target), &positive) in values.iter().zip(&sample.targets).zip(&self.positive_weights) {
                    let (term, gradient) = loss_of(z, target, positive, self.params.negative_focus);
                    loss += sample.weight * term;
                    slope.push(sample.weight * gradient * part);
                }
            }
            products.push(product(&logits.theses, slope)?);
        }
        if let Some(logits) = &logits.roles {
            let mut slope = Vec::with_capacity(rows.len() * Role::ALL.len());
            for (values, (sample, _)) in logits.to_vec2::<f32>()?.iter().zip(&picked) {
                let (term, gradient) = sample.role.map_or_else(Default::default, |role| roles::loss_of(values, role));
                if self.kept.is_some() {
                    loss += term;
                }
                slope.extend(gradient.map(|g| self.params.role_weight * g * part));
            }
            products.push(product(logits, slope)?);
        }
        let mut sum = Tensor::new(0f32, &Device::Cpu)?;
        for product in products {
            sum = (sum + product)?;
        }
        Ok((sum.backward()?, loss, tokens))
    }

    /// What the heads give for windows of samples, and the number of their tokens. With a seed, numbers and tokens are
    /// left out as the parameters say.
    fn forward(&self, picked: &[(&Prepared, usize)], seed: Option<u64>) -> Result<(Logits, usize), TrainError> {
        let width = self.encoder.width();
        let dropout = seed.map_or(Dropout::NONE, |seed| Dropout { rate: self.params.dropout, seed });
        let mut random = seed.map(|seed| Random::new(seed ^ 0x0054_6F6B_656E));
        let rate = f64::from(self.params.token_dropout);
        let mut left_out = || random.as_mut().is_some_and(|random| random.unit() < rate);
        let mut x = Vec::new();
        let mut lengths = Vec::with_capacity(picked.len());
        for (sample, window) in picked {
            let (mut tokens, mut own) = (0, 0);
            for (place, token) in sample.frozen[*window].chunks(width).enumerate() {
                // The first stays, so that something is left of every paragraph.
                if place > 0 && left_out() {
                    continue;
                }
                x.extend_from_slice(token);
                tokens += 1;
                own += usize::from(place < sample.windows[*window].own);
            }
            lengths.push((tokens, own));
        }
        let (sequences, pooled) = layout(lengths.into_iter());
        let tokens = x.len() / width;
        let x = Tensor::from_vec(x, (tokens, width), &Device::Cpu)?;
        let x = self.encoder.layers(self.freeze, x, &sequences, dropout)?;
        let theses = self.head.logits(&x, &pooled, dropout)?;
        let roles = self.roles.as_ref().map(|head| head.logits(&x, &pooled, dropout)).transpose()?;
        Ok((Logits { theses, roles }, tokens))
    }

    /// Scores the tuning samples.
    fn tuned(&self) -> Result<Tuned, TrainError> {
        type Rows = (Vec<Vec<f32>>, Option<Vec<Vec<f32>>>);
        let theses = self.job.taxonomy.len();
        let windows: Vec<(usize, (&Prepared, usize))> = self
            .tune
            .iter()
            .enumerate()
            .flat_map(|(row, s)| (0..s.windows.len()).map(move |w| (row, (s, w))))
            .collect();
        let scored: Vec<Rows> = windows
            .par_chunks(SCORED_TOGETHER)
            .map(|chunk| {
                let picked: Vec<(&Prepared, usize)> = chunk.iter().map(|(_, picked)| *picked).collect();
                let (Logits { theses, roles }, _) = self.forward(&picked, None)?;
                Ok((theses.to_vec2()?, roles.map(|logits| logits.to_vec2()).transpose()?))
            })
            .collect::<Result<_, TrainError>>()?;
        let mut logits = vec![f32::NEG_INFINITY; self.tune.len() * theses];
        for ((row, _), values) in windows.iter().zip(scored.iter().flat_map(|(theses, _)| theses)) {
            let largest = &mut logits[row * theses..][..theses];
            largest.iter_mut().zip(values).for_each(|(most, value)| *most = most.max(*value));
        }
        let mut means = vec![roles::Mean::default(); self.tune.len()];
        for ((row, (sample, window)), values) in
            windows.iter().zip(scored.iter().filter_map(|(_, r)| r.as_ref()).flatten())
        {
            means[*row].add(&roles::probabilities(values), sample.windows[*window].own);
        }
        let pairs: Vec<(usize, usize)> = means
            .iter()
            .zip(&self.tune)
            .filter_map(|(mean, sample)| Some((Role::likeliest(&mean.scores()?) as usize, sample.role?)))
            .collect();
        Ok(Tuned { logits, roles: Figures::new(&pairs) })
    }

    fn tune_argued(&self) -> Vec<bool> {
        self.tune.iter().flat_map(|s| s.targets.iter().map(|target| *target > 0.5)).collect()
    }

    fn choose(&self, logits: &[f32], calibration: &Calibration) -> Choice {
        let scores: Vec<f32> = logits.iter().map(|z| calibration.probability(*z)).collect();
        choose_threshold(self.job.taxonomy.len(), &scores, &self.tune_argued())
    }

    fn save_checkpoint(&self, dir: &Path, state: &State, best: &[Tensor]) -> Result<(), TrainError> {
        let mut tensors: HashMap<String, Tensor> = HashMap::new();
        for (slot, best) in self.slots.iter().zip(best) {
            let moment = |data: &Vec<f32>| Tensor::from_slice(data, data.len(), &Device::Cpu);
            tensors.insert(format!("now/{}", slot.name), slot.var.as_tensor().clone());
            tensors.insert(format!("best/{}", slot.name), best.clone());
            tensors.insert(format!("first/{}", slot.name), moment(&slot.first)?);
            tensors.insert(format!("second/{}", slot.name), moment(&slot.second)?);
        }
        // Named by its pass: the state names the weights that belong to it, so that a kill between the two is harmless.
        let name = |epoch: usize| dir.join(format!("{epoch}.safetensors"));
        candle_core::safetensors::save(&tensors, name(state.epochs))?;
        write(dir, STATE, &serde_json::to_vec(state).unwrap_or_default())?;
        if state.epochs > 1 {
            let _ = fs::remove_file(name(state.epochs - 1));
        }
        Ok(())
    }

    fn restore(&mut self, dir: &Path) -> Result<(State, Vec<Tensor>), TrainError> {
        let path = dir.join(STATE);
        let wrong = |why: String| TrainError::Checkpoint { path: dir.to_owned(), why };
        let text = fs::read(&path).map_err(|why| ModelError::Io { path, why })?;
        let state: State = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        if state.params != self.params || state.start != self.fingerprint()? {
            return Err(wrong("made with other parameters, samples or another base".to_owned()));
        }
        let tensors = candle_core::safetensors::load(dir.join(format!("{}.safetensors", state.epochs)), &Device::Cpu)?;
        let get = |name: String| tensors.get(&name).cloned().ok_or_else(|| wrong(format!("{name} is not there")));
        let mut best = Vec::new();
        for slot in &mut self.slots {
            slot.var.set(&get(format!("now/{}", slot.name))?)?;
            best.push(get(format!("best/{}", slot.name))?);
            slot.first = get(format!("first/{}", slot.name))?.to_vec1()?;
            slot.second = get(format!("second/{}", slot.name))?.to_vec1()?;
        }
        Ok((state, best))
    }

    /// Writes the model.
    fn save(&self, state: &State) -> Result<(), TrainError> {
        let used: BTreeMap<String, Tensor> = self.parts.weights.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        let bytes = weights::quantise(&used)?;
        let params = Params { freeze: self.freeze, ..self.params.clone() };
        let (mut manifest, best) = match &self.kept {
            None => (self.manifest(params)?, "best_epoch"),
            // What stays has the same 8-bit integers again, and so suits its calibration and its threshold.
            Some(kept) => {
                let lesson = Lesson { params, data: self.job.data.clone() };
                (Manifest { roles: Some(lesson), ..kept.clone() }, "roles.best_epoch")
            }
        };
        manifest.weights = WeightsFile { sha256: sha256(&bytes), bytes: bytes.len() as u64 };
        manifest.metrics.insert(best.to_owned(), state.best_epoch as f64);
        let out = self.job.out;
        self.parts.save(out, &bytes)?;
        manifest.save(out)?;
        Ok(())
    }

    /// The manifest for what was learnt, with the calibration and the threshold that suit it.
    fn manifest(&self, params: Params) -> Result<Manifest, TrainError> {
        let logits = self.tuned()?.logits;
        let mut calibration = Calibration::fit(&logits, &self.tune_argued());
        calibration.origin = format!("fitted on {}, which also chose the pass and the threshold", self.job.tune_name);
        let choice = self.choose(&logits, &calibration);
        Ok(Manifest {
            format: FORMAT,
            kind: "transformer".to_owned(),
            theses: self.job.taxonomy.theses().iter().map(|t| t.slug.clone()).collect(),
            base: self.job.base_name.clone(),
            weights: WeightsFile::default(),
            params,
            calibration,
            thresholds: Thresholds {
                global: choice.threshold,
                per_thesis: BTreeMap::new(),
                origin: format!("chosen on {} for the largest sum of micro-F1 and macro-F1", self.job.tune_name),
            },
            metrics: BTreeMap::new(),
            roles: None,
            data: self.job.data.clone(),
        })
    }
}

/// The whole lines of a log up to a step. Those of a pass that was stopped will be written again.
fn log_until(path: &Path, step: u64) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let of_step = |line: &&str| serde_json::from_str::<Progress>(line).is_ok_and(|now| now.step <= step);
    text.lines().filter(of_step).flat_map(|line| [line, "\n"]).collect()
}

/// Makes the weights of the layers from number `freeze` on ones that are learnt, each layer at its own rate.
pub(crate) fn learn_layers(
    weights: &mut HashMap<String, Tensor>,
    freeze: usize,
    weight_decay: f64,
    rate: impl Fn(usize) -> f64,
) -> candle_core::Result<Vec<Slot>> {
    let mut above: Vec<(String, &mut Tensor, usize)> = weights
        .iter_mut()
        .filter_map(|(name, weight)| Some((name.clone(), weight, layer_of(name).filter(|layer| *layer >= freeze)?)))
        .collect();
    above.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
    let slot = |(name, weight, layer): (String, &mut Tensor, usize)| {
        let var = Var::from_tensor(weight)?;
        *weight = var.as_tensor().clone();
        Ok(Slot::new(name, var, rate(layer), weight_decay))
    };
    above.into_iter().map(slot).collect()
}

/// How often each of `classes` classes occurs.
fn counts(classes: usize, numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts = vec![0; classes];
    numbers.for_each(|number| counts[number] += 1);
    counts
}

/// Whether theses can be learnt.
fn check_theses(job: &Job<'_>) -> Result<(), TrainError> {
    if job.samples.iter().all(|s| s.labels.is_empty()) {
        return Err(TrainError::NoLabels(job.samples.len()));
    }
    if job.tune.iter().all(|s| s.labels.is_empty()) {
        return Err(TrainError::NoTuning(job.tune.len()));
    }
    Ok(())
}

/// Whether roles can be learnt by themselves.
fn check_roles(job: &Job<'_>, params: &Params) -> Result<(), TrainError> {
    if params.role_weight == 0.0 {
        return Err(TrainError::NoWeight);
    }
    if !job.taught.is_empty() {
        return Err(TrainError::Teacher);
    }
    match [("samples", job.samples), ("tuning samples", job.tune)]
        .into_iter()
        .find(|(_, samples)| samples.iter().all(|s| s.known_role().is_none()))
    {
        Some((name, samples)) => Err(TrainError::NoRoles { samples: name, count: samples.len() }),
        None => Ok(()),
    }
}

/// The manifest of the base if that is a model of ours for the same theses, whose heads are a better start than none.
fn goes_on_from(job: &Job<'_>) -> Result<Option<Manifest>, TrainError> {
    if !job.base.join(MANIFEST).is_file() {
        return Ok(None);
    }
    // Read whole: a damaged model is no base.
    let known = Model::open(job.base)?;
    let same = known.theses().iter().eq(job.taxonomy.theses().iter().map(|t| &t.slug));
    Ok(same.then_some(known.manifest))
}

/// A head with this bias that knows nothing yet.
fn first_head(
    names: &head::Names,
    bias: Vec<f32>,
    width: usize,
    seed: u64,
) -> Result<HashMap<String, Tensor>, TrainError> {
    let mut random = Random::new(seed);
    let spread = 2.0 * (3.0 / width as f64).sqrt() * 0.2;
    let classes = bias.len();
    let weight = Tensor::from_vec(random.around_zero(classes * width, spread), (classes, width), &Device::Cpu)?;
    let bias = Tensor::from_vec(bias, classes, &Device::Cpu)?;
    Ok(HashMap::from([(names.weight.to_owned(), weight), (names.bias.to_owned(), bias)]))
}

/// The windows of a paragraph, and what comes out of the frozen layers for each.
fn read(
    paragraph: &Paragraph,
    reader: &Reader,
    encoder: &dyn Encoder,
    freeze: usize,
) -> Result<(Vec<Window>, Vec<Vec<f32>>), TrainError> {
    let (windows, _) =
        reader.windows(&Unit::from(paragraph)).map_err(|why| TrainError::Sample { id: paragraph.id.clone(), why })?;
    let mut frozen = Vec::new();
    for window in &windows {
        let (tokens, _) = pack(std::iter::once(window));
        let mut x = encoder.embed(&tokens)?;
        for layer in 0..freeze {
            x = encoder.layer(layer, &x, &tokens.sequences, Dropout::NONE)?;
        }
        frozen.push(x.flatten_all()?.to_vec1()?);
    }
    Ok((windows, frozen))
}

/// The loss of a logit, and its slope. Of `target`, the part that is argued counts `positive` times its cross-entropy
/// `log(1 + e^-z)`; the rest counts `p^focus · log(1 + e^z)`, where `p` is the probability.
fn loss_of(z: f32, target: f32, positive: f32, focus: f32) -> (f32, f32) {
    let p = 1.0 / (1.0 + (-z).exp());
    let tail = (-z.abs()).exp().ln_1p();
    let (argued, not) = (tail + (-z).max(0.0), tail + z.max(0.0));
    let (weight, rest) = (positive * target, (1.0 - target) * p.powf(focus));
    (weight * argued + rest * not, weight * (p - 1.0) + rest * (p + focus * (1.0 - p) * not))
}

#[cfg(test)]
mod tests {
    use lundian_plugin::{Batch, Classifier, Label, Output, Stance};

    use super::*;
    use crate::weights::WEIGHTS;
    use crate::{Lengths, Transformer, tiny};

    fn samples(taxonomy: &Taxonomy) -> Vec<Sample> {
        let texts = ["东西卖不出去", "天气很好", "产品卖不出去,工厂停。", "天气不错"];
        let sample = |i: usize| Sample {
            paragraph: Paragraph { id: i.to_string(), text: texts[i % 4].to_owned(), ..Default::default() },
            labels: i
                .is_multiple_of(2)
                .then(|| Label { thesis: i % taxonomy.len() % 4, stance: Stance::Endorse, evidence: None })
                .into_iter()
                .collect(),
            // The first four, which some tests take alone, have none; the last has a word that is no role.
            role: match i {
                0..4 => "",
                23 => "hearsay",
                _ => ["explanation", "other", "remedy", "other"][i % 4],
            }
            .to_owned(),
            ..Default::default()
        };
        (0..24).map(sample).collect()
    }

    fn params(epochs: usize) -> Params {
        Params {
            epochs,
            patience: 0,
            batch: 8,
            freeze: 1,
            learning_rate: 5e-3,
            head_learning_rate: 2e-2,
            token_dropout: 0.1,
            role_weight: 2.0,
            lengths: Lengths { window: 16, heading: 4, prev: 8 },
            ..Params::default()
        }
    }

    fn run(base: &Path, out: &Path, params: Params, resume: bool) -> Result<Model, TrainError> {
        let samples = samples(&Taxonomy::china_economy());
        run_on(base, out, &samples, &[], params, resume)
    }

    fn run_on(
        base: &Path,
        out: &Path,
        samples: &[Sample],
        taught: &[Taught],
        params: Params,
        resume: bool,
    ) -> Result<Model, TrainError> {
        let taxonomy = Taxonomy::china_economy();
        let job = Job {
            taxonomy: &taxonomy,
            samples,
            taught,
            tune: samples,
            tune_name: "the same",
            base,
            base_name: Base { name: "tiny".to_owned(), licence: "CC0-1.0".to_owned() },
            data: Vec::new(),
            out,
            resume,
        };
        train(&job, &params.check().unwrap(), &mut |_| {})
    }

    #[test]
    fn learns_and_goes_on_after_a_stop_as_if_there_had_been_none() {
        let (base, whole, parts) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let model = run(base.path(), whole.path(), params(6), false).unwrap();

        // Stopped in the third pass: the log cannot be written any more.
        let taxonomy = Taxonomy::china_economy();
        let all = samples(&taxonomy);
        let stopped = std::panic::catch_unwind(|| {
            let job = Job {
                taxonomy: &taxonomy,
                samples: &all,
                taught: &[],
                tune: &all,
                tune_name: "the same",
                base: base.path(),
                base_name: Base { name: "tiny".to_owned(), licence: "CC0-1.0".to_owned() },
                data: Vec::new(),
                out: parts.path(),
                resume: false,
            };
            train(&job, &params(6).check().unwrap(), &mut |p| assert!(p.epoch < 3, "stop")).map(drop)
        });
        assert!(stopped.is_err());
        // What a kill in that pass may leave in the log.
        let log = |dir: &Path| fs::read_to_string(dir.join(LOG)).unwrap();
        let left = log(parts.path()) + log(whole.path()).lines().last().unwrap() + "\n{\"epoch\":";
        fs::write(parts.path().join(LOG), left).unwrap();
        run(base.path(), parts.path(), params(6), true).unwrap();
        let bytes = |dir: &Path| fs::read(dir.join(WEIGHTS)).unwrap();
        assert!(bytes(whole.path()) == bytes(parts.path()), "other weights after a stop");
        let every_token = tempfile::tempdir().unwrap();
        run(base.path(), every_token.path(), Params { token_dropout: 0.0, ..params(6) }, false).unwrap();
        assert!(bytes(whole.path()) != bytes(every_token.path()), "no token was left out");
        let told = |dir: &Path| -> Vec<(u64, f32, bool, Option<f64>)> {
            let read = |line: &str| serde_json::from_str::<Progress>(line).unwrap();
            log(dir).lines().map(read).map(|now| (now.step, now.loss, now.tune.is_some(), now.roles)).collect()
        };
        assert_eq!(told(parts.path()), told(whole.path()));
        assert_eq!(told(whole.path()).iter().filter(|(_, _, tuned, _)| *tuned).count(), 6);
        assert!(told(whole.path()).iter().all(|(_, loss, tuned, roles)| *loss > 0.0 && *tuned == roles.is_some()));

        let other = run(base.path(), parts.path(), Params { seed: 1, ..params(6) }, true);
        assert!(matches!(other, Err(TrainError::Checkpoint { .. })));
        let mut relabelled = all.clone();
        relabelled[0].labels.clear();
        let other = run_on(base.path(), parts.path(), &relabelled, &[], params(6), true);
        assert!(matches!(other, Err(TrainError::Checkpoint { .. })));
        let mut recast = all.clone();
        recast[5].role = "evidence".to_owned();
        let other = run_on(base.path(), parts.path(), &recast, &[], params(6), true);
        assert!(matches!(other, Err(TrainError::Checkpoint { .. })));

        let threshold = model.thresholds().global;
        let out = classified(model, &all);
        assert!(right(&out, threshold, &all) >= 20, "{} of 24", right(&out, threshold, &all));
        assert!(!out.evidence.is_empty());
        assert!((0..all.len()).all(|row| out.role(row).is_some()));
    }

    /// How many of the 19 samples with a role get it.
    fn right_roles(out: &Output, samples: &[Sample]) -> usize {
        let given = |row: usize| out.role(row).map(|scores| Role::likeliest(scores).as_str());
        samples.iter().enumerate().filter(|(row, s)| given(*row) == Some(&s.role)).count()
    }

    fn classified(model: Model, samples: &[Sample]) -> Output {
        let taxonomy = Taxonomy::china_economy();
        let classifier = Transformer::new(model, &taxonomy).unwrap();
        let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
        let mut out = Output::new(units.len(), taxonomy.len());
        classifier.classify(&Batch::new(&units), &mut out).unwrap();
        out.check(|row| units[row].text).unwrap();
        out
    }

    /// How many of the samples get a score for thesis 0 on the right side of the threshold.
    fn right(out: &Output, threshold: f32, samples: &[Sample]) -> usize {
        samples.iter().enumerate().filter(|(row, s)| (out.row(*row)[0] >= threshold) == s.argues(0)).count()
    }

    #[test]
    fn a_head_alone_learns_and_the_layers_below_stay() {
        let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let all = samples(&Taxonomy::china_economy());
        for pooling in [Pooling::Mean, Pooling::Attention] {
            let params = Params { freeze: usize::MAX, pooling, head_learning_rate: 0.1, ..params(40) };
            let model = run(base.path(), out.path(), params, false).unwrap();
            let threshold = model.thresholds().global;
            let scored = classified(model, &all);
            assert!(right(&scored, threshold, &all) >= 20, "{pooling:?}");
            // Roles are learnt beside, though the pass is chosen by theses; always the commonest would be right of 0.47.
            let log = fs::read_to_string(out.path().join(LOG)).unwrap();
            let last: Progress = serde_json::from_str(log.lines().last().unwrap()).unwrap();
            assert!(last.roles.unwrap() > 0.7, "{pooling:?}: {last:?}");
            let (before, after) = (weights::read(base.path()).unwrap(), weights::read(out.path()).unwrap());
            let same = |name: &String| {
                let [a, b] = [&before[name], &after[name]].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
                // But for what 8-bit integers lose.
                a.iter().zip(b).all(|(a, b)| (a - b).abs() < 0.01)
            };
            assert!(before.keys().all(same));
            assert_eq!(after.contains_key(head::THESES.query), pooling == Pooling::Attention);
        }
    }

    #[test]
    fn roles_are_added_to_a_model_without_any_change_to_its_theses() {
        for pooling in [Pooling::Mean, Pooling::Attention] {
            let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
            let [base, first, second, third] = [0, 1, 2, 3].map(|i| dirs[i].path());
            tiny::save(base);
            let mut all = samples(&Taxonomy::china_economy());
            // Several windows.
            all[9].paragraph.text = all[9].paragraph.text.repeat(8);
            let without =
                run_on(base, first, &all, &[], Params { role_weight: 0.0, pooling, ..params(4) }, false).unwrap();
            let manifest = without.manifest.clone();
            let before = classified(without, &all);
            assert!((0..all.len()).all(|row| before.role(row).is_none()));

            // Lengths, pooling and layers of its own would read paragraphs differently; the base's hold.
            let roles_only = Params {
                heads: Heads::Roles,
                lengths: Lengths::default(),
                layers: 1,
                freeze: 0,
                pooling: Pooling::Mean,
                head_learning_rate: 0.1,
                ..params(40)
            };
            let with = run_on(first, second, &all, &[], roles_only.clone(), false).unwrap();
            let kept = with.manifest.clone();
            let after = classified(with, &all);
            assert_eq!(before.scores(), after.scores());
            assert_eq!(before.evidence, after.evidence);
            let roles = right_roles(&after, &all);
            assert!(roles >= 17, "{pooling:?}: {roles} of 19");
            assert_eq!((&kept.params, &kept.calibration), (&manifest.params, &manifest.calibration));
            assert_eq!((kept.thresholds, kept.base), (manifest.thresholds, manifest.base));
            assert_eq!(
                kept.roles.unwrap().params,
                Params { layers: 0, freeze: 2, pooling, lengths: manifest.params.lengths, ..roles_only.clone() }
            );
            let progress = fs::read_to_string(second.join(LOG)).unwrap();
            let last: Progress = serde_json::from_str(progress.lines().last().unwrap()).unwrap();
            assert!(last.roles.unwrap() > 0.8 && last.loss < 0.5, "{last:?}");

            // What is learnt once more goes on from what is there.
            let again = Params { head_learning_rate: 1e-9, epochs: 1, ..roles_only.clone() };
            let more = classified(run_on(second, third, &all, &[], again, false).unwrap(), &all);
            assert_eq!(more.scores(), after.scores());
            assert_eq!(right_roles(&more, &all), right_roles(&after, &all));
            // Trained on without a head for roles, a model has none.
            let forgets = Params { role_weight: 0.0, pooling, ..params(1) };
            assert!(run_on(second, third, &all, &[], forgets, false).unwrap().roles.is_none());

            let error = |base: &Path, samples: &[Sample], params: Params| {
                run_on(base, third, samples, &[], params, false).unwrap_err()
            };
            assert!(matches!(error(base, &all, roles_only.clone()), TrainError::NoModel { .. }));
            assert!(matches!(error(first, &all[..4], roles_only.clone()), TrainError::NoRoles { count: 4, .. }));
            let weightless = Params { role_weight: 0.0, ..roles_only };
            assert!(matches!(error(first, &all, weightless), TrainError::NoWeight));
        }
    }

    #[test]
    fn samples_without_roles_give_no_head_for_them() {
        let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let few = &samples(&Taxonomy::china_economy())[..4];
        let model = run_on(base.path(), out.path(), few, &[], params(1), false).unwrap();
        assert!(model.roles.is_none());
        assert!(!fs::read_to_string(out.path().join(LOG)).unwrap().contains("\"roles\":0"));
    }

    #[test]
    fn a_model_is_gone_on_with() {
        let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let [base, first, second] = [0, 1, 2].map(|i| dirs[i].path());
        tiny::save(base);
        let all = samples(&Taxonomy::china_economy());
        run(base, first, params(12), false).unwrap();
        // Next to no learning: what it knows it has from the first.
        let still = Params { learning_rate: 1e-9, head_learning_rate: 1e-9, ..params(1) };
        let model = run(first, second, still, false).unwrap();
        let threshold = model.thresholds().global;
        assert!(right(&classified(model, &all), threshold, &all) >= 20);
        let first_score = |dir: &Path| {
            let log = fs::read_to_string(dir.join(LOG)).unwrap();
            let first: Progress = serde_json::from_str(log.lines().find(|l| !l.contains("null")).unwrap()).unwrap();
            first.tune.unwrap().0
        };
        assert!(first_score(second) > first_score(first));

        fs::write(first.join(WEIGHTS), b"damaged").unwrap();
        let damaged = run(first, second, params(1), false);
        assert!(matches!(damaged, Err(TrainError::Model(_))));
    }

    #[test]
    fn a_teacher_is_learnt_from() {
        let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let taxonomy = Taxonomy::china_economy();
        // Labels say nothing of thesis 0 but in two samples; the teacher knows the rest.
        let all = samples(&taxonomy);
        let taught: Vec<Taught> = all
            .iter()
            .map(|s| Taught {
                paragraph: s.paragraph.clone(),
                scores: (0..taxonomy.len()).map(|t| if s.argues(t) { 0.95 } else { 0.02 }).collect(),
            })
            .collect();
        let few: Vec<Sample> = all[..4].to_vec();
        let taught =
            run_on(base.path(), out.path(), &few, &taught, Params { teacher_weight: 2.0, ..params(10) }, false);
        let model = taught.unwrap();
        let threshold = model.thresholds().global;
        assert!(right(&classified(model, &all), threshold, &all) >= 22);
    }

    #[test]
    fn the_slope_of_the_loss_is_that_of_differences() {
        for (z, target, positive, focus) in
            [(0.3, 1.0, 3.0, 0.0), (-2.0, 0.0, 5.0, 0.0), (1.5, 0.0, 1.0, 2.0), (-0.7, 0.3, 2.0, 1.5)]
        {
            let at = |z: f32| f64::from(loss_of(z, target, positive, focus).0);
            let slope = (at(z + 1e-2) - at(z - 1e-2)) / 2e-2;
            let found = f64::from(loss_of(z, target, positive, focus).1);
            assert!((slope - found).abs() < 1e-3, "{z} {target} {positive} {focus}: {slope} {found}");
        }
        for role in 0..4 {
            let logits = [0.4, -1.3, 2.0, 0.1];
            for (i, found) in roles::loss_of(&logits, role).1.into_iter().enumerate() {
                let at = |step: f32| {
                    let mut moved = logits;
                    moved[i] += step;
                    f64::from(roles::loss_of(&moved, role).0)
                };
                let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((slope - f64::from(found)).abs() < 1e-3, "{role} {i}: {slope} {found}");
            }
        }
        // Plain cross-entropy by hand: -ln(0.9) at p = 0.9.
        let z = (0.9f32 / 0.1).ln();
        assert!((loss_of(z, 1.0, 1.0, 0.0).0 - 0.105_360_5).abs() < 1e-5);
        assert!((loss_of(z, 0.0, 1.0, 2.0).0 - 0.81 * std::f32::consts::LN_10).abs() < 1e-4);
        assert!(loss_of(-200.0, 0.0, 1.0, 2.0).1.is_finite() && loss_of(200.0, 1.0, 1.0, 2.0).0.is_finite());
    }

    #[test]
    fn what_cannot_be_trained_on_is_refused() {
        let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let error = |params: Params| run(base.path(), out.path(), params, false).unwrap_err();
        assert!(matches!(error(Params { layers: 3, ..params(1) }), TrainError::Layers { depth: 2, layers: 3 }));
        let lengths = Lengths { window: 60, heading: 4, prev: 8 };
        assert!(matches!(error(Params { lengths, ..params(1) }), TrainError::Model(ModelError::Config(_))));
    }
}
