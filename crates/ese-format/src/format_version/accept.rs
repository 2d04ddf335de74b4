//! Which versions an engine accepts.

use crate::{
    DatabaseHeader, DatabaseVersion, EngineFormatSetting, EngineFormatVersion, FlushMapVersion,
    FormatVersions, HeaderError, HeaderStructure, JetError, LogVersion, PageSize,
};

fn refusal(
    structure: HeaderStructure,
    expected: String,
    found: impl ToString,
    jet_error: JetError,
) -> HeaderError {
    HeaderError::Version { structure, expected, found: found.to_string(), jet_error }
}

/// The versions that a setting forbids to exceed: those of an explicit version without "allow higher".
fn limit(setting: EngineFormatSetting) -> Option<&'static FormatVersions> {
    match setting {
        EngineFormatSetting::Exactly(version) => version.versions().ok(),
        _ => None,
    }
}

/// What the newest known engine writes.
fn newest() -> Option<&'static FormatVersions> {
    EngineFormatVersion::NEWEST.versions().ok()
}

impl DatabaseVersion {
    /// Whether an engine of today can understand a database of this version at all: format and, on large pages, chunk
    /// size of long values. The first test when a file is attached; the update numbers are tested later
    /// ([`check_update`](Self::check_update)).
    ///
    /// # Errors
    /// [`HeaderError::Version`] with JET_errInvalidDatabaseVersion.
    pub fn check_format(self, page_size: PageSize) -> Result<(), HeaderError> {
        let structure = HeaderStructure::DatabaseHeader;
        if self.format < DatabaseHeader::FORMAT_VERSION {
            let expected = format!("at least {}", DatabaseHeader::FORMAT_VERSION);
            return Err(refusal(structure, expected, self, JetError::INVALID_DATABASE_VERSION));
        }
        if page_size.is_large() && !self.has_large_page_chunk_size() {
            let expected = format!("at least 1568.17.0 with pages of {page_size} bytes");
            return Err(refusal(structure, expected, self, JetError::INVALID_DATABASE_VERSION));
        }
        Ok(())
    }

    /// Whether the update numbers are acceptable. A higher update minor always is.
    ///
    /// # Errors
    /// [`HeaderError::Version`]: JET_errInvalidDatabaseVersion above the newest known engine,
    /// JET_errEngineFormatVersionSpecifiedTooLowForDatabaseVersion above an explicit setting.
    pub fn check_update(self, setting: EngineFormatSetting) -> Result<(), HeaderError> {
        let exceeds = |v: &FormatVersions| {
            (self.format, self.update_major) > (v.database.format, v.database.update_major)
        };
        let structure = HeaderStructure::DatabaseHeader;
        if let Some(versions) = newest().filter(|v| exceeds(v)) {
            let expected = format!("at most {}", versions.database);
            return Err(refusal(structure, expected, self, JetError::INVALID_DATABASE_VERSION));
        }
        if let Some(versions) = limit(setting).filter(|v| exceeds(v)) {
            let expected = format!("at most {} by the engine format {}", versions.database, versions.engine);
            let error = JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_DATABASE_VERSION;
            return Err(refusal(structure, expected, self, error));
        }
        Ok(())
    }
}

impl LogVersion {
    /// Whether an engine of today reads a log of this version, for databases of `page_size`.
    ///
    /// # Errors
    /// [`HeaderError::Version`]: JET_errBadLogVersion, or
    /// JET_errEngineFormatVersionSpecifiedTooLowForLogVersion above an explicit setting.
    pub fn check(self, page_size: PageSize, setting: EngineFormatSetting) -> Result<(), HeaderError> {
        let structure = HeaderStructure::LogHeader;
        let bad = |expected: String| Err(refusal(structure, expected, self, JetError::BAD_LOG_VERSION));
        match (self.major, self.minor) {
            (8, 4000) => {}
            (7, 3704) if page_size.is_large() && !self.has_large_page_chunk_size() => {
                return bad(format!("at least 7.3704.14.0 with pages of {page_size} bytes"));
            }
            (7, 3704) => return Ok(()),
            _ => return bad("8.4000 or 7.3704".to_owned()),
        }
        let exceeds =
            |v: &FormatVersions| (self.major, self.update_major) > (v.log.major, v.log.update_major);
        if let Some(versions) = newest().filter(|v| exceeds(v)) {
            return bad(format!("at most {}", versions.log));
        }
        if let Some(versions) = limit(setting).filter(|v| exceeds(v)) {
            let expected = format!("at most {} by the engine format {}", versions.log, versions.engine);
            let error = JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_LOG_VERSION;
            return Err(refusal(structure, expected, self, error));
        }
        Ok(())
    }
}

impl FlushMapVersion {
    /// Whether an engine of today reads a flush map of this version.
    ///
    /// # Errors
    /// [`HeaderError::Version`] with JET_errFlushMapVersionUnsupported.
    pub fn check(self) -> Result<(), HeaderError> {
        let current = Self::CURRENT;
        if self.major == current.major && self.update_major <= current.update_major {
            return Ok(());
        }
        Err(refusal(
            HeaderStructure::FlushMapHeader,
            current.to_string(),
            self,
            JetError::FLUSH_MAP_VERSION_UNSUPPORTED,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(result: Result<(), HeaderError>) -> JetError {
        result.map_or_else(|e| e.jet_error(), |()| JetError::SUCCESS)
    }

    fn size(bytes: u32) -> PageSize {
        PageSize::new(bytes).unwrap()
    }

    #[test]
    fn databases() {
        let v = |format, update_major, update_minor| DatabaseVersion { format, update_major, update_minor };
        let default = EngineFormatSetting::EngineDefault;
        let exactly = EngineFormatSetting::Exactly(EngineFormatVersion::EXCHANGE_2016_CU1);
        let at_least = EngineFormatSetting::AtLeast(EngineFormatVersion::EXCHANGE_2016_CU1);
        assert_eq!(error(v(0x620, 9, 0).check_format(size(4096))), JetError::SUCCESS);
        assert_eq!(error(v(0x600, 9, 0).check_format(size(4096))), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(v(0x620, 16, 0).check_format(size(8192))), JetError::SUCCESS);
        assert_eq!(error(v(0x620, 16, 0).check_format(size(16384))), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(v(0x620, 290, 999).check_update(default)), JetError::SUCCESS);
        assert_eq!(error(v(0x620, 291, 0).check_update(default)), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(v(0x621, 0, 0).check_update(default)), JetError::INVALID_DATABASE_VERSION);
        assert_eq!(error(v(0x620, 20, 40).check_update(exactly)), JetError::SUCCESS);
        assert_eq!(
            error(v(0x620, 30, 40).check_update(exactly)),
            JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_DATABASE_VERSION
        );
        assert_eq!(error(v(0x620, 30, 40).check_update(at_least)), JetError::SUCCESS);
    }

    #[test]
    fn logs() {
        let default = EngineFormatSetting::UsePersisted;
        let exactly = EngineFormatSetting::Exactly(EngineFormatVersion::EXCHANGE_2016_CU1);
        assert_eq!(error(LogVersion::segments(130, 999).check(size(4096), default)), JetError::SUCCESS);
        assert_eq!(error(LogVersion::segments(131, 0).check(size(4096), default)), JetError::BAD_LOG_VERSION);
        assert_eq!(error(LogVersion::checksum_records(4, 0).check(size(8192), exactly)), JetError::SUCCESS);
        assert_eq!(
            error(LogVersion::checksum_records(13, 0).check(size(16384), default)),
            JetError::BAD_LOG_VERSION
        );
        let nine = LogVersion { major: 9, ..LogVersion::segments(0, 0) };
        assert_eq!(error(nine.check(size(4096), default)), JetError::BAD_LOG_VERSION);
        assert_eq!(
            error(LogVersion::segments(6, 20).check(size(4096), exactly)),
            JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_LOG_VERSION
        );
    }

    #[test]
    fn flush_maps() {
        assert_eq!(error(FlushMapVersion::CURRENT.check()), JetError::SUCCESS);
        let two = FlushMapVersion { major: 2, ..FlushMapVersion::CURRENT };
        assert_eq!(error(two.check()), JetError::FLUSH_MAP_VERSION_UNSUPPORTED);
    }
}
