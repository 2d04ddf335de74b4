//! The stable runner's command line, for `cargo xtask fuzz` and for the smoke test.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::runner::{Limits, Outcome, replay, run};
use crate::{TARGETS, Target, target};

const USAGE: &str = "\
usage: fuzz [--smoke | --seconds N] [--seed N] [TARGET…]
       fuzz --list
       fuzz --replay TARGET FILE";

/// Does what the arguments (without the program's name) say.
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    match parse(arguments) {
        Some(Task::Run(targets, limits)) => run_targets(&targets, &limits),
        Some(Task::List) => {
            for target in TARGETS {
                println!("{}", target.name);
            }
            ExitCode::SUCCESS
        }
        Some(Task::Replay(target, file)) => match replay(&target, Path::new(&file)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{file}: {error}");
                ExitCode::FAILURE
            }
        },
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

enum Task {
    Run(Vec<Target>, Limits),
    List,
    Replay(Target, String),
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Task> {
    let mut limits = Limits::long(Duration::from_secs(60));
    let mut targets = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return Some(Task::List),
            "--replay" => return Some(Task::Replay(target(&arguments.next()?)?, arguments.next()?)),
            "--smoke" => limits = Limits { seed: limits.seed, ..Limits::smoke() },
            "--seconds" => limits.time = Duration::from_secs(arguments.next()?.parse().ok()?),
            "--seed" => limits.seed = arguments.next()?.parse().ok()?,
            name => targets.push(target(name)?),
        }
    }
    if targets.is_empty() {
        targets.extend_from_slice(TARGETS);
    }
    Some(Task::Run(targets, limits))
}

/// Prints lines like the test harness', so that one reader understands both.
fn run_targets(targets: &[Target], limits: &Limits) -> ExitCode {
    println!("running {} fuzz targets, seed {}", targets.len(), limits.seed);
    let mut failed = 0_usize;
    for target in targets {
        match run(target, limits, hung) {
            Outcome::Clean(inputs) => println!("test fuzz::{} ... ok ({inputs} inputs)", target.name),
            Outcome::Panicked(file, message) => {
                failed += 1;
                println!("{message}\ninput kept in {}", file.display());
                println!("test fuzz::{} ... FAILED", target.name);
            }
            Outcome::Allocated(file) => {
                failed += 1;
                println!("allocated without bound; input kept in {}", file.display());
                println!("test fuzz::{} ... FAILED", target.name);
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {failed} failed;", targets.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hung(target: &Target, file: &Path) {
    println!("hung; input kept in {}", file.display());
    println!("test fuzz::{} ... FAILED", target.name);
    println!("test result: FAILED. 0 passed; 1 failed;");
    std::process::exit(1);
}
