//! libFuzzer wrapper of the target `recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("recovery", data));
