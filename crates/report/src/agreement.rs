//! `agreement`: how far people or systems agree, for the terminal and for programs.

use std::fmt::Write;

use lundian_core::Taxonomy;
use lundian_eval::{Agreement, Alpha};

use crate::figures::{interval, optional, percent};
use crate::format::{Look, ReportFormat, json};
use crate::table::{Column, Table, title};

/// Writes an agreement.
pub type WriteAgreement = fn(&Agreement, &Look<'_>) -> String;

/// Every output format of `agreement`.
pub const AGREEMENT_FORMATS: &[ReportFormat<WriteAgreement>] = &[
    ReportFormat {
        name: "table",
        endings: &["txt"],
        doc: "for reading in a terminal: raters, pairs, theses",
        write: |agreement, look| agreement_table(agreement, look.taxonomy, look.color),
    },
    ReportFormat {
        name: "json",
        endings: &["json"],
        doc: "every figure, in keys that do not change",
        write: |agreement, _| json(agreement),
    },
];

/// An agreement as text.
pub fn agreement_table(agreement: &Agreement, taxonomy: &Taxonomy, color: bool) -> String {
    let mut out = String::new();
    let mut raters = Table::new(vec![Column::left("rater"), Column::right("units"), Column::right("labels")]);
    for r in &agreement.raters {
        raters.row([r.name.clone(), r.units.to_string(), r.labels.to_string()]);
    }
    let _ = write!(out, "{}\n{raters}\n", title("Raters", color));
    out.push_str(&agreement_sections(agreement, taxonomy, color));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Everything but the raters, as the comparison of systems shows it, too.
pub(crate) fn agreement_sections(agreement: &Agreement, taxonomy: &Taxonomy, color: bool) -> String {
    let mut out = String::new();
    let mut section = |name: &str, body: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}\n{body}\n", title(name, color));
    };
    section("Krippendorff's alpha", &alphas(agreement, taxonomy));
    if !agreement.pairs.is_empty() {
        section("Pairs, over all unit-thesis cells", &pairs(agreement));
    }
    if !agreement.notes.is_empty() {
        section("Notes", &agreement.notes.iter().map(|n| format!("- {n}\n")).collect::<String>());
    }
    out
}

fn alphas(agreement: &Agreement, taxonomy: &Taxonomy) -> Table {
    let heads = ["alpha", "95 %", "given", "shared units"].map(Column::right);
    let mut table = Table::new([Column::left("thesis")].into_iter().chain(heads).collect());
    let mut row = |name: String, alpha: &Alpha, given: String| {
        table.row([name, optional(alpha.alpha), interval(alpha.ci95), given, alpha.units.to_string()]);
    };
    let labels: usize = agreement.raters.iter().map(|r| r.labels).sum();
    row("sets of theses (MASI)".to_owned(), &agreement.masi, labels.to_string());
    for (t, thesis) in agreement.per_thesis.iter().zip(taxonomy.theses()) {
        row(format!("{} {}", thesis.name.zh, thesis.slug), &t.alpha, t.given.to_string());
    }
    table
}

fn pairs(agreement: &Agreement) -> Table {
    let heads = ["units", "equal sets", "kappa", "95 %", "AC1", "Jaccard", "both", "only a", "only b", "neither"];
    let columns = [Column::left("a"), Column::left("b")].into_iter().chain(heads.map(Column::right));
    let mut table = Table::new(columns.collect());
    for p in &agreement.pairs {
        table.row([
            p.a.clone(),
            p.b.clone(),
            p.shared_units.to_string(),
            percent(p.identical_sets),
            optional(p.all.kappa),
            interval(p.kappa_ci95),
            optional(p.all.ac1),
            optional(p.all.jaccard),
            p.all.both.to_string(),
            p.all.only_a.to_string(),
            p.all.only_b.to_string(),
            p.all.neither.to_string(),
        ]);
    }
    table
}
