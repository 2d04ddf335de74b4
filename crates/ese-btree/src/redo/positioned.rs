//! Records that are handed over together.

use ese_format::LogPosition;
use ese_log::RecordBatch;

/// Records of a log in order, with their positions.
#[derive(Clone, Debug, Default)]
pub struct PositionedRecords {
    records: RecordBatch,
    positions: Vec<LogPosition>,
}

impl PositionedRecords {
    /// Adds a record.
    pub fn push(&mut self, position: LogPosition, record: &[u8]) {
        self.records.push_bytes(record);
        self.positions.push(position);
    }

    /// Drops all records and keeps the memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.positions.clear();
    }

    /// Bytes of all records.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.records.byte_len()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Position and bytes of the record `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(LogPosition, &[u8])> {
        Some((*self.positions.get(index)?, self.records.get(index)?))
    }

    /// All records.
    pub fn records(&self) -> impl Iterator<Item = (LogPosition, &[u8])> {
        self.positions.iter().copied().zip(self.records.records())
    }
}
