//! Databases in sessions: create, attach, detach, open, close.

use std::path::Path;
use std::sync::Arc;

use super::{DatabaseFlags, DatabaseStatus, DetachFlags, Session, SessionCallGuard};
use crate::call_error::CallError;
use crate::compact::{CompactError, CompactOptions, CompactProgress, CompactReport, compact_opened};
use crate::creation::CreateOptions;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::instance::{AttachOptions, absolute_path, create_directories};
use crate::open_database::Database;
use crate::parameter::ParameterId;
use crate::reader::{DatabaseReader, DirtyPolicy};
use crate::state::{EntryError, SessionCall};

impl Session {
    /// Creates a database and opens it. It is attached.
    ///
    /// # Errors
    /// Refused at the door; `InTransaction`; as [`Instance::create_database`](crate::Instance::create_database).
    #[doc(alias = "JetCreateDatabase")]
    #[doc(alias = "JetCreateDatabase2")]
    pub fn create_database(&self, path: &Path, options: &CreateOptions) -> Result<Database, InstanceError> {
        let mut call = self.shared.enter(SessionCall::Ordinary)?;
        call.check_no_transaction()?;
        let instance = self.instance();
        let slot = instance.create_database_in(&mut call, path, options)?;
        self.open_slot(&mut call, slot, false)
    }

    /// Attaches a database that was closed in order.
    ///
    /// # Errors
    /// Refused at the door; `InTransaction`; as [`Instance::attach`](crate::Instance::attach).
    #[doc(alias = "JetAttachDatabase")]
    pub fn attach_database(&self, path: &Path) -> Result<(), InstanceError> {
        self.attach_database_with(path, &AttachOptions::default())?;
        Ok(())
    }

    /// As [`attach_database`](Self::attach_database), with options. Says whether it was attached before, in whichever way.
    ///
    /// # Errors
    /// As [`attach_database`](Self::attach_database).
    #[doc(alias = "JetAttachDatabase2")]
    #[doc(alias = "JetAttachDatabase3")]
    pub fn attach_database_with(
        &self,
        path: &Path,
        options: &AttachOptions,
    ) -> Result<DatabaseStatus, InstanceError> {
        self.shared.enter(SessionCall::Ordinary)?.check_no_transaction()?;
        Ok(self.instance().attach_or_find(path, options)?.1)
    }

    /// Detaches a database that nobody has open.
    ///
    /// # Errors
    /// Refused at the door; `InTransaction`; as [`Instance::detach`](crate::Instance::detach).
    #[doc(alias = "JetDetachDatabase")]
    #[doc(alias = "JetDetachDatabase2")]
    pub fn detach_database(&self, path: &Path) -> Result<(), InstanceError> {
        self.detach_database_with(Some(path), DetachFlags::empty())
    }

    /// Detaches a database, or (`None`) one after the other until one cannot be.
    ///
    /// # Errors
    /// As [`detach_database`](Self::detach_database); `Call` when it is to be detached by force.
    #[doc(alias = "JetDetachDatabase")]
    #[doc(alias = "JetDetachDatabase2")]
    pub fn detach_database_with(&self, path: Option<&Path>, flags: DetachFlags) -> Result<(), InstanceError> {
        let call = self.shared.enter(SessionCall::WindingDown)?;
        if flags.contains(DetachFlags::FORCE) {
            return Err(CallError::ForceDetach.into());
        }
        call.check_no_transaction()?;
        drop(call);
        let instance = self.instance();
        match path.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => instance.detach(path),
            None => instance.databases().iter().try_for_each(|database| instance.detach(database.path())),
        }
    }

    /// Copies an attached database, which nobody has open, into a new file without unused space, as
    /// [`compact_database`](crate::compact_database) does. The new database is not attached, and nothing of it is logged.
    ///
    /// # Errors
    /// Refused at the door; `InTransaction`; `DatabaseNotFound` for a source that is not attached; `DatabaseInUse`,
    /// `DatabaseLocked`; `Compact` when there is a file at the destination, a page cannot be read or written, or the watcher
    /// stops it.
    #[doc(alias = "JetCompact")]
    pub fn compact_database(
        &self,
        source: &Path,
        destination: &Path,
        progress: &dyn CompactProgress,
    ) -> Result<CompactReport, InstanceError> {
        self.shared.enter(SessionCall::Ordinary)?.check_no_transaction()?;
        let source = self.open_database_exclusively(source)?;
        if destination.as_os_str().is_empty() {
            return Err(InstanceError::DatabaseInvalidPath { path: destination.to_path_buf() });
        }
        let database = &source.attached;
        let (trees, sessions) = self.instance().live().ok_or(EntryError::NotInitialized)?;
        // A transaction goes on although its database was closed.
        if sessions.all().iter().any(|session| session.has_changed(database.slot())) {
            return Err(InstanceError::DatabaseInUse { path: database.path().to_path_buf() });
        }
        if !database.is_read_only() {
            trees.clean_versions(usize::MAX)?;
            trees.flush(database.slot())?;
        }
        let environment = self.instance().environment();
        let options = CompactOptions {
            clock: Arc::clone(&environment.clock),
            randomness: Arc::clone(&environment.randomness),
            ..CompactOptions::default()
        };
        let failed = |error: CompactError| InstanceError::Compact(Box::new(error));
        // All of it is in the file, whatever the state in its header says.
        let reader = DatabaseReader::from_file(database.file()?, DirtyPolicy::ReadAsItIs)
            .map_err(|error| failed(error.into()))?;
        let destination = absolute_path(destination)?;
        if self.instance().parameters().on(ParameterId::CREATE_PATH_IF_NOT_EXIST)
            && let Some(directory) = destination.parent()
        {
            create_directories(&*environment.storage, directory)?;
        }
        compact_opened(&reader, &*environment.storage, &destination, &options, progress).map_err(failed)
    }

    /// Opens a database that is attached.
    ///
    /// # Errors
    /// Refused at the door; `DatabaseInvalidPath`, `DatabaseNotFound`, `DatabaseLocked`.
    #[doc(alias = "JetOpenDatabase")]
    pub fn open_database(&self, path: &Path) -> Result<Database, InstanceError> {
        self.open_path(path, false)
    }

    /// Opens a database for this session alone.
    ///
    /// # Errors
    /// As [`open_database`](Self::open_database); `DatabaseInUse` when it is open.
    #[doc(alias = "JET_bitDbExclusive")]
    pub fn open_database_exclusively(&self, path: &Path) -> Result<Database, InstanceError> {
        self.open_path(path, true)
    }

    /// Opens a database with the engine's options.
    ///
    /// # Errors
    /// As [`open_database`](Self::open_database) and [`open_database_exclusively`](Self::open_database_exclusively).
    #[doc(alias = "JetOpenDatabase")]
    pub fn open_database_with(
        &self,
        path: &Path,
        flags: DatabaseFlags,
    ) -> Result<(Database, DatabaseStatus), InstanceError> {
        let database = self.open_path(path, flags.contains(DatabaseFlags::EXCLUSIVE))?;
        Ok((database, DatabaseStatus::Done))
    }

    fn open_path(&self, path: &Path, exclusive: bool) -> Result<Database, InstanceError> {
        let mut call = self.shared.enter(SessionCall::Ordinary)?;
        let slot = self.instance().slot_of(path)?;
        self.open_slot(&mut call, slot, exclusive)
    }

    fn open_slot(
        &self,
        call: &mut SessionCallGuard<'_>,
        slot: u8,
        exclusive: bool,
    ) -> Result<Database, InstanceError> {
        let database = self.instance().databases().into_iter().find(|d| d.id() == slot);
        let database = database.ok_or(InstanceError::InvalidDatabaseId)?;
        database.open(self.id(), exclusive)?;
        call.add_database(&database);
        Ok(Database::new(Arc::clone(&self.shared), database))
    }
}

impl SessionCallGuard<'_> {
    fn add_database(&mut self, database: &Arc<AttachedDatabase>) {
        match self.inner.databases.iter_mut().find(|(known, _)| Arc::ptr_eq(known, database)) {
            Some((_, count)) => *count += 1,
            None => self.inner.databases.push((Arc::clone(database), 1)),
        }
    }

    /// Closes one handle of a database, and with the last one the session's cursors there.
    pub(crate) fn close_database_and_cursors(&mut self, database: &Arc<AttachedDatabase>) {
        self.close_database(database);
        if !self.inner.databases.iter().any(|(open, _)| Arc::ptr_eq(open, database)) {
            self.session.cursors.database_closed(database);
        }
    }

    /// Closes one handle of a database.
    pub(crate) fn close_database(&mut self, database: &Arc<AttachedDatabase>) {
        let Some(place) = self.inner.databases.iter().position(|(known, _)| Arc::ptr_eq(known, database))
        else {
            return;
        };
        database.close(self.session.id);
        if let Some((_, count)) = self.inner.databases.get_mut(place) {
            *count -= 1;
            if *count == 0 {
                self.inner.databases.swap_remove(place);
            }
        }
    }

    /// Closes all databases of the session.
    pub(super) fn close_databases(&mut self) {
        for (database, count) in std::mem::take(&mut self.inner.databases) {
            for _ in 0..count {
                database.close(self.session.id);
            }
        }
    }

    /// Refuses a handle of a database that is not open in the session.
    ///
    /// # Errors
    /// `InvalidDatabaseId`.
    pub(crate) fn check_database(&self, database: &Arc<AttachedDatabase>) -> Result<(), InstanceError> {
        let known = self.inner.databases.iter().any(|(open, _)| Arc::ptr_eq(open, database));
        if known { Ok(()) } else { Err(InstanceError::InvalidDatabaseId) }
    }
}
