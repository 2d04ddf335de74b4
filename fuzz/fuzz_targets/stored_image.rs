//! libFuzzer wrapper of the target `stored_image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("stored_image", data));
