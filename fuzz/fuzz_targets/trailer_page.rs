//! libFuzzer wrapper of the target `trailer_page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("trailer_page", data));
