//! Commits with the engine's options: lazy ones that are durable after a while, and waiting for earlier ones.

use std::time::Duration;

use bitflags::bitflags;
use ese_log::record::{Record, Trace};

use super::{CommitId, CommitMode, Session};
use crate::call_error::CallError;
use crate::error::InstanceError;
use crate::state::SessionCall;

bitflags! {
    /// Options of a commit. Unknown bits are kept, and refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CommitFlags: u32 {
        /// The call does not wait until the commit is durable.
        #[doc(alias = "JET_bitCommitLazyFlush")]
        const LAZY = 0x1;
        /// Commits nothing: waits until the session's last commit is durable.
        #[doc(alias = "JET_bitWaitLastLevel0Commit")]
        const WAIT_FOR_LAST = 0x2;
        /// Commits nothing: waits until the commits of all sessions are durable.
        #[doc(alias = "JET_bitWaitAllLevel0Commit")]
        const WAIT_FOR_ALL = 0x8;
        /// Commits nothing: begins a new log.
        #[doc(alias = "JET_bitForceNewLog")]
        const FORCE_NEW_LOG = 0x10;
        /// The commit context is handed to the callback of recovery. Accepted, without effect.
        #[doc(alias = "JET_bitCommitRedoCallback")]
        const REDO_CALLBACK = 0x20;
        const _ = !0;
    }
}

/// What the log says about a roll that was asked for.
const CAUSE: &[u8] = b"ErrIsamCommitTransaction\0";

/// The options that there are.
const KNOWN: u32 = 0x1 | 0x2 | 0x8 | 0x10 | 0x20;

impl CommitId {
    /// The number by which the engine orders commits of one stream.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.position.to_u64()
    }

    /// The engine's structure, 40 bytes, little-endian: signature 28, zeros 4, number 8.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let fields = self.log_signature.to_bytes().into_iter().chain([0; 4]);
        for (place, byte) in bytes.iter_mut().zip(fields.chain(self.number().to_le_bytes())) {
            *place = byte;
        }
        bytes
    }
}

impl Session {
    /// Commits the innermost transaction, or waits for earlier commits, as the options say. The session's parameter
    /// `COMMIT_DEFAULT` and the instance's `CommitDefault` can make every commit lazy. A lazy commit is durable after
    /// `durable_within`, when that is not zero: a thread of the instance sees to it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); `Call` (`JET_errInvalidGrbit`) for unknown options, and for one of those that commit nothing
    /// together with any other; `Call` (`JET_errInvalidParameter`) for a time with a commit that is not lazy.
    #[doc(alias = "JetCommitTransaction2")]
    pub fn commit_with(
        &self,
        flags: CommitFlags,
        durable_within: Duration,
    ) -> Result<Option<CommitId>, InstanceError> {
        let invalid = CallError::InvalidFlags { bits: flags.bits() };
        let default = {
            let call = self.shared.enter(SessionCall::Ordinary)?;
            CommitFlags::from_bits_retain(call.inner.parameters.commit_default)
        };
        if flags.bits() & !KNOWN != 0 {
            return Err(invalid.into());
        }
        for alone in [CommitFlags::FORCE_NEW_LOG, CommitFlags::WAIT_FOR_ALL, CommitFlags::WAIT_FOR_LAST] {
            if flags.contains(alone) && flags != alone {
                return Err(invalid.into());
            }
        }
        if flags == CommitFlags::FORCE_NEW_LOG {
            self.force_new_log()?;
            return Ok(None);
        }
        if flags == CommitFlags::WAIT_FOR_ALL {
            self.wait_for_all_commits()?;
            return Ok(None);
        }
        if flags == CommitFlags::WAIT_FOR_LAST {
            self.wait_for_last_commit()?;
            return Ok(None);
        }
        let lazy = (flags | default).contains(CommitFlags::LAZY);
        if !lazy && !durable_within.is_zero() {
            self.shared.enter(SessionCall::Ordinary)?.check_in_transaction()?;
            return Err(CallError::InvalidParameter { what: "a commit that waits is durable at once" }.into());
        }
        let id = self.commit(if lazy { CommitMode::Lazy } else { CommitMode::Durable })?;
        if lazy && id.is_some() && !durable_within.is_zero() {
            self.instance().make_durable_within(durable_within);
        }
        Ok(id)
    }

    /// Closes the log that is being written and begins the next one. All commits so far are durable then.
    ///
    /// # Errors
    /// Refused at the door; `LoggingDisabled`; `Log`.
    #[doc(alias = "JET_bitForceNewLog")]
    pub fn force_new_log(&self) -> Result<(), InstanceError> {
        let _call = self.shared.enter(SessionCall::Ordinary)?;
        let instance = self.instance();
        let log = instance.log().ok_or(InstanceError::LoggingDisabled)?;
        let mark = Trace { session: self.id(), text: CAUSE };
        log.append_to_new_generation(&Record::ForceLogRollover(mark))?;
        log.flush()?;
        instance.tell_durable_commits();
        Ok(())
    }
}
