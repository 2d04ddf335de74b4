//! `cargo xtask fuzz`: the fuzz targets on the stable toolchain, optimised but with overflow checks and assertions.

use std::time::Duration;

use crate::step::{cargo, run};

/// Passes the arguments on to the runner of the crate `fuzz-targets`.
pub(crate) fn run_task(arguments: &[String]) -> bool {
    let mut command = cargo(&["run", "--locked", "--profile", "fuzz", "--package", "fuzz-targets", "--"]);
    run(command.args(arguments), Duration::from_secs(24 * 3600), |_| {})
}
