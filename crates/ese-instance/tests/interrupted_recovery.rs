//! Recovery interrupted at every write and sync, and run again: the databases are those of an uninterrupted recovery,
//! page for page, and clean. A cache of the smallest size makes redo write pages all the time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Difference, compare_databases};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryError, RecoveryReport,
    RecoveryRequest, RecoveryResult, recover,
};
use ese_io::{
    Effect, IoErrorKind, MemoryStorage, OpenOptions, SimulatedDisk, Storage, Survival, crash_everywhere,
    fail_everywhere,
};
use ese_log::{LogNames, find_streams};

fn disk_of(case: &str, sector: u32) -> Option<SimulatedDisk> {
    let folder = testdata::reference(case)?.join("files");
    let disk = SimulatedDisk::with_sector_size(sector);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        disk.put(Path::new("/r").join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
    }
    Some(disk)
}

fn run(disk: &SimulatedDisk) -> Result<RecoveryReport, RecoveryError> {
    run_with(disk, 1)
}

fn run_with(disk: &SimulatedDisk, threads: usize) -> Result<RecoveryReport, RecoveryError> {
    let (base, extension) = find_streams(disk, Path::new("/r"))?[0].clone();
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    // A roll that was cut between its two renames leaves no current log.
    request.missing_current_log = MissingCurrentLog::Accept;
    request.cache_bytes = 0;
    // The checkpoint moves with every generation.
    request.checkpoint_bytes = 1;
    request.threads = threads;
    let environment = RecoveryEnvironment::repeatable(Arc::new(disk.clone()), 1_700_000_000_000, 1);
    recover(&request, &environment, &NoRecoveryProgress)
}

fn databases(disk: &SimulatedDisk) -> Vec<String> {
    let entries = disk.list(Path::new("/r")).unwrap();
    let names = entries.iter().filter_map(|e| e.path.file_name()?.to_str().map(str::to_owned));
    names.filter(|n| n.ends_with(".edb")).collect()
}

/// The differences in pages between the databases of two disks.
fn differences(a: &SimulatedDisk, b: &SimulatedDisk) -> Vec<String> {
    let mut found = Vec::new();
    for name in databases(b) {
        let path = Path::new("/r").join(&name);
        let open = |disk: &SimulatedDisk| {
            let copy = MemoryStorage::new();
            copy.put("/f", disk.get(&path).unwrap_or_default());
            copy.open(Path::new("/f"), OpenOptions::READ).unwrap()
        };
        compare_databases(&open(a), &open(b), |difference| match difference {
            Difference::Page { .. } => found.push(format!("{name}: {difference}")),
            Difference::HeaderField { field, .. } if *field == "dbstate" || *field == "dbtimeDirtied" => {
                found.push(format!("{name}: {difference}"));
            }
            Difference::HeaderField { .. } => {}
        })
        .unwrap();
    }
    found
}

/// Cuts the power during a first recovery, and looks at what the second one makes of it.
fn interrupted(case: &str, page: u32, survivals: &[Survival]) {
    interrupted_with(case, page, survivals, 1);
}

/// With threads that read ahead; what is written, and when, is the same.
fn interrupted_with(case: &str, page: u32, survivals: &[Survival], threads: usize) {
    let Some(disk) = disk_of(case, page) else { return };
    let whole = disk.reboot();
    let first = run(&whole).unwrap().start;
    let mut later = 0;
    let points = crash_everywhere(
        &disk,
        survivals,
        |disk| drop(run_with(disk, threads)),
        |point, disk| {
            let report = match run_with(disk, threads) {
                Ok(report) => report,
                Err(error) => panic!("{case} {point:?}: {error} ({})", error.jet_error()),
            };
            let differences = differences(disk, &whole);
            assert!(differences.is_empty(), "{case} {point:?}: {differences:?} {report:?}");
            later += u64::from(report.result == RecoveryResult::Recovered && report.start > first);
        },
    );
    println!("{case}: {points} crash points, {later} times recovery went on from a later checkpoint");
    assert!(points > 50);
    assert!(later > 0 || case.contains("escrow"), "{case}");
}

#[test]
fn power_cut_everywhere() {
    interrupted("dirty-exit-p8k", 8192, &[Survival::Nothing, Survival::Everything, Survival::Torn(2)]);
}

#[test]
fn power_cut_everywhere_with_threads() {
    interrupted_with("rare-long-crash-p8k", 8192, &[Survival::Nothing, Survival::Torn(3)], 2);
}

#[test]
fn power_cut_everywhere_with_counters_and_long_transactions() {
    interrupted("rare-escrow-crash-p8k", 8192, &[Survival::Prefix(1), Survival::Torn(2)]);
    interrupted("rare-long-crash-p8k", 8192, &[Survival::Torn(3)]);
}

#[test]
fn recovering_again_changes_nothing() {
    for case in ["dirty-exit-p8k", "dirty-exit-p32k", "rare-multi-crash-p8k"] {
        let Some(disk) = disk_of(case, 4096) else { continue };
        run(&disk).unwrap();
        let again = disk.reboot();
        let report = run(&again).unwrap();
        println!("{case}: {:?}", report.result);
        assert_eq!(differences(&again, &disk), Vec::<String>::new());
        for name in databases(&disk) {
            let path = Path::new("/r").join(name);
            assert!(disk.get(&path) == again.get(&path), "{case}: bytes differ");
        }
        // Without the checkpoint everything is looked at again, and found complete.
        let without = disk.reboot();
        without.remove(Path::new("/r/edb.chk")).unwrap();
        run(&without).unwrap();
        assert_eq!(differences(&without, &disk), Vec::<String>::new());
    }
}

#[test]
fn failing_calls_do_no_harm() {
    let case = "rare-ctx-crash-p4k";
    let Some(disk) = disk_of(case, 4096) else { return };
    let whole = disk.reboot();
    run(&whole).unwrap();
    let mut failed = 0;
    let step = fail_everywhere(
        &disk,
        IoErrorKind::Device,
        Effect::None,
        |disk| run(disk).is_err(),
        |nth, was_error, disk| {
            failed += u64::from(was_error);
            // Every seventh is enough: each call fails once, each state is recovered now and then.
            if nth % 7 == 0 {
                run(disk).unwrap_or_else(|e| panic!("{case} after call {nth}: {e}"));
                assert_eq!(differences(disk, &whole), Vec::<String>::new(), "{case} after call {nth}");
            }
        },
    );
    println!("{case}: {failed} of {step} failing calls ended recovery");
    assert!(failed > 50);
}
