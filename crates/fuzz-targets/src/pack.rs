//! Any text as a rule pack, and any text as a paragraph for its rules: `PACK NUL PARAGRAPH`.

use lundian_plugin::{Batch, Classifier, Output, Unit};
use lundian_rules::{Origin, Pack, Rules};

/// Mistakes have a place; rules that are accepted give scores, and evidence within the paragraph.
pub fn run(data: &[u8]) {
    let (source, paragraph) = crate::parts(data);
    let (Some(source), Some(text)) = (crate::text(source), crate::text(paragraph)) else { return };
    let (pack, diagnostics) = Pack::parse("pack", source, &crate::TAXONOMY, Origin::User);
    let lines = source.split('\n').count();
    for d in &diagnostics {
        assert!(d.line.is_some_and(|line| (1..=lines).contains(&line)), "{d} is outside {lines} lines");
    }
    let Ok(rules) = Rules::new(&crate::TAXONOMY, &[pack]) else { return };
    let text = if text.is_empty() { "产能过剩，而需求不足。GDP 增长 5%。" } else { text };
    let unit = Unit { text, prev: "需求不足", heading: text, title: "" };
    for fired in rules.explain(&unit) {
        assert!(fired.weight > 0.0 && fired.weight <= 1.0);
        let mut end = 0;
        for span in &fired.spans {
            assert!(text.get(span.clone()).is_some() && end <= span.start, "{span:?} in {text:?}");
            end = span.end;
        }
    }
    let units = [Unit { text: "别的", ..Unit::default() }, unit];
    let mut out = Output::new(units.len(), crate::TAXONOMY.len());
    rules.classify(&Batch::new(&units), &mut out).expect("nothing cancels");
    out.check(|row| units[row].text).expect("a broken promise");
    let bits = |scores: &[f32]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(out.row(1)), bits(&rules.scores(&unit)), "alone and in a batch");
    let _ = rules.check();
}
