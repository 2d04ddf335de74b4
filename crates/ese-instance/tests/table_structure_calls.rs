//! Changes of a table's structure through its cursors, what is told about columns and indexes, and what is refused in which
//! order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::*;
use table_bed::{Bed, number};

fn plain(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Note", ColumnKind::LONG_TEXT).unicode())
        .index(IndexSpec::new("Primary").ascending("Id").primary())
}

fn insert(table: &mut Table, id: i32) {
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(1, &id.to_le_bytes(), SetOptions::default()).unwrap();
    table.update().unwrap();
}

#[test]
fn cursors_that_may_and_may_not_change_the_structure() {
    let bed = Bed::new(8192);
    let mut table = bed.database.create_and_open_table(&plain("T")).unwrap();
    let long = |name: &str| ColumnSpec::fixed(name, ColumnKind::LONG);
    insert(&mut table, 1);
    insert(&mut table, 2);
    table.move_last().unwrap();
    assert_eq!(table.add_column(&long("A")).unwrap(), 2);
    assert_eq!(number(table.bookmark()), -1603, "before the first row");
    table.move_next().unwrap();
    assert_eq!(table.get(1).unwrap().unwrap(), 1_i32.to_le_bytes());
    table.create_index(&IndexSpec::new("I").ascending("A")).unwrap();
    assert_eq!(table.get(1).unwrap().unwrap(), 1_i32.to_le_bytes(), "it stays where it is");
    table.rename_column("A", "B").unwrap();
    assert_eq!(number(table.delete_column("B", false)), -1046);
    table.delete_index("I").unwrap();
    table.delete_column("B", false).unwrap();
    assert_eq!(number(table.bookmark()), -1603);

    let mut second = bed.database.open_table("T", TableMode::DENY_READ).unwrap();
    assert_eq!(number(bed.database.open_table("T", TableMode::READ_ONLY)), 0, "of the same session");
    let mut reader = bed.database.open_table("T", TableMode::READ_ONLY).unwrap();
    assert_eq!(number(reader.add_column(&long("C"))), -1809);
    assert_eq!(number(reader.create_index(&IndexSpec::new("I").ascending("Id"))), -1809);
    assert_eq!(number(reader.delete_index("I")), -1809);
    assert_eq!(number(reader.delete_column("Note", false)), -1809);
    reader.rename_column("Note", "Remark").unwrap();

    let two = [IndexSpec::new("I").ascending("Id"), IndexSpec::new("J").descending("Id")];
    bed.session.begin().unwrap();
    assert_eq!(number(second.create_indexes(&two)), -1108);
    assert_eq!(number(second.rename_column("b[]d", "worse!")), -1108);
    bed.session.commit(CommitMode::Lazy).unwrap();
    second.create_indexes(&two).unwrap();
    let primary = [IndexSpec::new("K").ascending("Id"), IndexSpec::new("L").ascending("Id").primary()];
    assert_eq!(number(second.create_indexes(&primary)), -900);
    drop((table, second));
    assert_eq!(number(bed.open("T").create_indexes(&two)), -1322);

    bed.session.begin_read_only().unwrap();
    let mut table = bed.open("T");
    assert_eq!(number(table.add_column(&long("C"))), -1110);
    assert_eq!(bed.database.delete_table("none").unwrap_err().jet_error().0, -1110);
    assert_eq!(bed.database.rename_table("none", "b!d").unwrap_err().jet_error().0, -1110);
    bed.session.rollback().unwrap();
    drop((table, reader));
    bed.finish();
}

#[test]
fn without_versions_only_outside_transactions_or_alone() {
    let bed = Bed::new(8192);
    let mut table = bed.database.create_and_open_table(&plain("T")).unwrap();
    let column = |name: &str| ColumnSpec::fixed(name, ColumnKind::LONG).unversioned();
    bed.session.begin().unwrap();
    table.add_column(&column("A")).unwrap();
    drop(table);
    bed.session.commit(CommitMode::Lazy).unwrap();
    let mut table = bed.open("T");
    table.add_column(&column("B")).unwrap();
    bed.session.begin().unwrap();
    assert_eq!(number(table.add_column(&column("C"))), -1108);
    bed.session.rollback().unwrap();
    drop(table);
    bed.finish();
}

#[test]
fn order_of_refusals() {
    let bed = Bed::new(8192);
    bed.database.create_table(&plain("T")).unwrap();
    let create = |spec: &TableSpec| match bed.database.create_table(spec) {
        Ok(()) => 0,
        Err(error) => error.jet_error().0,
    };
    let bad = ColumnRequest { kind: 4, options: ColumnOptions::MULTI_VALUED, ..ColumnRequest::default() };
    let bad = || ColumnSpec::requested("A", &bad).0;
    assert_eq!(create(&TableSpec::new("U").column(bad())), -1509);
    assert_eq!(create(&TableSpec::new("T").column(bad())), -1303, "the name before the columns");
    assert_eq!(create(&TableSpec::new("T").column(bad()).density(10)), -1307, "the density before the name");
    let system = TableOptions::SYSTEM;
    assert_eq!(create(&TableSpec::new("b!d").options(system)), -900);
    assert_eq!(create(&TableSpec::new("b!d")), -1002);
    let index = |options, unicode| {
        let key = b"+Nothing\0\0";
        IndexSpec::requested("I", &IndexRequest { key, options, unicode, ..IndexRequest::default() })
    };
    let own = || TableSpec::new("V").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    assert_eq!(create(&own().index(index(IndexOptions::empty(), None))), -1507);
    assert_eq!(create(&own().index(index(IndexOptions::empty(), Some(("en-US", 0))))), -1003);
    assert_eq!(create(&own().index(index(IndexOptions::UNICODE, None))), -1003);
    assert_eq!(create(&TableSpec::new("V").index(index(IndexOptions::empty(), None))), -1409);
    assert_eq!(create(&own()), 0);
    let short = ColumnRequest { kind: 4, default_value: b"ab", ..ColumnRequest::default() };
    let short = || TableSpec::new("W").column(ColumnSpec::requested("B", &short).0);
    assert_eq!(create(&short()), -1047);
    assert_eq!(create(&short().column(bad())), -1509, "sizes of default values come last");
    let wide = ColumnRequest { kind: 4, max_size: 8000, ..ColumnRequest::default() };
    assert_eq!(create(&TableSpec::new("W").column(ColumnSpec::requested("A", &wide).0)), -1026);
    assert_eq!(bed.database.rename_table("V", "t").unwrap_err().jet_error().0, -1605);
    let hints = SpaceHints::with_density(10);
    let mut table = bed.open("T");
    assert_eq!(number(table.create_index(&IndexSpec::new("I").ascending("No").space_hints(hints))), -1307);
    assert_eq!(number(bed.database.open_table("none", TableMode::PERMIT_STRUCTURE_CHANGES)), -900);
    drop(table);
    bed.finish();
}

#[test]
fn deleted_tables_are_locked_until_it_is_taken_back() {
    let bed = Bed::new(8192);
    bed.database.create_table(&plain("T")).unwrap();
    let other = bed.instance.begin_session().unwrap();
    let theirs = other.open_database(bed.database.path()).unwrap();
    let open = || number(theirs.open_table("T", TableMode::empty()));
    bed.session.begin().unwrap();
    bed.session.begin().unwrap();
    bed.database.delete_table("T").unwrap();
    assert_eq!(open(), -1302);
    bed.session.rollback().unwrap();
    assert_eq!(open(), 0);
    bed.database.delete_table("T").unwrap();
    bed.session.rollback().unwrap();
    assert_eq!(open(), 0);
    bed.database.delete_table("T").unwrap();
    assert_eq!(open(), -1305);
    drop(theirs);
    other.end().unwrap();
    bed.finish();
}

#[test]
fn what_is_told() {
    let bed = Bed::new(8192);
    let limits = TupleLimits { min: 3, max: 8, most: 100, increment: 1, start: 0 };
    let spec = plain("T")
        .column(ColumnSpec::variable("Word", ColumnKind::TEXT, 40).default_value("x"))
        .index(IndexSpec::new("Words").descending("Word").ascending("Id").only_if_null("Note", false))
        .index(IndexSpec::new("Parts").ascending("Note").tuples(limits).locale("pt-BR"));
    let mut table = bed.database.create_and_open_table(&spec).unwrap();
    let told = table.column_info(ColumnName::Name("word")).unwrap();
    assert_eq!((told.id, told.max_size, told.flags, told.code_page), (128, 40, 0x20, 1252));
    assert_eq!((&*told.name, &*told.table), ("Word", "T"));
    assert_eq!(told.default_value.as_deref(), Some(&b"x"[..]));
    assert_eq!(table.column_info(ColumnName::Number(256)).unwrap().name, "Note");
    for (column, error) in [(ColumnName::Name("None"), -1507), (ColumnName::Name(""), -1507)] {
        assert_eq!(number(table.column_info(column)), error);
    }
    assert_eq!(number(table.column_info(ColumnName::Name("b!d"))), -1002);
    assert_eq!(bed.database.column_info("T", ColumnName::Number(1)).unwrap().flags, 0x1);
    assert_eq!(number(bed.database.column_info("none", ColumnName::Number(1))), -1305);

    let definition = table.definition().unwrap();
    let words = definition.index_info("WORDS").unwrap();
    assert_eq!((&*words.key, words.flags), (&b"-Word\0+Id\0\0"[..], 0x800));
    assert_eq!((words.key_most, words.segment_most, words.density), (255, 255, 80));
    assert_eq!(words.conditions, [("Note".to_owned(), false)]);
    assert_eq!((&*words.locale, words.locale_id, words.sort_version), ("en-US", 0x409, 0));
    let parts = definition.index_info("Parts").unwrap();
    assert_eq!((parts.flags & 0x3000, parts.tuple_limits), (0x3000, Some(limits)));
    assert_eq!((&*parts.locale, parts.locale_id), ("pt-BR", 0x416));
    assert_ne!(parts.sort_version, 0);
    assert_eq!(definition.index_info("").unwrap().flags, 0x803);
    assert_eq!(number(definition.index_info("none")), -1404);
    assert_eq!(number(definition.index_info("b!d")), -1002);

    let info = table.object_info().unwrap();
    assert_eq!((info.capabilities, info.flags.bits(), info.template), (7, 0, None));
    let mut own = table.column_list(ColumnListFlags::empty(), ListNames::Narrow).unwrap();
    let flags = own.flags;
    assert_eq!(own.table.get(flags).unwrap().unwrap(), 0x21_u32.to_le_bytes());
    assert_eq!(table.index_list(None, ListNames::Narrow).unwrap().count, 4);
    drop((own, table));
    bed.finish();
}

#[test]
fn defaults_that_the_application_computes() {
    let bed = Bed::new(8192);
    let mut table = bed.database.create_and_open_table(&plain("T").callback(1, "library!told")).unwrap();
    let computed = ComputedDefault { callback: "library!value".to_owned(), data: vec![1, 2, 3] };
    let tagged = ColumnSpec::tagged("C", ColumnKind::LONG).computed_default(computed.clone());
    let id = table.add_column(&tagged).unwrap();
    let fixed = ColumnSpec::fixed("D", ColumnKind::LONG).computed_default(computed.clone());
    assert_eq!(number(table.add_column(&fixed)), -900);
    let options = ColumnOptions::USER_DEFINED_DEFAULT | ColumnOptions::TAGGED;
    let alone = ColumnRequest { kind: 4, options, ..ColumnRequest::default() };
    assert_eq!(number(table.add_column(&ColumnSpec::requested("E", &alone).0)), -1003);
    let told = table.column_info(ColumnName::Number(id)).unwrap();
    assert_eq!((told.flags, told.computed_default), (0x8022, Some(computed)));
    insert(&mut table, 1);
    table.move_first().unwrap();
    assert_eq!(number(table.get(id)), -2101, "nobody computes it");
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(id, &7_i32.to_le_bytes(), SetOptions::default()).unwrap();
    table.update().unwrap();
    assert_eq!(table.get(id).unwrap().unwrap(), 7_i32.to_le_bytes());
    table.delete_column("C", false).unwrap();
    drop(table);
    bed.finish();
}
