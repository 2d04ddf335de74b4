//! libFuzzer wrapper of the target `log_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("log_file", data));
