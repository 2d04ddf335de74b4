//! The inner loops of the XOR+ECC checksum, and the choice between them.
//!
//! The ECC of a block needs, for every bit *j* of a word's number, the XOR of all words whose number has that bit set,
//! and the XOR of all words. A binary tree delivers them all with two XORs a word: of each pair the right one goes to
//! accumulator 0 and the sum of both goes up, where of each pair the right sum goes to accumulator 1, and so on. Nothing
//! is folded to single bits before the end of the block.
//!
//! All kernels give the same numbers; [`Kernel::best`] chooses by what the processor can do.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vl;
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

/// How far ahead of the loads the vector kernels prefetch, in bytes. Pages follow each other in the buffers that are
/// verified, so that bytes behind a block are wanted soon. A little more than a page of the processor's, because its own
/// prefetching stops at the end of each; measured as the best of many distances.
#[cfg(target_arch = "x86_64")]
const PREFETCH_AHEAD: usize = 4096 + 256;

/// Prefetches what lies [`PREFETCH_AHEAD`] bytes after `bytes`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(
    unsafe_code,
    unused_unsafe,
    reason = "the prefetch became a safe function after the oldest compiler we support"
)]
fn prefetch(bytes: &[u8]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch is a hint: it reads nothing and cannot fault, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(PREFETCH_AHEAD).cast()) };
}

/// One implementation of the inner loop that runs on this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(Choice);

/// Only made after a look at the processor, so that holding one proves that it can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Choice {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Vl,
}

impl Kernel {
    /// The kernel on plain 64-bit words, which runs everywhere.
    pub const PORTABLE: Self = Self(Choice::Portable);

    /// The kernel that is fastest on this processor when the bytes come from memory.
    #[must_use]
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512vl::is_available() {
                return Self(Choice::Avx512Vl);
            }
            if avx2::is_available() {
                return Self(Choice::Avx2);
            }
        }
        Self::PORTABLE
    }

    /// Every kernel that runs on this processor, [`best`](Self::best) last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "others are added elsewhere"))]
        let mut kernels = vec![Self::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(avx2::is_available().then_some(Self(Choice::Avx2)));
            kernels.extend(avx512::is_available().then_some(Self(Choice::Avx512)));
            kernels.extend(avx512vl::is_available().then_some(Self(Choice::Avx512Vl)));
        }
        kernels
    }

    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Choice::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512Vl => "avx512vl",
        }
    }

    /// The parities of the first 8192 bytes of `block`; with `covers_itself` its first eight bytes count as zero.
    pub(super) fn parity(self, block: &[u8], covers_itself: bool) -> BlockParity {
        let block = block.get(..MAX_BLOCK).unwrap_or(block);
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the kernel needs AVX2")]
            Choice::Avx2 => {
                if let (rows, []) = block.as_chunks() {
                    // SAFETY: this choice is made only where `avx2::is_available`.
                    return unsafe { avx2::parity(rows, covers_itself) };
                }
                portable::parity(block, covers_itself)
            }
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the kernel needs AVX-512")]
            Choice::Avx512 => {
                if let (rows, []) = block.as_chunks() {
                    // SAFETY: this choice is made only where `avx512::is_available`.
                    return unsafe { avx512::parity(rows, covers_itself) };
                }
                portable::parity(block, covers_itself)
            }
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the kernel needs AVX-512 with 256-bit vectors")]
            Choice::Avx512Vl => {
                if let (rows, []) = block.as_chunks() {
                    // SAFETY: this choice is made only where `avx512vl::is_available`.
                    return unsafe { avx512vl::parity(rows, covers_itself) };
                }
                portable::parity(block, covers_itself)
            }
            Choice::Portable => portable::parity(block, covers_itself),
        }
    }
}
