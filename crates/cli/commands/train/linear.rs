//! `lundian train linear`

use std::path::PathBuf;

use lundian_core::{Kind, Thresholds};
use lundian_linear::{Linear, Params, train};
use lundian_plugin::training::choose_threshold;

use super::{data_files, held_out, measure, say_figures, score, with_settings};
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
    let params = Params { calibrate_on: args.calibrate_on.clone(), ..Params::default() };
    let params = with_settings(&params, &args.set)?.check()?;
    let (samples, places) = scoring::read_gold_by_file(&args.gold, &taxonomy)?;
    let tests = held_out(args.tune.iter().chain(&args.test), &samples, &taxonomy)?;
    let started = std::time::Instant::now();
    let mut model = train(&taxonomy, &samples, &params, &mut |p| {
        output::inform(global.quiet, format_args!("{}/{} {:?}", p.done, p.total, p.stage));
    })?;
    model.data = data_files(&args.gold, &places)?;
    if let Some((path, tuning)) = tests.first().filter(|_| args.tune.is_some()) {
        let output = score(&Linear::new(model.clone(), &taxonomy), tuning, &taxonomy)?;
        let argued: Vec<bool> = tuning.iter().flat_map(|s| (0..taxonomy.len()).map(|t| s.argues(t))).collect();
        let global = choose_threshold(taxonomy.len(), output.scores(), &argued).threshold;
        let origin = format!("chosen on {} for the largest sum of micro-F1 and macro-F1", scoring::file_name(path));
        model.thresholds = Thresholds { origin, ..Thresholds::uniform(global) };
    }
    let classifier = Linear::new(model.clone(), &taxonomy);
    for (path, samples) in &tests {
        let figures = measure(&classifier, Kind::Linear, &model.thresholds, path, samples, &taxonomy)?;
        say_figures(&figures, global.quiet);
        model.metrics.extend(figures);
    }
    model.save(&args.output)?;
    output::inform(
        global.quiet,
        format_args!(
            "{}: {} n-grams from {} samples in {:.1} s; threshold {:.3} ({})",
            args.output.display(),
            model.features(),
            samples.len(),
            started.elapsed().as_secs_f64(),
            model.thresholds.global,
            model.thresholds.origin,
        ),
    );
    Ok(Outcome::Done)
}
