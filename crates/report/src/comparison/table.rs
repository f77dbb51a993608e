//! A comparison for the terminal: what each system votes on, how far they agree, and the first disagreements.

use std::fmt::Write;

use lundian_core::Taxonomy;
use lundian_eval::gold::ToLabel;
use lundian_eval::{Comparison, LfSummary};

use crate::agreement::agreement_sections;
use crate::figures::{optional, percent};
use crate::table::{Column, Table, title, truncated};

/// Disagreements shown; the other formats have them all.
const SHOWN: usize = 10;

/// A comparison as text. Paragraphs are cut to `width` columns; tables are as wide as their figures.
pub fn comparison_table(
    comparison: &Comparison,
    to_label: &[ToLabel<'_>],
    taxonomy: &Taxonomy,
    color: bool,
    width: usize,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{}\n{}\n",
        title(&format!("Votes on {} paragraphs", comparison.paragraphs), color),
        votes(comparison)
    );
    out.push_str(&agreement_sections(&comparison.agreement, taxonomy, color));
    if !to_label.is_empty() {
        let (shown, all) = (SHOWN.min(to_label.len()), comparison.disagreements.len());
        let heading = format!("Most informative disagreements ({shown} of {all})");
        let _ = writeln!(out, "{}", title(&heading, color));
        for item in to_label.iter().take(SHOWN) {
            out.push_str(&disagreement(item, taxonomy, width));
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn votes(comparison: &Comparison) -> Table {
    let gold = comparison.systems.iter().any(|s| s.all.empirical_accuracy.is_some());
    let mut columns = vec![Column::left("system"), Column::left("kind"), Column::right("Coverage")];
    columns.extend(["Overlaps", "Conflicts", "labels given"].map(Column::right));
    if gold {
        columns.push(Column::right("Emp. Acc."));
    }
    columns.push(Column::right("seconds"));
    let mut table = Table::new(columns);
    for s in &comparison.systems {
        let LfSummary { coverage, overlaps, conflicts, given, empirical_accuracy } = s.all;
        let mut row = vec![s.name.clone(), s.kind.as_str().to_owned()];
        row.extend([coverage, overlaps, conflicts].map(percent));
        row.push(given.to_string());
        if gold {
            row.push(optional(empirical_accuracy));
        }
        row.push(format!("{:.2}", s.seconds));
        table.row(row);
    }
    table
}

fn disagreement(item: &ToLabel<'_>, taxonomy: &Taxonomy, width: usize) -> String {
    let text = truncated(&item.paragraph.text.replace('\n', " "), width.saturating_sub(6));
    let mut out = format!("{:>4.1}  {text}\n      {}\n", item.entropy, item.paragraph.id);
    for proposals in item.proposals.iter().filter(|p| p.labelled) {
        let thesis = taxonomy.theses().get(proposals.thesis).map_or("", |t| &t.slug);
        let _ = writeln!(out, "      → {:.2}  {thesis} ({})", proposals.score, proposals.system);
    }
    out.push('\n');
    out
}
