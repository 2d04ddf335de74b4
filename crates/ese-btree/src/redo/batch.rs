//! Records that are handed over together.

use ese_format::LogPosition;

/// Records of a log in order, with their positions.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    /// Position of each record, and its end in `bytes`.
    ends: Vec<(LogPosition, usize)>,
}

impl RecordBatch {
    /// Adds a record.
    pub fn push(&mut self, position: LogPosition, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push((position, self.bytes.len()));
    }

    /// Drops all records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Bytes of all records.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Position and bytes of the record `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(LogPosition, &[u8])> {
        let &(position, end) = self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before)?.1,
            None => 0,
        };
        Some((position, self.bytes.get(start..end)?))
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = (LogPosition, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(position, end)| {
            let record = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            (position, record)
        })
    }
}
