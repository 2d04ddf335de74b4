//! libFuzzer wrapper of the target `page_edit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("page_edit", data));
