//! The sessions of an instance.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use ese_log::record::SessionId;
use parking_lot::Mutex;

use super::SessionShared;
use crate::error::InstanceError;

/// The lowest number of a session of the application; those below belonged to the engine's own.
const FIRST: u16 = 5;

/// Sessions beyond the parameter that applications get: of the 69 of the engine's own, four are in use.
#[doc(alias = "cpibSystem")]
const SPARE: u64 = 65;

/// The sessions of an instance, by number.
#[derive(Debug)]
pub(crate) struct SessionTable {
    limit: u64,
    sessions: Mutex<BTreeMap<u16, Weak<SessionShared>>>,
}

impl SessionTable {
    /// A table of at most `limit` sessions, and of those that the original keeps for itself and does not need.
    #[doc(alias = "JET_paramMaxSessions")]
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit: limit.saturating_add(SPARE), sessions: Mutex::default() }
    }

    /// Adds a session under the lowest free number.
    ///
    /// # Errors
    /// `OutOfSessions`.
    pub(crate) fn add(
        &self,
        make: impl FnOnce(SessionId) -> Arc<SessionShared>,
    ) -> Result<Arc<SessionShared>, InstanceError> {
        let mut sessions = self.sessions.lock();
        let full = InstanceError::OutOfSessions { limit: self.limit };
        if sessions.len() as u64 >= self.limit {
            return Err(full);
        }
        let number = (FIRST..=u16::MAX).find(|number| !sessions.contains_key(number)).ok_or(full)?;
        let session = make(SessionId(number));
        sessions.insert(number, Arc::downgrade(&session));
        Ok(session)
    }

    pub(crate) fn remove(&self, id: SessionId) {
        self.sessions.lock().remove(&id.0);
    }

    /// The sessions that are there.
    pub(crate) fn all(&self) -> Vec<Arc<SessionShared>> {
        self.sessions.lock().values().filter_map(Weak::upgrade).collect()
    }
}
