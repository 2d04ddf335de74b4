//! What the bytes of one segment are, judged by their place in the file.

use ese_format::{BlockChecksum, header_checksum};

use super::SEGMENT_SIZE;

/// Byte 37, bit 5 of a segment: the flag for this form of checksum. Never "corrected", because without it the
/// checksum means something else.
const FORMAT_FLAG_BIT: u32 = 301;
const FORMAT_FLAG_BYTE: usize = 37;
const FORMAT_FLAG_MASK: u8 = 0x20;

/// What a segment's bytes are. A bit that is named was flipped and can be set right with [`flip_bit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentJudgement {
    /// Checksum right for its own place.
    Own {
        /// The stored checksum.
        checksum: BlockChecksum,
        /// Bit that must be flipped first.
        flipped_bit: Option<u32>,
    },
    /// Checksum right for the place before: the shadow of a partially filled segment.
    Shadow {
        /// Bit that must be flipped first.
        flipped_bit: Option<u32>,
    },
    /// All bytes zero.
    Zero,
    /// Anything else.
    Damaged {
        /// The stored checksum.
        stored: BlockChecksum,
        /// The checksum of the content at this place.
        computed: BlockChecksum,
    },
}

/// Judges segment number `index` of a file.
///
/// A single flipped bit is corrected where the engine does it: when exactly one bit explains both halves of the
/// checksum, except the checksum-form flag itself; at its own place as well as at the place before.
#[doc(alias = "ErrValidateSegment")]
#[must_use]
pub fn judge_segment(segment: &[u8], index: u16) -> SegmentJudgement {
    let stored = BlockChecksum::from_bytes(segment.first_chunk().copied().unwrap_or_default());
    let own = u32::from(index);
    if segment.get(FORMAT_FLAG_BYTE).is_none_or(|flags| flags & FORMAT_FLAG_MASK == 0) {
        return judge_old_form(segment, stored, own);
    }
    let unsalted = BlockChecksum::compute(segment, 0, true);
    let salted = |number: u32| BlockChecksum { xor: unsalted.xor ^ number, ..unsalted };
    if stored == salted(own) {
        return SegmentJudgement::Own { checksum: stored, flipped_bit: None };
    }
    if let Some(bit) = correctable(segment, stored, salted(own)) {
        return SegmentJudgement::Own { checksum: stored, flipped_bit: Some(bit) };
    }
    if own > 1 {
        let before = salted(own - 1);
        if stored == before {
            return SegmentJudgement::Shadow { flipped_bit: None };
        }
        if let Some(bit) = correctable(segment, stored, before) {
            return SegmentJudgement::Shadow { flipped_bit: Some(bit) };
        }
    }
    SegmentJudgement::Damaged { stored, computed: salted(own) }
}

/// Without the flag the engine falls back to the old page form: the XOR of everything behind the first four bytes,
/// with the number in the upper half. Writers always set the flag, so only zeros and foreign bytes come here.
fn judge_old_form(segment: &[u8], stored: BlockChecksum, own: u32) -> SegmentJudgement {
    if is_zero(segment) {
        return SegmentJudgement::Zero;
    }
    let computed = BlockChecksum { xor: header_checksum(segment), ecc: own };
    if stored == computed {
        return SegmentJudgement::Own { checksum: stored, flipped_bit: None };
    }
    if own > 1 && stored == (BlockChecksum { ecc: own - 1, ..computed }) {
        return SegmentJudgement::Shadow { flipped_bit: None };
    }
    SegmentJudgement::Damaged { stored, computed }
}

/// Row by row, so that the compiler may compare many bytes at once.
fn is_zero(bytes: &[u8]) -> bool {
    let (rows, rest) = bytes.as_chunks::<64>();
    rows.iter().all(|row| row.iter().fold(0, |all, byte| all | byte) == 0) && rest.iter().all(|&b| b == 0)
}

fn correctable(segment: &[u8], stored: BlockChecksum, computed: BlockChecksum) -> Option<u32> {
    let bit = stored.flipped_bit(computed, segment.len()).filter(|&bit| bit != FORMAT_FLAG_BIT)?;
    // A flip in column k changes bit k of the XOR, which must be the column that the ECC names.
    let column = 1u32 << (bit % 32);
    (stored.xor ^ computed.xor == column && bit / 8 < SEGMENT_SIZE as u32).then_some(bit)
}

/// Flips one bit, numbered `8 · byte + bit`. A number beyond the end changes nothing.
pub fn flip_bit(segment: &mut [u8], bit: u32) {
    if let Some(byte) = segment.get_mut((bit / 8) as usize) {
        *byte ^= 1 << (bit % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(index: u32, fill: impl Fn(usize) -> u8) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..SEGMENT_SIZE).map(fill).collect();
        bytes[FORMAT_FLAG_BYTE] |= FORMAT_FLAG_MASK;
        let checksum = BlockChecksum::compute(&bytes, index, true);
        bytes[..8].copy_from_slice(&checksum.to_bytes());
        bytes
    }

    #[test]
    fn stored_form_of_the_format_document() {
        let mut bytes = vec![0; SEGMENT_SIZE];
        bytes[37] = 0x20;
        bytes[..8].copy_from_slice(&0x7ED2_012D_0000_2001_u64.to_le_bytes());
        let checksum = BlockChecksum::from_u64(0x7ED2_012D_0000_2001);
        assert_eq!(judge_segment(&bytes, 1), SegmentJudgement::Own { checksum, flipped_bit: None });
        assert_eq!(judge_segment(&bytes, 2), SegmentJudgement::Shadow { flipped_bit: None });
        assert!(matches!(judge_segment(&bytes, 3), SegmentJudgement::Damaged { .. }));
    }

    #[test]
    fn zeros_and_the_old_form() {
        let mut bytes = vec![0; SEGMENT_SIZE];
        assert_eq!(judge_segment(&bytes, 1), SegmentJudgement::Zero);
        bytes[100] = 7;
        assert!(matches!(judge_segment(&bytes, 1), SegmentJudgement::Damaged { .. }));
        bytes[4..8].copy_from_slice(&9u32.to_le_bytes());
        let xor = header_checksum(&bytes);
        bytes[..4].copy_from_slice(&xor.to_le_bytes());
        assert!(matches!(judge_segment(&bytes, 9), SegmentJudgement::Own { .. }));
        assert!(matches!(judge_segment(&bytes, 10), SegmentJudgement::Shadow { .. }));
    }

    #[test]
    fn nothing_lies_before_the_first_segment() {
        // Segment 1 with a checksum for 0 is no shadow: 0 is the header.
        assert!(matches!(judge_segment(&segment(0, |i| i as u8), 1), SegmentJudgement::Damaged { .. }));
    }

    proptest! {
        #[test]
        fn one_flipped_bit(seed: u8, index in 1u16..2000, bit in 0u32..4096 * 8) {
            let good = segment(u32::from(index), |i| (i as u8).wrapping_mul(seed));
            let mut bad = good.clone();
            flip_bit(&mut bad, bit);
            let (own, shadow) = (judge_segment(&bad, index), judge_segment(&bad, index + 1));
            if bit < 64 || bit == FORMAT_FLAG_BIT {
                let damaged = |j| matches!(j, SegmentJudgement::Damaged { .. });
                prop_assert!(damaged(own) && damaged(shadow));
            } else {
                let matched = matches!(own, SegmentJudgement::Own { flipped_bit: Some(b), .. } if b == bit);
                prop_assert!(matched);
                prop_assert_eq!(shadow, SegmentJudgement::Shadow { flipped_bit: Some(bit) });
                flip_bit(&mut bad, bit);
                prop_assert_eq!(bad, good);
            }
        }

        #[test]
        fn two_flipped_bits_are_damage(seed: u8, index in 2u16..2000, a in 64u32..32768, b in 64u32..32768) {
            prop_assume!(a != b && a != FORMAT_FLAG_BIT && b != FORMAT_FLAG_BIT);
            let mut bad = segment(u32::from(index), |i| (i as u8).wrapping_mul(seed));
            flip_bit(&mut bad, a);
            flip_bit(&mut bad, b);
            let damaged = matches!(judge_segment(&bad, index), SegmentJudgement::Damaged { .. });
            prop_assert!(damaged);
        }
    }
}
