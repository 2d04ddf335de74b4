//! The trees that cursors work on: those of databases, and those in memory of temporary tables.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use ese_btree::live::{LiveError, LiveTrees, SeekHow, Spot, TransactionState, Tree};
use ese_format::PageNumber;
use parking_lot::Mutex;

use super::error::Result;

/// Key of a node in memory: the key, and a number that tells equal keys apart where those are allowed.
type MemoryKey = (Vec<u8>, u64);

/// A tree in memory. Its changes are not taken back when a transaction is: nor are those of the engine's sorts.
#[derive(Debug, Default)]
pub(super) struct MemoryTree {
    nodes: BTreeMap<MemoryKey, Vec<u8>>,
    last_number: u64,
}

/// Where rows, index entries or long values are.
#[derive(Clone, Debug)]
pub(super) enum RowTree {
    /// In a database.
    Live(Tree),
    /// In memory.
    Memory(Arc<Mutex<MemoryTree>>),
}

/// Where a cursor stands in a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) spot: Spot,
    /// In memory: which of the nodes with equal keys.
    number: u64,
}

impl Place {
    pub(super) fn set(&mut self, key: &[u8], data: &[u8]) {
        self.spot.set_bookmark(key, data);
        self.number = 0;
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.spot.key
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.spot.data
    }
}

/// What tree calls are made with: the trees, and the session's transaction.
pub(super) struct Reads<'a> {
    pub(super) trees: &'a LiveTrees,
    pub(super) state: &'a TransactionState,
}

impl MemoryTree {
    fn settle(&self, found: Option<(&MemoryKey, &Vec<u8>)>, place: &mut Place) -> bool {
        let Some(((key, number), data)) = found else { return false };
        place.spot.set_bookmark(key, data);
        place.number = *number;
        true
    }

    fn seek(&self, key: &[u8], how: SeekHow, place: &mut Place) -> bool {
        let first = || (key.to_vec(), 0);
        let last = || (key.to_vec(), u64::MAX);
        let range = |from, to| self.nodes.range::<MemoryKey, _>((from, to));
        let found = match how {
            SeekHow::First => self.nodes.first_key_value(),
            SeekHow::Last => self.nodes.last_key_value(),
            SeekHow::AtLeast => range(Bound::Included(first()), Bound::Unbounded).next(),
            SeekHow::Above => range(Bound::Excluded(last()), Bound::Unbounded).next(),
            SeekHow::AtMost => range(Bound::Unbounded, Bound::Included(last())).next_back(),
            SeekHow::Below => range(Bound::Unbounded, Bound::Excluded(first())).next_back(),
        };
        self.settle(found, place)
    }

    fn step(&self, forwards: bool, place: &mut Place) -> bool {
        let here = (place.spot.key.clone(), place.number);
        let found = if forwards {
            self.nodes.range((Bound::Excluded(here), Bound::Unbounded)).next()
        } else {
            self.nodes.range((Bound::Unbounded, Bound::Excluded(here))).next_back()
        };
        self.settle(found, place)
    }
}

impl RowTree {
    /// An empty tree in memory.
    pub(super) fn in_memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// Whether bookmarks are keys alone.
    pub(super) fn is_unique(&self) -> bool {
        match self {
            Self::Live(tree) => tree.is_unique(),
            Self::Memory(_) => true,
        }
    }

    /// Root page, in a database.
    pub(super) fn root(&self) -> PageNumber {
        match self {
            Self::Live(tree) => tree.root.root,
            Self::Memory(_) => PageNumber::NONE,
        }
    }

    pub(super) fn seek(
        &self,
        reads: &Reads<'_>,
        key: &[u8],
        data: &[u8],
        how: SeekHow,
        place: &mut Place,
    ) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.seek(reads.state, tree, key, data, how, &mut place.spot)?),
            Self::Memory(tree) => Ok(tree.lock().seek(key, how, place)),
        }
    }

    /// The key of the last node, seen or not.
    pub(super) fn last_key(&self, reads: &Reads<'_>, key: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.last_key(tree, key)?),
            Self::Memory(tree) => {
                let tree = tree.lock();
                let last = tree.nodes.last_key_value();
                key.clear();
                key.extend_from_slice(last.map_or(&[], |((last, _), _)| last));
                Ok(last.is_some())
            }
        }
    }

    pub(super) fn next(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.next(reads.state, tree, &mut place.spot)?),
            Self::Memory(tree) => Ok(tree.lock().step(true, place)),
        }
    }

    pub(super) fn previous(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.previous(reads.state, tree, &mut place.spot)?),
            Self::Memory(tree) => Ok(tree.lock().step(false, place)),
        }
    }

    /// Reads the node at the place again. False when it is gone.
    pub(super) fn refresh(&self, reads: &Reads<'_>, place: &mut Place) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.refresh(reads.state, tree, &mut place.spot)?),
            Self::Memory(tree) => {
                let tree = tree.lock();
                let found = tree.nodes.get(&(place.spot.key.clone(), place.number));
                let Some(data) = found else { return Ok(false) };
                place.spot.data.clear();
                place.spot.data.extend_from_slice(data);
                Ok(true)
            }
        }
    }

    /// The data of the node with this key.
    pub(super) fn get(&self, reads: &Reads<'_>, key: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Live(tree) => Ok(reads.trees.get(reads.state, tree, key, out)?),
            Self::Memory(tree) => {
                let mut place = Place::default();
                let found = tree.lock().seek(key, SeekHow::AtLeast, &mut place) && place.key() == key;
                out.clear();
                out.extend_from_slice(place.data());
                Ok(found)
            }
        }
    }

    pub(super) fn insert(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        match self {
            Self::Live(tree) => Ok(trees.insert(state, tree, key, data)?),
            Self::Memory(tree) => {
                let mut tree = tree.lock();
                let place = (key.to_vec(), 0);
                if tree.nodes.contains_key(&place) {
                    return Err(LiveError::KeyDuplicate { root: PageNumber::NONE }.into());
                }
                tree.nodes.insert(place, data.to_vec());
                Ok(())
            }
        }
    }

    /// In memory: inserts behind nodes with the same key.
    pub(super) fn insert_beside(&self, key: &[u8], data: &[u8]) {
        if let Self::Memory(tree) = self {
            let mut tree = tree.lock();
            tree.last_number += 1;
            let number = tree.last_number;
            tree.nodes.insert((key.to_vec(), number), data.to_vec());
        }
    }

    pub(super) fn replace(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        match self {
            Self::Live(tree) => Ok(trees.replace(state, tree, key, data)?),
            Self::Memory(tree) => {
                let mut tree = tree.lock();
                match tree.nodes.get_mut(&(key.to_vec(), 0)) {
                    Some(node) => {
                        node.clear();
                        node.extend_from_slice(data);
                        Ok(())
                    }
                    None => Err(LiveError::KeyMissing { root: PageNumber::NONE }.into()),
                }
            }
        }
    }

    pub(super) fn delete(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        match self {
            Self::Live(tree) => Ok(trees.delete(state, tree, key, data)?),
            Self::Memory(tree) => match tree.lock().nodes.remove(&(key.to_vec(), 0)) {
                Some(_) => Ok(()),
                None => Err(LiveError::KeyMissing { root: PageNumber::NONE }.into()),
            },
        }
    }

    /// About how many nodes are before a place, and about how many there are; `None` where they have to be counted.
    pub(super) fn estimate(&self, reads: &Reads<'_>, place: &Place) -> Result<Option<(u64, u64)>> {
        match self {
            Self::Live(tree) => Ok(Some(reads.trees.fraction(tree, place.key(), place.data())?)),
            Self::Memory(_) => Ok(None),
        }
    }

    /// Goes to a node before which there are about `before` of `total` nodes.
    pub(super) fn seek_share(
        &self,
        reads: &Reads<'_>,
        before: u64,
        total: u64,
        place: &mut Place,
    ) -> Result<bool> {
        match self {
            Self::Live(tree) => {
                Ok(reads.trees.goto_fraction(reads.state, tree, before, total, &mut place.spot)?)
            }
            Self::Memory(_) => Ok(false),
        }
    }

    /// Reserves the right to change a node.
    pub(super) fn write_lock(
        &self,
        trees: &LiveTrees,
        state: &mut TransactionState,
        key: &[u8],
    ) -> Result<()> {
        match self {
            Self::Live(tree) => Ok(trees.write_lock(state, tree, key)?),
            Self::Memory(_) => Ok(()),
        }
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
        match self {
            Self::Live(tree) => Ok(trees.add_i32(state, tree, key, offset, delta)?),
            Self::Memory(tree) => {
                let mut tree = tree.lock();
                let missing = LiveError::KeyMissing { root: PageNumber::NONE };
                let node = tree.nodes.get_mut(&(key.to_vec(), 0)).ok_or(missing)?;
                let none = LiveError::NoCounter { offset, length: node.len() };
                let bytes = node.get_mut(offset..).and_then(|b| b.first_chunk_mut::<4>()).ok_or(none)?;
                let old = i32::from_le_bytes(*bytes);
                *bytes = old.wrapping_add(delta).to_le_bytes();
                Ok(old)
            }
        }
    }
}
