#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lundian_fuzz_targets::worker_frames::run(data));
