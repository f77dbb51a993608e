//! Long CSV, one line a label: `task,worker,label`, as crowd-sourcing tools write it.
//!
//! A worker who gives a task several labels has several lines; one who gives none has a line with an empty label,
//! which is an answer.

use std::collections::{BTreeMap, HashMap};

use lundian_core::{Label, Paragraph, Sample, Stance};

use super::annotations::{add, majority};
use super::book::Book;

const SHAPE: &str = "give JSONL, a Label Studio or doccano export, or CSV with the columns task,worker,label";

struct Task {
    line: usize,
    paragraph: Paragraph,
    workers: BTreeMap<String, Vec<Label>>,
    sound: bool,
}

pub(super) fn read(text: &str, book: &mut Book<'_>) {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(e) => return book.fault(1, format!("not CSV: {e}"), SHAPE),
    };
    let column = |name: &str| header.iter().position(|h| h == name);
    let (Some(task), Some(worker), Some(label)) = (column("task"), column("worker"), column("label")) else {
        return book.refuse("not a label file", SHAPE);
    };
    let mut tasks: Vec<Task> = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let line = e.position().map_or(1, |p| p.line() as usize);
                book.fault(line, "a row with another number of columns", "quote fields that hold commas");
                continue;
            }
        };
        let line = record.position().map_or(1, |p| p.line() as usize);
        let field = |column: Option<usize>| column.and_then(|c| record.get(c)).unwrap_or_default().to_owned();
        let id = field(Some(task));
        let worker = field(Some(worker));
        if id.is_empty() || worker.is_empty() {
            book.fault(line, "a row without task or worker", "fill in both");
            continue;
        }
        let at = *by_id.entry(id.clone()).or_insert_with(|| {
            let paragraph = Paragraph {
                id,
                text: field(column("text")),
                doc: field(column("doc")),
                section: field(column("section")),
                ..Paragraph::default()
            };
            tasks.push(Task { line, paragraph, workers: BTreeMap::new(), sound: true });
            tasks.len() - 1
        });
        let labels = tasks[at].workers.entry(worker).or_default();
        let slug = field(Some(label));
        if !slug.trim().is_empty() {
            match book.thesis(line, slug.trim()) {
                Some(thesis) => add(labels, Label { thesis, stance: Stance::Endorse, evidence: None }),
                None => tasks[at].sound = false,
            }
        }
    }
    for task in tasks.into_iter().filter(|t| t.sound) {
        let labels = majority(task.workers.values());
        let annotators = task
            .workers
            .into_iter()
            .map(|(name, labels)| {
                let mut theses: Vec<usize> = labels.iter().map(|l| l.thesis).collect();
                theses.sort_unstable();
                (name, theses)
            })
            .collect();
        let sample = Sample { paragraph: task.paragraph, labels, annotators, ..Sample::default() };
        book.push(task.line, sample);
    }
}
