//! The kernel on 512-bit vectors with three-input XOR.
#![allow(unsafe_code, reason = "vector loads")]

use std::arch::x86_64::{
    __m512i, _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_popcnt_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_ternarylogic_epi64,
    _mm512_test_epi64_mask, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::{BlockParity, MAX_BLOCK, prefetch};

/// Vectors of a row: four levels of the tree, held in registers.
const ROW_VECTORS: usize = 16;
/// Bytes of a row.
pub(super) const ROW: usize = ROW_VECTORS * 64;
/// Rows of the largest block.
const MAX_ROWS: usize = MAX_BLOCK / ROW;
/// Bits of a `u32`'s number that tell its place in a vector.
const LANE_BITS: u32 = 4;

/// Whether this processor runs the kernel.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vpopcntdq")
        && is_x86_feature_detected!("popcnt")
}

/// Parities of at most [`MAX_ROWS`] whole rows.
#[target_feature(enable = "avx512f,avx512vpopcntdq,popcnt")]
pub(super) fn parity(rows: &[[u8; ROW]], covers_itself: bool) -> BlockParity {
    let zero = _mm512_setzero_si512();
    let mut low = [zero; 4];
    let mut sums = [zero; MAX_ROWS];
    for (sum, row) in sums.iter_mut().zip(rows) {
        *sum = add_row(row, &mut low);
    }
    let (high, total) = tree8(&sums);
    let [low0, low1, low2, low3] = low;
    let [high0, high1, high2] = high;
    let vectors = parities([low0, low1, low2, low3, high0, high1, high2, zero]);
    // The first eight bytes are lane 0 of vector 0: they are in the total and in no accumulator.
    let own = rows.first().filter(|_| covers_itself).and_then(|row| row.first_chunk());
    let own = u64::from_le_bytes(own.copied().unwrap_or_default());
    let (column, lanes) = fold(total, own);
    BlockParity { column, row: vectors << LANE_BITS | lanes }
}

/// Adds the 16 vectors of a row to the four lowest accumulators; returns their sum.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_row(row: &[u8; ROW], low: &mut [__m512i; 4]) -> __m512i {
    let mut sums = [_mm512_setzero_si512(); 4];
    for (sum, group) in sums.iter_mut().zip(row.as_chunks::<256>().0) {
        let mut v = [_mm512_setzero_si512(); 4];
        for (vector, bytes) in v.iter_mut().zip(group.as_chunks::<64>().0) {
            prefetch(bytes);
            // SAFETY: `bytes` is a reference to 64 readable bytes, and this load needs no alignment.
            *vector = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        }
        let [low0, low1, ..] = low;
        *sum = add_four(v, low0, low1);
    }
    let [_, _, low2, low3] = low;
    add_four(sums, low2, low3)
}

/// Two levels of the tree over four vectors; returns their sum.
#[inline]
#[target_feature(enable = "avx512f")]
fn add_four(v: [__m512i; 4], odd: &mut __m512i, upper: &mut __m512i) -> __m512i {
    let [v0, v1, v2, v3] = v;
    let right = _mm512_xor_si512(v2, v3);
    *odd = xor3(*odd, v1, v3);
    *upper = _mm512_xor_si512(*upper, right);
    xor3(v0, v1, right)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

/// A tree of three levels: the XOR of the vectors whose number has bit *j* set, for each *j*, and the XOR of all.
#[inline]
#[target_feature(enable = "avx512f")]
fn tree8(v: &[__m512i; MAX_ROWS]) -> ([__m512i; 3], __m512i) {
    let x = |a, b| _mm512_xor_si512(a, b);
    let [v0, v1, v2, v3, v4, v5, v6, v7] = *v;
    let [p0, p1, p2, p3] = [x(v0, v1), x(v2, v3), x(v4, v5), x(v6, v7)];
    let upper = x(p2, p3);
    ([x(xor3(v1, v3, v5), v7), x(p1, p3), upper], xor3(p0, p1, upper))
}

/// Bit *k* is the parity of vector *k*.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn parities(v: [__m512i; 8]) -> u32 {
    let x = |a, b| _mm512_xor_si512(a, b);
    // Transposing and adding: each step halves the number of vectors, until lane k holds the fold of vector k.
    let pair = |a, b| x(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let half = |a, b| x(_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xDD>(a, b));
    let [v0, v1, v2, v3, v4, v5, v6, v7] = v;
    let all = half(half(pair(v0, v1), pair(v2, v3)), half(pair(v4, v5), pair(v6, v7)));
    let ones = _mm512_popcnt_epi64(all);
    u32::from(_mm512_test_epi64_mask(ones, _mm512_set1_epi64(1)))
}

/// The XOR of all 16 `u32` of the total, and for each bit of a lane's number the parity of the lanes that have it set.
#[inline]
#[target_feature(enable = "avx512f,popcnt")]
fn fold(total: __m512i, own: u64) -> (u32, u32) {
    let lower = super::avx2::quads(_mm512_castsi512_si256(total));
    let upper = super::avx2::quads(_mm512_extracti64x4_epi64::<1>(total));
    let [q0, q1, q2, q3] = lower;
    let [q4, q5, q6, q7] = upper;
    let q0 = q0 ^ own;
    let odd = |word: u64| word.count_ones() & 1;
    let [p13, p57, p23, p67, p4567] = [q1 ^ q3, q5 ^ q7, q2 ^ q3, q6 ^ q7, q4 ^ q5 ^ q6 ^ q7];
    let folded = q0 ^ q1 ^ p23 ^ p4567;
    let lanes = odd(folded >> 32) | odd(p13 ^ p57) << 1 | odd(p23 ^ p67) << 2 | odd(p4567) << 3;
    ((folded >> 32) as u32 ^ (folded & 0xFFFF_FFFF) as u32, lanes)
}
