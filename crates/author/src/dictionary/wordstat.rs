//! WordStat (`.cat`): an outline, indented by tabs. A line that ends with a weight in brackets, `WORD (1)`, is a term;
//! any other is a category. Weights are left out: a rule has one. `_` joins the words of a phrase.

use super::{DEPTH, Outline, Reader, indentation};

pub(super) fn read(source: &str, reader: &mut Reader<'_>) {
    let mut outline = Outline::default();
    for (number, line) in (1..).zip(source.lines()) {
        let entry = line.trim();
        if entry.is_empty() {
            continue;
        }
        let indent = indentation(line);
        let parent = outline.parent(indent);
        match (term(entry), parent) {
            (Some(rule), _) if rule.starts_with('@') => {
                reader.skipped(number, format!("rule {rule:?} is left out"), "write it as a rule of the pack");
            }
            (Some(term), Some(category)) => reader.term(category, &term.replace('_', " "), number),
            (Some(_), None) => {
                reader.skipped(number, "a term outside any category", "indent it by a tab, below its category");
            }
            (None, _) if outline.depth() >= DEPTH => reader.skipped(number, "too many categories in each other", ""),
            (None, _) => {
                let category = reader.category(parent, entry, number);
                outline.open(indent, category);
            }
        }
    }
}

/// The term of a line that ends with a weight.
fn term(entry: &str) -> Option<&str> {
    let (term, weight) = entry.strip_suffix(')')?.rsplit_once('(')?;
    let is_weight = !weight.is_empty() && weight.parse::<f64>().is_ok();
    (is_weight && !term.trim().is_empty()).then(|| term.trim_end())
}
