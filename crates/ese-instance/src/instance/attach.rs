//! Attach and detach of existing, clean databases.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_btree::PageWriteGate;
use ese_btree::live::{LiveTrees, SlotFacts};
use ese_format::{
    AttachmentEntry, DatabaseHeader, EngineFormatSetting, JetError, LogGeneration, LogPosition, PageNumber,
};
use ese_io::{File, IoError, IoErrorKind, Lock, OpenMode, OpenOptions};
use ese_log::record::{
    AttachDatabase, DatabaseRecordFlags, DatabaseSlot, DetachDatabase, Record, SessionId, SetDatabaseVersion,
};

use super::Instance;
use super::paths::{absolute, database_path};
use crate::call_error::CallError;
use crate::database::{
    AttachFacts, AttachKind, AttachedDatabase, DetachFacts, apply_attach, apply_attach_unlogged,
    apply_detach, last_owned_page, read_database_header,
};
use crate::error::InstanceError;
use crate::event::EventId;
use crate::log::InstanceLog;
use crate::parameter::ParameterId;
use crate::session::{DatabaseFlags, DatabaseStatus};
use crate::state::{EntryError, SessionCall};

/// Slots for databases: 1 to 6; 0 is the temporary database's.
const LAST_SLOT: u8 = 6;
/// The session that attaches and detaches.
pub(crate) const SESSION: SessionId = SessionId(5);
/// From this minor update on a database's version is logged.
pub(crate) const UPDATE_WITH_VERSION_RECORD: u32 = 20;

/// How a database is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachOptions {
    /// For reading: nothing is logged, the file stays as it is.
    #[doc(alias = "JET_bitDbReadOnly")]
    pub read_only: bool,
    /// Limit of the size in pages; 0 for none.
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub largest_page_count: u32,
    /// The other options of the engine's call.
    pub flags: DatabaseFlags,
}

impl AttachOptions {
    /// As the engine's call is told.
    #[must_use]
    pub const fn from_flags(flags: DatabaseFlags) -> Self {
        Self { read_only: flags.contains(DatabaseFlags::READ_ONLY), largest_page_count: 0, flags }
    }

    /// The same, for reading.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The same with a limit of the size in pages.
    #[must_use]
    pub const fn largest_page_count(mut self, pages: u32) -> Self {
        self.largest_page_count = pages;
        self
    }
}

impl Instance {
    /// Attaches a cleanly closed database and returns its slot. A database that is attached already keeps its slot.
    ///
    /// Its header goes dirty, with the current log generation as the first one it needs; the file stays open under an
    /// exclusive lock.
    ///
    /// # Errors
    /// Refused at the door; `BackupInProgress`; `TooManyAttachedDatabases`; a storage error (`InUse` when another
    /// process has it); `Header` with the reason a header cannot be attached; `Space`, `DatabaseTooShort`,
    /// `ZeroCounter`; a failure of the log.
    #[doc(alias = "JetAttachDatabase")]
    pub fn attach(&self, path: &Path) -> Result<u8, InstanceError> {
        self.attach_with(path, &AttachOptions::default())
    }

    /// Refuses options that do not go together, and paths that are none.
    fn check_attach(path: &Path, options: &AttachOptions) -> Result<PathBuf, InstanceError> {
        if options.flags.contains(DatabaseFlags::VERSIONING_OFF) {
            return Err(CallError::VersioningNeeded.into());
        }
        if path.as_os_str().is_empty() {
            return Err(InstanceError::DatabaseInvalidPath { path: path.to_path_buf() });
        }
        if options.read_only && options.flags.contains(DatabaseFlags::DELETE_UNICODE_INDEXES) {
            return Err(CallError::InvalidFlags { bits: options.flags.bits() }.into());
        }
        database_path(path)
    }

    /// As [`attach`](Self::attach), with options.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    #[doc(alias = "JetAttachDatabase2")]
    pub fn attach_with(&self, path: &Path, options: &AttachOptions) -> Result<u8, InstanceError> {
        Ok(self.attach_or_find(path, options)?.0)
    }

    /// As [`attach_with`](Self::attach_with); says whether the database was attached before.
    pub(crate) fn attach_or_find(
        &self,
        path: &Path,
        options: &AttachOptions,
    ) -> Result<(u8, DatabaseStatus), InstanceError> {
        let _call = self.enter(|s| s.check_session(SessionCall::Ordinary))?;
        let path = Self::check_attach(path, options)?;
        let _guard = self.backup_gate().begin_attach()?;
        let _slots = self.shared.slots.lock();
        let databases = self.databases();
        if let Some(database) = databases.iter().find(|d| d.path() == path) {
            return Ok((database.id(), DatabaseStatus::AlreadyAttached));
        }
        let slot = self.free_slot(&path)?;
        // Through the system's cache: what is there already is read four times as fast as from the disk.
        let open = if options.read_only {
            OpenOptions::READ.lock(Lock::Shared)
        } else {
            OpenOptions::new(OpenMode::ReadWrite).lock(Lock::Exclusive).direct_writes()
        };
        let creates_paths = self.parameters().on(ParameterId::CREATE_PATH_IF_NOT_EXIST);
        let file = self.environment().storage.open(&path, open).map_err(|error| match error.kind {
            // A directory that could be made is not what is missing.
            IoErrorKind::InvalidPath if creates_paths => IoError { kind: IoErrorKind::NotFound, ..error },
            _ => error,
        })?;
        let (header, last_page) = self.check_database(&*file)?;
        let _hold = self.log().map(|log| log.hold_checkpoint());
        let attached = self.attach_opened(slot, file, header, last_page, options);
        if attached.is_err()
            && let Some(running) = &*self.shared.running.read()
        {
            running.share_databases();
        }
        attached.map(|()| (slot, DatabaseStatus::Done))
    }

    fn attach_opened(
        &self,
        slot: u8,
        file: Arc<dyn File>,
        header: DatabaseHeader,
        last_page: PageNumber,
        options: &AttachOptions,
    ) -> Result<(), InstanceError> {
        let database = match self.log() {
            _ if options.read_only => {
                let trees = self.trees()?;
                Arc::new(AttachedDatabase::new(slot, file, header, last_page, AttachKind::ReadOnly, &trees))
            }
            Some(log) => self.attach_logged(&log, slot, file, header, last_page)?,
            None => self.attach_unlogged(slot, file, header, last_page)?,
        };
        // The file ends where the database does, from now on.
        let end = last_page.file_offset(database.page_size()) + u64::from(database.page_size().bytes());
        let file = database.file()?;
        if !options.read_only && file.len()? > end {
            file.set_len(end)?;
        }
        self.put_into_trees(&database, options.largest_page_count)?;
        self.events()
            .report(EventId::ATTACH_DATABASE_DONE, [slot.to_string(), database.path().display().to_string()]);
        self.add_database(database)
    }

    /// A slot that no database has.
    pub(crate) fn free_slot(&self, path: &Path) -> Result<u8, InstanceError> {
        let databases = self.databases();
        (1..=LAST_SLOT)
            .find(|slot| databases.iter().all(|d| d.id() != *slot))
            .ok_or_else(|| InstanceError::TooManyAttachedDatabases { path: path.to_path_buf() })
    }

    /// Lets the trees work on a database.
    pub(crate) fn put_into_trees(
        &self,
        database: &Arc<AttachedDatabase>,
        largest_page_count: u32,
    ) -> Result<(), InstanceError> {
        let (trees, _) = self.live().ok_or(EntryError::NotInitialized)?;
        let header = database.header();
        let mut facts = SlotFacts::new(header.db_time(), header.last_object_id());
        facts.logged = database.is_logged();
        facts.read_only = database.is_read_only();
        facts.largest_page = (largest_page_count != 0).then_some(PageNumber(largest_page_count));
        facts.gate = Some(database.range_locks_shared() as Arc<dyn PageWriteGate>);
        trees.attach(database.slot(), database.file()?, facts)?;
        Ok(())
    }

    /// A database is attached: the log keeps its header up to date. It may have been rolled since the record that says so.
    pub(crate) fn add_database(&self, database: Arc<AttachedDatabase>) -> Result<(), InstanceError> {
        if let Some(running) = &mut *self.shared.running.write() {
            running.databases.retain(|d| d.id() != database.id());
            running.databases.push(Arc::clone(&database));
            running.databases.sort_by_key(|d| d.id());
            running.share_databases();
        }
        match self.log().filter(|_| database.is_logged()) {
            Some(log) => log.raise_range(&database).inspect_err(|error| self.set_fatal(error.jet_error())),
            None => Ok(()),
        }
    }

    /// Whether the file can be attached, and where the database ends.
    fn check_database(&self, file: &dyn File) -> Result<(DatabaseHeader, PageNumber), InstanceError> {
        let path = || file.path().to_path_buf();
        let header = read_database_header(file)?.header;
        header.check_attachable(Some(self.parameters().page_size())).map_err(|error| {
            if error.jet_error() == JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE {
                self.events()
                    .report(EventId::BACKUP_SET_DATABASE_ATTACHED, [file.path().display().to_string()]);
            }
            InstanceError::Header { path: path(), error }
        })?;
        let number = self.parameters().number(ParameterId::ENGINE_FORMAT_VERSION);
        let setting = EngineFormatSetting::from_parameter(u32::try_from(number).unwrap_or(u32::MAX));
        if let EngineFormatSetting::Exactly(version) = setting
            && version.versions().is_ok_and(|known| known.database < header.version())
        {
            return Err(InstanceError::FormatTooHigh { path: path() });
        }
        for (field, zero) in
            [("dbtimeDirtied", header.db_time().0 == 0), ("objidLast", header.last_object_id().0 == 0)]
        {
            if zero {
                return Err(InstanceError::ZeroCounter { path: path(), field });
            }
        }
        let last_page = last_owned_page(file, header.page_size())?;
        let expected = last_page.file_offset(header.page_size()) + u64::from(header.page_size().bytes());
        let found = file.len()?;
        if found < expected {
            return Err(InstanceError::DatabaseTooShort { path: path(), last_page, expected, found });
        }
        Ok((header, last_page))
    }

    /// The trees of the running instance.
    pub(crate) fn trees(&self) -> Result<Arc<LiveTrees>, InstanceError> {
        let (trees, _) = self.live().ok_or(EntryError::NotInitialized)?;
        Ok(trees)
    }

    fn attach_logged(
        &self,
        log: &Arc<InstanceLog>,
        slot: u8,
        file: Arc<dyn File>,
        mut header: DatabaseHeader,
        last_page: PageNumber,
    ) -> Result<Arc<AttachedDatabase>, InstanceError> {
        // Positions of another stream mean nothing in this one.
        let same_stream = header.log_signature() == log.signature();
        let time = self.environment().now();
        let path = logged_path(file.path());
        let record = Record::AttachDatabase(AttachDatabase {
            session: SESSION,
            database: DatabaseSlot(slot),
            largest_page_count: 0,
            consistent: if same_stream { header.consistent_position() } else { LogPosition::NONE },
            signature: header.signature(),
            log_signature: header.log_signature(),
            flags: DatabaseRecordFlags::WIDE_PATH,
            path: &path,
        });
        let mut entry = AttachmentEntry::new(slot, &file.path().to_string_lossy());
        entry.fixed.set_db_time(header.db_time());
        entry.fixed.set_last_object_id(header.last_object_id());
        entry.fixed.set_signature(header.signature());
        entry.fixed.set_consistent_position(if same_stream {
            header.consistent_position()
        } else {
            LogPosition::NONE
        });
        let (position, _announced) = log.append_attachment(&record, slot, entry)?;
        apply_attach(
            &mut header,
            &AttachFacts {
                database_id: u32::from(slot),
                position,
                time,
                log_signature: log.signature(),
                generation: LogGeneration(position.generation),
                generation_created: log.generation_created(),
            },
        );
        let version = header.version();
        let database = Arc::new(AttachedDatabase::new(
            slot,
            file,
            header,
            last_page,
            AttachKind::Logged,
            &self.trees()?,
        ));
        // The log says attached: a header that cannot follow leaves the two apart.
        database
            .write_header(self.environment().new_signature())
            .inspect_err(|e| self.set_fatal(ese_log::storage_jet_error(e)))?;
        log.add_database(&database);
        if version.update_minor >= UPDATE_WITH_VERSION_RECORD && log.has_version_record() {
            log.append(&Record::SetDatabaseVersion(SetDatabaseVersion {
                database: DatabaseSlot(slot),
                major: version.format,
                update_major: version.update_major,
                update_minor: version.update_minor,
            }))?;
            log.flush()?;
        }
        Ok(database)
    }

    fn attach_unlogged(
        &self,
        slot: u8,
        file: Arc<dyn File>,
        mut header: DatabaseHeader,
        last_page: PageNumber,
    ) -> Result<Arc<AttachedDatabase>, InstanceError> {
        apply_attach_unlogged(
            &mut header,
            u32::from(slot),
            self.environment().now(),
            self.environment().new_signature(),
        );
        let database = Arc::new(AttachedDatabase::new(
            slot,
            file,
            header,
            last_page,
            AttachKind::Unlogged,
            &self.trees()?,
        ));
        database.write_header(self.environment().new_signature())?;
        Ok(database)
    }

    /// Detaches a database: its header becomes clean, its file is closed.
    ///
    /// # Errors
    /// Refused at the door; `BackupInProgress`; `DatabaseNotFound`; `DatabaseInUse` while a session has it open, or changes
    /// it; a storage error or a failure of the log, which make
    /// the instance unavailable when the header could not follow the log.
    #[doc(alias = "JetDetachDatabase")]
    pub fn detach(&self, path: &Path) -> Result<(), InstanceError> {
        let _call = self.enter(|s| s.check_session(SessionCall::WindingDown))?;
        let _guard = self.backup_gate().begin_attach()?;
        let _slots = self.shared.slots.lock();
        let path = absolute(path)?;
        let database = self
            .databases()
            .into_iter()
            .find(|d| d.path() == path)
            .ok_or(InstanceError::DatabaseNotFound { path })?;
        database.maintenance().stop();
        let (trees, sessions) = self.live().ok_or(EntryError::NotInitialized)?;
        if database.is_open() || sessions.all().iter().any(|s| s.has_changed(database.slot())) {
            return Err(InstanceError::DatabaseInUse { path: database.path().to_path_buf() });
        }
        let facts = trees.detach(database.slot())?;
        let time = self.environment().now();
        let position = match self.log().filter(|_| database.is_logged()) {
            Some(log) => {
                let position = log.append(&Record::DetachDatabase(DetachDatabase {
                    session: SESSION,
                    database: DatabaseSlot(database.id()),
                    flags: DatabaseRecordFlags::SPARSE_OR_WIDE_DETACH,
                    path: &logged_path(database.path()),
                }))?;
                log.flush()?;
                position
            }
            None => LogPosition::NONE,
        };
        let before = database.header();
        database.change_header(|h| {
            let detached = DetachFacts {
                position,
                time,
                db_time: before.db_time().max(facts.db_time),
                last_object_id: before.last_object_id().max(facts.last_object_id),
            };
            apply_detach(h, &detached);
        });
        if !database.is_read_only() {
            database
                .write_header(self.environment().new_signature())
                .inspect_err(|e| self.set_fatal(ese_log::storage_jet_error(e)))?;
        }
        if let Some(running) = &mut *self.shared.running.write() {
            running.databases.retain(|d| d.id() != database.id());
            running.share_databases();
        }
        // Closed handles may still be around.
        database.release();
        self.events().report(
            EventId::DETACH_DATABASE_DONE,
            [database.id().to_string(), database.path().display().to_string()],
        );
        Ok(())
    }
}

/// A path as records store it: UTF-16LE with terminator.
pub(crate) fn logged_path(path: &Path) -> Vec<u8> {
    path.to_string_lossy().encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
