//! One row of MSysObjects.

use ese_format::{ColumnId, ColumnState, ObjectId, PageSize, RecordError, RecordView, TaggedValue};

/// What a catalog row describes. Unknown numbers are kept.
#[doc(alias = "SYSOBJ")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogRowKind(pub u16);

impl CatalogRowKind {
    /// A table.
    #[doc(alias = "sysobjTable")]
    pub const TABLE: Self = Self(1);
    /// A column.
    #[doc(alias = "sysobjColumn")]
    pub const COLUMN: Self = Self(2);
    /// An index.
    #[doc(alias = "sysobjIndex")]
    pub const INDEX: Self = Self(3);
    /// A long-value tree.
    #[doc(alias = "sysobjLongValue")]
    pub const LONG_VALUE: Self = Self(4);
    /// A callback.
    #[doc(alias = "sysobjCallback")]
    pub const CALLBACK: Self = Self(5);
}

/// One row of MSysObjects, decoded. Columns that the row does not have are `None`, or 0 where the engine never leaves
/// them out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogRow {
    /// Table the row belongs to.
    #[doc(alias = "ObjidTable")]
    pub table: ObjectId,
    /// What it describes.
    #[doc(alias = "Type")]
    pub kind: CatalogRowKind,
    /// Object id of a tree, number of a column.
    #[doc(alias = "Id")]
    pub id: u32,
    /// Type of a column, root page of a tree.
    #[doc(alias = "ColtypOrPgnoFDP")]
    pub type_or_root: u32,
    /// Largest size of a column's value, density of a tree in percent.
    #[doc(alias = "SpaceUsage")]
    pub space_usage: u32,
    /// Flags, by kind.
    #[doc(alias = "Flags")]
    pub flags: u32,
    /// Initial pages of a tree, code page of a column, locale number of an index.
    #[doc(alias = "PagesOrLocale")]
    pub pages_or_locale: u32,
    /// True in table rows.
    #[doc(alias = "RootFlag")]
    pub root_flag: Option<bool>,
    /// Where a fixed column's slot begins.
    #[doc(alias = "RecordOffset")]
    pub record_offset: Option<u16>,
    /// Flags for the normalisation of text.
    #[doc(alias = "LCMapFlags")]
    pub normalization_flags: Option<u32>,
    /// Longest key, when not 255.
    #[doc(alias = "KeyMost")]
    pub key_most: Option<u16>,
    /// Size of a long value's chunk, when set.
    #[doc(alias = "LVChunkMax")]
    pub chunk_size: Option<u32>,
    /// When the root page was set last: a Windows file time.
    #[doc(alias = "PgnoFDPLastSetTime")]
    pub root_set_time: Option<u64>,
    /// Name, code page 1252.
    #[doc(alias = "Name")]
    pub name: Vec<u8>,
    /// Template of a table, callback of a column.
    #[doc(alias = "TemplateTable")]
    pub template: Option<Vec<u8>>,
    /// Default value of a column.
    #[doc(alias = "DefaultValue")]
    pub default_value: Option<Vec<u8>>,
    /// Segments of an index.
    #[doc(alias = "KeyFldIDs")]
    pub segments: Option<Vec<u8>>,
    /// Longest segment, when not the longest key.
    #[doc(alias = "VarSegMac")]
    pub segment_most: Option<u16>,
    /// Conditions of an index.
    #[doc(alias = "ConditionalColumns")]
    pub conditions: Option<Vec<u8>>,
    /// Limits of a tuple index.
    #[doc(alias = "TupleLimits")]
    pub tuple_limits: Option<Vec<u8>>,
    /// Version of the sorting tables.
    #[doc(alias = "Version")]
    pub sort_version: Option<Vec<u8>>,
    /// Id of the sorting tables.
    #[doc(alias = "SortID")]
    pub sort_id: Option<Vec<u8>>,
    /// Name of an index's locale, UTF-16.
    #[doc(alias = "LocaleName")]
    pub locale_name: Option<Vec<u8>>,
    /// Threshold above which values are separated.
    #[doc(alias = "SeparateLV")]
    pub separation_threshold: Option<u32>,
    /// Space hints beside density and pages.
    #[doc(alias = "SpaceHints")]
    pub space_hints: Option<Vec<u8>>,
    /// Space hints of long values that have no tree yet.
    #[doc(alias = "SpaceDeferredLVHints")]
    pub long_value_hints: Option<Vec<u8>>,
    /// What a callback is given.
    #[doc(alias = "CallbackData")]
    pub callback_data: Option<Vec<u8>>,
    /// Names of columns that a callback looks at.
    #[doc(alias = "CallbackDependencies")]
    pub callback_dependencies: Option<Vec<u8>>,
}

impl CatalogRow {
    /// Decodes the record of a catalog row.
    ///
    /// # Errors
    /// When the record is broken.
    pub fn decode(record: &[u8], page_size: PageSize) -> Result<Self, RecordError> {
        let view = RecordView::parse(record, page_size)?;
        let fixed = |column: u16, offset: usize, size: usize| -> Result<Option<u64>, RecordError> {
            Ok(match view.fixed(ColumnId(column), offset, size)? {
                ColumnState::Value(bytes) => {
                    Some(bytes.iter().rev().fold(0u64, |value, &b| value << 8 | u64::from(b)))
                }
                _ => None,
            })
        };
        let long = |column, offset| Ok(fixed(column, offset, 4)?.map(|v| v as u32));
        let required = |column, offset| long(column, offset).map(Option::unwrap_or_default);
        let variable = |column: u16| -> Result<Option<Vec<u8>>, RecordError> {
            Ok(match view.variable(ColumnId(column))? {
                ColumnState::Value(bytes) => Some(bytes.to_vec()),
                _ => None,
            })
        };
        let short =
            |bytes: Option<Vec<u8>>| bytes.and_then(|b| b.first_chunk::<2>().map(|b| u16::from_le_bytes(*b)));
        let mut row = Self {
            table: ObjectId(required(1, 4)?),
            kind: CatalogRowKind(fixed(2, 8, 2)?.unwrap_or_default() as u16),
            id: required(3, 10)?,
            type_or_root: required(4, 14)?,
            space_usage: required(5, 18)?,
            flags: required(6, 22)?,
            pages_or_locale: required(7, 26)?,
            root_flag: fixed(8, 30, 1)?.map(|v| v != 0),
            record_offset: fixed(9, 31, 2)?.map(|v| v as u16),
            normalization_flags: long(10, 33)?,
            key_most: fixed(11, 37, 2)?.map(|v| v as u16),
            chunk_size: long(12, 39)?,
            root_set_time: fixed(13, 43, 8)?,
            name: variable(128)?.unwrap_or_default(),
            template: variable(130)?,
            default_value: variable(131)?,
            segments: variable(132)?,
            segment_most: short(variable(133)?),
            conditions: variable(134)?,
            tuple_limits: variable(135)?,
            sort_version: variable(136)?,
            sort_id: variable(137)?,
            locale_name: None,
            separation_threshold: None,
            space_hints: None,
            long_value_hints: None,
            callback_data: None,
            callback_dependencies: None,
        };
        for column in view.tagged_columns() {
            let column = column?;
            let Some(value) = column.values().next().transpose()? else { continue };
            let TaggedValue::Plain(value) = value else { continue };
            match column.id.0 {
                256 => row.callback_data = Some(value.to_vec()),
                257 => row.callback_dependencies = Some(value.to_vec()),
                259 => row.space_hints = Some(value.to_vec()),
                260 => row.long_value_hints = Some(value.to_vec()),
                258 => row.separation_threshold = value.first_chunk().map(|b| u32::from_le_bytes(*b)),
                261 => row.locale_name = Some(value.to_vec()),
                _ => {}
            }
        }
        Ok(row)
    }
}
