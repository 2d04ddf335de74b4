//! Long values through cursors: parts of them, shared ones, failing and cancelled updates.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, IndexSpec, PrepareKind, RetrieveFlags, RetrieveOptions, SetFlags, SetOptions,
    Table, TableSpec, TableStatus,
};
use table_bed::{Bed, number};

fn spec() -> TableSpec {
    TableSpec::new("L")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Data", ColumnKind::LONG_BINARY))
        .column(ColumnSpec::tagged("Packed", ColumnKind::LONG_TEXT).compressed())
        .column(ColumnSpec::tagged("Many", ColumnKind::LONG_BINARY).multi_valued())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByPacked").ascending("Packed").ignore_null())
}

fn bytes(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

fn insert(table: &mut Table, id: i32, sets: &[(u32, &[u8])]) -> Vec<u8> {
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &id.to_le_bytes(), SetFlags::empty()).unwrap();
    for (column, value) in sets {
        table.set_column(*column, value, SetFlags::empty()).unwrap();
    }
    table.update().unwrap()
}

fn at(flags: SetFlags, offset: usize) -> SetOptions {
    SetOptions { flags, offset: offset as u32, ..SetOptions::default() }
}

#[test]
fn every_way_of_changing_a_part() {
    for page_size in [4096, 8192, 16384, 32768] {
        let bed = Bed::with_format(page_size, if page_size == 8192 { 9180 } else { 8920 });
        bed.database.create_table(&spec()).unwrap();
        let mut table = bed.open("L");
        let (data, packed) = (table.column_id("Data").unwrap(), table.column_id("Packed").unwrap());
        let transaction = bed.session.transaction().unwrap();
        for (nth, length) in [0, 10, 1023, 1024, 4014, 8110, 20_000, 100_001].into_iter().enumerate() {
            for column in [data, packed] {
                let mut model = if column == packed { vec![b'a'; length] } else { bytes(length, 1) };
                table.prepare(PrepareKind::Insert).unwrap();
                let id = (nth * 10 + usize::from(column == packed)) as i32;
                table.set_column(1, &id.to_le_bytes(), SetFlags::empty()).unwrap();
                table.set_column(column, &model, SetFlags::ZERO_LENGTH).unwrap();
                let bookmark = table.update().unwrap();
                table.goto_bookmark(&bookmark).unwrap();
                assert_eq!(table.get(column).unwrap().unwrap(), model);
                let check = |table: &mut Table, model: &[u8], what: &str| {
                    let copy = RetrieveFlags::COPY;
                    assert!(
                        table.get_with(column, copy).unwrap().unwrap() == model,
                        "{what} {length} {page_size}"
                    );
                };
                for round in 0..2 {
                    table.prepare(PrepareKind::Replace).unwrap();
                    let more = bytes(700 + 3000 * round, 2);
                    table.set_column(column, &more, SetFlags::APPEND).unwrap();
                    model.extend_from_slice(&more);
                    check(&mut table, &model, "append");
                    let old = table.get(column).unwrap().unwrap();
                    assert!(old.len() + more.len() == model.len() || length >= 100_001, "the row as it was");
                    let part = bytes(model.len() / 3, 3);
                    let offset = model.len() / 2;
                    table.set_column(column, &part, at(SetFlags::OVERWRITE, offset)).unwrap();
                    model[offset..offset + part.len()].copy_from_slice(&part);
                    check(&mut table, &model, "overwrite");
                    let behind = at(SetFlags::OVERWRITE, model.len() + 1);
                    assert_eq!(number(table.set_column(column, b"x", behind)), -1502);
                    table.set_column(column, &part, at(SetFlags::OVERWRITE, model.len())).unwrap();
                    model.extend_from_slice(&part);
                    check(&mut table, &model, "overwrite at the end");
                    let shorter = at(SetFlags::OVERWRITE | SetFlags::SIZE, 5);
                    table.set_column(column, &more, shorter).unwrap();
                    model.truncate(5);
                    model.extend_from_slice(&more);
                    check(&mut table, &model, "overwrite and size");
                    for size in [model.len() + 9000, model.len() - 3, 100, 0x5000] {
                        let options = SetOptions { size: Some(size as u32), ..SetFlags::SIZE.into() };
                        table.set_column(column, &[], options).unwrap();
                        model.resize(size, 0);
                        check(&mut table, &model, "size");
                    }
                    table.update().unwrap();
                    assert!(table.get(column).unwrap().unwrap() == model);
                }
                let offset = RetrieveOptions { offset: 0x4FFE, ..RetrieveOptions::default() };
                assert_eq!(table.get_with(column, offset).unwrap().unwrap(), [0, 0]);
                let behind = RetrieveOptions { offset: 0x6000, ..RetrieveOptions::default() };
                let found = table.retrieve_column(column, &mut [0; 4], behind).unwrap();
                assert_eq!((found.status, found.length), (TableStatus::Done, 0));
            }
        }
        transaction.commit(CommitMode::Lazy).unwrap();
        let transaction = bed.session.transaction().unwrap();
        let mut there = table.move_first().is_ok();
        let mut rows = 0;
        while there {
            if rows % 2 == 0 {
                table.delete().unwrap();
            }
            rows += 1;
            there = table.move_next().is_ok();
        }
        transaction.commit(CommitMode::Lazy).unwrap();
        drop(table);
        bed.finish();
    }
}

#[test]
fn shared_values() {
    let bed = Bed::new(8192);
    bed.database.create_table(&spec()).unwrap();
    let mut table = bed.open("L");
    let data = table.column_id("Data").unwrap();
    let transaction = bed.session.transaction().unwrap();
    let value = bytes(30_000, 5);
    let first = insert(&mut table, 1, &[(data, &value)]);
    table.goto_bookmark(&first).unwrap();
    let references = |table: &mut Table| {
        let mut count = [0; 4];
        let found = table.retrieve_column(data, &mut count, RetrieveFlags::REFERENCE_COUNT).unwrap();
        assert_eq!(found.status.jet_error().0, 406);
        u32::from_le_bytes(count)
    };
    assert_eq!(references(&mut table), 1);
    table.prepare(PrepareKind::InsertCopy).unwrap();
    table.set_column(1, &2_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    let second = table.update().unwrap();
    assert_eq!(references(&mut table), 2);
    // Changing one of them copies it.
    table.goto_bookmark(&second).unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    assert_eq!(table.set_column(data, b"more", SetFlags::APPEND).unwrap(), TableStatus::Done);
    table.update().unwrap();
    assert_eq!(references(&mut table), 1);
    table.goto_bookmark(&first).unwrap();
    assert_eq!(references(&mut table), 1);
    assert_eq!(table.get(data).unwrap().unwrap(), value);
    // Cancelled and failed updates leave nothing behind.
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(data, &bytes(20_000, 6), SetFlags::empty()).unwrap();
    table.set_column(data, b"more", SetFlags::APPEND).unwrap();
    table.cancel_update().unwrap();
    assert_eq!(table.get(data).unwrap().unwrap(), value);
    table.prepare(PrepareKind::InsertCopy).unwrap();
    assert_eq!(number(table.update()), -1605);
    table.set_column(data, &bytes(20_000, 7), SetFlags::empty()).unwrap();
    assert_eq!(number(table.update()), -1605);
    table.cancel_update().unwrap();
    assert_eq!(references(&mut table), 1);
    // A row moves with its value.
    table.prepare(PrepareKind::InsertCopyDeleteOriginal).unwrap();
    table.set_column(1, &3_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    let third = table.update().unwrap();
    table.goto_bookmark(&third).unwrap();
    assert_eq!(references(&mut table), 1);
    assert_eq!(table.get(data).unwrap().unwrap(), value);
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(data, b"", SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(table.get(data).unwrap(), None);
    transaction.commit(CommitMode::Lazy).unwrap();
    // Rolled back under a row in preparation.
    let transaction = bed.session.transaction().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &9_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(data, &value, SetFlags::empty()).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(number(table.update()), -1609, "the row went with its transaction");
    assert_eq!(number(table.cancel_update()), -1609);
    drop(table);
    bed.finish();
}

#[test]
fn full_rows_and_sizes() {
    let bed = Bed::new(4096);
    let mut spec = TableSpec::new("F").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    for n in 0..16 {
        spec = spec
            .column(ColumnSpec::variable(&format!("V{n}"), ColumnKind::BINARY, 255))
            .column(ColumnSpec::tagged(&format!("L{n}"), ColumnKind::LONG_BINARY));
    }
    bed.database.create_table(&spec.index(IndexSpec::new("P").ascending("Id").primary())).unwrap();
    let mut table = bed.open("F");
    let mut column = |name: String| table.column_id(&name).unwrap();
    let short: Vec<u32> = (0..16).map(|n| column(format!("V{n}"))).collect();
    let long: Vec<u32> = (0..16).map(|n| column(format!("L{n}"))).collect();
    let transaction = bed.session.transaction().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &[1, 0, 0, 0], SetFlags::empty()).unwrap();
    for (n, column) in long.iter().enumerate() {
        table.set_column(*column, &bytes(600, n as u32), SetFlags::empty()).unwrap();
    }
    for column in short.iter().take(13) {
        table.set_column(*column, &[7; 255], SetFlags::empty()).unwrap();
    }
    assert_eq!(number(table.set_column(short[13], &[7; 255], SetFlags::empty())), 0);
    assert_eq!(number(table.set_column(short[14], &[7; 255], SetFlags::empty())), -1026);
    let row = table.update().unwrap();
    table.goto_bookmark(&row).unwrap();
    for (n, column) in long.iter().enumerate() {
        assert_eq!(table.get(*column).unwrap().unwrap(), bytes(600, n as u32));
    }
    let mut size = ese_instance::RecordSize::default();
    table.record_size(ese_instance::RecordSizeFlags::empty(), &mut size).unwrap();
    assert_eq!((size.long_values, size.long_value_data), (16, 9600));
    assert_eq!((size.non_tagged_columns, size.tagged_columns), (15, 16));
    transaction.commit(CommitMode::Durable).unwrap();
    drop(table);
    bed.finish();
}

#[test]
fn several_long_values_and_where_they_are_kept() {
    let bed = Bed::new(8192);
    bed.database.create_table(&spec()).unwrap();
    let mut table = bed.open("L");
    let (many, packed, data) = (
        table.column_id("Many").unwrap(),
        table.column_id("Packed").unwrap(),
        table.column_id("Data").unwrap(),
    );
    let transaction = bed.session.transaction().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &[1, 0, 0, 0], SetFlags::empty()).unwrap();
    let add = |flags| SetOptions { flags, instance: 0, ..SetOptions::default() };
    let values = [bytes(10, 1), bytes(5000, 2), bytes(20, 3), bytes(9000, 4)];
    for value in &values {
        table.set_column(many, value, add(SetFlags::empty())).unwrap();
    }
    let same = number(table.set_column(many, &values[1], add(SetFlags::UNIQUE_VALUES)));
    assert_eq!(same, -1525);
    table.set_column(packed, &[b'a'; 900], SetFlags::empty()).unwrap();
    table.set_column(data, &[1; 50], SetFlags::SEPARATE).unwrap();
    let row = table.update().unwrap();
    table.goto_bookmark(&row).unwrap();
    for (n, value) in values.iter().enumerate() {
        let nth = RetrieveOptions { instance: n as u32 + 1, ..RetrieveOptions::default() };
        assert_eq!(table.get_with(many, nth).unwrap().unwrap(), *value);
    }
    let size = table.retrieve_column(packed, &mut [], RetrieveFlags::PHYSICAL_SIZE).unwrap().length;
    assert!(size < 100, "{size}");
    let mut id = [0; 8];
    let found = table.retrieve_column(data, &mut id, RetrieveFlags::LONG_ID).unwrap();
    assert_eq!((found.status, found.length), (TableStatus::SeparateLongValue, 8));
    let none = table.retrieve_column(packed, &mut id, RetrieveFlags::LONG_ID).unwrap();
    assert_eq!(none.status, TableStatus::Null);
    table.prepare(PrepareKind::Replace).unwrap();
    let second = SetOptions { instance: 2, ..SetOptions::default() };
    table.set_column(many, &[], second).unwrap();
    table.set_column(data, &bytes(6000, 9), SetFlags::INTRINSIC).unwrap();
    table.update().unwrap();
    assert_eq!(table.count_values(many, RetrieveFlags::empty()).unwrap(), 3);
    assert_eq!(table.get(data).unwrap().unwrap(), bytes(6000, 9));
    transaction.commit(CommitMode::Durable).unwrap();
    drop(table);
    bed.finish();
}
