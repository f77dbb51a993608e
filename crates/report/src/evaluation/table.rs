//! An evaluation for the terminal: the averages first, then theses, differences, slices and where thresholds come from.

use std::fmt::Write;

use lundian_core::{Kind, Role, Taxonomy};
use lundian_eval::{Evaluation, ResampledBy, RoleReport, SystemReport};
use unicode_width::UnicodeWidthStr;

use crate::figures::{UNDEFINED, difference, figure, interval, optional, p_value, percent};
use crate::table::{Column, Table, title};

/// An evaluation as text. As many systems stand side by side as fit into `width` columns; the rest follow below.
pub fn evaluation_table(evaluation: &Evaluation, taxonomy: &Taxonomy, color: bool, width: usize) -> String {
    let mut out = String::new();
    let mut section = |name: &str, body: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}\n{body}\n", title(name, color));
    };
    section("Gold", &about(evaluation));
    section("Labels", &averages(evaluation));
    section("Further figures", &further(evaluation));
    for part in theses(evaluation, taxonomy, width) {
        section("F1 of each thesis (* best)", &part);
    }
    if let Some(roles) = roles(evaluation) {
        section("Roles", &roles);
    }
    if !evaluation.pairs.is_empty() {
        section("Differences (a less b)", &pairs(evaluation));
    }
    for part in slices(evaluation, width) {
        section("Micro F1 of each part (r: recall, where only that is known)", &part);
    }
    if evaluation.systems.iter().any(tested) {
        section("Robustness", &robustness(evaluation));
    }
    section("Ceiling and floor", &bounds(evaluation));
    section("Thresholds", &thresholds(evaluation));
    if !evaluation.notes.is_empty() {
        section("Notes", &evaluation.notes.iter().map(|n| format!("- {n}\n")).collect::<String>());
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn about(evaluation: &Evaluation) -> String {
    let gold = &evaluation.gold;
    let resampling = &evaluation.resampling;
    let by = match resampling.by {
        ResampledBy::Section => "sections",
        ResampledBy::Document => "documents",
        ResampledBy::Paragraph => "paragraphs",
    };
    format!(
        "{}: {} paragraphs, {} labels, {} documents, {} theses with support\n\
         intervals: 95 %, {} draws over {} {by}, seed {}\n",
        gold.file,
        gold.paragraphs,
        gold.labels,
        gold.documents,
        gold.theses,
        resampling.draws,
        resampling.clusters,
        resampling.seed
    )
}

fn averages(evaluation: &Evaluation) -> Table {
    let mut columns = vec![Column::left("system"), Column::left("kind")];
    for average in ["micro", "macro"] {
        columns.extend([average, "P", "R"].map(Column::right));
        columns.push(Column::left("95 % of F1"));
    }
    let mut table = Table::new(columns);
    for system in &evaluation.systems {
        let mut row = vec![system.name.clone(), system.kind.as_str().to_owned()];
        for average in [system.micro, system.macro_average] {
            row.extend([average.prf.f1, average.prf.precision, average.prf.recall].map(figure));
            row.push(interval(average.ci95));
        }
        table.row(row);
    }
    table
}

fn further(evaluation: &Evaluation) -> Table {
    let heads = ["family", "any", "exact", "Jaccard", "ECE", "Brier", "evidence", "coverage", "failed", "par/s"];
    let columns = [Column::left("system")].into_iter().chain(heads.map(Column::right));
    let mut table = Table::new(columns.collect());
    for s in &evaluation.systems {
        table.row([
            s.name.clone(),
            figure(s.family.macro_f1),
            figure(s.any_thesis.f1),
            optional(s.subset_accuracy),
            optional(s.jaccard),
            optional(s.ece),
            optional(s.brier),
            optional(s.evidence.token_f1),
            percent(s.coverage),
            s.failed.to_string(),
            s.paragraphs_per_second.map_or_else(|| UNDEFINED.to_owned(), |x| format!("{x:.0}")),
        ]);
    }
    table
}

/// As many systems side by side as fit beside columns of `left`; a table each.
fn side_by_side(systems: &[SystemReport], left: usize, width: usize) -> impl Iterator<Item = &[SystemReport]> {
    let column = systems.iter().map(|s| s.name.width().max(6) + 2).max().unwrap_or(8);
    systems.chunks((width.saturating_sub(left) / column).max(1))
}

fn theses(evaluation: &Evaluation, taxonomy: &Taxonomy, width: usize) -> Vec<Table> {
    let name = |t: usize| format!("{} {}", taxonomy.theses()[t].name.zh, taxonomy.theses()[t].slug);
    let left = (0..taxonomy.len()).map(|t| name(t).width()).max().unwrap_or(0) + 4;
    let f1 = |s: &SystemReport, t: usize| s.per_thesis.get(t).map_or(0.0, |x| x.prf.f1);
    side_by_side(&evaluation.systems, left, width)
        .map(|systems| {
            let mut columns = vec![Column::left("thesis"), Column::right("n")];
            columns.extend(systems.iter().map(|s| Column::right(&s.name)));
            let mut table = Table::new(columns);
            for t in 0..taxonomy.len() {
                let support = evaluation.systems.first().and_then(|s| s.per_thesis.get(t)).map_or(0, |x| x.support);
                let best = evaluation.systems.iter().map(|s| f1(s, t)).fold(0.0, f64::max);
                let mut row = vec![name(t), support.to_string()];
                for system in systems {
                    let x = f1(system, t);
                    row.push(match support {
                        // Nothing to find: F1 would be 0 however good the system.
                        0 => UNDEFINED.to_owned(),
                        _ => format!("{x:.3}{}", if x > 0.0 && x >= best { "*" } else { " " }),
                    });
                }
                table.row(row);
            }
            table
        })
        .collect()
}

/// The systems that say roles, with how well; the baseline is there only beside others.
pub(super) fn tell_roles(evaluation: &Evaluation) -> Vec<(usize, &SystemReport, &RoleReport)> {
    let told = evaluation.systems.iter().enumerate().filter_map(|(i, s)| Some((i, s, s.role.as_ref()?)));
    let told: Vec<_> = told.collect();
    if told.iter().all(|(_, s, _)| s.kind == Kind::Baseline) { Vec::new() } else { told }
}

fn roles(evaluation: &Evaluation) -> Option<String> {
    let told = tell_roles(evaluation);
    let (_, _, first) = told.first()?;
    let mut columns = vec![Column::left("system")];
    columns.extend([Column::right("accuracy"), Column::left("95 %"), Column::right("macro F1"), Column::left("95 %")]);
    columns.extend(["kappa", "said"].into_iter().chain(Role::ALL.map(Role::as_str)).map(Column::right));
    let mut table = Table::new(columns);
    for (_, s, r) in &told {
        let mut row = vec![s.name.clone(), figure(r.accuracy), interval(r.accuracy_ci95)];
        row.extend([figure(r.macro_f1), interval(r.macro_f1_ci95), optional(r.kappa), percent(Some(r.coverage))]);
        // Nothing to find: F1 would be 0 however good the system.
        row.extend(r.per_role.iter().map(|role| optional((role.support > 0).then_some(role.prf.f1))));
        table.row(row);
    }
    let support: Vec<String> = first.per_role.iter().map(|r| format!("{} {}", r.support, r.role.as_str())).collect();
    let (paragraphs, support) = (first.paragraphs, support.join(", "));
    Some(format!(
        "{paragraphs} paragraphs have a recorded role: {support}\nprior says the commonest throughout\n\n{table}"
    ))
}

fn pairs(evaluation: &Evaluation) -> Table {
    let heads = ["macro F1", "95 %", "p", "p (Holm)", "micro F1", "only a right", "only b right"];
    let columns = [Column::left("a"), Column::left("b")].into_iter().chain(heads.map(Column::right));
    let mut table = Table::new(columns.collect());
    for p in &evaluation.pairs {
        table.row([
            p.a.clone(),
            p.b.clone(),
            difference(p.delta_macro_f1),
            interval(p.ci95),
            p_value(p.p_value),
            p_value(p.p_holm),
            difference(p.delta_micro_f1),
            p.only_a_right.len().to_string(),
            p.only_b_right.len().to_string(),
        ]);
    }
    table
}

fn slices(evaluation: &Evaluation, width: usize) -> Vec<Table> {
    if evaluation.slices.is_empty() {
        return Vec::new();
    }
    let longest = |f: fn(&lundian_eval::Slice) -> &str| evaluation.slices.iter().map(|s| f(s).width()).max();
    let left = longest(|s| &s.key).unwrap_or(0) + longest(|s| &s.value).unwrap_or(0) + 2 + 14 + 8;
    side_by_side(&evaluation.systems, left, width)
        .map(|systems| {
            let mut columns = vec![Column::left("part"), Column::left(""), Column::right("paragraphs")];
            columns.push(Column::right("labels"));
            columns.extend(systems.iter().map(|s| Column::right(&s.name)));
            let mut table = Table::new(columns);
            for slice in &evaluation.slices {
                let mut row = vec![slice.key.clone(), slice.value.clone()];
                row.extend([slice.paragraphs.to_string(), slice.labels.to_string()]);
                for system in systems {
                    let score = slice.systems.iter().find(|s| s.name == system.name && slice.labels > 0);
                    row.push(score.map_or_else(
                        || UNDEFINED.to_owned(),
                        |s| s.f1.map_or_else(|| format!("r {:.3}", s.recall), figure),
                    ));
                }
                table.row(row);
            }
            table
        })
        .collect()
}

/// Whether more was asked of the system than to be scored.
pub(super) fn tested(system: &SystemReport) -> bool {
    system.invariance.is_some() || system.faithfulness.is_some()
}

fn robustness(evaluation: &Evaluation) -> Table {
    let heads = ["labels flip", "claims", "drop", "random drop", "evidence wins"];
    let columns = [Column::left("system"), Column::left("change")].into_iter().chain(heads.map(Column::right));
    let mut table = Table::new(columns.collect());
    for s in evaluation.systems.iter().filter(|s| tested(s)) {
        let (change, faithful) = (s.invariance.as_ref(), s.faithfulness.as_ref());
        table.row([
            s.name.clone(),
            change.map_or(UNDEFINED, |i| &i.change).to_owned(),
            percent(change.and_then(|i| i.flip_rate)),
            faithful.map_or_else(|| UNDEFINED.to_owned(), |f| f.tested.to_string()),
            optional(faithful.and_then(|f| f.drop)),
            optional(faithful.and_then(|f| f.random_drop)),
            percent(faithful.and_then(|f| f.wins)),
        ]);
    }
    table
}

fn bounds(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    match &evaluation.ceiling {
        Some(c) => {
            let _ = writeln!(
                text,
                "people:         micro F1 {:.3}, macro F1 {:.3}, exact {:.3} ({} annotators on {} paragraphs, each against the others)",
                c.micro_f1,
                c.macro_f1,
                c.subset_accuracy,
                c.annotators.len(),
                c.paragraphs
            );
        }
        None => text.push_str("people:         not known, the gold file holds one opinion a paragraph\n"),
    }
    let floor = &evaluation.floor;
    let _ = writeln!(
        text,
        "every thesis:   micro F1 {:.3}, macro F1 {:.3} (given to every paragraph)",
        floor.micro_f1, floor.macro_f1
    );
    text
}

fn thresholds(evaluation: &Evaluation) -> Table {
    let mut table = Table::new(vec![Column::left("system"), Column::left("from"), Column::left("values")]);
    for s in &evaluation.systems {
        let values = s.per_thesis.iter().map(|t| t.threshold);
        let (low, high) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let range = if low < high { format!("{low:.2} to {high:.2}") } else { format!("{high:.2}") };
        let origin = if s.thresholds.is_empty() { "not said" } else { &s.thresholds };
        table.row([s.name.clone(), origin.to_owned(), if high.is_finite() { range } else { UNDEFINED.to_owned() }]);
    }
    table
}
