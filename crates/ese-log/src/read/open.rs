//! One log file, opened and its header checked.

use std::path::Path;
use std::sync::Arc;

use ese_format::{HeaderError, HeaderStructure, LogGeneration, LogHeader, LogHeaderChecks};
use ese_io::{File, OpenOptions, Storage};

use crate::context::ReplayContext;
use crate::error::LogError;
use crate::legacy::{LegacyRules, LegacyStop, LegacyWalker};
use crate::scan::{ChunkReader, EndOfLog, Geometry, ReadAhead, SegmentScan, judge_all};

/// How a log file's body is to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanOptions {
    /// What the log is read for.
    pub context: ReplayContext,
    /// Whether the file is the log being written, not an archived generation. Matters for major version 7, where only
    /// the log being written may be set right.
    pub is_current: bool,
    /// Whether a torn end that can be set right is accepted (recovery) or reported (dump). Matters for major version 7.
    pub accepts_repair: bool,
    /// Whether the scan goes on after a defect, to count what is there.
    pub count_all: bool,
    /// Threads that a scan of a large log of major version 8 may use: 1 is the caller's alone, 0 as many as are of use.
    pub threads: usize,
}

/// A log file whose header was read and checked.
#[derive(Clone)]
pub struct OpenLog {
    pub(super) file: Arc<dyn File>,
    pub(super) geometry: Geometry,
    header: LogHeader,
}

impl OpenLog {
    /// Opens the file and checks its header in the engine's order. `checks.file_size` is set to the file's own length.
    ///
    /// # Errors
    /// [`LogError::Storage`] when it cannot be read; a file shorter than a header gives `JET_errFileIOBeyondEOF`.
    /// [`LogError::Header`] for everything that [`LogHeader::parse`] and [`LogHeader::check`] refuse.
    #[doc(alias = "ErrLGReadFileHdr")]
    pub fn open(storage: &dyn Storage, path: &Path, checks: &LogHeaderChecks) -> Result<Self, LogError> {
        Self::from_file(storage.open(path, OpenOptions::READ)?, checks)
    }

    /// As [`open`](Self::open), for a file that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: Arc<dyn File>, checks: &LogHeaderChecks) -> Result<Self, LogError> {
        let mut bytes = vec![0; LogHeader::SIZE];
        file.read_exact_at(0, &mut bytes)?;
        let refuse = |error| LogError::Header { file: file.path().to_path_buf(), error };
        let header = LogHeader::parse(&bytes).map_err(refuse)?;
        let checks = LogHeaderChecks { file_size: Some(file.len()?), ..checks.clone() };
        header.check(&checks).map_err(refuse)?;
        let geometry = geometry(&header).map_err(refuse)?;
        Ok(Self { file, geometry, header })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &LogHeader {
        &self.header
    }

    /// Its generation.
    #[must_use]
    pub fn generation(&self) -> LogGeneration {
        self.header.generation()
    }

    /// Finds the end of the data and judges the whole body. Nothing is written.
    ///
    /// For major version 7 the records are walked too, as the engine does there.
    ///
    /// # Errors
    /// [`LogError::Storage`] only: damage is part of the answer. Malformed records in intact ranges of major version 7
    /// are [`LogError::Records`].
    pub fn scan(&self, options: ScanOptions) -> Result<EndOfLog, LogError> {
        if self.header.version().has_segments() {
            let chunks = self.chunks(None);
            let scan = SegmentScan::new(chunks, self.geometry, options.context, options.count_all);
            let judged = judge_all(&self.file, self.geometry, options.threads);
            return Ok(scan.judged(judged).finish()?);
        }
        let mut walker = self.legacy_walker(options);
        loop {
            match walker.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(walker.finish()?),
                Err(stop) => return Err(self.legacy_error(stop, options.context)),
            }
        }
    }

    /// The sectors of the body, read in order.
    pub(super) fn chunks(&self, ahead: Option<Arc<ReadAhead>>) -> ChunkReader {
        ChunkReader::new(Arc::clone(&self.file), self.geometry, ahead)
    }

    pub(super) fn legacy_walker(&self, options: ScanOptions) -> LegacyWalker {
        let rules = LegacyRules {
            context: options.context,
            is_current: options.is_current,
            accepts_repair: options.accepts_repair,
        };
        LegacyWalker::new(Arc::clone(&self.file), self.geometry, rules)
    }

    pub(super) fn legacy_error(&self, stop: LegacyStop, context: ReplayContext) -> LogError {
        match stop {
            LegacyStop::Io(error) => error.into(),
            LegacyStop::Stream(position, defect) => {
                LogError::Records { file: self.path().to_path_buf(), position, defect, context }
            }
        }
    }
}

/// The numbers that the body is read by; a file without room for a sector of data and its shadow is refused.
fn geometry(header: &LogHeader) -> Result<Geometry, HeaderError> {
    let wrong = |field, expected: String, found: u32| HeaderError::Field {
        structure: HeaderStructure::LogHeader,
        field,
        expected,
        found: found.to_string(),
    };
    // `check` let pass 512, 1024, 2048 and 4096 only.
    let sector_size = u32::from(header.sector_size());
    let header_sectors = (LogHeader::SIZE as u32).checked_div(sector_size);
    let header_sectors = header_sectors.and_then(|n| u16::try_from(n).ok()).filter(|&n| n != 0);
    let Some(header_sectors) = header_sectors else {
        return Err(wrong("cbSec", "512 to 4096".to_owned(), sector_size));
    };
    let least = header_sectors + 2;
    let sectors = header.file_sectors();
    if sectors < least {
        return Err(wrong("csecLGFile", format!("at least {least}"), u32::from(sectors)));
    }
    let generation = header.generation();
    if generation.0 == 0 || generation > LogGeneration::MAX {
        let expected = format!("1 to {}", LogGeneration::MAX.0);
        return Err(wrong("lGeneration", expected, generation.0));
    }
    let zero_filled = header.version().has_zero_fill();
    Ok(Geometry { generation: generation.0, sector_size, header_sectors, sectors, zero_filled })
}
