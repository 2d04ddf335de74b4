//! Reading: points, and places that move.

use std::cmp::Ordering;

use ese_format::{DbTime, PageNumber};
use ese_log::record::DatabaseSlot;

use super::core::{Core, Result};
use super::page_copy::{OnCopy, PageCopy};
use super::search::{Leaf, LeafPage, Way};
use super::version_store::Reader;
use super::{LiveError, LiveTrees, TransactionState, Tree};
use crate::page_cache::FrameId;
use crate::page_edit::node_flags;
use crate::tree_write::TreeWriteError;

/// Most pages read at once.
const MOST_READ_AHEAD: u32 = 32;
/// Moves on a page before it is copied; moves from page to page copy at once.
const STEPS_BEFORE_COPY: u8 = 4;

/// Which node a [`LiveTrees::seek`] looks for, compared by key and, in trees with non-unique keys, data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekHow {
    /// The first of the tree.
    First,
    /// The lowest that is not below.
    AtLeast,
    /// The lowest above.
    Above,
    /// The highest that is not above.
    AtMost,
    /// The highest below.
    Below,
    /// The last of the tree.
    Last,
}

/// Where a cursor stands: key and data of a node that its transaction sees. The buffers are used again.
#[derive(Debug, Default)]
pub struct Spot {
    /// Whole key of the node.
    pub key: Vec<u8>,
    /// Data of the node, unless it is on the copy.
    data: Vec<u8>,
    /// Where the node is on the copy.
    on_copy: Option<OnCopy>,
    hint: Option<Hint>,
    copy: Option<Box<PageCopy>>,
    /// Moves on the page at hand without a copy of it.
    steps: u8,
    /// The buffer that the page behind the copy was in.
    ahead: Option<FrameId>,
}

/// Where the node was: good as long as the page has not changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    pub(super) frame: FrameId,
    pub(super) page: PageNumber,
    pub(super) line: usize,
    pub(super) time: DbTime,
}

impl Clone for Spot {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), data: self.data().to_vec(), hint: self.hint, ..Self::default() }
    }
}

impl Spot {
    /// A spot that stands nowhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Data of the node, as the transaction sees it.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match (&self.on_copy, &self.copy) {
            (Some(node), Some(copy)) => copy.bytes().get(node.data.clone()).unwrap_or_default(),
            _ => &self.data,
        }
    }

    /// The buffer of the data, to be filled anew.
    pub fn data_mut(&mut self) -> &mut Vec<u8> {
        self.on_copy = None;
        self.data.clear();
        &mut self.data
    }

    /// Moves on the copy of the page. False when there is none that the transaction may go by, or its next line is not
    /// plainly there: the tree knows.
    #[inline]
    fn step(&mut self, t: &TransactionState, tree: &Tree, direction: Direction) -> bool {
        let (Some(copy), Some(hint)) = (&self.copy, &mut self.hint) else { return false };
        if !copy.serves(t, tree, hint) {
            return false;
        }
        let line = match direction {
            Direction::Forwards => hint.line + 1,
            Direction::Backwards => match hint.line.checked_sub(1) {
                Some(line) => line,
                None => return false,
            },
        };
        let Some(node) = copy.stand(line, &mut self.key, self.on_copy.as_ref()) else { return false };
        hint.line = line;
        self.on_copy = Some(node);
        true
    }

    /// Makes the spot stand at a bookmark, whether or not there is a node: moves go on from there.
    pub fn set_bookmark(&mut self, key: &[u8], data: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.data_mut().extend_from_slice(data);
        self.hint = None;
    }

    /// What is found next need not be behind where the spot stands.
    pub(super) fn forget(&mut self) {
        self.hint = None;
    }

    /// The page that the node was on, for estimates.
    #[must_use]
    pub fn page(&self) -> Option<PageNumber> {
        self.hint.map(|h| h.page)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forwards,
    Backwards,
}

impl LiveTrees {
    /// The data of the node with this key, as the transaction sees it, in `out`. In a tree with non-unique keys it is the
    /// first one with the key. False, and `out` is undefined, when there is none.
    ///
    /// # Errors
    /// When a page cannot be read or does not belong to the tree.
    pub fn get(&self, t: &TransactionState, tree: &Tree, key: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let mut core = self.core.lock();
        let core = &mut *core;
        let reader = core.reader(t);
        let leaf = core.descend(tree, key, &[])?;
        if tree.is_unique() {
            return if leaf.exact { core.visible(tree, &leaf, key, reader, out) } else { Ok(false) };
        }
        let mut spot = Spot::new();
        let found = core.walk(tree, reader, leaf, Direction::Forwards, &mut spot)? && spot.key == key;
        out.clear();
        out.extend_from_slice(spot.data());
        Ok(found)
    }

    /// The key of the last node of a tree in `key`, whoever sees it and whether or not it is deleted: for numbers that
    /// must not be given twice. False when the tree has no node.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn last_key(&self, tree: &Tree, key: &mut Vec<u8>) -> Result<bool> {
        let mut core = self.core.lock();
        let mut leaf = core.descend_in(tree.slot, &tree.root, Way::Last)?;
        loop {
            let image = core.cache.page(leaf.frame);
            if let Some(line) = image.line_count().checked_sub(1) {
                key.clear();
                image.node(line).map_err(LiveError::edit(leaf.page))?.push_key(key);
                return Ok(true);
            }
            let previous = image.previous();
            match core.enter(tree, previous, Direction::Backwards)? {
                Some(before) => leaf = before,
                None => return Ok(false),
            }
        }
    }

    /// Looks for a node and makes `spot` stand there. False, and the spot stays, when the transaction sees none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn seek(
        &self,
        t: &TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
        how: SeekHow,
        spot: &mut Spot,
    ) -> Result<bool> {
        let mut core = self.core.lock();
        let reader = core.reader(t);
        let data = tree.bookmark_data(data);
        // What is found need not be behind where the spot stood.
        spot.hint = None;
        spot.steps = 0;
        match how {
            SeekHow::First => {
                let leaf = core.descend(tree, &[], &[])?;
                core.walk(tree, reader, leaf, Direction::Forwards, spot)
            }
            SeekHow::Last => {
                core.cache.begin_operation();
                let leaf = core.descend_in(tree.slot, &tree.root, Way::Last)?;
                core.walk(tree, reader, leaf, Direction::Backwards, spot)
            }
            SeekHow::AtLeast | SeekHow::Above => {
                let mut leaf = match core.stand_at(tree, key, data, how, spot)? {
                    Some(leaf) => leaf,
                    None => return Ok(true),
                };
                leaf.line += usize::from(leaf.exact && how == SeekHow::Above);
                core.walk(tree, reader, leaf, Direction::Forwards, spot)
            }
            SeekHow::AtMost | SeekHow::Below => {
                let leaf = core.descend(tree, key, data)?;
                if leaf.exact && how == SeekHow::AtMost {
                    core.walk(tree, reader, leaf, Direction::Backwards, spot)
                } else {
                    core.walk_before(tree, reader, leaf, spot)
                }
            }
        }
    }

    /// Moves to the next node that the transaction sees, from the spot's bookmark, even when its node is gone. False, and
    /// the spot stays, at the end.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn next(&self, t: &TransactionState, tree: &Tree, spot: &mut Spot) -> Result<bool> {
        if spot.step(t, tree, Direction::Forwards) {
            return Ok(true);
        }
        self.step(t, tree, Direction::Forwards, spot)
    }

    /// Moves to the node before, as [`next`](Self::next).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn previous(&self, t: &TransactionState, tree: &Tree, spot: &mut Spot) -> Result<bool> {
        if spot.step(t, tree, Direction::Backwards) {
            return Ok(true);
        }
        self.step(t, tree, Direction::Backwards, spot)
    }

    #[inline(never)]
    fn step(&self, t: &TransactionState, tree: &Tree, direction: Direction, spot: &mut Spot) -> Result<bool> {
        let mut core = self.core.lock();
        let reader = core.reader(t);
        let hinted = core.leaf_of_hint(tree, spot);
        let before = hinted.map(|leaf| leaf.page);
        core.neighbour = spot.ahead.take();
        let leaf = match hinted {
            Some(leaf) => leaf,
            None => core.descend(tree, &spot.key, tree.bookmark_data(spot.data()))?,
        };
        let found = match direction {
            Direction::Forwards => {
                let leaf = Leaf { line: leaf.line + usize::from(leaf.exact), ..leaf };
                core.walk(tree, reader, leaf, direction, spot)?
            }
            Direction::Backwards => core.walk_before(tree, reader, leaf, spot)?,
        };
        if found {
            core.keep_copy(t, tree, direction, before, spot);
        }
        Ok(found)
    }

    /// Reads the node at the spot's bookmark again, as the transaction sees it now. False, and the spot's data are
    /// undefined, when it is gone.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn refresh(&self, t: &TransactionState, tree: &Tree, spot: &mut Spot) -> Result<bool> {
        let mut core = self.core.lock();
        let reader = core.reader(t);
        let leaf = match core.leaf_of_hint(tree, spot) {
            Some(leaf) => leaf,
            None => core.descend(tree, &spot.key, tree.bookmark_data(spot.data()))?,
        };
        if !leaf.exact {
            return Ok(false);
        }
        let mut data = std::mem::take(spot.data_mut());
        let seen = core.visible(tree, &leaf, &spot.key, reader, &mut data);
        spot.data = data;
        spot.hint = core.hint(&leaf);
        seen
    }
}

impl Core {
    fn hint(&self, leaf: &Leaf) -> Option<Hint> {
        let time = self.cache.page(leaf.frame).db_time();
        Some(Hint { frame: leaf.frame, page: leaf.page, line: leaf.line, time })
    }

    #[inline]
    fn leaf_of_hint(&mut self, tree: &Tree, spot: &Spot) -> Option<Leaf> {
        let hint = spot.hint?;
        self.cache.begin_operation();
        let good = self.cache.still_holds(hint.frame, tree.slot, hint.page)
            && self.cache.page(hint.frame).db_time() == hint.time;
        good.then_some(Leaf { frame: hint.frame, page: hint.page, line: hint.line, exact: true })
    }

    /// Descends to a bookmark. `None` when the node that is sought is there and everybody sees it as it is: the spot stands
    /// on it.
    #[inline]
    fn stand_at(
        &mut self,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
        how: SeekHow,
        spot: &mut Spot,
    ) -> Result<Option<Leaf>> {
        let telling = self.telling_flags();
        self.cache.begin_operation();
        let LeafPage { frame, page, share } =
            self.descend_to_page(tree.slot, &tree.root, Way::Bookmark(key, data))?;
        let (image, facts) = self.cache.page_with_facts(frame);
        let (line, node) = image.locate(&facts, key, data, share).map_err(LiveError::edit(page))?;
        if let Some(node) = node
            && how == SeekHow::AtLeast
            && tree.is_unique()
            && node.flags & telling == 0
        {
            spot.key.clear();
            spot.key.extend_from_slice(key);
            spot.data_mut().extend_from_slice(node.data);
            spot.hint = Some(Hint { frame, page, line, time: facts.time });
            return Ok(None);
        }
        Ok(Some(Leaf { frame, page, line, exact: node.is_some() }))
    }

    /// The flags of nodes that may not be what every reader sees. Without versions, that there was one tells nothing.
    #[inline]
    fn telling_flags(&self) -> u8 {
        if self.versions.tells_nothing() {
            node_flags::DELETED
        } else {
            node_flags::VERSIONED | node_flags::DELETED
        }
    }

    /// After a move, which began on page `before`: keeps a copy of the page at hand, once it looks as if more moves follow.
    fn keep_copy(
        &self,
        t: &TransactionState,
        tree: &Tree,
        direction: Direction,
        before: Option<PageNumber>,
        spot: &mut Spot,
    ) {
        let (Some(hint), Some(snapshot)) = (spot.hint, t.lasting_snapshot()) else { return };
        // What is not logged may have changed unseen: trees of the temporary database take part in no transaction.
        if !self.slot(tree.slot).is_ok_and(|slot| slot.logged) {
            return;
        }
        if before == Some(hint.page) {
            spot.steps = spot.steps.saturating_add(1);
            if spot.steps < STEPS_BEFORE_COPY {
                return;
            }
        }
        spot.steps = 0;
        if spot.copy.as_ref().is_some_and(|copy| copy.serves(t, tree, &hint)) {
            return;
        }
        let mut copy = spot.copy.take().unwrap_or_default();
        if spot.on_copy.take().is_some() {
            // Never so after a move in the tree; the data would be gone with the copy.
            spot.data.clear();
        }
        let image = self.cache.page(hint.frame);
        let neighbour = match direction {
            Direction::Forwards => image.next(),
            Direction::Backwards => image.previous(),
        };
        // Memory is asked for it while it gives this one.
        spot.ahead = self.cache.ask_for(tree.slot, neighbour);
        copy.take(&image, tree, &hint, snapshot, self.telling_flags());
        spot.copy = Some(copy);
    }

    /// Whether the reader sees the node at a place, and its data.
    #[inline]
    pub(super) fn visible(
        &mut self,
        tree: &Tree,
        leaf: &Leaf,
        key: &[u8],
        reader: Reader,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let image = self.cache.page(leaf.frame);
        let node = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?;
        if node.flags & node_flags::VERSIONED != 0 {
            let data = tree.bookmark_data(node.data);
            if let Some(newest) = self.versions.newest(tree.slot, tree.root.root, key, data) {
                let deleted = node.is_deleted();
                return Ok(self.versions.resolve(newest, reader, node.data, deleted, out));
            }
            let (line, page) = (leaf.line, leaf.page);
            let deleted = node.is_deleted();
            out.clear();
            out.extend_from_slice(node.data);
            // Nobody needs to look again.
            self.cache
                .page_mut_quietly(leaf.frame)
                .change_node_flags(line, 0, node_flags::VERSIONED)
                .map_err(LiveError::edit(page))?;
            if deleted {
                self.note_dead_node(tree.slot, &tree.root, page, key, tree.bookmark_data(out));
            }
            return Ok(!deleted);
        }
        if node.is_deleted() {
            out.clear();
            out.extend_from_slice(tree.bookmark_data(node.data));
            self.note_dead_node(tree.slot, &tree.root, leaf.page, key, out);
            return Ok(false);
        }
        out.clear();
        out.extend_from_slice(node.data);
        Ok(true)
    }

    /// Backwards from the line before a place.
    fn walk_before(&mut self, tree: &Tree, reader: Reader, leaf: Leaf, spot: &mut Spot) -> Result<bool> {
        if leaf.line > 0 {
            let leaf = Leaf { line: leaf.line - 1, ..leaf };
            return self.walk(tree, reader, leaf, Direction::Backwards, spot);
        }
        let previous = self.cache.page(leaf.frame).previous();
        match self.enter(tree, previous, Direction::Backwards)? {
            Some(leaf) => self.walk(tree, reader, leaf, Direction::Backwards, spot),
            None => Ok(false),
        }
    }

    /// The first or last line of a page; none when there is no page. An empty page has its line 0 entered as if it had
    /// one: the walk goes on from there.
    fn enter(&mut self, tree: &Tree, page: PageNumber, direction: Direction) -> Result<Option<Leaf>> {
        if page.is_none() {
            return Ok(None);
        }
        self.cache.begin_operation();
        let near = self.neighbour.take().filter(|&near| self.cache.still_holds(near, tree.slot, page));
        let is_due = self.is_due(tree, page, near.is_some());
        if direction == Direction::Forwards && near.is_none() && !self.cache.has_readers() {
            self.read_ahead(tree.slot, page);
        }
        let near = near.unwrap_or(FrameId::NONE);
        let frame = Self::there(self.cache.fetch_near(tree.slot, page, near)?, page)?;
        if is_due {
            self.look_ahead(tree, page, frame, direction);
        }
        let image = self.cache.page(frame);
        if image.object() != tree.root.object {
            let what = "a leaf is linked to another tree";
            return Err(TreeWriteError::Corrupt { page, what }.into());
        }
        let line = match direction {
            Direction::Forwards => 0,
            Direction::Backwards => image.line_count().saturating_sub(1),
        };
        Ok(Some(Leaf { frame, page, line, exact: true }))
    }

    /// Reads pages ahead when leaves turn out to lie in order in the file, where there are no threads for it.
    fn read_ahead(&mut self, slot: DatabaseSlot, page: PageNumber) {
        if self.cache.holds(slot, page) {
            return;
        }
        let (known, next, window) = self.read_ahead;
        let window = if known == slot && next == page { (window * 2).min(MOST_READ_AHEAD) } else { 1 };
        if window > 1 {
            self.cache.read_ahead(slot, page, window);
        }
        self.read_ahead = (slot, PageNumber(page.0.saturating_add(window)), window);
    }

    /// As [`enter`](Self::enter), while there are pages `left` that were not visited.
    fn cross(
        &mut self,
        tree: &Tree,
        page: PageNumber,
        direction: Direction,
        left: &mut u32,
    ) -> Result<Option<Leaf>> {
        let Some(rest) = left.checked_sub(1) else {
            let what = "the leaves are linked in a circle";
            return Err(TreeWriteError::Corrupt { page, what }.into());
        };
        *left = rest;
        self.enter(tree, page, direction)
    }

    /// Goes from a place on, itself included, to the first node that the reader sees.
    pub(super) fn walk(
        &mut self,
        tree: &Tree,
        reader: Reader,
        mut leaf: Leaf,
        direction: Direction,
        spot: &mut Spot,
    ) -> Result<bool> {
        // The links of a sound tree end; those of a broken one may not.
        let mut left = self.cache.last_page(tree.slot)?.0;
        let mut crossed = false;
        loop {
            let image = self.cache.page(leaf.frame);
            if leaf.line >= image.line_count() {
                let page = match direction {
                    Direction::Forwards => image.next(),
                    Direction::Backwards => image.previous(),
                };
                match self.cross(tree, page, direction, &mut left)? {
                    Some(next) => leaf = next,
                    None => return Ok(false),
                }
                crossed = true;
                continue;
            }
            let node = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?;
            if std::mem::take(&mut crossed) && spot.hint.is_some() {
                let data = tree.bookmark_data(spot.data());
                let order = node.compare_bookmark(&spot.key, data, tree.is_unique());
                if order != if direction == Direction::Forwards { Ordering::Greater } else { Ordering::Less }
                {
                    let what = "the nodes of two leaves are not in order";
                    return Err(TreeWriteError::Corrupt { page: leaf.page, what }.into());
                }
            }
            let seen = if node.flags & (node_flags::VERSIONED | node_flags::DELETED) == 0 {
                spot.key.clear();
                node.push_key(&mut spot.key);
                spot.data_mut().extend_from_slice(node.data);
                true
            } else {
                let mut key = std::mem::take(&mut self.scratch_key);
                let mut data = std::mem::take(&mut self.scratch);
                key.clear();
                node.push_key(&mut key);
                let seen = self.visible(tree, &leaf, &key, reader, &mut data);
                if matches!(seen, Ok(true)) {
                    std::mem::swap(&mut key, &mut spot.key);
                    std::mem::swap(&mut data, spot.data_mut());
                }
                self.scratch_key = key;
                self.scratch = data;
                seen?
            };
            if seen {
                spot.hint = self.hint(&leaf);
                return Ok(true);
            }
            match (direction, leaf.line.checked_sub(1)) {
                (Direction::Forwards, _) => leaf.line += 1,
                (Direction::Backwards, Some(line)) => leaf.line = line,
                (Direction::Backwards, None) => {
                    let page = self.cache.page(leaf.frame).previous();
                    match self.cross(tree, page, direction, &mut left)? {
                        Some(next) => leaf = next,
                        None => return Ok(false),
                    }
                    crossed = true;
                }
            }
        }
    }
}
