//! Fine-tunes an encoder, measures it, and writes it.
//!
//! ```text
//! cargo run --release -p lundian-transformer --example train_encoder -- --base multilingual-e5-small-zh \
//!     --licence MIT --gold train.jsonl --gold train-more.jsonl --dev dev.jsonl --test dev-ood.jsonl \
//!     --set epochs=8 -o models/thesis-encoder
//! ```
//!
//! Files are labelled samples, one JSON object a line. `--set name=value` changes a parameter of training, `--resume`
//! goes on where training was stopped. Without `--gold` the model in the folder is measured anew; `--zero-shot DIR`
//! measures what an encoder scores without any training.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use lundian_plugin::serde_json::{self, Value};
use lundian_plugin::{Batch, Classifier, Label, Output, Paragraph, Sample, Stance, Taxonomy, Unit};
use lundian_transformer::{Base, DataFile, Job, Model, Params, Transformer, sha256, train};
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
}

#[derive(Deserialize)]
struct RowLabel {
    thesis: String,
    quote: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let taxonomy = Taxonomy::china_economy();
    let (mut gold, mut dev, mut tests) = (Vec::new(), None, Vec::<PathBuf>::new());
    let (mut settings, mut out, mut base) = (serde_json::to_value(Params::default())?, None, None);
    let (mut licence, mut resume, mut limit, mut zero_shot) = (String::new(), false, usize::MAX, None);
    let mut args = env::args().skip(1);
    while let Some(flag) = args.next() {
        if flag == "--resume" {
            resume = true;
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--base" => base = Some(PathBuf::from(value)),
            "--licence" => licence = value,
            "--gold" => gold.push(PathBuf::from(value)),
            "--dev" => dev = Some(PathBuf::from(value)),
            "--test" => tests.push(value.into()),
            "--zero-shot" => zero_shot = Some(PathBuf::from(value)),
            "--limit" => limit = value.parse()?,
            "--set" => {
                let (name, value) = value.split_once('=').ok_or("--set needs name=value")?;
                let place = name.split('.').fold(&mut settings, |at, key| &mut at[key]);
                *place = serde_json::from_str::<Value>(value)?;
            }
            "-o" => out = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    let dev = dev.ok_or("--dev is needed")?;
    if let Some(dir) = zero_shot {
        let classifier = Transformer::new(Model::zero_shot(&dir, &taxonomy)?, &taxonomy)?;
        for path in [&dev].into_iter().chain(&tests) {
            measure(&classifier, path, &taxonomy)?;
        }
        return Ok(());
    }
    let out = out.ok_or("-o is needed")?;

    if !gold.is_empty() {
        let base = base.ok_or("--base is needed")?;
        let (mut samples, mut data) = (Vec::new(), Vec::new());
        for path in &gold {
            let mut read = read(path, &taxonomy)?;
            read.truncate(limit);
            data.push(DataFile { name: name(path), sha256: sha256(&fs::read(path)?), samples: read.len() });
            samples.extend(read);
        }
        let tune = read(&dev, &taxonomy)?;
        let params = Params::deserialize(&settings)?.check()?;
        let job = Job {
            taxonomy: &taxonomy,
            samples: &samples,
            tune: &tune,
            tune_name: &name(&dev),
            base: &base,
            base_name: Base { name: name(&base), licence },
            data,
            out: &out,
            resume,
        };
        let start = Instant::now();
        train(&job, &params, &mut |p| {
            eprintln!(
                "{:6.0} s  epoch {} step {}/{} loss {:.4} {:.0} tokens/s {}",
                start.elapsed().as_secs_f32(),
                p.epoch,
                p.step,
                p.steps,
                p.loss,
                p.tokens_per_second,
                p.tune.map_or_else(String::new, |(a, i)| format!("tune macro {a:.3} micro {i:.3}"))
            );
        })?;
    }

    let start = Instant::now();
    let mut model = Model::open(&out)?;
    println!("opened in {:.2} s", start.elapsed().as_secs_f32());
    let mut metrics = Vec::new();
    let classifier = Transformer::new(model, &taxonomy)?;
    for path in [&dev].into_iter().chain(&tests) {
        metrics.extend(measure(&classifier, path, &taxonomy)?);
    }
    model = classifier.into_model();
    metrics.into_iter().for_each(|(name, value)| model.set_metric(name, value));
    model.save_manifest(&out)?;
    Ok(())
}

/// Prints and returns what `classifier` scores on the file `path`, by name.
fn measure(classifier: &Transformer, path: &Path, taxonomy: &Taxonomy) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let samples = read(path, taxonomy)?;
    let start = Instant::now();
    let (scores, argued) = score(classifier, &samples, taxonomy.len())?;
    let speed = samples.len() as f32 / start.elapsed().as_secs_f32();
    let threshold = classifier.thresholds().global;
    let (macro_f1, micro_f1, ece) = f1(taxonomy.len(), &scores, &argued, threshold);
    let [macro_ci, micro_ci] = intervals(&samples, taxonomy.len(), &scores, &argued, threshold);
    let evidence = evidence_f1(classifier, &samples, taxonomy)?;
    println!(
        "{}: macro {macro_f1:.3} {macro_ci:.3?} micro {micro_f1:.3} {micro_ci:.3?} at {threshold:.3}, ECE {ece:.4}, \
         evidence {evidence:.3}, {speed:.0} paragraphs/s",
        name(path)
    );
    let values = [
        ("macro_f1", macro_f1),
        ("macro_f1.ci95_low", macro_ci[0]),
        ("macro_f1.ci95_high", macro_ci[1]),
        ("micro_f1", micro_f1),
        ("micro_f1.ci95_low", micro_ci[0]),
        ("micro_f1.ci95_high", micro_ci[1]),
        ("ece", ece),
        ("evidence_token_f1", evidence),
    ];
    let named =
        values.into_iter().map(|(metric, value)| (format!("{}.{metric}", name(path)), (value * 1e4).round() / 1e4));
    Ok(named.collect())
}

/// 95 % intervals of macro-F1 and micro-F1: percentiles of 1,000 bootstrap draws of whole sections (else documents), since
/// paragraphs of one author are not independent.
fn intervals(samples: &[Sample], theses: usize, scores: &[f32], argued: &[bool], threshold: f32) -> [[f64; 2]; 2] {
    let mut clusters: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, sample) in samples.iter().enumerate() {
        clusters.entry(sample.cluster()).or_default().push(row);
    }
    let clusters: Vec<Vec<usize>> = clusters.into_values().collect();
    let mut state = 1u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(state) * clusters.len() as u128) >> 64) as usize
    };
    let mut drawn: [Vec<f64>; 2] = Default::default();
    for _ in 0..1000 {
        let rows: Vec<usize> = (0..clusters.len()).flat_map(|_| clusters[draw()].iter().copied()).collect();
        let scores: Vec<f32> = rows.iter().flat_map(|r| &scores[r * theses..][..theses]).copied().collect();
        let argued: Vec<bool> = rows.iter().flat_map(|r| &argued[r * theses..][..theses]).copied().collect();
        let (macro_f1, micro_f1, _) = f1(theses, &scores, &argued, threshold);
        drawn[0].push(macro_f1);
        drawn[1].push(micro_f1);
    }
    drawn.map(|mut values| {
        values.sort_unstable_by(f64::total_cmp);
        [values[25], values[974]]
    })
}

/// Token (byte) F1 of the evidence for the labels that were found.
fn evidence_f1(classifier: &Transformer, samples: &[Sample], taxonomy: &Taxonomy) -> Result<f64, Box<dyn Error>> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    classifier.classify(&Batch::new(&units), &mut out)?;
    let thresholds = classifier.thresholds().resolve(taxonomy);
    let (mut hits, mut shown, mut wanted) = (0usize, 0usize, 0usize);
    for (row, sample) in samples.iter().enumerate() {
        for label in sample.labels.iter().filter(|l| out.row(row)[l.thesis] >= thresholds[l.thesis]) {
            let Some(gold) = &label.evidence else { continue };
            wanted += gold.len();
            for e in out.evidence.iter().filter(|e| e.row == row && e.thesis == label.thesis) {
                shown += e.range.len();
                hits += e.range.end.min(gold.end).saturating_sub(e.range.start.max(gold.start));
            }
        }
    }
    Ok(2.0 * hits as f64 / (shown + wanted).max(1) as f64)
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
        let paragraph = Paragraph { id, doc, section, heading, prev, text, ..Default::default() };
        Ok(Sample { paragraph, labels, ..Sample::default() })
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| sample(line).map_err(|e| format!("{}:{}: {e}", path.display(), i + 1).into())).collect()
}

/// The scores and the truth, `samples x theses`.
fn score(classifier: &Transformer, samples: &[Sample], theses: usize) -> Result<(Vec<f32>, Vec<bool>), Box<dyn Error>> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut out = Output::new(units.len(), theses);
    classifier.classify(&Batch::new(&units).without_evidence(), &mut out)?;
    let argued = samples.iter().flat_map(|s| (0..theses).map(|t| s.argues(t))).collect();
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
