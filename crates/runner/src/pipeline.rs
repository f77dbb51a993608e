//! Paragraphs in, verdicts out, in input order and in constant memory.
//!
//! One thread reads paragraphs into chunks, several run every system over a chunk, and the caller's thread puts the
//! chunks back in order and hands them on. A chunk needs a permit from the moment it is read until it has been handed
//! on, so that neither a slow reader of the results nor one slow chunk lets work pile up.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lundian_core::{Batch, Cancel, ClassifierError, Evidence, Kind, Output, Paragraph, RoleScores, Taxonomy, Unit};

use crate::{Gate, Judge, System};

/// Most paragraphs that a classifier gets at once.
const CHUNK_PARAGRAPHS: usize = 256;
/// Most bytes of text that a classifier gets at once (one paragraph may exceed it alone).
const CHUNK_BYTES: usize = 1 << 20;
/// A system whose last batches all failed is switched off: it will not get better, and each failure costs time.
const FAILURES_IN_A_ROW: usize = 3;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that run classifiers; 0 counts as 1.
    pub threads: usize,
    /// Whether evidence is wanted.
    pub evidence: bool,
    /// Stops the run when set.
    pub cancel: Cancel,
    /// Who will make labels of the verdicts. What cannot matter to them is spared: systems, by the judge's
    /// [`gate`](Judge::gate), and evidence that is dear, that of transformers, who look at a paragraph again and again for
    /// it and are asked for it only where a label would else have none. Without one, every system judges every paragraph
    /// and gives its evidence.
    pub judge: Option<Arc<Judge>>,
}

impl Default for Options {
    /// One thread a core, with evidence.
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { threads, evidence: true, cancel: Cancel::default(), judge: None }
    }
}

/// An evidence span of one system: bytes of the paragraph's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Index of the thesis.
    pub thesis: usize,
    /// Bytes of the paragraph's text, on character boundaries.
    pub range: Range<usize>,
    /// How much it carries, in [0, 1].
    pub weight: f32,
}

impl From<Evidence> for Span {
    fn from(evidence: Evidence) -> Self {
        Self { thesis: evidence.thesis, range: evidence.range, weight: evidence.weight }
    }
}

/// What one system says of one paragraph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// One score per thesis, in [0, 1]; NaN where it abstains, and everywhere if it failed or was spared.
    pub scores: Vec<f32>,
    /// How likely it holds each role of the paragraph to be; `None` if it says nothing of roles, failed or was spared.
    pub role: Option<RoleScores>,
    /// Its evidence.
    pub evidence: Vec<Span>,
    /// Why it has no answer, if it failed.
    pub failed: Option<String>,
    /// True if it did not run, since the paragraph was decided without it.
    pub spared: bool,
}

/// A paragraph with the verdict of every system, in the order of the run's systems.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The paragraph.
    pub paragraph: Paragraph,
    /// One verdict a system.
    pub verdicts: Vec<Verdict>,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Paragraphs handed on.
    pub paragraphs: usize,
    /// Wall-clock time of the whole run.
    pub elapsed: Duration,
    /// One entry a system, in the order of the run's systems.
    pub systems: Vec<SystemSummary>,
    /// One entry a stage of the gate; one for all systems if there is none.
    pub stages: Vec<StageSummary>,
}

/// What a stage of a run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageSummary {
    /// Its systems, as indices into the run's systems.
    pub systems: Vec<usize>,
    /// Paragraphs that reached it.
    pub paragraphs: usize,
    /// Time spent in its systems, summed over threads.
    pub seconds: f64,
}

/// How far the paragraphs of a run went, in a line; `None` where there were no stages to spare.
pub fn stages_in_words(stages: &[StageSummary], systems: &[System]) -> Option<String> {
    let [first, _, ..] = stages else { return None };
    let of_stage = |(number, stage): (usize, &StageSummary)| {
        let names: Vec<&str> = stage.systems.iter().map(|&s| systems[s].name.as_str()).collect();
        let share = 100.0 * stage.paragraphs as f64 / first.paragraphs.max(1) as f64;
        let (names, paragraphs, seconds) = (names.join(", "), stage.paragraphs, stage.seconds);
        format!("stage {} ({names}): {paragraphs} paragraphs ({share:.0} %), {seconds:.2} s", number + 1)
    };
    Some(stages.iter().enumerate().map(of_stage).collect::<Vec<_>>().join("; "))
}

/// What became of one system in a run.
#[derive(Clone, Debug, Default)]
pub struct SystemSummary {
    /// Time spent in its classifier, summed over threads.
    pub seconds: f64,
    /// Paragraphs that it judged.
    pub judged: usize,
    /// Paragraphs that it failed on.
    pub failed: usize,
    /// Paragraphs that it was spared.
    pub spared: usize,
    /// The first reason for a failure.
    pub first_failure: Option<String>,
    /// True if it was switched off after failing again and again.
    pub switched_off: bool,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError<E> {
    /// [`Options::cancel`] was set.
    #[error("interrupted")]
    Interrupted,
    /// The caller's sink refused a paragraph.
    #[error("{0}")]
    Sink(E),
}

struct Chunk {
    number: usize,
    paragraphs: Vec<Paragraph>,
}

struct Done {
    number: usize,
    rows: Vec<Labelled>,
    /// Time taken by each system.
    elapsed: Vec<Duration>,
    /// Paragraphs that reached each stage.
    reached: Vec<usize>,
}

/// Runs `systems` over `paragraphs` and hands each paragraph with its verdicts to `sink`, in input order, on the calling
/// thread.
///
/// A system that fails on a batch (an error, a panic, an answer that breaks a promise of [`Output::check`]) has no
/// answer for it; after three such batches in a row it is switched off. The others go on.
///
/// With a [`Gate`] the systems of a later stage see only the paragraphs that are still undecided; a system that has
/// failed leaves its paragraphs as undecided as one that abstains.
///
/// # Errors
/// [`RunError::Interrupted`] when cancelled, [`RunError::Sink`] with the sink's own error.
///
/// # Panics
/// If the stages of the gate do not name each system once.
pub fn run<E>(
    paragraphs: impl Iterator<Item = Paragraph> + Send,
    systems: &[System],
    taxonomy: &Taxonomy,
    options: &Options,
    mut sink: impl FnMut(Labelled) -> Result<(), E>,
) -> Result<Summary, RunError<E>> {
    let started = Instant::now();
    let threads = options.threads.max(1);
    let gate = options.judge.as_ref().and_then(|judge| judge.gate());
    let stages = gate.as_ref().map_or_else(|| vec![(0..systems.len()).collect()], |g| g.stages().to_vec());
    let mut named: Vec<usize> = stages.concat();
    named.sort_unstable();
    assert!(named.into_iter().eq(0..systems.len()), "the stages of the gate must name each system once");
    let mut summary = Summary {
        systems: vec![SystemSummary::default(); systems.len()],
        stages: stages.iter().map(|s| StageSummary { systems: s.clone(), ..StageSummary::default() }).collect(),
        ..Summary::default()
    };
    let failures_in_a_row: Vec<AtomicUsize> = systems.iter().map(|_| AtomicUsize::new(0)).collect();

    // Dropping the receiving side of the permits (by returning) stops the reader; that closes the chunk queue, which
    // stops the workers.
    let permits = 2 * threads + 1;
    let (permit_in, permit_out) = sync_channel::<()>(permits);
    for _ in 0..permits {
        permit_in.send(()).expect("the queue holds all permits");
    }
    let (chunk_in, chunk_out) = sync_channel::<Chunk>(permits);
    let chunk_out = Mutex::new(chunk_out);
    let (done_in, done_out) = channel::<Done>();

    let outcome = thread::scope(|scope| {
        let cancel = &options.cancel;
        scope.spawn(move || read_chunks(paragraphs, &permit_out, &chunk_in, cancel));
        for _ in 0..threads {
            let (done_in, chunk_out) = (done_in.clone(), &chunk_out);
            let gate = gate.as_deref();
            let panel =
                Running { systems, gate, stages: &stages, taxonomy, options, failures_in_a_row: &failures_in_a_row };
            scope.spawn(move || work(panel, chunk_out, &done_in));
        }
        drop(done_in);
        let permit_in: SyncSender<()> = permit_in;
        let outcome = deliver(&done_out, &permit_in, &mut summary, &mut sink);
        if outcome.is_err() {
            // Nobody waits for the rest: let the threads run out of work instead of finishing it.
            cancel.cancel();
        }
        drop(permit_in);
        drop(done_out);
        outcome
    });
    outcome.map_err(RunError::Sink)?;
    if options.cancel.is_cancelled() {
        return Err(RunError::Interrupted);
    }
    for (system, failures) in summary.systems.iter_mut().zip(&failures_in_a_row) {
        system.switched_off = failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW;
    }
    summary.elapsed = started.elapsed();
    Ok(summary)
}

fn read_chunks(
    paragraphs: impl Iterator<Item = Paragraph>,
    permits: &Receiver<()>,
    chunks: &SyncSender<Chunk>,
    cancel: &Cancel,
) {
    let mut paragraphs = paragraphs.peekable();
    let mut number = 0;
    while paragraphs.peek().is_some() {
        if permits.recv().is_err() || cancel.is_cancelled() {
            return;
        }
        let mut chunk = Chunk { number, paragraphs: Vec::new() };
        let mut bytes = 0;
        while let Some(p) = paragraphs.next_if(|p| chunk.paragraphs.is_empty() || bytes + p.text.len() <= CHUNK_BYTES) {
            bytes += p.text.len();
            chunk.paragraphs.push(p);
            if chunk.paragraphs.len() == CHUNK_PARAGRAPHS || cancel.is_cancelled() {
                break;
            }
        }
        if chunks.send(chunk).is_err() {
            return;
        }
        number += 1;
    }
}

/// What all workers share.
#[derive(Clone, Copy)]
struct Running<'a> {
    systems: &'a [System],
    gate: Option<&'a dyn Gate>,
    stages: &'a [Vec<usize>],
    taxonomy: &'a Taxonomy,
    options: &'a Options,
    failures_in_a_row: &'a [AtomicUsize],
}

fn work(running: Running<'_>, chunks: &Mutex<Receiver<Chunk>>, done: &Sender<Done>) {
    loop {
        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(chunk) = next else { return };
        if running.options.cancel.is_cancelled() || done.send(running.judge(chunk)).is_err() {
            return;
        }
    }
}

impl Running<'_> {
    /// Runs the systems over a chunk, stage by stage.
    fn judge(&self, chunk: Chunk) -> Done {
        let (systems, theses) = (self.systems.len(), self.taxonomy.len());
        let spared = Verdict { scores: vec![f32::NAN; theses], spared: true, ..Verdict::default() };
        let mut verdicts: Vec<Vec<Verdict>> = vec![vec![spared; systems]; chunk.paragraphs.len()];
        let mut elapsed = vec![Duration::ZERO; systems];
        let mut reached = Vec::with_capacity(self.stages.len());
        // Classifiers that pad batches like paragraphs of one length together.
        let mut order: Vec<usize> = (0..chunk.paragraphs.len()).collect();
        order.sort_by_key(|&i| chunk.paragraphs[i].text.len());
        for (number, stage) in self.stages.iter().enumerate() {
            if let Some(gate) = self.gate.filter(|_| number > 0) {
                order.retain(|&i| {
                    let scores: Vec<&[f32]> = verdicts[i].iter().map(|v| v.scores.as_slice()).collect();
                    gate.undecided(number, &scores)
                });
            }
            reached.push(order.len());
            if order.is_empty() {
                continue;
            }
            let units: Vec<Unit<'_>> = order.iter().map(|&i| Unit::from(&chunk.paragraphs[i])).collect();
            for &system in stage {
                let started = Instant::now();
                let evidence = self.options.evidence && !self.waits_for_labels(system);
                let rows = rows(self.ask(system, &units, evidence), order.len(), theses);
                for (row, &paragraph) in rows.into_iter().zip(&order) {
                    verdicts[paragraph][system] = row;
                }
                elapsed[system] = started.elapsed();
            }
        }
        if self.options.evidence {
            self.add_dear_evidence(&chunk.paragraphs, &mut verdicts, &mut elapsed);
        }
        let rows = chunk.paragraphs.into_iter().zip(verdicts);
        let rows = rows.map(|(paragraph, verdicts)| Labelled { paragraph, verdicts }).collect();
        Done { number: chunk.number, rows, elapsed, reached }
    }

    /// Whether a system is asked for evidence only when the labels are known.
    fn waits_for_labels(&self, system: usize) -> bool {
        self.options.judge.is_some() && self.systems.len() > 1 && self.systems[system].kind == Kind::Transformer
    }

    /// Asks systems whose evidence is dear for it, about paragraphs with a label that nobody has shown evidence of.
    fn add_dear_evidence(&self, paragraphs: &[Paragraph], verdicts: &mut [Vec<Verdict>], elapsed: &mut [Duration]) {
        let Some(judge) = &self.options.judge else { return };
        for system in (0..self.systems.len()).filter(|&system| self.waits_for_labels(system)) {
            let bare = |verdicts: &[Verdict]| {
                let shown = |thesis| verdicts.iter().flat_map(|v| &v.evidence).any(|e| e.thesis == thesis);
                let scores: Vec<&[f32]> = verdicts.iter().map(|v| v.scores.as_slice()).collect();
                let combined = judge.combine(&scores);
                judge.labels(&combined).any(|thesis| !shown(thesis))
            };
            let asked: Vec<usize> = (0..paragraphs.len())
                .filter(|&i| !verdicts[i][system].spared && verdicts[i][system].failed.is_none() && bare(&verdicts[i]))
                .collect();
            if asked.is_empty() {
                continue;
            }
            let started = Instant::now();
            let units: Vec<Unit<'_>> = asked.iter().map(|&i| Unit::from(&paragraphs[i])).collect();
            // Its scores are known, and the same; if it fails now, the labels stay without evidence.
            for found in self.ask(system, &units, true).map(|out| out.evidence).unwrap_or_default() {
                verdicts[asked[found.row]][system].evidence.push(found.into());
            }
            elapsed[system] += started.elapsed();
        }
    }

    /// The answer of a system, unless it has been switched off.
    fn ask(&self, system: usize, units: &[Unit<'_>], evidence: bool) -> Result<Output, String> {
        let failures = &self.failures_in_a_row[system];
        if failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW {
            return Err(format!("switched off after {FAILURES_IN_A_ROW} failures in a row"));
        }
        let answer = classify(&self.systems[system], units, self.taxonomy, evidence, &self.options.cancel);
        match answer {
            Ok(_) => failures.store(0, Ordering::Relaxed),
            Err(_) => _ = failures.fetch_add(1, Ordering::Relaxed),
        }
        answer
    }
}

/// One system's checked answer to one batch, or why it has none.
fn classify(
    system: &System,
    units: &[Unit<'_>],
    taxonomy: &Taxonomy,
    evidence: bool,
    cancel: &Cancel,
) -> Result<Output, String> {
    let mut batch = Batch::new(units).with_cancel(cancel.clone());
    batch.evidence = evidence;
    let mut out = Output::new(units.len(), taxonomy.len());
    catch_unwind(AssertUnwindSafe(|| system.classifier.classify(&batch, &mut out)))
        .unwrap_or_else(|panic| Err(ClassifierError::Failed(format!("panicked: {}", panic_message(&*panic)))))
        .map_err(|e| e.to_string())?;
    if (out.rows(), out.theses()) != (units.len(), taxonomy.len()) {
        return Err(format!("answered {} x {} scores", out.rows(), out.theses()));
    }
    out.check(|row| units[row].text).map_err(|e| e.to_string())?;
    Ok(out)
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// An answer as one verdict a row.
fn rows(answer: Result<Output, String>, rows: usize, theses: usize) -> Vec<Verdict> {
    match answer {
        Ok(mut out) => {
            let verdict =
                |row| Verdict { scores: out.row(row).to_vec(), role: out.role(row).copied(), ..Verdict::default() };
            let mut verdicts: Vec<Verdict> = (0..rows).map(verdict).collect();
            for found in std::mem::take(&mut out.evidence) {
                verdicts[found.row].evidence.push(found.into());
            }
            for failure in out.failures {
                if let Some(verdict) = verdicts.get_mut(failure.row) {
                    verdict.role = None;
                    verdict.failed = Some(failure.reason);
                }
            }
            verdicts
        }
        Err(reason) => {
            let failed = Verdict { scores: vec![f32::NAN; theses], failed: Some(reason), ..Verdict::default() };
            vec![failed; rows]
        }
    }
}

/// Puts finished chunks back in order and hands their rows on.
fn deliver<E>(
    done: &Receiver<Done>,
    permits: &SyncSender<()>,
    summary: &mut Summary,
    sink: &mut impl FnMut(Labelled) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for chunk in done {
        waiting.insert(chunk.number, chunk);
        while let Some(chunk) = waiting.remove(&next) {
            next += 1;
            for (system, elapsed) in summary.systems.iter_mut().zip(&chunk.elapsed) {
                system.seconds += elapsed.as_secs_f64();
            }
            for (stage, reached) in summary.stages.iter_mut().zip(&chunk.reached) {
                stage.paragraphs += reached;
                stage.seconds += stage.systems.iter().map(|&s| chunk.elapsed[s].as_secs_f64()).sum::<f64>();
            }
            for row in chunk.rows {
                for (system, verdict) in summary.systems.iter_mut().zip(&row.verdicts) {
                    match &verdict.failed {
                        None if verdict.spared => system.spared += 1,
                        None => system.judged += 1,
                        Some(reason) => {
                            system.failed += 1;
                            system.first_failure.get_or_insert_with(|| reason.clone());
                        }
                    }
                }
                summary.paragraphs += 1;
                sink(row)?;
            }
            // The reader may have finished already: then the permit is not wanted.
            let _ = permits.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lundian_core::Classifier;

    use super::*;

    /// Scores every thesis with the share of the digit in the text, and misbehaves on request.
    struct Digit;

    impl Classifier for Digit {
        fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
            for (row, unit) in batch.units.iter().enumerate() {
                match unit.text {
                    "panic" => panic!("as told"),
                    "error" => return Err("as told".into()),
                    "wild" => out.set(row, 0, 1e30),
                    "fail" => {
                        out.fail(row, "as told");
                        out.set_role(row, [1.0, 0.0, 0.0, 0.0]);
                    }
                    "no role" => out.set_role(row, [0.5; 4]),
                    text => {
                        let n: f32 = text.parse().unwrap();
                        out.row_mut(row).fill(n / 10_000.0);
                        out.set_role(row, [n / 10_000.0, 0.0, 0.0, 1.0 - n / 10_000.0]);
                        out.add_evidence(row, 0, 0..text.len(), 1.0);
                    }
                }
            }
            Ok(())
        }
    }

    fn taxonomy() -> Taxonomy {
        Taxonomy::china_economy()
    }

    fn paragraphs(texts: impl Iterator<Item = String> + Send) -> impl Iterator<Item = Paragraph> + Send {
        texts.enumerate().map(|(i, text)| Paragraph { id: i.to_string(), text, ..Paragraph::default() })
    }

    fn systems() -> Vec<System> {
        vec![System::new("digit", Kind::Plugin, Arc::new(Digit))]
    }

    fn run_all(texts: Vec<String>, threads: usize) -> (Vec<Labelled>, Summary) {
        let mut rows = Vec::new();
        let options = Options { threads, ..Options::default() };
        let summary = run(paragraphs(texts.into_iter()), &systems(), &taxonomy(), &options, |row| {
            rows.push(row);
            Ok::<_, ()>(())
        })
        .unwrap();
        (rows, summary)
    }

    /// Scores thesis 0 with 1, and shows evidence of it, if asked, in the texts that `shows` says. Counts those that it
    /// was asked for evidence of.
    struct Shows {
        shows: fn(&str) -> bool,
        asked: AtomicUsize,
    }

    impl Classifier for Shows {
        fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
            self.asked.fetch_add(if batch.evidence { batch.len() } else { 0 }, Ordering::Relaxed);
            for (row, unit) in batch.units.iter().enumerate() {
                out.row_mut(row).fill(0.0);
                out.set(row, 0, 1.0);
                if batch.evidence && (self.shows)(unit.text) {
                    out.add_evidence(row, 0, 0..unit.text.len(), 0.5);
                }
            }
            Ok(())
        }
    }

    #[test]
    fn dear_evidence_is_asked_for_where_a_label_has_none() {
        let texts = ["shown", "bare", "shown", "bare", "bare"];
        let shows: [fn(&str) -> bool; 2] = [|text| text == "shown", |_| true];
        let [quick, slow] = shows.map(|shows| Arc::new(Shows { shows, asked: AtomicUsize::new(0) }));
        let systems =
            [System::new("quick", Kind::Rules, quick.clone()), System::new("slow", Kind::Transformer, slow.clone())];
        let mean = crate::aggregate::find("mean").unwrap();
        let judge = |threshold| Arc::new(Judge::new(&systems, mean, None, &taxonomy(), Some(threshold)).unwrap());
        let evidence = |judge: Option<Arc<Judge>>, evidence| -> Vec<[usize; 2]> {
            let options = Options { judge, evidence, ..Options::default() };
            let mut found = Vec::new();
            let texts = paragraphs(texts.into_iter().map(str::to_owned));
            run(texts, &systems, &taxonomy(), &options, |row| {
                assert!(row.verdicts.iter().all(|v| v.scores[0] == 1.0));
                found.push([0, 1].map(|s| row.verdicts[s].evidence.len()));
                Ok::<_, ()>(())
            })
            .unwrap();
            found
        };
        let asked = || slow.asked.swap(0, Ordering::Relaxed);
        assert_eq!(evidence(None, true), [[1, 1], [0, 1], [1, 1], [0, 1], [0, 1]]);
        assert_eq!(asked(), 5);
        assert_eq!(evidence(Some(judge(0.5)), true), [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]]);
        assert_eq!(asked(), 3);
        // Nothing is a label, or nobody wants evidence.
        assert_eq!(evidence(Some(judge(1.1)), true), [[1, 0], [0, 0], [1, 0], [0, 0], [0, 0]]);
        assert_eq!(evidence(Some(judge(0.5)), false), [[0, 0]; 5]);
        assert_eq!((asked(), quick.asked.load(Ordering::Relaxed)), (0, 15));
    }

    #[test]
    fn results_come_in_input_order_whatever_the_threads() {
        let texts: Vec<String> = (0..5_000).map(|i| (i * 7919 % 9_973).to_string()).collect();
        for threads in [1, 4] {
            let (rows, summary) = run_all(texts.clone(), threads);
            assert_eq!(summary.paragraphs, 5_000);
            assert_eq!(summary.systems[0].judged, 5_000);
            for (row, text) in rows.iter().zip(&texts) {
                assert_eq!(&row.paragraph.text, text);
                let n: f32 = text.parse().unwrap();
                assert_eq!(row.verdicts[0].scores[3], n / 10_000.0);
                assert_eq!(row.verdicts[0].role.unwrap()[0], n / 10_000.0);
                assert_eq!(row.verdicts[0].evidence[0].range, 0..text.len());
            }
        }
    }

    #[test]
    fn a_failing_batch_costs_only_itself() {
        for (bad, reason) in
            [("panic", "panicked: as told"), ("error", "as told"), ("wild", "score 1"), ("no role", "roles")]
        {
            let mut texts: Vec<String> = (0..CHUNK_PARAGRAPHS * 3).map(|i| i.to_string()).collect();
            texts[CHUNK_PARAGRAPHS] = bad.into();
            let (rows, summary) = run_all(texts, 2);
            assert_eq!(summary.systems[0].failed, CHUNK_PARAGRAPHS, "{bad}");
            assert!(summary.systems[0].first_failure.as_ref().unwrap().contains(reason));
            assert!(rows[CHUNK_PARAGRAPHS - 1].verdicts[0].failed.is_none());
            assert!(rows[CHUNK_PARAGRAPHS].verdicts[0].failed.is_some());
            assert_eq!(rows[CHUNK_PARAGRAPHS].verdicts[0].role, None);
            assert!(rows[2 * CHUNK_PARAGRAPHS].verdicts[0].failed.is_none());
            assert!(!summary.systems[0].switched_off);
        }
    }

    #[test]
    fn a_failed_row_costs_only_itself() {
        let (rows, summary) = run_all(["1", "fail", "3"].map(String::from).to_vec(), 1);
        assert_eq!((summary.systems[0].judged, summary.systems[0].failed), (2, 1));
        assert_eq!(rows[1].verdicts[0].failed.as_deref(), Some("as told"));
        assert!(rows[1].verdicts[0].scores.iter().all(|s| s.is_nan()));
        assert_eq!(rows[1].verdicts[0].role, None, "even where the classifier says one");
        assert_eq!(rows[2].verdicts[0].scores[0], 3.0 / 10_000.0);
    }

    #[test]
    fn a_hopeless_system_is_switched_off() {
        let texts = vec!["error".to_owned(); CHUNK_PARAGRAPHS * 6];
        let (_, summary) = run_all(texts, 1);
        assert!(summary.systems[0].switched_off);
        assert_eq!(summary.systems[0].failed, CHUNK_PARAGRAPHS * 6);
    }

    #[test]
    fn an_endless_input_stops_when_cancelled_and_is_not_read_ahead() {
        let options = Options { threads: 2, ..Options::default() };
        let read = AtomicUsize::new(0);
        let endless = (0..).map(|_| {
            read.fetch_add(1, Ordering::Relaxed);
            "1".to_owned()
        });
        let mut seen = 0;
        let outcome = run(paragraphs(endless), &systems(), &taxonomy(), &options, |_| {
            seen += 1;
            if seen == 1_000 {
                options.cancel.cancel();
            }
            Ok::<_, ()>(())
        });
        assert!(matches!(outcome, Err(RunError::Interrupted)));
        assert!(read.load(Ordering::Relaxed) <= 1_000 + (2 * 2 + 3) * CHUNK_PARAGRAPHS);
    }

    #[test]
    fn a_sink_that_refuses_ends_the_run() {
        let texts = (0..).map(|_| "1".to_owned());
        let outcome = run(paragraphs(texts), &systems(), &taxonomy(), &Options::default(), |_| Err("full"));
        assert!(matches!(outcome, Err(RunError::Sink("full"))));
    }

    #[test]
    fn one_huge_paragraph_still_passes() {
        let texts = vec!["1".to_owned(), "0".repeat(CHUNK_BYTES + 5), "2".to_owned()];
        let (rows, _) = run_all(texts, 2);
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2].paragraph.text, "2");
    }
}
