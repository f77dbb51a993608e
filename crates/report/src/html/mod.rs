//! Reports as one self-contained HTML page: no network, inline SVG, light and dark, phone and print.
//!
//! The decision that matters: everything is in the markup, and the script only hides and shows. The page reads without
//! it, prints as it stands, and ten thousand paragraphs need no rendering by hand.

pub(crate) mod labels;
mod lang;

pub use lang::Lang;

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("filter.js");

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
