//! `lundian segment`: just the paragraphs, with their place in the source.

use lundian_report::{SEGMENT_FORMATS, SegmentFormat, SegmentWriter};

use crate::Outcome;
use crate::cli::{Destination, Global, Input, unknown_ending};
use crate::config::Config;
use crate::input::Paragraphs;
use crate::output::Sink;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    /// Output format [default: by the ending of the output file, else table]
    #[arg(long, short, value_name = "FORMAT", help_heading = "Output", value_parser = format_names())]
    format: Option<String>,
    #[command(flatten)]
    destination: Destination,
}

fn format_names() -> clap::builder::PossibleValuesParser {
    SEGMENT_FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>().into()
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let output = args.destination.output.as_deref();
    let ending = output.and_then(|p| p.extension()).and_then(|e| e.to_str());
    let name = args.format.as_deref().or(ending);
    let format = match (SEGMENT_FORMATS.iter().find(|(n, _)| name == Some(n)), output) {
        (Some((_, format)), _) => *format,
        (None, Some(path)) => return Err(unknown_ending(path, SEGMENT_FORMATS.iter().map(|(n, _)| *n))),
        (None, None) => SegmentFormat::Table,
    };
    let paragraphs = Paragraphs::open(&args.input, &config)?;
    let lost = paragraphs.errors();
    let mut sink = Sink::open(output)?;
    let mut writer = SegmentWriter::new(format, Box::new(&mut sink))?;
    let mut count = 0;
    for paragraph in paragraphs {
        writer.row(&paragraph)?;
        count += 1;
    }
    writer.finish()?;
    lost.refuse_nothing(count)?;
    sink.commit()?;
    Ok(if lost.get() > 0 { Outcome::Partly } else { Outcome::Done })
}
