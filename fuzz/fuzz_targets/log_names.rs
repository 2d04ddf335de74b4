//! libFuzzer wrapper of the target `log_names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("log_names", data));
