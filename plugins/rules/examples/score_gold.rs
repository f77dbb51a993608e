//! Scores rule packs against labelled samples, while they are being written: no compiling, one line a thesis.
//!
//! ```text
//! cargo run --release -p lundian-rules --example score_gold -- --packs plugins/rules/packs GOLD.jsonl... [OPTIONS]
//!   --packs DIR|FILE     packs to read (default: the built-in ones); may be repeated
//!   --calibration FILE   weights and thresholds (default: the weights that the packs give, threshold 0.5)
//!   --calibrate FILE     estimate them from the GOLD files and write them; --tune GOLD.jsonl corrects them
//!   --thesis SLUG        only this thesis
//!   --threshold T        in place of the calibration's
//!   --rules              each rule: fired, right, precision
//!   --errors             false alarms with their rules, and misses (not for files named dev*)
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lundian_plugin::{Label, Paragraph, Sample, Stance, Taxonomy, Thresholds};
use lundian_rules::{Calibration, Pack, Rules, bundled, calibrate};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    id: String,
    text: String,
    #[serde(default)]
    doc: String,
    #[serde(default)]
    section: String,
    #[serde(default)]
    prev: String,
    #[serde(default)]
    heading: String,
    #[serde(default)]
    title: String,
    labels: Vec<RowLabel>,
}

#[derive(Deserialize)]
struct RowLabel {
    thesis: String,
}

#[derive(Default)]
struct Options {
    gold: Vec<PathBuf>,
    tune: Vec<PathBuf>,
    packs: Vec<PathBuf>,
    calibration: Option<PathBuf>,
    calibrate: Option<PathBuf>,
    thesis: Option<String>,
    threshold: Option<f32>,
    rules: bool,
    errors: bool,
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} wants a value"));
            match arg.as_str() {
                "--packs" => options.packs.push(value()?.into()),
                "--tune" => options.tune.push(value()?.into()),
                "--calibration" => options.calibration = Some(value()?.into()),
                "--calibrate" => options.calibrate = Some(value()?.into()),
                "--thesis" => options.thesis = Some(value()?),
                "--threshold" => options.threshold = Some(value()?.parse().map_err(|_| "--threshold wants a number")?),
                "--rules" => options.rules = true,
                "--errors" => options.errors = true,
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                file => options.gold.push(file.into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// True if the packs have no mistakes.
fn run(options: &Options) -> Result<bool, String> {
    let taxonomy = Taxonomy::china_economy();
    let (mut packs, mut diagnostics) = (Vec::new(), Vec::new());
    if options.packs.is_empty() {
        (packs, diagnostics) = bundled(&taxonomy);
    }
    for path in pack_files(&options.packs)? {
        let (pack, mut found) = Pack::read(&path, &taxonomy);
        packs.push(pack);
        diagnostics.append(&mut found);
    }
    let mut rules = Rules::new(&taxonomy, &packs).map_err(|e| e.to_string())?;
    if let Some(path) = &options.calibration {
        let source = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let calibration = Calibration::from_toml(&source).map_err(|e| format!("{}: {e}", path.display()))?;
        rules = rules.with_calibration(&calibration);
    }
    let failures = rules.check();
    diagnostics.iter().for_each(|d| println!("{d}"));
    failures.iter().for_each(|f| println!("{f}"));
    println!(
        "{} packs, {} rules, {} literals; {} mistakes, {} examples fail\n",
        packs.len(),
        rules.len(),
        rules.literals(),
        diagnostics.len(),
        failures.len()
    );

    let mut samples = Vec::new();
    for path in &options.gold {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if options.errors && name.starts_with("dev") {
            return Err(format!("{name}: rules are not written from the errors on a dev file; use a train file"));
        }
        samples.extend(read_gold(path, &taxonomy)?);
    }
    if let Some(path) = &options.calibrate {
        let mut tune = Vec::new();
        for file in &options.tune {
            tune.extend(read_gold(file, &taxonomy)?);
        }
        let mut calibration = calibrate(&rules, &samples, &tune);
        let chosen_on = if options.tune.is_empty() { &options.gold } else { &options.tune };
        let names: Vec<_> = chosen_on.iter().filter_map(|p| p.file_name()).map(|n| n.to_string_lossy()).collect();
        calibration.thresholds.origin = format!("chosen on {}", names.join(", "));
        std::fs::write(path, calibration.to_toml()).map_err(|e| format!("{}: {e}", path.display()))?;
        rules = rules.with_calibration(&calibration);
    }
    if !samples.is_empty() {
        score(options, &taxonomy, &rules, &samples)?;
    }
    Ok(diagnostics.is_empty() && failures.is_empty())
}

fn pack_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            found.retain(|p| p.extension().is_some_and(|e| e == "toml"));
            found.sort();
            files.append(&mut found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn read_gold(path: &Path, taxonomy: &Taxonomy) -> Result<Vec<Sample>, String> {
    let source = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut samples = Vec::new();
    for (line, text) in source.lines().enumerate() {
        let at = |e: &dyn std::fmt::Display| format!("{}:{}: {e}", path.display(), line + 1);
        let row: Row = serde_json::from_str(text).map_err(|e| at(&e))?;
        let mut sample = Sample {
            paragraph: Paragraph {
                id: row.id,
                text: row.text,
                doc: row.doc,
                section: row.section,
                prev: row.prev,
                heading: row.heading,
                title: row.title,
                ..Paragraph::default()
            },
            ..Sample::default()
        };
        for label in row.labels {
            let thesis = taxonomy.index(&label.thesis).ok_or_else(|| at(&format!("no thesis {:?}", label.thesis)))?;
            sample.labels.push(Label { thesis, stance: Stance::Endorse, evidence: None });
        }
        samples.push(sample);
    }
    Ok(samples)
}

#[derive(Clone, Copy, Default)]
struct Counts {
    right: u32,
    alarms: u32,
    missed: u32,
}

impl Counts {
    fn precision(self) -> f64 {
        ratio(self.right, self.right + self.alarms)
    }

    fn recall(self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }

    fn f1(self) -> f64 {
        ratio(2 * self.right, 2 * self.right + self.alarms + self.missed)
    }
}

fn ratio(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

fn score(options: &Options, taxonomy: &Taxonomy, rules: &Rules, samples: &[Sample]) -> Result<(), String> {
    use lundian_plugin::Classifier as _;
    let wanted = match &options.thesis {
        Some(slug) => Some(taxonomy.index(slug).ok_or_else(|| match taxonomy.nearest(slug) {
            Some(near) => format!("no thesis {slug:?}; did you mean {near:?}?"),
            None => format!("no thesis {slug:?}"),
        })?),
        None => None,
    };
    let thresholds = options.threshold.map_or_else(|| rules.thresholds(), Thresholds::uniform).resolve(taxonomy);
    let mut counts = vec![Counts::default(); taxonomy.len()];
    let mut by_rule: BTreeMap<String, (u32, u32, f32)> = BTreeMap::new();
    for sample in samples {
        let unit = (&sample.paragraph).into();
        let fired = rules.explain(&unit);
        for (thesis, score) in rules.scores(&unit).into_iter().enumerate() {
            let (said, true_) = (score >= thresholds[thesis], sample.argues(thesis));
            let c = &mut counts[thesis];
            match (said, true_) {
                (true, true) => c.right += 1,
                (true, false) => c.alarms += 1,
                (false, true) => c.missed += 1,
                (false, false) => {}
            }
            if options.errors && said != true_ && wanted.is_none_or(|w| w == thesis) {
                let what = if said { "FALSE ALARM" } else { "MISS" };
                let p = &sample.paragraph;
                println!("{what} {} {} {score:.2}\n    {}", taxonomy.theses()[thesis].slug, p.id, p.text);
                if !p.heading.is_empty() {
                    println!("    heading: {}", p.heading);
                }
                if !said && !p.prev.is_empty() {
                    println!("    prev: {}", p.prev);
                }
                for f in fired.iter().filter(|f| f.thesis == thesis) {
                    let quotes: Vec<&str> = f.spans.iter().map(|s| &p.text[s.clone()]).collect();
                    println!("    by {}/{} ({:.2}): {}", f.pack, f.id, f.weight, quotes.join(" | "));
                }
                let labels: Vec<&str> = sample.labels.iter().map(|l| &*taxonomy.theses()[l.thesis].slug).collect();
                println!("    labels: {}", if labels.is_empty() { "none".to_owned() } else { labels.join(", ") });
            }
        }
        for f in fired.iter().filter(|f| wanted.is_none_or(|w| w == f.thesis)) {
            let key = format!("{:<24} {}/{}", taxonomy.theses()[f.thesis].slug, f.pack, f.id);
            let entry = by_rule.entry(key).or_default();
            entry.0 += 1;
            entry.1 += u32::from(sample.argues(f.thesis));
            entry.2 = f.weight;
        }
    }
    if options.rules {
        println!("{:<80} {:>6} {:>6} {:>6} {:>6}", "rule", "fired", "right", "prec", "weight");
        for (key, (fired, right, weight)) in &by_rule {
            println!("{key:<80} {fired:>6} {right:>6} {:>6.2} {weight:>6.2}", ratio(*right, *fired));
        }
        println!();
    }
    println!("{:<24} {:>7} {:>5} {:>5} {:>5} {:>6} {:>6} {:>6}", "thesis", "support", "tp", "fp", "fn", "P", "R", "F1");
    let line = |name: &str, c: Counts| {
        println!(
            "{name:<24} {:>7} {:>5} {:>5} {:>5} {:>6.3} {:>6.3} {:>6.3}",
            c.right + c.missed,
            c.right,
            c.alarms,
            c.missed,
            c.precision(),
            c.recall(),
            c.f1()
        );
    };
    let mut micro = Counts::default();
    for (thesis, c) in taxonomy.theses().iter().zip(&counts) {
        micro.right += c.right;
        micro.alarms += c.alarms;
        micro.missed += c.missed;
        if options.thesis.as_ref().is_none_or(|slug| *slug == thesis.slug) {
            line(&thesis.slug, *c);
        }
    }
    if wanted.is_none() {
        line("micro", micro);
        let supported: Vec<Counts> = counts.into_iter().filter(|c| c.right + c.missed > 0).collect();
        let mean =
            |of: fn(Counts) -> f64| supported.iter().map(|c| of(*c)).sum::<f64>() / supported.len().max(1) as f64;
        let (p, r, f) = (mean(Counts::precision), mean(Counts::recall), mean(Counts::f1));
        println!("{:<24} {:>25} {p:>6.3} {r:>6.3} {f:>6.3}", "macro", "");
    }
    Ok(())
}
