//! The generations of a stream, one after the other: from a backup set first, then from the log directory.

use std::path::PathBuf;

use ese_format::{LogGeneration, LogHeaderChecks, LogPosition, PageSize, Signature};
use ese_io::{IoErrorKind, Storage};
use ese_log::{EndOfLog, LogError, LogFile, LogSet, OpenLog, ReplayContext, ScanOptions};

use super::error::RecoveryError;
use super::request::{RecoveryMode, RecoveryRequest};

/// The log files of a recovery.
pub(super) struct LogSource {
    set: Option<LogSet>,
    pub(super) directory: LogSet,
    mode: RecoveryMode,
    pub(super) checks: LogHeaderChecks,
    /// The current log, when it could be opened.
    pub(super) current: Option<OpenLog>,
}

/// A generation that was opened.
pub(super) struct Generation {
    pub(super) log: OpenLog,
    /// It is the log that was being written.
    pub(super) is_current: bool,
    pub(super) options: ScanOptions,
}

impl LogSource {
    /// Lists the files and opens the current log.
    pub(super) fn open(storage: &dyn Storage, request: &RecoveryRequest) -> Result<Self, RecoveryError> {
        let set = match &request.set_directory {
            Some(directory) => Some(LogSet::discover(storage, directory, &request.names)?),
            None => None,
        };
        let directory = match LogSet::discover(storage, &request.log_directory, &request.names) {
            Err(LogError::Storage(e))
                if set.is_some() && matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) =>
            {
                return Err(e.into());
            }
            found => found?,
        };
        let mut source =
            Self { set, directory, mode: request.mode, checks: LogHeaderChecks::default(), current: None };
        if let Some(current) = source.directory.current.clone() {
            source.current = Some(source.open_file(storage, &current)?);
        }
        Ok(source)
    }

    /// From now on logs must belong to this stream.
    pub(super) fn expect(&mut self, signature: Signature, page_size: PageSize) {
        self.checks.signature = Some(signature);
        self.checks.page_size = Some(page_size);
    }

    fn open_file(&self, storage: &dyn Storage, file: &LogFile) -> Result<OpenLog, RecoveryError> {
        Ok(OpenLog::open(storage, &file.path, &self.checks)?)
    }

    /// Lowest generation there is.
    pub(super) fn lowest(&self) -> Option<LogGeneration> {
        let low = self.set.as_ref().and_then(LogSet::lowest).or(self.directory.lowest());
        low.or(self.current.as_ref().map(OpenLog::generation))
    }

    /// Highest generation there is.
    pub(super) fn highest(&self) -> Option<LogGeneration> {
        [
            self.set.as_ref().and_then(LogSet::highest),
            self.directory.highest(),
            self.current.as_ref().map(OpenLog::generation),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// The error for a stream of archived logs alone.
    pub(super) fn missing_current_log(&self, last: LogGeneration) -> RecoveryError {
        RecoveryError::MissingCurrentLog {
            file: self.directory.current_path(),
            last: self.highest().unwrap_or(last),
        }
    }

    /// Where an archived generation lies.
    fn archived(&self, generation: LogGeneration) -> Option<&LogFile> {
        let set = self.set.as_ref().and_then(|s| s.archived.get(&generation));
        set.or_else(|| self.directory.archived.get(&generation))
    }

    /// Every generation there is, with its file's length, ascending.
    pub(super) fn generations(&self) -> Vec<(LogGeneration, PathBuf, u64)> {
        let mut all = std::collections::BTreeMap::new();
        if let (Some(current), Some(file)) = (&self.current, &self.directory.current) {
            all.insert(current.generation(), (file.path.clone(), file.len));
        }
        for set in [Some(&self.directory), self.set.as_ref()].into_iter().flatten() {
            for (generation, file) in &set.archived {
                all.insert(*generation, (file.path.clone(), file.len));
            }
        }
        all.into_iter().map(|(generation, (path, len))| (generation, path, len)).collect()
    }

    /// Opens a generation. `None` when the logs end before it.
    pub(super) fn generation(
        &self,
        storage: &dyn Storage,
        generation: LogGeneration,
    ) -> Result<Option<Generation>, RecoveryError> {
        let context = match self.mode {
            RecoveryMode::Soft => ReplayContext::Soft,
            RecoveryMode::Hard { high, .. } => ReplayContext::of_restore(generation.0, high.0),
        };
        let options =
            ScanOptions { context, is_current: false, accepts_repair: true, ..ScanOptions::default() };
        if let Some(file) = self.archived(generation) {
            let log = self.open_file(storage, file)?;
            return Ok(Some(Generation { log, is_current: false, options }));
        }
        // Where a generation is not archived the current log must be it; that it is not is a broken sequence, which its
        // header tells.
        if self.current.is_none() {
            return self.gap(generation);
        }
        // Its header is checked again: by now the stream is known.
        let Some(file) = &self.directory.current else { return Ok(None) };
        let log = self.open_file(storage, file)?;
        let options = ScanOptions { is_current: true, ..options };
        Ok(Some(Generation { log, is_current: true, options }))
    }

    fn gap(&self, generation: LogGeneration) -> Result<Option<Generation>, RecoveryError> {
        if self.highest().is_some_and(|highest| highest > generation) {
            return Err(self.missing(generation));
        }
        Ok(None)
    }

    fn missing(&self, generation: LogGeneration) -> RecoveryError {
        let file = self.directory.archived_path(generation);
        LogError::Missing { generation, file }.into()
    }
}

/// Whether `next` continues `previous`, whose body ended as `end` says.
pub(super) fn check_continuity(
    previous: &OpenLog,
    end: &EndOfLog,
    next: &OpenLog,
) -> Result<(), RecoveryError> {
    let (a, b) = (previous.header(), next.header());
    let expected = LogGeneration(a.generation().0.wrapping_add(1));
    if b.generation() != expected || b.previous_create_time() != a.create_time() {
        return Err(LogError::Sequence {
            file: next.path().to_path_buf(),
            expected,
            found: b.generation(),
            expected_previous: a.create_time(),
            found_previous: b.previous_create_time(),
        }
        .into());
    }
    if b.version().has_previous_checksum() && b.previous_segments_checksum() != end.accumulated_checksum {
        return Err(LogError::SequenceChecksum {
            file: next.path().to_path_buf(),
            expected: end.accumulated_checksum,
            found: b.previous_segments_checksum(),
        }
        .into());
    }
    Ok(())
}

/// First position of records in a log.
pub(super) fn first_position(log: &OpenLog) -> LogPosition {
    LogPosition::new(log.generation().0, log.header().header_sectors(), 0)
}
