//! What is left of a row being prepared, or of a place, when something else happens meanwhile: rollbacks, values that are
//! refused, changes through another cursor.
//!
//! The numbers are what the original engine answers to the same calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, EscrowFlags, IndexSpec, PrepareKind, RangeFlags, RecordPosition, RecordSize,
    RecordSizeFlags, SeekFlags, SetFlags, SetOptions, Table, TableMode, TableSpec, Value,
};
use table_bed::{Bed, number};

const ID: u32 = 1;
const N: u32 = 2;
const COUNT: u32 = 3;
const VERSION: u32 = 4;
const LATE: u32 = 5;

fn bed() -> (Bed, Table) {
    let bed = Bed::new(8192);
    let counter = ColumnSpec::fixed("Count", ColumnKind::LONG).escrow_update().default_value(Value::Long(7));
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("N", ColumnKind::LONG))
        .column(counter)
        .column(ColumnSpec::fixed("Version", ColumnKind::LONG).version())
        .column(ColumnSpec::fixed("Late", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByN").ascending("N"));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    for id in 1..4_i32 {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(N, &(10 * id).to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    table.move_first().unwrap();
    (bed, table)
}

fn value(table: &mut Table, column: u32) -> Option<i32> {
    table.get(column).unwrap().map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn a_row_that_a_rollback_gave_up_takes_no_values() {
    let (bed, mut table) = bed();
    for kind in [PrepareKind::Insert, PrepareKind::Replace, PrepareKind::InsertCopy] {
        bed.session.begin().unwrap();
        table.prepare(kind).unwrap();
        bed.session.rollback().unwrap();
        assert_eq!(number(table.set_column(N, &5_i32.to_le_bytes(), SetFlags::empty())), -1609, "{kind:?}");
        assert_eq!(number(table.update()), -1609);
    }
    drop(table);
    bed.finish();
}

#[test]
fn a_look_at_the_place_is_no_move() {
    let (bed, mut table) = bed();
    table.move_next().unwrap();
    bed.session.begin().unwrap();
    table.move_by(0, false).unwrap();
    // Neither is a seek without a key.
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1608);
    bed.session.rollback().unwrap();
    assert_eq!(value(&mut table, ID), Some(2));
    bed.session.begin().unwrap();
    table.move_by(1, false).unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(number(table.get(ID)), -1603);
}

#[test]
fn values_that_are_refused_count_as_set() {
    let (bed, mut table) = bed();
    // The engine numbers rows whose version nobody tried to set.
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(ID, &8_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    assert_eq!(number(table.set_column(VERSION, &[1; 3], SetFlags::empty())), -1047);
    let bookmark = table.update().unwrap();
    table.goto_bookmark(&bookmark).unwrap();
    assert_eq!(value(&mut table, VERSION), None);
    // A replacement that changed nothing is none; one that only tried is one.
    let mut before = RecordSize::default();
    table.record_size(RecordSizeFlags::empty(), &mut before).unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    table.update().unwrap();
    assert_eq!(value(&mut table, VERSION), None);
    table.prepare(PrepareKind::Replace).unwrap();
    assert_eq!(number(table.set_column(LATE, &[1; 5], SetFlags::empty())), -1047);
    table.update().unwrap();
    assert_eq!(value(&mut table, VERSION), Some(1));
    assert_eq!(value(&mut table, LATE), None);
    // The row has room for the column from then on.
    let mut after = RecordSize::default();
    table.record_size(RecordSizeFlags::empty(), &mut after).unwrap();
    assert_eq!((before.non_tagged_columns, after.non_tagged_columns), (4, 5));
    drop(table);
    bed.finish();
}

#[test]
fn counters_through_another_cursor() {
    let (bed, mut table) = bed();
    let mut second = bed.open("T");
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    // A row being prepared has the counter that it began with.
    assert_eq!(second.escrow_update(COUNT, &1_i32.to_le_bytes()).unwrap(), 7);
    assert_eq!(value(&mut second, COUNT), Some(8));
    table.set_column(N, &11_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(value(&mut table, COUNT), Some(7));
    // The last row will do for a cursor that is on none.
    second.move_by(1, false).unwrap();
    assert_eq!(number(second.move_by(5, false)), -1603);
    assert_eq!(second.escrow_update(COUNT, &5_i32.to_le_bytes()).unwrap(), 7);
    bed.session.commit(CommitMode::Lazy).unwrap();
    table.move_last().unwrap();
    assert_eq!(value(&mut table, COUNT), Some(12));
    drop((table, second));
    bed.finish();
}

#[test]
fn limits_of_short_keys_and_seeks_beyond_the_end() {
    let (bed, mut table) = bed();
    let seek = |table: &mut Table, key: i32, flags| {
        table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
        number(table.seek(flags))
    };
    let end = KeyFlags::NEW_KEY | KeyFlags::FULL_COLUMN_END_LIMIT;
    table.make_key(&1_i32.to_le_bytes(), end).unwrap();
    assert_eq!(table.search_key().unwrap(), [0x7F, 0x80, 0, 0, 1, 0xFF]);
    // Among rows a failed seek leaves a place from which moves go on; behind the last entry of another index none.
    assert_eq!(seek(&mut table, 9, SeekFlags::EQUAL), -1601);
    table.make_key(&9_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    let here = RangeFlags::INCLUSIVE | RangeFlags::UPPER_LIMIT | RangeFlags::INSTANT_DURATION;
    assert_eq!(number(table.set_index_range(here)), 0);
    table.set_current_index(Some("ByN")).unwrap();
    table.make_key(&10_i32.to_le_bytes(), end).unwrap();
    assert_eq!(table.search_key().unwrap().len(), 256);
    assert_eq!(seek(&mut table, 99, SeekFlags::EQUAL), -1601);
    table.make_key(&99_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    assert_eq!(number(table.set_index_range(here)), -1603);
    assert_eq!(seek(&mut table, 15, SeekFlags::EQUAL), -1601);
    table.make_key(&15_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    assert_eq!(number(table.set_index_range(here)), 0);
    drop(table);
    bed.finish();
}

#[test]
fn a_copy_for_reading_has_no_key() {
    let (bed, mut table) = bed();
    bed.session.begin().unwrap();
    let mut size = RecordSize::default();
    table.record_size(RecordSizeFlags::empty(), &mut size).unwrap();
    assert_eq!(size.key, 5);
    table.prepare(PrepareKind::ReadOnlyCopy).unwrap();
    table.record_size(RecordSizeFlags::empty(), &mut size).unwrap();
    assert_eq!(size.key, 0);
    table.cancel_update().unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
}

#[test]
fn positions_go_by_the_lines_of_pages() {
    let (bed, mut table) = bed();
    bed.session.begin().unwrap();
    for id in 4..1004_i32 {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(N, &10_i32.to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    let at = |table: &mut Table| {
        let position = table.record_position().unwrap();
        (position.before, position.total)
    };
    table.move_first().unwrap();
    let (before, total) = at(&mut table);
    // As if every page had as many rows as this one.
    assert!(before == 0 && total > 1003 && total < 1500, "{total}");
    table.move_last().unwrap();
    let (before, total) = at(&mut table);
    assert_eq!(before + 1, total);
    table.goto_position(RecordPosition { before: 7, total: 7 }).unwrap();
    assert_eq!(value(&mut table, ID), Some(1003));
    table.goto_position(RecordPosition { before: 0, total: 7 }).unwrap();
    assert_eq!(value(&mut table, ID), Some(1));
    assert_eq!(number(table.goto_position(RecordPosition { before: 8, total: 7 })), -1003);
    // A deleted row counts until it is gone.
    table.move_by(1, false).unwrap();
    let before = at(&mut table);
    table.move_by(-1, false).unwrap();
    table.delete().unwrap();
    table.move_by(1, false).unwrap();
    assert_eq!(at(&mut table), before);
    bed.session.rollback().unwrap();
    drop(table);
    bed.finish();
    let bed = Bed::new(8192);
    bed.database.create_table(&TableSpec::new("E")).unwrap();
    let mut empty = bed.open("E");
    assert_eq!(number(empty.goto_position(RecordPosition { before: 0, total: 1 })), -1601);
    assert_eq!(number(empty.record_position()), -1603);
}

#[test]
fn counters_of_two_sessions() {
    let (bed, mut table) = bed();
    let other = bed.instance.begin_session().unwrap();
    let theirs = other.open_database(std::path::Path::new(table_bed::DATABASE)).unwrap();
    let mut second = theirs.open_table("T", TableMode::empty()).unwrap();
    second.move_first().unwrap();
    bed.session.begin().unwrap();
    other.begin().unwrap();
    let add = |table: &mut Table, by: i32, flags| table.escrow_update_with(COUNT, &by.to_le_bytes(), flags);
    let (plain, keep) = (EscrowFlags::empty(), EscrowFlags::NO_ROLLBACK);
    assert_eq!(add(&mut table, 1, plain).unwrap(), 7);
    // Told is what is there, seen what is one's own or committed.
    assert_eq!(add(&mut second, 10, plain).unwrap(), 8);
    assert_eq!((value(&mut table, COUNT), value(&mut second, COUNT)), (Some(8), Some(17)));
    other.rollback().unwrap();
    // What stays whatever becomes of the transaction goes beside changes of others, too.
    table.prepare(PrepareKind::Replace).unwrap();
    other.begin().unwrap();
    assert_eq!(number(add(&mut second, 1, plain)), -1102);
    assert_eq!(add(&mut second, 2, keep).unwrap(), 8);
    table.cancel_update().unwrap();
    table.delete().unwrap();
    assert_eq!(number(add(&mut second, 1, plain)), -1102);
    assert_eq!(add(&mut second, 2, keep).unwrap(), 10);
    other.rollback().unwrap();
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    assert_eq!(value(&mut table, COUNT), Some(11));
    drop((table, second, theirs));
    other.end().unwrap();
    bed.finish();
}

#[test]
fn large_pages_are_measured_as_small_ones() {
    let measure = |page_size| {
        let bed = Bed::new(page_size);
        let spec = TableSpec::new("T")
            .column(ColumnSpec::tagged("Short", ColumnKind::LONG).multi_valued())
            .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY));
        bed.database.create_table(&spec).unwrap();
        let mut table = bed.open("T");
        let mut sizes = Vec::new();
        bed.session.begin().unwrap();
        for values in 0..2_i32 {
            table.prepare(PrepareKind::Insert).unwrap();
            for number in 0..values {
                let options = SetOptions { instance: 0, ..SetOptions::default() };
                table.set_column(256, &number.to_le_bytes(), options).unwrap();
            }
            table.set_column(257, &[7; 30], SetFlags::empty()).unwrap();
            let mut size = RecordSize::default();
            table.record_size(RecordSizeFlags::COPY, &mut size).unwrap();
            table.cancel_update().unwrap();
            sizes.push(size);
        }
        bed.session.commit(CommitMode::Lazy).unwrap();
        sizes
    };
    assert_eq!(measure(4096), measure(32768));
}
