//! `lundian agreement`: how far annotators agree.

use std::io::Write as _;
use std::path::PathBuf;

use lundian_core::Sample;
use lundian_eval::Ratings;
use lundian_report::{AGREEMENT_FORMATS, Look};

use crate::Outcome;
use crate::cli::{Destination, Global, choose_format, format_names};
use crate::config::Config;
use crate::output::{self, Sink};
use crate::scoring;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Label files, an annotator each (ours, doccano, Label Studio), or one file that names its annotators (ours with
    /// `annotators`, or CSV with the columns task, worker, label)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Draws of the bootstrap; 0 leaves intervals out
    #[arg(long, value_name = "N", default_value_t = 2000, help_heading = "Statistics")]
    draws: usize,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Statistics")]
    seed: u64,
    /// Output format [default: by the ending of the output file, else table]
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = format_names(AGREEMENT_FORMATS))]
    format: Option<String>,
    #[command(flatten)]
    destination: Destination,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let output = args.destination.output.as_deref();
    let format = choose_format(AGREEMENT_FORMATS, args.format.as_deref(), output)?;
    let names: Vec<String> = args.files.iter().map(|path| path.display().to_string()).collect();
    // The same paragraph stands in several files: one for each who labelled it.
    let files = scoring::read_each(&args.files, &taxonomy)?;
    let named: Vec<(&str, &[Sample])> =
        names.iter().zip(&files).map(|(name, samples)| (name.as_str(), samples.as_slice())).collect();
    let ratings = Ratings::of_files(&named, taxonomy.len());
    let threads = lundian_runner::Options::default().threads;
    let agreement = lundian_eval::agreement(&ratings, &taxonomy, args.draws, args.seed, threads);
    let mut look = Look::new(&taxonomy);
    look.color = output.is_none() && output::color();
    let mut sink = Sink::open(output)?;
    sink.write_all((format.write)(&agreement, &look).as_bytes())?;
    sink.commit()?;
    Ok(Outcome::Done)
}
