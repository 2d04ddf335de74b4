//! Streams of Windows 7 that end anywhere: the log being written is cut at every sector, as a crash leaves it. Each state is
//! recovered to a database without findings, the rest of the log never turns up again, and a second recovery finds it closed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_instance::recovery::{
    NoRecoveryProgress, RecoveryEnvironment, RecoveryError, RecoveryReport, RecoveryRequest, RecoveryResult,
    recover,
};
use ese_instance::{DatabaseReader, DirtyPolicy, deep_verify};
use ese_io::{MemoryStorage, Storage};
use ese_log::{BaseName, LogNames};

/// What stands in sectors that were never written.
fn pattern(bytes: &mut [u8]) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        let inside = index % 512;
        *byte = if inside % 16 == 0 { 0xDA_u8.wrapping_add((inside & 0xFF) as u8) } else { 0xDA };
    }
}

fn real(set: &str, name: &str) -> Option<Vec<u8>> {
    let file = testdata::real_files().into_iter().find(|f| f.set == set && f.file == name)?;
    Some(testdata::real_bytes(&file).unwrap())
}

fn run(storage: &MemoryStorage) -> Result<RecoveryReport, RecoveryError> {
    let names = LogNames::legacy(BaseName::default());
    let environment = RecoveryEnvironment::repeatable(Arc::new(storage.clone()), 1_700_000_000_000, 1);
    recover(&RecoveryRequest::soft(Path::new("/r"), names), &environment, &NoRecoveryProgress)
}

/// Whether every finding of the deep verification of a database is less than an error.
fn is_sound(bytes: Vec<u8>) -> bool {
    let storage = MemoryStorage::new();
    storage.put("/d", bytes);
    let reader = DatabaseReader::open(&storage, Path::new("/d"), DirtyPolicy::Refuse).unwrap();
    deep_verify(&reader, &|| false, &mut |_| {}).unwrap().errors == 0
}

/// Recovers, and again, and again without the checkpoint: the whole stream is read then, and what was torn has been set
/// right or is behind the end.
fn recover_three_times(storage: &MemoryStorage) -> Result<u64, RecoveryError> {
    let report = run(storage)?;
    for database in &report.databases {
        assert!(is_sound(storage.get(&database.path).unwrap()));
    }
    assert_eq!(run(storage)?.result, RecoveryResult::AlreadyClean);
    storage.remove(Path::new("/r/edb.chk")).unwrap();
    assert_eq!(run(storage)?.result, RecoveryResult::Recovered);
    for database in &report.databases {
        assert!(is_sound(storage.get(&database.path).unwrap()));
    }
    Ok(report.undo.transactions)
}

#[test]
fn cut_at_every_sector() {
    for (set, sector) in [("winmail-win7-512b", 512), ("winmail-win7-a", 4096)] {
        let (Some(first), Some(second)) = (real(set, "edb00001.log"), real(set, "edb.log")) else { return };
        let mut unused = vec![0; sector];
        pattern(&mut unused);
        for current in [1, 2] {
            let log = if current == 1 { &first } else { &second };
            let used = log.chunks(sector).rposition(|s| s != unused).unwrap();
            let (mut undone, mut refused, mut accepted) = (0, 0, 0);
            let stream = |log: Vec<u8>| {
                let storage = MemoryStorage::new();
                storage.put("/r/edb.log", log);
                if current == 2 {
                    storage.put("/r/edb00001.log", first.clone());
                }
                storage
            };
            for cut in 4096 / sector..=used + 1 {
                let mut log = log.clone();
                pattern(&mut log[cut * sector..]);
                undone += recover_three_times(&stream(log)).unwrap_or_else(|e| panic!("{set}, {cut}: {e}"));
            }
            // A single sector that was not written: the last flush can be set right, or the log is damaged.
            for missing in 4096 / sector..=used {
                let mut log = log.clone();
                log[missing * sector..][..sector].copy_from_slice(&unused);
                match recover_three_times(&stream(log)) {
                    Ok(_) => accepted += 1,
                    Err(error) => {
                        assert_eq!(error.jet_error().0, -501, "{set}, {missing}: {error}");
                        refused += 1;
                    }
                }
            }
            println!("{set}, generation {current}: {undone} undone, {accepted} set right, {refused} damaged");
            assert!(undone > 0 && accepted > 0 && refused > 0);
        }
    }
}
