//! What temporary tables are made of: options, columns, and the definition that follows from them.

use ese_format::{
    Collation, CollationError, ColumnId, ColumnKind, JetError, KeySegment, ObjectId, PageNumber, PageSize,
    StoredCollation, largest_record,
};

use super::super::error::{Result, TableError};
use crate::builder::definition::SORT_VERSION;
use crate::catalog::{
    ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, SpaceHints, TableDefinition, TableFlags,
};
use crate::ddl::key_limit;

/// Flags for the normalisation of text where nothing else is said.
const NORMALIZATION_FLAGS: u32 = 0x0003_0401;
/// Longest key where nothing else is said.
const KEY_MOST: u16 = 255;

bitflags::bitflags! {
    /// Options of a temporary table. Unknown bits are ignored.
    #[doc(alias = "JetOpenTemporaryTable")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TemporaryTableFlags: u32 {
        /// Can be searched.
        #[doc(alias = "JET_bitTTIndexed")]
        const INDEXED = 0x1;
        /// Rows with equal keys are one.
        #[doc(alias = "JET_bitTTUnique")]
        const UNIQUE = 0x2;
        /// Rows can be changed once they are sorted.
        #[doc(alias = "JET_bitTTUpdatable")]
        const UPDATABLE = 0x4;
        /// Can be moved through backwards.
        #[doc(alias = "JET_bitTTScrollable")]
        const SCROLLABLE = 0x8;
        /// Nulls sort behind values.
        #[doc(alias = "JET_bitTTSortNullsHigh")]
        const NULLS_HIGH = 0x10;
        /// A table from the beginning, not a sort: rows with keys that are there are refused.
        #[doc(alias = "JET_bitTTForceMaterialization")]
        #[doc(alias = "JET_bitTTErrorOnDuplicateInsertion")]
        const FORCE_MATERIALIZATION = 0x20;
        /// Is only gone through once, and rows with equal keys stay.
        #[doc(alias = "JET_bitTTForwardOnly")]
        const FORWARD_ONLY = 0x40;
        /// Long values stay in their rows.
        #[doc(alias = "JET_bitTTIntrinsicLVsOnly")]
        const INTRINSIC_LONG_VALUES = 0x80;
        /// GUIDs sort as .NET compares them.
        #[doc(alias = "JET_bitTTDotNetGuid")]
        const DOT_NET_GUID = 0x100;
    }
}

/// A column of a temporary table.
#[doc(alias = "JET_COLUMNDEF")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporaryColumn {
    /// Type.
    pub kind: ColumnKind,
    /// Code page of text: 1252 (or 0) or 1200.
    pub code_page: u16,
    /// Largest size of text and binary; 0 for the type's own.
    pub max_size: u32,
    /// Text or binary in a slot of its largest size.
    #[doc(alias = "JET_bitColumnFixed")]
    pub fixed: bool,
    /// Several values.
    #[doc(alias = "JET_bitColumnTagged")]
    pub tagged: bool,
    /// Part of the key; the order of these columns is that of the segments.
    #[doc(alias = "JET_bitColumnTTKey")]
    pub key: bool,
    /// Sorted from high to low.
    #[doc(alias = "JET_bitColumnTTDescending")]
    pub descending: bool,
}

impl TemporaryColumn {
    /// A column that is no part of the key.
    #[must_use]
    pub const fn new(kind: ColumnKind) -> Self {
        let (fixed, tagged, key, descending) = (false, false, false, false);
        Self { kind, code_page: 1252, max_size: 0, fixed, tagged, key, descending }
    }

    /// A column of the key, from low to high.
    #[must_use]
    pub const fn key(kind: ColumnKind) -> Self {
        let mut column = Self::new(kind);
        column.key = true;
        column
    }
}

/// What a temporary table is to look like.
#[doc(alias = "JET_OPENTEMPORARYTABLE2")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemporaryTableSpec {
    /// Columns.
    pub columns: Vec<TemporaryColumn>,
    /// Options.
    pub flags: TemporaryTableFlags,
    /// Longest key; 255 when not said.
    #[doc(alias = "cbKeyMost")]
    pub key_most: Option<u16>,
    /// Longest segment of text or binary.
    #[doc(alias = "cbVarSegMac")]
    pub segment_most: Option<u16>,
    /// Locale of Unicode text; en-US when not said.
    #[doc(alias = "szLocaleName")]
    pub locale: Option<String>,
    /// Number of the locale, where it has no name; 0 when not said.
    #[doc(alias = "lcid")]
    pub locale_id: u32,
    /// Flags for the normalisation of Unicode text; the one that asks for sort keys is added.
    #[doc(alias = "dwMapFlags")]
    pub normalization_flags: Option<u32>,
}

/// How the engine sorts text where nothing else is said.
pub(in crate::table) fn default_collation() -> std::result::Result<Collation, CollationError> {
    Collation::new(&StoredCollation {
        locale_name: Some("en-US"),
        locale_id: 0,
        sort_id: None,
        version: Some(&SORT_VERSION),
        flags: NORMALIZATION_FLAGS,
    })
}

/// Flags that sort keys can be made with.
const SORT_KEY_FLAGS: u32 = 0x0803_183F;
/// Asks for sort keys.
#[doc(alias = "LCMAP_SORTKEY")]
const SORT_KEY: u32 = 0x400;
/// Text in capitals in place of sort keys.
#[doc(alias = "LCMAP_UPPERCASE")]
const CAPITALS: u32 = 0x200;

/// The flags for the normalisation of Unicode text.
#[doc(alias = "ErrNORMCheckLCMapFlags")]
fn normalization_flags(spec: &TemporaryTableSpec) -> Result<u32> {
    let flags = spec.normalization_flags.unwrap_or(NORMALIZATION_FLAGS);
    let flags = if flags == CAPITALS { flags } else { flags | SORT_KEY };
    if flags == CAPITALS || flags & !SORT_KEY_FLAGS == SORT_KEY {
        return Ok(flags);
    }
    Err(TableError::Key(CollationError::Flags { found: flags }.into()))
}

fn locale_name(spec: &TemporaryTableSpec) -> Option<String> {
    match (&spec.locale, spec.locale_id) {
        (Some(name), _) => Some(name.clone()),
        (None, 0) => Some("en-US".to_owned()),
        (None, _) => None,
    }
}

pub(super) fn definition(
    spec: &TemporaryTableSpec,
    page_size: PageSize,
) -> Result<(TableDefinition, Vec<u32>)> {
    let key_most = spec.key_most.filter(|&most| most != 0);
    let longest = key_most.unwrap_or(KEY_MOST);
    if longest < KEY_MOST
        || longest > key_limit(page_size)
        || spec.segment_most.is_some_and(|most| most > longest)
    {
        return Err(TableError::parameter("a longest key that cannot be"));
    }
    let mut next = [*ColumnId::FIXED.start(), *ColumnId::VARIABLE.start(), *ColumnId::TAGGED.start()];
    let lasts = [*ColumnId::FIXED.end(), *ColumnId::VARIABLE.end(), *ColumnId::TAGGED.end()];
    let mut offset = 4_u16;
    let mut columns = Vec::with_capacity(spec.columns.len());
    let mut ids = Vec::with_capacity(spec.columns.len());
    let mut segments = Vec::new();
    let mut localized = false;
    for column in &spec.columns {
        let size = column.kind.fixed_size();
        if column.kind.name().is_none() || matches!(column.kind, ColumnKind::NIL | ColumnKind::SLV) {
            let what = "no type for columns";
            return Err(TableError::refused(what, JetError::INVALID_COLUMN_TYPE));
        }
        if column.kind.is_text() && !matches!(column.code_page, 0 | 1200 | 1252) {
            return Err(TableError::refused("unknown code page", JetError::INVALID_CODE_PAGE));
        }
        let form = if column.tagged || column.kind.is_long_value() {
            2
        } else {
            usize::from(size.is_none() && !column.fixed)
        };
        let too_many = || TableError::refused("too many columns", JetError::TOO_MANY_COLUMNS);
        let last = lasts.get(form).copied().unwrap_or_default();
        let number = next.get_mut(form).filter(|number| **number <= last).ok_or_else(too_many)?;
        let id = ColumnId(*number);
        *number += 1;
        let max_size = match size {
            Some(size) => size as u32,
            None if column.kind.is_long_value() => column.max_size,
            None => {
                if column.max_size == 0 {
                    255
                } else {
                    column.max_size.min(255)
                }
            }
        };
        let mut record_offset = None;
        if form == 0 {
            record_offset = Some(offset);
            let end = u16::try_from(max_size).ok().and_then(|size| offset.checked_add(size));
            offset = end.unwrap_or(u16::MAX);
        }
        let code_page = match (column.kind.is_text(), column.code_page) {
            (true, 1200) => 1200,
            (true, _) => 1252,
            _ => 0,
        };
        if column.key && segments.len() < 16 {
            localized |= code_page == 1200;
            segments.push(KeySegment {
                column: id,
                from_template: false,
                descending: column.descending,
                must_be_null: false,
            });
        }
        ids.push(u32::from(id.0));
        columns.push(ColumnDefinition {
            name: format!("{}", id.0),
            id,
            from_template: false,
            kind: column.kind,
            max_size,
            flags: ColumnFlags::empty(),
            code_page,
            record_offset,
            default_value: None,
            computed_default: None,
        });
    }
    if usize::from(offset) > page_size.len() {
        // The engine's answer where it does not look at the key.
        let what = "the fixed columns are longer than a page";
        return Err(TableError::refused(what, JetError::DATABASE_CORRUPTED));
    }
    if !segments.is_empty() && usize::from(offset) > largest_record(page_size, longest.into()) {
        return Err(TableError::refused("the fixed columns are too long", JetError::RECORD_TOO_BIG));
    }
    columns.sort_by_key(ColumnDefinition::api_id);
    let mut indexes = Vec::new();
    if !segments.is_empty() {
        let mut flags = IndexFlags::UNIQUE
            | IndexFlags::PRIMARY
            | IndexFlags::ALLOW_ALL_NULLS
            | IndexFlags::ALLOW_FIRST_NULL
            | IndexFlags::ALLOW_SOME_NULLS
            | IndexFlags::EXTENDED_SEGMENTS;
        flags.set(IndexFlags::LOCALIZED_TEXT, localized);
        flags.set(IndexFlags::NULLS_HIGH, spec.flags.contains(TemporaryTableFlags::NULLS_HIGH));
        flags.set(IndexFlags::DOT_NET_GUID, spec.flags.contains(TemporaryTableFlags::DOT_NET_GUID));
        let index = IndexDefinition {
            name: String::new(),
            object_id: ObjectId(0),
            root: PageNumber::NONE,
            flags,
            segments,
            conditions: Vec::new(),
            key_most: longest,
            segment_most: spec.segment_most.filter(|&most| most != 0),
            tuple_limits: None,
            normalization_flags: normalization_flags(spec)?,
            locale_name: locale_name(spec),
            locale_id: spec.locale_id,
            sort_version: Some(SORT_VERSION.to_vec()),
            sort_id: None,
            space_hints: SpaceHints::with_density(100),
        };
        if localized || spec.locale.is_some() || spec.locale_id != 0 {
            index.collation().map_err(|error| TableError::Key(error.into()))?;
        }
        indexes.push(index);
    }
    let table = TableDefinition {
        name: String::new(),
        object_id: ObjectId(0),
        root: PageNumber::NONE,
        flags: TableFlags::empty(),
        template: None,
        chunk_size: None,
        columns,
        indexes,
        long_values: None,
        separation_threshold: None,
        initial_pages: 0,
        space_hints: SpaceHints::with_density(100),
        long_value_hints: SpaceHints::with_density(100),
    };
    Ok((table, ids))
}
