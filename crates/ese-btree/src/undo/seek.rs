//! Finding a node by its bookmark.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::error::UndoError;
use crate::page_cache::{Fetched, FrameId, PageCache};
use crate::page_edit::page_flags;

/// No tree is deeper: each level divides by two at least.
const DEEPEST: usize = 32;

/// Descends from `root` to the leaf of a bookmark: the leaf's buffer, its page number, the first line not below the
/// bookmark, and whether it is equal. `None` when a page on the way is missing.
pub(super) fn seek_leaf(
    cache: &mut PageCache,
    slot: DatabaseSlot,
    root: PageNumber,
    key: &[u8],
    data: &[u8],
) -> Result<Option<(FrameId, PageNumber, usize, bool)>, UndoError> {
    let mut number = root;
    for _ in 0..DEEPEST {
        let Fetched::Page(frame) = cache.fetch(slot, number)? else { return Ok(None) };
        let page = cache.page(frame);
        let edit = |error| UndoError::Edit { slot, page: number, error };
        if page.has(page_flags::LEAF) {
            let (line, exact) = page.seek(key, data).map_err(edit)?;
            return Ok(Some((frame, number, line, exact)));
        }
        let line = page.seek_child(key, data).map_err(edit)?;
        let Some(child) = page.node(line).map_err(edit)?.child() else { return Ok(None) };
        number = child;
    }
    Err(UndoError::EndlessTree { slot, root })
}
