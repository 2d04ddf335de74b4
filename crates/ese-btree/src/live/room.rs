//! Room for nodes on their pages: what versions reserve, and splits where there is none.

use ese_log::record::VersionId;

use super::core::{Core, Result};
use super::search::{Leaf, Way};
use super::store::LiveStore;
use super::{LiveError, TransactionState, Tree};
use crate::page_edit::node_flags;
use crate::tree_write::{NodeChange, PageStore, TreeWriteError, TreeWriter};

/// Most splits that one node can need.
const MOST_SPLITS: u32 = 120;

impl Core {
    /// Whether `needed` more bytes fit on a leaf, beside what undoing changes may claim back.
    pub(super) fn has_room(&mut self, tree: &Tree, leaf: &Leaf, needed: usize) -> Result<bool> {
        let image = self.cache.page(leaf.frame);
        let (free, reserved) = (image.free(), image.uncommitted_free());
        if needed + reserved <= free {
            return Ok(true);
        }
        if needed > free || reserved == 0 {
            return Ok(false);
        }
        // Some of it may be of transactions that have ended.
        let reserved = self.reserved_on(tree, leaf)?;
        self.cache.page_mut_quietly(leaf.frame).set_uncommitted_free(reserved);
        Ok(needed + reserved <= free)
    }

    /// Bytes of a leaf that undoing changes of open transactions may claim back.
    #[doc(alias = "CbNDReservedSizeOfNode")]
    pub(super) fn reserved_on(&self, tree: &Tree, leaf: &Leaf) -> Result<usize> {
        if !self.versions.has_replaces() {
            return Ok(0);
        }
        let image = self.cache.page(leaf.frame);
        let mut key = Vec::new();
        let mut reserved = 0;
        for line in 0..image.line_count() {
            let node = image.node(line).map_err(LiveError::edit(leaf.page))?;
            if node.flags & node_flags::VERSIONED != 0 {
                key.clear();
                node.push_key(&mut key);
                let data = tree.bookmark_data(node.data);
                let newest = self.versions.newest(tree.slot, tree.root.root, &key, data);
                reserved += self.versions.largest_before(newest).saturating_sub(node.data.len());
            }
        }
        Ok(reserved)
    }

    /// Whether a node's data may change from `old` to `new` bytes. What the node's own versions reserve may be used.
    pub(super) fn has_room_for_data(
        &mut self,
        tree: &Tree,
        leaf: &Leaf,
        newest: Option<u32>,
        old: usize,
        new: usize,
    ) -> Result<bool> {
        let growth = new.saturating_sub(old);
        let own = self.versions.largest_before(newest).saturating_sub(old);
        let image = self.cache.page(leaf.frame);
        let (free, reserved) = (image.free(), image.uncommitted_free());
        if growth == 0 || growth + reserved <= free {
            return Ok(true);
        }
        if growth > free {
            return Ok(false);
        }
        let reserved = self.reserved_on(tree, leaf)?;
        self.cache.page_mut_quietly(leaf.frame).set_uncommitted_free(reserved);
        Ok(growth + reserved.saturating_sub(own) <= free)
    }

    /// Keeps room on the page for taking back a replace. `kept` is what it kept before; `newest` is the node's version
    /// before it.
    pub(super) fn reserve(
        &mut self,
        leaf: &Leaf,
        kept: usize,
        newest: Option<u32>,
        before: &[u8],
        new: usize,
    ) {
        let largest = self.versions.largest_before(newest);
        let was = largest.saturating_sub(before.len());
        let is = largest.max(before.len()).saturating_sub(new);
        let mut image = self.cache.page_mut_quietly(leaf.frame);
        image.set_uncommitted_free((kept + is).saturating_sub(was));
    }

    /// Counts anew what the page must keep free.
    pub(super) fn reserve_anew(&mut self, tree: &Tree, leaf: &Leaf) -> Result<()> {
        let reserved = self.reserved_on(tree, leaf)?;
        self.cache.page_mut_quietly(leaf.frame).set_uncommitted_free(reserved);
        Ok(())
    }

    /// Changes a node on a page that has no room, through the tree writer, which splits. Returns where the node is.
    pub(super) fn put_with_split(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        change: &NodeChange<'_>,
    ) -> Result<Leaf> {
        let mut writer = TreeWriter::new(LiveStore::new(self, t, tree.slot));
        let data = tree.bookmark_data(change.data);
        let mut left = MOST_SPLITS;
        loop {
            writer.store_mut().begin();
            let place = writer.place(&tree.root, change.key, data)?;
            if writer.put_at(&tree.root, &place, change)? {
                break;
            }
            left -= 1;
            if left == 0 {
                let page = tree.root.root;
                return Err(TreeWriteError::Corrupt { page, what: "splits make no room" }.into());
            }
        }
        self.after_split(tree, change.key, data, change.version != VersionId::NONE)
    }

    /// Finds a node that a split has moved, marks it as versioned, and counts anew what its page must keep free.
    fn after_split(&mut self, tree: &Tree, key: &[u8], data: &[u8], versioned: bool) -> Result<Leaf> {
        // Still the same operation: the page must not leave before its version is known.
        let leaf = self.descend_in(tree.slot, &tree.root, Way::Bookmark(key, data))?;
        if versioned {
            self.mark_versioned(&leaf)?;
        }
        let image = self.cache.page(leaf.frame);
        let beside = [image.previous(), image.next()];
        self.reserve_anew(tree, &leaf)?;
        for page in beside.into_iter().filter(|page| !page.is_none()) {
            let frame = self.fetch(tree.slot, page)?;
            self.reserve_anew(tree, &Leaf { frame, page, ..leaf })?;
        }
        Ok(leaf)
    }
}
