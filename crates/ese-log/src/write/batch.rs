//! Records that are kept together.

use std::ops::Range;

use crate::record::{EncodeError, Record};

/// Encoded records in order. Appended, they stand one after the other in the same generation.
///
/// Reuse one batch for many appends: its memory stays.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl RecordBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch of one record.
    ///
    /// # Errors
    /// [`EncodeError`] when a byte string of the record does not fit its count.
    pub fn of(record: &Record<'_>) -> Result<Self, EncodeError> {
        let mut batch = Self::new();
        batch.push(record)?;
        Ok(batch)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`EncodeError`]; the batch is unchanged then.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), EncodeError> {
        let len = self.bytes.len();
        if let Err(error) = record.encode(&mut self.bytes) {
            self.bytes.truncate(len);
            return Err(error);
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds a record that is encoded already. It must be what its own counts say; readers refuse it else.
    pub fn push_bytes(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Removes all records.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all records together.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The encoded records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.bytes.get(start..end).unwrap_or(&[]))
    }

    /// The bytes of record `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(index)?)
    }

    /// The bytes of record `index`, to set what is known only while the append is under way.
    pub fn record_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        let range = self.range(index)?;
        self.bytes.get_mut(range)
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        Some(start..end)
    }
}
