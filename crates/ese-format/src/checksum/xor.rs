//! The 4-byte XOR checksum of file headers and of pages in the legacy form.

/// Start value of the XOR checksum.
#[doc(alias = "ulChecksumMagicNumber")]
pub const HEADER_CHECKSUM_SEED: u32 = 0x89AB_CDEF;

/// The XOR checksum over a whole header page: [`HEADER_CHECKSUM_SEED`] XOR every little-endian `u32` but the first.
///
/// Stored in the first four bytes of database headers (both copies), log headers, checkpoints, flush-map headers and the
/// backup trailer page. A page in the legacy form (flag 0x2000 clear) uses the same sum; the page number stored at
/// offset 4 takes part.
///
/// Bytes after the last whole `u32` are left out.
///
/// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/checksum.hxx`, `ChecksumOldFormat`.
#[doc(alias = "UlUtilChecksum")]
#[doc(alias = "DwXORChecksumESE97Page")]
#[must_use]
pub fn header_checksum(page: &[u8]) -> u32 {
    let Some((stored, covered)) = page.split_first_chunk::<4>() else { return HEADER_CHECKSUM_SEED };
    // Summing whole 64-byte rows of the page and taking the first word out again keeps the loop wide.
    let (rows, rest) = page.as_chunks::<64>();
    if rows.is_empty() {
        return covered
            .as_chunks::<4>()
            .0
            .iter()
            .fold(HEADER_CHECKSUM_SEED, |x, w| x ^ u32::from_le_bytes(*w));
    }
    let mut lanes = [0u32; 16];
    for row in rows {
        for (lane, word) in lanes.iter_mut().zip(row.as_chunks::<4>().0) {
            *lane ^= u32::from_le_bytes(*word);
        }
    }
    let words = rest.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w));
    let start = HEADER_CHECKSUM_SEED ^ u32::from_le_bytes(*stored);
    lanes.into_iter().chain(words).fold(start, |x, w| x ^ w)
}

/// Whether the stored XOR checksum of a header page is right.
#[must_use]
pub fn header_checksum_matches(page: &[u8]) -> bool {
    page.first_chunk::<4>().is_some_and(|stored| u32::from_le_bytes(*stored) == header_checksum(page))
}

/// Computes and stores the XOR checksum of a header page. A slice of less than four bytes is left alone.
pub fn write_header_checksum(page: &mut [u8]) {
    let checksum = header_checksum(page);
    if let Some(stored) = page.first_chunk_mut::<4>() {
        *stored = checksum.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::test_patterns::{counting, lcg};

    #[test]
    fn published_vectors() {
        let lcg_sums = [0x26b9_7788, 0x0b66_17d0, 0xffd1_2d76, 0xb73d_bf32, 0x9047_93b3];
        for (len, expected) in [2048, 4096, 8192, 16384, 32768].into_iter().zip(lcg_sums) {
            assert_eq!(header_checksum(&vec![0; len]), 0x89ab_cdef);
            assert_eq!(header_checksum(&counting(len)), 0x8aa9_ccef);
            assert_eq!(header_checksum(&lcg(len)), expected, "{len}");
        }
    }

    #[test]
    fn odd_lengths_agree_with_the_definition() {
        let bytes = lcg(300);
        for len in 0..300 {
            let page = &bytes[..len];
            let plain = page
                .chunks_exact(4)
                .skip(1)
                .fold(HEADER_CHECKSUM_SEED, |x, w| x ^ u32::from_le_bytes(w.try_into().unwrap()));
            assert_eq!(header_checksum(page), plain, "{len}");
        }
    }

    #[test]
    fn written_then_matching_then_broken() {
        let mut page = lcg(4096);
        assert!(!header_checksum_matches(&page));
        write_header_checksum(&mut page);
        assert!(header_checksum_matches(&page));
        page[4095] ^= 0x80;
        assert!(!header_checksum_matches(&page));
    }
}
