//! Rows of the engine, taken apart and put together again, are the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{
    ColumnId, ColumnState, FixedSlot, RecordContent, RecordView, TaggedContent, TaggedFlags, TaggedValue,
};
use ese_instance::{DatabaseReader, DirtyPolicy, TableDefinition};
use ese_io::OsStorage;

/// The record again from its values, and the same with the slots of nulls filled alike; `None` when a value has a form
/// that is never written, only read.
fn again(table: &TableDefinition, record: &[u8], reader: &DatabaseReader) -> Option<[Vec<u8>; 2]> {
    let page_size = reader.header().page_size();
    let view = RecordView::parse(record, page_size).unwrap();
    let mut masked = record.to_vec();
    let mut content = RecordContent::default();
    let mut offset = 4;
    for id in 1..=u16::from(view.last_fixed()) {
        let column = table.columns.iter().find(|c| c.id == ColumnId(id)).unwrap();
        let size = if column.is_deleted() { column.max_size as usize } else { column.slot_size() };
        let value = match view.fixed(ColumnId(id), offset, size).unwrap() {
            ColumnState::Value(value) => Some(value),
            _ => None,
        };
        if value.is_none() {
            masked[offset..offset + size].fill(b'*');
        }
        content.fixed.push(FixedSlot { size, value });
        offset += size;
    }
    for id in 128..=u16::from(view.last_variable()) {
        content.variable.push(match view.variable(ColumnId(id)).unwrap() {
            ColumnState::Value(value) => Some(value),
            _ => None,
        });
    }
    for column in view.tagged_columns() {
        let column = column.unwrap();
        if column.flags.contains(TaggedFlags::ENCRYPTED) {
            return None;
        }
        let long_value = column.flags.contains(TaggedFlags::LONG_VALUE);
        let values: Vec<TaggedValue<'_>> = column.values().map(Result::unwrap).collect();
        // A column that had more values keeps their form when it loses some: that depends on its history.
        let many = column.flags.contains(TaggedFlags::MULTI_VALUES)
            && !column.flags.contains(TaggedFlags::TWO_VALUES);
        if many && (values.len() < 2 || values.len() == 2 && !long_value && !page_size.is_large()) {
            return None;
        }
        content.tagged.push(TaggedContent {
            id: column.id,
            from_template: column.from_template,
            long_value,
            values,
        });
    }
    Some([content.encode(page_size).unwrap(), masked])
}

#[test]
fn rows_of_the_engine_are_encoded_as_it_does() {
    let (mut rows, mut skipped) = (0, 0);
    for case in [
        "clean-p4k",
        "clean-p8k",
        "clean-p16k",
        "clean-p32k",
        "clean-p8k-efv8920",
        "rare-multi-p4k",
        "rare-escrow-p32k",
        "rare-ddl-crash-p16k",
        "rare-comp-crash-p8k",
    ] {
        let Some(folder) = testdata::reference(case) else { continue };
        let path = folder.join("files/db.edb");
        let reader = DatabaseReader::open(&OsStorage, &path, DirtyPolicy::ReadAsItIs).unwrap();
        for entry in reader.tables().unwrap() {
            let table = reader.table_by_object(entry.object_id).unwrap();
            let tree = reader.tree(table.root, table.object_id).unwrap();
            let mut cursor = tree.cursor();
            while cursor.move_next().unwrap() {
                let node = cursor.node().unwrap().unwrap();
                let Some([ours, theirs]) = again(&table, node.data, &reader) else {
                    skipped += 1;
                    continue;
                };
                assert!(ours == theirs, "{case}, {}:\n{ours:02x?}\n{theirs:02x?}", table.name);
                rows += 1;
            }
        }
    }
    assert!(rows > 1000 && skipped < rows / 20, "{rows} {skipped}");
}
