//! `cargo xtask reference`: the comparisons with the original engine's results on every reference case, of which ordinary
//! test runs take a choice.

use std::time::Duration;

use crate::step::{cargo, run};

/// Runs them all; cases that are not there are passed over with a loud line.
pub(crate) fn run_task() -> bool {
    [("ese-instance", "deep"), ("ese-cli", "export")].into_iter().all(|(package, test)| {
        let mut command = cargo(&["test", "--locked", "--package", package, "--test", test]);
        command.env("ESE_TEST_ALL", "1");
        run(&mut command, Duration::from_secs(3600), |_| {})
    })
}
