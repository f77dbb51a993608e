//! `lundian train linear`

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use lundian_core::{Batch, Classifier as _, Kind, Output, Sample, Taxonomy, Thresholds, Unit};
use lundian_eval::SystemOutput;
use lundian_linear::{DataFile, Linear, Model, Params, best_threshold, sha256, train};
use serde::Deserialize as _;

use crate::Outcome;
use crate::cli::Global;
use crate::config::Config;
use crate::output;
use crate::scoring;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Labelled samples to learn from (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    gold: Vec<PathBuf>,
    /// Other labelled samples, to choose the threshold on [default: held-out parts of the samples]
    #[arg(long, value_name = "FILE")]
    tune: Option<PathBuf>,
    /// Further labelled samples to measure the model on; the figures are stored with it (repeatable)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Calibrate only on samples whose key `source` has this value: those whose label frequencies are the real ones
    /// (repeatable)
    #[arg(long, value_name = "SOURCE")]
    calibrate_on: Vec<String>,
    /// Change a parameter of training, such as c=3 or max_ngram=4 (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Folder to write the model to; use it with `[plugin.linear] model = "DIR"` in lundian.toml
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let params = params(args)?.check()?;
    let (samples, places) = scoring::read_gold_by_file(&args.gold, &taxonomy)?;
    let started = std::time::Instant::now();
    let mut model = train(&taxonomy, &samples, &params, &mut |p| {
        if !global.quiet {
            output::say(format_args!("{}/{} {:?}", p.done, p.total, p.stage));
        }
    })?;
    model.data = data(&args.gold, &places)?;
    if let Some(tune) = &args.tune {
        let tuning = held_out(tune, &samples, &taxonomy)?;
        let output = score(&model, &tuning, &taxonomy)?;
        let argued: Vec<bool> = tuning.iter().flat_map(|s| (0..taxonomy.len()).map(|t| s.argues(t))).collect();
        let global = best_threshold(taxonomy.len(), output.scores(), &argued);
        let origin = format!("chosen on {} for the largest sum of micro-F1 and macro-F1", scoring::file_name(tune));
        model.thresholds = Thresholds { origin, ..Thresholds::uniform(global) };
    }
    for path in args.tune.iter().chain(&args.test) {
        let figures = measure(&model, &held_out(path, &samples, &taxonomy)?, &taxonomy)?;
        for (metric, value) in figures {
            output::say(format_args!("{}: {metric} {value:.4}", scoring::file_name(path)));
            model.metrics.insert(format!("{}.{metric}", scoring::file_name(path)), (value * 1e4).round() / 1e4);
        }
    }
    model.save(&args.output)?;
    output::say(format_args!(
        "{}: {} n-grams from {} samples in {:.1} s; threshold {:.3} ({})",
        args.output.display(),
        model.features(),
        samples.len(),
        started.elapsed().as_secs_f64(),
        model.thresholds.global,
        model.thresholds.origin,
    ));
    Ok(Outcome::Done)
}

fn params(args: &Args) -> anyhow::Result<Params> {
    let mut settings = serde_json::to_value(Params::default())?;
    settings["calibrate_on"] = serde_json::to_value(&args.calibrate_on)?;
    for setting in &args.set {
        let Some((name, value)) = setting.split_once('=') else { bail!("--set {setting}: write NAME=VALUE") };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        settings[name] = value;
    }
    Params::deserialize(settings).context("--set")
}

fn data(files: &[PathBuf], places: &[Range<usize>]) -> anyhow::Result<Vec<DataFile>> {
    let file = |(path, place): (&PathBuf, &Range<usize>)| {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Ok(DataFile { name: scoring::file_name(path), sha256: sha256(&bytes), samples: place.len() })
    };
    files.iter().zip(places).map(file).collect()
}

/// Samples that the model was not trained on.
fn held_out(path: &PathBuf, trained: &[Sample], taxonomy: &Taxonomy) -> anyhow::Result<Vec<Sample>> {
    let samples = scoring::read_gold(&[path], taxonomy)?;
    scoring::refuse_overlap(trained, &samples)?;
    Ok(samples)
}

fn score(model: &Model, samples: &[Sample], taxonomy: &Taxonomy) -> anyhow::Result<Output> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    Linear::new(model.clone(), taxonomy).classify(&Batch::new(&units), &mut out)?;
    Ok(out)
}

/// The figures that are stored with a model.
fn measure(model: &Model, samples: &[Sample], taxonomy: &Taxonomy) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let output = score(model, samples, taxonomy)?;
    let system = SystemOutput {
        name: "linear",
        kind: Kind::Linear,
        output: &output,
        thresholds: &model.thresholds,
        seconds: 0.0,
    };
    let options = lundian_eval::Options { draws: 0, ..lundian_eval::Options::default() };
    let evaluation = lundian_eval::evaluate(samples, &[system], taxonomy, &options)?;
    let report = &evaluation.systems[0];
    let figures = [
        ("macro_f1", Some(report.macro_average.prf.f1)),
        ("micro_f1", Some(report.micro.prf.f1)),
        ("ece", report.ece),
        ("evidence_token_f1", report.evidence.token_f1),
    ];
    Ok(figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}
