//! Systems over paragraphs held in memory: what `evaluate`, `compare` and `find-threshold` have in common.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use lundian_core::{Kind, Output, Paragraph, Sample, Taxonomy, Thresholds};
use lundian_eval::SystemOutput;
use lundian_runner::aggregate::{self, AGGREGATES, Entry, Fitted, Panel, Training};
use lundian_runner::{Gate, Labelled, Options, RunError, StageSummary, System, evidence_for, mean_role};

use crate::output::{self, Interrupted};

/// Paragraphs of [`warm_up`].
const WARM_UP: usize = 32;

/// The samples that all systems judge once before their time is taken to choose by: the first batch pays for what is
/// read or made once.
pub(crate) fn warm_up(samples: &[Sample]) -> &[Sample] {
    &samples[..samples.len().min(WARM_UP)]
}

/// What one system, or one aggregate of systems, says of every paragraph.
pub(crate) struct Scored {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) thresholds: Thresholds,
    pub(crate) output: Output,
    /// Time that it takes for all paragraphs, see [`score`].
    pub(crate) seconds: f64,
    /// How far the paragraphs go, if it is an aggregate that spares systems.
    pub(crate) stages: Vec<StageSummary>,
}

impl Scored {
    /// The view of it that the evaluator takes.
    pub(crate) fn as_system(&self) -> SystemOutput<'_> {
        SystemOutput {
            name: &self.name,
            kind: self.kind,
            output: &self.output,
            thresholds: &self.thresholds,
            seconds: self.seconds,
        }
    }
}

/// The aggregate called `name`.
pub(crate) fn find_aggregate(name: &str) -> anyhow::Result<&'static Entry> {
    aggregate::find(name).ok_or_else(|| anyhow!("there is no aggregate {name:?}; there are {}", aggregate::names()))
}

/// The aggregates that flags name; all that can be used if none is named and there is more than one system to combine.
pub(crate) fn aggregates(
    named: &[String],
    systems: &[System],
    fitted: &Fitted,
    taxonomy: &Taxonomy,
) -> anyhow::Result<Vec<&'static Entry>> {
    if named.is_empty() {
        let panel = Panel::new(systems, taxonomy);
        let usable = |a: &&Entry| systems.len() > 1 && a.for_panel(&panel, Some(fitted)).is_ok();
        return Ok(AGGREGATES.iter().filter(usable).collect());
    }
    let mut chosen: Vec<&'static Entry> = named.iter().map(|n| find_aggregate(n)).collect::<anyhow::Result<_>>()?;
    // What was learned must show that it is better than the plain mean.
    if chosen.iter().any(|a| a.is_learned()) && !chosen.iter().any(|a| a.name == "mean") {
        chosen.extend(aggregate::find("mean"));
    }
    Ok(chosen)
}

/// Runs the systems over the paragraphs and the aggregates over their scores. Returns the systems, then the aggregates.
///
/// Every system judges every paragraph, also for an aggregate that would spare some. The seconds of an aggregate are
/// those of combining, and of its systems: for each of its stages the measured seconds of the stage's systems times the
/// share of paragraphs that reach it. One without stages needs all systems for all paragraphs.
pub(crate) fn score(
    paragraphs: &[Paragraph],
    systems: &[System],
    aggregates: &[&Entry],
    fitted: &Fitted,
    taxonomy: &Taxonomy,
    options: &Options,
    quiet: bool,
) -> anyhow::Result<Vec<Scored>> {
    let mut scored: Vec<Scored> = systems
        .iter()
        .map(|s| Scored {
            name: s.name.clone(),
            kind: s.kind,
            thresholds: s.thresholds.clone(),
            output: Output::new(paragraphs.len(), taxonomy.len()),
            seconds: 0.0,
            stages: Vec::new(),
        })
        .collect();
    let panel = Panel::new(systems, taxonomy);
    let mut combined: Vec<Combined> = Vec::new();
    for entry in aggregates {
        let aggregate = entry.for_panel(&panel, Some(fitted))?;
        let gate = aggregate.gate();
        let stages = gate.as_ref().map_or_else(|| vec![(0..systems.len()).collect()], |g| g.stages().to_vec());
        let scored = Scored {
            name: entry.name.to_owned(),
            kind: Kind::Aggregate,
            thresholds: aggregate.thresholds(),
            output: Output::new(paragraphs.len(), taxonomy.len()),
            seconds: 0.0,
            stages: stages.into_iter().map(|systems| StageSummary { systems, ..StageSummary::default() }).collect(),
        };
        combined.push(Combined { aggregate, gate, scored });
    }

    let progress = output::progress(quiet);
    let mut row = 0;
    let input = paragraphs.iter().cloned();
    let summary = lundian_runner::run(input, systems, taxonomy, options, |labelled| {
        progress.inc(1);
        let scores: Vec<&[f32]> = labelled.verdicts.iter().map(|v| v.scores.as_slice()).collect();
        for Combined { aggregate, gate, scored } in &mut combined {
            let started = std::time::Instant::now();
            scored.output.row_mut(row).copy_from_slice(&aggregate.combine(&scores));
            scored.seconds += started.elapsed().as_secs_f64();
            let depth = gate.as_ref().map_or(1, |gate| gate.depth(&scores));
            scored.stages[..depth].iter_mut().for_each(|stage| stage.paragraphs += 1);
            let asked: Vec<usize> = scored.stages[..depth].iter().flat_map(|stage| stage.systems.clone()).collect();
            if let Some(role) = mean_role(asked.iter().map(|&system| &labelled.verdicts[system])) {
                scored.output.set_role(row, role);
            }
            add_evidence(&mut scored.output, row, &labelled, &asked);
        }
        for (number, (system, verdict)) in scored.iter_mut().zip(&labelled.verdicts).enumerate() {
            if let Some(reason) = &verdict.failed {
                system.output.fail(row, reason);
            } else {
                system.output.row_mut(row).copy_from_slice(&verdict.scores);
                if let Some(role) = verdict.role {
                    system.output.set_role(row, role);
                }
                add_evidence(&mut system.output, row, &labelled, &[number]);
            }
        }
        row += 1;
        Ok::<(), std::convert::Infallible>(())
    })
    .map_err(|e| match e {
        RunError::Interrupted => anyhow::Error::new(Interrupted),
        RunError::Sink(never) => match never {},
    })?;
    progress.finish_and_clear();
    for (system, s) in scored.iter_mut().zip(&summary.systems) {
        system.seconds = s.seconds;
    }
    scored.extend(combined.into_iter().map(|Combined { mut scored, .. }| {
        for stage in &mut scored.stages {
            let all: f64 = stage.systems.iter().map(|&s| summary.systems[s].seconds).sum();
            stage.seconds = all * stage.paragraphs as f64 / paragraphs.len().max(1) as f64;
            scored.seconds += stage.seconds;
        }
        scored
    }));
    Ok(scored)
}

/// Adds to a row of `output` the evidence that users would see of `systems`.
fn add_evidence(output: &mut Output, row: usize, labelled: &Labelled, systems: &[usize]) {
    for thesis in 0..output.theses() {
        for span in evidence_for(&labelled.paragraph.text, &labelled.verdicts, systems, thesis) {
            output.add_evidence(row, thesis, span.range, span.weight);
        }
    }
}

/// An aggregate at work.
struct Combined {
    aggregate: Box<dyn aggregate::Aggregate>,
    gate: Option<Arc<dyn Gate>>,
    scored: Scored,
}

/// Says how far the paragraphs went for each aggregate that spares systems.
pub(crate) fn say_stages(scored: &[Scored], systems: &[System]) {
    for s in scored {
        if let Some(words) = lundian_runner::stages_in_words(&s.stages, systems) {
            output::say(format_args!("{}: {words}", s.name));
        }
    }
}

/// What the systems of `panel`, which stand first in `scored`, say of labelled samples.
pub(crate) fn training<'a>(
    panel: &'a Panel,
    samples: &'a [Sample],
    scored: &'a [Scored],
) -> anyhow::Result<Training<'a>> {
    let scores: Vec<&[f32]> = scored.iter().take(panel.names.len()).map(|s| s.output.scores()).collect();
    Ok(Training::new(panel, samples, &scores)?)
}

/// Seconds that each system of `panel`, which stand first in `scored`, took for a paragraph.
pub(crate) fn seconds_each(panel: &Panel, scored: &[Scored]) -> Vec<f64> {
    scored.iter().take(panel.names.len()).map(|s| s.seconds / s.output.rows().max(1) as f64).collect()
}

/// Says what the cascade is and what it does to the samples of `file`, on which its band was chosen.
pub(crate) fn say_cascade(fitted: &Fitted, file: &str, quiet: bool) {
    let Some((target, expected, stages)) = fitted.cascade() else { return };
    output::inform(quiet, format_args!("cascade: {stages}"));
    output::inform(quiet, format_args!("cascade on {file}: {expected}"));
    if !expected.meets(target) {
        output::say_warning(format_args!("no band of the cascade keeps to {target}; this one comes nearest"));
    }
}

/// Reads labelled samples from several files; any error is fatal, after all have been said.
pub(crate) fn read_gold<P: AsRef<Path>>(files: &[P], taxonomy: &Taxonomy) -> anyhow::Result<Vec<Sample>> {
    Ok(read_gold_by_file(files, taxonomy)?.0)
}

/// As [`read_gold`], with the place of each file's samples among all.
pub(crate) fn read_gold_by_file<P: AsRef<Path>>(
    files: &[P],
    taxonomy: &Taxonomy,
) -> anyhow::Result<(Vec<Sample>, Vec<Range<usize>>)> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut places = Vec::new();
    for read in read_each(files, taxonomy)? {
        places.push(samples.len()..samples.len() + read.len());
        samples.extend(read);
    }
    let mut ids = std::collections::HashSet::new();
    if let Some(twice) = samples.iter().find(|s| !ids.insert(s.paragraph.id.as_str())) {
        bail!("paragraph id {:?} stands in two gold files; give each paragraph an id of its own", twice.paragraph.id);
    }
    Ok((samples, places))
}

/// Reads labelled samples, a list for each file; any error is fatal, after all have been said.
pub(crate) fn read_each<P: AsRef<Path>>(files: &[P], taxonomy: &Taxonomy) -> anyhow::Result<Vec<Vec<Sample>>> {
    let mut errors = 0;
    let mut all = Vec::new();
    for file in files {
        let (read, diagnostics) = lundian_eval::read_gold(file.as_ref(), taxonomy);
        for diagnostic in &diagnostics {
            errors += usize::from(diagnostic.error);
            output::say_diagnostic(diagnostic);
        }
        all.push(read);
    }
    match errors {
        0 => Ok(all),
        1 => bail!("there is an error in the labelled samples: mend it first"),
        n => bail!("there are {n} errors in the labelled samples: mend them first"),
    }
}

/// The name of a data file, without its folders.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// The paragraphs of samples.
pub(crate) fn paragraphs(samples: &[Sample]) -> Vec<Paragraph> {
    samples.iter().map(|s| s.paragraph.clone()).collect()
}

/// Says which systems failed on how many paragraphs; true if any did.
pub(crate) fn say_failures(scored: &[Scored]) -> bool {
    let mut any = false;
    for s in scored {
        if let Some(first) = s.output.failures.first() {
            any = true;
            let n = s.output.failures.len();
            output::say_error(format_args!("{} failed on {n} paragraphs: {}", s.name, first.reason));
        }
    }
    any
}

/// What was trained on, or thresholds chosen on, would flatter every system that is measured on it, too. `flag` is the
/// one that gave the paragraphs in use, `held_out` are the samples of `file` that must be others.
pub(crate) fn refuse_overlap<'a>(
    flag: &str,
    used: impl IntoIterator<Item = &'a Paragraph>,
    file: &Path,
    held_out: &[Sample],
) -> anyhow::Result<()> {
    let texts: std::collections::HashSet<&str> = used.into_iter().map(|p| p.text.as_str()).collect();
    let shared = held_out.iter().filter(|s| texts.contains(s.paragraph.text.as_str())).count();
    // A stock phrase may stand in both by chance.
    if shared * 20 > held_out.len() {
        bail!(
            "{}: {shared} of its {} paragraphs are also in a file of {flag}: train, choose thresholds and measure each on \
             other samples",
            file.display(),
            held_out.len()
        );
    }
    Ok(())
}
