//! Moving, seeking and ranges, against a list of keys.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, IndexSpec, PrepareKind, RangeFlags, RecordPosition, RetrieveFlags, SeekFlags,
    SetFlags, Table, TableSpec, TableStatus, TupleLimits,
};
use table_bed::{Bed, number};

fn spec() -> TableSpec {
    TableSpec::new("T")
        .column(ColumnSpec::fixed("Key", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Group", ColumnKind::LONG))
        .column(ColumnSpec::variable("Text", ColumnKind::TEXT, 60).unicode())
        .index(IndexSpec::new("Primary").ascending("Key").primary())
        .index(IndexSpec::new("Groups").ascending("Group").ascending("Key"))
        .index(IndexSpec::new("OnlyGroup").ascending("Group"))
        .index(IndexSpec::new("Texts").ascending("Text").ignore_null())
}

fn fill(bed: &Bed, rows: i32) -> (Table, u32, u32, u32) {
    bed.database.create_table(&spec()).unwrap();
    let mut table = bed.open("T");
    let (key, group, text) = (
        table.column_id("Key").unwrap(),
        table.column_id("Group").unwrap(),
        table.column_id("Text").unwrap(),
    );
    let transaction = bed.session.transaction().unwrap();
    for n in 0..rows {
        // Not in order.
        let n = n * 7 % rows;
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(key, &(2 * n).to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(group, &(n / 10).to_le_bytes(), SetFlags::empty()).unwrap();
        if n % 3 == 0 {
            let words: Vec<u8> = format!("Row {n}").encode_utf16().flat_map(u16::to_le_bytes).collect();
            table.set_column(text, &words, SetFlags::empty()).unwrap();
        }
        table.update().unwrap();
    }
    transaction.commit(CommitMode::Lazy).unwrap();
    (table, key, group, text)
}

fn current(table: &mut Table, key: u32) -> i32 {
    i32::from_le_bytes(table.get(key).unwrap().unwrap().try_into().unwrap())
}

#[test]
fn every_relation() {
    let bed = Bed::new(4096);
    let rows = 500;
    let (mut table, key, group, _) = fill(&bed, rows);
    let seek = |table: &mut Table, wanted: i32, how| {
        table.make_key(&wanted.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
        table.seek(how)
    };
    for wanted in [-1, 0, 1, 2, 333, 334, 997, 998, 999] {
        let exists = wanted >= 0 && wanted % 2 == 0 && wanted < 1000;
        let below = (0..rows).map(|n| 2 * n).rfind(|n| *n < wanted);
        let above = (0..rows).map(|n| 2 * n).find(|n| *n > wanted);
        let found = seek(&mut table, wanted, SeekFlags::EQUAL);
        assert_eq!(number(found), if exists { 0 } else { -1601 }, "{wanted}");
        if exists {
            assert_eq!(current(&mut table, key), wanted);
        } else {
            assert_eq!(number(table.get(key)), -1603);
            // Moves go on from where the row would be.
            match above {
                Some(above) => {
                    table.move_next().unwrap();
                    assert_eq!(current(&mut table, key), above);
                }
                None => assert_eq!(number(table.move_next()), -1603),
            }
        }
        for (how, expected) in [
            (SeekFlags::LESS, below),
            (SeekFlags::GREATER, above),
            (SeekFlags::LESS_OR_EQUAL, if exists { Some(wanted) } else { below }),
            (SeekFlags::GREATER_OR_EQUAL, if exists { Some(wanted) } else { above }),
        ] {
            let found = seek(&mut table, wanted, how);
            let Some(expected) = expected else {
                assert_eq!(number(found), -1601, "{how:?} {wanted}");
                continue;
            };
            let status = found.unwrap();
            assert_eq!(current(&mut table, key), expected, "{how:?} {wanted}");
            let inclusive = how == SeekFlags::LESS_OR_EQUAL || how == SeekFlags::GREATER_OR_EQUAL;
            let expected = if inclusive && !exists { TableStatus::SeekNotEqual } else { TableStatus::Done };
            assert_eq!(status, expected, "{how:?} {wanted}");
        }
    }
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1608);
    table.make_key(&[0; 4], KeyFlags::NEW_KEY).unwrap();
    assert_eq!(number(table.seek(SeekFlags::empty())), -1003);

    // A non-unique index: the first of a group, the others behind it.
    table.set_current_index(Some("OnlyGroup")).unwrap();
    table.make_key(&7_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    assert_eq!(table.seek(SeekFlags::EQUAL | SeekFlags::CHECK_UNIQUENESS).unwrap(), TableStatus::Done);
    assert_eq!(current(&mut table, key), 140);
    table.make_key(&7_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::LESS_OR_EQUAL).unwrap();
    assert_eq!(current(&mut table, key), 140);
    table.make_key(&7_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::GREATER).unwrap();
    assert_eq!((current(&mut table, group), current(&mut table, key)), (8, 160));
    table.move_by(-1, true).unwrap();
    assert_eq!((current(&mut table, group), current(&mut table, key)), (7, 158));
    table.move_by(1, true).unwrap();
    table.move_by(1, true).unwrap();
    assert_eq!((current(&mut table, group), current(&mut table, key)), (9, 180));
    table.make_key(&7_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::EQUAL | SeekFlags::SET_INDEX_RANGE).unwrap();
    assert_eq!(table.count(0).unwrap(), 10);
    assert_eq!(table.count(3).unwrap(), 3);
    drop(table);
    bed.finish();
}

#[test]
fn ranges() {
    let bed = Bed::new(8192);
    let (mut table, key, _, _) = fill(&bed, 100);
    let make =
        |table: &mut Table, wanted: i32| table.make_key(&wanted.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    let rest = |table: &mut Table, backwards: bool| {
        let mut keys = vec![current(table, key)];
        while table.move_by(if backwards { -1 } else { 1 }, false).is_ok() {
            keys.push(current(table, key));
        }
        keys
    };
    for (inclusive, last) in [(RangeFlags::INCLUSIVE, 40), (RangeFlags::empty(), 38)] {
        make(&mut table, 20);
        table.seek(SeekFlags::EQUAL).unwrap();
        make(&mut table, 40);
        table.set_index_range(RangeFlags::UPPER_LIMIT | inclusive).unwrap();
        assert_eq!(rest(&mut table, false), (10..=last / 2).map(|n| 2 * n).collect::<Vec<_>>());
        // The range is gone once it was left: the row before the end is the last of all.
        table.move_previous().unwrap();
        assert_eq!(current(&mut table, key), 198);
    }
    make(&mut table, 40);
    table.seek(SeekFlags::EQUAL).unwrap();
    make(&mut table, 30);
    table.set_index_range(RangeFlags::INCLUSIVE).unwrap();
    assert_eq!(rest(&mut table, true), [40, 38, 36, 34, 32, 30]);
    make(&mut table, 40);
    table.seek(SeekFlags::EQUAL).unwrap();
    make(&mut table, 20);
    assert_eq!(number(table.set_index_range(RangeFlags::UPPER_LIMIT)), -1603, "the row lies outside");
    assert_eq!(number(table.set_index_range(RangeFlags::UPPER_LIMIT)), -1608);
    assert_eq!(number(table.set_index_range(RangeFlags::REMOVE)), -1906);
    make(&mut table, 20);
    table.seek(SeekFlags::EQUAL).unwrap();
    make(&mut table, 40);
    table.set_index_range(RangeFlags::UPPER_LIMIT | RangeFlags::INSTANT_DURATION).unwrap();
    assert_eq!(rest(&mut table, false).len(), 90);

    // All of a group, by a limit behind every key that begins so.
    table.set_current_index(Some("Groups")).unwrap();
    make(&mut table, 3);
    table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap();
    table.make_key(&3_i32.to_le_bytes(), KeyFlags::NEW_KEY | KeyFlags::FULL_COLUMN_END_LIMIT).unwrap();
    table.set_index_range(RangeFlags::UPPER_LIMIT).unwrap();
    assert_eq!(rest(&mut table, false), (30..40).map(|n| 2 * n).collect::<Vec<_>>());

    // Text by its beginning.
    table.set_current_index(Some("Texts")).unwrap();
    let words: Vec<u8> = "row 3".encode_utf16().flat_map(u16::to_le_bytes).collect();
    table.make_key(&words, KeyFlags::NEW_KEY | KeyFlags::PARTIAL_COLUMN_START_LIMIT).unwrap();
    table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap();
    table.make_key(&words, KeyFlags::NEW_KEY | KeyFlags::PARTIAL_COLUMN_END_LIMIT).unwrap();
    table.set_index_range(RangeFlags::UPPER_LIMIT).unwrap();
    assert_eq!(rest(&mut table, false), [6, 60, 66, 72, 78], "3, 30, 33, 36, 39");
    drop(table);
    bed.finish();
}

#[test]
fn positions_and_the_ends() {
    let bed = Bed::new(16384);
    let (mut table, key, _, _) = fill(&bed, 100);
    assert_eq!(current(&mut table, key), 0, "a cursor begins on the first row");
    table.move_next().unwrap();
    assert_eq!(current(&mut table, key), 2);
    table.move_by(10, false).unwrap();
    assert_eq!(table.record_position().unwrap(), RecordPosition { before: 11, total: 100 });
    table.goto_position(RecordPosition { before: 1, total: 2 }).unwrap();
    assert_eq!(current(&mut table, key), 100);
    assert_eq!(number(table.goto_position(RecordPosition { before: 3, total: 2 })), -1003);
    assert_eq!(number(table.move_by(1000, false)), -1603);
    assert_eq!(number(table.move_next()), -1603);
    assert_eq!(number(table.move_by(0, false)), -1603);
    table.move_previous().unwrap();
    assert_eq!(current(&mut table, key), 198);
    table.move_first().unwrap();
    assert_eq!(number(table.move_previous()), -1603);
    assert_eq!(number(table.bookmark()), -1603);
    table.move_next().unwrap();
    assert_eq!(current(&mut table, key), 0);
    table.move_by(0, false).unwrap();
    assert_eq!(number(table.goto_bookmark(&[])), -1045);
    assert_eq!(number(table.goto_secondary_bookmark(&[1], &[1], false)), -1515);
    assert_eq!(number(table.secondary_bookmark()), -1515);
    let page = table.retrieve_column(key, &mut [0; 4], RetrieveFlags::PAGE_NUMBER).unwrap();
    assert_eq!(page.length, 4);
    assert_eq!(number(table.retrieve_column(key, &mut [], RetrieveFlags::PAGE_NUMBER)), -1038);

    // The rows that two ranges have in common.
    let mut other = table.duplicate().unwrap();
    table.set_current_index(Some("OnlyGroup")).unwrap();
    table.make_key(&3_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::EQUAL | SeekFlags::SET_INDEX_RANGE).unwrap();
    other.set_current_index(Some("Texts")).unwrap();
    other.move_first().unwrap();
    let (mut list, count) = Table::intersect_indexes(&mut [&mut table, &mut other]).unwrap();
    assert_eq!(count, 4, "30, 33, 36, 39");
    list.move_first().unwrap();
    assert_eq!(list.get(128).unwrap().unwrap(), [0x7F, 0x80, 0, 0, 60]);
    drop((table, other, list));
    bed.finish();
}

#[test]
fn substrings_and_rows_without_an_order() {
    let bed = Bed::new(8192);
    let limits = TupleLimits { min: 3, max: 5, most: 100, increment: 1, start: 0 };
    let spec = TableSpec::new("S")
        .column(ColumnSpec::variable("Text", ColumnKind::TEXT, 60))
        .index(IndexSpec::new("Tuples").ascending("Text").tuples(limits));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("S");
    let text = table.column_id("Text").unwrap();
    assert_eq!(table.current_index().unwrap(), None);
    assert_eq!(number(table.make_key(b"x", KeyFlags::NEW_KEY)), -1515);
    for row in ["banana", "ananas", "ab"] {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(text, row.as_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    table.move_last().unwrap();
    assert_eq!(table.bookmark().unwrap(), [0, 0, 0, 3]);
    table.set_current_index(Some("Tuples")).unwrap();
    assert_eq!(number(table.make_key(b"an", KeyFlags::NEW_KEY)), -1437);
    table.make_key(b"nan", KeyFlags::NEW_KEY | KeyFlags::SUBSTRING_LIMIT).unwrap();
    table.set_current_index(None).unwrap();
    table.set_current_index(Some("Tuples")).unwrap();
    table.make_key(b"nan", KeyFlags::NEW_KEY | KeyFlags::PARTIAL_COLUMN_START_LIMIT).unwrap();
    table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap();
    table.make_key(b"nan", KeyFlags::NEW_KEY | KeyFlags::SUBSTRING_LIMIT).unwrap();
    table.set_index_range(RangeFlags::UPPER_LIMIT).unwrap();
    let mut rows = vec![table.bookmark().unwrap()];
    while table.move_next().is_ok() {
        rows.push(table.bookmark().unwrap());
    }
    assert_eq!(rows, [[0, 0, 0, 1], [0, 0, 0, 2]]);
    drop(table);
    bed.finish();
}
