//! The kernel on 256-bit vectors.
#![allow(unsafe_code, reason = "vector loads")]

use std::arch::x86_64::{
    __m256i, _mm256_castsi256_ps, _mm256_extract_epi64, _mm256_loadu_si256, _mm256_movemask_ps,
    _mm256_permute2x128_si256, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    _mm256_xor_si256,
};

use super::{BlockParity, MAX_BLOCK, prefetch};

/// Vectors of a row: four levels of the tree, held in registers.
const ROW_VECTORS: usize = 16;
/// Bytes of a row.
pub(super) const ROW: usize = ROW_VECTORS * 32;
/// Rows of the largest block.
const MAX_ROWS: usize = MAX_BLOCK / ROW;
/// Bits of a `u32`'s number that tell its place in a vector.
const LANE_BITS: u32 = 3;

/// Whether this processor runs the kernel.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Parities of at most [`MAX_ROWS`] whole rows.
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn parity(rows: &[[u8; ROW]], covers_itself: bool) -> BlockParity {
    let zero = _mm256_setzero_si256();
    let mut low = [zero; 4];
    let mut sums = [zero; MAX_ROWS];
    for (sum, row) in sums.iter_mut().zip(rows) {
        *sum = add_row(row, &mut low);
    }
    let (high, total) = tree16(&sums);
    // The first eight bytes are lane 0 of vector 0: they are in the total and in no accumulator.
    let own = rows.first().filter(|_| covers_itself).and_then(|row| row.first_chunk());
    let (column, lanes) = fold(total, u64::from_le_bytes(own.copied().unwrap_or_default()));
    let vectors = parities([low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]]);
    BlockParity { column, row: vectors << LANE_BITS | lanes }
}

/// Adds the 16 vectors of a row to the four lowest accumulators; returns their sum.
#[inline]
#[target_feature(enable = "avx2")]
fn add_row(row: &[u8; ROW], low: &mut [__m256i; 4]) -> __m256i {
    let mut v = [_mm256_setzero_si256(); ROW_VECTORS];
    for (i, (vector, bytes)) in v.iter_mut().zip(row.as_chunks::<32>().0).enumerate() {
        if i % 2 == 0 {
            prefetch(bytes);
        }
        // SAFETY: `bytes` is a reference to 32 readable bytes, and this load needs no alignment.
        *vector = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    }
    let (levels, sum) = tree16(&v);
    for (accumulator, level) in low.iter_mut().zip(levels) {
        *accumulator = _mm256_xor_si256(*accumulator, level);
    }
    sum
}

/// A tree of four levels: the XOR of the vectors whose number has bit *j* set, for each *j*, and the XOR of all.
#[inline]
#[target_feature(enable = "avx2")]
fn tree16(v: &[__m256i; 16]) -> ([__m256i; 4], __m256i) {
    let x = |a, b| _mm256_xor_si256(a, b);
    let [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15] = *v;
    let level0 = x(x(x(v1, v3), x(v5, v7)), x(x(v9, v11), x(v13, v15)));
    let [p0, p1, p2, p3] = [x(v0, v1), x(v2, v3), x(v4, v5), x(v6, v7)];
    let [p4, p5, p6, p7] = [x(v8, v9), x(v10, v11), x(v12, v13), x(v14, v15)];
    let level1 = x(x(p1, p3), x(p5, p7));
    let [q0, q1, q2, q3] = [x(p0, p1), x(p2, p3), x(p4, p5), x(p6, p7)];
    let level2 = x(q1, q3);
    let [r0, r1] = [x(q0, q1), x(q2, q3)];
    ([level0, level1, level2, r1], x(r0, r1))
}

/// Bit *k* is the parity of vector *k*.
#[inline]
#[target_feature(enable = "avx2")]
fn parities(v: [__m256i; 8]) -> u32 {
    let x = |a, b| _mm256_xor_si256(a, b);
    let all = transpose(v);
    let all = x(all, _mm256_srli_epi32::<16>(all));
    let all = x(all, _mm256_srli_epi32::<8>(all));
    let all = x(all, _mm256_srli_epi32::<4>(all));
    let all = x(all, _mm256_srli_epi32::<2>(all));
    let all = x(all, _mm256_srli_epi32::<1>(all));
    _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32::<31>(all))).cast_unsigned()
}

/// Lane *k* is the XOR of the lanes of vector *k*: transposing and adding, where each step halves the number of vectors.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose(v: [__m256i; 8]) -> __m256i {
    let x = |a, b| _mm256_xor_si256(a, b);
    let pair = |a, b| x(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let four = |a, b| x(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let [v0, v1, v2, v3, v4, v5, v6, v7] = v;
    let lower = four(pair(v0, v1), pair(v2, v3));
    let upper = four(pair(v4, v5), pair(v6, v7));
    x(_mm256_permute2x128_si256::<0x20>(lower, upper), _mm256_permute2x128_si256::<0x31>(lower, upper))
}

/// The XOR of all eight `u32` of the total, without the eight bytes `own`, and for each bit of a lane's number the parity
/// of the lanes that have it set.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn fold(total: __m256i, own: u64) -> (u32, u32) {
    let [first, second, third, fourth] = quads(total);
    let folded = first ^ own ^ second ^ third ^ fourth;
    let odd = |word: u64| word.count_ones() & 1;
    let lanes = odd(folded >> 32) | odd(second ^ fourth) << 1 | odd(third ^ fourth) << 2;
    ((folded >> 32) as u32 ^ (folded & 0xFFFF_FFFF) as u32, lanes)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn quads(v: __m256i) -> [u64; 4] {
    [
        _mm256_extract_epi64::<0>(v),
        _mm256_extract_epi64::<1>(v),
        _mm256_extract_epi64::<2>(v),
        _mm256_extract_epi64::<3>(v),
    ]
    .map(i64::cast_unsigned)
}
