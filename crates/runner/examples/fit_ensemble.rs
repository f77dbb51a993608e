//! Fits the aggregates of the bundled plugins, measures them beside the mean, and writes what they learned.
//!
//! ```text
//! cargo run --release -p lundian-runner --example fit_ensemble -- \
//!     --gold train.jsonl --gold train-more.jsonl --gold paragraphs.jsonl --gold documents.jsonl \
//!     --fit documents.jsonl --dev dev.jsonl --test dev-ood.jsonl -o models/ensemble
//! ```
//!
//! `--gold` are the files that the linear model was trained on, in that order: it is cross-fitted on them, so that its
//! scores are those for paragraphs that it has not seen. The aggregates learn from those of them that `--fit` names, and
//! their thresholds are chosen on `--dev` for `--metric` (macro or micro F1); only `--test` is then an honest figure. The
//! plugins keep the thresholds that are stored with them, since those are what they vote by.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use lundian_core::{Batch, Classifier, Kind, Output, Sample, Setup, Taxonomy, Thresholds, Unit};
use lundian_eval::{Evaluation, Objective, SystemOutput, evaluate, read_gold};
use lundian_linear::{Linear, Params};
use lundian_plugin::Plugin;
use lundian_rules::Rules;
use lundian_runner::System;
use lundian_runner::aggregate::{
    AGGREGATES, DataFile, Figures, FitOptions, Fitted, Panel, Training, beside_mean, correlated, fit,
};
use serde::Deserialize;
use serde_json::Value;

/// What the linear model was trained with.
const LINEAR: &str = include_str!("../../../models/thesis-linear/model.toml");
const NOTE: &str = "linear: cross-fitted by section or document. rules: as they are; they were written by reading other \
                    samples of this kind, so their scores may be too good here";

#[derive(Default)]
struct Args {
    gold: Vec<PathBuf>,
    fit: Vec<PathBuf>,
    dev: PathBuf,
    test: Vec<PathBuf>,
    out: Option<PathBuf>,
    objective: Objective,
}

/// Samples, and by system of the panel their scores.
struct Scored {
    samples: Vec<Sample>,
    scores: Vec<Vec<f32>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = parse(env::args().skip(1))?;
    let taxonomy = Taxonomy::china_economy();
    let setup = Setup::new(&taxonomy, &Value::Null);
    let classifiers: [(&str, Kind, Arc<dyn Classifier>); 2] = [
        ("rules", Kind::Rules, Arc::new(Rules::create(&setup)?)),
        ("linear", Kind::Linear, Arc::new(Linear::create(&setup)?)),
    ];
    let systems: Vec<System> = classifiers.into_iter().map(|(n, kind, c)| System::new(n, kind, c)).collect();

    let dev = score(read(&args.dev, &taxonomy)?, &systems, &taxonomy)?;
    let panel = Panel::new(&systems, &taxonomy);
    let (fitting, data) = cross_fitted(&args, &systems, &taxonomy)?;
    let training = training(&panel, &fitting)?;
    let mut fitted = Fitted::new(&panel);
    for entry in AGGREGATES.iter().filter(|e| e.is_learned()) {
        match fit(entry, &training, &FitOptions::default()) {
            Ok(learned) => fitted.merge(learned),
            // A cascade of two fast plugins, say.
            Err(e) => eprintln!("{}: left out: {e}", entry.name),
        }
    }
    fitted.note = NOTE.to_owned();
    fitted.data = data;
    fitted.correlated = correlated(&training);
    fitted.correlated.iter().for_each(|c| println!("{}", c.sentence()));
    fitted.tune_thresholds(&self::training(&panel, &dev)?, &taxonomy, args.objective, &name(&args.dev))?;

    for path in std::iter::once(&args.dev).chain(&args.test) {
        let file = name(path);
        let scored = score(read(path, &taxonomy)?, &systems, &taxonomy)?;
        let evaluation = measure(&scored, &systems, &panel, &fitted, &taxonomy)?;
        say(&file, &evaluation);
        for report in evaluation.systems.iter().filter(|s| s.kind != Kind::Baseline) {
            for (metric, value) in [("macro_f1", report.macro_average.prf.f1), ("micro_f1", report.micro.prf.f1)] {
                let key = format!("{file}.{}.{metric}", report.name);
                fitted.metrics.insert(key, (value * 1e4).round() / 1e4);
            }
        }
    }
    if let Some(out) = args.out {
        fs::create_dir_all(&out)?;
        fs::write(out.join("model.toml"), fitted.to_toml())?;
    }
    Ok(())
}

fn parse(mut flags: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args::default();
    while let Some(flag) = flags.next() {
        let value = PathBuf::from(flags.next().ok_or_else(|| format!("{flag} needs a value"))?);
        match flag.as_str() {
            "--gold" => args.gold.push(value),
            "--fit" => args.fit.push(value),
            "--dev" => args.dev = value,
            "--test" => args.test.push(value),
            "-o" => args.out = Some(value),
            "--metric" if value.as_os_str() == "macro" => args.objective = Objective::MacroF1,
            "--metric" if value.as_os_str() == "micro" => args.objective = Objective::MicroF1,
            _ => return Err(format!("unknown flag {flag}")),
        }
    }
    match args.fit.iter().find(|f| !args.gold.contains(f)) {
        Some(other) => Err(format!("--fit {} is not among the --gold files", other.display())),
        None if args.fit.is_empty() => Err("--fit FILE is missing".to_owned()),
        None => Ok(args),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path, taxonomy: &Taxonomy) -> Result<Vec<Sample>, String> {
    let (samples, diagnostics) = read_gold(path, taxonomy);
    match diagnostics.iter().find(|d| d.error) {
        Some(error) => Err(error.to_string()),
        None => Ok(samples),
    }
}

/// What the systems say of samples.
fn score(samples: Vec<Sample>, systems: &[System], taxonomy: &Taxonomy) -> Result<Scored, Box<dyn Error>> {
    let units: Vec<Unit<'_>> = samples.iter().map(|s| Unit::from(&s.paragraph)).collect();
    let mut scores = Vec::new();
    for system in systems {
        let mut out = Output::new(units.len(), taxonomy.len());
        system.classifier.classify(&Batch::new(&units).without_evidence(), &mut out)?;
        scores.push(out.scores().to_vec());
    }
    Ok(Scored { samples, scores })
}

/// The samples to fit on: as they are by the rules, cross-fitted by the linear model.
fn cross_fitted(
    args: &Args,
    systems: &[System],
    taxonomy: &Taxonomy,
) -> Result<(Scored, Vec<DataFile>), Box<dyn Error>> {
    let (mut all, mut wanted, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.gold {
        let samples = read(path, taxonomy)?;
        if args.fit.contains(path) {
            let labels = samples.iter().map(|s| s.labels.len()).sum();
            data.push(DataFile { name: name(path), paragraphs: samples.len(), labels });
        }
        wanted.extend(samples.iter().map(|_| args.fit.contains(path)));
        all.extend(samples);
    }
    let model: toml::Table = toml::from_str(LINEAR)?;
    let params =
        Params::deserialize(model.get("params").cloned().ok_or("no [params] in the linear model")?)?.check()?;
    let linear = lundian_linear::cross_fit(taxonomy, &all, &params, &mut |p| eprintln!("{}/{}", p.done, p.total))?;
    let rows = || wanted.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(row, _)| row);
    let samples = rows().map(|row| all[row].clone()).collect();
    let mut scored = score(samples, &systems[..1], taxonomy)?;
    let theses = taxonomy.len();
    scored.scores.push(rows().flat_map(|row| &linear[row * theses..(row + 1) * theses]).copied().collect());
    Ok((scored, data))
}

fn training<'a>(panel: &'a Panel, scored: &'a Scored) -> Result<Training<'a>, Box<dyn Error>> {
    let scores: Vec<&[f32]> = scored.scores.iter().map(Vec::as_slice).collect();
    Ok(Training::new(panel, &scored.samples, &scores)?)
}

fn output(samples: &[Sample], scores: &[f32], taxonomy: &Taxonomy) -> Output {
    let mut output = Output::new(samples.len(), taxonomy.len());
    output.scores_mut().copy_from_slice(scores);
    output
}

/// Every system, and every aggregate that can be had.
fn measure(
    scored: &Scored,
    systems: &[System],
    panel: &Panel,
    fitted: &Fitted,
    taxonomy: &Taxonomy,
) -> Result<Evaluation, Box<dyn Error>> {
    let theses = taxonomy.len();
    let mut rows: Vec<(&str, Kind, Output, Thresholds)> = Vec::new();
    for (system, scores) in systems.iter().zip(&scored.scores) {
        let own = output(&scored.samples, scores, taxonomy);
        rows.push((&system.name, system.kind, own, system.thresholds.clone()));
    }
    for entry in AGGREGATES {
        let Ok(aggregate) = entry.for_panel(panel, Some(fitted)) else { continue };
        let mut combined = Output::new(scored.samples.len(), theses);
        for row in 0..scored.samples.len() {
            let of_row: Vec<&[f32]> = scored.scores.iter().map(|s| &s[row * theses..(row + 1) * theses]).collect();
            combined.row_mut(row).copy_from_slice(&aggregate.combine(&of_row));
        }
        rows.push((entry.name, Kind::Aggregate, combined, aggregate.thresholds()));
    }
    let views: Vec<SystemOutput<'_>> = rows
        .iter()
        .map(|(name, kind, output, thresholds)| SystemOutput { name, kind: *kind, output, thresholds, seconds: 0.0 })
        .collect();
    Ok(evaluate(&scored.samples, &views, taxonomy, &lundian_eval::Options::default())?)
}

fn say(file: &str, evaluation: &Evaluation) {
    println!("\n{file}");
    let figures = |name: &str| {
        let report = evaluation.systems.iter().find(|s| s.name == name)?;
        Some(Figures { macro_f1: report.macro_average.prf.f1, micro_f1: report.micro.prf.f1 })
    };
    for s in &evaluation.systems {
        let [macro_f1, micro_f1] = [&s.macro_average, &s.micro].map(|a| {
            let [low, high] = a.ci95.unwrap_or_default();
            format!("{:.3} ({low:.3} to {high:.3})", a.prf.f1)
        });
        println!("  {:12} macro {macro_f1}  micro {micro_f1}  ECE {:.4}", s.name, s.ece.unwrap_or_default());
    }
    let Some(mean) = figures("mean") else { return };
    for pair in evaluation.pairs.iter().filter(|p| p.a == "mean" || p.b == "mean") {
        // The interval is of `a` minus `b`.
        let (name, ci95) =
            if pair.a == "mean" { (&pair.b, pair.ci95.map(|[low, high]| [-high, -low])) } else { (&pair.a, pair.ci95) };
        if let Some(own) = figures(name) {
            println!("  {} (p = {:.3})", beside_mean(name, own, mean, ci95), pair.p_value);
        }
    }
}
