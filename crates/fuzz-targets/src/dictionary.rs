//! Any text as a dictionary of another program: a byte that chooses the format, then the file.

use lundian_author::dictionary::{Dictionary, FORMATS, Mapping, PackError, PackOptions, pack_from_dictionary};

/// Terms have a place; whatever pack is made of them passes its own examples.
pub fn run(data: &[u8]) {
    let Some((&format, source)) = data.split_first() else { return };
    let Some(source) = crate::text(source) else { return };
    let format = &FORMATS[usize::from(format) % FORMATS.len()];
    let (dictionary, diagnostics) = Dictionary::parse(format, "dictionary", source);
    // YAML and XML have other line ends than these, too; none has more lines than characters.
    let lines = 1..=source.chars().count() + 1;
    for category in &dictionary.categories {
        assert!(!category.names.is_empty() && lines.contains(&category.line));
        assert!(category.terms.iter().all(|t| !t.pattern.is_empty() && lines.contains(&t.line)));
    }
    assert!(diagnostics.iter().all(|d| d.line.is_none_or(|line| lines.contains(&line))), "{diagnostics:?}");
    if dictionary.categories.iter().all(|c| c.terms.is_empty()) {
        assert!(diagnostics.iter().any(|d| d.error), "nothing was read, and nothing is said about it");
    }

    let pairs = dictionary.categories.iter().take(8).map(|c| format!("{}=a", c.path()));
    let Ok(mapping) = Mapping::from_pairs(pairs) else { return };
    let made = pack_from_dictionary(&dictionary, &mapping, &crate::TAXONOMY, &PackOptions::new("made"));
    if let Err(PackError::Unfit(reason)) = made {
        // A dictionary of single marks may leave no sentence that it does not match.
        assert!(reason.ends_with("match every text"), "{reason}");
    }
}
