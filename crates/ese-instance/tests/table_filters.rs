//! Moves that pass over rows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnFilter, ColumnSpec, FilterOperator as Op, IndexSpec, PrepareKind, RangeFlags, SeekFlags, SetFlags,
    Table, TableSpec,
};
use table_bed::{Bed, number};

const ID: u32 = 1;
const NUMBER: u32 = 2;
const BIT: u32 = 3;
const NAME: u32 = 128;
const BYTES: u32 = 129;
const TAGGED: u32 = 256;

fn found(table: &mut Table, filters: &[(u32, Op, Option<&[u8]>)]) -> Vec<i32> {
    let filters: Vec<_> = filters
        .iter()
        .map(|(column, operator, value)| ColumnFilter {
            column: *column,
            operator: *operator,
            value: value.map(<[u8]>::to_vec),
        })
        .collect();
    table.set_filters(&filters).unwrap();
    let (mut forwards, mut there) = (Vec::new(), table.move_first());
    while there.is_ok() {
        forwards.push(i32::from_le_bytes(table.get(ID).unwrap().unwrap().try_into().unwrap()));
        there = table.move_next();
    }
    assert_eq!(number(there), -1603);
    let (mut backwards, mut there) = (Vec::new(), table.move_last());
    while there.is_ok() {
        backwards.push(i32::from_le_bytes(table.get(ID).unwrap().unwrap().try_into().unwrap()));
        there = table.move_previous();
    }
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

#[test]
fn moves_pass_over_rows() {
    let bed = Bed::new(4096);
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Number", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Bit", ColumnKind::BIT))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 50))
        .column(ColumnSpec::variable("Bytes", ColumnKind::BINARY, 50))
        .column(ColumnSpec::tagged("Tagged", ColumnKind::SHORT).multi_valued())
        .index(IndexSpec::new("Primary").ascending("Id").primary())
        .index(IndexSpec::new("Numbers").ascending("Number"));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("T");
    for id in 0..10_i32 {
        table.prepare(PrepareKind::Insert).unwrap();
        let mut set = |column, value: &[u8]| table.set_column(column, value, SetFlags::empty()).unwrap();
        set(ID, &id.to_le_bytes());
        if id != 4 {
            set(NUMBER, &(id - 5).to_le_bytes());
            set(BIT, &[if id % 2 == 0 { 0xFF } else { 0 }]);
            set(BYTES, &[b'b', id as u8]);
            set(TAGGED, &(id as i16).to_le_bytes());
        }
        table.update().unwrap();
    }
    let long = |number: i32| number.to_le_bytes();
    assert_eq!(found(&mut table, &[]).len(), 10);
    assert_eq!(found(&mut table, &[(NUMBER, Op::Equal, Some(&long(-2)))]), [3]);
    assert_eq!(found(&mut table, &[(NUMBER, Op::Equal, None)]), [4]);
    assert_eq!(found(&mut table, &[(NUMBER, Op::NotEqual, None)]), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    // Negative numbers come before the others, and null before all.
    assert_eq!(found(&mut table, &[(NUMBER, Op::Less, Some(&long(-2)))]), [0, 1, 2, 4]);
    assert_eq!(found(&mut table, &[(NUMBER, Op::GreaterOrEqual, Some(&long(2)))]), [7, 8, 9]);
    assert_eq!(found(&mut table, &[(NUMBER, Op::LessOrEqual, None)]), [4]);
    assert_eq!(found(&mut table, &[(BIT, Op::Equal, Some(&[1]))]), [0, 2, 6, 8]);
    assert_eq!(found(&mut table, &[(BYTES, Op::BeginsWith, Some(b"b"))]).len(), 9);
    assert_eq!(found(&mut table, &[(BYTES, Op::Greater, Some(&[b'b', 7]))]), [8, 9]);
    assert_eq!(found(&mut table, &[(TAGGED, Op::AnyBits, Some(&[6, 0]))]), [2, 3, 5, 6, 7]);
    assert_eq!(found(&mut table, &[(TAGGED, Op::NoBits, Some(&[6, 0]))]), [0, 1, 4, 8, 9]);
    let both = [(BIT, Op::Equal, Some(&[1][..])), (NUMBER, Op::Greater, Some(&long(0)))];
    assert_eq!(found(&mut table, &both), [6, 8]);
    assert_eq!(number(table.move_by(0, false)), -1124);

    // Seeks pass over rows as moves do.
    let mut seek = |value: i32, flags: SeekFlags| {
        table.make_key(&long(value), KeyFlags::NEW_KEY).unwrap();
        let status = table.seek(flags).map(|status| status.jet_error().0);
        status.map_err(|error| error.jet_error().0).unwrap_or_else(|error| error)
    };
    assert_eq!(seek(6, SeekFlags::EQUAL), 0);
    assert_eq!(seek(2, SeekFlags::EQUAL), -1601, "it is there and does not pass");
    assert_eq!(seek(2, SeekFlags::GREATER_OR_EQUAL), 1039);
    assert_eq!(seek(6, SeekFlags::GREATER), 0);
    assert_eq!(seek(9, SeekFlags::LESS_OR_EQUAL), 1039);
    assert_eq!(seek(6, SeekFlags::LESS), -1601);
    assert_eq!(number(table.count(0)), -1124);
    assert_eq!(number(table.record_position()), -1124);
    assert_eq!(number(table.set_current_index(None)), -1124);

    // A range ends at its limit, whatever is passed over.
    table.set_filters(&[]).unwrap();
    table.make_key(&long(2), KeyFlags::NEW_KEY).unwrap();
    table.seek(SeekFlags::EQUAL).unwrap();
    table.set_filters(&[ColumnFilter { column: BIT, operator: Op::Equal, value: Some(vec![1]) }]).unwrap();
    table.make_key(&long(6), KeyFlags::NEW_KEY).unwrap();
    table.set_index_range(RangeFlags::UPPER_LIMIT).unwrap();
    assert_eq!(number(table.move_next()), -1603);

    let bad = |table: &mut Table, column, operator, value: Option<&[u8]>| {
        number(table.set_filters(&[ColumnFilter { column, operator, value: value.map(<[u8]>::to_vec) }]))
    };
    assert_eq!(bad(&mut table, NAME, Op::Equal, Some(b"x")), -1124);
    assert_eq!(bad(&mut table, NUMBER, Op::Equal, Some(b"x")), -1003);
    assert_eq!(bad(&mut table, NUMBER, Op::BeginsWith, Some(&long(1))), -1003);
    assert_eq!(bad(&mut table, NUMBER, Op::AnyBits, None), -1003);
    assert_eq!(bad(&mut table, BIT, Op::AnyBits, Some(&[1])), -1003);
    assert_eq!(bad(&mut table, 77, Op::Equal, None), -1507);
    table.move_first().unwrap();
    table.set_current_index(Some("Numbers")).unwrap();
    assert_eq!(bad(&mut table, NUMBER, Op::Equal, None), -1124);

    assert_eq!(table.preread_keys(&[b"a", b"b", b"b"], false).unwrap(), 3);
    assert_eq!(number(table.preread_keys(&[b"a", b"b"], true)), -1003);
    assert_eq!(number(table.preread_keys(&[], false)), -1003);
    assert_eq!(number(table.preread_keys(&[b"a", b""], false)), -1047);
    drop(table);
    bed.finish();
}
