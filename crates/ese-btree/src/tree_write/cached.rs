//! A page store over the page cache.

use std::sync::Arc;

use ese_format::{DbTime, LogPosition, PageNumber, PageSize};
use ese_io::File;
use ese_log::record::DatabaseSlot;

use super::{PageStore, TreeWriteError};
use crate::page_cache::{Fetched, FrameId, PageCache, PageCacheError};
use crate::page_edit::PageImage;

const SLOT: DatabaseSlot = DatabaseSlot(1);

/// The pages of one database file through a [`PageCache`] of its own; changes are not logged.
pub struct CachedPages {
    cache: PageCache,
    time: DbTime,
}

impl CachedPages {
    /// Pages of `file`, of which about `cache_bytes` are kept in memory. `time` is the highest update counter in use.
    ///
    /// # Errors
    /// When the length of the file cannot be found out.
    pub fn new(
        file: Arc<dyn File>,
        page_size: PageSize,
        cache_bytes: usize,
        time: DbTime,
    ) -> Result<Self, PageCacheError> {
        let mut cache = PageCache::new(page_size, cache_bytes);
        cache.attach(SLOT, file)?;
        Ok(Self { cache, time })
    }

    /// The highest update counter in use.
    #[must_use]
    pub const fn time(&self) -> DbTime {
        self.time
    }

    /// Writes every changed page and makes the file durable.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn flush(&mut self) -> Result<(), PageCacheError> {
        self.cache.flush(SLOT)
    }

    fn fetch(&mut self, number: PageNumber) -> Result<FrameId, TreeWriteError> {
        match self.cache.fetch(SLOT, number)? {
            Fetched::Page(frame) => Ok(frame),
            Fetched::Uninitialized | Fetched::BeyondEnd => Err(TreeWriteError::MissingPage { page: number }),
        }
    }
}

impl PageStore for CachedPages {
    fn page_size(&self) -> PageSize {
        self.cache.page_size()
    }

    fn begin(&mut self) {
        self.cache.begin_operation();
    }

    fn page(&mut self, number: PageNumber) -> Result<PageImage<&[u8]>, TreeWriteError> {
        let frame = self.fetch(number)?;
        Ok(self.cache.page(frame))
    }

    fn page_mut(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError> {
        let frame = self.fetch(number)?;
        Ok(self.cache.page_mut(frame, LogPosition::NONE))
    }

    fn new_page(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError> {
        let frame = self.cache.create(SLOT, number)?;
        Ok(self.cache.page_mut(frame, LogPosition::NONE))
    }

    fn extend(&mut self, last: PageNumber) -> Result<(), TreeWriteError> {
        Ok(self.cache.resize(SLOT, last)?)
    }

    fn next_time(&mut self) -> DbTime {
        self.time = DbTime(self.time.0.saturating_add(1));
        self.time
    }
}
