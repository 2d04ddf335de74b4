//! A database of a set: what its header and trailer page say, and its copy for the restore.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{
    BackupInfo, DatabaseHeader, DatabaseHeaderPair, LogGeneration, LogTime, PageSize, Signature, TrailerPage,
};
use ese_instance::{EventId, EventLog};
use ese_io::{File, OpenOptions, Storage};

use super::error::RestoreError;
use crate::page_source::PageSource;
use crate::progress::Progress;

/// Header pages, and a trailer page at least.
const LEAST_PAGES: u64 = 3;

/// A database of a set whose header, trailer and log range have been checked.
pub(super) struct CheckedDatabase {
    pub(super) path: PathBuf,
    file: Arc<dyn File>,
    /// The header for the copy: log range folded in.
    pub(super) header: DatabaseHeader,
    /// Bytes of the copy: without the trailer page.
    len: u64,
}

/// The logs that a set holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetRange {
    pub(super) low: LogGeneration,
    pub(super) high: LogGeneration,
    pub(super) signature: Signature,
}

impl CheckedDatabase {
    /// Reads and checks header and trailer, and folds what they say of the logs into the header.
    ///
    /// # Errors
    /// `DatabaseHeader`, `NotABackup`, `DatabaseTooShort`, `BadTrailer`, `TrailerMismatch`, `StartTooHigh`,
    /// `EndTooLow`, a storage error.
    pub(super) fn open(
        storage: &dyn Storage,
        path: &Path,
        range: SetRange,
        page_size: Option<PageSize>,
        events: &EventLog,
    ) -> Result<Self, RestoreError> {
        let own = || path.to_path_buf();
        let shown = || path.display().to_string();
        let file = storage.open(path, OpenOptions::READ)?;
        let mut start = vec![0; DatabaseHeaderPair::PROBE_LEN];
        let read = file.read_at(0, &mut start)?;
        let mut header = DatabaseHeaderPair::probe(start.get(..read).unwrap_or_default())
            .and_then(|pair| pair.header.check_database(page_size).map(|()| pair.header))
            .map_err(|error| RestoreError::DatabaseHeader { path: own(), error })?;
        let backup = header.current_full_backup();
        if backup.low_generation == 0 {
            return Err(RestoreError::NotABackup { path: own() });
        }
        let bytes = u64::from(header.page_size().bytes());
        let len = file.len()?;
        let (info, copy_len) = if backup.high_generation != 0 {
            // An earlier restore folded the trailer in already.
            (backup, len)
        } else {
            if len < LEAST_PAGES * bytes {
                return Err(RestoreError::DatabaseTooShort { path: own(), found: len });
            }
            let at = (len / bytes - 1) * bytes;
            let mut page = vec![0; header.page_size().len()];
            file.read_exact_at(at, &mut page)?;
            let trailer = TrailerPage::parse(&page)
                .inspect_err(|_| events.report(EventId::TRAILER_PAGE_BAD, [shown()]))
                .map_err(|error| RestoreError::BadTrailer { path: own(), error })?;
            let mut against = header.clone();
            against.set_log_signature(range.signature);
            trailer
                .check(&header, true)
                .and_then(|()| trailer.check(&against, true))
                .inspect_err(|_| events.report(EventId::RESTORE_DATABASE_MISMATCH, [shown()]))
                .map_err(|error| RestoreError::TrailerMismatch { path: own(), error })?;
            (trailer.backup(), at)
        };
        check_range(path, info, range, events)?;
        fold(&mut header, info, range.high);
        Ok(Self { path: own(), file, header, len: copy_len })
    }

    /// The copy as a source of the copy loop.
    pub(super) fn source<'a>(&self, progress: &'a dyn Progress) -> PageSource<'a> {
        PageSource::new(Arc::clone(&self.file), &self.header, self.len, Vec::new(), progress)
    }

    /// Bytes that the copy will have.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// The set's logs must cover what the database needs.
fn check_range(
    path: &Path,
    info: BackupInfo,
    range: SetRange,
    events: &EventLog,
) -> Result<(), RestoreError> {
    let path = path.to_path_buf();
    if info.low_generation < range.low.0 {
        let required = LogGeneration(info.low_generation);
        events.report(EventId::RESTORE_LOG_TOO_HIGH, [range.low.to_string(), required.to_string()]);
        return Err(RestoreError::StartTooHigh { path, required, found: range.low });
    }
    if info.high_generation > range.high.0 {
        let required = LogGeneration(info.high_generation);
        events.report(EventId::RESTORE_LOG_TOO_LOW, [range.high.to_string(), required.to_string()]);
        return Err(RestoreError::EndTooLow { path, required, found: range.high });
    }
    Ok(())
}

/// The header of a copy that is being restored: all logs of the set are required.
fn fold(header: &mut DatabaseHeader, info: BackupInfo, high: LogGeneration) {
    header.set_current_full_backup(BackupInfo { high_generation: high.0, ..info });
    if header.max_committed() < high {
        header.set_max_committed(high);
        header.set_max_committed_create_time(LogTime::NONE);
    }
    if header.max_required() < high {
        header.set_max_required(high);
        header.set_max_required_create_time(LogTime::NONE);
    }
}
