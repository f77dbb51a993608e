//! `lundian classify`: the main job.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use lundian_core::{Taxonomy, Thresholds};
use lundian_report::{Context, FORMATS, FormatEntry, SystemInfo, find_format, format_of_path};
use lundian_runner::aggregate::{AGGREGATES, Panel};
use lundian_runner::{Judge, Options, RunError, Summary, System};

use crate::Outcome;
use crate::cli::{Destination, Global, Input, ReportLang, Systems, unknown_ending};
use crate::config::{self, Config};
use crate::input::Paragraphs;
use crate::manifest::Manifest;
use crate::output::{self, Interrupted, Sink};
use crate::scoring;
use crate::systems;
use crate::thresholds::ThresholdFile;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    systems: Systems,
    /// How the systems' scores become one [default: what the ensemble of these plugins names, else mean; one plugin
    /// alone speaks for itself]
    #[arg(long, value_name = "METHOD", help_heading = "Systems", value_parser = aggregate_names())]
    aggregate: Option<String>,
    /// Score from which on a thesis is a label, in place of the thresholds stored with the models
    #[arg(long, value_name = "0..1", help_heading = "Systems", value_parser = config::parse_threshold)]
    threshold: Option<f32>,
    /// Thresholds that `find-threshold` chose, in place of those stored with the models
    #[arg(long, value_name = "FILE", help_heading = "Systems", conflicts_with = "threshold")]
    thresholds: Option<PathBuf>,
    /// Output format [default: by the ending of the output file, else table]
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = format_names())]
    format: Option<String>,
    /// Say for each label how every system came to it
    #[arg(long, help_heading = "Output")]
    why: bool,
    /// Language of the page (html only)
    #[arg(long, value_enum, default_value = "en", help_heading = "Output")]
    lang: ReportLang,
    #[command(flatten)]
    destination: Destination,
}

fn aggregate_names() -> clap::builder::PossibleValuesParser {
    AGGREGATES.iter().map(|a| clap::builder::PossibleValue::new(a.name).help(a.doc)).collect::<Vec<_>>().into()
}

fn format_names() -> clap::builder::PossibleValuesParser {
    FORMATS.iter().map(|f| clap::builder::PossibleValue::new(f.name).help(f.doc)).collect::<Vec<_>>().into()
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let format = choose_format(args, &config)?;
    let named = args.aggregate.as_deref().or(config.aggregate.as_deref()).map(scoring::find_aggregate).transpose()?;
    let systems::Built { mut systems, plugins } = systems::build(&args.systems, global, &config, &taxonomy)?;
    let file = args.thresholds.as_ref().map(|path| ThresholdFile::read(path, &taxonomy)).transpose()?;
    if let Some(file) = &file {
        file.apply(&mut systems);
    }
    let panel = Panel::new(&systems, &taxonomy);
    let mut fitted = systems::fitted(&args.systems, &config, &panel)?;
    if let (Some(file), Some(path)) = (&file, &args.thresholds) {
        fitted = file.apply_band(fitted, &systems).with_context(|| path.display().to_string())?;
    }
    let threshold = args.threshold.or(config.threshold);
    let aggregate = named.unwrap_or_else(|| fitted.default_for(&panel));
    let mut judge = Judge::new(&systems, aggregate, Some(&fitted), &taxonomy, threshold)?;
    if let Some(thresholds) = file.as_ref().and_then(|f| f.of_aggregate(judge.name(), &systems)) {
        judge = judge.with_thresholds(thresholds, &taxonomy);
    }
    let paragraphs = Paragraphs::open(&args.input, &config)?;
    let lost = paragraphs.errors();
    let mut inputs = paragraphs.files();
    inputs.extend(args.thresholds.clone());
    inputs.extend(config.files(args.systems.ensemble.as_deref(), &systems));

    let judge = Arc::new(judge);
    let options = Options { judge: Some(Arc::clone(&judge)), ..systems::run_options(&args.systems, &config)? };
    let mut sink = Sink::open(args.destination.output.as_deref())?;
    let progress = output::progress(global.quiet);
    let mut heard = false;
    let summary = {
        let infos = systems.iter().map(|s| SystemInfo { name: s.name.clone(), kind: s.kind }).collect();
        let mut context = Context::new(&taxonomy, infos, judge.name(), judge.thresholds());
        context.color = args.destination.output.is_none() && output::color();
        context.width = output::width();
        context.lang = args.lang.into();
        let mut writer = (format.open)(Box::new(&mut sink), context)?;
        let summary = lundian_runner::run(paragraphs, &systems, &taxonomy, &options, |row| {
            progress.inc(1);
            heard = heard || row.verdicts.iter().flat_map(|v| &v.scores).any(|score| !score.is_nan());
            let scores = judge.scores(&row);
            let mut labels = judge.decide(&row, &scores);
            if args.why {
                lundian_runner::explain(&row, &mut labels, &systems);
            }
            writer.row(&row, &scores, &labels)
        })
        .map_err(|e| match e {
            RunError::Interrupted => anyhow::Error::new(Interrupted),
            RunError::Sink(e) => e.into(),
        })?;
        writer.finish(&summary)?;
        summary
    };
    progress.finish_and_clear();
    if !global.quiet
        && let Some(words) = lundian_runner::stages_in_words(&summary.stages, &systems)
    {
        output::say(format_args!("{}: {words}", judge.name()));
    }
    lost.refuse_nothing(summary.paragraphs)?;
    sink.commit()?;
    if let Some(output) = &args.destination.output {
        let used = used_thresholds(&judge, &taxonomy);
        Manifest::write(output, &inputs, &taxonomy, &plugins, [(judge.name(), &used)].into_iter(), None)?;
    }
    let failed = say_failures(&systems, &summary);
    if !heard && !failed {
        let name = taxonomy.name();
        output::say_warning(format_args!(
            "no plugin knows a thesis of the taxonomy {name:?}: write rules for it (`[plugin.rules] packs`), train a model (`lundian train`), or compare with its examples (`[plugin.transformer] mode = \"zero-shot\"`)"
        ));
    }
    Ok(if failed || lost.get() > 0 { Outcome::Partly } else { Outcome::Done })
}

/// The format: the flag's, else that of the output file's ending, else the settings', else the table.
fn choose_format(args: &Args, config: &Config) -> anyhow::Result<&'static FormatEntry> {
    let name = match (&args.format, args.destination.output.as_deref()) {
        (Some(name), _) => name,
        (None, Some(path)) => {
            let endings = FORMATS.iter().flat_map(|f| f.endings).copied();
            return format_of_path(path).ok_or_else(|| unknown_ending(path, endings));
        }
        (None, None) => config.format.as_deref().unwrap_or("table"),
    };
    let known = || FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
    find_format(name).ok_or_else(|| anyhow!("there is no format {name:?}; there are {}", known()))
}

/// Says which systems failed, and true if any did.
fn say_failures(systems: &[System], summary: &Summary) -> bool {
    let mut any = false;
    for (system, s) in systems.iter().zip(&summary.systems).filter(|(_, s)| s.failed > 0) {
        any = true;
        let reason = s.first_failure.as_deref().unwrap_or("no reason given");
        let off = if s.switched_off { "; it was switched off" } else { "" };
        let total = s.failed + s.judged;
        output::say_error(format_args!("{} failed on {} of {total} paragraphs{off}: {reason}", system.name, s.failed));
    }
    any
}

/// The thresholds that the judge goes by, thesis by thesis.
fn used_thresholds(judge: &Judge, taxonomy: &Taxonomy) -> Thresholds {
    let mut used = Thresholds::uniform(judge.thresholds()[0]);
    used.origin = judge.origin().to_owned();
    let differing = taxonomy.theses().iter().zip(judge.thresholds()).filter(|(_, t)| **t != used.global);
    used.per_thesis = differing.map(|(thesis, &t)| (thesis.slug.clone(), t)).collect();
    used
}
