//! libFuzzer wrapper of the target `log_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("log_record", data));
