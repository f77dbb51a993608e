//! Lexicoder 3 (`.lc3`): a line `+NAME` begins a category, every other line is a term of it. Always UTF-8.

use super::Reader;

pub(super) fn read(source: &str, reader: &mut Reader<'_>) {
    let mut category = None;
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim();
        match (line.strip_prefix('+'), category) {
            (Some(name), _) if name.trim().is_empty() => {
                category = None;
                reader.skipped(number, "a category without a name", "write +NAME");
            }
            (Some(name), _) => category = Some(reader.category(None, name, number)),
            (None, Some(category)) => reader.term(category, line, number),
            (None, None) if line.is_empty() => {}
            (None, None) => reader.skipped(number, "a term before any category", "begin with a line +NAME"),
        }
    }
}
