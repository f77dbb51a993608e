//! `lundian train ensemble`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lundian_core::{Kind, Sample, Setup, Taxonomy};
use lundian_eval::{Evaluation, Objective};
use lundian_linear::Linear;
use lundian_plugin::Plugin as _;
use lundian_runner::Options;
use lundian_runner::aggregate::{
    AGGREGATES, DataFile, Figures, FitOptions, Fitted, Panel, beside_mean, correlated, fit,
};

use super::held_out;
use crate::Outcome;
use crate::cli::{CascadeTarget, Global, Systems};
use crate::config::Config;
use crate::output::{self, Sink};
use crate::scoring::{self, Scored};
use crate::systems;

/// The bundled plugin that can score its own training samples as if it had not seen them.
const CROSS_FITTED: &str = "linear";

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Labelled samples to learn from: such as no plugin was trained on, but see --trained-on (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    gold: Vec<PathBuf>,
    /// The samples that the plugin `linear` was trained on, if those to learn from are among them: it is then
    /// cross-fitted on all of these, so that its scores are of samples that it has not seen (repeatable)
    #[arg(long, value_name = "FILE")]
    trained_on: Vec<PathBuf>,
    /// Other labelled samples, to choose thresholds on
    #[arg(long, value_name = "FILE")]
    tune: PathBuf,
    /// Further labelled samples to measure the aggregates on; the figures are stored with them (repeatable)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    #[command(flatten)]
    target: CascadeTarget,
    /// The aggregate that runs of these plugins are to use if they name none [default: mean]
    #[arg(long, value_name = "METHOD")]
    default: Option<String>,
    /// How the scores were made, in words, to be stored with what is learned
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    systems: Systems,
    /// File to write; use it with `--ensemble FILE`, or `ensemble = "FILE"` in lundian.toml
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let default = args.default.as_deref().map(scoring::find_aggregate).transpose()?;
    let systems::Built { systems, .. } = systems::build(&args.systems, global, &config, &taxonomy)?;
    if systems.len() < 2 {
        bail!("an ensemble takes two plugins or more; `lundian plugin list` names them");
    }
    let options = Options { evidence: false, ..systems::run_options(&args.systems, &config)? };
    let panel = Panel::new(&systems, &taxonomy);
    let mut fitted = Fitted::new(&panel);
    let score = |samples: &[Sample], fitted: &Fitted| {
        let aggregates = scoring::aggregates(&[], &systems, fitted, &taxonomy)?;
        let paragraphs = scoring::paragraphs(samples);
        scoring::score(&paragraphs, &systems, &aggregates, fitted, &taxonomy, &options, global.quiet)
    };

    let (samples, places) = scoring::read_gold_by_file(&args.gold, &taxonomy)?;
    let tests = held_out([&args.tune].into_iter().chain(&args.test), &samples, &taxonomy)?;
    let tuning = tests[0].1.as_slice();
    score(scoring::warm_up(&samples), &fitted)?;
    let mut scored = score(&samples, &fitted)?;
    cross_fit(args, &panel, &samples, &taxonomy, &config, &mut scored)?;
    let training = scoring::training(&panel, &samples, &scored)?;
    let defaults = FitOptions::default();
    let target = args.target.get().unwrap_or(defaults.target);
    let fit_options = FitOptions { seconds: scoring::seconds_each(&panel, &scored), target, ..defaults };
    for entry in AGGREGATES.iter().filter(|e| e.is_learned()) {
        match fit(entry, &training, &fit_options) {
            Ok(learned) => fitted.merge(learned),
            Err(e) => output::say_warning(format_args!("{} is left out: {e}", entry.name)),
        }
    }
    fitted.default = default.map(|aggregate| aggregate.name.to_owned());
    fitted.note.clone_from(&args.note);
    for (path, place) in args.gold.iter().zip(places) {
        let (paragraphs, labels) = (place.len(), samples[place].iter().map(|s| s.labels.len()).sum());
        fitted.data.push(DataFile { name: scoring::file_name(path), paragraphs, labels });
    }
    fitted.correlated = correlated(&training);
    for correlation in &fitted.correlated {
        output::inform(global.quiet, format_args!("{}", correlation.sentence()));
    }
    let tuned = score(tuning, &fitted)?;
    fitted.tune_thresholds(
        &scoring::training(&panel, tuning, &tuned)?,
        &taxonomy,
        Objective::Balanced,
        &scoring::file_name(&args.tune),
    )?;
    scoring::say_cascade(&fitted, &scoring::file_name(&args.tune), global.quiet);

    for (path, samples) in &tests {
        let evaluation = evaluate(path, samples, &score(samples, &fitted)?, &taxonomy)?;
        for report in evaluation.systems.iter().filter(|s| s.kind != Kind::Baseline) {
            for (metric, value) in [("macro_f1", report.macro_average.prf.f1), ("micro_f1", report.micro.prf.f1)] {
                let (file, name) = (scoring::file_name(path), &report.name);
                output::inform(global.quiet, format_args!("{file}: {name} {metric} {value:.4}"));
                let key = format!("{file}.{name}.{metric}");
                fitted.metrics.insert(key, (value * 1e4).round() / 1e4);
            }
        }
        compare_with_mean(&evaluation, global.quiet);
    }
    let mut sink = Sink::open(Some(&args.output))?;
    sink.write_all(fitted.to_toml().as_bytes())?;
    sink.commit()?;
    Ok(if scoring::say_failures(&scored) { Outcome::Partly } else { Outcome::Done })
}

/// Puts cross-fitted scores in the place of those of a model that has seen the samples.
fn cross_fit(
    args: &Args,
    panel: &Panel,
    samples: &[Sample],
    taxonomy: &Taxonomy,
    config: &Config,
    scored: &mut [Scored],
) -> anyhow::Result<()> {
    if args.trained_on.is_empty() {
        return Ok(());
    }
    let Some(column) = panel.names.iter().position(|name| name == CROSS_FITTED) else {
        bail!("--trained-on is about the plugin {CROSS_FITTED:?}, which is not in the panel");
    };
    let settings = config.plugin_settings(CROSS_FITTED)?;
    let linear = Linear::create(&Setup::new(taxonomy, &settings).with_dir(config.folder()))?;
    let params = linear.model().params().clone().check()?;
    let all = scoring::read_gold(&args.trained_on, taxonomy)?;
    let held_out = lundian_linear::cross_fit(taxonomy, &all, &params, &mut |_| {})?;
    let row_of: std::collections::HashMap<&str, usize> =
        all.iter().enumerate().map(|(row, s)| (s.paragraph.id.as_str(), row)).collect();
    let theses = taxonomy.len();
    for (row, sample) in samples.iter().enumerate() {
        let id = sample.paragraph.id.as_str();
        let Some(from) = row_of.get(id) else {
            bail!("paragraph {id:?} is not among the samples of --trained-on");
        };
        scored[column].output.row_mut(row).copy_from_slice(&held_out[from * theses..(from + 1) * theses]);
    }
    Ok(())
}

fn evaluate(path: &Path, samples: &[Sample], scored: &[Scored], taxonomy: &Taxonomy) -> anyhow::Result<Evaluation> {
    let views: Vec<_> = scored.iter().map(Scored::as_system).collect();
    lundian_eval::evaluate(samples, &views, taxonomy, &lundian_eval::Options::default())
        .with_context(|| path.display().to_string())
}

/// Says of each aggregate whether it is better than the plain mean.
fn compare_with_mean(evaluation: &Evaluation, quiet: bool) {
    let figures = |name: &str| {
        let report = evaluation.systems.iter().find(|s| s.name == name)?;
        Some(Figures { macro_f1: report.macro_average.prf.f1, micro_f1: report.micro.prf.f1 })
    };
    let Some(mean) = figures("mean") else { return };
    for pair in evaluation.pairs.iter().filter(|p| p.a == "mean" || p.b == "mean") {
        // The interval is of `a` minus `b`.
        let (name, ci95) =
            if pair.a == "mean" { (&pair.b, pair.ci95.map(|[low, high]| [-high, -low])) } else { (&pair.a, pair.ci95) };
        if let Some(own) = figures(name) {
            let words = beside_mean(name, own, mean, ci95);
            output::inform(quiet, format_args!("{words} (p = {:.3})", pair.p_value));
        }
    }
}
