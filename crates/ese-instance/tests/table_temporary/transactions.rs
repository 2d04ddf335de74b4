//! Temporary tables and transactions: what is taken back, what stays, beside tables of databases and other threads.

use std::path::Path;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, PrepareKind, SeekFlags, SetFlags, TableSpec, TemporaryColumn, TemporaryTableFlags as Flags,
    TemporaryTableSpec,
};

use crate::table_bed::{Bed, DATABASE, number};
use crate::{here, insert, open, rows, spec};

#[test]
fn transactions() {
    for versioned in [true, false] {
        let bed = Bed::with_parameters(8192, 8920, |instance| {
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

fn key_bytes(key: i32) -> [u8; 4] {
    key.to_le_bytes()
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
    let database = other.open_database(Path::new(DATABASE)).unwrap();
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
