//! `lundian train`: make models from labelled samples. A file and a row here for each plugin that learns.

#[cfg(feature = "transformer")]
mod encoder;
mod ensemble;
mod linear;
mod rules;
#[cfg(feature = "transformer")]
mod transformer;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(feature = "transformer")]
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use lundian_core::{Batch, Classifier, Kind, Output, Sample, Taxonomy, Thresholds, Unit};
use lundian_eval::SystemOutput;
use lundian_plugin::training::DataFile;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Outcome;
use crate::cli::Global;
use crate::output;
use crate::scoring;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train the linear model
    Linear(linear::Args),
    /// Learn how to combine plugins
    Ensemble(ensemble::Args),
    /// Weigh rules by how often they are right
    Rules(rules::Args),
    /// Adapt an encoder to a field by its text, without any labels
    #[cfg(feature = "transformer")]
    Encoder(encoder::Args),
    /// Fine-tune an encoder
    #[cfg(feature = "transformer")]
    Transformer(transformer::Args),
}

pub(crate) fn run(command: &Command, global: &Global) -> anyhow::Result<Outcome> {
    match command {
        Command::Linear(args) => linear::run(args, global),
        Command::Ensemble(args) => ensemble::run(args, global),
        Command::Rules(args) => rules::run(args, global),
        #[cfg(feature = "transformer")]
        Command::Encoder(args) => encoder::run(args, global),
        #[cfg(feature = "transformer")]
        Command::Transformer(args) => transformer::run(args, global),
    }
}

/// `params` with what `--set NAME=VALUE` changes; a dot leads into a table.
fn with_settings<P: Serialize + DeserializeOwned>(params: &P, settings: &[String]) -> anyhow::Result<P> {
    let mut all = serde_json::to_value(params)?;
    for setting in settings {
        let Some((name, value)) = setting.split_once('=') else { bail!("--set {setting}: write NAME=VALUE") };
        let mut place = &mut all;
        for key in name.split('.') {
            // A name that does not exist is told when the settings are read.
            place = place
                .as_object_mut()
                .with_context(|| format!("--set {setting}: there is no {name}"))?
                .entry(key)
                .or_insert(serde_json::Value::Null);
        }
        *place = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    }
    P::deserialize(all).context("--set")
}

/// The record of files for a model's manifest; `places` says which samples are from which.
fn data_files(files: &[PathBuf], places: &[Range<usize>]) -> anyhow::Result<Vec<DataFile>> {
    let file = |(path, place): (&PathBuf, &Range<usize>)| {
        Ok(DataFile { name: scoring::file_name(path), sha256: hash(path)?, samples: place.len() })
    };
    files.iter().zip(places).map(file).collect()
}

/// The SHA-256 of a file.
fn hash(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(lundian_linear::sha256(&bytes))
}

/// By file, samples that the model is not trained on.
fn held_out<'p>(
    files: impl IntoIterator<Item = &'p PathBuf>,
    trained: &[Sample],
    taxonomy: &Taxonomy,
) -> anyhow::Result<Vec<(&'p Path, Vec<Sample>)>> {
    let read = |path: &'p PathBuf| {
        let samples = scoring::read_gold(&[path], taxonomy)?;
        scoring::refuse_overlap("--gold", trained.iter().map(|s| &s.paragraph), path, &samples)?;
        Ok((path.as_path(), samples))
    };
    files.into_iter().map(read).collect()
}

/// When long training next says how it gets on, and how long it will still take.
#[cfg(feature = "transformer")]
struct TimeLeft {
    last: Instant,
    /// When this run began, and at which step.
    first: Option<(Instant, u64)>,
}

#[cfg(feature = "transformer")]
impl TimeLeft {
    const EVERY: Duration = Duration::from_secs(15);

    fn new() -> Self {
        Self { last: Instant::now(), first: None }
    }

    /// Whole minutes that the rest of `steps` will take after `step`, if it is time to say so.
    fn after(&mut self, step: u64, steps: u64) -> Option<f64> {
        let (started, at) = *self.first.get_or_insert((Instant::now(), step));
        if self.last.elapsed() < Self::EVERY {
            return None;
        }
        self.last = Instant::now();
        let per_step = started.elapsed().as_secs_f64() / (step - at).max(1) as f64;
        Some((per_step * (steps - step) as f64 / 60.0).ceil())
    }
}

fn score(classifier: &dyn Classifier, samples: &[Sample], taxonomy: &Taxonomy) -> anyhow::Result<Output> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    classifier.classify(&Batch::new(&units), &mut out)?;
    Ok(out)
}

/// The figures on the file `path` that are stored with a model, by name.
fn measure(
    classifier: &dyn Classifier,
    kind: Kind,
    thresholds: &Thresholds,
    path: &Path,
    samples: &[Sample],
    taxonomy: &Taxonomy,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let output = score(classifier, samples, taxonomy)?;
    let system = SystemOutput { name: "model", kind, output: &output, thresholds, seconds: 0.0 };
    let evaluation = lundian_eval::evaluate(samples, &[system], taxonomy, &lundian_eval::Options::default())?;
    let report = &evaluation.systems[0];
    let mut figures = vec![("ece", report.ece), ("evidence_token_f1", report.evidence.token_f1)];
    for (f1, low, high, average) in [
        ("macro_f1", "macro_f1.ci95_low", "macro_f1.ci95_high", &report.macro_average),
        ("micro_f1", "micro_f1.ci95_low", "micro_f1.ci95_high", &report.micro),
    ] {
        let [from, to] = average.ci95.map_or([None; 2], |ci| ci.map(Some));
        figures.extend([(f1, Some(average.prf.f1)), (low, from), (high, to)]);
    }
    if let Some(role) = &report.role {
        let (accuracy, macro_f1) = (Some(role.accuracy), Some(role.macro_f1));
        figures.extend([("role.accuracy", accuracy), ("role.macro_f1", macro_f1), ("role.kappa", role.kappa)]);
    }
    let name = scoring::file_name(path);
    let figures = figures.into_iter().filter_map(|(metric, value)| Some((format!("{name}.{metric}"), value?)));
    Ok(figures.map(|(metric, value)| (metric, (value * 1e4).round() / 1e4)).collect())
}

fn say_figures(figures: &BTreeMap<String, f64>, quiet: bool) {
    for (metric, value) in figures {
        output::inform(quiet, format_args!("{metric} {value}"));
    }
}
