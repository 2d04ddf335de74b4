//! libFuzzer wrapper of the target `database`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("database", data));
