//! Trains the linear model, measures it, and writes it.
//!
//! ```text
//! cargo run --release -p lundian-linear --example train_linear -- \
//!     --gold train.jsonl --gold train-more.jsonl --dev dev.jsonl --test dev-ood.jsonl \
//!     --calibrate-on "double, adjudicated" -o models/thesis-linear
//! ```
//!
//! Files are labelled samples, one JSON object a line. `--set name=value` changes a parameter of training.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use lundian_linear::{DataFile, Linear, Params, best_threshold, cross_fit, sha256, train};
use lundian_plugin::serde_json::{self, Value, json};
use lundian_plugin::{Batch, Classifier, Label, Output, Paragraph, Sample, Stance, Taxonomy, Unit};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    doc: String,
    #[serde(default)]
    section: String,
    #[serde(default)]
    heading: String,
    #[serde(default)]
    prev: String,
    text: String,
    labels: Vec<RowLabel>,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
struct RowLabel {
    thesis: String,
    quote: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let taxonomy = Taxonomy::china_economy();
    let (mut gold, mut dev, mut tests) = (Vec::new(), Vec::new(), Vec::<PathBuf>::new());
    let (mut settings, mut out) = (serde_json::to_value(Params::default())?, None);
    let mut args = env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--gold" => gold.push(PathBuf::from(value)),
            "--dev" => dev.push(PathBuf::from(value)),
            "--test" => tests.push(value.into()),
            "--calibrate-on" => match &mut settings["calibrate_on"] {
                Value::Array(sources) => sources.push(json!(value)),
                other => *other = json!([value]),
            },
            "--set" => {
                let (name, value) = value.split_once('=').ok_or("--set needs name=value")?;
                settings[name] = serde_json::from_str(value)?;
            }
            "-o" => out = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }

    let mut samples = Vec::new();
    let mut data = Vec::new();
    for path in &gold {
        let read = read(path, &taxonomy)?;
        data.push(DataFile { name: name(path), sha256: sha256(&fs::read(path)?), samples: read.len() });
        samples.extend(read);
    }
    let params = Params::deserialize(&settings)?.check()?;
    let start = Instant::now();
    let mut model = train(&taxonomy, &samples, &params, &mut |p| eprintln!("{}/{} {:?}", p.done, p.total, p.stage))?;
    println!("{} samples, {} n-grams, {:.1} s", samples.len(), model.features(), start.elapsed().as_secs_f64());
    println!("threshold {:.3}, {}", model.thresholds.global, model.thresholds.origin);
    // The first file alone, to choose parameters on: scores of all samples, none seen by the model behind its score.
    let first = data.first().map_or(0, |file| file.samples) * taxonomy.len();
    let held_out = cross_fit(&taxonomy, &samples, &params, &mut |_| {})?;
    let argued: Vec<bool> = samples.iter().flat_map(|s| (0..taxonomy.len()).map(|t| s.argues(t))).collect();
    let threshold = best_threshold(taxonomy.len(), &held_out[..first], &argued[..first]);
    let (macro_f1, micro_f1, ece) = f1(taxonomy.len(), &held_out[..first], &argued[..first], threshold);
    println!("cross-fitted on the first file: macro {macro_f1:.3} micro {micro_f1:.3} ECE {ece:.4} at {threshold:.3}");
    model.data = data;

    for path in &dev {
        let tuning = read(path, &taxonomy)?;
        let (scores, argued) = score(&Linear::new(model.clone(), &taxonomy), &tuning, &taxonomy)?;
        let (macro_f1, micro_f1, ece) = f1(taxonomy.len(), &scores, &argued, model.thresholds.global);
        println!("{} before tuning: macro {macro_f1:.3} micro {micro_f1:.3} ECE {ece:.4}", name(path));
        model.thresholds.global = best_threshold(taxonomy.len(), &scores, &argued);
        model.thresholds.origin = format!("chosen on {} for the largest sum of micro-F1 and macro-F1", name(path));
        println!("threshold {:.3}, {}", model.thresholds.global, model.thresholds.origin);
    }
    for path in dev.iter().chain(&tests) {
        let samples = read(path, &taxonomy)?;
        let linear = Linear::new(model.clone(), &taxonomy);
        let (scores, argued) = score(&linear, &samples, &taxonomy)?;
        let (macro_f1, micro_f1, ece) = f1(taxonomy.len(), &scores, &argued, model.thresholds.global);
        let token_f1 = evidence_f1(&linear, &samples, &taxonomy)?;
        println!("{}: macro {macro_f1:.3} micro {micro_f1:.3} ECE {ece:.4} evidence {token_f1:.3}", name(path));
        for (metric, value) in
            [("macro_f1", macro_f1), ("micro_f1", micro_f1), ("ece", ece), ("evidence_token_f1", token_f1)]
        {
            model.metrics.insert(format!("{}.{metric}", name(path)), (value * 1e4).round() / 1e4);
        }
    }
    if let Some(out) = out {
        model.save(&out)?;
        println!("{}: {} bytes of weights", out.display(), model.to_files().1.len());
    }
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path, taxonomy: &Taxonomy) -> Result<Vec<Sample>, Box<dyn Error>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let sample = |line: &str| -> Result<Sample, Box<dyn Error>> {
        let row: Row = serde_json::from_str(line)?;
        let label = |l: &RowLabel| -> Result<Label, Box<dyn Error>> {
            let thesis = taxonomy.index(&l.thesis).ok_or_else(|| format!("no thesis {:?}", l.thesis))?;
            let evidence = row.text.find(&l.quote).map(|at| at..at + l.quote.len());
            Ok(Label { thesis, stance: Stance::Endorse, evidence })
        };
        let labels = row.labels.iter().map(label).collect::<Result<_, _>>()?;
        let Row { id, doc, section, heading, prev, text, .. } = row;
        let mut paragraph = Paragraph { id, doc, section, heading, prev, text, ..Default::default() };
        paragraph.extra.insert("source".to_owned(), json!(row.source));
        Ok(Sample { paragraph, labels, ..Sample::default() })
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| sample(line).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1).into())).collect()
}

/// The scores and the truth, `samples x theses`.
fn score(linear: &Linear, samples: &[Sample], taxonomy: &Taxonomy) -> Result<(Vec<f32>, Vec<bool>), Box<dyn Error>> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    linear.classify(&Batch::new(&units).without_evidence(), &mut out)?;
    let argued = samples.iter().flat_map(|s| (0..taxonomy.len()).map(|t| s.argues(t))).collect();
    Ok((out.scores().to_vec(), argued))
}

/// Macro-F1 over the theses that occur, micro-F1, and the expected calibration error in ten bins of equal width.
fn f1(theses: usize, scores: &[f32], argued: &[bool], threshold: f32) -> (f64, f64, f64) {
    let mut counts = vec![[0f64; 3]; theses];
    let mut bins = [[0f64; 3]; 10];
    for (i, (&score, &argued)) in scores.iter().zip(argued).enumerate() {
        let called = score >= threshold;
        let sums = [called && argued, called, argued].map(|b| f64::from(u8::from(b)));
        counts[i % theses].iter_mut().zip(sums).for_each(|(n, s)| *n += s);
        let bin = &mut bins[((score * 10.0) as usize).min(9)];
        bin.iter_mut().zip([1.0, f64::from(score), sums[2]]).for_each(|(n, s)| *n += s);
    }
    let f1 = |[hits, calls, support]: [f64; 3]| 2.0 * hits / (calls + support).max(1.0);
    let present: Vec<f64> = counts.iter().filter(|c| c[2] > 0.0).map(|c| f1(*c)).collect();
    let total = counts.iter().fold([0.0; 3], |sum, c| [sum[0] + c[0], sum[1] + c[1], sum[2] + c[2]]);
    let ece = bins.iter().map(|[_, p, y]| (p - y).abs()).sum::<f64>() / scores.len() as f64;
    (present.iter().sum::<f64>() / present.len() as f64, f1(total), ece)
}

/// Token (byte) F1 of the evidence for the labels that were found.
fn evidence_f1(linear: &Linear, samples: &[Sample], taxonomy: &Taxonomy) -> Result<f64, Box<dyn Error>> {
    let thresholds = linear.thresholds().resolve(taxonomy);
    let (mut hits, mut shown, mut wanted) = (0usize, 0usize, 0usize);
    for sample in samples {
        let unit = [Unit::from(&sample.paragraph)];
        let mut out = Output::new(1, taxonomy.len());
        linear.classify(&Batch::new(&unit), &mut out)?;
        for label in &sample.labels {
            let Some(gold) = label.evidence.clone().filter(|_| out.row(0)[label.thesis] >= thresholds[label.thesis])
            else {
                continue;
            };
            wanted += gold.len();
            for e in out.evidence.iter().filter(|e| e.thesis == label.thesis) {
                shown += e.range.len();
                hits += e.range.end.min(gold.end).saturating_sub(e.range.start.max(gold.start));
            }
        }
    }
    Ok(2.0 * hits as f64 / (shown + wanted).max(1) as f64)
}
