//! Redo of a merge: all levels of one macro together.

use ese_format::PageNumber;
use ese_log::record::{DatabaseSlot, Merge, MergeFlags, MergeKind};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use crate::page_edit::{PageImage, node_flags};
use crate::page_operation::{Line, append_lines};

type Result<T> = std::result::Result<T, RedoErrorKind>;

impl Redo {
    pub(super) fn merge(&mut self, records: &[Merge<'_>]) -> Result<()> {
        let Some((leaf, inner)) = records.split_last() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = leaf.page.database;
        let after = leaf.page.db_time;
        if !self.takes_part(leaf.page.session, slot, after, leaf.fields.object, None) {
            return Ok(());
        }
        let mut pages = Vec::with_capacity(inner.len());
        for record in inner {
            pages.push(self.target(slot, record.page.page_number, record.page.db_time_before, after)?);
        }
        let f = &leaf.fields;
        let mut source = self.target(slot, leaf.page.page_number, leaf.page.db_time_before, after)?;
        let left = self.target(slot, f.left_page, f.left_db_time_before, after)?;
        let right = self.target(slot, f.right_page, f.right_db_time_before, after)?;
        let rightwards = matches!(f.kind, MergeKind::FULL_RIGHT | MergeKind::PARTIAL_RIGHT);
        let leftwards = matches!(f.kind, MergeKind::FULL_LEFT | MergeKind::PARTIAL_LEFT);
        let target = match (rightwards, leftwards) {
            (true, _) => right,
            (_, true) => left,
            _ => Target::NONE,
        };
        let mut before = Vec::new();
        if target.redo {
            let image = leaf.image.filter(|i| !i.bytes.is_empty());
            let Some(image) = image else {
                return Err(RedoErrorKind::ImageMissing { slot, page: source.page });
            };
            if source.redo {
                if let Some(frame) = source.frame {
                    before.extend_from_slice(self.cache.page(frame).bytes());
                }
            } else {
                self.image_of(&image, leaf.page.db_time_before, &mut before)?;
                if let Some(frame) = source.frame {
                    self.put_image(frame, source.page, &before);
                    source.redo = true;
                }
            }
        }
        for (record, page) in inner.iter().zip(&pages) {
            self.merge_inner(slot, record, page, leaf)?;
        }
        self.move_nodes(slot, leaf, &target, &before, rightwards)?;
        self.take_from_source(slot, leaf, &source)?;
        let partial = matches!(f.kind, MergeKind::PARTIAL_RIGHT | MergeKind::PARTIAL_LEFT);
        for (target, next, page) in [(left, true, f.right_page), (right, false, f.left_page)] {
            let Some(frame) = target.changing() else { continue };
            let mut image = self.cache.page_mut(frame, self.position);
            image.set_db_time(after);
            match (partial, next) {
                (true, _) => {}
                (false, true) => image.set_next(page),
                (false, false) => image.set_previous(page),
            }
            self.statistics.changes_applied += 1;
        }
        for record in records {
            if record.fields.flags.contains(MergeFlags::EMPTY_PAGE)
                || record.page.page_number == leaf.page.page_number && !partial
            {
                self.freed(slot, record.page.page_number);
            }
        }
        self.statistics.merges += 1;
        Ok(())
    }

    /// A branch page: a pointer goes, or the key in front of one changes.
    fn merge_inner(
        &mut self,
        slot: DatabaseSlot,
        record: &Merge<'_>,
        target: &Target,
        leaf: &Merge<'_>,
    ) -> Result<()> {
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(slot, target.page);
        let mut page = self.cache.page_mut(frame, self.position);
        let flags = record.fields.flags;
        let line = usize::from(record.page.line);
        let before_line =
            || line.checked_sub(1).ok_or(RedoErrorKind::Field { field: "line", found: line as u64 });
        let kind = leaf.fields.kind;
        if flags.contains(MergeFlags::EMPTY_PAGE) {
            page.empty().map_err(&error)?;
        } else if flags.contains(MergeFlags::KEY_CHANGE | MergeFlags::DELETE_NODE)
            && kind == MergeKind::FULL_LEFT
        {
            page.replace_data(line, &leaf.fields.left_page.0.to_le_bytes()).map_err(&error)?;
            page.delete(before_line()?).map_err(&error)?;
        } else if flags.contains(MergeFlags::DELETE_NODE) {
            let last = line + 1 == page.line_count();
            let was_open = last && page.node(line).map_err(&error)?.key_len() == 0;
            page.delete(line).map_err(&error)?;
            if was_open && line > 0 {
                change_key(&mut page, line - 1, &[]).map_err(&error)?;
            }
        } else if flags.contains(MergeFlags::KEY_CHANGE) {
            let line = if kind == MergeKind::PARTIAL_LEFT { before_line()? } else { line };
            change_key(&mut page, line, leaf.parent_separator).map_err(&error)?;
        }
        page.set_db_time(record.page.db_time);
        self.statistics.changes_applied += 1;
        Ok(())
    }

    fn move_nodes(
        &mut self,
        slot: DatabaseSlot,
        leaf: &Merge<'_>,
        target: &Target,
        before: &[u8],
        rightwards: bool,
    ) -> Result<()> {
        let Some(frame) = target.changing() else { return Ok(()) };
        let size = self.cache.page_size();
        let source_error = Self::edit_error(slot, leaf.page.page_number);
        let source = PageImage::new(before, size).map_err(&source_error)?;
        let merge_line = usize::from(leaf.fields.merge_line);
        let moving = if rightwards { merge_line..source.line_count() } else { 0..merge_line + 1 };
        let mut lines = Vec::with_capacity(moving.len());
        for line in moving {
            let node = source.node(line).map_err(&source_error)?;
            if !node.is_deleted() {
                lines.push(Line::of(node));
            }
        }
        let error = Self::edit_error(slot, target.page);
        let mut page = self.cache.page_mut(frame, self.position);
        let at = if rightwards { 0 } else { page.line_count() };
        append_lines(&mut page, at, lines).map_err(&error)?;
        page.set_uncommitted_free(leaf.fields.target_uncommitted_free.into());
        Ok(())
    }

    fn take_from_source(&mut self, slot: DatabaseSlot, leaf: &Merge<'_>, source: &Target) -> Result<()> {
        let Some(frame) = source.changing() else { return Ok(()) };
        let error = Self::edit_error(slot, source.page);
        let mut page = self.cache.page_mut(frame, self.position);
        let merge_line = usize::from(leaf.fields.merge_line);
        match leaf.fields.kind {
            MergeKind::PARTIAL_RIGHT => {
                let end = page.line_count();
                page.delete_range(merge_line, end).map_err(&error)?;
            }
            MergeKind::PARTIAL_LEFT => page.delete_range(0, merge_line + 1).map_err(&error)?,
            _ => {}
        }
        if leaf.fields.flags.contains(MergeFlags::EMPTY_PAGE) {
            page.empty().map_err(&error)?;
        }
        page.set_db_time(leaf.page.db_time);
        self.statistics.changes_applied += 1;
        Ok(())
    }
}

/// Gives a pointer another key: the node is taken out and put back.
fn change_key<B: AsRef<[u8]> + AsMut<[u8]>>(
    page: &mut PageImage<B>,
    line: usize,
    key: &[u8],
) -> std::result::Result<(), crate::page_edit::PageEditError> {
    let node = page.node(line)?;
    let child = node.child().unwrap_or(PageNumber::NONE).0.to_le_bytes();
    let flags = node.flags & !node_flags::COMPRESSED;
    page.delete(line)?;
    append_lines(page, line, [Line { key: [key, &[]], data: &child, flags }])
}
