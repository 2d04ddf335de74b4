//! `cargo xtask ci`: everything that must hold before a change is accepted, in one command.

use std::process::Command;
use std::time::Duration;

use crate::report::Totals;
use crate::step::{cargo, run, unattended, workspace_root};

const MINUTE: u64 = 60;

/// Runs all checks, going on after a failure; the last line is the totals.
fn run_all(totals: &mut Totals) {
    let limit = Duration::from_secs(20 * MINUTE);

    totals.check("cargo fmt", run(&mut cargo(&["fmt", "--all", "--check"]), limit, |_| {}));

    let lints = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    totals.check("cargo clippy", run(&mut quiet(cargo(&lints)), limit, |_| {}));

    // Test programs (the fuzz smoke is one of them), then the examples in the documentation.
    let failed_before = totals.failed;
    let tests = ["test", "--locked", "--workspace", "--no-fail-fast"];
    if !run(&mut quiet(cargo(&tests)), limit, |line| totals.line(line)) && totals.failed == failed_before {
        totals.fail("cargo test (did not build, crashed or took too long)");
    }

    let documentation = ["doc", "--locked", "--workspace", "--no-deps"];
    let mut command = quiet(cargo(&documentation));
    totals.check("cargo doc", run(command.env("RUSTDOCFLAGS", "-D warnings"), limit, |_| {}));
}

/// The task.
pub(crate) fn run_task() -> bool {
    let absent: Vec<&str> = ["../shared/data/reference", "../shared/data/real"]
        .into_iter()
        .filter(|folder| !workspace_root().join(folder).is_dir())
        .collect();
    warn_absent(&absent);
    let mut totals = Totals::default();
    run_all(&mut totals);
    println!();
    warn_absent(&absent);
    for failure in &totals.failures {
        println!("FAILED: {failure}");
    }
    println!("{} passed, {} failed", totals.passed, totals.failed);
    totals.failed == 0
}

fn warn_absent(absent: &[&str]) {
    for folder in absent {
        println!(
            "TEST DATA ABSENT: {folder} is not there; the tests that need it return early and prove nothing"
        );
    }
}

/// Unattended runs start from nothing: incremental state would only fill the disk.
fn quiet(mut command: Command) -> Command {
    if unattended() {
        command.env("CARGO_INCREMENTAL", "0").env("CARGO_TERM_COLOR", "never");
    }
    command
}
