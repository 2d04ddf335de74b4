//! The records of a generation of major version 7.

use std::sync::Arc;

use ese_format::LogPosition;
use ese_io::{File, IoError};

use crate::record::{RecordKind, RecordSize, record_size};
use crate::scan::{EndOfLog, Geometry, LogDefect};
use crate::walk::{StreamDefect, is_closing, unknown};

use super::scan::{LegacyRules, LegacyScan};

/// Walks the byte stream of the verified flush ranges. Checksum records are records like any other.
pub(crate) struct LegacyWalker {
    scan: LegacyScan,
    /// Offset of the next record.
    cursor: u64,
    /// Behind the bytes verified so far.
    limit: u64,
    /// Offset of the checksum record of the range verified last: no record may reach over it.
    barrier: u64,
    /// Offset and length of the record delivered last.
    current: (u64, usize),
    /// Position of the last record that was neither fill nor checksum, when it closes the stream.
    closed_at: Option<LogPosition>,
}

/// Why the walk cannot go on.
#[derive(Debug)]
pub(crate) enum LegacyStop {
    Io(IoError),
    Stream(LogPosition, StreamDefect),
}

impl From<IoError> for LegacyStop {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl LegacyWalker {
    pub(crate) fn new(file: Arc<dyn File>, geometry: Geometry, rules: LegacyRules) -> Self {
        let start = geometry.offset(geometry.header_sectors);
        Self {
            scan: LegacyScan::new(file, geometry, rules),
            cursor: start,
            limit: start,
            barrier: start,
            current: (start, 0),
            closed_at: None,
        }
    }

    /// The position of the next record, or `None` at the end of the data.
    pub(crate) fn next(&mut self) -> Result<Option<LogPosition>, LegacyStop> {
        loop {
            if self.cursor >= self.limit && !self.extend()? {
                return Ok(None);
            }
            let here = self.scan.bytes(self.cursor, 1)?.first().map_or(RecordKind::NOP, |&b| RecordKind(b));
            if matches!(here, RecordKind::NOP | RecordKind::END) {
                self.cursor += 1;
                continue;
            }
            let available = usize::try_from(self.limit - self.cursor).unwrap_or(usize::MAX);
            // The longest fixed part is 576 bytes.
            let bytes = self.scan.bytes(self.cursor, available.min(1024))?;
            let (expected, known) = match record_size(bytes) {
                Ok(RecordSize::Size(len)) => (len, true),
                Ok(RecordSize::Need(len)) => (len, false),
                Err(error) => return Err(self.stop(unknown(error))),
            };
            let end = self.cursor + expected as u64;
            if self.cursor < self.barrier && end > self.barrier {
                let found = usize::try_from(self.barrier - self.cursor).unwrap_or(usize::MAX);
                return Err(self.stop(StreamDefect::TooLong { kind: here.0, expected, found }));
            }
            if end > self.limit || !known {
                // What is cut off at the end of the data is no record.
                if !self.extend()? {
                    return Ok(None);
                }
                continue;
            }
            // All of it in memory, for `current`.
            self.scan.bytes(self.cursor, expected)?;
            let position = self.scan.position(self.cursor);
            self.current = (self.cursor, expected);
            self.cursor = end;
            if here != RecordKind::CHECKSUM {
                self.closed_at = is_closing(here).then_some(position);
            }
            return Ok(Some(position));
        }
    }

    /// Verifies the next range. `false` when there is none.
    fn extend(&mut self) -> Result<bool, IoError> {
        let Some(range) = self.scan.next_range()? else {
            self.cursor = self.limit;
            return Ok(false);
        };
        let record = range.record;
        if record.range_start() > self.limit {
            // What stands in front of the checksum record in its sector is stale, and the record that reached into
            // it was never finished.
            self.cursor = record.offset;
        }
        self.barrier = record.offset;
        self.limit = range.end;
        Ok(true)
    }

    fn stop(&self, defect: StreamDefect) -> LegacyStop {
        LegacyStop::Stream(self.scan.position(self.cursor), defect)
    }

    /// The bytes of the record delivered last.
    pub(crate) fn current(&self) -> &[u8] {
        self.scan.held(self.current.0, self.current.1)
    }

    pub(crate) fn defect(&self) -> Option<LogDefect> {
        self.scan.defect()
    }

    /// The position behind the data verified so far.
    pub(crate) fn end(&self) -> LogPosition {
        self.scan.position(self.limit)
    }

    /// The verdict; to be called after [`next`](Self::next) said `None`.
    pub(crate) fn finish(self) -> Result<EndOfLog, IoError> {
        let mut found = self.scan.finish()?;
        found.closed_at = self.closed_at;
        Ok(found)
    }
}
