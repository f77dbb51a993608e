//! The commands: one file each, one row each here.

mod agreement;
mod classify;
mod compare;
mod completions;
mod evaluate;
mod find_threshold;
mod man;
mod plugin;
mod segment;
mod thesis;
mod train;

use anyhow::bail;
use clap::Subcommand;

use crate::Outcome;
use crate::cli::Cli;
use crate::manifest;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Label paragraphs with the theses that they argue
    Classify(classify::Args),
    /// Show how the systems agree and differ on text that nobody has labelled
    Compare(compare::Args),
    /// Score systems against labelled samples
    Evaluate(evaluate::Args),
    /// Show how far annotators agree
    Agreement(agreement::Args),
    /// Cut documents into paragraphs, with their place in the source
    Segment(segment::Args),
    /// Choose thresholds on a tuning file
    FindThreshold(find_threshold::Args),
    /// Train a model on labelled samples
    #[command(subcommand)]
    Train(train::Command),
    /// List, show, add, remove and check plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// List and show the theses of the taxonomy
    #[command(subcommand)]
    Thesis(thesis::Command),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the man page, of the program or of a command
    Man(man::Args),
}

/// Runs the command that the user typed.
pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let global = &cli.global;
    let command = match (cli.command, &cli.manifest) {
        (Some(command), None) => command,
        (None, Some(path)) => return manifest::repeat(path),
        (Some(_), Some(_)) => bail!("--manifest repeats a run as it was: give no command beside it"),
        (None, None) => bail!("there is no command; `lundian --help` names them"),
    };
    match command {
        Command::Classify(args) => classify::run(&args, global),
        Command::Compare(args) => compare::run(&args, global),
        Command::Evaluate(args) => evaluate::run(&args, global),
        Command::Agreement(args) => agreement::run(&args, global),
        Command::Segment(args) => segment::run(&args, global),
        Command::FindThreshold(args) => find_threshold::run(&args, global),
        Command::Train(command) => train::run(&command, global),
        Command::Plugin(command) => plugin::run(&command, global),
        Command::Thesis(command) => thesis::run(&command, global),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
