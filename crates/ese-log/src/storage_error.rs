//! The engine's numbers for failures of the file system.

use ese_format::JetError;
use ese_io::{IoError, IoErrorKind};

/// The engine's error number for a failed storage call.
///
/// | failure | number |
/// |---------|--------|
/// | not found | `JET_errFileNotFound` |
/// | a directory is missing, or the name is not legal | `JET_errInvalidPath` |
/// | permission, lock, write protection | `JET_errFileAccessDenied` |
/// | exists | `JET_errFileAlreadyExists` |
/// | full | `JET_errDiskFull` |
/// | handles | `JET_errOutOfFileHandles` |
/// | memory | `JET_errOutOfMemory` |
/// | beyond the end | `JET_errFileIOBeyondEOF` |
/// | anything else | `JET_errDiskIO` |
#[must_use]
pub fn storage_jet_error(error: &IoError) -> JetError {
    match error.kind {
        IoErrorKind::NotFound => JetError::FILE_NOT_FOUND,
        IoErrorKind::InvalidPath => JetError::INVALID_PATH,
        IoErrorKind::AccessDenied | IoErrorKind::InUse | IoErrorKind::ReadOnly => {
            JetError::FILE_ACCESS_DENIED
        }
        IoErrorKind::AlreadyExists | IoErrorKind::DirectoryNotEmpty => JetError::FILE_ALREADY_EXISTS,
        IoErrorKind::DiskFull => JetError::DISK_FULL,
        IoErrorKind::TooManyOpenFiles => JetError::OUT_OF_FILE_HANDLES,
        IoErrorKind::OutOfMemory => JetError::OUT_OF_MEMORY,
        IoErrorKind::EndOfFile => JetError::FILE_IO_BEYOND_EOF,
        _ => JetError::DISK_IO,
    }
}
