//! A row a paragraph and a column a thesis, for spreadsheets and data frames.

use std::io::{self, Write};

use lundian_core::Role;
use lundian_runner::{Decision, Labelled, Summary, mean_role};

use super::record::rounded;
use super::{Context, FormatEntry, LabelWriter};

pub(super) const ENTRY: FormatEntry = FormatEntry {
    name: "csv",
    endings: &["csv"],
    doc: "a row a paragraph, a column a thesis with the judge's score",
    open: |out, context| {
        let mut csv = Csv { out: ::csv::Writer::from_writer(out), context };
        let slugs = csv.context.taxonomy.theses().iter().map(|t| t.slug.as_str());
        csv.out.write_record(FIXED.into_iter().chain(slugs))?;
        Ok(Box::new(csv))
    },
};

const FIXED: [&str; 14] = [
    "id", "doc", "title", "section", "heading", "author", "date", "start", "end", "text", "theses", "evidence", "role",
    "failed",
];

struct Csv<'a> {
    out: ::csv::Writer<Box<dyn Write + 'a>>,
    context: Context<'a>,
}

impl LabelWriter for Csv<'_> {
    fn row(&mut self, row: &Labelled, scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        let p = &row.paragraph;
        let slug = |label: &Decision| self.context.taxonomy.theses()[label.thesis].slug.as_str();
        let theses: Vec<&str> = labels.iter().map(slug).collect();
        let evidence: Vec<String> = labels
            .iter()
            .filter_map(|l| l.evidence.first().map(|e| format!("{}: {}", slug(l), &p.text[e.range.clone()])))
            .collect();
        let failed: Vec<&str> = self
            .context
            .systems
            .iter()
            .zip(&row.verdicts)
            .filter(|(_, v)| v.failed.is_some())
            .map(|(s, _)| s.name.as_str())
            .collect();
        let role = mean_role(&row.verdicts).map_or("", |scores| Role::likeliest(&scores).as_str());
        let (start, end) = p.source.map_or_else(Default::default, |s| (s.start.to_string(), s.end.to_string()));
        let fixed: [&str; FIXED.len()] = [
            &p.id,
            &p.doc,
            &p.title,
            &p.section,
            &p.heading,
            &p.author,
            &p.date,
            &start,
            &end,
            &p.text,
            &theses.join("; "),
            &evidence.join(" | "),
            role,
            &failed.join("; "),
        ];
        // An abstention is an empty cell, which data frames read as missing.
        let scores = scores.iter().map(|&s| if s.is_nan() { String::new() } else { rounded(s).to_string() });
        self.out.write_record(fixed.into_iter().map(str::to_owned).chain(scores))?;
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.out.flush()
    }
}
