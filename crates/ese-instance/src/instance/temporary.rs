//! The temporary database: slot 0, never logged, gone with the instance. Temporary tables live in memory so far; those that
//! outgrow it will be made there.
#![allow(dead_code, reason = "no temporary table asks for it yet")]

use std::path::Path;
use std::sync::Arc;

use ese_btree::live::SlotFacts;
use ese_format::{DatabaseHeader, DatabaseState, FileType};
use ese_io::{IoErrorKind, Lock, OpenMode, OpenOptions, Storage};
use ese_log::record::DatabaseSlot;

use super::Instance;
use crate::error::InstanceError;
use crate::parameter::ParameterId;
use crate::state::{EntryError, SessionCall};

/// Slot of the temporary database.
#[doc(alias = "dbidTemp")]
pub(crate) const TEMPORARY_SLOT: DatabaseSlot = DatabaseSlot(0);
/// Pages that it begins with.
const INITIAL_PAGES: u32 = 254;

impl Instance {
    /// Makes sure that the temporary database is there: its trees can be made below the root page of slot 0.
    ///
    /// # Errors
    /// `Unsupported` when the parameter `MaxTemporaryTables` is 0; a storage error; `Live`.
    pub(crate) fn ensure_temporary_database(&self) -> Result<DatabaseSlot, InstanceError> {
        let _slots = self.shared.slots.lock();
        let (path, trees) = {
            let running = self.shared.running.read();
            let running = running.as_ref().ok_or(EntryError::NotInitialized)?;
            if running.temporary {
                return Ok(TEMPORARY_SLOT);
            }
            (running.paths.temporary.clone(), Arc::clone(&running.trees))
        };
        let parameters = self.parameters();
        if !parameters.on(ParameterId::MAX_TEMPORARY_TABLES) {
            return Err(InstanceError::Unsupported { what: "temporary tables in an instance that has none" });
        }
        let storage = &self.environment().storage;
        remove(&**storage, &path)?;
        let options = OpenOptions::new(OpenMode::CreateOrTruncate).lock(Lock::Exclusive);
        let file = storage.open(&path, options)?;
        let mut header = DatabaseHeader::new(parameters.page_size());
        header.set_state(DatabaseState::JUST_CREATED);
        header.set_signature(self.environment().new_signature());
        header.set_file_type(FileType::TEMPORARY_DATABASE);
        // Nobody reads it again: it need not be durable.
        let page = header.write();
        file.write_at(0, &page)?;
        file.write_at(page.len() as u64, &page)?;
        trees.attach(TEMPORARY_SLOT, file, SlotFacts::unlogged())?;
        let session = self.new_session()?;
        let mut call = session.shared.enter(SessionCall::Ordinary)?;
        call.nested(|call| {
            let (live, state) = call.parts()?;
            Ok(live.create_database_root(state, TEMPORARY_SLOT, INITIAL_PAGES)?)
        })?;
        if let Some(running) = &mut *self.shared.running.write() {
            running.temporary = true;
        }
        Ok(TEMPORARY_SLOT)
    }
}

/// Removes the temporary database, if it is there.
pub(super) fn remove(storage: &dyn Storage, path: &Path) -> Result<(), InstanceError> {
    match storage.remove(path) {
        Ok(()) => Ok(()),
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
