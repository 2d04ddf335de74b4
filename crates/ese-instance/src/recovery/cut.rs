//! Ending a log where redo was told to stop, so that undo can go on from there.

use ese_format::{LOG_SEGMENT_SIZE, LogGeneration, LogPosition, PageNumber, write_page_checksum};
use ese_io::{OpenMode, OpenOptions};
use ese_log::{OpenLog, ScanOptions};

use super::error::RecoveryError;
use super::replay::Replay;
use super::source::LogSource;

/// Bytes of a segment in front of its records.
const SEGMENT_HEADER: usize = 40;

impl Replay<'_> {
    /// Cuts the log in front of `position`: what stood there and behind it is gone, later generations are deleted, the last
    /// first. For a copy of the logs, or with the caller's consent.
    pub(super) fn cut_log(&mut self, source: &LogSource, position: LogPosition) -> Result<(), RecoveryError> {
        let storage = &*self.environment.storage;
        let Some(log) = self.last_log.clone() else {
            return Err(RecoveryError::Unsupported("the stop lies in front of the start of redo"));
        };
        if !log.header().version().has_segments() {
            return Err(RecoveryError::Unsupported("logs of this old form cannot be cut"));
        }
        for (_, header) in self.attached() {
            let required = header.state.lock().initial_required;
            if required >= self.generation {
                return Err(RecoveryError::RequiredLogsMissing {
                    database: header.path.clone(),
                    first: self.generation,
                    last: required,
                    found: format!(
                        "the stop in generation {} lies in front of changes that the file may hold",
                        self.generation
                    ),
                });
            }
        }
        let current = source.directory.current.as_ref().map(|f| f.path.clone());
        let is_current = current.as_deref() == Some(log.path());
        if let Some(current) = current.filter(|_| !is_current) {
            storage.remove(&current)?;
        }
        let next = LogGeneration(self.generation.0.saturating_add(1));
        for (_, file) in source.directory.archived.range(next..).rev() {
            storage.remove(&file.path)?;
        }
        if position.is_none() {
            self.ended_in_current = false;
            storage.sync_directory(&source.directory.directory)?;
            return Ok(());
        }
        let file = storage.open(log.path(), OpenOptions::new(OpenMode::ReadWrite))?;
        let first = u64::from(position.sector);
        let mut segment = vec![0; LOG_SEGMENT_SIZE];
        for sector in first..u64::from(log.header().file_sectors()) {
            let offset = sector * LOG_SEGMENT_SIZE as u64;
            let keep = usize::from(position.byte);
            if sector == first && keep > SEGMENT_HEADER {
                file.read_exact_at(offset, &mut segment)?;
                segment.get_mut(keep..).unwrap_or_default().fill(0);
                let _ = write_page_checksum(&mut segment, PageNumber(position.sector.into()));
            } else {
                segment.fill(0);
            }
            file.write_at(offset, &segment)?;
        }
        file.sync()?;
        storage.sync_directory(&source.directory.directory)?;
        let log = OpenLog::open(storage, log.path(), &source.checks)?;
        self.last_end =
            Some(log.scan(ScanOptions { is_current, accepts_repair: true, ..ScanOptions::default() })?);
        self.last_log = Some(log);
        self.ended_in_current = is_current;
        Ok(())
    }
}
