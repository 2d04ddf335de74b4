//! Data pages of a flush map.

use zerocopy::FromBytes;

use super::header::{FLUSH_MAP_PAGE_SIZE, FlushMapFlags};
use crate::stored::stored_struct;
use crate::{DbTime, HeaderError, HeaderStructure, PageCheck, PageNumber, verify_page};

stored_struct! {
    /// Header of a flush-map data page, 64 bytes, little-endian. Has the shape of a page header, so that the page
    /// checksum (XOR+ECC over 8192 bytes, page number = number of the map page, counted from 0) covers it.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/flushmap.hxx`, `FlushMapDataPageHdr`.
    #[doc(alias = "FlushMapDataPageHdr")]
    pub struct RawFlushMapPageHeader [64] {
        /// XOR+ECC checksum.
        #[doc(alias = "checksum")]
        0 "checksum" stored_checksum set_stored_checksum: u64 as hexadecimal,
        /// Highest update counter of the database pages that this page tells about.
        #[doc(alias = "dbtimeMax")]
        8 "dbtimeMax" max_db_time set_max_db_time: DbTime,
        /// Number of this map page, counted from 0.
        #[doc(alias = "fmpgno")]
        16 "fmpgno" number set_number: u32,
        /// Zero.
        #[doc(alias = "rgbFlagsAlignmentPadding")]
        20 "reserved20" reserved_20 set_reserved_20: [u8; 16],
        /// Flags: the checksum format.
        #[doc(alias = "fFlags")]
        36 "fFlags" flags set_flags: FlushMapFlags,
        /// Zero.
        #[doc(alias = "rgbStructSizePadding")]
        40 "reserved40" reserved_40 set_reserved_40: [u8; 24],
    }
}

/// A data page of a flush map: the flush types of 32 512 database pages, 2 bits each, the first page of a byte in its
/// highest bits. Map page *n* lies at byte `(n + 1) * 8192` of the file.
#[derive(Clone, Copy, Debug)]
pub struct FlushMapPage<'a> {
    header: &'a RawFlushMapPageHeader,
    types: &'a [u8],
}

impl<'a> FlushMapPage<'a> {
    /// Database pages that one map page tells about.
    #[doc(alias = "m_cDbPagesPerFlushMapPage")]
    pub const DATABASE_PAGES: u32 = ((FLUSH_MAP_PAGE_SIZE - RawFlushMapPageHeader::SIZE) * 4) as u32;

    /// Number of the map page that tells about a database page.
    #[must_use]
    pub const fn number_for(page: PageNumber) -> u32 {
        page.0 / Self::DATABASE_PAGES
    }

    /// Reads a map page without looking at its checksum.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] unless there are 8192 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        match bytes.get(..FLUSH_MAP_PAGE_SIZE).map(RawFlushMapPageHeader::ref_from_prefix) {
            Some(Ok((header, types))) => Ok(Self { header, types }),
            _ => Err(HeaderError::Truncated {
                structure: HeaderStructure::FlushMapPage,
                expected: FLUSH_MAP_PAGE_SIZE,
                found: bytes.len(),
            }),
        }
    }

    /// The page's header.
    #[must_use]
    pub fn header(&self) -> &'a RawFlushMapPageHeader {
        self.header
    }

    /// The flush type (0 unknown, 1, 2, 3) of a database page, or `None` when another map page tells about it.
    #[must_use]
    pub fn flush_type(&self, page: PageNumber) -> Option<u8> {
        if Self::number_for(page) != self.header.number() {
            return None;
        }
        let index = page.0 % Self::DATABASE_PAGES;
        let byte = self.types.get(usize::try_from(index / 4).ok()?)?;
        Some(byte >> (6 - 2 * (index % 4)) & 3)
    }

    /// Verifies the checksum of map page `number` (counted from 0). A page that was never written is all zero:
    /// "uninitialised".
    #[must_use]
    pub fn verify(bytes: &[u8], number: u32) -> PageCheck {
        verify_page(bytes.get(..FLUSH_MAP_PAGE_SIZE).unwrap_or(bytes), PageNumber(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PageVerdict, write_page_checksum};

    #[test]
    fn two_bits_a_page_from_the_top() {
        assert_eq!(FlushMapPage::DATABASE_PAGES, 32_512);
        let mut bytes = vec![0; FLUSH_MAP_PAGE_SIZE];
        bytes[64] = 0b00_01_10_11;
        write_page_checksum(&mut bytes, PageNumber(0)).unwrap();
        let page = FlushMapPage::parse(&bytes).unwrap();
        let types: Vec<_> = (0..5).map(|n| page.flush_type(PageNumber(n))).collect();
        assert_eq!(types, [Some(0), Some(1), Some(2), Some(3), Some(0)]);
        assert_eq!(page.flush_type(PageNumber(32_511)), Some(0));
        assert_eq!(page.flush_type(PageNumber(32_512)), None);
        assert_eq!(FlushMapPage::number_for(PageNumber(65_024)), 2);
    }

    #[test]
    fn verification() {
        let mut bytes = vec![0; FLUSH_MAP_PAGE_SIZE];
        assert!(matches!(FlushMapPage::verify(&bytes, 0), PageCheck::Verified(PageVerdict::Uninitialized)));
        bytes[100] = 1;
        write_page_checksum(&mut bytes, PageNumber(3)).unwrap();
        assert!(matches!(FlushMapPage::verify(&bytes, 3), PageCheck::Verified(PageVerdict::Good)));
        assert!(!matches!(FlushMapPage::verify(&bytes, 4), PageCheck::Verified(PageVerdict::Good)));
        bytes[200] ^= 3;
        assert!(!matches!(FlushMapPage::verify(&bytes, 3), PageCheck::Verified(PageVerdict::Good)));
        assert!(FlushMapPage::parse(&bytes[..8000]).is_err());
    }
}
