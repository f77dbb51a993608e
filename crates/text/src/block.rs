//! What every format is cut into before it is judged: pieces of text with their place in the source.
//!
//! The decision that matters: formats only say what they know (this is a heading, this is a list item). What counts as
//! a paragraph is decided in one place for all of them, in `segment`.

use std::ops::Range;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Bytes of the decoded source that contain it, markup included.
    pub(crate) range: Range<usize>,
    /// Its text without markup, white space folded.
    pub(crate) text: String,
    /// What the format says that it is.
    pub(crate) kind: Kind,
    /// True if nothing but a line break stands between it and the block before.
    pub(crate) adjacent: bool,
}

/// What a format says about a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Running text.
    Text,
    /// An item of a list.
    Item,
    /// A heading.
    Heading,
    /// A line that only names the author of what follows: a new section.
    Author,
}

/// What a document says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) date: String,
}

/// `text` with runs of white space folded to one space, and none at the ends.
pub(crate) fn fold_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}').filter(|w| !w.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
