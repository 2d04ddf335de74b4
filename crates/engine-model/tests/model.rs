//! The short runs of CI: every page size, with and without losses of power; and proof that a wrong answer is noticed.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use engine_model::{Options, Report, run};

fn check(options: Options) -> Report {
    match run(options) {
        Ok(report) => {
            println!("{report:?}");
            assert_eq!(report.operations, options.operations);
            assert!(report.changes > options.operations / 10, "{report:?}");
            assert!(report.commits > 10 && report.refusals > 10, "{report:?}");
            report
        }
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn small_pages_with_crashes() {
    check(Options { seed: 11, operations: 4000, ..Options::default() });
}

#[test]
fn pages_of_8_kib_with_crashes() {
    check(Options { seed: 12, operations: 4000, page_size: 8192, sessions: 5, ..Options::default() });
}

#[test]
fn large_pages_with_crashes() {
    check(Options {
        seed: 13,
        operations: 3000,
        page_size: 32768,
        sessions: 2,
        keys: 60,
        ..Options::default()
    });
}

#[test]
fn pages_of_16_kib_without_crashes() {
    let report = check(Options {
        seed: 14,
        operations: 4000,
        page_size: 16384,
        crash_every: 0,
        keys: 2000,
        ..Options::default()
    });
    assert!(report.backups > 0 && report.defragmentations > 0, "{report:?}");
}

/// The log rolls while a database is attached, and a backup begins with the new generation.
#[test]
fn a_backup_that_begins_where_the_log_rolled_during_an_attach() {
    check(Options {
        seed: 80016,
        operations: 8000,
        sessions: 3,
        keys: 60,
        crash_every: 0,
        ..Options::default()
    });
}

/// Losses of power come often enough to meet a log that ends with the last segment of a generation.
#[test]
fn many_crashes_and_restarts() {
    check(Options {
        seed: 2004,
        operations: 25_000,
        sessions: 6,
        keys: 60,
        crash_every: 200,
        ..Options::default()
    });
}
