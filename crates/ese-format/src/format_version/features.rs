//! Which feature needs which version.

use crate::{DatabaseVersion, EngineFormatVersion, LogVersion};

macro_rules! database_features {
    ($($(#[$doc:meta])* $name:ident = $constant:ident;)*) => {
        /// What a database of this version may hold.
        impl DatabaseVersion {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nSince [`EngineFormatVersion::", stringify!($constant), "`].")]
                #[must_use]
                pub fn $name(self) -> bool {
                    self.has_feature(EngineFormatVersion::$constant)
                }
            )*
        }
    };
}

impl DatabaseVersion {
    /// Whether a feature that came with `engine` may be used in a database of this version: the version is at least
    /// the one that `engine` writes. `false` for an engine format that does not exist.
    #[doc(alias = "ErrDBFormatFeatureEnabled")]
    #[must_use]
    pub fn has_feature(self, engine: EngineFormatVersion) -> bool {
        engine.versions().is_ok_and(|versions| self >= versions.database)
    }

    /// Whether large pages (16 and 32 KiB) use today's chunk size of long values; older ones are refused.
    #[must_use]
    pub fn has_large_page_chunk_size(self) -> bool {
        (self.format, self.update_major) >= (0x620, 17)
    }

    /// Whether pages may carry the XOR+ECC checksum.
    #[must_use]
    pub fn has_ecc_checksum(self) -> bool {
        (self.format, self.update_major) >= (0x620, 11)
    }
}

database_features! {
    /// The header carries update minor and the attaching program; changes of version are logged.
    supports_set_version = SET_DATABASE_VERSION;
    /// Root pages may carry fields besides the space header.
    supports_root_fields = EXT_HDR_AUTOINC;
    /// The header carries the highest page of the database scan.
    supports_scan_highest_page = SCAN_HIGHEST_PAGE;
    /// Escrow columns of 64 bits.
    supports_escrow_64 = ESCROW_64;
    /// Long-value ids of 64 bits.
    supports_long_value_id_64 = LONG_VALUE_ID_64;
    /// Shrinking from the end of the file.
    supports_shrink_from_end = SHRINK_FROM_END;
    /// Root pages may be moved.
    supports_root_page_move = ROOT_PAGE_MOVE;
    /// The header carries the position of the last resize.
    supports_last_resize = LAST_RESIZE;
    /// Pages beyond the end of the file may be shelved.
    supports_shelved_pages = SHELVED_PAGES_2;
    /// The header carries the creation time of the last required log.
    supports_max_required_time = MAX_REQUIRED_TIME;
    /// Redo may lower the first required generation; a backup trailer carries the ranges at the end of the copy.
    supports_lower_min_required = LOWER_MIN_REQUIRED_ON_REDO;
    /// The header carries the signature of the revert snapshot.
    supports_revert_snapshot = REVERT_SNAPSHOT;
    /// The header carries the last commit before a revert.
    supports_commit_before_revert = APPLY_REVERT_SNAPSHOT;
    /// The table MSysExtentPageCountCache exists.
    supports_extent_page_count_cache = EXTENT_PAGE_COUNT_CACHE;
    /// The catalog carries the time a root page was set.
    supports_root_page_time = NON_REVERTABLE_TABLE_DELETE;
    /// Indexes may wait to be filled.
    supports_deferred_indexes = INDEX_DEFERRED_POPULATE;
    /// Pages may have more reserved tags than one.
    supports_reserved_tags = RESERVED_TAGS;
}

/// What a log of this version holds.
impl LogVersion {
    /// Whether a feature that came with `engine` may be used in a log of this version.
    #[must_use]
    pub fn has_feature(self, engine: EngineFormatVersion) -> bool {
        engine.versions().is_ok_and(|versions| self >= versions.log)
    }

    /// Segments of 4 KiB with a header each (major 8), instead of checksum records (major 7).
    #[must_use]
    pub fn has_segments(self) -> bool {
        self.major >= 8
    }

    /// The unused rest of the file is zero, or left over from an older generation; before it was always filled with the
    /// pattern of 0xDA bytes.
    #[must_use]
    pub fn has_zero_fill(self) -> bool {
        self >= Self::segments(2, 0)
    }

    /// The checkpoint file may carry an attachment list.
    #[must_use]
    pub fn has_checkpoint_attachments(self) -> bool {
        self >= Self::segments(4, 3)
    }

    /// The header carries the accumulated segment checksum of the previous generation, and it is checked.
    #[must_use]
    pub fn has_previous_checksum(self) -> bool {
        // Update minors run through all update majors from 11 on.
        self.major >= 8 && self.update_minor >= 13
    }

    /// Long values on large pages have today's chunk size.
    #[must_use]
    pub fn has_large_page_chunk_size(self) -> bool {
        (self.major, self.minor, self.update_major) >= (7, 3704, 14)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(update_major: u32, update_minor: u32) -> DatabaseVersion {
        DatabaseVersion { format: 1568, update_major, update_minor }
    }

    #[test]
    fn gates_open_at_their_version() {
        assert!(!database(100, 220).supports_last_resize());
        assert!(database(110, 240).supports_last_resize());
        assert!(!database(160, 340).supports_lower_min_required());
        assert!(database(160, 360).supports_lower_min_required());
        assert!(!database(20, 0).supports_set_version());
        assert!(database(290, 600).supports_reserved_tags());
        assert!(!database(16, 0).has_large_page_chunk_size());
    }

    #[test]
    fn log_gates() {
        assert!(LogVersion::segments(5, 14).has_previous_checksum());
        assert!(!LogVersion::segments(4, 4).has_previous_checksum());
        assert!(!LogVersion::checksum_records(15, 0).has_segments());
        assert!(LogVersion::segments(4, 3).has_checkpoint_attachments());
        assert!(!LogVersion::segments(1, 0).has_zero_fill());
        assert!(!LogVersion::checksum_records(13, 0).has_large_page_chunk_size());
    }
}
