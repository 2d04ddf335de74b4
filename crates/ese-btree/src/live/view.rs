//! What is committed now, seen from inside a transaction that began earlier: for indexes that are made of a table's rows
//! while others change them.

use ese_format::PageSize;
use ese_log::record::TransactionTime;

use super::version_store::Change;
use super::{LiveTrees, TransactionState, Tree};

impl LiveTrees {
    /// Size of the pages.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.core.lock().settings.page_size
    }

    /// A state for reading only, which sees what is committed now, and what `t` itself has changed.
    #[must_use]
    pub fn latest_view(&self, t: &TransactionState) -> TransactionState {
        let core = self.core.lock();
        let mut view = core.detached_state();
        view.token = t.token;
        view.marks.push(0);
        view.begin = TransactionTime(core.newest.0.wrapping_add(2));
        // What it sees of the transaction's own changes does not last.
        view.unversioned = true;
        view
    }

    /// A state for reading only, which sees what is committed when it reads.
    #[must_use]
    pub fn committed_view(&self) -> TransactionState {
        self.core.lock().detached_state()
    }

    /// Keys of the nodes of a tree with unique keys that a transaction has inserted, replaced or deleted, in order.
    #[must_use]
    pub fn changed_keys(&self, t: &TransactionState, tree: &Tree) -> Vec<Vec<u8>> {
        let core = self.core.lock();
        let mut keys: Vec<Vec<u8>> = t
            .versions
            .iter()
            .filter_map(|index| core.versions.get(*index))
            .filter(|version| version.slot == tree.slot && version.tree.root == tree.root.root)
            .filter(|v| matches!(v.change, Change::Insert | Change::Replace | Change::FlagDelete))
            .map(|version| version.key().to_vec())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
