//! What comes from a worker, and what comes to one: any bytes, in any pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lundian_host::worker::frame::{FrameBuffer, FromWorker, ToWorker};

fuzz_target!(|data: &[u8]| {
    let mut buffer = FrameBuffer::default();
    for piece in data.chunks(7) {
        let _ = buffer.fill(piece);
        while let Ok(Some(frame)) = buffer.frame() {
            let _ = ToWorker::decode(&frame);
            if let Ok(message) = FromWorker::decode(&frame) {
                // What was understood can be said again, and means the same.
                if let Ok(again) = message.encode() {
                    let read = FromWorker::decode(&again[4..]).expect("own encoding");
                    assert_eq!(format!("{message:?}"), format!("{read:?}"));
                }
            }
        }
    }
});
