//! What a table is to look like.

use ese_format::ColumnKind;

use super::{BuilderError, Value};
use crate::catalog::{ColumnFlags, IndexFlags, SpaceHints, TableFlags, TupleLimits};

/// How a column is kept in its table's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnPlacement {
    /// A slot of fixed size in each row. At most 127 columns.
    Fixed,
    /// An entry in the row's offset table. At most 128 columns.
    Variable,
    /// Kept with its number, only in rows that have a value. At most 64 993 columns.
    Tagged,
}

/// Why a column or an index is refused when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) Box<BuilderError>);

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.0.jet_error() == other.0.jet_error()
    }
}

impl Eq for Refusal {}

/// The default value of a column that the application computes when somebody asks for it.
#[doc(alias = "JET_USERDEFINEDDEFAULT")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComputedDefault {
    /// Name of the callback: that of a library, `!`, and that of a function.
    #[doc(alias = "szCallback")]
    pub callback: String,
    /// What the callback is given.
    #[doc(alias = "pbUserData")]
    pub data: Vec<u8>,
}

/// A column to be created.
#[doc(alias = "JET_COLUMNCREATE")]
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSpec {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    pub(crate) placement: ColumnPlacement,
    pub(crate) max_size: u32,
    pub(crate) flags: ColumnFlags,
    pub(crate) code_page: u16,
    pub(crate) default_value: Option<Value>,
    pub(crate) computed_default: Option<ComputedDefault>,
    pub(crate) unversioned: bool,
    /// The largest size as it was asked for.
    pub(crate) asked_size: Option<u32>,
    /// Why it is refused when it is made.
    pub(crate) refused: Option<Refusal>,
}

impl ColumnSpec {
    pub(super) fn new(name: &str, kind: ColumnKind, placement: ColumnPlacement, max_size: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            placement,
            max_size,
            flags: ColumnFlags::empty(),
            code_page: if kind.is_text() { 1252 } else { 0 },
            default_value: None,
            computed_default: None,
            unversioned: false,
            asked_size: None,
            refused: None,
        }
    }

    /// A fixed column of a type that has a size.
    #[must_use]
    pub fn fixed(name: &str, kind: ColumnKind) -> Self {
        let size = kind.fixed_size().unwrap_or(255);
        Self::new(name, kind, ColumnPlacement::Fixed, u32::try_from(size).unwrap_or(255))
    }

    /// A variable column of at most `max_size` bytes. Types that have a size have fixed columns instead, as in the engine.
    #[must_use]
    pub fn variable(name: &str, kind: ColumnKind, max_size: u32) -> Self {
        match kind.fixed_size() {
            Some(_) => Self::fixed(name, kind),
            None => Self::new(name, kind, ColumnPlacement::Variable, max_size),
        }
    }

    /// A tagged column without a limit of its own; the only placement of long text and long binary.
    #[must_use]
    pub fn tagged(name: &str, kind: ColumnKind) -> Self {
        let size = if kind.is_long_value() { 0 } else { kind.fixed_size().map_or(255, |size| size as u32) };
        Self::new(name, kind, ColumnPlacement::Tagged, size)
    }

    /// The same with another largest size: the size of the slot for fixed text and binary, a limit for other text and
    /// binary. Ignored for types that have a size.
    #[must_use]
    pub fn max_size(mut self, bytes: u32) -> Self {
        if self.kind.fixed_size().is_none() {
            self.max_size = bytes;
        }
        self
    }

    /// May not be null.
    #[must_use]
    #[doc(alias = "JET_bitColumnNotNULL")]
    pub fn not_null(mut self) -> Self {
        self.flags |= ColumnFlags::NOT_NULL;
        self
    }

    /// Numbered from 1 when not set. Fixed, of type Long, LongLong or Currency; one for each table.
    #[must_use]
    #[doc(alias = "JET_bitColumnAutoincrement")]
    pub fn auto_increment(mut self) -> Self {
        self.flags |= ColumnFlags::AUTO_INCREMENT;
        self
    }

    /// Set to 0 at insertion and counted up at each update of its row. Fixed, of type Long; one for each table.
    #[must_use]
    #[doc(alias = "JET_bitColumnVersion")]
    pub fn version(mut self) -> Self {
        self.flags |= ColumnFlags::VERSION;
        self
    }

    /// Changed by deltas that several sessions may make at once. Fixed, of type Long or LongLong, with a default value.
    #[must_use]
    #[doc(alias = "JET_bitColumnEscrowUpdate")]
    pub fn escrow_update(mut self) -> Self {
        self.flags |= ColumnFlags::ESCROW_UPDATE;
        self
    }

    /// The row is deleted when this escrow column has come to zero.
    #[must_use]
    #[doc(alias = "JET_bitColumnDeleteOnZero")]
    pub fn delete_on_zero(mut self) -> Self {
        self.flags |= ColumnFlags::DELETE_ON_ZERO;
        self
    }

    /// Several values. Tagged columns only.
    #[must_use]
    #[doc(alias = "JET_bitColumnMultiValued")]
    pub fn multi_valued(mut self) -> Self {
        self.flags |= ColumnFlags::MULTI_VALUED;
        self
    }

    /// Compressed where that makes it smaller. Long text and long binary only.
    #[must_use]
    #[doc(alias = "JET_bitColumnCompressed")]
    pub fn compressed(mut self) -> Self {
        self.flags |= ColumnFlags::COMPRESSED;
        self
    }

    /// Added without a version: others see it at once. Not in a transaction, unless nobody else can open the table.
    #[must_use]
    #[doc(alias = "JET_bitColumnUnversioned")]
    pub fn unversioned(mut self) -> Self {
        self.unversioned = true;
        self
    }

    /// The value of rows that do not set the column is computed by the application. Tagged columns only.
    #[must_use]
    #[doc(alias = "JET_bitColumnUserDefinedDefault")]
    pub fn computed_default(mut self, default: ComputedDefault) -> Self {
        self.flags |= ColumnFlags::DEFAULT | ColumnFlags::USER_DEFINED_DEFAULT;
        self.computed_default = Some(default);
        self
    }

    /// Text in UTF-16 instead of code page 1252.
    #[must_use]
    pub fn unicode(mut self) -> Self {
        self.code_page = 1200;
        self
    }

    /// The value of rows that do not set the column.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.flags |= ColumnFlags::DEFAULT;
        self.default_value = Some(value.into());
        self
    }
}

/// An index to be created.
#[doc(alias = "JET_INDEXCREATE")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSpec {
    pub(crate) name: String,
    /// Column and whether it descends.
    pub(crate) segments: Vec<(String, bool)>,
    /// Column and whether it must be null.
    pub(crate) conditions: Vec<(String, bool)>,
    pub(crate) flags: IndexFlags,
    pub(crate) key_most: u16,
    pub(crate) segment_most: Option<u16>,
    pub(crate) tuple_limits: Option<TupleLimits>,
    pub(crate) density: u32,
    pub(crate) locale: Option<String>,
    pub(crate) normalization_flags: Option<u32>,
    pub(crate) space_hints: Option<SpaceHints>,
    pub(crate) unversioned: bool,
    pub(crate) empty: bool,
    /// A condition is neither null nor not null.
    pub(crate) bad_condition: bool,
    /// A locale without the option, or the other way round.
    pub(crate) unclear_locale: bool,
    /// Why it is refused when it is made.
    pub(crate) refused: Option<Refusal>,
}

/// Which rows with nulls have entries.
const NULL_POLICY: IndexFlags = IndexFlags::ALLOW_ALL_NULLS
    .union(IndexFlags::ALLOW_FIRST_NULL)
    .union(IndexFlags::ALLOW_SOME_NULLS)
    .union(IndexFlags::NO_NULL_SEGMENT);

impl IndexSpec {
    /// A secondary index without segments: add them with [`ascending`](Self::ascending) and
    /// [`descending`](Self::descending).
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            segments: Vec::new(),
            conditions: Vec::new(),
            flags: IndexFlags::EXTENDED_SEGMENTS
                | IndexFlags::ALLOW_ALL_NULLS
                | IndexFlags::ALLOW_FIRST_NULL
                | IndexFlags::ALLOW_SOME_NULLS,
            key_most: 255,
            segment_most: None,
            tuple_limits: None,
            density: 0,
            locale: None,
            normalization_flags: None,
            space_hints: None,
            unversioned: false,
            empty: false,
            bad_condition: false,
            unclear_locale: false,
            refused: None,
        }
    }

    /// The next segment, from low to high.
    #[must_use]
    pub fn ascending(mut self, column: &str) -> Self {
        self.segments.push((column.to_owned(), false));
        self
    }

    /// The next segment, from high to low.
    #[must_use]
    pub fn descending(mut self, column: &str) -> Self {
        self.segments.push((column.to_owned(), true));
        self
    }

    /// The order of the table itself; unique.
    #[must_use]
    #[doc(alias = "JET_bitIndexPrimary")]
    pub fn primary(mut self) -> Self {
        self.flags |= IndexFlags::PRIMARY | IndexFlags::UNIQUE;
        self
    }

    /// No two equal keys.
    #[must_use]
    #[doc(alias = "JET_bitIndexUnique")]
    pub fn unique(mut self) -> Self {
        self.flags |= IndexFlags::UNIQUE;
        self
    }

    fn null_policy(mut self, allowed: IndexFlags) -> Self {
        self.flags = self.flags.difference(NULL_POLICY).union(allowed);
        self
    }

    /// Rows whose segments are all null have no entry.
    #[must_use]
    #[doc(alias = "JET_bitIndexIgnoreNull")]
    pub fn ignore_null(self) -> Self {
        self.null_policy(IndexFlags::ALLOW_FIRST_NULL | IndexFlags::ALLOW_SOME_NULLS)
    }

    /// Rows whose first segment is null have no entry.
    #[must_use]
    #[doc(alias = "JET_bitIndexIgnoreFirstNull")]
    pub fn ignore_first_null(self) -> Self {
        self.null_policy(IndexFlags::ALLOW_SOME_NULLS)
    }

    /// Rows with any null in a segment have no entry.
    #[must_use]
    #[doc(alias = "JET_bitIndexIgnoreAnyNull")]
    pub fn ignore_any_null(self) -> Self {
        self.null_policy(IndexFlags::empty())
    }

    /// Rows with a null in a segment are refused.
    #[must_use]
    #[doc(alias = "JET_bitIndexDisallowNull")]
    pub fn disallow_null(self) -> Self {
        self.null_policy(IndexFlags::NO_NULL_SEGMENT)
    }

    /// Nulls sort behind values.
    #[must_use]
    #[doc(alias = "JET_bitIndexSortNullsHigh")]
    pub fn nulls_high(mut self) -> Self {
        self.flags |= IndexFlags::NULLS_HIGH;
        self
    }

    /// GUIDs sort as .NET compares them.
    #[must_use]
    #[doc(alias = "JET_bitIndexDotNetGuid")]
    pub fn dot_net_guid(mut self) -> Self {
        self.flags |= IndexFlags::DOT_NET_GUID;
        self
    }

    /// All combinations of the values of all multi-valued segments.
    #[must_use]
    #[doc(alias = "JET_bitIndexCrossProduct")]
    pub fn cross_product(mut self) -> Self {
        self.flags |= IndexFlags::CROSS_PRODUCT;
        self
    }

    /// Values with the same number of all multi-valued segments together.
    #[must_use]
    #[doc(alias = "JET_bitIndexNestedTable")]
    pub fn nested_table(mut self) -> Self {
        self.flags |= IndexFlags::NESTED_TABLE;
        self
    }

    /// Only rows in which `column` is null, or is not.
    #[must_use]
    #[doc(alias = "JET_CONDITIONALCOLUMN")]
    pub fn only_if_null(mut self, column: &str, null: bool) -> Self {
        self.conditions.push((column.to_owned(), null));
        self
    }

    /// An index of the substrings of its first segment.
    #[must_use]
    #[doc(alias = "JET_bitIndexTuples")]
    pub fn tuples(mut self, limits: TupleLimits) -> Self {
        self.tuple_limits = Some(limits);
        self
    }

    /// Longest key in bytes; 255 when not said. What does not fit is cut.
    #[must_use]
    #[doc(alias = "cbKeyMost")]
    pub fn key_most(mut self, bytes: u16) -> Self {
        self.key_most = bytes;
        self
    }

    /// A key that does not fit is an error instead of being cut.
    #[must_use]
    #[doc(alias = "JET_bitIndexDisallowTruncation")]
    pub fn disallow_truncation(mut self) -> Self {
        self.flags |= IndexFlags::DISALLOW_TRUNCATION;
        self
    }

    /// How full pages are made at first, in percent, 20 to 100.
    #[must_use]
    #[doc(alias = "ulDensity")]
    pub fn density(mut self, percent: u32) -> Self {
        self.density = percent;
        self
    }

    /// How the tree is filled and grows; says the density too.
    #[must_use]
    #[doc(alias = "pSpacehints")]
    pub fn space_hints(mut self, hints: SpaceHints) -> Self {
        self.space_hints = Some(hints);
        self
    }

    /// Locale whose order Unicode text has. "en-US" when not said; those whose order is not known are refused.
    #[must_use]
    #[doc(alias = "JET_bitIndexUnicode")]
    #[doc(alias = "szLocaleName")]
    pub fn locale(mut self, name: &str) -> Self {
        self.locale = Some(name.to_owned());
        self
    }

    /// Flags of Windows' string mapping for Unicode text.
    #[must_use]
    #[doc(alias = "dwMapFlags")]
    pub fn normalization_flags(mut self, flags: u32) -> Self {
        self.normalization_flags = Some(flags);
        self
    }

    /// Name of the index.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Longest segment of text or binary in bytes.
    #[must_use]
    #[doc(alias = "cbVarSegMac")]
    pub fn segment_most(mut self, bytes: u16) -> Self {
        self.segment_most = Some(bytes);
        self
    }
}

/// A table to be created.
#[doc(alias = "JET_TABLECREATE")]
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    pub(crate) name: String,
    pub(crate) columns: Vec<ColumnSpec>,
    pub(crate) indexes: Vec<IndexSpec>,
    pub(crate) flags: TableFlags,
    pub(crate) density: u32,
    pub(crate) pages: u32,
    pub(crate) template: Option<String>,
    pub(crate) chunk_size: Option<u32>,
    pub(crate) separation_threshold: Option<u32>,
    pub(crate) space_hints: Option<SpaceHints>,
    pub(crate) long_value_hints: Option<SpaceHints>,
    /// Events and name.
    pub(crate) callback: Option<(u32, String)>,
    /// Options that are refused.
    pub(crate) impossible: bool,
}

impl TableSpec {
    /// A table without columns.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            columns: Vec::new(),
            indexes: Vec::new(),
            flags: TableFlags::empty(),
            density: 80,
            pages: 0,
            template: None,
            chunk_size: None,
            separation_threshold: None,
            space_hints: None,
            long_value_hints: None,
            callback: None,
            impossible: false,
        }
    }

    /// Adds a column.
    #[must_use]
    pub fn column(mut self, column: ColumnSpec) -> Self {
        self.columns.push(column);
        self
    }

    /// Adds an index.
    #[must_use]
    pub fn index(mut self, index: IndexSpec) -> Self {
        self.indexes.push(index);
        self
    }

    /// How many pages the table gets at once; 1 when not said.
    #[must_use]
    #[doc(alias = "ulPages")]
    pub fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    /// How full pages are made at first, in percent, 20 to 100.
    #[must_use]
    #[doc(alias = "ulDensity")]
    pub fn density(mut self, percent: u32) -> Self {
        self.density = percent;
        self
    }

    /// How the table's own tree is filled and grows, in a table without primary index; with one, the hints are that index's.
    #[must_use]
    #[doc(alias = "pSeqSpacehints")]
    pub fn space_hints(mut self, hints: SpaceHints) -> Self {
        self.space_hints = Some(hints);
        self
    }

    /// How the tree of its long values is filled and grows.
    #[must_use]
    #[doc(alias = "pLVSpacehints")]
    pub fn long_value_hints(mut self, hints: SpaceHints) -> Self {
        self.long_value_hints = Some(hints);
        self
    }

    /// The table's schema will not change.
    #[must_use]
    #[doc(alias = "JET_bitTableCreateFixedDDL")]
    pub fn fixed_schema(mut self) -> Self {
        self.flags |= TableFlags::FIXED_SCHEMA;
        self
    }

    /// A template: tables can be derived from it, its schema will not change, and it cannot be deleted.
    #[must_use]
    #[doc(alias = "JET_bitTableCreateTemplateTable")]
    pub fn template(mut self) -> Self {
        self.flags |= TableFlags::TEMPLATE | TableFlags::FIXED_SCHEMA;
        self
    }

    /// Derived from the template of this name: has its columns and indexes, and perhaps more.
    #[must_use]
    #[doc(alias = "szTemplateTableName")]
    pub fn derived_from(mut self, template: &str) -> Self {
        self.flags |= TableFlags::DERIVED;
        self.template = Some(template.to_owned());
        self
    }

    /// Bytes of a long value up to which it is kept in the row.
    #[must_use]
    #[doc(alias = "cbSeparateLV")]
    pub fn separation_threshold(mut self, bytes: u32) -> Self {
        self.separation_threshold = Some(bytes);
        self
    }

    /// Size of the pieces of long values.
    #[must_use]
    #[doc(alias = "cbLVChunkMax")]
    pub fn chunk_size(mut self, bytes: u32) -> Self {
        self.chunk_size = Some(bytes);
        self
    }

    /// A callback of the application that is told of `events`, by its name: that of a library, `!`, and that of a function.
    #[must_use]
    #[doc(alias = "szCallback")]
    #[doc(alias = "cbtyp")]
    pub fn callback(mut self, events: u32, name: &str) -> Self {
        self.callback = Some((events, name.to_owned()));
        self
    }

    /// Name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
