//! The program: reads arguments, prints, exits. Everything else is in the library crates.

mod cli;
mod commands;
mod config;
mod input;
mod manifest;
mod output;
mod scoring;
mod systems;
mod thresholds;

use std::process::ExitCode;

use clap::Parser;

/// How a command ended, if it did not fail outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All done.
    Done,
    /// A check or a gate did not pass.
    CheckFailed,
    /// Finished, but some plugins or inputs failed.
    Partly,
}

fn main() -> ExitCode {
    // A worker process is this very program; nothing else may happen in it.
    #[cfg(unix)]
    {
        let mut args = std::env::args_os().skip(1);
        if args.next().is_some_and(|first| first == systems::WORKER) {
            return lundian_host::worker_main(args);
        }
    }
    match commands::run(cli::Cli::parse()) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFailed) => ExitCode::from(1),
        Ok(Outcome::Partly) => ExitCode::from(3),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<output::Interrupted>() => {
            output::say(format_args!("{error}"));
            ExitCode::from(130)
        }
        Err(error) => {
            output::say_error(format_args!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
