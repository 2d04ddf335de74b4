//! Pages in memory: a bounded number of buffers over any number of database files.
//!
//! A changed page is written back when its buffer is needed for another page, or at a flush, and never before the log
//! is durable up to the page's last change. The caller brackets each operation with [`PageCache::begin_operation`]:
//! what an operation has fetched stays in memory until the next one begins, so that a page never reaches the disk
//! half changed.

mod error;
mod file;
mod files;
mod frame;
mod hash;
mod in_flight;
mod lend;
mod prefetch;
mod read_ahead;
mod signs;
mod spill;
mod write;

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::sync::Arc;

use ese_format::{LogPosition, PageCheck, PageNumber, PageSize, PageVerdict, correct_page};
use ese_io::IoError;
use ese_log::record::DatabaseSlot;

use crate::page_edit::{PageFacts, PageImage};
use crate::thread_counters;
pub use error::PageCacheError;
use file::DatabaseFile;
use frame::Frame;
use hash::PageHash;
use in_flight::InFlight;
pub use prefetch::PagePrefetch;
pub(crate) use signs::{Pass, Passage};
use spill::Spill;
pub use spill::SpillFile;
pub use write::PageWriteGate;

/// Makes durable what must be on disk before pages are written: log records, and the header's required range.
pub trait WriteAhead: Send + Sync {
    /// Returns when pages of the database in `slot` that were changed by records up to `position` may be written.
    ///
    /// # Errors
    /// When the log or the header cannot be written; the pages are not written either.
    fn before_write(&self, slot: DatabaseSlot, position: LogPosition) -> Result<(), IoError>;
}

/// A buffer of the cache. Valid until the next operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameId(usize);

impl FrameId {
    /// No buffer has this number.
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// What is found where a page should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The page.
    Page(FrameId),
    /// All bytes are zero.
    Uninitialized,
    /// The file is shorter.
    BeyondEnd,
}

/// The cache. See the module's description.
#[doc(alias = "BF")]
pub struct PageCache {
    size: PageSize,
    frames: Vec<Frame>,
    index: HashMap<u64, usize, PageHash>,
    files: Vec<Option<DatabaseFile>>,
    most_frames: usize,
    free: Vec<usize>,
    hand: usize,
    operation: u32,
    write_ahead: Option<Arc<dyn WriteAhead>>,
    pages_read: u64,
    pages_read_ahead: u64,
    pages_written: u64,
    hits: u64,
    /// Changed pages by the position where replay has to begin to make the change again; some were written since.
    changed: BTreeSet<(LogPosition, usize)>,
    /// Where replay has to begin for the changes made now; none: at their own records.
    replay_start: LogPosition,
    spill: Option<Spill>,
    /// Pages that are written at this moment without the cache.
    in_flight: Option<InFlight>,
    read_buffer: Vec<u8>,
    prefetch: Option<Arc<PagePrefetch>>,
    /// Buffers whose bytes are elsewhere.
    lent: usize,
    /// Changed pages that were chosen to make room, when that had to wait for lent buffers.
    evicting: Vec<FrameId>,
    /// How many of them at a time.
    evicted_together: usize,
}

fn key(slot: DatabaseSlot, page: PageNumber) -> u64 {
    u64::from(slot.0) << 32 | u64::from(page.0)
}

impl PageCache {
    /// A cache of at most `bytes` (at least 64 pages) for databases with pages of `size`.
    #[must_use]
    pub fn new(size: PageSize, bytes: usize) -> Self {
        Self {
            size,
            frames: Vec::new(),
            index: HashMap::with_hasher(PageHash),
            files: Vec::new(),
            most_frames: (bytes / size.len()).max(64),
            free: Vec::new(),
            hand: 0,
            operation: 1,
            write_ahead: None,
            pages_read: 0,
            pages_read_ahead: 0,
            pages_written: 0,
            hits: 0,
            changed: BTreeSet::new(),
            replay_start: LogPosition::NONE,
            spill: None,
            in_flight: None,
            read_buffer: Vec::new(),
            prefetch: None,
            lent: 0,
            evicting: Vec::new(),
            evicted_together: write::EVICTED_TOGETHER,
        }
    }

    /// From now on asks `log` before a page is written.
    pub fn set_write_ahead(&mut self, log: Option<Arc<dyn WriteAhead>>) {
        self.write_ahead = log;
    }

    /// Begins to read ahead the pages that are [wanted](PagePrefetch::want), on threads of their own. `None` when there are
    /// none to be had.
    pub fn start_prefetch(&mut self) -> Option<Arc<PagePrefetch>> {
        let prefetch = PagePrefetch::start(self.size, self.most_frames)?;
        for (slot, file) in (0..=u8::MAX).zip(&self.files) {
            if let Some(file) = file {
                prefetch.set_file(DatabaseSlot(slot), Some((Arc::clone(&file.file), file.last_page)));
            }
        }
        for frame in self.frames.iter().filter(|f| f.used) {
            prefetch.arrived(key(frame.slot, frame.page));
        }
        self.prefetch = Some(Arc::clone(&prefetch));
        Some(prefetch)
    }

    /// Reads nothing ahead any more.
    pub fn end_prefetch(&mut self) {
        self.prefetch = None;
    }

    /// The page size of all databases.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.size
    }

    /// Pages read from and written to files so far.
    #[must_use]
    pub fn transfers(&self) -> (u64, u64) {
        (self.pages_read, self.pages_written)
    }

    /// Pages that were read before they were asked for; by threads of their own only those that were asked for then.
    pub(crate) fn read_before_asked(&self) -> u64 {
        self.pages_read_ahead
    }

    /// Fetches that found their page in memory.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Begins an operation: buffers fetched before may be reused from now on.
    #[inline]
    pub fn begin_operation(&mut self) {
        // A buffer that was used 2^32 operations ago counts as used by this one: it stays a little longer.
        self.operation = self.operation.wrapping_add(1);
    }

    /// Says whose the changes are that follow: a transaction that began at `position`. Replay takes a record only when it
    /// has seen the begin of its transaction, so that a page that is not written yet needs the log from there on, also
    /// when the transaction has ended. [`LogPosition::NONE`]: no transaction.
    #[doc(alias = "lgposOldestBegin0")]
    pub fn set_replay_start(&mut self, position: LogPosition) {
        self.replay_start = position;
    }

    /// Whether a page is in memory.
    pub(crate) fn holds(&self, slot: DatabaseSlot, page: PageNumber) -> bool {
        self.index.contains_key(&key(slot, page))
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// [`PageCacheError::Damaged`], [`PageCacheError::Malformed`], and others.
    #[inline]
    pub fn fetch(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Fetched, PageCacheError> {
        if let Some(&index) = self.index.get(&key(slot, page))
            && let Some(frame) = self.frames.get_mut(index)
        {
            frame.operation = self.operation;
            frame.recent = true;
            self.hits += 1;
            thread_counters::page_referenced();
            return Ok(Fetched::Page(FrameId(index)));
        }
        self.read(slot, page)
    }

    /// Asks memory for what a look at a page begins with, for somebody who comes to it soon. The buffer that it is in.
    pub(crate) fn ask_for(&self, slot: DatabaseSlot, page: PageNumber) -> Option<FrameId> {
        let &index = self.index.get(&key(slot, page))?;
        let bytes = &self.frames.get(index)?.bytes;
        let line = |at: usize| bytes.get(at).copied();
        // The header, the first node, the tags.
        let behind_header = self.size.page_header_len() + 64;
        black_box((line(0), line(behind_header), line(bytes.len().wrapping_sub(1))));
        Some(FrameId(index))
    }

    /// As [`fetch`](Self::fetch), for a page that may still be in a certain buffer.
    #[inline]
    pub(crate) fn fetch_near(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
        seen: FrameId,
    ) -> Result<Fetched, PageCacheError> {
        if self.still_holds(seen, slot, page) {
            self.hits += 1;
            thread_counters::page_referenced();
            return Ok(Fetched::Page(seen));
        }
        self.fetch(slot, page)
    }

    #[cold]
    fn read(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Fetched, PageCacheError> {
        let (last_page, file_pages) = (self.file(slot)?.last_page, self.file(slot)?.file_pages);
        if page.is_none() || page > PageNumber::MAX {
            return Err(PageCacheError::PageNumber { slot, page });
        }
        if page.0 > last_page {
            return Ok(Fetched::BeyondEnd);
        }
        if let Some(frame) = self.unspill(slot, page)? {
            return Ok(Fetched::Page(frame));
        }
        if page.0 > file_pages {
            return Ok(Fetched::Uninitialized);
        }
        let begin = std::time::Instant::now();
        let index = self.take_frame()?;
        let offset = page.file_offset(self.size);
        let file = Arc::clone(&self.file(slot)?.file);
        let size = self.size;
        let Some(frame) = self.frames.get_mut(index) else { return Err(PageCacheError::NotAttached(slot)) };
        if let Some(prefetch) = &self.prefetch
            && prefetch.take(key(slot, page), &mut frame.bytes)
        {
            self.pages_read += 1;
            self.pages_read_ahead += 1;
            thread_counters::page_read(begin);
            self.place(index, slot, page);
            return Ok(Fetched::Page(FrameId(index)));
        }
        let outcome =
            file.read_exact_at(offset, &mut frame.bytes).map_err(PageCacheError::from).and_then(|()| {
                let PageCheck::Verified(verdict) = correct_page(&mut frame.bytes, page) else {
                    return Err(PageCacheError::NotAttached(slot));
                };
                match verdict {
                    PageVerdict::Uninitialized => Ok(None),
                    verdict if verdict.is_usable() => PageImage::new(&frame.bytes[..], size)
                        .and_then(|image| image.check())
                        .map(|()| Some(()))
                        .map_err(|error| PageCacheError::Malformed { slot, page, error }),
                    verdict => Err(PageCacheError::Damaged { slot, page, verdict }),
                }
            });
        self.pages_read += 1;
        thread_counters::page_read(begin);
        match outcome {
            Ok(Some(())) => {
                self.place(index, slot, page);
                Ok(Fetched::Page(FrameId(index)))
            }
            Ok(None) => {
                self.free.push(index);
                Ok(Fetched::Uninitialized)
            }
            Err(error) => {
                self.free.push(index);
                Err(error)
            }
        }
    }

    /// A buffer for a page that is about to be created, without reading what is in its place. The file grows when it
    /// is shorter. The buffer's content is undefined; it is not marked as changed.
    ///
    /// # Errors
    /// [`PageCacheError::PageNumber`] and others.
    pub fn create(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<FrameId, PageCacheError> {
        if page.is_none() || page > PageNumber::MAX {
            return Err(PageCacheError::PageNumber { slot, page });
        }
        if page.0 > self.file(slot)?.last_page {
            self.set_length(slot, page)?;
        }
        if let Some(&index) = self.index.get(&key(slot, page))
            && let Some(frame) = self.frames.get_mut(index)
        {
            frame.operation = self.operation;
            frame.recent = true;
            return Ok(FrameId(index));
        }
        if let Some(frame) = self.unspill(slot, page)? {
            return Ok(frame);
        }
        let index = self.take_frame()?;
        self.place(index, slot, page);
        Ok(FrameId(index))
    }

    fn place(&mut self, index: usize, slot: DatabaseSlot, page: PageNumber) {
        let operation = self.operation;
        if let Some(frame) = self.frames.get_mut(index) {
            frame.place(slot, page, operation);
        }
        self.index.insert(key(slot, page), index);
        if let Some(prefetch) = &self.prefetch {
            prefetch.arrived(key(slot, page));
        }
    }

    /// The page in a buffer.
    #[inline]
    #[must_use]
    pub fn page(&self, frame: FrameId) -> PageImage<&[u8]> {
        // A frame id comes from this cache, and frames are never removed.
        let bytes = self.frames.get(frame.0).map_or(&[][..], |f| &f.bytes);
        PageImage::of_frame(bytes, self.size)
    }

    /// The page in a buffer with what searches need to know of it.
    #[inline]
    pub(crate) fn page_with_facts(&mut self, frame: FrameId) -> (PageImage<&[u8]>, PageFacts) {
        let size = self.size;
        match self.frames.get_mut(frame.0) {
            Some(frame) => {
                let image = PageImage::of_frame(&frame.bytes[..], size);
                if frame.facts.is_unknown() {
                    frame.facts = image.facts();
                }
                (image, frame.facts)
            }
            None => (PageImage::of_frame(&[][..], size), PageFacts::UNKNOWN),
        }
    }

    /// The page in a buffer, to be changed; `position` is the log record of the change. The page is written back with
    /// whatever is in the buffer then.
    #[inline]
    pub fn page_mut(&mut self, frame: FrameId, position: LogPosition) -> PageImage<&mut [u8]> {
        self.mark_changed(frame, position);
        let bytes = self.frames.get_mut(frame.0).map_or(&mut [][..], |f| &mut f.bytes);
        PageImage::of_frame(bytes, self.size)
    }

    /// Says that the log record at `position` changes the page.
    #[inline]
    pub(crate) fn mark_changed(&mut self, frame: FrameId, position: LogPosition) {
        let index = frame.0;
        let Some(frame) = self.frames.get_mut(index) else { return };
        frame.forget_facts();
        thread_counters::page_changed(frame.dirty);
        let start = if self.replay_start.is_none() { position } else { position.min(self.replay_start) };
        let earlier = !start.is_none() && (frame.first_change.is_none() || start < frame.first_change);
        if !frame.dirty || earlier {
            if frame.dirty {
                self.changed.remove(&(frame.first_change, index));
            }
            frame.first_change = start;
            if !start.is_none() {
                self.changed.insert((start, index));
            }
        }
        frame.dirty = true;
        frame.last_change = frame.last_change.max(position);
    }

    /// The page in a buffer, for a change that no log knows and that need not be written: a version bit.
    #[inline]
    pub(crate) fn page_mut_quietly(&mut self, frame: FrameId) -> PageImage<&mut [u8]> {
        let bytes = self.frames.get_mut(frame.0).map_or(&mut [][..], |f| {
            f.forget_facts();
            &mut f.bytes
        });
        PageImage::of_frame(bytes, self.size)
    }

    /// Whether the buffer still holds this page; it counts as used by the operation at hand then.
    #[inline]
    pub(crate) fn still_holds(&mut self, frame: FrameId, slot: DatabaseSlot, page: PageNumber) -> bool {
        match self.frames.get_mut(frame.0) {
            Some(found) if found.used && found.page == page && found.slot == slot => {
                found.operation = self.operation;
                found.recent = true;
                true
            }
            _ => false,
        }
    }

    /// Number of the page in a buffer.
    #[must_use]
    pub fn page_number(&self, frame: FrameId) -> PageNumber {
        self.frames.get(frame.0).map_or(PageNumber::NONE, |f| f.page)
    }

    fn take_frame(&mut self) -> Result<usize, PageCacheError> {
        if let Some(index) = self.free.pop() {
            return Ok(index);
        }
        if self.frames.len() < self.most_frames {
            self.frames.push(Frame::new(self.size));
            return Ok(self.frames.len() - 1);
        }
        self.evict()
    }

    /// Keeps a page from being written: it holds a change whose before-image is in memory only. A crash must find the
    /// page as it was, so that replay makes the before-image again. Pins are counted.
    pub(crate) fn pin(&mut self, frame: FrameId) {
        if let Some(frame) = self.frames.get_mut(frame.0) {
            frame.pins += 1;
        }
    }

    /// Takes back one [`pin`](Self::pin) of a page, which was in this buffer and may be elsewhere by now.
    pub(crate) fn unpin(&mut self, frame: FrameId, slot: DatabaseSlot, page: PageNumber) {
        let holds = |f: &Frame| f.used && f.slot == slot && f.page == page;
        let index = match self.frames.get(frame.0) {
            Some(f) if holds(f) => Some(frame.0),
            _ => self.index.get(&key(slot, page)).copied(),
        };
        let pins = match index {
            Some(index) => self.frames.get_mut(index).map(|f| &mut f.pins),
            None => {
                let spilled = self.spill.as_mut().and_then(|s| s.pages.get_mut(&key(slot, page)));
                spilled.map(|s| &mut s.pins)
            }
        };
        if let Some(pins) = pins {
            *pins = pins.saturating_sub(1);
        }
    }

    fn release(&mut self, index: usize) {
        if let Some(frame) = self.frames.get_mut(index) {
            if let Some(prefetch) = &self.prefetch {
                prefetch.left(key(frame.slot, frame.page));
            }
            frame.clear();
            self.free.push(index);
        }
    }
}
