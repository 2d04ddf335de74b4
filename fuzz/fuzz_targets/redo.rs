//! libFuzzer wrapper of the target `redo`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("redo", data));
