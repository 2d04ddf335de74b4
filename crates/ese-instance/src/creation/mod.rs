//! Creating a database in a running instance: every page of it is logged, so that the log alone brings it back.
//!
//! Order, as the original has it: the record of the creation; the header, which makes the file; the root of the space; the
//! catalog and its shadow with their indexes and the rows about themselves; the record of the format version; the record of the
//! end; then, as ordinary tables, the map of object ids and the list of locales. A crash before the end is finished by
//! recovery, or leaves a file that is marked as incomplete.

mod system;

use std::path::Path;
use std::sync::Arc;

use ese_format::{
    AttachmentEntry, DatabaseHeader, DatabaseState, DbTime, EngineFormatSetting, EngineFormatVersion,
    LogGeneration, LogPosition, ObjectId, PageNumber,
};
use ese_io::{IoErrorKind, Lock, OpenMode, OpenOptions, parent_directory};
use ese_log::record::{
    CreateDatabase, CreateDatabaseFinish, CreateDatabaseVersion, DatabaseRecordFlags, DatabaseSlot, Record,
    SetDatabaseVersion,
};
use ese_log::storage_jet_error;

use crate::builder::system::INITIAL_PAGES;
use crate::call_error::CallError;
use crate::database::{AttachKind, AttachedDatabase};
use crate::error::InstanceError;
use crate::event::EventId;
use crate::instance::Instance;
use crate::log::{Announcement, InstanceLog};
use crate::parameter::ParameterId;
use crate::session::{DatabaseFlags, SessionCallGuard};
use crate::state::SessionCall;

/// Value of the header field that says that sort versions are kept in a table.
const SORT_VERSIONS_IN_TABLE: u64 = u64::MAX;
/// The kind of creation of which the log holds everything.
const LOGGED_CREATION: u16 = 2;
/// Option bit of the engine's call: a file that is there is overwritten.
#[doc(alias = "JET_bitDbOverwriteExisting")]
const OVERWRITE: u32 = 0x200;

/// How a database is to be created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOptions {
    /// A file that is there goes.
    #[doc(alias = "JET_bitDbOverwriteExisting")]
    pub overwrite: bool,
    /// Limit of the size in pages; 0 for none.
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub largest_page_count: u32,
    /// The other options of the engine's call.
    pub flags: DatabaseFlags,
}

impl CreateOptions {
    /// As the engine's call is told.
    #[must_use]
    pub const fn from_flags(flags: DatabaseFlags) -> Self {
        let overwrite = flags.contains(DatabaseFlags::OVERWRITE_EXISTING);
        Self { overwrite, largest_page_count: 0, flags }
    }

    /// Whether changes of the database are logged, where anything is.
    const fn is_logged(&self) -> bool {
        !self.flags.contains(DatabaseFlags::RECOVERY_OFF)
    }

    /// The same, and a file that is there goes.
    #[must_use]
    pub const fn overwrite(mut self) -> Self {
        self.overwrite = true;
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
    /// Creates a database, and leaves it attached.
    ///
    /// # Errors
    /// Refused at the door; as [`Session::create_database`](crate::Session::create_database).
    #[doc(alias = "JetCreateDatabase")]
    pub fn create_database(&self, path: &Path, options: &CreateOptions) -> Result<(), InstanceError> {
        let session = self.begin_session()?;
        let mut call = session.shared.enter(SessionCall::Ordinary)?;
        self.create_database_in(&mut call, path, options)?;
        Ok(())
    }

    /// As [`create_database`](Self::create_database) in a session; the slot.
    ///
    /// # Errors
    /// `DatabaseInvalidPath`, `DatabaseDuplicate` (a file is there, or it is attached), `TooManyAttachedDatabases`, a storage
    /// error; a failure once the creation is in the log makes the instance unavailable.
    pub(crate) fn create_database_in(
        &self,
        call: &mut SessionCallGuard<'_>,
        path: &Path,
        options: &CreateOptions,
    ) -> Result<u8, InstanceError> {
        call.check_no_transaction()?;
        if options.flags.contains(DatabaseFlags::VERSIONING_OFF) && options.is_logged() {
            return Err(CallError::VersioningNeeded.into());
        }
        if path.as_os_str().is_empty() {
            return Err(InstanceError::DatabaseInvalidPath { path: path.to_path_buf() });
        }
        let _slots = self.lock_slots();
        let path = crate::instance::database_path(path)?;
        if self.databases().iter().any(|d| d.path() == path) {
            return Err(InstanceError::DatabaseDuplicate { path });
        }
        let slot = self.free_slot(&path)?;
        let storage = Arc::clone(&self.environment().storage);
        if self.parameters().on(ParameterId::CREATE_PATH_IF_NOT_EXIST)
            && let Some(directory) = path.parent()
        {
            crate::instance::create_directories(&*storage, directory)?;
        }
        if storage.exists(&path)? {
            if !options.overwrite {
                return Err(InstanceError::DatabaseDuplicate { path });
            }
            storage.remove(&path)?;
        }
        let format = self.new_format()?;
        let header = self.new_header(slot);
        let _hold = self.log().map(|log| log.hold_checkpoint());
        let (position, _announced) = self.log_creation(call, &header, &path, slot, options)?;
        // The log says that the database is there: a file that cannot follow leaves the two apart.
        self.make(call, &path, slot, header, position, format, options)
            .inspect_err(|error| self.set_fatal(error.jet_error()))
    }

    /// The log, if the database is logged.
    fn log_of(&self, options: &CreateOptions) -> Option<Arc<InstanceLog>> {
        self.log().filter(|_| options.is_logged())
    }

    /// The format of new databases.
    fn new_format(&self) -> Result<EngineFormatVersion, InstanceError> {
        let number = self.parameters().number(ParameterId::ENGINE_FORMAT_VERSION);
        match EngineFormatSetting::from_parameter(u32::try_from(number).unwrap_or(u32::MAX)) {
            EngineFormatSetting::EngineDefault => Ok(EngineFormatVersion::NEWEST),
            EngineFormatSetting::Exactly(version) | EngineFormatSetting::AtLeast(version) => Ok(version),
            EngineFormatSetting::UsePersisted => {
                Err(InstanceError::InvalidSettings { reason: "a new database has no format yet to go by" })
            }
        }
    }

    fn new_header(&self, slot: u8) -> DatabaseHeader {
        let now = self.environment().now();
        let mut header = DatabaseHeader::new(self.parameters().page_size());
        header.set_state(DatabaseState::JUST_CREATED);
        header.set_signature(self.environment().new_signature());
        header.set_database_id(u32::from(slot));
        header.set_db_time(DbTime::START);
        header.set_last_object_id(ObjectId(0));
        header.set_attach_time(now);
        header.set_os_major(10);
        header.set_os_build(17763);
        header.set_sort_version(SORT_VERSIONS_IN_TABLE);
        header
    }

    fn log_creation(
        &self,
        call: &SessionCallGuard<'_>,
        header: &DatabaseHeader,
        path: &Path,
        slot: u8,
        options: &CreateOptions,
    ) -> Result<(LogPosition, Option<Announcement>), InstanceError> {
        let Some(log) = self.log_of(options) else { return Ok((LogPosition::NONE, None)) };
        let mut entry = AttachmentEntry::new(slot, &path.to_string_lossy());
        entry.fixed.set_db_time(header.db_time());
        entry.fixed.set_last_object_id(header.last_object_id());
        entry.fixed.set_signature(header.signature());
        let path = crate::instance::logged_path(path);
        let record = Record::CreateDatabase(CreateDatabase {
            session: call.session.id,
            database: DatabaseSlot(slot),
            options: if options.overwrite { OVERWRITE } else { 0 },
            largest_page_count: options.largest_page_count,
            signature: header.signature(),
            flags: DatabaseRecordFlags::WIDE_PATH,
            version: Some(CreateDatabaseVersion { version: LOGGED_CREATION, update_major: 0 }),
            path: &path,
        });
        let (position, announced) = log.append_attachment(&record, slot, entry)?;
        Ok((position, Some(announced)))
    }

    /// Everything behind the record.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call, taken apart for its length only")]
    fn make(
        &self,
        call: &mut SessionCallGuard<'_>,
        path: &Path,
        slot: u8,
        mut header: DatabaseHeader,
        position: LogPosition,
        format: EngineFormatVersion,
        options: &CreateOptions,
    ) -> Result<u8, InstanceError> {
        let log = self.log_of(options);
        if let Some(log) = &log {
            header.set_log_signature(log.signature());
            header.set_attach_position(position);
            let generation = LogGeneration(position.generation);
            header.set_min_required(generation);
            header.set_min_consistent(generation);
            header.set_max_required(generation);
            header.set_max_committed(generation);
            header.set_max_committed_create_time(log.generation_created());
        }
        let storage = Arc::clone(&self.environment().storage);
        let new = OpenOptions::new(OpenMode::CreateNew).lock(Lock::Exclusive).direct_writes();
        let file = storage.open(path, new).map_err(|error| match error.kind {
            IoErrorKind::AlreadyExists => InstanceError::DatabaseDuplicate { path: path.to_path_buf() },
            _ => error.into(),
        })?;
        let logged = log.is_some();
        let database = Arc::new(AttachedDatabase::new(
            slot,
            file,
            header,
            PageNumber(0),
            AttachKind::of(logged),
            &self.trees()?,
        ));
        database.write_header(self.environment().new_signature())?;
        storage.sync_directory(parent_directory(path))?;
        // From now on the log keeps the header's range up to date.
        self.add_database(Arc::clone(&database))?;
        self.put_into_trees(&database, options.largest_page_count)?;
        let outcome = self.fill(call, &database, format);
        if outcome.is_err() {
            self.remove_database(slot);
        }
        outcome?;
        self.events()
            .report(EventId::CREATE_DATABASE_DONE, [slot.to_string(), database.path().display().to_string()]);
        Ok(slot)
    }

    fn fill(
        &self,
        call: &mut SessionCallGuard<'_>,
        database: &Arc<AttachedDatabase>,
        format: EngineFormatVersion,
    ) -> Result<(), InstanceError> {
        let slot = database.slot();
        call.atomically(|call| {
            let (live, state) = call.parts()?;
            Ok(live.create_database_root(state, slot, INITIAL_PAGES)?)
        })?;
        call.atomically(|call| system::create_catalog(call, database))?;
        self.stamp_version(database, format)?;
        if let Some(log) = self.log().filter(|_| database.is_logged()) {
            log.append_and_fill(&Record::CreateDatabaseFinish(CreateDatabaseFinish {
                session: call.session.id,
                database: slot,
            }))?;
        }
        database.change_header(|header| header.set_state(DatabaseState::DIRTY_SHUTDOWN));
        self.write_header_of(database)?;
        system::create_object_map(call, database)?;
        system::create_locales(call, database)?;
        self.write_header_of(database)
    }

    /// Raises the version from that of the base format.
    fn stamp_version(
        &self,
        database: &AttachedDatabase,
        format: EngineFormatVersion,
    ) -> Result<(), InstanceError> {
        let versions = format
            .versions()
            .map_err(|_| InstanceError::InvalidSettings { reason: "the engine format version is unknown" })?;
        let version = versions.database;
        let log = self.log().filter(|_| database.is_logged());
        let has_record = log.as_ref().is_none_or(|log| log.has_version_record());
        if !version.supports_set_version() || !has_record {
            return Ok(());
        }
        database.change_header(|header| {
            header.set_update_major(version.update_major);
            header.set_update_minor(version.update_minor);
            header.set_max_attach_format(format);
        });
        if let Some(log) = log {
            log.append(&Record::SetDatabaseVersion(SetDatabaseVersion {
                database: database.slot(),
                major: version.format,
                update_major: version.update_major,
                update_minor: version.update_minor,
            }))?;
            log.flush()?;
        }
        self.write_header_of(database)
    }

    fn write_header_of(&self, database: &AttachedDatabase) -> Result<(), InstanceError> {
        database.refresh_counters();
        database
            .write_header(self.environment().new_signature())
            .inspect_err(|error| self.set_fatal(storage_jet_error(error)))?;
        Ok(())
    }
}
