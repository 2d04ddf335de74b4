//! Redo of a split: all levels of one macro together.

use ese_format::DbTime;
use ese_log::record::{
    BeforeImage, DatabaseSlot, NodePrefix, PageRecordFlags, Split, SplitOperation, VersionId,
    VersionOperation,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use super::version::VersionBytes;
use crate::page_edit::{PageEditError, PageImage};
use crate::page_operation::{SplitNode, SplitStep, insert_separator, moves_nodes, split_page};
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

impl Redo {
    /// Puts the page of a before-image into `out`, with the counter it had before the change.
    pub(super) fn image_of(&self, image: &BeforeImage<'_>, before: DbTime, out: &mut Vec<u8>) -> Result<()> {
        let size = self.cache.page_size();
        restore_before_image(image, size, out).map_err(|e| RedoErrorKind::BadImage(e.to_string()))?;
        let bad = |e: PageEditError| RedoErrorKind::BadImage(e.to_string());
        let mut page = PageImage::new(&mut out[..], size).map_err(bad)?;
        page.check().map_err(bad)?;
        page.set_db_time(before);
        Ok(())
    }

    pub(super) fn split(&mut self, records: &[Split<'_>], leaf: Option<LeafOperation<'_>>) -> Result<()> {
        let Some(first) = records.first() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = first.page.database;
        if !self.takes_part(first.page.session, slot, first.page.db_time, first.fields.object, None) {
            return Ok(());
        }
        let mut levels = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            // What the level below says of its parent counts.
            let before = records
                .get(index + 1)
                .map_or(record.page.db_time_before, |child| child.fields.parent_db_time_before);
            levels.push(self.open_level(slot, *record, before)?);
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
                let targets = [level.split];
                insert_separator(&mut self.changed_pages(slot, &targets), &level.record, child)?;
            } else {
                self.split_level(slot, level, operation, child)?;
            }
        }
        self.statistics.splits += 1;
        Ok(())
    }

    fn open_level<'a>(&mut self, slot: DatabaseSlot, record: Split<'a>, before: DbTime) -> Result<Level<'a>> {
        let after = record.page.db_time;
        let f = record.fields;
        let split = self.target(slot, record.page.page_number, before, after)?;
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
            // The page itself stays as it is: it has the change, and perhaps later ones that the log from here on does not
            // make again, because their transactions began before the checkpoint.
            self.image_of(&image, before, &mut level.before)?;
        }
        level.split = split;
        level.right = self.target(slot, f.right_page, f.right_db_time_before, after)?;
        Ok(level)
    }

    fn split_level(
        &mut self,
        slot: DatabaseSlot,
        level: &Level<'_>,
        operation: Option<LeafOperation<'_>>,
        child: Option<&Split<'_>>,
    ) -> Result<()> {
        let f = level.record.fields;
        if f.operation != SplitOperation::NONE && operation.is_none() {
            return Err(RedoErrorKind::BadMacro("a split without its operation"));
        }
        let known = !level.before.is_empty();
        let alone =
            f.operation_line == f.split_line && u32::from(f.operation_line) + 1 == u32::from(f.line_count);
        if !known && level.new.redo && !alone {
            // Only the operation's own node could go to the new page, as the last one.
            return Err(RedoErrorKind::ImageMissing { slot, page: level.split.page });
        }
        if child.is_none() {
            self.split_versions(slot, level, operation)?;
        }
        let node = operation.map(|o| SplitNode {
            key: o.key,
            data: o.data,
            versioned: child.is_none() && o.node.page.flags.contains(PageRecordFlags::VERSIONED),
        });
        let before = known.then_some(&level.before[..]);
        let step = SplitStep { record: &level.record, before, node, child };
        let size = self.cache.page_size();
        split_page(&mut self.changed_pages(slot, &[level.split, level.new, level.right]), size, &step)
    }

    /// Versions of the operation that the split was made for.
    fn split_versions(
        &mut self,
        slot: DatabaseSlot,
        level: &Level<'_>,
        operation: Option<LeafOperation<'_>>,
    ) -> Result<()> {
        let Some(o) = operation else { return Ok(()) };
        let f = &level.record.fields;
        let unique = o.node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { o.data };
        let bytes = VersionBytes { key: o.key, data, before: &[] };
        let inserts =
            matches!(f.operation, SplitOperation::INSERT | SplitOperation::FLAG_INSERT_AND_REPLACE_DATA);
        if inserts {
            self.add_version(&o.node, o.node.version, VersionOperation::INSERT, bytes);
        }
        let replaced = match f.operation {
            SplitOperation::REPLACE => o.node.version,
            SplitOperation::FLAG_INSERT_AND_REPLACE_DATA => o.replace_version,
            _ => return Ok(()),
        };
        let holder = if f.operation_line < f.split_line { level.split } else { level.new };
        if !level.before.is_empty() {
            let error = Self::edit_error(slot, level.split.page);
            let page = PageImage::new(&level.before[..], self.cache.page_size()).map_err(&error)?;
            let old = page.node(f.operation_line.into()).map_err(&error)?;
            let bytes = VersionBytes { key: [old.prefix, old.suffix], data: &[], before: old.data };
            match holder.changing() {
                Some(frame) => {
                    self.add_image_version(&o.node, replaced, VersionOperation::REPLACE, bytes, frame);
                }
                // On its page already: what undoing it takes was logged before that was written.
                None => {
                    self.add_version(&o.node, replaced, VersionOperation::REPLACE, bytes);
                }
            }
        }
        Ok(())
    }
}
