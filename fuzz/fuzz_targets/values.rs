//! libFuzzer wrapper of the target `values`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("values", data));
