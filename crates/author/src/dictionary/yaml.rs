//! quanteda's YAML (`.yml`): a mapping of categories, each a term, a list of terms, a mapping of categories in it, or a
//! list of both.
//!
//! Read from parser events, since a tree of values has lost its lines.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{DEPTH, Reader};

/// What is open, with the category that it is in.
enum Open {
    /// A mapping, and the category whose key was read and whose value is to come.
    Mapping { within: Option<usize>, key: Option<usize> },
    /// A list.
    List(usize),
}

pub(super) fn read(source: &str, reader: &mut Reader<'_>) {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(source) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => return reader.broken(error.marker().line(), error.info()),
        };
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, ..) => {
                // A plain `~`, or nothing, is YAML's way to say that there are no terms.
                let nothing = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                match open.last_mut() {
                    Some(Open::Mapping { within, key: key @ None }) => {
                        *key = Some(reader.category(*within, &text, line));
                    }
                    Some(Open::Mapping { key, .. }) => {
                        if let Some(category) = key.take().filter(|_| !nothing) {
                            reader.term(category, &text, line);
                        }
                    }
                    Some(Open::List(category)) if !nothing => reader.term(*category, &text, line),
                    Some(Open::List(_)) => {}
                    None => return reader.broken(line, "a dictionary begins with a category: `NAME:`"),
                }
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                let within = match open.last_mut() {
                    Some(Open::Mapping { key, .. }) => match key.take() {
                        Some(category) => Some(category),
                        None => return reader.broken(line, "the name of a category must be a plain text"),
                    },
                    Some(Open::List(category)) => Some(*category),
                    None => None,
                };
                open.push(match (event, within) {
                    (Event::MappingStart(..), within) => Open::Mapping { within, key: None },
                    (_, Some(category)) => Open::List(category),
                    (_, None) => return reader.broken(line, "a dictionary is a mapping of categories, not a list"),
                });
                if open.len() > DEPTH {
                    return reader.broken(line, "too many categories in each other");
                }
            }
            Event::MappingEnd | Event::SequenceEnd => drop(open.pop()),
            Event::Alias(_) => {
                if let Some(Open::Mapping { key, .. }) = open.last_mut() {
                    key.take();
                }
                reader.skipped(
                    line,
                    "an alias (*name) is left out",
                    "write the terms themselves; quote a term that begins with *",
                );
            }
            // Other documents of the file would have no name.
            Event::DocumentEnd => return,
            _ => {}
        }
    }
}
