//! The bytes of a file in memory: holes cost nothing and copies share what neither has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

const CHUNK: usize = 16 << 10;

/// A file's content. Chunks that were never written are zeros and are not stored.
#[derive(Clone, Default)]
pub(crate) struct SparseBytes {
    chunks: BTreeMap<u64, Arc<[u8; CHUNK]>>,
    len: u64,
}

impl SparseBytes {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads at `offset` up to the end; the number of bytes read.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let available = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(available);
        let mut rest = buffer.get_mut(..count).unwrap_or(&mut []);
        let mut at = offset;
        while !rest.is_empty() {
            let (index, start) = split(at);
            let count = rest.len().min(CHUNK - start);
            let Some((now, later)) = rest.split_at_mut_checked(count) else { break };
            match self.chunks.get(&index).and_then(|c| c.get(start..start + count)) {
                Some(bytes) => now.copy_from_slice(bytes),
                None => now.fill(0),
            }
            rest = later;
            at += count as u64;
        }
        count
    }

    /// Writes at `offset`, growing as needed; false when the end is beyond what a file offset can say.
    #[must_use]
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> bool {
        let Some(end) = offset.checked_add(data.len() as u64).filter(|e| i64::try_from(*e).is_ok()) else {
            return false;
        };
        if data.is_empty() {
            return true;
        }
        self.len = self.len.max(end);
        let (mut rest, mut at) = (data, offset);
        while !rest.is_empty() {
            let (index, start) = split(at);
            let count = rest.len().min(CHUNK - start);
            let Some((now, later)) = rest.split_at_checked(count) else { break };
            let chunk = self.chunks.entry(index).or_insert_with(|| Arc::new([0; CHUNK]));
            if let Some(target) = Arc::make_mut(chunk).get_mut(start..start + count) {
                target.copy_from_slice(now);
            }
            rest = later;
            at += count as u64;
        }
        true
    }

    /// Cuts, or extends with zeros; false when the length is beyond what a file offset can say.
    #[must_use]
    pub(crate) fn set_len(&mut self, len: u64) -> bool {
        if i64::try_from(len).is_err() {
            return false;
        }
        if len < self.len {
            let (index, start) = split(len);
            // Chunks beyond the cut go; what is behind the cut in its own chunk must read as zeros after growing again.
            let mut beyond = self.chunks.split_off(&index);
            if start > 0
                && let Some(mut chunk) = beyond.remove(&index)
            {
                if let Some(tail) = Arc::make_mut(&mut chunk).get_mut(start..) {
                    tail.fill(0);
                }
                self.chunks.insert(index, chunk);
            }
        }
        self.len = len;
        true
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        // A slice is never longer than an offset can say.
        let _ = content.write(0, bytes);
        content
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).unwrap_or(usize::MAX)];
        self.read(0, &mut bytes);
        bytes
    }
}

/// Chunk index, and offset inside the chunk.
fn split(at: u64) -> (u64, usize) {
    let chunk = CHUNK as u64;
    (at / chunk, usize::try_from(at % chunk).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize, Vec<u8>),
        SetLen(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let offset = prop_oneof![0..40_usize, CHUNK - 20..CHUNK + 20, 0..3 * CHUNK];
        prop_oneof![
            3 => (offset.clone(), proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(o, d)| Step::Write(o, d)),
            1 => offset.prop_map(Step::SetLen),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_vector(steps in proptest::collection::vec(step(), 0..30)) {
            let (mut sparse, mut model) = (SparseBytes::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Write(offset, data) => {
                        prop_assert!(sparse.write(offset as u64, &data));
                        if !data.is_empty() {
                            if model.len() < offset + data.len() {
                                model.resize(offset + data.len(), 0);
                            }
                            model[offset..offset + data.len()].copy_from_slice(&data);
                        }
                    }
                    Step::SetLen(len) => {
                        prop_assert!(sparse.set_len(len as u64));
                        model.resize(len, 0);
                    }
                }
            }
            prop_assert_eq!(sparse.to_vec(), model);
        }
    }

    #[test]
    fn a_write_far_out_stores_one_chunk() {
        let mut sparse = SparseBytes::default();
        assert!(sparse.write(1 << 60, b"x"));
        assert_eq!((sparse.len(), sparse.chunks.len()), ((1 << 60) + 1, 1));
        assert!(!sparse.write(u64::MAX - 1, b"xyz"));
        assert!(!sparse.write(i64::MAX as u64, b"x"));
        assert!(!sparse.set_len(u64::MAX));
    }

    #[test]
    fn a_copy_keeps_its_bytes() {
        let mut sparse = SparseBytes::from_bytes(b"abc");
        let copy = sparse.clone();
        assert!(sparse.write(1, b"X"));
        assert_eq!((sparse.to_vec(), copy.to_vec()), (b"aXc".to_vec(), b"abc".to_vec()));
    }
}
