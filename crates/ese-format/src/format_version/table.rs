//! The versions of one engine, side by side.

use std::fmt;

use zerocopy::little_endian::U32;

use crate::field::FieldValue;
use crate::stored::Stored;

/// Version of an engine's formats as a whole, as the parameter JET_paramEngineFormatVersion takes it. Unknown numbers
/// are kept.
#[doc(alias = "JET_ENGINEFORMATVERSION")]
#[doc(alias = "efv")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineFormatVersion(pub u32);

impl EngineFormatVersion {
    /// Oldest version that an engine of today knows.
    #[doc(alias = "JET_efvExtHdrRootFieldAutoIncStorageStagedToDebug")]
    pub const EXT_HDR_AUTOINC_STAGED: Self = Self(7060);
    /// Windows 10, first release.
    #[doc(alias = "JET_efvWindows10Rtm")]
    pub const WINDOWS_10: Self = Self(8020);
    /// Flush map on disk, first tries.
    #[doc(alias = "JET_efvPersistedLostFlushMapStagedToDebug")]
    pub const PERSISTED_FLUSH_MAP_STAGED: Self = Self(8220);
    /// Exchange 2016.
    #[doc(alias = "JET_efvExchange2016Rtm")]
    pub const EXCHANGE_2016: Self = Self(8520);
    /// Windows 10 version 1511.
    #[doc(alias = "JET_efvWindows10v2Rtm")]
    pub const WINDOWS_10_1511: Self = Self(8620);
    /// Encrypted columns.
    #[doc(alias = "JET_efvEncryptedColumns")]
    pub const ENCRYPTED_COLUMNS: Self = Self(8720);
    /// The deletion of a table is logged for the cache (FreeFDP).
    #[doc(alias = "JET_efvLoggingDeleteOfTableFcbs")]
    pub const FREE_FDP_LOGGING: Self = Self(8820);
    /// Invariant locale in indexes.
    #[doc(alias = "JET_efvSupportNlsInvariantLocale")]
    pub const NLS_INVARIANT_LOCALE: Self = Self(8880);
    /// Exchange 2016 CU1; Windows up to 10 version 1809.
    #[doc(alias = "JET_efvExchange2016Cu1Rtm")]
    pub const EXCHANGE_2016_CU1: Self = Self(8920);
    /// Update minor and attaching program in the database header, SetDbVersion record.
    #[doc(alias = "JET_efvSetDbVersion")]
    pub const SET_DATABASE_VERSION: Self = Self(8940);
    /// Root fields in the external header: auto-increment storage on the root page.
    #[doc(alias = "JET_efvExtHdrRootFieldAutoIncStorageReleased")]
    pub const EXT_HDR_AUTOINC: Self = Self(8960);
    /// XPRESS9 compression.
    #[doc(alias = "JET_efvXpress9Compression")]
    pub const XPRESS9: Self = Self(8980);
    /// Upper-case index normalisation.
    #[doc(alias = "JET_efvUppercaseTextNormalization")]
    pub const UPPERCASE_NORMALIZATION: Self = Self(9000);
    /// Highest page of the database scan in the header.
    #[doc(alias = "JET_efvDbscanHeaderHighestPageSeen")]
    pub const SCAN_HIGHEST_PAGE: Self = Self(9020);
    /// 64-bit escrow columns (Delta64 record).
    #[doc(alias = "JET_efvEscrow64")]
    pub const ESCROW_64: Self = Self(9040);
    /// Synchronous clean-up of long values.
    #[doc(alias = "JET_efvSynchronousLVCleanup")]
    pub const SYNCHRONOUS_LV_CLEANUP: Self = Self(9060);
    /// 64-bit long-value ids.
    #[doc(alias = "JET_efvLid64")]
    pub const LONG_VALUE_ID_64: Self = Self(9080);
    /// Shrinking from the end of the file (ShrinkDB2 record).
    #[doc(alias = "JET_efvShrinkEof")]
    pub const SHRINK_FROM_END: Self = Self(9100);
    /// NewPage record.
    #[doc(alias = "JET_efvLogNewPage")]
    pub const LOG_NEW_PAGE: Self = Self(9120);
    /// Moving root pages (RootPageMove, SignalAttachDb records).
    #[doc(alias = "JET_efvRootPageMove")]
    pub const ROOT_PAGE_MOVE: Self = Self(9140);
    /// ScanCheck2 record.
    #[doc(alias = "JET_efvScanCheck2")]
    pub const SCAN_CHECK_2: Self = Self(9160);
    /// Position of the last resize in the database header.
    #[doc(alias = "JET_efvLgposLastResize")]
    pub const LAST_RESIZE: Self = Self(9180);
    /// Shelved pages, withdrawn.
    #[doc(alias = "JET_efvShelvedPages")]
    pub const SHELVED_PAGES: Self = Self(9200);
    /// Shelved pages taken back.
    #[doc(alias = "JET_efvShelvedPagesRevert")]
    pub const SHELVED_PAGES_REVERT: Self = Self(9220);
    /// Shelved pages.
    #[doc(alias = "JET_efvShelvedPages2")]
    pub const SHELVED_PAGES_2: Self = Self(9240);
    /// Creation time of the last required log in the database header.
    #[doc(alias = "JET_efvLogtimeGenMaxRequired")]
    pub const MAX_REQUIRED_TIME: Self = Self(9260);
    /// Variable snapshot of the header's signatures.
    #[doc(alias = "JET_efvVariableDbHdrSignatureSnapshot")]
    pub const VARIABLE_HEADER_SNAPSHOT: Self = Self(9280);
    /// Redo may lower the first required generation.
    #[doc(alias = "JET_efvLowerMinReqLogGenOnRedo")]
    pub const LOWER_MIN_REQUIRED_ON_REDO: Self = Self(9300);
    /// Update counter in shrink records (ShrinkDB3).
    #[doc(alias = "JET_efvDbTimeShrink")]
    pub const DB_TIME_SHRINK: Self = Self(9320);
    /// XPRESS10 compression.
    #[doc(alias = "JET_efvXpress10Compression")]
    pub const XPRESS10: Self = Self(9340);
    /// Revert snapshots (ExtentFreed record).
    #[doc(alias = "JET_efvRevertSnapshot")]
    pub const REVERT_SNAPSHOT: Self = Self(9360);
    /// Applying revert snapshots: last commit before the revert in the header.
    #[doc(alias = "JET_efvApplyRevertSnapshot")]
    pub const APPLY_REVERT_SNAPSHOT: Self = Self(9380);
    /// Table MSysExtentPageCountCache.
    #[doc(alias = "JET_efvExtentPageCountCache")]
    pub const EXTENT_PAGE_COUNT_CACHE: Self = Self(9400);
    /// LZ4 compression.
    #[doc(alias = "JET_efvLz4Compression")]
    pub const LZ4: Self = Self(9420);
    /// Table deletion that no snapshot reverts.
    #[doc(alias = "JET_efvRBSNonRevertableTableDeletes")]
    pub const NON_REVERTABLE_TABLE_DELETE: Self = Self(9460);
    /// Flags in ScanCheck2.
    #[doc(alias = "JET_efvScanCheck2Flags")]
    pub const SCAN_CHECK_2_FLAGS: Self = Self(9480);
    /// ExtentFreed2 record.
    #[doc(alias = "JET_efvExtentFreed2")]
    pub const EXTENT_FREED_2: Self = Self(9500);
    /// Key-value store, second version.
    #[doc(alias = "JET_efvKVPStoreV2")]
    pub const KEY_VALUE_STORE_V2: Self = Self(9520);
    /// Indexes that are filled later.
    #[doc(alias = "JET_efvIndexDeferredPopulate")]
    pub const INDEX_DEFERRED_POPULATE: Self = Self(9540);
    /// Reserved tags on pages.
    #[doc(alias = "JET_efvReservedTags")]
    pub const RESERVED_TAGS: Self = Self(9560);
    /// Flag for deletions too soon after a snapshot.
    #[doc(alias = "JET_efvRBSTooSoonDeletes")]
    pub const TOO_SOON_DELETES: Self = Self(9580);
    /// Optionally unique indexes; the newest version known.
    #[doc(alias = "JET_efvOptionallyUniqueIndices")]
    pub const OPTIONALLY_UNIQUE_INDEXES: Self = Self(9600);

    /// Newest version in [`FORMAT_VERSIONS`].
    pub const NEWEST: Self = Self::OPTIONALLY_UNIQUE_INDEXES;

    /// Oldest version in [`FORMAT_VERSIONS`].
    pub const OLDEST: Self = Self::EXT_HDR_AUTOINC_STAGED;
}

impl fmt::Display for EngineFormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Stored for EngineFormatVersion {
    type Raw = U32;
    fn load(raw: U32) -> Self {
        Self(raw.get())
    }
    fn store(self) -> U32 {
        self.0.into()
    }
    fn field(self) -> FieldValue {
        FieldValue::Number(self.0.into())
    }
}

/// Version of a database. Orders by format, update major, update minor.
///
/// Another format is incompatible both ways; a higher update major can be read by newer engines only; a higher update
/// minor by all.
#[doc(alias = "DbVersion")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseVersion {
    /// 1568 (0x620) in every supported database.
    #[doc(alias = "ulDbMajorVersion")]
    pub format: u32,
    /// Update major.
    #[doc(alias = "ulDbUpdateMajor")]
    pub update_major: u32,
    /// Update minor.
    #[doc(alias = "ulDbUpdateMinor")]
    pub update_minor: u32,
}

/// `1568.290.600`
impl fmt::Display for DatabaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.format, self.update_major, self.update_minor)
    }
}

/// Version of a log. Orders by major, minor, update major, update minor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogVersion {
    /// 8: segments of 4 KiB; 7: checksum records.
    #[doc(alias = "ulLGVersionMajor")]
    pub major: u32,
    /// 4000 with major 8, 3704 with major 7.
    #[doc(alias = "ulLGVersionMinor")]
    pub minor: u32,
    /// Update major.
    #[doc(alias = "ulLGVersionUpdateMajor")]
    pub update_major: u32,
    /// Update minor.
    #[doc(alias = "ulLGVersionUpdateMinor")]
    pub update_minor: u32,
}

impl LogVersion {
    /// A version of major 8.
    #[must_use]
    pub const fn segments(update_major: u32, update_minor: u32) -> Self {
        Self { major: 8, minor: 4000, update_major, update_minor }
    }

    /// A version of major 7.
    #[must_use]
    pub const fn checksum_records(update_major: u32, update_minor: u32) -> Self {
        Self { major: 7, minor: 3704, update_major, update_minor }
    }
}

/// `8.4000.130.280`
impl fmt::Display for LogVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.update_major, self.update_minor)
    }
}

/// Version of a flush map. Orders by major, update major, update minor.
#[doc(alias = "GenVersion")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushMapVersion {
    /// Major.
    pub major: u32,
    /// Update major.
    pub update_major: u32,
    /// Update minor.
    pub update_minor: u32,
}

impl FlushMapVersion {
    /// The version that is written today.
    pub const CURRENT: Self = Self { major: 3, update_major: 0, update_minor: 0 };
}

/// `3.0.0`
impl fmt::Display for FlushMapVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.update_major, self.update_minor)
    }
}

/// What an engine of one version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FormatVersions {
    /// The engine format version.
    pub engine: EngineFormatVersion,
    /// Its databases.
    pub database: DatabaseVersion,
    /// Its logs.
    pub log: LogVersion,
    /// Its flush maps.
    pub flush_map: FlushMapVersion,
}

const fn row(
    engine: EngineFormatVersion,
    update_major: u32,
    update_minor: u32,
    log_update_major: u32,
    log_update_minor: u32,
    flush_map: u32,
) -> FormatVersions {
    FormatVersions {
        engine,
        database: DatabaseVersion { format: 1568, update_major, update_minor },
        log: LogVersion::segments(log_update_major, log_update_minor),
        flush_map: FlushMapVersion { major: flush_map, update_major: 0, update_minor: 0 },
    }
}

/// Every engine format version with the versions it writes, in the engine's own order: strictly ascending from 8940 on,
/// where the numbers began to mean something; the rows before were written down later.
///
/// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/ese/sysver.cxx`, `g_rgfmtversEngine`.
#[doc(alias = "g_rgfmtversEngine")]
pub const FORMAT_VERSIONS: &[FormatVersions] = &[
    row(EngineFormatVersion::EXT_HDR_AUTOINC_STAGED, 20, 0, 4, 3, 0),
    row(EngineFormatVersion::WINDOWS_10, 20, 0, 4, 3, 0),
    row(EngineFormatVersion::PERSISTED_FLUSH_MAP_STAGED, 20, 0, 5, 13, 3),
    row(EngineFormatVersion::EXCHANGE_2016, 20, 0, 5, 14, 3),
    row(EngineFormatVersion::WINDOWS_10_1511, 20, 0, 5, 14, 3),
    row(EngineFormatVersion::NLS_INVARIANT_LOCALE, 20, 0, 5, 14, 3),
    row(EngineFormatVersion::ENCRYPTED_COLUMNS, 20, 0, 5, 15, 3),
    row(EngineFormatVersion::FREE_FDP_LOGGING, 20, 0, 5, 16, 3),
    row(EngineFormatVersion::EXCHANGE_2016_CU1, 20, 0, 5, 16, 3),
    row(EngineFormatVersion::SET_DATABASE_VERSION, 20, 20, 6, 20, 3),
    row(EngineFormatVersion::EXT_HDR_AUTOINC, 30, 40, 6, 20, 3),
    row(EngineFormatVersion::XPRESS9, 40, 60, 7, 40, 3),
    row(EngineFormatVersion::UPPERCASE_NORMALIZATION, 50, 80, 7, 40, 3),
    row(EngineFormatVersion::SCAN_HIGHEST_PAGE, 50, 100, 7, 40, 3),
    row(EngineFormatVersion::ESCROW_64, 60, 120, 20, 60, 3),
    row(EngineFormatVersion::SYNCHRONOUS_LV_CLEANUP, 60, 140, 20, 60, 3),
    row(EngineFormatVersion::LONG_VALUE_ID_64, 70, 160, 20, 60, 3),
    row(EngineFormatVersion::SHRINK_FROM_END, 80, 180, 30, 80, 3),
    row(EngineFormatVersion::LOG_NEW_PAGE, 90, 200, 40, 100, 3),
    row(EngineFormatVersion::ROOT_PAGE_MOVE, 100, 220, 50, 120, 3),
    row(EngineFormatVersion::SCAN_CHECK_2, 100, 220, 60, 140, 3),
    row(EngineFormatVersion::LAST_RESIZE, 110, 240, 60, 140, 3),
    row(EngineFormatVersion::SHELVED_PAGES, 120, 260, 60, 140, 3),
    row(EngineFormatVersion::SHELVED_PAGES_REVERT, 130, 280, 60, 140, 3),
    row(EngineFormatVersion::SHELVED_PAGES_2, 140, 300, 60, 140, 3),
    row(EngineFormatVersion::MAX_REQUIRED_TIME, 150, 320, 60, 140, 3),
    row(EngineFormatVersion::VARIABLE_HEADER_SNAPSHOT, 160, 340, 60, 140, 3),
    row(EngineFormatVersion::LOWER_MIN_REQUIRED_ON_REDO, 160, 360, 60, 140, 3),
    row(EngineFormatVersion::DB_TIME_SHRINK, 160, 360, 70, 160, 3),
    row(EngineFormatVersion::XPRESS10, 170, 380, 80, 180, 3),
    row(EngineFormatVersion::REVERT_SNAPSHOT, 180, 400, 90, 200, 3),
    row(EngineFormatVersion::APPLY_REVERT_SNAPSHOT, 190, 420, 90, 200, 3),
    row(EngineFormatVersion::EXTENT_PAGE_COUNT_CACHE, 200, 440, 90, 200, 3),
    row(EngineFormatVersion::LZ4, 210, 460, 100, 220, 3),
    row(EngineFormatVersion::NON_REVERTABLE_TABLE_DELETE, 230, 500, 100, 220, 3),
    row(EngineFormatVersion::SCAN_CHECK_2_FLAGS, 230, 500, 110, 240, 3),
    row(EngineFormatVersion::EXTENT_FREED_2, 230, 500, 120, 260, 3),
    row(EngineFormatVersion::KEY_VALUE_STORE_V2, 250, 520, 120, 260, 3),
    row(EngineFormatVersion::INDEX_DEFERRED_POPULATE, 260, 540, 120, 260, 3),
    row(EngineFormatVersion::RESERVED_TAGS, 270, 560, 120, 260, 3),
    row(EngineFormatVersion::TOO_SOON_DELETES, 280, 580, 130, 280, 3),
    row(EngineFormatVersion::OPTIONALLY_UNIQUE_INDEXES, 290, 600, 130, 280, 3),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_never_fall_from_8940_on() {
        let rows: Vec<_> = FORMAT_VERSIONS.iter().filter(|r| r.engine.0 >= 8940).collect();
        assert_eq!(rows.len(), 33);
        for pair in rows.windows(2) {
            assert!(pair[0].engine < pair[1].engine);
            assert!(pair[0].database <= pair[1].database);
            assert!(pair[0].log <= pair[1].log);
        }
        assert_eq!(rows.last().map(|r| r.engine), Some(EngineFormatVersion::NEWEST));
        assert_eq!(FORMAT_VERSIONS.first().map(|r| r.engine), Some(EngineFormatVersion::OLDEST));
    }

    #[test]
    fn stamps_seen_in_real_files() {
        let stamp = |efv| {
            let row = FORMAT_VERSIONS.iter().find(|r| r.engine.0 == efv).unwrap();
            (row.database.to_string(), row.log.to_string(), row.flush_map.to_string())
        };
        assert_eq!(stamp(8020), ("1568.20.0".into(), "8.4000.4.3".into(), "0.0.0".into()));
        assert_eq!(stamp(8920), ("1568.20.0".into(), "8.4000.5.16".into(), "3.0.0".into()));
        assert_eq!(stamp(9180), ("1568.110.240".into(), "8.4000.60.140".into(), "3.0.0".into()));
        assert_eq!(stamp(9600), ("1568.290.600".into(), "8.4000.130.280".into(), "3.0.0".into()));
    }
}
