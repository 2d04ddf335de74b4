//! Temporary tables: sorts, what they become, and which calls they allow when. The numbers are those that the original
//! engine answers to the same calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::path::Path;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, EnumerateFlags, InstanceError, PrepareKind, RangeFlags, RecordSize, RecordSizeFlags,
    RetrieveFlags, SeekFlags, SetFlags, Table, TableError, TableSpec, TableStatus, TemporaryColumn,
    TemporaryTableFlags as Flags, TemporaryTableSpec,
};
use ese_io::Storage;
use table_bed::{Bed, number};

const TEMPORARY: &str = "/db/tmp.edb";

fn spec(flags: Flags) -> TemporaryTableSpec {
    TemporaryTableSpec {
        columns: vec![TemporaryColumn::key(ColumnKind::LONG), TemporaryColumn::new(ColumnKind::TEXT)],
        flags,
        ..TemporaryTableSpec::default()
    }
}

fn open(bed: &Bed, flags: Flags) -> Table {
    let (table, ids) = bed.session.open_temporary_table(&spec(flags)).unwrap();
    assert_eq!(ids, [1, 128]);
    table
}

fn insert(table: &mut Table, key: i32, text: &str) -> i32 {
    if let Err(error) = table.prepare(PrepareKind::Insert) {
        return error.jet_error().0;
    }
    table.set_column(1, &key.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(128, text.as_bytes(), SetFlags::empty()).unwrap();
    let outcome = number(table.update());
    if outcome != 0 {
        table.cancel_update().unwrap();
    }
    outcome
}

fn fill(table: &mut Table) {
    for (key, text) in [(3, "a1"), (1, "zz"), (1, "aa"), (1, "b"), (3, "A0"), (2, "x")] {
        assert_eq!(insert(table, key, text), 0);
    }
}

fn here(table: &mut Table) -> i32 {
    i32::from_le_bytes(table.get(1).unwrap().unwrap().try_into().unwrap())
}

/// All rows, and what ends them.
fn rows(table: &mut Table) -> (String, i32) {
    let mut rows = String::new();
    let mut outcome = number(table.move_first());
    while outcome == 0 {
        let text = table.get(128).unwrap().unwrap_or_default();
        let (key, text) = (here(table), String::from_utf8(text).unwrap());
        rows += &format!("{key}/{text}/{} ", table.current_key().unwrap().len());
        outcome = number(table.move_next());
    }
    (rows.trim_end().to_owned(), outcome)
}

fn seek(table: &mut Table, key: i32, flags: SeekFlags) -> (i32, i32, i32) {
    let made = number(table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY));
    let sought = table.seek(flags).map_or_else(|e| e.jet_error().0, |status| status.jet_error().0);
    let at = if sought < 0 { -99 } else { here(table) };
    (made, sought, at)
}

/// What an outcome is called by its number; 0 for success, with warnings left out.
fn ok<T>(outcome: Result<T, TableError>) -> i32 {
    number(outcome)
}

#[test]
fn sorts_that_are_only_read() {
    let bed = Bed::new(8192);
    let all = "1/b/5 1/aa/5 1/zz/5 2/x/5 3/A0/5 3/a1/5";
    let some = "1/b/5 2/x/5 3/A0/5";
    for (flags, expected, searched) in [
        (Flags::empty(), some, false),
        (Flags::FORWARD_ONLY, all, false),
        (Flags::FORWARD_ONLY | Flags::UNIQUE, some, false),
        (Flags::UNIQUE, some, false),
        (Flags::SCROLLABLE, some, true),
        (Flags::INDEXED, some, true),
    ] {
        let mut table = open(&bed, flags);
        fill(&mut table);
        assert_eq!(rows(&mut table), (expected.to_owned(), -1603), "{flags:?}");
        let back = if searched { 0 } else { -1312 };
        let front = if searched { -1603 } else { -1312 };
        assert_eq!(number(table.move_previous()), back, "{flags:?}");
        assert_eq!(number(table.move_last()), 0);
        assert_eq!(number(table.move_previous()), back);
        assert_eq!(number(table.move_by(0, false)), 0);
        assert_eq!(number(table.move_first()), 0);
        assert_eq!(number(table.move_previous()), front);
        assert_eq!(number(table.move_by(0, false)), if searched { -1603 } else { 0 });
        let sought: Vec<_> = [
            (2, SeekFlags::EQUAL),
            (0, SeekFlags::GREATER_OR_EQUAL),
            (9, SeekFlags::LESS_OR_EQUAL),
            (9, SeekFlags::LESS),
            (0, SeekFlags::LESS),
            (2, SeekFlags::GREATER),
            (2, SeekFlags::LESS),
        ]
        .into_iter()
        .map(|(key, flags)| seek(&mut table, key, flags))
        .collect();
        if searched {
            // Sorts do not say that the key is another one.
            let expected =
                [(0, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 3), (0, -1601, -99), (0, 0, 3), (0, 0, 1)];
            assert_eq!(sought, expected, "{flags:?}");
        } else {
            assert!(sought.iter().all(|&found| found == (0, -1312, -99)), "{flags:?}: {sought:?}");
        }
        assert_eq!(insert(&mut table, 2, "later"), -1312);
        let count = expected.split(' ').count() as u64;
        assert_eq!(table.sorted_row_count().unwrap(), count);
    }
    bed.finish();
}

#[test]
fn what_becomes_a_table() {
    let bed = Bed::new(8192);
    let keyed = "1/b/5 2/x/5 3/A0/5";
    for (flags, first, last) in [
        (Flags::UPDATABLE | Flags::INDEXED, keyed, "1/b/5 2/x/5 3/A0/5 7/new/5"),
        // Without an index the rows are numbered, and new ones come behind.
        (Flags::UPDATABLE, "1/b/4 2/x/4 3/A0/4", "1/b/4 2/x/4 3/A0/4 2/later/4 7/new/4"),
    ] {
        let mut table = open(&bed, flags);
        fill(&mut table);
        assert_eq!(rows(&mut table), (first.to_owned(), -1603));
        if flags.contains(Flags::INDEXED) {
            assert_eq!(seek(&mut table, 2, SeekFlags::EQUAL), (0, 0, 2));
            assert_eq!(seek(&mut table, 0, SeekFlags::GREATER_OR_EQUAL), (0, 1039, 1));
            assert_eq!(seek(&mut table, 9, SeekFlags::LESS_OR_EQUAL), (0, 1039, 3));
        } else {
            assert_eq!(seek(&mut table, 2, SeekFlags::EQUAL), (-1515, -1608, -99));
        }
        let duplicate = if flags.contains(Flags::INDEXED) { -1605 } else { 0 };
        assert_eq!(insert(&mut table, 2, "later"), duplicate);
        assert_eq!(insert(&mut table, 7, "new"), 0);
        assert_eq!(rows(&mut table), (last.to_owned(), -1603));
    }
    // From the beginning: the first of rows with equal keys stays, the others are refused.
    for flags in [Flags::FORCE_MATERIALIZATION, Flags::FORCE_MATERIALIZATION | Flags::INDEXED] {
        let mut table = open(&bed, flags);
        let outcomes = [(3, "a1"), (1, "zz"), (1, "aa"), (3, "A0"), (2, "x")];
        let outcomes = outcomes.map(|(key, text)| insert(&mut table, key, text));
        assert_eq!(outcomes, [0, 0, -1605, -1605, 0]);
        assert_eq!(rows(&mut table), ("1/zz/5 2/x/5 3/a1/5".to_owned(), -1603));
        table.move_first().unwrap();
        let mut other = table.duplicate().unwrap();
        assert_eq!(here(&mut other), 1);
        other.delete().unwrap();
        assert_eq!(number(table.get(1)), -1017);
        drop(table);
        assert_eq!(rows(&mut other), ("2/x/5 3/a1/5".to_owned(), -1603));
    }
    // Without keys: in the order of insertion.
    let mut unkeyed = spec(Flags::empty());
    unkeyed.columns[0].key = false;
    let (mut table, _) = bed.session.open_temporary_table(&unkeyed).unwrap();
    fill(&mut table);
    assert_eq!(rows(&mut table), ("3/a1/4 1/zz/4 1/aa/4 1/b/4 3/A0/4 2/x/4".to_owned(), -1603));
    table.move_first().unwrap();
    assert_eq!(table.bookmark().unwrap(), [0, 0, 0, 1]);
    assert_eq!(seek(&mut table, 1, SeekFlags::EQUAL), (-1515, -1608, -99));
    bed.finish();
}

/// The outcomes of one call of each kind on a cursor.
fn outcomes(table: &mut Table) -> Vec<(&'static str, i32)> {
    let mut out = vec![
        ("retrieve", ok(table.get(1))),
        ("retrieve copy", ok(table.get_with(1, RetrieveFlags::COPY))),
        ("enumerate", ok(table.enumerate_columns(&[], 100, EnumerateFlags::empty()))),
        ("record size", ok(table.record_size(RecordSizeFlags::empty(), &mut RecordSize::default()))),
    ];
    let bookmark = table.bookmark();
    out.push(("bookmark", bookmark.as_ref().map_or_else(|e| e.jet_error().0, |b| b.len() as i32)));
    out.push(("goto short", ok(table.goto_bookmark(&[1, 2, 3]))));
    out.push(("goto", bookmark.map_or(1, |b| ok(table.goto_bookmark(&b)))));
    out.push(("key", ok(table.current_key())));
    out.push(("search key", ok(table.search_key())));
    out.push(("count", ok(table.count(0))));
    out.push(("position", ok(table.record_position())));
    out.push(("set index", ok(table.set_current_index(None))));
    out.push(("get index", ok(table.current_index())));
    out.push(("information", ok(table.sorted_row_count())));
    out.push(("columns", ok(table.definition())));
    out.push(("lock", ok(table.lock_for_write())));
    out.push(("duplicate", table.duplicate().map_or_else(|e| e.jet_error().0, |mut d| here(&mut d))));
    out.push(("escrow", ok(table.escrow_update(1, &[1, 0, 0, 0]))));
    out.push(("prepare replace", ok(table.prepare(PrepareKind::Replace))));
    out.push(("cancel", ok(table.cancel_update())));
    out.push(("prepare copy", ok(table.prepare(PrepareKind::InsertCopy))));
    out.push(("cancel", ok(table.cancel_update())));
    out.push(("prepare insert", ok(table.prepare(PrepareKind::Insert))));
    out.push(("retrieve copy", ok(table.get_with(1, RetrieveFlags::COPY))));
    out.push(("cancel", ok(table.cancel_update())));
    out.push(("update", ok(table.update())));
    out.push(("delete", ok(table.delete())));
    out.push(("make key", ok(table.make_key(&5_i32.to_le_bytes(), KeyFlags::NEW_KEY))));
    out.push(("range", ok(table.set_index_range(RangeFlags::UPPER_LIMIT))));
    out.push(("remove range", ok(table.set_index_range(RangeFlags::REMOVE))));
    out.push(("preread", ok(table.preread_keys(&[b"12345"], false))));
    out
}

#[test]
fn calls_by_phase() {
    let bed = Bed::new(8192);
    let numbers = |table: &mut Table| {
        bed.session.begin().unwrap();
        let found = outcomes(table);
        bed.session.rollback().unwrap();
        found
    };
    let expect = |found: Vec<(&'static str, i32)>, expected: &[i32], what: &str| {
        let wrong: Vec<_> = found.iter().zip(expected).filter(|((_, f), e)| f != *e).collect();
        assert!(
            wrong.is_empty() && found.len() == expected.len(),
            "{what}: (call, found), expected: {wrong:?}"
        );
    };
    const NO: i32 = -1312;

    let mut table = open(&bed, Flags::empty());
    fill(&mut table);
    #[rustfmt::skip]
    let filling = [
        NO, NO, NO, NO, NO, NO, 1, 0, -1608, NO, NO, NO, NO, NO, NO, NO, NO, -1906,
        -1603, -1609, -1603, -1609, 0, NO, 0, -1609, NO, 0, NO, NO, NO,
    ];
    expect(numbers(&mut table), &filling, "filling");

    table.move_first().unwrap();
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    #[rustfmt::skip]
    let sorted = [
        0, 0, 0, 0, 4, -1045, 0, 0, 0, NO, NO, NO, NO, 0, NO, NO, 1, NO,
        NO, NO, NO, NO, NO, 0, NO, NO, NO, 0, NO, NO, NO,
    ];
    expect(numbers(&mut table), &sorted, "sorted");

    let mut table = open(&bed, Flags::INDEXED);
    fill(&mut table);
    table.move_first().unwrap();
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    #[rustfmt::skip]
    let indexed = [
        0, 0, 0, 0, 4, -1045, 0, 0, 0, NO, NO, NO, NO, 0, NO, NO, 1, NO,
        NO, NO, NO, NO, NO, 0, NO, NO, NO, 0, 0, -1608, NO,
    ];
    expect(numbers(&mut table), &indexed, "indexed");

    let mut table = open(&bed, Flags::INDEXED | Flags::UPDATABLE);
    fill(&mut table);
    table.move_first().unwrap();
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    #[rustfmt::skip]
    let updatable = [
        0, 0, 0, 0, 5, -1017, 0, 0, 0, NO, NO, NO, NO, 0, NO, NO, 1, -1906,
        0, 0, 0, 0, 0, 0, 0, -1609, 0, 0, 0, 0, NO,
    ];
    expect(numbers(&mut table), &updatable, "updatable");
    assert_eq!(rows(&mut table).0, "1/b/5 2/x/5 3/A0/5", "the deletion was rolled back");

    let mut table = open(&bed, Flags::UPDATABLE);
    fill(&mut table);
    table.move_first().unwrap();
    #[rustfmt::skip]
    let numbered = [
        0, 0, 0, 0, 4, -1017, 0, 0, -1608, NO, NO, NO, NO, 0, NO, NO, 1, -1906,
        0, 0, 0, 0, 0, 0, 0, -1609, 0, -1515, -1515, -1906, NO,
    ];
    expect(numbers(&mut table), &numbered, "numbered");
    bed.finish();
}

#[test]
fn the_first_move() {
    let bed = Bed::new(8192);
    for flags in [Flags::empty(), Flags::INDEXED] {
        let filled = || {
            let mut table = open(&bed, flags);
            fill(&mut table);
            table
        };
        let mut table = filled();
        table.move_by(2, false).unwrap();
        assert_eq!(here(&mut table), 2);
        filled().move_by(0, false).unwrap();
        let mut table = filled();
        let indexed = flags == Flags::INDEXED;
        assert_eq!(number(table.move_previous()), if indexed { -1603 } else { -1312 });
        table.move_next().unwrap();
        assert_eq!(here(&mut table), if indexed { 1 } else { 2 }, "{flags:?}");
        let mut table = open(&bed, flags);
        assert_eq!(number(table.move_first()), -1603);
        assert_eq!(number(table.move_next()), -1603);
        assert_eq!(seek(&mut open(&bed, flags), 1, SeekFlags::EQUAL), (0, -1601, -99));
        let mut table = open(&bed, flags);
        assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
        assert_eq!(insert(&mut table, 1, "q"), -1312);
    }
    bed.finish();
}

#[test]
fn transactions() {
    for versioned in [true, false] {
        let bed = Bed::with_parameters(8192, |instance| {
            let id = ese_instance::ParameterId::ENABLE_TEMP_TABLE_VERSIONING;
            instance.set_parameter(id, versioned).unwrap();
        });
        let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
        assert_eq!(insert(&mut table, 1, "out"), 0);
        bed.session.begin().unwrap();
        assert_eq!(insert(&mut table, 2, "in"), 0);
        table.move_first().unwrap();
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(128, b"changed", SetFlags::empty()).unwrap();
        table.update().unwrap();
        bed.session.rollback().unwrap();
        let expected = if versioned { "1/out/5" } else { "1/changed/5 2/in/5" };
        assert_eq!(rows(&mut table).0, expected);
        bed.session.begin().unwrap();
        table.move_first().unwrap();
        table.delete().unwrap();
        bed.session.rollback().unwrap();
        assert_eq!(rows(&mut table).0, if versioned { "1/out/5" } else { "2/in/5" });

        // Rows of sorts are no part of transactions.
        let mut sort = open(&bed, Flags::empty());
        bed.session.begin().unwrap();
        assert_eq!(insert(&mut sort, 2, "in"), 0);
        bed.session.rollback().unwrap();
        assert_eq!(rows(&mut sort).0, "2/in/5");

        // Whoever only reads elsewhere may change temporary tables.
        bed.session.begin_read_only().unwrap();
        assert_eq!(insert(&mut table, 9, "read"), 0);
        bed.session.commit(Default::default()).unwrap();
        assert!(rows(&mut table).0.ends_with("9/read/5"));
        bed.session.begin_read_only().unwrap();
        assert_eq!(insert(&mut table, 10, "read"), 0);
        bed.session.rollback().unwrap();
        assert_eq!(rows(&mut table).0.ends_with("10/read/5"), !versioned);
        bed.finish();
    }
}

#[test]
fn tables_opened_in_transactions_end_with_them() {
    let bed = Bed::new(8192);
    bed.session.begin().unwrap();
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    assert_eq!(insert(&mut table, 2, "in"), 0);
    bed.session.rollback().unwrap();
    assert_eq!(number(table.move_first()), -1310);
    assert_eq!(number(table.get(1)), -1310);

    // A level that committed counts to the one around it.
    bed.session.begin().unwrap();
    bed.session.begin().unwrap();
    let mut table = open(&bed, Flags::UPDATABLE | Flags::INDEXED);
    assert_eq!(insert(&mut table, 2, "in"), 0);
    bed.session.commit(Default::default()).unwrap();
    assert_eq!(rows(&mut table).0, "2/in/5");
    assert_eq!(insert(&mut table, 5, "more"), 0);
    bed.session.rollback().unwrap();
    assert_eq!(number(table.move_first()), -1310);

    // Committed as a whole, it stays.
    bed.session.begin().unwrap();
    let mut table = open(&bed, Flags::UPDATABLE | Flags::INDEXED);
    assert_eq!(insert(&mut table, 2, "in"), 0);
    assert_eq!(rows(&mut table).0, "2/in/5");
    assert_eq!(insert(&mut table, 5, "more"), 0);
    bed.session.commit(Default::default()).unwrap();
    bed.session.begin().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(rows(&mut table).0, "2/in/5 5/more/5");

    // Closed before its transaction ends: nothing of it is taken back, everything else is.
    let mut kept = open(&bed, Flags::FORCE_MATERIALIZATION);
    bed.session.begin().unwrap();
    assert_eq!(insert(&mut kept, 1, "a"), 0);
    bed.session.begin().unwrap();
    let mut gone = open(&bed, Flags::FORCE_MATERIALIZATION);
    for key in 0..50 {
        assert_eq!(insert(&mut gone, key, "g"), 0);
        assert_eq!(insert(&mut kept, 100 + key, "k"), 0);
    }
    gone.close().unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(rows(&mut kept).0, "1/a/5");
    bed.session.rollback().unwrap();
    assert_eq!(rows(&mut kept).0, "");
    bed.finish();
}

#[test]
fn long_values() {
    let bed = Bed::new(8192);
    let long = |flags| TemporaryTableSpec {
        columns: vec![TemporaryColumn::key(ColumnKind::LONG), TemporaryColumn::new(ColumnKind::LONG_BINARY)],
        flags,
        ..TemporaryTableSpec::default()
    };
    let (mut table, ids) = bed.session.open_temporary_table(&long(Flags::INDEXED)).unwrap();
    assert_eq!(ids, [1, 256]);
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &1_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    for length in [20, 20_000] {
        let set = table.set_column(256, &vec![7; length], SetFlags::empty());
        assert_eq!(number(set), -1054, "outside transactions");
    }
    table.update().unwrap();
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &2_i32.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(256, &[7; 20_000], SetFlags::empty()).unwrap();
    table.set_column(256, &[8; 10], SetFlags::APPEND).unwrap();
    table.update().unwrap();
    table.make_key(&2_i32.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::EQUAL).unwrap();
    assert_eq!(table.get(256).unwrap().unwrap().len(), 20_010);
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    assert_eq!((here(&mut table), table.get(256).unwrap()), (1, None));
    assert_eq!(number(table.move_next()), -1603);

    // Values that have to stay in their rows.
    for forced in [Flags::empty(), Flags::FORCE_MATERIALIZATION] {
        let spec = long(Flags::INTRINSIC_LONG_VALUES | forced);
        for (length, plain, intrinsic) in
            [(100, 0, 0), (1023, 0, 0), (1024, -416, 0), (7000, -416, 0), (8000, -416, -416)]
        {
            let options =
                [(SetFlags::empty(), plain), (SetFlags::INTRINSIC, intrinsic), (SetFlags::SEPARATE, -416)];
            for (flags, expected) in options {
                let (mut table, _) = bed.session.open_temporary_table(&spec).unwrap();
                bed.session.begin().unwrap();
                table.prepare(PrepareKind::Insert).unwrap();
                let found = number(table.set_column(256, &vec![1; length], flags));
                assert_eq!(found, expected, "{forced:?} {length} {flags:?}");
                table.update().unwrap();
                bed.session.commit(Default::default()).unwrap();
                table.move_first().unwrap();
                let there = if expected == 0 { Some(length) } else { None };
                assert_eq!(table.get(256).unwrap().map(|v| v.len()), there);
            }
        }
    }
    bed.finish();
}

#[test]
fn tables_that_cannot_be() {
    let bed = Bed::new(8192);
    let refused = |spec: &TemporaryTableSpec| number(bed.session.open_temporary_table(spec));
    let forward = Flags::FORWARD_ONLY;
    for other in [Flags::INDEXED, Flags::UPDATABLE, Flags::SCROLLABLE, Flags::FORCE_MATERIALIZATION] {
        assert_eq!(refused(&spec(forward | other)), -1113);
    }
    let with = |flags, columns: Vec<TemporaryColumn>| TemporaryTableSpec { columns, ..spec(flags) };
    let key = TemporaryColumn::key(ColumnKind::LONG);
    let long = TemporaryColumn::new(ColumnKind::LONG_BINARY);
    assert_eq!(refused(&with(forward, vec![TemporaryColumn::new(ColumnKind::LONG)])), -1113);
    assert_eq!(refused(&with(forward, vec![key.clone(), long.clone()])), -1113);
    assert_eq!(refused(&with(forward | Flags::INTRINSIC_LONG_VALUES, vec![key.clone(), long])), 0);
    assert_eq!(refused(&spec(Flags::from_bits_retain(0x1_0000))), 0, "unknown options are ignored");
    assert_eq!(refused(&with(Flags::empty(), Vec::new())), 0);
    let mut text = TemporaryColumn::new(ColumnKind::TEXT);
    text.code_page = 437;
    assert_eq!(refused(&with(Flags::empty(), vec![text.clone()])), -1063);
    (text.code_page, text.fixed, text.max_size) = (1252, true, 255);
    assert_eq!(refused(&with(Flags::empty(), vec![text.clone(); 40])), -1206, "longer than a page");
    let mut wide = vec![text; 31];
    wide[0].key = true;
    assert_eq!(refused(&with(Flags::empty(), wide)), -1026, "longer than a row with a key");
    assert_eq!(refused(&with(Flags::empty(), vec![key.clone(); 130])), -1040);
    assert_eq!(refused(&with(Flags::empty(), vec![key.clone(); 20])), 0, "more key columns than count");
    for (most, expected) in [(0, 0), (100, -1003), (254, -1003), (255, 0), (2000, 0), (2001, -1003)] {
        let spec = TemporaryTableSpec { key_most: Some(most), ..spec(Flags::empty()) };
        assert_eq!(refused(&spec), expected, "{most}");
    }
    for (most, expected) in [(255, 0), (256, -1003)] {
        let spec = TemporaryTableSpec { segment_most: Some(most), ..spec(Flags::empty()) };
        assert_eq!(refused(&spec), expected, "{most}");
    }
    bed.finish();
}

#[test]
fn text_by_locale() {
    let bed = Bed::new(8192);
    let mut column = TemporaryColumn::key(ColumnKind::TEXT);
    column.code_page = 1200;
    let sorted = |change: &dyn Fn(&mut TemporaryTableSpec)| {
        let mut spec = TemporaryTableSpec { columns: vec![column.clone()], ..spec(Flags::SCROLLABLE) };
        change(&mut spec);
        let (mut table, _) = bed.session.open_temporary_table(&spec)?;
        for word in ["g", "a", "A", "aa", "x", "b", "X", "z", "\u{e4}"] {
            table.prepare(PrepareKind::Insert)?;
            let bytes: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
            table.set_column(128, &bytes, SetFlags::empty())?;
            table.update()?;
        }
        let mut words = Vec::new();
        while table.move_next().is_ok() {
            let bytes = table.get(128)?.unwrap();
            let units: Vec<u16> = bytes.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            words.push(String::from_utf16(&units).unwrap());
        }
        Ok::<_, TableError>(words.join(" "))
    };
    // Without a word about case, letters that differ in it only are one.
    assert_eq!(sorted(&|_| {}).unwrap(), "A \u{e4} aa b g X z");
    let case = |spec: &mut TemporaryTableSpec| spec.normalization_flags = Some(0);
    assert_eq!(sorted(&case).unwrap(), "a A \u{e4} aa b g x X z");
    assert_eq!(sorted(&|s| s.locale_id = 0x409).unwrap(), "A \u{e4} aa b g X z");
    // In Swedish that letter comes behind z.
    let swedish = sorted(&|s| s.locale = Some("sv-SE".to_owned())).unwrap();
    assert_eq!(swedish, "A aa b g X z \u{e4}");
    assert_eq!(number(sorted(&|s| s.locale_id = 0x1_2345)), -1062);
    assert_eq!(number(sorted(&|s| s.locale = Some("xx-none".to_owned()))), -1062);
    assert_eq!(number(sorted(&|s| s.normalization_flags = Some(0x1234_5678))), -1064);
    bed.finish();
}

#[test]
fn as_many_sorts_as_allowed() {
    let most = ese_instance::ParameterId::MAX_TEMPORARY_TABLES;
    let bed = Bed::with_parameters(4096, |instance| instance.set_parameter(most, 3_u32).unwrap());
    let open_one = |flags| bed.session.open_temporary_table(&spec(flags)).map(|(table, _)| table);
    let mut sorts: Vec<Table> = (0..3).map(|_| open_one(Flags::empty()).unwrap()).collect();
    let refused = open_one(Flags::empty()).unwrap_err();
    assert_eq!(refused.jet_error().0, -1701);
    assert!(
        matches!(&refused, TableError::Instance(e) if matches!(**e, InstanceError::TooManySorts { limit: 3 }))
    );
    assert_eq!(number(open_one(Flags::FORCE_MATERIALIZATION)), -1701, "it begins as a sort");
    sorts.pop();
    // Tables do not count once they are tables.
    let tables: Vec<_> = (0..10).map(|_| open_one(Flags::FORCE_MATERIALIZATION).unwrap()).collect();
    let mut updatable = open_one(Flags::UPDATABLE).unwrap();
    assert_eq!(number(open_one(Flags::empty())), -1701);
    assert_eq!(number(updatable.move_first()), -1603);
    assert_eq!(number(open_one(Flags::empty())), 0);
    drop((sorts, tables, updatable));
    bed.finish();
    let bed = Bed::with_parameters(4096, |instance| instance.set_parameter(most, 0_u32).unwrap());
    assert_eq!(number(bed.session.open_temporary_table(&spec(Flags::empty()))), -1701);
    assert!(!bed.storage.exists(Path::new(TEMPORARY)).unwrap());
    bed.finish();
}

#[test]
fn large_sorts() {
    let bed = Bed::with_parameters(4096, |instance| {
        // Little memory for pages: the rows go to the file and come back.
        let id = ese_instance::ParameterId::CACHE_SIZE_MAX;
        instance.set_parameter(id, 256_u32).unwrap();
    });
    let text = "x".repeat(90);
    let count = 70_000_i64;
    for (flags, duplicates) in [(Flags::FORWARD_ONLY, true), (Flags::INDEXED, false)] {
        let mut table = open(&bed, flags);
        for i in 0..count {
            let key = (i * 7919 % count / 2) as i32;
            assert_eq!(insert(&mut table, key, &text), 0);
        }
        let mut expected = 0_i64;
        let mut outcome = number(table.move_first());
        while outcome == 0 {
            let key = if duplicates { expected / 2 } else { expected };
            assert_eq!(i64::from(here(&mut table)), key);
            expected += 1;
            outcome = number(table.move_next());
        }
        assert_eq!((expected, outcome), (if duplicates { count } else { count / 2 }, -1603));
        assert_eq!(number(table.move_first()), 0);
        assert_eq!(here(&mut table), 0);
        if flags == Flags::INDEXED {
            // Large ones become tables, whether that was asked for or not.
            assert_eq!(seek(&mut table, 30_000, SeekFlags::EQUAL), (0, 0, 30_000));
            assert_eq!(insert(&mut table, 30_000, "late"), -1605);
            assert_eq!(insert(&mut table, -5, "late"), 0);
        } else {
            assert_eq!(insert(&mut table, -5, "late"), -1312);
        }
    }
    let pages = bed.storage.open(Path::new(TEMPORARY), ese_io::OpenOptions::READ.lock(ese_io::Lock::None));
    let size = pages.unwrap().len().unwrap();
    assert!(size > 4 << 20 && size < 80 << 20, "{size}: space of runs is used again");
    bed.finish();
}

#[test]
fn a_sort_of_64_kib_is_searched_in_place() {
    let bed = Bed::new(8192);
    // Each row takes 80 bytes: key 5, row 63 (with its header), overhead 4, in multiples of 16.
    for (count, is_table) in [(819, false), (820, true)] {
        let mut table = open(&bed, Flags::SCROLLABLE);
        for key in 0..count {
            assert_eq!(insert(&mut table, key, &"y".repeat(52)), 0);
        }
        table.move_last().unwrap();
        assert_eq!(number(table.prepare(PrepareKind::Insert)), if is_table { 0 } else { -1312 }, "{count}");
        // Without an index the table cannot be searched.
        let sought = seek(&mut table, 5, SeekFlags::EQUAL);
        assert_eq!(sought, if is_table { (-1515, -1608, -99) } else { (0, 0, 5) });
    }
    bed.finish();
}

#[test]
fn ranges_of_sorted_rows() {
    let bed = Bed::new(8192);
    let mut table = open(&bed, Flags::INDEXED | Flags::SCROLLABLE);
    for key in 0..20 {
        assert_eq!(insert(&mut table, key * 10, "r"), 0);
    }
    let make = |table: &mut Table, key: i32| table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    make(&mut table, 35);
    assert_eq!(table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap(), TableStatus::Done);
    make(&mut table, 60);
    table.set_index_range(RangeFlags::UPPER_LIMIT | RangeFlags::INCLUSIVE).unwrap();
    let mut seen = vec![here(&mut table)];
    while table.move_next().is_ok() {
        seen.push(here(&mut table));
    }
    assert_eq!(seen, [40, 50, 60]);
    make(&mut table, 60);
    table.seek(SeekFlags::LESS).unwrap();
    make(&mut table, 30);
    table.set_index_range(RangeFlags::empty()).unwrap();
    let mut seen = vec![here(&mut table)];
    while table.move_previous().is_ok() {
        seen.push(here(&mut table));
    }
    assert_eq!(seen, [50, 40]);
    table.move_last().unwrap();
    let bookmark = table.bookmark().unwrap();
    assert_eq!(bookmark, 19_i32.to_le_bytes());
    table.move_first().unwrap();
    table.goto_bookmark(&bookmark).unwrap();
    assert_eq!(here(&mut table), 190);
    // What is not found leaves the cursor on the row behind.
    make(&mut table, 75);
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
    assert_eq!(here(&mut table), 80);
    bed.finish();
}

#[test]
fn the_temporary_database_comes_and_goes() {
    let bed = Bed::new(8192);
    let there = |bed: &Bed| bed.storage.exists(Path::new(TEMPORARY)).unwrap();
    assert!(!there(&bed), "made when it is needed");
    let before = bed.instance.counters().records;
    drop(open(&bed, Flags::empty()));
    assert!(there(&bed));
    let size = |bed: &Bed| {
        let options = ese_io::OpenOptions::READ.lock(ese_io::Lock::None);
        bed.storage.open(Path::new(TEMPORARY), options).unwrap().len().unwrap()
    };
    let cycle = || {
        let session = bed.instance.begin_session().unwrap();
        for flags in [Flags::FORCE_MATERIALIZATION, Flags::UPDATABLE, Flags::empty()] {
            let (mut table, _) = session.open_temporary_table(&spec(flags)).unwrap();
            for key in 0..300 {
                insert(&mut table, key, &"z".repeat(100));
            }
            table.move_first().unwrap();
            if flags != Flags::empty() {
                session.begin().unwrap();
                table.prepare(PrepareKind::Insert).unwrap();
                table.set_column(1, &1000_i32.to_le_bytes(), SetFlags::empty()).unwrap();
                table.update().unwrap();
                if flags == Flags::UPDATABLE {
                    session.commit(Default::default()).unwrap();
                }
            }
            // Some are closed by their sessions.
            if flags == Flags::empty() {
                std::mem::forget(table);
            }
        }
        session.end().unwrap();
    };
    for _ in 0..3 {
        cycle();
    }
    let settled = size(&bed);
    for _ in 0..40 {
        cycle();
    }
    assert_eq!(size(&bed), settled, "the space of closed tables is used again");
    assert_eq!(bed.instance.counters().records, before, "nothing is logged");
    let storage = bed.storage.clone();
    let table = open(&bed, Flags::FORCE_MATERIALIZATION);
    bed.finish();
    assert!(!storage.exists(Path::new(TEMPORARY)).unwrap());
    drop(table);
}

#[test]
fn a_left_over_is_no_obstacle() {
    let bed = Bed::new(8192);
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    fill_unique(&mut table);
    let bed = bed.crash();
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    assert_eq!(number(table.move_first()), -1603);
    fill_unique(&mut table);
    bed.finish();
}

#[test]
fn beside_tables_of_databases() {
    let bed = Bed::new(8192);
    let rows_of = |bed: &Bed| {
        let mut table = bed.open("T");
        match table.move_first() {
            Ok(()) => table.count(0).unwrap(),
            Err(_) => 0,
        }
    };
    let spec = TableSpec::new("T").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let mut temporary = open(&bed, Flags::FORCE_MATERIALIZATION);
    for (round, commit) in [(0, false), (1, true)] {
        bed.session.begin().unwrap();
        for key in 0..200 {
            table.prepare(PrepareKind::Insert).unwrap();
            table.set_column(1, &key_bytes(key), SetFlags::empty()).unwrap();
            table.update().unwrap();
            assert_eq!(insert(&mut temporary, round * 1000 + key, "both"), 0);
        }
        if commit {
            bed.session.commit(Default::default()).unwrap();
        } else {
            bed.session.rollback().unwrap();
        }
        assert_eq!(rows_of(&bed), if commit { 200 } else { 0 });
    }
    assert_eq!(rows(&mut temporary).0.split(' ').count(), 200);

    // Nothing of the temporary database keeps the checkpoint, and no recovery looks for it.
    bed.session.begin().unwrap();
    assert_eq!(insert(&mut temporary, -1, "open"), 0);
    let other = bed.instance.begin_session().unwrap();
    other.begin().unwrap();
    other.commit(Default::default()).unwrap();
    bed.instance.flush_log().unwrap();
    let before = bed.instance.advance_checkpoint().unwrap();
    let spec = TableSpec::new("U").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    let database = other.open_database(Path::new(table_bed::DATABASE)).unwrap();
    database.create_table(&spec).unwrap();
    drop(database);
    while bed.instance.idle().unwrap() {}
    assert!(bed.instance.advance_checkpoint().unwrap() > before);
    bed.session.rollback().unwrap();
    drop((table, temporary, other));
    let bed = bed.crash();
    assert_eq!(rows_of(&bed), 200);
    assert!(bed.instance.databases().iter().all(|database| database.id() != 0));
    bed.finish();
}

fn key_bytes(key: i32) -> [u8; 4] {
    key.to_le_bytes()
}

#[test]
fn sessions_on_several_threads() {
    let bed = Bed::new(4096);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let instance = bed.instance.clone();
            scope.spawn(move || {
                let session = instance.begin_session().unwrap();
                for flags in [Flags::INDEXED, Flags::FORCE_MATERIALIZATION, Flags::UPDATABLE | Flags::INDEXED]
                {
                    let (mut table, _) = session.open_temporary_table(&spec(flags)).unwrap();
                    session.begin().unwrap();
                    for i in 0..3000 {
                        let key = i * 7919 % 3000 + thread * 10_000;
                        assert_eq!(insert(&mut table, key, &"t".repeat(60)), 0);
                    }
                    session.commit(Default::default()).unwrap();
                    let mut seen = 0;
                    while table.move_next().is_ok() {
                        assert_eq!(here(&mut table), seen + thread * 10_000);
                        seen += 1;
                    }
                    assert_eq!(seen, 3000, "{flags:?}");
                }
                session.end().unwrap();
            });
        }
    });
    bed.finish();
}

#[test]
fn a_place_that_is_not_there() {
    let path = ese_instance::ParameterId::TEMP_PATH;
    let bed = Bed::with_parameters(4096, |i| i.set_parameter(path, "/missing/tmp.edb").unwrap());
    for _ in 0..2 {
        assert_eq!(number(bed.session.open_temporary_table(&spec(Flags::empty()))), -1023);
    }
    bed.storage.create_directory(Path::new("/missing")).unwrap();
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    fill_unique(&mut table);
    drop(table);
    bed.finish();
    // A folder gets a file of the usual name.
    let bed = Bed::with_parameters(4096, |i| i.set_parameter(path, "/db/").unwrap());
    drop(open(&bed, Flags::empty()));
    assert!(bed.storage.exists(Path::new(TEMPORARY)).unwrap());
    bed.finish();
}

fn fill_unique(table: &mut Table) {
    for key in 0..100 {
        assert_eq!(insert(table, key, "u"), 0);
    }
}
