//! `lundian train encoder`

use std::path::PathBuf;

use lundian_core::Paragraph;
use lundian_transformer::{AdaptParams, AdaptProgress, Adaptation, Base, TextFile, adapt};

use super::{TimeLeft, hash, with_settings};
use crate::Outcome;
use crate::cli::{Global, Input};
use crate::config::Config;
use crate::input::Paragraphs;
use crate::output;
use crate::scoring;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    /// Folder of the encoder to start from, as Hugging Face transformers writes one
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// Licence of the encoder, to be noted in the record
    #[arg(long, value_name = "SPDX", default_value = "not stated")]
    base_licence: String,
    /// Labelled samples that models will be measured on: text that holds their paragraphs is refused (repeatable)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Change a parameter, such as epochs=2 or freeze=6 (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Folder to write the encoder to, after each pass, with a record of what it was made from (adaptation.toml); use it
    /// with `lundian train transformer --base DIR`
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let params = with_settings(&AdaptParams::default(), &args.set)?.check()?;
    let paragraphs = Paragraphs::open(&args.input, &config)?;
    let lost = paragraphs.errors();
    let file = |path: &PathBuf| Ok(TextFile { name: scoring::file_name(path), sha256: hash(path)? });
    let data = paragraphs.files().iter().map(file).collect::<anyhow::Result<_>>()?;
    let text: Vec<Paragraph> = paragraphs.collect();
    lost.refuse_nothing(text.len())?;
    for path in &args.test {
        let samples = scoring::read_gold(&[path], &taxonomy)?;
        scoring::refuse_overlap("INPUT", &text, path, &samples)?;
    }
    let job = Adaptation {
        text: &text,
        base: &args.base,
        base_name: Base { name: scoring::file_name(&args.base), licence: args.base_licence.clone() },
        data,
        out: &args.output,
    };
    let mut time_left = TimeLeft::new();
    adapt(&job, &params, &mut |now| {
        if !global.quiet {
            tell(&now, &mut time_left);
        }
    })?;
    Ok(if lost.get() > 0 { Outcome::Partly } else { Outcome::Done })
}

/// Says how adaptation gets on: at the end of each pass, and now and then.
fn tell(now: &AdaptProgress, time_left: &mut TimeLeft) {
    if let Some(guessed) = now.guessed {
        let when = if now.epoch == 0 { "before".to_owned() } else { format!("pass {}", now.epoch) };
        output::say(format_args!(
            "{when}: of {} hidden words {:.1} % guessed, loss {:.3}",
            guessed.tokens,
            100.0 * guessed.accuracy,
            guessed.loss
        ));
    } else if let Some(left) = time_left.after(now.step, now.steps) {
        output::say(format_args!(
            "step {} of {}, loss {:.3}, {:.0} tokens/s, about {left} min left",
            now.step, now.steps, now.loss, now.tokens_per_second
        ));
    }
}
