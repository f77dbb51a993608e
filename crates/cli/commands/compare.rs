//! `lundian compare`: how the systems agree and differ on text that nobody has labelled.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use lundian_core::Paragraph;
use lundian_eval::CompareOptions;
use lundian_eval::gold::{doccano_row, label_studio_config, label_studio_tasks, unlabelled_row};
use lundian_report::{COMPARISON_FORMATS, Look};
use lundian_runner::Options;
use lundian_runner::aggregate::{Fitted, Panel};

use crate::Outcome;
use crate::cli::{Destination, Global, Input, ReportLang, Systems, choose_format, format_names};
use crate::config::Config;
use crate::input::Paragraphs;
use crate::manifest::Manifest;
use crate::output::{self, Sink};
use crate::scoring::{self, Scored};
use crate::systems;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    systems: Systems,
    /// Draws of the bootstrap; 0 leaves intervals out
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Statistics")]
    draws: usize,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Statistics")]
    seed: u64,
    /// Also write the most informative disagreements here, to be labelled and given back as gold
    #[arg(long, value_name = "FILE", help_heading = "Disagreements")]
    disagreements: Option<PathBuf>,
    /// For which labelling tool
    #[arg(long, value_enum, default_value = "jsonl", help_heading = "Disagreements")]
    label_with: LabelTool,
    /// Most disagreements to list and write
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Disagreements")]
    most: usize,
    /// Output format [default: by the ending of the output file, else table]
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = format_names(COMPARISON_FORMATS))]
    format: Option<String>,
    /// Language of the page (html only)
    #[arg(long, value_enum, default_value = "en", help_heading = "Output")]
    lang: ReportLang,
    #[command(flatten)]
    destination: Destination,
}

/// A tool to label with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LabelTool {
    /// Our own JSONL: fill in `labels`
    Jsonl,
    /// Label Studio tasks; the labelling interface is written beside them as .xml
    LabelStudio,
    /// doccano, sequence labelling
    Doccano,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let output = args.destination.output.as_deref();
    let format = choose_format(COMPARISON_FORMATS, args.format.as_deref(), output)?;
    let systems::Built { systems, plugins } = systems::build(&args.systems, global, &config, &taxonomy)?;
    if systems.len() < 2 {
        bail!("a comparison takes two plugins or more; `lundian plugin list` names them");
    }
    let input = Paragraphs::open(&args.input, &config)?;
    let lost = input.errors();
    let mut inputs = input.files();
    inputs.extend(config.files(args.systems.ensemble.as_deref(), &systems));
    let paragraphs: Vec<_> = input.collect();
    lost.refuse_nothing(paragraphs.len())?;
    let options = systems::run_options(&args.systems, &config)?;
    let nothing = Fitted::new(&Panel::new(&systems, &taxonomy));
    let score = |paragraphs: &[Paragraph], evidence: bool| {
        let options = Options { evidence, ..options.clone() };
        scoring::score(paragraphs, &systems, &[], &nothing, &taxonomy, &options, global.quiet)
    };
    let mut scored = score(&paragraphs, false)?;
    let views: Vec<_> = scored.iter().map(Scored::as_system).collect();
    let compare_options =
        CompareOptions { draws: args.draws, seed: args.seed, threads: options.threads, max_disagreements: args.most };
    let comparison = lundian_eval::compare(&paragraphs, &views, &taxonomy, None, &compare_options);
    // Evidence is shown of few paragraphs, and dear for some systems.
    let shown: Vec<usize> = comparison.disagreements.iter().map(|d| d.row).collect();
    let again: Vec<Paragraph> = shown.iter().map(|&row| paragraphs[row].clone()).collect();
    for (system, again) in scored.iter_mut().zip(score(&again, true)?) {
        for e in again.output.evidence {
            system.output.add_evidence(shown[e.row], e.thesis, e.range, e.weight);
        }
    }
    let views: Vec<_> = scored.iter().map(Scored::as_system).collect();
    let to_label = lundian_eval::to_label(&comparison.disagreements, &paragraphs, &views, &taxonomy);

    if let Some(path) = &args.disagreements {
        let mut sink = Sink::open(Some(path))?;
        match args.label_with {
            LabelTool::Jsonl => {
                for item in &to_label {
                    writeln!(sink, "{}", unlabelled_row(item, &taxonomy))?;
                }
            }
            LabelTool::Doccano => {
                for item in &to_label {
                    writeln!(sink, "{}", doccano_row(item.paragraph, &[], &taxonomy))?;
                }
            }
            LabelTool::LabelStudio => {
                writeln!(sink, "{}", label_studio_tasks(&to_label, &taxonomy))?;
                let mut interface = Sink::open(Some(&path.with_extension("xml")))?;
                interface.write_all(label_studio_config(&taxonomy).as_bytes())?;
                interface.commit()?;
            }
        }
        sink.commit()?;
    }

    let mut look = Look::new(&taxonomy);
    look.color = output.is_none() && output::color();
    look.width = output::width();
    look.lang = args.lang.into();
    let mut sink = Sink::open(output)?;
    sink.write_all((format.write)(&comparison, &to_label, &look).as_bytes())?;
    sink.commit()?;
    if let Some(output) = output {
        let used = scored.iter().map(|s| (s.name.as_str(), &s.thresholds));
        Manifest::write(output, &inputs, &taxonomy, &plugins, used, Some(args.seed))?;
    }
    let failed = scoring::say_failures(&scored);
    Ok(if failed || lost.get() > 0 { Outcome::Partly } else { Outcome::Done })
}
