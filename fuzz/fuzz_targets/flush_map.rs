//! libFuzzer wrapper of the target `flush_map`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("flush_map", data));
