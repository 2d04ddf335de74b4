//! Temporary tables: sorts, what they become, and which calls they allow when. The numbers are those that the original
//! engine answers to the same calls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod calls;
mod file;
mod sorts;
#[path = "../table_bed/mod.rs"]
mod table_bed;
mod transactions;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    PrepareKind, SeekFlags, SetFlags, Table, TemporaryColumn, TemporaryTableFlags as Flags,
    TemporaryTableSpec,
};
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
