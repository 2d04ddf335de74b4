//! The last page that a database owns, by its own books.

use ese_format::{Extent, OwnedSpace, PageNumber, PageSize, PageView, SpaceHeader, correct_page};
use ese_io::File;

/// Levels of a space tree that are followed; a real one has at most three or four.
const MAX_LEVELS: usize = 8;

/// The last page owned by the root of the database: the last entry of its tree of owned extents, or the end of its
/// primary extent. `None` when a page on the way cannot be read or is not what it should be, which other findings tell.
pub(super) fn last_owned_page(file: &dyn File, page_size: PageSize) -> Option<PageNumber> {
    let mut buffer = vec![0; page_size.len()];
    let root = read_page(file, page_size, PageNumber::DATABASE_ROOT, &mut buffer)?;
    let space = SpaceHeader::from_bytes(root.external_header().first_chunk()?);
    let mut number = match space.space {
        OwnedSpace::SingleExtent { .. } => return Some(PageNumber(space.page_count)),
        OwnedSpace::MultipleExtents { owned } => owned,
    };
    for _ in 0..MAX_LEVELS {
        let page = read_page(file, page_size, number, &mut buffer)?;
        let mut nodes = page.nodes().rev().filter_map(Result::ok);
        if page.is_leaf() {
            let last = nodes.find(|node| !node.is_deleted())?;
            return Extent::decode(last.key(), last.data).ok().map(|extent| extent.last);
        }
        number = nodes.next()?.child()?;
    }
    None
}

fn read_page<'a>(
    file: &dyn File,
    page_size: PageSize,
    number: PageNumber,
    buffer: &'a mut [u8],
) -> Option<PageView<'a>> {
    file.read_exact_at(number.file_offset(page_size), buffer).ok()?;
    correct_page(buffer, number).verdict().filter(|verdict| verdict.is_usable())?;
    PageView::parse(buffer, page_size).ok()
}
