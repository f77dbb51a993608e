//! `lundian agreement`: how far annotators agree.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use lundian_core::Sample;
use lundian_eval::Ratings;
use lundian_report::agreement_table;

use crate::Outcome;
use crate::cli::{Destination, Global, ReportFormat};
use crate::config::Config;
use crate::output::{self, Sink};

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
    /// Output format: table or json
    #[arg(long, short, value_enum, value_name = "FORMAT", help_heading = "Output")]
    format: Option<ReportFormat>,
    #[command(flatten)]
    destination: Destination,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let format = ReportFormat::choose(args.format, args.destination.output.as_deref());
    let mut files: Vec<(String, Vec<Sample>)> = Vec::new();
    let mut errors = 0;
    for path in &args.files {
        let (samples, diagnostics) = lundian_eval::read_gold(path, &taxonomy);
        for diagnostic in &diagnostics {
            errors += usize::from(diagnostic.error);
            output::say_diagnostic(diagnostic);
        }
        files.push((path.display().to_string(), samples));
    }
    if errors > 0 {
        bail!("there are errors in the label files; nothing was compared");
    }
    let named: Vec<(&str, &[Sample])> = files.iter().map(|(name, s)| (name.as_str(), s.as_slice())).collect();
    let ratings = Ratings::of_files(&named, taxonomy.len());
    let threads = lundian_runner::Options::default().threads;
    let agreement = lundian_eval::agreement(&ratings, &taxonomy, args.draws, args.seed, threads);
    let mut sink = Sink::open(args.destination.output.as_deref())?;
    match format {
        ReportFormat::Json => writeln!(sink, "{}", serde_json::to_string_pretty(&agreement)?)?,
        ReportFormat::Table => sink.write_all(agreement_table(&agreement, &taxonomy).as_bytes())?,
        ReportFormat::Html => bail!("agreement has no page yet: use table or json"),
    }
    sink.commit()?;
    Ok(Outcome::Done)
}
