//! Reports as one self-contained HTML page: no network, inline SVG, light and dark, phone and print.
//!
//! The decision that matters: everything is in the markup, and the script only hides and shows. The page reads without
//! it, prints as it stands, and ten thousand paragraphs need no rendering by hand.

pub(crate) mod chart;
pub(crate) mod labels;
mod lang;
pub(crate) mod mark;

pub use lang::Lang;

use lundian_core::{Kind, Role};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(include_str!("filter.js"), include_str!("sort.js"));

/// Hues of the families, in order of their place in the taxonomy; a ninth family begins again.
const FAMILY_HUES: [u16; 8] = [210, 28, 275, 150, 345, 95, 185, 48];

/// CSS class that gives a mark, a chip or a cell the colour of its family.
pub(crate) fn family_class(family: usize) -> String {
    format!("f{}", family % FAMILY_HUES.len())
}

/// The whole page around `body`.
pub(crate) fn page(lang: Lang, title: &str, body: &Markup) -> Markup {
    let hues: String =
        FAMILY_HUES.iter().enumerate().map(|(i, hue)| format!(".f{i}{{--hue:{hue}}}")).collect::<Vec<_>>().join("");
    html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Lundian" }
                style { (PreEscaped(STYLE)) (PreEscaped(hues)) }
            }
            body {
                (body)
                footer { (lang.t("made-by")) " Lundian " (env!("CARGO_PKG_VERSION")) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// How many items the filters let through; the script keeps it true.
pub(crate) fn counter(lang: Lang, total: usize) -> Markup {
    html! { span.count { output aria-live="polite" { (total) } " " (lang.t("shown")) } }
}

/// A filter by the text of items.
pub(crate) fn search(lang: Lang) -> Markup {
    html! { label { span { (lang.t("search")) } " " input type="search" name="q"; } }
}

/// A filter by the items' `data-NAME`: `(value, label)` pairs.
pub(crate) fn choice<'a>(
    name: &str,
    label: &str,
    all: &str,
    options: impl Iterator<Item = (&'a str, &'a str)>,
) -> Markup {
    html! {
        label {
            span { (label) } " "
            select data-by=(name) {
                option value="" { (all) }
                @for (value, label) in options { option value=(value) { (label) } }
            }
        }
    }
}

/// The head of a column that a table can be sorted by.
pub(crate) fn sorted(name: &str, number: bool) -> Markup {
    html! { th.n[number] scope="col" { button type="button" data-by=[number.then_some("number")] { (name) } } }
}

/// The word for a kind of system.
pub(crate) fn kind(lang: Lang, kind: Kind) -> &'static str {
    match kind {
        Kind::Rules => lang.t("kind-rules"),
        Kind::Linear => lang.t("kind-linear"),
        Kind::Transformer => lang.t("kind-transformer"),
        Kind::Plugin => lang.t("kind-plugin"),
        Kind::Aggregate => lang.t("kind-aggregate"),
        Kind::Baseline => lang.t("kind-baseline"),
    }
}

/// The word for a role of a paragraph.
pub(crate) fn role_name(lang: Lang, role: Role) -> &'static str {
    match role {
        Role::Explanation => lang.t("role-explanation"),
        Role::Evidence => lang.t("role-evidence"),
        Role::Remedy => lang.t("role-remedy"),
        Role::Other => lang.t("role-other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_is_escaped() {
        let page = page(Lang::En, "<script>alert(1)</script>", &html! { "a & b" }).into_string();
        assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("a &amp; b"));
        assert!(!page.contains("<script>alert"));
    }

    #[test]
    fn nothing_is_fetched() {
        let page = page(Lang::Zh, "t", &html! {}).into_string();
        for word in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
