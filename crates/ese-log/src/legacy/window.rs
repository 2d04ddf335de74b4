//! Bytes of a log file by offset, read in large pieces.

use std::sync::Arc;

use ese_io::{File, IoError, IoErrorKind, Operation};

/// Bytes read at a time.
const WINDOW: usize = 256 * 1024;

/// A file's bytes by offset, with one piece held in memory.
pub(crate) struct Window {
    file: Arc<dyn File>,
    len: u64,
    buffer: Vec<u8>,
    start: u64,
    /// A sector whose bytes are taken from elsewhere.
    replaced: Option<(u64, Vec<u8>)>,
}

impl Window {
    pub(crate) fn new(file: Arc<dyn File>, len: u64) -> Self {
        Self { file, len, buffer: Vec::new(), start: 0, replaced: None }
    }

    /// Length of the file as its header tells.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// From now on shows `bytes` at `offset` instead of what the file holds there.
    pub(crate) fn replace(&mut self, offset: u64, bytes: Vec<u8>) {
        self.replaced = Some((offset, bytes));
        self.buffer.clear();
    }

    /// Puts the replaced sector into a freshly read piece.
    fn show_replaced(&mut self) {
        let Some((offset, bytes)) = &self.replaced else { return };
        let end = self.start + self.buffer.len() as u64;
        let (from, to) = ((*offset).max(self.start), (*offset + bytes.len() as u64).min(end));
        if from >= to {
            return;
        }
        let source = bytes.get((from - offset) as usize..(to - offset) as usize);
        let target = self.buffer.get_mut((from - self.start) as usize..(to - self.start) as usize);
        if let (Some(source), Some(target)) = (source, target) {
            target.copy_from_slice(source);
        }
    }

    /// `count` bytes at `offset`. A count beyond the usual piece makes the piece grow for once; it is bounded by the
    /// file's length.
    pub(crate) fn bytes(&mut self, offset: u64, count: usize) -> Result<&[u8], IoError> {
        let end = offset + count as u64;
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            let error = |kind| IoError::new(Operation::Read, kind, self.file.path()).at(offset);
            if end > self.len {
                return Err(error(IoErrorKind::EndOfFile));
            }
            let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
            let size = count.max(WINDOW.min(left));
            self.buffer.resize(size, 0);
            self.start = offset;
            let read = self.file.read_at(offset, &mut self.buffer);
            match read {
                Ok(read) if read >= size => self.show_replaced(),
                Ok(read) => {
                    self.buffer.truncate(read);
                    if read < count {
                        return Err(error(IoErrorKind::EndOfFile));
                    }
                    self.show_replaced();
                }
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        Ok(self.held(offset, count))
    }

    /// Bytes that are in memory already; empty when they are not.
    pub(crate) fn held(&self, offset: u64, count: usize) -> &[u8] {
        let from = offset.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.buffer.get(from..from.checked_add(count)?)).unwrap_or(&[])
    }
}
