//! Paragraphs per second on one core, with and without evidence. `cargo bench -p lundian-linear`
//!
//! Reads the project's labelled samples where they are at hand (`LUNDIAN_CORPUS`), else repeats a few sentences.

#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs, reason = "a benchmark")]

use std::time::Instant;
use std::{env, fs};

use lundian_linear::Linear;
use lundian_plugin::serde_json::{self, Value};
use lundian_plugin::{Batch, Classifier, Output, Plugin, Setup, Taxonomy, Unit};

const SENTENCES: [&str; 4] = [
    "产能严重过剩，东西卖不出去，企业只好拼命降价，价格战打得谁都没有利润，最后只能裁员减薪。",
    "老百姓手里没有钱，看病上学买房样样要花钱，谁还敢消费？要拉动内需，先得让普通人的收入涨上去。",
    "今天早上我从家里出发，坐了两个小时的车才到单位，一路上都在想昨天晚上读到的那篇文章。",
    "關鍵技術受制於人，核心部件買不來也求不來，必須自己做出來，哪怕多花十年也值得。",
];

fn main() {
    let paragraphs: Vec<(String, String)> = match env::var("LUNDIAN_CORPUS").map(fs::read_to_string) {
        Ok(Ok(text)) => text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|row| {
                let field = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                (field("text"), field("prev"))
            })
            .collect(),
        _ => {
            eprintln!("LUNDIAN_CORPUS names no file of samples: repeating {} sentences", SENTENCES.len());
            (0..4000).map(|i| (SENTENCES[i % 4].to_owned(), SENTENCES[(i + 3) % 4].to_owned())).collect()
        }
    };
    let units: Vec<Unit<'_>> = paragraphs.iter().map(|(text, prev)| Unit { text, prev, ..Unit::default() }).collect();
    let characters = paragraphs.iter().map(|(text, _)| text.chars().count()).sum::<usize>() / units.len().max(1);
    println!("{} paragraphs of {characters} characters", units.len());

    let taxonomy = Taxonomy::china_economy();
    let start = Instant::now();
    let linear = Linear::create(&Setup::new(&taxonomy, &Value::Null)).expect("the built-in model loads");
    println!("loading: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    for (name, batch) in [("scores only", Batch::new(&units).without_evidence()), ("with evidence", Batch::new(&units))]
    {
        let rate = (0..5)
            .map(|_| {
                let mut out = Output::new(units.len(), taxonomy.len());
                let start = Instant::now();
                linear.classify(&batch, &mut out).expect("nothing cancels it");
                units.len() as f64 / start.elapsed().as_secs_f64()
            })
            .fold(0.0, f64::max);
        println!("{name}: {rate:.0} paragraphs a second");
    }
}
