//! Rows written, read, changed and deleted through cursors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, ColumnWrite, CommitMode, EnumerateColumn, EnumerateFlags, IndexSpec, PrepareKind,
    RetrieveFlags, RetrieveOptions, SeekFlags, SetFlags, SetOptions, Table, TableMode, TableSpec,
    TableStatus, UpdateFlags, Value,
};
use table_bed::{Bed, number};

fn people() -> TableSpec {
    TableSpec::new("People")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Age", ColumnKind::SHORT))
        .column(ColumnSpec::fixed("Level", ColumnKind::LONG).default_value(Value::Long(7)))
        .column(ColumnSpec::fixed("Alive", ColumnKind::BIT))
        .column(ColumnSpec::fixed("Changes", ColumnKind::LONG).version())
        .column(ColumnSpec::fixed("Visits", ColumnKind::LONG).escrow_update().default_value(Value::Long(0)))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 20))
        .column(ColumnSpec::variable("Town", ColumnKind::TEXT, 20).default_value("Rome"))
        .column(ColumnSpec::tagged("Phone", ColumnKind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Note", ColumnKind::LONG_TEXT))
        .column(ColumnSpec::tagged("Code", ColumnKind::LONG).default_value(Value::Long(5)))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByName").ascending("Name"))
        .index(IndexSpec::new("ByPhone").ascending("Phone").ignore_null())
        .index(IndexSpec::new("ByAge").descending("Age").ascending("Name").unique().ignore_any_null())
}

struct Columns {
    id: u32,
    age: u32,
    level: u32,
    alive: u32,
    changes: u32,
    visits: u32,
    name: u32,
    town: u32,
    phone: u32,
    note: u32,
    code: u32,
}

fn columns(table: &mut Table) -> Columns {
    let mut id = |name| table.column_id(name).unwrap();
    Columns {
        id: id("Id"),
        age: id("Age"),
        level: id("level"),
        alive: id("ALIVE"),
        changes: id("Changes"),
        visits: id("Visits"),
        name: id("Name"),
        town: id("Town"),
        phone: id("Phone"),
        note: id("Note"),
        code: id("Code"),
    }
}

fn insert(table: &mut Table, c: &Columns, name: &str, age: i16) -> Vec<u8> {
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(c.name, name.as_bytes(), SetFlags::empty()).unwrap();
    table.set_column(c.age, &age.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap()
}

fn names(table: &mut Table, name: u32) -> Vec<String> {
    let mut all = Vec::new();
    let mut there = table.move_first().is_ok();
    while there {
        all.push(String::from_utf8(table.get(name).unwrap().unwrap()).unwrap());
        there = table.move_next().is_ok();
    }
    all
}

#[test]
fn a_row_from_its_insertion_to_its_end() {
    for page_size in [4096, 32768] {
        let bed = Bed::new(page_size);
        bed.database.create_table(&people()).unwrap();
        let mut table = bed.open("People");
        let c = columns(&mut table);
        assert_eq!(number(table.move_first()), -1603);
        assert_eq!(number(table.get(c.id)), -1603);
        assert_eq!(number(table.update()), -1609);
        assert_eq!(number(table.set_column(c.age, &[1, 0], SetFlags::empty())), -1609);

        table.prepare(PrepareKind::Insert).unwrap();
        assert_eq!(number(table.prepare(PrepareKind::Insert)), -1607);
        let copy = RetrieveFlags::COPY;
        assert_eq!(table.get_with(c.id, copy).unwrap().unwrap(), 1_i32.to_le_bytes());
        assert_eq!(table.get_with(c.level, copy).unwrap().unwrap(), 7_i32.to_le_bytes());
        assert_eq!(table.get_with(c.town, copy).unwrap().unwrap(), b"Rome");
        assert_eq!(table.get_with(c.age, copy).unwrap(), None);
        table.set_column(c.alive, &[1], SetFlags::empty()).unwrap();
        table.set_column(c.name, b"Ada", SetFlags::empty()).unwrap();
        let cut = table.set_column(c.town, &[b'x'; 30], SetFlags::empty()).unwrap();
        assert_eq!((cut, cut.jet_error().0), (TableStatus::ColumnMaxTruncated, 1512));
        for phone in [b"11", b"22", b"33"] {
            let add = SetOptions { instance: 0, ..SetOptions::default() };
            table.set_column(c.phone, phone, add).unwrap();
        }
        assert_eq!(number(table.set_column(c.age, &[1], SetFlags::empty())), -1047);
        assert_eq!(number(table.set_column(c.id, &[1; 4], SetFlags::empty())), -1511);
        assert_eq!(number(table.set_column(c.code, &[1], SetFlags::empty())), -1047);
        assert_eq!(number(table.set_column(0x7F, &[1], SetFlags::empty())), -1507);
        assert_eq!(number(table.set_column(0, &[1], SetFlags::empty())), -1517);
        assert_eq!(number(table.set_column(c.note, b"x", SetFlags::empty())), -1054, "long columns");
        let bookmark = table.update().unwrap();
        assert_eq!(bookmark, [0x7F, 0x80, 0, 0, 1]);
        assert_eq!(number(table.get(c.id)), -1603, "the cursor stays before the first row");

        table.goto_bookmark(&bookmark).unwrap();
        assert_eq!(table.get(c.alive).unwrap().unwrap(), [0xFF]);
        assert_eq!(table.get(c.town).unwrap().unwrap(), [b'x'; 20]);
        assert_eq!(table.get(c.changes).unwrap().unwrap(), [0; 4]);
        let second = RetrieveOptions { instance: 2, ..RetrieveOptions::default() };
        assert_eq!(table.get_with(c.phone, second).unwrap().unwrap(), b"22");
        assert_eq!(table.count_values(c.phone, RetrieveFlags::empty()).unwrap(), 3);
        assert_eq!(table.count_values(0, RetrieveFlags::empty()).unwrap(), 4, "and a default");
        let mut small = [0; 2];
        let found = table.retrieve_column(c.name, &mut small, RetrieveFlags::empty()).unwrap();
        assert_eq!((found.status, found.length, &small), (TableStatus::Truncated, 3, b"Ad"));
        let found = table.retrieve_column(c.age, &mut small, RetrieveFlags::empty()).unwrap();
        assert_eq!((found.status.jet_error().0, found.length), (1004, 0));
        let ignore = table.retrieve_column(c.code, &mut small, RetrieveFlags::IGNORE_DEFAULT).unwrap();
        assert_eq!(ignore.status, TableStatus::Null);

        // Replacing keeps the primary key.
        table.prepare(PrepareKind::Replace).unwrap();
        assert_eq!(number(table.set_column(c.changes, &[0; 4], SetFlags::empty())), -1511);
        table.set_column(c.age, &30_i16.to_le_bytes(), SetFlags::empty()).unwrap();
        let one = SetOptions { instance: 1, ..SetOptions::default() };
        table.set_column(c.phone, b"", one).unwrap();
        table.update().unwrap();
        assert_eq!(table.get(c.changes).unwrap().unwrap(), 1_i32.to_le_bytes());
        assert_eq!(table.get(c.phone).unwrap().unwrap(), b"22");
        table.prepare(PrepareKind::Replace).unwrap();
        table.update().unwrap();
        assert_eq!(table.get(c.changes).unwrap().unwrap(), 1_i32.to_le_bytes(), "nothing was set");

        // Counters.
        assert_eq!(number(table.escrow_update(c.visits, &3_i32.to_le_bytes())), -1054);
        let transaction = bed.session.transaction().unwrap();
        assert_eq!(table.escrow_update(c.visits, &3_i32.to_le_bytes()).unwrap(), 0);
        assert_eq!(table.escrow_update(c.visits, &4_i32.to_le_bytes()).unwrap(), 3);
        assert_eq!(table.get(c.visits).unwrap().unwrap(), 7_i32.to_le_bytes());
        assert_eq!(number(table.escrow_update(c.visits, &[1; 8])), -1047);
        assert_eq!(number(table.escrow_update(c.level, &[1; 4])), -1906);
        transaction.rollback().unwrap();
        assert_eq!(table.get(c.visits).unwrap().unwrap(), [0; 4]);

        table.delete().unwrap();
        assert_eq!(number(table.get(c.id)), -1017);
        assert_eq!(number(table.delete()), -1017);
        assert_eq!(number(table.move_next()), -1603);
        drop(table);
        bed.finish();
    }
}

#[test]
fn indexes_follow_their_rows() {
    let bed = Bed::new(8192);
    bed.database.create_table(&people()).unwrap();
    let mut table = bed.open("People");
    let c = columns(&mut table);
    let transaction = bed.session.transaction().unwrap();
    for (number, name) in ["Dora", "Abe", "Cid", "Bea", "Abe"].iter().enumerate() {
        insert(&mut table, &c, name, 20 + number as i16);
    }
    assert_eq!(table.current_index().unwrap().unwrap(), "ById");
    assert_eq!(names(&mut table, c.name), ["Dora", "Abe", "Cid", "Bea", "Abe"]);
    table.set_current_index(Some("byname")).unwrap();
    assert_eq!(names(&mut table, c.name), ["Abe", "Abe", "Bea", "Cid", "Dora"]);
    table.set_current_index(Some("ByAge")).unwrap();
    assert_eq!(names(&mut table, c.name), ["Abe", "Bea", "Cid", "Abe", "Dora"], "from old to young");
    assert_eq!(number(table.set_current_index(Some("ByNothing"))), -1404);

    // A unique key that is there already; the row can be mended.
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(c.name, b"bea", SetFlags::empty()).unwrap();
    table.set_column(c.age, &23_i16.to_le_bytes(), SetFlags::empty()).unwrap();
    assert_eq!(number(table.update()), -1605);
    table.set_column(c.age, &24_i16.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(names(&mut table, c.name).len(), 6);

    // Another cursor sees the change of its own session.
    let mut other = table.duplicate().unwrap();
    other.make_key(&3_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    other.seek(SeekFlags::EQUAL).unwrap();
    other.prepare(PrepareKind::Replace).unwrap();
    other.set_column(c.name, b"Zed", SetFlags::empty()).unwrap();
    other.update().unwrap();
    table.set_current_index(Some("ByName")).unwrap();
    assert_eq!(names(&mut table, c.name), ["Abe", "Abe", "Bea", "bea", "Dora", "Zed"]);
    table.move_last().unwrap();
    let (key, bookmark) = table.secondary_bookmark().unwrap();
    assert_eq!(key, b"\x7fZED\0");
    assert_eq!(bookmark, [0x7F, 0x80, 0, 0, 3]);
    other.delete().unwrap();
    assert_eq!(number(table.get(c.name)), -1017);
    assert_eq!(number(table.goto_secondary_bookmark(&key, &bookmark, true)), -1017);
    table.move_previous().unwrap();
    assert_eq!(table.get(c.name).unwrap().unwrap(), b"Dora");
    transaction.commit(CommitMode::Lazy).unwrap();

    // Multi-valued: an entry for each value.
    let transaction = bed.session.transaction().unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    for phone in [&b"2"[..], b"1", b"2"] {
        let add = SetOptions { instance: 0, ..SetOptions::default() };
        table.set_column(c.phone, phone, add).unwrap();
    }
    let unique = SetOptions { instance: 0, flags: SetFlags::UNIQUE_VALUES, ..SetOptions::default() };
    assert_eq!(number(table.set_column(c.phone, b"1", unique)), -1525);
    table.update().unwrap();
    table.set_current_index(Some("ByPhone")).unwrap();
    let mut found = Vec::new();
    let mut there = table.move_first().is_ok();
    while there {
        let mut value = [0; 8];
        let from_index = RetrieveFlags::FROM_INDEX | RetrieveFlags::INSTANCE;
        let read = table.retrieve_column(c.phone, &mut value, from_index).unwrap();
        found.push((value[0], read.instance));
        there = table.move_next().is_ok();
    }
    assert_eq!(found, [(b'1', 2), (b'2', 1)]);
    table.move_first().unwrap();
    table.set_current_index_no_move(None, 1).unwrap();
    assert_eq!(table.get(c.name).unwrap().unwrap(), b"Dora");
    table.set_current_index_no_move(Some("ByPhone"), 1).unwrap();
    assert_eq!(table.current_key().unwrap(), b"\x7f2\0");
    table.set_current_index_no_move(Some("ByName"), 2).unwrap();
    table.set_current_index_no_move(Some("ByPhone"), 1).unwrap();
    assert_eq!(number(table.set_current_index_no_move(Some("ByPhone"), 9)), -1518);
    transaction.rollback().unwrap();
    table.set_current_index(Some("ByPhone")).unwrap();
    assert_eq!(number(table.move_first()), -1603);
    drop((table, other));
    bed.finish();
}

#[test]
fn copies_and_conflicts() {
    let bed = Bed::new(8192);
    bed.database.create_table(&people()).unwrap();
    let mut table = bed.open("People");
    let c = columns(&mut table);
    let first = insert(&mut table, &c, "Ada", 1);
    table.goto_bookmark(&first).unwrap();
    let copying = bed.session.transaction().unwrap();
    table.prepare(PrepareKind::InsertCopy).unwrap();
    table.set_column(c.age, &2_i16.to_le_bytes(), SetFlags::empty()).unwrap();
    let second = table.update().unwrap();
    copying.commit(CommitMode::Lazy).unwrap();
    assert_eq!(second, [0x7F, 0x80, 0, 0, 2]);
    table.prepare(PrepareKind::InsertCopyDeleteOriginal).unwrap();
    assert_eq!(number(table.delete()), -1607);
    let third = table.update().unwrap();
    assert_eq!(number(table.goto_bookmark(&first)), -1017);
    table.goto_bookmark(&third).unwrap();
    assert_eq!(table.get(c.name).unwrap().unwrap(), b"Ada");
    table.prepare(PrepareKind::InsertCopyReplaceOriginal).unwrap();
    table.set_column(c.name, b"Eve", SetFlags::empty()).unwrap();
    assert_eq!(table.update().unwrap(), third, "the same number");
    table.goto_bookmark(&third).unwrap();
    assert_eq!(table.get(c.name).unwrap().unwrap(), b"Eve");
    assert_eq!(number(table.prepare(PrepareKind::ReadOnlyCopy)), -1054);
    assert_eq!(number(table.cancel_update()), -1609);
    assert_eq!(PrepareKind::from_number(7), Some(PrepareKind::InsertCopyDeleteOriginal));
    assert_eq!(number(table.update_with(UpdateFlags::empty())), -1609);

    // Two sessions: who changes first, wins.
    let other = bed.instance.begin_session().unwrap();
    let other_database = other.open_database(table_bed::DATABASE.as_ref()).unwrap();
    let mut theirs = other_database.open_table("People", TableMode::empty()).unwrap();
    let my = bed.session.transaction().unwrap();
    let their = other.transaction().unwrap();
    theirs.goto_bookmark(&third).unwrap();
    table.goto_bookmark(&third).unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    assert_eq!(number(theirs.prepare(PrepareKind::Replace)), -1102);
    theirs.prepare(PrepareKind::ReplaceNoLock).unwrap();
    theirs.set_column(c.name, b"Theirs", SetFlags::empty()).unwrap();
    assert_eq!(number(theirs.update()), -1102);
    assert_eq!(number(theirs.delete()), -1102);
    table.set_column(c.name, b"Mine", SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(theirs.get(c.name).unwrap().unwrap(), b"Eve");
    my.commit(CommitMode::Lazy).unwrap();
    assert_eq!(theirs.get(c.name).unwrap().unwrap(), b"Eve", "their snapshot");
    assert_eq!(number(theirs.lock_for_write()), -1102);
    their.rollback().unwrap();
    // The cursor stays where a bookmark has brought it, in whatever transaction.
    assert_eq!(theirs.get(c.name).unwrap().unwrap(), b"Mine");

    // Outside transactions a row that was changed meanwhile is a conflict, too.
    theirs.prepare(PrepareKind::Replace).unwrap();
    theirs.set_column(c.name, b"Late", SetFlags::empty()).unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(c.name, b"Early", SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(number(theirs.update()), -1102);
    theirs.cancel_update().unwrap();
    assert_eq!(number(theirs.lock_for_write()), -1054);
    other.begin_read_only().unwrap();
    assert_eq!(number(theirs.prepare(PrepareKind::Insert)), -1110);
    other.rollback().unwrap();
    let mut reading = other_database.open_table("People", TableMode::READ_ONLY).unwrap();
    assert_eq!(number(reading.prepare(PrepareKind::Insert)), -1809);
    drop((theirs, reading, other_database));
    other.end().unwrap();
    drop(table);
    bed.finish();
}

#[test]
fn columns_set_in_one_call() {
    let bed = Bed::new(4096);
    bed.database.create_table(&people()).unwrap();
    let mut table = bed.open("People");
    let c = columns(&mut table);
    let age = 36_i16.to_le_bytes();
    let mut columns = [ColumnWrite::new(c.name, b"Ada"), ColumnWrite::new(c.age, &age)];
    assert_eq!(number(table.set_columns(&mut columns)), -1609, "no row is prepared");
    table.prepare(PrepareKind::Insert).unwrap();
    let mut phones = [
        ColumnWrite::new(c.phone, b"1"),
        ColumnWrite::new(c.phone, b"2"),
        ColumnWrite::new(c.town, &[b'x'; 25]),
    ];
    phones[1].options.instance = 0;
    assert_eq!(table.set_columns(&mut phones).unwrap(), TableStatus::ColumnMaxTruncated);
    assert_eq!(
        phones.map(|phone| phone.status),
        [TableStatus::Done, TableStatus::Done, TableStatus::ColumnMaxTruncated]
    );
    assert_eq!(table.set_columns(&mut columns).unwrap(), TableStatus::Done);
    // The first that fails ends it; what was set before stays.
    let mut half = [
        ColumnWrite::new(c.age, &[1, 0]),
        ColumnWrite::new(c.id, &[1, 0, 0, 0]),
        ColumnWrite::new(c.name, b"Bob"),
    ];
    assert_eq!(number(table.set_columns(&mut half)), -1511);
    table.update().unwrap();
    table.move_first().unwrap();
    assert_eq!(table.get(c.name).unwrap().unwrap(), b"Ada");
    assert_eq!(table.get(c.age).unwrap().unwrap(), [1, 0]);
    assert_eq!(table.get(c.town).unwrap().unwrap(), [b'x'; 20]);
    let second = RetrieveOptions { instance: 2, ..RetrieveOptions::default() };
    assert_eq!(table.get_with(c.phone, second).unwrap().unwrap(), b"2");
    drop(table);
    bed.finish();
}

#[test]
fn columns_enumerated() {
    let bed = Bed::new(4096);
    bed.database.create_table(&people()).unwrap();
    let mut table = bed.open("People");
    let c = columns(&mut table);
    insert(&mut table, &c, "Ada", 1);
    table.move_first().unwrap();
    let all = table.enumerate_columns(&[], 0, EnumerateFlags::COMPRESS_OUTPUT).unwrap();
    let seen: Vec<_> = all.iter().map(|column| (column.column, column.status.0)).collect();
    let expected = [
        (c.id, 1536),
        (c.age, 1536),
        (c.level, 1536),
        (c.alive, 1004),
        (c.changes, 1536),
        (c.visits, 1536),
        (c.name, 1536),
        (c.town, 1536),
        (c.code, 1536),
    ];
    assert_eq!(seen, expected);
    assert_eq!(all[6].values[0].data, b"Ada");
    let tagged = table.enumerate_columns(&[], 0, EnumerateFlags::TAGGED_ONLY).unwrap();
    assert_eq!(tagged.len(), 1);
    let wanted = |column, instances: &[u32]| EnumerateColumn { column, instances: instances.to_vec() };
    let list = [
        wanted(0, &[]),
        wanted(c.phone, &[]),
        wanted(c.name, &[0, 1, 2]),
        wanted(77, &[]),
        wanted(c.code, &[]),
    ];
    let some = table.enumerate_columns(&list, 0, EnumerateFlags::IGNORE_DEFAULT).unwrap();
    let seen: Vec<_> = some.iter().map(|column| column.status.0).collect();
    assert_eq!(seen, [1531, 1537, 0, -1507, 1537]);
    let values: Vec<_> = some[2].values.iter().map(|value| (value.instance, value.status.0)).collect();
    assert_eq!(values, [(0, 1531), (1, 0), (2, 1004)]);
    assert_eq!(number(table.enumerate_columns(&list, 0, EnumerateFlags::TAGGED_ONLY)), -900);
    drop(table);
    bed.finish();
}

#[test]
fn an_index_of_the_version_column_follows_it() {
    let bed = Bed::new(8192);
    let people = people().index(IndexSpec::new("ByChanges").descending("Changes").ascending("Id"));
    bed.database.create_table(&people).unwrap();
    let mut table = bed.open("People");
    let c = columns(&mut table);
    bed.session.begin().unwrap();
    for name in ["Ada", "Bob"] {
        insert(&mut table, &c, name, 20);
    }
    table.move_first().unwrap();
    for age in 30_i16..33 {
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(c.age, &age.to_le_bytes(), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(CommitMode::Durable).unwrap();
    table.set_current_index(Some("ByChanges")).unwrap();
    table.move_first().unwrap();
    assert_eq!(table.get(c.name).unwrap().as_deref(), Some(&b"Ada"[..]));
    drop(table);
    bed.finish();
}

/// Rows that arrive in order in front of an older one fill their pages: the older one is moved away once.
#[test]
fn rows_in_front_of_an_older_one_fill_their_pages() {
    const ROWS: i32 = 3000;
    let bed = Bed::new(4096);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Data", ColumnKind::BINARY, 255))
        .index(IndexSpec::new("ById").ascending("Id").primary());
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let (id, data) = (table.column_id("Id").unwrap(), table.column_id("Data").unwrap());
    let splits = bed.instance.counters().splits;
    for key in [i32::MAX].into_iter().chain(0..ROWS) {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(id, &key.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(data, &[7; 100], SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    // 30 rows and more in a page; half as many when each split leaves two halves.
    let splits = bed.instance.counters().splits - splits;
    assert!((80..=110).contains(&splits), "{splits}");
    drop(table);
    bed.crash().finish();
}
