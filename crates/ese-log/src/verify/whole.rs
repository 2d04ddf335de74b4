//! Verification of one log file with everything in it.

use crate::error::LogError;
use crate::read::{OpenLog, ScanOptions};
use crate::scan::EndOfLog;

use ese_format::LogPosition;

/// The verdict on a log file and on its records.
#[derive(Clone, Debug)]
pub struct LogVerification {
    /// The state of the body.
    pub end: EndOfLog,
    /// Records in front of the first thing wrong.
    pub records: u64,
    /// Records that contradict themselves in an intact body; nothing behind them was looked at. Always
    /// [`LogError::Records`].
    pub bad_record: Option<LogError>,
}

impl LogVerification {
    /// Whether the engine's own tool would pass the file.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.end.is_usable() && self.bad_record.is_none()
    }
}

impl OpenLog {
    /// Judges the whole body and steps through all records, as the engine's dump tool does. Verification goes on after a
    /// finding as far as that makes sense.
    ///
    /// # Errors
    /// [`LogError::Storage`] only.
    pub fn verify(&self, options: ScanOptions) -> Result<LogVerification, LogError> {
        let mut reader = self.records(LogPosition::NONE, ScanOptions { count_all: true, ..options });
        let mut bad_record = None;
        loop {
            match reader.advance() {
                Ok(true) => {}
                // The damage itself is part of the verdict.
                Ok(false) | Err(LogError::Damaged { .. }) => break,
                Err(error @ LogError::Records { .. }) => {
                    bad_record = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let records = reader.record_count();
        Ok(LogVerification { end: reader.finish_body()?, records, bad_record })
    }
}
