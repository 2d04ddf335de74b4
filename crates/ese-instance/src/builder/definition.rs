//! From a table's specification to its catalog rows.

use std::collections::HashSet;

use ese_format::{
    Collation, ColumnId, ColumnKind, JetError, KeySegment, Locale, ObjectId, PageNumber, StoredCollation,
};

use super::schema::Refusal;
use super::{BuilderError, ColumnPlacement, ColumnSpec, IndexSpec, TableSpec};
use crate::catalog::{
    CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags, DEFAULT_DENSITY, IndexFlags, TableDefinition,
    TableFlags, encode_windows_1252,
};

/// Flags for the normalisation of text that every index row carries.
#[doc(alias = "dwLCMapFlagsDefault")]
const NORMALIZATION_FLAGS: u32 = 0x0003_0401;
/// Locale that every index row names.
const LOCALE: &str = "en-US";
/// Version of the sorting tables of new indexes: 6.3.5, of definition and tables.
pub(crate) const SORT_VERSION: [u8; 8] = [5, 3, 6, 0, 5, 3, 6, 0];
/// Longest name in bytes.
#[doc(alias = "JET_cbNameMost")]
const MAX_NAME: usize = 64;

/// A column with its number and place.
#[derive(Clone, Debug)]
pub(crate) struct PlacedColumn<'a> {
    pub(crate) spec: &'a ColumnSpec,
    pub(crate) id: ColumnId,
    pub(crate) record_offset: Option<u16>,
}

/// What an index needs to know of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedColumn {
    pub(crate) id: ColumnId,
    pub(crate) from_template: bool,
    pub(crate) kind: ColumnKind,
    pub(crate) code_page: u16,
    pub(crate) flags: ColumnFlags,
}

impl IndexedColumn {
    pub(crate) fn of(column: &ColumnDefinition) -> Self {
        let &ColumnDefinition { id, from_template, kind, code_page, flags, .. } = column;
        Self { id, from_template, kind, code_page, flags }
    }

    fn placed(column: &PlacedColumn<'_>, from_template: bool) -> Self {
        let spec = column.spec;
        Self { id: column.id, from_template, kind: spec.kind, code_page: spec.code_page, flags: spec.flags }
    }
}

/// Finds one of the columns that are being created by its name. `from_template`: their table is a template.
pub(crate) fn find_placed(
    columns: &[PlacedColumn<'_>],
    name: &str,
    from_template: bool,
) -> Option<IndexedColumn> {
    let found = columns.iter().find(|c| c.spec.name.eq_ignore_ascii_case(name))?;
    Some(IndexedColumn::placed(found, from_template))
}

/// Gives columns their numbers and places, behind those that a table has already.
pub(crate) struct ColumnPlacer {
    /// Next fixed, variable, tagged number.
    next: [u32; 3],
    /// End of the fixed columns in a record.
    offset: u16,
    names: HashSet<String>,
    auto_increment: bool,
    version: bool,
}

impl ColumnPlacer {
    /// For a table without columns.
    pub(crate) fn new() -> Self {
        let first = |range: std::ops::RangeInclusive<u16>| u32::from(*range.start());
        Self {
            next: [first(ColumnId::FIXED), first(ColumnId::VARIABLE), first(ColumnId::TAGGED)],
            offset: 4,
            names: HashSet::new(),
            auto_increment: false,
            version: false,
        }
    }

    /// For a table that has the columns of `table`, its template's among them. `derived`: the table is a new one derived
    /// from `table`.
    pub(crate) fn after(table: &TableDefinition, derived: bool) -> Self {
        let mut placer = Self::new();
        for column in &table.columns {
            let place = match () {
                () if column.id.is_fixed() => 0,
                () if column.id.is_tagged() => 2,
                () => 1,
            };
            // Tagged columns of a template are numbered apart.
            let apart = place == 2
                && (derived || column.from_template && !table.flags.contains(TableFlags::TEMPLATE));
            if let Some(next) = placer.next.get_mut(place).filter(|_| !apart) {
                *next = (*next).max(u32::from(column.id.0) + 1);
            }
            if let Some(offset) = column.record_offset {
                let end = usize::from(offset) + column.slot_size();
                placer.offset = placer.offset.max(u16::try_from(end).unwrap_or(u16::MAX));
            }
            if !column.is_deleted() {
                placer.names.insert(column.name.to_ascii_lowercase());
                placer.auto_increment |= column.flags.contains(ColumnFlags::AUTO_INCREMENT);
                placer.version |= column.flags.contains(ColumnFlags::VERSION);
            }
        }
        placer
    }

    /// Checks a column and places it. `table` is for messages.
    pub(crate) fn place<'a>(
        &mut self,
        table: &str,
        column: &'a ColumnSpec,
    ) -> Result<PlacedColumn<'a>, BuilderError> {
        if let Some(Refusal(refused)) = &column.refused {
            return Err(BuilderError::clone(refused));
        }
        check_column(column)?;
        if self.names.contains(&column.name.trim_end_matches(' ').to_ascii_lowercase()) {
            let (table, name) = (table.to_owned(), column.name.clone());
            return Err(BuilderError::PartDuplicate { table, name, index: false });
        }
        for (flag, taken) in [
            (ColumnFlags::AUTO_INCREMENT, &mut self.auto_increment),
            (ColumnFlags::VERSION, &mut self.version),
        ] {
            if column.flags.contains(flag) && std::mem::replace(taken, true) {
                let what = "a second auto-increment or version column";
                return Err(column_error(column, JetError::COLUMN_REDUNDANT, what));
            }
        }
        let (place, ids) = match column.placement {
            ColumnPlacement::Fixed => (0, ColumnId::FIXED),
            ColumnPlacement::Variable => (1, ColumnId::VARIABLE),
            ColumnPlacement::Tagged => (2, ColumnId::TAGGED),
        };
        let too_many = BuilderError::OutOfNumbers { what: "columns" };
        let next = self.next.get_mut(place).ok_or(too_many.clone())?;
        let id = u16::try_from(*next).ok().filter(|id| ids.contains(id)).ok_or(too_many)?;
        let mut record_offset = None;
        if column.placement == ColumnPlacement::Fixed {
            let end = u16::try_from(slot_size(column)).ok().and_then(|size| self.offset.checked_add(size));
            let too_long =
                || column_error(column, JetError::RECORD_TOO_BIG, "the fixed columns are too long");
            record_offset = Some(self.offset);
            self.offset = end.ok_or_else(too_long)?;
        }
        *next += 1;
        self.names.insert(column.name.trim_end_matches(' ').to_ascii_lowercase());
        Ok(PlacedColumn { spec: column, id: ColumnId(id), record_offset })
    }

    /// End of the fixed columns in a record.
    pub(crate) const fn fixed_end(&self) -> u16 {
        self.offset
    }
}

/// A name in the catalog's code page.
pub(crate) fn encode_name(name: &str) -> Result<Vec<u8>, BuilderError> {
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
pub(crate) fn place_columns(spec: &TableSpec) -> Result<Vec<PlacedColumn<'_>>, BuilderError> {
    let mut placer = ColumnPlacer::new();
    let placed = spec.columns.iter().map(|column| placer.place(&spec.name, column));
    let mut placed = placed.collect::<Result<Vec<_>, _>>()?;
    placed.sort_by_key(|column| column.id);
    Ok(placed)
}

fn column_error(column: &ColumnSpec, error: JetError, what: &'static str) -> BuilderError {
    BuilderError::Column { column: column.name.clone(), kind: column.kind, what, error }
}

/// What a column may be, with the engine's numbers, in the engine's order.
fn check_column(column: &ColumnSpec) -> Result<(), BuilderError> {
    let bad = |error, what| Err(column_error(column, error, what));
    let (kind, flags) = (column.kind, column.flags);
    let (tagged, fixed) =
        (column.placement == ColumnPlacement::Tagged, column.placement == ColumnPlacement::Fixed);
    encode_name(&column.name)?;
    if kind.name().is_none() || matches!(kind, ColumnKind::NIL | ColumnKind::SLV) {
        return bad(JetError::INVALID_COLUMN_TYPE, "no type for columns");
    }
    if !matches!(column.code_page, 0 | 1200 | 1252) {
        return bad(JetError::INVALID_CODE_PAGE, "unknown code page");
    }
    if flags.contains(ColumnFlags::COMPRESSED) && !kind.is_long_value() {
        return bad(JetError::COLUMN_CANNOT_BE_COMPRESSED, "only long values are compressed");
    }
    if flags.contains(ColumnFlags::ENCRYPTED) {
        return bad(JetError::FEATURE_NOT_AVAILABLE, "encryption is not supported");
    }
    if kind.is_long_value() && !tagged {
        return bad(JetError::INVALID_GRBIT, "long values are tagged");
    }
    if flags.contains(ColumnFlags::MULTI_VALUED) && !tagged {
        return bad(JetError::MULTI_VALUED_COLUMN_MUST_BE_TAGGED, "multi-valued columns are tagged");
    }
    if flags.contains(ColumnFlags::ESCROW_UPDATE) {
        let others = ColumnFlags::VERSION | ColumnFlags::AUTO_INCREMENT;
        let ends = ColumnFlags::FINALIZE | ColumnFlags::DELETE_ON_ZERO;
        if !matches!(kind, ColumnKind::LONG | ColumnKind::LONG_LONG) {
            return bad(JetError::INVALID_GRBIT, "escrow columns are of type Long or LongLong");
        }
        if tagged {
            return bad(JetError::CANNOT_BE_TAGGED, "escrow columns are fixed");
        }
        if !fixed || flags.intersects(others) || flags.contains(ends) || !flags.contains(ColumnFlags::DEFAULT)
        {
            return bad(
                JetError::INVALID_GRBIT,
                "escrow columns are fixed, with a default value, and nothing else",
            );
        }
    } else if flags.intersects(ColumnFlags::FINALIZE | ColumnFlags::DELETE_ON_ZERO) {
        return bad(JetError::INVALID_GRBIT, "only escrow columns have an end at zero");
    } else if flags.intersects(ColumnFlags::VERSION | ColumnFlags::AUTO_INCREMENT) {
        let counts = matches!(
            kind,
            ColumnKind::LONG | ColumnKind::LONG_LONG | ColumnKind::UNSIGNED_LONG_LONG | ColumnKind::CURRENCY
        );
        if !counts || flags.contains(ColumnFlags::VERSION) && kind != ColumnKind::LONG {
            return bad(
                JetError::INVALID_GRBIT,
                "auto-increment columns are of type Long, LongLong or Currency, version columns of type Long",
            );
        }
        if tagged {
            return bad(JetError::CANNOT_BE_TAGGED, "auto-increment and version columns are fixed");
        }
        if !fixed || flags.contains(ColumnFlags::VERSION | ColumnFlags::AUTO_INCREMENT) {
            return bad(JetError::INVALID_GRBIT, "auto-increment or version, and fixed");
        }
    }
    if flags.contains(ColumnFlags::USER_DEFINED_DEFAULT) {
        let others = ColumnFlags::NOT_NULL
            | ColumnFlags::VERSION
            | ColumnFlags::AUTO_INCREMENT
            | ColumnFlags::ESCROW_UPDATE;
        if !tagged || flags.intersects(others) {
            return bad(JetError::INVALID_GRBIT, "a default that is computed is that of a tagged column");
        }
        if column.computed_default.is_none() {
            return bad(JetError::INVALID_PARAMETER, "a computed default without who computes it");
        }
    }
    if column.placement == ColumnPlacement::Variable && (!kind.is_text_or_binary() || kind.is_long_value()) {
        return bad(JetError::INVALID_COLUMN_TYPE, "variable columns are of type Text or Binary");
    }
    if kind.is_text_or_binary() && !kind.is_long_value() && !(1..=255).contains(&column.max_size) {
        return bad(JetError::INVALID_PARAMETER, "the largest size is 1 to 255");
    }
    Ok(())
}

/// The row of a table.
pub(crate) fn table_row(
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
        chunk_size: spec.chunk_size,
        separation_threshold: spec.separation_threshold,
        template: spec.template.as_deref().map(encode_name).transpose()?,
        ..CatalogRow::default()
    })
}

/// The row of a column.
pub(crate) fn column_row(column: &PlacedColumn<'_>, object: ObjectId) -> Result<CatalogRow, BuilderError> {
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
    if let Some(computed) = &spec.computed_default {
        let callback = encode_windows_1252(&computed.callback);
        let too_long = || column_error(spec, JetError::INVALID_PARAMETER, "the name of a callback");
        let callback = callback.filter(|name| name.len() <= 255).ok_or_else(too_long)?;
        let data = (!computed.data.is_empty()).then(|| computed.data.clone());
        return Ok(CatalogRow { template: Some(callback), callback_data: data, ..row });
    }
    let Some(value) = &spec.default_value else { return Ok(row) };
    if let super::Value::Bytes(bytes) = value
        && size != 0
        && bytes.len() > size as usize
    {
        let what = "a default value that the column cannot hold";
        return Err(column_error(spec, JetError::DEFAULT_VALUE_TOO_BIG, what));
    }
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
        computed_default: None,
    };
    match value.encode(&definition)? {
        Some(mut bytes) if bytes.len() <= 255 => {
            pad(&mut bytes, &definition);
            Ok(CatalogRow { default_value: Some(bytes), ..row })
        }
        Some(_) => {
            Err(column_error(spec, JetError::DEFAULT_VALUE_TOO_BIG, "a default value has at most 255 bytes"))
        }
        None => Err(column_error(spec, JetError::INVALID_PARAMETER, "a default value is not null")),
    }
}

/// Fills a value up to the size of a fixed column's slot: text with spaces, binary with zeros.
pub(crate) fn pad(value: &mut Vec<u8>, column: &ColumnDefinition) {
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

/// The row of an index, except for object id and root page. `find` finds columns by name.
pub(crate) fn index_row(
    spec: &IndexSpec,
    find: &dyn Fn(&str) -> Option<IndexedColumn>,
    object: ObjectId,
    key_limit: u16,
) -> Result<CatalogRow, BuilderError> {
    let bad = |error, what| BuilderError::Index { index: spec.name.clone(), what, error };
    let has = |flag| spec.flags.contains(flag);
    let invalid = JetError::INDEX_INVALID_DEF;
    let name = encode_name(&spec.name)?;
    if let Some(Refusal(refused)) = &spec.refused {
        return Err(BuilderError::clone(refused));
    }
    if spec.key_most < 255 || spec.key_most > key_limit {
        return Err(bad(invalid, "the longest key is 255 bytes, or more as the page size allows"));
    }
    let all_nulls = IndexFlags::ALLOW_ALL_NULLS | IndexFlags::ALLOW_FIRST_NULL | IndexFlags::ALLOW_SOME_NULLS;
    if has(IndexFlags::PRIMARY) && !has(IndexFlags::NO_NULL_SEGMENT) && !has(all_nulls) {
        return Err(bad(JetError::INVALID_GRBIT, "a primary index has an entry for each row"));
    }
    if has(IndexFlags::CROSS_PRODUCT | IndexFlags::NESTED_TABLE) {
        return Err(bad(JetError::INVALID_GRBIT, "either all combinations or those with the same number"));
    }
    if has(IndexFlags::PRIMARY) && !spec.conditions.is_empty() {
        return Err(bad(invalid, "a primary index has an entry for each row"));
    }
    if spec.segments.is_empty() || spec.segments.len() > 16 || spec.conditions.len() > 16 {
        return Err(bad(invalid, "an index has 1 to 16 segments and at most 16 conditions"));
    }
    if spec.segment_most.is_some_and(|most| most == 0 || most > spec.key_most) {
        return Err(bad(invalid, "a segment cannot be longer than the key"));
    }
    if let Some(limits) = spec.tuple_limits {
        if has(IndexFlags::PRIMARY) {
            return Err(bad(JetError::INDEX_TUPLES_SECONDARY_INDEX_ONLY, "a primary index of substrings"));
        }
        if has(IndexFlags::UNIQUE) {
            return Err(bad(JetError::INDEX_TUPLES_NON_UNIQUE_ONLY, "a unique index of substrings"));
        }
        if spec.segment_most.is_some_and(|most| most < spec.key_most) {
            return Err(bad(
                JetError::INDEX_TUPLES_VAR_SEG_MAC_NOT_ALLOWED,
                "a limit of segments with substrings",
            ));
        }
        let lengths = 2..=255;
        let small = [limits.min, limits.max, limits.most, limits.increment, limits.start];
        if !lengths.contains(&limits.min)
            || !lengths.contains(&limits.max)
            || limits.min > limits.max
            || limits.most > 0x7FFF
            || limits.increment == 0
            || small.iter().any(|&n| n > u32::from(u16::MAX))
        {
            return Err(bad(JetError::INDEX_TUPLES_INVALID_LIMITS, "impossible limits of substrings"));
        }
    }
    let normalization_flags = spec.normalization_flags.unwrap_or(NORMALIZATION_FLAGS);
    let locale = spec.locale.as_deref().unwrap_or(LOCALE);
    // Locales whose order is not known are refused, and not only when there is text to sort.
    let sort_id = Locale::by_name(locale).map(|locale| locale.sort_id());
    Collation::new(&StoredCollation {
        locale_name: Some(locale),
        locale_id: 0,
        sort_id: sort_id.as_ref().map(|id| &id[..]),
        version: Some(&SORT_VERSION),
        flags: normalization_flags,
    })
    .map_err(|error| bad(error.jet_error(), "a locale or way of sorting that is not known"))?;
    let mut flags = spec.flags;
    let mut segments = Vec::new();
    for (place, (name, descending)) in spec.segments.iter().enumerate() {
        let missing = || bad(JetError::COLUMN_NOT_FOUND, "no column of the name of a segment");
        let column = find(name).ok_or_else(missing)?;
        if column.flags.contains(ColumnFlags::ENCRYPTED) {
            return Err(bad(JetError::CANNOT_INDEX_ON_ENCRYPTED_COLUMN, "encrypted columns have no index"));
        }
        if column.flags.contains(ColumnFlags::ESCROW_UPDATE) {
            return Err(bad(JetError::CANNOT_INDEX, "escrow columns have no index"));
        }
        if column.flags.contains(ColumnFlags::MULTI_VALUED) {
            if has(IndexFlags::PRIMARY) {
                return Err(bad(invalid, "a primary index has one entry for each row"));
            }
            flags |= IndexFlags::MULTI_VALUED;
        }
        if spec.tuple_limits.is_some() && place == 0 && !column.kind.is_text_or_binary() {
            let error = JetError::INDEX_TUPLES_TEXT_BINARY_COLUMNS_ONLY;
            return Err(bad(error, "substrings are taken of text and binary"));
        }
        if column.kind.is_text() && column.code_page == 1200 {
            flags |= IndexFlags::LOCALIZED_TEXT;
        }
        segments.push(segment(&column, *descending, false));
    }
    let mut conditions = Vec::new();
    for (name, must_be_null) in &spec.conditions {
        let missing = || bad(JetError::COLUMN_NOT_FOUND, "no column of the name of a condition");
        conditions.push(segment(&find(name).ok_or_else(missing)?, false, *must_be_null));
    }
    if spec.bad_condition {
        return Err(bad(JetError::INVALID_GRBIT, "a condition is either null or not null"));
    }
    let tuple_limits = spec.tuple_limits.map(|l| {
        [l.min, l.max, l.most, l.increment, l.start].iter().flat_map(|word| word.to_le_bytes()).collect()
    });
    let localized = flags.contains(IndexFlags::LOCALIZED_TEXT);
    let sort_version = localized.then(|| SORT_VERSION.to_vec());
    if spec.locale.is_some() || spec.normalization_flags.is_some() {
        flags |= IndexFlags::LOCALE_SET;
    }
    Ok(CatalogRow {
        table: object,
        kind: CatalogRowKind::INDEX,
        space_usage: if spec.density == 0 { DEFAULT_DENSITY } else { spec.density },
        flags: flags.bits(),
        normalization_flags: Some(normalization_flags),
        key_most: (spec.key_most != 255).then_some(spec.key_most),
        name,
        segments: Some(KeySegment::encode_list(&segments)),
        segment_most: spec.segment_most.filter(|&most| most != spec.key_most),
        conditions: (!conditions.is_empty()).then(|| KeySegment::encode_list(&conditions)),
        tuple_limits,
        sort_version,
        sort_id: sort_id.filter(|_| localized).map(|id| id.to_vec()),
        locale_name: Some(locale.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ..CatalogRow::default()
    })
}

fn segment(column: &IndexedColumn, descending: bool, must_be_null: bool) -> KeySegment {
    KeySegment { column: column.id, from_template: column.from_template, descending, must_be_null }
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
            ColumnSpec::fixed("a", ColumnKind::LONG).escrow_update(),
            ColumnSpec::fixed("a", ColumnKind::SHORT).version(),
        ] {
            let table = TableSpec::new("t").column(column.clone());
            assert!(matches!(place_columns(&table), Err(BuilderError::Column { .. })), "{column:?}");
        }
        let table = TableSpec::new("t")
            .column(ColumnSpec::fixed("id", ColumnKind::LONG))
            .column(ColumnSpec::tagged("tags", ColumnKind::LONG).multi_valued())
            .column(ColumnSpec::variable("wide", ColumnKind::TEXT, 50).unicode());
        let placed = place_columns(&table).unwrap();
        let find = |name: &str| find_placed(&placed, name, false);
        let row = |index: &IndexSpec| index_row(index, &find, ObjectId(9), 2000);
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
            row(&IndexSpec::new("i").ascending("id").locale("xx-XX")),
            Err(BuilderError::Index { error: JetError::INVALID_LANGUAGE_ID, .. })
        ));
        let wide = row(&IndexSpec::new("i").ascending("wide")).unwrap();
        assert_eq!((wide.flags, wide.sort_version), (0x1_040E, Some(SORT_VERSION.to_vec())));
        assert_eq!(row(&IndexSpec::new("i").ascending("id").primary()).unwrap().flags, 0x1_002F);
        assert_eq!(row(&IndexSpec::new("i").descending("tags")).unwrap().flags, 0x1_008E);
    }
}
