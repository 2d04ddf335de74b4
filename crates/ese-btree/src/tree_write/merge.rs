//! Cleaning up leaves: removing nodes that nobody can see any more, and pages that have become empty or nearly so.
//!
//! A leaf none of whose nodes is needed leaves the tree; one that is at most half full gives its nodes to its right
//! sibling when they fit there, else, unless it is the last leaf, to the left one. The last node of a page stays, flag-deleted, when the page cannot
//! go. Merging to the right moves the range of the page to its right sibling by deleting its pointer, and to the left by
//! leading its pointer to the left sibling.
//!
//! A partial merge moves as many nodes as the sibling has room for and keeps the page; the separator between the two moves
//! with them. Clean-up makes none, as each of them logs a page and frees nothing: they are for going through a whole tree.

use ese_format::{Extent, PageNumber};
use ese_log::record::{MergeFields, MergeFlags, MergeKind};

use super::split::separator as shortest_separator;
use super::writer::{Place, Step};
use super::{MergeLevel, MergePlan, PageChange, PageStore, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags, usable_prefix};
use crate::page_operation::Line;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// What there is to know of a leaf that is to be merged.
struct Leaf {
    page: PageNumber,
    left: PageNumber,
    right: PageNumber,
    image: PageImage<Vec<u8>>,
    /// Whether each line may be removed.
    dead: Vec<bool>,
}

/// Bytes that nodes need on another page, and what rollbacks may need beside them.
#[derive(Clone, Copy, Default)]
struct Moving {
    count: usize,
    bytes: usize,
    reserve: usize,
    /// Bytes without sharing a key prefix.
    plain: usize,
}

/// The leaf's part of a merge.
struct LeafPart {
    fields: MergeFields,
    /// Between the nodes that stay and those that move, of a partial merge.
    separator: Vec<u8>,
}

/// Which merges are tried, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Full ones: to the right, to the left.
    pub(super) kinds: &'static [MergeKind],
    /// A merge for which the sibling has no room may move a part of the nodes.
    pub(super) partial: bool,
    /// Whether the page must be half empty, and room for the whole of it likely.
    pub(super) only_sparse: bool,
}

impl Wanted {
    /// What clean-up of single nodes wants.
    const CLEAN_UP: Self =
        Self { kinds: &[MergeKind::FULL_RIGHT, MergeKind::FULL_LEFT], partial: false, only_sparse: true };
}

impl<S: PageStore> TreeWriter<S> {
    /// Cleans up the leaf that holds a flag-deleted node: removes what nobody can see any more, and merges the page with a
    /// neighbour if that leaves room. Returns whether the node was there and could go.
    ///
    /// # Errors
    /// When a page cannot be had.
    #[doc(alias = "ErrBTDelete")]
    pub fn clean(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<bool> {
        self.store.begin();
        let place = self.place(tree, key, data)?;
        let node_data = if tree.has_unique_keys() { &[] } else { data };
        if !place.deleted || self.store.has_version(tree, key, node_data) {
            return Ok(false);
        }
        self.clean_leaf(tree, &place, Wanted::CLEAN_UP)?;
        Ok(true)
    }

    /// Looks at the leaf at the end of a path.
    fn look_at(&mut self, tree: &TreeRoot, page: PageNumber) -> Result<Leaf> {
        let image = self.copy_of(page)?;
        let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
        let mut dead = Vec::with_capacity(image.line_count());
        for line in 0..image.line_count() {
            let node = image.node(line).map_err(edit)?;
            let data = if tree.has_unique_keys() { &[] } else { node.data };
            dead.push(node.is_deleted() && !self.store.has_version(tree, &node.key(), data));
        }
        Ok(Leaf { page, left: image.previous(), right: image.next(), image, dead })
    }

    /// As [`clean_leaf`](Self::clean_leaf), after a node was deleted.
    pub(super) fn clean_after_delete(&mut self, tree: &TreeRoot, place: &Place) -> Result<()> {
        self.clean_leaf(tree, place, Wanted::CLEAN_UP)
    }

    /// Removes what nobody can see from a leaf; then the leaf goes, or is merged as `wanted`.
    pub(super) fn clean_leaf(&mut self, tree: &TreeRoot, place: &Place, wanted: Wanted) -> Result<()> {
        let page = place.leaf.page;
        let mut leaf = self.look_at(tree, page)?;
        let is_root = page == tree.root;
        if !is_root && leaf.dead.iter().all(|dead| *dead) {
            if leaf.left.is_none() && leaf.right.is_none() {
                return self.empty_tree(tree, &place.path);
            }
            if let Some(plan) = self.plan_merge(tree, &place.path, &leaf, MergeKind::EMPTY_PAGE, false)? {
                return self.make_merge(tree, &plan);
            }
        }
        let mut left = leaf.dead.len();
        for line in (0..leaf.dead.len()).rev() {
            // A page below the root never becomes empty.
            if leaf.dead.get(line) == Some(&true) && (is_root || left > 1) {
                self.change(tree, &PageChange::Delete { page, line })?;
                left -= 1;
            }
        }
        if is_root || tree.is_space_tree() {
            return Ok(());
        }
        let image = self.store.page(page)?;
        let (free, len) = (image.free(), image.data_len());
        if wanted.only_sparse && 2 * free < len {
            return Ok(());
        }
        let (left, right) = (image.previous(), image.next());
        // Nodes may become a little smaller beside others that they share more of their keys with.
        let least = if wanted.partial { 0 } else { (len - free) * 3 / 4 };
        for &kind in wanted.kinds {
            if kind == MergeKind::FULL_LEFT && wanted.only_sparse && right.is_none() {
                // Nodes may come behind the last ones at any time.
                continue;
            }
            let sibling = if kind == MergeKind::FULL_RIGHT { right } else { left };
            let needed = tree.kept_free(self.page_size()) + least;
            if sibling.is_none() || self.store.page(sibling)?.free() < needed {
                continue;
            }
            leaf = self.look_at(tree, page)?;
            if let Some(plan) = self.plan_merge(tree, &place.path, &leaf, kind, wanted.partial)? {
                return self.make_merge(tree, &plan);
            }
        }
        Ok(())
    }

    /// The leaf's part of a merge, when its nodes may move as `kind` says and find room. Moves some of them, with `partial`,
    /// when there is no room for all.
    fn plan_leaf(
        &mut self,
        tree: &TreeRoot,
        leaf: &Leaf,
        kind: MergeKind,
        partial: bool,
    ) -> Result<Option<LeafPart>> {
        let mut fields = MergeLevel::new(tree, leaf.page).fields;
        (fields.left_page, fields.right_page) = (leaf.left, leaf.right);
        fields.flags = MergeFlags::EMPTY_PAGE;
        fields.kind = kind;
        let target = match kind {
            MergeKind::FULL_RIGHT => leaf.right,
            MergeKind::FULL_LEFT => leaf.left,
            _ => return Ok(Some(LeafPart { fields, separator: Vec::new() })),
        };
        if target.is_none() {
            return Ok(None);
        }
        let page = leaf.page;
        let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
        let target_image = self.copy_of(target)?;
        if target_image.object() != tree.object || !target_image.has(page_flags::LEAF) {
            let what = "a sibling that is no leaf of the tree";
            return Err(TreeWriteError::Corrupt { page: target, what });
        }
        let free = target_image.free().saturating_sub(target_image.uncommitted_free());
        let kept_free = tree.kept_free(self.page_size());
        let (count, rightwards) = (leaf.dead.len(), kind == MergeKind::FULL_RIGHT);
        let mut moving = Moving::default();
        // The last line that moves.
        let mut last = None;
        let mut all = true;
        for index in 0..count {
            // Those nearest to the target first.
            let line = if rightwards { count - 1 - index } else { index };
            let node = leaf.image.node(line).map_err(edit)?;
            if leaf.dead.get(line) == Some(&true) {
                last = if all { Some(line) } else { last };
                continue;
            }
            if node.is_deleted() {
                // Somebody may still need it, and a merge leaves deleted nodes behind.
                return Ok(None);
            }
            if !all {
                continue;
            }
            let mut with = moving;
            with.count += 1;
            with.bytes += Line::of(node).node(target_image.key_prefix()).body_len() + 4;
            with.plain += 2 + node.key_len() + node.data.len();
            if leaf.image.uncommitted_free() != 0 {
                let largest = self.store.largest_data(tree, &node.key(), node.data);
                with.reserve += largest.saturating_sub(node.data.len());
            }
            let fits = with.bytes + with.reserve + kept_free <= free;
            if fits && target_image.line_count() + with.count < 0xFFF {
                moving = with;
                last = Some(line);
            } else {
                all = false;
            }
        }
        let short = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        fields.total_size = short(moving.plain);
        fields.largest_total_size = short(moving.plain + moving.reserve);
        fields.target_uncommitted_free = short(target_image.uncommitted_free() + moving.reserve);
        let mut separator = Vec::new();
        match last {
            _ if all => {
                if !rightwards {
                    fields.merge_line = short(count.saturating_sub(1));
                }
            }
            Some(last) if partial && moving.count > 0 => {
                fields.flags = MergeFlags::empty();
                fields.kind = if rightwards { MergeKind::PARTIAL_RIGHT } else { MergeKind::PARTIAL_LEFT };
                fields.merge_line = short(last);
                let first = if rightwards { last.saturating_sub(1) } else { last };
                let (low, high) = (leaf.image.node(first), leaf.image.node(first + 1));
                let (low, high) = (Line::of(low.map_err(edit)?), Line::of(high.map_err(edit)?));
                separator = shortest_separator(&low, &high, tree.has_unique_keys());
            }
            _ => return Ok(None),
        }
        Ok(Some(LeafPart { fields, separator }))
    }

    /// Plans a merge of the leaf at the end of `path`. `None` when it cannot be.
    #[doc(alias = "ErrBTISelectMerge")]
    fn plan_merge(
        &mut self,
        tree: &TreeRoot,
        path: &[Step],
        leaf: &Leaf,
        kind: MergeKind,
        partial: bool,
    ) -> Result<Option<MergePlan>> {
        let Some((_, above)) = path.split_last() else { return Ok(None) };
        let Some(parent) = above.last().copied() else { return Ok(None) };
        let only_child = self.store.page(parent.page)?.line_count() == 1;
        if leaf.right.is_none() && only_child && !leaf.left.is_none() {
            // The pointer to the left sibling would have to become the open one, and is on another page.
            return Ok(None);
        }
        if kind == MergeKind::FULL_LEFT && parent.line == 0 {
            // The pointer to the left sibling is on another page.
            return Ok(None);
        }
        let Some(LeafPart { fields, separator }) = self.plan_leaf(tree, leaf, kind, partial)? else {
            return Ok(None);
        };
        let kind = fields.kind;
        let mut plan = MergePlan { separator, ..MergePlan::default() };
        plan.levels.push(MergeLevel { page: leaf.page, line: 0, fields });
        // What became of the page below: it left the tree, or the highest key in it changed.
        let mut below_gone = fields.flags.contains(MergeFlags::EMPTY_PAGE);
        let mut key_changes = kind == MergeKind::PARTIAL_RIGHT;
        for step in above.iter().rev() {
            let image = self.copy_of(step.page)?;
            let edit = |source: PageEditError| TreeWriteError::Edit { page: step.page, source };
            let count = image.line_count();
            let is_last = step.line + 1 == count;
            let mut flags = MergeFlags::empty();
            let mut done = true;
            if kind == MergeKind::FULL_LEFT {
                flags = MergeFlags::KEY_CHANGE | MergeFlags::DELETE_NODE;
            } else if kind == MergeKind::PARTIAL_LEFT {
                // The record names the pointer to this leaf; the key in front of it is that of the left sibling.
                let left = step.line.saturating_sub(1);
                if !key_fits(&image, left, &plan.separator).map_err(edit)? {
                    return Ok(None);
                }
                flags = MergeFlags::KEY_CHANGE;
            } else if count == 1 && below_gone {
                if step.page == tree.root {
                    return Ok(None);
                }
                flags = MergeFlags::EMPTY_PAGE;
                done = false;
            } else if below_gone {
                flags = MergeFlags::DELETE_NODE;
                if is_last {
                    let new_last = image.node(step.line.saturating_sub(1)).map_err(edit)?;
                    plan.separator = new_last.key();
                    // An open end stays open; any other one is told above.
                    key_changes = image.node(step.line).map_err(edit)?.key_len() != 0;
                    done = !key_changes;
                }
                below_gone = false;
            } else if key_changes {
                if !key_fits(&image, step.line, &plan.separator).map_err(edit)? {
                    return Ok(None);
                }
                flags = MergeFlags::KEY_CHANGE;
                done = !is_last;
            }
            let mut level = MergeLevel::new(tree, step.page);
            level.line = u16::try_from(step.line).unwrap_or(u16::MAX);
            level.fields.flags = flags;
            plan.levels.push(level);
            if done {
                plan.levels.reverse();
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    /// Carries a merge out, and makes the pages that left the tree available to it again.
    fn make_merge(&mut self, tree: &TreeRoot, plan: &MergePlan) -> Result<()> {
        self.store.begin();
        self.change(tree, &PageChange::Merge(plan))?;
        for level in plan.levels.iter().rev() {
            if level.fields.flags.contains(MergeFlags::EMPTY_PAGE) {
                self.free_extent(tree.root, Extent::new(level.page, 1))?;
            }
        }
        Ok(())
    }

    /// Every page below the root goes.
    #[doc(alias = "ErrBTIMergeEmptyTree")]
    fn empty_tree(&mut self, tree: &TreeRoot, path: &[Step]) -> Result<()> {
        for step in path.iter().rev().skip(1) {
            if self.store.page(step.page)?.line_count() != 1 {
                let what = "the parent of an only leaf has other pages";
                return Err(TreeWriteError::Corrupt { page: step.page, what });
            }
        }
        let pages: Vec<PageNumber> = path.iter().skip(1).map(|step| step.page).collect();
        self.store.begin();
        self.change(tree, &PageChange::EmptyTree { pages: &pages })?;
        for page in pages {
            self.free_extent(tree.root, Extent::new(page, 1))?;
        }
        Ok(())
    }
}

/// Whether the pointer at `line` can get another key.
#[doc(alias = "FBTIOverflowOnReplacingKey")]
fn key_fits(image: &PageImage<Vec<u8>>, line: usize, key: &[u8]) -> std::result::Result<bool, PageEditError> {
    let old = image.node(line)?;
    let len = |key: &[u8]| {
        let prefix_len = usable_prefix(image.key_prefix(), key);
        NewNode::compressed(key, prefix_len, old.data, 0).body_len()
    };
    Ok(len(key) <= len(&old.key()) + image.free())
}
