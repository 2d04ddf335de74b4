//! Redo of a split: all levels of one macro together.

use ese_format::PageNumber;
use ese_log::record::{
    BeforeImage, DatabaseSlot, NodePrefix, PageRecordFlags, Split, SplitKind, SplitOperation, VersionId,
    VersionOperation,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use super::version::VersionBytes;
use crate::page_cache::FrameId;
use crate::page_edit::{PageEditError, PageImage, node_flags, page_flags};
use crate::page_operation::{Line, Lines, append_lines};
use crate::stored_image::restore_before_image;

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// The operation on the leaf that the split made room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafOperation<'a> {
    pub(super) node: NodePrefix,
    pub(super) key: [&'a [u8]; 2],
    pub(super) data: &'a [u8],
    pub(super) replace_version: VersionId,
}

/// The pages of one level.
struct Level<'a> {
    record: Split<'a>,
    split: Target,
    new: Target,
    right: Target,
    /// The split page as it was, for its nodes; empty when not needed or not known.
    before: Vec<u8>,
}

impl Level<'_> {
    fn is_pointer_only(&self) -> bool {
        self.record.fields.new_page.is_none()
    }
}

/// Whether nodes that existed before move to the new page.
fn moves_nodes(record: &Split<'_>) -> bool {
    let f = &record.fields;
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

impl Redo {
    /// Puts the page of a before-image into `out`, with the counter it had before the change.
    pub(super) fn image_of(
        &self,
        image: &BeforeImage<'_>,
        before: ese_format::DbTime,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let size = self.cache.page_size();
        restore_before_image(image, size, out).map_err(|e| RedoErrorKind::BadImage(e.to_string()))?;
        let bad = |e: PageEditError| RedoErrorKind::BadImage(e.to_string());
        let mut page = PageImage::new(&mut out[..], size).map_err(bad)?;
        page.check().map_err(bad)?;
        page.set_db_time(before);
        Ok(())
    }

    /// Replaces the content of a page by its before-image. The page's deletion mark stays.
    pub(super) fn put_image(&mut self, frame: FrameId, number: PageNumber, image: &[u8]) {
        let mut page = self.cache.page_mut(frame, self.position);
        let mark = page.flags() & page_flags::FDP_DELETE;
        if page.bytes().len() == image.len() {
            page.bytes_mut().copy_from_slice(image);
        }
        let flags = page.flags() | mark;
        page.set_flags(flags);
        page.set_stored_page_number(number);
    }

    pub(super) fn split(&mut self, records: &[Split<'_>], leaf: Option<LeafOperation<'_>>) -> Result<()> {
        let Some(first) = records.first() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = first.page.database;
        if !self.takes_part(first.page.session, slot, first.page.db_time, first.fields.object, None) {
            return Ok(());
        }
        let mut levels = Vec::with_capacity(records.len());
        for record in records {
            levels.push(self.open_level(slot, *record)?);
        }
        // Keys and data of the children outlive the change of their parents: they lie in the records.
        let pointers: Vec<[u8; 4]> = records.iter().map(|r| r.page.page_number.0.to_le_bytes()).collect();
        for (index, level) in levels.iter().enumerate() {
            let child = records.get(index + 1);
            let operation = match child {
                Some(child) => Some(LeafOperation {
                    node: NodePrefix::default(),
                    key: [child.parent_key, &[]],
                    data: pointers.get(index + 1).map_or(&[][..], |p| &p[..]),
                    replace_version: VersionId::NONE,
                }),
                None => leaf,
            };
            if level.is_pointer_only() {
                let Some(child) = child else {
                    return Err(RedoErrorKind::BadMacro("a pointer without a split below it"));
                };
                self.insert_pointer(slot, level, child)?;
            } else {
                self.split_level(slot, level, operation, child)?;
            }
        }
        self.statistics.splits += 1;
        Ok(())
    }

    fn open_level<'a>(&mut self, slot: DatabaseSlot, record: Split<'a>) -> Result<Level<'a>> {
        let (before, after) = (record.page.db_time_before, record.page.db_time);
        let f = record.fields;
        let mut split = self.target(slot, record.page.page_number, before, after)?;
        let mut level = Level { record, split, new: Target::NONE, right: Target::NONE, before: Vec::new() };
        if level.is_pointer_only() {
            return Ok(level);
        }
        let needs_image = moves_nodes(&record);
        let image = record.image.filter(|i| !i.bytes.is_empty());
        if needs_image && image.is_none() {
            return Err(RedoErrorKind::ImageMissing { slot, page: split.page });
        }
        level.new = self.new_target(slot, f.new_page, after)?;
        if split.redo {
            if let Some(frame) = split.frame {
                level.before.extend_from_slice(self.cache.page(frame).bytes());
            }
        } else if level.new.redo
            && needs_image
            && let Some(image) = image
        {
            self.image_of(&image, before, &mut level.before)?;
            // The intermediate form stays in memory: the page is changed before this operation ends.
            if let Some(frame) = split.frame {
                self.put_image(frame, split.page, &level.before);
                split.redo = true;
            }
        }
        level.split = split;
        level.right = self.target(slot, f.right_page, f.right_db_time_before, after)?;
        Ok(level)
    }

    /// A page above the topmost split page: gets the separator, and the pointer behind it is led to the new page.
    fn insert_pointer(&mut self, slot: DatabaseSlot, level: &Level<'_>, child: &Split<'_>) -> Result<()> {
        let Some(frame) = level.split.changing() else { return Ok(()) };
        let error = Self::edit_error(slot, level.split.page);
        let mut page = self.cache.page_mut(frame, self.position);
        let line = page.seek_separator(child.parent_key).map_err(&error)?;
        let pointer = child.page.page_number.0.to_le_bytes();
        let new = Line { key: [child.parent_key, &[]], data: &pointer, flags: 0 };
        append_lines(&mut page, line, [new]).map_err(&error)?;
        page.replace_data(line + 1, &child.fields.new_page.0.to_le_bytes()).map_err(&error)?;
        page.set_db_time(level.record.page.db_time);
        self.statistics.changes_applied += 1;
        Ok(())
    }

    fn split_level(
        &mut self,
        slot: DatabaseSlot,
        level: &Level<'_>,
        operation: Option<LeafOperation<'_>>,
        child: Option<&Split<'_>>,
    ) -> Result<()> {
        if !level.split.redo && !level.new.redo {
            self.split_versions(level, operation, None, child.is_none());
            return self.link_right(level);
        }
        let f = level.record.fields;
        let size = self.cache.page_size();
        let before_page;
        let mut old_line = None;
        let is_leaf = child.is_none();
        let versioned =
            is_leaf && operation.is_some_and(|o| o.node.page.flags.contains(PageRecordFlags::VERSIONED));
        let version_flag = if versioned { node_flags::VERSIONED } else { 0 };
        let (split_line, operation_line) = (usize::from(f.split_line), usize::from(f.operation_line));
        let count = usize::from(f.line_count);
        let mut lines: Lines<'_> = Vec::new();
        let inserts = f.operation == SplitOperation::INSERT;
        let acts = f.operation != SplitOperation::NONE;
        if acts && operation.is_none() {
            return Err(RedoErrorKind::BadMacro("a split without its operation"));
        }
        let known = !level.before.is_empty();
        if known {
            before_page =
                PageImage::new(&level.before[..], size).map_err(Self::edit_error(slot, level.split.page))?;
            let error = Self::edit_error(slot, level.split.page);
            let mut from = 0;
            for to in 0..count {
                if to == operation_line
                    && inserts
                    && let Some(o) = operation
                {
                    lines.push(Line { key: o.key, data: o.data, flags: version_flag });
                    continue;
                }
                let node = before_page.node(from).map_err(&error)?;
                from += 1;
                let mut line = Line::of(node);
                if to == operation_line
                    && acts
                    && let Some(o) = operation
                {
                    old_line = Some(node);
                    line.data = o.data;
                    if f.operation == SplitOperation::FLAG_INSERT_AND_REPLACE_DATA {
                        line.flags &= !node_flags::DELETED;
                    }
                    line.flags |= version_flag;
                    if to < split_line {
                        // The engine deletes and inserts it here: only the version flag is left.
                        line.flags = version_flag;
                    }
                }
                lines.push(line);
            }
        } else if let Some(o) = operation {
            // Only the operation's own node goes to the new page, and it is the last one.
            if operation_line + 1 != count || operation_line != split_line {
                return Err(RedoErrorKind::ImageMissing { slot, page: level.split.page });
            }
            lines.push(Line { key: o.key, data: o.data, flags: version_flag });
        }
        let skipped = if known { 0 } else { split_line };
        self.split_versions(level, operation, old_line.map(|n| (n.key(), n.data.to_vec())), is_leaf);
        let new_lines = lines.get(split_line - skipped..).unwrap_or(&[]);
        let kept_lines = if known { lines.get(..split_line).unwrap_or(&[]) } else { &[] };
        self.fill_new(slot, level, new_lines, is_leaf)?;
        self.shrink_split(slot, level, kept_lines, is_leaf)?;
        if let Some(child) = child {
            self.lead_to_new_child(slot, level, child)?;
        } else if f.kind != SplitKind::VERTICAL {
            self.link_siblings(level);
        }
        self.link_right(level)
    }

    /// Versions of the operation that the split was made for.
    fn split_versions(
        &mut self,
        level: &Level<'_>,
        operation: Option<LeafOperation<'_>>,
        old: Option<(Vec<u8>, Vec<u8>)>,
        is_leaf: bool,
    ) {
        let Some(o) = operation.filter(|_| is_leaf) else { return };
        let f = &level.record.fields;
        let unique = o.node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { o.data };
        let holds_node = if f.operation_line < f.split_line { level.split.redo } else { level.new.redo };
        let bytes = VersionBytes { key: o.key, data, before: &[] };
        let inserts =
            matches!(f.operation, SplitOperation::INSERT | SplitOperation::FLAG_INSERT_AND_REPLACE_DATA);
        if inserts {
            self.add_version(&o.node, o.node.version, VersionOperation::INSERT, bytes);
        }
        let replaced = match f.operation {
            SplitOperation::REPLACE => o.node.version,
            SplitOperation::FLAG_INSERT_AND_REPLACE_DATA => o.replace_version,
            _ => return,
        };
        let holder = if f.operation_line < f.split_line { level.split.frame } else { level.new.frame };
        if holds_node
            && let Some((key, before)) = old
            && let Some(frame) = holder
        {
            let bytes = VersionBytes { key: [&key, &[]], data: &[], before: &before };
            self.add_image_version(&o.node, replaced, VersionOperation::REPLACE, bytes, frame);
        }
    }

    fn fill_new(
        &mut self,
        slot: DatabaseSlot,
        level: &Level<'_>,
        lines: &[Line<'_>],
        leaf: bool,
    ) -> Result<()> {
        let Some(frame) = level.new.changing() else { return Ok(()) };
        let f = &level.record.fields;
        let error = Self::edit_error(slot, level.new.page);
        self.create_page(&level.new, f.object, f.new_page_flags, level.record.page.db_time, self.position);
        let mut page = self.cache.page_mut(frame, self.position);
        if let Ok(line) = usize::try_from(f.new_prefix_line) {
            let source = lines
                .get(line)
                .ok_or(RedoErrorKind::Field { field: "new_prefix_line", found: line as u64 })?;
            page.set_external_header(&source.whole_key()).map_err(&error)?;
        }
        append_lines(&mut page, 0, lines.iter().copied()).map_err(&error)?;
        if leaf {
            page.set_uncommitted_free(f.target_uncommitted_free.into());
        }
        self.statistics.changes_applied += 1;
        Ok(())
    }

    fn shrink_split(
        &mut self,
        slot: DatabaseSlot,
        level: &Level<'_>,
        kept: &[Line<'_>],
        leaf: bool,
    ) -> Result<()> {
        let Some(frame) = level.split.changing() else { return Ok(()) };
        let f = &level.record.fields;
        let error = Self::edit_error(slot, level.split.page);
        let mut page = self.cache.page_mut(frame, self.position);
        if f.kind == SplitKind::VERTICAL {
            let mark = page.flags() & page_flags::FDP_DELETE;
            page.set_flags(f.split_page_flags & !page_flags::FLUSH_TYPE | mark);
            page.remove_all_nodes().map_err(&error)?;
            let pointer = f.new_page.0.to_le_bytes();
            append_lines(&mut page, 0, [Line { key: [&[], &[]], data: &pointer, flags: 0 }])
                .map_err(&error)?;
        } else if f.kind != SplitKind::APPEND {
            let prefix = level.record.new_prefix;
            page.rebuild(prefix, kept.iter().map(|line| line.node(prefix))).map_err(&error)?;
        }
        if leaf && f.kind != SplitKind::VERTICAL {
            page.set_uncommitted_free(f.source_uncommitted_free.into());
        }
        page.set_db_time(level.record.page.db_time);
        self.statistics.changes_applied += 1;
        Ok(())
    }

    /// On a branch page: the node after the new separator now leads to the child's new page.
    fn lead_to_new_child(&mut self, slot: DatabaseSlot, level: &Level<'_>, child: &Split<'_>) -> Result<()> {
        let f = &level.record.fields;
        let line = usize::from(f.operation_line) + 1;
        let split_line = usize::from(f.split_line);
        let (target, line) =
            if line >= split_line { (level.new, line - split_line) } else { (level.split, line) };
        let Some(frame) = target.changing() else { return Ok(()) };
        self.cache
            .page_mut(frame, self.position)
            .replace_data(line, &child.fields.new_page.0.to_le_bytes())
            .map_err(Self::edit_error(slot, target.page))
    }

    fn link_siblings(&mut self, level: &Level<'_>) {
        let (split, new) = (level.split.page, level.new.page);
        if let Some(frame) = level.new.changing() {
            let mut page = self.cache.page_mut(frame, self.position);
            page.set_previous(split);
            page.set_next(level.record.fields.right_page);
        }
        if let Some(frame) = level.split.changing() {
            self.cache.page_mut(frame, self.position).set_next(new);
        }
    }

    fn link_right(&mut self, level: &Level<'_>) -> Result<()> {
        if let Some(frame) = level.right.changing() {
            let new = level.new.page;
            let mut page = self.cache.page_mut(frame, self.position);
            page.set_previous(new);
            page.set_db_time(level.record.page.db_time);
            self.statistics.changes_applied += 1;
        }
        Ok(())
    }
}
