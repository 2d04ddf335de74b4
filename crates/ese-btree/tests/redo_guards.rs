//! What redo must notice: a sound log is replayed with one record changed, and stops with the engine's number there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Handled, Redo, RedoDatabase, RedoError};
use ese_format::{DbTime, LogHeaderChecks, LogPosition, PageSize};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{BeginLevels, BeginOutermost, Macro, Record, RecordKind, SessionId, TransactionTime};
use ese_log::{OpenLog, ScanOptions};

type Records = Vec<(LogPosition, Vec<u8>)>;

/// The first two generations of a committed fixture, from the creation of its database on.
fn records() -> Option<Records> {
    let folder = testdata::reference("dirty-exit-p8k")?.join("files");
    let storage = MemoryStorage::new();
    let mut records = Vec::new();
    for name in ["edb00000001.log", "edb00000002.log"] {
        storage.put(Path::new(name), std::fs::read(folder.join(name)).unwrap());
        let log = OpenLog::open(&storage, Path::new(name), &LogHeaderChecks::default()).unwrap();
        let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
        while let Some(record) = reader.next().unwrap() {
            records.push((record.position, record.bytes.to_vec()));
        }
    }
    Some(records)
}

/// Replays; `future` says that the file may hold changes of later logs.
fn replay(records: &Records, future: bool) -> Result<Redo, RedoError> {
    let storage = MemoryStorage::new();
    let file = storage.open(Path::new("db"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.set_len(2 * 8192).unwrap();
    let mut redo = Redo::new(PageSize::new(8192).unwrap(), 16 << 20);
    for (position, bytes) in records {
        if redo.apply(bytes, *position)? == Handled::Caller
            && let Record::CreateDatabase(record) = Record::decode(bytes).unwrap()
        {
            let attach_position = *position;
            let database = RedoDatabase { attach_position, future_data: future, ..RedoDatabase::default() };
            redo.attach(record.database, database, Some(Arc::clone(&file))).unwrap();
        }
    }
    Ok(redo)
}

/// The number with which replay ends when `change` has been applied to the records, and where.
fn failure(change: impl FnOnce(&mut Records) -> LogPosition) -> Option<(i32, bool)> {
    let mut records = records()?;
    let expected = change(&mut records);
    match replay(&records, false) {
        Ok(_) => Some((0, false)),
        Err(error) => Some((error.jet_error().0, error.position == expected)),
    }
}

/// The `nth` record of a type.
fn find(records: &Records, kind: RecordKind, nth: usize) -> usize {
    let all = records.iter().enumerate().filter(|(_, (_, bytes))| bytes[0] == kind.0);
    all.map(|(index, _)| index).nth(nth).unwrap()
}

/// The `nth` record of a type that is not kept for a macro.
fn find_alone(records: &Records, kind: RecordKind, nth: usize) -> usize {
    let alone =
        |(_, (_, bytes)): &(usize, &(LogPosition, Vec<u8>))| bytes[0] == kind.0 && bytes[16..24] != [0xFF; 8];
    records.iter().enumerate().filter(alone).map(|(index, _)| index).nth(nth).unwrap()
}

fn add(bytes: &mut [u8], at: usize, amount: i64) {
    let value = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&value.wrapping_add_signed(amount).to_le_bytes());
}

const DB_TIME_BEFORE: usize = 16;

#[test]
fn the_log_itself_is_sound() {
    assert_eq!(failure(|records| records[0].0), Some((0, false)).filter(|_| records().is_some()));
}

#[test]
fn counters_of_pages_are_guarded() {
    if records().is_none() {
        return;
    }
    let shifted = |amount| {
        failure(|records| {
            let index = find_alone(records, RecordKind::INSERT, 40);
            add(&mut records[index].1, DB_TIME_BEFORE, amount);
            records[index].0
        })
    };
    assert_eq!(shifted(1), Some((-566, true)));
    assert_eq!(shifted(-1), Some((-567, true)));
    // The same record once more: the page has the change, and the file is past what it may hold.
    let twice = failure(|records| {
        let index = find_alone(records, RecordKind::INSERT, 40);
        let again = records[index].clone();
        records.insert(index + 1, again);
        records[index].0
    });
    assert_eq!(twice, Some((-625, true)));
}

#[test]
fn within_the_required_range_an_old_page_waits_for_its_explanation() {
    let Some(mut records) = records() else { return };
    let index = find_alone(&records, RecordKind::INSERT, 40);
    add(&mut records[index].1, DB_TIME_BEFORE, 1);
    let redo = replay(&records, true);
    // Later records of the page are of another counter, and wait too; nothing explains them.
    let redo = redo.unwrap();
    let (slot, database) = redo.databases().next().unwrap();
    let (_, entry, _) = database.maps.oldest().unwrap();
    assert_eq!((entry.position, entry.error.0), (records[index].0, -566));
    let error = redo.check_maps(slot).unwrap_err();
    assert_eq!(error.jet_error().0, -566);
}

#[test]
fn a_difference_must_give_the_size_it_says() {
    if records().is_none() {
        return;
    }
    let wrong = failure(|records| {
        let index = find_alone(records, RecordKind::REPLACE_D, 3);
        records[index].1[48] ^= 1;
        records[index].0
    });
    assert_eq!(wrong, Some((-1852, true)));
}

#[test]
fn macros_must_hold_what_they_promise() {
    if records().is_none() {
        return;
    }
    let empty = failure(|records| {
        let (session, db_time) = (SessionId(5), DbTime(0x4000_0000));
        let end = records.len();
        let position = |n: u16| LogPosition::new(9, 9, n);
        let levels = BeginLevels::new(0, 1);
        for (n, record) in [
            Record::Begin0(BeginOutermost { session, levels, transaction: TransactionTime(8) }),
            Record::MacroBegin(Macro { session, db_time }),
            Record::MacroCommit(Macro { session, db_time }),
        ]
        .iter()
        .enumerate()
        {
            let mut bytes = Vec::new();
            record.encode(&mut bytes).unwrap();
            records.push((position(n as u16), bytes));
        }
        records[end + 2].0
    });
    assert_eq!(empty, Some((-501, true)));
    let without_image = failure(|records| {
        let splits: Vec<usize> =
            (0..records.len()).filter(|&i| records[i].1[0] == RecordKind::SPLIT2.0).collect();
        let with_image = |&&i: &&usize| match Record::decode(&records[i].1) {
            Ok(Record::Split(split)) => split.image.is_some_and(|image| !image.bytes.is_empty()),
            _ => false,
        };
        let index = *splits.iter().find(with_image).unwrap();
        let Ok(Record::Split(mut split)) = Record::decode(&records[index].1) else { unreachable!() };
        let image = split.image.as_mut().unwrap();
        image.bytes = &[];
        let mut bytes = Vec::new();
        Record::Split(split).encode(&mut bytes).unwrap();
        records[index].1 = bytes;
        // It is noticed when the macro commits.
        let commit = (index..records.len()).find(|&i| records[i].1[0] == RecordKind::MACRO_COMMIT.0).unwrap();
        records[commit].0
    });
    assert_eq!(without_image, Some((-255, true)));
}

#[test]
fn types_that_redo_does_not_know() {
    if records().is_none() {
        return;
    }
    let distributed = failure(|records| {
        let index = find(records, RecordKind::BEGIN0, 5);
        records[index].1[0] = RecordKind::BEGIN_DT.0;
        records[index].0
    });
    assert_eq!(distributed, Some((-1852, true)));
    let unknown = failure(|records| {
        records[20].1 = vec![102];
        records[20].0
    });
    assert_eq!(unknown, Some((-501, true)));
}

/// Every record cut short, and with each of its first bytes flipped: an error or a replay that goes on, never a panic.
#[test]
fn changed_records_do_no_harm() {
    let Some(records) = records() else { return };
    for index in (0..records.len().min(1200)).step_by(61) {
        for byte in 0..records[index].1.len().min(60) {
            let mut changed = records.clone();
            changed.truncate(index + 40);
            changed[index].1[byte] ^= 0x41;
            let _ = replay(&changed, byte % 2 == 0);
            if byte % 7 == 0 {
                changed[index].1.truncate(byte);
                let _ = replay(&changed, false);
            }
        }
    }
}
