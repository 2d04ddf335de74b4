//! Making roots: of a tree with a bitmap, of a tree with space trees, and of one that gets space trees later.

use ese_format::{Extent, ObjectId, OwnedSpace, PageNumber, SpaceHeader, SpaceHeaderFlags, SplitBuffer};
use ese_log::record::{
    ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, PagePrefix, PageRecordFlags,
};

use super::ChangedPages;
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags};

/// Pages after the root that the bitmap of a single-extent tree covers.
const BITMAP_PAGES: u32 = 32;

fn space_flags(prefix: &PagePrefix) -> SpaceHeaderFlags {
    if prefix.flags.contains(PageRecordFlags::UNIQUE) {
        SpaceHeaderFlags::empty()
    } else {
        SpaceHeaderFlags::NON_UNIQUE
    }
}

fn create_root<P: ChangedPages>(
    pages: &mut P,
    prefix: &PagePrefix,
    object: ObjectId,
    flags: u32,
    space: SpaceHeader,
) -> Result<(), P::Error> {
    pages.create(prefix.page_number, |page| {
        page.initialize(prefix.page_number, object, prefix.db_time);
        page.consume(flags & !page_flags::FLUSH_TYPE | page_flags::ROOT | page_flags::LEAF);
        page.set_external_header(&space.to_bytes())
    })
}

/// The root of a tree that keeps its free pages in a bitmap.
#[doc(alias = "SPIPerformCreateSingle")]
pub(crate) fn create_single_extent<P: ChangedPages>(
    pages: &mut P,
    record: &CreateSingleExtentFdp,
) -> Result<(), P::Error> {
    let prefix = &record.page;
    let available = match record.primary_page_count {
        0 => 0,
        n if n > BITMAP_PAGES => u32::MAX,
        n => (1_u32 << (n - 1)).wrapping_sub(1),
    };
    let space = SpaceHeader {
        page_count: record.primary_page_count,
        parent: record.parent_root,
        flags: space_flags(prefix),
        space: OwnedSpace::SingleExtent { available },
    };
    create_root(pages, prefix, record.object, record.page_flags, space)
}

/// The root of a tree and those of its space trees.
#[doc(alias = "SPIPerformCreateMultiple")]
pub(crate) fn create_multiple_extent<P: ChangedPages>(
    pages: &mut P,
    record: &CreateMultipleExtentFdp,
) -> Result<(), P::Error> {
    let prefix = &record.page;
    let primary = record.primary_page_count;
    let space = SpaceHeader {
        page_count: primary,
        parent: record.parent_root,
        flags: space_flags(prefix),
        space: OwnedSpace::MultipleExtents { owned: record.owned_extents_root },
    };
    create_root(pages, prefix, record.object, record.page_flags, space)?;
    let last = PageNumber(prefix.page_number.0.wrapping_add(primary).wrapping_sub(1));
    let mut extent_root =
        |root, extent| create_extent_root(pages, prefix, record.object, record.page_flags, root, &[extent]);
    extent_root(record.owned_extents_root, Extent::new(last, primary))?;
    extent_root(record.available_extents_root, Extent::new(last, primary.saturating_sub(3)))
}

/// The root of a space tree with the extents given; those without pages are left out.
#[doc(alias = "SPICreateExtentTree")]
fn create_extent_root<P: ChangedPages>(
    pages: &mut P,
    prefix: &PagePrefix,
    object: ObjectId,
    flags: u32,
    root: PageNumber,
    extents: &[Extent],
) -> Result<(), P::Error> {
    let flags = flags & !page_flags::FLUSH_TYPE;
    pages.create(root, |page| {
        page.initialize(root, object, prefix.db_time);
        page.consume(flags | page_flags::ROOT | page_flags::LEAF | page_flags::SPACE_TREE);
        page.set_external_header(&SplitBuffer::EMPTY.to_bytes())?;
        for extent in extents.iter().filter(|e| e.page_count > 0) {
            insert_extent(page, extent)?;
        }
        Ok(())
    })
}

/// Inserts an extent where its key belongs.
fn insert_extent(page: &mut PageImage<&mut [u8]>, extent: &Extent) -> Result<(), PageEditError> {
    let key = extent.key();
    let (line, _) = page.seek(&key, &[])?;
    page.insert(line, &NewNode::plain(&key, &extent.data(), 0))
}

/// The bitmap of a tree becomes space trees, on the first two pages of the extent that it gets.
#[doc(alias = "SPIPerformConvert")]
pub(crate) fn convert_root<P: ChangedPages>(pages: &mut P, record: &ConvertFdp2) -> Result<(), P::Error> {
    let convert = &record.convert;
    let prefix = &convert.page;
    let root = prefix.page_number;
    let primary_count = convert.primary_page_count;
    let last = |first: PageNumber, pages: u32| PageNumber(first.0.wrapping_add(pages).wrapping_sub(1));
    let primary = Extent::new(last(root, primary_count), primary_count);
    let secondary_last = last(convert.secondary_first, convert.secondary_page_count);
    let secondary = Extent::new(secondary_last, convert.secondary_page_count);
    let mut extent_root = |page, extents: &[_]| {
        create_extent_root(pages, prefix, convert.object, record.page_flags, page, extents)
    };
    extent_root(convert.owned_extents_root, &[primary, secondary])?;
    let mut free = bitmap_extents(root, record.available, primary_count);
    // The first two pages of the secondary extent are the roots just made.
    free.push(Extent::new(secondary_last, convert.secondary_page_count.saturating_sub(2)));
    extent_root(convert.available_extents_root, &free)?;
    pages.change(root, |page| {
        let mut header = page.external_header().to_vec();
        // With root fields, known or not, the space header stands behind their mask.
        let start = usize::from(header.len() != SpaceHeader::SIZE);
        let bad = PageEditError::TagOutOfRange { tag: 0, offset: 0, length: header.len() };
        let stored = header.get_mut(start..).and_then(|h| h.first_chunk_mut()).ok_or(bad)?;
        let mut space = SpaceHeader::from_bytes(stored);
        space.space = OwnedSpace::MultipleExtents { owned: convert.owned_extents_root };
        *stored = space.to_bytes();
        page.set_external_header(&header)?;
        page.set_db_time(prefix.db_time);
        Ok(())
    })
}

/// The runs of pages that the bitmap of a single-extent tree shows as available. Bit *i* is page `root + 1 + i`; pages
/// that the bitmap does not reach are available.
fn bitmap_extents(root: PageNumber, bits: u32, primary: u32) -> Vec<Extent> {
    let mut runs: Vec<Extent> = Vec::new();
    let covered = primary.saturating_sub(1).min(BITMAP_PAGES);
    let mut add = |last: u32, pages: u32| match runs.last_mut() {
        Some(run) if run.last.0.wrapping_add(pages) == last => {
            *run = Extent::new(PageNumber(last), run.page_count + pages);
        }
        _ => runs.push(Extent::new(PageNumber(last), pages)),
    };
    for bit in 0..covered {
        if bits >> bit & 1 != 0 {
            add(root.0.wrapping_add(1 + bit), 1);
        }
    }
    let beyond = primary.saturating_sub(1 + BITMAP_PAGES);
    if beyond > 0 {
        add(root.0.wrapping_add(primary).wrapping_sub(1), beyond);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps_become_runs() {
        let runs = bitmap_extents(PageNumber(100), 0b110_1011, 8);
        let extent = |(last, pages)| Extent::new(PageNumber(last), pages);
        assert_eq!(runs, [(102, 2), (104, 1), (107, 2)].map(extent));
        // Beyond the bitmap everything is free.
        assert_eq!(bitmap_extents(PageNumber(10), 1 << 31, 40), [extent((49, 8))]);
        assert_eq!(bitmap_extents(PageNumber(10), u32::MAX, 1), []);
    }
}
