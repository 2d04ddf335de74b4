//! A database file as the cache sees it: a row of pages behind two header pages.

use std::sync::Arc;

use ese_format::{PageNumber, PageSize};
use ese_io::File;

use super::{PageCacheError, PageWriteGate};

/// The file of one attached database.
pub(super) struct DatabaseFile {
    pub(super) file: Arc<dyn File>,
    /// Last page of the file; 0 when it has none.
    pub(super) last_page: u32,
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
        Ok(Self { file, last_page, unsynced: false, scratch: false, gate: None })
    }

    pub(super) fn resize(&mut self, last_page: u32, size: PageSize) -> Result<(), PageCacheError> {
        self.file.set_len((u64::from(last_page) + 2) * u64::from(size.bytes()))?;
        self.last_page = last_page;
        self.unsynced = true;
        Ok(())
    }
}
