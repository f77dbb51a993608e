//! The normal form of any text, and its map back.

use lundian_text::{Normalised, normalise};

/// Characters that the normal form leaves out.
const IGNORED: [char; 4] = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}'];

/// Every character of the normal form maps back onto the sequence that it came from, and nothing is passed over.
pub fn run(data: &[u8]) {
    let Some(text) = crate::text(data) else { return };
    let normalised = Normalised::new(text);
    let form = normalised.as_str();
    assert_eq!(normalise(form), form, "normalising twice changes nothing");

    // Characters that come from one sequence share its range.
    let mut sequences: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> = Vec::new();
    for (at, c) in form.char_indices() {
        let here = at..at + c.len_utf8();
        let range = normalised.to_original(here.clone());
        assert!(text.get(range.clone()).is_some_and(|t| !t.is_empty()), "{range:?} cuts a character");
        match sequences.last_mut() {
            Some((original, normal)) if *original == range => normal.end = here.end,
            last => {
                let end = last.map_or(0, |(original, _)| original.end);
                assert!(end <= range.start, "{range:?} does not come after {end}");
                assert!(text[end..range.start].chars().all(|c| IGNORED.contains(&c)), "text before {range:?} is lost");
                sequences.push((range, here));
            }
        }
    }
    let end = sequences.last().map_or(0, |(original, _)| original.end);
    assert!(text[end..].chars().all(|c| IGNORED.contains(&c)), "text after {end} is lost");

    // Each sequence by itself has the same normal form, but for phrases that decide how a character is simplified.
    for (original, normal) in &sequences {
        let alone = normalise(&text[original.clone()]);
        let here = &form[normal.clone()];
        let same = |(x, y): (char, char)| x == y || (is_han(x) && is_han(y));
        assert!(
            alone.chars().count() == here.chars().count() && alone.chars().zip(here.chars()).all(same),
            "{alone:?} alone, {here:?} in the text"
        );
    }
    // A span of several characters is covered from the first to the last.
    for pair in sequences.windows(2) {
        let both = normalised.to_original(pair[0].1.start..pair[1].1.end);
        assert_eq!(both, pair[0].0.start..pair[1].0.end);
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' | '〇' | '々')
}
