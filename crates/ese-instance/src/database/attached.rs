//! One attached database.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use ese_btree::live::{LiveTrees, SlotFacts};
use ese_format::{
    AttachmentEntry, DatabaseHeader, DatabaseVersion, LogPosition, PageNumber, PageSize, RawDatabaseHeader,
    Signature,
};
use ese_io::{File, IoError, IoErrorKind, Operation};
use ese_log::record::{DatabaseSlot, SessionId};
use parking_lot::{Mutex, RwLock};

use super::file::write_database_header;
use super::page_range_locks::PageRangeLocks;
use crate::error::InstanceError;
use crate::maintenance::Maintenance;
use crate::schema::SchemaCache;

/// What may be done to an attached database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttachKind {
    /// Changes are logged.
    Logged,
    /// Changes are not logged.
    Unlogged,
    /// There are no changes.
    ReadOnly,
}

impl AttachKind {
    pub(crate) const fn of(logged: bool) -> Self {
        if logged { Self::Logged } else { Self::Unlogged }
    }
}

/// A database in a slot of an instance: its open file, locked against others, and its header as it is in memory.
pub struct AttachedDatabase {
    id: u8,
    path: PathBuf,
    /// `None` when the instance has ended, whoever still has this.
    file: RwLock<Option<Arc<dyn File>>>,
    page_size: PageSize,
    last_page: PageNumber,
    kind: AttachKind,
    /// Where the database was consistent when it was attached: the end of the run writes another position into the header.
    consistent_before: LogPosition,
    header: Mutex<DatabaseHeader>,
    range_locks: Arc<PageRangeLocks>,
    /// Whose pages are the newer ones. They know the log, which knows this.
    trees: Weak<LiveTrees>,
    schemas: SchemaCache,
    maintenance: Maintenance,
    opens: Mutex<Opens>,
}

/// Which sessions have the database open.
#[derive(Debug, Default)]
struct Opens {
    sessions: Vec<SessionId>,
    exclusive: Option<SessionId>,
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
        kind: AttachKind,
        trees: &Arc<LiveTrees>,
    ) -> Self {
        Self {
            id,
            path: file.path().to_path_buf(),
            file: RwLock::new(Some(file)),
            page_size: header.page_size(),
            last_page,
            kind,
            consistent_before: header.consistent_position(),
            header: Mutex::new(header),
            range_locks: Arc::default(),
            trees: Arc::downgrade(trees),
            schemas: SchemaCache::default(),
            maintenance: Maintenance::default(),
            opens: Mutex::default(),
        }
    }

    /// Format of the database.
    pub(crate) fn version(&self) -> DatabaseVersion {
        self.header.lock().version()
    }

    /// Slot, as trees and log name it.
    pub(crate) fn slot(&self) -> DatabaseSlot {
        DatabaseSlot(self.id)
    }

    /// Work on the whole database that is under way.
    pub(crate) fn maintenance(&self) -> &Maintenance {
        &self.maintenance
    }

    /// The tables that were looked at.
    pub(crate) fn schemas(&self) -> &SchemaCache {
        &self.schemas
    }

    /// What keeps writers out of pages that are being read.
    pub(crate) fn range_locks_shared(&self) -> Arc<PageRangeLocks> {
        Arc::clone(&self.range_locks)
    }

    /// Opens the database for a session; `exclusive`: for this session only.
    ///
    /// # Errors
    /// `DatabaseLocked` when another session has it for itself, `DatabaseInUse` when it is to be exclusive and is open.
    pub(crate) fn open(&self, session: SessionId, exclusive: bool) -> Result<(), InstanceError> {
        let opens = &mut *self.opens.lock();
        if opens.exclusive.is_some_and(|other| other != session) {
            return Err(InstanceError::DatabaseLocked { path: self.path.clone() });
        }
        if exclusive {
            if !opens.sessions.is_empty() {
                return Err(InstanceError::DatabaseInUse { path: self.path.clone() });
            }
            opens.exclusive = Some(session);
        }
        opens.sessions.push(session);
        Ok(())
    }

    /// Closes what [`open`](Self::open) opened.
    pub(crate) fn close(&self, session: SessionId) {
        let opens = &mut *self.opens.lock();
        if let Some(place) = opens.sessions.iter().position(|s| *s == session) {
            opens.sessions.swap_remove(place);
        }
        // The original has one mark for all openings of a session, too.
        if opens.exclusive == Some(session) {
            opens.exclusive = None;
        }
    }

    /// Whether a session has the database for itself.
    pub(crate) fn is_exclusive_to(&self, session: SessionId) -> bool {
        self.opens.lock().exclusive == Some(session)
    }

    /// Whether a session has the database, or a table of it, open.
    pub(crate) fn is_open(&self) -> bool {
        !self.opens.lock().sessions.is_empty() || self.schemas.cursors() > 0
    }

    /// Brings the counters of the header in memory up to what the pages have.
    pub(crate) fn refresh_counters(&self) {
        // The trees are asked before the header is locked: the log rolls, and writes headers, while they are locked.
        if let Some(facts) = self.facts() {
            let mut header = self.header.lock();
            let (time, object) = (header.db_time(), header.last_object_id());
            header.set_db_time(time.max(facts.db_time));
            header.set_last_object_id(object.max(facts.last_object_id));
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
    ///
    /// # Errors
    /// Access is denied when the instance has ended: the file is no longer its own.
    pub fn file(&self) -> Result<Arc<dyn File>, IoError> {
        let file = self.file.read().clone();
        file.ok_or_else(|| IoError::new(Operation::Open, IoErrorKind::AccessDenied, &self.path))
    }

    /// Lets others have the file, whatever handles of sessions are still around.
    pub(crate) fn release(&self) {
        self.file.write().take();
    }

    /// Page size.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// The last page that the database owns.
    #[must_use]
    pub fn last_page(&self) -> PageNumber {
        self.facts().map_or(self.last_page, |facts| facts.last_page.max(self.last_page))
    }

    fn facts(&self) -> Option<SlotFacts> {
        self.trees.upgrade()?.facts(self.slot()).ok()
    }

    /// Whether its changes are logged, and it takes part in backups.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.kind == AttachKind::Logged
    }

    /// Whether nothing of it may change, not even its header.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.kind == AttachKind::ReadOnly
    }

    /// The header as it is in memory.
    #[must_use]
    pub fn header(&self) -> DatabaseHeader {
        self.refresh_counters();
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
        let file = self.file()?;
        let mut header = self.header.lock();
        header.set_header_flush_signature(signature);
        write_database_header(&*file, &header)
    }

    /// The entry that a log header or a checkpoint at `position` lists: `None` when the database is attached behind it, or
    /// detached in front of it.
    #[must_use]
    pub fn attachment_entry(&self, position: LogPosition) -> Option<AttachmentEntry> {
        let header = self.header.lock();
        let detached = header.detach_position();
        if header.attach_position() >= position || (!detached.is_none() && detached < position) {
            return None;
        }
        let mut entry = AttachmentEntry::new(self.id, &self.path.to_string_lossy());
        entry.fixed.set_db_time(header.db_time());
        entry.fixed.set_last_object_id(header.last_object_id());
        entry.fixed.set_attach_position(header.attach_position());
        entry.fixed.set_consistent_position(self.consistent_before);
        entry.fixed.set_signature(header.signature());
        Some(entry)
    }

    /// Changes the header in memory while the database is attached, and writes it. What is clean already stays so: it is
    /// about to leave the list of those that follow the log.
    pub(crate) fn follow_log(
        &self,
        signature: Signature,
        change: impl FnOnce(&mut RawDatabaseHeader),
    ) -> Result<(), IoError> {
        let file = self.file()?;
        let mut header = self.header.lock();
        if !header.detach_position().is_none() {
            return Ok(());
        }
        change(&mut header);
        header.set_header_flush_signature(signature);
        write_database_header(&*file, &header)
    }

    /// Keeps writers out of pages that are being read for a backup.
    #[must_use]
    pub fn range_locks(&self) -> &PageRangeLocks {
        &self.range_locks
    }
}
