//! Cursors on databases that were closed in between.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    AttachOptions, ColumnSpec, IndexSpec, PrepareKind, SetFlags, Table, TableMode, TableSpec,
};
use table_bed::{Bed, number};

fn spec() -> TableSpec {
    TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::variable("Text", ColumnKind::TEXT, 100))
        .index(IndexSpec::new("Primary").ascending("Id").primary())
}

fn insert(table: &mut Table, text: &[u8]) -> i32 {
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(128, text, SetFlags::empty()).unwrap();
    let bookmark = table.update().unwrap().to_vec();
    table.goto_bookmark(&bookmark).unwrap();
    i32::from_le_bytes(table.get(1).unwrap().unwrap().try_into().unwrap())
}

#[test]
fn read_only() {
    let bed = Bed::new(4096);
    bed.database.create_table(&spec()).unwrap();
    insert(&mut bed.open("T"), b"one");
    let bed = bed.restart(AttachOptions::default().read_only());
    let mut table = bed.open("T");
    table.move_first().unwrap();
    assert_eq!(table.get(128).unwrap().unwrap(), b"one");
    assert_eq!(number(table.prepare(PrepareKind::Replace)), -1809);
    assert_eq!(number(table.prepare(PrepareKind::Insert)), -1809);
    assert_eq!(number(table.delete()), -1809);
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::ReadOnlyCopy).unwrap();
    assert_eq!(number(table.set_column(128, b"two", SetFlags::empty())), -1809);
    table.cancel_update().unwrap();
    bed.session.rollback().unwrap();
    drop(table);
    let mut table = bed.database.open_table("T", TableMode::READ_ONLY).unwrap();
    assert_eq!(number(table.delete()), -1809);
    drop(table);
    bed.finish();
}

#[test]
fn numbers_after_a_restart() {
    for format in [8020, 8920, 8960, 9180] {
        let bed = Bed::with_format(8192, format);
        bed.database.create_table(&spec()).unwrap();
        let mut table = bed.open("T");
        let before: Vec<i32> = (0..3).map(|_| insert(&mut table, b"x")).collect();
        assert_eq!(before, [1, 2, 3]);
        drop(table);
        let bed = bed.restart(AttachOptions::default());
        let mut table = bed.open("T");
        let after = insert(&mut table, b"y");
        assert!(after > 3, "{format}: {after}");
        drop(table);
        let bed = bed.crash();
        let mut table = bed.open("T");
        let last = insert(&mut table, b"z");
        println!("{format}: {after} {last}");
        table.make_key(&after.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
        drop(table);
        bed.finish();
    }
}

#[test]
fn column_of_numbers_for_rows_that_are_there() {
    for format in [8920, 9180] {
        let bed = Bed::with_format(8192, format);
        let spec = TableSpec::new("N")
            .column(ColumnSpec::fixed("Key", ColumnKind::LONG))
            .index(IndexSpec::new("Primary").ascending("Key").primary());
        bed.database.create_table(&spec).unwrap();
        let mut table = bed.database.open_table("N", TableMode::DENY_READ).unwrap();
        for key in [30_i32, 10, 20] {
            table.prepare(PrepareKind::Insert).unwrap();
            table.set_column(1, &key.to_le_bytes(), SetFlags::empty()).unwrap();
            table.update().unwrap();
        }
        let column = ColumnSpec::fixed("Number", ColumnKind::LONG).auto_increment();
        assert_eq!(bed.database.add_column("N", &column).unwrap(), 2);
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(1, &5_i32.to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
        let (mut numbers, mut there) = (Vec::new(), table.move_first());
        while there.is_ok() {
            numbers.push(table.get(2).unwrap().unwrap()[0]);
            there = table.move_next();
        }
        assert_eq!(numbers, [4, 1, 2, 3]);
        assert_eq!(number(table.reserve_number()), if format == 8920 { -1001 } else { 0 });
        drop(table);
        bed.finish();
    }
}
