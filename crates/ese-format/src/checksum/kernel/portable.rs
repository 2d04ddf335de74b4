//! The kernel on plain 64-bit words.

use super::{BlockParity, MAX_BLOCK};

/// Words of a row: four levels of the tree, held in registers.
const ROW_WORDS: usize = 16;
/// Bytes of a row.
const ROW: usize = ROW_WORDS * 8;
/// Rows of the largest block.
const MAX_ROWS: usize = MAX_BLOCK / ROW;

/// Parities of a block of at most [`MAX_BLOCK`] bytes.
pub(super) fn parity(block: &[u8], covers_itself: bool) -> BlockParity {
    let mut low = [0u64; 4];
    let mut rows = [0u64; MAX_ROWS];
    let (whole, rest) = block.as_chunks::<ROW>();
    for (sum, row) in rows.iter_mut().zip(whole) {
        *sum = add_row(row, &mut low);
    }
    if !rest.is_empty() {
        let mut filled = [0; ROW];
        for (target, source) in filled.iter_mut().zip(rest) {
            *target = *source;
        }
        if let Some(sum) = rows.get_mut(whole.len()) {
            *sum = add_row(&filled, &mut low);
        }
    }
    let mut high = [0u64; 6];
    let mut total = add_rows(&rows, &mut high);
    if covers_itself {
        // The first word has number 0: it is in the total and in no accumulator.
        let mut first = [0; 8];
        for (target, source) in first.iter_mut().zip(block) {
            *target = *source;
        }
        total ^= u64::from_le_bytes(first);
    }
    finish(total, low.into_iter().chain(high))
}

/// Bit 0 of a `u32`'s number is its half of the 64-bit word, bit *j* + 1 comes from accumulator *j*.
pub(super) fn finish(total: u64, accumulators: impl Iterator<Item = u64>) -> BlockParity {
    let upper_half = (total >> 32) as u32;
    let lower_half = (total & 0xFFFF_FFFF) as u32;
    let row = accumulators
        .enumerate()
        .fold(upper_half.count_ones() & 1, |row, (j, sum)| row | (sum.count_ones() & 1) << (j + 1));
    BlockParity { column: upper_half ^ lower_half, row }
}

/// Adds the 16 words of a row to the four lowest accumulators; returns their sum.
#[inline(always)]
fn add_row(row: &[u8; ROW], low: &mut [u64; 4]) -> u64 {
    let mut w = [0u64; ROW_WORDS];
    for (word, bytes) in w.iter_mut().zip(row.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = w;
    low[0] ^= (w1 ^ w3) ^ (w5 ^ w7) ^ (w9 ^ w11) ^ (w13 ^ w15);
    let [p0, p1, p2, p3] = [w0 ^ w1, w2 ^ w3, w4 ^ w5, w6 ^ w7];
    let [p4, p5, p6, p7] = [w8 ^ w9, w10 ^ w11, w12 ^ w13, w14 ^ w15];
    low[1] ^= (p1 ^ p3) ^ (p5 ^ p7);
    let [q0, q1, q2, q3] = [p0 ^ p1, p2 ^ p3, p4 ^ p5, p6 ^ p7];
    low[2] ^= q1 ^ q3;
    let [r0, r1] = [q0 ^ q1, q2 ^ q3];
    low[3] ^= r1;
    r0 ^ r1
}

/// The upper levels of the tree, over the sums of the rows.
fn add_rows(rows: &[u64; MAX_ROWS], high: &mut [u64; 6]) -> u64 {
    let mut sums = *rows;
    let mut live = MAX_ROWS;
    for accumulator in high {
        live /= 2;
        for pair in 0..live {
            let [left, right] = [2 * pair, 2 * pair + 1].map(|i| sums.get(i).copied().unwrap_or(0));
            *accumulator ^= right;
            if let Some(sum) = sums.get_mut(pair) {
                *sum = left ^ right;
            }
        }
    }
    sums.first().copied().unwrap_or(0)
}
