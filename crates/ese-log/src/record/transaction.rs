//! Records of transactions and of macros (groups of page changes that count as one).

use bitflags::bitflags;
use ese_format::DbTime;

use super::field::{FieldValue, flags_field, wrapped_field};
use super::layout::layout;
use super::prefix::{SessionId, TransactionTime};

/// From which level how many levels are begun: one byte, the start in the low half, the number in the high half.
#[doc(alias = "levelBeginFrom")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BeginLevels(pub u8);

impl BeginLevels {
    /// From `from`, `count` levels; both are cut to four bits.
    #[must_use]
    pub const fn new(from: u8, count: u8) -> Self {
        Self(from & 0x0F | count << 4)
    }

    /// Level the session was at.
    #[must_use]
    pub const fn from(self) -> u8 {
        self.0 & 0x0F
    }

    /// Number of levels begun.
    #[doc(alias = "clevelsToBegin")]
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0 >> 4
    }

    /// Level the session is at afterwards.
    #[must_use]
    pub const fn to(self) -> u8 {
        self.from() + self.count()
    }
}

wrapped_field! {
    BeginLevels, u8, BeginLevels, |v| v.0,
    |v| FieldValue::Text(format!("{}..{}", v.from(), v.to()).into());
}

layout! {
    /// A nested transaction begins (type 5). 4 bytes.
    #[doc(alias = "LRBEGIN")]
    pub struct Begin [4] {
        /// Session.
        1 => session: SessionId,
        /// Levels begun.
        3 => levels: BeginLevels,
    }
}

layout! {
    /// An outermost transaction begins (types 8 Begin0 and 53 BeginDT). 8 bytes.
    #[doc(alias = "LRBEGIN0")]
    #[doc(alias = "LRBEGINDT")]
    pub struct BeginOutermost [8] {
        /// Session.
        1 => session: SessionId,
        /// Levels begun, from 0.
        3 => levels: BeginLevels,
        /// Begin time of the transaction.
        #[doc(alias = "trxBegin0")]
        4 => transaction: TransactionTime,
    }
}

layout! {
    /// A nested transaction commits (type 6). 4 bytes.
    #[doc(alias = "LRCOMMIT")]
    pub struct Commit [4] {
        /// Session.
        1 => session: SessionId,
        /// Level after the commit, 1 or higher.
        #[doc(alias = "levelCommitTo")]
        3 => level_after: u8,
    }
}

layout! {
    /// An outermost transaction commits (type 9). 8 bytes. The records stand in the log in the order of their times.
    #[doc(alias = "LRCOMMIT0")]
    pub struct CommitOutermost [8] {
        /// Session.
        1 => session: SessionId,
        /// Level after the commit: 0.
        #[doc(alias = "levelCommitTo")]
        3 => level_after: u8,
        /// Commit time.
        #[doc(alias = "trxCommit0")]
        4 => commit_time: TransactionTime,
    }
}

layout! {
    /// Transaction levels were rolled back (type 7). 4 bytes. The Undo records stand before it.
    #[doc(alias = "LRROLLBACK")]
    pub struct Rollback [4] {
        /// Session.
        1 => session: SessionId,
        /// Number of levels rolled back.
        #[doc(alias = "levelRollback")]
        3 => level_count: u8,
    }
}

layout! {
    /// A transaction was given a new begin time (type 10). 7 bytes. Current engines do not write it.
    #[doc(alias = "LRREFRESH")]
    pub struct Refresh [7] {
        /// Session.
        1 => session: SessionId,
        /// New begin time.
        #[doc(alias = "trxBegin0")]
        3 => transaction: TransactionTime,
    }
}

layout! {
    /// A macro begins, is complete or was given up (types 11 to 13). 11 bytes.
    ///
    /// The records of a macro carry its session and database time; records of other sessions may stand among them.
    #[doc(alias = "LRMACROBEGIN")]
    #[doc(alias = "LRMACROCOMMIT")]
    #[doc(alias = "LRMACROABORT")]
    pub struct Macro [11] {
        /// Session.
        1 => session: SessionId,
        /// Database time of the macro: that of all its pages afterwards.
        3 => db_time: DbTime,
    }
}

layout! {
    /// A record with nothing but its session (types 55 PrepRollback and 57 ForceWriteLog). 3 bytes.
    pub struct SessionOnly [3] {
        /// Session.
        1 => session: SessionId,
    }
}

layout! {
    /// A distributed transaction is prepared (type 54).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | `session` |
    /// | 3 | 4 | length of `data` |
    /// | 7 |   | `data` |
    #[doc(alias = "LRPREPCOMMIT")]
    pub struct PrepareCommit<'a> [7] {
        /// Session.
        1 => session: SessionId,
    }
    payload {
        /// Bytes of the transaction's coordinator.
        3, u32 => data,
    }
}

bitflags! {
    /// What a commit context is for.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CommitContextFlags: u8 {
        /// Recovery has to call the application back.
        #[doc(alias = "fLRCommitCtxCallbackNeeded")]
        const CALLBACK_NEEDED = 0x01;
        /// The context holds data of the application's customer.
        #[doc(alias = "fLRCommitCtxContainsCustomerData")]
        const CUSTOMER_DATA = 0x02;
        /// The record stands before its Commit0.
        #[doc(alias = "fLRCommitCtxPreCommitCallbackNeeded")]
        const BEFORE_COMMIT = 0x04;
    }
}

flags_field! { CommitContextFlags, u8; }

layout! {
    /// Bytes that the application gave to a commit (type 69), skippable.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 4 | length of what follows offset 5 |
    /// | 5 | 2 | `session` |
    /// | 7 |   | `body`: since log version 8.4000.4.8 a byte of flags and the bytes, before that the bytes alone |
    #[doc(alias = "LRCOMMITCTX")]
    #[doc(alias = "LRCOMMITCTXOLD")]
    pub struct CommitContext<'a> [7] {
        /// Session.
        5 => session: SessionId,
    }
    rest
    /// Flags and bytes, see [`parts`](CommitContext::parts).
    body
}

impl<'a> CommitContext<'a> {
    /// The flags and the application's bytes. `has_flags` comes from the version of the log, see
    /// [`has_flags`](Self::has_flags). `None` when the flags byte is missing.
    #[must_use]
    pub fn parts(&self, has_flags: bool) -> Option<(CommitContextFlags, &'a [u8])> {
        if !has_flags {
            return Some((CommitContextFlags::empty(), self.body));
        }
        let (flags, bytes) = self.body.split_first()?;
        Some((CommitContextFlags::from_bits_retain(*flags), bytes))
    }

    /// Whether a log of version 8.4000.`update_major`.`update_minor` has the flags byte.
    #[must_use]
    pub const fn has_flags(update_major: u32, update_minor: u32) -> bool {
        update_major > 5 || update_major == 5 && update_minor >= 2 || update_major == 4 && update_minor >= 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_share_a_byte() {
        let levels = BeginLevels(0x21);
        assert_eq!((levels.from(), levels.count(), levels.to()), (1, 2, 3));
        assert_eq!(BeginLevels::new(1, 2), levels);
    }

    #[test]
    fn the_flags_of_a_commit_context_depend_on_the_log_version() {
        let context = CommitContext { session: SessionId(1), body: &[4, 9] };
        assert_eq!(context.parts(true), Some((CommitContextFlags::BEFORE_COMMIT, &[9u8][..])));
        assert_eq!(context.parts(false), Some((CommitContextFlags::empty(), &[4u8, 9][..])));
        assert!(CommitContext::has_flags(4, 8) && !CommitContext::has_flags(4, 7));
        assert!(CommitContext::has_flags(5, 2) && !CommitContext::has_flags(5, 1));
        assert!(CommitContext::has_flags(6, 0));
    }
}
