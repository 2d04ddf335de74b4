//! libFuzzer wrapper of the target `before_image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("before_image", data));
