//! Table definitions from catalog rows.

use ese_format::{ColumnId, ColumnKind, JetError, KeySegment, ObjectId, PageNumber};

use super::{
    CATALOG_OBJECT, CATALOG_SHADOW_OBJECT, CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags,
    IndexDefinition, IndexFlags, LongValueTree, SpaceHints, TableDefinition, TableFlags, TupleLimits,
    decode_windows_1252,
};

use crate::builder::ComputedDefault;

/// Where the fixed columns of MSysObjects begin. The catalog's own rows say 4 for each.
const CATALOG_OFFSETS: [u16; 13] = [4, 8, 10, 14, 18, 22, 26, 30, 31, 33, 37, 39, 43];

/// Why the rows of a table make no definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The first row of a table is not the table's own.
    #[error("object {table}: the first catalog row is of kind {kind}, not a table")]
    NoTableRow {
        /// Object id of the table.
        table: ObjectId,
        /// Kind of the row.
        kind: u16,
    },
    /// A column row whose number is no column's.
    #[error("object {table}: column number {id}")]
    ColumnId {
        /// Object id of the table.
        table: ObjectId,
        /// The number.
        id: u32,
    },
    /// A column row whose type does not fit.
    #[error("object {table}: column {column} has type {kind}")]
    ColumnKind {
        /// Object id of the table.
        table: ObjectId,
        /// Column.
        column: ColumnId,
        /// The type.
        kind: u32,
    },
    /// A fixed column without a place in the record.
    #[error("object {table}: fixed column {column} has no record offset")]
    RecordOffset {
        /// Object id of the table.
        table: ObjectId,
        /// Column.
        column: ColumnId,
    },
    /// An index row whose segments, conditions or limits cannot be read.
    #[error("object {table}: index {index} has unreadable {what}")]
    Index {
        /// Object id of the table.
        table: ObjectId,
        /// Object id of the index.
        index: ObjectId,
        /// Which part.
        what: &'static str,
    },
    /// A derived table whose template is not there.
    #[error("table {table} is derived from {template}, which does not exist")]
    NoTemplate {
        /// Name of the table.
        table: String,
        /// Name of the template.
        template: String,
    },
}

impl CatalogError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        JetError::CATALOG_CORRUPTED
    }
}

/// Puts a table definition together from its catalog rows, in the catalog's order.
#[derive(Debug)]
pub struct TableBuilder {
    table: TableDefinition,
}

impl TableBuilder {
    /// Begins with the table's own row.
    ///
    /// # Errors
    /// [`CatalogError::NoTableRow`] for a row of another kind.
    pub fn new(row: &CatalogRow) -> Result<Self, CatalogError> {
        if row.kind != CatalogRowKind::TABLE || row.id != row.table.0 {
            return Err(CatalogError::NoTableRow { table: row.table, kind: row.kind.0 });
        }
        // Bytes that make no sense are hints that were not given.
        let stored = |bytes| SpaceHints::from_stored(row.kind, row.space_usage, 0, bytes);
        let hints = stored(row.space_hints.as_deref()).or_else(|| stored(None)).unwrap_or_default();
        let of_values = SpaceHints::from_deferred(row.long_value_hints.as_deref());
        Ok(Self {
            table: TableDefinition {
                name: decode_windows_1252(&row.name),
                object_id: row.table,
                root: PageNumber(row.type_or_root),
                flags: TableFlags::from_bits_retain(row.flags),
                template: row.template.as_deref().map(decode_windows_1252),
                chunk_size: row.chunk_size,
                columns: Vec::new(),
                indexes: Vec::new(),
                long_values: None,
                separation_threshold: row.separation_threshold,
                initial_pages: row.pages_or_locale,
                space_hints: hints,
                long_value_hints: of_values.unwrap_or(SpaceHints::with_density(100)),
            },
        })
    }

    /// The object id of the table.
    #[must_use]
    pub const fn object_id(&self) -> ObjectId {
        self.table.object_id
    }

    /// Adds a further row of the table. Kinds that describe nothing readable are passed over.
    ///
    /// # Errors
    /// [`CatalogError`] for a column or index that makes no sense.
    pub fn push(&mut self, row: &CatalogRow) -> Result<(), CatalogError> {
        match row.kind {
            CatalogRowKind::COLUMN => {
                let column = self.column(row)?;
                self.table.columns.push(column);
            }
            CatalogRowKind::INDEX => {
                let index = self.index(row)?;
                self.table.indexes.push(index);
            }
            CatalogRowKind::LONG_VALUE => {
                self.table.long_values =
                    Some(LongValueTree { object_id: ObjectId(row.id), root: PageNumber(row.type_or_root) });
            }
            _ => {}
        }
        Ok(())
    }

    /// The finished definition; `template` is the one that the table names, if it names one.
    ///
    /// # Errors
    /// [`CatalogError::NoTemplate`] when a derived table is given none.
    pub fn finish(mut self, template: Option<&TableDefinition>) -> Result<TableDefinition, CatalogError> {
        match (template, &self.table.template) {
            (Some(template), _) => self.table.columns.extend(template.columns.iter().cloned()),
            (None, Some(name)) => {
                let (table, template) = (self.table.name.clone(), name.clone());
                return Err(CatalogError::NoTemplate { table, template });
            }
            (None, None) => {}
        }
        self.table.columns.sort_by_key(ColumnDefinition::api_id);
        Ok(self.table)
    }

    /// Name of the template that [`finish`](Self::finish) wants.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.table.template.as_deref()
    }

    fn column(&self, row: &CatalogRow) -> Result<ColumnDefinition, CatalogError> {
        let table = self.table.object_id;
        let id = u16::try_from(row.id).ok().filter(|id| *id != 0 && *id <= *ColumnId::TAGGED.end());
        let id = ColumnId(id.ok_or(CatalogError::ColumnId { table, id: row.id })?);
        let bad_kind = CatalogError::ColumnKind { table, column: id, kind: row.type_or_root };
        let kind = ColumnKind(u8::try_from(row.type_or_root).map_err(|_| bad_kind.clone())?);
        if kind.is_long_value() && !id.is_tagged() {
            return Err(bad_kind);
        }
        let record_offset = if !id.is_fixed() {
            None
        } else if matches!(table, CATALOG_OBJECT | CATALOG_SHADOW_OBJECT) {
            CATALOG_OFFSETS.get(usize::from(id.0) - 1).copied()
        } else {
            row.record_offset
        };
        if id.is_fixed() && record_offset.is_none() {
            return Err(CatalogError::RecordOffset { table, column: id });
        }
        Ok(ColumnDefinition {
            name: decode_windows_1252(&row.name),
            id,
            from_template: self.table.flags.contains(TableFlags::TEMPLATE),
            kind,
            max_size: row.space_usage,
            flags: ColumnFlags::from_bits_retain(row.flags),
            code_page: row.pages_or_locale as u16,
            record_offset,
            default_value: row.default_value.clone(),
            computed_default: row.template.as_deref().map(|callback| ComputedDefault {
                callback: decode_windows_1252(callback),
                data: row.callback_data.clone().unwrap_or_default(),
            }),
        })
    }

    fn index(&self, row: &CatalogRow) -> Result<IndexDefinition, CatalogError> {
        let unreadable =
            |what| CatalogError::Index { table: self.table.object_id, index: ObjectId(row.id), what };
        let flags = IndexFlags::from_bits_retain(row.flags);
        let extended = flags.contains(IndexFlags::EXTENDED_SEGMENTS);
        let segments = row.segments.as_deref().unwrap_or_default();
        let segments = KeySegment::decode_list(segments, extended).ok_or_else(|| unreadable("segments"))?;
        let conditions = row.conditions.as_deref().unwrap_or_default();
        let conditions =
            KeySegment::decode_list(conditions, extended).ok_or_else(|| unreadable("conditions"))?;
        let tuple_limits = row
            .tuple_limits
            .as_deref()
            .map(|bytes| TupleLimits::decode(bytes).ok_or_else(|| unreadable("tuple limits")));
        Ok(IndexDefinition {
            name: decode_windows_1252(&row.name),
            object_id: ObjectId(row.id),
            root: PageNumber(row.type_or_root),
            flags,
            segments,
            conditions,
            key_most: row.key_most.unwrap_or(255),
            segment_most: row.segment_most,
            tuple_limits: tuple_limits.transpose()?,
            normalization_flags: row.normalization_flags.unwrap_or_default(),
            locale_name: row.locale_name.as_deref().map(|name| {
                let units = name.as_chunks::<2>().0.iter().map(|u| u16::from_le_bytes(*u));
                char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
            }),
            locale_id: row.pages_or_locale,
            sort_version: row.sort_version.clone(),
            sort_id: row.sort_id.clone(),
            space_hints: SpaceHints::from_stored(row.kind, row.space_usage, 0, row.space_hints.as_deref())
                .unwrap_or(SpaceHints::with_density(row.space_usage)),
        })
    }
}
