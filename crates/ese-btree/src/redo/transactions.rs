//! Redo of the records that begin, commit and roll back, and of macros.

use ese_format::ObjectId;
use ese_log::record::{BeginLevels, DatabaseSlot, Macro as MacroRecord, SessionId, TransactionTime};

use super::Redo;
use super::error::RedoErrorKind;

type Result<T> = std::result::Result<T, RedoErrorKind>;

impl Redo {
    fn saw_transaction(&mut self, time: TransactionTime) {
        if self.newest_transaction.is_before(time) {
            self.newest_transaction = time;
        }
    }

    pub(super) fn begin(&mut self, session: SessionId, levels: BeginLevels, time: Option<TransactionTime>) {
        let position = self.position;
        let session = self.sessions.get(session);
        if !session.after_first_begin && levels.from() != 0 {
            return;
        }
        if session.level == 0 {
            if let Some(time) = time {
                session.transaction = time;
            }
            session.start = position;
            session.last_begin = position;
        }
        session.level = levels.from().saturating_add(levels.count());
        session.after_first_begin = true;
        if let Some(time) = time {
            self.saw_transaction(time);
        }
    }

    pub(super) fn commit(&mut self, session: SessionId, level_after: u8, time: Option<TransactionTime>) {
        let position = self.position;
        if let Some(time) = time {
            self.saw_transaction(time);
            self.last_commit = Some((position, time));
            self.statistics.commits += 1;
        }
        if level_after == 0 {
            self.unpin_from(session, 0);
        }
        let session = self.sessions.get(session);
        if !session.after_first_begin {
            return;
        }
        session.level = level_after;
        if level_after == 0 {
            session.reset();
        } else {
            session.versions.lower_to(level_after);
        }
    }

    pub(super) fn rollback(&mut self, session: SessionId, levels: u8) {
        let remaining = self.sessions.get(session).level.saturating_sub(levels);
        self.unpin_from(session, remaining.saturating_add(1));
        let session = self.sessions.get(session);
        if !session.after_first_begin {
            return;
        }
        for _ in 0..levels {
            if session.level == 0 {
                break;
            }
            // What its Undo records did not take is of an index built beside updates: nothing to undo.
            let level = session.level;
            session.versions.drop_from(level);
            session.level -= 1;
        }
        if session.level == 0 {
            session.reset();
        }
    }

    pub(super) fn refresh(&mut self, session: SessionId, time: TransactionTime) {
        let session = self.sessions.get(session);
        if session.after_first_begin {
            session.level = 1;
            session.transaction = time;
        }
    }

    pub(super) fn begin_macro(&mut self, record: &MacroRecord) {
        if self.sessions.get(record.session).after_first_begin {
            self.sessions.begin_macro(record.session, record.db_time);
        }
    }

    pub(super) fn abort_macro(&mut self, record: &MacroRecord) {
        if let Some(group) = self.sessions.take_macro(record.session, record.db_time) {
            self.sessions.recycle(group);
        }
    }

    /// Keeps a record that has meaning only in a macro.
    pub(super) fn keep_for_macro(
        &mut self,
        session: SessionId,
        slot: DatabaseSlot,
        time: ese_format::DbTime,
        object: ObjectId,
        raw: &[u8],
    ) {
        // Outside a macro it has no effect but on the counters.
        self.takes_part(session, slot, time, object, Some(raw));
    }

    pub(super) fn commit_macro(&mut self, record: &MacroRecord) -> Result<()> {
        if !self.sessions.get(record.session).after_first_begin {
            return Ok(());
        }
        let Some(group) = self.sessions.take_macro(record.session, record.db_time) else {
            return Err(RedoErrorKind::EmptyMacro);
        };
        self.replay_macro(group, record.db_time)
    }
}
