//! A checksum of what the log knows of a page.

use super::flags::{node_flags, page_flags};
use super::image::{
    OFFSET_FLAGS, OFFSET_FREE, OFFSET_PAGE_NUMBER, OFFSET_TAG_STATE, PageImage, read_u16, write_at,
};

/// Longest page header.
const LONGEST_HEADER: usize = 80;
/// The checksums of the later blocks of a large page: three of 8 bytes.
const OFFSET_LATER_CHECKSUMS: usize = 40;
/// Bytes at the start of a node that hold the length of its key, and on large pages its flags.
const KEY_LENGTH: usize = 2;

fn add(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, &byte| sum.rotate_left(6).wrapping_add(u64::from(byte)))
}

/// The checksum by which copies of a database tell whether they hold the same page: everything that replay of the same
/// log leaves equal. Checksums, free space, version bits, the content of deleted nodes and the order of bytes on the page
/// do not count.
#[doc(alias = "LoggedDataChecksum")]
pub(crate) fn logged_data_checksum<B: AsRef<[u8]>>(page: &PageImage<B>) -> u64 {
    let len = page.header_len();
    let mut header = [0; LONGEST_HEADER];
    if let (Some(target), Some(source)) = (header.get_mut(..len), page.bytes().get(..len)) {
        target.copy_from_slice(source);
    }
    write_at(&mut header, 0, [0; 8]);
    // Free bytes, those that a rollback could claim, and the end of the used part.
    write_at(&mut header, OFFSET_FREE, [0; 6]);
    let state = read_u16(&header, OFFSET_TAG_STATE);
    let reserved = state >> 12 & 7;
    let reserved = if reserved <= 1 { 0 } else { reserved };
    write_at(&mut header, OFFSET_TAG_STATE, (reserved << 12 | state & 0xFFF).to_le_bytes());
    let flags =
        page.flags() & !(page_flags::FLUSH_TYPE | page_flags::NEW_CHECKSUM_FORMAT | page_flags::FDP_DELETE);
    write_at(&mut header, OFFSET_FLAGS, flags.to_le_bytes());
    if page.is_large() {
        // The other checksums in front of the page number, what is reserved behind it.
        write_at(&mut header, OFFSET_LATER_CHECKSUMS, [0; 24]);
        write_at(&mut header, OFFSET_PAGE_NUMBER + 4, [0; 12]);
    }
    let mut sum = add(0, header.get(..len).unwrap_or_default());
    for tag in 0..page.tag_count() {
        let Some(entry) = page.raw_tag(tag) else { continue };
        let body = match entry.len {
            0..KEY_LENGTH => &[][..],
            _ => match page.body(tag) {
                Some(body) => body,
                None => continue,
            },
        };
        let flags = match page.is_large() {
            true => (read_u16(body, 0) >> 13) as u8,
            false => entry.flags,
        };
        if flags & node_flags::DELETED == 0 && body.len() >= KEY_LENGTH {
            sum = add(sum, &(entry.len as u16).to_le_bytes());
            sum = add(sum, body.get(KEY_LENGTH..).unwrap_or_default());
        }
        sum = add(sum, &[flags & !node_flags::VERSIONED]);
    }
    sum
}
