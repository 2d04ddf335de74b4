//! Lists of tables, columns and indexes as temporary tables, with the columns that the original engine gives them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnListFlags, ColumnSpec, IndexSpec, ListNames, PrepareKind, SeekFlags, Table, TableFlags, TableSpec,
};
use table_bed::{Bed, number};

fn bed() -> Bed {
    let bed = Bed::new(8192);
    let spec = TableSpec::new("tab")
        .column(ColumnSpec::fixed("b", ColumnKind::LONG))
        .column(ColumnSpec::fixed("a", ColumnKind::LONG).default_value(7))
        .column(ColumnSpec::variable("text", ColumnKind::TEXT, 60).unicode())
        .index(IndexSpec::new("ib").ascending("b").descending("a"))
        .index(IndexSpec::new("ia").ascending("a").unique());
    bed.database.create_table(&spec).unwrap();
    bed
}

/// The rows of a list: each of these columns as bytes.
fn rows(table: &mut Table, columns: &[u32]) -> Vec<Vec<Option<Vec<u8>>>> {
    let mut rows = Vec::new();
    let mut outcome = number(table.move_first());
    while outcome == 0 {
        rows.push(columns.iter().map(|&id| table.get(id).unwrap()).collect());
        outcome = number(table.move_next());
    }
    assert_eq!(outcome, -1603);
    rows
}

fn number_of(value: &Option<Vec<u8>>) -> u64 {
    value.as_ref().unwrap().iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn text_of(value: &Option<Vec<u8>>) -> String {
    String::from_utf8(value.clone().unwrap()).unwrap()
}

#[test]
fn objects() {
    let bed = bed();
    let mut list = bed.database.object_list(ListNames::Narrow).unwrap();
    let ids = [
        list.container_name,
        list.object_name,
        list.object_kind,
        list.created,
        list.updated,
        list.row_count,
        list.page_count,
        list.capabilities,
        list.flags,
    ];
    assert_eq!(ids, [128, 129, 1, 2, 3, 4, 5, 6, 7]);
    let found = rows(&mut list.table, &ids);
    assert_eq!(found.len() as u64, list.count);
    let names: Vec<_> = found.iter().map(|row| text_of(&row[1])).collect();
    assert!(names.is_sorted_by_key(|name| name.to_lowercase()) && names.contains(&"tab".to_owned()));
    let tab = found.iter().find(|row| text_of(&row[1]) == "tab").unwrap();
    assert_eq!(text_of(&tab[0]), "Tables");
    assert_eq!((number_of(&tab[2]), &tab[3], &tab[4]), (1, &None, &None));
    assert_eq!((number_of(&tab[5]), number_of(&tab[6]), number_of(&tab[7])), (0, 0, 7));
    assert_eq!(number_of(&tab[8]), 0);
    let system = found.iter().find(|row| text_of(&row[1]) == "MSysObjects").unwrap();
    let flags = TableFlags::SYSTEM | TableFlags::FIXED_SCHEMA;
    assert_eq!(number_of(&system[8]), u64::from(flags.bits()));
    // A sort that can be searched, and is complete.
    assert_eq!(number(list.table.prepare(PrepareKind::Insert)), -1312);
    list.table.make_key(b"Tables", KeyFlags::NEW_KEY).unwrap();
    list.table.make_key(b"TAB", KeyFlags::empty()).unwrap();
    list.table.seek(SeekFlags::EQUAL).unwrap();
    assert_eq!(list.table.get(129).unwrap().unwrap(), b"tab");
    assert_eq!(list.table.bookmark().unwrap().len(), 4);

    let mut wide = bed.database.object_list(ListNames::Wide).unwrap();
    let names = rows(&mut wide.table, &[wide.object_name]);
    let tab: Vec<u8> = "tab".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(names.iter().any(|row| row[0].as_ref() == Some(&tab)));
    bed.finish();
}

#[test]
fn columns() {
    let bed = bed();
    let list = |flags| bed.database.column_list("tab", flags, ListNames::Narrow).unwrap();
    let mut plain = list(ColumnListFlags::empty());
    let ids = [
        plain.presentation_order,
        plain.column_name,
        plain.column_id,
        plain.kind,
        plain.country,
        plain.language,
        plain.code_page,
        plain.collation,
        plain.max_size,
        plain.flags,
        plain.default_value,
        plain.base_table_name,
        plain.base_column_name,
    ];
    assert_eq!(ids, [1, 128, 2, 3, 4, 5, 6, 7, 8, 9, 256, 129, 130]);
    assert_eq!(plain.count, 3);
    let found = rows(&mut plain.table, &ids);
    let names: Vec<_> = found.iter().map(|row| text_of(&row[1])).collect();
    assert_eq!(names, ["a", "b", "text"], "sorted by name");
    let a = &found[0];
    assert_eq!(a[0], None);
    assert_eq!((number_of(&a[2]), number_of(&a[3]), number_of(&a[8])), (2, 4, 4));
    assert_eq!((number_of(&a[4]), number_of(&a[5]), number_of(&a[7])), (1, 0x409, 0));
    assert_eq!(number_of(&a[9]), 0x01, "fixed; whether it can be updated only a cursor tells");
    assert_eq!(a[10].as_deref(), Some(&7_i32.to_le_bytes()[..]));
    assert_eq!((text_of(&a[11]), text_of(&a[12])), ("tab".to_owned(), "a".to_owned()));
    assert_eq!((number_of(&found[2][6]), number_of(&found[2][8])), (1200, 60));
    assert_eq!(found[1][10], None);
    // A table: it has a column for long values.
    assert_eq!(number(plain.table.prepare(PrepareKind::Insert)), 0);

    let mut by_number = list(ColumnListFlags::BY_NUMBER);
    let order = rows(&mut by_number.table, &[1, 2, 128]);
    assert_eq!(order.iter().map(|row| text_of(&row[2])).collect::<Vec<_>>(), ["b", "a", "text"]);
    assert!(order.iter().all(|row| row[0] == row[1]));
    let mut minimal = list(ColumnListFlags::MINIMAL);
    assert!(rows(&mut minimal.table, &[3, 4, 8, 9, 129]).iter().all(|row| row.iter().all(Option::is_none)));
    let mut compact = list(ColumnListFlags::COMPACT);
    assert_eq!((compact.default_value, compact.base_table_name, compact.base_column_name), (129, 130, 131));
    assert_eq!(rows(&mut compact.table, &[128]).len(), 3);
    assert_eq!(number(compact.table.make_key(&[1, 0, 0, 0], KeyFlags::NEW_KEY)), -1515);
    assert_eq!(number(bed.database.column_list("none", ColumnListFlags::empty(), ListNames::Narrow)), -1305);
    bed.finish();
}

#[test]
fn indexes() {
    let bed = bed();
    let mut list = bed.database.index_list("tab", None, ListNames::Narrow).unwrap();
    let ids = [
        list.index_name,
        list.flags,
        list.key_count,
        list.entry_count,
        list.page_count,
        list.segment_count,
        list.segment,
        list.column_id,
        list.kind,
        list.country,
        list.language,
        list.code_page,
        list.collation,
        list.segment_flags,
        list.column_name,
        list.normalization_flags,
    ];
    assert_eq!(ids, [128, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 129, 14]);
    assert_eq!(list.count, 3);
    let found: Vec<_> = rows(&mut list.table, &ids)
        .iter()
        .map(|row| {
            let numbers: Vec<_> = row[1..14].iter().map(number_of).collect();
            (text_of(&row[0]), text_of(&row[14]), numbers, number_of(&row[15]))
        })
        .collect();
    let expect = |index: &str, column: &str, flags, count, place, id, direction| {
        let numbers = vec![flags, 0, 0, 0, count, place, id, 4, 1, 0x409, 0, 0, direction];
        (index.to_owned(), column.to_owned(), numbers, 0x0003_0401)
    };
    assert_eq!(
        found,
        [
            expect("ia", "a", 1, 1, 0, 2, 0),
            expect("ib", "b", 0, 2, 0, 1, 0),
            expect("ib", "a", 0, 2, 1, 2, 1)
        ]
    );
    assert_eq!(number(list.table.prepare(PrepareKind::Insert)), -1312);
    let one = bed.database.index_list("tab", Some("IB"), ListNames::Narrow).unwrap();
    assert_eq!(one.count, 2);
    assert_eq!(number(bed.database.index_list("tab", Some("none"), ListNames::Narrow)), -1404);
    bed.finish();
}
