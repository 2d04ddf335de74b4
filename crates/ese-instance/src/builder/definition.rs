//! From a table's specification to its catalog rows.

use std::collections::HashSet;

use ese_format::{ColumnId, ColumnKind, KeySegment, ObjectId, PageNumber};

use super::{BuilderError, ColumnPlacement, ColumnSpec, IndexSpec, TableSpec};
use crate::catalog::{
    CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags, IndexFlags, encode_windows_1252,
};

/// Flags for the normalisation of text that every index row carries.
#[doc(alias = "dwLCMapFlagsDefault")]
const NORMALIZATION_FLAGS: u32 = 0x0003_0401;
/// Locale that every index row names.
const LOCALE: &str = "en-US";
/// Longest name in bytes.
#[doc(alias = "JET_cbNameMost")]
const MAX_NAME: usize = 64;

/// A column with its number and place.
pub(super) struct PlacedColumn<'a> {
    pub(super) spec: &'a ColumnSpec,
    pub(super) id: ColumnId,
    pub(super) record_offset: Option<u16>,
}

/// A name in the catalog's code page.
pub(super) fn encode_name(name: &str) -> Result<Vec<u8>, BuilderError> {
    let invalid = || BuilderError::Name { name: name.to_owned() };
    let bytes = encode_windows_1252(name.trim_end_matches(' ')).ok_or_else(invalid)?;
    let forbidden = |b: &u8| *b < 0x20 || matches!(b, b'!' | b'.' | b'[' | b']');
    if bytes.is_empty()
        || bytes.len() > MAX_NAME
        || bytes.first() == Some(&b' ')
        || bytes.iter().any(forbidden)
    {
        return Err(invalid());
    }
    Ok(bytes)
}

/// The size of a fixed column's slot.
fn slot_size(spec: &ColumnSpec) -> u32 {
    spec.kind.fixed_size().map_or(spec.max_size, |size| size as u32)
}

/// Numbers the columns, in the order given within each placement.
pub(super) fn place_columns(spec: &TableSpec) -> Result<Vec<PlacedColumn<'_>>, BuilderError> {
    let mut placed = Vec::with_capacity(spec.columns.len());
    let mut next = [*ColumnId::FIXED.start(), *ColumnId::VARIABLE.start(), *ColumnId::TAGGED.start()];
    let mut offset = 4_u16;
    let mut names = HashSet::new();
    for column in &spec.columns {
        check_column(column)?;
        if !names.insert(column.name.to_ascii_lowercase()) {
            let (table, name) = (spec.name.clone(), column.name.clone());
            return Err(BuilderError::PartDuplicate { table, name, index: false });
        }
        let [fixed, variable, tagged] = &mut next;
        let (number, last) = match column.placement {
            ColumnPlacement::Fixed => (fixed, ColumnId::FIXED),
            ColumnPlacement::Variable => (variable, ColumnId::VARIABLE),
            ColumnPlacement::Tagged => (tagged, ColumnId::TAGGED),
        };
        if !last.contains(number) {
            return Err(BuilderError::OutOfNumbers { what: "columns" });
        }
        let id = ColumnId(*number);
        *number += 1;
        let mut record_offset = None;
        if column.placement == ColumnPlacement::Fixed {
            record_offset = Some(offset);
            let size = u16::try_from(slot_size(column)).ok();
            offset = size
                .and_then(|size| offset.checked_add(size))
                .ok_or(BuilderError::OutOfNumbers { what: "bytes of fixed columns" })?;
        }
        placed.push(PlacedColumn { spec: column, id, record_offset });
    }
    placed.sort_by_key(|column| column.id);
    let auto = placed.iter().filter(|c| c.spec.flags.contains(ColumnFlags::AUTO_INCREMENT)).nth(1);
    match auto {
        Some(second) => Err(column_error(second.spec, "a second auto-increment column")),
        None => Ok(placed),
    }
}

fn column_error(column: &ColumnSpec, what: &'static str) -> BuilderError {
    BuilderError::Column { column: column.name.clone(), kind: column.kind, what }
}

fn check_column(column: &ColumnSpec) -> Result<(), BuilderError> {
    let bad = |what| Err(column_error(column, what));
    let (kind, flags) = (column.kind, column.flags);
    if kind.name().is_none() || matches!(kind, ColumnKind::NIL | ColumnKind::SLV) {
        return bad("no type for columns");
    }
    if kind.is_long_value() && column.placement != ColumnPlacement::Tagged {
        return bad("long values are tagged");
    }
    if !matches!(column.code_page, 0 | 1200 | 1252) {
        return bad("unknown code page");
    }
    if !kind.is_text_or_binary()
        && column.placement == ColumnPlacement::Variable
        && kind.fixed_size().is_none()
    {
        return bad("no variable column");
    }
    if kind.is_text_or_binary() && !kind.is_long_value() && !(1..=255).contains(&column.max_size) {
        return bad("the largest size is 1 to 255");
    }
    if flags.contains(ColumnFlags::MULTI_VALUED) && column.placement != ColumnPlacement::Tagged {
        return bad("multi-valued columns are tagged");
    }
    if flags.contains(ColumnFlags::COMPRESSED) && !kind.is_long_value() {
        return bad("only long values are compressed");
    }
    let counts = matches!(kind, ColumnKind::LONG | ColumnKind::LONG_LONG | ColumnKind::CURRENCY);
    if flags.contains(ColumnFlags::AUTO_INCREMENT) && !(counts && column.placement == ColumnPlacement::Fixed)
    {
        return bad("auto-increment columns are fixed, of type Long, LongLong or Currency");
    }
    Ok(())
}

/// The row of a table.
pub(super) fn table_row(
    spec: &TableSpec,
    object: ObjectId,
    root: PageNumber,
) -> Result<CatalogRow, BuilderError> {
    Ok(CatalogRow {
        table: object,
        kind: CatalogRowKind::TABLE,
        id: object.0,
        type_or_root: root.0,
        space_usage: spec.density,
        flags: spec.flags.bits(),
        pages_or_locale: spec.pages,
        root_flag: Some(true),
        name: encode_name(&spec.name)?,
        ..CatalogRow::default()
    })
}

/// The row of a column.
pub(super) fn column_row(column: &PlacedColumn<'_>, object: ObjectId) -> Result<CatalogRow, BuilderError> {
    let spec = column.spec;
    let size = if column.record_offset.is_some() { slot_size(spec) } else { spec.max_size };
    let row = CatalogRow {
        table: object,
        kind: CatalogRowKind::COLUMN,
        id: u32::from(column.id.0),
        type_or_root: u32::from(spec.kind.0),
        space_usage: size,
        flags: spec.flags.bits(),
        pages_or_locale: u32::from(spec.code_page),
        record_offset: column.record_offset,
        name: encode_name(&spec.name)?,
        ..CatalogRow::default()
    };
    let Some(value) = &spec.default_value else { return Ok(row) };
    let definition = ColumnDefinition {
        name: spec.name.clone(),
        id: column.id,
        from_template: false,
        kind: spec.kind,
        max_size: size,
        flags: spec.flags,
        code_page: spec.code_page,
        record_offset: column.record_offset,
        default_value: None,
    };
    let mut value = value.encode(&definition)?.filter(|v| v.len() <= 255);
    if let Some(bytes) = &mut value {
        pad(bytes, &definition);
    }
    match value {
        Some(bytes) => Ok(CatalogRow { default_value: Some(bytes), ..row }),
        None => Err(column_error(spec, "a default value is not null and has at most 255 bytes")),
    }
}

/// Fills a value up to the size of a fixed column's slot: text with spaces, binary with zeros.
pub(super) fn pad(value: &mut Vec<u8>, column: &ColumnDefinition) {
    if !column.id.is_fixed() {
        return;
    }
    let size = column.slot_size();
    match (column.kind, column.code_page) {
        (ColumnKind::TEXT, 1200) => {
            while value.len() + 1 < size {
                value.extend_from_slice(&[b' ', 0]);
            }
            value.resize(size, 0);
        }
        (ColumnKind::TEXT, _) => value.resize(size, b' '),
        _ => value.resize(size, 0),
    }
}

/// The row of an index, except for object id and root page.
pub(super) fn index_row(
    spec: &IndexSpec,
    columns: &[PlacedColumn<'_>],
    object: ObjectId,
    key_limit: u16,
) -> Result<CatalogRow, BuilderError> {
    let bad = |what| BuilderError::Index { index: spec.name.clone(), what };
    if spec.segments.is_empty() || spec.segments.len() > 16 || spec.conditions.len() > 16 {
        return Err(bad("an index has 1 to 16 segments and at most 16 conditions"));
    }
    if spec.key_most < 255 || spec.key_most > key_limit {
        return Err(bad("the longest key is 255 bytes, or more as the page size allows"));
    }
    if spec.segment_most.is_some_and(|most| most == 0 || most > spec.key_most) {
        return Err(bad("a segment cannot be longer than the key"));
    }
    let find = |name: &str| {
        let found = columns.iter().find(|c| c.spec.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| bad("no column of the name of a segment or condition"))
    };
    let mut flags = spec.flags;
    let mut segments = Vec::new();
    for (place, (name, descending)) in spec.segments.iter().enumerate() {
        let column = find(name)?;
        let kind = column.spec.kind;
        if kind.is_text() && column.spec.code_page == 1200 {
            return Err(BuilderError::UnicodeIndex { index: spec.name.clone() });
        }
        if spec.tuple_limits.is_some() && place == 0 && !kind.is_text_or_binary() {
            return Err(bad("substrings are taken of text and binary"));
        }
        if column.spec.flags.contains(ColumnFlags::MULTI_VALUED) {
            flags |= IndexFlags::MULTI_VALUED;
        }
        segments.push(segment(column, *descending, false));
    }
    let multi_valued = flags.contains(IndexFlags::MULTI_VALUED);
    if flags.contains(IndexFlags::PRIMARY)
        && (multi_valued || spec.tuple_limits.is_some() || !spec.conditions.is_empty())
    {
        return Err(bad("a primary index has an entry for each row, and one only"));
    }
    if flags.contains(IndexFlags::PRIMARY) && !flags.contains(IndexFlags::NO_NULL_SEGMENT) {
        let all = IndexFlags::ALLOW_ALL_NULLS | IndexFlags::ALLOW_FIRST_NULL | IndexFlags::ALLOW_SOME_NULLS;
        if !flags.contains(all) {
            return Err(bad("a primary index has an entry for each row, and one only"));
        }
    }
    if spec.tuple_limits.is_some_and(|l| l.min < 2 || l.max < l.min || l.max > 255 || l.increment == 0)
        || spec.tuple_limits.is_some() && flags.contains(IndexFlags::UNIQUE)
    {
        return Err(bad("impossible limits of substrings"));
    }
    let mut conditions = Vec::new();
    for (name, must_be_null) in &spec.conditions {
        conditions.push(segment(find(name)?, false, *must_be_null));
    }
    let tuple_limits = spec.tuple_limits.map(|l| {
        [l.min, l.max, l.most, l.increment, l.start].iter().flat_map(|word| word.to_le_bytes()).collect()
    });
    Ok(CatalogRow {
        table: object,
        kind: CatalogRowKind::INDEX,
        space_usage: spec.density,
        flags: flags.bits(),
        normalization_flags: Some(NORMALIZATION_FLAGS),
        key_most: (spec.key_most != 255).then_some(spec.key_most),
        name: encode_name(&spec.name)?,
        segments: Some(KeySegment::encode_list(&segments)),
        segment_most: spec.segment_most.filter(|&most| most != spec.key_most),
        conditions: (!conditions.is_empty()).then(|| KeySegment::encode_list(&conditions)),
        tuple_limits,
        locale_name: Some(LOCALE.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ..CatalogRow::default()
    })
}

fn segment(column: &PlacedColumn<'_>, descending: bool, must_be_null: bool) -> KeySegment {
    KeySegment { column: column.id, from_template: false, descending, must_be_null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for bad in ["", " a", "a.b", "a!", "[a]", "a\n", "\u{4e00}", &"x".repeat(65)] {
            assert!(encode_name(bad).is_err(), "{bad}");
        }
        assert_eq!(encode_name("B\u{fc}cher  ").unwrap(), b"B\xFCcher");
    }

    #[test]
    fn columns_are_numbered_by_placement() {
        let spec = TableSpec::new("t")
            .column(ColumnSpec::tagged("note", ColumnKind::LONG_TEXT))
            .column(ColumnSpec::fixed("id", ColumnKind::LONG))
            .column(ColumnSpec::variable("name", ColumnKind::TEXT, 50))
            .column(ColumnSpec::fixed("code", ColumnKind::BINARY).max_size(7))
            .column(ColumnSpec::fixed("price", ColumnKind::CURRENCY));
        let placed = place_columns(&spec).unwrap();
        let seen: Vec<_> = placed.iter().map(|c| (c.id.0, c.record_offset)).collect();
        assert_eq!(seen, [(1, Some(4)), (2, Some(8)), (3, Some(15)), (128, None), (256, None)]);
        let twice = spec.column(ColumnSpec::fixed("ID", ColumnKind::BIT));
        assert!(matches!(place_columns(&twice), Err(BuilderError::PartDuplicate { index: false, .. })));
    }

    #[test]
    fn impossible_columns_and_indexes() {
        let fixed_long = ColumnSpec {
            placement: ColumnPlacement::Fixed,
            ..ColumnSpec::tagged("a", ColumnKind::LONG_TEXT)
        };
        for column in [
            fixed_long,
            ColumnSpec::fixed("a", ColumnKind::NIL),
            ColumnSpec::fixed("a", ColumnKind::LONG).multi_valued(),
            ColumnSpec::fixed("a", ColumnKind::LONG).compressed(),
            ColumnSpec::tagged("a", ColumnKind::LONG).auto_increment(),
            ColumnSpec::variable("a", ColumnKind::TEXT, 256),
        ] {
            let table = TableSpec::new("t").column(column.clone());
            assert!(matches!(place_columns(&table), Err(BuilderError::Column { .. })), "{column:?}");
        }
        let table = TableSpec::new("t")
            .column(ColumnSpec::fixed("id", ColumnKind::LONG))
            .column(ColumnSpec::tagged("tags", ColumnKind::LONG).multi_valued())
            .column(ColumnSpec::variable("wide", ColumnKind::TEXT, 50).unicode());
        let placed = place_columns(&table).unwrap();
        let row = |index: &IndexSpec| index_row(index, &placed, ObjectId(9), 2000);
        for index in [
            IndexSpec::new("i"),
            IndexSpec::new("i").ascending("missing"),
            IndexSpec::new("i").ascending("tags").primary(),
            IndexSpec::new("i").ascending("id").primary().ignore_null(),
            IndexSpec::new("i").ascending("id").key_most(2001),
        ] {
            assert!(matches!(row(&index), Err(BuilderError::Index { .. })), "{index:?}");
        }
        assert!(matches!(
            row(&IndexSpec::new("i").ascending("wide")),
            Err(BuilderError::UnicodeIndex { .. })
        ));
        assert_eq!(row(&IndexSpec::new("i").ascending("id").primary()).unwrap().flags, 0x1_002F);
        assert_eq!(row(&IndexSpec::new("i").descending("tags")).unwrap().flags, 0x1_008E);
    }
}
