//! What went wrong with a file, where and during which operation.

use std::fmt;
use std::path::{Path, PathBuf};

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, IoError>;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Opening or creating a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Making a file or directory durable.
    Sync,
    /// Asking for or setting a length.
    Length,
    /// Locking.
    Lock,
    /// Deleting a file or directory.
    Remove,
    /// Renaming.
    Rename,
    /// Listing a directory.
    List,
    /// Creating a directory.
    CreateDirectory,
    /// Asking what a path is.
    Inspect,
}

impl Operation {
    /// All operations, in the order of declaration.
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Length,
        Self::Lock,
        Self::Remove,
        Self::Rename,
        Self::List,
        Self::CreateDirectory,
        Self::Inspect,
    ];

    /// Whether the operation is about a name, not about an open file.
    fn names(self) -> bool {
        !matches!(self, Self::Read | Self::Write | Self::Sync | Self::Length | Self::Lock)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Length => "get or set the length of",
            Self::Lock => "lock",
            Self::Remove => "delete",
            Self::Rename => "rename",
            Self::List => "list",
            Self::CreateDirectory => "create directory",
            Self::Inspect => "inspect",
        })
    }
}

/// The distinctions that the engine's error numbers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoErrorKind {
    /// No such file or directory.
    NotFound,
    /// A directory of the path is missing, or the name is not legal here.
    InvalidPath,
    /// No permission, or write protected.
    AccessDenied,
    /// Locked by another process or handle.
    InUse,
    /// Exists already.
    AlreadyExists,
    /// A directory that should be empty is not.
    DirectoryNotEmpty,
    /// No space left.
    DiskFull,
    /// Too many open files.
    TooManyOpenFiles,
    /// Out of memory.
    OutOfMemory,
    /// Read beyond the end of the file.
    EndOfFile,
    /// An earlier write or sync of this handle failed: its state on disk is unknown until it is reopened.
    Poisoned,
    /// Storage is read-only by construction.
    ReadOnly,
    /// Simulated power failure: the storage is gone until it is rebooted.
    PowerLost,
    /// Anything else the device or system reported.
    Device,
}

/// A failed storage call.
#[derive(Clone, Debug)]
pub struct IoError {
    /// What was being done.
    pub operation: Operation,
    /// What kind of failure.
    pub kind: IoErrorKind,
    /// The file or directory.
    pub path: PathBuf,
    /// Byte offset, where one was involved.
    pub offset: Option<u64>,
    /// The system's own text, where there is one.
    pub detail: Option<String>,
}

impl IoError {
    /// An error without offset or system text.
    #[must_use]
    pub fn new(operation: Operation, kind: IoErrorKind, path: impl Into<PathBuf>) -> Self {
        Self { operation, kind, path: path.into(), offset: None, detail: None }
    }

    /// The same error at a byte offset.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Classifies an error of the operating system.
    #[must_use]
    pub fn from_std(operation: Operation, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let kind = match error.kind() {
            E::NotFound => IoErrorKind::NotFound,
            E::NotADirectory | E::InvalidFilename => IoErrorKind::InvalidPath,
            // A name with a zero byte, or a directory moved into itself. Of an open file it is a fault of the device.
            E::InvalidInput if operation.names() => IoErrorKind::InvalidPath,
            E::PermissionDenied | E::ReadOnlyFilesystem | E::IsADirectory => IoErrorKind::AccessDenied,
            E::WouldBlock | E::ResourceBusy | E::ExecutableFileBusy => IoErrorKind::InUse,
            E::AlreadyExists => IoErrorKind::AlreadyExists,
            E::DirectoryNotEmpty => IoErrorKind::DirectoryNotEmpty,
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => IoErrorKind::DiskFull,
            E::OutOfMemory => IoErrorKind::OutOfMemory,
            E::UnexpectedEof => IoErrorKind::EndOfFile,
            _ => match error.raw_os_error() {
                Some(23 | 24) if cfg!(unix) => IoErrorKind::TooManyOpenFiles,
                Some(4) if cfg!(windows) => IoErrorKind::TooManyOpenFiles,
                Some(32 | 33) if cfg!(windows) => IoErrorKind::InUse,
                _ => IoErrorKind::Device,
            },
        };
        Self { operation, kind, path: path.to_path_buf(), offset: None, detail: Some(error.to_string()) }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.operation, self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => write!(f, ": {:?}", self.kind),
        }
    }
}

impl std::error::Error for IoError {}
