//! Which call a temporary table allows in which phase, and which tables there cannot be.

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    EnumerateFlags, PrepareKind, RangeFlags, RecordSize, RecordSizeFlags, RetrieveFlags, Table, TableError,
    TemporaryColumn, TemporaryTableFlags as Flags, TemporaryTableSpec,
};

use crate::table_bed::{Bed, number};
use crate::{fill, here, open, rows, spec};

/// What an outcome is called by its number; 0 for success, with warnings left out.
fn ok<T>(outcome: Result<T, TableError>) -> i32 {
    number(outcome)
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
