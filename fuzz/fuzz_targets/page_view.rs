//! libFuzzer wrapper of the target `page_view`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("page_view", data));
