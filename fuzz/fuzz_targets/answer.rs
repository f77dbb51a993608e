//! Any answer of a plugin: after the checks, what is left keeps every promise.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lundian_core::Output;

const TEXTS: [&str; 3] = ["论点", "", "a\u{1F600}b"];
const THESES: usize = 3;

fuzz_target!(|data: &[u8]| {
    let mut out = Output::new(TEXTS.len(), THESES);
    let (scores, rest) = data.split_at(data.len().min(TEXTS.len() * THESES * 4));
    for (cell, bytes) in out.scores_mut().iter_mut().zip(scores.as_chunks().0) {
        *cell = f32::from_le_bytes(*bytes);
    }
    for bytes in rest.as_chunks::<8>().0 {
        let [row, thesis, start, end, weight @ ..] = *bytes;
        let range = usize::from(start)..usize::from(end);
        out.add_evidence(usize::from(row), usize::from(thesis), range, f32::from_le_bytes(weight));
    }
    if out.fail_broken_rows(|row| TEXTS[row]).is_ok() {
        out.check(|row| TEXTS[row]).expect("broken rows have failed");
    }
});
