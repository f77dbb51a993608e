//! `lundian train linear`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lundian_core::{Batch, Classifier as _, Output, Sample, Taxonomy, Unit};
use lundian_eval::{Labels, Mode, Objective};
use lundian_linear::{DataFile, Linear, Params, sha256, train};
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
    let samples = scoring::read_gold(&args.gold, &taxonomy)?;
    let started = std::time::Instant::now();
    let mut model = train(&taxonomy, &samples, &params, &mut |p| {
        if !global.quiet {
            output::say(format_args!("{}/{} {:?}", p.done, p.total, p.stage));
        }
    })?;
    model.data = data(args, &taxonomy)?;
    if let Some(tune) = &args.tune {
        let tuning = scoring::read_gold(&[tune], &taxonomy)?;
        scoring::refuse_overlap(&samples, &tuning)?;
        let linear = Linear::new(model.clone(), &taxonomy);
        let scores = score(&linear, &tuning, &taxonomy)?;
        model.thresholds =
            lundian_eval::choose_thresholds(&tuning, &scores, &taxonomy, Mode::Global, Objective::MacroF1, &name(tune));
        let predicted = Labels::of_output(&scores, &model.thresholds.resolve(&taxonomy));
        let counts = lundian_eval::counts(&Labels::of_samples(&tuning, taxonomy.len()), &predicted);
        for (metric, value) in
            [("macro_f1", lundian_eval::macro_average(&counts).f1), ("micro_f1", lundian_eval::micro(&counts).f1)]
        {
            model.metrics.insert(format!("{}.{metric}", name(tune)), (value * 1e4).round() / 1e4);
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

fn data(args: &Args, taxonomy: &Taxonomy) -> anyhow::Result<Vec<DataFile>> {
    let file = |path: &PathBuf| {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let (samples, _) = lundian_eval::read_gold(path, taxonomy);
        Ok(DataFile { name: name(path), sha256: sha256(&bytes), samples: samples.len() })
    };
    args.gold.iter().map(file).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

fn score(linear: &Linear, samples: &[Sample], taxonomy: &Taxonomy) -> anyhow::Result<Output> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    linear.classify(&Batch::new(&units).without_evidence(), &mut out)?;
    Ok(out)
}
