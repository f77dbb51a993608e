//! `lundian completions SHELL`

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Outcome;
use crate::cli::Cli;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    // Into memory first: the generator panics when its output closes early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lundian", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script)?;
    Ok(Outcome::Done)
}
