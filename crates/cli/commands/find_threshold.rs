//! `lundian find-threshold`: choose thresholds on a tuning file, to be stored and used elsewhere.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use lundian_core::{Sample, Thresholds};
use lundian_eval::{Mode, Objective};
use lundian_runner::Options;
use lundian_runner::aggregate::{CASCADE, Panel};

use crate::Outcome;
use crate::cli::{CascadeTarget, Destination, Global, Systems};
use crate::config::Config;
use crate::output::Sink;
use crate::scoring;
use crate::systems;
use crate::thresholds::ThresholdFile;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Labelled samples to choose on; evaluate on others (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    tune: Vec<PathBuf>,
    /// What to maximise
    #[arg(long, value_enum, default_value = "macro-f1")]
    metric: Metric,
    /// A threshold of its own for each thesis with at least this many labels; the cascade keeps one for all
    #[arg(long, value_name = "N")]
    per_thesis: Option<u64>,
    #[command(flatten)]
    systems: Systems,
    /// Aggregate to choose thresholds for (repeatable) [default: all, if there are several plugins]
    #[arg(long, value_name = "METHOD", help_heading = "Systems")]
    aggregate: Vec<String>,
    #[command(flatten)]
    target: CascadeTarget,
    #[command(flatten)]
    destination: Destination,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Metric {
    MacroF1,
    MicroF1,
    /// The mean of both
    Balanced,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let systems::Built { systems, .. } = systems::build(&args.systems, global, &config, &taxonomy)?;
    let panel = Panel::new(&systems, &taxonomy);
    let mut fitted = systems::fitted(&args.systems, &config, &panel)?;
    let aggregates = scoring::aggregates(&args.aggregate, &systems, &fitted, &taxonomy)?;
    let with_cascade = aggregates.iter().any(|a| a.name == CASCADE);
    if args.target.get().is_some() && !with_cascade {
        bail!(
            "--loss and --cost are about the aggregate cascade: add --aggregate cascade, for plugins that one was fitted for"
        );
    }
    let samples = scoring::read_gold(&args.tune, &taxonomy)?;
    let options = Options { evidence: false, ..systems::run_options(&args.systems, &config)? };
    let score = |samples: &[Sample]| {
        scoring::score(&scoring::paragraphs(samples), &systems, &aggregates, &fitted, &taxonomy, &options, global.quiet)
    };
    if with_cascade {
        score(scoring::warm_up(&samples))?;
    }
    let scored = score(&samples)?;
    let mode = args.per_thesis.map_or(Mode::Global, |min_support| Mode::PerThesis { min_support });
    let objective = match args.metric {
        Metric::MacroF1 => Objective::MacroF1,
        Metric::MicroF1 => Objective::MicroF1,
        Metric::Balanced => Objective::Balanced,
    };
    let names: Vec<String> = args.tune.iter().map(|p| scoring::file_name(p)).collect();
    let names = names.join(", ");
    let mut chosen: BTreeMap<String, Thresholds> = scored
        .iter()
        .map(|s| {
            let t = lundian_eval::choose_thresholds(&samples, &s.output, &taxonomy, mode, objective, &names);
            (s.name.clone(), t)
        })
        .collect();
    let mut band = None;
    if with_cascade {
        let seconds = scoring::seconds_each(&panel, &scored);
        let training = scoring::training(&panel, &samples, &scored)?;
        fitted.tune_cascade(&training, &taxonomy, args.target.get(), Some(&seconds), objective, &names)?;
        chosen.extend(fitted.thresholds.get(CASCADE).map(|t| (CASCADE.to_owned(), t.clone())));
        band = fitted.cascade_band();
        scoring::say_cascade(&fitted, &names, global.quiet);
    }
    let file = ThresholdFile::new(panel.names, chosen, band);
    let mut sink = Sink::open(args.destination.output.as_deref())?;
    sink.write_all(file.to_toml()?.as_bytes())?;
    sink.commit()?;
    Ok(if scoring::say_failures(&scored) { Outcome::Partly } else { Outcome::Done })
}
