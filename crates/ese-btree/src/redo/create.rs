//! Redo of the records that create trees and pages.

use ese_format::{ObjectId, PageNumber};
use ese_log::record::{
    ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, NewPage, PagePrefix, PageRecordFlags,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags};

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// Flags of a space header.
const MULTIPLE_EXTENTS: u32 = 1;
const NON_UNIQUE: u32 = 2;
/// Pages after the root that the bitmap of a single-extent tree covers.
const BITMAP_PAGES: u32 = 32;
/// Length of a space header, and of the split buffer of a space tree's root.
const SPACE_HEADER_LEN: usize = 16;

/// The header of a tree's space in the external header of its root. 16 bytes.
fn space_header(primary: u32, parent: PageNumber, flags: u32, last: u32) -> [u8; SPACE_HEADER_LEN] {
    let mut out = [0; SPACE_HEADER_LEN];
    let words = [primary, parent.0, flags, last];
    for (target, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *target = word.to_le_bytes();
    }
    out
}

/// An extent: last page and number of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    last: u32,
    pages: u32,
}

impl Redo {
    pub(super) fn create_single_extent(&mut self, record: &CreateSingleExtentFdp) -> Result<()> {
        let prefix = &record.page;
        let primary = record.primary_page_count;
        let available = match primary {
            0 => 0,
            n if n > BITMAP_PAGES => u32::MAX,
            n => (1_u32 << (n - 1)).wrapping_sub(1),
        };
        let flags = space_flags(prefix);
        let header = space_header(primary, record.parent_root, flags, available);
        self.create_root(prefix, record.object, record.page_flags, &header)?;
        Ok(())
    }

    /// The root page of a new tree; whether the record takes part.
    fn create_root(
        &mut self,
        prefix: &PagePrefix,
        object: ObjectId,
        flags: u32,
        header: &[u8],
    ) -> Result<bool> {
        let slot = prefix.database;
        if !self.takes_part(prefix.session, slot, prefix.db_time, object, None) {
            return Ok(false);
        }
        let target = self.new_target(slot, prefix.page_number, prefix.db_time)?;
        self.create_page(
            &target,
            object,
            flags | page_flags::ROOT | page_flags::LEAF,
            prefix.db_time,
            self.position,
        );
        if let Some(frame) = target.changing() {
            self.cache
                .page_mut(frame, self.position)
                .set_external_header(header)
                .map_err(Self::edit_error(slot, target.page))?;
            self.statistics.changes_applied += 1;
        }
        Ok(true)
    }

    pub(super) fn create_multiple_extent(&mut self, record: &CreateMultipleExtentFdp) -> Result<()> {
        let prefix = &record.page;
        let flags = space_flags(prefix) | MULTIPLE_EXTENTS;
        let primary = record.primary_page_count;
        let header = space_header(primary, record.parent_root, flags, record.owned_extents_root.0);
        if !self.create_root(prefix, record.object, record.page_flags, &header)? {
            return Ok(());
        }
        let last = prefix.page_number.0.wrapping_add(primary).wrapping_sub(1);
        let owned = [Extent { last, pages: primary }];
        let available = [Extent { last, pages: primary.saturating_sub(3) }];
        let target = self.new_target(prefix.database, record.owned_extents_root, prefix.db_time)?;
        self.create_extent_tree(prefix, record.object, record.page_flags, &target, &owned)?;
        let target = self.new_target(prefix.database, record.available_extents_root, prefix.db_time)?;
        self.create_extent_tree(prefix, record.object, record.page_flags, &target, &available)
    }

    /// The root of a space tree with the extents given; those without pages are left out.
    #[doc(alias = "SPICreateExtentTree")]
    fn create_extent_tree(
        &mut self,
        prefix: &PagePrefix,
        object: ObjectId,
        flags: u32,
        target: &Target,
        extents: &[Extent],
    ) -> Result<()> {
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(prefix.database, target.page);
        let flags = flags | page_flags::ROOT | page_flags::LEAF | page_flags::SPACE_TREE;
        self.create_page(target, object, flags, prefix.db_time, self.position);
        let mut page = self.cache.page_mut(frame, self.position);
        page.set_external_header(&[0; SPACE_HEADER_LEN]).map_err(&error)?;
        for extent in extents.iter().filter(|e| e.pages > 0) {
            insert_extent(&mut page, *extent).map_err(&error)?;
        }
        self.statistics.changes_applied += 1;
        Ok(())
    }

    pub(super) fn convert(&mut self, record: &ConvertFdp2) -> Result<()> {
        let convert = &record.convert;
        let prefix = &convert.page;
        let slot = prefix.database;
        let after = prefix.db_time;
        if !self.takes_part(prefix.session, slot, after, convert.object, None) {
            return Ok(());
        }
        let root = self.target(slot, prefix.page_number, prefix.db_time_before, after)?;
        let owned_root = self.new_target(slot, convert.owned_extents_root, after)?;
        let available_root = self.new_target(slot, convert.available_extents_root, after)?;
        let first = prefix.page_number.0;
        let primary = Extent {
            last: first.wrapping_add(convert.primary_page_count).wrapping_sub(1),
            pages: convert.primary_page_count,
        };
        let secondary_last =
            convert.secondary_first.0.wrapping_add(convert.secondary_page_count).wrapping_sub(1);
        let secondary = Extent { last: secondary_last, pages: convert.secondary_page_count };
        self.create_extent_tree(
            prefix,
            convert.object,
            record.page_flags,
            &owned_root,
            &[primary, secondary],
        )?;
        let mut free = free_runs(first, convert.primary_page_count, record.available);
        // The first two pages of the secondary extent are the roots just made.
        free.push(Extent { last: secondary_last, pages: convert.secondary_page_count.saturating_sub(2) });
        self.create_extent_tree(prefix, convert.object, record.page_flags, &available_root, &free)?;
        let Some(frame) = root.changing() else { return Ok(()) };
        let error = Self::edit_error(slot, root.page);
        let mut page = self.cache.page_mut(frame, self.position);
        let mut header = page.external_header().to_vec();
        // With root fields the space header stands behind the mask byte.
        let start = usize::from(header.len() != SPACE_HEADER_LEN);
        let bad = RedoErrorKind::Field { field: "space header", found: header.len() as u64 };
        let space = header.get_mut(start..start + SPACE_HEADER_LEN).ok_or(bad)?;
        if let Some(flags) = space.get_mut(8) {
            *flags |= MULTIPLE_EXTENTS as u8;
        }
        if let Some(last) = space.last_chunk_mut::<4>() {
            *last = convert.owned_extents_root.0.to_le_bytes();
        }
        page.set_external_header(&header).map_err(error)?;
        page.set_db_time(after);
        self.statistics.changes_applied += 1;
        Ok(())
    }

    pub(super) fn new_page(&mut self, record: &NewPage) -> Result<()> {
        let slot = record.database;
        if !self.takes_part(record.session, slot, record.db_time, record.object, None) {
            return Ok(());
        }
        let target = self.new_target(slot, record.page_number, record.db_time)?;
        if let Some(frame) = target.changing() {
            self.cache.page_mut(frame, self.position).initialize(
                record.page_number,
                record.object,
                record.db_time,
            );
            self.statistics.changes_applied += 1;
        }
        Ok(())
    }
}

fn space_flags(prefix: &PagePrefix) -> u32 {
    if prefix.flags.contains(PageRecordFlags::UNIQUE) { 0 } else { NON_UNIQUE }
}

/// Inserts an extent where its key belongs: the last page, big-endian.
fn insert_extent(page: &mut PageImage<&mut [u8]>, extent: Extent) -> std::result::Result<(), PageEditError> {
    let key = extent.last.to_be_bytes();
    let (line, _) = page.seek(&key, &[])?;
    page.insert(line, &NewNode::plain(&key, &extent.pages.to_le_bytes(), 0))
}

/// The runs of pages that the bitmap of a single-extent tree shows as available. Bit *i* is page `first + 1 + i`;
/// pages that the bitmap does not reach are available.
fn free_runs(first: u32, primary: u32, available: u32) -> Vec<Extent> {
    let mut runs: Vec<Extent> = Vec::new();
    let covered = primary.saturating_sub(1).min(BITMAP_PAGES);
    let mut add = |last: u32, pages: u32| match runs.last_mut() {
        Some(run) if run.last.wrapping_add(pages) == last => {
            run.last = last;
            run.pages += pages;
        }
        _ => runs.push(Extent { last, pages }),
    };
    for bit in 0..covered {
        if available >> bit & 1 != 0 {
            add(first.wrapping_add(1 + bit), 1);
        }
    }
    let beyond = primary.saturating_sub(1 + BITMAP_PAGES);
    if beyond > 0 {
        add(first.wrapping_add(primary).wrapping_sub(1), beyond);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_become_runs() {
        let runs = free_runs(100, 8, 0b110_1011);
        let expected = [(102, 2), (104, 1), (107, 2)].map(|(last, pages)| Extent { last, pages });
        assert_eq!(runs, expected);
        // Beyond the bitmap everything is free.
        assert_eq!(free_runs(10, 40, 1 << 31), [Extent { last: 49, pages: 8 }]);
        assert_eq!(free_runs(10, 1, u32::MAX), []);
    }
}
