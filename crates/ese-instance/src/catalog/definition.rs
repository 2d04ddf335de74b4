//! Tables, columns and indexes as values.

use ese_format::{
    Collation, CollationError, ColumnId, ColumnKind, KeyRules, KeySegment, Locale, ObjectId, PageNumber,
    PageSize, SegmentKind, StoredCollation, default_chunk_size,
};

use super::{ColumnFlags, IndexFlags, SpaceHints, TableFlags};
use crate::builder::ComputedDefault;

/// A table: where it lies, its columns, its indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDefinition {
    /// Name.
    pub name: String,
    /// Object id.
    pub object_id: ObjectId,
    /// Root page of the table's tree.
    pub root: PageNumber,
    /// Flags.
    pub flags: TableFlags,
    /// Name of the template of a derived table.
    pub template: Option<String>,
    /// Size of a long value's chunk, when set for the table.
    pub chunk_size: Option<u32>,
    /// Columns in the order of [`ColumnDefinition::api_id`]: the table's own, then its template's. Deleted ones are kept
    /// (type [`ColumnKind::NIL`]), because fixed ones keep their place in records.
    pub columns: Vec<ColumnDefinition>,
    /// Indexes in the order of their object ids; the primary one, if any, has the table's own.
    pub indexes: Vec<IndexDefinition>,
    /// The tree of long values, when there is one.
    pub long_values: Option<LongValueTree>,
    /// Bytes of a long value up to which it is kept in the row, when set for the table.
    #[doc(alias = "cbSeparateLV")]
    pub separation_threshold: Option<u32>,
    /// Pages that the table's own tree has at first; 0 for what is usual.
    pub initial_pages: u32,
    /// How the table's own tree is filled and grows. Its first size is [`initial_pages`](Self::initial_pages), not in here.
    pub space_hints: SpaceHints,
    /// The same for its long values.
    #[doc(alias = "pLVSpacehints")]
    pub long_value_hints: SpaceHints,
}

/// The tree of a table's long values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongValueTree {
    /// Object id.
    pub object_id: ObjectId,
    /// Root page.
    pub root: PageNumber,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: String,
    /// Number. A derived table's own tagged columns are numbered apart from its template's.
    pub id: ColumnId,
    /// The column belongs to a template table (this one, or the one it is derived from).
    pub from_template: bool,
    /// Type; [`ColumnKind::NIL`] for a deleted column.
    pub kind: ColumnKind,
    /// Largest size of a value in bytes; 0 for unlimited.
    pub max_size: u32,
    /// Flags.
    pub flags: ColumnFlags,
    /// Code page of text: 1252 or 1200; else usually 0.
    pub code_page: u16,
    /// Where the slot of a fixed column begins in a record.
    pub record_offset: Option<u16>,
    /// Default value.
    pub default_value: Option<Vec<u8>>,
    /// Who computes the default value.
    pub computed_default: Option<ComputedDefault>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Name.
    pub name: String,
    /// Object id; the table's own for the primary index.
    pub object_id: ObjectId,
    /// Root page.
    pub root: PageNumber,
    /// Flags.
    pub flags: IndexFlags,
    /// Segments in order.
    pub segments: Vec<KeySegment>,
    /// Conditions that a row must meet to have an entry.
    pub conditions: Vec<KeySegment>,
    /// Longest key.
    pub key_most: u16,
    /// Longest segment, when below the longest key.
    pub segment_most: Option<u16>,
    /// For a substring index: its limits.
    pub tuple_limits: Option<TupleLimits>,
    /// Flags for the normalisation of text.
    pub normalization_flags: u32,
    /// Name of the locale.
    pub locale_name: Option<String>,
    /// Number of the locale, in old databases; 0 when there is none.
    pub locale_id: u32,
    /// Version of the sorting tables, as stored.
    pub sort_version: Option<Vec<u8>>,
    /// Identifier of the sort, as stored.
    pub sort_id: Option<Vec<u8>>,
    /// How the tree is filled and grows.
    pub space_hints: SpaceHints,
}

/// Limits of a substring index, in characters.
#[doc(alias = "JET_TUPLELIMITS")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleLimits {
    /// Shortest substring.
    pub min: u32,
    /// Longest substring.
    pub max: u32,
    /// Most substrings of one value.
    pub most: u32,
    /// Distance between starts.
    pub increment: u32,
    /// First start.
    pub start: u32,
}

impl TupleLimits {
    /// Decodes the catalog's form: five u32, or the first three of them.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let words: Vec<u32> = words.iter().map(|w| u32::from_le_bytes(*w)).collect();
        match (words.as_slice(), rest) {
            (&[min, max, most, increment, start], []) => Some(Self { min, max, most, increment, start }),
            (&[min, max, most], []) => Some(Self { min, max, most, increment: 1, start: 0 }),
            _ => None,
        }
    }
}

impl TableDefinition {
    /// The primary index, unless rows are in the order of their insertion.
    #[must_use]
    pub fn primary_index(&self) -> Option<&IndexDefinition> {
        self.indexes.iter().find(|i| i.is_primary())
    }

    /// Logical size of a long value's chunk.
    #[must_use]
    pub fn chunk_size(&self, page_size: PageSize) -> u32 {
        self.chunk_size.unwrap_or_else(|| default_chunk_size(page_size))
    }

    /// The column that a segment names, with its place in [`columns`](Self::columns).
    #[must_use]
    pub fn column_of(&self, segment: &KeySegment) -> Option<(usize, &ColumnDefinition)> {
        let is_template = |c: &ColumnDefinition| c.id == segment.column && c.from_template;
        let is_own = |c: &ColumnDefinition| c.id == segment.column && !c.from_template;
        // Only tagged columns can be ambiguous; tables of old formats do not mark their segments.
        let mut columns = self.columns.iter().enumerate();
        if segment.from_template {
            columns.clone().find(|(_, c)| is_template(c)).or_else(|| columns.find(|(_, c)| is_own(c)))
        } else {
            columns.clone().find(|(_, c)| is_own(c)).or_else(|| columns.find(|(_, c)| is_template(c)))
        }
    }

    /// Whether this is a system table.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        self.flags.contains(TableFlags::SYSTEM)
    }
}

impl ColumnDefinition {
    /// The number that the engine's interface gives: the column's, with the top bit set for template columns.
    #[doc(alias = "JET_COLUMNID")]
    #[must_use]
    pub const fn api_id(&self) -> u32 {
        self.id.0 as u32 | if self.from_template { 0x8000_0000 } else { 0 }
    }

    /// Whether it was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.kind == ColumnKind::NIL
    }

    /// Bytes of a fixed column's slot.
    #[must_use]
    pub fn slot_size(&self) -> usize {
        self.kind.fixed_size().unwrap_or(self.max_size as usize)
    }

    /// What the encoding of a key segment needs to know.
    #[must_use]
    pub fn segment_kind(&self) -> SegmentKind {
        SegmentKind { kind: self.kind, code_page: self.code_page, fixed: self.id.is_fixed() }
    }

    /// The flags as the engine's column info call reports them.
    #[doc(alias = "JET_COLUMNDEF")]
    #[must_use]
    pub fn api_flags(&self) -> u32 {
        let mut bits = if self.id.is_fixed() {
            0x1
        } else if self.id.is_tagged() {
            0x2
        } else {
            0
        };
        for (flag, bit) in [
            (ColumnFlags::NOT_NULL, 0x4),
            (ColumnFlags::VERSION, 0x8),
            (ColumnFlags::AUTO_INCREMENT, 0x10),
            (ColumnFlags::MULTI_VALUED, 0x400),
            (ColumnFlags::ESCROW_UPDATE, 0x800),
            (ColumnFlags::FINALIZE, 0x4000),
            (ColumnFlags::USER_DEFINED_DEFAULT, 0x8000),
            (ColumnFlags::DELETE_ON_ZERO, 0x2_0000),
            (ColumnFlags::COMPRESSED, 0x8_0000),
            (ColumnFlags::ENCRYPTED, 0x10_0000),
        ] {
            if self.flags.contains(flag) {
                bits |= bit;
            }
        }
        bits
    }
}

impl IndexDefinition {
    /// Whether it is the table's own order.
    #[must_use]
    pub const fn is_primary(&self) -> bool {
        self.flags.contains(IndexFlags::PRIMARY)
    }

    /// Limits and variants for building keys.
    #[must_use]
    pub fn key_rules(&self) -> KeyRules {
        KeyRules {
            key_most: usize::from(self.key_most),
            segment_most: self.segment_most.map(usize::from),
            nulls_high: self.flags.contains(IndexFlags::NULLS_HIGH),
            dot_net_guid: self.flags.contains(IndexFlags::DOT_NET_GUID),
            collation: self.collation(),
        }
    }

    /// Number of the locale; 0 when there is none.
    #[must_use]
    pub fn locale_number(&self) -> u32 {
        let named = self.locale_name.as_deref().and_then(Locale::by_name);
        named.map_or(self.locale_id, |locale| locale.id())
    }

    /// How the index sorts Unicode text.
    ///
    /// # Errors
    /// When the sort keys of its locale, flags or sort version are not known.
    pub fn collation(&self) -> Result<Collation, CollationError> {
        Collation::new(&StoredCollation {
            locale_name: self.locale_name.as_deref(),
            locale_id: self.locale_id,
            sort_id: self.sort_id.as_deref(),
            version: self.sort_version.as_deref(),
            flags: self.normalization_flags,
        })
    }

    /// The flags as the engine's index info call reports them.
    #[doc(alias = "JET_INDEXLIST")]
    #[must_use]
    pub fn api_flags(&self) -> u32 {
        let has = |flag| self.flags.contains(flag);
        let mut bits = 0;
        let mut set = |wanted, bit: u32| {
            if wanted {
                bits |= bit;
            }
        };
        set(has(IndexFlags::UNIQUE), 0x1);
        set(has(IndexFlags::PRIMARY), 0x2);
        if has(IndexFlags::NO_NULL_SEGMENT) {
            set(true, 0x4);
        } else {
            set(!has(IndexFlags::ALLOW_ALL_NULLS), 0x8);
            set(!has(IndexFlags::ALLOW_SOME_NULLS), 0x20);
            set(!has(IndexFlags::ALLOW_FIRST_NULL), 0x40);
        }
        set(has(IndexFlags::NULLS_HIGH), 0x400);
        set(self.tuple_limits.is_some(), 0x1000);
        set(has(IndexFlags::CROSS_PRODUCT), 0x4000);
        set(self.key_most > 255, 0x8000);
        set(has(IndexFlags::DISALLOW_TRUNCATION), 0x1_0000);
        set(has(IndexFlags::NESTED_TABLE), 0x2_0000);
        set(has(IndexFlags::DOT_NET_GUID), 0x4_0000);
        bits
    }
}
