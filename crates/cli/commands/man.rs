//! `lundian man [COMMAND]...`

use std::io::Write as _;

use anyhow::bail;
use clap::CommandFactory as _;

use crate::Outcome;
use crate::cli::Cli;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The command that the page is about, such as `classify` or `plugin add` [default: the whole program]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    let mut page = &command;
    for word in &args.command {
        let Some(sub) = page.find_subcommand(word) else { bail!("there is no command {:?}", args.command.join(" ")) };
        page = sub;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone()).render(&mut text)?;
    std::io::stdout().lock().write_all(&text)?;
    Ok(Outcome::Done)
}
