//! `lundian man`

use clap::CommandFactory as _;

use crate::Outcome;
use crate::cli::Cli;

pub(crate) fn run() -> anyhow::Result<Outcome> {
    clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout().lock())?;
    Ok(Outcome::Done)
}
