//! Buffers that direct I/O accepts.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What offsets, lengths and addresses must be multiples of, so that a request can bypass the system's page cache.
pub const DIRECT_ALIGNMENT: usize = 4096;

/// Bytes whose address is a multiple of [`DIRECT_ALIGNMENT`]. The length is fixed, the content starts as zeros.
pub struct AlignedBuffer {
    // Longer than asked for by one alignment unit, and never resized: its address stays.
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// A buffer of `len` zeros.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let bytes = vec![0; len.saturating_add(DIRECT_ALIGNMENT)];
        // Asked for a byte pointer, the answer is below the alignment; any other would only cost the direct path.
        let start = Some(bytes.as_ptr().align_offset(DIRECT_ALIGNMENT)).filter(|s| *s < DIRECT_ALIGNMENT);
        Self { bytes, start: start.unwrap_or(0), len }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..self.start + self.len).unwrap_or(&[])
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.start + self.len).unwrap_or(&mut [])
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_length_are_as_promised() {
        for len in [0, 1, 4095, 4096, 1 << 20] {
            let mut buffer = AlignedBuffer::new(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % DIRECT_ALIGNMENT, 0);
            buffer.fill(7);
            let moved = buffer;
            assert_eq!(moved.as_ptr() as usize % DIRECT_ALIGNMENT, 0);
            assert!(moved.iter().all(|b| *b == 7));
        }
    }
}
