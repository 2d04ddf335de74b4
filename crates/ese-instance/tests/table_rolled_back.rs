//! Cursors that were opened, or given another index, in a transaction that is rolled back.
//!
//! The numbers are what the original engine answers to the same calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::{ColumnSpec, CommitMode, IndexSpec, PrepareKind, SetFlags, TableMode, TableSpec};
use table_bed::{Bed, number};

const ID: u32 = 1;
const N: u32 = 2;

fn bed() -> Bed {
    let bed = Bed::new(8192);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("N", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByN").ascending("N"));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    for id in 1..4_i32 {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(N, &(-id).to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    bed
}

#[test]
fn a_cursor_goes_with_the_transaction_in_which_it_was_opened() {
    let bed = bed();
    let mut around = bed.open("T");
    bed.session.begin().unwrap();
    let mut first = bed.open("T");
    bed.session.begin().unwrap();
    let mut second = first.duplicate().unwrap();
    let mut third = bed.open("T");
    third.prepare(PrepareKind::Insert).unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(number(second.move_first()), -1310);
    assert_eq!(number(second.get(ID)), -1310);
    assert_eq!(number(second.duplicate()), -1310);
    assert_eq!(number(second.current_index()), -1310);
    assert_eq!(number(second.close()), -1310);
    assert_eq!(number(third.cancel_update()), -1310);
    first.move_first().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(number(first.move_first()), -1310);
    around.move_first().unwrap();
    // What the closed ones kept from others is free again, though their handles are still here.
    let other = bed.instance.begin_session().unwrap();
    let theirs = other.open_database(std::path::Path::new(table_bed::DATABASE)).unwrap();
    drop(around);
    bed.session.begin().unwrap();
    let alone = bed.database.open_table("T", TableMode::DENY_READ).unwrap();
    assert_eq!(number(theirs.open_table("T", TableMode::empty())), -1302);
    bed.session.rollback().unwrap();
    theirs.open_table("T", TableMode::empty()).unwrap();
    drop((alone, first, third));
}

#[test]
fn a_cursor_opened_in_a_transaction_that_is_committed_belongs_to_the_one_around_it() {
    let bed = bed();
    bed.session.begin().unwrap();
    bed.session.begin().unwrap();
    let mut table = bed.open("T");
    bed.session.commit(CommitMode::Lazy).unwrap();
    bed.session.begin().unwrap();
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
    bed.session.begin().unwrap();
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    bed.session.begin().unwrap();
    let mut made = {
        bed.database
            .create_table(&TableSpec::new("New").column(ColumnSpec::fixed("Id", ColumnKind::LONG)))
            .unwrap();
        bed.open("New")
    };
    bed.session.rollback_all().unwrap();
    assert_eq!(number(made.move_first()), -1310);
    assert_eq!(number(bed.database.open_table("New", TableMode::empty())), -1305);
}

#[test]
fn an_index_chosen_in_a_transaction_that_is_rolled_back_is_the_current_one_no_more() {
    let bed = bed();
    let mut table = bed.open("T");
    table.set_current_index(Some("ByN")).unwrap();
    bed.session.begin().unwrap();
    table.move_last().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(table.current_index().unwrap().as_deref(), Some("ByN"), "chosen outside");
    table.set_current_index(None).unwrap();
    bed.session.begin().unwrap();
    table.set_current_index(Some("ByN")).unwrap();
    table.move_first().unwrap();
    assert_eq!(number(bed.database.delete_index("T", "ByN").map_err(Into::into)), -1051);
    bed.session.rollback().unwrap();
    assert_eq!(table.current_index().unwrap().as_deref(), Some("ById"));
    assert_eq!(number(table.get(ID)), -1603);
    table.move_by(1, false).unwrap();
    assert_eq!(table.get(ID).unwrap(), Some(1_i32.to_le_bytes().to_vec()));
    bed.database.delete_index("T", "ByN").unwrap();
}
