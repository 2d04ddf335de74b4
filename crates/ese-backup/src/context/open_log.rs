//! A log that is being read for a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_format::LogGeneration;
use ese_io::File;
use ese_log::{LogCopyVerifier, LogError};
use parking_lot::Mutex;

use crate::copy::{Chunk, ChunkSource};
use crate::error::BackupError;

/// A log open for reading by a backup; verified while it is handed out, front to back.
pub(super) struct OpenLog {
    file: Arc<dyn File>,
    path: PathBuf,
    generation: LogGeneration,
    len: u64,
    verify: bool,
    /// Bytes handed out.
    next: AtomicU64,
    /// Set up by the first read.
    verifier: Mutex<Option<LogCopyVerifier>>,
}

impl OpenLog {
    /// # Errors
    /// A storage error.
    pub(super) fn new(
        file: Arc<dyn File>,
        generation: LogGeneration,
        verify: bool,
    ) -> Result<Self, BackupError> {
        let (len, path) = (file.len()?, file.path().to_path_buf());
        let (next, verifier) = (AtomicU64::new(0), Mutex::new(None));
        Ok(Self { file, path, generation, len, verify, next, verifier })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn generation(&self) -> LogGeneration {
        self.generation
    }

    pub(super) fn delivered(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.delivered() >= self.len
    }

    fn verify_piece(
        &self,
        verifier: &mut Option<LogCopyVerifier>,
        piece: &mut [u8],
    ) -> Result<(), BackupError> {
        let result = match verifier {
            Some(verifier) => verifier.verify(piece),
            // The header, and logs without segments as a whole, are looked at before anything is handed out.
            slot => LogCopyVerifier::begin(Arc::clone(&self.file))
                .and_then(|verifier| slot.insert(verifier).verify(piece)),
        };
        result.map_err(|error| match error {
            LogError::CopyVerify { file, sector, reason } => {
                BackupError::LogVerify { path: file, segment: u32::from(sector), reason }
            }
            other => other.into(),
        })
    }
}

impl ChunkSource for OpenLog {
    fn total_bytes(&self) -> u64 {
        self.len
    }

    fn is_sequential(&self) -> bool {
        true
    }

    fn next_chunk(&self, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError> {
        // Held throughout: pieces are read one after the other.
        let mut verifier = self.verifier.lock();
        let offset = self.delivered();
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        let data = buffer.get_mut(..len).unwrap_or_default();
        if data.is_empty() {
            return Ok(None);
        }
        self.file.read_exact_at(offset, data)?;
        if self.verify {
            self.verify_piece(&mut verifier, data)?;
        }
        self.next.store(offset + len as u64, Ordering::Release);
        Ok(Some(Chunk { offset, len }))
    }
}
