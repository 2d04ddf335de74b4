//! What is known of a database file without opening it in a session.

use std::path::Path;

use ese_format::{DatabaseHeader, DatabaseState, FileType};
use ese_io::{IoError, IoErrorKind, OpenOptions};

use super::{DatabaseInfoLevel, DatabaseMisc};
use crate::call_error::CallError;
use crate::database::read_database_header;
use crate::engine::Engine;
use crate::error::InstanceError;
use crate::instance::absolute_path;

/// An answer about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileInfo {
    /// Bytes of the file; eight bytes in the engine's calls.
    Size(u64),
    /// A number; four bytes.
    Number(u32),
    /// The header.
    Misc(Box<DatabaseMisc>),
    /// What converting an old format would take.
    Upgrade(UpgradeInfo),
}

/// What converting an old format would take. Formats that this engine does not know cannot be converted.
#[doc(alias = "JET_DBINFOUPGRADE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeInfo {
    /// Bytes of the file.
    pub size: u64,
    /// Whether it has the current format already.
    pub already_upgraded: bool,
}

impl UpgradeInfo {
    /// The engine's structure, 28 bytes, little-endian: size 4, file size 8, free space needed 8 (a sixth of it), seconds 4 (an
    /// hour for each GiB), flags 4 (bit 1: has the current format).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 28] {
        let seconds = u32::try_from(self.size.saturating_mul(3600) >> 30).unwrap_or(u32::MAX);
        let free = self.size.saturating_mul(10) >> 6;
        let fields =
            28_u32.to_le_bytes().into_iter().chain(self.size.to_le_bytes()).chain(free.to_le_bytes());
        let flags = if self.already_upgraded { 2_u32 } else { 0 };
        let fields = fields.chain(seconds.to_le_bytes()).chain(flags.to_le_bytes());
        let mut bytes = [0; 28];
        for (place, byte) in bytes.iter_mut().zip(fields) {
            *place = byte;
        }
        bytes
    }
}

impl Engine {
    /// What is known of a database file, attached or not. Of one that is attached, the header in memory counts.
    ///
    /// # Errors
    /// A storage error when it is not there, whatever was asked; `Header` for no database; `Call`: an invalid parameter for
    /// levels that are of open databases only or that there are not, a wrong kind of file.
    #[doc(alias = "JetGetDatabaseFileInfo")]
    pub fn database_file_info(
        &self,
        path: &Path,
        level: DatabaseInfoLevel,
    ) -> Result<FileInfo, InstanceError> {
        use DatabaseInfoLevel as Level;
        let path = absolute_path(path)?;
        let size = match self.environment().storage.inspect(&path) {
            // What is missing of the path makes no difference.
            Err(error) if error.kind == IoErrorKind::InvalidPath => {
                return Err(IoError { kind: IoErrorKind::NotFound, ..error }.into());
            }
            found => found?.len,
        };
        let attached = self.instances().into_iter().flat_map(|instance| instance.databases());
        let attached = attached.into_iter().find(|database| database.path() == path);
        let header = || -> Result<DatabaseHeader, InstanceError> {
            if let Some(database) = &attached {
                return Ok(database.header());
            }
            let file = self.environment().storage.open(&path, OpenOptions::READ)?;
            Ok(read_database_header(&*file)?.header)
        };
        match level {
            Level::FILE_SIZE | Level::FILE_SIZE_ON_DISK => Ok(FileInfo::Size(size)),
            Level::IN_USE => Ok(FileInfo::Number(u32::from(attached.is_some()))),
            Level::PAGE_SIZE => Ok(FileInfo::Number(header()?.page_size().bytes())),
            Level::FILE_TYPE => {
                let kind = header()?.file_type().0;
                Ok(FileInfo::Number(if kind < FILE_TYPES { kind } else { FileType::UNKNOWN.0 }))
            }
            Level::MISC => {
                let header = header()?;
                if header.file_type() != FileType::DATABASE {
                    return Err(CallError::WrongFileType { path }.into());
                }
                Ok(FileInfo::Misc(Box::new(DatabaseMisc::new(header))))
            }
            Level::UPGRADE => {
                // A header that cannot be read is that of no convertible database.
                let current = header().ok().filter(|h| h.format_version() == DatabaseHeader::FORMAT_VERSION);
                if current.as_ref().is_some_and(|h| h.state() == DatabaseState::BEING_CONVERTED) {
                    return Err(CallError::IncompleteUpgrade { path }.into());
                }
                Ok(FileInfo::Upgrade(UpgradeInfo { size, already_upgraded: current.is_some() }))
            }
            _ => Err(CallError::InvalidParameter { what: "no such information level of files" }.into()),
        }
    }
}

/// File types that the engine has numbers for.
#[doc(alias = "JET_filetypeMax")]
const FILE_TYPES: u32 = 12;
