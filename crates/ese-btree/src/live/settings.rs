//! What live trees are told, and what they tell.

use std::sync::Arc;

use ese_format::{DbTime, LogVersion, ObjectId, PageNumber, PageSize};
use ese_log::record::{DatabaseSlot, SessionId, TransactionTime};

use crate::page_cache::PageWriteGate;
use crate::tree_write::TreeRoot;

/// How live trees are set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveSettings {
    /// Page size of every database.
    pub page_size: PageSize,
    /// Bytes of pages kept in memory.
    #[doc(alias = "JET_paramCacheSizeMax")]
    pub cache_bytes: usize,
    /// Most bytes of versions.
    #[doc(alias = "JET_paramMaxVerPages")]
    pub version_store_bytes: usize,
    /// Newest transaction time of the log so far; a multiple of four.
    pub newest_transaction: TransactionTime,
    /// Session number of the engine's own changes: clean-up. No other session may have it.
    pub system_session: SessionId,
    /// Version of the log: older ones do not know every record.
    pub log_version: LogVersion,
}

impl LiveSettings {
    /// Settings with a cache of 64 MiB and as much for versions.
    #[must_use]
    pub const fn new(page_size: PageSize) -> Self {
        Self {
            page_size,
            cache_bytes: 64 << 20,
            version_store_bytes: 64 << 20,
            newest_transaction: TransactionTime(0),
            system_session: SessionId(2),
            log_version: LogVersion::segments(130, 270),
        }
    }
}

/// What a database's header knows of its pages.
#[derive(Clone)]
pub struct SlotFacts {
    /// Highest update counter in use.
    pub db_time: DbTime,
    /// Highest object id in use.
    pub last_object_id: ObjectId,
    /// Whether changes are logged. Those of the temporary database are not.
    pub logged: bool,
    /// Asked before pages are written: what a backup reads must not change meanwhile.
    pub gate: Option<Arc<dyn PageWriteGate>>,
    /// Highest page number that the file may grow to.
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub largest_page: Option<PageNumber>,
    /// Whether nothing may change.
    pub read_only: bool,
    /// Whether changes can be rolled back. Without versions everybody sees a change at once, and for good.
    #[doc(alias = "JET_bitDbVersioningOff")]
    pub versioned: bool,
    /// The temporary database: transactions that only read may change it, too.
    #[doc(alias = "dbidTemp")]
    pub temporary: bool,
    /// The last page of the file. Set by [`LiveTrees::facts`](super::LiveTrees::facts); the attach does not look at it.
    pub last_page: PageNumber,
}

impl SlotFacts {
    /// A logged database.
    #[must_use]
    pub const fn new(db_time: DbTime, last_object_id: ObjectId) -> Self {
        Self {
            db_time,
            last_object_id,
            logged: true,
            gate: None,
            largest_page: None,
            read_only: false,
            versioned: true,
            temporary: false,
            last_page: PageNumber(0),
        }
    }

    /// The temporary database, which has no log.
    #[must_use]
    pub fn temporary(versioned: bool) -> Self {
        Self { logged: false, versioned, temporary: true, ..Self::new(DbTime::START, ObjectId(1)) }
    }
}

/// A tree of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The database.
    pub slot: DatabaseSlot,
    /// The tree.
    pub root: TreeRoot,
}

impl Tree {
    /// Data part of a bookmark: none in trees with unique keys.
    pub(super) const fn bookmark_data<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        if self.is_unique() { &[] } else { data }
    }

    /// Whether bookmarks are keys alone.
    #[must_use]
    pub const fn is_unique(&self) -> bool {
        self.root.flags & crate::page_flags::NON_UNIQUE_KEYS == 0
    }
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveCounters {
    /// Page fetches answered from memory.
    pub cache_hits: u64,
    /// Pages read from files.
    pub pages_read: u64,
    /// Of those, pages read before they were asked for; by threads of their own only those that were asked for then.
    pub pages_read_ahead: u64,
    /// Pages written to files.
    pub pages_written: u64,
    /// Pages in memory.
    pub pages_cached: u64,
    /// Log records appended.
    pub records: u64,
    /// Bytes of those records.
    pub record_bytes: u64,
    /// Transactions begun from level 0.
    pub transactions: u64,
    /// Transactions committed to level 0.
    pub commits: u64,
    /// Levels rolled back.
    pub rollbacks: u64,
    /// Nodes inserted.
    pub inserts: u64,
    /// Nodes replaced.
    pub replaces: u64,
    /// Nodes deleted.
    pub deletes: u64,
    /// Counters added to.
    pub deltas: u64,
    /// Operations taken back.
    pub undos: u64,
    /// Descents from a root.
    pub descents: u64,
    /// Page splits.
    pub splits: u64,
    /// Page merges.
    pub merges: u64,
    /// Versions in memory.
    pub versions: u64,
    /// Bytes of those versions.
    pub version_bytes: u64,
    /// Deleted nodes removed for good.
    pub nodes_cleaned: u64,
    /// Write conflicts.
    pub conflicts: u64,
}
