//! Callbacks for changes of rows; what applications store beside cursors and tables.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::sync::{Arc, Mutex};

use ese_format::{ColumnKind, JetError};
use ese_instance::{
    ColumnSpec, CommitMode, LocalStorage, PrepareKind, SetOptions, Table, TableEvent, TableSpec,
};
use table_bed::{Bed, number};

type Seen = Arc<Mutex<Vec<TableEvent>>>;

fn bed() -> Bed {
    let bed = Bed::new(4096);
    let spec = TableSpec::new("rows").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    bed.database.create_table(&spec).unwrap();
    bed
}

fn set(table: &mut Table, kind: PrepareKind, value: u32) -> i32 {
    let column = table.column_id("Id").unwrap();
    table.prepare(kind).unwrap();
    table.set_column(column, &value.to_le_bytes(), SetOptions::default()).unwrap();
    let outcome = number(table.update());
    if outcome != 0 {
        table.cancel_update().unwrap();
    }
    outcome
}

#[test]
fn changes_are_told_before_and_after() {
    let bed = bed();
    let mut table = bed.open("rows");
    let seen = Seen::default();
    let to = Arc::clone(&seen);
    let id = table
        .register_callback(
            TableEvent::from_bits_retain(0x7E),
            Arc::new(move |_: &mut Table, event| {
                to.lock().unwrap().push(event);
                Ok(())
            }),
        )
        .unwrap();
    let happened = || std::mem::take(&mut *seen.lock().unwrap());
    bed.session.begin().unwrap();
    assert_eq!(set(&mut table, PrepareKind::Insert, 1), 0);
    assert_eq!(happened(), [TableEvent::BEFORE_INSERT, TableEvent::AFTER_INSERT]);
    // Another cursor's changes count too.
    let mut other = bed.open("rows");
    other.move_first().unwrap();
    assert_eq!(set(&mut other, PrepareKind::Replace, 2), 0);
    assert_eq!(happened(), [TableEvent::BEFORE_REPLACE, TableEvent::AFTER_REPLACE]);
    other.prepare(PrepareKind::Replace).unwrap();
    other.cancel_update().unwrap();
    assert_eq!(happened(), []);
    other.move_first().unwrap();
    other.delete().unwrap();
    assert_eq!(happened(), [TableEvent::BEFORE_DELETE, TableEvent::AFTER_DELETE]);
    // No row, no event afterwards.
    assert_eq!(number(other.delete()), -1017);
    assert_eq!(happened(), [TableEvent::BEFORE_DELETE]);
    table.unregister_callback(id).unwrap();
    assert_eq!(number(table.unregister_callback(id)), -1003);
    assert_eq!(set(&mut other, PrepareKind::Insert, 1), 0);
    assert_eq!(happened(), []);
    bed.session.commit(CommitMode::Lazy).unwrap();
    drop((table, other));
    bed.finish();
}

#[test]
fn a_callback_can_refuse_and_can_change_the_row() {
    let bed = bed();
    let mut table = bed.open("rows");
    let nothing = table.register_callback(TableEvent::empty(), Arc::new(|_: &mut Table, _| Ok(())));
    assert_eq!(number(nothing), -1003);
    let column = table.column_id("Id").unwrap();
    table
        .register_callback(
            TableEvent::BEFORE_INSERT | TableEvent::AFTER_INSERT,
            Arc::new(move |table: &mut Table, event| {
                if event == TableEvent::AFTER_INSERT {
                    // Too late.
                    return Err(JetError::CALLBACK_FAILED);
                }
                let copy = ese_instance::RetrieveFlags::COPY;
                match table.get_with(column, copy).unwrap().as_deref() {
                    Some([13, 0, 0, 0]) => Err(JetError(-11_000)),
                    Some([_, rest @ ..]) => {
                        let value = [&[99], rest].concat();
                        table.set_column(column, &value, SetOptions::default()).unwrap();
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }),
        )
        .unwrap();
    bed.session.begin().unwrap();
    assert_eq!(set(&mut table, PrepareKind::Insert, 13), -11_000);
    assert_eq!(number(table.move_first()), -1603);
    assert_eq!(set(&mut table, PrepareKind::Insert, 5), 0);
    table.move_first().unwrap();
    assert_eq!(table.get(column).unwrap().unwrap(), [99, 0, 0, 0]);
    bed.session.commit(CommitMode::Lazy).unwrap();
}

#[test]
fn storage_beside_cursors_and_tables() {
    // Nobody would be told.
    let quiet = bed();
    let mut table = quiet.open("rows");
    for place in [LocalStorage::Cursor, LocalStorage::Table] {
        assert_eq!(number(table.set_local_storage(8, place)), -3000);
        assert_eq!(number(table.local_storage(place)), -3002);
        assert_eq!(number(table.reset_local_storage(place)), -3000);
    }
    assert_eq!(number(LocalStorage::from_bits(6)), -900);
    assert_eq!(LocalStorage::from_bits(5).unwrap(), LocalStorage::Table);
    assert_eq!(LocalStorage::from_bits(0).unwrap(), LocalStorage::Cursor);
    assert_eq!(quiet.instance.set_runtime_callback(None).unwrap_err().jet_error().0, -1030);
    drop(table);
    drop(quiet);

    let told: Arc<Mutex<Vec<(TableEvent, u64)>>> = Arc::default();
    let to = Arc::clone(&told);
    let callback = Arc::new(move |_: &_, event, storage| to.lock().unwrap().push((event, storage)));
    let bed = Bed::with_parameters(4096, 8920, |instance| {
        instance.set_runtime_callback(Some(callback.clone())).unwrap()
    });
    bed.database.create_table(&TableSpec::new("rows")).unwrap();
    let mut first = bed.open("rows");
    let mut second = bed.open("rows");
    first.set_local_storage(8, LocalStorage::Cursor).unwrap();
    assert_eq!(first.local_storage(LocalStorage::Cursor).unwrap(), 8);
    assert_eq!(number(first.set_local_storage(9, LocalStorage::Cursor)), -3001);
    assert_eq!(number(second.local_storage(LocalStorage::Cursor)), -3002);
    second.set_local_storage(10, LocalStorage::Table).unwrap();
    assert_eq!(first.local_storage(LocalStorage::Table).unwrap(), 10);
    second.set_local_storage(11, LocalStorage::Cursor).unwrap();
    assert_eq!(second.reset_local_storage(LocalStorage::Cursor).unwrap(), Some(11));
    drop(second);
    assert!(told.lock().unwrap().is_empty());
    first.close().unwrap();
    assert_eq!(*told.lock().unwrap(), [(TableEvent::FREE_CURSOR_STORAGE, 8)]);
    told.lock().unwrap().clear();
    bed.finish();
    assert_eq!(*told.lock().unwrap(), [(TableEvent::FREE_TABLE_STORAGE, 10)]);
}
