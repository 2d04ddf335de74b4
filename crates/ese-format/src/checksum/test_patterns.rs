//! Test pages and the definition of the block function, written for clearness only.

/// Byte `i` is `i mod 256`.
pub(crate) fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 256) as u8).collect()
}

/// Top bytes of a linear congruential sequence.
pub(crate) fn lcg(len: usize) -> Vec<u8> {
    let mut x = 0x1234_5678u32;
    (0..len)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .collect()
}

/// The block function bit by bit: XOR of the indices of set bits, XOR of their complements, XOR of the words.
pub(crate) fn plain_block_checksum(block: &[u8], number: u32, covers_itself: bool) -> u64 {
    let mask = u32::try_from(block.len() * 8 - 1).unwrap();
    let (mut low, mut high, mut column) = (0, 0, 0);
    for (i, word) in block.chunks_exact(4).enumerate().skip(if covers_itself { 2 } else { 0 }) {
        let word = u32::from_le_bytes(word.try_into().unwrap());
        column ^= word;
        for bit in (0..32).filter(|b| word >> b & 1 == 1) {
            let index = u32::try_from(i).unwrap() * 32 + bit;
            low ^= index & mask;
            high ^= !index & mask;
        }
    }
    u64::from(high << 16 | low) << 32 | u64::from(column ^ number)
}

#[test]
fn the_sequence_starts_as_published() {
    assert_eq!(lcg(8), [0x75, 0xcd, 0x25, 0x4b, 0x84, 0xe2, 0xea, 0xf2]);
}
