//! What isolation costs: the time of a batch of 256 paragraphs in this process and in a worker.
//!
//!     cargo bench -p lundian-host --bench isolation [-- PLUGIN_FOLDER [SETTINGS_JSON]]
//!
//! What it prints is the median of the paired ratios: each batch is judged in both places, and its two times are compared
//! with each other, so that neither the machine's moods nor a batch's own weight count. It does so twice. *In a row* is
//! how a run asks: batch after batch. *In turns* the worker is idle while the same batch is judged here, which is the
//! worst that can happen: it has gone to sleep, and waking a process takes the system tens of microseconds. And it does
//! so for two kinds of text: paragraphs as they are in answers and essays, with the paragraph before each, and the
//! taxonomy's examples, which are short, so that there is less work to set the border's cost against.
//!
//! Without a folder it measures the keyword plugin of the tests, which does next to nothing: the difference is then
//! all there is to the border.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use lundian_core::{Batch, Classifier, Output, Setup, Taxonomy, Unit};
use lundian_host::{Candidate, Found, Home, Isolation, Loader, Trust, WorkerOptions};
use serde_json::{Value, json};

/// Paragraphs in a batch.
const ROWS: usize = 256;
/// Batches that are compared.
const BATCHES: usize = 1000;
/// Batches before the first that counts.
const WARM_UP: usize = 100;
/// Batches that one place judges before it is the other's turn.
const IN_A_ROW: usize = 20;

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let home = tempfile::tempdir().unwrap();
    let folder = args.next().map_or_else(|| keyword_plugin(home.path().join("keyword")), PathBuf::from);
    let settings: Value = args.next().map_or_else(|| json!({}), |json| serde_json::from_str(&json).unwrap());
    let (home, mut trust) = (Home::at(home.path()), Trust::default());
    let dir = trust.add(&Candidate::at(&folder).unwrap(), &[], &home).unwrap();
    let found = Found::at(&dir, &trust).unwrap();
    let taxonomy = Taxonomy::china_economy();
    let load =
        |isolation| Loader::new(trust.clone(), isolation).load(&found, &Setup::new(&taxonomy, &settings)).unwrap();
    let none: [&str; 0] = [];
    let worker = Isolation::Process(WorkerOptions::new(env!("CARGO_BIN_EXE_lundian-test-worker"), none));
    let start = Instant::now();
    let there = load(worker);
    println!("starting a worker: {:?}", start.elapsed());
    let here = load(Isolation::InProcess);

    let plugins = [here, there];
    let examples: Vec<String> = taxonomy.theses().iter().flat_map(|t| t.examples.iter().cloned()).collect();
    for (kind, texts) in [("paragraphs", &paragraphs()), ("examples", &examples)] {
        let characters = texts.iter().map(|text| text.chars().count()).sum::<usize>() / texts.len();
        println!("{}, {BATCHES} batches of {ROWS} {kind} of {characters} characters:", found.manifest.id);
        let text = |i: usize| texts[i % texts.len()].as_str();
        let unit = |i| Unit { text: text(i + 1), prev: text(i), heading: "标题", title: "题目" };
        for (how, turn) in [("in a row", IN_A_ROW), ("in turns", 1)] {
            let batch = |number: usize| -> Vec<Unit<'_>> { (number..).map(unit).take(ROWS).collect() };
            compare(&plugins, batch, taxonomy.len(), turn, WARM_UP);
            let mut pairs = compare(&plugins, batch, taxonomy.len(), turn, BATCHES);
            let mut median = |of: fn(&[f64; 2]) -> f64| {
                pairs.sort_by(|a, b| of(a).total_cmp(&of(b)));
                of(&pairs[pairs.len() / 2])
            };
            let (here, there) = (median(|times| times[0]), median(|times| times[1]));
            let (extra, ratio) = (median(|times| times[1] - times[0]), median(|times| times[1] / times[0]));
            println!("    {how}: in this process {here:.1} µs, in a worker {there:.1} µs");
            println!("        isolation costs {extra:.1} µs, {:.1} %", 100.0 * (ratio - 1.0));
        }
    }
}

/// The paragraphs of whole answers and essays, in order.
fn paragraphs() -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/answers/held-out.jsonl");
    let text = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    std::fs::read_to_string(file).unwrap().lines().map(text).collect()
}

/// The times of each batch in microseconds, in both places, which take turns after `turn` batches.
fn compare<'a>(
    plugins: &[Arc<dyn Classifier>; 2],
    batch: impl Fn(usize) -> Vec<Unit<'a>>,
    theses: usize,
    turn: usize,
    batches: usize,
) -> Vec<[f64; 2]> {
    let mut pairs = vec![[0.0; 2]; batches];
    for start in (0..batches).step_by(turn) {
        for (place, plugin) in plugins.iter().enumerate() {
            for (number, pair) in pairs.iter_mut().enumerate().skip(start).take(turn) {
                let units = batch(number);
                let mut out = Output::new(units.len(), theses);
                let start = Instant::now();
                plugin.classify(&Batch::new(&units), &mut out).unwrap();
                pair[place] = start.elapsed().as_secs_f64() * 1e6;
                assert!(out.failures.is_empty());
            }
        }
    }
    pairs
}

fn keyword_plugin(dir: PathBuf) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("plugin.toml"), include_str!("../../../tests/plugins/keyword/plugin.toml")).unwrap();
    let name = format!("{DLL_PREFIX}keyword{DLL_SUFFIX}");
    std::fs::copy(std::env::current_exe().unwrap().with_file_name(&name), dir.join(&name)).unwrap();
    dir
}
