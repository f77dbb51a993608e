//! An evaluation as a page: each figure with a sentence that says how to read it, and the errors to browse.

use std::collections::HashMap;

use lundian_core::{Kind, Sample, Taxonomy};
use lundian_eval::{Average, ErrorCase, ErrorKind, Evaluation, Pair, SystemReport};
use maud::{Markup, html};

use super::table::{tell_roles, tested};
use crate::figures::{UNDEFINED, difference, figure, interval, optional, p_value, percent};
use crate::html::chart::{Bar, Line, bars, heat, legend, lines, system_class};
use crate::html::mark::{Span, chip, chip_of, marked};
use crate::html::{Lang, choice, counter, family_class, kind, page, role_name, search, sorted};

/// Ids shown for a pair of systems; the JSON output has them all.
const IDS: usize = 40;
/// What a thesis was taken for, at most.
const NEIGHBOURS: usize = 6;

/// An evaluation as one self-contained page. `samples` are those that were scored; errors on others show no text.
pub fn evaluation_html(evaluation: &Evaluation, samples: &[Sample], taxonomy: &Taxonomy, lang: Lang) -> String {
    let report = Report { evaluation, samples, taxonomy, lang };
    let title = format!("{} · {}", lang.t("evaluation"), evaluation.gold.file);
    page(lang, &title, &report.body()).into_string()
}

struct Report<'a> {
    evaluation: &'a Evaluation,
    samples: &'a [Sample],
    taxonomy: &'a Taxonomy,
    lang: Lang,
}

impl Report<'_> {
    fn body(&self) -> Markup {
        let lang = self.lang;
        let (gold, resampling) = (&self.evaluation.gold, &self.evaluation.resampling);
        html! {
            a.skip href="#errors" { (lang.t("skip-errors")) }
            header {
                h1 { (lang.t("evaluation")) }
                p.facts {
                    (gold.file) " · " (gold.paragraphs) " " (lang.t("paragraphs")) " · " (gold.labels) " " (lang.t("labels"))
                    " · " (gold.documents) " " (lang.t("documents")) " · " (gold.theses) " " (lang.t("with-support"))
                }
                p.facts {
                    (lang.t("intervals-from")) " " (resampling.draws) " " (lang.t("draws")) " · "
                    (lang.t("clusters")) " " (resampling.clusters) " · " (lang.t("seed")) " " (resampling.seed)
                }
            }
            main {
                (self.notes())
                (self.averages())
                (self.figures())
                (self.theses())
                (self.pairs())
                (self.curves())
                (self.confusions())
                (self.roles())
                (self.slices())
                (self.robustness())
                (self.thresholds())
                (self.errors())
            }
        }
    }

    fn systems(&self) -> impl Iterator<Item = (usize, &SystemReport)> {
        self.evaluation.systems.iter().enumerate()
    }

    fn notes(&self) -> Markup {
        html! {
            @if !self.evaluation.notes.is_empty() {
                aside.notes lang="en" { ul { @for note in &self.evaluation.notes { li { (note) } } } }
            }
        }
    }

    fn averages(&self) -> Markup {
        let lang = self.lang;
        let e = self.evaluation;
        let chart = |title: &'static str, average: fn(&SystemReport) -> Average, ceiling: Option<f64>, floor: f64| {
            let rows: Vec<Bar<'_>> = self
                .systems()
                .map(|(i, s)| {
                    let average = average(s);
                    Bar { name: &s.name, class: system_class(i), value: average.prf.f1, ci95: average.ci95 }
                })
                .collect();
            let people = ceiling.map(|c| (lang.t("people"), c));
            let marks: Vec<(&str, f64)> = people.into_iter().chain([(lang.t("floor"), floor)]).collect();
            html! { figure { figcaption { (title) } (bars(title, &rows, &marks)) } }
        };
        let ceiling = e.ceiling.as_ref();
        html! {
            h2 { (lang.t("how-good")) }
            p.explain { (lang.t("how-good-doc")) }
            div.charts.wide {
                (chart(lang.t("macro-f1"), |s| s.macro_average, ceiling.map(|c| c.macro_f1), e.floor.macro_f1))
                (chart(lang.t("micro-f1"), |s| s.micro, ceiling.map(|c| c.micro_f1), e.floor.micro_f1))
            }
            p.explain { (lang.t("bounds-doc")) }
        }
    }

    fn figures(&self) -> Markup {
        let lang = self.lang;
        html! {
            h2 { (lang.t("figures")) }
            p.explain { (lang.t("figures-doc")) }
            div.scroll tabindex="0" {
                table data-sort {
                    thead {
                        tr {
                            th {} th {}
                            th.group colspan="3" scope="colgroup" { (lang.t("macro")) }
                            th.group colspan="3" scope="colgroup" { (lang.t("micro")) }
                            th colspan="8" {}
                        }
                        tr {
                            (sorted(lang.t("system"), false)) (sorted(lang.t("kind"), false))
                            @for _ in 0..2 { (sorted("F1", true)) (sorted("P", true)) (sorted("R", true)) }
                            (sorted(lang.t("family-f1"), true)) (sorted(lang.t("any-f1"), true))
                            (sorted(lang.t("exact"), true)) (sorted("Jaccard", true)) (sorted("ECE", true))
                            (sorted("Brier", true)) (sorted(lang.t("evidence-f1"), true))
                            (sorted(lang.t("speed"), true))
                        }
                    }
                    tbody {
                        @for (i, s) in self.systems() {
                            tr {
                                th scope="row" class=(system_class(i)) { span.dot {} (s.name) }
                                td { (kind(lang, s.kind)) }
                                @for a in [s.macro_average, s.micro] {
                                    td.n title=(interval(a.ci95)) { b { (figure(a.prf.f1)) } }
                                    td.n { (figure(a.prf.precision)) }
                                    td.n { (figure(a.prf.recall)) }
                                }
                                td.n { (figure(s.family.macro_f1)) }
                                td.n { (figure(s.any_thesis.f1)) }
                                @for x in [s.subset_accuracy, s.jaccard, s.ece, s.brier, s.evidence.token_f1] {
                                    td.n { (optional(x)) }
                                }
                                td.n {
                                    (s.paragraphs_per_second.map_or_else(|| UNDEFINED.to_owned(), |x| format!("{x:.0}/s")))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn theses(&self) -> Markup {
        let lang = self.lang;
        let support =
            |t: usize| self.evaluation.systems.first().and_then(|s| s.per_thesis.get(t)).map_or(0, |x| x.support);
        html! {
            h2 { (lang.t("per-thesis")) }
            p.explain { (lang.t("per-thesis-doc")) }
            div.scroll tabindex="0" {
                table data-sort {
                    thead { tr {
                        (sorted(lang.t("thesis"), false)) (sorted("n", true))
                        @for (_, s) in self.systems() { (sorted(&s.name, true)) }
                    } }
                    tbody {
                        @for t in 0..self.taxonomy.len() {
                            tr class=(self.class(t)) {
                                th scope="row" { (chip(self.taxonomy, lang, t)) }
                                td.n { (support(t)) }
                                @for (_, s) in self.systems() {
                                    @match s.per_thesis.get(t).filter(|_| support(t) > 0) {
                                        Some(x) => td.n.hit style=(heat(x.prf.f1)) title=(interval(x.ci95)) { (figure(x.prf.f1)) },
                                        None => td.n.soft { (UNDEFINED) },
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @for (_, s) in self.systems() {
                details.q {
                    summary { (s.name) span.soft { " · " (lang.t("thesis-details")) } }
                    div.scroll tabindex="0" { (self.thesis_details(s)) }
                }
            }
        }
    }

    fn thesis_details(&self, s: &SystemReport) -> Markup {
        let lang = self.lang;
        html! {
            table data-sort {
                thead { tr {
                    (sorted(lang.t("thesis"), false)) (sorted("n", true)) (sorted(lang.t("given"), true))
                    (sorted("F1", true)) th { "95 %" } (sorted("P", true)) (sorted("R", true))
                    (sorted(lang.t("average-precision"), true)) (sorted(lang.t("threshold"), true))
                    (sorted(lang.t("coverage"), true))
                } }
                tbody {
                    @for x in &s.per_thesis {
                        tr {
                            th scope="row" { (chip_of(self.taxonomy, lang, &x.thesis)) }
                            td.n { (x.support) } td.n { (x.predicted) } td.n { b { (figure(x.prf.f1)) } }
                            td.n { (interval(x.ci95)) }
                            td.n { (figure(x.prf.precision)) } td.n { (figure(x.prf.recall)) }
                            td.n { (optional(x.average_precision)) } td.n { (format!("{:.2}", x.threshold)) }
                            td.n { (percent(x.coverage)) }
                        }
                    }
                }
            }
        }
    }

    fn pairs(&self) -> Markup {
        let lang = self.lang;
        let ids = |name: &str, ids: &[String]| {
            html! {
                p { b { (lang.t("only-right")) " " (name) ": " (ids.len()) } " "
                    span.ids { (ids.iter().take(IDS).map(String::as_str).collect::<Vec<_>>().join(", ")) @if ids.len() > IDS { " …" } } }
            }
        };
        let row = |p: &Pair| {
            html! {
                tr {
                    th scope="row" { (p.a) " − " (p.b) }
                    td.n { b { (difference(p.delta_macro_f1)) } } td.n { (interval(p.ci95)) }
                    td.n { (p_value(p.p_value)) } td.n { (p_value(p.p_holm)) }
                    td { @if p.p_holm < 0.05 { (lang.t("real")) } @else { span.soft { (lang.t("chance")) } } }
                    td.n { (difference(p.delta_micro_f1)) }
                    td.n { (p.only_a_right.len()) } td.n { (p.only_b_right.len()) }
                }
            }
        };
        html! {
            @if !self.evaluation.pairs.is_empty() {
                h2 { (lang.t("differences")) }
                p.explain { (lang.t("differences-doc")) }
                div.scroll tabindex="0" {
                    table data-sort {
                        thead { tr {
                            (sorted(lang.t("pair"), false)) (sorted(lang.t("delta-macro"), true)) th.n { "95 %" }
                            (sorted("p", true)) (sorted("p (Holm)", true)) th { (lang.t("verdict")) }
                            (sorted(lang.t("delta-micro"), true)) (sorted(lang.t("only-first"), true))
                            (sorted(lang.t("only-second"), true))
                        } }
                        tbody { @for pair in &self.evaluation.pairs { (row(pair)) } }
                    }
                }
                @for p in self.evaluation.pairs.iter().filter(|p| p.only_a_right.len() + p.only_b_right.len() > 0) {
                    details.q {
                        summary { (p.a) " − " (p.b) span.soft { " · " (lang.t("only-right-list")) } }
                        (ids(&p.a, &p.only_a_right)) (ids(&p.b, &p.only_b_right))
                    }
                }
            }
        }
    }

    fn curves(&self) -> Markup {
        let lang = self.lang;
        let of = |points: fn(&SystemReport) -> Vec<(f64, f64)>| -> Vec<Line<'_>> {
            self.systems()
                .map(|(i, s)| Line { name: &s.name, class: system_class(i), points: points(s) })
                .filter(|l| !l.points.is_empty())
                .collect()
        };
        let recall_precision = of(|s| s.precision_recall.iter().map(|p| (p.recall, p.precision)).collect());
        let calibrated = of(|s| s.reliability.iter().filter_map(|b| Some((b.mean_score?, b.observed?))).collect());
        let risk = of(|s| s.risk_coverage.points.iter().map(|p| (p.coverage, p.risk)).collect());
        let figure = |name: &'static str, doc: &'static str, x: &str, y: &str, diagonal: bool, data: &[Line<'_>]| {
            html! { figure { figcaption { (name) } (lines(name, x, y, diagonal, data)) p.explain { (doc) } } }
        };
        html! {
            h2 { (lang.t("curves")) }
            (legend(self.systems().map(|(_, s)| s.name.as_str())))
            div.charts {
                (figure(lang.t("pr-curve"), lang.t("pr-doc"), lang.t("recall"), lang.t("precision"), false, &recall_precision))
                (figure(lang.t("reliability"), lang.t("reliability-doc"), lang.t("mean-score"), lang.t("observed"), true, &calibrated))
                (figure(lang.t("risk-coverage"), lang.t("risk-doc"), lang.t("kept"), lang.t("risk"), false, &risk))
            }
        }
    }

    fn confusions(&self) -> Markup {
        let lang = self.lang;
        html! {
            h2 { (lang.t("confusions")) }
            p.explain { (lang.t("confusions-doc")) }
            @for (_, s) in self.systems().filter(|(_, s)| s.kind != Kind::Baseline) {
                details.q {
                    summary { (s.name) span.soft { " · " (s.confusions.iter().map(|c| c.count).sum::<u64>()) } }
                    div.scroll tabindex="0" {
                        table {
                            thead { tr { th { (lang.t("missed")) } th.n { (lang.t("nothing-given")) } th { (lang.t("given-instead")) } } }
                            tbody {
                                @for of_thesis in s.confusions.chunk_by(|a, b| a.thesis == b.thesis) {
                                    tr {
                                        th scope="row" { (chip_of(self.taxonomy, lang, &of_thesis[0].thesis)) }
                                        td.n { (of_thesis.iter().filter(|c| c.given.is_none()).map(|c| c.count).sum::<u64>()) }
                                        td { div.picks {
                                            @for c in of_thesis.iter().filter(|c| c.given.is_some()).take(NEIGHBOURS) {
                                                @if let Some(given) = &c.given {
                                                    span { (chip_of(self.taxonomy, lang, given)) " " (c.count) }
                                                }
                                            }
                                        } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn roles(&self) -> Markup {
        let lang = self.lang;
        let told = tell_roles(self.evaluation);
        html! {
            @if let Some((_, _, first)) = told.first() {
                h2 { (lang.t("what-roles")) }
                p.explain { (lang.t("what-roles-doc")) " n\u{a0}=\u{a0}" (first.paragraphs) "." }
                div.scroll tabindex="0" {
                    table data-sort {
                        thead { tr {
                            (sorted(lang.t("system"), false)) (sorted(lang.t("role-accuracy"), true)) th { "95 %" }
                            (sorted(lang.t("delta-macro"), true)) th { "95 %" } (sorted("κ", true))
                            (sorted(lang.t("role-said"), true))
                            @for r in &first.per_role {
                                (sorted(&format!("{} ({})", role_name(lang, r.role), r.support), true))
                            }
                        } }
                        tbody {
                            @for (i, s, r) in &told {
                                tr.f0 {
                                    th scope="row" class=(system_class(*i)) { span.dot {} (s.name) }
                                    td.n { b { (figure(r.accuracy)) } } td.n { (interval(r.accuracy_ci95)) }
                                    td.n { b { (figure(r.macro_f1)) } } td.n { (interval(r.macro_f1_ci95)) }
                                    td.n { (optional(r.kappa)) } td.n { (percent(Some(r.coverage))) }
                                    @for role in &r.per_role {
                                        @if role.support > 0 { td.n.hit style=(heat(role.prf.f1)) { (figure(role.prf.f1)) } }
                                        @else { td.n.soft { (UNDEFINED) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn slices(&self) -> Markup {
        let lang = self.lang;
        html! {
            @if !self.evaluation.slices.is_empty() {
                h2 { (lang.t("slices")) }
                p.explain { (lang.t("slices-doc")) }
                @for slices in self.evaluation.slices.chunk_by(|a, b| a.key == b.key) {
                    details.q open[slices.len() <= 6] {
                        summary { (slices[0].key) span.soft { " · " (slices.len()) } }
                        div.scroll tabindex="0" {
                            table data-sort {
                                thead { tr {
                                    (sorted(&slices[0].key, false)) (sorted(lang.t("paragraphs-head"), true))
                                    (sorted(lang.t("labels-head"), true))
                                    @for (_, s) in self.systems() { (sorted(&s.name, true)) }
                                } }
                                tbody {
                                    @for slice in slices {
                                        tr.f0 {
                                            th scope="row" { (slice.value) }
                                            td.n { (slice.paragraphs) } td.n { (slice.labels) }
                                            @for (_, s) in self.systems() {
                                                // Without labels there is nothing to find, and F1 would be 0 however good the system.
                                                @match slice.systems.iter().find(|x| x.name == s.name && slice.labels > 0) {
                                                    Some(x) => td.n.hit style=(heat(x.f1.unwrap_or(x.recall))) title=(interval(x.ci95)) {
                                                        @if x.f1.is_none() { span.soft { "R " } }
                                                        (figure(x.f1.unwrap_or(x.recall)))
                                                    },
                                                    None => td.n.soft { (UNDEFINED) },
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn robustness(&self) -> Markup {
        let lang = self.lang;
        html! {
            @if self.evaluation.systems.iter().any(tested) {
                h2 { (lang.t("robustness")) }
                p.explain { (lang.t("robustness-doc")) }
                div.scroll tabindex="0" {
                    table data-sort {
                        thead { tr {
                            (sorted(lang.t("system"), false)) (sorted(lang.t("change"), false))
                            (sorted(lang.t("flips"), true)) (sorted(lang.t("claims"), true))
                            (sorted(lang.t("drop"), true)) (sorted(lang.t("random-drop"), true))
                            (sorted(lang.t("wins"), true))
                        } }
                        tbody {
                            @for (i, s) in self.systems().filter(|(_, s)| tested(s)) {
                                @let (change, faithful) = (s.invariance.as_ref(), s.faithfulness.as_ref());
                                tr {
                                    th scope="row" class=(system_class(i)) { span.dot {} (s.name) }
                                    td { (change.map_or(UNDEFINED, |i| &i.change)) }
                                    td.n { (percent(change.and_then(|i| i.flip_rate))) }
                                    td.n { (faithful.map_or_else(|| UNDEFINED.to_owned(), |f| f.tested.to_string())) }
                                    td.n { (optional(faithful.and_then(|f| f.drop))) }
                                    td.n { (optional(faithful.and_then(|f| f.random_drop))) }
                                    td.n { (percent(faithful.and_then(|f| f.wins))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn thresholds(&self) -> Markup {
        let lang = self.lang;
        html! {
            h2 { (lang.t("thresholds")) }
            p.explain { (lang.t("thresholds-doc")) }
            ul.plain {
                @for (i, s) in self.systems() {
                    li class=(system_class(i)) {
                        span.dot {} b { (s.name) } ": "
                        @if s.thresholds.is_empty() { (lang.t("not-said")) } @else { span lang="en" { (s.thresholds) } }
                    }
                }
            }
        }
    }

    fn errors(&self) -> Markup {
        let lang = self.lang;
        let by_id: HashMap<&str, &Sample> = self.samples.iter().map(|s| (s.paragraph.id.as_str(), s)).collect();
        let systems: Vec<&SystemReport> = self.systems().map(|(_, s)| s).filter(|s| s.kind != Kind::Baseline).collect();
        let total = systems.iter().map(|s| s.errors.len()).sum();
        let names = systems.iter().map(|s| (s.name.as_str(), s.name.as_str()));
        let theses = self.taxonomy.theses().iter().map(|t| (t.slug.as_str(), lang.name(&t.name)));
        let kinds = [("false_alarm", lang.t("false-alarm")), ("miss", lang.t("miss"))];
        html! {
            h2 id="errors" { (lang.t("errors")) }
            p.explain { (lang.t("errors-doc")) }
            nav.filters aria-label=(lang.t("filters")) {
                form data-filters {
                    div.row {
                        (counter(lang, total))
                        (choice("system", lang.t("system"), lang.t("all"), names))
                        (choice("thesis", lang.t("thesis"), lang.t("all"), theses))
                        (choice("kind", lang.t("kind-of-error"), lang.t("all"), kinds.into_iter()))
                        (search(lang))
                        button type="reset" { (lang.t("reset")) }
                    }
                }
            }
            @for s in systems {
                section data-section {
                    h3 { (s.name) }
                    @for case in &s.errors { (self.error(&s.name, case, by_id.get(case.id.as_str()).copied())) }
                }
            }
        }
    }

    fn error(&self, system: &str, case: &ErrorCase, sample: Option<&Sample>) -> Markup {
        let lang = self.lang;
        let thesis = self.taxonomy.index(&case.thesis);
        let (way, word) = match case.kind {
            ErrorKind::FalseAlarm => ("false_alarm", lang.t("false-alarm")),
            ErrorKind::Miss => ("miss", lang.t("miss")),
        };
        let quoted = |l: &lundian_core::Label| {
            let name = self.taxonomy.theses().get(l.thesis).map(|t| lang.name(&t.name))?;
            Some(Span { range: l.evidence.clone()?, class: self.class(l.thesis), name })
        };
        html! {
            article data-item data-system=(system) data-thesis=(case.thesis) data-kind=(way) {
                span.n { (case.score.map_or_else(|| UNDEFINED.to_owned(), |s| format!("{s:.2}"))) }
                p {
                    @if let Some(sample) = sample {
                        // The thesis that is wrong comes first, so that its quote gives the colour.
                        @let (own, other): (Vec<_>, Vec<_>) = sample.labels.iter().partition(|l| Some(l.thesis) == thesis);
                        (marked(&sample.paragraph.text, &own.into_iter().chain(other).filter_map(quoted).collect::<Vec<_>>()))
                    } @else { (case.id) }
                }
                ul {
                    li.(way) { (word) } li { (chip_of(self.taxonomy, lang, &case.thesis)) }
                    @if let Some(sample) = sample {
                        li.soft {
                            (lang.t("gold")) ": "
                            @if sample.labels.is_empty() { (lang.t("no-thesis")) }
                            @for (i, t) in theses_of(sample).into_iter().enumerate() {
                                @if i > 0 { "; " }
                                (self.taxonomy.theses().get(t).map_or("", |t| lang.name(&t.name)))
                            }
                        }
                        li.soft { (sample.paragraph.id) }
                    }
                }
            }
        }
    }

    fn class(&self, thesis: usize) -> String {
        family_class(self.taxonomy.family_of(thesis))
    }
}

fn theses_of(sample: &Sample) -> Vec<usize> {
    let mut theses: Vec<usize> = sample.labels.iter().map(|l| l.thesis).collect();
    theses.sort_unstable();
    theses.dedup();
    theses
}
