//! Fuzz targets: functions that take any bytes and must neither panic nor hang nor allocate without bound.
//!
//! A target does more than parse: it writes back what was accepted and compares, asks derived values, walks lists, so that
//! a value that was accepted wrongly shows. Where a checksum would turn nearly every mutation away, a target runs twice:
//! on the bytes as they are, and with the checksum made right.
//!
//! The same functions run in two ways: under libFuzzer (folder `fuzz/`, nightly toolchain) and in
//! [`runner`], which mutates real samples with a seeded generator (`cargo xtask fuzz`, and bounded in `cargo xtask ci`).

pub mod command_line;
pub mod mutate;
pub mod runner;
mod samples;
mod targets;

pub use targets::{TARGETS, run, target};

/// One fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name, as on the command line and in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Good inputs to start from.
    pub samples: fn() -> Vec<Vec<u8>>,
}
