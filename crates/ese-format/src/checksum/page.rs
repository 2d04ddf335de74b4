//! Where a page keeps its checksums, and how to compute and store them.

use super::block::BlockChecksum;
use super::xor::header_checksum;
use crate::{PageNumber, PageSize, UnsupportedPageSize};

/// Byte of the page flags that holds `NEW_CHECKSUM_FORMAT` (flags are the `u32` at offset 36).
const FORMAT_FLAG_BYTE: usize = 37;
/// Page flag 0x2000, "new checksum format", inside byte 37.
#[doc(alias = "fPageNewChecksumFormat")]
const FORMAT_FLAG: u8 = 0x20;
/// Bit index of the format flag in its page: it chooses the algorithm, so no algorithm may correct it.
pub(super) const FORMAT_FLAG_BIT: u32 = 8 * 36 + 13;
/// Offset of the checksums of blocks 1 to 3 in the header of a large page.
pub(super) const UPPER_CHECKSUMS: usize = 40;
/// Offset of the page number in the header of a large page.
const PAGE_NUMBER_FIELD: usize = 64;
/// Blocks of a large page.
pub(super) const LARGE_PAGE_BLOCKS: usize = 4;

/// Which checksum a page carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageChecksumForm {
    /// 4-byte XOR, with the page number stored behind it. Pages of at most 8 KiB written before update 11 of the format
    /// (Windows XP and earlier).
    Legacy,
    /// XOR+ECC, one block (2, 4, 8 KiB) or four (16, 32 KiB).
    Ecc,
}

impl PageChecksumForm {
    /// The form of a page by its flag 0x2000, whatever its size: engines with large pages always set it, and the
    /// engine reads a large page without it as legacy.
    #[doc(alias = "FPageHasNewChecksumFormat")]
    #[must_use]
    pub fn of(page: &[u8]) -> Self {
        let flagged = page.get(FORMAT_FLAG_BYTE).is_some_and(|b| b & FORMAT_FLAG != 0);
        if flagged { Self::Ecc } else { Self::Legacy }
    }
}

/// Bytes of a checksum block: 4 KiB on pages of 4 and 16 KiB, 8 KiB on pages of 8 and 32 KiB.
pub(super) const fn block_len(size: PageSize) -> usize {
    if size.is_large() { size.len() / LARGE_PAGE_BLOCKS } else { size.len() }
}

/// The size of a page by the length of its bytes.
pub(super) fn size_of_page(page: &[u8]) -> Result<PageSize, UnsupportedPageSize> {
    u32::try_from(page.len()).map_err(|_| UnsupportedPageSize(u32::MAX)).and_then(PageSize::new)
}

/// The checksums stored in a page, block 0 first; small pages have only one.
pub(super) fn stored_checksums(page: &[u8], size: PageSize) -> [BlockChecksum; LARGE_PAGE_BLOCKS] {
    let at = |offset: usize| {
        let bytes = page.get(offset..).and_then(|rest| rest.first_chunk::<8>());
        BlockChecksum::from_bytes(bytes.copied().unwrap_or_default())
    };
    if size.is_large() {
        [at(0), at(UPPER_CHECKSUMS), at(UPPER_CHECKSUMS + 8), at(UPPER_CHECKSUMS + 16)]
    } else {
        [at(0), BlockChecksum::default(), BlockChecksum::default(), BlockChecksum::default()]
    }
}

/// The checksums that a page should store, block 0 first, as its bytes are.
pub(super) fn computed_checksums(
    page: &[u8],
    size: PageSize,
    number: PageNumber,
) -> [BlockChecksum; LARGE_PAGE_BLOCKS] {
    match PageChecksumForm::of(page) {
        // The upper half of the legacy form is the page number; blocks beyond the first do not exist.
        PageChecksumForm::Legacy => {
            let legacy = BlockChecksum { xor: header_checksum(page), ecc: number.0 };
            [legacy, BlockChecksum::default(), BlockChecksum::default(), BlockChecksum::default()]
        }
        PageChecksumForm::Ecc if size.is_large() => {
            std::array::from_fn(|index| compute_block(page, size, index, number))
        }
        PageChecksumForm::Ecc => {
            let only = compute_block(page, size, 0, number);
            [only, BlockChecksum::default(), BlockChecksum::default(), BlockChecksum::default()]
        }
    }
}

/// The checksum of block `index` as the bytes of the page are.
pub(super) fn compute_block(page: &[u8], size: PageSize, index: usize, number: PageNumber) -> BlockChecksum {
    let len = block_len(size);
    let block = page.get(index * len..).and_then(|rest| rest.get(..len)).unwrap_or(&[]);
    BlockChecksum::compute(block, number.0, index == 0)
}

/// The page number in the header of a large page.
pub(super) fn page_number_field(page: &[u8]) -> PageNumber {
    let bytes = page.get(PAGE_NUMBER_FIELD..).and_then(|rest| rest.first_chunk::<4>());
    PageNumber(u32::from_le_bytes(bytes.copied().unwrap_or_default()))
}

/// Makes a page ready to be written as page `number`: sets flag 0x2000, on large pages the page number field, and
/// stores all its XOR+ECC checksums.
///
/// # Errors
/// [`UnsupportedPageSize`] when the slice is not exactly one page; it is unchanged then.
#[doc(alias = "PreparePageForWrite")]
pub fn write_page_checksum(page: &mut [u8], number: PageNumber) -> Result<(), UnsupportedPageSize> {
    let size = size_of_page(page)?;
    if let Some(flags) = page.get_mut(FORMAT_FLAG_BYTE) {
        *flags |= FORMAT_FLAG;
    }
    if size.is_large() {
        put(page, PAGE_NUMBER_FIELD, number.0.to_le_bytes());
    }
    store_checksums(page, size, number);
    Ok(())
}

/// Stores the legacy checksum and the page number in a page of at most 8 KiB whose flag 0x2000 is to be clear, as
/// engines before update 11 of the format did. Current engines read the form and never write it.
///
/// # Errors
/// [`UnsupportedPageSize`] when the slice is not exactly one small page; it is unchanged then.
pub fn write_legacy_page_checksum(page: &mut [u8], number: PageNumber) -> Result<(), UnsupportedPageSize> {
    let size = size_of_page(page)?;
    if size.is_large() {
        return Err(UnsupportedPageSize(size.bytes()));
    }
    if let Some(flags) = page.get_mut(FORMAT_FLAG_BYTE) {
        *flags &= !FORMAT_FLAG;
    }
    put(page, 4, number.0.to_le_bytes());
    let checksum = header_checksum(page);
    put(page, 0, checksum.to_le_bytes());
    Ok(())
}

/// Computes and stores the checksums only. Block 0 comes last, because it covers the other three.
fn store_checksums(page: &mut [u8], size: PageSize, number: PageNumber) {
    if size.is_large() {
        for index in 1..LARGE_PAGE_BLOCKS {
            let checksum = compute_block(page, size, index, number);
            put(page, UPPER_CHECKSUMS + 8 * (index - 1), checksum.to_bytes());
        }
    }
    let checksum = compute_block(page, size, 0, number);
    put(page, 0, checksum.to_bytes());
}

fn put<const N: usize>(page: &mut [u8], offset: usize, value: [u8; N]) {
    if let Some(target) = page.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<N>()) {
        *target = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::test_patterns::{counting, lcg};

    /// Pattern, page size, page number, checksums: made by the engine's own routines.
    const VECTORS: &str = "\
Z 2048 1 3ed2012d00002001
Z 4096 1 7ed2012d00002001
Z 4096 2 7ed2012d00002002
Z 4096 4660 7ed2012d00003234
Z 4096 4294967294 7ed2012dffffdffe
Z 8192 1 fed2012d00002001
Z 8192 4660 fed2012d00003234
Z 16384 1 002d002d00002000 0000000000000001 0000000000000001 0000000000000001
Z 16384 4660 002b002b00002000 0000000000001234 0000000000001234 0000000000001234
Z 32768 1 002d002d00002000 0000000000000001 0000000000000001 0000000000000001
Z 32768 4294967294 002d002d00002000 00000000fffffffe 00000000fffffffe 00000000fffffffe
C 2048 1 0000000004040405
C 4096 1 0000000004040405
C 4096 4660 0000000004041630
C 8192 2 0000000004040406
C 16384 1 7eff010000000000 0000000000000001 0000000000000001 0000000000000001
C 16384 4660 7ef9010600000000 0000000000001234 0000000000001234 0000000000001234
C 32768 1 feff010000000000 0000000000000001 0000000000000001 0000000000000001
C 32768 2 fefe010100000000 0000000000000002 0000000000000002 0000000000000002
L 2048 1 089637695df878e2
L 2048 2 089637695df878e1
L 4096 1 60c51f3a702718ba
L 4096 2 60c51f3a702718b9
L 4096 4660 60c51f3a70270a8f
L 4096 4294967294 60c51f3a8fd8e745
L 8192 1 a6c7a6c78490221c
L 8192 2 a6c7a6c78490221f
L 8192 4660 a6c7a6c784903029
L 8192 4294967294 a6c7a6c77b6fdde3
L 16384 1 1e621e621a799eca 460239fdf4b73aa7 178817887ae37119 57965796320fe35d
L 16384 2 1e631e631a799eca 460239fdf4b73aa4 178817887ae3711a 57965796320fe35e
L 16384 4660 1e641e641a799eca 460239fdf4b72892 178817887ae3632c 57965796320ff168
L 16384 4294967294 1e621e621a799eca 460239fd0b48c558 17881788851c8ee6 57965796cdf01ca2
L 32768 1 585aa7a57839888e 401e401e48ec9245 965896586da37ee4 956095604ad95265
L 32768 2 585ba7a47839888e 401e401e48ec9246 965896586da37ee7 956095604ad95266
L 32768 4660 585ca7a37839888e 401e401e48ec8070 965896586da36cd1 956095604ad94050
L 32768 4294967294 585aa7a57839888e 401e401eb7136dba 96589658925c811b 95609560b526ad9a";

    #[test]
    fn published_vectors() {
        assert_eq!(VECTORS.lines().count(), 37);
        for line in VECTORS.lines() {
            let mut words = line.split(' ');
            let pattern = words.next().unwrap();
            let size = PageSize::new(words.next().unwrap().parse().unwrap()).unwrap();
            let number = PageNumber(words.next().unwrap().parse().unwrap());
            let expected: Vec<u64> = words.map(|w| u64::from_str_radix(w, 16).unwrap()).collect();
            let mut page = match pattern {
                "Z" => vec![0; size.len()],
                "C" => counting(size.len()),
                _ => lcg(size.len()),
            };
            page[FORMAT_FLAG_BYTE] |= FORMAT_FLAG;
            store_checksums(&mut page, size, number);
            let stored = stored_checksums(&page, size);
            for (block, expected) in expected.iter().enumerate() {
                assert_eq!(stored[block].to_u64(), *expected, "{line}: block {block}");
            }
        }
    }

    #[test]
    fn writing_sets_flag_number_and_sums() {
        for size in PageSize::ALL {
            let mut page = lcg(size.len());
            page[FORMAT_FLAG_BYTE] = 0;
            write_page_checksum(&mut page, PageNumber(77)).unwrap();
            assert_eq!(page[FORMAT_FLAG_BYTE], FORMAT_FLAG);
            assert_eq!(PageChecksumForm::of(&page), PageChecksumForm::Ecc);
            if size.is_large() {
                assert_eq!(page_number_field(&page), PageNumber(77));
            }
            let computed = computed_checksums(&page, size, PageNumber(77));
            assert_eq!(stored_checksums(&page, size), computed);
            assert_eq!(computed[3] == BlockChecksum::default(), !size.is_large());
        }
    }

    #[test]
    fn half_a_page_is_refused_unchanged() {
        let mut page = lcg(3000);
        assert_eq!(write_page_checksum(&mut page, PageNumber(1)), Err(UnsupportedPageSize(3000)));
        assert_eq!(page, lcg(3000));
        let mut large = lcg(16384);
        assert_eq!(write_legacy_page_checksum(&mut large, PageNumber(1)), Err(UnsupportedPageSize(16384)));
        assert_eq!(large, lcg(16384));
    }
}
