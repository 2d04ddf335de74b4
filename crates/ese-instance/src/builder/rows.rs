//! Storing rows: the record, its long values, its index entries.

use ese_btree::TreeRoot;
use ese_format::{
    ColumnKind, FixedSlot, LongValueId, LongValueKey, LongValueRoot, PageFlags, PageSize, RecordContent,
    RecordView, TaggedContent, TaggedValue, compress_value, largest_record,
};

use super::definition::pad;
use super::{BuilderError, DatabaseBuilder, Row, TableHandle};
use crate::catalog::{
    CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, LongValueTree,
    TableDefinition,
};
use crate::reader::{IndexEntryBuilder, RowLayout, ValueReader};

/// Longest long value that is kept in the row while the row fits.
#[doc(alias = "cbLVIntrinsicMost")]
const MOST_INTRINSIC: usize = 1023;
/// First of the ids of 64 bits.
const FIRST_WIDE_ID: u64 = 0x8000_0000_8000_0001;
/// Last of the ids of 32 bits.
const LAST_SHORT_ID: u64 = 0x7FFF_FEFF;
/// The widest page size: its records have the widest offsets.
const WIDEST: u32 = 32768;

/// One column of a row: its bytes, and where they are to be.
struct ColumnValues {
    /// Place in the table's list.
    place: usize,
    /// Stored bytes of each value; none for null.
    values: Vec<StoredValue>,
}

struct StoredValue {
    bytes: Vec<u8>,
    compressed: Option<Vec<u8>>,
    separated: Option<LongValueId>,
}

impl StoredValue {
    fn in_record(&self) -> TaggedValue<'_> {
        match (self.separated, &self.compressed) {
            (Some(id), _) => TaggedValue::Separated(id),
            (None, Some(bytes)) => TaggedValue::Compressed(bytes),
            (None, None) => TaggedValue::Plain(&self.bytes),
        }
    }
}

/// The keys of a row: for each secondary tree (by its place in the state's list) its keys.
type SecondaryKeys = Vec<(TreeRoot, String, bool, Vec<Vec<u8>>)>;

impl DatabaseBuilder {
    pub(super) fn insert_row(&mut self, handle: TableHandle, row: &Row) -> Result<(), BuilderError> {
        let state = self.tables.get(handle.0).ok_or(BuilderError::NoSuchTable)?;
        let mut last_number = state.last_number;
        let mut columns = collect(&state.definition, row, &mut last_number)?;
        let definition = &state.definition;
        let (primary, secondary) = keys(definition, &columns, &state.indexes)?;
        let rows = state.rows.checked_add(1).ok_or(BuilderError::OutOfNumbers { what: "rows" })?;
        let key_most = definition.primary_index().map_or(4, |index| usize::from(index.key_most));
        let key = primary.unwrap_or_else(|| rows.to_be_bytes().to_vec());
        let limit = largest_record(self.page_size(), key_most);
        let wide = self.header.version().supports_long_value_id_64();
        let mut last_id = state.last_long_value;
        let record = separate(definition, &mut columns, self.page_size(), limit, wide, &mut last_id)?;
        let tree = state.tree;

        // Nothing has changed so far. What is refused because of other rows is found out before anything does.
        let table_index = state.definition.primary_index().map(|index| index.name.clone());
        if self.writer.contains(&tree, &key, &[])? {
            return Err(BuilderError::KeyDuplicate { index: table_index.unwrap_or_default() });
        }
        for (index, name, unique, keys) in &secondary {
            for entry in keys.iter().filter(|_| *unique) {
                if self.writer.contains(index, entry, &[])? {
                    return Err(BuilderError::KeyDuplicate { index: name.clone() });
                }
            }
        }
        self.store_long_values(handle, &columns)?;
        self.writer.insert(&tree, &key, &record)?;
        for (index, _, _, keys) in &secondary {
            for entry in keys {
                self.writer.insert(index, entry, &key)?;
            }
        }
        if let Some(state) = self.tables.get_mut(handle.0) {
            state.rows = rows;
            state.last_number = last_number;
            state.last_long_value = last_id;
        }
        Ok(())
    }

    /// Writes the separated values of a row to the table's long-value tree, which is created with the first.
    fn store_long_values(
        &mut self,
        handle: TableHandle,
        columns: &[ColumnValues],
    ) -> Result<(), BuilderError> {
        let separated = |c: &ColumnValues| c.values.iter().any(|v| v.separated.is_some());
        if !columns.iter().any(separated) {
            return Ok(());
        }
        let tree = self.long_value_tree(handle)?;
        let state = self.tables.get(handle.0).ok_or(BuilderError::NoSuchTable)?;
        let chunk_size = state.definition.chunk_size(self.page_size()) as usize;
        let compress: Vec<bool> = columns
            .iter()
            .map(|c| {
                let column = state.definition.columns.get(c.place);
                column.is_some_and(|column| column.flags.contains(ColumnFlags::COMPRESSED))
            })
            .collect();
        for (column, compress) in columns.iter().zip(compress) {
            for value in &column.values {
                let Some(id) = value.separated else { continue };
                let size = u32::try_from(value.bytes.len()).unwrap_or(u32::MAX);
                let root = LongValueRoot { reference_count: 1, size, ..LongValueRoot::default() };
                self.writer.insert(&tree, &id.key(), &root.encode())?;
                let mut offset = 0_u32;
                for chunk in value.bytes.chunks(chunk_size.max(1)) {
                    let key = LongValueKey { id, offset: Some(offset) }.encode();
                    // A chunk that is shorter than what it stands for is a compressed one.
                    let packed = if compress { compress_value(chunk, true) } else { None };
                    self.writer.insert(&tree, &key, packed.as_deref().unwrap_or(chunk))?;
                    offset = offset.saturating_add(chunk.len() as u32);
                }
            }
        }
        Ok(())
    }

    fn long_value_tree(&mut self, handle: TableHandle) -> Result<TreeRoot, BuilderError> {
        let state = self.tables.get(handle.0).ok_or(BuilderError::NoSuchTable)?;
        if let Some(tree) = state.long_values {
            return Ok(tree);
        }
        let (table, root) = (state.definition.object_id, state.tree.root);
        let object = self.next_object()?;
        let flags = PageFlags::LONG_VALUE.bits();
        let tree = self.writer.create_tree(root, object, flags, 1, false, None)?;
        self.add_catalog_row(CatalogRow {
            table,
            kind: CatalogRowKind::LONG_VALUE,
            id: object.0,
            type_or_root: tree.root.0,
            space_usage: 100,
            pages_or_locale: 1,
            name: b"LV".to_vec(),
            ..CatalogRow::default()
        })?;
        if let Some(state) = self.tables.get_mut(handle.0) {
            state.long_values = Some(tree);
            state.definition.long_values = Some(LongValueTree { object_id: object, root: tree.root });
        }
        self.add_object(object, table, CatalogRowKind::LONG_VALUE)?;
        Ok(tree)
    }
}

/// The bytes of every column that is set, in the order of the table's list.
fn collect(
    table: &TableDefinition,
    row: &Row,
    last_number: &mut u64,
) -> Result<Vec<ColumnValues>, BuilderError> {
    let mut columns: Vec<ColumnValues> = Vec::with_capacity(row.values.len() + 1);
    for (name, value) in &row.values {
        let place = table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let missing = || BuilderError::NoSuchColumn { table: table.name.clone(), column: name.clone() };
        let place = place.ok_or_else(missing)?;
        let column = table.columns.get(place).ok_or_else(missing)?;
        let refuse = |what| Err(BuilderError::Value { column: column.name.clone(), kind: column.kind, what });
        let stored = match value.encode(column)? {
            None => Vec::new(),
            Some(mut bytes) => {
                pad(&mut bytes, column);
                if u32::try_from(bytes.len()).is_err() {
                    return refuse("the value is longer than any can be");
                }
                vec![StoredValue { bytes, compressed: None, separated: None }]
            }
        };
        match columns.iter_mut().find(|c| c.place == place) {
            None => columns.push(ColumnValues { place, values: stored }),
            Some(_) if !column.flags.contains(ColumnFlags::MULTI_VALUED) => {
                return refuse("a second value for a column that is not multi-valued");
            }
            Some(known) => known.values.extend(stored),
        }
    }
    for (place, column) in table.columns.iter().enumerate() {
        let known = columns.iter().find(|c| c.place == place);
        if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
            number_row(column, place, known.is_some(), last_number, &mut columns)?;
            continue;
        }
        let is_null = known.map_or(default_of(column).is_none(), |c| c.values.is_empty());
        if is_null && column.flags.contains(ColumnFlags::VERSION) && known.is_none() {
            let bytes = vec![0; column.slot_size()];
            let values = vec![StoredValue { bytes, compressed: None, separated: None }];
            columns.push(ColumnValues { place, values });
        } else if is_null && column.flags.contains(ColumnFlags::NOT_NULL) {
            return Err(BuilderError::Null { column: column.name.clone() });
        }
    }
    columns.sort_by_key(|c| c.place);
    Ok(columns)
}

/// Gives a row the next number, or learns from the one it has.
fn number_row(
    column: &ColumnDefinition,
    place: usize,
    is_set: bool,
    last_number: &mut u64,
    columns: &mut Vec<ColumnValues>,
) -> Result<(), BuilderError> {
    let size = column.slot_size().min(8);
    let set = columns.iter().find(|c| c.place == place).and_then(|c| c.values.first());
    if is_set {
        let Some(value) = set else { return Err(BuilderError::Null { column: column.name.clone() }) };
        let number = value.bytes.iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b));
        // Negative numbers lie below all that are given out.
        if number >> (8 * size - 1) == 0 {
            *last_number = (*last_number).max(number);
        }
        return Ok(());
    }
    let most = if size == 4 { i32::MAX as u64 } else { i64::MAX as u64 };
    let next = last_number.checked_add(1).filter(|&n| n <= most);
    *last_number = next.ok_or(BuilderError::OutOfNumbers { what: "auto-increment values" })?;
    let bytes = last_number.to_le_bytes().get(..size).unwrap_or_default().to_vec();
    columns
        .push(ColumnValues { place, values: vec![StoredValue { bytes, compressed: None, separated: None }] });
    Ok(())
}

fn default_of(column: &ColumnDefinition) -> Option<&[u8]> {
    column.flags.contains(ColumnFlags::DEFAULT).then_some(column.default_value.as_deref()).flatten()
}

/// The record of a row whose tagged columns are those that `tagged` lets pass.
fn content<'a>(
    table: &'a TableDefinition,
    columns: &'a [ColumnValues],
    tagged: impl Fn(usize, &'a ColumnValues) -> Option<Vec<TaggedValue<'a>>>,
) -> RecordContent<'a> {
    let mut record = RecordContent::default();
    let (mut last_fixed, mut last_variable) = (0, 0);
    for (place, column) in table.columns.iter().enumerate() {
        let set = columns.iter().find(|c| c.place == place);
        let default = default_of(column);
        // A null that stands against a default has to be said.
        let present = set.is_some_and(|c| !c.values.is_empty()) || default.is_some();
        let value = match set {
            Some(set) => set.values.first().map(|v| v.bytes.as_slice()),
            None => default,
        };
        if column.id.is_fixed() {
            record.fixed.push(FixedSlot { size: column.slot_size(), value });
            if present {
                last_fixed = record.fixed.len();
            }
        } else if column.id.is_variable() {
            record.variable.push(value);
            if present {
                last_variable = record.variable.len();
            }
        } else if let Some(set) = set
            && (!set.values.is_empty() || default.is_some())
            && let Some(values) = tagged(place, set)
        {
            let (id, long_value) = (column.id, column.kind.is_long_value());
            record.tagged.push(TaggedContent { id, from_template: false, long_value, values });
        }
    }
    record.fixed.truncate(last_fixed);
    record.variable.truncate(last_variable);
    record
}

/// Key of the primary index (if there is one) and keys of the secondary ones.
fn keys(
    table: &TableDefinition,
    columns: &[ColumnValues],
    trees: &[(usize, TreeRoot)],
) -> Result<(Option<Vec<u8>>, SecondaryKeys), BuilderError> {
    let Ok(page_size) = PageSize::new(WIDEST) else { return Ok((None, Vec::new())) };
    let layout = RowLayout::new(table);
    let mut primary = None;
    let mut secondary = Vec::with_capacity(trees.len());
    for (place, index) in table.indexes.iter().enumerate() {
        let builder = IndexEntryBuilder::new(&layout, index);
        let names = |id| {
            index.segments.iter().any(|s| s.column == id) || index.conditions.iter().any(|s| s.column == id)
        };
        let reach = reach(index);
        // A record of the indexed columns alone, with as much of each value as keys look at.
        let record = content(table, columns, |place, set| {
            let column = table.columns.get(place).filter(|c| names(c.id))?;
            let most = if column.kind.is_long_value() { reach } else { usize::MAX };
            let head = |v: &'_ StoredValue| v.bytes.len().min(most);
            Some(
                set.values
                    .iter()
                    .map(|v| TaggedValue::Plain(v.bytes.get(..head(v)).unwrap_or(&v.bytes)))
                    .collect(),
            )
        });
        let record = record.encode(page_size)?;
        let view = RecordView::parse(&record, page_size)?;
        if index.flags.contains(IndexFlags::NO_NULL_SEGMENT) {
            for segment in &index.segments {
                let Some((column, _)) = table.column_of(segment) else { continue };
                if layout.content(&view, column)?.is_none() {
                    return Err(BuilderError::NullKey { index: index.name.clone() });
                }
            }
        }
        let entries = builder.entries::<BuilderError>(&layout, &view, &mut ValueReader::new(None))?;
        if entries.unknown != 0 {
            return Err(BuilderError::UnicodeIndex { index: index.name.clone() });
        }
        if index.is_primary() {
            primary = Some(
                entries
                    .keys
                    .into_iter()
                    .next()
                    .ok_or_else(|| BuilderError::NullKey { index: index.name.clone() })?,
            );
        } else if let Some((_, tree)) = trees.iter().find(|(p, _)| *p == place) {
            let unique = index.flags.contains(IndexFlags::UNIQUE);
            secondary.push((*tree, index.name.clone(), unique, entries.keys));
        }
    }
    Ok((primary, secondary))
}

/// How many bytes of a value an index looks at.
fn reach(index: &IndexDefinition) -> usize {
    match index.tuple_limits {
        // One byte more tells that there is more.
        None => usize::from(index.key_most) + 1,
        Some(l) => {
            let characters = u64::from(l.start)
                + u64::from(l.most).saturating_mul(u64::from(l.increment))
                + u64::from(l.max);
            usize::try_from(characters.saturating_mul(2)).unwrap_or(usize::MAX)
        }
    }
}

/// Compresses and separates long values as it takes for the record to fit, and gives the record.
fn separate(
    table: &TableDefinition,
    columns: &mut [ColumnValues],
    page_size: PageSize,
    limit: usize,
    wide: bool,
    last_id: &mut LongValueId,
) -> Result<Vec<u8>, BuilderError> {
    let mut next_id = || {
        let (first, last) = if wide { (FIRST_WIDE_ID, u64::MAX) } else { (1, LAST_SHORT_ID) };
        let id = last_id.0.checked_add(1).map(|id| id.max(first)).filter(|&id| id <= last);
        *last_id = LongValueId(id.ok_or(BuilderError::OutOfNumbers { what: "long values" })?);
        Ok::<_, BuilderError>(*last_id)
    };
    let id_len = if wide { 8 } else { 4 };
    let kind = |place: usize| table.columns.get(place).map_or(ColumnKind::NIL, |c| c.kind);
    for column in columns.iter_mut().filter(|c| kind(c.place).is_long_value()) {
        let definition = table.columns.get(column.place);
        let compress = definition.is_some_and(|c| c.flags.contains(ColumnFlags::COMPRESSED));
        for (number, value) in column.values.iter_mut().enumerate() {
            if value.bytes.len() > MOST_INTRINSIC {
                value.separated = Some(next_id()?);
            } else if compress && number == 0 {
                // Only the first value of a column can say that it is compressed.
                value.compressed = compress_value(&value.bytes, true);
            }
        }
    }
    loop {
        let attempt =
            content(table, columns, |_, set| Some(set.values.iter().map(StoredValue::in_record).collect()))
                .encode(page_size);
        let length = match &attempt {
            Ok(record) if record.len() <= limit => return Ok(attempt?),
            Ok(record) => record.len(),
            Err(ese_format::RecordEncodeError::TooLong { limit }) => *limit,
            Err(_) => return Ok(attempt?),
        };
        // The longest of those that are still in the record goes next.
        let longest = columns
            .iter_mut()
            .filter(|c| kind(c.place).is_long_value())
            .flat_map(|c| c.values.iter_mut())
            .filter(|v| v.separated.is_none() && v.in_record().stored_len() > id_len)
            .max_by_key(|v| v.in_record().stored_len());
        let Some(value) = longest else { return Err(BuilderError::RowTooLong { length, limit }) };
        value.compressed = None;
        value.separated = Some(next_id()?);
    }
}
