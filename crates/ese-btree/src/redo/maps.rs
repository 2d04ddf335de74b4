//! Pages that are missing or too old and may be so, because a later record frees them.

use std::collections::BTreeMap;

use ese_format::{DbTime, JetError, LogPosition, PageNumber};

/// What was wrong with a page when a record first needed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedoMapEntry {
    /// Position of the record.
    pub position: LogPosition,
    /// The error it would have been.
    pub error: JetError,
    /// Counter before the change, says the record; [`DbTime::NIL`] when it was not compared.
    pub before: DbTime,
    /// The page's counter.
    pub found: DbTime,
    /// Counter after the change; [`DbTime::NIL`] when it was not compared.
    pub after: DbTime,
}

/// The maps of one database.
#[doc(alias = "CLogRedoMap")]
#[derive(Clone, Debug, Default)]
pub struct RedoMaps {
    /// Beyond the end of the file, zero, or shrunk.
    pub(crate) zeroed: BTreeMap<PageNumber, RedoMapEntry>,
    /// Lacking earlier changes.
    pub(crate) bad_time: BTreeMap<PageNumber, RedoMapEntry>,
    /// Reverted to new.
    pub(crate) reverted: BTreeMap<PageNumber, RedoMapEntry>,
    /// Reverted to new, of a tree that is being deleted.
    pub(crate) reverted_ignored: BTreeMap<PageNumber, RedoMapEntry>,
}

impl RedoMaps {
    /// Whether records on `page` have no effect.
    pub(crate) fn skips(&self, page: PageNumber) -> bool {
        self.zeroed.contains_key(&page)
            || self.reverted.contains_key(&page)
            || self.reverted_ignored.contains_key(&page)
    }

    /// The entry that was made first among those that must have gone by now, its page, and how many there are.
    #[must_use]
    pub fn oldest(&self) -> Option<(PageNumber, RedoMapEntry, usize)> {
        let maps = [&self.zeroed, &self.bad_time, &self.reverted];
        let count = maps.iter().map(|m| m.len()).sum();
        maps.iter()
            .flat_map(|map| map.iter())
            .min_by_key(|(page, entry)| (entry.position, **page))
            .map(|(page, entry)| (*page, *entry, count))
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zeroed.is_empty() && self.bad_time.is_empty() && self.reverted.is_empty()
    }

    /// Pages `first..=last` are gone: what was wrong with them is explained.
    pub(crate) fn clear_range(&mut self, first: PageNumber, last: PageNumber) {
        for map in [&mut self.zeroed, &mut self.bad_time, &mut self.reverted, &mut self.reverted_ignored] {
            map.retain(|page, _| *page < first || *page > last);
        }
    }

    /// `page` was freed.
    pub(crate) fn clear_reverted(&mut self, page: PageNumber) {
        self.reverted.remove(&page);
    }
}
