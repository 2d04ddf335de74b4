//! Space hints: refused ones, what is kept of the others, how full pages become and how many a table has at first; limits of
//! long values that a table has of its own; counters that no rollback takes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::{
    AttachOptions, ColumnSpec, CommitMode, EscrowFlags, IndexSpec, PrepareKind, RecordSize, RecordSizeFlags,
    SetFlags, SpaceHintFlags, SpaceHints, Table, TableSpec, Value,
};
use table_bed::Bed;

fn plain(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
}

fn insert(bed: &Bed, table: &mut Table, id: i32, long: &[u8]) {
    bed.session.begin().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    let (key, value) = (table.column_id("Id").unwrap(), table.column_id("Long").unwrap());
    table.set_column(key, &id.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(value, long, SetFlags::empty()).unwrap();
    table.update().unwrap();
    bed.session.commit(CommitMode::Lazy).unwrap();
}

#[test]
fn what_is_kept_of_hints() {
    let bed = Bed::new(8192);
    let create = |spec: &TableSpec| bed.database.create_table(spec).err().map_or(0, |e| e.jet_error().0);
    let hints = SpaceHints {
        initial_bytes: 20_000,
        flags: SpaceHintFlags::APPEND_SEQUENTIAL,
        growth_percent: 150,
        least_extent: 8192,
        most_extent: 1 << 20,
        ..SpaceHints::with_density(60)
    };
    let by_id = || IndexSpec::new("ById").ascending("Id").primary();
    let bad = SpaceHints { growth_percent: 3, ..hints };
    assert_eq!(create(&plain("T").space_hints(bad)), -2103);
    assert_eq!(create(&plain("T").index(by_id().space_hints(bad))), -2103);
    assert_eq!(create(&plain("T").long_value_hints(bad)), -2103);
    assert_eq!(create(&plain("T").space_hints(SpaceHints::with_density(10))), -1307);
    assert_eq!(create(&plain("T").density(10)), -1307);
    assert_eq!(create(&plain("T").index(by_id()).space_hints(hints)), -2103, "they are the index's");
    let flags = SpaceHintFlags::from_bits_retain(1 << 20);
    assert_eq!(create(&plain("T").space_hints(SpaceHints { flags, ..hints })), -900);
    let second = IndexSpec::new("Second").ascending("Id").space_hints(SpaceHints::with_density(30));
    let spec = plain("T").index(by_id().space_hints(hints)).index(second).long_value_hints(hints);
    assert_eq!(create(&spec), 0);
    assert_eq!(create(&plain("Heap").space_hints(hints)), 0);
    assert_eq!(
        create(&plain("Plain").density(70).index(by_id()).index(IndexSpec::new("S").ascending("Id"))),
        0
    );
    bed.database.create_index("T", &IndexSpec::new("Late").ascending("Id")).unwrap();
    let late = IndexSpec::new("Bad").ascending("Id").space_hints(bad);
    assert_eq!(bed.database.create_index("T", &late).unwrap_err().jet_error().0, -2103);
    let mut table = bed.open("T");
    insert(&bed, &mut table, 1, &[7; 5000]);
    drop(table);
    let bed = bed.restart(AttachOptions::default());
    let definition = bed.database.table_definition("T").unwrap();
    assert_eq!(definition.initial_pages, 4, "room for both indexes: three pages and one");
    assert_eq!(definition.space_hints, SpaceHints { initial_bytes: 0, ..hints });
    assert_eq!(definition.long_value_hints, SpaceHints { initial_bytes: 3 * 8192, ..hints });
    let densities: Vec<_> =
        definition.indexes.iter().map(|index| (&index.name[..], index.space_hints.initial_density)).collect();
    assert_eq!(densities, [("ById", 60), ("Second", 30), ("Late", 60)]);
    let heap = bed.database.table_definition("Heap").unwrap();
    assert_eq!((heap.initial_pages, heap.space_hints), (3, SpaceHints { initial_bytes: 0, ..hints }));
    let plain = bed.database.table_definition("Plain").unwrap();
    assert_eq!((plain.initial_pages, plain.space_hints), (2, SpaceHints::with_density(70)));
    assert_eq!(plain.indexes[1].space_hints, SpaceHints::with_density(70));
    bed.finish();
}

/// How many splits a thousand rows make, appended or in between.
fn pages(density: u32, upwards: bool) -> u64 {
    let bed = Bed::new(8192);
    let spec = plain("T").density(density).index(IndexSpec::new("ById").ascending("Id").primary());
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    bed.session.begin().unwrap();
    for n in 0..1000 {
        insert(&bed, &mut table, if upwards { n } else { -n }, &[1; 200]);
    }
    bed.session.commit(CommitMode::Lazy).unwrap();
    drop(table);
    // Each makes one page.
    let splits = bed.instance.counters().splits;
    bed.finish();
    splits
}

#[test]
fn pages_are_as_full_as_the_density_says() {
    let full = pages(100, true);
    assert!((25..=32).contains(&full), "{full}");
    for (density, least, most) in [(80, 120, 135), (50, 190, 215), (20, 440, 540)] {
        let share = pages(density, true) * 100 / full;
        assert!((least..=most).contains(&share), "{density}: {share}");
    }
    let down = pages(50, false);
    assert!(down < full * 5 / 2, "only what comes behind all others: {down}");
}

#[test]
fn limits_of_long_values() {
    let bed = Bed::new(8192);
    let create = |spec: &TableSpec| bed.database.create_table(spec).err().map_or(0, |e| e.jet_error().0);
    assert_eq!(create(&plain("T").chunk_size(8111)), -1438);
    assert_eq!(create(&plain("Chunks").chunk_size(100).separation_threshold(50)), 0);
    assert_eq!(create(&plain("Wide").separation_threshold(4000)), 0);
    for (name, length, apart) in
        [("Chunks", 50, false), ("Chunks", 51, true), ("Wide", 3500, false), ("Wide", 4001, true)]
    {
        let mut table = bed.open(name);
        let value: Vec<u8> = (0..length).map(|n: u32| n as u8).collect();
        insert(&bed, &mut table, length as i32, &value);
        table.move_last().unwrap();
        let mut size = RecordSize::default();
        table.record_size(RecordSizeFlags::empty(), &mut size).unwrap();
        assert_eq!(size.long_values > 0, apart, "{name} {length}");
        let id = table.column_id("Long").unwrap();
        assert_eq!(table.get(id).unwrap().unwrap(), value);
    }
    bed.finish();
}

#[test]
fn counters_that_no_rollback_takes_back() {
    let bed = Bed::with_format(8192, 9060);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("A", ColumnKind::LONG).escrow_update().default_value(5_i32))
        .column(
            ColumnSpec::fixed("B", ColumnKind::LONG_LONG).escrow_update().default_value(Value::LongLong(0)),
        );
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    table.prepare(PrepareKind::Insert).unwrap();
    table.update().unwrap();
    table.move_first().unwrap();
    bed.session.begin().unwrap();
    let keep = EscrowFlags::NO_ROLLBACK;
    assert_eq!(table.escrow_update_with(1, &3_i32.to_le_bytes(), keep).unwrap(), 5);
    assert_eq!(table.escrow_update(1, &100_i32.to_le_bytes()).unwrap(), 8);
    assert_eq!(table.escrow_update_with(2, &(1_i64 << 40).to_le_bytes(), keep).unwrap(), 0);
    bed.session.rollback().unwrap();
    table.move_first().unwrap();
    assert_eq!(table.get(1).unwrap().unwrap(), 8_i32.to_le_bytes());
    assert_eq!(table.get(2).unwrap().unwrap(), (1_i64 << 40).to_le_bytes());
    drop(table);
    let bed = bed.crash();
    let mut table = bed.open("T");
    table.move_first().unwrap();
    assert_eq!(table.get(1).unwrap().unwrap(), 8_i32.to_le_bytes());
    drop(table);
    bed.finish();
}

#[test]
fn extents_are_as_large_as_was_said() {
    let bed = Bed::new(4096);
    let owned = |name: &str, hints: SpaceHints| {
        bed.database.create_table(&plain(name).space_hints(hints)).unwrap();
        let mut table = bed.open(name);
        for row in 0..60 {
            insert(&bed, &mut table, row, &[1; 600]);
        }
        bed.database.table_space(name).unwrap().owned
    };
    let plain = SpaceHints::with_density(80);
    let large = SpaceHints { least_extent: 100 * 4096, most_extent: 100 * 4096, ..plain };
    let (usual, said) = (owned("Usual", plain), owned("Said", large));
    assert!(usual < 50 && said >= 100, "{usual} and {said} pages");
    bed.finish();
}
