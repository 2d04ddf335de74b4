//! Indexes with several conditions: a row has entries where all of them hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, IndexOptions, IndexRequest, IndexSpec, PrepareKind, SetFlags, Table, TableSpec,
};
use table_bed::Bed;

const ID: u32 = 1;

/// Name, columns and whether they are null; the rows when made, and those of the second half once they are changed.
type Wanted = (&'static str, &'static [(&'static str, bool)], [&'static [i32]; 2]);

/// An index of `Id`, of rows whose columns are (`true`) null or not.
fn conditional(name: &str, conditions: &[(&str, bool)]) -> IndexSpec {
    let conditions = conditions.iter().map(|(column, null)| (*column, if *null { 1 } else { 2 })).collect();
    let request = IndexRequest {
        key: b"+Id\0\0",
        options: IndexOptions::empty(),
        density: 0,
        key_most: 0,
        segment_most: 0,
        tuple_limits: None,
        unicode: None,
        conditions,
    };
    IndexSpec::from_request(name, &request).unwrap()
}

fn ids(table: &mut Table, index: &str) -> Vec<i32> {
    table.set_current_index(Some(index)).unwrap();
    let mut found = Vec::new();
    let mut there = table.move_first();
    while there.is_ok() {
        found.push(i32::from_le_bytes(table.get(ID).unwrap().unwrap().try_into().unwrap()));
        there = table.move_next();
    }
    found
}

fn set_bits(table: &mut Table, bits: i32) {
    for column in 0..2_u32 {
        let value: &[u8] = if bits >> column & 1 != 0 { &[1] } else { &[] };
        table.set_column(2 + column, value, SetFlags::empty()).unwrap();
    }
}

#[test]
fn all_conditions_hold() {
    let bed = Bed::new(8192);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("A", ColumnKind::BIT))
        .column(ColumnSpec::fixed("B", ColumnKind::BIT))
        .index(IndexSpec::new("ById").ascending("Id").primary());
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    let insert = |table: &mut Table, id: i32| {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(ID, &id.to_le_bytes(), SetFlags::empty()).unwrap();
        set_bits(table, id);
        table.update().unwrap();
    };
    (0..4).for_each(|id| insert(&mut table, id));
    let wanted: [Wanted; 6] = [
        ("both", &[("A", false), ("B", false)], [&[3, 7], &[4]]),
        ("a", &[("A", false)], [&[1, 3, 5, 7], &[4, 6]]),
        ("a-not-b", &[("A", false), ("B", true)], [&[1, 5], &[6]]),
        ("b-not-a", &[("A", true), ("B", false)], [&[2, 6], &[5]]),
        ("not-b", &[("B", true)], [&[0, 1, 4, 5], &[6, 7]]),
        ("none", &[("A", true), ("B", true)], [&[0, 4], &[7]]),
    ];
    for (name, conditions, _) in &wanted {
        bed.database.create_index("T", &conditional(name, conditions)).unwrap();
    }
    (4..8).for_each(|id| insert(&mut table, id));
    for (name, _, [before, _]) in &wanted {
        assert_eq!(ids(&mut table, name), *before, "{name}");
    }
    // The other way round in the second half.
    for id in 4..8_i32 {
        table.set_current_index(None).unwrap();
        table.move_first().unwrap();
        table.move_by(id, false).unwrap();
        table.prepare(PrepareKind::Replace).unwrap();
        set_bits(&mut table, 7 - id);
        table.update().unwrap();
    }
    for (name, _, [before, after]) in &wanted {
        let mut expected: Vec<i32> = before.iter().copied().filter(|id| *id < 4).collect();
        expected.extend_from_slice(after);
        assert_eq!(ids(&mut table, name), expected, "{name}");
    }
    drop(table);
    bed.finish();
}
