//! Speed of the normaliser and of the segmenter, in megabytes of UTF-8 a second.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use lundian_text::{Normalised, Options, normalise, segment, to_traditional};

const PARAGRAPH: &str = "居民的收入跟不上，工厂造出来的东西就卖不出去，这不是技术的问题，而是分配的问题；把收入分给劳动者，\
    内需自然会起来，产能也就不再过剩了。";

fn main() {
    let simplified = PARAGRAPH.repeat(10_000);
    let normal = normalise(&simplified);
    let traditional = to_traditional(&simplified);
    let page = format!("{PARAGRAPH}\n\n").repeat(10_000);
    measure("normalise, normal already", &normal, |t| Normalised::new(t).as_str().len());
    measure("normalise, full-width punctuation", &simplified, |t| Normalised::new(t).as_str().len());
    measure("normalise, Traditional", &traditional, |t| Normalised::new(t).as_str().len());
    measure("segment, Markdown", &page, |t| segment("a.md", t.as_bytes(), &Options::default()).0.paragraphs.len());
}

fn measure(name: &str, text: &str, run: impl Fn(&str) -> usize) {
    black_box(run(text));
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(1) {
        black_box(run(black_box(text)));
        rounds += 1;
    }
    let rate = text.len() as f64 * f64::from(rounds) / start.elapsed().as_secs_f64() / 1e6;
    println!("{name}: {rate:.0} MB/s");
}
