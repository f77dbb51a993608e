//! Adaptation: an encoder goes on learning, on text of the field without any labels, to tell words from their context
//! (Gururangan et al., *Don't stop pretraining: adapt language models to domains and tasks*, 2020).
//!
//! The decision that matters: what comes out is a base again, in Hugging Face form, with the head that guesses words. It
//! can be fine-tuned as any other, and adapted further.

use std::fs;
use std::path::Path;
use std::time::Instant;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use lundian_plugin::{Paragraph, Unit};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::encoder::{self, Dropout, Encoder, LayerNorm, Linear, rows};
use crate::head;
use crate::model::{Base, Parts, write};
use crate::ops;
use crate::optimiser::{self, Slot};
use crate::params::{ParamsError, above_zero, first_broken};
use crate::random::Random;
use crate::tokens::{Lengths, Reader, layout};
use crate::train::{REPORT_EVERY, TrainError, learn_layers};

/// Name of the record in the folder of an adapted encoder: what it was made from, and how.
pub const RECORD: &str = "adaptation.toml";

/// How to adapt. [`check`](AdaptParams::check) it to use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptParams {
    /// Passes over the text; at least 1. The learning rate falls to 0 over all of them.
    pub epochs: usize,
    /// Windows for one step; at least 1.
    pub batch: usize,
    /// Parts of a batch that are worked on at the same time; at least 1.
    pub shards: usize,
    /// Layers that stay as they are, from below. Embeddings always stay.
    pub freeze: usize,
    /// Tokens of a window; at least 8. Longer paragraphs are read in windows that overlap.
    pub window: usize,
    /// Part of the tokens that are to be guessed, above 0 and below 1. Of these, 80 % are hidden, 10 % replaced by others,
    /// and 10 % left (Devlin et al., *BERT: pre-training of deep bidirectional transformers*, 2019).
    pub masked: f64,
    /// Part of the paragraphs that is not learnt from but tells how well words are guessed; from 0 to below 1.
    pub held_out: f64,
    /// Learning rate of the layers; above 0.
    pub learning_rate: f64,
    /// Learning rate of the head; above 0.
    pub head_learning_rate: f64,
    /// Part of all steps over which learning rates rise from 0; from 0 to below 1.
    pub warmup: f64,
    /// Weight decay of matrices; at least 0.
    pub weight_decay: f64,
    /// Part of all numbers that is dropped after each sublayer; from 0 to below 1.
    pub dropout: f32,
    /// The largest norm of a gradient; larger ones are scaled down. Above 0.
    pub clip: f64,
    /// Same seed, same text: same encoder.
    pub seed: u64,
}

impl Default for AdaptParams {
    fn default() -> Self {
        Self {
            epochs: 1,
            batch: 32,
            shards: 2,
            freeze: 0,
            window: 160,
            masked: 0.15,
            held_out: 0.02,
            learning_rate: 2e-4,
            head_learning_rate: 1e-3,
            warmup: 0.06,
            weight_decay: 0.01,
            dropout: 0.0,
            clip: 1.0,
            seed: 0,
        }
    }
}

/// Parameters that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidAdaptParams(AdaptParams);

impl AdaptParams {
    /// Checks them.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(self) -> std::result::Result<ValidAdaptParams, ParamsError> {
        first_broken([
            ("epochs", "at least 1", self.epochs >= 1),
            ("batch", "at least 1", self.batch >= 1),
            ("shards", "at least 1", self.shards >= 1),
            ("window", "at least 8", self.window >= 8),
            ("masked", "above 0 and below 1", self.masked > 0.0 && self.masked < 1.0),
            ("held_out", "from 0 to below 1", (0.0..1.0).contains(&self.held_out)),
            ("learning_rate", "a number above 0", above_zero(self.learning_rate)),
            ("head_learning_rate", "a number above 0", above_zero(self.head_learning_rate)),
            ("warmup", "from 0 to below 1", (0.0..1.0).contains(&self.warmup)),
            ("weight_decay", "a number of at least 0", self.weight_decay.is_finite() && self.weight_decay >= 0.0),
            ("dropout", "from 0 to below 1", (0.0..1.0).contains(&self.dropout)),
            ("clip", "a number above 0", above_zero(self.clip)),
        ])?;
        Ok(ValidAdaptParams(self))
    }
}

/// What to adapt, to what, and where to.
#[derive(Clone, Debug)]
pub struct Adaptation<'a> {
    /// Text of the field.
    pub text: &'a [Paragraph],
    /// Folder of the encoder, or of a model, whose heads then do not count.
    pub base: &'a Path,
    /// Its name and licence, for the record.
    pub base_name: Base,
    /// The files that the text is from, for the record.
    pub data: Vec<TextFile>,
    /// Folder to write the adapted encoder to, which is made if it is not there; again after each pass.
    pub out: &'a Path,
}

/// A file of text, so that it is known again.
#[derive(Clone, Debug, Serialize)]
pub struct TextFile {
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What adaptation has come to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AdaptProgress {
    /// Passes begun, from 1; 0 before the first.
    pub epoch: usize,
    /// Steps done of `steps`.
    pub step: u64,
    /// All steps.
    pub steps: u64,
    /// Mean loss of a hidden token since the last report, in nats.
    pub loss: f32,
    /// Tokens a second since the last report.
    pub tokens_per_second: f32,
    /// How well words are guessed that were held out, before the first pass and at the end of each.
    pub guessed: Option<Guessed>,
}

/// How well words are guessed in text that was not learnt from.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Guessed {
    /// Mean cross-entropy of a token, in nats.
    pub loss: f64,
    /// Part of the tokens for which the right one is likeliest.
    pub accuracy: f64,
    /// Tokens that were to be guessed.
    pub tokens: usize,
}

/// What the record says.
#[derive(Debug, Serialize)]
struct Record<'a> {
    paragraphs: usize,
    base: &'a Base,
    params: &'a AdaptParams,
    before: Option<Guessed>,
    after: Option<Guessed>,
    data: &'a [TextFile],
}

/// Adapts an encoder and writes it.
///
/// # Errors
/// When the base cannot be read or has no token for what is hidden, there is no text, or a file cannot be written.
pub fn adapt(
    job: &Adaptation<'_>,
    params: &ValidAdaptParams,
    progress: &mut dyn FnMut(AdaptProgress),
) -> std::result::Result<(), TrainError> {
    Adapter::new(job, &params.0)?.run(progress)
}

/// What the weights of a head for guessing are called: of a linear map, of a norm, and the bias of each piece.
struct Names {
    dense: &'static str,
    norm: &'static str,
    bias: &'static str,
}

/// As in BERT, RoBERTa and DistilBERT. A head that is new gets the first.
const NAMES: [Names; 3] = [
    Names {
        dense: "cls.predictions.transform.dense",
        norm: "cls.predictions.transform.LayerNorm",
        bias: "cls.predictions.bias",
    },
    Names { dense: "lm_head.dense", norm: "lm_head.layer_norm", bias: "lm_head.bias" },
    Names { dense: "vocab_transform", norm: "vocab_layer_norm", bias: "vocab_projector.bias" },
];

/// From the vector of a token to one logit per piece of the vocabulary: likeness to its embedding.
struct Guesser {
    dense: Linear,
    norm: LayerNorm,
    bias: Tensor,
}

impl Guesser {
    /// The logits of the tokens at `places` of `x`.
    fn logits(&self, x: &Tensor, places: Vec<u32>, words: &Tensor) -> Result<Tensor> {
        let x = ops::gelu(&self.dense.forward(&rows(x, places)?)?)?;
        ops::linear(&self.norm.forward(&x)?, words, &self.bias)
    }
}

/// A window with tokens to guess.
struct Masked {
    ids: Vec<u32>,
    /// Where they are, and what they were.
    hidden: Vec<(usize, u32)>,
}

struct Adapter<'a> {
    job: &'a Adaptation<'a>,
    params: &'a AdaptParams,
    parts: Parts,
    encoder: Box<dyn Encoder>,
    guesser: Guesser,
    slots: Vec<Slot>,
    /// The token that stands for a hidden one.
    mask: u32,
    windows: Vec<Vec<u32>>,
    held_out: Vec<Masked>,
}

impl<'a> Adapter<'a> {
    fn new(job: &'a Adaptation<'a>, params: &'a AdaptParams) -> std::result::Result<Self, TrainError> {
        let mut parts = Parts::open(job.base)?;
        parts.weights.retain(|name, _| !head::THESES.contain(name) && !head::ROLES.contain(name));
        let mut slots = learn_layers(&mut parts.weights, params.freeze, params.weight_decay, |_| params.learning_rate)?;
        let encoder = encoder::open(&parts.config, parts.builder())?;
        let (width, pieces) = (encoder.width(), encoder.vocabulary());
        if encoder.words().dim(1)? != width {
            let why = "embeddings of another size than layers: such an encoder cannot be adapted";
            return Err(ModelError::Config(why.to_owned()).into());
        }
        let lengths = Lengths { window: params.window, heading: 0, prev: 0 };
        let reader = Reader::new(&parts.tokenizer, lengths, pieces, encoder.max_tokens())?;
        let mask = reader.mask()?;
        let read = |paragraph: &Paragraph| {
            let unit = Unit { text: &paragraph.text, ..Unit::default() };
            let windows = reader.windows(&unit);
            let windows = windows.map_err(|why| TrainError::Sample { id: paragraph.id.clone(), why })?.0;
            // A window without a token of its own has nothing to guess.
            Ok(windows.into_iter().map(|window| window.ids).filter(|ids| ids.len() > 2).collect())
        };
        let texts: Vec<Vec<Vec<u32>>> =
            job.text.par_iter().map(read).collect::<std::result::Result<_, TrainError>>()?;
        let mut random = Random::new(params.seed ^ 0x4865_6c64);
        let (held_out, learnt): (Vec<_>, Vec<_>) = texts.into_iter().partition(|_| random.unit() < params.held_out);
        let windows: Vec<Vec<u32>> = learnt.into_iter().flatten().collect();
        if windows.is_empty() {
            return Err(TrainError::NoText(job.text.len()));
        }
        let hide = |ids: Vec<u32>| hide(&ids, mask, pieces, params.masked, &mut random);
        let held_out = held_out.into_iter().flatten().map(hide).collect();

        let known = NAMES.iter().find(|names| parts.weights.contains_key(names.bias));
        let names = known.unwrap_or(&NAMES[0]);
        let mut start = first_guesser(names, &windows, encoder.words(), params.seed)?;
        for (name, tensor) in &mut start {
            if let Some(known) = parts.weights.get(name) {
                *tensor = known.clone();
            }
            let var = Var::from_tensor(tensor)?;
            parts.weights.insert(name.clone(), var.as_tensor().clone());
            slots.push(Slot::new(name.clone(), var, params.head_learning_rate, params.weight_decay));
        }
        let builder = parts.builder();
        let epsilon = parts.config["layer_norm_eps"].as_f64().unwrap_or(1e-12);
        let guesser = Guesser {
            dense: Linear::new(width, width, builder.pp(names.dense)).map_err(ModelError::weights)?,
            norm: LayerNorm::new(width, epsilon, builder.pp(names.norm)).map_err(ModelError::weights)?,
            bias: builder.get(pieces, names.bias).map_err(ModelError::weights)?,
        };
        Ok(Self { job, params, parts, encoder, guesser, slots, mask, windows, held_out })
    }

    fn run(mut self, progress: &mut dyn FnMut(AdaptProgress)) -> std::result::Result<(), TrainError> {
        let out = self.job.out;
        fs::create_dir_all(out).map_err(|why| ModelError::Io { path: out.to_owned(), why })?;
        let steps = (self.windows.len().div_ceil(self.params.batch) * self.params.epochs) as u64;
        let before = self.guessed()?;
        let mut now = AdaptProgress { epoch: 0, step: 0, steps, loss: 0.0, tokens_per_second: 0.0, guessed: before };
        progress(now);
        for epoch in 1..=self.params.epochs {
            let mut order: Vec<usize> = (0..self.windows.len()).collect();
            let mut random = Random::of_pass(self.params.seed, epoch);
            random.shuffle(&mut order);
            let (mut loss, mut hidden, mut tokens, mut since) = (0.0, 0, 0, Instant::now());
            for batch in order.chunks(self.params.batch) {
                now.step += 1;
                let pieces = self.encoder.vocabulary();
                let hide = |row: &usize| hide(&self.windows[*row], self.mask, pieces, self.params.masked, &mut random);
                let batch: Vec<Masked> = batch.iter().map(hide).collect();
                loss += self.step(&batch, now.step, steps)?;
                hidden += batch.iter().map(|masked| masked.hidden.len()).sum::<usize>();
                tokens += batch.iter().map(|masked| masked.ids.len()).sum::<usize>();
                if now.step.is_multiple_of(REPORT_EVERY) {
                    now.loss = loss / hidden as f32;
                    now.tokens_per_second = tokens as f32 / since.elapsed().as_secs_f32();
                    (loss, hidden, tokens, since) = (0.0, 0, 0, Instant::now());
                    progress(AdaptProgress { epoch, guessed: None, ..now });
                }
            }
            now = AdaptProgress { epoch, guessed: self.guessed()?, ..now };
            progress(now);
            self.save(before, now.guessed)?;
        }
        Ok(())
    }

    /// One step; returns the sum of the losses of what was hidden.
    fn step(&mut self, batch: &[Masked], step: u64, steps: u64) -> std::result::Result<f32, TrainError> {
        let hidden: usize = batch.iter().map(|masked| masked.hidden.len()).sum();
        let &AdaptParams { shards, seed, dropout: rate, .. } = self.params;
        let work = |shard: &[Masked], seed| -> Result<(GradStore, f32)> {
            let (losses, _) = self.losses(shard, Dropout { rate, seed })?;
            let sum = losses.sum_all()?;
            Ok(((&sum / hidden as f64)?.backward()?, sum.to_scalar()?))
        };
        let done: Vec<(GradStore, f32)> = optimiser::in_shards(batch, shards, seed, step, work)?;
        let loss = done.iter().map(|(_, loss)| loss).sum();
        let gradients: Vec<GradStore> = done.into_iter().map(|(gradients, _)| gradients).collect();
        let rate = optimiser::rate(step, steps, self.params.warmup);
        let norm = optimiser::step(&mut self.slots, &gradients, step, rate, self.params.clip as f32)?;
        if norm.is_finite() { Ok(loss) } else { Err(TrainError::Diverged { step }) }
    }

    /// The loss of each hidden token, and the logits that it comes from.
    fn losses(&self, batch: &[Masked], dropout: Dropout) -> Result<(Tensor, Tensor)> {
        let (sequences, _) = layout(batch.iter().map(|masked| (masked.ids.len(), 0)));
        let starts = sequences.iter().map(|range| range.start);
        let hidden = batch.iter().zip(starts).flat_map(|(masked, start)| {
            masked.hidden.iter().map(move |(place, right)| ((start + place) as u32, *right))
        });
        let (places, right): (Vec<u32>, Vec<u32>) = hidden.unzip();
        let tokens = encoder::Tokens { ids: batch.iter().flat_map(|m| &m.ids).copied().collect(), sequences };
        let x = self.encoder.states(&tokens, dropout)?;
        let logits = self.guesser.logits(&x, places, self.encoder.words())?;
        Ok((ops::cross_entropy(&logits, right.into())?, logits))
    }

    /// How well the words that were held out are guessed, if there are any.
    fn guessed(&self) -> std::result::Result<Option<Guessed>, TrainError> {
        let of_chunk = |chunk: &[Masked]| -> Result<(f64, usize, usize)> {
            let (losses, logits) = self.losses(chunk, Dropout::NONE)?;
            let best = logits.argmax(1)?.to_vec1::<u32>()?;
            let right = chunk.iter().flat_map(|masked| &masked.hidden).zip(&best).filter(|((_, r), b)| r == *b).count();
            Ok((f64::from(losses.sum_all()?.to_scalar::<f32>()?), right, best.len()))
        };
        let sums = self.held_out.par_chunks(self.params.batch.div_ceil(self.params.shards)).map(of_chunk);
        let sums: Vec<(f64, usize, usize)> = sums.collect::<Result<_>>()?;
        let tokens: usize = sums.iter().map(|(.., tokens)| tokens).sum();
        Ok((tokens > 0).then(|| Guessed {
            loss: sums.iter().map(|(loss, ..)| loss).sum::<f64>() / tokens as f64,
            accuracy: sums.iter().map(|(_, right, _)| right).sum::<usize>() as f64 / tokens as f64,
            tokens,
        }))
    }

    /// Writes the encoder and the record.
    fn save(&self, before: Option<Guessed>, after: Option<Guessed>) -> std::result::Result<(), TrainError> {
        let Adaptation { base_name, data, out, .. } = self.job;
        let weights: Vec<(&String, &Tensor)> = self.parts.weights.iter().collect();
        let bytes = safetensors::serialize(weights, None).map_err(|e| ModelError::Weights(e.to_string()))?;
        let record =
            Record { paragraphs: self.job.text.len(), base: base_name, params: self.params, before, after, data };
        let record = toml::to_string(&record).map_err(|e| ModelError::Manifest(e.to_string()))?;
        self.parts.save(out, &bytes)?;
        write(out, RECORD, record.as_bytes())?;
        Ok(())
    }
}

/// Chooses which tokens of a window are to be guessed, at least one, and hides them. The first and the last are marks.
fn hide(ids: &[u32], mask: u32, pieces: usize, part: f64, random: &mut Random) -> Masked {
    let mut masked = Masked { ids: ids.to_vec(), hidden: Vec::new() };
    let own = ids.len() - 2;
    let surely = 1 + random.below(own);
    for (place, id) in ids.iter().enumerate().take(own + 1).skip(1) {
        if random.unit() >= part && place != surely {
            continue;
        }
        masked.hidden.push((place, *id));
        let draw = random.unit();
        if draw < 0.8 {
            masked.ids[place] = mask;
        } else if draw < 0.9 {
            masked.ids[place] = random.below(pieces) as u32;
        }
    }
    masked
}

/// A head that guesses what is frequent in `windows` and knows nothing else.
fn first_guesser(names: &Names, windows: &[Vec<u32>], words: &Tensor, seed: u64) -> Result<Vec<(String, Tensor)>> {
    let (pieces, width) = words.dims2()?;
    let mut counts = vec![1f32; pieces];
    windows.iter().flat_map(|ids| &ids[1..ids.len() - 1]).for_each(|id| counts[*id as usize] += 1.0);
    let total: f32 = counts.iter().sum();
    let bias: Vec<f32> = counts.iter().map(|count| (count / total).ln()).collect();
    let mut random = Random::new(seed ^ 0x4775_6573);
    let spread = 2.0 * (3.0 / width as f64).sqrt();
    let dense = random.around_zero(width * width, spread);
    // Logits of about 1 at first.
    let size = words.sqr()?.sum(1)?.mean_all()?.to_scalar::<f32>()?.sqrt();
    let device = &Device::Cpu;
    Ok(vec![
        (format!("{}.weight", names.dense), Tensor::from_vec(dense, (width, width), device)?),
        (format!("{}.bias", names.dense), Tensor::zeros(width, DType::F32, device)?),
        (format!("{}.weight", names.norm), Tensor::full(1.0 / size.max(1e-6), width, device)?),
        (format!("{}.bias", names.norm), Tensor::zeros(width, DType::F32, device)?),
        (names.bias.to_owned(), Tensor::from_vec(bias, pieces, device)?),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::model::TOKENIZER;
    use crate::weights::WEIGHTS;
    use crate::{tiny, weights};

    /// Two sentences over and over: what follows what is easy to learn.
    fn text() -> Vec<Paragraph> {
        let sentences = ["东西卖不出去,工厂停工。", "天气很好,天气不错。"];
        let paragraph =
            |i: usize| Paragraph { id: i.to_string(), text: sentences[i % 2].to_owned(), ..Paragraph::default() };
        (0..120).map(paragraph).collect()
    }

    fn params() -> AdaptParams {
        AdaptParams {
            epochs: 15,
            batch: 8,
            window: 8,
            held_out: 0.2,
            learning_rate: 5e-3,
            head_learning_rate: 2e-2,
            ..AdaptParams::default()
        }
    }

    fn run(
        base: &Path,
        out: &Path,
        text: &[Paragraph],
        params: AdaptParams,
    ) -> std::result::Result<Vec<Guessed>, TrainError> {
        let base_name = Base { name: "tiny".to_owned(), licence: "CC0-1.0".to_owned() };
        let job = Adaptation { text, base, base_name, data: Vec::new(), out };
        let mut told = Vec::new();
        adapt(&job, &params.check().unwrap(), &mut |now| told.extend(now.guessed))?;
        Ok(told)
    }

    #[test]
    fn words_are_guessed_ever_better_and_what_comes_out_is_a_base() {
        let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
        let [base, first, second, third] = [0, 1, 2, 3].map(|i| dirs[i].path());
        tiny::save(base);
        let told = run(base, first, &text(), params()).unwrap();
        assert_eq!(told.len(), 16);
        let (before, after) = (told[0], told[15]);
        assert!(before.tokens > 20 && after.tokens == before.tokens);
        // Frequencies alone would be right of about a tenth.
        assert!(before.accuracy < 0.3 && after.accuracy > 0.8, "{before:?} {after:?}");
        assert!(after.loss < 0.5 * before.loss);

        let (old, new) = (weights::read(base).unwrap(), weights::read(first).unwrap());
        let flat = |weights: &HashMap<String, Tensor>, name: &str| {
            weights[name].flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let embeddings = "embeddings.word_embeddings.weight";
        assert_eq!(flat(&old, embeddings), flat(&new, embeddings));
        for layer in 0..2 {
            let name = format!("encoder.layer.{layer}.output.dense.weight");
            assert_ne!(flat(&old, &name), flat(&new, &name));
        }
        let record = fs::read_to_string(first.join(RECORD)).unwrap();
        assert!(record.contains("paragraphs = 120") && record.contains("[after]"), "{record}");

        // Adapted further, it knows what it knew, and lower layers may stay.
        let again = AdaptParams { epochs: 1, freeze: 1, learning_rate: 1e-9, head_learning_rate: 1e-9, ..params() };
        let told = run(first, second, &text(), again.clone()).unwrap();
        assert!((told[0].loss - after.loss).abs() < 1e-6 && (told[1].loss - after.loss).abs() < 1e-3);
        let newer = weights::read(second).unwrap();
        let name = "encoder.layer.0.output.dense.weight";
        assert_eq!(flat(&new, name), flat(&newer, name));

        // A head that goes by the names of another architecture is known, too.
        for other in &NAMES[1..] {
            let renamed = |name: &String| {
                name.replace(NAMES[0].dense, other.dense)
                    .replace(NAMES[0].norm, other.norm)
                    .replace(NAMES[0].bias, other.bias)
            };
            let weights: HashMap<String, Tensor> = new.iter().map(|(name, t)| (renamed(name), t.clone())).collect();
            assert!(weights.contains_key(other.bias));
            candle_core::safetensors::save(&weights, second.join(WEIGHTS)).unwrap();
            let told = run(second, third, &text(), again.clone()).unwrap();
            assert!((told[0].loss - after.loss).abs() < 1e-6, "{}", other.dense);
        }

        run(base, second, &text(), params()).unwrap();
        let bytes = |dir: &Path| fs::read(dir.join(WEIGHTS)).unwrap();
        assert!(bytes(first) == bytes(second), "other weights from the same seed");
        let told = run(base, second, &text(), AdaptParams { held_out: 0.0, epochs: 1, ..params() }).unwrap();
        assert!(told.is_empty() && !fs::read_to_string(second.join(RECORD)).unwrap().contains("[after]"));
    }

    #[test]
    fn what_is_hidden_is_about_the_part_asked_for_and_never_a_mark() {
        let mut random = Random::new(3);
        let ids: Vec<u32> = [0].into_iter().chain(10..110).chain([2]).collect();
        let (mut hidden, mut masks, mut kept) = (0, 0, 0);
        for _ in 0..200 {
            let masked = hide(&ids, 5, 200, 0.2, &mut random);
            assert_eq!((masked.ids[0], masked.ids[101]), (0, 2));
            for (place, right) in &masked.hidden {
                assert_eq!(ids[*place], *right);
                masks += usize::from(masked.ids[*place] == 5);
                kept += usize::from(masked.ids[*place] == *right);
            }
            let others = (0..ids.len()).filter(|place| masked.hidden.iter().all(|(hidden, _)| hidden != place));
            assert!(others.into_iter().all(|place| masked.ids[place] == ids[place]));
            hidden += masked.hidden.len();
        }
        assert!((3900..4500).contains(&hidden), "{hidden}");
        assert!((3000..3600).contains(&masks) && (330..520).contains(&kept), "{masks} {kept}");
        assert_eq!(hide(&[0, 7, 2], 5, 200, 1e-9, &mut random).hidden, [(1, 7)]);
    }

    #[test]
    fn what_cannot_be_adapted_is_refused() {
        let (base, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tiny::save(base.path());
        let error = |text: &[Paragraph]| run(base.path(), out.path(), text, params()).unwrap_err();
        assert!(matches!(error(&[]), TrainError::NoText(0)));
        assert!(matches!(error(&vec![Paragraph::default(); 3]), TrainError::NoText(3)));
        let tokenizer = tiny::tokenizer().to_string().replace("<mask>", "<hole>");
        fs::write(base.path().join(TOKENIZER), tokenizer).unwrap();
        assert!(error(&text()).to_string().contains("has neither <mask> nor [MASK]"));
        assert_eq!(AdaptParams { masked: 0.0, ..params() }.check().unwrap_err().name, "masked");
    }
}
