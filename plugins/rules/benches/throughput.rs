//! Paragraphs of about 60 characters a second on one core, and the time to start.
//!
//! `cargo bench -p lundian-rules` prints both; the goals are 30,000 paragraphs a second and 50 ms. The paragraphs were
//! written for this project, one a line.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use lundian_plugin::serde_json::Value;
use lundian_plugin::{Batch, Classifier, Output, Plugin, Setup, Taxonomy, Unit};
use lundian_rules::Rules;

const PARAGRAPHS: &str = include_str!("paragraphs.txt");
/// Rounds of each measurement; the fastest counts, as the one that was disturbed least.
const ROUNDS: usize = 15;

fn main() {
    let taxonomy = Taxonomy::china_economy();
    let create =
        || Rules::create(&Setup::new(&taxonomy, &Value::Null)).expect("the built-in packs are checked by tests");
    let start = fastest(|| {
        black_box(create());
    });
    let rules = create();
    println!("{} rules, {} literals; start-up {:.1} ms", rules.len(), rules.literals(), start.as_secs_f64() * 1e3);

    let simplified: Vec<&str> = PARAGRAPHS.lines().collect();
    let traditional: Vec<String> = simplified.iter().map(|text| lundian_text::to_traditional(text)).collect();
    let traditional: Vec<&str> = traditional.iter().map(String::as_str).collect();
    for (name, texts, evidence) in [
        ("simplified, with evidence", &simplified, true),
        ("simplified, scores only", &simplified, false),
        ("traditional, with evidence", &traditional, true),
    ] {
        // Each paragraph has the one before it as context, as in a document.
        let prev = std::iter::once("").chain(texts.iter().copied());
        let units: Vec<Unit<'_>> =
            texts.iter().zip(prev).map(|(text, prev)| Unit { text, prev, heading: "内需", title: "经济" }).collect();
        let mut batch = Batch::new(&units);
        if !evidence {
            batch = batch.without_evidence();
        }
        let time = fastest(|| {
            let mut out = Output::new(units.len(), taxonomy.len());
            rules.classify(&batch, &mut out).expect("nothing cancels it");
            black_box(&out);
        });
        let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        println!(
            "{name}: {:.0} paragraphs/s of {:.0} characters",
            texts.len() as f64 / time.as_secs_f64(),
            characters as f64 / texts.len() as f64
        );
    }
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}
