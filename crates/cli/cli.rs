//! What a user may type. Help, man page and completions come from here alone.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, ValueEnum};
use lundian_report::ReportFormat;
use lundian_runner::aggregate::cascade::Target;

use crate::commands::Command;

/// Label the paragraphs of Chinese-language economic debate with the theses that they argue.
///
/// Documents are cut into paragraphs; several independent methods (plugins) score each paragraph against the theses of a
/// taxonomy, with the words that show it; an aggregate decides. Input may be Markdown, HTML, plain text, JSONL or CSV, a
/// folder of such files, or `-` for standard input.
///
/// Exit codes: 0 done; 1 a check or gate failed; 2 wrong usage, configuration or input; 3 finished, but some plugins or
/// inputs failed; 101 a bug.
#[derive(Debug, Parser)]
#[command(name = "lundian", version, propagate_version = true, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    /// Repeat the run that this manifest describes, and say what differs
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Taxonomy file (TOML) to use in place of the embedded `china-economy`
    #[arg(long, value_name = "FILE", global = true, help_heading = "Common options")]
    pub(crate) taxonomy: Option<PathBuf>,
    /// Settings file [default: lundian.toml of the working directory, if there is one]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Common options")]
    pub(crate) config: Option<PathBuf>,
    /// Folder to look for plugins in, before LUNDIAN_PLUGIN_PATH and your data directory (repeatable)
    #[arg(long, value_name = "DIR", global = true, help_heading = "Common options")]
    pub(crate) plugin_dir: Vec<PathBuf>,
    /// Say nothing but errors on standard error
    #[arg(long, short, global = true, help_heading = "Common options")]
    pub(crate) quiet: bool,
}

/// Which systems to run, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Systems {
    /// Plugin to use (repeatable) [default: all usable plugins]
    #[arg(long = "plugin", short = 'p', value_name = "NAME", help_heading = "Systems")]
    pub(crate) plugins: Vec<String>,
    /// Threads that run classifiers [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Systems")]
    pub(crate) threads: Option<usize>,
    /// What `train ensemble` learned for these plugins [default: what comes with the program, for its own]
    #[arg(long, value_name = "FILE", help_heading = "Systems")]
    pub(crate) ensemble: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

/// What a cascade aims at.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub(crate) struct CascadeTarget {
    /// Most macro or micro F1 that the cascade may lose against asking all plugins about all paragraphs; it spends as
    /// little time as that allows [default: what it was fitted with, and 0.01 when it is fitted]
    #[arg(long, value_name = "0..1", help_heading = "Cascade", value_parser = share)]
    loss: Option<f64>,
    /// Most time that the cascade may spend, as a share of that of all plugins on all paragraphs; it loses as little F1
    /// as that allows
    #[arg(long, value_name = "0..1", help_heading = "Cascade", value_parser = share_above_0)]
    cost: Option<f64>,
}

impl CascadeTarget {
    pub(crate) fn get(self) -> Option<Target> {
        self.loss.map(Target::Loss).or(self.cost.map(Target::Cost))
    }
}

fn share(word: &str) -> Result<f64, String> {
    let share = word.parse::<f64>().map_err(|e| e.to_string())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(format!("{share} is not between 0 and 1")) }
}

fn share_above_0(word: &str) -> Result<f64, String> {
    share(word).and_then(|s| if s > 0.0 { Ok(s) } else { Err("nothing can be had for no time at all".to_owned()) })
}

/// How plugins that are not part of the program are run.
#[derive(Args, Clone, Debug)]
pub(crate) struct IsolationArgs {
    /// Where plugins that are not part of the program run
    #[arg(long, value_enum, default_value = "process", help_heading = "Plugins")]
    pub(crate) isolation: IsolationMode,
    /// Whether worker processes drop what a classifier does not need: network, starting programs, other files
    #[arg(long, value_enum, default_value = "on", help_heading = "Plugins")]
    pub(crate) sandbox: SandboxMode,
    /// Worker processes for each plugin
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Plugins")]
    pub(crate) workers: usize,
    /// Seconds that a worker may take for a batch
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Plugins")]
    pub(crate) deadline: u64,
    /// Memory that a worker may address, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096, help_heading = "Plugins")]
    pub(crate) memory_mb: u64,
}

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationMode {
    /// In worker processes: what it breaks there, it breaks for itself
    Process,
    /// In this process: a crash of it ends the run
    None,
}

/// Whether workers are sandboxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxMode {
    On,
    Off,
}

/// How to read the input.
#[derive(Args, Clone, Debug)]
pub(crate) struct Input {
    /// Files, folders (recursed) or `-`
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Column or key that holds the text of JSONL and CSV rows [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub(crate) text_column: Option<String>,
    /// Read every input as this format, whatever its name
    #[arg(long, value_name = "FORMAT", help_heading = "Input")]
    pub(crate) input_format: Option<InputFormat>,
}

/// The formats of documents.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum InputFormat {
    Markdown,
    Html,
    Plain,
    Jsonl,
    Csv,
}

impl From<InputFormat> for lundian_text::Format {
    fn from(format: InputFormat) -> Self {
        match format {
            InputFormat::Markdown => Self::Markdown,
            InputFormat::Html => Self::Html,
            InputFormat::Plain => Self::Plain,
            InputFormat::Jsonl => Self::Jsonl,
            InputFormat::Csv => Self::Csv,
        }
    }
}

/// Where the result goes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Destination {
    /// Write to this file, whole or not at all, instead of standard output
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
}

/// The words of `--format` for a report, with what they stand for.
pub(crate) fn format_names<W>(formats: &[ReportFormat<W>]) -> PossibleValuesParser {
    formats.iter().map(|f| PossibleValue::new(f.name).help(f.doc)).collect::<Vec<_>>().into()
}

/// The format of a report: the flag's, else that of the output file's ending, else the table.
pub(crate) fn choose_format<W>(
    formats: &'static [ReportFormat<W>],
    flag: Option<&str>,
    output: Option<&Path>,
) -> anyhow::Result<&'static ReportFormat<W>> {
    match (flag.and_then(|name| ReportFormat::find(formats, name)), output) {
        (Some(format), _) => Ok(format),
        (None, Some(path)) => ReportFormat::of_path(formats, path)
            .ok_or_else(|| unknown_ending(path, formats.iter().flat_map(|f| f.endings).copied())),
        (None, None) => Ok(&formats[0]),
    }
}

/// The error about an output file whose ending says nothing.
pub(crate) fn unknown_ending<'a>(path: &Path, known: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let known: Vec<String> = known.map(|e| format!(".{e}")).collect();
    anyhow!("{}: its ending stands for no format ({} do): say --format", path.display(), known.join(", "))
}

/// The languages of pages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportLang {
    En,
    Zh,
}

impl From<ReportLang> for lundian_report::Lang {
    fn from(lang: ReportLang) -> Self {
        match lang {
            ReportLang::En => Self::En,
            ReportLang::Zh => Self::Zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
