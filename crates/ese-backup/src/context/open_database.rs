//! A database that is being read for a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ese_format::{BackupInfo, LogGeneration, PageCheck, PageNumber, PageVerdict, TrailerPage, correct_page};
use ese_instance::{AttachedDatabase, EventId, EventLog};
use parking_lot::{Condvar, Mutex};

use crate::copy::{Chunk, ChunkSource};
use crate::error::BackupError;

/// Pages in front of page 1.
const HEADER_PAGES: u64 = 2;
/// Bytes read and verified at a time: they stay in the processor's cache between the two.
const PIECE_BYTES: usize = 512 << 10;

/// How often, and how long after each failure, a range that cannot be read or verified is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRetries {
    /// Further attempts after the first.
    pub attempts: u32,
    /// Pause after attempt *i* is `(i + 1) * pause_ms`.
    pub pause_ms: u64,
}

impl ReadRetries {
    /// As the engine does it: 16 further attempts, about 13.6 seconds.
    pub const ENGINE: Self = Self { attempts: 16, pause_ms: 100 };
    /// No second attempt.
    pub const NONE: Self = Self { attempts: 0, pause_ms: 0 };
}

/// What the copy of a database needs to know of its backup.
pub(super) struct DatabaseCopy {
    pub(super) database: Arc<AttachedDatabase>,
    pub(super) events: EventLog,
    /// What the copied header and the trailer say of the backup; the high generation is 0.
    pub(super) info: BackupInfo,
    pub(super) retries: ReadRetries,
    pub(super) verify: bool,
    /// The generation being written, asked when the trailer is built.
    pub(super) current_generation: Box<dyn Fn() -> LogGeneration + Send + Sync>,
    /// Says that the copy must stop, and why.
    pub(super) check_stop: Box<dyn Fn() -> Result<(), BackupError> + Send + Sync>,
}

/// A database open for reading by a backup: header page twice, pages, trailer page.
pub(super) struct OpenDatabase {
    copy: DatabaseCopy,
    header_page: Vec<u8>,
    last_page: PageNumber,
    position: Mutex<Position>,
    idle: Condvar,
}

#[derive(Default)]
struct Position {
    /// Next page of the stream; 0 and 1 are the header pages.
    next: u64,
    /// Pages handed to readers that are not back.
    reading: usize,
    /// Bytes handed out.
    delivered: u64,
    failed: bool,
}

impl OpenDatabase {
    /// Takes the header first and the end of the file second: the other way round, the header's required range could
    /// already exclude logs that describe pages added in between.
    pub(super) fn new(copy: DatabaseCopy) -> Self {
        let mut header = copy.database.header();
        header.set_current_full_backup(copy.info);
        let header_page = header.write();
        let last_page = copy.database.last_page();
        Self { copy, header_page, last_page, position: Mutex::default(), idle: Condvar::new() }
    }

    pub(super) fn path(&self) -> &Path {
        self.copy.database.path()
    }

    pub(super) fn database(&self) -> &Arc<AttachedDatabase> {
        &self.copy.database
    }

    /// Bytes handed out so far.
    pub(super) fn delivered(&self) -> u64 {
        self.position.lock().delivered
    }

    /// Whether all of it was handed out, the trailer included.
    pub(super) fn is_complete(&self) -> bool {
        let position = self.position.lock();
        position.next == self.stream_pages() && position.reading == 0 && !position.failed
    }

    fn page_bytes(&self) -> usize {
        self.copy.database.page_size().len()
    }

    fn data_pages_end(&self) -> u64 {
        HEADER_PAGES + u64::from(self.last_page.0)
    }

    fn stream_pages(&self) -> u64 {
        self.data_pages_end() + 1
    }

    /// Reads the stream's pages `start..end` (header and data pages only) into `buffer`.
    fn fill(&self, start: u64, end: u64, buffer: &mut [u8]) -> Result<(), BackupError> {
        let page_bytes = self.page_bytes();
        let mut first = start;
        while first < end {
            let index = usize::try_from(first - start).unwrap_or(usize::MAX).saturating_mul(page_bytes);
            let rest = buffer.get_mut(index..).unwrap_or_default();
            if first < HEADER_PAGES {
                if let Some(page) = rest.get_mut(..page_bytes) {
                    page.copy_from_slice(&self.header_page);
                }
                first += 1;
                continue;
            }
            let pages = (end - first).min((PIECE_BYTES / page_bytes).max(1) as u64);
            let bytes = usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(page_bytes);
            self.read_pages(first, rest.get_mut(..bytes).unwrap_or_default())?;
            first += pages;
        }
        Ok(())
    }

    /// Reads and verifies data pages, again and again when that fails.
    fn read_pages(&self, first: u64, buffer: &mut [u8]) -> Result<(), BackupError> {
        let page_bytes = self.page_bytes();
        let number = |index: u64| PageNumber(u32::try_from(index + 1 - HEADER_PAGES).unwrap_or(u32::MAX));
        let pages = (buffer.len() / page_bytes) as u64;
        let offset = first * page_bytes as u64;
        let lock = self.copy.database.range_locks().lock(number(first)..number(first + pages));
        let mut failures = 0;
        let mut waited_ms = 0;
        let result = loop {
            let outcome = self
                .copy
                .database
                .file()
                .and_then(|file| file.read_exact_at(offset, buffer))
                .map_err(BackupError::from)
                .and_then(|()| self.verify(number(first), buffer));
            match outcome {
                Ok(()) => break Ok(()),
                Err(error) if failures == self.copy.retries.attempts => break Err(error),
                Err(_) => {
                    failures += 1;
                    let pause = self.copy.retries.pause_ms * u64::from(failures);
                    waited_ms += pause;
                    thread::sleep(Duration::from_millis(pause));
                }
            }
        };
        drop(lock);
        match &result {
            Ok(()) if failures > 0 => self.copy.events.report(
                EventId::READ_RETRIED,
                [
                    self.path().display().to_string(),
                    offset.to_string(),
                    buffer.len().to_string(),
                    failures.to_string(),
                    (waited_ms / 1000).to_string(),
                ],
            ),
            Ok(()) => {}
            Err(error) => self.report_page(error),
        }
        result
    }

    fn verify(&self, first: PageNumber, buffer: &mut [u8]) -> Result<(), BackupError> {
        if !self.copy.verify {
            return Ok(());
        }
        for (page, bytes) in (first.0..).map(PageNumber).zip(buffer.chunks_exact_mut(self.page_bytes())) {
            match correct_page(bytes, page) {
                PageCheck::Verified(PageVerdict::Good | PageVerdict::Uninitialized) => {}
                PageCheck::Verified(PageVerdict::Corrected { .. }) => {
                    self.copy.events.report(
                        EventId::BAD_PAGE_CORRECTED,
                        [self.path().display().to_string(), page.to_string()],
                    );
                }
                PageCheck::Verified(verdict) => return Err(self.bad_page(page, verdict)),
                PageCheck::NotVerified(_) => {
                    return Err(BackupError::InvalidParameter {
                        what: "a piece is not a whole number of pages",
                    });
                }
            }
        }
        Ok(())
    }

    fn bad_page(&self, page: PageNumber, verdict: PageVerdict) -> BackupError {
        BackupError::Page { path: PathBuf::from(self.path()), page, verdict }
    }

    fn report_page(&self, error: &BackupError) {
        let file = self.path().display().to_string();
        match error {
            BackupError::Page { page, verdict: PageVerdict::Bad { expected, found, .. }, .. } => {
                self.copy.events.report(
                    EventId::PAGE_CHECKSUM_MISMATCH,
                    [file, page.to_string(), expected.to_string(), found.to_string()],
                );
            }
            BackupError::Page {
                page, verdict: PageVerdict::WrongPageNumber { expected, found, .. }, ..
            } if error.jet_error() == ese_format::JetError::READ_VERIFY_FAILURE => {
                self.copy.events.report(
                    EventId::PAGE_CHECKSUM_MISMATCH,
                    [file, page.to_string(), expected.to_string(), found.to_string()],
                );
            }
            BackupError::Page { page, verdict: PageVerdict::WrongPageNumber { found, .. }, .. } => {
                self.copy
                    .events
                    .report(EventId::PAGE_NUMBER_MISMATCH, [file, page.to_string(), found.to_string()]);
            }
            BackupError::Io(io) => {
                let offset = io.offset.map_or_else(String::new, |o| o.to_string());
                self.copy.events.report(EventId::FILE_READ_ERROR, [file, offset, io.to_string()]);
            }
            _ => {}
        }
    }

    /// The trailer page, as things are now that every page has been read.
    fn trailer(&self) -> Vec<u8> {
        let header = self.copy.database.header();
        let high_generation = (self.copy.current_generation)().0;
        TrailerPage::for_copy(&header, BackupInfo { high_generation, ..self.copy.info }).write()
    }
}

impl ChunkSource for OpenDatabase {
    fn total_bytes(&self) -> u64 {
        self.stream_pages() * self.page_bytes() as u64
    }

    fn is_sequential(&self) -> bool {
        false
    }

    fn next_chunk(&self, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError> {
        let page_bytes = self.page_bytes();
        let room = (buffer.len() / page_bytes) as u64;
        let (start, data_end) = {
            let mut position = self.position.lock();
            if position.failed || position.next == self.stream_pages() || room == 0 {
                return Ok(None);
            }
            let start = position.next;
            let data_end = (start + room).min(self.data_pages_end());
            position.next = data_end;
            position.reading += 1;
            if data_end == self.data_pages_end() && data_end - start < room {
                // This reader also builds the trailer.
                position.next = self.stream_pages();
            }
            (start, data_end)
        };
        let result = (self.copy.check_stop)().and_then(|()| self.fill(start, data_end, buffer));
        let mut position = self.position.lock();
        position.reading -= 1;
        self.idle.notify_all();
        if let Err(error) = result {
            position.failed = true;
            // A sequential reader may come again for the same pages.
            position.next = position.next.min(start);
            return Err(error);
        }
        let mut pages = data_end - start;
        let ends_stream =
            position.next == self.stream_pages() && pages < room && data_end == self.data_pages_end();
        if ends_stream {
            // The trailer vouches for every page: wait for the readers of the others.
            while position.reading > 0 {
                self.idle.wait(&mut position);
            }
            if position.failed {
                return Ok(None);
            }
            let at = usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(page_bytes);
            if let Some(page) = buffer.get_mut(at..).and_then(|rest| rest.get_mut(..page_bytes)) {
                page.copy_from_slice(&self.trailer());
            }
            pages += 1;
        }
        let len = usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(page_bytes);
        position.delivered += len as u64;
        Ok(Some(Chunk { offset: start * page_bytes as u64, len }))
    }
}
