//! May this database be attached?

use crate::{DatabaseHeader, FileType, HeaderError, HeaderStructure, PageSize};

impl DatabaseHeader {
    /// The tests an engine makes before it attaches a database, in its order: magic number, format version, page size,
    /// chunk size of long values, state, attribute and file type. The checksum was tested when the header was parsed,
    /// the update numbers are tested after ([`crate::DatabaseVersion::check_update`]).
    ///
    /// # Errors
    /// [`HeaderError`] with JET_errInvalidDatabaseVersion, JET_errPageSizeMismatch (only with `page_size`),
    /// JET_errDatabaseIncompleteUpgrade, JET_errDatabaseIncompleteIncrementalReseed, JET_errDatabaseIncompleteRevert,
    /// JET_errSoftRecoveryOnBackupDatabase, JET_errDatabaseDirtyShutdown or JET_errDatabaseCorrupted.
    #[doc(alias = "ErrDBReadHeaderCheckConsistency")]
    pub fn check_attachable(&self, page_size: Option<PageSize>) -> Result<(), HeaderError> {
        self.check_readable(page_size)?;
        if let Some(jet_error) = self.state().attach_error(self.is_part_of_backup()) {
            return Err(HeaderError::State { found: self.state(), jet_error });
        }
        self.check_type()
    }

    /// The tests that do not depend on the state: whether this is a database of a format that can be read at all.
    ///
    /// # Errors
    /// As [`check_attachable`](Self::check_attachable), without those of the state.
    pub fn check_database(&self, page_size: Option<PageSize>) -> Result<(), HeaderError> {
        self.check_readable(page_size)?;
        self.check_type()
    }

    fn check_readable(&self, page_size: Option<PageSize>) -> Result<(), HeaderError> {
        let structure = HeaderStructure::DatabaseHeader;
        if self.magic() != Self::MAGIC {
            return Err(HeaderError::Magic { structure, expected: Self::MAGIC, found: self.magic() });
        }
        // The engine compares the page size between these two; the small page size asks about the format only.
        self.version().check_format(PageSize::DEFAULT)?;
        if let Some(expected) = page_size.filter(|&wanted| wanted != self.page_size()) {
            return Err(HeaderError::PageSizeMismatch {
                structure,
                expected,
                found: self.page_size().bytes(),
            });
        }
        self.version().check_format(self.page_size())
    }

    fn check_type(&self) -> Result<(), HeaderError> {
        let structure = HeaderStructure::DatabaseHeader;
        if self.attributes() != 0 {
            return Err(HeaderError::Field {
                structure,
                field: "attrib",
                expected: "0".to_owned(),
                found: self.attributes().to_string(),
            });
        }
        match self.file_type() {
            FileType::UNKNOWN | FileType::DATABASE | FileType::TEMPORARY_DATABASE => Ok(()),
            found => Err(HeaderError::FileType { structure, expected: FileType::DATABASE, found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BackupInfo, DatabaseState, JetError};

    fn clean(page_size: u32) -> DatabaseHeader {
        let mut header = DatabaseHeader::new(PageSize::new(page_size).unwrap());
        header.set_state(DatabaseState::CLEAN_SHUTDOWN);
        header
    }

    fn error(change: impl FnOnce(&mut DatabaseHeader)) -> JetError {
        let mut header = clean(16384);
        change(&mut header);
        header
            .check_attachable(PageSize::new(16384).ok())
            .map_or_else(|e| e.jet_error(), |()| JetError::SUCCESS)
    }

    #[test]
    fn every_refusal() {
        assert_eq!(error(|_| ()), JetError::SUCCESS);
        assert_eq!(error(|h| h.set_magic(1)), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(|h| h.set_format_version(0x500)), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(|h| h.set_update_major(16)), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(|h| h.set_attributes(1)), JetError::DATABASE_CORRUPTED);
        assert_eq!(error(|h| h.set_file_type(FileType::LOG)), JetError::DATABASE_CORRUPTED);
        assert_eq!(error(|h| h.set_file_type(FileType::UNKNOWN)), JetError::SUCCESS);
        assert_eq!(
            error(|h| h.set_state(DatabaseState::BEING_CONVERTED)),
            JetError::DATABASE_INCOMPLETE_UPGRADE
        );
        assert_eq!(error(|h| h.set_state(DatabaseState::DIRTY_SHUTDOWN)), JetError::DATABASE_DIRTY_SHUTDOWN);
        assert_eq!(
            error(|h| {
                h.set_state(DatabaseState::DIRTY_SHUTDOWN);
                h.set_current_full_backup(BackupInfo { low_generation: 1, ..BackupInfo::NONE });
            }),
            JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE
        );
        let other = clean(8192).check_attachable(PageSize::new(16384).ok()).unwrap_err();
        assert_eq!(other.jet_error(), JetError::PAGE_SIZE_MISMATCH);
        assert_eq!(clean(8192).check_attachable(None), Ok(()));
    }
}
