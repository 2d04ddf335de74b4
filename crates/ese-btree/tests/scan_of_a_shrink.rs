//! A shrink logs the pages that it is about to give up. What differs here is an error, with the engine's number; the same
//! difference found by a scan of the whole database is only reported.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod log_support;

use std::path::Path;
use std::sync::Arc;

use ese_btree::{
    Divergence, DivergenceKind, Handled, MissingPage, PositionedRecords, Redo, RedoDatabase, RedoError,
};
use ese_format::{DbTime, JetError, LogPosition, PageSize};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{Record, RecordKind, ScanFlags};
use log_support::{Records, records};

const PAGE_NUMBER: usize = 2;
const FLAGS: usize = 6;
const PAGE_TIME: usize = 7;
const CURRENT_TIME: usize = 15;
const CHECKSUM: usize = 23;

/// Replays all records but the last with everything that they need, then the last.
fn replay(records: &Records, size: PageSize, workers: usize, future: bool) -> (Redo, Result<(), RedoError>) {
    let storage = MemoryStorage::new();
    let mut redo = Redo::new(size, 64 << 20);
    redo.compare_scans(true);
    if workers > 0 {
        redo.start_workers(workers);
    }
    let mut batch = PositionedRecords::default();
    records.iter().for_each(|(position, bytes)| batch.push(*position, bytes));
    let batch = Arc::new(batch);
    let mut outcome = Ok(());
    for (index, (position, bytes)) in batch.records().enumerate() {
        let record = Record::decode(bytes).unwrap();
        if index + 1 == batch.len() {
            let slots: Vec<_> = redo.databases().map(|(slot, _)| slot).collect();
            slots.iter().for_each(|&slot| redo.database_mut(slot).unwrap().future_data = future);
        }
        match redo.apply_in_batch(&record, &batch, index) {
            Ok(Handled::Done) => {}
            Ok(Handled::Caller) => match record {
                Record::CreateDatabase(r) => {
                    let options = OpenOptions::new(OpenMode::CreateOrTruncate);
                    let file = storage.open(Path::new("db"), options).unwrap();
                    file.set_len(2 * u64::from(size.bytes())).unwrap();
                    let database = RedoDatabase { attach_position: position, ..RedoDatabase::default() };
                    redo.attach(r.database, database, Some(file)).unwrap();
                }
                Record::Init(_) => redo.end_sessions(),
                _ => {}
            },
            Err(error) => outcome = Err(error),
        }
    }
    let settled = redo.end_workers();
    (redo, settled.and(outcome))
}

/// A stream that ends with the scan of a page that is in use.
fn scanned() -> Option<(Records, PageSize)> {
    let (mut records, size) = records("rare-scan-twophase-crash-p16k")?;
    let time = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let is_scan = |(_, bytes): &(LogPosition, Vec<u8>)| {
        bytes[0] == RecordKind::SCAN_CHECK2.0 && time(bytes, PAGE_TIME) > 0x40 && bytes[PAGE_NUMBER + 3] == 0
    };
    let scans: Vec<usize> = (0..records.len()).filter(|&i| is_scan(&records[i])).collect();
    records.truncate(scans[scans.len() / 2] + 1);
    Some((records, size))
}

fn add(bytes: &mut [u8], at: usize, amount: i64) {
    let value = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&value.wrapping_add_signed(amount).to_le_bytes());
}

/// What the shrink and the scan say of the last record when `change` has been applied to it.
fn judge(change: impl Fn(&mut Vec<u8>), future: bool) -> Option<(Option<Divergence>, Option<Divergence>)> {
    let (mut records, size) = scanned()?;
    let last = records.len() - 1;
    let position = records[last].0;
    change(&mut records[last].1);
    let source = |records: &mut Records, source: u8| {
        let flags = &mut records[last].1[FLAGS];
        *flags = *flags & !3 | source;
    };
    source(&mut records, ScanFlags::SOURCE_SHRINK);
    let mut shrinks = [0, 2].map(|workers| match replay(&records, size, workers, future) {
        (_, Ok(())) => None,
        (_, Err(error)) => {
            assert_eq!(error.position, position);
            let ese_btree::RedoErrorKind::Divergence(divergence) = error.kind else { panic!("{error}") };
            assert_eq!(error.jet_error(), divergence.jet_error());
            Some(divergence)
        }
    });
    assert_eq!(shrinks[0], shrinks[1], "with workers");
    source(&mut records, ScanFlags::SOURCE_SCAN);
    let (redo, outcome) = replay(&records, size, 0, future);
    outcome.unwrap();
    let scan = redo.divergences().pages.iter().find(|d| d.position == position).copied();
    Some((shrinks[0].take(), scan))
}

/// Both find the same; the shrink as an error.
fn expect(what: &str, change: impl Fn(&mut Vec<u8>), kind: DivergenceKind, jet: JetError) {
    let Some((shrink, scan)) = judge(change, false) else { return };
    let shrink = shrink.unwrap_or_else(|| panic!("{what}: not noticed"));
    assert_eq!((shrink.kind, shrink.jet_error()), (kind, jet), "{what}");
    assert_eq!(scan, Some(shrink), "{what}");
}

#[test]
fn a_page_that_is_as_it_was_there_is_no_error() {
    if let Some(found) = judge(|_| (), false) {
        assert_eq!(found, (None, None));
    }
}

#[test]
fn differences_end_recovery() {
    expect("content", |b| b[CHECKSUM] ^= 1, DivergenceKind::Content, JetError::DATABASE_CORRUPTED);
    expect("newer there", |b| add(b, PAGE_TIME, 1), DivergenceKind::TimeTooOld, JetError::DB_TIME_TOO_OLD);
    expect("older there", |b| add(b, PAGE_TIME, -1), DivergenceKind::TimeTooNew, JetError::DB_TIME_TOO_NEW);
    let past = |b: &mut Vec<u8>| b[CURRENT_TIME..CURRENT_TIME + 8].copy_from_slice(&0x41_u64.to_le_bytes());
    expect("ahead of its time", past, DivergenceKind::TimeTooHigh, JetError::DB_TIME_CORRUPTED);
    let unused = |b: &mut Vec<u8>| b[PAGE_TIME..PAGE_TIME + 8].fill(0);
    expect("unused there", unused, DivergenceKind::Initialized, JetError::PAGE_INITIALIZED_MISMATCH);
    let beyond = |b: &mut Vec<u8>| b[PAGE_NUMBER..PAGE_NUMBER + 4].copy_from_slice(&90_000_u32.to_le_bytes());
    let missing = DivergenceKind::Missing(MissingPage::BeyondEnd);
    expect("not there", beyond, missing, JetError::FILE_IO_BEYOND_EOF);
}

/// Within the required range the page may be ahead, or be in use again already.
#[test]
fn what_later_logs_explain_is_no_error() {
    let past = |b: &mut Vec<u8>| b[CURRENT_TIME..CURRENT_TIME + 8].copy_from_slice(&0x41_u64.to_le_bytes());
    let unused = |b: &mut Vec<u8>| b[PAGE_TIME..PAGE_TIME + 8].fill(0);
    let beyond = |b: &mut Vec<u8>| b[PAGE_NUMBER..PAGE_NUMBER + 4].copy_from_slice(&90_000_u32.to_le_bytes());
    for (what, found) in
        [("past", judge(past, true)), ("unused", judge(unused, true)), ("beyond", judge(beyond, true))]
    {
        assert!(found.is_none_or(|found| found == (None, None)), "{what}");
    }
    if let Some((shrink, _)) = judge(|b| b[CHECKSUM] ^= 1, true) {
        assert_eq!(shrink.unwrap().kind, DivergenceKind::Content);
    }
    let reverted =
        |b: &mut Vec<u8>| b[PAGE_TIME..PAGE_TIME + 8].copy_from_slice(&DbTime::REVERTED.0.to_le_bytes());
    assert!(judge(reverted, false).is_none_or(|found| found == (None, None)));
}
