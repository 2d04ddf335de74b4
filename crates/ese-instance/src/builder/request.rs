//! Tables, columns and indexes as the engine's C interface describes them: numbers and option bits.

use ese_format::{ColumnKind, JetError};

use super::schema::Refusal;
use super::{BuilderError, ColumnPlacement, ColumnSpec, ComputedDefault, IndexSpec, TableSpec, Value};
use crate::catalog::{ColumnFlags, IndexFlags, TableFlags, TupleLimits};

/// Longest value of any column.
#[doc(alias = "JET_cbLVColumnMost")]
const LONGEST: u32 = 0x7FFF_FFFF;
/// Longest value of a Text or Binary column.
#[doc(alias = "JET_cbColumnMost")]
const LONGEST_SHORT: u32 = 255;

bitflags::bitflags! {
    /// Options of a column as the engine's interface numbers them.
    #[doc(alias = "JET_bitColumn")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ColumnOptions: u32 {
        /// In the fixed part of the row.
        #[doc(alias = "JET_bitColumnFixed")]
        const FIXED = 0x1;
        /// In the tagged part of the row.
        #[doc(alias = "JET_bitColumnTagged")]
        const TAGGED = 0x2;
        /// May not be null.
        #[doc(alias = "JET_bitColumnNotNULL")]
        const NOT_NULL = 0x4;
        /// Counts the updates of its row.
        #[doc(alias = "JET_bitColumnVersion")]
        const VERSION = 0x8;
        /// Numbered by the engine.
        #[doc(alias = "JET_bitColumnAutoincrement")]
        const AUTO_INCREMENT = 0x10;
        /// Can be set. Reported only.
        #[doc(alias = "JET_bitColumnUpdatable")]
        const UPDATABLE = 0x20;
        /// Several values.
        #[doc(alias = "JET_bitColumnMultiValued")]
        const MULTI_VALUED = 0x400;
        /// Changed by deltas.
        #[doc(alias = "JET_bitColumnEscrowUpdate")]
        const ESCROW_UPDATE = 0x800;
        /// Added without a version.
        #[doc(alias = "JET_bitColumnUnversioned")]
        const UNVERSIONED = 0x1000;
        /// Rows that are there have null. Reported only.
        #[doc(alias = "JET_bitColumnMaybeNull")]
        const MAYBE_NULL = 0x2000;
        /// A callback is made at zero.
        #[doc(alias = "JET_bitColumnFinalize")]
        const FINALIZE = 0x4000;
        /// The default value is made by a callback.
        #[doc(alias = "JET_bitColumnUserDefinedDefault")]
        const USER_DEFINED_DEFAULT = 0x8000;
        /// The row goes at zero.
        #[doc(alias = "JET_bitColumnDeleteOnZero")]
        const DELETE_ON_ZERO = 0x2_0000;
        /// In the variable part of the row. Reported only.
        #[doc(alias = "JET_bitColumnVariable")]
        const VARIABLE = 0x4_0000;
        /// Values are compressed.
        #[doc(alias = "JET_bitColumnCompressed")]
        const COMPRESSED = 0x8_0000;
        /// Values are encrypted.
        #[doc(alias = "JET_bitColumnEncrypted")]
        const ENCRYPTED = 0x10_0000;
    }
}

/// A column as the engine's interface describes it.
#[doc(alias = "JET_COLUMNDEF")]
#[doc(alias = "JET_COLUMNCREATE")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnRequest<'a> {
    /// Type.
    #[doc(alias = "coltyp")]
    pub kind: u32,
    /// Code page of text; 0 for that of Western Europe.
    #[doc(alias = "cp")]
    pub code_page: u16,
    /// Longest value in bytes; 0 for the longest of the type.
    #[doc(alias = "cbMax")]
    pub max_size: u32,
    /// Options.
    #[doc(alias = "grbit")]
    pub options: ColumnOptions,
    /// The default value, in bytes; none when it is empty.
    #[doc(alias = "pvDefault")]
    pub default_value: &'a [u8],
    /// With [`ColumnOptions::USER_DEFINED_DEFAULT`], who computes the default value.
    pub computed_default: Option<ComputedDefault>,
}

impl ColumnSpec {
    /// As [`from_request`](Self::from_request); what is wrong is told when the column is made, after what is looked at before it
    /// in the engine's order.
    #[must_use]
    pub fn requested(name: &str, request: &ColumnRequest<'_>) -> (Self, bool) {
        Self::from_request(name, request).unwrap_or_else(|error| {
            let mut column = Self::new(name, ColumnKind::NIL, ColumnPlacement::Tagged, 0);
            column.unversioned = request.options.contains(ColumnOptions::UNVERSIONED);
            column.refused = Some(Refusal(Box::new(error)));
            (column, false)
        })
    }

    /// The column that the engine's interface describes, and whether its longest value was cut to what the type allows
    /// (`JET_wrnColumnMaxTruncated`).
    ///
    /// # Errors
    /// `Column` for what is wrong with the numbers themselves, with the engine's number. What cannot be put together is
    /// refused when the column is made.
    pub fn from_request(name: &str, request: &ColumnRequest<'_>) -> Result<(Self, bool), BuilderError> {
        let kind = ColumnKind(u8::try_from(request.kind).unwrap_or(0));
        let bad = |error, what| BuilderError::Column { column: name.to_owned(), kind, what, error };
        let options = request.options;
        if request.max_size > LONGEST {
            return Err(bad(JetError::INVALID_PARAMETER, "longer than any value can be"));
        }
        super::definition::encode_name(name)?;
        if kind.name().is_none() || matches!(kind, ColumnKind::NIL | ColumnKind::SLV) {
            return Err(bad(JetError::INVALID_COLUMN_TYPE, "no type for columns"));
        }
        let long = kind.is_long_value();
        let tagged = options.contains(ColumnOptions::TAGGED) || long;
        let has = |option| options.contains(option);
        let code_page = match request.code_page {
            _ if !kind.is_text() => 0,
            0 => 1252,
            other => other,
        };
        let computed = has(ColumnOptions::USER_DEFINED_DEFAULT);
        let has_default = !request.default_value.is_empty() || request.computed_default.is_some();
        let unclear =
            has(ColumnOptions::ENCRYPTED) && (!long || has(ColumnOptions::MULTI_VALUED) || has_default);
        let known_page = code_page == 0 || matches!(code_page, 1200 | 1252);
        // What the column's own check would refuse before comes first.
        let checked_before = !known_page || has(ColumnOptions::COMPRESSED) && !long;
        if unclear && !checked_before {
            let what = "only single long values without default value are encrypted";
            return Err(bad(JetError::COLUMN_CANNOT_BE_ENCRYPTED, what));
        }
        let fixed = has(ColumnOptions::FIXED);
        if tagged && fixed && !checked_before {
            return Err(bad(JetError::INVALID_GRBIT, "fixed and tagged"));
        }
        let placement = match () {
            () if tagged => ColumnPlacement::Tagged,
            () if fixed || kind.fixed_size().is_some() => ColumnPlacement::Fixed,
            () => ColumnPlacement::Variable,
        };
        let mut flags = ColumnFlags::empty();
        for (option, flag) in [
            (ColumnOptions::NOT_NULL, ColumnFlags::NOT_NULL),
            (ColumnOptions::VERSION, ColumnFlags::VERSION),
            (ColumnOptions::AUTO_INCREMENT, ColumnFlags::AUTO_INCREMENT),
            (ColumnOptions::MULTI_VALUED, ColumnFlags::MULTI_VALUED),
            (ColumnOptions::ESCROW_UPDATE, ColumnFlags::ESCROW_UPDATE),
            (ColumnOptions::FINALIZE, ColumnFlags::FINALIZE),
            (ColumnOptions::USER_DEFINED_DEFAULT, ColumnFlags::USER_DEFINED_DEFAULT),
            (ColumnOptions::DELETE_ON_ZERO, ColumnFlags::DELETE_ON_ZERO),
            (ColumnOptions::COMPRESSED, ColumnFlags::COMPRESSED),
            (ColumnOptions::ENCRYPTED, ColumnFlags::ENCRYPTED),
        ] {
            flags.set(flag, has(option));
        }
        let (max_size, cut) = match kind.fixed_size() {
            Some(size) => (u32::try_from(size).unwrap_or(LONGEST_SHORT), false),
            None if long => (request.max_size, false),
            None if request.max_size == 0 => (LONGEST_SHORT, false),
            None => (request.max_size.min(LONGEST_SHORT), request.max_size > LONGEST_SHORT),
        };
        let mut default_value = None;
        flags.set(ColumnFlags::DEFAULT, has_default);
        if !request.default_value.is_empty() && !computed {
            default_value = Some(Value::Bytes(request.default_value.to_vec()));
        }
        let computed_default = request.computed_default.clone().filter(|_| computed);
        let (unversioned, name) = (has(ColumnOptions::UNVERSIONED), name.to_owned());
        let spec = Self {
            name,
            kind,
            placement,
            max_size,
            flags,
            code_page,
            default_value,
            computed_default,
            unversioned,
            asked_size: Some(request.max_size),
            refused: None,
        };
        if computed && options.intersects(ColumnOptions::UPDATABLE | ColumnOptions::MAYBE_NULL) {
            let what = "options that a column has whose default is computed";
            return Err(bad(JetError::INVALID_GRBIT, what));
        }
        Ok((spec, cut))
    }
}

bitflags::bitflags! {
    /// Options of an index as the engine's interface numbers them.
    #[doc(alias = "JET_bitIndex")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IndexOptions: u32 {
        /// No two equal keys.
        #[doc(alias = "JET_bitIndexUnique")]
        const UNIQUE = 0x1;
        /// The table's own order.
        #[doc(alias = "JET_bitIndexPrimary")]
        const PRIMARY = 0x2;
        /// Rows with a null in the key are refused.
        #[doc(alias = "JET_bitIndexDisallowNull")]
        const DISALLOW_NULL = 0x4;
        /// Rows whose key columns are all null have no entry.
        #[doc(alias = "JET_bitIndexIgnoreNull")]
        const IGNORE_NULL = 0x8;
        /// Rows with a null in the key have no entry.
        #[doc(alias = "JET_bitIndexIgnoreAnyNull")]
        const IGNORE_ANY_NULL = 0x20;
        /// Rows whose first key column is null have no entry.
        #[doc(alias = "JET_bitIndexIgnoreFirstNull")]
        const IGNORE_FIRST_NULL = 0x40;
        /// Not flushed at once; without effect.
        #[doc(alias = "JET_bitIndexLazyFlush")]
        const LAZY_FLUSH = 0x80;
        /// No row has an entry yet; with [`IGNORE_ANY_NULL`](Self::IGNORE_ANY_NULL).
        #[doc(alias = "JET_bitIndexEmpty")]
        const EMPTY = 0x100;
        /// Made without a version.
        #[doc(alias = "JET_bitIndexUnversioned")]
        const UNVERSIONED = 0x200;
        /// Nulls sort behind values.
        #[doc(alias = "JET_bitIndexSortNullsHigh")]
        const NULLS_HIGH = 0x400;
        /// A locale is given.
        #[doc(alias = "JET_bitIndexUnicode")]
        const UNICODE = 0x800;
        /// Of substrings.
        #[doc(alias = "JET_bitIndexTuples")]
        const TUPLES = 0x1000;
        /// Of substrings with limits that are given.
        #[doc(alias = "JET_bitIndexTupleLimits")]
        const TUPLE_LIMITS = 0x2000;
        /// All combinations of the values of multi-valued columns.
        #[doc(alias = "JET_bitIndexCrossProduct")]
        const CROSS_PRODUCT = 0x4000;
        /// A longest key is given.
        #[doc(alias = "JET_bitIndexKeyMost")]
        const KEY_MOST = 0x8000;
        /// A key that does not fit is an error.
        #[doc(alias = "JET_bitIndexDisallowTruncation")]
        const DISALLOW_TRUNCATION = 0x1_0000;
        /// Values with the same number together.
        #[doc(alias = "JET_bitIndexNestedTable")]
        const NESTED_TABLE = 0x2_0000;
        /// GUIDs sort as .NET compares them.
        #[doc(alias = "JET_bitIndexDotNetGuid")]
        const DOT_NET_GUID = 0x4_0000;
        /// The description is not written to.
        #[doc(alias = "JET_bitIndexImmutableStructure")]
        const IMMUTABLE = 0x8_0000;
    }
}

/// An index as the engine's interface describes it.
#[doc(alias = "JET_INDEXCREATE3")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexRequest<'a> {
    /// Names of columns with their directions (`+`, `-`), each ended by a zero byte, and one more at the end, in the code page
    /// of Western Europe.
    #[doc(alias = "szKey")]
    pub key: &'a [u8],
    /// Options.
    #[doc(alias = "grbit")]
    pub options: IndexOptions,
    /// How full pages are made at first, in percent; 0 for the table's.
    #[doc(alias = "ulDensity")]
    pub density: u32,
    /// Longest key, with [`IndexOptions::KEY_MOST`].
    #[doc(alias = "cbKeyMost")]
    pub key_most: u32,
    /// Longest segment; 0 for the longest key.
    #[doc(alias = "cbVarSegMac")]
    pub segment_most: u32,
    /// Limits of substrings, with [`IndexOptions::TUPLE_LIMITS`].
    #[doc(alias = "ptuplelimits")]
    pub tuple_limits: Option<TupleLimits>,
    /// Locale, and flags of the string mapping (0 for the usual ones), with [`IndexOptions::UNICODE`].
    #[doc(alias = "pidxunicode")]
    pub unicode: Option<(&'a str, u32)>,
    /// Columns that have to be null (1) or not null (2) for rows to have an entry.
    #[doc(alias = "rgconditionalcolumn")]
    pub conditions: Vec<(&'a str, u32)>,
}

/// Limits of substring indexes, and where they cannot be told from the defaults of the engine's parameters.
const TUPLES: TupleLimits = TupleLimits { min: 3, max: 10, most: 0x7FFF, increment: 1, start: 0 };
/// Longest key when none is given.
#[doc(alias = "JET_cbKeyMost_OLD")]
const KEY_MOST: u16 = 255;

impl IndexSpec {
    /// As [`from_request`](Self::from_request); what is wrong is told when the index is made, after what is looked at before it
    /// in the engine's order.
    #[must_use]
    pub fn requested(name: &str, request: &IndexRequest<'_>) -> Self {
        Self::from_request(name, request).unwrap_or_else(|error| {
            let mut index = Self::new(name);
            let has = |option| request.options.contains(option);
            (index.unversioned, index.density) = (has(IndexOptions::UNVERSIONED), request.density);
            index.flags.set(IndexFlags::PRIMARY, has(IndexOptions::PRIMARY));
            index.unclear_locale = has(IndexOptions::UNICODE) != request.unicode.is_some();
            index.refused = Some(Refusal(Box::new(error)));
            index
        })
    }

    /// The index that the engine's interface describes.
    ///
    /// # Errors
    /// `Index` with the engine's number, in the engine's order, for what is wrong with the description itself; what does not
    /// fit the columns is refused when the index is made.
    #[doc(alias = "ErrFILEIValidateCreateIndex")]
    pub fn from_request(name: &str, request: &IndexRequest<'_>) -> Result<Self, BuilderError> {
        use IndexOptions as O;
        let bad = |error, what| BuilderError::Index { index: name.to_owned(), what, error };
        let (invalid, options) = (JetError::INDEX_INVALID_DEF, request.options);
        let has = |option| options.contains(option);
        if has(O::UNICODE) != request.unicode.is_some() {
            return Err(bad(JetError::INVALID_PARAMETER, "a locale without the option for it"));
        }
        let mut spec = Self::new(name);
        spec.density = request.density;
        spec.key_most =
            if has(O::KEY_MOST) { u16::try_from(request.key_most).unwrap_or(u16::MAX) } else { KEY_MOST };
        if spec.key_most < KEY_MOST || spec.key_most > 2000 {
            return Err(bad(invalid, "the longest key is 255 bytes, or more as the page size allows"));
        }
        let ignores = O::IGNORE_NULL | O::IGNORE_ANY_NULL | O::IGNORE_FIRST_NULL;
        if has(O::PRIMARY) && options.intersects(ignores) {
            return Err(bad(JetError::INVALID_GRBIT, "a primary index has an entry for each row"));
        }
        if has(O::CROSS_PRODUCT | O::NESTED_TABLE) {
            let what = "either all combinations or those with the same number";
            return Err(bad(JetError::INVALID_GRBIT, what));
        }
        if has(O::PRIMARY) && !request.conditions.is_empty() {
            return Err(bad(invalid, "a primary index has an entry for each row"));
        }
        if has(O::EMPTY) && !has(O::IGNORE_ANY_NULL) {
            return Err(bad(JetError::INVALID_GRBIT, "an empty index leaves rows with nulls out"));
        }
        if has(O::TUPLE_LIMITS) && request.tuple_limits.is_none() {
            return Err(bad(invalid, "limits of substrings that are not given"));
        }
        (spec.unversioned, spec.empty) = (has(O::UNVERSIONED), has(O::EMPTY));
        if let (true, Some((locale, flags))) = (has(O::UNICODE), request.unicode) {
            spec.locale = Some(locale.to_owned());
            spec.normalization_flags = (flags != 0).then_some(flags);
        }
        spec.segments = segments(name, request.key)?;
        if request.segment_most != 0 && !has(O::TUPLE_LIMITS) {
            spec.segment_most = Some(u16::try_from(request.segment_most).unwrap_or(u16::MAX));
        }
        if options.intersects(O::TUPLES | O::TUPLE_LIMITS) {
            spec.tuple_limits = Some(match request.tuple_limits.filter(|_| has(O::TUPLE_LIMITS)) {
                None => TUPLES,
                Some(given) => TupleLimits {
                    min: if given.min == 0 { TUPLES.min } else { given.min },
                    max: if given.max == 0 { TUPLES.max } else { given.max },
                    most: if given.most == 0 { TUPLES.most } else { given.most },
                    increment: if given.increment == 0 { TUPLES.increment } else { given.increment },
                    start: if given.start == u32::MAX { TUPLES.start } else { given.start },
                },
            });
        }
        for (column, kind) in &request.conditions {
            let null = match kind {
                1 => true,
                2 => false,
                // Told when the segments are known.
                _ => {
                    spec.bad_condition = true;
                    break;
                }
            };
            spec.conditions.push(((*column).to_owned(), null));
        }
        spec = match () {
            () if has(O::DISALLOW_NULL) => spec.disallow_null(),
            () if has(O::IGNORE_ANY_NULL) => spec.ignore_any_null(),
            () if has(O::IGNORE_FIRST_NULL) => spec.ignore_first_null(),
            () if has(O::IGNORE_NULL) => spec.ignore_null(),
            () => spec,
        };
        if has(O::IGNORE_FIRST_NULL | O::IGNORE_NULL)
            && !options.intersects(O::DISALLOW_NULL | O::IGNORE_ANY_NULL)
        {
            spec = spec.ignore_first_null();
        }
        for (option, flag) in [
            (O::UNIQUE, IndexFlags::UNIQUE),
            (O::PRIMARY, IndexFlags::UNIQUE | IndexFlags::PRIMARY),
            (O::CROSS_PRODUCT, IndexFlags::CROSS_PRODUCT),
            (O::NESTED_TABLE, IndexFlags::NESTED_TABLE),
            (O::DISALLOW_TRUNCATION, IndexFlags::DISALLOW_TRUNCATION),
            (O::DOT_NET_GUID, IndexFlags::DOT_NET_GUID),
        ] {
            if has(option) {
                spec.flags |= flag;
            }
        }
        if has(O::NULLS_HIGH) && !has(O::DISALLOW_NULL) {
            spec.flags |= IndexFlags::NULLS_HIGH;
        }
        Ok(spec)
    }
}

/// The columns of a key description with their directions.
fn segments(index: &str, key: &[u8]) -> Result<Vec<(String, bool)>, BuilderError> {
    let bad = |error, what| BuilderError::Index { index: index.to_owned(), what, error };
    let invalid = JetError::INDEX_INVALID_DEF;
    if key.is_empty() {
        return Err(bad(JetError::INVALID_PARAMETER, "no description of the key"));
    }
    let [b'+' | b'-', body @ .., 0, 0] = key else {
        return Err(bad(invalid, "a key description begins with a direction and ends with two zero bytes"));
    };
    let mut segments = Vec::new();
    for (place, part) in body.split(|&byte| byte == 0).enumerate() {
        let (descending, name) = match part {
            rest if place == 0 => (key.first() == Some(&b'-'), rest),
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if place > 0 && part.is_empty() {
            return Err(bad(invalid, "a key description with an end in the middle"));
        }
        segments.push((crate::catalog::decode_windows_1252(name), descending));
    }
    if segments.len() > 16 {
        return Err(bad(invalid, "an index has 1 to 16 segments and at most 16 conditions"));
    }
    Ok(segments)
}

bitflags::bitflags! {
    /// Options of a new table as the engine's interface numbers them.
    #[doc(alias = "JET_bitTableCreate")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TableOptions: u32 {
        /// The structure will not change.
        #[doc(alias = "JET_bitTableCreateFixedDDL")]
        const FIXED_SCHEMA = 0x1;
        /// Tables can be derived from it.
        #[doc(alias = "JET_bitTableCreateTemplateTable")]
        const TEMPLATE = 0x2;
        /// Derived tables get tagged columns only: refused.
        #[doc(alias = "JET_bitTableCreateNoFixedVarColumnsInDerivedTables")]
        const NO_FIXED_OR_VARIABLE_IN_DERIVED = 0x4;
        /// The description is not written to.
        #[doc(alias = "JET_bitTableCreateImmutableStructure")]
        const IMMUTABLE = 0x8;
        /// A system table: refused.
        #[doc(alias = "JET_bitTableCreateSystemTable")]
        const SYSTEM = 0x8000_0000;
    }
}

impl TableSpec {
    /// Options as the engine's interface numbers them.
    #[must_use]
    pub fn options(mut self, options: TableOptions) -> Self {
        if options.contains(TableOptions::FIXED_SCHEMA) {
            self.flags |= TableFlags::FIXED_SCHEMA;
        }
        if options.contains(TableOptions::TEMPLATE) {
            self.flags |= TableFlags::TEMPLATE | TableFlags::FIXED_SCHEMA;
        }
        let refused = TableOptions::NO_FIXED_OR_VARIABLE_IN_DERIVED | TableOptions::SYSTEM;
        self.impossible = options.intersects(refused);
        self
    }
}
