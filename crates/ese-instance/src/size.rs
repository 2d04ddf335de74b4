//! How large databases are and may become.
//!
//! A database grows by extents of the parameter `DbExtensionSize`, each logged as a growth of the file and as an owned, free
//! extent. Files do not become shorter while they are attached.

use std::path::Path;

use bitflags::bitflags;
use ese_format::{DatabaseState, HeaderError, JetError, PageNumber};
use ese_io::{IoError, IoErrorKind, Lock, OpenMode, OpenOptions, Operation};

use crate::call_error::CallError;
use crate::database::read_database_header;
use crate::error::InstanceError;
use crate::information::file_pages;
use crate::open_database::Database;
use crate::parameter::ParameterId;
use crate::session::Session;
use crate::state::SessionCall;

/// Pages in front of page 1: the two headers.
#[doc(alias = "cpgDBReserved")]
const HEADER_PAGES: u32 = 2;
/// Fewest pages that a size may be.
#[doc(alias = "cpgDatabaseApiMinReserved")]
const FEWEST_PAGES: u32 = 32;
/// Shrinking is allowed.
#[doc(alias = "JET_bitShrinkDatabaseOn")]
const SHRINK_ON: u64 = 1;

bitflags! {
    /// Which way a database may be resized. Unknown bits are kept, and refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ResizeFlags: u32 {
        /// A database that is larger stays as it is.
        #[doc(alias = "JET_bitResizeDatabaseOnlyGrow")]
        const ONLY_GROW = 1;
        /// A database that is smaller stays as it is.
        #[doc(alias = "JET_bitResizeDatabaseOnlyShrink")]
        const ONLY_SHRINK = 2;
        const _ = !0;
    }
}

impl Database {
    /// Makes the database at least so many pages large, headers included. Returns how many it has then.
    ///
    /// # Errors
    /// As [`resize`](Self::resize).
    #[doc(alias = "JetGrowDatabase")]
    pub fn grow(&self, pages: u32) -> Result<u32, InstanceError> {
        self.resize(pages, ResizeFlags::ONLY_GROW)
    }

    /// Makes the database about `pages` large, headers included: it grows by whole steps of `DbExtensionSize` pages. Returns how
    /// many pages the file has then. Growing is not taken back with a transaction.
    ///
    /// # Errors
    /// Refused at the door; `Call`: options that do not go together; a storage error for a database that is read-only; a smaller size, unless
    /// `ONLY_GROW` is set, is not available: the engine wants shrinking allowed by `EnableShrinkDatabase`, and then makes
    /// holes, which is refused here; `Live` (`JET_errOutOfDatabaseSpace`) beyond the limit of the size; a full disk.
    #[doc(alias = "JetResizeDatabase")]
    pub fn resize(&self, pages: u32, flags: ResizeFlags) -> Result<u32, InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let both = ResizeFlags::ONLY_GROW | ResizeFlags::ONLY_SHRINK;
        if flags.contains(both) || !both.contains(flags) {
            return Err(CallError::InvalidFlags { bits: flags.bits() }.into());
        }
        let now = self.attached.last_page().0.saturating_add(HEADER_PAGES);
        let parameters = self.session.instance.parameters();
        if pages < now && !flags.contains(ResizeFlags::ONLY_GROW) {
            // Without holes in files there is nothing that a running database could give back.
            let allowed = parameters.number(ParameterId::ENABLE_SHRINK_DATABASE) & SHRINK_ON != 0;
            return Err(match allowed {
                false => CallError::NotAvailable { what: "shrinking, which is switched off" },
                true => CallError::InvalidParameter { what: "files cannot be given holes here" },
            }
            .into());
        }
        if pages > now && !flags.contains(ResizeFlags::ONLY_SHRINK) {
            if self.attached.is_read_only() {
                let path = self.attached.path();
                return Err(IoError::new(Operation::Length, IoErrorKind::AccessDenied, path).into());
            }
            let step = u32::try_from(parameters.number(ParameterId::DB_EXTENSION_SIZE)).unwrap_or(1).max(1);
            let slot = self.attached.slot();
            for _ in 0..(pages - now).div_ceil(step) {
                call.nested(|call| {
                    let (trees, state) = call.parts()?;
                    Ok(trees.extend_database(state, slot, step)?)
                })?;
            }
        }
        file_pages(&self.attached)
    }

    /// The most pages that the database may have; 0 for no limit.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetMaxDatabaseSize")]
    pub fn largest_size(&self) -> Result<u32, InstanceError> {
        let call = self.enter(SessionCall::Ordinary)?;
        let facts = call.trees().facts(self.attached.slot())?;
        Ok(facts.largest_page.map_or(0, |page| page.0))
    }

    /// Sets the most pages that the database may have; 0 for no limit. A database that is larger keeps its pages. The limit
    /// is not stored: it holds until the database is detached.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetSetMaxDatabaseSize")]
    #[doc(alias = "JET_dbparamDbSizeMaxPages")]
    pub fn set_largest_size(&self, pages: u32) -> Result<(), InstanceError> {
        let call = self.enter(SessionCall::Ordinary)?;
        let largest = (pages != 0).then_some(PageNumber(pages));
        Ok(call.trees().set_largest_page(self.attached.slot(), largest)?)
    }
}

impl Session {
    /// Makes the file of a closed database `pages` long, headers not counted. A file that is longer stays as it is. The
    /// pages do not belong to the database until it grows over them. Returns how long the file is then.
    ///
    /// # Errors
    /// Refused at the door; `DatabaseInvalidPath`; `Call` for less than 32 pages, and for a database that was not closed in
    /// order; a storage error (`InUse` while it is attached); `Header`.
    #[doc(alias = "JetSetDatabaseSize")]
    pub fn set_database_size(&self, path: &Path, pages: u32) -> Result<u32, InstanceError> {
        let _call = self.shared.enter(SessionCall::Ordinary)?;
        if path.as_os_str().is_empty() {
            return Err(InstanceError::DatabaseInvalidPath { path: path.to_path_buf() });
        }
        if pages < FEWEST_PAGES {
            return Err(CallError::InvalidParameter { what: "a database has at least 32 pages" }.into());
        }
        let path = crate::instance::absolute_path(path)?;
        let storage = &self.instance().environment().storage;
        let options = OpenOptions::new(OpenMode::ReadWrite).lock(Lock::Exclusive);
        let file = storage.open(&path, options)?;
        let header = read_database_header(&*file)?.header;
        match header.state() {
            DatabaseState::CLEAN_SHUTDOWN => {}
            found @ (DatabaseState::INCREMENTAL_RESEED_IN_PROGRESS | DatabaseState::REVERT_IN_PROGRESS) => {
                let jet_error = found.attach_error(false).unwrap_or(JetError::DATABASE_DIRTY_SHUTDOWN);
                return Err(InstanceError::Header { path, error: HeaderError::State { found, jet_error } });
            }
            _ => return Err(CallError::DirtyDatabase { path }.into()),
        }
        let page = u64::from(header.page_size().bytes());
        let now = u32::try_from(file.len()? / page).unwrap_or(u32::MAX).saturating_sub(HEADER_PAGES);
        if now >= pages {
            return Ok(now);
        }
        file.allocate(page * (u64::from(pages) + u64::from(HEADER_PAGES)))?;
        file.sync()?;
        Ok(pages)
    }
}
