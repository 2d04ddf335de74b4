//! The records of one generation.

use ese_format::{LogPosition, LogTime};

use crate::error::LogError;
use crate::legacy::LegacyWalker;
use crate::scan::{ChunkReader, EndOfLog, LogDefect, SegmentScan};
use crate::walk::{Found, Place, SegmentWalker};

use super::open::{OpenLog, ScanOptions};

/// Where a segment's time stands in its header.
const SEGMENT_TIME_OFFSET: usize = 16;

/// One record of a log: its position and its bytes, to be decoded by [`Record::decode`](crate::record::Record::decode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// Where its append began: before fill and segment header, and before its first fragment.
    pub position: LogPosition,
    /// Its bytes, put together when it was fragmented. The first one is its type.
    pub bytes: &'a [u8],
}

/// Reads the records of one generation in order, verifying the file on the way.
///
/// Records in front of a damage are delivered, then the damage is an error: that is how the engine replays. Filling is
/// left out; records of type `NOP2` and, in major version 7, checksum records are delivered.
pub struct GenerationReader {
    log: OpenLog,
    options: ScanOptions,
    start: LogPosition,
    body: Body,
    /// The record found last.
    current: Option<(LogPosition, Bytes)>,
    /// The end was reached, or an error delivered.
    done: bool,
    records: u64,
}

enum Body {
    Segments { scan: Box<SegmentScan>, walker: SegmentWalker, sector: Option<u16> },
    Legacy(Box<LegacyWalker>),
}

impl OpenLog {
    /// The records of this generation from `start` on, which must be the position of a record (or lie in the filling in
    /// front of one); [`LogPosition::NONE`] for all.
    #[must_use]
    pub fn records(&self, start: LogPosition, options: ScanOptions) -> GenerationReader {
        self.records_from(start, options, None)
    }

    /// The same with a reader of the body that was prepared before.
    pub(super) fn records_from(
        &self,
        start: LogPosition,
        options: ScanOptions,
        chunks: Option<ChunkReader>,
    ) -> GenerationReader {
        let body = if self.header().version().has_segments() {
            let chunks = chunks.unwrap_or_else(|| self.chunks(None));
            let scan = SegmentScan::new(chunks, self.geometry, options.context, options.count_all);
            let first = start.sector.max(self.geometry.header_sectors);
            let mid_stream = first > self.geometry.header_sectors;
            let walker = SegmentWalker::new(first, self.geometry.record_limit(), mid_stream);
            Body::Segments { scan: Box::new(scan), walker, sector: None }
        } else {
            Body::Legacy(Box::new(self.legacy_walker(options)))
        };
        GenerationReader { log: self.clone(), options, start, body, current: None, done: false, records: 0 }
    }
}

/// Where the bytes of the record found lie.
#[derive(Clone, Copy)]
enum Bytes {
    /// In the current segment.
    Segment { start: usize, end: usize },
    /// In the walker, put together.
    Assembled,
    /// In the piece of the file that the walker of major version 7 holds.
    Piece,
}

impl GenerationReader {
    /// The file being read.
    #[must_use]
    pub fn log(&self) -> &OpenLog {
        &self.log
    }

    /// Number of records delivered so far.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.records
    }

    /// When the segment that the last record ended in was begun: the record was written then or later, but not later
    /// than the next segment was begun. `None` before the first record, where the segment tells no time, and in major
    /// version 7, which has no such times.
    #[must_use]
    #[doc(alias = "logtimeSegmentStart")]
    pub fn segment_time(&self) -> Option<LogTime> {
        let Body::Segments { scan, .. } = &self.body else { return None };
        let stored = scan.segment().get(SEGMENT_TIME_OFFSET..)?.first_chunk::<8>()?;
        Some(LogTime(*stored)).filter(|time| !time.is_none())
    }

    /// The next record, or `None` at the end of the data.
    ///
    /// # Errors
    /// [`LogError::Damaged`] after the last record in front of a damage, [`LogError::Records`] for records that
    /// contradict themselves, [`LogError::Storage`] when the device fails. After an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "the record borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<RawRecord<'_>>, LogError> {
        if self.advance()? { Ok(self.current()) } else { Ok(None) }
    }

    /// Goes to the next record; `false` at the end of the data. [`current`](Self::current) shows it.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn advance(&mut self) -> Result<bool, LogError> {
        self.current = None;
        if self.done {
            return Ok(false);
        }
        match self.find() {
            Ok(Some(found)) => {
                self.records += 1;
                self.current = Some(found);
                Ok(true)
            }
            Ok(None) => {
                self.done = true;
                Ok(false)
            }
            Err(error) => {
                self.done = true;
                Err(error)
            }
        }
    }

    /// The record that the reader stands at, if any.
    #[must_use]
    pub fn current(&self) -> Option<RawRecord<'_>> {
        let (position, bytes) = self.current?;
        let bytes = match (&self.body, bytes) {
            (Body::Segments { scan, .. }, Bytes::Segment { start, end }) => scan.segment().get(start..end)?,
            (Body::Segments { walker, .. }, Bytes::Assembled) => walker.assembled(),
            (Body::Legacy(walker), Bytes::Piece) => walker.current(),
            _ => return None,
        };
        Some(RawRecord { position, bytes })
    }

    fn find(&mut self) -> Result<Option<(LogPosition, Bytes)>, LogError> {
        loop {
            let found = match &mut self.body {
                Body::Segments { scan, walker, sector } => {
                    match next_in_segments(scan, walker, sector, self.start.sector) {
                        Ok(found) => found.map(|(at, bytes)| (self.position(at), bytes)),
                        Err(SegmentStop::Io(error)) => return Err(error.into()),
                        Err(SegmentStop::Stream(at, defect)) => {
                            return Err(LogError::Records {
                                file: self.log.path().to_path_buf(),
                                position: self.position(at),
                                defect,
                                context: self.options.context,
                            });
                        }
                    }
                }
                Body::Legacy(walker) => match walker.next() {
                    Ok(found) => found.map(|at| (at, Bytes::Piece)),
                    Err(stop) => return Err(self.log.legacy_error(stop, self.options.context)),
                },
            };
            match found {
                Some((position, _)) if position < self.start => {}
                Some(found) => return Ok(Some(found)),
                None => return self.defect().map_or(Ok(None), Err),
            }
        }
    }

    fn position(&self, at: Place) -> LogPosition {
        LogPosition::new(self.log.geometry.generation, at.sector, at.byte)
    }

    /// The damage that ends the data, as an error.
    fn defect(&self) -> Option<LogError> {
        let (defect, position): (Option<LogDefect>, LogPosition) = match &self.body {
            Body::Segments { scan, .. } => (scan.defect(), scan.end()),
            Body::Legacy(walker) => (walker.defect(), walker.end()),
        };
        let (file, context) = (self.log.path().to_path_buf(), self.options.context);
        defect.map(|defect| LogError::Damaged { file, position, defect, context })
    }

    /// The verdict on the generation. What was not read yet is scanned first, without looking at its records (major
    /// version 7: walking them, because only the walk finds the end).
    ///
    /// # Errors
    /// As [`OpenLog::scan`].
    pub fn finish(self) -> Result<EndOfLog, LogError> {
        match self.body {
            Body::Segments { scan, .. } => Ok(scan.finish()?),
            Body::Legacy(mut walker) => loop {
                match walker.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(walker.finish()?),
                    Err(stop) => return Err(self.log.legacy_error(stop, self.options.context)),
                }
            },
        }
    }
}

impl GenerationReader {
    /// As [`finish`](Self::finish), for a walk that stopped at bad records: what lies behind them in a log of major version 7
    /// is not looked at.
    pub(crate) fn finish_body(self) -> Result<EndOfLog, LogError> {
        match self.body {
            Body::Segments { scan, .. } => Ok(scan.finish()?),
            Body::Legacy(walker) => Ok(walker.finish()?),
        }
    }
}

enum SegmentStop {
    Io(ese_io::IoError),
    Stream(Place, crate::walk::StreamDefect),
}

#[inline]
fn next_in_segments(
    scan: &mut SegmentScan,
    walker: &mut SegmentWalker,
    current: &mut Option<u16>,
    first: u16,
) -> Result<Option<(Place, Bytes)>, SegmentStop> {
    loop {
        if let Some(sector) = *current {
            match walker.next(scan.segment(), sector) {
                Ok(Found::Inside { at, start, end }) => return Ok(Some((at, Bytes::Segment { start, end }))),
                Ok(Found::Assembled { at }) => return Ok(Some((at, Bytes::Assembled))),
                Ok(Found::EndOfSegment) => {}
                Err((at, defect)) => return Err(SegmentStop::Stream(at, defect)),
            }
        }
        *current = scan.next_data().map_err(SegmentStop::Io)?;
        match *current {
            None => return Ok(None),
            // The walk starts in the middle; segments in front of it are verified only.
            Some(sector) if sector < first => *current = None,
            Some(_) => {}
        }
    }
}
