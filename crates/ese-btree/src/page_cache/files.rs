//! The files of a cache: attached, made longer and shorter, given up.

use std::sync::Arc;

use ese_format::{LogPosition, PageNumber};
use ese_io::File;
use ese_log::record::DatabaseSlot;

use super::file::DatabaseFile;
use super::{PageCache, PageCacheError, key};

impl PageCache {
    /// Puts `file` into `slot`.
    ///
    /// # Errors
    /// When the file's length cannot be had.
    pub fn attach(&mut self, slot: DatabaseSlot, file: Arc<dyn File>) -> Result<(), PageCacheError> {
        self.refuse_lent()?;
        self.settle_writes();
        let opened = DatabaseFile::open(file, self.size)?;
        let index = usize::from(slot.0);
        if self.files.len() <= index {
            self.files.resize_with(index + 1, || None);
        }
        self.forget(slot, PageNumber(0));
        if let Some(prefetch) = &self.prefetch {
            prefetch.set_file(slot, Some((Arc::clone(&opened.file), opened.last_page)));
        }
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
        self.settle_writes();
        self.forget(slot, PageNumber(0));
        if let Some(prefetch) = &self.prefetch {
            prefetch.set_file(slot, None);
        }
        if let Some(place) = self.files.get_mut(usize::from(slot.0)) {
            *place = None;
        }
    }

    pub(super) fn file(&self, slot: DatabaseSlot) -> Result<&DatabaseFile, PageCacheError> {
        self.files.get(usize::from(slot.0)).and_then(Option::as_ref).ok_or(PageCacheError::NotAttached(slot))
    }

    pub(super) fn file_mut(&mut self, slot: DatabaseSlot) -> Result<&mut DatabaseFile, PageCacheError> {
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
        self.refuse_lent()?;
        self.settle_writes();
        self.forget(slot, PageNumber(last.0.saturating_add(1)));
        self.set_length(slot, last)
    }

    /// Makes the database end with `last`, as [`resize`](Self::resize) to more pages does, and the file when it is written
    /// there or made durable, which is not before the log is durable up to `position`. False, and nothing was done, where the
    /// storage cannot promise the space.
    ///
    /// # Errors
    /// As [`resize`](Self::resize).
    pub(crate) fn grow_later(
        &mut self,
        slot: DatabaseSlot,
        last: PageNumber,
        position: LogPosition,
    ) -> Result<bool, PageCacheError> {
        if last > PageNumber::MAX {
            return Err(PageCacheError::PageNumber { slot, page: last });
        }
        let size = self.size;
        self.file_mut(slot)?.grow_later(last.0, position, size)
    }

    /// Gives the file the length that it was promised.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub(crate) fn settle_length(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        let file = self.file(slot)?;
        if file.file_pages >= file.last_page {
            return Ok(());
        }
        let (last, position) = (PageNumber(file.last_page), file.grown_at);
        if let Some(log) = &self.write_ahead {
            log.before_write(slot, position)?;
        }
        self.set_length(slot, last)
    }

    pub(super) fn set_length(&mut self, slot: DatabaseSlot, last: PageNumber) -> Result<(), PageCacheError> {
        self.refuse_lent()?;
        let size = self.size;
        let prefetch = self.prefetch.clone();
        let file = self.file_mut(slot)?;
        let before = file.last_page;
        file.resize(last.0, size)?;
        if let Some(prefetch) = prefetch {
            prefetch.set_file(slot, Some((Arc::clone(&file.file), last.0)));
            prefetch.forget(slot, PageNumber(last.0.min(before).saturating_add(1)), PageNumber(u32::MAX));
        }
        Ok(())
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
        self.refuse_lent()?;
        self.settle_writes();
        let last = last.min(self.last_page(slot)?);
        self.forget_spilled(slot, first, last);
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
        if let Some(prefetch) = &self.prefetch {
            prefetch.forget(slot, first, last);
        }
        Ok(())
    }

    /// Drops the buffers of pages from `first` on.
    pub(super) fn forget(&mut self, slot: DatabaseSlot, first: PageNumber) {
        self.forget_spilled(slot, first, PageNumber(u32::MAX));
        for index in 0..self.frames.len() {
            let Some(frame) = self.frames.get(index) else { continue };
            if frame.used && frame.slot == slot && frame.page >= first {
                self.index.remove(&key(slot, frame.page));
                self.release(index);
            }
        }
    }
}
