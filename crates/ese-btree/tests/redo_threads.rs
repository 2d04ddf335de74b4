//! Redo with workers does what redo on one thread does: the same bytes, the same versions wherever it is looked at, and
//! for a log with a wrong record the same first error, with the file as it was left then.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod log_support;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use ese_btree::{Handled, PositionedRecords, Redo, RedoDatabase, RedoError, RedoErrorKind};
use ese_format::PageSize;
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{Record, RecordKind};
use log_support::{Records, records};

#[derive(Clone, Copy, Debug)]
struct Setup {
    workers: usize,
    cache_bytes: usize,
    batch_bytes: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    error: Option<String>,
    /// The file as it was when redo ended, and with all pages written.
    file: Vec<u8>,
    flushed: Vec<u8>,
    versions: String,
    transfers: (u64, u64),
}

fn versions(redo: &Redo) -> String {
    let mut text = String::new();
    for session in redo.sessions() {
        write!(text, "{:?} {} {:?}", session.id, session.level, session.start).unwrap();
        let list = &session.versions;
        for v in list.iter() {
            let bytes = [list.key(v), list.data(v), list.before(v)];
            write!(text, "\nVersion {:?} {} {:?} {:?} {:?}", v.id, v.level, v.page, v.root, v.operation)
                .unwrap();
            write!(text, " {} {} {} {bytes:?}", v.largest_size, v.delta, v.has_undo_info).unwrap();
        }
    }
    text
}

fn replay(
    redo: &mut Redo,
    records: &Records,
    setup: Setup,
    storage: &MemoryStorage,
) -> Result<(), RedoError> {
    if setup.workers > 0 {
        redo.start_workers(setup.workers);
    }
    let mut at = 0;
    while at < records.len() {
        let mut batch = PositionedRecords::default();
        for (position, bytes) in records.iter().skip(at) {
            if batch.byte_len() >= setup.batch_bytes {
                break;
            }
            batch.push(*position, bytes);
        }
        at += batch.len();
        let batch = Arc::new(batch);
        for (index, (position, bytes)) in batch.records().enumerate() {
            let record =
                Record::decode(bytes).map_err(|e| RedoError { position, kind: RedoErrorKind::Record(e) })?;
            if redo.apply_in_batch(&record, &batch, index)? == Handled::Done {
                continue;
            }
            match record {
                Record::CreateDatabase(r) if redo.database(r.database).is_none() => {
                    let name = format!("db{}", r.database.0);
                    let options = OpenOptions::new(OpenMode::CreateOrTruncate);
                    let file = storage.open(Path::new(&name), options).unwrap();
                    file.set_len(2 * u64::from(redo.cache().page_size().bytes())).unwrap();
                    let database = RedoDatabase { attach_position: position, ..RedoDatabase::default() };
                    redo.attach(r.database, database, Some(file)).unwrap();
                }
                Record::Init(_) | Record::Term2(_) | Record::RecoveryQuit2(_) => redo.end_sessions(),
                _ => {}
            }
        }
        redo.end_batch()?;
    }
    Ok(())
}

fn run(records: &Records, size: PageSize, setup: Setup) -> Outcome {
    let storage = MemoryStorage::new();
    let mut redo = Redo::new(size, setup.cache_bytes);
    let scratch = storage.clone();
    redo.cache().set_spill(Some(Arc::new(move || {
        scratch.open(Path::new("spill"), OpenOptions::new(OpenMode::CreateOrTruncate))
    })));
    let outcome = replay(&mut redo, records, setup, &storage);
    let settled = redo.end_workers();
    let error = settled.and(outcome).err().map(|e| e.to_string());
    let file = storage.get("db1").unwrap_or_default();
    let versions = if error.is_none() { versions(&redo) } else { String::new() };
    let transfers = redo.cache().transfers();
    let slots: Vec<_> = redo.databases().map(|(slot, _)| slot).collect();
    if error.is_none() {
        for slot in slots {
            redo.cache().flush(slot).unwrap();
        }
    }
    Outcome { error, file, flushed: storage.get("db1").unwrap_or_default(), versions, transfers }
}

fn compare(case: &str, what: &str, records: &Records, size: PageSize, setups: &[Setup]) -> Outcome {
    let alone = run(records, size, Setup { workers: 0, ..setups[0] });
    for &setup in setups {
        let found = run(records, size, setup);
        assert_eq!(found.error, alone.error, "{case}, {what}: {setup:?}");
        assert_eq!(found.transfers, alone.transfers, "{case}, {what}: {setup:?}");
        assert!(found.versions == alone.versions, "{case}, {what}: versions, {setup:?}");
        assert!(found == alone, "{case}, {what}: bytes, {setup:?}");
    }
    alone
}

fn setups(cache_bytes: usize) -> [Setup; 4] {
    [(1, 256 << 10), (1, 700), (2, 4 << 10), (3, 40 << 10)].map(|(workers, batch_bytes)| Setup {
        workers,
        cache_bytes,
        batch_bytes,
    })
}

const CASES: [&str; 7] = [
    "dirty-exit-p8k",
    "dirty-exit-p32k",
    "rare-mt-crash-p8k",
    "rare-defrag-crash-p4k",
    "rare-escrow-crash-p8k",
    "rare-index-crash-p32k",
    "rare-long-crash-p8k",
];

/// A stream of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn bytes_and_versions_are_the_same() {
    let (mut looked, mut with_versions) = (0, 0);
    for case in CASES {
        let Some((records, size)) = records(case) else { continue };
        for cache_bytes in [0, 64 << 20] {
            compare(case, "whole", &records, size, &setups(cache_bytes));
        }
        // Stopped anywhere, also where transactions are open.
        let mut numbers = Numbers(7);
        for _ in 0..6 {
            let cut = records[..numbers.below(records.len())].to_vec();
            let outcome = compare(case, &format!("{} records", cut.len()), &cut, size, &setups(0));
            assert!(outcome.error.is_none(), "{case}: {:?}", outcome.error);
            with_versions += usize::from(outcome.versions.contains("Version"));
            looked += 1;
        }
    }
    println!("{looked} places, {with_versions} with versions");
    assert!(with_versions > 5 || looked == 0);
}

#[test]
fn the_first_error_is_the_same() {
    let (mut tried, mut failed, mut late) = (0, 0, 0);
    for case in CASES {
        let Some((sound, size)) = records(case) else { continue };
        let end = sound.len().min(6000);
        let sound = sound[..end].to_vec();
        let mut numbers = Numbers(case.len() as u64);
        for round in 0..14 {
            let mut records = sound.clone();
            // One or two records with a byte changed behind the fields that everything depends on.
            for _ in 0..=numbers.below(2) {
                let index = records.len() / 4 + numbers.below(records.len() * 3 / 4);
                let bytes = &mut records[index].1;
                let is_page_record = (24..=39).contains(&bytes[0]) || matches!(bytes[0], 62 | 63 | 93);
                if !is_page_record {
                    continue;
                }
                let at = 16 + numbers.below(bytes.len() - 16);
                bytes[at] ^= 1 << numbers.below(8);
            }
            let cache_bytes = if round % 2 == 0 { 0 } else { 64 << 20 };
            let outcome = compare(case, &format!("round {round}"), &records, size, &setups(cache_bytes));
            tried += 1;
            if let Some(error) = outcome.error {
                failed += 1;
                // Found by whoever changes the page, not by whoever hands it out.
                late += usize::from(!error.contains("update counter"));
            }
        }
    }
    println!("{failed} of {tried} logs end in an error, {late} of them in the change of a page");
    assert!(late > 3 || tried == 0);
}

/// Two wrong records on pages of different workers, the later one found by the thread that hands out work: the earlier one
/// is reported, and nothing that lies behind it is written.
#[test]
fn a_change_that_fails_wins_over_what_is_met_later() {
    let Some((records, size)) = records("dirty-exit-p8k") else { return };
    let inserts: Vec<usize> = (0..records.len())
        .filter(|&i| records[i].1[0] == RecordKind::INSERT.0 && records[i].1[16] != 0xFF)
        .collect();
    let (first, second) = (inserts[300], inserts[320]);
    let mut wrong = records.clone();
    // A line that the page does not have.
    wrong[first].1[29..31].copy_from_slice(&0x7FFF_u16.to_le_bytes());
    // A counter that the page does not have.
    wrong[second].1[16] ^= 0x40;
    let outcome = compare("dirty-exit-p8k", "two wrong records", &wrong, size, &setups(0));
    let error = outcome.error.unwrap();
    assert!(error.contains(&records[first].0.to_string()), "{error}");
    // Without the first, the second is reported.
    wrong[first].1.clone_from(&records[first].1);
    let error = compare("dirty-exit-p8k", "one wrong record", &wrong, size, &setups(0)).error.unwrap();
    assert!(error.contains(&records[second].0.to_string()) && error.contains("update counter"), "{error}");
}
