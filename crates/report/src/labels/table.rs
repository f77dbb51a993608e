//! Labelled paragraphs for the eye: each paragraph with its evidence marked and its theses below, then how often each
//! thesis was argued. Its role, where systems say one, stands in the margin beside the first thesis, where it takes no room.

use std::io::{self, Write};
use std::iter;

use anstyle::{AnsiColor, Style};
use lundian_core::Role;
use lundian_runner::{Decision, Labelled, Summary, mean_role};
use unicode_width::UnicodeWidthStr;

use super::{Context, FormatEntry, LabelWriter};
use crate::html::{Lang, role_name};
use crate::table::truncated;

pub(super) const ENTRY: FormatEntry = FormatEntry {
    name: "table",
    endings: &["txt"],
    doc: "for reading in a terminal: paragraphs with evidence marked, theses and scores",
    open: |out, context| {
        let argued = vec![0; context.taxonomy.len()];
        let (roles, section) = ([0; Role::ALL.len()], String::new());
        Ok(Box::new(Terminal { out, argued, with_thesis: 0, roles, doc: None, section, context }))
    },
};

const TITLE: Style = Style::new().bold().underline();
const HEADING: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const EVIDENCE: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const THESIS: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
const FAILED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// Columns left of the text.
const MARGIN: usize = 6;
/// Columns of the names in the summary.
const NAME: usize = 34;
/// A bar of the summary at its longest.
const BAR: usize = 24;

struct Terminal<'a> {
    out: Box<dyn Write + 'a>,
    context: Context<'a>,
    /// Per thesis, the paragraphs that argue it.
    argued: Vec<usize>,
    with_thesis: usize,
    /// Per role, the paragraphs that have it.
    roles: [usize; Role::ALL.len()],
    /// The document and the section (or heading) that the reader knows to be in.
    doc: Option<String>,
    section: String,
}

impl Terminal<'_> {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.context.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn announce(&mut self, row: &Labelled) -> io::Result<()> {
        let p = &row.paragraph;
        if self.doc.as_deref() != Some(&p.doc) {
            self.doc = Some(p.doc.clone());
            self.section.clear();
            let title = if p.title.is_empty() { String::new() } else { format!("  {}", p.title) };
            let line = truncated(&format!("{}{title}", p.doc), self.context.width);
            let line = self.paint(TITLE, &line);
            writeln!(self.out, "\n{line}")?;
        }
        let section = [p.author.as_str(), p.heading.as_str()].into_iter().filter(|s| !s.is_empty());
        let section = section.collect::<Vec<_>>().join(" · ");
        if self.section != section {
            if !section.is_empty() {
                let line = truncated(&format!("  {section}"), self.context.width);
                let line = self.paint(HEADING, &line);
                writeln!(self.out, "{line}")?;
            }
            self.section = section;
        }
        Ok(())
    }

    /// Names with what they count, and a bar each.
    fn bars(&mut self, counts: &[(String, usize)]) -> io::Result<()> {
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1);
        for (name, count) in counts {
            let name = truncated(name, NAME);
            let pad = " ".repeat(NAME - name.width());
            let name = self.paint(THESIS, &name);
            let bar = truncated(&"█".repeat((count * BAR).div_ceil(most)), self.context.width.saturating_sub(NAME + 7));
            writeln!(self.out, "{count:>5}  {name}{pad}{bar}")?;
        }
        Ok(())
    }
}

impl LabelWriter for Terminal<'_> {
    fn row(&mut self, row: &Labelled, _scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        self.announce(row)?;
        let p = &row.paragraph;
        let number = p.id.rsplit('-').next().unwrap_or(&p.id);
        let number = format!("{:>4}  ", truncated(number, MARGIN - 2));
        let role = mean_role(&row.verdicts).map(|scores| Role::likeliest(&scores));
        if let Some(role) = role {
            self.roles[role as usize] += 1;
        }
        let number = self.paint(DIM, &number);
        let width = self.context.width.saturating_sub(MARGIN).max(20);
        if labels.is_empty() {
            // What argues nothing is there to keep the thread, so one line will do.
            let line = truncated(&p.text.replace('\n', " "), width);
            let line = self.paint(DIM, &line);
            writeln!(self.out, "{number}{line}")?;
        } else {
            self.with_thesis += 1;
            let marked = Marked::new(&p.text, labels, self.context.color);
            let mut numbers = iter::once(number);
            for line in marked.wrapped(width) {
                writeln!(self.out, "{}{line}", numbers.next().unwrap_or_else(|| " ".repeat(MARGIN)))?;
            }
            // In Chinese, as a role of two characters fits into the margin; beside labels, where it is not taken for text.
            let mut roles = role.map(|role| self.paint(DIM, &format!("{}  ", role_name(Lang::Zh, role)))).into_iter();
            for label in labels {
                self.argued[label.thesis] += 1;
                let thesis = &self.context.taxonomy.theses()[label.thesis];
                let name = truncated(&format!("{} {}", thesis.name.zh, thesis.slug), width.saturating_sub(10));
                let name = self.paint(THESIS, &name);
                let margin = roles.next().unwrap_or_else(|| " ".repeat(MARGIN));
                writeln!(self.out, "{margin}→ {:.2}  {name}", label.score)?;
                for why in &label.why {
                    let system = &self.context.systems[why.system].name;
                    let line = truncated(&format!("{system}: {}", why.reason), width.saturating_sub(8));
                    writeln!(self.out, "{}{}", " ".repeat(MARGIN + 8), self.paint(DIM, &line))?;
                }
            }
        }
        for (system, verdict) in self.context.systems.iter().zip(&row.verdicts) {
            if let Some(reason) = &verdict.failed {
                let line = truncated(&format!("{} failed: {reason}", system.name), width);
                let line = self.paint(FAILED, &line);
                writeln!(self.out, "{}{line}", " ".repeat(MARGIN))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        writeln!(
            self.out,
            "\n{} of {} paragraphs argue a thesis (by {}).",
            self.with_thesis, summary.paragraphs, self.context.judge
        )?;
        let mut theses: Vec<usize> = (0..self.argued.len()).filter(|&t| self.argued[t] > 0).collect();
        theses.sort_by_key(|&t| std::cmp::Reverse(self.argued[t]));
        let of_thesis = |t: usize| {
            let thesis = &self.context.taxonomy.theses()[t];
            (format!("{} {}", thesis.name.zh, thesis.slug), self.argued[t])
        };
        let theses: Vec<(String, usize)> = theses.into_iter().map(of_thesis).collect();
        self.bars(&theses)?;
        let of_role =
            |role: Role| (format!("{} {}", role_name(Lang::Zh, role), role.as_str()), self.roles[role as usize]);
        let roles: Vec<(String, usize)> = Role::ALL.into_iter().map(of_role).filter(|(_, n)| *n > 0).collect();
        if !roles.is_empty() {
            writeln!(self.out, "\nWhat the paragraphs do:")?;
            self.bars(&roles)?;
        }
        self.out.flush()
    }
}

/// A text with its evidence marked: by colour, or by 【】 where there is none.
struct Marked {
    text: String,
    /// Byte ranges of `text` to be coloured, in order and disjoint; empty without colour.
    colored: Vec<std::ops::Range<usize>>,
}

impl Marked {
    fn new(text: &str, labels: &[Decision], color: bool) -> Self {
        let mut spans: Vec<_> = labels.iter().flat_map(|l| &l.evidence).map(|e| e.range.clone()).collect();
        spans.sort_by_key(|s| s.start);
        let mut merged: Vec<std::ops::Range<usize>> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        if color {
            return Self { text: text.to_owned(), colored: merged };
        }
        let mut marked = String::with_capacity(text.len() + merged.len() * 6);
        let mut at = 0;
        for span in merged {
            marked.push_str(&text[at..span.start]);
            marked.push('【');
            marked.push_str(&text[span.clone()]);
            marked.push('】');
            at = span.end;
        }
        marked.push_str(&text[at..]);
        Self { text: marked, colored: Vec::new() }
    }

    /// Its lines, each at most `width` columns wide.
    fn wrapped(&self, width: usize) -> Vec<String> {
        let options = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
        let mut at = 0;
        textwrap::wrap(&self.text, options)
            .iter()
            .map(|line| {
                // Lines come in order and leave out nothing but white space.
                let start = at + self.text[at..].find(line.as_ref()).unwrap_or(0);
                at = start + line.len();
                self.painted(start..at.min(self.text.len()))
            })
            .collect()
    }

    fn painted(&self, line: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        let mut at = line.start;
        for span in &self.colored {
            let (start, end) = (span.start.max(line.start), span.end.min(line.end));
            if start < end {
                out.push_str(&self.text[at..start]);
                out.push_str(&format!("{EVIDENCE}{}{EVIDENCE:#}", &self.text[start..end]));
                at = end;
            }
        }
        out.push_str(&self.text[at..line.end]);
        out
    }
}
