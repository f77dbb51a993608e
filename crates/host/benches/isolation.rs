//! What isolation costs: the time of a batch of 256 paragraphs in this process and in a worker.
//!
//!     cargo bench -p lundian-host --bench isolation [-- PLUGIN_FOLDER [SETTINGS_JSON]]
//!
//! The best time is what isolation costs. The median tells how busy the machine is: a batch for a worker changes hands
//! twice, and each time waits for a processor.
//!
//! Without a folder it measures the keyword plugin of the tests, which does next to nothing: the difference is then
//! all there is to the border.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lundian_core::{Batch, Classifier, Output, Setup, Taxonomy, Unit};
use lundian_host::{Candidate, Found, Home, Isolation, Loader, Trust, WorkerOptions};
use serde_json::{Value, json};

const ROWS: usize = 256;
const ROUNDS: usize = 200;

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

    let texts: Vec<String> = taxonomy.theses().iter().flat_map(|t| t.examples.iter().cloned()).collect();
    let mut units = Vec::new();
    for i in 0..ROWS {
        let text = texts[i % texts.len()].as_str();
        units.push(Unit { text, prev: texts[(i + 1) % texts.len()].as_str(), heading: "标题", title: "题目" });
    }
    let times = compare(&[here, there], &units, taxonomy.len());
    for (what, at) in [("best", 0), ("median", ROUNDS / 2)] {
        let [here, there] = [times[0][at], times[1][at]];
        let extra = there.saturating_sub(here);
        let share = 100.0 * extra.as_secs_f64() / here.as_secs_f64();
        let id = &found.manifest.id;
        println!("{id}, {ROWS} paragraphs, {what} of {ROUNDS}: in this process {here:?}, in a worker {there:?}");
        println!("    isolation costs {extra:?}, {share:.1} %");
    }
}

/// The times of a batch for each, in ascending order. They take turns, so that a busy machine is busy for both.
fn compare(plugins: &[Arc<dyn Classifier>; 2], units: &[Unit<'_>], theses: usize) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (plugin, times) in plugins.iter().zip(&mut times) {
            let mut out = Output::new(units.len(), theses);
            let start = Instant::now();
            plugin.classify(&Batch::new(units), &mut out).unwrap();
            times.push(start.elapsed());
            assert!(out.failures.is_empty());
        }
    }
    times.map(|mut times| {
        times.sort();
        times
    })
}

fn keyword_plugin(dir: PathBuf) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("plugin.toml"), include_str!("../../../tests/plugins/keyword/plugin.toml")).unwrap();
    let name = format!("{DLL_PREFIX}keyword{DLL_SUFFIX}");
    std::fs::copy(std::env::current_exe().unwrap().with_file_name(&name), dir.join(&name)).unwrap();
    dir
}
