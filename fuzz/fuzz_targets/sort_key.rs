//! libFuzzer wrapper of the target `sort_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("sort_key", data));
