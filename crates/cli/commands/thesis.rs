//! `lundian thesis list | show`

use std::io::Write;

use anyhow::bail;
use clap::ValueEnum;
use lundian_report::{Column, Table};

use crate::Outcome;
use crate::cli::Global;
use crate::config::Config;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the theses by family
    List {
        /// How to print them
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Show what a thesis claims, what counts and what does not
    Show {
        /// Slug of the thesis
        slug: String,
    },
}

pub(crate) fn run(command: &Command, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let mut out = std::io::stdout().lock();
    match command {
        Command::List { format: Format::Json } => writeln!(out, "{}", taxonomy.to_json())?,
        Command::List { format: Format::Table } => {
            let columns = ["thesis", "中文", "English", "family", "proposition"];
            let mut table = Table::new(columns.map(Column::left).to_vec());
            for t in taxonomy.theses() {
                table.row([&t.slug, &t.name.zh, &t.name.en, &t.family, &t.proposition.zh].map(String::clone));
            }
            write!(out, "{table}")?;
        }
        Command::Show { slug } => {
            let Some(index) = taxonomy.index(slug) else {
                match taxonomy.nearest(slug) {
                    Some(near) => bail!("there is no thesis {slug:?}; did you mean {near:?}?"),
                    None => bail!("there is no thesis {slug:?}; `lundian thesis list` names them"),
                }
            };
            let thesis = &taxonomy.theses()[index];
            let family = &taxonomy.families()[taxonomy.family_of(index)];
            writeln!(out, "{} {} ({})", thesis.slug, thesis.name.zh, thesis.name.en)?;
            writeln!(out, "family: {} {} ({})\n", family.slug, family.name.zh, family.name.en)?;
            writeln!(out, "{}\n{}", thesis.proposition.zh, thesis.proposition.en)?;
            let notes = [
                ("counts:", &thesis.include),
                ("does not count:", &thesis.exclude),
                ("argues it:", &thesis.examples),
                ("does not argue it:", &thesis.counterexamples),
            ];
            for (head, lines) in notes.into_iter().filter(|(_, lines)| !lines.is_empty()) {
                writeln!(out, "\n{head}")?;
                for line in lines {
                    writeln!(out, "  - {line}")?;
                }
            }
        }
    }
    Ok(Outcome::Done)
}
