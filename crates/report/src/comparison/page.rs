//! A comparison as a page: agreement as heat maps, and the disagreements to browse with every system's opinion.

use lundian_core::Taxonomy;
use lundian_eval::gold::{Proposal, ToLabel};
use lundian_eval::{Alpha, Comparison, LfSummary, PairAgreement};
use maud::{Markup, html};

use crate::figures::{UNDEFINED, figure, interval, optional, percent};
use crate::html::chart::{heat, system_class};
use crate::html::mark::{Span, chip, chip_of, marked};
use crate::html::{Lang, counter, family_class, kind, page, search, sorted};

/// A comparison as one self-contained page. `to_label` are its disagreements with their text.
pub fn comparison_html(comparison: &Comparison, to_label: &[ToLabel<'_>], taxonomy: &Taxonomy, lang: Lang) -> String {
    page(lang, lang.t("comparison"), &Report { comparison, to_label, taxonomy, lang }.body()).into_string()
}

struct Report<'a> {
    comparison: &'a Comparison,
    to_label: &'a [ToLabel<'a>],
    taxonomy: &'a Taxonomy,
    lang: Lang,
}

impl Report<'_> {
    fn body(&self) -> Markup {
        let lang = self.lang;
        let c = self.comparison;
        html! {
            a.skip href="#disagreements" { (lang.t("skip-disagreements")) }
            header {
                h1 { (lang.t("comparison")) }
                p.facts {
                    (c.paragraphs) " " (lang.t("paragraphs")) " · " (lang.t("systems")) ": "
                    (c.systems.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", "))
                }
            }
            main {
                @if !c.agreement.notes.is_empty() {
                    aside.notes lang="en" { ul { @for note in &c.agreement.notes { li { (note) } } } }
                }
                (self.votes())
                (self.agreement())
                (self.alphas())
                (self.disagreements())
            }
        }
    }

    fn lf_head(&self) -> Markup {
        let lang = self.lang;
        html! {
            (sorted(lang.t("coverage"), true)) (sorted(lang.t("overlaps"), true)) (sorted(lang.t("conflicts"), true))
            (sorted(lang.t("given"), true)) @if self.gold() { (sorted(lang.t("accuracy"), true)) }
        }
    }

    fn lf_cells(&self, votes: &LfSummary) -> Markup {
        html! {
            td.n { (percent(votes.coverage)) } td.n { (percent(votes.overlaps)) } td.n { (percent(votes.conflicts)) }
            td.n { (votes.given) } @if self.gold() { td.n { (optional(votes.empirical_accuracy)) } }
        }
    }

    fn gold(&self) -> bool {
        self.comparison.systems.iter().any(|s| s.all.empirical_accuracy.is_some())
    }

    fn votes(&self) -> Markup {
        let lang = self.lang;
        html! {
            h2 { (lang.t("votes")) }
            p.explain { (lang.t("votes-doc")) }
            div.scroll tabindex="0" {
                table data-sort {
                    thead { tr {
                        (sorted(lang.t("system"), false)) (sorted(lang.t("kind"), false))
                        (self.lf_head()) (sorted(lang.t("seconds"), true))
                    } }
                    tbody {
                        @for (i, s) in self.comparison.systems.iter().enumerate() {
                            tr {
                                th scope="row" class=(system_class(i)) { span.dot {} (s.name) }
                                td { (kind(lang, s.kind)) }
                                (self.lf_cells(&s.all))
                                td.n { (format!("{:.2}", s.seconds)) }
                            }
                        }
                    }
                }
            }
            @for s in &self.comparison.systems {
                details.q {
                    summary { (s.name) span.soft { " · " (lang.t("thesis-details")) } }
                    div.scroll tabindex="0" {
                        table data-sort {
                            thead { tr { (sorted(lang.t("thesis"), false)) (self.lf_head()) } }
                            tbody {
                                @for t in &s.per_thesis {
                                    tr {
                                        th scope="row" { (chip_of(self.taxonomy, lang, &t.thesis)) }
                                        (self.lf_cells(&t.votes))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn agreement(&self) -> Markup {
        let lang = self.lang;
        let matrix = |name: &'static str, doc: &'static str, of: fn(&PairAgreement) -> Option<f64>| {
            html! { figure { figcaption { (name) } (self.matrix(of)) p.explain { (doc) } } }
        };
        html! {
            @if !self.comparison.agreement.pairs.is_empty() {
                h2 { (lang.t("agreement")) }
                p.explain { (lang.t("agreement-doc")) }
                div.charts {
                    (matrix(lang.t("kappa"), lang.t("kappa-doc"), |p| p.all.kappa))
                    (matrix(lang.t("ac1"), lang.t("ac1-doc"), |p| p.all.ac1))
                    (matrix(lang.t("jaccard"), lang.t("jaccard-doc"), |p| p.all.jaccard))
                }
                div.scroll tabindex="0" {
                    table data-sort {
                        thead { tr {
                            (sorted(lang.t("pair"), false)) (sorted(lang.t("paragraphs-head"), true))
                            (sorted(lang.t("equal-sets"), true)) (sorted(lang.t("kappa"), true)) th.n { "95 %" }
                            (sorted("AC1", true)) th.n { "95 %" } (sorted(lang.t("both"), true))
                            (sorted(lang.t("only-first"), true)) (sorted(lang.t("only-second"), true))
                            (sorted(lang.t("neither"), true))
                        } }
                        tbody {
                            @for p in &self.comparison.agreement.pairs {
                                tr {
                                    th scope="row" { (p.a) " – " (p.b) }
                                    td.n { (p.shared_units) } td.n { (percent(p.identical_sets)) }
                                    td.n { (optional(p.all.kappa)) } td.n { (interval(p.kappa_ci95)) }
                                    td.n { (optional(p.all.ac1)) } td.n { (interval(p.ac1_ci95)) }
                                    td.n { (p.all.both) } td.n { (p.all.only_a) } td.n { (p.all.only_b) }
                                    td.n { (p.all.neither) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Pairs of systems, the stronger the colour the better they agree.
    fn matrix(&self, of: fn(&PairAgreement) -> Option<f64>) -> Markup {
        let names: Vec<&str> = self.comparison.systems.iter().map(|s| s.name.as_str()).collect();
        let pairs = &self.comparison.agreement.pairs;
        let pair = |a: &str, b: &str| pairs.iter().find(|p| (p.a == a && p.b == b) || (p.a == b && p.b == a));
        html! {
            div.scroll tabindex="0" {
                table.f0 {
                    thead { tr { th {} @for name in &names { th.n scope="col" { (name) } } } }
                    tbody {
                        @for a in &names {
                            tr {
                                th scope="row" { (a) }
                                @for b in &names {
                                    @match pair(a, b).and_then(of) {
                                        Some(x) => td.n.hit style=(heat(x)) { (figure(x)) },
                                        None => td.n.soft { @if a == b { "·" } @else { (UNDEFINED) } },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn alphas(&self) -> Markup {
        let lang = self.lang;
        let agreement = &self.comparison.agreement;
        let cells = |alpha: &Alpha, given: usize| {
            html! {
                td.n.hit style=(heat(alpha.alpha.unwrap_or(0.0))) { (optional(alpha.alpha)) }
                td.n { (interval(alpha.ci95)) } td.n { (given) } td.n { (alpha.units) }
            }
        };
        html! {
            h2 { (lang.t("alpha")) }
            p.explain { (lang.t("alpha-doc")) }
            div.scroll tabindex="0" {
                table.f0 data-sort {
                    thead { tr {
                        (sorted(lang.t("thesis"), false)) (sorted("α", true)) th.n { "95 %" }
                        (sorted(lang.t("given"), true)) (sorted(lang.t("paragraphs-head"), true))
                    } }
                    tbody {
                        tr {
                            th scope="row" { (lang.t("masi")) }
                            (cells(&agreement.masi, agreement.raters.iter().map(|r| r.labels).sum()))
                        }
                        @for (i, t) in agreement.per_thesis.iter().enumerate() {
                            tr { th scope="row" { (chip(self.taxonomy, lang, i)) } (cells(&t.alpha, t.given)) }
                        }
                    }
                }
            }
        }
    }

    fn disagreements(&self) -> Markup {
        let lang = self.lang;
        let mut counts = vec![0usize; self.taxonomy.len()];
        for thesis in self.comparison.disagreements.iter().flat_map(|d| &d.theses) {
            if let Some(t) = self.taxonomy.index(thesis) {
                counts[t] += 1;
            }
        }
        html! {
            h2 id="disagreements" { (lang.t("disagreements")) }
            p.explain { (lang.t("disagreements-doc")) }
            nav.filters aria-label=(lang.t("filters")) {
                form data-filters {
                    div.row {
                        (counter(lang, self.to_label.len()))
                        (search(lang))
                        button type="reset" { (lang.t("reset")) }
                        details {
                        summary { (lang.t("theses")) " " span.soft { span data-picked {} (counts.iter().filter(|n| **n > 0).count()) } }
                        div.picks {
                            @for t in (0..counts.len()).filter(|&t| counts[t] > 0) {
                                label.chip.(family_class(self.taxonomy.family_of(t))) {
                                    input type="checkbox" name="t" value=(self.taxonomy.theses()[t].slug);
                                    (lang.name(&self.taxonomy.theses()[t].name)) " " b { (counts[t]) }
                                }
                            }
                        }
                    }
                    }
                }
            }
            section data-section {
                @for (item, d) in self.to_label.iter().zip(&self.comparison.disagreements) {
                    (self.disagreement(item, &d.theses))
                }
            }
        }
    }

    fn disagreement(&self, item: &ToLabel<'_>, split: &[String]) -> Markup {
        let lang = self.lang;
        let text = &item.paragraph.text;
        let name = |t: usize| self.taxonomy.theses().get(t).map_or("", |t| lang.name(&t.name));
        let span = |p: &Proposal<'_>| -> Vec<Span<'_>> {
            let class = family_class(self.taxonomy.family_of(p.thesis));
            p.evidence.iter().map(|r| Span { range: r.clone(), class: class.clone(), name: name(p.thesis) }).collect()
        };
        let spans: Vec<Span<'_>> = item.proposals.iter().filter(|p| p.labelled).flat_map(span).collect();
        let mut theses: Vec<usize> = item.proposals.iter().map(|p| p.thesis).collect();
        theses.sort_unstable();
        theses.dedup();
        let opinion = |system: &str, t: usize| item.proposals.iter().find(|p| p.system == system && p.thesis == t);
        html! {
            article data-item data-t=(split.join(" ")) data-s=(vec!["1"; split.len()].join(" ")) {
                span.n title=(lang.t("entropy")) { (format!("{:.2}", item.entropy)) }
                p { (marked(text, &spans)) }
                div.opinions.scroll tabindex="0" {
                    table {
                        thead { tr { th { span.soft { (item.paragraph.id) } } @for s in &self.comparison.systems { th scope="col" { (s.name) } } } }
                        tbody {
                            @for t in theses {
                                tr.(family_class(self.taxonomy.family_of(t))) {
                                    th scope="row" { (chip(self.taxonomy, lang, t)) }
                                    @for s in &self.comparison.systems {
                                        @match opinion(&s.name, t) {
                                            Some(p) => td.hit style=(heat(if p.labelled { 0.6 } else { 0.0 })) {
                                                @if p.labelled { b { (format!("{:.2}", p.score)) } } @else { span.soft { (format!("{:.2}", p.score)) } }
                                                @for quote in p.evidence.iter().filter_map(|r| text.get(r.clone())) { " " q { (quote) } }
                                            },
                                            None => td.soft { (UNDEFINED) },
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
