//! Undo of the transactions that did not commit, with the records that the engine writes for it.

mod error;
mod seek;

use ese_format::{DbTime, LogPosition};
use ese_log::record::{
    Macro, NodePrefix, PagePrefix, PageRecordFlags, Record, Rollback, SessionId, Undo, UndoInfo,
    VersionOperation,
};

use crate::page_operation::undo_node;
use crate::redo::{Redo, Version};
pub use error::UndoError;
use seek::seek_leaf;

/// Takes the records that undo writes.
pub trait UndoLog {
    /// Appends a record and returns its position.
    ///
    /// # Errors
    /// [`UndoError::Log`].
    fn append(&mut self, record: &Record<'_>) -> Result<LogPosition, UndoError>;
}

/// What undo did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UndoStatistics {
    /// Sessions with an open transaction.
    pub transactions: u64,
    /// Operations taken back.
    pub operations: u64,
    /// Macros given up.
    pub macros: u64,
}

impl Redo {
    /// What [`undo`](Self::undo_all) would have to do.
    #[must_use]
    pub fn pending_undo(&self) -> UndoStatistics {
        let mut pending = UndoStatistics::default();
        for session in self.sessions() {
            pending.transactions += u64::from(session.level > 0);
            pending.operations += session.versions.len() as u64;
            pending.macros += session.macros.len() as u64;
        }
        pending
    }

    /// Whether an operation could not be undone: its page was newer, and the log lacks its before-image.
    ///
    /// # Errors
    /// [`UndoError::BeforeImageMissing`] for the first such session.
    pub fn check_undo(&self) -> Result<(), UndoError> {
        for session in self.sessions().filter(|s| s.level > 0) {
            if let Some(version) = session.deferred.first() {
                return Err(UndoError::BeforeImageMissing {
                    session: session.id,
                    start: session.start,
                    version: *version,
                    count: session.deferred.len(),
                });
            }
        }
        Ok(())
    }

    /// Gives up open macros and rolls back every open transaction, by session number, the newest operation first. The
    /// caller has logged that undo begins.
    ///
    /// # Errors
    /// [`UndoError`]; undo can be repeated after recovery has been run again.
    pub fn undo_all(&mut self, log: &mut dyn UndoLog) -> Result<UndoStatistics, UndoError> {
        let mut statistics = self.begin_undo(log)?;
        for session in self.open_sessions() {
            let undone = self.undo_session(session, log)?;
            statistics.transactions += undone.transactions;
            statistics.operations += undone.operations;
        }
        Ok(statistics)
    }

    /// The first part of [`undo_all`](Self::undo_all): gives up open macros.
    ///
    /// # Errors
    /// [`UndoError::BeforeImageMissing`], and when the log cannot be written.
    pub fn begin_undo(&mut self, log: &mut dyn UndoLog) -> Result<UndoStatistics, UndoError> {
        self.check_undo()?;
        let mut statistics = UndoStatistics::default();
        let sessions: Vec<SessionId> = self.sessions().map(|s| s.id).collect();
        for &session in &sessions {
            for group in std::mem::take(&mut self.sessions.get(session).macros) {
                log.append(&Record::MacroAbort(Macro { session, db_time: group.time }))?;
                statistics.macros += 1;
            }
        }
        Ok(statistics)
    }

    /// The sessions with an open transaction, by number.
    #[must_use]
    pub fn open_sessions(&self) -> Vec<SessionId> {
        self.sessions().filter(|s| s.level > 0).map(|s| s.id).collect()
    }

    /// Position of the begin of the oldest transaction that is open, or that has a macro open.
    #[must_use]
    pub fn oldest_open_transaction(&self) -> Option<LogPosition> {
        let open = self.sessions().filter(|s| s.level > 0 || !s.macros.is_empty());
        open.map(|s| s.last_begin).filter(|p| !p.is_none()).min()
    }

    /// Rolls back the open transaction of one session.
    ///
    /// # Errors
    /// As [`undo_all`](Self::undo_all).
    pub fn undo_session(
        &mut self,
        session: SessionId,
        log: &mut dyn UndoLog,
    ) -> Result<UndoStatistics, UndoError> {
        let mut statistics = UndoStatistics { transactions: 1, ..UndoStatistics::default() };
        while self.sessions.get(session).level > 0 {
            let level = self.sessions.get(session).level;
            while let Some(version) = self.sessions.get(session).versions.pop_at(level) {
                if self.undo_version(session, &version, log)? {
                    statistics.operations += 1;
                }
            }
            log.append(&Record::Rollback(Rollback { session, level_count: 1 }))?;
            self.sessions.get(session).level -= 1;
        }
        self.sessions.get(session).reset();
        Ok(statistics)
    }

    /// Takes back one operation; `false` when its database is gone.
    fn undo_version(
        &mut self,
        session: SessionId,
        version: &Version,
        log: &mut dyn UndoLog,
    ) -> Result<bool, UndoError> {
        let slot = version.slot;
        if self.database(slot).is_none_or(|d| d.deferred) {
            return Ok(false);
        }
        let owner = self.sessions.get(session);
        let level = owner.level;
        let key = owner.versions.key(version).to_vec();
        let data = owner.versions.data(version).to_vec();
        let before = owner.versions.before(version).to_vec();
        self.cache.begin_operation();
        let begin = self.sessions.get(session).last_begin;
        self.cache.set_replay_start(begin);
        let found = seek_leaf(&mut self.cache, slot, version.root, &key, &data)?;
        let Some((frame, page_number, line, true)) = found else {
            return Err(UndoError::NodeMissing { session, version: version.id, slot, root: version.root });
        };
        let flags = if version.unique { PageRecordFlags::UNIQUE } else { PageRecordFlags::empty() };
        let mut node = NodePrefix {
            page: PagePrefix {
                session,
                database: slot,
                page_number,
                db_time: DbTime::NIL,
                db_time_before: DbTime::NIL,
                transaction: version.transaction,
                level: version.level,
                line: 0,
                flags,
            },
            version: version.id,
            root: version.root,
            object: version.object,
        };
        let needs_image =
            matches!(version.operation, VersionOperation::REPLACE | VersionOperation::FLAG_DELETE);
        if needs_image && !version.has_undo_info {
            // It names the page of the operation, not the one where the node is now.
            node.page.page_number = version.page;
            log.append(&Record::UndoInfo(UndoInfo {
                node,
                operation: version.operation,
                largest_size: version.largest_size,
                size_change: version.size_change as u16,
                bookmark_key: &key,
                bookmark_data: &data,
                before_image: &before,
            }))?;
        }
        let db_time_before = self.cache.page(frame).db_time();
        let db_time = match self.database_mut(slot) {
            Some(database) => {
                database.db_time = DbTime(database.db_time.0 + 1);
                database.db_time
            }
            None => return Ok(false),
        };
        node.page.page_number = page_number;
        node.page.db_time_before = db_time_before;
        node.page.db_time = db_time;
        node.page.level = level;
        node.page.line = line as u16;
        let position = log.append(&Record::Undo(Undo {
            node,
            operation: version.operation,
            version_level: version.level,
            bookmark_key: &key,
            bookmark_data: &data,
        }))?;
        if let Some((pinned, number)) = version.pinned {
            self.cache.unpin(pinned, slot, number);
        }
        let mut page = self.cache.page_mut(frame, position);
        let edit = |error| UndoError::Edit { slot, page: page_number, error };
        undo_node(&mut page, line, &version.undone(), &before).map_err(edit)?;
        page.set_db_time(db_time);
        Ok(true)
    }
}
