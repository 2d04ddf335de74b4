//! Splitting a page: what one Split2 record of a macro does.

use ese_format::PageSize;
use ese_log::record::{Split, SplitKind, SplitOperation};

use super::{ChangedPages, Line, Lines, append_lines};
use crate::page_edit::{PageEditError, PageImage, node_flags, page_flags};

/// The node that a split makes room for: a new one, or one that gets new data. On a branch page it is the separator of
/// the page below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitNode<'a> {
    /// Its key in up to two pieces; not used when a node gets new data.
    pub(crate) key: [&'a [u8]; 2],
    pub(crate) data: &'a [u8],
    /// Whether a version is made of it.
    pub(crate) versioned: bool,
}

/// One level of a split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitStep<'a> {
    /// What is to be done; its image is not looked at.
    pub(crate) record: &'a Split<'a>,
    /// The page as it was; `None` when nothing but the node itself goes to the new page, and the old one has the change.
    pub(crate) before: Option<&'a [u8]>,
    pub(crate) node: Option<SplitNode<'a>>,
    /// The record of the level below, unless this is the leaf.
    pub(crate) child: Option<&'a Split<'a>>,
}

/// Whether nodes that existed before move to the new page, so that it cannot be made again without the old one.
#[doc(alias = "FBTISplitPreimageNeeded")]
pub(crate) fn moves_nodes(split: &Split<'_>) -> bool {
    let f = &split.fields;
    match f.kind {
        SplitKind::VERTICAL => true,
        SplitKind::RIGHT => {
            !(f.operation == SplitOperation::INSERT
                && f.split_line == f.operation_line
                && u32::from(f.operation_line) + 1 == u32::from(f.line_count))
        }
        _ => false,
    }
}

/// The page above the topmost split: gets the separator, and the pointer behind it is led to the new page.
#[doc(alias = "BTIInsertPgnoNewAndSetPgnoSplit")]
pub(crate) fn insert_separator<P: ChangedPages>(
    pages: &mut P,
    split: &Split<'_>,
    child: &Split<'_>,
) -> Result<(), P::Error> {
    pages.change(split.page.page_number, |page| {
        let line = page.seek_separator(child.parent_key)?;
        let left = child.page.page_number.0.to_le_bytes();
        append_lines(page, line, [Line { key: [child.parent_key, &[]], data: &left, flags: 0 }])?;
        page.replace_data(line + 1, &child.fields.new_page.0.to_le_bytes())?;
        page.set_db_time(split.page.db_time);
        Ok(())
    })
}

/// Splits one page.
#[doc(alias = "BTIPerformOneSplit")]
pub(crate) fn split_page<P: ChangedPages>(
    pages: &mut P,
    size: PageSize,
    step: &SplitStep<'_>,
) -> Result<(), P::Error> {
    let split = step.record;
    let f = &split.fields;
    let old = split.page.page_number;
    let split_line = usize::from(f.split_line);
    let before;
    let (stay, moved);
    let lines: Lines<'_>;
    if let Some(bytes) = step.before {
        before = PageImage::new(bytes, size).map_err(|e| pages.edit_error(old, e))?;
        lines = lines_with_node(&before, step).map_err(|e| pages.edit_error(old, e))?;
        let out_of_range = PageEditError::LineOutOfRange { line: split_line, count: lines.len() };
        let halves = lines.split_at_checked(split_line);
        (stay, moved) = halves.ok_or_else(|| pages.edit_error(old, out_of_range))?;
    } else {
        lines = step.node.iter().map(|node| node.line(step.child.is_none())).collect();
        (stay, moved) = (&[][..], &lines[..]);
    }
    fill_new(pages, split, moved, step.child.is_none())?;
    shrink_old(pages, split, stay, step.child.is_none())?;
    if let Some(child) = step.child {
        lead_to_new_child(pages, split, child)?;
    }
    if !f.right_page.is_none() {
        pages.change(f.right_page, |page| {
            page.set_previous(f.new_page);
            page.set_db_time(split.page.db_time);
            Ok(())
        })?;
    }
    Ok(())
}

impl<'a> SplitNode<'a> {
    fn line(&self, is_leaf: bool) -> Line<'a> {
        Line { key: self.key, data: self.data, flags: if is_leaf { self.version_flag() } else { 0 } }
    }

    fn version_flag(&self) -> u8 {
        if self.versioned { node_flags::VERSIONED } else { 0 }
    }
}

/// The lines of the page with the node put in its place.
fn lines_with_node<'a>(
    before: &'a PageImage<&'a [u8]>,
    step: &SplitStep<'a>,
) -> Result<Lines<'a>, PageEditError> {
    let f = &step.record.fields;
    let (count, place) = (usize::from(f.line_count), usize::from(f.operation_line));
    let mut lines = Lines::with_capacity(count.min(before.line_count() + 1));
    let mut from = 0;
    for to in 0..count {
        let node = step.node.filter(|_| to == place && f.operation != SplitOperation::NONE);
        if let Some(node) = node
            && f.operation == SplitOperation::INSERT
        {
            lines.push(node.line(step.child.is_none()));
            continue;
        }
        let mut line = Line::of(before.node(from)?);
        from += 1;
        if let Some(node) = node {
            line.data = node.data;
            if f.operation == SplitOperation::FLAG_INSERT_AND_REPLACE_DATA {
                line.flags &= !node_flags::DELETED;
            }
            line.flags |= node.version_flag();
            if place < usize::from(f.split_line) {
                // The engine deletes and inserts it here: only the version flag is left.
                line.flags = node.version_flag();
            }
        }
        lines.push(line);
    }
    Ok(lines)
}

fn fill_new<P: ChangedPages>(
    pages: &mut P,
    split: &Split<'_>,
    moved: &[Line<'_>],
    is_leaf: bool,
) -> Result<(), P::Error> {
    let f = &split.fields;
    pages.create(f.new_page, |page| {
        page.initialize(f.new_page, f.object, split.page.db_time);
        page.consume(f.new_page_flags & !page_flags::FLUSH_TYPE);
        if let Ok(line) = usize::try_from(f.new_prefix_line) {
            let source = moved.get(line).ok_or(PageEditError::LineOutOfRange { line, count: moved.len() })?;
            page.set_external_header(&source.whole_key())?;
        }
        append_lines(page, 0, moved.iter().copied())?;
        if is_leaf {
            page.set_uncommitted_free(f.target_uncommitted_free.into());
            if f.kind != SplitKind::VERTICAL {
                page.set_previous(split.page.page_number);
                page.set_next(f.right_page);
            }
        }
        Ok(())
    })
}

fn shrink_old<P: ChangedPages>(
    pages: &mut P,
    split: &Split<'_>,
    stay: &[Line<'_>],
    is_leaf: bool,
) -> Result<(), P::Error> {
    let f = &split.fields;
    pages.change(split.page.page_number, |page| {
        if f.kind == SplitKind::VERTICAL {
            let mark = page.flags() & page_flags::FDP_DELETE;
            page.set_flags(f.split_page_flags & !page_flags::FLUSH_TYPE | mark);
            page.remove_all_nodes()?;
            let pointer = f.new_page.0.to_le_bytes();
            append_lines(page, 0, [Line { key: [&[], &[]], data: &pointer, flags: 0 }])?;
        } else if f.kind != SplitKind::APPEND {
            let prefix = split.new_prefix;
            page.rebuild(prefix, stay.iter().map(|line| line.node(prefix)))?;
        }
        if is_leaf {
            page.set_uncommitted_free(f.source_uncommitted_free.into());
            if f.kind != SplitKind::VERTICAL {
                page.set_next(f.new_page);
            }
        }
        page.set_db_time(split.page.db_time);
        Ok(())
    })
}

/// On a branch page: the node after the new separator now leads to the child's new page.
fn lead_to_new_child<P: ChangedPages>(
    pages: &mut P,
    split: &Split<'_>,
    child: &Split<'_>,
) -> Result<(), P::Error> {
    let line = usize::from(split.fields.operation_line) + 1;
    let pointer = child.fields.new_page.0.to_le_bytes();
    match line.checked_sub(split.fields.split_line.into()) {
        Some(line) => pages.change(split.fields.new_page, |page| page.replace_data(line, &pointer)),
        None => pages.change(split.page.page_number, |page| page.replace_data(line, &pointer)),
    }
}
