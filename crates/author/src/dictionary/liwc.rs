//! LIWC (`.dic`): between two lines `%` the legend, a number and a name a line (indented by tabs where categories lie in
//! others, as in LIWC 2015); then a term a line, with the numbers of its categories.
//!
//! Two oddities of LIWC 2007 are left out, with a message: words that count only before `of` (`<of>`), and categories
//! that depend on neighbouring words (`(02 134)125/464`).

use std::collections::HashMap;

use super::{DEPTH, Outline, Reader, indentation};

pub(super) fn read(source: &str, reader: &mut Reader<'_>) {
    let mut lines = (1..).zip(source.lines()).filter(|(_, line)| !line.trim().is_empty());
    if lines.next().is_none_or(|(_, line)| line.trim() != "%") {
        reader.broken(1, "no legend: the file should begin with a line that holds only %");
        return;
    }
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let mut outline = Outline::default();
    let mut ended = false;
    for (number, line) in lines.by_ref() {
        let entry = line.trim();
        if entry == "%" {
            ended = true;
            break;
        }
        let digits = entry.len() - entry.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (id, name) = entry.split_at(digits);
        match id.parse() {
            Ok(id) if !name.trim().is_empty() && outline.depth() < DEPTH => {
                let indent = indentation(line);
                let parent = outline.parent(indent);
                let category = reader.category(parent, name, number);
                outline.open(indent, category);
                numbers.insert(id, category);
            }
            _ => reader.skipped(number, "not a category", "the legend has a number and a name on each line"),
        }
    }
    if !ended {
        reader.broken(1, "the legend does not end: it should be closed by a line that holds only %");
        return;
    }
    for (number, line) in lines {
        word(line.trim(), number, &numbers, reader);
    }
}

fn word(line: &str, number: usize, numbers: &HashMap<u64, usize>, reader: &mut Reader<'_>) {
    if line.contains("<of>") {
        reader.skipped(number, "a word that counts only before `of` is left out", "");
        return;
    }
    let (term, ids) = match line.split_once('\t') {
        Some((term, ids)) => (term.trim_end(), ids.to_owned()),
        None => {
            // Some files have spaces for tabs; a term may hold spaces itself.
            let is_id = |w: &&str| w.bytes().all(|b| b.is_ascii_digit());
            let words: Vec<&str> = line.split_whitespace().collect();
            let ids: Vec<&str> = words[1..].iter().rev().copied().take_while(is_id).collect();
            let after_term = ids.last().map_or(line.len(), |first| first.as_ptr().addr() - line.as_ptr().addr());
            (line[..after_term].trim_end(), ids.join(" "))
        }
    };
    let ids = match (ids.find('('), ids.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            reader.skipped(number, format!("conditions on the words around {term:?} are left out"), "");
            format!("{} {}", &ids[..open], &ids[close + 1..])
        }
        _ => ids,
    };
    let ids: Vec<&str> = ids.split(|c: char| !c.is_ascii_digit()).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        reader.skipped(
            number,
            format!("{term:?} is in no category"),
            "write the numbers of its categories after a tab",
        );
    }
    for id in ids {
        match id.parse().ok().and_then(|id: u64| numbers.get(&id)) {
            Some(category) => reader.term(*category, term, number),
            None => reader.skipped(number, format!("{term:?} is in category {id}, which the legend lacks"), ""),
        }
    }
}
