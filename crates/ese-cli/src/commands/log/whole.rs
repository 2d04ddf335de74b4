//! Log files that are not as long as their headers say.

use std::path::Path;
use std::sync::Arc;

use ese_format::{HeaderError, LogHeader, LogHeaderChecks};
use ese_io::{File, IoError, IoErrorKind, OpenOptions, Operation, Storage};
use ese_log::{LogError, OpenLog};

use super::failure_of;
use super::writer::Writer;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Opens a log. One of the wrong length is a finding; what is there of it is shown all the same.
///
/// Returns `None` when nothing of it can be shown; that has been told then.
pub(super) fn open(
    path: &Path,
    writer: &mut Writer,
    context: &Context,
) -> Result<(Option<OpenLog>, Exit), Failure> {
    let checks = LogHeaderChecks::default();
    let error = match OpenLog::open(&context.storage, path, &checks) {
        Ok(log) => return Ok((Some(log), Exit::Clean)),
        Err(error) => error,
    };
    let LogError::Header { error: HeaderError::FileSize { expected, .. }, .. } = error else {
        return Ok((None, writer.failure(&failure_of(&error))?));
    };
    let exit = writer.failure(&failure_of(&error).exit(Exit::Findings))?;
    let file = context.storage.open(path, OpenOptions::READ)?;
    match OpenLog::from_file(Arc::new(Claimed { file, len: expected }), &checks) {
        Ok(log) => Ok((Some(log), exit)),
        Err(error) => Ok((None, writer.failure(&failure_of(&error))?.and(exit))),
    }
}

/// A file that passes for as long as its header says; what is missing cannot be read.
struct Claimed {
    file: Arc<dyn File>,
    len: u64,
}

impl Claimed {
    fn read_only(&self, operation: Operation) -> IoError {
        IoError::new(operation, IoErrorKind::ReadOnly, self.file.path())
    }
}

impl File for Claimed {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> ese_io::Result<usize> {
        // Never behind the header's end: a longer file is read as far as the header says.
        let most = self.len.saturating_sub(offset).max(LogHeader::SIZE as u64 * u64::from(offset == 0));
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
        self.file.read_at(offset, buffer.get_mut(..most).unwrap_or_default())
    }

    fn write_at(&self, _offset: u64, _data: &[u8]) -> ese_io::Result<()> {
        Err(self.read_only(Operation::Write))
    }

    fn len(&self) -> ese_io::Result<u64> {
        Ok(self.len)
    }

    fn set_len(&self, _len: u64) -> ese_io::Result<()> {
        Err(self.read_only(Operation::Length))
    }

    fn sync(&self) -> ese_io::Result<()> {
        Ok(())
    }
}
