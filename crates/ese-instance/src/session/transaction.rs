//! Transactions of a session.

use ese_btree::live::LiveError;
use ese_format::{LogPosition, Signature};

use super::{RollbackFlags, Session, TransactionFlags};
use crate::call_error::CallError;
use crate::error::InstanceError;
use crate::state::SessionCall;
use crate::table::delete_zero_rows;

/// Most levels that an application nests. Calls that need one for themselves go beyond.
#[doc(alias = "levelUserMost")]
pub(crate) const MOST_LEVELS: u8 = 7;

/// The options of a rollback that there are.
const KNOWN_ROLLBACK: u32 = RollbackFlags::ALL.bits() | RollbackFlags::REDO_CALLBACK.bits();

/// When a commit returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CommitMode {
    /// Once it is durable. Several sessions that wait share one write.
    #[default]
    Durable,
    /// At once: a crash soon after may take the transaction back, as a whole, with all that were committed after it.
    #[doc(alias = "JET_bitCommitLazyFlush")]
    Lazy,
}

/// What a level-0 commit is known by. Durable commits of a stream are in the order of their ids.
#[doc(alias = "JET_COMMIT_ID")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitId {
    /// Signature of the log stream.
    pub log_signature: Signature,
    /// Position of the commit record.
    pub position: LogPosition,
}

impl Session {
    /// Begins a transaction. In a transaction: a nested one, up to seven levels.
    ///
    /// # Errors
    /// Refused at the door; `Live` (too deep); `Log` when the disk of the logs is full.
    #[doc(alias = "JetBeginTransaction")]
    pub fn begin(&self) -> Result<(), InstanceError> {
        self.begin_level(false)
    }

    fn begin_level(&self, read_only: bool) -> Result<(), InstanceError> {
        let mut call = self.shared.enter(SessionCall::Ordinary)?;
        if call.level() >= MOST_LEVELS {
            return Err(LiveError::TransactionTooDeep { most: MOST_LEVELS }.into());
        }
        call.begin(read_only)
    }

    /// Begins a transaction that changes nothing; changes in it are refused.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    #[doc(alias = "JetBeginTransaction2")]
    #[doc(alias = "JetBeginTransaction3")]
    #[doc(alias = "JET_bitTransactionReadOnly")]
    pub fn begin_read_only(&self) -> Result<(), InstanceError> {
        self.begin_level(true)
    }

    /// Begins a transaction with options.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    #[doc(alias = "JetBeginTransaction2")]
    #[doc(alias = "JetBeginTransaction3")]
    pub fn begin_with(&self, flags: TransactionFlags) -> Result<(), InstanceError> {
        self.begin_level(flags.contains(TransactionFlags::READ_ONLY))
    }

    /// Begins a transaction that is rolled back when its guard is dropped.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn transaction(&self) -> Result<Transaction<'_>, InstanceError> {
        self.begin()?;
        Ok(Transaction { session: self, open: true })
    }

    /// Commits the innermost transaction. Only the outermost commit makes its changes visible to others, and only that one
    /// is made durable; `None` when there was nothing to log, or an outer transaction remains.
    ///
    /// # Errors
    /// Refused at the door; `Live` (not in a transaction: the transaction goes on after every other failure); `Log` when the
    /// log cannot be written: the commit is in memory then, and may not be durable.
    #[doc(alias = "JetCommitTransaction")]
    pub fn commit(&self, mode: CommitMode) -> Result<Option<CommitId>, InstanceError> {
        let (position, durable) = {
            let mut call = self.shared.enter(SessionCall::Ordinary)?;
            let level = call.level();
            let position = call.commit()?;
            self.shared.cursors.committed(level);
            if level == 1 {
                let zeros = call.take_zeros();
                if !zeros.is_empty() {
                    // The transaction is committed whatever becomes of them; what cannot be deleted now stays.
                    let _ = delete_zero_rows(&mut call, zeros);
                }
            }
            let durable = match (position, &self.shared.log) {
                (Some(position), Some(log)) if mode == CommitMode::Durable => log.flush_to(position),
                _ => Ok(()),
            };
            (position, durable)
        };
        let outermost = !self.shared.is_in_transaction();
        if outermost {
            self.instance().tell_durable_commits();
        }
        durable?;
        if outermost && let Err(error) = self.instance().maintain() {
            // The transaction is committed; pages that cannot be written now wait.
            tracing::warn!(%error, "pages could not be written after a commit");
        }
        let id = position.zip(self.shared.log.as_ref());
        Ok(id.map(|(position, log)| CommitId { log_signature: log.signature(), position }))
    }

    /// Rolls the innermost transaction back. Cursors that went somewhere in it stand before the first row; rows that were being
    /// prepared in it are given up.
    ///
    /// # Errors
    /// Refused at the door; `Live`: not in a transaction, or it could not be taken back, which makes the instance
    /// unavailable.
    #[doc(alias = "JetRollback")]
    pub fn rollback(&self) -> Result<(), InstanceError> {
        let mut call = self.shared.enter(SessionCall::WindingDown)?;
        let level = call.level();
        call.rollback()?;
        self.shared.cursors.rolled_back(level);
        Ok(())
    }

    /// Rolls back with options.
    ///
    /// # Errors
    /// As [`rollback`](Self::rollback); `Call` (`JET_errInvalidGrbit`) for unknown options.
    #[doc(alias = "JetRollback")]
    pub fn rollback_with(&self, flags: RollbackFlags) -> Result<(), InstanceError> {
        if flags.bits() & !KNOWN_ROLLBACK != 0 {
            drop(self.shared.enter(SessionCall::WindingDown)?);
            return Err(CallError::InvalidFlags { bits: flags.bits() }.into());
        }
        if flags.contains(RollbackFlags::ALL) { self.rollback_all() } else { self.rollback() }
    }

    /// Rolls all levels back.
    ///
    /// # Errors
    /// As [`rollback`](Self::rollback).
    #[doc(alias = "JET_bitRollbackAll")]
    pub fn rollback_all(&self) -> Result<(), InstanceError> {
        let mut call = self.shared.enter(SessionCall::WindingDown)?;
        loop {
            let level = call.level();
            call.rollback()?;
            self.shared.cursors.rolled_back(level);
            if call.level() == 0 {
                return Ok(());
            }
        }
    }

    /// Returns when the session's last level-0 commit is durable, a lazy one too.
    ///
    /// # Errors
    /// Refused at the door; `Log`.
    #[doc(alias = "JET_bitWaitLastLevel0Commit")]
    pub fn wait_for_last_commit(&self) -> Result<(), InstanceError> {
        let position = self.shared.enter(SessionCall::Ordinary)?.inner.last_commit;
        let flushed = match &self.shared.log {
            Some(log) if !position.is_none() => log.flush_to(position),
            _ => Ok(()),
        };
        self.instance().tell_durable_commits();
        flushed
    }

    /// Returns when every commit of every session so far is durable.
    ///
    /// # Errors
    /// Refused at the door; `Log`.
    #[doc(alias = "JET_bitWaitAllLevel0Commit")]
    pub fn wait_for_all_commits(&self) -> Result<(), InstanceError> {
        drop(self.shared.enter(SessionCall::Ordinary)?);
        let flushed = self.shared.log.as_ref().map_or(Ok(()), |log| log.flush());
        self.instance().tell_durable_commits();
        flushed
    }
}

/// A transaction of a session, rolled back unless it is committed.
///
/// It is one level of the session's transactions: the guards of nested ones go out of scope in the opposite order of their
/// beginning.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'s> {
    session: &'s Session,
    open: bool,
}

impl Transaction<'_> {
    /// Commits it, as [`Session::commit`].
    ///
    /// # Errors
    /// As [`Session::commit`]; it is rolled back then if it still goes on.
    pub fn commit(mut self, mode: CommitMode) -> Result<Option<CommitId>, InstanceError> {
        let id = self.session.commit(mode)?;
        self.open = false;
        Ok(id)
    }

    /// Rolls it back.
    ///
    /// # Errors
    /// As [`Session::rollback`].
    pub fn rollback(mut self) -> Result<(), InstanceError> {
        self.open = false;
        self.session.rollback()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // A rollback that fails has made the instance unavailable.
            let _ = self.session.rollback();
        }
    }
}

impl super::SessionCallGuard<'_> {
    /// Does something in a transaction level of its own: committed when it succeeds, rolled back when it fails.
    ///
    /// # Errors
    /// What `change` says, and of the commit.
    pub(crate) fn nested<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, InstanceError>,
    ) -> Result<R, InstanceError> {
        Ok(self.nested_at(change)?.0)
    }

    /// As [`nested`](Self::nested); at level 0, where this makes a whole transaction of it, the commit is durable.
    ///
    /// # Errors
    /// What `change` says, and of the commit.
    pub(crate) fn atomically<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, InstanceError>,
    ) -> Result<R, InstanceError> {
        let (value, position) = self.nested_at(change)?;
        if let (Some(position), Some(log)) = (position, &self.session.log) {
            log.flush_to(position)?;
        }
        Ok(value)
    }

    fn nested_at<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, InstanceError>,
    ) -> Result<(R, Option<LogPosition>), InstanceError> {
        self.begin(false)?;
        let outcome = change(self).and_then(|value| Ok((value, self.commit()?)));
        if outcome.is_err() {
            self.rollback()?;
        }
        outcome
    }
}
