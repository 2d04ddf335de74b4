//! libFuzzer wrapper of the target `legacy_log`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("legacy_log", data));
