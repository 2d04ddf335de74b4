//! libFuzzer wrapper of the target `row`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("row", data));
