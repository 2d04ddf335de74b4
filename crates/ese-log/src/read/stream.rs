//! The records of a stream, from generation to generation.

use std::path::PathBuf;
use std::sync::Arc;

use ese_format::{LogGeneration, LogHeader, LogHeaderChecks, LogPosition};
use ese_io::Storage;

use crate::context::ReplayContext;
use crate::discovery::LogSet;
use crate::error::LogError;
use crate::scan::{ChunkReader, EndOfLog, ReadAhead};

use super::continuity::check_follows;
use super::generation::{GenerationReader, RawRecord};
use super::open::{OpenLog, ScanOptions};

/// What a stream is read for, and from where.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// Where to begin: the position of a record, usually the checkpoint. [`LogPosition::NONE`] for the lowest
    /// generation there is.
    pub start: LogPosition,
    /// The last generation to read, when later ones are not wanted.
    pub last: Option<LogGeneration>,
    /// What headers are held against. The signature is taken from the first log when it is not told.
    pub checks: LogHeaderChecks,
    /// Highest generation of the backup set in a restore; `None` in recovery after a crash and for dumps.
    pub highest_restored: Option<LogGeneration>,
    /// Whether a torn end that can be set right is accepted (recovery) or reported (dump).
    pub accepts_repair: bool,
    /// Whether a thread of its own reads the next pieces, and the start of the next log, while records are delivered.
    pub read_ahead: bool,
}

/// What a stream delivers.
#[derive(Debug)]
pub enum StreamItem<'a> {
    /// A generation begins; its header was checked and follows the one before.
    Generation(&'a LogHeader),
    /// A record of it.
    Record(RawRecord<'a>),
}

/// How the last generation of a stream ended.
#[derive(Clone, Debug)]
pub struct StreamEnd {
    /// The file.
    pub file: PathBuf,
    /// Its header.
    pub header: LogHeader,
    /// Whether it is the log being written.
    pub is_current: bool,
    /// Its verdict.
    pub end: EndOfLog,
}

/// Reads a stream across its generations, checking that each follows the one before: signature, number, creation time,
/// and the checksum of all segments where the version has it.
///
/// Memory does not grow with the stream. After an error there is nothing more.
pub struct StreamReader<'s> {
    storage: &'s dyn Storage,
    sets: Vec<LogSet>,
    options: StreamOptions,
    reader: Option<GenerationReader>,
    is_current: bool,
    previous: Option<StreamEnd>,
    ahead: Option<Arc<ReadAhead>>,
    /// The next log, opened in advance.
    prepared: Option<Prepared>,
    started: bool,
    done: bool,
}

/// A log opened in advance: what was wrong with it is found when its turn comes.
struct Prepared {
    path: PathBuf,
    log: OpenLog,
    chunks: ChunkReader,
}

impl<'s> StreamReader<'s> {
    /// A reader over the logs of `sets`: a generation is taken from the first set that has it, the log being written
    /// from the last. A restore has two, the backup and the log directory; everything else has one.
    #[must_use]
    pub fn new(storage: &'s dyn Storage, sets: Vec<LogSet>, options: StreamOptions) -> Self {
        let ahead = if options.read_ahead { ReadAhead::start() } else { None };
        Self {
            storage,
            sets,
            options,
            reader: None,
            is_current: false,
            previous: None,
            ahead,
            prepared: None,
            started: false,
            done: false,
        }
    }

    /// The next thing, or `None` at the end of the stream.
    ///
    /// # Errors
    /// Those of [`OpenLog::open`] and [`GenerationReader::next`]; [`LogError::Sequence`] and
    /// [`LogError::SequenceChecksum`] for a log that does not follow, [`LogError::Missing`] for a generation that is
    /// not there though it has to be.
    #[expect(clippy::should_implement_trait, reason = "the item borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<StreamItem<'_>>, LogError> {
        let step = self.step();
        if !matches!(step, Ok(Step::Record | Step::Generation)) {
            self.done = true;
        }
        match step? {
            Step::End => Ok(None),
            Step::Generation => Ok(self.header().map(StreamItem::Generation)),
            Step::Record => {
                Ok(self.reader.as_ref().and_then(GenerationReader::current).map(StreamItem::Record))
            }
        }
    }

    /// The header of the generation being read.
    #[must_use]
    pub fn header(&self) -> Option<&LogHeader> {
        self.reader.as_ref().map(|r| r.log().header())
    }

    /// The file being read.
    #[must_use]
    pub fn log(&self) -> Option<&OpenLog> {
        self.reader.as_ref().map(GenerationReader::log)
    }

    /// How the last generation read to its end ended: after the whole stream the place where writing can go on.
    #[must_use]
    pub fn last_end(&self) -> Option<&StreamEnd> {
        self.previous.as_ref()
    }

    fn step(&mut self) -> Result<Step, LogError> {
        if self.done {
            return Ok(Step::End);
        }
        if let Some(reader) = &mut self.reader {
            if reader.advance()? {
                return Ok(Step::Record);
            }
            self.close()?;
        }
        if !self.open_next()? {
            return Ok(Step::End);
        }
        Ok(Step::Generation)
    }

    /// Ends the generation that was read.
    fn close(&mut self) -> Result<(), LogError> {
        if let Some(reader) = self.reader.take() {
            let (file, header) = (reader.log().path().to_path_buf(), reader.log().header().clone());
            let end = reader.finish()?;
            self.previous = Some(StreamEnd { file, header, is_current: self.is_current, end });
        }
        Ok(())
    }

    /// Opens the generation after the last one; `false` when the stream ends.
    fn open_next(&mut self) -> Result<bool, LogError> {
        let wanted = match &self.previous {
            Some(previous) if previous.is_current => return Ok(false),
            Some(previous) => Some(previous.header.generation().next()),
            None if self.started => return Ok(false),
            None => self.first_generation(),
        };
        self.started = true;
        if self.options.last.is_some_and(|last| wanted.is_some_and(|w| w > last)) {
            return Ok(false);
        }
        let Some((path, is_current)) = self.locate(wanted) else {
            return match wanted {
                Some(g) if self.previous.is_none() || self.sets.iter().any(|s| s.highest() > Some(g)) => {
                    Err(self.missing(g))
                }
                _ => Ok(false),
            };
        };
        let (log, chunks) = match self.prepared.take().filter(|p| p.path == path) {
            Some(prepared) => (prepared.log, Some(prepared.chunks)),
            None => (OpenLog::open(self.storage, &path, &self.options.checks)?, None),
        };
        if let Some(previous) = &self.previous {
            check_follows(&previous.header, Some(&previous.end), log.path(), log.header())?;
        } else if let Some(wanted) = wanted.filter(|&w| w != log.generation()) {
            if is_current {
                return Err(self.missing(wanted));
            }
            let (found, found_previous) = (log.generation(), log.header().previous_create_time());
            return Err(LogError::Sequence {
                file: path,
                expected: wanted,
                found,
                expected_previous: found_previous,
                found_previous,
            });
        }
        if self.options.last.is_some_and(|last| log.generation() > last) {
            return Ok(false);
        }
        self.options.checks.signature = Some(log.header().signature());
        let start = match self.previous {
            None => self.options.start,
            Some(_) => LogPosition::NONE,
        };
        self.is_current = is_current;
        let has_segments = log.header().version().has_segments();
        let chunks = chunks.or_else(|| has_segments.then(|| log.chunks(self.ahead.clone())));
        self.reader = Some(log.records_from(start, self.scan_options(log.generation()), chunks));
        if !is_current && self.ahead.is_some() {
            self.prepare(log.generation().next());
        }
        Ok(true)
    }

    /// The file that should hold a generation, and whether it is the log being written.
    fn locate(&self, wanted: Option<LogGeneration>) -> Option<(PathBuf, bool)> {
        let archived = wanted.and_then(|g| self.sets.iter().find_map(|s| s.archived.get(&g)));
        let current = self.sets.last().and_then(|s| s.current.as_ref());
        match (archived, current) {
            (Some(file), _) => Some((file.path.clone(), false)),
            (None, Some(file)) => Some((file.path.clone(), true)),
            (None, None) => None,
        }
    }

    /// Opens the next log in advance, so that its first pieces are read meanwhile. Failures wait for its turn.
    fn prepare(&mut self, generation: LogGeneration) {
        let Some((path, _)) = self.locate(Some(generation)) else { return };
        let Ok(log) = OpenLog::open(self.storage, &path, &self.options.checks) else { return };
        if log.header().version().has_segments() {
            let chunks = log.chunks(self.ahead.clone());
            self.prepared = Some(Prepared { path, log, chunks });
        }
    }

    fn scan_options(&self, generation: LogGeneration) -> ScanOptions {
        let context = match self.options.highest_restored {
            None => ReplayContext::Soft,
            Some(highest) => ReplayContext::of_restore(generation.0, highest.0),
        };
        ScanOptions {
            context,
            is_current: self.is_current,
            accepts_repair: self.options.accepts_repair,
            count_all: false,
            threads: 1,
        }
    }

    fn first_generation(&self) -> Option<LogGeneration> {
        if self.options.start.generation != 0 {
            return Some(LogGeneration(self.options.start.generation));
        }
        self.sets.iter().filter_map(LogSet::lowest).min()
    }

    fn missing(&self, generation: LogGeneration) -> LogError {
        let file = self.sets.last().map(|s| s.archived_path(generation)).unwrap_or_default();
        LogError::Missing { generation, file }
    }
}

enum Step {
    Generation,
    Record,
    End,
}
