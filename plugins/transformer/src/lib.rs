//! Encoders on candle: fine-tuned on labelled samples, in Rust, or taken from a Hugging Face folder.
//!
//! The decision that matters: a batch is packed, not padded (see `ops`), so that a paragraph's scores do not depend on
//! its neighbours, and training on a few cores of a CPU is quick enough to be of use.

mod adapt;
mod eight_bit;
mod encoder;
mod error;
mod evidence;
mod head;
mod model;
mod ops;
mod optimiser;
mod params;
mod random;
mod roles;
#[cfg(test)]
mod tiny;
mod tokens;
mod train;
mod weights;
mod zero_shot;

use std::collections::BTreeMap;
use std::path::PathBuf;

use lundian_plugin::{Batch, Classifier, ClassifierError, Evidence, Output, Plugin, Setup, Taxonomy, Thresholds};
use rayon::prelude::*;
use serde::Deserialize;

use evidence::Clauses;
use model::{Judged, Parts};
use tokens::Window;

pub use adapt::{AdaptParams, AdaptProgress, Adaptation, Guessed, RECORD, TextFile, ValidAdaptParams, adapt};
pub use error::ModelError;
pub use model::{Base, Calibration, FORMAT, MANIFEST, Model, sha256};
pub use params::{Heads, Params, ParamsError, Pooling, ValidParams};
pub use tokens::Lengths;
pub use train::{Job, LOG, Progress, Taught, TrainError, train};

/// The model that is built in: its manifest, its configuration, its tokenizer and its weights. They are read where they
/// lie in the program's file, which the system maps into memory.
const BUNDLED: (&str, [&[u8]; 3]) = (
    include_str!("../../../models/thesis-encoder/model.toml"),
    [
        include_bytes!("../../../models/thesis-encoder/config.json"),
        include_bytes!("../../../models/thesis-encoder/tokenizer.json"),
        include_bytes!("../../../models/thesis-encoder/model.safetensors"),
    ],
);

/// Evidence is shown from this part of a thesis's threshold on: below it nobody will ask for it.
const EVIDENCE_FROM: f32 = 0.5;
/// Tokens of windows that go through the encoder together, on one thread: enough to keep a product busy, few enough for
/// their numbers to stay in the processor's cache.
const TOKENS_TOGETHER: usize = 256;

/// The settings of the plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Folder of a model of the user's own, relative to [`Setup::dir`]; the one built in if not given.
    model: Option<PathBuf>,
    /// What is done with it.
    mode: Mode,
    /// Of a model with a classification head, the theses of its labels that are not named as theses are: slug by label.
    labels: BTreeMap<String, String>,
}

/// What is done with a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Its head scores the theses that it was trained on.
    #[default]
    Head,
    /// Its encoder compares paragraphs with what the taxonomy says of its theses, whichever they are.
    ZeroShot,
}

/// A model at work on a taxonomy.
#[derive(Debug)]
pub struct Transformer {
    model: Model,
    /// Of each thesis of the taxonomy, its number in the model; theses that the model does not know are abstained from.
    columns: Vec<Option<usize>>,
    /// Of each thesis of the taxonomy, the score from which on evidence is given.
    evidence_from: Vec<f32>,
}

impl Transformer {
    /// The classifier that `model` gives for `taxonomy`; theses are matched by slug.
    ///
    /// # Errors
    /// If the model knows none of the taxonomy's theses.
    pub fn new(model: Model, taxonomy: &Taxonomy) -> Result<Self, ClassifierError> {
        let classifier = Self::at_work(model, taxonomy);
        if classifier.columns.iter().all(Option::is_none) {
            return Err(ClassifierError::Model(format!(
                "the model knows none of the theses of the taxonomy {:?} (it knows {}): train it on samples of that taxonomy",
                taxonomy.name(),
                classifier.model.theses().join(", ")
            )));
        }
        Ok(classifier)
    }

    fn at_work(model: Model, taxonomy: &Taxonomy) -> Self {
        let number = |slug: &str| model.theses().iter().position(|known| known == slug);
        let columns = taxonomy.theses().iter().map(|t| number(&t.slug)).collect();
        let evidence_from = model.thresholds().resolve(taxonomy).into_iter().map(|t| t * EVIDENCE_FROM).collect();
        Self { model, columns, evidence_from }
    }

    /// The model behind it.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model behind it, given back.
    pub fn into_model(self) -> Model {
        self.model
    }
}

impl Plugin for Transformer {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let Settings { model, mode, labels } = setup.config()?;
        let Some(dir) = model else {
            let [config, tokenizer, weights] = BUNDLED.1;
            let model = match mode {
                Mode::Head => Model::load(BUNDLED.0, config, tokenizer, weights),
                Mode::ZeroShot => Parts::load(config, tokenizer, weights)
                    .and_then(|parts| Model::zero_shot_of(&parts, setup.taxonomy)),
            };
            let model = model.map_err(|e| ClassifierError::Model(format!("built-in model: {e}")))?;
            // It is part of runs that nobody chose it for; so it abstains where it knows nothing.
            return Ok(Self::at_work(model, setup.taxonomy));
        };
        let dir = setup.dir.map_or_else(|| dir.clone(), |own| own.join(&dir));
        let model = match mode {
            Mode::ZeroShot => Model::zero_shot(&dir, setup.taxonomy),
            // A folder without our manifest is one that Hugging Face transformers wrote.
            Mode::Head if dir.join(MANIFEST).is_file() => Model::open(&dir),
            Mode::Head => Model::classification_head(&dir, setup.taxonomy, &labels),
        };
        let model = model.map_err(|e| ClassifierError::Model(format!("model {}: {e}", dir.display())))?;
        Self::new(model, setup.taxonomy)
    }
}

/// Rows of at least one window and about [`TOKENS_TOGETHER`].
fn parts<'a, T>(rows: &'a [(T, &Window)]) -> Vec<&'a [(T, &'a Window)]> {
    let mut tokens = 0;
    rows.chunk_by(|(_, window), (_, next)| {
        tokens += window.ids.len();
        let goes_on = tokens + next.ids.len() <= TOKENS_TOGETHER;
        if !goes_on {
            tokens = 0;
        }
        goes_on
    })
    .collect()
}

impl Classifier for Transformer {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        let texts: Vec<_> = batch.units.par_iter().map(|unit| self.model.read(unit)).collect();
        let mut rows = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            match text {
                Ok((windows, _)) => rows.extend(windows.iter().map(|window| (row, window))),
                Err(why) => out.fail(row, why.as_str()),
            }
        }
        // Windows of like length together: the work of each part is then alike.
        rows.sort_by_key(|(row, window)| (window.ids.len(), *row));
        let judged: Vec<Vec<Judged>> = parts(&rows)
            .into_par_iter()
            .map(|part| {
                if batch.cancel.is_cancelled() {
                    return Err(ClassifierError::Cancelled);
                }
                self.model.judge(part.iter().map(|(_, w)| *w)).map_err(|e| ClassifierError::Failed(e.to_string()))
            })
            .collect::<Result<_, _>>()?;
        // Of each paragraph and thesis, the window that is surest of it: its score counts, and it gives the evidence.
        let mut surest = vec![0; out.scores().len()];
        let mut roles = vec![roles::Mean::default(); out.rows()];
        for (n, ((row, window), judged)) in rows.iter().zip(judged.iter().flatten()).enumerate() {
            if let Some(scores) = &judged.roles {
                roles[*row].add(scores, window.own);
            }
            for (thesis, column) in self.columns.iter().enumerate() {
                let Some(column) = *column else { continue };
                let score = self.model.calibration().probability(judged.theses[column]);
                let before = out.row(*row)[thesis];
                if before.is_nan() || score > before {
                    out.set(*row, thesis, score);
                    surest[row * self.columns.len() + thesis] = n;
                }
            }
        }
        for (row, mean) in roles.iter().enumerate() {
            if let Some(scores) = mean.scores() {
                out.set_role(row, scores);
            }
        }
        if !batch.evidence {
            return Ok(());
        }
        let judged: Vec<&Judged> = judged.iter().flatten().collect();
        let found: Vec<Vec<Evidence>> = (0..rows.len())
            .into_par_iter()
            .map(|n| {
                if batch.cancel.is_cancelled() {
                    return Err(ClassifierError::Cancelled);
                }
                let (row, window) = rows[n];
                let wanted: Vec<usize> = (0..self.columns.len())
                    .filter(|thesis| surest[row * self.columns.len() + thesis] == n)
                    .filter(|&thesis| out.row(row)[thesis] >= self.evidence_from[thesis])
                    .collect();
                let (false, Ok((_, normalised))) = (wanted.is_empty(), &texts[row]) else { return Ok(Vec::new()) };
                let clauses = Clauses::new(&self.model, window, normalised.as_str(), &judged[n].theses)
                    .map_err(|e| ClassifierError::Failed(e.to_string()))?;
                let of = |thesis: usize| {
                    let phrases = self.columns[thesis].map(|column| clauses.of(column, normalised)).unwrap_or_default();
                    phrases.into_iter().map(move |(range, weight)| Evidence { row, thesis, range, weight })
                };
                Ok(wanted.into_iter().flat_map(of).collect())
            })
            .collect::<Result<_, _>>()?;
        out.evidence.extend(found.into_iter().flatten());
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        self.model.thresholds().clone()
    }
}

#[cfg(feature = "export")]
lundian_plugin::export!(Transformer);

#[cfg(test)]
mod tests {
    use lundian_plugin::Unit;
    use lundian_plugin::serde_json::{Value, json};

    use super::*;

    fn scores(classifier: &Transformer, units: &[Unit<'_>]) -> Output {
        let mut out = Output::new(units.len(), Taxonomy::china_economy().len());
        classifier.classify(&Batch::new(units), &mut out).unwrap();
        out.check(|row| units[row].text).unwrap();
        out
    }

    #[test]
    fn the_built_in_model_tells_theses_apart_whatever_else_is_in_the_batch() {
        let taxonomy = Taxonomy::china_economy();
        let classifier = Transformer::create(&Setup::new(&taxonomy, &Value::Null)).unwrap();
        let texts = [
            ("overcapacity", "各地一窝蜂上项目，光伏和钢铁的产能远远超过需求，厂家只能互相压价。"),
            ("property", "這些年老百姓的錢都壓在房子上，房價一跌，誰都不敢花錢了。"),
            ("containment", "美国人对我们的芯片企业层层封锁，就是不想让中国往上走。"),
        ];
        let units: Vec<Unit<'_>> = texts
            .iter()
            .map(|(_, text)| Unit { text, ..Unit::default() })
            .chain([Unit::default(), Unit { text: "🙂 𠀀\u{200b}", ..Unit::default() }])
            .collect();
        let together = scores(&classifier, &units);
        let threshold = classifier.thresholds().global;
        for (row, (slug, _)) in texts.iter().enumerate() {
            let thesis = taxonomy.index(slug).unwrap();
            assert!(together.row(row)[thesis] >= threshold, "{slug}: {:?}", together.row(row));
            assert!(together.row(row).iter().filter(|score| **score >= threshold).count() <= 4, "{slug}");
            assert!(together.evidence.iter().any(|e| e.row == row && e.thesis == thesis));
        }
        for (row, unit) in units.iter().enumerate() {
            let alone = scores(&classifier, std::slice::from_ref(unit));
            assert!(alone.row(0).iter().zip(together.row(row)).all(|(a, t)| (a - t).abs() < 1e-5));
        }
    }

    #[test]
    fn a_taxonomy_that_the_model_does_not_know() {
        let names = |zh: &str| json!({"zh": zh, "en": "x"});
        let thesis = |slug: &str, zh: &str| json!({"slug": slug, "family": "f", "name": names(zh), "proposition": names(zh), "examples": [format!("{zh}。")]});
        let taxonomy = json!({
            "name": "animals", "version": "1",
            "family": [{"slug": "f", "name": names("动物")}],
            "thesis": [thesis("cats", "猫是最好的宠物"), thesis("dogs", "狗比别的动物忠诚")]
        });
        let taxonomy = Taxonomy::from_json(&taxonomy.to_string()).unwrap();
        let units = [Unit { text: "家里养了一只猫，没有比它更好的宠物了", ..Unit::default() }];
        let answer = |settings: &Value| {
            let mut out = Output::new(1, 2);
            let classifier = Transformer::create(&Setup::new(&taxonomy, settings)).unwrap();
            classifier.classify(&Batch::new(&units), &mut out).unwrap();
            out
        };
        let silent = answer(&Value::Null);
        assert!(silent.scores().iter().all(|score| score.is_nan()) && silent.evidence.is_empty());
        assert!(silent.role(0).is_some(), "roles are not of a taxonomy");
        let by_likeness = answer(&json!({"mode": "zero-shot"}));
        assert!(by_likeness.row(0)[0] > by_likeness.row(0)[1], "{:?}", by_likeness.row(0));

        let [config, tokenizer, weights] = BUNDLED.1;
        let model = Model::load(BUNDLED.0, config, tokenizer, weights).unwrap();
        let error = Transformer::new(model, &taxonomy).unwrap_err();
        assert!(error.to_string().contains("knows none of the theses"), "{error}");
        let wrong = Transformer::create(&Setup::new(&taxonomy, &json!({"mode": "one-shot"}))).unwrap_err();
        assert!(matches!(wrong, ClassifierError::Config(_)));
        let missing = Transformer::create(&Setup::new(&taxonomy, &json!({"model": "no-such-folder"}))).unwrap_err();
        assert!(missing.to_string().contains("no-such-folder"), "{missing}");
    }
}
