//! Sessions as the log shows them.

use std::collections::BTreeMap;

use ese_format::{DbTime, LogPosition};
use ese_log::record::{SessionId, TransactionTime, VersionId};

use super::version::VersionList;

/// Records of a macro, kept until it commits.
#[derive(Debug, Default)]
pub(crate) struct Macro {
    pub(crate) time: DbTime,
    pub(crate) bytes: Vec<u8>,
    /// End of each record in `bytes`, and its position.
    pub(crate) ends: Vec<(usize, LogPosition)>,
}

impl Macro {
    pub(crate) fn push(&mut self, record: &[u8], position: LogPosition) {
        self.bytes.extend_from_slice(record);
        self.ends.push((self.bytes.len(), position));
    }

    /// The records in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&[u8], LogPosition)> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&(end, position)| {
            let record = self.bytes.get(start..end);
            start = end;
            Some((record?, position))
        })
    }
}

/// One session.
#[doc(alias = "PIB")]
#[derive(Debug, Default)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Transaction level; 0 outside transactions.
    pub level: u8,
    /// Begin time of the outermost transaction.
    pub transaction: TransactionTime,
    /// Position of the Begin0 record.
    pub start: LogPosition,
    /// Position of the last Begin0 record; stays when the transaction ends.
    pub(crate) last_begin: LogPosition,
    /// Whether a begin from level 0 was seen. Until then its records belong to a transaction that had finished
    /// before redo began.
    pub after_first_begin: bool,
    /// What its transaction can undo.
    pub versions: VersionList,
    /// Versions whose before-image must still come from an UndoInfo record.
    pub(crate) deferred: Vec<VersionId>,
    pub(crate) macros: Vec<Macro>,
}

/// Most buffers of finished macros kept for the next ones.
const SPARE_MACROS: usize = 8;

/// All sessions, by number.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    list: BTreeMap<SessionId, Session>,
    spare: Vec<Macro>,
}

impl Sessions {
    /// The session `id`, made when it was not there.
    pub(crate) fn get(&mut self, id: SessionId) -> &mut Session {
        self.list.entry(id).or_insert_with(|| Session { id, ..Session::default() })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.list.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.list.values_mut()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    pub(crate) fn begin_macro(&mut self, id: SessionId, time: DbTime) {
        let mut group = self.spare.pop().unwrap_or_default();
        group.time = time;
        let session = self.get(id);
        if session.macros.iter().all(|m| m.time != time) {
            session.macros.push(group);
        }
    }

    /// Takes the macro of a session out, if it has begun.
    pub(crate) fn take_macro(&mut self, id: SessionId, time: DbTime) -> Option<Macro> {
        let session = self.get(id);
        let at = session.macros.iter().position(|m| m.time == time)?;
        Some(session.macros.swap_remove(at))
    }

    pub(crate) fn recycle(&mut self, mut group: Macro) {
        if self.spare.len() < SPARE_MACROS {
            group.bytes.clear();
            group.ends.clear();
            self.spare.push(group);
        }
    }
}

impl Session {
    /// Back to level 0 with nothing to undo.
    pub(crate) fn reset(&mut self) {
        self.level = 0;
        self.start = LogPosition::NONE;
        self.versions.clear();
        self.deferred.clear();
    }

    pub(crate) fn defer(&mut self, id: VersionId) {
        if id != VersionId::NONE && !self.deferred.contains(&id) {
            self.deferred.push(id);
        }
    }
}
