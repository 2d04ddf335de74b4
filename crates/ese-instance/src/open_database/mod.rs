//! A database that is open in a session: its tables, and their structure.

mod columns;
mod indexes;
mod tables;

pub use tables::ObjectInfo;

use std::path::Path;
use std::sync::Arc;

use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::session::SessionShared;
use crate::state::SessionCall;

/// A database that is open in a session. Dropping it closes it, and leaves its cursors alone.
#[doc(alias = "JET_DBID")]
#[derive(Debug)]
pub struct Database {
    pub(crate) session: Arc<SessionShared>,
    pub(crate) attached: Arc<AttachedDatabase>,
    open: bool,
}

impl Database {
    pub(crate) fn new(session: Arc<SessionShared>, attached: Arc<AttachedDatabase>) -> Self {
        Self { session, attached, open: true }
    }

    /// Path of the file.
    #[must_use]
    #[doc(alias = "JET_DbInfoFilename")]
    pub fn path(&self) -> &Path {
        self.attached.path()
    }

    /// Closes the database. When it is not open otherwise in the session, the session's cursors in it are closed, too.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetCloseDatabase")]
    pub fn close(mut self) -> Result<(), InstanceError> {
        let mut call = self.session.enter(SessionCall::WindingDown)?;
        call.close_database_and_cursors(&self.attached);
        drop(call);
        self.open = false;
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // When the session is gone it has closed its databases.
        if let Ok(mut call) = self.session.enter(SessionCall::WindingDown) {
            call.close_database(&self.attached);
        }
    }
}
