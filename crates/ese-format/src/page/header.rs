//! The header of a database page, as stored and as values.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::PageFlags;
use crate::{DbTime, ObjectId, PageNumber, PageSize};

/// The first 40 bytes of every database page, as stored; all of the header on small pages (2, 4, 8 KiB).
///
/// Source: microsoft/Extensible-Storage-Engine, `CPAGE::PGHDR`; confirmed on real files of every page size.
///
/// | off | size | field | meaning |
/// |---:|---:|---|---|
/// | 0  | 8 | `checksum` | ECC form: low u32 XOR⊕page number, high u32 ECC. Legacy form: low u32 XOR, high u32 page number |
/// | 8  | 8 | `db_time` | update counter at the last change |
/// | 16 | 4 | `previous` | left sibling, leaf level only |
/// | 20 | 4 | `next` | right sibling, leaf level only |
/// | 24 | 4 | `object_id` | owning tree |
/// | 28 | 2 | `free_bytes` | free bytes of the data area, contiguous or not |
/// | 30 | 2 | `uncommitted_free_bytes` | of these, bytes that a rollback could reclaim; not reliable on disk |
/// | 32 | 2 | `end_of_data` | offset behind the last used byte, relative to the end of the header |
/// | 34 | 2 | `tag_state` | bits 0–11 tags in use, bits 12–14 reserved tags (0 means one) |
/// | 36 | 4 | `flags` | [`PageFlags`] |
#[doc(alias = "PGHDR")]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RawPageHeader {
    /// Checksum of the page, or of its first block.
    pub checksum: U64,
    /// Update counter.
    #[doc(alias = "dbtimeDirtied")]
    pub db_time: U64,
    /// Left sibling.
    #[doc(alias = "pgnoPrev")]
    pub previous: U32,
    /// Right sibling.
    #[doc(alias = "pgnoNext")]
    pub next: U32,
    /// Owning tree.
    #[doc(alias = "objidFDP")]
    pub object_id: U32,
    /// Free bytes.
    #[doc(alias = "cbFree")]
    pub free_bytes: U16,
    /// Free bytes that a rollback could reclaim.
    #[doc(alias = "cbUncommittedFree")]
    pub uncommitted_free_bytes: U16,
    /// End of the used data area.
    #[doc(alias = "ibMicFree")]
    pub end_of_data: U16,
    /// Tag counts.
    #[doc(alias = "itagState")]
    #[doc(alias = "itagMicFree")]
    pub tag_state: U16,
    /// Flags.
    #[doc(alias = "fFlags")]
    pub flags: U32,
}

/// The 80 bytes in front of a large page (16, 32 KiB), as stored.
///
/// Source: microsoft/Extensible-Storage-Engine, `CPAGE::PGHDR2`.
///
/// | off | size | field | meaning |
/// |---:|---:|---|---|
/// | 0  | 40 | `base` | as on small pages |
/// | 40 | 24 | `block_checksums` | ECC checksums of blocks 1, 2 and 3 |
/// | 64 | 4  | `page_number` | this page's number |
/// | 68 | 12 | `reserved` | zero |
#[doc(alias = "PGHDR2")]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RawLargePageHeader {
    /// The part that small pages have, too.
    pub base: RawPageHeader,
    /// Checksums of blocks 1 to 3.
    #[doc(alias = "rgChecksum")]
    pub block_checksums: [U64; 3],
    /// This page's number.
    #[doc(alias = "pgno")]
    pub page_number: U32,
    /// Zero.
    pub reserved: [u8; 12],
}

const _: () = assert!(size_of::<RawPageHeader>() == 40);
const _: () = assert!(size_of::<RawLargePageHeader>() == 80);
const _: () = assert!(std::mem::offset_of!(RawPageHeader, flags) == 36);
const _: () = assert!(std::mem::offset_of!(RawLargePageHeader, page_number) == 64);

/// The header of a page as values.
#[doc(alias = "PGHDR")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageHeader {
    /// Checksum word at offset 0.
    pub checksum: u64,
    /// Checksums of blocks 1 to 3; zero on small pages.
    pub block_checksums: [u64; 3],
    /// Update counter at the last change.
    pub db_time: DbTime,
    /// Left sibling on the leaf level.
    pub previous: PageNumber,
    /// Right sibling on the leaf level.
    pub next: PageNumber,
    /// Owning tree.
    pub object_id: ObjectId,
    /// Free bytes, contiguous or not.
    pub free_bytes: u16,
    /// Free bytes that a rollback could reclaim.
    pub uncommitted_free_bytes: u16,
    /// End of the used part of the data area.
    pub end_of_data: u16,
    /// Tags in use, reserved ones and tag 0 included.
    pub tag_count: u16,
    /// Reserved tags; at least 1.
    pub reserved_tag_count: u16,
    /// Flags.
    pub flags: PageFlags,
    /// The page's own number; `None` on small pages, which do not store it in the ECC form.
    pub page_number: Option<PageNumber>,
}

impl PageHeader {
    /// Reads the header at the front of `page`; `None` when `page` is shorter than the header.
    #[must_use]
    pub fn decode(page: &[u8], page_size: PageSize) -> Option<Self> {
        let (base, blocks, number) = if page_size.is_large() {
            let (raw, _) = RawLargePageHeader::ref_from_prefix(page).ok()?;
            (&raw.base, raw.block_checksums.map(U64::get), Some(PageNumber(raw.page_number.get())))
        } else {
            (RawPageHeader::ref_from_prefix(page).ok()?.0, [0; 3], None)
        };
        let state = base.tag_state.get();
        Some(Self {
            checksum: base.checksum.get(),
            block_checksums: blocks,
            db_time: DbTime(base.db_time.get()),
            previous: PageNumber(base.previous.get()),
            next: PageNumber(base.next.get()),
            object_id: ObjectId(base.object_id.get()),
            free_bytes: base.free_bytes.get(),
            uncommitted_free_bytes: base.uncommitted_free_bytes.get(),
            end_of_data: base.end_of_data.get(),
            tag_count: state & 0x0FFF,
            reserved_tag_count: ((state >> 12) & 7).max(1),
            flags: PageFlags::from_bits_retain(base.flags.get()),
            page_number: number,
        })
    }
}
