//! Rows of the engine, taken apart and put together again, are the same bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{
    ColumnId, ColumnState, FixedSlot, PageSize, RecordBuffer, RecordColumns, RecordContent, RecordView,
    TaggedContent, TaggedFlags, TaggedTarget, TaggedValue,
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
    let set = |order| masked_slots(&set_in_order(&content, page_size, order), &content);
    assert!((0..4).all(|order| set(order) == masked), "{}: {content:02x?}\n{masked:02x?}", table.name);
    Some([content.encode(page_size).unwrap(), masked])
}

struct Slots<'a>(&'a RecordContent<'a>);

impl RecordColumns for Slots<'_> {
    fn fixed_slot(&self, column: ColumnId) -> Option<(usize, usize)> {
        let place = usize::from(column.0) - 1;
        let offset = self.0.fixed[..place].iter().map(|slot| slot.size).sum::<usize>() + 4;
        Some((offset, self.0.fixed[place].size))
    }

    fn default_value(&self, _: ColumnId) -> Option<&[u8]> {
        None
    }
}

/// Sets the columns one after the other, in one of several orders; with other values before them in some.
fn set_in_order(content: &RecordContent<'_>, page_size: PageSize, order: usize) -> Vec<u8> {
    let mut buffer = RecordBuffer::new(page_size, page_size.len());
    let columns = Slots(content);
    let count = content.fixed.len() + content.variable.len() + content.tagged.len();
    let mut places: Vec<usize> = (0..count).collect();
    match order {
        1 => places.reverse(),
        2 => places.sort_by_key(|place| place * 7919 % 31),
        _ => {}
    }
    if order == 3 {
        // What was there before leaves nothing behind.
        for (place, slot) in content.fixed.iter().enumerate() {
            buffer.set_fixed(&columns, ColumnId(place as u16 + 1), Some(&vec![0xEE; slot.size])).unwrap();
        }
        for place in 0..content.variable.len() {
            buffer.set_variable(&columns, ColumnId(place as u16 + 128), Some(&[0xEE; 9])).unwrap();
        }
        for tagged in content.tagged.iter().filter(|tagged| tagged.values.len() < 2) {
            let value = Some(TaggedValue::Plain(&[0xEE; 11]));
            buffer.set_tagged(&target(tagged), 1, value).unwrap();
        }
    }
    for place in places {
        let (fixed, variable) = (content.fixed.len(), content.variable.len());
        if place < fixed {
            let value = content.fixed[place].value;
            buffer.set_fixed(&columns, ColumnId(place as u16 + 1), value).unwrap();
        } else if place < fixed + variable {
            let place = place - fixed;
            buffer.set_variable(&columns, ColumnId(place as u16 + 128), content.variable[place]).unwrap();
        } else {
            let tagged = &content.tagged[place - fixed - variable];
            if tagged.values.is_empty() {
                buffer.set_tagged(&target(tagged), 1, None).unwrap();
            }
            for (place, value) in tagged.values.iter().enumerate() {
                buffer.set_tagged(&target(tagged), place as u32 + 1, Some(*value)).unwrap();
            }
        }
    }
    buffer.bytes().to_vec()
}

fn target(tagged: &TaggedContent<'_>) -> TaggedTarget {
    let (column, from_template, long_value) = (tagged.id, tagged.from_template, tagged.long_value);
    TaggedTarget { column, from_template, long_value, explicit_null: true }
}

/// The record with the slots of fixed nulls filled alike.
fn masked_slots(record: &[u8], content: &RecordContent<'_>) -> Vec<u8> {
    let (mut masked, mut offset) = (record.to_vec(), 4);
    for slot in &content.fixed {
        if slot.value.is_none() {
            masked[offset..offset + slot.size].fill(b'*');
        }
        offset += slot.size;
    }
    masked
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
