//! libFuzzer wrapper of the target `file_kind`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("file_kind", data));
