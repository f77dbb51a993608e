//! Any text as a label file.

use lundian_eval::gold::{read_gold_str, sample_row};

/// Whatever is accepted has labels within its paragraph, and reads back as it was written.
pub fn run(data: &[u8]) {
    let Some(source) = crate::text(data) else { return };
    let taxonomy = &*crate::TAXONOMY;
    let (samples, diagnostics) = read_gold_str("gold", source, taxonomy);
    let lines = source.lines().count().max(1);
    for d in &diagnostics {
        assert!(d.line.is_none_or(|line| (1..=lines).contains(&line)), "{d} is outside {lines} lines");
    }
    let mut written = String::new();
    for sample in &samples {
        let text = &sample.paragraph.text;
        assert!(!sample.paragraph.id.is_empty());
        for label in &sample.labels {
            assert!(label.thesis < taxonomy.len());
            assert!(label.evidence.as_ref().is_none_or(|e| !e.is_empty() && text.get(e.clone()).is_some()));
        }
        let mut theses: Vec<usize> = sample.labels.iter().map(|l| l.thesis).collect();
        theses.sort_unstable();
        theses.dedup();
        assert_eq!(theses.len(), sample.labels.len(), "a thesis is labelled once");
        assert!(sample.annotators.values().flatten().all(|thesis| *thesis < taxonomy.len()));
        written += &sample_row(sample, taxonomy);
        written.push('\n');
    }
    let (again, diagnostics) = read_gold_str("written", &written, taxonomy);
    assert!(samples.is_empty() || diagnostics.is_empty(), "{diagnostics:?}\n{written}");
    assert_eq!(again, samples);
}
