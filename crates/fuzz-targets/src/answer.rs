//! Any answer of a plugin: scores as floats, then pieces of evidence, roles and failures.

use lundian_core::{Failure, Output};

const TEXTS: [&str; 3] = ["论点", "", "a\u{1F600}b"];
const THESES: usize = 3;
/// In the place of a thesis: a failure, a role.
const FAILURE: u8 = u8::MAX;
const ROLE: u8 = u8::MAX - 1;

/// After the checks, what is left keeps every promise; what was right before is left alone.
pub fn run(data: &[u8]) {
    let mut out = Output::new(TEXTS.len(), THESES);
    let (scores, rest) = data.split_at(data.len().min(TEXTS.len() * THESES * 4));
    for (cell, bytes) in out.scores_mut().iter_mut().zip(scores.as_chunks().0) {
        *cell = f32::from_le_bytes(*bytes);
    }
    for bytes in rest.as_chunks::<8>().0 {
        let [row, thesis, start, end, weight @ ..] = *bytes;
        let row = usize::from(row);
        match thesis {
            FAILURE => out.failures.push(Failure { row, reason: String::new() }),
            // Quarters, so that their sum is often 1.
            ROLE if row < TEXTS.len() => out.set_role(row, weight.map(|byte| f32::from(byte) / 4.0)),
            _ => out.add_evidence(row, thesis.into(), start.into()..end.into(), f32::from_le_bytes(weight)),
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
