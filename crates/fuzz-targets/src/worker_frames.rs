//! What comes from a worker, and what comes to one: any bytes, in any pieces.

use lundian_core::{Batch, Output};
use lundian_host::worker::frame::{FrameBuffer, FromWorker, ToWorker};

/// Frames come out whole however they arrive, what was understood can be said again, and an answer can be checked.
pub fn run(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let mut buffer = FrameBuffer::default();
    let mut taken = 0;
    for piece in data.chunks(usize::from(size).max(1)) {
        let filled = buffer.fill(piece).expect("memory can be read");
        assert_eq!(filled, piece.len());
        while let Ok(Some(frame)) = buffer.frame() {
            assert_eq!(data[taken + 4..taken + 4 + frame.len()], *frame);
            taken += 4 + frame.len();
            understand(&frame);
        }
    }
}

fn understand(frame: &[u8]) {
    if let Ok(message) = ToWorker::decode(frame) {
        let again = match &message {
            ToWorker::Load(load) => ToWorker::load(load),
            ToWorker::Classify { evidence: true, units } => ToWorker::classify(&Batch::new(units)),
            ToWorker::Classify { evidence: false, units } => ToWorker::classify(&Batch::new(units).without_evidence()),
            ToWorker::Stress { threads, units } => ToWorker::stress(*threads as u8, &Batch::new(units)),
            ToWorker::Cancel => Ok(ToWorker::cancel()),
            ToWorker::Ping => Ok(ToWorker::ping()),
        };
        let again = again.expect("what was read can be written");
        let read = ToWorker::decode(&again[4..]).expect("own encoding");
        assert_eq!(format!("{message:?}"), format!("{read:?}"));
    }
    if let Ok(message) = FromWorker::decode(frame) {
        let again = message.encode().expect("what was read can be written");
        let read = FromWorker::decode(&again[4..]).expect("own encoding");
        assert_eq!(format!("{message:?}"), format!("{read:?}"));
        if let FromWorker::Answer(out) = read {
            check(out);
        }
    }
}

/// After the checks, what is left keeps every promise.
fn check(mut out: Output) {
    const TEXTS: [&str; 3] = ["论点", "", "a\u{1F600}b"];
    let text = |row: usize| TEXTS[row % TEXTS.len()];
    if out.fail_broken_rows(text).is_ok() {
        out.check(text).expect("broken rows have failed");
        assert!(out.failures.iter().all(|f| f.row < out.rows()));
    }
}
