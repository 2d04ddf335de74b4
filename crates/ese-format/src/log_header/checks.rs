//! Is this log usable here?

use crate::{EngineFormatSetting, FileType, HeaderError, HeaderStructure, LogHeader, PageSize, Signature};

/// What a log header is held against. `None` leaves a check out, as the engine's own tools do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeaderChecks {
    /// Format setting of the instance.
    pub format: EngineFormatSetting,
    /// Signature of the stream, once it is known.
    pub signature: Option<Signature>,
    /// Page size of the instance.
    pub page_size: Option<PageSize>,
    /// Length of the file in bytes.
    pub file_size: Option<u64>,
    /// Length that logs should have by the instance's parameters; not compared during recovery.
    pub configured_size: Option<u64>,
}

/// Leaves out everything that needs to be told.
impl Default for LogHeaderChecks {
    fn default() -> Self {
        Self {
            format: EngineFormatSetting::EngineDefault,
            signature: None,
            page_size: None,
            file_size: None,
            configured_size: None,
        }
    }
}

impl LogHeader {
    /// Checks a header whose checksum was right, in the engine's order: file type, version, sector size, signature, page
    /// size, length of the file.
    ///
    /// # Errors
    /// JET_errFileInvalidType, JET_errBadLogVersion,
    /// JET_errEngineFormatVersionSpecifiedTooLowForLogVersion, JET_errLogFileCorrupt (sector or page size that cannot
    /// be), JET_errBadLogSignature, JET_errPageSizeMismatch, JET_errLogFileSizeMismatch.
    pub fn check(&self, checks: &LogHeaderChecks) -> Result<(), HeaderError> {
        let structure = HeaderStructure::LogHeader;
        let found = self.file_type();
        if found != FileType::LOG && found != FileType::UNKNOWN {
            return Err(HeaderError::FileType { structure, expected: FileType::LOG, found });
        }
        // A page size that is none counts as small here; it is refused below.
        self.version().check(self.page_size().unwrap_or(PageSize::DEFAULT), checks.format)?;
        let sector_size = self.sector_size();
        let plausible = match sector_size {
            4096 => true,
            512 | 1024 | 2048 => !self.version().has_segments(),
            _ => false,
        };
        if !plausible {
            return Err(HeaderError::Field {
                structure,
                field: "cbSec",
                expected: "4096".to_owned(),
                found: sector_size.to_string(),
            });
        }
        if let Some(expected) = checks.signature.filter(|s| *s != self.signature()) {
            return Err(HeaderError::Signature { structure, expected, found: self.signature() });
        }
        let page_size = self.page_size();
        match checks.page_size {
            Some(expected) if page_size != Ok(expected) => {
                let found = self.page_size_field().into();
                return Err(HeaderError::PageSizeMismatch { structure, expected, found });
            }
            Some(_) => {}
            None => {
                if let Err(unsupported) = page_size {
                    return Err(HeaderError::UnsupportedPageSize { structure, found: unsupported.0 });
                }
            }
        }
        let expected = self.file_size();
        for found in [checks.file_size, checks.configured_size].into_iter().flatten() {
            if found != expected {
                return Err(HeaderError::FileSize { structure, expected, found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JetError, LogVersion};

    fn header() -> LogHeader {
        let mut header = LogHeader::new(LogVersion::segments(130, 280));
        header.set_file_sectors(32);
        header.set_page_size_field(8192);
        header
    }

    fn checks() -> LogHeaderChecks {
        LogHeaderChecks {
            signature: Some(Signature::NONE),
            page_size: PageSize::new(8192).ok(),
            file_size: Some(131_072),
            configured_size: Some(131_072),
            ..LogHeaderChecks::default()
        }
    }

    fn error(change: impl FnOnce(&mut LogHeader, &mut LogHeaderChecks)) -> JetError {
        let (mut header, mut checks) = (header(), checks());
        change(&mut header, &mut checks);
        header.check(&checks).map_or_else(|e| e.jet_error(), |()| JetError::SUCCESS)
    }

    #[test]
    fn every_refusal() {
        assert_eq!(error(|_, _| ()), JetError::SUCCESS);
        assert_eq!(error(|h, _| h.set_file_type(FileType::DATABASE)), JetError::FILE_INVALID_TYPE);
        assert_eq!(error(|h, _| h.set_file_type(FileType::UNKNOWN)), JetError::SUCCESS);
        assert_eq!(error(|h, _| h.set_major(9)), JetError::BAD_LOG_VERSION);
        assert_eq!(error(|h, _| h.set_sector_size(512)), JetError::LOG_FILE_CORRUPT);
        assert_eq!(
            error(|h, _| h.set_signature(Signature { random: 1, ..Signature::NONE })),
            JetError::BAD_LOG_SIGNATURE
        );
        assert_eq!(error(|h, _| h.set_page_size_field(4096)), JetError::PAGE_SIZE_MISMATCH);
        assert_eq!(
            error(|h, c| {
                h.set_page_size_field(77);
                c.page_size = None;
            }),
            JetError::LOG_FILE_CORRUPT
        );
        assert_eq!(error(|_, c| c.file_size = Some(131_071)), JetError::LOG_FILE_SIZE_MISMATCH);
        assert_eq!(error(|_, c| c.configured_size = Some(1)), JetError::LOG_FILE_SIZE_MISMATCH);
    }

    #[test]
    fn the_first_check_wins() {
        let all = error(|h, c| {
            h.set_major(9);
            h.set_sector_size(512);
            c.file_size = Some(0);
        });
        assert_eq!(all, JetError::BAD_LOG_VERSION);
    }
}
