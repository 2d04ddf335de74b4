//! Rows of derived tables, and cursors under which the structure of their table changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, EnumerateFlags, IndexSpec, PrepareKind, SeekFlags, SetFlags, SetOptions, Table,
    TableSpec, TupleLimits,
};
use table_bed::{Bed, number};

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn every(table: &mut Table, index: Option<&str>, column: u32) -> Vec<Option<Vec<u8>>> {
    table.set_current_index(index).unwrap();
    let (mut found, mut there) = (Vec::new(), table.move_first());
    while there.is_ok() {
        found.push(table.get(column).unwrap());
        there = table.move_next();
    }
    found
}

#[test]
fn rows_of_derived_tables() {
    let bed = Bed::new(8192);
    let base = TableSpec::new("Base")
        .template()
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).not_null())
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 50))
        .column(ColumnSpec::tagged("Tags", ColumnKind::BINARY).multi_valued())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByName").ascending("Name"));
    bed.database.create_table(&base).unwrap();
    let derived = TableSpec::new("D")
        .derived_from("Base")
        .column(ColumnSpec::fixed("Own", ColumnKind::SHORT))
        .column(ColumnSpec::tagged("OwnText", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("ByOwn").ascending("Own").ascending("Tags"));
    bed.database.create_table(&derived).unwrap();
    let (id, name, tags, own, own_text) = (0x8000_0001, 0x8000_0080, 0x8000_0100, 2, 256);
    let mut table = bed.open("D");
    let none = SetFlags::empty();
    let new_value = || SetOptions { instance: 0, ..SetOptions::default() };
    bed.session.begin().unwrap();
    for row in 0..5_i32 {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(id, &row.to_le_bytes(), none).unwrap();
        table.set_column(name, &[b'z' - row as u8; 3], none).unwrap();
        table.set_column(own_text, format!("text of {row}").as_bytes(), none).unwrap();
        for tag in 0..row {
            table.set_column(tags, &[tag as u8, row as u8], new_value()).unwrap();
        }
        table.set_column(own, &(9 - row as i16).to_le_bytes(), none).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(CommitMode::Durable).unwrap();
    let ids = |rows: Vec<Option<Vec<u8>>>| rows.into_iter().map(|row| row.unwrap()[0]).collect::<Vec<_>>();
    assert_eq!(ids(every(&mut table, None, id)), [0, 1, 2, 3, 4]);
    assert_eq!(ids(every(&mut table, Some("ByName"), id)), [4, 3, 2, 1, 0]);
    assert_eq!(ids(every(&mut table, Some("ByOwn"), id)), [4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 0]);
    table.set_current_index(None).unwrap();
    table.move_last().unwrap();
    assert_eq!(table.get(own_text).unwrap().unwrap(), b"text of 4");
    assert_eq!(table.get(tags).unwrap().unwrap(), [0, 4]);
    let all = table.enumerate_columns(&[], usize::MAX, EnumerateFlags::empty()).unwrap();
    let found: Vec<(u32, usize)> = all.iter().map(|c| (c.column, c.values.len())).collect();
    assert_eq!(found, [(id, 1), (own, 1), (name, 1), (tags, 4), (own_text, 1)]);
    // The numbers of the template's columns without the bit that says so name no columns of the table.
    assert_eq!(number(table.get(1)), -1507);
    drop(table);
    bed.finish();
}

#[test]
fn structure_changes_under_a_cursor() {
    let bed = Bed::new(4096);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .index(IndexSpec::new("Primary").ascending("Id").primary());
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let insert = |table: &mut Table, id: i32| {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(1, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    };
    for id in 0..200 {
        insert(&mut table, id);
    }
    table.move_first().unwrap();
    assert_eq!(number(table.get(2)), -1507);
    let column = ColumnSpec::fixed("Number", ColumnKind::LONG).default_value(7_i32);
    assert_eq!(bed.database.add_column("T", &column).unwrap(), 2);
    assert_eq!(table.get(2).unwrap().unwrap(), [7, 0, 0, 0]);
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(2, &1_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    bed.database.create_index("T", &IndexSpec::new("Numbers").ascending("Number").descending("Id")).unwrap();
    insert(&mut table, 500);
    let found = every(&mut table, Some("Numbers"), 1);
    assert_eq!(found.len(), 201);
    assert_eq!(found[0].as_deref(), Some(&0_i32.to_le_bytes()[..]));
    assert_eq!(found[1].as_deref(), Some(&500_i32.to_le_bytes()[..]));
    table.move_first().unwrap();
    assert_eq!(bed.database.delete_index("T", "Numbers").map_err(|e| e.jet_error().0), Err(-1051));
    // In a transaction that is rolled back, the cursor sees them come and go.
    table.set_current_index(None).unwrap();
    bed.session.begin().unwrap();
    bed.database.add_column("T", &ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT)).unwrap();
    bed.database.create_index("T", &IndexSpec::new("Texts").ascending("Text").ignore_null()).unwrap();
    table.move_first().unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(256, &[b'x'; 3000], SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(every(&mut table, Some("Texts"), 1).len(), 1);
    bed.session.rollback().unwrap();
    assert_eq!(number(table.set_current_index(Some("Texts"))), -1404);
    table.set_current_index(None).unwrap();
    table.move_first().unwrap();
    assert_eq!(number(table.get(256)), -1507);
    bed.database.delete_index("T", "Numbers").unwrap();
    bed.database.delete_column("T", "Number").unwrap();
    assert_eq!(number(table.get(2)), -1507);
    for id in 1000..1100 {
        insert(&mut table, id);
    }
    drop(table);
    bed.finish();
}

#[test]
fn unicode_text_in_keys() {
    let bed = Bed::new(8192);
    let spec = TableSpec::new("U")
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 200).unicode())
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_TEXT).unicode().multi_valued())
        .index(IndexSpec::new("Names").ascending("Name").primary())
        .index(IndexSpec::new("Longs").descending("Long").ignore_null())
        .index(IndexSpec::new("Parts").ascending("Long").ignore_null().tuples(TupleLimits {
            min: 3,
            max: 8,
            most: 100,
            increment: 1,
            start: 0,
        }));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("U");
    let names = ["banana", "Apple", "äpfel", "apple pie", "Zebra", "zebra finch", "cherry", "_x"];
    for name in names {
        bed.session.begin().unwrap();
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(128, &utf16(name), SetFlags::empty()).unwrap();
        let long = name.repeat(40);
        table.set_column(256, &utf16(&long), SetFlags::empty()).unwrap();
        table.set_column(256, &utf16("abcde"), SetOptions { instance: 0, ..SetOptions::default() }).unwrap();
        table.update().unwrap();
        bed.session.commit(CommitMode::Lazy).unwrap();
    }
    let text = |bytes: Vec<u8>| {
        let units: Vec<u16> = bytes.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        String::from_utf16(&units).unwrap()
    };
    let sorted: Vec<String> = every(&mut table, None, 128).into_iter().map(|n| text(n.unwrap())).collect();
    assert_eq!(sorted, ["_x", "äpfel", "Apple", "apple pie", "banana", "cherry", "Zebra", "zebra finch"]);
    // Upper and lower case are one key.
    table.set_current_index(None).unwrap();
    table.make_key(&utf16("APPLE"), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::EQUAL).unwrap();
    assert_eq!(text(table.get(128).unwrap().unwrap()), "Apple");
    table.make_key(&utf16("ZEB"), KeyFlags::NEW_KEY | KeyFlags::SUBSTRING_LIMIT).unwrap();
    table.seek(SeekFlags::LESS_OR_EQUAL).unwrap();
    assert_eq!(text(table.get(128).unwrap().unwrap()), "zebra finch");
    assert_eq!(every(&mut table, Some("Longs"), 128).len(), 16);
    table.set_current_index(Some("Parts")).unwrap();
    table.make_key(&utf16("herr"), KeyFlags::NEW_KEY | KeyFlags::SUBSTRING_LIMIT).unwrap();
    table.seek(SeekFlags::LESS_OR_EQUAL).unwrap();
    assert_eq!(text(table.get(128).unwrap().unwrap()), "cherry");
    drop(table);
    bed.finish();
}
