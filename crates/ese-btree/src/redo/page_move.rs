//! Redo of page moves: ordinary pages, and the roots of a tree.

use ese_format::{DbTime, LogPosition, PageNumber};
use ese_log::record::{
    DatabaseSlot, PageMove, PageMoveFlags, PagePrefix, Record, Replace, RootPageMove, SetExternalHeader,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use crate::page_edit::{PageImage, node_flags};

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// Places of a space header's words.
const SPACE_HEADER_LEN: usize = 16;

impl Redo {
    /// The source page of a move as the record holds it: head and tail, zeros between.
    fn moved_page(&self, record: &PageMove<'_>, time: DbTime) -> Result<Vec<u8>> {
        let size = self.cache.page_size().len();
        let gap = size
            .checked_sub(record.page_head.len())
            .and_then(|rest| rest.checked_sub(record.page_tail.len()))
            .ok_or_else(|| RedoErrorKind::BadImage("head and tail exceed a page".to_owned()))?;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(record.page_head);
        bytes.resize(record.page_head.len() + gap, 0);
        bytes.extend_from_slice(record.page_tail);
        let bad = |e: crate::page_edit::PageEditError| RedoErrorKind::BadImage(e.to_string());
        let mut page = PageImage::new(&mut bytes[..], self.cache.page_size()).map_err(bad)?;
        page.check().map_err(bad)?;
        page.set_db_time(time);
        Ok(bytes)
    }

    /// The content of the page that moves, where its target needs it.
    fn source_bytes(&mut self, record: &PageMove<'_>, source: &Target, target: &Target) -> Result<Vec<u8>> {
        if !target.redo {
            return Ok(Vec::new());
        }
        if source.redo
            && let Some(frame) = source.frame
        {
            return Ok(self.cache.page(frame).bytes().to_vec());
        }
        // The page itself stays as it is, as in a split.
        self.moved_page(record, record.page.db_time_before)
    }

    /// Writes the moved content to its new place and empties the old one.
    fn carry_over(
        &mut self,
        slot: DatabaseSlot,
        bytes: &[u8],
        source: &Target,
        target: &Target,
        after: DbTime,
    ) -> Result<()> {
        if let Some(frame) = target.changing() {
            let mut page = self.cache.page_mut(frame, self.position);
            if page.bytes().len() == bytes.len() {
                page.bytes_mut().copy_from_slice(bytes);
            }
            page.set_stored_page_number(target.page);
            page.set_db_time(after);
            self.statistics.changes_applied += 1;
        }
        if let Some(frame) = source.changing() {
            let mut page = self.cache.page_mut(frame, self.position);
            page.empty().map_err(Self::edit_error(slot, source.page))?;
            page.set_db_time(after);
            self.statistics.changes_applied += 1;
        }
        self.freed(slot, source.page);
        Ok(())
    }

    pub(super) fn page_move(&mut self, record: &PageMove<'_>, raw: &[u8]) -> Result<()> {
        let prefix = record.page;
        let (slot, after) = (prefix.database, prefix.db_time);
        if !self.takes_part(prefix.session, slot, after, record.object, Some(raw)) {
            return Ok(());
        }
        let parent = self.target(slot, record.parent_page, record.parent_db_time_before, after)?;
        let source = self.target(slot, prefix.page_number, prefix.db_time_before, after)?;
        let left = self.target(slot, record.left_page, record.left_db_time_before, after)?;
        let right = self.target(slot, record.right_page, record.right_db_time_before, after)?;
        let target = self.new_target(slot, record.target_page, after)?;
        let bytes = self.source_bytes(record, &source, &target)?;
        self.carry_over(slot, &bytes, &source, &target, after)?;
        let moved = record.target_page;
        if let Some(frame) = parent.changing() {
            let line = usize::try_from(record.parent_line).map_err(|_| RedoErrorKind::Field {
                field: "parent_line",
                found: record.parent_line as u64,
            })?;
            let mut page = self.cache.page_mut(frame, self.position);
            page.replace_data(line, &moved.0.to_le_bytes()).map_err(Self::edit_error(slot, parent.page))?;
            page.set_db_time(after);
            self.statistics.changes_applied += 1;
        }
        for (sibling, is_left) in [(left, true), (right, false)] {
            let Some(frame) = sibling.changing() else { continue };
            let mut page = self.cache.page_mut(frame, self.position);
            if is_left {
                page.set_next(moved);
            } else {
                page.set_previous(moved);
            }
            page.set_db_time(after);
            self.statistics.changes_applied += 1;
        }
        self.statistics.page_moves += 1;
        Ok(())
    }

    /// A root move: the macro's three page moves, the headers of child trees, the rows of the catalog.
    pub(super) fn root_move(
        &mut self,
        moved: &RootPageMove,
        records: &[(Record<'_>, LogPosition)],
    ) -> Result<()> {
        let (slot, after) = (moved.database, moved.db_time);
        if !self.takes_part(moved.session, slot, after, moved.object, None) {
            return Ok(());
        }
        let new_owned_root = records.iter().find_map(|(record, _)| match record {
            Record::PageMove(m) if m.move_flags.contains(PageMoveFlags::OWNED_EXTENTS) => Some(m.target_page),
            _ => None,
        });
        // Every page is looked at before any is changed.
        let mut pages = Vec::with_capacity(records.len());
        for (record, _) in records.iter().skip(1) {
            pages.push(match record {
                Record::PageMove(m) => {
                    let source = self.target(slot, m.page.page_number, m.page.db_time_before, after)?;
                    (source, self.new_target(slot, m.target_page, after)?)
                }
                Record::SetExternalHeader(SetExternalHeader { node, .. })
                | Record::Replace(Replace { node, .. }) => {
                    (self.prefix_target(slot, &node.page, after)?, Target::NONE)
                }
                _ => return Err(RedoErrorKind::BadMacro("a root move with a record that is no part of it")),
            });
        }
        for ((record, _), (first, target)) in records.iter().skip(1).zip(pages) {
            match record {
                Record::PageMove(m) => {
                    let bytes = self.source_bytes(m, &first, &target)?;
                    self.carry_over(slot, &bytes, &first, &target, after)?;
                    if m.move_flags.contains(PageMoveFlags::ROOT) {
                        self.set_owned_root(slot, &target, new_owned_root)?;
                    }
                }
                Record::SetExternalHeader(header) => {
                    let Some(frame) = first.changing() else { continue };
                    let mut page = self.cache.page_mut(frame, self.position);
                    page.set_external_header(header.data).map_err(Self::edit_error(slot, first.page))?;
                    page.set_db_time(after);
                }
                Record::Replace(replace) => {
                    let Some(frame) = first.changing() else { continue };
                    let error = Self::edit_error(slot, first.page);
                    let line = usize::from(replace.node.page.line);
                    let mut page = self.cache.page_mut(frame, self.position);
                    page.replace_data(line, replace.data).map_err(&error)?;
                    page.change_node_flags(line, node_flags::VERSIONED, 0).map_err(&error)?;
                    // Several rows of the catalog may lie on one page: the counter is set when all are done.
                }
                _ => {}
            }
        }
        for (record, _) in records {
            if let Record::Replace(replace) = record {
                let target = self.access(slot, replace.node.page.page_number)?;
                if let Some(frame) = target
                    && self.cache.page(frame).db_time() == replace.node.page.db_time_before
                {
                    self.cache.page_mut(frame, self.position).set_db_time(after);
                    self.statistics.changes_applied += 1;
                }
            }
        }
        self.statistics.page_moves += 1;
        Ok(())
    }

    fn prefix_target(&mut self, slot: DatabaseSlot, prefix: &PagePrefix, after: DbTime) -> Result<Target> {
        self.target(slot, prefix.page_number, prefix.db_time_before, after)
    }

    /// The moved root leads to its moved space trees.
    fn set_owned_root(&mut self, slot: DatabaseSlot, root: &Target, owned: Option<PageNumber>) -> Result<()> {
        let (Some(frame), Some(owned)) = (root.changing(), owned.filter(|p| !p.is_none())) else {
            return Ok(());
        };
        let mut page = self.cache.page_mut(frame, self.position);
        let mut header = page.external_header().to_vec();
        let start = usize::from(header.len() != SPACE_HEADER_LEN);
        let bad = RedoErrorKind::Field { field: "space header", found: header.len() as u64 };
        let word = header.get_mut(start + 12..start + SPACE_HEADER_LEN).ok_or(bad)?;
        word.copy_from_slice(&owned.0.to_le_bytes());
        page.set_external_header(&header).map_err(Self::edit_error(slot, root.page))
    }
}
