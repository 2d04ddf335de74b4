//! The kernel on 256-bit vectors with three-input XOR.
//!
//! In a core's own cache the 512-bit kernel is faster, but from memory this one is: two loads a cache line suit the
//! processors' prefetching better than one.
#![allow(unsafe_code, reason = "vector loads")]

use std::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_popcnt_epi32, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_ternarylogic_epi64, _mm256_test_epi32_mask, _mm256_xor_si256,
};

use super::avx2::{fold, transpose};
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
    super::avx512::is_available() && super::avx2::is_available() && is_x86_feature_detected!("avx512vl")
}

/// Parities of at most [`MAX_ROWS`] whole rows.
#[target_feature(enable = "avx2,avx512f,avx512vl,avx512vpopcntdq,popcnt")]
pub(super) fn parity(rows: &[[u8; ROW]], covers_itself: bool) -> BlockParity {
    let zero = _mm256_setzero_si256();
    let mut low = [zero; 4];
    let mut sums = [zero; MAX_ROWS];
    for (sum, row) in sums.iter_mut().zip(rows) {
        *sum = add_row(row, &mut low);
    }
    let mut high = [zero; 4];
    let total = add_sixteen(&sums, &mut high);
    let [low0, low1, low2, low3] = low;
    let [high0, high1, high2, high3] = high;
    let folded = transpose([low0, low1, low2, low3, high0, high1, high2, high3]);
    let vectors = u32::from(_mm256_test_epi32_mask(_mm256_popcnt_epi32(folded), _mm256_set1_epi32(1)));
    // The first eight bytes are lane 0 of vector 0: they are in the total and in no accumulator.
    let own = rows.first().filter(|_| covers_itself).and_then(|row| row.first_chunk());
    let (column, lanes) = fold(total, u64::from_le_bytes(own.copied().unwrap_or_default()));
    BlockParity { column, row: vectors << LANE_BITS | lanes }
}

/// Adds the 16 vectors of a row to the four lowest accumulators; returns their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add_row(row: &[u8; ROW], low: &mut [__m256i; 4]) -> __m256i {
    let mut v = [_mm256_setzero_si256(); ROW_VECTORS];
    for (i, (vector, bytes)) in v.iter_mut().zip(row.as_chunks::<32>().0).enumerate() {
        if i % 2 == 0 {
            prefetch(bytes);
        }
        // SAFETY: `bytes` is a reference to 32 readable bytes, and this load needs no alignment.
        *vector = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    }
    add_sixteen(&v, low)
}

/// Four levels of the tree over 16 vectors; returns their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add_sixteen(v: &[__m256i; 16], levels: &mut [__m256i; 4]) -> __m256i {
    let [level0, level1, level2, level3] = levels;
    let mut sums = [_mm256_setzero_si256(); 4];
    for (sum, group) in sums.iter_mut().zip(v.as_chunks::<4>().0) {
        *sum = add_four(*group, level0, level1);
    }
    add_four(sums, level2, level3)
}

/// Two levels of the tree over four vectors; returns their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn add_four(v: [__m256i; 4], odd: &mut __m256i, upper: &mut __m256i) -> __m256i {
    let [v0, v1, v2, v3] = v;
    let right = _mm256_xor_si256(v2, v3);
    *odd = xor3(*odd, v1, v3);
    *upper = _mm256_xor_si256(*upper, right);
    xor3(v0, v1, right)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_ternarylogic_epi64::<0x96>(a, b, c)
}
