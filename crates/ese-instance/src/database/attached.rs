//! One attached database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{AttachmentEntry, DatabaseHeader, PageNumber, PageSize, RawDatabaseHeader, Signature};
use ese_io::{File, IoError};
use parking_lot::Mutex;

use super::file::write_database_header;
use super::page_range_locks::PageRangeLocks;

/// A database in a slot of an instance: its open file, locked against others, and its header as it is in memory.
pub struct AttachedDatabase {
    id: u8,
    path: PathBuf,
    file: Arc<dyn File>,
    page_size: PageSize,
    last_page: PageNumber,
    logged: bool,
    header: Mutex<DatabaseHeader>,
    range_locks: PageRangeLocks,
}

impl std::fmt::Debug for AttachedDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttachedDatabase")
            .field("id", &self.id)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl AttachedDatabase {
    pub(crate) fn new(
        id: u8,
        file: Arc<dyn File>,
        header: DatabaseHeader,
        last_page: PageNumber,
        logged: bool,
    ) -> Self {
        Self {
            id,
            path: file.path().to_path_buf(),
            file,
            page_size: header.page_size(),
            last_page,
            logged,
            header: Mutex::new(header),
            range_locks: PageRangeLocks::default(),
        }
    }

    /// Slot, 1 to 6.
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Full path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Page size.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// The last page that the database owns.
    #[must_use]
    pub fn last_page(&self) -> PageNumber {
        self.last_page
    }

    /// Whether its changes are logged, and it takes part in backups.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.logged
    }

    /// The header as it is in memory.
    #[must_use]
    pub fn header(&self) -> DatabaseHeader {
        self.header.lock().clone()
    }

    /// Changes the header in memory.
    pub fn change_header<R>(&self, change: impl FnOnce(&mut RawDatabaseHeader) -> R) -> R {
        change(&mut self.header.lock())
    }

    /// Writes the header to disk, both copies, under the fresh signature of a header write.
    ///
    /// # Errors
    /// A storage error.
    pub fn write_header(&self, signature: Signature) -> Result<(), IoError> {
        let mut header = self.header.lock();
        header.set_header_flush_signature(signature);
        write_database_header(&*self.file, &header)
    }

    /// The entry that log headers and checkpoints list while the database is attached.
    #[must_use]
    pub fn attachment_entry(&self) -> AttachmentEntry {
        let header = self.header.lock();
        let mut entry = AttachmentEntry::new(self.id, &self.path.to_string_lossy());
        entry.fixed.set_db_time(header.db_time());
        entry.fixed.set_last_object_id(header.last_object_id());
        entry.fixed.set_attach_position(header.attach_position());
        entry.fixed.set_consistent_position(header.consistent_position());
        entry.fixed.set_signature(header.signature());
        entry
    }

    /// Keeps writers out of pages that are being read for a backup.
    #[must_use]
    pub fn range_locks(&self) -> &PageRangeLocks {
        &self.range_locks
    }
}
