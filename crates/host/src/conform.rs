//! The conformance kit: does a plugin keep what its contract promises?
//!
//! Each check is one function and one row of [`CHECKS`], and runs the plugin in a worker process of its own, so that a
//! plugin that dies of one check is still put to the others.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use lundian_core::{Batch, Cancel, Output, Setup, Taxonomy, Thesis, Unit};
use serde::Serialize;
use serde_json::Value;

use crate::Candidate;
use crate::bisect::{Attempt as _, Setback};
use crate::worker::{Listener, Plugin, Pool, WorkerOptions, frame};

/// Largest difference of two scores that counts as none.
const TOLERANCE: f32 = 1e-4;
/// How long a plugin may take to stop when told to.
const CANCEL_LIMIT: Duration = Duration::from_secs(1);
/// Batches of the random check, and paragraphs in each.
const RANDOM_BATCHES: u64 = 50;
const RANDOM_ROWS: u64 = 16;

/// One thing that a plugin must do.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it asks for, in a sentence.
    pub doc: &'static str,
    run: fn(&Conformance<'_>) -> Result<String, String>,
}

/// Every check, in the order in which they run.
pub const CHECKS: &[Check] = &[
    Check { name: "manifest", doc: "plugin.toml can be read, and says its licence and what it does", run: manifest },
    Check { name: "load", doc: "the library loads and makes a classifier", run: load },
    Check { name: "empty-batch", doc: "a batch without paragraphs is no error", run: empty_batch },
    Check { name: "one-row", doc: "a batch of one paragraph is judged", run: one_row },
    Check { name: "many-rows", doc: "a batch of 10,000 paragraphs is judged", run: many_rows },
    Check { name: "odd-text", doc: "NUL, astral, combining and control characters are judged", run: odd_text },
    Check { name: "long-paragraph", doc: "a paragraph of 1 MB is judged", run: long_paragraph },
    Check { name: "batch-equals-single", doc: "answers do not depend on the batch", run: batch_equals_single },
    Check {
        name: "determinism",
        doc: "the same question gets the same answer, in another process too",
        run: determinism,
    },
    Check { name: "evidence", doc: "scores are the same whether or not evidence is wanted", run: evidence },
    Check { name: "threads", doc: "several threads may ask at once", run: threads },
    Check { name: "cancel", doc: "it stops within a second when told to", run: cancel },
    Check { name: "stdout", doc: "it writes nothing to standard output or error", run: stdout },
    Check { name: "memory", doc: "it does not grow over 100 batches", run: memory },
    Check { name: "random", doc: "random paragraphs are judged, alone as in a batch", run: random },
];

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// As it should.
    Passed,
    /// The plugin does not conform.
    Failed,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// Name of the check.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was measured, or what is wrong.
    pub detail: String,
    /// How long it took.
    pub seconds: f64,
}

/// A plugin that is put to the checks. It need not be trusted: whoever asks for this asks for it to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Conformance<'a> {
    /// The plugin.
    pub plugin: &'a Candidate,
    /// The theses that it is asked about.
    pub taxonomy: &'a Taxonomy,
    /// Its settings.
    pub settings: &'a Value,
    /// How its workers are run.
    pub options: WorkerOptions,
    /// Where the random check starts.
    pub seed: u64,
    /// Whether the random check is to do the one batch of `seed` only: to reproduce what it found.
    pub reproduce: bool,
}

impl<'a> Conformance<'a> {
    /// A plugin to be checked, with `options` for its workers.
    pub fn new(plugin: &'a Candidate, taxonomy: &'a Taxonomy, settings: &'a Value, options: WorkerOptions) -> Self {
        Self { plugin, taxonomy, settings, options, seed: 1, reproduce: false }
    }

    /// Runs one check.
    pub fn run(&self, check: &Check) -> CheckResult {
        let start = Instant::now();
        let (outcome, detail) = match (check.run)(self) {
            Ok(detail) => (Outcome::Passed, detail),
            Err(detail) => (Outcome::Failed, detail),
        };
        CheckResult { name: check.name, outcome, detail, seconds: start.elapsed().as_secs_f64() }
    }

    fn start(&self) -> Result<Pool, String> {
        let Candidate { manifest, dir, library, sha256, .. } = self.plugin;
        let setup = Setup::new(self.taxonomy, self.settings).with_dir(dir);
        let plugin = Plugin { id: &manifest.id, library, sha256, dir, manifest: self.plugin.source() };
        let load = frame::Load::new(plugin, &setup, &self.options);
        let listener = Arc::new(Listener { log: Arc::new(|_, _| {}), printed: AtomicUsize::new(0) });
        Pool::start(self.options.clone(), load, self.taxonomy.len(), listener).map_err(|e| e.to_string())
    }

    /// Paragraphs of the kind that the plugin is for: examples of the theses, what they assert, and their names.
    fn texts(&self) -> Vec<&'a str> {
        let theses = self.taxonomy.theses().iter();
        let said = |t: &'a Thesis| [&t.proposition.zh, &t.proposition.en, &t.name.zh, &t.name.en];
        let texts = theses.flat_map(|t| t.examples.iter().chain(said(t)));
        // A taxonomy has slugs at least.
        let slugs = self.taxonomy.theses().iter().map(|t| t.slug.as_str());
        texts.map(String::as_str).filter(|t| !t.is_empty()).chain(slugs).collect()
    }
}

fn units<'a>(texts: &[&'a str]) -> Vec<Unit<'a>> {
    texts.iter().map(|text| Unit { text, ..Unit::default() }).collect()
}

/// The answer to a batch, in which every paragraph must have been judged.
fn judged(pool: &Pool, batch: &Batch<'_>) -> Result<Output, String> {
    let out = pool.attempt(batch, 1.0).map_err(setback)?;
    match out.failures.first() {
        Some(failure) => Err(format!("paragraph {} failed: {}", failure.row, failure.reason)),
        None => Ok(out),
    }
}

fn setback(setback: Setback) -> String {
    match setback {
        Setback::Paragraphs(reason) | Setback::Plugin(reason) => reason,
        Setback::Call(error) => error.to_string(),
    }
}

/// What differs between two answers, if anything does.
pub(crate) fn difference(a: &Output, b: &Output) -> Option<String> {
    let differ = |(a, b): (&f32, &f32)| !((a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE);
    if let Some(i) = a.scores().iter().zip(b.scores()).position(differ) {
        let (row, thesis) = (i / a.theses(), i % a.theses());
        return Some(format!("paragraph {row} gets {} and {} for thesis {thesis}", a.scores()[i], b.scores()[i]));
    }
    for row in 0..a.rows() {
        // Nothing where it has no role.
        let [a, b] = [a, b].map(|o| o.role(row).map_or(&[][..], |scores| scores));
        if a.len() != b.len() || a.iter().zip(b).any(differ) {
            return Some(format!("the role of paragraph {row} is scored {a:?} and {b:?}"));
        }
    }
    let spans = |o: &Output| {
        let mut spans: Vec<_> = o.evidence.iter().map(|e| (e.row, e.thesis, e.range.start, e.range.end)).collect();
        spans.sort_unstable();
        spans
    };
    if spans(a) != spans(b) {
        return Some("the evidence differs".to_owned());
    }
    (a.failures != b.failures).then(|| "the failed paragraphs differ".to_owned())
}

fn same(what: &str, a: &Output, b: &Output) -> Result<(), String> {
    difference(a, b).map_or(Ok(()), |difference| Err(format!("{what}: {difference}")))
}

/// Asks for each paragraph on its own, and compares with its row in a batch.
fn same_alone(pool: &Pool, units: &[Unit<'_>], whole: &Output) -> Result<(), String> {
    for (row, unit) in units.iter().enumerate() {
        let alone = judged(pool, &Batch::new(std::slice::from_ref(unit)))?;
        let mut in_batch = Output::new(1, whole.theses());
        in_batch.scores_mut().copy_from_slice(whole.row(row));
        if let Some(role) = whole.role(row) {
            in_batch.set_role(0, *role);
        }
        in_batch.evidence = whole.evidence.iter().filter(|e| e.row == row).cloned().collect();
        in_batch.evidence.iter_mut().for_each(|e| e.row = 0);
        same(&format!("paragraph {row} of a batch, and on its own"), &in_batch, &alone)?;
    }
    Ok(())
}

fn manifest(c: &Conformance<'_>) -> Result<String, String> {
    let m = &c.plugin.manifest;
    for (key, empty) in [
        ("licence", m.licence.is_empty()),
        ("description", m.description.is_empty()),
        ("languages", m.languages.is_empty()),
        ("theses", m.theses.is_empty()),
    ] {
        if empty {
            return Err(format!("plugin.toml: say something under `{key}`"));
        }
    }
    if !c.taxonomy.theses().iter().any(|t| m.can_label(&t.slug)) {
        return Err(format!("it labels no thesis of the taxonomy {:?}", c.taxonomy.name()));
    }
    for file in &m.files {
        if !c.plugin.dir.join(file).exists() {
            return Err(format!("plugin.toml: {} is named under `files` and is not there", file.display()));
        }
    }
    Ok(format!("{} {}, {}", m.id, m.version, m.licence))
}

fn load(c: &Conformance<'_>) -> Result<String, String> {
    let start = Instant::now();
    c.start()?;
    Ok(format!("in {:.0} ms, process and all", start.elapsed().as_secs_f64() * 1000.0))
}

fn empty_batch(c: &Conformance<'_>) -> Result<String, String> {
    judged(&c.start()?, &Batch::new(&[])).map(|_| String::new())
}

fn one_row(c: &Conformance<'_>) -> Result<String, String> {
    let out = judged(&c.start()?, &Batch::new(&units(&c.texts()[..1])))?;
    Ok(format!("{} of {} theses scored", out.scores().iter().filter(|s| !s.is_nan()).count(), out.theses()))
}

fn many_rows(c: &Conformance<'_>) -> Result<String, String> {
    const ROWS: usize = 10_000;
    let (pool, texts) = (c.start()?, c.texts());
    let texts: Vec<&str> = texts.iter().copied().cycle().take(ROWS).collect();
    let start = Instant::now();
    judged(&pool, &Batch::new(&units(&texts)))?;
    Ok(format!("{:.0} paragraphs a second", ROWS as f64 / start.elapsed().as_secs_f64()))
}

fn odd_text(c: &Conformance<'_>) -> Result<String, String> {
    const ODD: [&str; 10] = [
        "",
        " ",
        "\u{3000}\n\t",
        "\0",
        "a\0b",
        "\u{1F600}\u{20BB7}",
        "e\u{301}\u{301}",
        "\u{202E}abc",
        "\u{FEFF}论点",
        "。",
    ];
    let pool = c.start()?;
    let mut units = units(&ODD);
    // The same in the context.
    units.extend(ODD.map(|odd| Unit { text: "论点", prev: odd, heading: odd, title: odd }));
    let whole = judged(&pool, &Batch::new(&units))?;
    same_alone(&pool, &units, &whole).map(|()| String::new())
}

fn long_paragraph(c: &Conformance<'_>) -> Result<String, String> {
    let text: String = c
        .texts()
        .iter()
        .copied()
        .cycle()
        .scan(0, |len, t| {
            *len += t.len();
            (*len < 1 << 20).then_some(t)
        })
        .collect();
    let start = Instant::now();
    judged(&c.start()?, &Batch::new(&units(&[&text])))?;
    Ok(format!("in {:.0} ms", start.elapsed().as_secs_f64() * 1000.0))
}

fn batch_equals_single(c: &Conformance<'_>) -> Result<String, String> {
    let (pool, units) = (c.start()?, units(&c.texts()));
    let whole = judged(&pool, &Batch::new(&units))?;
    same_alone(&pool, &units, &whole).map(|()| format!("{} paragraphs", units.len()))
}

fn determinism(c: &Conformance<'_>) -> Result<String, String> {
    let (pool, units) = (c.start()?, units(&c.texts()));
    let first = judged(&pool, &Batch::new(&units))?;
    same("asked twice", &first, &judged(&pool, &Batch::new(&units))?)?;
    same("asked in two processes", &first, &judged(&c.start()?, &Batch::new(&units))?).map(|()| String::new())
}

fn evidence(c: &Conformance<'_>) -> Result<String, String> {
    let (pool, units) = (c.start()?, units(&c.texts()));
    let mut with = judged(&pool, &Batch::new(&units))?;
    let mut without = judged(&pool, &Batch::new(&units).without_evidence())?;
    // It may give evidence unasked; nobody will look at it.
    without.evidence.clear();
    let spans = std::mem::take(&mut with.evidence).len();
    same("with evidence and without", &with, &without).map(|()| format!("{spans} spans"))
}

fn threads(c: &Conformance<'_>) -> Result<String, String> {
    const THREADS: u8 = 8;
    c.start()?.stress(THREADS, &Batch::new(&units(&c.texts()))).map_err(setback).map(|_| format!("{THREADS} threads"))
}

fn cancel(c: &Conformance<'_>) -> Result<String, String> {
    let (pool, texts) = (c.start()?, c.texts());
    let texts: Vec<&str> = texts.iter().copied().cycle().take(20_000).collect();
    let (units, cancel) = (units(&texts), Cancel::default());
    let batch = Batch::new(&units).with_cancel(cancel.clone());
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| pool.attempt(&batch, 1.0).map(|_| ()));
        std::thread::sleep(Duration::from_millis(100));
        cancel.cancel();
        let told = Instant::now();
        let answer = answer.join().unwrap_or(Ok(()));
        let took = told.elapsed();
        match answer {
            Err(Setback::Call(_)) | Ok(()) if took <= CANCEL_LIMIT => Ok(format!("within {} ms", took.as_millis())),
            Err(Setback::Call(_)) | Ok(()) => {
                let hint = "ask `cancelled` every now and then";
                Err(format!("it went on for {:.1} s after it was told to stop: {hint}", took.as_secs_f64()))
            }
            Err(other) => Err(setback(other)),
        }
    })
}

fn stdout(c: &Conformance<'_>) -> Result<String, String> {
    let pool = c.start()?;
    judged(&pool, &Batch::new(&units(&c.texts())))?;
    // What was written comes through a pipe of its own.
    std::thread::sleep(Duration::from_millis(200));
    match pool.printed() {
        0 => Ok(String::new()),
        n => Err(format!("{n} lines: use the host's `log`")),
    }
}

fn memory(c: &Conformance<'_>) -> Result<String, String> {
    /// Kilobytes that an allocator may keep for itself.
    const SLACK: u64 = 16 * 1024;
    let (pool, units) = (c.start()?, units(&c.texts()));
    let ask = |times: usize| (0..times).try_for_each(|_| judged(&pool, &Batch::new(&units)).map(|_| ()));
    ask(10)?;
    let before = pool.resident();
    ask(100)?;
    match (before, pool.resident()) {
        (Some(before), Some(after)) if after > before + before / 10 + SLACK => {
            Err(format!("from {before} kB to {after} kB"))
        }
        (Some(before), Some(after)) => Ok(format!("{before} kB, then {after} kB")),
        _ => Ok("this system does not say how much memory it takes up".to_owned()),
    }
}

fn random(c: &Conformance<'_>) -> Result<String, String> {
    let pool = c.start()?;
    let words = c.texts();
    let batches = if c.reproduce { 1 } else { RANDOM_BATCHES };
    for seed in (0..batches).map(|i| c.seed.wrapping_add(i)) {
        let mut random = SplitMix(seed);
        let texts: Vec<String> = (0..RANDOM_ROWS * 2).map(|_| random.paragraph(&words)).collect();
        let units: Vec<Unit<'_>> =
            texts.chunks(2).map(|pair| Unit { text: &pair[0], prev: &pair[1], ..Unit::default() }).collect();
        judged(&pool, &Batch::new(&units))
            .and_then(|whole| same_alone(&pool, &units, &whole))
            .map_err(|e| format!("{e}; to see it again: --reproduce {seed}"))?;
    }
    Ok(format!("{} paragraphs from seed {}", batches * RANDOM_ROWS, c.seed))
}

/// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014): the same
/// numbers from one seed on every system.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Pieces of real paragraphs, cut anywhere and mixed with any characters at all.
    fn paragraph(&mut self, words: &[&str]) -> String {
        let mut text = String::new();
        for _ in 0..self.below(8) {
            match self.below(4) {
                0 => {
                    let any = |n: u64| char::from_u32((n % 0x11_0000) as u32).unwrap_or('\u{FFFD}');
                    let number = self.next();
                    text.push(any(number));
                }
                1 => text.push(char::from(self.below(128) as u8)),
                _ => {
                    let word: Vec<char> = words[self.below(words.len())].chars().collect();
                    let start = self.below(word.len());
                    let len = self.below(word.len() - start + 1);
                    text.extend(&word[start..start + len]);
                }
            }
        }
        text
    }
}
