//! Tables, columns and indexes of a running instance: what is refused, with which number; what a rollback takes back; what
//! other sessions see when.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_format::{ColumnKind, PageNumber};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, IndexSpec, Session, TableSpec, TermMode, TupleLimits,
};
use live_bed::{Bed, DATABASE, assert_sound, number};

mod live_bed;

fn open(session: &Session) -> Database {
    session.open_database(Path::new(DATABASE)).unwrap()
}

fn with_database(test: impl FnOnce(&Bed, &Session, &Database)) {
    let bed = Bed::new();
    let instance = bed.start(8192, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    test(&bed, &session, &database);
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("at the end", &bed.reader());
}

fn plain(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 50))
        .column(ColumnSpec::tagged("Tags", ColumnKind::TEXT).multi_valued())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByName").ascending("Name"))
}

#[test]
fn refusals_of_tables() {
    with_database(|_, _, database| {
        database.create_table(&plain("T")).unwrap();
        assert_eq!(number(database.create_table(&plain("t"))), -1303);
        assert_eq!(number(database.create_table(&plain("T  "))), -1303, "trailing spaces do not count");
        for name in ["", " a", "a.b", "a!", "[", &"x".repeat(65)] {
            assert_eq!(number(database.create_table(&plain(name))), -1002, "{name:?}");
        }
        assert_eq!(number(database.create_table(&plain("U").density(19))), -1307);
        assert_eq!(number(database.create_table(&plain("U").derived_from("T"))), -1326);
        assert_eq!(number(database.create_table(&plain("U").derived_from("None"))), -1305);
        assert_eq!(number(database.create_table(&plain("U").derived_from("T").template())), -1325);
        assert_eq!(number(database.delete_table("None")), -1305);
        assert_eq!(number(database.delete_table("MSysObjects")), -1318);
        assert_eq!(number(database.rename_table("None", "U")), -1305);
        assert_eq!(number(database.rename_table("T", "a.b")), -1002);
        database.create_table(&plain("V")).unwrap();
        assert_eq!(number(database.rename_table("T", "v")), -1605);
        database.rename_table("T", "t").unwrap();
        assert_eq!(database.table_names().unwrap(), ["V", "t"]);
        assert_eq!(number(database.table_definition("None")), -1305);
    });
}

#[test]
fn refusals_of_columns() {
    with_database(|_, session, database| {
        database.create_table(&plain("T")).unwrap();
        let add = |column: ColumnSpec| number(database.add_column("T", &column));
        let fixed = |kind| ColumnSpec::fixed("C", kind);
        assert_eq!(add(ColumnSpec::fixed("NAME", ColumnKind::LONG)), -1508);
        assert_eq!(add(ColumnSpec::fixed("a!", ColumnKind::LONG)), -1002);
        assert_eq!(add(fixed(ColumnKind::NIL)), -1511);
        assert_eq!(add(fixed(ColumnKind::LONG).multi_valued()), -1509);
        assert_eq!(add(fixed(ColumnKind::LONG).compressed()), -1538);
        assert_eq!(add(fixed(ColumnKind::LONG).escrow_update()), -900);
        assert_eq!(add(fixed(ColumnKind::SHORT).version()), -900);
        assert_eq!(add(ColumnSpec::tagged("C", ColumnKind::LONG).version()), -1521);
        assert_eq!(add(ColumnSpec::tagged("C", ColumnKind::LONG).auto_increment()), -1521);
        assert_eq!(add(fixed(ColumnKind::LONG).auto_increment()), -1322);
        assert_eq!(add(fixed(ColumnKind::LONG).escrow_update().default_value(0)), -1322);
        let long = ColumnSpec::tagged("C", ColumnKind::LONG_TEXT).default_value("x".repeat(256).as_str());
        assert_eq!(add(long), -1524);
        assert_eq!(add(fixed(ColumnKind::LONG).version()), 0);
        assert_eq!(add(ColumnSpec::fixed("D", ColumnKind::LONG).version()), -1510);
        assert_eq!(number(database.add_column("None", &fixed(ColumnKind::BIT))), -1305);
        assert_eq!(number(database.add_column("MSysObjects", &fixed(ColumnKind::BIT))), -1323);

        assert_eq!(number(database.delete_column("T", "None")), -1507);
        assert_eq!(number(database.delete_column("T", "Name")), -1046);
        database.delete_column("T", "Tags").unwrap();
        assert_eq!(number(database.delete_column("T", "Tags")), -1507);
        // The number is not used again.
        let next = database.add_column("T", &ColumnSpec::tagged("Tags", ColumnKind::TEXT)).unwrap();
        assert_eq!(next, 257);
        assert_eq!(number(database.rename_column("T", "None", "E")), -1507);
        assert_eq!(number(database.rename_column("T", "Id", "name")), -1605);
        session.begin().unwrap();
        assert_eq!(number(database.rename_column("T", "Id", "Key")), -1108);
        session.rollback().unwrap();
        database.rename_column("T", "Id", "Key").unwrap();
        let definition = database.table_definition("T").unwrap();
        let names: Vec<_> = definition.columns.iter().map(|c| c.name.as_str()).collect();
        let object = definition.object_id;
        assert_eq!(names, ["Key", "C", "Name", &format!("JetStub_{object}_256"), "Tags"]);
    });
}

#[test]
fn refusals_of_indexes() {
    with_database(|_, _, database| {
        database.create_table(&plain("T")).unwrap();
        let create = |index: IndexSpec| number(database.create_index("T", &index));
        let index = || IndexSpec::new("I");
        assert_eq!(create(IndexSpec::new("byname").ascending("Id")), -1403);
        assert_eq!(create(index().ascending("None")), -1507);
        assert_eq!(create(index()), -1406);
        assert_eq!(create(index().ascending("Id").primary()), -1402);
        assert_eq!(create(index().ascending("Id").key_most(3000)), -1406);
        assert_eq!(create(index().ascending("Tags").cross_product().nested_table()), -900);
        assert_eq!(create(index().ascending("Id").density(10)), -1307);
        let limits = |min, max| TupleLimits { min, max, most: 100, increment: 1, start: 0 };
        assert_eq!(create(index().ascending("Id").tuples(limits(3, 10))), -1433);
        assert_eq!(create(index().ascending("Name").tuples(limits(10, 3))), -1435);
        assert_eq!(create(index().ascending("Name").unique().tuples(limits(3, 10))), -1432);
        assert_eq!(create(index().ascending("Name").locale("xx-XX")), -1062);
        assert_eq!(create(index().ascending("Name").normalization_flags(0x8000_0400)), -1064);
        assert_eq!(create(index().ascending("Name").descending("Tags").ignore_any_null()), 0);
        assert_eq!(number(database.delete_index("T", "None")), -1404);
        assert_eq!(number(database.delete_index("T", "ById")), -1405);
        database.delete_index("T", "I").unwrap();
        assert_eq!(number(database.delete_index("T", "I")), -1404);
    });
}

#[test]
fn templates_and_derived_tables() {
    with_database(|_, _, database| {
        database.create_table(&plain("Base").template()).unwrap();
        let derived = TableSpec::new("D")
            .derived_from("Base")
            .column(ColumnSpec::fixed("Own", ColumnKind::SHORT))
            .column(ColumnSpec::tagged("OwnText", ColumnKind::LONG_TEXT))
            .index(IndexSpec::new("ByOwn").ascending("Own").ascending("Tags"));
        database.create_table(&derived).unwrap();
        let definition = database.table_definition("D").unwrap();
        let seen: Vec<_> =
            definition.columns.iter().map(|c| (c.name.as_str(), c.api_id(), c.record_offset)).collect();
        assert_eq!(
            seen,
            [
                ("Own", 2, Some(8)),
                ("OwnText", 256, None),
                ("Id", 0x8000_0001, Some(4)),
                ("Name", 0x8000_0080, None),
                ("Tags", 0x8000_0100, None)
            ]
        );
        let flags: Vec<_> = definition.indexes.iter().map(|i| (i.name.as_str(), i.flags.bits())).collect();
        assert_eq!(flags, [("ById", 0x1_022F), ("ByName", 0x1_020E), ("ByOwn", 0x1_008E)]);
        assert_eq!(definition.flags.bits(), 0x1000_0000);
        let base = database.table_definition("Base").unwrap();
        assert_eq!(base.flags.bits(), 0x6000_0000);
        assert!(base.columns.iter().all(|c| c.flags.bits() & 0x100 != 0));

        assert_eq!(number(database.create_table(&plain("E").derived_from("Base"))), -1508);
        assert_eq!(number(database.delete_table("Base")), -1319);
        assert_eq!(number(database.rename_table("Base", "Other")), -1323);
        assert_eq!(number(database.add_column("Base", &ColumnSpec::tagged("X", ColumnKind::TEXT))), -1323);
        assert_eq!(number(database.create_index("Base", &IndexSpec::new("X").ascending("Id"))), -1323);
        assert_eq!(number(database.delete_column("D", "Name")), -1324);
        assert_eq!(number(database.delete_index("D", "ByName")), -1324);
        database.delete_index("D", "ByOwn").unwrap();
        database.delete_column("D", "Own").unwrap();
        let fixed = plain("F").fixed_schema();
        database.create_table(&fixed).unwrap();
        assert_eq!(number(database.add_column("F", &ColumnSpec::tagged("X", ColumnKind::TEXT))), -1323);
        assert_eq!(number(database.delete_index("F", "ByName")), -1323);
        database.delete_table("D").unwrap();
    });
}

/// What a session does in a transaction others see when it commits, and never when it rolls back.
#[test]
fn changes_are_seen_when_they_are_committed() {
    with_database(|_, session, database| {
        let other = session.instance().begin_session().unwrap();
        let theirs = open(&other);
        let transaction = session.transaction().unwrap();
        database.create_table(&plain("T")).unwrap();
        database.add_column("T", &ColumnSpec::tagged("More", ColumnKind::TEXT)).unwrap();
        assert_eq!(database.table_names().unwrap(), ["T"]);
        assert!(theirs.table_names().unwrap().is_empty());
        assert_eq!(number(theirs.table_definition("T")), -1305);
        // The name is taken by somebody who may not commit.
        assert!([-1102, -1303].contains(&number(theirs.create_table(&plain("T")))));
        let before = other.transaction().unwrap();
        transaction.commit(CommitMode::Durable).unwrap();
        assert!(theirs.table_names().unwrap().is_empty(), "an older snapshot");
        drop(before);
        assert_eq!(theirs.table_definition("T").unwrap().columns.len(), 4);

        // Levels.
        session.begin().unwrap();
        database.add_column("T", &ColumnSpec::tagged("Kept", ColumnKind::TEXT)).unwrap();
        session.begin().unwrap();
        database.add_column("T", &ColumnSpec::tagged("Dropped", ColumnKind::TEXT)).unwrap();
        database.create_table(&plain("U")).unwrap();
        database.delete_table("T").unwrap();
        assert_eq!(database.table_names().unwrap(), ["U"]);
        session.rollback().unwrap();
        assert_eq!(database.table_names().unwrap(), ["T"]);
        session.commit(CommitMode::Lazy).unwrap();
        session.wait_for_last_commit().unwrap();
        let columns = theirs.table_definition("T").unwrap().columns;
        let names: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Id", "Name", "Tags", "More", "Kept"]);

        // Two sessions change the same table.
        let mine = session.transaction().unwrap();
        database.add_column("T", &ColumnSpec::tagged("Mine", ColumnKind::TEXT)).unwrap();
        assert_eq!(number(theirs.add_column("T", &ColumnSpec::tagged("Theirs", ColumnKind::TEXT))), -1102);
        assert_eq!(number(theirs.delete_table("T")), -1102);
        mine.rollback().unwrap();
        theirs.add_column("T", &ColumnSpec::tagged("Theirs", ColumnKind::TEXT)).unwrap();
        drop(theirs);
        other.end().unwrap();
    });
}

/// Tables that come and go do not make the database grow: their pages are used again.
#[test]
fn space_of_deleted_tables_is_used_again() {
    with_database(|_, session, database| {
        let last = |database: &Database| database.attached().last_page();
        let mut sizes: Vec<PageNumber> = Vec::new();
        for round in 0..6 {
            for n in 0..20 {
                database.create_table(&plain(&format!("T{n}")).pages(20)).unwrap();
            }
            for n in 0..20 {
                database.delete_table(&format!("T{n}")).unwrap();
            }
            while session.instance().idle().unwrap() {}
            if round > 0 {
                sizes.push(last(database));
            }
        }
        assert!(sizes.windows(2).all(|w| w[0] == w[1]), "{sizes:?}");
    });
}

#[test]
fn limits_of_databases() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let options = CreateOptions::default().largest_page_count(300);
    let database = session.create_database(Path::new(DATABASE), &options).unwrap();
    let error = (0..100)
        .find_map(|n| database.create_table(&plain(&format!("T{n}")).pages(10)).err())
        .expect("the limit is reached");
    assert_eq!(error.jet_error().0, -1012, "{error}");
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("at the limit", &bed.reader());
}
