//! Any answer of a plugin: scores as floats, then pieces of evidence and failures.

use lundian_core::{Failure, Output};

const TEXTS: [&str; 3] = ["论点", "", "a\u{1F600}b"];
const THESES: usize = 3;

/// After the checks, what is left keeps every promise; what was right before is left alone.
pub fn run(data: &[u8]) {
    let mut out = Output::new(TEXTS.len(), THESES);
    let (scores, rest) = data.split_at(data.len().min(TEXTS.len() * THESES * 4));
    for (cell, bytes) in out.scores_mut().iter_mut().zip(scores.as_chunks().0) {
        *cell = f32::from_le_bytes(*bytes);
    }
    for bytes in rest.as_chunks::<8>().0 {
        let [row, thesis, start, end, weight @ ..] = *bytes;
        let (row, thesis) = (usize::from(row), usize::from(thesis));
        if thesis == usize::from(u8::MAX) {
            out.failures.push(Failure { row, reason: String::new() });
        } else {
            out.add_evidence(row, thesis, start.into()..end.into(), f32::from_le_bytes(weight));
        }
    }
    let before = out.clone();
    let right = before.check(|row| TEXTS[row]).is_ok();
    if out.fail_broken_rows(|row| TEXTS[row]).is_ok() {
        out.check(|row| TEXTS[row]).expect("broken rows have failed");
        assert!(out.failures.iter().all(|f| f.row < TEXTS.len()));
        if right {
            assert_eq!(format!("{out:?}"), format!("{before:?}"));
        }
    }
}
