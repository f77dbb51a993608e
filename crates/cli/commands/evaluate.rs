//! `lundian evaluate`: score systems against labelled samples.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use lundian_core::{Batch, ClassifierError, Output, Paragraph, Sample, Taxonomy, Unit};
use lundian_eval::{Claim, Faithfulness, Gate, Labels, Mode, Objective};
use lundian_report::{EVALUATION_FORMATS, Look};
use lundian_runner::aggregate::{CASCADE, Fitted, Panel};
use lundian_runner::{Options, System};

use crate::Outcome;
use crate::cli::{Destination, Global, ReportLang, Systems, choose_format, format_names};
use crate::config::Config;
use crate::manifest::Manifest;
use crate::output::{self, Sink};
use crate::scoring::{self, Scored};
use crate::systems;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Labelled samples to score against: JSONL, or an export of doccano or Label Studio (repeatable)
    #[arg(long, required = true, value_name = "FILE", help_heading = "Samples")]
    gold: Vec<PathBuf>,
    /// Labelled samples to choose thresholds on, in place of the thresholds stored with the models; never the gold file
    #[arg(long, value_name = "FILE", help_heading = "Samples")]
    tune: Option<PathBuf>,
    /// With --tune, a threshold of its own for each thesis with at least this many labels; the cascade keeps one for all
    #[arg(long, value_name = "N", requires = "tune", help_heading = "Samples")]
    per_thesis: Option<u64>,
    /// Also slice by this key of the gold file (repeatable)
    #[arg(long, value_name = "KEY", help_heading = "Samples")]
    slice: Vec<String>,
    #[command(flatten)]
    systems: Systems,
    /// Aggregate to evaluate beside the plugins (repeatable) [default: all, if there are several plugins]
    #[arg(long, value_name = "METHOD", help_heading = "Systems")]
    aggregate: Vec<String>,
    /// Draws of the bootstrap and of the randomisation test; 0 leaves intervals out
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Statistics")]
    draws: usize,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Statistics")]
    seed: u64,
    /// Also report how often labels change when the text changes in a way that should not matter
    #[arg(long, value_enum, value_name = "CHANGE", help_heading = "Statistics")]
    invariance: Option<Invariance>,
    /// Also report whether deleting the evidence lowers scores more than deleting a random span of its length
    #[arg(long, help_heading = "Statistics")]
    faithfulness: bool,
    /// Exit with 1 unless METRIC=VALUE is reached, such as macro_f1=0.5, rules/f1:THESIS=0.3 or ece=0.05 (repeatable)
    #[arg(long, value_name = "METRIC=VALUE", help_heading = "Statistics")]
    fail_under: Vec<Gate>,
    /// Output format [default: by the ending of the output file, else table]
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = format_names(EVALUATION_FORMATS))]
    format: Option<String>,
    /// Language of the page (html only)
    #[arg(long, value_enum, default_value = "en", help_heading = "Output")]
    lang: ReportLang,
    #[command(flatten)]
    destination: Destination,
}

/// A change that should not matter.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Invariance {
    /// Simplified to Traditional, and Traditional to Simplified
    Script,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let output = args.destination.output.as_deref();
    let format = choose_format(EVALUATION_FORMATS, args.format.as_deref(), output)?;
    let systems::Built { systems, plugins } = systems::build(&args.systems, global, &config, &taxonomy)?;
    let panel = Panel::new(&systems, &taxonomy);
    let mut fitted = systems::fitted(&args.systems, &config, &panel)?;
    let aggregates = scoring::aggregates(&args.aggregate, &systems, &fitted, &taxonomy)?;
    let samples = scoring::read_gold(&args.gold, &taxonomy)?;
    let options = systems::run_options(&args.systems, &config)?;
    let score = |paragraphs: &[Paragraph], fitted: &Fitted, evidence: bool| {
        let options = Options { evidence, ..options.clone() };
        scoring::score(paragraphs, &systems, &aggregates, fitted, &taxonomy, &options, global.quiet)
    };

    let mut chosen = Vec::new();
    if let Some(tune) = &args.tune {
        let tuning = scoring::read_gold(&[tune], &taxonomy)?;
        scoring::refuse_overlap("--gold", samples.iter().map(|s| &s.paragraph), tune, &tuning)?;
        let mode = args.per_thesis.map_or(Mode::Global, |min_support| Mode::PerThesis { min_support });
        let name = scoring::file_name(tune);
        let objective = Objective::MacroF1;
        let tuned = score(&scoring::paragraphs(&tuning), &fitted, false)?;
        if aggregates.iter().any(|a| a.name == CASCADE) {
            // What it gives depends on its band, and that belongs to its threshold.
            let training = scoring::training(&panel, &tuning, &tuned)?;
            fitted.tune_cascade(&training, &taxonomy, None, None, objective, &name)?;
            scoring::say_cascade(&fitted, &name, global.quiet);
        }
        let choose = |s: &Scored| match fitted.thresholds.get(CASCADE).filter(|_| s.name == CASCADE) {
            Some(with_band) => with_band.clone(),
            None => lundian_eval::choose_thresholds(&tuning, &s.output, &taxonomy, mode, objective, &name),
        };
        chosen = tuned.iter().map(choose).collect();
    }
    // Evidence is dear for some systems, and is compared with quotes only.
    let quoted = samples.iter().flat_map(|s| &s.labels).any(|label| label.evidence.is_some());
    let mut scored = score(&scoring::paragraphs(&samples), &fitted, quoted || args.faithfulness)?;
    for (system, thresholds) in scored.iter_mut().zip(chosen) {
        system.thresholds = thresholds;
    }
    if !global.quiet {
        scoring::say_stages(&scored, &systems);
    }

    let eval_options = lundian_eval::Options {
        gold_file: args.gold.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
        draws: args.draws,
        seed: args.seed,
        threads: options.threads,
        slices: args.slice.clone(),
        script: Some(|text| lundian_text::script(text).as_str().to_owned()),
        ..lundian_eval::Options::default()
    };
    let views: Vec<_> = scored.iter().map(Scored::as_system).collect();
    let mut evaluation = lundian_eval::evaluate(&samples, &views, &taxonomy, &eval_options)?;

    if let Some(Invariance::Script) = args.invariance {
        let changed = score(&other_script(&samples), &fitted, false)?;
        for ((before, after), report) in scored.iter().zip(&changed).zip(&mut evaluation.systems) {
            report.invariance = Some(flip_rate(&samples, before, after, &taxonomy));
        }
    }
    if args.faithfulness {
        for ((system, scored), report) in systems.iter().zip(&scored).zip(&mut evaluation.systems) {
            report.faithfulness = Some(faithfulness(&samples, system, scored, &taxonomy, args.seed)?);
        }
    }

    let mut look = Look::new(&taxonomy);
    look.color = output.is_none() && output::color();
    look.width = output::width();
    look.lang = args.lang.into();
    let mut sink = Sink::open(output)?;
    sink.write_all((format.write)(&evaluation, &samples, &look).as_bytes())?;
    sink.commit()?;
    if let Some(output) = output {
        let mut inputs = args.gold.clone();
        inputs.extend(args.tune.clone());
        inputs.extend(config.files(args.systems.ensemble.as_deref(), &systems));
        let used = scored.iter().map(|s| (s.name.as_str(), &s.thresholds));
        Manifest::write(output, &inputs, &taxonomy, &plugins, used, Some(args.seed))?;
    }

    let failed = scoring::say_failures(&scored);
    let failures = lundian_eval::failed_gates(&evaluation, &args.fail_under)?;
    for failure in &failures {
        output::say_error(format_args!("gate not passed: {failure}"));
    }
    Ok(match (failures.is_empty(), failed) {
        (false, _) => Outcome::CheckFailed,
        (true, true) => Outcome::Partly,
        (true, false) => Outcome::Done,
    })
}

fn other_script(samples: &[Sample]) -> Vec<Paragraph> {
    let turn = |text: &str| match lundian_text::script(text) {
        lundian_text::Script::Traditional => lundian_text::normalise(text),
        _ => lundian_text::to_traditional(text),
    };
    let mut paragraphs = scoring::paragraphs(samples);
    for p in &mut paragraphs {
        for text in [&mut p.text, &mut p.prev, &mut p.heading, &mut p.title] {
            *text = turn(text);
        }
    }
    paragraphs
}

fn flip_rate(samples: &[Sample], before: &Scored, after: &Scored, taxonomy: &Taxonomy) -> lundian_eval::Invariance {
    let thresholds = before.thresholds.resolve(taxonomy);
    let labels = |s: &Scored| Labels::of_output(&s.output, &thresholds);
    let flips = lundian_eval::flip_rate(&labels(before), &labels(after));
    lundian_eval::Invariance {
        change: "script".to_owned(),
        flip_rate: flips.flip_rate,
        changed: flips.changed.iter().map(|&row| samples[row].paragraph.id.clone()).collect(),
    }
}

/// Tests the strongest span of each label that a system gives, on the paragraph without its context.
fn faithfulness(
    samples: &[Sample],
    system: &System,
    scored: &Scored,
    taxonomy: &Taxonomy,
    seed: u64,
) -> Result<Faithfulness, ClassifierError> {
    let score = |text: &str, thesis: usize| {
        let units = [Unit { text, ..Unit::default() }];
        let mut out = Output::new(1, taxonomy.len());
        system.classifier.classify(&Batch::new(&units).without_evidence(), &mut out)?;
        Ok(out.row(0)[thesis])
    };
    let thresholds = scored.thresholds.resolve(taxonomy);
    let mut strongest = BTreeMap::new();
    for e in &scored.output.evidence {
        let best = strongest.entry((e.row, e.thesis)).or_insert(e);
        if e.weight > best.weight {
            *best = e;
        }
    }
    let mut claims = Vec::new();
    for ((row, thesis), e) in strongest {
        let text = samples[row].paragraph.text.as_str();
        if scored.output.row(row)[thesis] >= thresholds[thesis] {
            claims.push(Claim { text, thesis, score: score(text, thesis)?, evidence: e.range.clone() });
        }
    }
    claims.retain(|c| !c.score.is_nan());
    lundian_eval::faithfulness(&claims, seed, score)
}
