//! Extents: runs of pages in space trees and split buffers.

use crate::{JetError, PageNumber};

use super::KeyParts;

/// Which pool an available extent belongs to. Unknown numbers are kept.
#[doc(alias = "spp")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtentPool(pub u8);

impl ExtentPool {
    /// The general pool, the one without a pool byte in the key.
    #[doc(alias = "spp::AvailExtLegacyGeneralPool")]
    pub const GENERAL: Self = Self(0);
    /// Reserved insertion regions; an extent here may have no pages.
    #[doc(alias = "spp::ContinuousPool")]
    pub const CONTINUOUS: Self = Self(1);
    /// Pages beyond the end of the file that must not be used again.
    #[doc(alias = "spp::ShelvedPool")]
    pub const SHELVED: Self = Self(2);
}

/// A run of pages as a node of a space tree.
///
/// Key: last page number, big-endian u32; in front of it `0x80 | pool` for pools other than the general one.
/// Data: number of pages, little-endian u32.
#[doc(alias = "SPEXTKEY")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Last page, inclusive.
    pub last: PageNumber,
    /// Number of pages.
    pub page_count: u32,
    /// Pool; always general in owned-extent trees.
    pub pool: ExtentPool,
}

/// A node that is no extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidExtent {
    /// The key is neither 4 bytes nor a pool byte with 4 bytes.
    #[error("extent key of {len} bytes beginning with {first:#04x}")]
    Key {
        /// Length of the key.
        len: usize,
        /// First byte of the key.
        first: u8,
    },
    /// The data is not 4 bytes.
    #[error("extent data of {len} bytes instead of 4")]
    Data {
        /// Length of the data.
        len: usize,
    },
    /// The extent begins before page 1, or ends beyond the highest page number.
    #[error("extent of {page_count} pages ending at page {last}")]
    Range {
        /// Last page.
        last: PageNumber,
        /// Number of pages.
        page_count: u32,
    },
}

impl InvalidExtent {
    /// The engine's number for it, in an owned-extent tree or in an available-extent tree.
    #[must_use]
    pub const fn jet_error(&self, owned: bool) -> JetError {
        if owned { JetError::SP_OWN_EXT_CORRUPTED } else { JetError::SP_AVAIL_EXT_CORRUPTED }
    }
}

impl Extent {
    /// An extent of the general pool.
    #[must_use]
    pub const fn new(last: PageNumber, page_count: u32) -> Self {
        Self { last, page_count, pool: ExtentPool::GENERAL }
    }

    /// Decodes a node of a space tree.
    ///
    /// # Errors
    /// [`InvalidExtent`] when key or data have the wrong form, or the range is impossible.
    pub fn decode(key: KeyParts<'_>, data: &[u8]) -> Result<Self, InvalidExtent> {
        let mut bytes = [0u8; 5];
        for (slot, byte) in bytes.iter_mut().zip(key.bytes()) {
            *slot = byte;
        }
        let [first, a, b, c, d] = bytes;
        let (pool, last) = match key.len() {
            4 => (0, [first, a, b, c]),
            5 if first & 0xF8 == 0x80 => (first & 7, [a, b, c, d]),
            len => return Err(InvalidExtent::Key { len, first }),
        };
        let count = data.try_into().map_err(|_| InvalidExtent::Data { len: data.len() })?;
        let extent = Self {
            last: PageNumber(u32::from_be_bytes(last)),
            page_count: u32::from_le_bytes(count),
            pool: ExtentPool(pool),
        };
        if extent.last > PageNumber::MAX || extent.page_count > extent.last.0 {
            return Err(InvalidExtent::Range { last: extent.last, page_count: extent.page_count });
        }
        Ok(extent)
    }

    /// The key as stored.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let last = self.last.0.to_be_bytes();
        if self.pool == ExtentPool::GENERAL {
            last.to_vec()
        } else {
            [&[0x80 | self.pool.0][..], &last].concat()
        }
    }

    /// The data as stored.
    #[must_use]
    pub fn data(&self) -> [u8; 4] {
        self.page_count.to_le_bytes()
    }

    /// First page; the page after `last` when the extent has no pages.
    #[must_use]
    pub const fn first(&self) -> PageNumber {
        PageNumber(self.last.0.saturating_sub(self.page_count).saturating_add(1))
    }

    /// The page numbers as a half-open range.
    #[must_use]
    pub const fn range(&self) -> std::ops::Range<u32> {
        self.first().0..self.last.0.saturating_add(1)
    }

    /// Whether `page` is one of its pages.
    #[must_use]
    pub fn contains(&self, page: PageNumber) -> bool {
        self.range().contains(&page.0)
    }
}

/// Pages kept for splitting a space tree itself: tag 0 of owned- and available-extent roots. 16 bytes: twice
/// `u32 last page, u32 number of pages`. Empty when the page count is 0.
#[doc(alias = "SPLIT_BUFFER")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitBuffer {
    /// The two reserves.
    pub reserves: [Extent; 2],
}

impl SplitBuffer {
    /// Stored size in bytes.
    pub const SIZE: usize = 16;
    /// Both reserves empty.
    pub const EMPTY: Self = Self { reserves: [Extent::new(PageNumber::NONE, 0); 2] };

    /// Decodes the stored form. Ancient files may have no split buffer in a space root: then it is empty.
    ///
    /// # Errors
    /// [`InvalidExtent`] when the length is neither 0 nor at least 16 or a range is impossible.
    pub fn decode(external_header: &[u8]) -> Result<Self, InvalidExtent> {
        if external_header.is_empty() {
            return Ok(Self::EMPTY);
        }
        let Some(bytes) = external_header.first_chunk::<16>() else {
            return Err(InvalidExtent::Data { len: external_header.len() });
        };
        let word = |i: usize| bytes.as_chunks::<4>().0.get(i).map_or(0, |b| u32::from_le_bytes(*b));
        let buffer = Self {
            reserves: [Extent::new(PageNumber(word(0)), word(1)), Extent::new(PageNumber(word(2)), word(3))],
        };
        match buffer.reserves.iter().find(|r| r.last > PageNumber::MAX || r.page_count > r.last.0) {
            Some(r) => Err(InvalidExtent::Range { last: r.last, page_count: r.page_count }),
            None => Ok(buffer),
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let [a, b] = self.reserves;
        let mut out = [0; 16];
        for (chunk, word) in
            out.as_chunks_mut::<4>().0.iter_mut().zip([a.last.0, a.page_count, b.last.0, b.page_count])
        {
            *chunk = word.to_le_bytes();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_key_forms() {
        let general = Extent::decode(KeyParts::whole(&[0, 0, 0, 0xfe]), &[0xfe, 0, 0, 0]).unwrap();
        assert_eq!(general, Extent::new(PageNumber(254), 254));
        assert_eq!((general.first(), general.range()), (PageNumber(1), 1..255));
        assert_eq!(general.key(), [0, 0, 0, 0xfe]);
        let pool = Extent::decode(KeyParts { prefix: &[0x81, 0], suffix: &[0, 1, 0] }, &[0; 4]).unwrap();
        assert_eq!((pool.pool, pool.page_count), (ExtentPool::CONTINUOUS, 0));
        assert_eq!(pool.key(), [0x81, 0, 0, 1, 0]);
    }

    #[test]
    fn impossible_extents_are_refused() {
        for (key, data) in [
            (&[0u8, 0, 1][..], &[1u8, 0, 0, 0][..]),
            (&[1, 0, 0, 0, 1], &[1, 0, 0, 0]),
            (&[0, 0, 0, 1], &[1, 0, 0]),
            (&[0, 0, 0, 1], &[2, 0, 0, 0]),
            (&[0xff, 0xff, 0xff, 0xff], &[1, 0, 0, 0]),
        ] {
            assert!(Extent::decode(KeyParts::whole(key), data).is_err(), "{key:x?}");
        }
    }
}
