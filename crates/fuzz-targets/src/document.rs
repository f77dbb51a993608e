//! What holds for the paragraphs of any document.

use std::collections::HashMap;

use lundian_core::Document;
use lundian_text::{Format, Options, decode, segment};

/// Cuts `bytes` into paragraphs, and checks what every format promises.
pub(crate) fn check(bytes: &[u8], format: Format) {
    let mut options = Options::default();
    options.format = Some(format);
    // Short, so that a fuzzer's lines are paragraphs.
    options.min_length = 2;
    let (document, _) = segment("case", bytes, &options);
    assert_paragraphs(&document);
    let source: Vec<char> = decode(bytes).unwrap_or_default().chars().collect();
    let mut before = 0;
    for p in &document.paragraphs {
        let place = p.source.expect("a document's paragraphs have a place");
        assert!(before <= place.start && place.start < place.end && place.end <= source.len(), "{place:?}");
        before = place.end;
        assert_eq!(p.text.trim(), p.text);
        if format == Format::Plain {
            // Lines of the page may have been dropped between those that were joined.
            let visible = |c: &char| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}');
            let mut there = source[place.start..place.end].iter().copied().filter(visible);
            assert!(p.text.chars().filter(visible).all(|c| there.any(|t| t == c)), "{:?} is not at {place:?}", p.text);
        }
    }
}

/// Checks what is promised of paragraphs whatever they come from.
pub(crate) fn assert_paragraphs(document: &Document) {
    let mut texts: HashMap<&str, &str> = HashMap::new();
    for p in &document.paragraphs {
        assert!(!p.text.trim().is_empty() && !p.id.is_empty() && !p.doc.is_empty());
        assert_eq!(p.duplicate_of.as_deref(), texts.get(p.text.as_str()).copied());
        texts.entry(&p.text).or_insert(&p.id);
    }
    if document.paragraphs.iter().all(|p| p.source.is_some()) {
        let mut ids: Vec<&str> = document.paragraphs.iter().map(|p| p.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), document.paragraphs.len(), "ids are unique");
        for pair in document.paragraphs.windows(2) {
            let follows = pair[0].section == pair[1].section;
            assert_eq!(pair[1].prev, if follows { pair[0].text.as_str() } else { "" });
        }
    }
}
