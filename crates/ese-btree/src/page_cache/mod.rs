//! Pages in memory: a bounded number of buffers over any number of database files.
//!
//! A changed page is written back when its buffer is needed for another page, or at a flush, and never before the log
//! is durable up to the page's last change. The caller brackets each operation with [`PageCache::begin_operation`]:
//! what an operation has fetched stays in memory until the next one begins, so that a page never reaches the disk
//! half changed.

mod error;
mod file;
mod frame;
mod hash;

use std::collections::HashMap;
use std::sync::Arc;

use ese_format::{
    LogPosition, PageCheck, PageNumber, PageSize, PageVerdict, correct_page, write_page_checksum,
};
use ese_io::{File, IoError};
use ese_log::record::DatabaseSlot;

use crate::page_edit::{PageImage, page_flags};
pub use error::PageCacheError;
use file::DatabaseFile;
use frame::Frame;
use hash::PageHash;

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

/// Most bytes written in one call.
const LARGEST_WRITE: usize = 1 << 20;

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
    operation: u64,
    write_ahead: Option<Arc<dyn WriteAhead>>,
    pages_read: u64,
    pages_written: u64,
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
            pages_written: 0,
        }
    }

    /// From now on asks `log` before a page is written.
    pub fn set_write_ahead(&mut self, log: Option<Arc<dyn WriteAhead>>) {
        self.write_ahead = log;
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

    /// Puts `file` into `slot`.
    ///
    /// # Errors
    /// When the file's length cannot be had.
    pub fn attach(&mut self, slot: DatabaseSlot, file: Arc<dyn File>) -> Result<(), PageCacheError> {
        let opened = DatabaseFile::open(file, self.size)?;
        let index = usize::from(slot.0);
        if self.files.len() <= index {
            self.files.resize_with(index + 1, || None);
        }
        self.forget(slot, PageNumber(0));
        if let Some(place) = self.files.get_mut(index) {
            *place = Some(opened);
        }
        Ok(())
    }

    /// Writes what has changed, makes it durable, and empties `slot`.
    ///
    /// # Errors
    /// As [`flush`](Self::flush); the slot is not emptied then.
    pub fn detach(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        self.flush(slot)?;
        self.abandon(slot);
        Ok(())
    }

    /// Empties `slot` and drops what has changed.
    pub fn abandon(&mut self, slot: DatabaseSlot) {
        self.forget(slot, PageNumber(0));
        if let Some(place) = self.files.get_mut(usize::from(slot.0)) {
            *place = None;
        }
    }

    fn file(&self, slot: DatabaseSlot) -> Result<&DatabaseFile, PageCacheError> {
        self.files.get(usize::from(slot.0)).and_then(Option::as_ref).ok_or(PageCacheError::NotAttached(slot))
    }

    fn file_mut(&mut self, slot: DatabaseSlot) -> Result<&mut DatabaseFile, PageCacheError> {
        self.files
            .get_mut(usize::from(slot.0))
            .and_then(Option::as_mut)
            .ok_or(PageCacheError::NotAttached(slot))
    }

    /// Last page of the file.
    ///
    /// # Errors
    /// [`PageCacheError::NotAttached`].
    pub fn last_page(&self, slot: DatabaseSlot) -> Result<PageNumber, PageCacheError> {
        Ok(PageNumber(self.file(slot)?.last_page))
    }

    /// Makes the file end with `last`: pages beyond are dropped, new ones are zero.
    ///
    /// # Errors
    /// [`PageCacheError::PageNumber`], and what the file system answers.
    pub fn resize(&mut self, slot: DatabaseSlot, last: PageNumber) -> Result<(), PageCacheError> {
        if last > PageNumber::MAX {
            return Err(PageCacheError::PageNumber { slot, page: last });
        }
        self.forget(slot, PageNumber(last.0.saturating_add(1)));
        let size = self.size;
        self.file_mut(slot)?.resize(last.0, size)
    }

    /// Drops the buffers of pages `first..=last`, changed or not, and writes zeros there.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn zero(
        &mut self,
        slot: DatabaseSlot,
        first: PageNumber,
        last: PageNumber,
    ) -> Result<(), PageCacheError> {
        let last = last.min(self.last_page(slot)?);
        let zeros = vec![0; self.size.len()];
        for page in first.0.max(1)..=last.0 {
            let page = PageNumber(page);
            if let Some(frame) = self.index.remove(&key(slot, page)) {
                self.release(frame);
            }
            let offset = page.file_offset(self.size);
            self.file(slot)?.file.write_at(offset, &zeros)?;
        }
        self.file_mut(slot)?.unsynced = true;
        Ok(())
    }

    /// Begins an operation: buffers fetched before may be reused from now on.
    pub fn begin_operation(&mut self) {
        self.operation += 1;
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
            return Ok(Fetched::Page(FrameId(index)));
        }
        self.read(slot, page)
    }

    #[cold]
    fn read(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Fetched, PageCacheError> {
        let last_page = self.file(slot)?.last_page;
        if page.is_none() || page > PageNumber::MAX {
            return Err(PageCacheError::PageNumber { slot, page });
        }
        if page.0 > last_page {
            return Ok(Fetched::BeyondEnd);
        }
        let index = self.take_frame()?;
        let offset = page.file_offset(self.size);
        let file = Arc::clone(&self.file(slot)?.file);
        let size = self.size;
        let Some(frame) = self.frames.get_mut(index) else { return Err(PageCacheError::NotAttached(slot)) };
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
            let size = self.size;
            self.file_mut(slot)?.resize(page.0, size)?;
        }
        if let Some(&index) = self.index.get(&key(slot, page))
            && let Some(frame) = self.frames.get_mut(index)
        {
            frame.operation = self.operation;
            frame.recent = true;
            return Ok(FrameId(index));
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
    }

    /// The page in a buffer.
    #[inline]
    #[must_use]
    pub fn page(&self, frame: FrameId) -> PageImage<&[u8]> {
        // A frame id comes from this cache, and frames are never removed.
        let bytes = self.frames.get(frame.0).map_or(&[][..], |f| &f.bytes);
        PageImage::of_frame(bytes, self.size)
    }

    /// The page in a buffer, to be changed; `position` is the log record of the change. The page is written back with
    /// whatever is in the buffer then.
    #[inline]
    pub fn page_mut(&mut self, frame: FrameId, position: LogPosition) -> PageImage<&mut [u8]> {
        let size = self.size;
        match self.frames.get_mut(frame.0) {
            Some(frame) => {
                frame.dirty = true;
                frame.last_change = frame.last_change.max(position);
                PageImage::of_frame(&mut frame.bytes[..], size)
            }
            None => PageImage::of_frame(&mut [], size),
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

    /// Second-chance replacement among the buffers that the operation at hand does not use.
    fn evict(&mut self) -> Result<usize, PageCacheError> {
        for _ in 0..2 * self.frames.len() {
            self.hand = (self.hand + 1) % self.frames.len().max(1);
            let (operation, hand) = (self.operation, self.hand);
            let Some(frame) = self.frames.get_mut(hand) else { continue };
            if frame.operation == operation || frame.pins > 0 {
                continue;
            }
            if std::mem::take(&mut frame.recent) {
                continue;
            }
            let (slot, page, dirty) = (frame.slot, frame.page, frame.dirty);
            if dirty {
                // Neighbours go with it: the disk moves once.
                self.write_around(slot, page)?;
            }
            self.index.remove(&key(slot, page));
            if let Some(frame) = self.frames.get_mut(hand) {
                frame.clear();
            }
            return Ok(hand);
        }
        // Everything is held: by pages that may not be written yet, or by one large operation. The bound gives way.
        self.frames.push(Frame::new(self.size));
        Ok(self.frames.len() - 1)
    }

    /// Keeps a page from being written: it holds a change whose before-image is in memory only. A crash must find the
    /// page as it was, so that replay makes the before-image again. Pins are counted.
    pub(crate) fn pin(&mut self, frame: FrameId) {
        if let Some(frame) = self.frames.get_mut(frame.0) {
            frame.pins += 1;
        }
    }

    /// Takes back one [`pin`](Self::pin) of a page, if it still is in this buffer.
    pub(crate) fn unpin(&mut self, frame: FrameId, slot: DatabaseSlot, page: PageNumber) {
        if let Some(frame) = self.frames.get_mut(frame.0)
            && frame.slot == slot
            && frame.page == page
        {
            frame.pins = frame.pins.saturating_sub(1);
        }
    }

    fn write_around(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<(), PageCacheError> {
        let mut run = Vec::new();
        let most = (LARGEST_WRITE / self.size.len()).max(1) as u32;
        for number in page.0..page.0.saturating_add(most) {
            let Some(&index) = self.index.get(&key(slot, PageNumber(number))) else { break };
            let operation = self.operation;
            match self.frames.get(index) {
                Some(frame) if frame.dirty && frame.operation != operation && frame.pins == 0 => {
                    run.push(index)
                }
                _ => break,
            }
        }
        self.write_run(slot, page, &run)
    }

    /// Writes consecutive pages in one call.
    fn write_run(
        &mut self,
        slot: DatabaseSlot,
        first: PageNumber,
        run: &[usize],
    ) -> Result<(), PageCacheError> {
        let mut buffer = Vec::with_capacity(run.len() * self.size.len());
        let mut position = LogPosition::NONE;
        for (number, &index) in (first.0..).zip(run) {
            let Some(frame) = self.frames.get_mut(index) else { continue };
            position = position.max(frame.last_change);
            let mut image = PageImage::of_frame(&mut frame.bytes[..], self.size);
            // "Unknown" agrees with any flush map.
            let flags = image.flags() & !page_flags::FLUSH_TYPE;
            image.set_flags(flags);
            let _ = write_page_checksum(&mut frame.bytes, PageNumber(number));
            buffer.extend_from_slice(&frame.bytes);
        }
        if let Some(log) = &self.write_ahead {
            log.before_write(slot, position)?;
        }
        let offset = first.file_offset(self.size);
        self.file(slot)?.file.write_at(offset, &buffer)?;
        self.file_mut(slot)?.unsynced = true;
        self.pages_written += run.len() as u64;
        for &index in run {
            if let Some(frame) = self.frames.get_mut(index) {
                frame.dirty = false;
                frame.last_change = LogPosition::NONE;
            }
        }
        Ok(())
    }

    /// Writes every changed page of a database that may be written, in page order, and makes the file durable.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub fn flush(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        self.file(slot)?;
        let mut dirty: Vec<(u32, usize)> = self
            .frames
            .iter()
            .enumerate()
            .filter(|(_, f)| f.dirty && f.slot == slot && f.pins == 0)
            .map(|(i, f)| (f.page.0, i))
            .collect();
        dirty.sort_unstable();
        let most = (LARGEST_WRITE / self.size.len()).max(1);
        let mut run: Vec<usize> = Vec::new();
        let mut first = 0;
        for (page, index) in dirty {
            let next = first + run.len() as u32;
            if !run.is_empty() && (page != next || run.len() >= most) {
                self.write_run(slot, PageNumber(first), &run)?;
                run.clear();
            }
            if run.is_empty() {
                first = page;
            }
            run.push(index);
        }
        if !run.is_empty() {
            self.write_run(slot, PageNumber(first), &run)?;
        }
        let file = self.file_mut(slot)?;
        if file.unsynced {
            file.file.sync()?;
            file.unsynced = false;
        }
        Ok(())
    }

    /// Drops the buffers of pages from `first` on.
    fn forget(&mut self, slot: DatabaseSlot, first: PageNumber) {
        for index in 0..self.frames.len() {
            let Some(frame) = self.frames.get(index) else { continue };
            if frame.used && frame.slot == slot && frame.page >= first {
                self.index.remove(&key(slot, frame.page));
                self.release(index);
            }
        }
    }

    fn release(&mut self, index: usize) {
        if let Some(frame) = self.frames.get_mut(index) {
            frame.clear();
            self.free.push(index);
        }
    }
}
