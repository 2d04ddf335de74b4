//! Temporary tables.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    PrepareKind, RangeFlags, SeekFlags, SetFlags, Table, TemporaryColumn, TemporaryTableFlags,
    TemporaryTableSpec,
};
use table_bed::{Bed, number};

fn open(bed: &Bed, flags: TemporaryTableFlags) -> (Table, Vec<u32>) {
    let spec = TemporaryTableSpec {
        columns: vec![
            TemporaryColumn::key(ColumnKind::LONG),
            TemporaryColumn { descending: true, ..TemporaryColumn::key(ColumnKind::TEXT) },
            TemporaryColumn::new(ColumnKind::BINARY),
        ],
        flags,
        ..TemporaryTableSpec::default()
    };
    bed.session.open_temporary_table(&spec).unwrap()
}

fn insert(table: &mut Table, ids: &[u32], key: i32, text: &str, data: &[u8]) -> i32 {
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(ids[0], &key.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(ids[1], text.as_bytes(), SetFlags::empty()).unwrap();
    table.set_column(ids[2], data, SetFlags::empty()).unwrap();
    let outcome = number(table.update());
    if outcome != 0 {
        table.cancel_update().unwrap();
    }
    outcome
}

fn all(table: &mut Table, ids: &[u32]) -> Vec<(i32, Vec<u8>)> {
    let mut rows = Vec::new();
    while table.move_next().is_ok() {
        let key = i32::from_le_bytes(table.get(ids[0]).unwrap().unwrap().try_into().unwrap());
        rows.push((key, table.get(ids[2]).unwrap().unwrap()));
    }
    rows
}

#[test]
fn sorts() {
    let bed = Bed::new(8192);
    let fill = |table: &mut Table, ids: &[u32]| {
        for (key, text, data) in
            [(3, "a", b"1"), (1, "a", b"2"), (1, "b", b"3"), (3, "A", b"4"), (2, "x", b"5")]
        {
            assert_eq!(insert(table, ids, key, text, data), 0);
        }
    };
    let (mut table, ids) = open(&bed, TemporaryTableFlags::empty());
    assert_eq!(ids, [1, 128, 129]);
    fill(&mut table, &ids);
    let sorted = [(1, b"3".to_vec()), (1, b"2".to_vec()), (2, b"5".to_vec()), (3, b"1".to_vec())];
    assert_eq!(all(&mut table, &ids), sorted, "the first of rows with equal keys");
    assert_eq!(number(table.prepare(PrepareKind::Insert)), -1312);
    assert_eq!(number(table.move_previous()), -1312);
    table.make_key(&1_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    assert_eq!(number(table.seek(SeekFlags::GREATER_OR_EQUAL)), -1312);

    let (mut table, ids) = open(&bed, TemporaryTableFlags::FORWARD_ONLY);
    fill(&mut table, &ids);
    assert_eq!(all(&mut table, &ids).len(), 5, "rows with equal keys stay");

    let (mut table, ids) = open(&bed, TemporaryTableFlags::INDEXED | TemporaryTableFlags::SCROLLABLE);
    fill(&mut table, &ids);
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap();
    assert_eq!(table.get(ids[2]).unwrap().unwrap(), b"5");
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY | KeyFlags::FULL_COLUMN_END_LIMIT).unwrap();
    table.set_index_range(RangeFlags::UPPER_LIMIT).unwrap();
    assert_eq!(number(table.move_next()), -1603);
    table.move_last().unwrap();
    table.move_previous().unwrap();
    assert_eq!(table.get(ids[2]).unwrap().unwrap(), b"5");
    assert_eq!(table.current_key().unwrap()[..5], [0x7F, 0x80, 0, 0, 2]);
    bed.finish();
}

#[test]
fn tables() {
    let bed = Bed::new(4096);
    let (mut table, ids) = open(&bed, TemporaryTableFlags::UPDATABLE | TemporaryTableFlags::INDEXED);
    for key in [5, 4, 6] {
        insert(&mut table, &ids, key, "t", b"x");
    }
    assert_eq!(number(table.prepare(PrepareKind::Replace)), -1312, "nothing is sorted yet");
    table.move_first().unwrap();
    assert_eq!(insert(&mut table, &ids, 5, "t", b"y"), -1605);
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(ids[2], b"changed", SetFlags::empty()).unwrap();
    table.update().unwrap();
    let mut other = table.duplicate().unwrap();
    other.move_first().unwrap();
    assert_eq!(other.get(ids[2]).unwrap().unwrap(), b"changed");
    other.delete().unwrap();
    assert_eq!(number(table.get(ids[2])), -1017);
    table.move_first().unwrap();
    assert_eq!(table.count(0).unwrap(), 2);

    // Long values, at level 0 too; rows without keys keep the order of their insertion.
    let long = TemporaryTableSpec {
        columns: vec![TemporaryColumn::new(ColumnKind::LONG_BINARY)],
        ..TemporaryTableSpec::default()
    };
    let (mut table, ids) = bed.session.open_temporary_table(&long).unwrap();
    assert_eq!(ids, [256]);
    for length in [20_000, 3] {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(256, &vec![7; length], SetFlags::empty()).unwrap();
        table.set_column(256, &[8; 10], SetFlags::APPEND).unwrap();
        table.update().unwrap();
    }
    table.move_first().unwrap();
    assert_eq!(table.get(256).unwrap().unwrap().len(), 20_010);
    table.move_next().unwrap();
    assert_eq!(table.get(256).unwrap().unwrap().len(), 13);
    let forward = TemporaryTableSpec { flags: TemporaryTableFlags::FORWARD_ONLY, ..long };
    assert_eq!(number(bed.session.open_temporary_table(&forward)), -1113);
    bed.finish();
}
