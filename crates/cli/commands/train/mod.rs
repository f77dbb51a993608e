//! `lundian train`: make models from labelled samples. A file and a row here for each plugin that learns.

mod ensemble;
mod linear;
mod rules;

use clap::Subcommand;

use crate::Outcome;
use crate::cli::Global;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train the linear model
    Linear(linear::Args),
    /// Learn how to combine plugins
    Ensemble(ensemble::Args),
    /// Weigh rules by how often they are right
    Rules(rules::Args),
}

pub(crate) fn run(command: &Command, global: &Global) -> anyhow::Result<Outcome> {
    match command {
        Command::Linear(args) => linear::run(args, global),
        Command::Ensemble(args) => ensemble::run(args, global),
        Command::Rules(args) => rules::run(args, global),
    }
}
