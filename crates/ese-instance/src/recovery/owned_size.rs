//! How long a database file is by its own account.

use ese_btree::{Fetched, PageCache, PageCacheError, page_flags};
use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

/// Root of the tree of extents that the database owns.
const OWNED_EXTENTS_ROOT: PageNumber = PageNumber(2);
/// No tree is deeper.
const DEEPEST: usize = 32;

/// Last page of the last extent that the database owns: the key of the last node of the owned-extent tree, big-endian.
/// `None` when the tree cannot be followed.
pub(super) fn owned_last_page(
    cache: &mut PageCache,
    slot: DatabaseSlot,
) -> Result<Option<PageNumber>, PageCacheError> {
    cache.begin_operation();
    let mut number = OWNED_EXTENTS_ROOT;
    for _ in 0..DEEPEST {
        let Fetched::Page(frame) = cache.fetch(slot, number)? else { return Ok(None) };
        let page = cache.page(frame);
        if !page.has(page_flags::SPACE_TREE) {
            return Ok(None);
        }
        let mut line = page.line_count();
        loop {
            let Some(previous) = line.checked_sub(1) else { return Ok(None) };
            line = previous;
            let Ok(node) = page.node(line) else { return Ok(None) };
            if !page.has(page_flags::LEAF) {
                let Some(child) = node.child() else { return Ok(None) };
                number = child;
                break;
            }
            if node.is_deleted() {
                continue;
            }
            let Ok(key) = <[u8; 4]>::try_from(node.key()) else { return Ok(None) };
            let last = PageNumber(u32::from_be_bytes(key));
            return Ok(Some(last).filter(|p| !p.is_none() && *p <= PageNumber::MAX));
        }
    }
    Ok(None)
}
