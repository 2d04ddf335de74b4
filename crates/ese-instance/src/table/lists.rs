//! What the catalog knows, as temporary tables: lists of tables, columns and indexes, for those who go through them as
//! through any table.
//!
//! The lists are complete when they are returned, and stand on their first rows. Lists of tables and indexes are sorts, to be
//! read and searched; lists of columns are tables.

use std::sync::Arc;

use ese_format::ColumnKind;

use super::Table;
use super::error::{Result, TableError};
use super::set_column::SetOptions;
use super::temporary::{TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec};
use super::update::nested;
use crate::catalog::{ColumnDefinition, IndexDefinition, TableDefinition, encode_windows_1252};
use crate::open_database::Database;
use crate::schema::{TableMode, TableSchema};
use crate::session::SessionShared;

/// Country of every column and index.
pub(super) const COUNTRY: u16 = 1;
/// Language of every column.
pub(super) const LANGUAGE: u16 = 0x0409;
/// A column can be updated.
const UPDATABLE: u32 = 0x20;
/// The engine's number of tables among the kinds of objects.
#[doc(alias = "JET_objtypTable")]
const TABLE_OBJECT: u32 = 1;

/// Whether names in a list are text of code page 1252 or Unicode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListNames {
    /// Code page 1252.
    #[default]
    Narrow,
    /// UTF-16, little-endian.
    Wide,
}

impl ListNames {
    fn column(self) -> TemporaryColumn {
        let mut column = TemporaryColumn::new(ColumnKind::TEXT);
        if self == Self::Wide {
            column.code_page = 1200;
        }
        column
    }

    fn bytes(self, name: &str) -> Vec<u8> {
        match self {
            Self::Narrow => encode_windows_1252(name).unwrap_or_else(|| name.as_bytes().to_vec()),
            Self::Wide => name.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}

/// The tables of a database. Numbers are those of the list's columns.
#[doc(alias = "JET_OBJECTLIST")]
#[derive(Debug)]
#[non_exhaustive]
pub struct ObjectList {
    /// The list, sorted by the first two columns.
    pub table: Table,
    /// How many tables there are.
    #[doc(alias = "cRecord")]
    pub count: u64,
    /// Text: `Tables`.
    pub container_name: u32,
    /// Text: the table's name.
    pub object_name: u32,
    /// 32 bits: the kind of object, 1.
    pub object_kind: u32,
    /// Null, as in every list.
    pub created: u32,
    /// Null, as in every list.
    pub updated: u32,
    /// 32 bits: what can be done with the table.
    #[doc(alias = "JET_bitTableInfoUpdatable")]
    pub capabilities: u32,
    /// 32 bits: flags of the table.
    pub flags: u32,
    /// 32 bits: rows; 0, as long as nobody has them counted.
    pub row_count: u32,
    /// 32 bits: pages; 0, as long as nobody has them counted.
    pub page_count: u32,
}

/// The columns of a table. Numbers are those of the list's columns.
#[doc(alias = "JET_COLUMNLIST")]
#[derive(Debug)]
#[non_exhaustive]
pub struct ColumnList {
    /// The list, sorted by the first two columns.
    pub table: Table,
    /// How many columns there are.
    #[doc(alias = "cRecord")]
    pub count: u64,
    /// 32 bits: the column's number in lists by number, else null.
    pub presentation_order: u32,
    /// Text: the column's name. Also the name of its definition.
    #[doc(alias = "columnidDefinitionName")]
    pub column_name: u32,
    /// 32 bits: the column's number.
    pub column_id: u32,
    /// 32 bits: its type.
    pub kind: u32,
    /// 16 bits: country.
    pub country: u32,
    /// 16 bits: language.
    pub language: u32,
    /// 16 bits: code page.
    pub code_page: u32,
    /// 16 bits: collation, 0.
    pub collation: u32,
    /// 32 bits: largest size.
    pub max_size: u32,
    /// 32 bits: flags.
    pub flags: u32,
    /// Bytes of the default value, or null.
    pub default_value: u32,
    /// Text: the table's name.
    pub base_table_name: u32,
    /// Text: the column's name.
    pub base_column_name: u32,
}

bitflags::bitflags! {
    /// Which columns a list has, and what it says of them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ColumnListFlags: u32 {
        /// Not those of the table's template.
        #[doc(alias = "JET_ColInfoGrbitNonDerivedColumnsOnly")]
        const OWN = 0x8000_0000;
        /// Names and numbers only.
        #[doc(alias = "JET_ColInfoGrbitMinimalInfo")]
        const MINIMAL = 0x4000_0000;
        /// Sorted by number.
        #[doc(alias = "JET_ColInfoGrbitSortByColumnid")]
        const BY_NUMBER = 0x2000_0000;
        /// In the order of their numbers, in a list without an index; not those of the template.
        #[doc(alias = "JET_ColInfoListCompact")]
        const COMPACT = 0x1000_0000;
    }
}

/// The indexes of a table, with a row for each of their segments. Numbers are those of the list's columns.
#[doc(alias = "JET_INDEXLIST")]
#[derive(Debug)]
#[non_exhaustive]
pub struct IndexList {
    /// The list, sorted by the index's name and the segment's place.
    pub table: Table,
    /// How many rows there are.
    #[doc(alias = "cRecord")]
    pub count: u64,
    /// Text: the index's name.
    pub index_name: u32,
    /// 32 bits: its flags.
    pub flags: u32,
    /// 32 bits: different keys; 0, as long as nobody has them counted.
    pub key_count: u32,
    /// 32 bits: entries; 0, as long as nobody has them counted.
    pub entry_count: u32,
    /// 32 bits: pages; 0, as long as nobody has them counted.
    pub page_count: u32,
    /// 32 bits: how many segments it has.
    pub segment_count: u32,
    /// 32 bits: the segment's place, from 0.
    pub segment: u32,
    /// 32 bits: number of the segment's column.
    pub column_id: u32,
    /// 32 bits: its type.
    pub kind: u32,
    /// 16 bits: country.
    pub country: u32,
    /// 16 bits: language of the index.
    pub language: u32,
    /// 16 bits: code page of the column.
    pub code_page: u32,
    /// 16 bits: collation, 0.
    pub collation: u32,
    /// 32 bits: 1 for a segment from high to low.
    pub segment_flags: u32,
    /// Text: name of the segment's column.
    pub column_name: u32,
    /// 32 bits: flags for the normalisation of text.
    #[doc(alias = "columnidLCMapFlags")]
    pub normalization_flags: u32,
}

/// A list being made.
struct Maker {
    table: Table,
    ids: Vec<u32>,
    count: u64,
}

impl Maker {
    fn new(session: &Arc<SessionShared>, columns: Vec<TemporaryColumn>) -> Result<Self> {
        let spec = TemporaryTableSpec {
            columns,
            flags: TemporaryTableFlags::SCROLLABLE | TemporaryTableFlags::INDEXED,
            key_most: Some(255),
            segment_most: Some(255),
            ..TemporaryTableSpec::default()
        };
        let (table, ids) = Table::open_temporary_on(Arc::clone(session), &spec)?;
        Ok(Self { table, ids, count: 0 })
    }

    /// Number of the column at a place.
    fn id(&self, place: usize) -> u32 {
        self.ids.get(place).copied().unwrap_or_default()
    }

    /// Adds a row; empty values are null.
    fn push(&mut self, values: &[(usize, Vec<u8>)]) -> Result<()> {
        let values: Vec<_> = values.iter().map(|(place, value)| (self.id(*place), &value[..])).collect();
        self.count += 1;
        self.table.insert_values(&values)
    }

    /// On the first row, for those who read.
    fn finish(&mut self) -> Result<()> {
        match self.table.move_first() {
            Err(TableError::NoCurrentRecord) => Ok(()),
            moved => moved,
        }
    }
}

fn long() -> TemporaryColumn {
    TemporaryColumn::new(ColumnKind::LONG)
}

fn short() -> TemporaryColumn {
    TemporaryColumn::new(ColumnKind::SHORT)
}

fn keyed(column: TemporaryColumn) -> TemporaryColumn {
    TemporaryColumn { key: true, ..column }
}

fn u32_bytes(value: u32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

fn u16_bytes(value: u16) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

impl Table {
    /// Inserts a row into a temporary table, in a transaction level of its own.
    fn insert_values(&mut self, values: &[(u32, &[u8])]) -> Result<()> {
        let filling = self.sort_of_filling();
        self.call(|cursor, call| {
            nested(call, |call| {
                cursor.prepare(call, super::PrepareKind::Insert, true)?;
                for &(id, value) in values {
                    cursor.set_column(call, None, id, value, &SetOptions::default())?;
                }
                match &filling {
                    Some(table) => cursor.sort_prepared(call, table, &mut Vec::new()),
                    None => cursor.update(call, super::UpdateFlags::empty(), &mut Vec::new()),
                }
            })
        })
    }
}

impl Database {
    /// The tables that the session sees, system tables included, as a temporary table.
    ///
    /// # Errors
    /// As [`tables`](Self::tables) and [`open_temporary_table`](crate::Session::open_temporary_table).
    #[doc(alias = "JetGetObjectInfo")]
    #[doc(alias = "JET_ObjInfoList")]
    #[doc(alias = "JET_ObjInfoListNoStats")]
    pub fn object_list(&self, names: ListNames) -> Result<ObjectList> {
        let tables = self.tables()?;
        let date = || TemporaryColumn::new(ColumnKind::DATE_TIME);
        let columns = vec![
            keyed(names.column()),
            keyed(names.column()),
            long(),
            date(),
            date(),
            long(),
            long(),
            long(),
            long(),
        ];
        let mut maker = Maker::new(&self.session, columns)?;
        // Bookmarks and transactions, and updates unless the database is read-only.
        let capabilities = 0x6 | u32::from(!self.attached.is_read_only());
        for table in &tables {
            maker.push(&[
                (0, names.bytes("Tables")),
                (1, names.bytes(&table.name)),
                (2, u32_bytes(TABLE_OBJECT)),
                (5, u32_bytes(0)),
                (6, u32_bytes(0)),
                (7, u32_bytes(capabilities)),
                (8, u32_bytes(table.flags.bits())),
            ])?;
        }
        maker.finish()?;
        Ok(ObjectList {
            container_name: maker.id(0),
            object_name: maker.id(1),
            object_kind: maker.id(2),
            created: maker.id(3),
            updated: maker.id(4),
            row_count: maker.id(5),
            page_count: maker.id(6),
            capabilities: maker.id(7),
            flags: maker.id(8),
            count: maker.count,
            table: maker.table,
        })
    }

    /// The columns of a table as a temporary table.
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table) and [`open_temporary_table`](crate::Session::open_temporary_table).
    #[doc(alias = "JetGetColumnInfo")]
    #[doc(alias = "JET_ColInfoList")]
    #[doc(alias = "JET_ColInfoListSortColumnid")]
    pub fn column_list(&self, table: &str, flags: ColumnListFlags, names: ListNames) -> Result<ColumnList> {
        column_list(&self.session, &*self.opened_schema(table)?, flags, names, false)
    }

    /// The indexes of a table, or one of them, as a temporary table.
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table) and [`open_temporary_table`](crate::Session::open_temporary_table); `Refused`
    /// (`JET_errIndexNotFound`).
    #[doc(alias = "JetGetIndexInfo")]
    #[doc(alias = "JET_IdxInfoList")]
    pub fn index_list(&self, table: &str, index: Option<&str>, names: ListNames) -> Result<IndexList> {
        index_list(&self.session, &*self.opened_schema(table)?, index, names)
    }

    /// The structure of a table that could be opened now.
    fn opened_schema(&self, table: &str) -> Result<Arc<TableSchema>> {
        let opened = self.open_table(table, TableMode::empty())?;
        Ok(Arc::clone(&opened.cursor.plan.schema))
    }
}

impl Table {
    /// The columns of the cursor's table as a temporary table.
    ///
    /// # Errors
    /// Refused at the door; as [`open_temporary_table`](crate::Session::open_temporary_table).
    #[doc(alias = "JetGetTableColumnInfo")]
    pub fn column_list(&mut self, flags: ColumnListFlags, names: ListNames) -> Result<ColumnList> {
        let schema = self.current_schema()?;
        column_list(&self.session, &schema, flags, names, self.is_updatable())
    }

    /// The indexes of the cursor's table, or one of them, as a temporary table.
    ///
    /// # Errors
    /// Refused at the door; as [`open_temporary_table`](crate::Session::open_temporary_table); `Refused`
    /// (`JET_errIndexNotFound`).
    #[doc(alias = "JetGetTableIndexInfo")]
    pub fn index_list(&mut self, index: Option<&str>, names: ListNames) -> Result<IndexList> {
        let schema = self.current_schema()?;
        index_list(&self.session, &schema, index, names)
    }

    fn current_schema(&mut self) -> Result<Arc<TableSchema>> {
        self.allow(super::temporary::TableCall::OnlyDatabases)?;
        self.call(|cursor, _| Ok(Arc::clone(&cursor.plan.schema)))
    }
}

fn column_list(
    session: &Arc<SessionShared>,
    schema: &TableSchema,
    flags: ColumnListFlags,
    names: ListNames,
    updatable: bool,
) -> Result<ColumnList> {
    let definition = &schema.definition;
    let compact = flags.contains(ColumnListFlags::COMPACT);
    let key = |column: TemporaryColumn| TemporaryColumn { key: !compact, ..column };
    let default = if compact { ColumnKind::BINARY } else { ColumnKind::LONG_BINARY };
    let columns = vec![
        key(long()),
        key(names.column()),
        long(),
        long(),
        short(),
        short(),
        short(),
        short(),
        long(),
        long(),
        TemporaryColumn::new(default),
        names.column(),
        names.column(),
    ];
    let mut maker = Maker::new(session, columns)?;
    let is_template = definition.flags.contains(crate::catalog::TableFlags::TEMPLATE);
    let own = flags.intersects(ColumnListFlags::OWN | ColumnListFlags::COMPACT) && !is_template;
    let listed = |column: &&ColumnDefinition| !(column.is_deleted() || own && column.from_template);
    // The template's first.
    let (templates, others): (Vec<_>, Vec<_>) =
        definition.columns.iter().filter(listed).partition(|column| column.from_template);
    for column in templates.into_iter().chain(others) {
        maker.push(&column_row(definition, column, flags, names, updatable))?;
    }
    maker.finish()?;
    Ok(ColumnList {
        presentation_order: maker.id(0),
        column_name: maker.id(1),
        column_id: maker.id(2),
        kind: maker.id(3),
        country: maker.id(4),
        language: maker.id(5),
        code_page: maker.id(6),
        collation: maker.id(7),
        max_size: maker.id(8),
        flags: maker.id(9),
        default_value: maker.id(10),
        base_table_name: maker.id(11),
        base_column_name: maker.id(12),
        count: maker.count,
        table: maker.table,
    })
}

fn index_list(
    session: &Arc<SessionShared>,
    schema: &TableSchema,
    index: Option<&str>,
    names: ListNames,
) -> Result<IndexList> {
    let definition = &schema.definition;
    let columns = vec![
        keyed(names.column()),
        long(),
        long(),
        long(),
        long(),
        long(),
        keyed(long()),
        long(),
        long(),
        short(),
        short(),
        short(),
        short(),
        long(),
        names.column(),
        long(),
    ];
    let wanted = |found: &&IndexDefinition| index.is_none_or(|name| found.name.eq_ignore_ascii_case(name));
    let indexes: Vec<_> = definition.indexes.iter().filter(wanted).collect();
    if index.is_some() && indexes.is_empty() {
        return Err(TableError::refused("no such index", ese_format::JetError::INDEX_NOT_FOUND));
    }
    let mut maker = Maker::new(session, columns)?;
    for index in indexes {
        for row in index_rows(definition, index, names) {
            maker.push(&row)?;
        }
    }
    maker.finish()?;
    Ok(IndexList {
        index_name: maker.id(0),
        flags: maker.id(1),
        key_count: maker.id(2),
        entry_count: maker.id(3),
        page_count: maker.id(4),
        segment_count: maker.id(5),
        segment: maker.id(6),
        column_id: maker.id(7),
        kind: maker.id(8),
        country: maker.id(9),
        language: maker.id(10),
        code_page: maker.id(11),
        collation: maker.id(12),
        segment_flags: maker.id(13),
        column_name: maker.id(14),
        normalization_flags: maker.id(15),
        count: maker.count,
        table: maker.table,
    })
}

/// The values of a column's row.
#[doc(alias = "ErrINFOSetTableColumnInfoList")]
fn column_row(
    table: &TableDefinition,
    column: &ColumnDefinition,
    flags: ColumnListFlags,
    names: ListNames,
    updatable: bool,
) -> Vec<(usize, Vec<u8>)> {
    let mut row = Vec::new();
    if flags.contains(ColumnListFlags::BY_NUMBER) {
        row.push((0, u32_bytes(column.api_id())));
    }
    row.push((1, names.bytes(&column.name)));
    row.push((2, u32_bytes(column.api_id())));
    if flags.contains(ColumnListFlags::MINIMAL) {
        return row;
    }
    let default = column.default_value.clone().unwrap_or_default();
    row.extend([
        (3, u32_bytes(u32::from(column.kind.0))),
        (4, u16_bytes(COUNTRY)),
        (5, u16_bytes(LANGUAGE)),
        (6, u16_bytes(column.code_page)),
        (7, u16_bytes(0)),
        (8, u32_bytes(column.max_size)),
        (9, u32_bytes(column.api_flags() | if updatable { UPDATABLE } else { 0 })),
        (10, default),
        (11, names.bytes(&table.name)),
        (12, names.bytes(&column.name)),
    ]);
    row
}

/// The rows of an index: one for each segment.
fn index_rows(
    table: &TableDefinition,
    index: &IndexDefinition,
    names: ListNames,
) -> Vec<Vec<(usize, Vec<u8>)>> {
    let count = index.segments.len() as u32;
    let segments = (0_u32..).zip(&index.segments);
    let language = match (&index.locale_name, index.locale_id) {
        (Some(name), _) if name.is_empty() => 0x007F,
        (_, 0) => LANGUAGE,
        // The language is the lower half of a locale's number.
        (_, id) => id as u16,
    };
    segments
        .filter_map(|(number, segment)| {
            let (_, column) = table.column_of(segment)?;
            Some(vec![
                (0, names.bytes(&index.name)),
                (1, u32_bytes(index.api_flags())),
                (2, u32_bytes(0)),
                (3, u32_bytes(0)),
                (4, u32_bytes(0)),
                (5, u32_bytes(count)),
                (6, u32_bytes(number)),
                (7, u32_bytes(column.api_id())),
                (8, u32_bytes(u32::from(column.kind.0))),
                (9, u16_bytes(COUNTRY)),
                (10, u16_bytes(language)),
                (11, u16_bytes(column.code_page)),
                (12, u16_bytes(0)),
                (13, u32_bytes(segment.descending.into())),
                (14, names.bytes(&column.name)),
                (15, u32_bytes(index.normalization_flags)),
            ])
        })
        .collect()
}
