//! Where in its tree a key is, by estimate.

use super::core::Result;
use super::search::Leaf;
use super::spot::Direction;
use super::{LiveError, LiveTrees, Spot, TransactionState, Tree};
use crate::page_edit::page_flags;
use crate::tree_write::TreeWriteError;

/// No tree is deeper.
const MAX_DEPTH: usize = 40;

impl LiveTrees {
    /// About how many nodes are before a bookmark, and about how many there are: estimated from the lines of the pages on
    /// the way there, as if all others had as many.
    ///
    /// # Errors
    /// When a page cannot be read or does not belong to the tree.
    #[doc(alias = "JetGetRecordPosition")]
    #[doc(alias = "ErrBTGetPosition")]
    pub fn fraction(&self, tree: &Tree, key: &[u8], data: &[u8]) -> Result<(u64, u64)> {
        let mut core = self.core.lock();
        core.cache.begin_operation();
        let data = tree.bookmark_data(data);
        let (mut before, mut total) = (0_u64, 1_u64);
        let mut page = tree.root.root;
        for _ in 0..MAX_DEPTH {
            let frame = core.fetch(tree.slot, page)?;
            let image = core.cache.page(frame);
            let edit = LiveError::edit(page);
            let count = image.line_count();
            let leaf = image.has(page_flags::LEAF);
            let line =
                if leaf { image.seek(key, data).map(|(line, _)| line) } else { image.seek_child(key, data) };
            let line = line.map_err(&edit)?;
            before = before.saturating_mul(count as u64).saturating_add(line as u64);
            total = total.saturating_mul(count as u64);
            if leaf {
                return Ok((before.min(total), total));
            }
            let child = image.node(line).map_err(&edit)?.child();
            page = child.ok_or(TreeWriteError::Corrupt { page, what: "a branch node names no child" })?;
        }
        Err(TreeWriteError::Corrupt { page, what: "the tree is deeper than any can be" }.into())
    }

    /// Makes `spot` stand at a node before which there are about `before` of `total` nodes. False when the transaction
    /// sees none from there on.
    ///
    /// # Errors
    /// As [`fraction`](Self::fraction).
    #[doc(alias = "JetGotoPosition")]
    pub fn goto_fraction(
        &self,
        t: &TransactionState,
        tree: &Tree,
        before: u64,
        total: u64,
        spot: &mut Spot,
    ) -> Result<bool> {
        let mut core = self.core.lock();
        let reader = core.reader(t);
        core.cache.begin_operation();
        let total = u128::from(total.max(1));
        // Remaining share of the page, of `total`.
        let mut share = u128::from(before).min(total);
        let mut page = tree.root.root;
        for _ in 0..MAX_DEPTH {
            let frame = core.fetch(tree.slot, page)?;
            let image = core.cache.page(frame);
            let count = image.line_count();
            let scaled = share * count as u128;
            let line = usize::try_from(scaled / total).unwrap_or(count).min(count.saturating_sub(1));
            share = scaled.saturating_sub(line as u128 * total).min(total);
            if image.has(page_flags::LEAF) {
                let leaf = Leaf { frame, page, line, exact: true };
                spot.forget();
                return core.walk(tree, reader, leaf, Direction::Forwards, spot);
            }
            let child = image.node(line).map_err(LiveError::edit(page))?.child();
            page = child.ok_or(TreeWriteError::Corrupt { page, what: "a branch node names no child" })?;
        }
        Err(TreeWriteError::Corrupt { page, what: "the tree is deeper than any can be" }.into())
    }
}
