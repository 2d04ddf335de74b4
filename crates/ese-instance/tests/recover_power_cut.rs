//! Recovery that is cut twice comes to the same databases all the same, and no failure of a call goes unnoticed. (Cut once and failed
//! everywhere: `interrupted_recovery.rs`.)
//!
//! Sectors are as large as pages and log segments. A page that the disk wrote in part cannot be replayed: the engine logs no whole
//! pages, finds the wrong checksum (-1018) and needs a backup; so do we.
//!
//! The expected databases are those of the original engine's recovery of the same crash state.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Difference, compare_databases};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryError, RecoveryReport,
    RecoveryRequest, recover,
};
use ese_io::{
    CountingStorage, Fault, IoErrorKind, MemoryStorage, OpenOptions, Operation, SimulatedDisk, Storage,
    Survival, crash_everywhere,
};
use ese_log::{LogNames, find_streams};

const CASE: &str = "dirty-exit-p4k";

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::with_sector_size(4096);
    let folder = testdata::reference(CASE).expect("a fixture").join("files");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        disk.put(Path::new("/r").join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
    }
    disk
}

fn expected() -> Arc<dyn ese_io::File> {
    let path = testdata::reference(CASE).expect("a fixture").join("recovered").join("db.edb");
    let storage = MemoryStorage::new();
    storage.put("x", std::fs::read(path).unwrap());
    storage.open(Path::new("x"), OpenOptions::READ).unwrap()
}

/// A small cache, so that pages are written all the time and not only at the end.
fn run(disk: &SimulatedDisk) -> Result<RecoveryReport, RecoveryError> {
    run_on(disk)
}

fn run_on<S: Storage + Clone + 'static>(disk: &S) -> Result<RecoveryReport, RecoveryError> {
    let (base, extension) = find_streams(disk, Path::new("/r"))?[0].clone();
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    request.missing_current_log = MissingCurrentLog::Accept;
    request.cache_bytes = 100 * 4096;
    let environment = RecoveryEnvironment::repeatable(Arc::new(disk.clone()), 1_700_000_000_000, 1);
    recover(&request, &environment, &NoRecoveryProgress)
}

/// The pages that are not as the original's recovery left them.
fn page_differences(disk: &SimulatedDisk, expected: &Arc<dyn ese_io::File>) -> Vec<String> {
    let found = disk.open(Path::new("/r/db.edb"), OpenOptions::READ).unwrap();
    let mut differences = Vec::new();
    compare_databases(&found, expected, |difference| {
        if matches!(difference, Difference::Page { .. }) {
            differences.push(difference.to_string());
        }
    })
    .unwrap();
    differences
}

/// Runs recovery to its end on what is left: nothing when it comes to the expected databases.
fn recovers(disk: &SimulatedDisk, expected: &Arc<dyn ese_io::File>) -> Result<(), String> {
    run(disk).map_err(|e| e.to_string())?;
    match page_differences(disk, expected).into_iter().next() {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}

fn assert_none(failures: &[String], of: u64) {
    assert!(failures.is_empty(), "{} of {of}: {:#?}", failures.len(), &failures[..failures.len().min(10)]);
}

#[test]
fn cut_again_during_the_second_recovery() {
    let expected = expected();
    let mut failures = Vec::new();
    let mut points = 0;
    for first in [3, 10, 20, 30, 40] {
        let disk = disk();
        disk.cut_power_at(first, Survival::Torn(first));
        assert!(run(&disk).is_err());
        points += crash_everywhere(
            &disk.reboot(),
            &[Survival::Nothing, Survival::Torn(9)],
            |disk| drop(run(disk)),
            |point, disk| {
                if let Err(problem) = recovers(disk, &expected) {
                    failures.push(format!("first at {first}, {point:?}: {problem}"));
                }
            },
        );
    }
    assert_none(&failures, points);
}

/// Reading ahead may fail without consequence; nothing else may.
#[test]
fn no_failure_goes_unnoticed() {
    for operation in [
        &[Operation::Open],
        &[Operation::Write],
        &[Operation::Sync],
        &[Operation::Length],
        &[Operation::List],
        &[Operation::Rename],
        &[Operation::Remove],
    ] {
        let counting = CountingStorage::new(disk());
        run_on(&counting).unwrap();
        let count = counting.counts().of(operation[0]).calls;
        for nth in 1..=count {
            let disk = disk();
            disk.plan(Fault::nth(nth, IoErrorKind::Device).of(operation));
            assert!(run(&disk).is_err(), "{} {nth} of {count}", operation[0]);
        }
    }
}
