//! Any bytes as Markdown and as plain text, in any encoding.

use lundian_text::Format;

/// Paragraphs stand in order within the source.
pub fn run(data: &[u8]) {
    crate::document::check(data, Format::Markdown);
    crate::document::check(data, Format::Plain);
}
