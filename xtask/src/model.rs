//! `cargo xtask model`: random work of several sessions against a model, with losses of power, for as long as wanted.

use std::time::Duration;

use crate::step::{cargo, run};

/// Runs `engine-model` with the arguments given.
pub(crate) fn run_task(arguments: &[String]) -> bool {
    let mut command = cargo(&["run", "--release", "--locked", "--package", "engine-model", "--"]);
    command.args(arguments);
    run(&mut command, Duration::from_secs(48 * 3600), |_| {})
}
