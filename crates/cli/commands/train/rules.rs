//! `lundian train rules`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use lundian_rules::{Pack, Rules, calibrate};

use crate::Outcome;
use crate::cli::Global;
use crate::config::Config;
use crate::output::{self, Sink};
use crate::scoring;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Labelled samples to weigh the rules by (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    gold: Vec<PathBuf>,
    /// Labelled samples that nobody read while writing the rules, to correct the weights and choose the threshold
    /// (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    tune: Vec<PathBuf>,
    /// A rule pack of your own beside the built-in ones (repeatable)
    #[arg(long, value_name = "FILE")]
    pack: Vec<PathBuf>,
    /// File to write; use it with `[plugin.rules] calibration = "FILE"` in lundian.toml
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let (mut packs, mut diagnostics) = lundian_rules::bundled(&taxonomy);
    for path in &args.pack {
        let (pack, mut found) = Pack::read(path, &taxonomy);
        packs.push(pack);
        diagnostics.append(&mut found);
    }
    for diagnostic in &diagnostics {
        output::say_diagnostic(diagnostic);
    }
    if diagnostics.iter().any(|d| d.error) {
        bail!("there are mistakes in the rule packs; nothing was weighed");
    }
    let train = scoring::read_gold(&args.gold, &taxonomy)?;
    let (tune, places) = scoring::read_gold_by_file(&args.tune, &taxonomy)?;
    for (path, place) in args.tune.iter().zip(places) {
        scoring::refuse_overlap("--gold", train.iter().map(|s| &s.paragraph), path, &tune[place])?;
    }
    let calibration = calibrate(&Rules::new(&taxonomy, &packs)?, &train, &tune);
    let mut sink = Sink::open(args.output.as_deref())?;
    sink.write_all(calibration.to_toml().as_bytes())?;
    sink.commit()?;
    Ok(Outcome::Done)
}
