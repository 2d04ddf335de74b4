//! What many records begin with, and the ids in it.

use std::fmt;

use bitflags::bitflags;
use ese_format::{DbTime, ObjectId, PageNumber};

use super::field::{FieldValue, flags_field, wrapped_field};
use super::layout::layout;

/// Number of a session within its instance.
#[doc(alias = "procid")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u16);

/// Slot of an attached database, 1 to 6. A slot means a database only between its attach and its detach. 0 is the
/// temporary database, which is never logged.
#[doc(alias = "dbid")]
#[doc(alias = "ifmp")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseSlot(pub u8);

/// Time stamp of a transaction: a counter that wraps around, compared by the sign of the difference.
#[doc(alias = "TRX")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransactionTime(pub u32);

impl TransactionTime {
    /// "Not committed".
    #[doc(alias = "trxMax")]
    pub const MAX: Self = Self(0xFFFF_FFFF);

    /// Whether this stamp is older than `other`, on a counter that wraps around.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the sign of the wrapped difference is the order")]
    pub const fn is_before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
}

/// Id of a version (the in-memory undo entry of one operation); 0 is none.
#[doc(alias = "RCEID")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(pub u32);

impl VersionId {
    /// No version.
    #[doc(alias = "rceidNull")]
    pub const NONE: Self = Self(0);
}

wrapped_field! {
    SessionId, u16, SessionId, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
    DatabaseSlot, u8, DatabaseSlot, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
    TransactionTime, u32, TransactionTime, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
    VersionId, u32, VersionId, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
}

macro_rules! display_number {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_number! { SessionId DatabaseSlot TransactionTime VersionId }

bitflags! {
    /// What a page record says about its operation and its tree.
    #[doc(alias = "LRPAGE_")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PageRecordFlags: u8 {
        /// The operation made a version, which can be undone.
        #[doc(alias = "FVersioned")]
        const VERSIONED = 0x01;
        /// The node is deleted; no longer written.
        #[doc(alias = "FDeleted")]
        const DELETED = 0x02;
        /// The tree has unique keys.
        #[doc(alias = "FUnique")]
        const UNIQUE = 0x04;
        /// The page belongs to a space tree.
        #[doc(alias = "FSpace")]
        const SPACE = 0x08;
        /// Done by an index build beside updates.
        #[doc(alias = "FConcCI")]
        const CONCURRENT_INDEX = 0x10;
        /// Done by a background task of the engine.
        #[doc(alias = "FSystemTask")]
        const SYSTEM_TASK = 0x20;
    }
}

flags_field! { PageRecordFlags, u8; }

layout! {
    /// First 32 bytes of every record that changes a page.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 1 | type of the record |
    /// | 1  | 2 | `session` |
    /// | 3  | 1 | `database` |
    /// | 4  | 4 | `page_number` |
    /// | 8  | 8 | `db_time` |
    /// | 16 | 8 | `db_time_before` |
    /// | 24 | 4 | `transaction` |
    /// | 28 | 1 | `level` |
    /// | 29 | 2 | `line` |
    /// | 31 | 1 | `flags` |
    #[doc(alias = "LRPAGE_")]
    #[derive(Default)]
    pub struct PagePrefix [32] {
        /// Session that did the operation.
        1 => session: SessionId,
        /// Slot of the database.
        3 => database: DatabaseSlot,
        /// Page that changes; for the records that create a tree, its root.
        #[doc(alias = "pgno")]
        4 => page_number: PageNumber,
        /// The page's database time after the operation.
        #[doc(alias = "dbtime")]
        8 => db_time: DbTime,
        /// The page's database time before the operation; [`DbTime::NIL`] in the leaf operation inside a split.
        #[doc(alias = "dbtimeBefore")]
        16 => db_time_before: DbTime,
        /// Begin time of the outermost transaction.
        #[doc(alias = "trxBegin0")]
        24 => transaction: TransactionTime,
        /// Transaction level of the version; 0 when logged on behalf of a transaction that has committed already.
        28 => level: u8,
        /// Line on the page: number of the node, counted without the reserved tags.
        #[doc(alias = "iline")]
        29 => line: u16,
        /// What kind of operation and tree it is.
        31 => flags: PageRecordFlags,
    }
}

layout! {
    /// First 44 bytes of every record that changes a node: a [`PagePrefix`] and three ids.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 32 | `page` |
    /// | 32 | 4 | `version` |
    /// | 36 | 4 | `root` |
    /// | 40 | 4 | `object` |
    #[doc(alias = "LRNODE_")]
    #[derive(Default)]
    pub struct NodePrefix [44] {
        /// The page part.
        0 => page: PagePrefix,
        /// Version that the operation made; Undo and UndoInfo refer to it.
        #[doc(alias = "rceid")]
        32 => version: VersionId,
        /// Root page of the tree.
        #[doc(alias = "pgnoFDP")]
        36 => root: PageNumber,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        40 => object: ObjectId,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_times_wrap_around() {
        assert!(TransactionTime(4).is_before(TransactionTime(8)));
        assert!(TransactionTime(0xFFFF_FFF0).is_before(TransactionTime(8)));
        assert!(!TransactionTime(8).is_before(TransactionTime(8)));
    }
}
