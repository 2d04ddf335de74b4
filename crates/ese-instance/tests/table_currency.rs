//! Where cursors stand after rollbacks, failed ranges and changes of the current index; locks; what preparations survive.
//!
//! The numbers are what the original engine answers to the same calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnRead, ColumnSpec, CommitMode, FilterOperator, IndexRange, IndexSpec, KeyColumn, PrepareKind,
    PrereadFlags, RangeFlags, RecordSize, RecordSizeFlags, RetrieveFlags, SeekFlags, SetFlags, SetOptions,
    Table, TableMode, TableSpec, TableStatus, TaggedColumnCount,
};
use table_bed::{Bed, DATABASE, number};

const ID: u32 = 1;
const N: u32 = 2;
const LONG: u32 = 256;
const MANY: u32 = 257;

/// Rows 1 to 4: N is 1, 1, 3, null; the second has two values in Many.
fn bed() -> (Bed, Table) {
    let bed = Bed::new(8192);
    bed.database
        .create_table(
            &TableSpec::new("T")
                .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
                .column(ColumnSpec::fixed("N", ColumnKind::LONG))
                .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
                .column(ColumnSpec::tagged("Many", ColumnKind::LONG).multi_valued())
                .index(IndexSpec::new("ById").ascending("Id").primary())
                .index(IndexSpec::new("ByN").ascending("N"))
                .index(IndexSpec::new("ByMany").ascending("Many")),
        )
        .unwrap();
    let mut table = bed.open("T");
    for (id, n) in [(1_i32, Some(1_i32)), (2, Some(1)), (3, Some(3)), (4, None)] {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        if let Some(n) = n {
            table.set_column(N, &n.to_le_bytes(), SetFlags::empty()).unwrap();
        }
        if id == 2 {
            for (instance, value) in [(1, 5_i32), (2, 6)] {
                let options = SetOptions { instance, ..SetOptions::default() };
                table.set_column(MANY, &value.to_le_bytes(), options).unwrap();
            }
        }
        table.update().unwrap();
    }
    (bed, table)
}

fn id(table: &mut Table) -> i32 {
    // Big-endian, with the sign turned round.
    i32::from_be_bytes(table.bookmark().unwrap()[1..].try_into().unwrap()) ^ i32::MIN
}

fn key(table: &mut Table, value: i32) {
    table.make_key(&value.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
}

#[test]
fn a_rollback_takes_places_and_preparations_with_it() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    // Went there before: stays.
    bed.session.begin().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(id(&mut table), 1);
    // Went there in it: before the first.
    bed.session.begin().unwrap();
    table.move_next().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(number(table.bookmark()), -1603);
    table.move_next().unwrap();
    assert_eq!(id(&mut table), 1);
    // In an inner one that was committed: belongs to the outer one.
    bed.session.begin().unwrap();
    bed.session.begin().unwrap();
    table.move_next().unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
    assert_eq!(id(&mut table), 2);
    bed.session.rollback().unwrap();
    assert_eq!(number(table.bookmark()), -1603);
    // Along a secondary index the entry is lost, and not the row.
    table.set_current_index(Some("ByN")).unwrap();
    table.move_first().unwrap();
    bed.session.begin().unwrap();
    table.move_next().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(id(&mut table), 1);
    assert_eq!(number(table.secondary_bookmark()), -1603);
    assert_eq!(number(table.current_key()), -1603);
    table.move_next().unwrap();
    assert_eq!(id(&mut table), 4);
    // What was prepared in it is given up; what was prepared around it is not.
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(ID, &9_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    bed.session.begin().unwrap();
    table.set_column(N, &9_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    bed.session.rollback().unwrap();
    let mut value = [0; 4];
    let read = table.retrieve_column(ID, &mut value, RetrieveFlags::COPY).unwrap();
    assert_eq!((read.length, value), (4, 9_i32.to_le_bytes()));
    bed.session.rollback().unwrap();
    assert_eq!(number(table.update()), -1609);
    table.prepare(PrepareKind::Insert).unwrap();
    table.close().unwrap();
    bed.finish();
}

#[test]
fn indexes_that_are_not_there_and_values_that_are_not() {
    let (bed, mut table) = bed();
    // The first row that nobody has looked at is no place to stay at.
    assert_eq!(number(table.bookmark()), -1603);
    assert_eq!(number(table.set_current_index_no_move(Some("ByN"), 1)), -1603);
    table.set_current_index(None).unwrap();
    table.move_first().unwrap();
    assert_eq!(number(table.set_current_index(Some("Nope"))), -1404);
    assert_eq!(id(&mut table), 1, "the order of the rows stays");
    table.set_current_index(Some("ByN")).unwrap();
    assert_eq!(number(table.set_current_index(Some("Nope"))), -1404);
    assert_eq!(table.current_index().unwrap().as_deref(), Some("ById"), "any other does not");
    assert_eq!(number(table.bookmark()), -1603);
    table.move_first().unwrap();
    table.move_next().unwrap();
    // Numbers of values count where there can be several.
    table.set_current_index_no_move(Some("ByN"), 7).unwrap();
    assert_eq!(id(&mut table), 2);
    table.set_current_index_no_move(Some("ByMany"), 2).unwrap();
    assert_eq!(table.current_key().unwrap(), [0x7F, 0x80, 0, 0, 6]);
    table.set_current_index_no_move(None, 1).unwrap();
    assert_eq!(number(table.set_current_index_no_move(Some("ByMany"), 3)), -1518);
    assert_eq!(number(table.secondary_bookmark()), -1603);
    assert_eq!(id(&mut table), 2);
    drop(table);
    bed.finish();
}

#[test]
fn ranges_that_fail() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    key(&mut table, 3);
    let below = RangeFlags::INCLUSIVE;
    assert_eq!(number(table.set_index_range(below | RangeFlags::INSTANT_DURATION)), -1603);
    assert_eq!(number(table.bookmark()), -1603);
    table.move_next().unwrap();
    assert_eq!(id(&mut table), 1);
    // A place where a row would be is in a range, or not, as a row there.
    key(&mut table, 9);
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
    key(&mut table, 10);
    assert_eq!(number(table.set_index_range(RangeFlags::INCLUSIVE | RangeFlags::UPPER_LIMIT)), 0);
    table.move_previous().unwrap();
    assert_eq!(id(&mut table), 4);
    key(&mut table, 0);
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
    key(&mut table, 1);
    assert_eq!(number(table.set_index_range(RangeFlags::INCLUSIVE)), -1603);
    table.move_last().unwrap();
    assert_eq!(id(&mut table), 4);
    // The same index again: the range stays, unless the row does.
    table.set_current_index(Some("ByN")).unwrap();
    let set = |table: &mut Table| {
        table.move_first().unwrap();
        key(table, 1);
        table.set_index_range(RangeFlags::INCLUSIVE | RangeFlags::UPPER_LIMIT).unwrap();
    };
    set(&mut table);
    table.set_current_index(Some("ByN")).unwrap();
    table.move_by(2, false).unwrap();
    assert_eq!(number(table.move_next()), -1603);
    set(&mut table);
    table.set_current_index_no_move(Some("ByN"), 1).unwrap();
    table.move_by(3, false).unwrap();
    assert_eq!(id(&mut table), 3);
    drop(table);
    bed.finish();
}

#[test]
fn locks_of_readers_and_writers() {
    let (bed, mut mine) = bed();
    let other = bed.instance.begin_session().unwrap();
    let other_database = other.open_database(DATABASE.as_ref()).unwrap();
    let mut theirs = other_database.open_table("T", TableMode::empty()).unwrap();
    for table in [&mut mine, &mut theirs] {
        table.move_first().unwrap();
    }
    assert_eq!(number(mine.lock_for_read()), -1054);
    bed.session.begin().unwrap();
    other.begin().unwrap();
    mine.lock_for_read().unwrap();
    theirs.lock_for_read().unwrap();
    assert_eq!(number(mine.lock_for_write()), -1102);
    assert_eq!(number(mine.delete()), -1102);
    other.rollback().unwrap();
    mine.lock_for_write().unwrap();
    other.begin().unwrap();
    assert_eq!(number(theirs.lock_for_read()), -1102);
    other.rollback().unwrap();
    // To take a row away one must be able to lock it, in a transaction or not.
    assert_eq!(number(theirs.prepare(PrepareKind::InsertCopyDeleteOriginal)), -1102);
    bed.session.rollback().unwrap();
    // Nobody has a row that is gone.
    bed.session.begin().unwrap();
    mine.delete().unwrap();
    mine.lock_for_write().unwrap();
    mine.lock_for_read().unwrap();
    assert_eq!(number(mine.prepare(PrepareKind::Replace)), -1017);
    bed.session.rollback().unwrap();
    drop((mine, theirs, other_database));
    other.end().unwrap();
    bed.finish();
}

#[test]
fn long_values_are_changed_where_they_are() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    let old: Vec<u8> = (0..20_000_u32).map(|n| (n / 7) as u8).collect();
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(LONG, &old, SetFlags::empty()).unwrap();
    table.update().unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
    let mut long_id = [0; 8];
    let read = |table: &mut Table, id: &mut [u8; 8]| {
        table.retrieve_column(LONG, id, RetrieveFlags::LONG_ID).unwrap().status
    };
    assert_eq!(read(&mut table, &mut long_id), TableStatus::SeparateLongValue);
    // Every way, given up again.
    let at = |flags, offset, size| SetOptions { flags, instance: 1, offset, size };
    let ways: [(&[u8], SetOptions, Vec<u8>); 5] = [
        (b"tail", at(SetFlags::APPEND, 0, None), [&old[..], b"tail"].concat()),
        (b"!!!", at(SetFlags::OVERWRITE, 8109, None), {
            let mut new = old.clone();
            new[8109..8112].copy_from_slice(b"!!!");
            new
        }),
        (b"cut", at(SetFlags::OVERWRITE | SetFlags::SIZE, 9000, None), [&old[..9000], b"cut"].concat()),
        (&[], at(SetFlags::SIZE, 0, Some(100)), old[..100].to_vec()),
        (&[], at(SetFlags::SIZE, 0, Some(40_000)), [&old[..], &vec![0; 20_000]].concat()),
    ];
    bed.session.begin().unwrap();
    for (data, options, new) in &ways {
        table.prepare(PrepareKind::Replace).unwrap();
        assert_eq!(table.set_column(LONG, data, *options).unwrap(), TableStatus::Done);
        assert_eq!(table.get_with(LONG, RetrieveFlags::COPY).unwrap().as_ref(), Some(new), "{options:?}");
        assert_eq!(table.get(LONG).unwrap().as_ref(), Some(&old), "the row itself {options:?}");
        table.cancel_update().unwrap();
        assert_eq!(table.get(LONG).unwrap().as_ref(), Some(&old), "given up {options:?}");
    }
    // Every way, one after the other, and kept; the value is the same one still.
    for (data, options, _) in &ways {
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(LONG, data, *options).unwrap();
        table.update().unwrap();
    }
    let mut now = [0; 8];
    assert_eq!(read(&mut table, &mut now), TableStatus::SeparateLongValue);
    assert_eq!(now, long_id);
    let mut wanted = old[..100].to_vec();
    wanted.resize(40_000, 0);
    assert_eq!(table.get(LONG).unwrap(), Some(wanted));
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    assert_eq!(table.get(LONG).unwrap().as_ref(), Some(&old));
    // A row that is copied shares its value until one of them changes it.
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::InsertCopy).unwrap();
    table.set_column(ID, &77_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    let references = |table: &mut Table| {
        let mut count = [0; 4];
        table.retrieve_column(LONG, &mut count, RetrieveFlags::REFERENCE_COUNT).unwrap();
        u32::from_le_bytes(count)
    };
    assert_eq!(references(&mut table), 2);
    table.prepare(PrepareKind::Replace).unwrap();
    assert_eq!(table.set_column(LONG, b"x", SetFlags::APPEND).unwrap(), TableStatus::Done);
    table.update().unwrap();
    assert_eq!((references(&mut table), table.get(LONG).unwrap().unwrap().len()), (1, 20_001));
    key(&mut table, 77);
    table.seek(SeekFlags::EQUAL).unwrap();
    assert_eq!((references(&mut table), table.get(LONG).unwrap().unwrap().len()), (1, 20_000));
    bed.session.commit(CommitMode::Lazy).unwrap();
    drop(table);
    bed.finish();
}

#[test]
fn sizes_of_rows_and_room_in_them() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    let measure = |table: &mut Table, flags| {
        let mut size = RecordSize::default();
        table.record_size(flags, &mut size).unwrap();
        size
    };
    // Tag 4, length of the key 2, header 4, key 5, one byte of nulls.
    let size = measure(&mut table, RecordSizeFlags::empty());
    assert_eq!((size.data, size.overhead, size.key, size.non_tagged_columns), (8, 16, 5, 2));
    assert_eq!(size, measure(&mut table, RecordSizeFlags::COPY), "nothing is being prepared");
    table.prepare(PrepareKind::Insert).unwrap();
    let size = measure(&mut table, RecordSizeFlags::COPY);
    assert_eq!((size.data, size.overhead, size.key), (0, 10, 0));
    let room = |table: &mut Table, column| {
        let mut room = [0; 4];
        table.retrieve_column(column, &mut room, RetrieveFlags::INTRINSIC_ROOM).unwrap();
        u32::from_le_bytes(room)
    };
    assert_eq!((room(&mut table, ID), room(&mut table, MANY), room(&mut table, LONG)), (4, 7879, 7878));
    table.cancel_update().unwrap();
    let mut out = [0; 4];
    assert_eq!(number(table.retrieve_column(ID, &mut out, RetrieveFlags::INTRINSIC_ROOM)), -1609);
    // Value 0 is no value.
    let none = ese_instance::RetrieveOptions { instance: 0, ..Default::default() };
    assert_eq!(number(table.retrieve_column(MANY, &mut out, none)), -1518);
    assert_eq!(table.retrieve_column(ID, &mut out, none).unwrap().length, 4);
    drop(table);
    bed.finish();
}

#[test]
fn rows_go_when_their_counter_is_zero() {
    let bed = Bed::new(4096);
    bed.database
        .create_table(
            &TableSpec::new("C")
                .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
                .column(
                    ColumnSpec::fixed("Refs", ColumnKind::LONG)
                        .escrow_update()
                        .delete_on_zero()
                        .default_value(2),
                )
                .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
                .index(IndexSpec::new("ById").ascending("Id").primary()),
        )
        .unwrap();
    let mut table = bed.open("C");
    let minus = (-1_i32).to_le_bytes();
    bed.session.begin().unwrap();
    for id in [1_i32, 2] {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(LONG, &[7; 5000], SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(CommitMode::Lazy).unwrap();
    table.move_first().unwrap();
    // One that comes back before the end stays, and so does one whose transaction is rolled back.
    bed.session.begin().unwrap();
    assert_eq!(table.escrow_update(2, &minus).unwrap(), 2);
    assert_eq!(table.escrow_update(2, &minus).unwrap(), 1);
    assert_eq!(table.escrow_update(2, &1_i32.to_le_bytes()).unwrap(), 0);
    bed.session.commit(CommitMode::Lazy).unwrap();
    bed.session.begin().unwrap();
    assert_eq!(table.escrow_update(2, &minus).unwrap(), 1);
    bed.session.rollback().unwrap();
    assert_eq!(table.get(2).unwrap().unwrap(), 1_i32.to_le_bytes());
    // The place to read a counter to has its size.
    assert_eq!(number(table.retrieve_column(2, &mut [0; 3], RetrieveFlags::empty())), -1047);
    bed.session.begin().unwrap();
    assert_eq!(table.escrow_update(2, &minus).unwrap(), 1);
    bed.session.commit(CommitMode::Lazy).unwrap();
    assert_eq!(number(table.get(2)), -1017);
    table.move_next().unwrap();
    assert_eq!(table.get(2).unwrap().unwrap(), 2_i32.to_le_bytes());
    assert_eq!(number(table.move_previous()), -1603);
    drop(table);
    bed.finish();
}

#[test]
fn default_values_that_change() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    bed.database.add_column("T", &ColumnSpec::fixed("Late", ColumnKind::LONG).default_value(9)).unwrap();
    bed.database.add_column("T", &ColumnSpec::variable("Short", ColumnKind::BINARY, 3)).unwrap();
    let late = table.column_id("Late").unwrap();
    let short = table.column_id("Short").unwrap();
    assert_eq!(table.get(late).unwrap().unwrap(), 9_i32.to_le_bytes());
    let set = |column: &str, value: &[u8]| {
        bed.database.set_column_default("T", column, value).err().map_or(0, |error| error.jet_error().0)
    };
    assert_eq!(set("Late", &5_i32.to_le_bytes()), 0);
    assert_eq!(
        table.get(late).unwrap().unwrap(),
        5_i32.to_le_bytes(),
        "rows without the column have the new one"
    );
    assert_eq!(set("Short", b"abc"), 0);
    assert_eq!(table.get(short).unwrap().unwrap(), b"abc");
    assert_eq!(set("Short", b"abcd"), -1524);
    assert_eq!(set("Late", b"x"), -1047);
    assert_eq!(set("Late", b""), -1504);
    assert_eq!(set("N", &5_i32.to_le_bytes()), -1046, "an index needs it");
    assert_eq!(set("Nope", b"x"), -1507);
    let missing = bed.database.set_column_default("Nope", "N", b"x").unwrap_err();
    assert_eq!(missing.jet_error().0, -1305);
    table.prepare(PrepareKind::Insert).unwrap();
    assert_eq!(table.get_with(late, RetrieveFlags::COPY).unwrap().unwrap(), 5_i32.to_le_bytes());
    table.cancel_update().unwrap();
    drop(table);
    bed.finish();
}

#[test]
fn what_is_known_of_a_row() {
    let (bed, mut table) = bed();
    assert_eq!(number(table.check_not_being_changed()), -1603);
    table.move_first().unwrap();
    table.check_not_being_changed().unwrap();
    let other = bed.instance.begin_session().unwrap();
    let other_database = other.open_database(DATABASE.as_ref()).unwrap();
    let mut theirs = other_database.open_table("T", TableMode::empty()).unwrap();
    theirs.move_first().unwrap();
    other.begin().unwrap();
    theirs.lock_for_write().unwrap();
    theirs.check_not_being_changed().unwrap();
    assert_eq!(number(table.check_not_being_changed()), -1102);
    other.rollback().unwrap();
    table.check_not_being_changed().unwrap();
    drop((theirs, other_database));
    other.end().unwrap();

    assert!(table.tagged_columns(0, RetrieveFlags::empty()).unwrap().is_empty());
    table.move_next().unwrap();
    let list = table.tagged_columns(0, RetrieveFlags::empty()).unwrap();
    assert_eq!(list, [TaggedColumnCount { column: MANY, values: 2 }]);
    assert_eq!(table.tagged_columns(MANY, RetrieveFlags::empty()).unwrap().len(), 1);
    assert!(table.tagged_columns(MANY + 1, RetrieveFlags::empty()).unwrap().is_empty());
    assert_eq!(number(table.set_encryption_key(b"key")), -1001);
    drop(table);
    bed.finish();
}

#[test]
fn ranges_to_read_ahead() {
    let (bed, mut table) = bed();
    let bytes: Vec<[u8; 4]> = (0..5_i32).map(i32::to_le_bytes).collect();
    let equal = |n: usize| KeyColumn { operator: FilterOperator::Equal, value: Some(&bytes[n][..]) };
    let range = |start: usize, end: usize| IndexRange { start: vec![equal(start)], end: vec![equal(end)] };
    let forward = PrereadFlags::FORWARD;
    assert_eq!(table.preread_index_ranges(&[range(1, 2), range(3, 4)], &[LONG], forward).unwrap(), 2);
    assert_eq!(
        table.preread_index_ranges(&[range(4, 3), range(2, 1)], &[], PrereadFlags::BACKWARD).unwrap(),
        2
    );
    let one = IndexRange { start: vec![equal(2)], end: Vec::new() };
    assert_eq!(table.preread_index_ranges(std::slice::from_ref(&one), &[], forward).unwrap(), 1);
    let mut refused = |ranges: &[IndexRange<'_>], columns: &[u32], flags| {
        number(table.preread_index_ranges(ranges, columns, flags))
    };
    assert_eq!(refused(&[], &[], forward), -1003);
    assert_eq!(refused(&[range(2, 1)], &[], forward), -1003);
    assert_eq!(refused(&[range(3, 4), range(1, 2)], &[], forward), -1003);
    assert_eq!(refused(&[range(1, 2)], &[], PrereadFlags::empty()), -900);
    assert_eq!(refused(&[range(1, 2)], &[ID], forward), -423);
    let less =
        IndexRange { start: vec![KeyColumn { operator: FilterOperator::Less, ..equal(1) }], end: vec![] };
    assert_eq!(refused(&[less], &[], forward), -1003);
    table.set_current_index(Some("ByN")).unwrap();
    assert_eq!(number(table.preread_index_ranges(&[range(1, 2)], &[LONG], forward)), -424);
    drop(table);
    bed.finish();
}

/// What a column's value in the key of the current entry is.
fn from_index(table: &mut Table, column: u32, flags: RetrieveFlags) -> (i32, Vec<u8>) {
    let mut value = [0; 8];
    match table.retrieve_column(column, &mut value, flags) {
        Ok(read) => (read.status.jet_error().0, value[..read.length].to_vec()),
        Err(error) => (error.jet_error().0, Vec::new()),
    }
}

#[test]
fn keys_have_values_that_rows_have_not_any_more() {
    let (bed, mut table) = bed();
    table.set_current_index(Some("ByN")).unwrap();
    let from_key = RetrieveFlags::FROM_INDEX;
    assert_eq!(from_index(&mut table, N, from_key), (1004, vec![]), "the first entry is that of a null");
    key(&mut table, 3);
    table.seek(SeekFlags::EQUAL).unwrap();
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(N, &8_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.update().unwrap();
    assert_eq!(from_index(&mut table, N, RetrieveFlags::empty()), (0, 8_i32.to_le_bytes().to_vec()));
    assert_eq!(from_index(&mut table, N, from_key), (0, 3_i32.to_le_bytes().to_vec()));
    let bookmark = RetrieveFlags::FROM_PRIMARY_BOOKMARK;
    assert_eq!(from_index(&mut table, ID, bookmark), (0, 3_i32.to_le_bytes().to_vec()));
    assert_eq!(from_index(&mut table, ID, from_key).0, -1507);
    assert_eq!(from_index(&mut table, N, bookmark).0, -1507);
    assert_eq!(number(table.current_key()), -1017, "the entry went with the change");
    table.delete().unwrap();
    assert_eq!(from_index(&mut table, N, from_key), (0, 3_i32.to_le_bytes().to_vec()));
    assert_eq!(from_index(&mut table, ID, bookmark), (0, 3_i32.to_le_bytes().to_vec()));
    assert_eq!(from_index(&mut table, N, RetrieveFlags::empty()).0, -1017);
    bed.session.rollback().unwrap();
    table.close().unwrap();
    bed.finish();
}

#[test]
fn several_columns_at_once() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    table.move_next().unwrap();
    let (mut a, mut b, mut c) = ([0; 4], [0; 2], []);
    let mut columns =
        [ColumnRead::new(ID, &mut a), ColumnRead::new(N, &mut b), ColumnRead::new(MANY, &mut c)];
    columns[2].instance = 0;
    assert_eq!(table.retrieve_columns(&mut columns).unwrap(), TableStatus::Truncated);
    let told = columns.each_ref().map(|column| (column.status, column.length, column.instance, column.found));
    assert_eq!(
        told,
        [(TableStatus::Done, 4, 1, ID), (TableStatus::Truncated, 4, 1, N), (TableStatus::Done, 0, 2, MANY)]
    );
    assert_eq!((a, b), ([2, 0, 0, 0], [1, 0]));
    // Where there is no row, that is what is wrong, and not the column.
    assert_eq!(number(table.move_by(-9, false)), -1603);
    let unknown = &mut [ColumnRead::new(99, &mut a)];
    assert_eq!(number(table.retrieve_columns(unknown)), -1603);
    table.move_first().unwrap();
    assert_eq!(number(table.retrieve_columns(&mut [ColumnRead::new(99, &mut a)])), -1507);
    table.close().unwrap();
    bed.finish();
}

#[test]
fn a_range_goes_with_the_search_key() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    key(&mut table, 2);
    table.set_index_range(RangeFlags::INCLUSIVE | RangeFlags::UPPER_LIMIT).unwrap();
    // The limit is the key as it is made anew.
    key(&mut table, 3);
    table.move_by(2, false).unwrap();
    assert_eq!(number(table.move_next()), -1603);
    // Another index has a key of its own, in the place of this one.
    table.move_first().unwrap();
    assert_eq!(table.search_key().unwrap(), [0x7F, 0x80, 0, 0, 3]);
    table.set_current_index(Some("ByN")).unwrap();
    assert_eq!(number(table.search_key()), -1608);
    key(&mut table, 7);
    table.set_current_index(None).unwrap();
    assert_eq!(table.search_key().unwrap(), [0x7F, 0x80, 0, 0, 7]);
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1608);
    table.close().unwrap();
    bed.finish();
}

#[test]
fn what_needs_a_transaction_whatever_the_row_has() {
    let (bed, mut table) = bed();
    table.move_first().unwrap();
    assert_eq!(number(table.prepare(PrepareKind::InsertCopy)), -1054);
    assert_eq!(number(table.update()), -1609, "nothing is prepared");
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::InsertCopy).unwrap();
    table.cancel_update().unwrap();
    // A size without data is a size all the same.
    table.prepare(PrepareKind::Replace).unwrap();
    let size = |size| SetOptions { flags: SetFlags::SIZE, size: Some(size), ..SetOptions::default() };
    assert_eq!(number(table.set_column(N, &[], size(9))), -1047);
    assert_eq!(number(table.set_column(MANY, &[], size(9))), -1506);
    assert_eq!(number(table.set_column(MANY, &[], size(3))), -1047);
    assert_eq!(number(table.set_column(N, &[], size(0))), 0);
    table.cancel_update().unwrap();
    bed.session.rollback().unwrap();
    table.close().unwrap();
    bed.finish();
}
