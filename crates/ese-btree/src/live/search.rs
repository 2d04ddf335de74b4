//! From a root to a leaf.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::core::{Core, KnownParent, LastLeaf, ParentPlace, Result};
use super::{LiveError, Tree};
use crate::page_cache::{FrameId, Pass, Passage};
use crate::page_edit::{Share, page_flags};
use crate::tree_write::{TreeRoot, TreeWriteError};

/// No tree is deeper.
const MAX_DEPTH: usize = 40;

/// Where a bookmark is, or belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) frame: FrameId,
    pub(super) page: PageNumber,
    pub(super) line: usize,
    /// A node with this bookmark is there, deleted or not.
    pub(super) exact: bool,
}

/// The page of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafPage {
    pub(super) frame: FrameId,
    pub(super) page: PageNumber,
    /// How far down the page's keys the bookmark may be expected.
    pub(super) share: Option<Share>,
}

/// Trees whose roots' buffers are remembered.
pub(super) const KNOWN_ROOTS: usize = 64;

/// Where the buffer of a tree's root is remembered.
const fn root_place(tree: &TreeRoot) -> usize {
    tree.root.0 as usize % KNOWN_ROOTS
}

/// Where the last leaf of a tree is remembered.
fn last_leaf_of(tree: &Tree) -> usize {
    tree.root.root.0 as usize % 8
}

/// Which way to go on branch pages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    Bookmark(&'a [u8], &'a [u8]),
    Last,
}

impl Core {
    /// The place behind the last node of a tree, when the key belongs there and the last leaf is known.
    pub(super) fn place_at_end(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> Option<Leaf> {
        let known = self.last_leaves.get(last_leaf_of(tree)).copied().flatten()?;
        if known.root != tree.root.root || known.slot != tree.slot {
            return None;
        }
        self.cache.begin_operation();
        if !self.cache.still_holds(known.frame, known.slot, known.page) {
            return None;
        }
        let image = self.cache.page(known.frame);
        let flags = image.flags()
            & (page_flags::LEAF | page_flags::EMPTY | page_flags::PRE_INIT | page_flags::SPACE_TREE);
        let count = image.line_count();
        // A leaf in use without a right sibling is the last one, whatever happened since.
        if flags != page_flags::LEAF || image.object() != tree.root.object || !image.next().is_none() {
            return None;
        }
        let last = image.node(count.checked_sub(1)?).ok()?;
        let order = last.compare_bookmark(key, data, tree.is_unique());
        order.is_lt().then_some(Leaf { frame: known.frame, page: known.page, line: count, exact: false })
    }

    /// The place behind the last node of the leaf that rows arrived at in order, when the key belongs there: its parent says
    /// that it is in front of what follows, the leaf that it is behind what is there.
    pub(super) fn place_in_order(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> Option<Leaf> {
        let known = self.parents_in_order.get(last_leaf_of(tree)).copied().flatten()?;
        if known.root != tree.root.root || known.slot != tree.slot || !data.is_empty() {
            return None;
        }
        let found = self.in_front_of_what_follows(tree, &known, key);
        if found.is_none()
            && let Some(place) = self.parents_in_order.get_mut(last_leaf_of(tree))
        {
            *place = None;
        }
        found
    }

    fn in_front_of_what_follows(&mut self, tree: &Tree, known: &KnownParent, key: &[u8]) -> Option<Leaf> {
        let of_tree = page_flags::EMPTY | page_flags::PRE_INIT | page_flags::SPACE_TREE;
        let ParentPlace { page, frame, line } = known.place;
        self.cache.begin_operation();
        if !self.cache.still_holds(frame, known.slot, page) {
            return None;
        }
        let parent = self.cache.page(frame);
        if parent.object() != tree.root.object || parent.flags() & (of_tree | page_flags::LEAF) != 0 {
            return None;
        }
        let separator = parent.node(line).ok()?;
        let leaf = separator.child()?;
        // The last child's separator is empty, and in front of every key.
        if !separator.compare_bookmark(key, &[], true).is_gt()
            || !self.cache.still_holds(known.leaf, known.slot, leaf)
        {
            return None;
        }
        let image = self.cache.page(known.leaf);
        if image.object() != tree.root.object
            || image.flags() & (of_tree | page_flags::LEAF) != page_flags::LEAF
        {
            return None;
        }
        let count = image.line_count();
        let last = image.node(count.checked_sub(1)?).ok()?;
        let order = last.compare_bookmark(key, &[], true);
        order.is_lt().then_some(Leaf { frame: known.leaf, page: leaf, line: count, exact: false })
    }

    /// Remembers where the last descent came from, when its place is behind all nodes of its leaf.
    pub(super) fn note_order(&mut self, tree: &Tree, leaf: &Leaf) {
        if let Some(place) = self.parent
            && tree.is_unique()
            && leaf.line == self.cache.page(leaf.frame).line_count()
            && let Some(known) = self.parents_in_order.get_mut(last_leaf_of(tree))
        {
            let (slot, root) = (tree.slot, tree.root.root);
            *known = Some(KnownParent { slot, root, leaf: leaf.frame, place });
        }
    }

    /// Remembers the last leaf of a tree.
    pub(super) fn note_last_leaf(&mut self, tree: &Tree, leaf: &Leaf) {
        if self.cache.page(leaf.frame).next().is_none()
            && let Some(place) = self.last_leaves.get_mut(last_leaf_of(tree))
        {
            let (slot, root) = (tree.slot, tree.root.root);
            *place = Some(LastLeaf { slot, root, page: leaf.page, frame: leaf.frame });
        }
    }

    /// Descends to the leaf of a bookmark. The data part must be empty in trees with unique keys.
    #[inline]
    pub(super) fn descend(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> Result<Leaf> {
        self.cache.begin_operation();
        self.descend_in(tree.slot, &tree.root, Way::Bookmark(key, data))
    }

    /// As [`descend`](Self::descend), within the operation at hand: pages that it used stay in memory.
    pub(super) fn descend_in(&mut self, slot: DatabaseSlot, tree: &TreeRoot, way: Way<'_>) -> Result<Leaf> {
        let LeafPage { frame, page, share } = self.descend_to_page(slot, tree, way)?;
        let (image, facts) = self.cache.page_with_facts(frame);
        let (line, exact) = match way {
            Way::Bookmark(key, data) => {
                image.seek_by(&facts, key, data, share).map_err(LiveError::edit(page))?
            }
            Way::Last => (image.line_count().saturating_sub(1), false),
        };
        Ok(Leaf { frame, page, line, exact })
    }

    /// Descends to the page of the leaf, within the operation at hand.
    pub(super) fn descend_to_page(
        &mut self,
        slot: DatabaseSlot,
        tree: &TreeRoot,
        way: Way<'_>,
    ) -> Result<LeafPage> {
        self.counters.descents += 1;
        self.parent = None;
        // A separator of a tree with non-unique keys may reach into the data part.
        let joined;
        let bookmark = match way {
            Way::Bookmark(key, []) => key,
            Way::Bookmark(key, data) => {
                joined = [key, data].concat();
                &joined[..]
            }
            Way::Last => return self.descend_slowly(slot, tree, None, None),
        };
        let frame = self.roots.get(root_place(tree)).copied().unwrap_or(FrameId::NONE);
        let mut at = LeafPage { frame, page: tree.root, share: None };
        let mut from = None;
        for _ in 0..MAX_DEPTH {
            match self.cache.pass(at.frame, slot, at.page, tree.object, bookmark) {
                Some(Pass::Leaf) => return Ok(at),
                Some(Pass::Child(passage)) => {
                    from = Some((at.frame, passage));
                    self.parent = Some(ParentPlace { page: at.page, frame: at.frame, line: passage.line });
                    at = LeafPage { frame: passage.frame, page: passage.page, share: passage.share };
                }
                None => break,
            }
        }
        self.descend_slowly(slot, tree, Some(bookmark), from)
    }

    /// From the root on, or from the page that a passage leads to, whatever is there and wherever it is; the last leaf without
    /// a bookmark.
    #[inline(never)]
    fn descend_slowly(
        &mut self,
        slot: DatabaseSlot,
        tree: &TreeRoot,
        bookmark: Option<&[u8]>,
        mut from: Option<(FrameId, Passage)>,
    ) -> Result<LeafPage> {
        let mut page = from.map_or(tree.root, |(_, passage)| passage.page);
        for _ in 0..MAX_DEPTH {
            let frame = match from {
                None => self.fetch(slot, page)?,
                Some((parent, passage)) => {
                    let frame = Self::there(self.cache.fetch_near(slot, page, passage.frame)?, page)?;
                    if frame != passage.frame {
                        self.cache.note_child(parent, passage.line, frame);
                    }
                    frame
                }
            };
            if page == tree.root
                && let Some(place) = self.roots.get_mut(root_place(tree))
            {
                *place = frame;
            }
            let (_, facts) = self.cache.page_with_facts(frame);
            let flags = facts.flags;
            if facts.object != tree.object || flags & (page_flags::EMPTY | page_flags::PRE_INIT) != 0 {
                let what = "the page belongs to another tree";
                return Err(TreeWriteError::Corrupt { page, what }.into());
            }
            if flags & page_flags::LEAF != 0 {
                let share = from.and_then(|(_, passage)| passage.share);
                return Ok(LeafPage { frame, page, share });
            }
            let image = self.cache.page(frame);
            let last = image.line_count().saturating_sub(1);
            let (line, signed) = match bookmark {
                None => (last, None),
                Some(bookmark) => match self.cache.follow(frame, bookmark) {
                    Some(passage) => (0, Some(passage.map_err(LiveError::edit(page))?)),
                    None => {
                        let image = self.cache.page(frame);
                        let line = image.seek_child_between(bookmark, 0, last);
                        (line.map_err(LiveError::edit(page))?, None)
                    }
                },
            };
            let line = signed.as_ref().map_or(line, |passage| passage.line);
            self.parent = Some(ParentPlace { page, frame, line });
            page = match signed {
                Some(passage) => {
                    from = Some((frame, passage));
                    passage.page
                }
                None => {
                    from = None;
                    let image = self.cache.page(frame);
                    let node = image.node(line).map_err(LiveError::edit(page))?;
                    let what = "a branch node names no child";
                    node.child().ok_or(TreeWriteError::Corrupt { page, what })?
                }
            };
        }
        let what = "the tree is deeper than any can be";
        Err(TreeWriteError::Corrupt { page: tree.root, what }.into())
    }
}
