//! libFuzzer wrapper of the target `compressed_value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("compressed_value", data));
