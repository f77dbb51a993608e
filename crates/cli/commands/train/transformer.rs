//! `lundian train transformer`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lundian_core::{Classifier as _, Kind, Paragraph, Taxonomy};
use lundian_report::{Lang, TrainingPoint, training_html};
use lundian_transformer::{Base, Job, LOG, Model, Params, Progress, Taught, Transformer, train};
use serde::Deserialize;

use super::{TimeLeft, data_files, held_out, measure, say_figures, with_settings};
use crate::Outcome;
use crate::cli::Global;
use crate::config::Config;
use crate::output::{self, Sink};
use crate::scoring;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder of the encoder to start from, as Hugging Face transformers writes one, or of a model to go on from
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// Licence of the encoder, to be noted in the model
    #[arg(long, value_name = "SPDX", default_value = "not stated")]
    base_licence: String,
    /// Labelled samples to learn from (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    gold: Vec<PathBuf>,
    /// Other labelled samples, to choose the best pass, the calibration and the threshold on
    #[arg(long, value_name = "FILE")]
    tune: PathBuf,
    /// Further labelled samples to measure the model on; the figures are stored with it (repeatable)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Unlabelled paragraphs with the scores of other systems to learn from, too: what `classify --format jsonl` writes;
    /// of several systems their mean counts (repeatable)
    #[arg(long, value_name = "FILE")]
    teacher: Vec<PathBuf>,
    /// Train the heads only: quick, and enough for few samples
    #[arg(long)]
    freeze: bool,
    /// Go on where training into the same folder was stopped
    #[arg(long)]
    resume: bool,
    /// Change a parameter of training, such as epochs=4 or lengths.window=128 (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Folder to write the model to, with a log of its training (train.jsonl) and its curves (train.html); use it with
    /// `[plugin.transformer] model = "DIR"` in lundian.toml
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let start = if args.freeze { Params::head_only() } else { Params::default() };
    let params = with_settings(&start, &args.set)?.check()?;
    let (samples, places) = scoring::read_gold_by_file(&args.gold, &taxonomy)?;
    let tests = held_out([&args.tune].into_iter().chain(&args.test), &samples, &taxonomy)?;
    let mut data = data_files(&args.gold, &places)?;
    let mut taught = Vec::new();
    for path in &args.teacher {
        let read = read_taught(path, &taxonomy)?;
        // A paragraph is learned by heart with a teacher's scores as well as with labels.
        for (held_out, samples) in &tests {
            scoring::refuse_overlap("--teacher", read.iter().map(|t| &t.paragraph), held_out, samples)?;
        }
        data.extend(data_files(std::slice::from_ref(path), std::slice::from_ref(&(0..read.len())))?);
        taught.extend(read);
    }
    let job = Job {
        taxonomy: &taxonomy,
        samples: &samples,
        taught: &taught,
        tune: &tests[0].1,
        tune_name: &scoring::file_name(&args.tune),
        base: &args.base,
        base_name: Base { name: scoring::file_name(&args.base), licence: args.base_licence.clone() },
        data,
        out: &args.output,
        resume: args.resume,
    };
    let mut time_left = TimeLeft::new();
    let model = train(&job, &params, &mut |progress| {
        if !global.quiet {
            tell(&progress, &mut time_left);
        }
    })?;
    let classifier = Transformer::new(model, &taxonomy)?;
    let mut figures = BTreeMap::new();
    for (path, samples) in &tests {
        let more = measure(&classifier, Kind::Transformer, &classifier.thresholds(), path, samples, &taxonomy)?;
        say_figures(&more, global.quiet);
        figures.extend(more);
    }
    let mut model: Model = classifier.into_model();
    figures.into_iter().for_each(|(name, value)| model.set_metric(name, value));
    model.save_manifest(&args.output)?;
    write_curve(&args.output)?;
    let thresholds = model.thresholds();
    output::inform(
        global.quiet,
        format_args!("{}: threshold {:.3} ({})", args.output.display(), thresholds.global, thresholds.origin),
    );
    Ok(Outcome::Done)
}

/// Draws the log of training, as `train.html` beside it.
fn write_curve(folder: &Path) -> anyhow::Result<()> {
    let log = folder.join(LOG);
    let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let point = |line: &str| -> anyhow::Result<TrainingPoint> {
        let now: Progress = serde_json::from_str(line)?;
        Ok(TrainingPoint {
            done: now.step as f64 / now.steps.max(1) as f64,
            loss: f64::from(now.loss),
            tune: now.tune.map(Into::into),
        })
    };
    let points: Vec<TrainingPoint> =
        text.lines().map(point).collect::<Result<_, _>>().with_context(|| log.display().to_string())?;
    let mut sink = Sink::open(Some(&folder.join("train.html")))?;
    sink.write_all(training_html(&points, Lang::En).as_bytes())?;
    sink.commit()
}

/// Says how training gets on: at the end of each pass, and now and then.
fn tell(now: &Progress, time_left: &mut TimeLeft) {
    if let Some((macro_f1, micro_f1)) = now.tune {
        let roles = now.roles.map(|accuracy| format!(", roles right {accuracy:.3}")).unwrap_or_default();
        output::say(format_args!("pass {}: macro-F1 {macro_f1:.3}, micro-F1 {micro_f1:.3}{roles}", now.epoch));
    } else if let Some(left) = time_left.after(now.step, now.steps) {
        output::say(format_args!(
            "step {} of {}, loss {:.4}, {:.0} tokens/s, about {left} min left",
            now.step, now.steps, now.loss, now.tokens_per_second
        ));
    }
}

/// Reads what `classify --format jsonl` wrote.
fn read_taught(path: &PathBuf, taxonomy: &Taxonomy) -> anyhow::Result<Vec<Taught>> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        #[serde(default)]
        doc: String,
        #[serde(default)]
        section: String,
        #[serde(default)]
        heading: String,
        text: String,
        /// A thesis that is not named scores next to nothing; one with null was abstained from.
        systems: BTreeMap<String, BTreeMap<String, Option<f32>>>,
    }
    // Where the last paragraph stood, and its text: what its judges saw before the next.
    let mut before = (String::new(), String::new(), String::new());
    let mut read = |line: &str| -> anyhow::Result<Taught> {
        let row: Row = serde_json::from_str(line).context("not what `classify --format jsonl` writes")?;
        let mut scores = vec![0.0; taxonomy.len()];
        let mut judges = vec![row.systems.len(); taxonomy.len()];
        for (slug, score) in row.systems.values().flatten() {
            let Some(thesis) = taxonomy.index(slug) else { bail!("there is no thesis {slug:?}") };
            match *score {
                Some(score) if (0.0..=1.0).contains(&score) => scores[thesis] += score,
                Some(score) => bail!("the score {score} of {slug} is outside [0, 1]"),
                None => judges[thesis] -= 1,
            }
        }
        for ((score, judges), thesis) in scores.iter_mut().zip(judges).zip(taxonomy.theses()) {
            if judges == 0 {
                bail!("no system has a score for {}", thesis.slug);
            }
            *score /= judges as f32;
        }
        let goes_on = (&row.doc, &row.section) == (&before.0, &before.1);
        let prev = if goes_on { std::mem::take(&mut before.2) } else { String::new() };
        before = (row.doc, row.section, row.text.clone());
        let paragraph = Paragraph { id: row.id, heading: row.heading, prev, text: row.text, ..Paragraph::default() };
        Ok(Taught { paragraph, scores })
    };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| read(line).with_context(|| format!("{}:{}", path.display(), n + 1))).collect()
}
