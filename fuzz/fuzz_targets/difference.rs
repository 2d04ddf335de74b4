//! libFuzzer wrapper of the target `difference`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("difference", data));
