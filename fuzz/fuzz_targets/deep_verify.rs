//! libFuzzer wrapper of the target `deep_verify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("deep_verify", data));
