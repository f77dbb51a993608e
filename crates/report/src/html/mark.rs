//! Text with spans marked, and the names of theses as chips.

use std::ops::Range;

use lundian_core::Taxonomy;
use maud::{Markup, html};

use super::{Lang, family_class};

/// A span of a text that is to be marked.
pub(crate) struct Span<'a> {
    /// Bytes of the text.
    pub(crate) range: Range<usize>,
    /// The CSS class that gives the colour.
    pub(crate) class: String,
    /// What the tooltip says.
    pub(crate) name: &'a str,
}

/// The text with its spans marked; where spans overlap, the first gives the colour and the tooltip names all. Spans
/// that are not on character boundaries are left out.
pub(crate) fn marked(text: &str, spans: &[Span<'_>]) -> Markup {
    let whole = |s: &&Span<'_>| s.range.start < s.range.end && text.get(s.range.clone()).is_some();
    let spans: Vec<&Span<'_>> = spans.iter().filter(whole).collect();
    let mut borders: Vec<usize> = spans.iter().flat_map(|s| [s.range.start, s.range.end]).collect();
    borders.extend([0, text.len()]);
    borders.sort_unstable();
    borders.dedup();
    html! {
        @for pair in borders.windows(2) {
            @let inside: Vec<_> = spans.iter().filter(|s| s.range.start <= pair[0] && pair[1] <= s.range.end).collect();
            @let piece = &text[pair[0]..pair[1]];
            @if let Some(first) = inside.first() {
                @let names: Vec<&str> = inside.chunk_by(|a, b| a.name == b.name).map(|same| same[0].name).collect();
                mark.(first.class) title=(names.join(" · ")) { (piece) }
            } @else { (piece) }
        }
    }
}

/// The name of a thesis in the colour of its family.
pub(crate) fn chip(taxonomy: &Taxonomy, lang: Lang, thesis: usize) -> Markup {
    let class = family_class(taxonomy.family_of(thesis));
    html! { span.chip.(class) title=(taxonomy.theses()[thesis].slug) { (lang.name(&taxonomy.theses()[thesis].name)) } }
}

/// The same for a slug; the slug itself if the taxonomy does not know it.
pub(crate) fn chip_of(taxonomy: &Taxonomy, lang: Lang, slug: &str) -> Markup {
    match taxonomy.index(slug) {
        Some(thesis) => chip(taxonomy, lang, thesis),
        None => html! { span.chip { (slug) } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_spans_are_cut_and_broken_ones_left_out() {
        let span = |range, class: &str, name| Span { range, class: class.into(), name };
        let spans = [span(0..6, "a", "A"), span(3..9, "b", "B"), span(1..2, "c", "C"), span(6..99, "d", "D")];
        assert_eq!(
            marked("甲乙丙<", &spans).into_string(),
            "<mark class=\"a\" title=\"A\">甲</mark><mark class=\"a\" title=\"A · B\">乙</mark>\
             <mark class=\"b\" title=\"B\">丙</mark>&lt;"
        );
        assert_eq!(marked("", &[]).into_string(), "");
    }
}
