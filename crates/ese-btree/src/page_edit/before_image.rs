//! Before-images of split and merge records: pages without their free space.

use ese_format::PageSize;

use super::error::PageEditError;
use super::image::{OFFSET_FREE, PageImage, TAG_LEN, read_u16, write_at};

/// Puts the free space back into a dehydrated page: the tags move to the page's end, the gap counts as free.
///
/// # Errors
/// [`PageEditError::BadBeforeImage`] when the length or the tag count cannot be.
#[doc(alias = "RehydratePage")]
pub fn rehydrate(image: &[u8], size: PageSize, page: &mut Vec<u8>) -> Result<(), PageEditError> {
    let bad = |what| PageEditError::BadBeforeImage { length: image.len(), what };
    let header_len = size.page_header_len();
    if image.len() < header_len || image.len() > size.len() {
        return Err(bad("length outside one page"));
    }
    let tags = (usize::from(read_u16(image, super::image::OFFSET_TAG_STATE)) & 0xFFF) * TAG_LEN;
    let body_end = image.len().checked_sub(tags).filter(|&end| end >= header_len);
    let body_end = body_end.ok_or(bad("more tags than bytes"))?;
    let (body, tag_array) = image.split_at_checked(body_end).ok_or(bad("more tags than bytes"))?;
    let gap = size.len() - image.len();
    page.clear();
    page.extend_from_slice(body);
    page.resize(body.len() + gap, b'H');
    page.extend_from_slice(tag_array);
    let free = usize::from(read_u16(image, OFFSET_FREE)) + gap;
    let free = u16::try_from(free).map_err(|_| bad("free space beyond the page"))?;
    write_at(page, OFFSET_FREE, free.to_le_bytes());
    Ok(())
}

/// Cuts the free space out of a page; the inverse of [`rehydrate`]. Bodies are slid together first. The result has an
/// even length.
///
/// # Errors
/// As [`PageImage::check`].
#[doc(alias = "DehydratePage")]
pub fn dehydrate(page: &[u8], size: PageSize) -> Result<Vec<u8>, PageEditError> {
    let mut copy = PageImage::new(page.to_vec(), size)?;
    copy.check()?;
    if copy.used_end() + copy.free() + copy.tag_count() * TAG_LEN != copy.data_len() {
        copy.compact()?;
    }
    let body_end = copy.header_len() + copy.used_end();
    // Lengths of stored images are even.
    let body_end = body_end + body_end % 2;
    let tag_start = page.len() - copy.tag_count() * TAG_LEN;
    if body_end >= tag_start {
        return Ok(copy.bytes().to_vec());
    }
    // A page that was never used says that nothing is free.
    let free = copy.free().checked_sub(tag_start - body_end);
    let free =
        free.ok_or(PageEditError::BadBeforeImage { length: page.len(), what: "page without free space" })?;
    let bytes = copy.bytes();
    let mut out = bytes.get(..body_end).unwrap_or(&[]).to_vec();
    out.extend_from_slice(bytes.get(tag_start..).unwrap_or(&[]));
    write_at(&mut out, OFFSET_FREE, (free as u16).to_le_bytes());
    Ok(out)
}
