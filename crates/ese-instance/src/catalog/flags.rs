//! Flags of catalog rows.

bitflags::bitflags! {
    /// Flags of a table. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TableFlags: u32 {
        /// System table.
        #[doc(alias = "JET_bitObjectSystem")]
        const SYSTEM = 0x8000_0000;
        /// The schema may not change.
        #[doc(alias = "JET_bitObjectTableFixedDDL")]
        const FIXED_SCHEMA = 0x4000_0000;
        /// Template for derived tables.
        #[doc(alias = "JET_bitObjectTableTemplate")]
        const TEMPLATE = 0x2000_0000;
        /// Derived from a template.
        #[doc(alias = "JET_bitObjectTableDerived")]
        const DERIVED = 0x1000_0000;
        /// System table whose schema may change.
        #[doc(alias = "JET_bitObjectSystemDynamic")]
        const DYNAMIC_SYSTEM = 0x0800_0000;
        /// No fixed or variable columns may be added in derived tables.
        #[doc(alias = "JET_bitObjectTableNoFixedVarColumnsInDerivedTables")]
        const NO_FIXED_OR_VARIABLE_IN_DERIVED = 0x0400_0000;
    }
}

bitflags::bitflags! {
    /// Flags of a column. Unknown bits are kept.
    #[doc(alias = "FIELDFLAG")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ColumnFlags: u32 {
        /// May not be null.
        #[doc(alias = "ffieldNotNull")]
        const NOT_NULL = 0x0001;
        /// Counts the updates of its row.
        #[doc(alias = "ffieldVersion")]
        const VERSION = 0x0002;
        /// Numbered by the engine.
        #[doc(alias = "ffieldAutoincrement")]
        const AUTO_INCREMENT = 0x0004;
        /// Several values.
        #[doc(alias = "ffieldMultivalued")]
        const MULTI_VALUED = 0x0008;
        /// Has a default value.
        #[doc(alias = "ffieldDefault")]
        const DEFAULT = 0x0010;
        /// Changed by deltas.
        #[doc(alias = "ffieldEscrowUpdate")]
        const ESCROW_UPDATE = 0x0020;
        /// A callback is made at zero.
        #[doc(alias = "ffieldFinalize")]
        const FINALIZE = 0x0040;
        /// The default is computed by a callback of the application.
        #[doc(alias = "ffieldUserDefinedDefault")]
        const USER_DEFINED_DEFAULT = 0x0080;
        /// Column of a template table, or (old format) taken over from one.
        #[doc(alias = "ffieldTemplateColumnESE98")]
        const TEMPLATE = 0x0100;
        /// The row goes at zero.
        #[doc(alias = "ffieldDeleteOnZero")]
        const DELETE_ON_ZERO = 0x0200;
        /// Holds a place in a primary index.
        #[doc(alias = "ffieldPrimaryIndexPlaceholder")]
        const PRIMARY_INDEX_PLACEHOLDER = 0x0800;
        /// Values are compressed.
        #[doc(alias = "ffieldCompressed")]
        const COMPRESSED = 0x1000;
        /// Values are encrypted.
        #[doc(alias = "ffieldEncrypted")]
        const ENCRYPTED = 0x2000;
    }
}

bitflags::bitflags! {
    /// Flags of an index: the low half of the row's flags word, and the high half from bit 16 on. Unknown bits are kept.
    #[doc(alias = "IDBFLAG")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IndexFlags: u32 {
        /// No two equal keys.
        #[doc(alias = "fidbUnique")]
        const UNIQUE = 0x0001;
        /// Rows whose segments are all null have an entry.
        #[doc(alias = "fidbAllowAllNulls")]
        const ALLOW_ALL_NULLS = 0x0002;
        /// Rows whose first segment is null have an entry.
        #[doc(alias = "fidbAllowFirstNull")]
        const ALLOW_FIRST_NULL = 0x0004;
        /// Rows with a null in a later segment have an entry.
        #[doc(alias = "fidbAllowSomeNulls")]
        const ALLOW_SOME_NULLS = 0x0008;
        /// Rows with a null may not be stored.
        #[doc(alias = "fidbNoNullSeg")]
        const NO_NULL_SEGMENT = 0x0010;
        /// The table's own order.
        #[doc(alias = "fidbPrimary")]
        const PRIMARY = 0x0020;
        /// The locale was given.
        #[doc(alias = "fidbLocaleSet")]
        const LOCALE_SET = 0x0040;
        /// Has a multi-valued segment.
        #[doc(alias = "fidbMultivalued")]
        const MULTI_VALUED = 0x0080;
        /// Index of a template table.
        #[doc(alias = "fidbTemplateIndex")]
        const TEMPLATE = 0x0100;
        /// Taken over from a template.
        #[doc(alias = "fidbDerivedIndex")]
        const DERIVED = 0x0200;
        /// Has a segment of Unicode text.
        #[doc(alias = "fidbLocalizedText")]
        const LOCALIZED_TEXT = 0x0400;
        /// Nulls sort behind values.
        #[doc(alias = "fidbSortNullsHigh")]
        const NULLS_HIGH = 0x0800;
        /// All combinations of the values of all multi-valued segments.
        #[doc(alias = "fidbCrossProduct")]
        const CROSS_PRODUCT = 0x2000;
        /// A key that does not fit is an error.
        #[doc(alias = "fidbDisallowTruncation")]
        const DISALLOW_TRUNCATION = 0x4000;
        /// Values with the same number of all multi-valued segments together.
        #[doc(alias = "fidbNestedTable")]
        const NESTED_TABLE = 0x8000;
        /// Segments are stored in the extended form.
        #[doc(alias = "fIDXExtendedColumns")]
        const EXTENDED_SEGMENTS = 0x0001_0000;
        /// GUIDs sort as .NET compares them.
        #[doc(alias = "fIDXDotNetGuid")]
        const DOT_NET_GUID = 0x0002_0000;
        /// Entries are added later.
        #[doc(alias = "fIDXDeferredPopulate")]
        const DEFERRED_POPULATE = 0x0004_0000;
    }
}
