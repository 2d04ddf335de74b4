//! Whether the logs of a set, and those of the log directory, are one unbroken sequence.

use std::path::Path;

use ese_format::{LogGeneration, LogHeader};
use ese_instance::{EventId, EventLog};
use ese_io::Storage;
use ese_log::{LogSet, OpenLog};

use super::error::RestoreError;
use super::set::BackupSet;

/// A log's header with the generation that its place says it is; `None` for a current log.
struct Link {
    header: LogHeader,
    generation: Option<LogGeneration>,
    path: std::path::PathBuf,
}

impl Link {
    /// The generation that its name says, or the header of the log being written.
    fn place(&self) -> LogGeneration {
        self.generation.unwrap_or(self.header.generation())
    }
}

fn link(storage: &dyn Storage, path: &Path, generation: Option<LogGeneration>) -> Result<Link, RestoreError> {
    let log = OpenLog::open(storage, path, &Default::default())?;
    Ok(Link { header: log.header().clone(), generation, path: path.to_path_buf() })
}

/// Checks the logs inside the set: no gap, one stream, each continuing the one before, each under its own name. Returns
/// the headers of the first and the last.
///
/// # Errors
/// The first finding: `LogMissing`, a log that cannot be read, `SetLogSignature`, `SetLogNotContiguous`,
/// `GenerationMismatch`.
pub(super) fn check_set(
    storage: &dyn Storage,
    set: &BackupSet,
    events: &EventLog,
) -> Result<(LogHeader, LogHeader), RestoreError> {
    if let Some(generation) = set.logs.first_missing(set.low..=set.high) {
        let path = set.logs.archived_path(generation);
        events.report(EventId::RESTORE_LOG_MISSING, [path.display().to_string()]);
        return Err(RestoreError::LogMissing { path, generation });
    }
    let mut links: Vec<Link> = Vec::new();
    for (generation, file) in &set.logs.archived {
        let next = link(storage, &file.path, Some(*generation))?;
        if let Some(previous) = links.last() {
            if next.header.signature() != previous.header.signature() {
                events.report(EventId::RESTORE_LOG_BAD_SIGNATURE, [next.path.display().to_string()]);
                return Err(RestoreError::SetLogSignature { path: next.path });
            }
            if next.header.previous_create_time() != previous.header.create_time() {
                events.report(EventId::RESTORE_LOG_NOT_CONTIGUOUS, [generation.to_string()]);
                return Err(RestoreError::SetLogNotContiguous { path: next.path, generation: *generation });
            }
            // Only the ends are asked for again.
            if links.len() > 1 {
                links.pop();
            }
        }
        links.push(next);
    }
    for link in &links {
        if let Some(expected) = link.generation.filter(|g| *g != link.header.generation()) {
            let (path, found) = (link.path.clone(), link.header.generation());
            return Err(RestoreError::GenerationMismatch { path, expected, found });
        }
    }
    let mut headers = links.into_iter().map(|l| l.header);
    let Some(first) = headers.next() else {
        return Err(RestoreError::SetNotFound { path: set.directory.clone() });
    };
    let last = headers.next_back().unwrap_or_else(|| first.clone());
    Ok((first, last))
}

/// Checks the logs that are in the log directory already: they belong to the set's stream and chain with it.
///
/// # Errors
/// The first finding: `MissingCurrentLogs`, a log that cannot be read, `ExistingLogSignature`,
/// `ExistingLogNotContiguous`.
pub(super) fn check_log_directory(
    storage: &dyn Storage,
    set: &BackupSet,
    first: &LogHeader,
    last: &LogHeader,
    existing: &LogSet,
    events: &EventLog,
) -> Result<(), RestoreError> {
    let mut links = Vec::new();
    for (generation, file) in &existing.archived {
        links.push(link(storage, &file.path, Some(*generation))?);
    }
    if let Some(current) = &existing.current {
        links.push(link(storage, &current.path, None)?);
    }
    let mut previous: Option<&Link> = None;
    for next in &links {
        if next.header.signature() != first.signature() {
            events.report(EventId::EXISTING_LOG_BAD_SIGNATURE, [next.path.display().to_string()]);
            return Err(RestoreError::ExistingLogSignature { path: next.path.clone() });
        }
        let generation = next.place();
        let chains = if generation == set.low {
            next.header.create_time() == first.create_time()
        } else if generation == set.high {
            next.header.create_time() == last.create_time()
        } else if generation == set.high.next() {
            next.header.previous_create_time() == last.create_time()
        } else if generation.next() == set.low {
            first.previous_create_time() == next.header.create_time()
        } else {
            match previous {
                Some(p) if p.place().next() == generation => {
                    next.header.previous_create_time() == p.header.create_time()
                }
                // Inside the set's range the set's logs fill the gap; in front of it nobody looks.
                _ if generation < set.high => true,
                _ => {
                    let missing = previous
                        .map(|p| p.place().next())
                        .filter(|g| *g > set.high)
                        .unwrap_or(set.high.next());
                    let path = existing.archived_path(missing);
                    events.report(EventId::LOG_DIRECTORY_GAP, [path.display().to_string()]);
                    let directory = existing.directory.clone();
                    return Err(RestoreError::MissingCurrentLogs { directory, generation: missing });
                }
            }
        };
        if !chains {
            let before = previous.map_or_else(String::new, |p| p.path.display().to_string());
            events.report(EventId::EXISTING_LOG_NOT_CONTIGUOUS, [before, next.path.display().to_string()]);
            return Err(RestoreError::ExistingLogNotContiguous { path: next.path.clone() });
        }
        previous = Some(next);
    }
    Ok(())
}
