//! Verification of a whole log while it is copied, as the engine does it for a backup.

use std::path::PathBuf;
use std::sync::Arc;

use ese_format::{LogHeader, LogHeaderChecks};
use ese_io::File;

use crate::error::LogError;
use crate::read::{OpenLog, ScanOptions};
use crate::segment::{SEGMENT_SIZE, SegmentJudgement, flip_bit, judge_segment};

/// Verifies a log piece by piece while it streams through a backup.
///
/// Every segment of the file counts, also behind the end of the data: all zero, or a good checksum for its own place or
/// for the place before it. Single flipped bits are corrected in the caller's buffer, so that the copy is right.
/// Logs of major version 7 have no segments: their chain of ranges is verified when the copy begins.
#[derive(Debug)]
pub struct LogCopyVerifier {
    file: PathBuf,
    /// `None` for major version 7.
    segments: Option<u16>,
    next: u64,
    counts: LogCopyCounts,
}

/// What the segments of a copied log were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCopyCounts {
    /// Good for their own place.
    pub good: u32,
    /// Good for the place before.
    pub shadows: u32,
    /// All zero.
    pub zero: u32,
    /// Of the good ones and shadows: with a corrected bit.
    pub corrected: u32,
}

impl LogCopyVerifier {
    /// Reads and checks the header of `file`, and the whole body of a log of major version 7.
    ///
    /// # Errors
    /// [`LogError::CopyVerify`] (`JET_errLogReadVerifyFailure`) for a damaged header or old-format body,
    /// [`LogError::Storage`] when the device fails.
    pub fn begin(file: Arc<dyn File>) -> Result<Self, LogError> {
        let path = file.path().to_path_buf();
        let unusable = |sector, reason: String| LogError::CopyVerify { file: path.clone(), sector, reason };
        let log = match OpenLog::from_file(file, &LogHeaderChecks::default()) {
            Ok(log) => log,
            Err(error @ LogError::Storage(_)) => return Err(error),
            Err(error) => return Err(unusable(0, error.to_string())),
        };
        let has_segments = log.header().version().has_segments();
        if !has_segments {
            match log.scan(ScanOptions::default()) {
                Ok(end) => {
                    if let Some(defect) = end.defect {
                        return Err(unusable(defect.sector, defect.kind.name().to_owned()));
                    }
                }
                Err(error @ LogError::Storage(_)) => return Err(error),
                Err(error) => return Err(unusable(0, error.to_string())),
            }
        }
        let segments = has_segments.then(|| log.header().file_sectors());
        Ok(Self { file: path, segments, next: 0, counts: LogCopyCounts::default() })
    }

    /// Verifies the next piece, which follows the one before: whole segments, beginning with the header.
    ///
    /// # Errors
    /// [`LogError::CopyVerify`] (`JET_errLogReadVerifyFailure`) for a damaged segment, a piece that is no multiple of a
    /// segment, or more bytes than the file has.
    pub fn verify(&mut self, piece: &mut [u8]) -> Result<(), LogError> {
        let Some(segments) = self.segments else {
            self.next += piece.len() as u64;
            return Ok(());
        };
        let sector = u16::try_from(self.next / SEGMENT_SIZE as u64).unwrap_or(u16::MAX);
        if !piece.len().is_multiple_of(SEGMENT_SIZE) {
            let reason = format!("piece of {} bytes is no multiple of {SEGMENT_SIZE}", piece.len());
            return Err(self.failure(sector, reason));
        }
        for segment in piece.chunks_exact_mut(SEGMENT_SIZE) {
            let sector = u16::try_from(self.next / SEGMENT_SIZE as u64).unwrap_or(u16::MAX);
            if sector >= segments {
                return Err(self.failure(sector, format!("the file has {segments} segments")));
            }
            self.next += SEGMENT_SIZE as u64;
            if sector == 0 {
                if let Err(error) = LogHeader::parse(segment) {
                    return Err(self.failure(0, error.to_string()));
                }
                continue;
            }
            let flipped = match judge_segment(segment, sector) {
                SegmentJudgement::Own { flipped_bit, .. } => {
                    self.counts.good += 1;
                    flipped_bit
                }
                SegmentJudgement::Shadow { flipped_bit } => {
                    self.counts.shadows += 1;
                    flipped_bit
                }
                SegmentJudgement::Zero => {
                    self.counts.zero += 1;
                    None
                }
                SegmentJudgement::Damaged { stored, computed } => {
                    let reason = format!("checksum is {stored}, the content gives {computed}");
                    return Err(self.failure(sector, reason));
                }
            };
            if let Some(bit) = flipped {
                flip_bit(segment, bit);
                self.counts.corrected += 1;
            }
        }
        Ok(())
    }

    /// Ends the verification: everything must have passed by.
    ///
    /// # Errors
    /// [`LogError::CopyVerify`] when the pieces ended before the file.
    pub fn finish(self) -> Result<LogCopyCounts, LogError> {
        match self.segments {
            Some(segments) if self.next < u64::from(segments) * SEGMENT_SIZE as u64 => {
                let sector = u16::try_from(self.next / SEGMENT_SIZE as u64).unwrap_or(u16::MAX);
                Err(self.failure(sector, format!("the copy ends here, the file has {segments} segments")))
            }
            _ => Ok(self.counts),
        }
    }

    fn failure(&self, sector: u16, reason: String) -> LogError {
        LogError::CopyVerify { file: self.file.clone(), sector, reason }
    }
}
