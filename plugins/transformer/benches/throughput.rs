//! Paragraphs per second on all cores: the built-in model in whole numbers, with and without evidence, beside its encoder in
//! floats, as it runs for zero-shot. `cargo bench -p lundian-transformer`

#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::time::Instant;

use lundian_plugin::serde_json::{self, Value, json};
use lundian_plugin::{Batch, Classifier, Output, Plugin, Setup, Taxonomy, Unit};
use lundian_transformer::Transformer;

/// As many as the runner hands over at once.
const PARAGRAPHS: usize = 256;
const ROUNDS: usize = 5;

fn main() {
    let rows: Vec<Value> = include_str!("../../../models/answers/held-out.jsonl")
        .lines()
        .take(PARAGRAPHS)
        .map(|line| serde_json::from_str(line).expect("the project's own samples are JSON"))
        .collect();
    // Without context, which zero-shot does not read: both ways get the same tokens.
    let text = |row| Unit { text: Value::as_str(row).unwrap_or_default(), ..Unit::default() };
    let units: Vec<Unit<'_>> = rows.iter().map(|row| text(&row["text"])).collect();
    let characters = units.iter().map(|unit| unit.text.chars().count()).sum::<usize>() / units.len();
    println!("{} paragraphs of {characters} characters", units.len());

    let taxonomy = Taxonomy::china_economy();
    let create =
        |settings: Value| Transformer::create(&Setup::new(&taxonomy, &settings)).expect("the built-in model loads");
    let start = Instant::now();
    let whole = create(Value::Null);
    println!("loading: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let floats = create(json!({"mode": "zero-shot"}));
    let ways = [
        ("in floats", &floats, Batch::new(&units).without_evidence()),
        ("in whole numbers", &whole, Batch::new(&units).without_evidence()),
        ("in whole numbers, with evidence", &whole, Batch::new(&units)),
    ];
    let mut best = [f64::INFINITY; 3];
    // In turns, so that what else the machine does falls on all alike.
    for _ in 0..ROUNDS {
        for ((_, classifier, batch), best) in ways.iter().zip(&mut best) {
            let mut out = Output::new(units.len(), taxonomy.len());
            let start = Instant::now();
            classifier.classify(batch, &mut out).expect("nothing cancels it");
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    for ((name, ..), seconds) in ways.iter().zip(best) {
        println!("{name}: {:.0} paragraphs a second, {:.2} x floats", units.len() as f64 / seconds, best[0] / seconds);
    }
}
