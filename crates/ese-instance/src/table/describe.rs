//! What calls tell about a table, one of its columns, or one of its indexes: what the C interface puts into its structures.

use std::sync::Arc;

use ese_format::{ColumnKind, JetError, ObjectId};

use super::Table;
use super::error::{Result, TableError};
use super::temporary::TableCall;
use crate::builder::ComputedDefault;
use crate::builder::definition::encode_name;
use crate::catalog::{
    ColumnDefinition, IndexDefinition, SpaceHints, TableDefinition, TableFlags, TupleLimits,
    encode_windows_1252,
};
use crate::error::InstanceError;
use crate::open_database::Database;
use crate::schema::{TableMode, TableSchema};
use crate::state::SessionCall;

/// A column can be updated.
#[doc(alias = "JET_bitColumnUpdatable")]
const COLUMN_UPDATABLE: u32 = 0x20;
/// A locale is named.
#[doc(alias = "JET_bitIndexUnicode")]
const INDEX_UNICODE: u32 = 0x800;
/// Limits of substrings are given.
#[doc(alias = "JET_bitIndexTupleLimits")]
const INDEX_TUPLE_LIMITS: u32 = 0x2000;
/// A table can be updated.
#[doc(alias = "JET_bitTableInfoUpdatable")]
const TABLE_UPDATABLE: u32 = 0x1;
/// A table has bookmarks, and transactions.
#[doc(alias = "JET_bitTableInfoBookmark")]
#[doc(alias = "JET_bitTableInfoRollback")]
const TABLE_CAPABILITIES: u32 = 0x6;

/// Which column is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnName<'a> {
    /// The one of this name.
    Name(&'a str),
    /// The one of this number.
    #[doc(alias = "JET_ColInfoByColid")]
    #[doc(alias = "JET_ColInfoBaseByColid")]
    Number(u32),
}

/// What is told about a column.
#[doc(alias = "JET_COLUMNDEF")]
#[doc(alias = "JET_COLUMNBASE")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Number.
    #[doc(alias = "columnid")]
    pub id: u32,
    /// Type.
    #[doc(alias = "coltyp")]
    pub kind: ColumnKind,
    /// Country: 1.
    #[doc(alias = "wCountry")]
    pub country: u16,
    /// Language: 0x0409.
    #[doc(alias = "langid")]
    pub language: u16,
    /// Code page of text, else 0.
    #[doc(alias = "cp")]
    pub code_page: u16,
    /// Largest size in bytes; 0 for unlimited.
    #[doc(alias = "cbMax")]
    pub max_size: u32,
    /// Options, as [`ColumnOptions`](crate::ColumnOptions) numbers them.
    #[doc(alias = "grbit")]
    pub flags: u32,
    /// Name.
    #[doc(alias = "szBaseColumnName")]
    pub name: String,
    /// Name of the table.
    #[doc(alias = "szBaseTableName")]
    pub table: String,
    /// The default value.
    #[doc(alias = "pbDefault")]
    pub default_value: Option<Vec<u8>>,
    /// Who computes the default value.
    pub computed_default: Option<ComputedDefault>,
}

/// What is told about an index.
#[doc(alias = "JET_INDEXCREATE3")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexInfo {
    /// Name.
    #[doc(alias = "szIndexName")]
    pub name: String,
    /// Names of columns with their directions, each ended by a zero byte, and one more, in the code page of Western Europe.
    #[doc(alias = "szKey")]
    pub key: Vec<u8>,
    /// Options as [`IndexOptions`](crate::IndexOptions) numbers them, for making the index again.
    #[doc(alias = "grbit")]
    pub flags: u32,
    /// How full pages are made at first, in percent.
    #[doc(alias = "ulDensity")]
    #[doc(alias = "JET_IdxInfoSpaceAlloc")]
    pub density: u32,
    /// Number of the locale; 0 where there is none.
    #[doc(alias = "JET_IdxInfoLCID")]
    pub locale_id: u32,
    /// Name of the locale.
    #[doc(alias = "szLocaleName")]
    #[doc(alias = "JET_IdxInfoLocaleName")]
    pub locale: String,
    /// Flags for the normalisation of text.
    #[doc(alias = "dwMapFlags")]
    pub normalization_flags: u32,
    /// Longest key.
    #[doc(alias = "JET_IdxInfoKeyMost")]
    pub key_most: u16,
    /// Longest segment.
    #[doc(alias = "JET_IdxInfoVarSegMac")]
    pub segment_most: u16,
    /// Limits of substrings.
    #[doc(alias = "ptuplelimits")]
    pub tuple_limits: Option<TupleLimits>,
    /// Columns that have to be null (`true`) or not null for a row to have an entry.
    #[doc(alias = "rgconditionalcolumn")]
    pub conditions: Vec<(String, bool)>,
    /// Version of the sorting tables; 0 where no text is sorted.
    #[doc(alias = "JET_IdxInfoSortVersion")]
    pub sort_version: u32,
    /// Version of their definition.
    #[doc(alias = "JET_IdxInfoDefinedSortVersion")]
    pub defined_sort_version: u32,
    /// Identifier of the sort.
    #[doc(alias = "JET_IdxInfoSortId")]
    pub sort_id: [u8; 16],
    /// How the tree is filled and grows.
    #[doc(alias = "pSpacehints")]
    pub space_hints: SpaceHints,
}

/// What is told about a table by its cursor.
#[doc(alias = "JET_OBJECTINFO")]
#[doc(alias = "JET_TblInfo")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Name.
    #[doc(alias = "JET_TblInfoName")]
    pub name: String,
    /// Object id.
    #[doc(alias = "JET_TblInfoObjectId")]
    pub object_id: ObjectId,
    /// Name of the template; none where it is derived from no table.
    #[doc(alias = "JET_TblInfoTemplateTableName")]
    pub template: Option<String>,
    /// What can be done with it.
    #[doc(alias = "grbit")]
    pub capabilities: u32,
    /// Flags.
    pub flags: TableFlags,
    /// Rows as counted; 0, nobody counts them.
    #[doc(alias = "cRecord")]
    pub row_count: u32,
    /// Pages as counted; 0, nobody counts them.
    #[doc(alias = "cPage")]
    pub page_count: u32,
    /// Pages that it has at first.
    #[doc(alias = "JET_TblInfoSpaceAlloc")]
    pub initial_pages: u32,
    /// How full pages are made at first, in percent.
    #[doc(alias = "JET_TblInfoSpaceAlloc")]
    pub density: u32,
    /// Size of the pieces of long values.
    #[doc(alias = "JET_TblInfoLVChunkMax")]
    pub chunk_size: u32,
}

/// What can be done with tables of a database.
pub(crate) const fn table_capabilities(read_only: bool) -> u32 {
    if read_only { TABLE_CAPABILITIES } else { TABLE_CAPABILITIES | TABLE_UPDATABLE }
}

fn column_info(schema: &TableSchema, wanted: ColumnName<'_>, updatable: bool) -> Result<ColumnInfo> {
    let table = &schema.definition;
    let found = match wanted {
        ColumnName::Name("") => None,
        ColumnName::Name(name) => {
            encode_name(name).map_err(InstanceError::from)?;
            schema.column(name.trim_end_matches(' ')).map(|(_, column)| column)
        }
        ColumnName::Number(id) => schema.column_by_id(id).map(|(_, column)| column),
    };
    let column = found.ok_or_else(|| {
        let column = match wanted {
            ColumnName::Name(name) => name.to_owned(),
            ColumnName::Number(id) => format!("{id:#x}"),
        };
        InstanceError::ColumnNotFound { table: table.name.clone(), column }
    })?;
    Ok(describe_column(table, column, updatable))
}

fn describe_column(table: &TableDefinition, column: &ColumnDefinition, updatable: bool) -> ColumnInfo {
    ColumnInfo {
        id: column.api_id(),
        kind: column.kind,
        country: super::lists::COUNTRY,
        language: super::lists::LANGUAGE,
        code_page: column.code_page,
        max_size: column.max_size,
        flags: column.api_flags() | if updatable { COLUMN_UPDATABLE } else { 0 },
        name: column.name.clone(),
        table: table.name.clone(),
        default_value: column.default_value.clone(),
        computed_default: column.computed_default.clone(),
    }
}

impl TableDefinition {
    /// What is told about an index; the primary one when no name is given.
    ///
    /// # Errors
    /// `Instance`: no such index, or a name that is none.
    #[doc(alias = "JetGetIndexInfo")]
    #[doc(alias = "JetGetTableIndexInfo")]
    #[doc(alias = "JET_IdxInfoCreateIndex")]
    #[doc(alias = "JET_IdxInfoCreateIndex2")]
    #[doc(alias = "JET_IdxInfoCreateIndex3")]
    pub fn index_info(&self, name: &str) -> Result<IndexInfo> {
        let missing = || InstanceError::IndexNotFound { table: self.name.clone(), index: name.to_owned() };
        let found = if name.is_empty() {
            self.primary_index()
        } else {
            encode_name(name).map_err(InstanceError::from)?;
            let name = name.trim_end_matches(' ');
            self.indexes.iter().find(|index| index.name.eq_ignore_ascii_case(name))
        };
        Ok(self.describe_index(found.ok_or_else(missing)?))
    }

    fn describe_index(&self, index: &IndexDefinition) -> IndexInfo {
        let mut key = Vec::new();
        for segment in &index.segments {
            let Some((_, column)) = self.column_of(segment) else { continue };
            key.push(if segment.descending { b'-' } else { b'+' });
            key.extend(encode_windows_1252(&column.name).unwrap_or_default());
            key.push(0);
        }
        key.push(0);
        let conditions = index.conditions.iter().filter_map(|condition| {
            let (_, column) = self.column_of(condition)?;
            Some((column.name.clone(), condition.must_be_null))
        });
        let version = |half: usize| {
            let stored = index.sort_version.as_deref().unwrap_or_default();
            stored.as_chunks::<4>().0.get(half).map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        let locale = index.locale_name.clone().unwrap_or_default();
        let sort_id = index.sort_id.as_deref().and_then(|id| id.first_chunk()).copied();
        IndexInfo {
            name: index.name.clone(),
            key,
            flags: index.api_flags()
                | INDEX_UNICODE
                | if index.tuple_limits.is_some() { INDEX_TUPLE_LIMITS } else { 0 },
            density: index.space_hints.initial_density,
            locale_id: index.locale_number(),
            locale,
            normalization_flags: index.normalization_flags,
            key_most: index.key_most,
            segment_most: index.segment_most.unwrap_or(index.key_most),
            tuple_limits: index.tuple_limits,
            conditions: conditions.collect(),
            sort_version: version(0),
            defined_sort_version: version(1),
            sort_id: sort_id.unwrap_or_default(),
            space_hints: index.space_hints,
        }
    }
}

impl Table {
    /// What is told about a column.
    ///
    /// # Errors
    /// Refused at the door; `Instance`: no such column, or a name that is none.
    #[doc(alias = "JetGetTableColumnInfo")]
    #[doc(alias = "JET_ColInfo")]
    #[doc(alias = "JET_ColInfoBase")]
    pub fn column_info(&mut self, column: ColumnName<'_>) -> Result<ColumnInfo> {
        self.allow(TableCall::OnlyDatabases)?;
        let updatable = self.is_updatable();
        self.call(|cursor, _| column_info(&cursor.plan.schema, column, updatable))
    }

    /// What is told about the table.
    ///
    /// # Errors
    /// Refused at the door; `Refused` for a temporary table (`JET_errObjectNotFound`).
    #[doc(alias = "JetGetTableInfo")]
    pub fn object_info(&mut self) -> Result<TableInfo> {
        if self.database.is_none() {
            self.allow(TableCall::Information)?;
            return Err(TableError::refused("a temporary table is no object", JetError::OBJECT_NOT_FOUND));
        }
        let capabilities = table_capabilities(!self.is_updatable());
        self.call(|cursor, _| {
            let table = cursor.plan.table();
            Ok(TableInfo {
                name: table.name.clone(),
                object_id: table.object_id,
                template: table.template.clone(),
                capabilities,
                flags: table.flags,
                row_count: 0,
                page_count: 0,
                initial_pages: table.initial_pages,
                density: table.space_hints.initial_density,
                chunk_size: table.chunk_size(cursor.plan.page_size),
            })
        })
    }
}

impl Database {
    /// What is told about a column of a table.
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table) and [`Table::column_info`].
    #[doc(alias = "JetGetColumnInfo")]
    pub fn column_info(&self, table: &str, column: ColumnName<'_>) -> Result<ColumnInfo> {
        encode_name(table).map_err(InstanceError::from)?;
        drop(self.enter(SessionCall::Ordinary)?);
        let opened = self.open_table(table, TableMode::empty())?;
        column_info(&Arc::clone(&opened.cursor.plan.schema), column, false)
    }
}
