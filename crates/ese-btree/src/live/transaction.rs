//! Sessions and their transactions.

use ese_format::LogPosition;
use ese_log::record::{Commit, CommitOutermost, Record, Rollback, SessionId, TransactionTime};

use super::core::{Cleanup, Core, OpenSession, Result};
use super::version_store::Change;
use super::{LiveError, LiveTrees};

/// Most nested levels: those of applications, of which there are fewer, and those that calls need for themselves.
#[doc(alias = "levelMax")]
const MOST_LEVELS: u8 = 10;
/// Finished work that makes a commit clean up, and how much it cleans then.
const CLEANUP_AT: usize = 256;

/// The state of one session: its transaction levels and what they changed. Whoever owns it must roll back or commit before
/// it goes; what is left stays in memory, and keeps clean-up and the checkpoint back.
#[doc(alias = "PIB")]
#[derive(Debug)]
pub struct TransactionState {
    pub(super) id: SessionId,
    /// Number among the open sessions.
    pub(super) token: u32,
    /// For each level, how many versions there were when it began.
    pub(super) marks: Vec<usize>,
    pub(super) read_only: bool,
    pub(super) begin: TransactionTime,
    /// Levels whose begin is in the log.
    pub(super) logged: u8,
    /// Position of the record that begins the transaction.
    pub(super) position: LogPosition,
    /// What it changed, oldest first.
    pub(super) versions: Vec<u32>,
    /// It has made changes that have no versions.
    pub(super) unversioned: bool,
}

impl TransactionState {
    /// Number of the session.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Nesting level; 0 outside transactions.
    #[inline]
    #[must_use]
    pub fn level(&self) -> u8 {
        // At most seven.
        self.marks.len() as u8
    }

    /// What the transaction sees: everything that committed before this time. `None` outside transactions.
    #[inline]
    #[must_use]
    #[doc(alias = "trxBegin0")]
    pub fn snapshot(&self) -> Option<TransactionTime> {
        (!self.marks.is_empty()).then_some(self.begin)
    }

    /// Whether the transaction may only read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the transaction has changed anything.
    #[inline]
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.logged > 0 || !self.versions.is_empty() || self.unversioned
    }

    /// What the transaction sees, when nothing can add to it: it has changed nothing itself.
    #[inline]
    pub(super) fn lasting_snapshot(&self) -> Option<TransactionTime> {
        if self.has_changed() { None } else { self.snapshot() }
    }
}

impl LiveTrees {
    /// The state of a new session. `id` is what its records carry; no other open session may have it.
    #[must_use]
    pub fn open_session(&self, id: SessionId) -> TransactionState {
        self.core.lock().open_session(id)
    }

    /// Ends a session: its transaction is rolled back.
    ///
    /// # Errors
    /// As [`rollback`](Self::rollback).
    pub fn close_session(&self, mut t: TransactionState) -> Result<()> {
        while t.level() > 0 {
            self.rollback(&mut t)?;
        }
        let mut core = self.core.lock();
        if let Some(place) = core.sessions.get_mut(t.token as usize) {
            *place = None;
        }
        Ok(())
    }

    /// Begins a transaction, or a level in it. Nothing is logged until something changes. `read_only` counts for the
    /// outermost level only.
    ///
    /// # Errors
    /// [`LiveError::TransactionTooDeep`].
    #[doc(alias = "JetBeginTransaction")]
    pub fn begin(&self, t: &mut TransactionState, read_only: bool) -> Result<()> {
        self.core.lock().begin(t, read_only)
    }

    /// Commits the innermost level. For the outermost one the answer is the position up to which the log must be
    /// [flushed](super::ChangeLog::flush_to) to make the transaction durable; none when there is nothing to make durable.
    ///
    /// # Errors
    /// [`LiveError::NotInTransaction`]; [`LiveError::Log`], and the transaction is as it was.
    #[doc(alias = "JetCommitTransaction")]
    pub fn commit(&self, t: &mut TransactionState) -> Result<Option<LogPosition>> {
        let mut core = self.core.lock();
        let own = t.versions.len();
        let position = core.commit(t)?;
        if t.level() == 0 {
            // Whoever reads next need not look for versions that tell nothing. Faster than they come, so that those that
            // somebody kept do not stay.
            core.forget_versions(own.saturating_mul(2).max(CLEANUP_AT));
            if core.cleanup.len() > CLEANUP_AT {
                // The commit stands, whatever becomes of this.
                if let Err(error) = core.clean_versions(CLEANUP_AT) {
                    tracing::debug!(%error, "clean-up put off");
                }
            }
        }
        Ok(position)
    }

    /// Takes back what the innermost level changed, newest first, and ends the level.
    ///
    /// # Errors
    /// [`LiveError::NotInTransaction`]; others, and the level still stands with what is not taken back yet.
    #[doc(alias = "JetRollback")]
    pub fn rollback(&self, t: &mut TransactionState) -> Result<()> {
        self.core.lock().rollback(t)
    }
}

impl Core {
    pub(super) fn open_session(&mut self, id: SessionId) -> TransactionState {
        let open = OpenSession { id, begin: None, position: LogPosition::NONE };
        let token = match self.sessions.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.sessions.push(None);
                self.sessions.len() - 1
            }
        };
        if let Some(place) = self.sessions.get_mut(token) {
            *place = Some(open);
        }
        TransactionState {
            id,
            token: token as u32,
            marks: Vec::with_capacity(MOST_LEVELS.into()),
            read_only: false,
            begin: TransactionTime(0),
            logged: 0,
            position: LogPosition::NONE,
            versions: Vec::new(),
            unversioned: false,
        }
    }

    pub(super) fn begin(&mut self, t: &mut TransactionState, read_only: bool) -> Result<()> {
        if t.level() >= MOST_LEVELS {
            return Err(LiveError::TransactionTooDeep { most: MOST_LEVELS });
        }
        if t.level() == 0 {
            t.read_only = read_only;
            // Multiples of four for what may be logged; who only reads stands between them.
            let begin = TransactionTime(self.newest.0.wrapping_add(if read_only { 2 } else { 4 }));
            if !read_only {
                self.newest = begin;
            }
            t.begin = begin;
            if let Some(session) = self.open_session_mut(t.token) {
                session.begin = Some(begin);
            }
            self.counters.transactions += 1;
        }
        t.marks.push(t.versions.len());
        Ok(())
    }

    pub(super) fn commit(&mut self, t: &mut TransactionState) -> Result<Option<LogPosition>> {
        let level = t.level();
        if level == 0 {
            return Err(LiveError::NotInTransaction);
        }
        if level > 1 {
            if t.logged == level {
                self.batch.clear();
                self.push(&Record::Commit(Commit { session: t.id, level_after: level - 1 }))?;
                self.append(t)?;
            }
            self.close_level(t);
            return Ok(None);
        }
        let mut position = None;
        if t.logged > 0 {
            self.batch.clear();
            let time = TransactionTime(0);
            let record = CommitOutermost { session: t.id, level_after: 0, commit_time: time };
            self.push(&Record::Commit0(record))?;
            let mut newest = self.newest;
            // Drawn while nobody else can append: the records stand in the order of their times.
            position = Some(self.append_with(t, &mut |_, batch| {
                newest = TransactionTime(newest.0.wrapping_add(4));
                if let Some(bytes) = batch.record_mut(0).and_then(|r| r.get_mut(4..8)) {
                    bytes.copy_from_slice(&newest.0.to_le_bytes());
                }
            })?);
            self.newest = newest;
            self.last_commit = position.unwrap_or(self.last_commit);
        } else if !t.versions.is_empty() {
            self.newest = TransactionTime(self.newest.0.wrapping_add(4));
        }
        self.counters.commits += 1;
        let others = self.sessions.iter().flatten().filter(|s| s.begin.is_some()).count() > 1;
        if !others && t.versions.len() == self.versions.size().0 && !self.versions.leaves_work() {
            // Nobody reads who could need them, and nothing else is in the way.
            self.versions.clear();
            t.versions.clear();
        }
        let time = self.newest;
        for index in t.versions.drain(..) {
            if let Some(frame) = self.versions.get(index).and_then(|v| v.waits) {
                // The page may go without the before-image, once it is certain that nobody needs it.
                self.cache.raise_last_change(frame, position.unwrap_or_default());
                self.stop_waiting(index);
            }
            let Some(version) = self.versions.get_mut(index) else { continue };
            match version.change {
                // A right that was held keeps those away who began before.
                Change::CreateTree => {
                    self.versions.remove(index);
                }
                _ => {
                    version.commit = time;
                    self.cleanup.push_back((time, Cleanup::Version(index)));
                }
            }
        }
        self.end(t);
        Ok(position)
    }

    /// Ends a level whose commit is in the log, if its begin is: what it did belongs to the level around it.
    pub(super) fn close_level(&mut self, t: &mut TransactionState) {
        let level = t.level();
        t.logged = t.logged.min(level.saturating_sub(1));
        let mark = t.marks.pop().unwrap_or(0);
        for &index in t.versions.get(mark..).unwrap_or(&[]) {
            if let Some(version) = self.versions.get_mut(index) {
                version.level = version.level.min(level - 1);
            }
        }
    }

    pub(super) fn rollback(&mut self, t: &mut TransactionState) -> Result<()> {
        let level = t.level();
        if level == 0 {
            return Err(LiveError::NotInTransaction);
        }
        let mark = t.marks.last().copied().unwrap_or(0);
        while t.versions.len() > mark {
            let Some(&index) = t.versions.last() else { break };
            self.undo(t, index)?;
            t.versions.pop();
        }
        if t.logged == level {
            self.batch.clear();
            self.push(&Record::Rollback(Rollback { session: t.id, level_count: 1 }))?;
            self.append(t)?;
            t.logged -= 1;
        }
        t.marks.pop();
        self.counters.rollbacks += 1;
        if level == 1 {
            self.end(t);
        }
        Ok(())
    }

    fn end(&mut self, t: &mut TransactionState) {
        t.marks.clear();
        t.versions.clear();
        t.unversioned = false;
        t.logged = 0;
        t.position = LogPosition::NONE;
        if let Some(session) = self.open_session_mut(t.token) {
            session.begin = None;
            session.position = LogPosition::NONE;
        }
    }
}
