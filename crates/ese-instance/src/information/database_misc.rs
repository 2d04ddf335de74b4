//! The structure in which the engine tells what a database header holds.

use std::ops::Deref;

use ese_format::{BackupInfoKind, DatabaseFlags, DatabaseHeader, RawDatabaseHeader};
use zerocopy::IntoBytes;

use crate::call_error::CallError;
use crate::error::InstanceError;

/// What the header of a database says (the fields are those of the [`DatabaseHeader`], through `Deref`).
#[doc(alias = "JET_DBINFOMISC")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseMisc {
    header: DatabaseHeader,
}

/// Sizes of the forms, each of which is the beginning of the next.
const FORMS: [usize; 7] = [216, 296, 300, 348, 380, 400, 416];

/// Offset in the structure, offset in the header, bytes: what is copied as it is.
const COPIED: [(usize, usize, usize); 35] = [
    (0, 8, 4),      // ulVersion
    (4, 232, 4),    // ulUpdate
    (8, 24, 28),    // signDb
    (36, 52, 4),    // dbstate
    (40, 56, 8),    // lgposConsistent
    (48, 64, 8),    // logtimeConsistent
    (56, 72, 8),    // logtimeAttach
    (64, 80, 8),    // lgposAttach
    (72, 88, 8),    // logtimeDetach
    (80, 96, 8),    // lgposDetach
    (88, 108, 28),  // signLog
    (116, 136, 24), // bkinfoFullPrev
    (140, 160, 24), // bkinfoIncPrev
    (164, 184, 24), // bkinfoFullCur
    (196, 216, 16), // version of the operating system: four numbers
    (216, 296, 8),  // genMinRequired, genMaxRequired
    (224, 348, 8),  // logtimeGenMaxCreate
    (232, 240, 4),  // ulRepairCount
    (236, 244, 8),  // logtimeRepair
    (244, 364, 4),  // ulRepairCountOld
    (248, 368, 16), // ECCFixSuccess: count, time, old count
    (264, 384, 16), // ECCFixFail
    (280, 400, 16), // BadChecksum
    (296, 416, 4),  // genCommitted
    (300, 420, 24), // bkinfoCopyPrev
    (324, 444, 24), // bkinfoDiffPrev
    (348, 476, 4),  // ulIncrementalReseedCount
    (352, 480, 8),  // logtimeIncrementalReseed
    (360, 488, 4),  // ulIncrementalReseedCountOld
    (364, 492, 4),  // ulPagePatchCount
    (368, 496, 8),  // logtimePagePatch
    (376, 504, 4),  // ulPagePatchCountOld
    (380, 516, 8),  // logtimeChecksumPrev
    (388, 524, 8),  // logtimeChecksumStart
    (400, 564, 16), // logtimeLastReAttach, lgposLastReAttach
];

impl DatabaseMisc {
    /// Of a header.
    #[must_use]
    pub const fn new(header: DatabaseHeader) -> Self {
        Self { header }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &DatabaseHeader {
        &self.header
    }

    /// Pages that the database scan under way has checked.
    #[doc(alias = "cpgDatabaseChecked")]
    #[must_use]
    pub fn pages_checked(&self) -> u32 {
        self.header.scan_highest_continuous().0.saturating_sub(1)
    }

    /// The engine's structure, little-endian without padding, in the form that has `size` bytes: 216 (`JET_DBINFOMISC`),
    /// 296, 300, 348, 380, 400 or 416 (`JET_DBINFOMISC7`).
    ///
    /// The last bit of a backup's time says that a snapshot made it.
    ///
    /// # Errors
    /// `Call` (`JET_errInvalidBufferSize`) for another size.
    #[doc(alias = "JET_DBINFOMISC2")]
    #[doc(alias = "JET_DBINFOMISC7")]
    pub fn to_bytes(&self, size: usize) -> Result<Vec<u8>, InstanceError> {
        if !FORMS.contains(&size) {
            return Err(CallError::InvalidBufferSize { found: size }.into());
        }
        let raw: &RawDatabaseHeader = &self.header;
        let mut bytes = vec![0; 416];
        let mut put = |at: usize, value: &[u8]| {
            if let Some(place) = bytes.get_mut(at..at + value.len()) {
                place.copy_from_slice(value);
            }
        };
        for (at, from, len) in COPIED {
            put(at, raw.as_bytes().get(from..from + len).unwrap_or_default());
        }
        let shadowing_disabled = self.flags().contains(DatabaseFlags::SHADOWING_DISABLED);
        put(188, &u32::from(shadowing_disabled).to_le_bytes());
        put(212, &self.header.page_size().bytes().to_le_bytes());
        put(396, &self.pages_checked().to_le_bytes());
        // In each backup's time: 8 bytes behind its position, the first bit of the last one.
        for (at, kind) in [
            (116, self.previous_full_backup_kind()),
            (140, self.previous_incremental_backup_kind()),
            (300, self.previous_copy_backup_kind()),
            (324, self.previous_differential_backup_kind()),
        ] {
            if let Some(last) = bytes.get_mut(at + 15) {
                *last = *last & !1 | u8::from(kind == BackupInfoKind::OS_SNAPSHOT);
            }
        }
        bytes.truncate(size);
        Ok(bytes)
    }
}

impl Deref for DatabaseMisc {
    type Target = DatabaseHeader;

    fn deref(&self) -> &DatabaseHeader {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use ese_format::{DatabaseState, LogGeneration, LogPosition, PageNumber, PageSize};

    use super::*;

    #[test]
    fn fields_lie_where_the_engine_has_them() {
        let mut header = DatabaseHeader::new(PageSize::new(8192).unwrap());
        header.set_state(DatabaseState::CLEAN_SHUTDOWN);
        header.set_consistent_position(LogPosition::new(7, 0x1234, 0x56));
        header.set_os_major(10);
        header.set_os_build(17763);
        header.set_min_required(LogGeneration(3));
        header.set_max_required(LogGeneration(4));
        header.set_max_committed(LogGeneration(5));
        header.set_bad_checksum_count(9);
        header.set_scan_highest_continuous(PageNumber(101));
        header.set_reattach_position(LogPosition::new(8, 1, 2));
        header.set_previous_copy_backup_kind(BackupInfoKind::OS_SNAPSHOT);
        let bytes = DatabaseMisc::new(header).to_bytes(416).unwrap();
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((number(0), number(4), number(36)), (0x620, 20, 3));
        assert_eq!(bytes[40..48], [0x56, 0, 0x34, 0x12, 7, 0, 0, 0]);
        assert_eq!((number(196), number(204), number(212)), (10, 17763, 8192));
        assert_eq!((number(216), number(220), number(296)), (3, 4, 5));
        assert_eq!((number(280), number(396)), (9, 100));
        assert_eq!(bytes[408..416], [2, 0, 1, 0, 8, 0, 0, 0]);
        assert_eq!((bytes[131], bytes[315]), (0, 1));
    }

    #[test]
    fn each_form_is_the_beginning_of_the_next() {
        let misc = DatabaseMisc::new(DatabaseHeader::new(PageSize::DEFAULT));
        let whole = misc.to_bytes(416).unwrap();
        for size in FORMS {
            assert_eq!(misc.to_bytes(size).unwrap(), whole[..size]);
        }
        for size in [0, 215, 417] {
            assert_eq!(misc.to_bytes(size).unwrap_err().jet_error().0, -1047);
        }
    }
}
