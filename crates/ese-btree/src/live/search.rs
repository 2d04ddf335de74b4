//! From a root to a leaf.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::core::{Core, Result};
use super::{LiveError, Tree};
use crate::page_cache::FrameId;
use crate::page_edit::page_flags;
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

/// Which way to go on branch pages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    Bookmark(&'a [u8], &'a [u8]),
    Last,
}

impl Core {
    /// Descends to the leaf of a bookmark. The data part must be empty in trees with unique keys.
    #[inline]
    pub(super) fn descend(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> Result<Leaf> {
        self.descend_in(tree.slot, &tree.root, Way::Bookmark(key, data))
    }

    pub(super) fn descend_in(&mut self, slot: DatabaseSlot, tree: &TreeRoot, way: Way<'_>) -> Result<Leaf> {
        self.cache.begin_operation();
        self.counters.descents += 1;
        let mut page = tree.root;
        for _ in 0..MAX_DEPTH {
            let frame = self.fetch(slot, page)?;
            let image = self.cache.page(frame);
            let flags = image.flags();
            if image.object() != tree.object || flags & (page_flags::EMPTY | page_flags::PRE_INIT) != 0 {
                let what = "the page belongs to another tree";
                return Err(TreeWriteError::Corrupt { page, what }.into());
            }
            let edit = LiveError::edit(page);
            if flags & page_flags::LEAF != 0 {
                let (line, exact) = match way {
                    Way::Bookmark(key, data) => image.seek(key, data).map_err(edit)?,
                    Way::Last => (image.line_count().saturating_sub(1), false),
                };
                return Ok(Leaf { frame, page, line, exact });
            }
            let line = match way {
                Way::Bookmark(key, data) => image.seek_child(key, data).map_err(&edit)?,
                Way::Last => image.line_count().saturating_sub(1),
            };
            let child = image.node(line).map_err(&edit)?.child();
            page = child.ok_or(TreeWriteError::Corrupt { page, what: "a branch node names no child" })?;
        }
        let what = "the tree is deeper than any can be";
        Err(TreeWriteError::Corrupt { page: tree.root, what }.into())
    }
}
