//! `classify` as a page: each document as a reader sees it, with its theses, and what the documents argue as a whole.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use lundian_core::{Role, RoleScores, Taxonomy};
use lundian_runner::{Decision, Labelled, Summary, mean_role};
use maud::{Markup, PreEscaped, html};

use super::mark::{Span, marked};
use super::{choice, counter, family_class, page, role_name, search};
use crate::labels::{Context, FormatEntry, LabelWriter};

pub(crate) const ENTRY: FormatEntry = FormatEntry {
    name: "html",
    endings: &["html", "htm"],
    doc: "one self-contained page for reading, filtering and quoting",
    open: |out, context| {
        let (roles, quotes) = ([0; Role::ALL.len()], BTreeMap::new());
        Ok(Box::new(Page { out, context, docs: Vec::new(), with_thesis: 0, roles, quotes }))
    },
};

/// Quotations kept for each thesis: the best.
const QUOTES: usize = 6;
/// Columns of a heat strip at most; a longer document shares columns.
const STRIP_COLUMNS: usize = 240;

struct Page<'a> {
    out: Box<dyn Write + 'a>,
    context: Context<'a>,
    docs: Vec<Doc>,
    with_thesis: usize,
    /// Per role, the paragraphs that have it.
    roles: [usize; Role::ALL.len()],
    /// By thesis, best first.
    quotes: BTreeMap<usize, Vec<Quote>>,
}

#[derive(Default)]
struct Doc {
    id: String,
    title: String,
    /// Rendered paragraphs.
    body: String,
    /// Author and heading in force at the end of `body`.
    place: String,
    /// Per paragraph: its anchor, and the theses with scores.
    labels: Vec<(String, Vec<(usize, f32)>)>,
}

struct Quote {
    score: f32,
    text: String,
    anchor: String,
    doc: usize,
}

impl LabelWriter for Page<'_> {
    fn row(&mut self, row: &Labelled, _scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        let p = &row.paragraph;
        if self.docs.last().is_none_or(|d| d.id != p.doc) {
            self.docs.push(Doc { id: p.doc.clone(), title: p.title.clone(), ..Doc::default() });
        }
        let number = self.docs.len() - 1;
        let anchor = format!("p{number}-{}", self.docs[number].labels.len() + 1);
        self.with_thesis += usize::from(!labels.is_empty());
        for label in labels {
            if let Some(best) = label.evidence.first() {
                let quotes = self.quotes.entry(label.thesis).or_default();
                let at = quotes.partition_point(|q| q.score >= label.score);
                let text = sentence_around(&p.text, &best.range).to_owned();
                if at < QUOTES && !quotes.iter().any(|q| q.text == text) {
                    quotes.insert(at, Quote { score: label.score, text, anchor: anchor.clone(), doc: number });
                    quotes.truncate(QUOTES);
                }
            }
        }
        let role = mean_role(&row.verdicts);
        if let Some(scores) = &role {
            self.roles[Role::likeliest(scores) as usize] += 1;
        }
        let article = self.article(row, labels, role.as_ref(), number, &anchor);
        let doc = &mut self.docs[number];
        let place = [p.author.as_str(), p.heading.as_str()].into_iter().filter(|s| !s.is_empty());
        let place = place.collect::<Vec<_>>().join(" · ");
        if doc.place != place {
            if !place.is_empty() {
                doc.body.push_str(&html! { h3 { (place) } }.into_string());
            }
            doc.place = place;
        }
        doc.body.push_str(&article.into_string());
        doc.labels.push((anchor, labels.iter().map(|l| (l.thesis, l.score)).collect()));
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let lang = self.context.lang;
        let title = match self.docs.as_slice() {
            [only] if !only.title.is_empty() => only.title.as_str(),
            _ => lang.t("labelled"),
        };
        let body = html! {
            a.skip href="#text" { (lang.t("skip")) }
            header {
                h1 { (title) }
                p.facts {
                    (summary.paragraphs) " " (lang.t("paragraphs")) " · " (self.with_thesis) " " (lang.t("argue"))
                    " · " (lang.t("by")) " " b { (self.context.judge) }
                    " · " (lang.t("systems")) ": "
                    (self.context.systems.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", "))
                    " · " (self.context.taxonomy.name()) " " (self.context.taxonomy.version())
                }
                @if !self.role_counts().is_empty() {
                    p.facts {
                        (lang.t("roles")) ": "
                        (self.role_counts().iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join(" · "))
                    }
                }
            }
            (self.filters())
            main id="text" {
                (self.shares())
                (self.together())
                (self.quotations())
                @for (number, doc) in self.docs.iter().enumerate() {
                    section data-section {
                        h2 id=(format!("d{number}")) {
                            @if doc.title.is_empty() { (file_name(&doc.id)) } @else { (doc.title) " " small.soft { (file_name(&doc.id)) } }
                        }
                        (self.strip(doc))
                        (PreEscaped(&doc.body))
                    }
                }
            }
        };
        self.out.write_all(page(lang, title, &body).into_string().as_bytes())?;
        self.out.flush()
    }
}

impl Page<'_> {
    fn taxonomy(&self) -> &Taxonomy {
        self.context.taxonomy
    }

    fn name(&self, thesis: usize) -> &str {
        self.context.lang.name(&self.taxonomy().theses()[thesis].name)
    }

    fn class(&self, thesis: usize) -> String {
        family_class(self.taxonomy().family_of(thesis))
    }

    /// The roles that paragraphs have, with their names and how many have them.
    fn role_counts(&self) -> Vec<(&'static str, String)> {
        let there = Role::ALL.into_iter().zip(self.roles).filter(|(_, count)| *count > 0);
        let words =
            |(role, count): (Role, usize)| (role.as_str(), format!("{} {count}", role_name(self.context.lang, role)));
        there.map(words).collect()
    }

    fn article(
        &self,
        row: &Labelled,
        labels: &[Decision],
        role: Option<&RoleScores>,
        doc: usize,
        anchor: &str,
    ) -> Markup {
        let lang = self.context.lang;
        let p = &row.paragraph;
        let slugs: Vec<&str> = labels.iter().map(|l| self.taxonomy().theses()[l.thesis].slug.as_str()).collect();
        let scores: Vec<String> = labels.iter().map(|l| format!("{:.4}", l.score)).collect();
        let number = p.id.rsplit('-').next().unwrap_or(&p.id);
        let word = role.map(|scores| Role::likeliest(scores).as_str());
        html! {
            article id=(anchor) data-item data-doc=(doc) data-t=(slugs.join(" ")) data-s=(scores.join(" "))
                data-role=[word] class=[labels.is_empty().then_some("bare")] {
                div.n {
                    a href=(format!("#{anchor}")) title=(p.id) { (number) }
                    @if let Some(scores) = role { (self.role(scores)) }
                }
                p { (self.marked(&p.text, labels)) }
                @if !labels.is_empty() || p.duplicate_of.is_some() {
                    ul {
                        @for label in labels {
                            li.chip.(self.class(label.thesis)) {
                                span { (self.name(label.thesis)) } b { (format!("{:.2}", label.score)) }
                            }
                        }
                        @if let Some(first) = &p.duplicate_of { li.soft { (lang.t("duplicate")) " " (first) } }
                    }
                }
                @for (system, verdict) in self.context.systems.iter().zip(&row.verdicts) {
                    @if let Some(reason) = &verdict.failed {
                        span.failed { (system.name) " " (lang.t("failed")) ": " (reason) }
                    }
                }
            }
        }
    }

    /// The role of a paragraph, small; how likely each is in the tooltip.
    fn role(&self, scores: &RoleScores) -> Markup {
        let name = |role| role_name(self.context.lang, role);
        let all = Role::ALL.into_iter().zip(scores).map(|(role, score)| format!("{} {score:.2}", name(role)));
        html! {
            " " span.role title=(all.collect::<Vec<_>>().join(" · ")) { (name(Role::likeliest(scores))) }
        }
    }

    /// The text with its evidence marked, in the colour of the label with the highest score.
    fn marked(&self, text: &str, labels: &[Decision]) -> Markup {
        let span = |l: &Decision, range: &Range<usize>| Span {
            range: range.clone(),
            class: self.class(l.thesis),
            name: self.name(l.thesis),
        };
        let spans: Vec<Span<'_>> =
            labels.iter().flat_map(|l| l.evidence.iter().map(move |e| span(l, &e.range))).collect();
        marked(text, &spans)
    }

    fn filters(&self) -> Markup {
        let lang = self.context.lang;
        let theses = self.taxonomy().theses();
        let counts = self.counts();
        let roles = self.role_counts();
        let argued: Vec<usize> = (0..counts.len()).filter(|&t| counts[t] > 0).collect();
        let total: usize = self.docs.iter().map(|d| d.labels.len()).sum();
        let numbers: Vec<String> = (0..self.docs.len()).map(|n| n.to_string()).collect();
        let docs = numbers.iter().map(String::as_str).zip(self.docs.iter().map(|d| file_name(&d.id)));
        html! {
            nav.filters aria-label=(lang.t("filters")) {
                form data-filters {
                    div.row {
                        (counter(lang, total))
                        (search(lang))
                        @if self.docs.len() > 1 {
                            (choice("doc", lang.t("document"), lang.t("all-documents"), docs))
                        }
                        @if !roles.is_empty() {
                            (choice("role", lang.t("role"), lang.t("all-roles"), roles.iter().map(|(r, words)| (*r, words.as_str()))))
                        }
                        label {
                            span { (lang.t("min-score")) } " "
                            input type="range" name="min" min="0" max="1" step="0.05" value="0";
                            " " span data-min { "0.00" }
                        }
                        label { input type="checkbox" name="labelled"; " " (lang.t("only-labelled")) }
                        button type="reset" { (lang.t("reset")) }
                        @if !argued.is_empty() {
                            details {
                                summary { (lang.t("theses")) " " span.soft { span data-picked {} (argued.len()) } }
                                div.picks {
                                    @for &t in &argued {
                                        label.chip.(self.class(t)) {
                                            input type="checkbox" name="t" value=(theses[t].slug);
                                            (self.name(t)) " " b { (counts[t]) }
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

    /// Per thesis, the paragraphs that argue it.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.taxonomy().len()];
        for (thesis, _) in self.docs.iter().flat_map(|d| &d.labels).flat_map(|(_, labels)| labels) {
            counts[*thesis] += 1;
        }
        counts
    }

    fn shares(&self) -> Markup {
        let lang = self.context.lang;
        let counts = self.counts();
        let total: usize = self.docs.iter().map(|d| d.labels.len()).sum();
        let mut theses: Vec<usize> = (0..counts.len()).filter(|&t| counts[t] > 0).collect();
        theses.sort_by_key(|&t| std::cmp::Reverse(counts[t]));
        let share = |n: usize, of: usize| if of == 0 { 0.0 } else { 100.0 * n as f64 / of as f64 };
        let most = theses.first().map_or(1.0, |&t| share(counts[t], total));
        html! {
            h2 { (lang.t("share")) }
            @if theses.is_empty() { p { (lang.t("none")) } }
            @else {
                div.scroll tabindex="0" {
                    table {
                        thead { tr {
                            th { (lang.t("thesis")) }
                            th.n colspan="3" { (lang.t("all")) }
                            @if self.docs.len() > 1 {
                                @for (number, doc) in self.docs.iter().enumerate() {
                                    th.n.doc { a href=(format!("#d{number}")) title=(doc.id) { (file_name(&doc.id)) } }
                                }
                            }
                        } }
                        tbody {
                            @for &thesis in &theses {
                                @let all = share(counts[thesis], total);
                                tr class=(self.class(thesis)) {
                                    th { span.chip { (self.name(thesis)) } }
                                    td { span.bar style=(format!("width:{:.1}rem", 10.0 * all / most)) {} }
                                    td.n { (format!("{all:.1} %")) } td.n.soft { (counts[thesis]) }
                                    @if self.docs.len() > 1 {
                                        @for doc in &self.docs {
                                            @let n = doc.labels.iter().filter(|(_, l)| l.iter().any(|x| x.0 == thesis)).count();
                                            @let s = share(n, doc.labels.len());
                                            @let o = (s / most).min(1.0) * 0.5;
                                            td.n.hit style=(format!("--o:{o:.2}")) {
                                                @if n > 0 { (format!("{s:.0} %")) }
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

    fn together(&self) -> Markup {
        let lang = self.context.lang;
        let n = self.taxonomy().len();
        let mut both = vec![0usize; n * n];
        for (_, labels) in self.docs.iter().flat_map(|d| &d.labels) {
            for (a, _) in labels {
                for (b, _) in labels {
                    both[a * n + b] += 1;
                }
            }
        }
        let theses: Vec<usize> = (0..n).filter(|&a| (0..n).any(|b| a != b && both[a * n + b] > 0)).collect();
        let most = theses.iter().flat_map(|&a| theses.iter().map(move |&b| (a, b)));
        let most = most.filter(|(a, b)| a != b).map(|(a, b)| both[a * n + b]).max().unwrap_or(1) as f64;
        html! {
            @if !theses.is_empty() {
                h2 { (lang.t("together")) }
                p.soft { (lang.t("together-doc")) }
                div.scroll tabindex="0" {
                    table {
                        thead { tr {
                            th {}
                            @for &b in &theses { th.n.doc { (self.name(b)) } }
                        } }
                        tbody {
                            @for &a in &theses {
                                tr class=(self.class(a)) {
                                    th { (self.name(a)) }
                                    @for &b in &theses {
                                        @let count = both[a * n + b];
                                        @if a == b { td.n.soft { (count) } }
                                        @else {
                                            @let o = 0.6 * count as f64 / most;
                                            td.n.hit style=(format!("--o:{o:.2}")) { @if count > 0 { (count) } }
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

    fn quotations(&self) -> Markup {
        let lang = self.context.lang;
        html! {
            @if !self.quotes.is_empty() {
                h2 { (lang.t("quotations")) }
                @for (&thesis, quotes) in &self.quotes {
                    details.q.(self.class(thesis)) {
                        summary { span.chip { (self.name(thesis)) b { (quotes.len()) } } }
                        @for quote in quotes {
                            blockquote {
                                (quote.text) " "
                                a href=(format!("#{}", quote.anchor)) {
                                    (file_name(&self.docs[quote.doc].id)) " · " (format!("{:.2}", quote.score))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A row a thesis, a column a paragraph (or several, in a long document), darker where the score is higher.
    fn strip(&self, doc: &Doc) -> Markup {
        let lang = self.context.lang;
        let mut theses: Vec<usize> = doc.labels.iter().flat_map(|(_, l)| l.iter().map(|x| x.0)).collect();
        theses.sort_unstable();
        theses.dedup();
        let n = doc.labels.len();
        let columns = n.min(STRIP_COLUMNS);
        let (left, row, width) = (190.0, 18.0, 1100.0);
        let cell = (width - left) / columns as f64;
        html! {
            @if !theses.is_empty() {
                details open {
                    summary.soft { (lang.t("strip")) }
                    div.scroll tabindex="0" { svg.strip viewBox=(format!("0 0 {width} {}", theses.len() as f64 * row)) role="img" aria-label=(lang.t("strip")) {
                        @for (y, &thesis) in theses.iter().enumerate() {
                            @let top = y as f64 * row;
                            text x="0" y=(top + 13.0) { (self.name(thesis)) }
                            rect.bg x=(left) y=(top + 1.0) width=(width - left) height=(row - 2.0) {}
                            @for column in 0..columns {
                                @let range = column * n / columns..(column + 1) * n / columns;
                                @let best = doc.labels[range].iter().flat_map(|(anchor, labels)| {
                                    labels.iter().filter(|l| l.0 == thesis).map(move |l| (l.1, anchor))
                                }).max_by(|a, b| a.0.total_cmp(&b.0));
                                @if let Some((score, anchor)) = best {
                                    a href=(format!("#{anchor}")) tabindex="-1" {
                                        rect.(self.class(thesis)) x=(format!("{:.2}", left + column as f64 * cell)) y=(top + 1.0)
                                            width=(format!("{:.2}", cell.max(1.5))) height=(row - 2.0)
                                            opacity=(format!("{:.2}", 0.35 + 0.65 * score)) {
                                            title { (self.name(thesis)) " " (format!("{score:.2}")) }
                                        }
                                    }
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// The last part of a path: folders say little and take room.
fn file_name(id: &str) -> &str {
    id.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(id)
}

/// The sentence that contains `range`, or sentences, if it spans several.
fn sentence_around<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    const ENDS: [char; 7] = ['。', '！', '？', '!', '?', '；', '\n'];
    let start = text[..range.start].rfind(ENDS).map_or(0, |i| i + text[i..].chars().next().map_or(0, char::len_utf8));
    let end = text[range.end..]
        .find(ENDS)
        .map_or(text.len(), |i| range.end + i + text[range.end + i..].chars().next().map_or(0, char::len_utf8));
    text[start..end].trim()
}

#[cfg(test)]
mod tests {
    use super::{file_name, sentence_around};

    #[test]
    fn folders_are_left_out() {
        assert_eq!(file_name("a/b/c.md"), "c.md");
        assert_eq!(file_name("c.md"), "c.md");
        assert_eq!(file_name("/"), "/");
    }

    #[test]
    fn a_quotation_is_a_sentence() {
        let text = "头一句。仓库满了，没有人买！后一句";
        let at = text.find("没有人买").unwrap();
        assert_eq!(sentence_around(text, &(at..at + 12)), "仓库满了，没有人买！");
        assert_eq!(sentence_around(text, &(0..3)), "头一句。");
        assert_eq!(sentence_around(text, &(text.len() - 9..text.len())), "后一句");
    }
}
