//! The XOR+ECC checksum of one block of a page or of one log segment.

use std::fmt;

use super::kernel::{BlockParity, Kernel};

/// The XOR+ECC checksum of a block of 2, 4 or 8 KiB. 8 bytes.
///
/// | offset | size | field | note |
/// |-------:|-----:|-------|------|
/// | 0 | 4 | `xor` | XOR of all `u32` of the block, XOR the page (or segment) number |
/// | 4 | 4 | `ecc` | low half: XOR of the indices of all set bits; high half: XOR of the complemented indices |
///
/// The index of a bit is `8 · byte + bit`: 14, 15 or 16 bits wide; higher bits of both halves are 0.
///
/// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/checksum.hxx`, `XECHECKSUM`.
#[doc(alias = "XECHECKSUM")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BlockChecksum {
    /// Column parities with the number mixed in.
    pub xor: u32,
    /// Bit index parities.
    pub ecc: u32,
}

impl BlockChecksum {
    /// Stored size in bytes.
    pub const SIZE: usize = 8;

    /// Decodes the stored form.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_u64(u64::from_le_bytes(bytes))
    }

    /// The stored form.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.to_u64().to_le_bytes()
    }

    /// From one number: `ecc` above, `xor` below.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self { xor: (value & 0xFFFF_FFFF) as u32, ecc: (value >> 32) as u32 }
    }

    /// As one number: `ecc` above, `xor` below.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        ((self.ecc as u64) << 32) | self.xor as u64
    }

    /// Computes the checksum of a block with the kernel that is fastest here.
    ///
    /// `number` is the page number of a page's block and the segment number of a log segment. With `covers_itself` the
    /// first eight bytes of the block are its own stored checksum and count as zero: block 0 of a page, a log segment.
    ///
    /// A block is 2048, 4096 or 8192 bytes long. A shorter one counts as filled up with zeros to the next power of two
    /// (2048 at least); bytes after the first 8192 are left out.
    #[doc(alias = "ChecksumNewFormat")]
    #[must_use]
    pub fn compute(block: &[u8], number: u32, covers_itself: bool) -> Self {
        Self::compute_with(Kernel::best(), block, number, covers_itself)
    }

    /// As [`compute`](Self::compute), with a given kernel.
    #[must_use]
    pub fn compute_with(kernel: Kernel, block: &[u8], number: u32, covers_itself: bool) -> Self {
        Self::from_parity(kernel.parity(block, covers_itself), index_mask(block.len()), number)
    }

    /// The checksum of a block whose parities are known. Everything that the kernels do not deliver follows from
    /// these two numbers.
    fn from_parity(parity: BlockParity, mask: u32, number: u32) -> Self {
        let BlockParity { column, row } = parity;
        let odd = |bits: u32| bits.count_ones() & 1;
        let inside = odd(column & 0xAAAA_AAAA)
            | odd(column & 0xCCCC_CCCC) << 1
            | odd(column & 0xF0F0_F0F0) << 2
            | odd(column & 0xFF00_FF00) << 3
            | odd(column & 0xFFFF_0000) << 4;
        let low = (row << 5 | inside) & mask;
        // An odd number of set bits leaves one complement over; an even number cancels them all.
        let high = low ^ (mask & odd(column).wrapping_neg());
        Self { xor: column ^ number, ecc: high << 16 | low }
    }

    /// Where one flipped bit of the block explains the difference between this stored checksum and a `computed` one:
    /// the index of that bit, `8 · byte + bit`.
    ///
    /// `None` when no single bit of the block explains it: several flips, or a flip inside the stored checksum itself.
    #[doc(alias = "FECCErrorIsCorrectable")]
    #[must_use]
    pub fn flipped_bit(self, computed: Self, block_len: usize) -> Option<u32> {
        let mask = index_mask(block_len);
        let difference = self.ecc ^ computed.ecc;
        // One flip changes the low half by the index and the high half by its complement, and one column.
        let complementary = (difference >> 16 ^ difference) & mask == mask;
        let single = (self.xor ^ computed.xor).count_ones() == 1;
        let bit = difference & 0xFFFF;
        (complementary && single && bit <= mask).then_some(bit)
    }
}

/// `ecc` and `xor` as one hexadecimal number of 16 digits.
impl fmt::Display for BlockChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.to_u64())
    }
}

/// All bit indices of a block of `len` bytes, as a mask: 14 bits for 2 KiB, 15 for 4 KiB, 16 for 8 KiB.
const fn index_mask(len: usize) -> u32 {
    if len <= 2048 {
        0x3FFF
    } else if len <= 4096 {
        0x7FFF
    } else {
        0xFFFF
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checksum::test_patterns::{lcg, plain_block_checksum};

    #[test]
    fn published_vectors_of_the_raw_function() {
        let rows = [
            (2048, 0x3644_3644_5df8_58e3, 0x09aa_3655_e437_7712, 0x3fbf_0040_0000_0001),
            (4096, 0x1e17_1e17_7027_38bb, 0x61f9_1e06_c9e8_174a, 0x7fbf_0040_0000_0001),
            (8192, 0x5815_a7ea_8490_021d, 0xa7fb_a7fb_3d5f_2dec, 0xffbf_0040_0000_0001),
        ];
        for kernel in Kernel::available() {
            for (len, first, other, single) in rows {
                let block = lcg(len);
                let sum = |block: &[u8], first| BlockChecksum::compute_with(kernel, block, 0, first).to_u64();
                assert_eq!(sum(&block, true), first, "{kernel:?} {len}");
                assert_eq!(sum(&block, false), other, "{kernel:?} {len}");
                let mut zero = vec![0; len];
                zero[8] = 1;
                assert_eq!(sum(&zero, true), single, "{kernel:?} {len}");
            }
        }
    }

    #[test]
    fn every_bit_of_a_block_is_located() {
        for len in [2048, 4096, 8192] {
            let block = lcg(len);
            let stored = BlockChecksum::compute(&block, 7, false);
            let mut damaged = block.clone();
            for bit in 0..8 * len {
                damaged[bit / 8] ^= 1 << (bit % 8);
                let found = BlockChecksum::compute(&damaged, 7, false);
                assert_eq!(stored.flipped_bit(found, len), Some(u32::try_from(bit).unwrap()));
                damaged[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn another_number_and_a_damaged_sum_are_no_flips() {
        let block = lcg(4096);
        let stored = BlockChecksum::compute(&block, 7, true);
        assert_eq!(stored.flipped_bit(BlockChecksum::compute(&block, 6, true), 4096), None);
        assert_eq!(stored.flipped_bit(stored, 4096), None);
        for bit in 0..32 {
            let damaged = BlockChecksum { ecc: stored.ecc ^ 1 << bit, ..stored };
            assert_eq!(damaged.flipped_bit(stored, 4096), None);
            let damaged = BlockChecksum { xor: stored.xor ^ 1 << bit, ..stored };
            assert_eq!(damaged.flipped_bit(stored, 4096), None);
        }
    }

    fn block() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![Just(2048usize), Just(4096), Just(8192)].prop_flat_map(|len| {
            prop_oneof![
                3 => proptest::collection::vec(any::<u8>(), len),
                // Few bits in much nothing: where a wrong row or lane shows at once.
                1 => proptest::collection::vec(0..len * 8, 0..4).prop_map(move |bits| {
                    let mut block = vec![0; len];
                    for bit in bits {
                        block[bit / 8] ^= 1 << (bit % 8);
                    }
                    block
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_kernel_agrees_with_the_definition(block in block(), number: u32, first: bool, shift in 0usize..64) {
            let expected = plain_block_checksum(&block, number, first);
            // The same block at another address: nothing may depend on alignment.
            let mut shifted = vec![0xA5; shift];
            shifted.extend_from_slice(&block);
            for kernel in Kernel::available() {
                prop_assert_eq!(BlockChecksum::compute_with(kernel, &block, number, first).to_u64(), expected);
                let moved = BlockChecksum::compute_with(kernel, &shifted[shift..], number, first);
                prop_assert_eq!(moved.to_u64(), expected);
            }
        }

        #[test]
        fn short_blocks_count_as_filled_with_zeros(len in 0usize..8192, number: u32, first: bool) {
            let mut block = lcg(len);
            for kernel in Kernel::available() {
                let short = BlockChecksum::compute_with(kernel, &block, number, first);
                block.resize(len.next_power_of_two().max(2048), 0);
                prop_assert_eq!(short, BlockChecksum::compute_with(kernel, &block, number, first));
                block.truncate(len);
            }
        }
    }
}
