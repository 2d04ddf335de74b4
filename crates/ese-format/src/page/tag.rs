//! Tags: where a body lies in the data area of a page.

use super::NodeFlags;
use crate::PageSize;

/// One entry of the tag array: where a body lies. 4 bytes, little-endian; tag *i* ends `4 * i` bytes before the end of
/// the page.
///
/// | off | size | field | small page | large page |
/// |---:|---:|---|---|---|
/// | 0 | 2 | `len`    | low 13 bits | low 15 bits |
/// | 2 | 2 | `offset` | low 13 bits; the top 3 are the node flags | low 15 bits |
///
/// On large pages the node flags are the top three bits of the body's first u16.
#[doc(alias = "CPAGE::TAG")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Length of the body in bytes.
    #[doc(alias = "cb")]
    pub len: u16,
    /// Offset of the body, relative to the end of the page header.
    #[doc(alias = "ib")]
    pub offset: u16,
    /// Node flags stored in the tag (small pages); empty on large pages.
    pub flags: NodeFlags,
    /// Bits without a meaning, as they lie in the two words. Zero in nearly all files; a real one of 32 KiB pages has
    /// some set, and the engine reads it.
    pub stray_bits: u32,
}

impl Tag {
    /// Stored size in bytes.
    pub const SIZE: usize = 4;

    /// Decodes the stored form.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; 4], page_size: PageSize) -> Self {
        let [a, b, c, d] = bytes;
        let len = u16::from_le_bytes([a, b]);
        let offset = u16::from_le_bytes([c, d]);
        if page_size.is_large() {
            Self {
                len: len & 0x7FFF,
                offset: offset & 0x7FFF,
                flags: NodeFlags::empty(),
                stray_bits: (len & 0x8000) as u32 | ((offset & 0x8000) as u32) << 16,
            }
        } else {
            Self {
                len: len & 0x1FFF,
                offset: offset & 0x1FFF,
                flags: NodeFlags::from_bits_retain((offset >> 13) as u8),
                stray_bits: (len & 0xE000) as u32,
            }
        }
    }

    /// The stored form. Stray bits are not written; flags only on small pages.
    #[must_use]
    pub const fn to_bytes(self, page_size: PageSize) -> [u8; 4] {
        let flags = if page_size.is_large() { 0 } else { (self.flags.bits() as u16) << 13 };
        let [a, b] = self.len.to_le_bytes();
        let [c, d] = (self.offset | flags).to_le_bytes();
        [a, b, c, d]
    }

    /// Offset behind the body, relative to the end of the page header.
    #[must_use]
    pub const fn end(self) -> usize {
        self.offset as usize + self.len as usize
    }
}
