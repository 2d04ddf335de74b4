//! `cargo xtask bench`: the benches, one after the other.

use std::time::Duration;

use crate::step::{cargo, run};

/// Runs all benches, or those whose name contains the filter.
pub(crate) fn run_task(filter: &[String]) -> bool {
    let mut command = cargo(&["bench", "--locked", "--package", "benches"]);
    if !filter.is_empty() {
        command.arg("--").args(filter);
    }
    run(&mut command, Duration::from_secs(4 * 3600), |_| {})
}
