//! A database that an instance has attached is copied: as it is for reading, and with what is only in memory when it is
//! attached for writing. What keeps it from being copied has the original's numbers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::path::Path;

use ese_format::{ColumnKind, JetError};
use ese_instance::{
    AttachOptions, ColumnSpec, CompactProgress, CompactReport, DatabaseReader, DirtyPolicy, FindingSeverity,
    IndexSpec, InstanceError, NoCompactProgress, PrepareKind, Session, SetFlags, Table, TableMode, TableSpec,
    deep_verify,
};
use ese_io::{MemoryStorage, Storage};
use table_bed::{Bed, DATABASE};

const COPY: &str = "/db/copy.edb";

fn fill(bed: &Bed) {
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Count", ColumnKind::LONG).escrow_update().default_value(7))
        .column(ColumnSpec::fixed("Version", ColumnKind::LONG).version())
        .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let text = table.column_id("Text").unwrap();
    bed.session.begin().unwrap();
    for row in 0..300_usize {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(text, &vec![b'a' + (row % 26) as u8; 10 + row * 20], SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(Default::default()).unwrap();
    let count = table.column_id("Count").unwrap();
    bed.session.begin().unwrap();
    table.move_first().unwrap();
    table.escrow_update(count, &5_i32.to_le_bytes()).unwrap();
    for _ in 0..100 {
        table.move_last().unwrap();
        table.delete().unwrap();
    }
    bed.session.commit(Default::default()).unwrap();
}

fn number(table: &mut Table, column: &str) -> i32 {
    let id = table.column_id(column).unwrap();
    i32::from_le_bytes(table.get(id).unwrap().unwrap().try_into().unwrap())
}

fn compact(session: &Session, source: &str) -> Result<CompactReport, i32> {
    compact_to(session, source, COPY)
}

fn compact_to(session: &Session, source: &str, destination: &str) -> Result<CompactReport, i32> {
    let copied = session.compact_database(source.as_ref(), destination.as_ref(), &NoCompactProgress);
    copied.map_err(|error: InstanceError| error.jet_error().0)
}

fn assert_sound(storage: &MemoryStorage) {
    let reader = DatabaseReader::open(storage, Path::new(COPY), DirtyPolicy::Refuse).unwrap();
    let mut bad = Vec::new();
    deep_verify(&reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(format!("{finding:?}"));
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn what_is_in_memory_is_copied() {
    // Formats from 8960 on keep on the root page which numbers were given out.
    let bed = Bed::with_format(8192, 9400);
    fill(&bed);
    let Bed { storage, session, database, engine: _engine, instance: _instance, .. } = bed;
    assert_eq!(compact(&session, DATABASE), Err(-1202), "it is open");
    drop(database);
    assert_eq!(compact(&session, "/db/other.edb"), Err(-1203));
    assert_eq!(compact(&session, ""), Err(-1217));
    assert_eq!(compact_to(&session, DATABASE, ""), Err(-1217));
    assert_eq!(compact_to(&session, DATABASE, DATABASE), Err(-1201));
    assert_eq!(compact_to(&session, DATABASE, "/none/copy.edb"), Err(-1023));
    session.begin().unwrap();
    assert_eq!(compact(&session, DATABASE), Err(-1108));
    session.rollback().unwrap();
    let report = compact(&session, DATABASE).unwrap();
    assert_eq!((report.tables.len(), report.tables[0].rows), (1, 200));
    assert_eq!(compact(&session, DATABASE), Err(-1201), "nothing is overwritten");
    assert_sound(&storage);

    // The copy is a database like any other.
    session.attach_database(Path::new(COPY)).unwrap();
    let copy = session.open_database(Path::new(COPY)).unwrap();
    let mut table = copy.open_table("T", TableMode::empty()).unwrap();
    table.move_first().unwrap();
    assert_eq!((number(&mut table, "Id"), number(&mut table, "Count")), (1, 12));
    // Numbers that were given out are not given out again.
    table.prepare(PrepareKind::Insert).unwrap();
    table.update().unwrap();
    table.move_last().unwrap();
    assert!(number(&mut table, "Id") > 300);
    drop((table, copy));
}

#[test]
fn a_database_attached_for_reading() {
    let bed = Bed::new(4096);
    fill(&bed);
    let Bed { storage, session, database, engine: _engine, instance: _instance, .. } = bed;
    drop(database);
    session.detach_database(Path::new(DATABASE)).unwrap();
    let before = storage.get(DATABASE).unwrap();
    let reading = AttachOptions::default().read_only();
    session.attach_database_with(Path::new(DATABASE), &reading).unwrap();
    assert_eq!(compact(&session, DATABASE).unwrap().tables[0].rows, 200);
    assert_sound(&storage);
    assert!(storage.get(DATABASE).unwrap() == before);
    // It can be used as before.
    drop(session.open_database(Path::new(DATABASE)).unwrap());
}

#[test]
fn a_watcher_stops_it() {
    struct Stop;
    impl CompactProgress for Stop {
        fn pages(&self, done: u64, _: u64) -> Result<(), JetError> {
            if done > 3 { Err(JetError(-7)) } else { Ok(()) }
        }
    }
    let bed = Bed::new(4096);
    fill(&bed);
    let Bed { storage, session, database, engine: _engine, instance: _instance, .. } = bed;
    drop(database);
    let stopped = session.compact_database(DATABASE.as_ref(), COPY.as_ref(), &Stop).unwrap_err();
    assert_eq!(stopped.jet_error(), JetError(-7));
    assert!(!storage.exists(Path::new(COPY)).unwrap());
    assert!(compact(&session, DATABASE).is_ok());
}
