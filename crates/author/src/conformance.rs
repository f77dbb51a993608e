//! What the conformance kit of `lundian-host` found, as a report for people and programs.
//!
//! The decision that matters: a plugin that does not load is put to no other check, since they would all say the same.

use std::fmt;

use lundian_core::Taxonomy;
use lundian_host::{CHECKS, Candidate, Conformance, Outcome, WorkerOptions};
use serde::Serialize;
use serde_json::Value;

/// The check without which no other makes sense.
const GATE: &str = "load";
/// The check that a seed belongs to.
const RANDOM: &str = "random";

/// Which checks are run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckOptions {
    /// Where the random check starts. Default: 1.
    pub seed: u64,
    /// The seed that a failed random check named: then only that batch is tried.
    pub reproduce: Option<u64>,
    /// Names of the checks to run; empty means all.
    pub only: Vec<String>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { seed: 1, reproduce: None, only: Vec::new() }
    }
}

impl CheckOptions {
    /// The same options with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same options, to see again what a seed shows.
    #[must_use]
    pub fn reproducing(mut self, seed: Option<u64>) -> Self {
        self.reproduce = seed;
        self
    }

    /// The same options, for some of the checks.
    #[must_use]
    pub fn only(mut self, names: Vec<String>) -> Self {
        self.only = names;
        self
    }
}

/// A name that is none of a check's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {name:?}: there are {}", CHECKS.iter().map(|c| c.name).collect::<Vec<_>>().join(", "))]
pub struct UnknownCheck {
    /// The name.
    pub name: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// As it should.
    Passed,
    /// The plugin does not conform.
    Failed,
    /// It was not run.
    Skipped,
}

/// What one check found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Name of the check.
    pub name: &'static str,
    /// What it asks for, in a sentence.
    pub doc: &'static str,
    /// How it ended.
    pub outcome: Verdict,
    /// What was measured, what is wrong, or why it was not run.
    pub detail: String,
    /// How long it took.
    pub seconds: f64,
}

/// What the conformance kit found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Id of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Name of the taxonomy that it was asked about.
    pub taxonomy: String,
    /// Seed of the random check.
    pub seed: u64,
    /// True if no check failed.
    pub passed: bool,
    /// What each check found, in the order in which they ran.
    pub checks: Vec<Row>,
}

/// Puts a plugin to the checks, each in a worker process of its own, and tells `heard` of each as it ends. The plugin need
/// not be trusted: whoever asks for this asks for it to be run.
///
/// # Errors
/// When the options name a check that there is not.
pub fn check(
    plugin: &Candidate,
    taxonomy: &Taxonomy,
    settings: &Value,
    worker: WorkerOptions,
    options: &CheckOptions,
    mut heard: impl FnMut(&Row),
) -> Result<Report, UnknownCheck> {
    if let Some(name) = options.only.iter().find(|name| CHECKS.iter().all(|c| c.name != name.as_str())) {
        return Err(UnknownCheck { name: name.clone() });
    }
    let mut kit = Conformance::new(plugin, taxonomy, settings, worker);
    kit.seed = options.reproduce.unwrap_or(options.seed);
    kit.reproduce = options.reproduce.is_some();
    let wanted = |name: &str| match options.reproduce {
        Some(_) => name == RANDOM,
        None => options.only.is_empty() || options.only.iter().any(|n| n == name),
    };
    let mut loads = true;
    let mut checks = Vec::new();
    for check in CHECKS.iter().filter(|c| wanted(c.name)) {
        let row = if loads {
            let result = kit.run(check);
            let outcome = if result.outcome == Outcome::Passed { Verdict::Passed } else { Verdict::Failed };
            Row { name: check.name, doc: check.doc, outcome, detail: result.detail, seconds: result.seconds }
        } else {
            let detail = "not run, since the plugin does not load".to_owned();
            Row { name: check.name, doc: check.doc, outcome: Verdict::Skipped, detail, seconds: 0.0 }
        };
        loads &= row.name != GATE || row.outcome == Verdict::Passed;
        heard(&row);
        checks.push(row);
    }
    Ok(Report {
        plugin: plugin.manifest.id.clone(),
        version: plugin.manifest.version.clone(),
        taxonomy: taxonomy.name().to_owned(),
        seed: kit.seed,
        passed: checks.iter().all(|row| row.outcome != Verdict::Failed),
        checks,
    })
}

impl fmt::Display for Row {
    /// One line, and another with what the check asks for where that was not so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = CHECKS.iter().map(|c| c.name.len()).max().unwrap_or_default();
        let word = match self.outcome {
            Verdict::Passed => "pass",
            Verdict::Failed => "FAIL",
            Verdict::Skipped => "skip",
        };
        let line = format!("{word}  {:width$}  {}", self.name, self.detail);
        f.write_str(line.trim_end())?;
        if self.outcome == Verdict::Failed {
            write!(f, "\n      {:width$}  (it asks that {})", "", self.doc)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    /// A line for each check, and a summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}, with the taxonomy {}\n", self.plugin, self.version, self.taxonomy)?;
        self.checks.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        let count = |outcome| self.checks.iter().filter(|row| row.outcome == outcome).count();
        write!(f, "\n{} passed, {} failed", count(Verdict::Passed), count(Verdict::Failed))?;
        match count(Verdict::Skipped) {
            0 => writeln!(f),
            skipped => writeln!(f, ", {skipped} not run"),
        }
    }
}
