//! Redo of a split: all levels of one macro together.

use ese_format::DbTime;
use ese_log::record::{
    BeforeImage, DatabaseSlot, NodePrefix, PageRecordFlags, Split, SplitOperation, VersionId,
    VersionOperation,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use super::group::{ChangingPages, PageStore, Parcel, STEPS_OF_LEVEL};
use super::kept::KeptBytes;
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

impl LeafOperation<'_> {
    /// Id of the version of the data that is overwritten.
    fn replaced(&self, operation: SplitOperation) -> Option<VersionId> {
        match operation {
            SplitOperation::REPLACE => Some(self.node.version),
            SplitOperation::FLAG_INSERT_AND_REPLACE_DATA => Some(self.replace_version),
            _ => None,
        }
    }
}

/// The pages of one level.
struct Level {
    split: Target,
    new: Target,
    right: Target,
    /// Nothing but the pointer to the level below.
    pointer_only: bool,
    /// The split page as it was, from the record; empty when it is not needed or not known, or when the page itself has it.
    image: Vec<u8>,
    /// The page itself has it.
    takes_page: bool,
    /// Carries it to the thread that has the new page.
    parcel: Option<Parcel>,
}

/// A split whose pages are known.
pub(super) struct PlannedSplit {
    levels: Vec<Level>,
    /// A version waits for the node that the leaf's operation overwrites.
    keep: bool,
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

    /// Fetches the pages of a split and makes its versions; `None` when it does not take part.
    pub(super) fn plan_split(
        &mut self,
        records: &[Split<'_>],
        leaf: Option<LeafOperation<'_>>,
    ) -> Result<Option<PlannedSplit>> {
        let Some(first) = records.first() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = first.page.database;
        if !self.takes_part(first.page.session, slot, first.page.db_time, first.fields.object, None) {
            return Ok(None);
        }
        let mut plan = PlannedSplit { levels: Vec::with_capacity(records.len()), keep: false };
        for (index, record) in records.iter().enumerate() {
            let child = records.get(index + 1);
            // What the level below says of its parent counts.
            let before = child.map_or(record.page.db_time_before, |c| c.fields.parent_db_time_before);
            let level = self.plan_level(slot, record, before)?;
            let has_operation = child.is_some() || leaf.is_some();
            level.check(record, slot, has_operation, child.is_some())?;
            plan.levels.push(level);
        }
        if let (Some(record), Some(level), Some(leaf)) = (records.last(), plan.levels.last(), leaf)
            && !level.pointer_only
        {
            plan.keep = self.split_versions(slot, record, level, &leaf)?;
        }
        self.statistics.splits += 1;
        self.statistics.changes_applied += plan.targets().filter(|t| t.changing().is_some()).count() as u64;
        Ok(Some(plan))
    }

    fn plan_level(&mut self, slot: DatabaseSlot, record: &Split<'_>, before: DbTime) -> Result<Level> {
        let after = record.page.db_time;
        let f = record.fields;
        let split = self.target(slot, record.page.page_number, before, after)?;
        let mut level = Level {
            split,
            new: Target::NONE,
            right: Target::NONE,
            pointer_only: f.new_page.is_none(),
            image: Vec::new(),
            takes_page: false,
            parcel: None,
        };
        if level.pointer_only {
            return Ok(level);
        }
        let needs_image = moves_nodes(record);
        let image = record.image.filter(|i| !i.bytes.is_empty());
        if needs_image && image.is_none() {
            return Err(RedoErrorKind::ImageMissing { slot, page: split.page });
        }
        level.new = self.new_target(slot, f.new_page, after)?;
        if split.redo {
            level.takes_page = split.frame.is_some();
        } else if level.new.redo
            && needs_image
            && let Some(image) = image
        {
            // The page itself stays as it is: it has the change, and perhaps later ones that the log from here on does not
            // make again, because their transactions began before the checkpoint.
            self.image_of(&image, before, &mut level.image)?;
        }
        level.right = self.target(slot, f.right_page, f.right_db_time_before, after)?;
        Ok(level)
    }

    /// Versions of the operation that the split was made for. Whether one of them waits for the split page's node.
    fn split_versions(
        &mut self,
        slot: DatabaseSlot,
        record: &Split<'_>,
        level: &Level,
        o: &LeafOperation<'_>,
    ) -> Result<bool> {
        let f = &record.fields;
        let unique = o.node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { o.data };
        let bytes = VersionBytes { key: o.key, data, before: &[] };
        let inserts =
            matches!(f.operation, SplitOperation::INSERT | SplitOperation::FLAG_INSERT_AND_REPLACE_DATA);
        if inserts {
            self.add_version(&o.node, o.node.version, VersionOperation::INSERT, bytes);
        }
        let Some(replaced) = o.replaced(f.operation) else { return Ok(false) };
        // Where the node is on its page already, what undoing it takes was logged before that was written.
        let holder = if f.operation_line < f.split_line { level.split } else { level.new };
        let (holder, operation) = (holder.changing(), VersionOperation::REPLACE);
        if level.takes_page {
            let empty = VersionBytes::default();
            return Ok(self.add_image_version(&o.node, replaced, operation, empty, holder, true));
        }
        if !level.image.is_empty() {
            let error = |error| RedoErrorKind::Edit { slot, page: level.split.page, error };
            let page = PageImage::new(&level.image[..], self.cache.page_size()).map_err(error)?;
            let old = page.node(f.operation_line.into()).map_err(error)?;
            let bytes = VersionBytes { key: [old.prefix, old.suffix], data: &[], before: old.data };
            self.add_image_version(&o.node, replaced, operation, bytes, holder, false);
        }
        Ok(false)
    }
}

impl Level {
    /// Fails when the records do not hold what the level needs.
    fn check(
        &self,
        record: &Split<'_>,
        slot: DatabaseSlot,
        has_operation: bool,
        has_child: bool,
    ) -> Result<()> {
        let f = &record.fields;
        if self.pointer_only {
            return if has_child {
                Ok(())
            } else {
                Err(RedoErrorKind::BadMacro("a pointer without a split below it"))
            };
        }
        if f.operation != SplitOperation::NONE && !has_operation {
            return Err(RedoErrorKind::BadMacro("a split without its operation"));
        }
        let known = self.takes_page || !self.image.is_empty();
        let alone =
            f.operation_line == f.split_line && u32::from(f.operation_line) + 1 == u32::from(f.line_count);
        if !known && self.new.redo && !alone {
            // Only the operation's own node could go to the new page, as the last one.
            return Err(RedoErrorKind::ImageMissing { slot, page: self.split.page });
        }
        Ok(())
    }
}

impl PlannedSplit {
    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.levels.iter().flat_map(|l| [l.split, l.new, l.right])
    }

    pub(super) fn prepare_parcels(
        &mut self,
        has_to_travel: impl Fn(ese_format::PageNumber, ese_format::PageNumber) -> bool,
    ) {
        for level in self.levels.iter_mut().filter(|l| l.takes_page && l.new.changing().is_some()) {
            if has_to_travel(level.split.page, level.new.page) {
                level.parcel = Some(Parcel::new());
            }
        }
    }

    pub(super) fn give_up_parcels(&self, store: &PageStore<'_>) {
        for level in &self.levels {
            let is_here = level.split.frame.is_some_and(|frame| store.bytes(frame).is_some());
            if let (Some(parcel), true) = (&level.parcel, is_here) {
                parcel.get_or_init(Vec::new);
            }
        }
    }

    /// Changes those of the pages that `pages` has; `records` and `leaf` are what the plan was made of.
    pub(super) fn apply(
        &self,
        records: &[Split<'_>],
        leaf: Option<LeafOperation<'_>>,
        pages: &mut ChangingPages<'_>,
        kept: &mut KeptBytes,
    ) -> Result<()> {
        for (index, (level, record)) in self.levels.iter().zip(records).enumerate() {
            pages.step = index as u32 * STEPS_OF_LEVEL;
            pages.targets.clear();
            pages.targets.extend([level.split, level.new, level.right]);
            let child = records.get(index + 1);
            // Keys and data of the children outlive the change of their parents: they lie in the records.
            let pointer = child.map(|c| c.page.page_number.0.to_le_bytes());
            let operation = match (child, &pointer) {
                (Some(child), Some(pointer)) => Some(LeafOperation {
                    node: NodePrefix::default(),
                    key: [child.parent_key, &[]],
                    data: pointer,
                    replace_version: VersionId::NONE,
                }),
                _ => leaf,
            };
            match child {
                Some(child) if level.pointer_only => insert_separator(pages, record, child)?,
                _ => self.apply_level(level, record, operation, child, pages, kept)?,
            }
        }
        Ok(())
    }

    fn apply_level(
        &self,
        level: &Level,
        record: &Split<'_>,
        operation: Option<LeafOperation<'_>>,
        child: Option<&Split<'_>>,
        pages: &mut ChangingPages<'_>,
        kept: &mut KeptBytes,
    ) -> Result<()> {
        let f = &record.fields;
        let size = pages.store.size();
        let mut before = None;
        if level.takes_page {
            before = pages.source(&level.split, &level.new, level.parcel.as_ref())?;
        } else if !level.image.is_empty() {
            before = Some(level.image.as_slice().into());
        }
        if let (true, None, Some(operation), Some(bytes)) = (self.keep, child, &operation, &before)
            && pages.has(&level.split)
            && let Some(replaced) = operation.replaced(f.operation)
        {
            let error = |error| RedoErrorKind::Edit { slot: pages.slot, page: level.split.page, error };
            let page = PageImage::new(&bytes[..], size).map_err(error)?;
            let old = page.node(f.operation_line.into()).map_err(error)?;
            kept.keep(operation.node.page.session, replaced, &old, &[], old.data);
        }
        let node = operation.map(|o| SplitNode {
            key: o.key,
            data: o.data,
            versioned: child.is_none() && o.node.page.flags.contains(PageRecordFlags::VERSIONED),
        });
        split_page(pages, size, &SplitStep { record, before: before.as_deref(), node, child })
    }
}
