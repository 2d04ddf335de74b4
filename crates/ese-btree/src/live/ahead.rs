//! Leaves read before somebody comes to them: the next ones of a walk, and those of keys that are going to be looked for.
//!
//! A walk that misses two leaves in a row looks at the parent of the second one: it names the leaves that follow, wherever
//! they lie in the file. A batch of them is asked for, the next one when the walk is in the middle of it, twice as large.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::core::{Core, Result};
use super::search::Way;
use super::spot::Direction;
use super::{LiveTrees, Tree};
use crate::page_cache::FrameId;
use crate::page_edit::page_flags;

/// Leaves asked for at first.
const FIRST_BATCH: u32 = 8;
/// Most pages read in one call.
const MOST_TOGETHER: u32 = 32;
/// Walks that are followed at a time.
pub(super) const WALKS: usize = 8;
/// No tree is deeper.
const MAX_DEPTH: usize = 40;

/// A walk through the leaves of a tree.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    slot: DatabaseSlot,
    root: PageNumber,
    /// The leaf that it comes to next, when nothing was asked for.
    next: PageNumber,
    /// The leaf at which more is asked for.
    turn: PageNumber,
    /// Leaves asked for at a time; 0 for a walk that may be none.
    batch: u32,
}

impl Walk {
    fn is_of(&self, tree: &Tree) -> bool {
        (self.slot, self.root) == (tree.slot, tree.root.root)
    }
}

const fn walk_of(tree: &Tree) -> usize {
    tree.root.root.0 as usize % WALKS
}

impl LiveTrees {
    /// From now on threads of their own read what walks come to. False when there are none to be had.
    pub fn read_ahead_on_threads(&self) -> bool {
        self.core.lock().cache.start_prefetch().is_some()
    }

    /// Says that a key will be looked for: its leaf is read ahead.
    ///
    /// # Errors
    /// When a branch page cannot be read.
    #[doc(alias = "ErrBTPrereadKeys")]
    pub fn want_key(&self, tree: &Tree, key: &[u8]) -> Result<()> {
        self.want_keys(tree, key, key)
    }

    /// Says that all nodes from `low` to `high` will be read: their leaves are read ahead, as far as memory is kept for it.
    ///
    /// # Errors
    /// When a branch page cannot be read.
    #[doc(alias = "ErrBTPrereadIndexRanges")]
    pub fn want_keys(&self, tree: &Tree, low: &[u8], high: &[u8]) -> Result<()> {
        let mut core = self.core.lock();
        core.slot(tree.slot)?;
        let mut left = core.cache.most_wanted() / 2;
        let mut from = low.to_vec();
        while left > 0 {
            core.cache.begin_operation();
            let Some((frame, line)) = core.parent_of_leaf(tree, &from)? else { return Ok(()) };
            let image = core.cache.page(frame);
            let (mut leaves, mut end) = (Vec::new(), true);
            for line in line..image.line_count() {
                let Ok(node) = image.node(line) else { break };
                leaves.extend(node.child());
                from = node.key();
                // What is not below the separator of a leaf is behind it.
                end = from.is_empty() || &from[..] > high;
                if end || leaves.len() >= left {
                    break;
                }
            }
            left -= leaves.len().min(left);
            core.want_leaves(tree.slot, &leaves);
            if end || leaves.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Core {
    /// Whether a walk that enters a leaf is to look ahead from there.
    #[inline]
    pub(super) fn is_due(&mut self, tree: &Tree, page: PageNumber, is_here: bool) -> bool {
        if !self.cache.has_readers() {
            return false;
        }
        let Some(walk) = self.walks.get_mut(walk_of(tree)) else { return false };
        let known = walk.is_of(tree);
        if known && walk.turn == page {
            return true;
        }
        if is_here || self.cache.holds(tree.slot, page) || self.cache.is_coming(tree.slot, page) {
            return false;
        }
        if !known || walk.next != page {
            *walk = Walk { slot: tree.slot, root: tree.root.root, ..Walk::default() };
        }
        true
    }

    /// Has the leaves read that follow the one in `frame`. What is wrong on the way is told when somebody comes there.
    pub(super) fn look_ahead(&mut self, tree: &Tree, page: PageNumber, frame: FrameId, direction: Direction) {
        let image = self.cache.page(frame);
        let next = match direction {
            Direction::Forwards => image.next(),
            Direction::Backwards => image.previous(),
        };
        let Some(walk) = self.walks.get_mut(walk_of(tree)) else { return };
        (walk.next, walk.turn) = (next, PageNumber::NONE);
        let batch = walk.batch;
        walk.batch = FIRST_BATCH.max(batch);
        let Ok(node) = image.node(0) else { return };
        if batch == 0 || next.is_none() {
            return;
        }
        let (key, data) = (node.key(), tree.bookmark_data(node.data).to_vec());
        if self.descend_to_page(tree.slot, &tree.root, Way::Bookmark(&key, &data)).is_err() {
            return;
        }
        let Some(parent) = self.parent else { return };
        let image = self.cache.page(parent.frame);
        let child = |line: usize| image.node(line).ok().and_then(|node| node.child());
        if child(parent.line) != Some(page) {
            return;
        }
        let most = batch.min(u32::try_from(self.cache.most_wanted() / 2).unwrap_or(u32::MAX)) as usize;
        let count = image.line_count();
        let leaves: Vec<PageNumber> = match direction {
            Direction::Forwards => (parent.line + 1..count).map_while(child).take(most).collect(),
            Direction::Backwards => (0..parent.line).rev().map_while(child).take(most).collect(),
        };
        if let Some(walk) = self.walks.get_mut(walk_of(tree)) {
            walk.turn = leaves.get(leaves.len() / 2).copied().unwrap_or_default();
            walk.batch = (2 * batch).min(1 << 16);
        }
        self.want_leaves(tree.slot, &leaves);
    }

    /// Asks for leaves, those that lie side by side together.
    fn want_leaves(&mut self, slot: DatabaseSlot, leaves: &[PageNumber]) {
        let mut run: Option<(u32, u32)> = None;
        for page in leaves.iter().map(|page| page.0) {
            run = match run {
                Some((first, count)) if count < MOST_TOGETHER && page == first + count => {
                    Some((first, count + 1))
                }
                Some((first, count)) if count < MOST_TOGETHER && page + 1 == first => Some((page, count + 1)),
                other => {
                    if let Some((first, count)) = other {
                        self.cache.want_run(slot, PageNumber(first), count);
                    }
                    Some((page, 1))
                }
            };
        }
        if let Some((first, count)) = run {
            self.cache.want_run(slot, PageNumber(first), count);
        }
    }

    /// The page above the leaf of a key, and the line that leads there. None where the root is a leaf.
    fn parent_of_leaf(&mut self, tree: &Tree, key: &[u8]) -> Result<Option<(FrameId, usize)>> {
        let mut page = tree.root.root;
        for _ in 0..MAX_DEPTH {
            let frame = self.fetch(tree.slot, page)?;
            let image = self.cache.page(frame);
            if image.object() != tree.root.object || image.has(page_flags::LEAF) {
                return Ok(None);
            }
            let Ok(line) = image.seek_child(key, &[]) else { return Ok(None) };
            if image.has(page_flags::PARENT_OF_LEAF) {
                return Ok(Some((frame, line)));
            }
            let Some(child) = image.node(line).ok().and_then(|node| node.child()) else { return Ok(None) };
            page = child;
        }
        Ok(None)
    }
}
