//! Verdicts on pages that were damaged in every way that has a name: each planted defect must be told as what it is.

use proptest::prelude::*;

use super::block::BlockChecksum;
use super::page::{FORMAT_FLAG_BIT, write_legacy_page_checksum, write_page_checksum};
use super::test_patterns::lcg;
use super::verdict::{PageCheck, PageNumberEvidence, PageVerdict, correct_page, verify_page};
use crate::{JetError, PageNumber, PageSize};

fn page(size: PageSize, number: u32) -> Vec<u8> {
    let mut page = lcg(size.len());
    write_page_checksum(&mut page, PageNumber(number)).unwrap();
    page
}

fn flip(page: &mut [u8], bit: u32) {
    page[(bit / 8) as usize] ^= 1 << (bit % 8);
}

fn verdict(page: &[u8], number: u32) -> PageVerdict {
    verify_page(page, PageNumber(number)).verdict().unwrap()
}

fn corrected(verdict: PageVerdict) -> Option<Vec<u32>> {
    match verdict {
        PageVerdict::Corrected { bits } => Some(bits.iter().collect()),
        _ => None,
    }
}

#[test]
fn published_corrections() {
    let rows = [
        (4096, 8003, 0x60c5_1f3a_7027_18b9, 0x0079_0079_7027_18b1),
        (4096, 32767, 0x60c5_1f3a_7027_18b9, 0x60c5_60c5_f027_18b9),
        (8192, 800, 0xa6c7_a6c7_8490_221f, 0x5a18_a5e7_8490_221e),
        (16384, 131_071, 0x5796_5796_320f_e35e, 0x5796_2869_b20f_e35e),
        (32768, 8003, 0x585b_a7a4_7839_888e, 0xb8e7_b8e7_7839_8886),
        (32768, 262_143, 0x9560_9560_4ad9_5266, 0x9560_6a9f_cad9_5266),
    ];
    for (len, bit, stored, recomputed) in rows {
        let block_bits = if len >= 16384 { len * 2 } else { len * 8 };
        let [stored, recomputed] = [stored, recomputed].map(BlockChecksum::from_u64);
        let located = stored.flipped_bit(recomputed, (block_bits / 8) as usize);
        assert_eq!(located, Some(bit % block_bits), "{len} {bit}");
    }
}

#[test]
fn every_single_flip_has_the_engines_verdict() {
    for size in PageSize::ALL {
        let number = 0x1234;
        let sound = page(size, number);
        assert_eq!(verdict(&sound, number), PageVerdict::Good);
        // Large pages are walked in steps that still meet every byte of the header and every block.
        let step = if size.is_large() { 37 } else { 5 };
        let bits = (0..8 * 80).chain((640..8 * size.bytes()).step_by(step)).chain([8 * size.bytes() - 1]);
        for bit in bits {
            let mut damaged = sound.clone();
            flip(&mut damaged, bit);
            let before = damaged.clone();
            let check = correct_page(&mut damaged, PageNumber(number));
            let verdict = check.verdict().unwrap();
            if bit < 64 || bit == FORMAT_FLAG_BIT {
                // The stored checksum of block 0, and the flag that chooses the algorithm.
                assert!(verdict.is_damaged(), "{size} {bit}: {verdict}");
                assert_eq!(check.jet_error(), Some(JetError::READ_VERIFY_FAILURE));
                assert_eq!(damaged, before);
            } else {
                assert_eq!(corrected(verdict), Some(vec![bit]), "{size} {bit}: {verdict}");
                assert_eq!(check.jet_error(), None);
                assert_eq!(damaged, sound);
            }
        }
    }
}

#[test]
fn two_flips_in_a_block_are_bad_and_in_two_blocks_corrected() {
    for len in [4096, 8192] {
        let size = PageSize::new(len).unwrap();
        let mut damaged = page(size, 3);
        flip(&mut damaged, 700);
        flip(&mut damaged, 9000);
        assert!(matches!(verdict(&damaged, 3), PageVerdict::Bad { block: 0, .. }));
    }
    for len in [16384, 32768] {
        let size = PageSize::new(len).unwrap();
        let block = 2 * len;
        let mut damaged = page(size, 3);
        let flips = [700, block + 5, 2 * block + 7, 3 * block + 9];
        for bit in flips {
            flip(&mut damaged, bit);
        }
        assert_eq!(corrected(verdict(&damaged, 3)), Some(flips.to_vec()));
        // A second flip in block 2 spoils the page as a whole; nothing of it is changed.
        flip(&mut damaged, 2 * block + 100);
        let before = damaged.clone();
        let check = correct_page(&mut damaged, PageNumber(3));
        assert!(matches!(check.verdict(), Some(PageVerdict::Bad { block: 2, .. })), "{check:?}");
        assert_eq!(damaged, before);
    }
}

#[test]
fn a_flipped_stored_block_sum_is_corrected_with_and_without_a_flip_in_its_block() {
    let size = PageSize::new(32768).unwrap();
    for stored_bit in 320..512 {
        let block = (stored_bit - 320) / 64 + 1;
        let data_bit = block * 65536 + 4711;
        let mut damaged = page(size, 9);
        flip(&mut damaged, stored_bit);
        assert_eq!(corrected(verdict(&damaged, 9)), Some(vec![stored_bit]));
        flip(&mut damaged, data_bit);
        assert_eq!(corrected(verdict(&damaged, 9)), Some(vec![stored_bit, data_bit]));
    }
}

#[test]
fn a_page_of_another_place_is_named() {
    for size in PageSize::ALL {
        let moved = page(size, 17);
        for place in [1, 16, 18, 4096] {
            let check = verify_page(&moved, PageNumber(place));
            let expected = PageVerdict::WrongPageNumber {
                expected: PageNumber(place),
                found: PageNumber(17),
                evidence: PageNumberEvidence::Checksum,
            };
            assert_eq!(check.verdict(), Some(expected));
            assert_eq!(check.jet_error(), Some(JetError::READ_VERIFY_FAILURE));
        }
    }
}

#[test]
fn right_sums_with_a_wrong_number_field_are_the_other_error() {
    for len in [16384, 32768] {
        let size = PageSize::new(len).unwrap();
        // Computed for page 18, but the field says 17: blocks 1 to 3 are unaffected by the field.
        let mut wrong = page(size, 18);
        wrong[64] = 17;
        let sum = BlockChecksum::compute(&wrong[..size.len() / 4], 18, true);
        wrong[..8].copy_from_slice(&sum.to_bytes());
        let check = verify_page(&wrong, PageNumber(18));
        let expected = PageVerdict::WrongPageNumber {
            expected: PageNumber(18),
            found: PageNumber(17),
            evidence: PageNumberEvidence::Field,
        };
        assert_eq!(check.verdict(), Some(expected));
        assert_eq!(check.jet_error(), Some(JetError::READ_PGNO_VERIFY_FAILURE));
    }
}

#[test]
fn legacy_pages() {
    for len in [2048, 4096, 8192] {
        let mut page = lcg(len);
        write_legacy_page_checksum(&mut page, PageNumber(5)).unwrap();
        assert_eq!(verdict(&page, 5), PageVerdict::Good);
        assert!(matches!(verdict(&page, 6), PageVerdict::WrongPageNumber { found: PageNumber(5), .. }));
        for bit in 0..640 {
            let mut damaged = page.clone();
            flip(&mut damaged, bit);
            assert!(matches!(verdict(&damaged, 5), PageVerdict::Bad { .. }), "{bit}");
        }
    }
}

#[test]
fn empty_pages_and_wrong_lengths() {
    for size in PageSize::ALL {
        let mut zero = vec![0; size.len()];
        let check = verify_page(&zero, PageNumber(1));
        assert_eq!(check.verdict(), Some(PageVerdict::Uninitialized));
        assert_eq!(check.jet_error(), Some(JetError::PAGE_NOT_INITIALIZED));
        // One bit in an otherwise empty page makes it a bad page.
        for at in [0, 7, 8, size.len() / 2, size.len() - 1] {
            zero[at] = 0x10;
            assert!(verdict(&zero, 1).is_damaged(), "{size} {at}");
            zero[at] = 0;
        }
    }
    for len in [0, 1, 8, 40, 4095, 4097, 12288, 65536] {
        assert!(matches!(verify_page(&vec![0; len], PageNumber(1)), PageCheck::NotVerified(_)), "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_is_never_good_and_correction_always_is(
        size in proptest::sample::select(PageSize::ALL.to_vec()),
        number in 1u32..0x7FEF_FFFF,
        flips in proptest::collection::btree_set(0u32..16384, 1..12),
    ) {
        let mut damaged = page(size, number);
        let stretch = size.bytes() / 2048;
        for bit in flips {
            flip(&mut damaged, bit * stretch);
        }
        match correct_page(&mut damaged, PageNumber(number)).verdict().unwrap() {
            PageVerdict::Corrected { .. } => prop_assert_eq!(verdict(&damaged, number), PageVerdict::Good),
            verdict => prop_assert!(verdict.is_damaged(), "{}", verdict),
        }
    }

    #[test]
    fn any_bytes_have_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 2048), number: u32) {
        let _ = verify_page(&bytes, PageNumber(number));
    }
}
