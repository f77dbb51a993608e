//! Run manifests: what a result was made from, written beside it, and repeating it.
//!
//! `-o X` also writes `X.manifest.json`. The models and rules that are part of the program are covered by the hash of
//! the program itself.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use lundian_core::{Taxonomy, Thresholds};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Outcome;
use crate::cli::Cli;
use crate::output::Sink;
use crate::systems::PluginRecord;

const FORMAT: u32 = 1;
/// Keys whose values differ from run to run: they measure time.
const TIMINGS: [&str; 3] = ["seconds", "paragraphs_per_second", "elapsed"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileRecord {
    path: PathBuf,
    bytes: u64,
    sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProgramRecord {
    version: String,
    sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TaxonomyRecord {
    name: String,
    version: String,
    sha256: String,
}

/// Thresholds that a run used, by system or aggregate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ThresholdRecord {
    name: String,
    thresholds: Thresholds,
}

/// What a result was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    program: ProgramRecord,
    /// The arguments as they were typed; relative paths are relative to the working directory of the run.
    arguments: Vec<String>,
    inputs: Vec<FileRecord>,
    taxonomy: TaxonomyRecord,
    plugins: Vec<PluginRecord>,
    thresholds: Vec<ThresholdRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    output: FileRecord,
}

impl Manifest {
    /// Where the manifest of `output` stands.
    fn path(output: &Path) -> PathBuf {
        let mut name = output.as_os_str().to_owned();
        name.push(".manifest.json");
        name.into()
    }

    /// Describes the run that made `output` from `inputs`, and writes it beside it.
    pub(crate) fn write<'a>(
        output: &Path,
        inputs: &[PathBuf],
        taxonomy: &Taxonomy,
        plugins: &[PluginRecord],
        thresholds: impl Iterator<Item = (&'a str, &'a Thresholds)>,
        seed: Option<u64>,
    ) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("the running program cannot be found")?;
        let manifest = Self {
            format: FORMAT,
            program: ProgramRecord { version: env!("CARGO_PKG_VERSION").into(), sha256: record(&program)?.sha256 },
            arguments: std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect(),
            inputs: inputs.iter().map(|p| record(p)).collect::<anyhow::Result<_>>()?,
            taxonomy: TaxonomyRecord {
                name: taxonomy.name().into(),
                version: taxonomy.version().into(),
                sha256: lundian_host::sha256_hex(taxonomy.to_json().as_bytes()),
            },
            plugins: plugins.to_vec(),
            thresholds: thresholds
                .map(|(name, thresholds)| ThresholdRecord { name: name.into(), thresholds: thresholds.clone() })
                .collect(),
            seed,
            output: record(output)?,
        };
        let mut sink = Sink::open(Some(&Self::path(output)))?;
        serde_json::to_writer_pretty(&mut sink, &manifest)?;
        writeln!(sink)?;
        sink.commit()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let source = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        let manifest: Self =
            serde_json::from_str(&source).with_context(|| format!("{}: not a run manifest", path.display()))?;
        if manifest.format != FORMAT {
            bail!("{}: manifest format {} is not known to this version", path.display(), manifest.format);
        }
        Ok(manifest)
    }
}

fn record(path: &Path) -> anyhow::Result<FileRecord> {
    let cannot = || format!("{}: cannot read for the manifest", path.display());
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut f| f.read_to_end(&mut bytes)).with_context(cannot)?;
    Ok(FileRecord { path: path.to_owned(), bytes: bytes.len() as u64, sha256: lundian_host::sha256_hex(&bytes) })
}

/// Repeats the run that a manifest describes, into a temporary folder, and says what differs.
pub(crate) fn repeat(path: &Path) -> anyhow::Result<Outcome> {
    let before = Manifest::read(path)?;
    let folder = tempfile::tempdir()?;
    let name = before.output.path.file_name().context("the manifest names no output file")?;
    let output = folder.path().join(name);
    let Some(arguments) = redirected(&before.arguments, &before.output.path, &output) else {
        bail!("{}: its arguments do not write {}", path.display(), before.output.path.display());
    };
    // In a process of its own, since a run may set handlers and end the process.
    let status = std::process::Command::new(std::env::current_exe()?).args(&arguments).status()?;
    if !matches!(status.code(), Some(0 | 3)) {
        bail!("the run cannot be repeated: it ended with {status}");
    }
    let after = Manifest::read(&Manifest::path(&output))?;
    let differences = differences(&before, &after, &output)?;
    let mut out = std::io::stdout().lock();
    if differences.is_empty() {
        writeln!(out, "repeated: the same result from the same input")?;
        return Ok(Outcome::Done);
    }
    for difference in differences {
        writeln!(out, "differs: {difference}")?;
    }
    Ok(Outcome::CheckFailed)
}

/// The arguments with another output file; `None` if they name none.
fn redirected(arguments: &[String], from: &Path, to: &Path) -> Option<Vec<OsString>> {
    // Check that they are arguments of ours before they are run.
    Cli::try_parse_from([&"lundian".to_owned()].into_iter().chain(arguments)).ok()?;
    let mut found = false;
    let redirected = arguments
        .iter()
        .map(|argument| {
            for prefix in ["", "-o", "-o=", "--output="] {
                if argument.strip_prefix(prefix).is_some_and(|rest| Path::new(rest) == from) {
                    found = true;
                    return OsString::from(format!("{prefix}{}", to.display()));
                }
            }
            OsString::from(argument)
        })
        .collect();
    found.then_some(redirected)
}

fn differences(before: &Manifest, after: &Manifest, output: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    if before.program != after.program {
        found.push(format!("the program ({} then, {} now)", before.program.version, after.program.version));
    }
    for input in &before.inputs {
        match after.inputs.iter().find(|i| i.path == input.path) {
            None => found.push(format!("input {} is gone", input.path.display())),
            Some(now) if now.sha256 != input.sha256 => {
                found.push(format!("input {} has changed", input.path.display()));
            }
            Some(_) => {}
        }
    }
    for input in after.inputs.iter().filter(|i| before.inputs.iter().all(|b| b.path != i.path)) {
        found.push(format!("input {} is new", input.path.display()));
    }
    if before.taxonomy != after.taxonomy {
        found.push("the taxonomy".to_owned());
    }
    if before.plugins != after.plugins {
        found.push("the plugins or their settings".to_owned());
    }
    if before.thresholds != after.thresholds {
        found.push("the thresholds".to_owned());
    }
    if before.seed != after.seed {
        found.push("the seed".to_owned());
    }
    if before.output.sha256 != after.output.sha256 && !same_but_for_timings(&before.output.path, output)? {
        found.push(format!("the result {}", before.output.path.display()));
    }
    Ok(found)
}

/// True if two JSON results differ only in how long things took. Other formats are compared by their bytes alone.
fn same_but_for_timings(a: &Path, b: &Path) -> anyhow::Result<bool> {
    fn without_timings(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !TIMINGS.contains(&key.as_str()));
                map.values_mut().for_each(without_timings);
            }
            Value::Array(values) => values.iter_mut().for_each(without_timings),
            _ => {}
        }
    }
    let read = |path: &Path| -> anyhow::Result<Option<Value>> {
        let Ok(source) = std::fs::read_to_string(path) else { return Ok(None) };
        let mut value: Option<Value> = serde_json::from_str(&source).ok();
        value.iter_mut().for_each(without_timings);
        Ok(value)
    };
    Ok(matches!((read(a)?, read(b)?), (Some(a), Some(b)) if a == b))
}
