//! The trees that cursors work on, as cursors see them.

use ese_btree::live::{LiveTrees, SeekHow, Spot, TransactionState, Tree};
use ese_format::PageNumber;

use super::error::Result;

/// Where rows, index entries or long values are.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTree(pub(super) Tree);

/// Where a cursor stands in a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) spot: Spot,
}

impl Place {
    pub(super) fn set(&mut self, key: &[u8], data: &[u8]) {
        self.spot.set_bookmark(key, data);
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        &self.spot.key
    }

    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        self.spot.data()
    }
}

/// What tree calls are made with: the trees, and the session's transaction.
pub(super) struct Reads<'a> {
    pub(super) trees: &'a LiveTrees,
    pub(super) state: &'a TransactionState,
}

impl RowTree {
    /// Whether bookmarks are keys alone.
    pub(super) const fn is_unique(&self) -> bool {
        self.0.is_unique()
    }

    /// Root page.
    pub(super) const fn root(&self) -> PageNumber {
        self.0.root.root
    }

    #[inline]
    pub(super) fn seek(
        &self,
        reads: &Reads<'_>,
        key: &[u8],
        data: &[u8],
        how: SeekHow,
        place: &mut Place,
    ) -> Result<bool> {
        Ok(reads.trees.seek(reads.state, &self.0, key, data, how, &mut place.spot)?)
    }

    /// The key of the last node, seen or not.
    pub(super) fn last_key(&self, reads: &Reads<'_>, key: &mut Vec<u8>) -> Result<bool> {
        Ok(reads.trees.last_key(&self.0, key)?)
    }

    #[inline]
    pub(super) fn next(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        Ok(reads.trees.next(reads.state, &self.0, &mut place.spot)?)
    }

    #[inline]
    pub(super) fn previous(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        Ok(reads.trees.previous(reads.state, &self.0, &mut place.spot)?)
    }

    /// Reads the node at the place again. False when it is gone.
    pub(super) fn refresh(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        if self.is_unique() {
            return Ok(reads.trees.refresh(reads.state, &self.0, &mut place.spot)?);
        }
        // The data are a part of the bookmark: they are wanted when the node is gone, too.
        let data = place.data().to_vec();
        let there = reads.trees.refresh(reads.state, &self.0, &mut place.spot)?;
        if !there {
            let key = std::mem::take(&mut place.spot.key);
            place.set(&key, &data);
        }
        Ok(there)
    }

    /// The data of the node with this key.
    pub(super) fn get(&self, reads: &Reads<'_>, key: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        Ok(reads.trees.get(reads.state, &self.0, key, out)?)
    }

    /// As [`insert`](Self::insert), in a transaction level of its own.
    pub(super) fn insert_in_level(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        Ok(trees.insert_in_level(state, &self.0, key, data)?)
    }

    pub(super) fn insert(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        Ok(trees.insert(state, &self.0, key, data)?)
    }

    pub(super) fn replace(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        Ok(trees.replace(state, &self.0, key, data)?)
    }

    pub(super) fn delete(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        Ok(trees.delete(state, &self.0, key, data)?)
    }

    /// About how many nodes are before a place, and about how many there are.
    pub(super) fn estimate(&self, reads: &Reads<'_>, place: &Place) -> Result<(u64, u64)> {
        Ok(reads.trees.fraction(&self.0, place.key(), place.data())?)
    }

    /// Goes to a node before which there are about `before` of `total` nodes.
    pub(super) fn seek_share(
        &self,
        reads: &Reads<'_>,
        before: u64,
        total: u64,
        place: &mut Place,
    ) -> Result<bool> {
        Ok(reads.trees.goto_fraction(reads.state, &self.0, before, total, &mut place.spot)?)
    }

    /// Reserves the right to change a node.
    pub(super) fn write_lock(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
    ) -> Result<()> {
        Ok(trees.write_lock(state, &self.0, key)?)
    }

    /// Adds to a 32-bit counter in a node's data; returns what was there before.
    pub(super) fn add_i32(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        offset: usize,
        delta: i32,
    ) -> Result<i32> {
        Ok(trees.add_i32(state, &self.0, key, offset, delta)?)
    }
}
