//! The temporary database: slot 0, made when the first temporary table is opened, never logged, gone with the instance.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_btree::live::{LiveTrees, SlotFacts};
use ese_format::{DatabaseHeader, DatabaseState, FileType};
use ese_io::{IoErrorKind, Lock, OpenMode, OpenOptions, Storage};
use ese_log::record::DatabaseSlot;

use super::Instance;
use crate::error::InstanceError;
use crate::parameter::ParameterId;
use crate::state::EntryError;

/// Slot of the temporary database.
#[doc(alias = "dbidTemp")]
pub(crate) const TEMPORARY_SLOT: DatabaseSlot = DatabaseSlot(0);
/// Pages that it begins with, at least.
const LEAST_PAGES: u32 = 20;

/// The right to sort: there are as many as temporary tables are allowed, and tables do not need it any more once they are
/// tables. Given back when dropped.
#[doc(alias = "SCB")]
#[derive(Debug)]
pub(crate) struct SortPermit {
    sorts: Arc<AtomicU64>,
}

impl Drop for SortPermit {
    fn drop(&mut self) {
        self.sorts.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Instance {
    /// Whether there may be temporary tables.
    pub(crate) fn has_temporary_tables(&self) -> bool {
        self.shared.parameters.lock().on(ParameterId::MAX_TEMPORARY_TABLES)
    }

    /// The right to sort.
    ///
    /// # Errors
    /// `TooManySorts`; also when the instance is to have no temporary tables at all.
    pub(crate) fn permit_sort(&self) -> Result<SortPermit, InstanceError> {
        let limit = self.shared.parameters.lock().number(ParameterId::MAX_TEMPORARY_TABLES);
        let sorts = Arc::clone(&self.shared.sorts);
        let add = |now: u64| (now < limit).then_some(now + 1);
        match sorts.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => Ok(SortPermit { sorts }),
            Err(_) => Err(InstanceError::TooManySorts { limit }),
        }
    }

    /// The trees of the instance, with the temporary database among them: trees can be made below the root page of slot 0.
    ///
    /// # Errors
    /// A storage error; `Live`.
    #[doc(alias = "ErrINSTCreateTempDatabase")]
    pub(crate) fn temporary_database(&self) -> Result<Arc<LiveTrees>, InstanceError> {
        let known = |instance: &Self| {
            let running = instance.shared.running.read();
            let running = running.as_ref().ok_or(EntryError::NotInitialized)?;
            Ok::<_, InstanceError>((running.temporary, Arc::clone(&running.trees)))
        };
        let (there, trees) = known(self)?;
        if there {
            return Ok(trees);
        }
        let _slots = self.shared.slots.lock();
        let (there, trees) = known(self)?;
        if !there {
            let Some(path) = self.shared.running.read().as_ref().map(|r| r.paths.temporary.clone()) else {
                return Err(EntryError::NotInitialized.into());
            };
            self.create_temporary_database(&trees, &path).inspect_err(|_| {
                trees.abandon(TEMPORARY_SLOT);
                let _ = remove(&*self.environment().storage, &path);
            })?;
            if let Some(running) = &mut *self.shared.running.write() {
                running.temporary = true;
            }
        }
        Ok(trees)
    }

    fn create_temporary_database(&self, trees: &LiveTrees, path: &Path) -> Result<(), InstanceError> {
        let parameters = self.parameters();
        let storage = &self.environment().storage;
        remove(&**storage, path)?;
        let options = OpenOptions::new(OpenMode::CreateOrTruncate).lock(Lock::Exclusive);
        let file = storage.open(path, options)?;
        let mut header = DatabaseHeader::new(parameters.page_size());
        header.set_state(DatabaseState::JUST_CREATED);
        header.set_signature(self.environment().new_signature());
        header.set_file_type(FileType::TEMPORARY_DATABASE);
        // Nobody reads it again: it need not be durable.
        let page = header.write();
        file.write_at(0, &page)?;
        file.write_at(page.len() as u64, &page)?;
        let versioned = parameters.on(ParameterId::ENABLE_TEMP_TABLE_VERSIONING);
        trees.attach(TEMPORARY_SLOT, file, SlotFacts::temporary(versioned))?;
        let wanted = u32::try_from(parameters.number(ParameterId::PAGE_TEMP_DB_MIN)).unwrap_or(u32::MAX);
        Ok(trees.create_private_root(TEMPORARY_SLOT, wanted.max(LEAST_PAGES))?)
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
