//! Time of a large evaluation: 10,000 paragraphs, 3 systems, 2,000 draws, with sections of several sizes.
//!
//! `cargo bench -p lundian-eval` prints one line a case.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use lundian_core::{Kind, Label, Output, Paragraph, Sample, Stance, Taxonomy, Thresholds};
use lundian_eval::{CompareOptions, Options, SystemOutput, compare, evaluate};

const PARAGRAPHS: usize = 10_000;

/// A number in [0, 1) that depends on nothing but its arguments.
fn noise(a: usize, b: usize, c: usize) -> f32 {
    let mut z = (a as u64) << 40 ^ (b as u64) << 20 ^ c as u64;
    for _ in 0..2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    }
    (z >> 40) as f32 / (1u64 << 24) as f32
}

fn main() {
    let taxonomy = Taxonomy::china_economy();
    let thresholds = Thresholds::default();
    for per_section in [1, 6, 50] {
        let sample = |i: usize| {
            let labels = (0..taxonomy.len()).filter(|t| noise(i, *t, 9) < 0.025);
            let labels = labels.map(|thesis| Label { thesis, stance: Stance::Endorse, evidence: Some(0..9) });
            let paragraph = Paragraph {
                id: format!("p{i}"),
                doc: format!("d{}", i / 200),
                section: format!("s{}", i / per_section),
                text: "东西卖不出去，价格越来越低，企业都没有利润。".repeat(1 + i % 8),
                ..Paragraph::default()
            };
            Sample { paragraph, labels: labels.collect(), role: "explanation".into(), ..Sample::default() }
        };
        let samples: Vec<Sample> = (0..PARAGRAPHS).map(sample).collect();
        let output = |system: usize| {
            let mut output = Output::new(PARAGRAPHS, taxonomy.len());
            for (row, sample) in samples.iter().enumerate() {
                for thesis in 0..taxonomy.len() {
                    let lift = if sample.argues(thesis) { 0.45 } else { 0.0 };
                    output.set(row, thesis, noise(row, thesis, system) * 0.53 + lift);
                }
                for label in &sample.labels {
                    output.add_evidence(row, label.thesis, 3..12, 0.5);
                }
            }
            output
        };
        let outputs: Vec<Output> = (0..3).map(output).collect();
        let names = ["one", "two", "three"];
        let system =
            |(name, output)| SystemOutput { name, kind: Kind::Plugin, output, thresholds: &thresholds, seconds: 1.0 };
        let systems: Vec<SystemOutput<'_>> = names.into_iter().zip(&outputs).map(system).collect();
        let start = Instant::now();
        let report = evaluate(&samples, &systems, &taxonomy, &Options::default()).expect("shapes fit");
        let evaluated = start.elapsed();
        let paragraphs: Vec<Paragraph> = samples.iter().map(|s| s.paragraph.clone()).collect();
        let start = Instant::now();
        let comparison = compare(&paragraphs, &systems, &taxonomy, None, &CompareOptions::default());
        println!(
            "{PARAGRAPHS} paragraphs, {per_section} a section, 3 systems, 2000 draws: evaluate {:.2} s (macro F1 \
             {:.3}), compare {:.2} s ({} disagreements); peak memory {}",
            evaluated.as_secs_f64(),
            report.systems[0].macro_average.prf.f1,
            start.elapsed().as_secs_f64(),
            comparison.disagreements.len(),
            peak_memory(),
        );
    }
}

/// Peak resident memory, as Linux tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.map_or("unknown", str::trim).to_owned()
}
