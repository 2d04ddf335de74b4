//! A database file as the cache sees it: a row of pages behind two header pages.

use std::sync::Arc;

use ese_format::{LogPosition, PageNumber, PageSize};
use ese_io::File;

use super::{PageCacheError, PageWriteGate};

/// The file of one attached database.
pub(super) struct DatabaseFile {
    pub(super) file: Arc<dyn File>,
    /// Last page of the database; 0 when it has none.
    pub(super) last_page: u32,
    /// Last page that the file has already: it grows when pages behind are written, and before it is made durable.
    pub(super) file_pages: u32,
    /// The log must be durable up to here before it grows.
    pub(super) grown_at: LogPosition,
    /// Whether something was written since the last sync.
    pub(super) unsynced: bool,
    /// Nobody needs it after a crash: it is never synced.
    pub(super) scratch: bool,
    /// Asked before pages are written.
    pub(super) gate: Option<Arc<dyn PageWriteGate>>,
}

impl DatabaseFile {
    pub(super) fn open(file: Arc<dyn File>, size: PageSize) -> Result<Self, PageCacheError> {
        let pages = (file.len()? / u64::from(size.bytes())).saturating_sub(2);
        let last_page = u32::try_from(pages).unwrap_or(u32::MAX).min(PageNumber::MAX.0);
        let grown_at = LogPosition::NONE;
        Ok(Self {
            file,
            last_page,
            file_pages: last_page,
            grown_at,
            unsynced: false,
            scratch: false,
            gate: None,
        })
    }

    pub(super) fn resize(&mut self, last_page: u32, size: PageSize) -> Result<(), PageCacheError> {
        self.file.set_len((u64::from(last_page) + 2) * u64::from(size.bytes()))?;
        self.last_page = last_page;
        self.file_pages = last_page;
        self.unsynced = true;
        Ok(())
    }

    /// Promises the file to grow when the log is durable up to `position`. False where that cannot be promised.
    pub(super) fn grow_later(
        &mut self,
        last_page: u32,
        position: LogPosition,
        size: PageSize,
    ) -> Result<bool, PageCacheError> {
        if last_page < self.last_page
            || !self.file.reserve((u64::from(last_page) + 2) * u64::from(size.bytes()))?
        {
            return Ok(false);
        }
        self.last_page = last_page;
        self.grown_at = self.grown_at.max(position);
        Ok(true)
    }
}
