#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lundian_fuzz_targets::linear_model::run(data));
