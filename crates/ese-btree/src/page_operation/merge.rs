//! Merging pages: what the Merge2 records of a macro do, and emptying whole trees.

use ese_format::{DbTime, PageNumber, PageSize};
use ese_log::record::{Merge, MergeFlags, MergeKind};

use super::{ChangedPages, Line, append_lines};
use crate::page_edit::{PageEditError, PageImage, node_flags, page_flags};

/// The page that the nodes of a merge go to; none when the page is empty.
pub(crate) fn merge_target(leaf: &Merge<'_>) -> PageNumber {
    match leaf.fields.kind {
        MergeKind::FULL_RIGHT | MergeKind::PARTIAL_RIGHT => leaf.fields.right_page,
        MergeKind::FULL_LEFT | MergeKind::PARTIAL_LEFT => leaf.fields.left_page,
        _ => PageNumber::NONE,
    }
}

/// Whether the page that gives nodes keeps others.
pub(crate) fn is_partial(leaf: &Merge<'_>) -> bool {
    matches!(leaf.fields.kind, MergeKind::PARTIAL_RIGHT | MergeKind::PARTIAL_LEFT)
}

/// Merges: `records` from the top down, the last one being the leaf's. `before` is the leaf as it was; it may be left out
/// when its nodes go nowhere.
#[doc(alias = "BTIPerformMerge")]
pub(crate) fn merge_pages<P: ChangedPages>(
    pages: &mut P,
    size: PageSize,
    records: &[Merge<'_>],
    before: Option<&[u8]>,
) -> Result<(), P::Error> {
    let Some((leaf, inner)) = records.split_last() else { return Ok(()) };
    for record in inner {
        pages.change(record.page.page_number, |page| {
            merge_branch(page, record, leaf)?;
            page.set_db_time(record.page.db_time);
            Ok(())
        })?;
    }
    let receiver = merge_target(leaf);
    match before {
        Some(before) => move_nodes(pages, size, leaf, before)?,
        None if receiver.is_none() => {}
        // It does not change; counted as a step all the same.
        None => pages.change(receiver, |_| Ok(()))?,
    }
    pages.change(leaf.page.page_number, |page| take_from_source(page, leaf))?;
    let (left, right) = (leaf.fields.left_page, leaf.fields.right_page);
    let time = leaf.page.db_time;
    let partial = is_partial(leaf);
    if !left.is_none() {
        pages.change(left, |page| {
            if !partial {
                page.set_next(right);
            }
            page.set_db_time(time);
            Ok(())
        })?;
    }
    if !right.is_none() {
        pages.change(right, |page| {
            if !partial {
                page.set_previous(left);
            }
            page.set_db_time(time);
            Ok(())
        })?;
    }
    Ok(())
}

/// A branch page: a pointer goes, or the key in front of one changes.
fn merge_branch(
    page: &mut PageImage<&mut [u8]>,
    record: &Merge<'_>,
    leaf: &Merge<'_>,
) -> Result<(), PageEditError> {
    let flags = record.fields.flags;
    let line = usize::from(record.page.line);
    let count = page.line_count();
    let before_line = || line.checked_sub(1).ok_or(PageEditError::LineOutOfRange { line, count });
    let kind = leaf.fields.kind;
    if flags.contains(MergeFlags::EMPTY_PAGE) {
        page.empty()
    } else if flags.contains(MergeFlags::KEY_CHANGE | MergeFlags::DELETE_NODE) && kind == MergeKind::FULL_LEFT
    {
        page.replace_data(line, &leaf.fields.left_page.0.to_le_bytes())?;
        page.delete(before_line()?)
    } else if flags.contains(MergeFlags::DELETE_NODE) {
        let was_open = line + 1 == count && page.node(line)?.key_len() == 0;
        page.delete(line)?;
        if was_open && line > 0 {
            change_key(page, line - 1, &[])?;
        }
        Ok(())
    } else if flags.contains(MergeFlags::KEY_CHANGE) {
        let line = if kind == MergeKind::PARTIAL_LEFT { before_line()? } else { line };
        change_key(page, line, leaf.parent_separator)
    } else {
        Ok(())
    }
}

fn move_nodes<P: ChangedPages>(
    pages: &mut P,
    size: PageSize,
    leaf: &Merge<'_>,
    before: &[u8],
) -> Result<(), P::Error> {
    let target = merge_target(leaf);
    if target.is_none() {
        return Ok(());
    }
    let rightwards = target == leaf.fields.right_page;
    let number = leaf.page.page_number;
    let source = PageImage::new(before, size).map_err(|e| pages.edit_error(number, e))?;
    let merge_line = usize::from(leaf.fields.merge_line);
    let moving = if rightwards { merge_line..source.line_count() } else { 0..merge_line + 1 };
    let mut lines = Vec::with_capacity(moving.len().min(source.line_count()));
    for line in moving {
        let node = source.node(line).map_err(|e| pages.edit_error(number, e))?;
        if !node.is_deleted() {
            lines.push(Line::of(node));
        }
    }
    pages.change(target, |page| {
        let at = if rightwards { 0 } else { page.line_count() };
        append_lines(page, at, lines)?;
        page.set_uncommitted_free(leaf.fields.target_uncommitted_free.into());
        Ok(())
    })
}

fn take_from_source(page: &mut PageImage<&mut [u8]>, leaf: &Merge<'_>) -> Result<(), PageEditError> {
    let merge_line = usize::from(leaf.fields.merge_line);
    match leaf.fields.kind {
        MergeKind::PARTIAL_RIGHT => page.delete_range(merge_line, page.line_count())?,
        MergeKind::PARTIAL_LEFT => page.delete_range(0, merge_line + 1)?,
        _ => {}
    }
    if leaf.fields.flags.contains(MergeFlags::EMPTY_PAGE) {
        page.empty()?;
    }
    page.set_db_time(leaf.page.db_time);
    Ok(())
}

/// Gives a pointer another key: the node is taken out and put back.
#[doc(alias = "BTIChangeKeyOfPagePointer")]
fn change_key(page: &mut PageImage<&mut [u8]>, line: usize, key: &[u8]) -> Result<(), PageEditError> {
    let node = page.node(line)?;
    let child = node.child().unwrap_or(PageNumber::NONE).0.to_le_bytes();
    let flags = node.flags & !node_flags::COMPRESSED;
    page.delete(line)?;
    append_lines(page, line, [Line { key: [key, &[]], data: &child, flags }])
}

/// A page below the root of a tree that becomes empty as a whole.
#[doc(alias = "NDEmptyPage")]
pub(crate) fn empty_tree_page(page: &mut PageImage<&mut [u8]>, time: DbTime) -> Result<(), PageEditError> {
    page.empty()?;
    page.set_db_time(time);
    Ok(())
}

/// The root of a tree whose other pages became empty: loses its last node and becomes a leaf.
#[doc(alias = "NDSetEmptyTree")]
pub(crate) fn empty_tree_root(page: &mut PageImage<&mut [u8]>, time: DbTime) -> Result<(), PageEditError> {
    page.remove_all_nodes()?;
    let flags = page.flags() & !page_flags::PARENT_OF_LEAF | page_flags::LEAF;
    page.set_flags(flags);
    page.set_db_time(time);
    Ok(())
}
