//! `cargo xtask readers`: databases of every format and page size, read by dissect.esedb and libesedb, which have to be
//! installed. CI makes the same comparison with fewer databases, and only where the readers are.

use std::time::Duration;

use crate::step::{cargo, run};

/// Runs `crates/ese-cli/tests/independent_readers.rs` in full.
pub(crate) fn run_task() -> bool {
    let mut command = cargo(&[
        "test",
        "--locked",
        "--package",
        "ese-cli",
        "--test",
        "independent_readers",
        "--",
        "--nocapture",
    ]);
    command.env("ESE_READERS", "required");
    run(&mut command, Duration::from_secs(3600), |_| {})
}
