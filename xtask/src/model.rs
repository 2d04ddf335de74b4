//! `cargo xtask model`: random work of several sessions against a model, with losses of power, for as long as wanted.
//! `cargo xtask kill`: processes that work on real files and are killed.

use std::time::Duration;

use crate::step::{cargo, run};

/// Runs `engine-model` with the arguments given.
pub(crate) fn run_task(arguments: &[String]) -> bool {
    let mut command = cargo(&["run", "--release", "--locked", "--package", "engine-model", "--"]);
    command.args(arguments);
    run(&mut command, Duration::from_secs(48 * 3600), |_| {})
}

/// Kills as many processes as the first argument says, 1000 when there is none.
pub(crate) fn kill_task(arguments: &[String]) -> bool {
    let (rounds, rest) =
        arguments.split_first().map_or(("1000", arguments), |(first, rest)| (first.as_str(), rest));
    let mut command =
        cargo(&["run", "--release", "--locked", "--package", "engine-model", "--", "--kill", rounds]);
    command.args(rest);
    run(&mut command, Duration::from_secs(48 * 3600), |_| {})
}
