//! Schema changes of tables that have rows, and readers and writers beside them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::path::Path;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, IndexSpec, PrepareKind, SeekFlags, SetFlags, SetOptions, Table, TableMode,
    TableSpec, Value,
};
use table_bed::{Bed, DATABASE, number};

fn plain() -> TableSpec {
    TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Group", ColumnKind::SHORT))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 100).unicode())
        .column(ColumnSpec::tagged("Tags", ColumnKind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

fn insert(table: &mut Table, id: i32) {
    let column = |table: &mut Table, name: &str| table.column_id(name).unwrap();
    let (key, group, name) = (column(table, "Id"), column(table, "Group"), column(table, "Name"));
    let (tags, long) = (column(table, "Tags"), column(table, "Long"));
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(key, &id.to_le_bytes(), SetFlags::empty()).unwrap();
    if id % 7 != 0 {
        table.set_column(group, &((id % 100) as i16).to_le_bytes(), SetFlags::empty()).unwrap();
    }
    let text: Vec<u8> = format!("Name {id}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    table.set_column(name, &text, SetFlags::empty()).unwrap();
    for n in 0..id % 3 {
        let add = ese_instance::SetOptions { instance: 0, ..Default::default() };
        table.set_column(tags, format!("tag{n}").as_bytes(), add).unwrap();
    }
    if id % 50 == 0 {
        // Stored apart.
        let bytes: Vec<u8> = id.to_be_bytes().iter().copied().cycle().take(9000).collect();
        table.set_column(long, &bytes, SetFlags::empty()).unwrap();
    }
    table.update().unwrap();
}

fn filled(page_size: u32, rows: i32) -> Bed {
    let bed = Bed::with_format(page_size, 9600);
    bed.database.create_table(&plain()).unwrap();
    let mut table = bed.open("T");
    let transaction = bed.session.transaction().unwrap();
    for id in 1..=rows {
        insert(&mut table, id);
    }
    transaction.commit(CommitMode::Durable).unwrap();
    drop(table);
    bed
}

fn entries(table: &mut Table, index: &str) -> u64 {
    table.set_current_index(Some(index)).unwrap();
    table.move_first().unwrap();
    table.count(u64::MAX).unwrap()
}

#[test]
fn indexes_of_filled_tables() {
    for page_size in [4096, 16384] {
        let bed = filled(page_size, 1500);
        let create = |index: IndexSpec| {
            bed.database.create_index("T", &index).err().map_or(0, |error| error.jet_error().0)
        };
        assert_eq!(create(IndexSpec::new("ByName").ascending("Name")), 0);
        assert_eq!(create(IndexSpec::new("ByGroup").descending("Group").ignore_null()), 0);
        assert_eq!(create(IndexSpec::new("ByTag").ascending("Tags").ignore_any_null()), 0);
        assert_eq!(create(IndexSpec::new("ByLong").ascending("Long").ignore_null()), 0);
        assert_eq!(create(IndexSpec::new("Unique").ascending("Name").unique()), 0);
        assert_eq!(create(IndexSpec::new("Not").ascending("Group").unique().ignore_null()), -1605);
        assert_eq!(create(IndexSpec::new("Not").ascending("Group").disallow_null()), -1053);
        let mut table = bed.open("T");
        assert_eq!(entries(&mut table, "ByName"), 1500);
        assert_eq!(entries(&mut table, "ByGroup"), 1500 - 1500 / 7);
        assert_eq!(entries(&mut table, "ByTag"), 500 + 2 * 500);
        assert_eq!(entries(&mut table, "ByLong"), 30);
        assert_eq!(number(table.set_current_index(Some("Not"))), -1404);
        // Rows that come later are in it, and a rolled back index is not kept.
        insert(&mut table, 2003);
        assert_eq!(entries(&mut table, "ByName"), 1501);
        let transaction = bed.session.transaction().unwrap();
        assert_eq!(create(IndexSpec::new("Gone").ascending("Group")), 0);
        insert(&mut table, 2001);
        assert_eq!(entries(&mut table, "Gone"), 1502);
        transaction.rollback().unwrap();
        assert_eq!(number(table.set_current_index(Some("Gone"))), -1404);
        drop(table);
        bed.finish();
    }
}

/// A row with the same value twice: one entry, and none in a unique index.
#[test]
fn rows_with_the_same_value_twice() {
    let bed = Bed::new(8192);
    let spec = TableSpec::new("T").column(ColumnSpec::tagged("Tags", ColumnKind::LONG).multi_valued());
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let tags = table.column_id("Tags").unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    for (instance, value) in [(1, 7_i32), (2, 8), (3, 7)] {
        let options = SetOptions { instance, ..SetOptions::default() };
        table.set_column(tags, &value.to_le_bytes(), options).unwrap();
    }
    table.update().unwrap();
    let index = IndexSpec::new("Unique").ascending("Tags").unique();
    assert_eq!(bed.database.create_index("T", &index).unwrap_err().jet_error().0, -1605);
    bed.database.create_index("T", &IndexSpec::new("Plain").ascending("Tags")).unwrap();
    assert_eq!(entries(&mut table, "Plain"), 2);
    drop(table);
    bed.finish();
}

#[test]
fn columns_of_filled_tables() {
    let bed = filled(8192, 300);
    let fixed = ColumnSpec::fixed("Late", ColumnKind::LONG).default_value(Value::Long(9));
    let late = bed.database.add_column("T", &fixed).unwrap();
    let mut table = bed.open("T");
    table.move_first().unwrap();
    assert_eq!(table.get(late).unwrap().unwrap(), 9_i32.to_le_bytes(), "old rows have the default");
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(late, &5_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(table.get(late).unwrap().unwrap(), 5_i32.to_le_bytes());
    bed.database.delete_column("T", "Group").unwrap();
    assert_eq!(number(table.column_id("Group")), -1507);
    assert_eq!(table.get(late).unwrap().unwrap(), 5_i32.to_le_bytes());
    bed.database.rename_column("T", "Late", "Later").unwrap();
    assert_eq!(table.column_id("Later").unwrap(), late);
    // Escrow columns want the table for themselves, and empty.
    let escrow = ColumnSpec::fixed("Count", ColumnKind::LONG).escrow_update().default_value(Value::Long(0));
    let add = || bed.database.add_column("T", &escrow).err().map_or(0, |e| e.jet_error().0);
    assert_eq!(add(), -1322);
    drop(table);
    let alone = bed.database.open_table("T", TableMode::DENY_READ).unwrap();
    assert_eq!(add(), -1308);
    drop(alone);
    bed.finish();
}

#[test]
fn writers_beside_schema_changes() {
    let bed = filled(8192, 100);
    let other = bed.instance.begin_session().unwrap();
    let theirs = other.open_database(Path::new(DATABASE)).unwrap();
    let mut table = theirs.open_table("T", TableMode::empty()).unwrap();
    let create = |name: &str| {
        let index = IndexSpec::new(name).ascending("Group");
        bed.database.create_index("T", &index).err().map_or(0, |e| e.jet_error().0)
    };
    let group = table.column_id("Group").unwrap();
    let change = |table: &mut Table, to: i16| {
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(group, &to.to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    };
    // A row that is rolled back is in no index, one that is committed in all, whatever was first.
    other.begin().unwrap();
    insert(&mut table, 1000);
    assert_eq!(create("A"), 0);
    other.rollback().unwrap();
    assert_eq!(entries(&mut table, "A"), 100);
    table.set_current_index(None).unwrap();
    other.begin().unwrap();
    insert(&mut table, 1001);
    table.move_first().unwrap();
    change(&mut table, 2077);
    table.move_last().unwrap();
    assert_eq!(create("B"), 0);
    // Changes after it, in a transaction that does not see it.
    change(&mut table, 2078);
    table.move_by(-1, false).unwrap();
    table.delete().unwrap();
    assert_eq!(number(table.set_current_index(Some("B"))), -1404);
    other.commit(CommitMode::Lazy).unwrap();
    assert_eq!(entries(&mut table, "B"), 100);
    for (to, found) in [(2077_i16, 1), (2078, 1), (2079, 0)] {
        table.make_key(&to.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
        let sought = table.seek(SeekFlags::EQUAL);
        assert_eq!(i32::from(sought.is_ok()), found, "{to}");
    }
    table.set_current_index(None).unwrap();
    // Rows that committed after the transaction of the index began.
    bed.session.begin().unwrap();
    assert_eq!(bed.open("T").count(u64::MAX).unwrap(), 100);
    insert(&mut table, 1002);
    assert_eq!(create("C"), 0);
    // And rows of others while it is not committed.
    insert(&mut table, 1003);
    bed.session.commit(CommitMode::Lazy).unwrap();
    assert_eq!(entries(&mut table, "C"), 102);
    // The index is taken back, what was put in with it.
    table.set_current_index(None).unwrap();
    bed.session.begin().unwrap();
    assert_eq!(create("D"), 0);
    insert(&mut table, 1004);
    other.begin().unwrap();
    insert(&mut table, 1005);
    bed.session.rollback().unwrap();
    other.commit(CommitMode::Lazy).unwrap();
    assert_eq!(number(table.set_current_index(Some("D"))), -1404);
    // Two at once; each brings what it has changed to the other's.
    let theirs_too = other.open_database(Path::new(DATABASE)).unwrap();
    bed.session.begin().unwrap();
    other.begin().unwrap();
    assert_eq!(create("E"), 0);
    theirs_too.create_index("T", &IndexSpec::new("F").ascending("Name")).unwrap();
    insert(&mut table, 1006);
    insert(&mut bed.open("T"), 1007);
    // Another kind of change waits for both.
    let late = ColumnSpec::fixed("Late", ColumnKind::LONG);
    assert_eq!(bed.database.add_column("T", &late).unwrap_err().jet_error().0, -1102);
    other.commit(CommitMode::Lazy).unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
    for index in ["A", "B", "C", "E", "F"] {
        assert_eq!(entries(&mut table, index), 106, "{index}");
    }
    drop(theirs_too);
    // A table that is open is not deleted, and its database not detached.
    assert_eq!(bed.database.delete_table("T").unwrap_err().jet_error().0, -1304);
    drop(theirs);
    assert_eq!(bed.session.detach_database(Path::new(DATABASE)).unwrap_err().jet_error().0, -1202);
    drop(table);
    bed.database.delete_table("T").unwrap();
    other.end().unwrap();
    bed.finish();
}
