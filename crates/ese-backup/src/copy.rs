//! The one copy loop: chunks of a source, read and verified on several threads, written to a target.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ese_io::{AlignedBuffer, File};
use parking_lot::Mutex;

use crate::error::BackupError;
use crate::progress::Progress;

/// Bytes that one thread reads, verifies and writes at a time.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;
/// More threads than this only keep each other waiting for the disk.
const MAX_THREADS: usize = 8;

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How many bytes of the buffer are filled.
    pub(crate) len: usize,
}

/// A file that is handed out in pieces, each once, to any number of threads. What is handed out has been verified.
pub(crate) trait ChunkSource: Sync {
    /// Bytes in all.
    fn total_bytes(&self) -> u64;
    /// Whether the pieces must be read one after the other by one thread.
    fn is_sequential(&self) -> bool;
    /// Fills `buffer` with the next piece; `None` after the last.
    fn next_chunk(&self, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError>;
}

/// Copies all of `source` into `target`, which is empty, and returns the CRC-32C of what was written. The target is
/// not synced.
pub(crate) fn copy_chunks(
    source: &dyn ChunkSource,
    target: &dyn File,
    progress: &dyn Progress,
) -> Result<u32, BackupError> {
    let total = source.total_bytes();
    if total > 0 {
        target.allocate(total)?;
    }
    let chunks = total.div_ceil(CHUNK_BYTES as u64);
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let threads = if source.is_sequential() { 1 } else { cores.clamp(2, MAX_THREADS) };
    let threads = usize::try_from(chunks).unwrap_or(usize::MAX).min(threads);
    let checksum = Mutex::new(RunningChecksum::default());
    let failure = Mutex::new(None::<BackupError>);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut buffer = AlignedBuffer::new(CHUNK_BYTES);
        while !failed.load(Ordering::Relaxed) {
            match copy_one(source, target, &mut buffer, &checksum) {
                Ok(0) => break,
                Ok(bytes) => progress.advance(bytes),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    failure.lock().get_or_insert(error);
                }
            }
        }
    };
    if threads <= 1 {
        work();
    } else {
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    }
    match failure.into_inner() {
        Some(error) => Err(error),
        None => Ok(checksum.into_inner().value),
    }
}

fn copy_one(
    source: &dyn ChunkSource,
    target: &dyn File,
    buffer: &mut [u8],
    checksum: &Mutex<RunningChecksum>,
) -> Result<u64, BackupError> {
    let Some(chunk) = source.next_chunk(buffer)? else { return Ok(0) };
    let data = buffer.get(..chunk.len).unwrap_or_default();
    // While the bytes are still near the processor.
    let value = crc32c::crc32c(data);
    target.write_at(chunk.offset, data)?;
    checksum.lock().add(chunk.offset, value, chunk.len);
    Ok(chunk.len as u64)
}

/// CRC-32C of a file whose pieces arrive in any order.
#[derive(Default)]
struct RunningChecksum {
    /// Bytes from the start that are in `value`.
    done: u64,
    value: u32,
    /// Pieces that arrived early: by offset, checksum and length. As many as there are threads, at most.
    early: BTreeMap<u64, (u32, usize)>,
}

impl RunningChecksum {
    fn add(&mut self, offset: u64, value: u32, len: usize) {
        self.early.insert(offset, (value, len));
        while let Some((value, len)) = self.early.remove(&self.done) {
            self.value = crc32c::crc32c_combine(self.value, value, len);
            self.done += len as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_give_the_checksum_of_the_whole() {
        let data: Vec<u8> = (0..100_000_u32).map(|i| (i * 7) as u8).collect();
        let pieces: Vec<(usize, &[u8])> = data
            .chunks(9_999)
            .scan(0, |at, p| {
                let o = *at;
                *at += p.len();
                Some((o, p))
            })
            .collect();
        for order in [
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
            [1, 0, 3, 2, 5, 4, 7, 6, 10, 9, 8],
        ] {
            let mut running = RunningChecksum::default();
            for i in order {
                let (offset, piece) = pieces[i];
                running.add(offset as u64, crc32c::crc32c(piece), piece.len());
            }
            assert_eq!(running.value, crc32c::crc32c(&data));
            assert_eq!(running.done, data.len() as u64);
        }
    }
}
