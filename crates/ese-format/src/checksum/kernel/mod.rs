//! The inner loops of the XOR+ECC checksum, and the choice between them.
//!
//! The ECC of a block needs, for every bit *j* of a word's number, the XOR of all words whose number has that bit set,
//! and the XOR of all words. A binary tree delivers them all with two XORs a word: of each pair the right one goes to
//! accumulator 0 and the sum of both goes up, where of each pair the right sum goes to accumulator 1, and so on. Nothing
//! is folded to single bits before the end of the block.
//!
//! All kernels give the same numbers; [`Kernel::best`] chooses by what the processor can do.

mod portable;

/// What a kernel delivers of a block: enough to derive the whole checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockParity {
    /// XOR of all `u32`.
    pub column: u32,
    /// Bit *j*: parity of all bits in `u32` words whose number has bit *j* set.
    pub row: u32,
}

/// Bytes of the largest block.
const MAX_BLOCK: usize = 8192;

/// One implementation of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// Plain 64-bit words; runs everywhere.
    Portable,
}

impl Kernel {
    /// The fastest kernel of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::Portable
    }

    /// Every kernel that runs on this processor, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Portable].into_iter()
    }

    /// The parities of the first 8192 bytes of `block`; with `covers_itself` its first eight bytes count as zero.
    pub(super) fn parity(self, block: &[u8], covers_itself: bool) -> BlockParity {
        let block = block.get(..MAX_BLOCK).unwrap_or(block);
        match self {
            Self::Portable => portable::parity(block, covers_itself),
        }
    }
}
