//! Where a reader writes down what it finds: samples, faults, and the slugs that the taxonomy does not know.

use std::collections::{BTreeMap, HashMap};

use lundian_core::{Diagnostic, Sample, Taxonomy};

/// What has been read so far from one file.
pub(super) struct Book<'a> {
    path: &'a str,
    /// The theses that labels may name.
    pub(super) taxonomy: &'a Taxonomy,
    samples: Vec<Sample>,
    diagnostics: Vec<Diagnostic>,
    faults: usize,
    /// Line of each id.
    seen: HashMap<String, usize>,
    /// Slugs that the taxonomy does not have, with how often they occur and the fault of each occurrence.
    unknown: BTreeMap<String, usize>,
    unknown_faults: Vec<Diagnostic>,
    known: usize,
    unlabelled: usize,
}

impl<'a> Book<'a> {
    pub(super) fn new(path: &'a str, taxonomy: &'a Taxonomy) -> Self {
        Self {
            path,
            taxonomy,
            samples: Vec::new(),
            diagnostics: Vec::new(),
            faults: 0,
            seen: HashMap::new(),
            unknown: BTreeMap::new(),
            unknown_faults: Vec::new(),
            known: 0,
            unlabelled: 0,
        }
    }

    /// Number of faults so far: a row is good if it adds none.
    pub(super) fn faults(&self) -> usize {
        self.faults
    }

    /// Notes a fault of a row.
    pub(super) fn fault(&mut self, line: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.faults += 1;
        self.diagnostics.push(Diagnostic::error(self.path, message).at_line(line).with_hint(hint));
    }

    /// Notes something about a row that does not cost it.
    pub(super) fn remark_on(&mut self, line: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(self.path, message).at_line(line).with_hint(hint));
    }

    /// Notes a fault of the whole file.
    pub(super) fn refuse(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(self.path, message).with_hint(hint));
    }

    /// Notes something about the whole file that costs nothing.
    pub(super) fn remark(&mut self, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(self.path, message));
    }

    /// Notes that `text`, which starts `lines_before` lines into the file, is not JSON.
    pub(super) fn not_json(&mut self, error: &serde_json::Error, text: &str, lines_before: usize) {
        // A text that ends too early ends on its last line, not on the one after its last line break.
        let number = error.line().clamp(1, text.lines().count().max(1));
        let line = text.lines().nth(number - 1).unwrap_or_default();
        // serde_json counts bytes; editors count characters.
        let mut end = if number < error.line() { line.len() } else { error.column().saturating_sub(1).min(line.len()) };
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let column = line[..end].chars().count() + 1;
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        let fault = Diagnostic::error(self.path, format!("not JSON: {what}"))
            .at_line(lines_before + number)
            .at_column(column)
            .with_hint("write one JSON object a line");
        self.faults += 1;
        self.diagnostics.push(fault);
    }

    /// Index of the thesis `slug`; if there is none, notes it.
    pub(super) fn thesis(&mut self, line: usize, slug: &str) -> Option<usize> {
        let thesis = self.taxonomy.index(slug);
        if thesis.is_some() {
            self.known += 1;
        } else {
            *self.unknown.entry(slug.to_owned()).or_default() += 1;
            let hint = match self.taxonomy.nearest(slug) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "`lundian thesis list` shows the slugs; `--taxonomy FILE` names another taxonomy".to_owned(),
            };
            let fault = Diagnostic::error(self.path, format!("unknown thesis {slug:?}")).at_line(line).with_hint(hint);
            self.faults += 1;
            self.unknown_faults.push(fault);
        }
        thesis
    }

    /// Notes a row that nobody has labelled yet.
    pub(super) fn unlabelled(&mut self) {
        self.unlabelled += 1;
    }

    /// Keeps a sample, unless its id has been seen before.
    pub(super) fn push(&mut self, line: usize, sample: Sample) {
        let id = &sample.paragraph.id;
        if let Some(first) = self.seen.get(id) {
            let message = format!("id {id:?} is already on line {first}");
            self.fault(line, message, "give each paragraph an id of its own, or delete one of the two rows");
        } else {
            self.seen.insert(id.clone(), line);
            self.samples.push(sample);
        }
    }

    /// The samples and the messages, in the order of lines.
    pub(super) fn finish(mut self) -> (Vec<Sample>, Vec<Diagnostic>) {
        let mentions: usize = self.unknown.values().sum();
        let foreign = self.unknown.keys().any(|slug| self.taxonomy.nearest(slug).is_none());
        if mentions > self.known && foreign {
            let mut slugs: Vec<(&String, &usize)> = self.unknown.iter().collect();
            slugs.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let mut list: Vec<&str> = slugs.iter().take(10).map(|(slug, _)| slug.as_str()).collect();
            let more = slugs.len().saturating_sub(list.len());
            let tail = format!("and {more} more");
            if more > 0 {
                list.push(&tail);
            }
            let message = format!(
                "labelled with another taxonomy: {} is without {} of its slugs: {}",
                self.taxonomy.name(),
                slugs.len(),
                list.join(", ")
            );
            let fault = Diagnostic::error(self.path, message).with_hint("give its taxonomy with `--taxonomy FILE`");
            return (Vec::new(), vec![fault]);
        }
        if self.unlabelled > 0 {
            let message = format!("{} paragraphs are not labelled yet and are left out", self.unlabelled);
            self.remark(message);
        }
        self.diagnostics.append(&mut self.unknown_faults);
        self.diagnostics.sort_by_key(|d| d.line);
        (self.samples, self.diagnostics)
    }
}
