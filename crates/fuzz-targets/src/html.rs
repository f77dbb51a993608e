//! Any bytes as a web page, in any encoding.

use lundian_text::Format;

/// Paragraphs stand in order within the source.
pub fn run(data: &[u8]) {
    crate::document::check(data, Format::Html);
}
