//! The pages of one database for changes of trees that need more than one page: splits, space, merges.

use ese_format::{DbTime, LogPosition, PageNumber, PageSize};
use ese_log::record::{DatabaseSlot, ExtendDatabase, Record, VersionId};

use super::TransactionState;
use super::core::Core;
use super::records::Operation;
use crate::page_edit::PageImage;
use crate::tree_write::{PageChange, PageStore, TreeRoot, TreeWriteError};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Pages of one database in a transaction. Each change is appended to the log before it is applied.
pub(super) struct LiveStore<'a> {
    pub(super) core: &'a mut Core,
    pub(super) t: &'a mut TransactionState,
    pub(super) slot: DatabaseSlot,
    /// The tree whose nodes get versions, and the versions of the operation at hand.
    pub(super) versioned: Option<Versioned>,
    /// Position of the change at hand.
    pub(super) position: LogPosition,
}

/// The operation that a change of several pages is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Versioned {
    pub(super) tree: TreeRoot,
    pub(super) version: VersionId,
    /// Of an insert over a deleted node.
    pub(super) replace_version: VersionId,
}

impl<'a> LiveStore<'a> {
    pub(super) fn new(core: &'a mut Core, t: &'a mut TransactionState, slot: DatabaseSlot) -> Self {
        Self { core, t, slot, versioned: None, position: LogPosition::NONE }
    }
}

impl PageStore for LiveStore<'_> {
    fn page_size(&self) -> PageSize {
        self.core.settings.page_size
    }

    fn begin(&mut self) {
        self.core.cache.begin_operation();
    }

    fn page(&mut self, number: PageNumber) -> Result<PageImage<&[u8]>> {
        let frame = self.core.fetch(self.slot, number)?;
        Ok(self.core.cache.page(frame))
    }

    fn page_mut(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>> {
        let frame = self.core.fetch(self.slot, number)?;
        Ok(self.core.cache.page_mut(frame, self.position))
    }

    fn new_page(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>> {
        let frame = self.core.cache.create(self.slot, number)?;
        Ok(self.core.cache.page_mut(frame, self.position))
    }

    fn extend(&mut self, last: PageNumber) -> Result<()> {
        if self.core.is_logged(self.slot)? {
            self.core.begin_batch(self.t)?;
            let record = ExtendDatabase { database: self.slot, last_page: last, more: &[] };
            self.core.push(&Record::ExtendDatabase(record))?;
            self.core.append(self.t)?;
        }
        Ok(self.core.cache.resize(self.slot, last)?)
    }

    fn next_time(&mut self) -> DbTime {
        self.core.next_time(self.slot).unwrap_or(DbTime::INVALID)
    }

    fn record(&mut self, change: &PageChange<'_>, time: DbTime) -> Result<()> {
        self.position = LogPosition::NONE;
        if matches!(change, PageChange::Split { .. } | PageChange::VerticalSplit { .. }) {
            self.core.counters.splits += 1;
            self.log_waiting(change)?;
        }
        if !self.core.is_logged(self.slot)? {
            return Ok(());
        }
        self.core.begin_batch(self.t)?;
        let operation = Operation::of_change(self, change, time)?;
        operation.push(self.core)?;
        self.position = self.core.append(self.t)?;
        Ok(())
    }
}

impl LiveStore<'_> {
    /// Nodes are about to move to other pages: their before-images are logged now, because what waits is tied to a page.
    fn log_waiting(&mut self, change: &PageChange<'_>) -> Result<()> {
        let pages: Vec<PageNumber> = match change {
            PageChange::VerticalSplit { root, .. } => vec![*root],
            PageChange::Split { levels, .. } => levels.iter().map(|level| level.page).collect(),
            _ => Vec::new(),
        };
        for page in pages {
            let frame = self.core.fetch(self.slot, page)?;
            self.core.log_undo_info(frame)?;
        }
        Ok(())
    }
}
