//! An open file.

use std::path::Path;

use crate::error::{IoError, IoErrorKind, Operation, Result};

/// How a file is shared with other openers, processes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// No lock.
    #[default]
    None,
    /// Others may open shared; an exclusive opener is refused.
    Shared,
    /// Nobody else may lock the file.
    Exclusive,
}

/// An open file: positioned reads and writes, from any thread.
///
/// After a failed write or sync the handle is poisoned: every later write and sync fails with
/// [`IoErrorKind::Poisoned`], because what is on disk is unknown until the file is opened again.
pub trait File: Send + Sync {
    /// The path the file was opened by.
    fn path(&self) -> &Path;

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file, 0 beyond it.
    ///
    /// # Errors
    /// A device error. The end of the file is not an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes all of `data` at `offset`, growing the file when needed.
    ///
    /// # Errors
    /// A device error, a full disk, or a poisoned or read-only handle.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// A device error.
    fn len(&self) -> Result<u64>;

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// A device error, a full disk, or a poisoned or read-only handle.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Extends the file with zeros to `len`, and reserves the space where the storage can: filling it later costs no
    /// search for space, and a full disk shows at once. A file that is longer stays as it is or is cut.
    ///
    /// # Errors
    /// As [`set_len`](Self::set_len).
    fn allocate(&self, len: u64) -> Result<()> {
        self.set_len(len)
    }

    /// Reserves the space that the file will need to grow to `len`, without making it longer. False where the storage cannot:
    /// then whether there is space shows only when the file grows.
    ///
    /// # Errors
    /// A device error, a full disk, or a poisoned or read-only handle.
    fn reserve(&self, len: u64) -> Result<bool> {
        let _ = len;
        Ok(false)
    }

    /// Makes content and length durable.
    ///
    /// # Errors
    /// A device error; the handle is poisoned then.
    fn sync(&self) -> Result<()>;

    /// Whether the file is empty.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads exactly `buffer.len()` bytes at `offset`.
    ///
    /// # Errors
    /// [`IoErrorKind::EndOfFile`] when the file is shorter, else as [`read_at`](Self::read_at).
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.read_at(offset, buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(IoError::new(Operation::Read, IoErrorKind::EndOfFile, self.path()).at(offset))
        }
    }
}
