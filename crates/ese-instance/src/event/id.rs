//! Event numbers with their category and severity.

use std::fmt;

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSeverity {
    /// Progress of ordinary work.
    Information,
    /// Something to look at; the work went on.
    Warning,
    /// Something failed.
    Error,
}

/// The part of the engine that reports. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventCategory(pub u16);

impl EventCategory {
    /// Start, stop, attach, detach.
    pub const GENERAL: Self = Self(1);
    /// Database pages.
    pub const DATABASE_PAGE: Self = Self(2);
    /// Logging, recovery, backup, restore.
    pub const LOGGING_RECOVERY: Self = Self(3);
    /// Database zeroing.
    pub const DATABASE_ZEROING: Self = Self(13);
    /// OS snapshots.
    pub const SHADOW_COPY: Self = Self(16);
}

/// Number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u32);

macro_rules! events {
    ($(($constant:ident, $number:literal, $category:ident, $severity:ident, $summary:literal, [$($parameter:literal),*]),)*) => {
        impl EventId {
            $(
                #[doc = concat!("Event ", stringify!($number), ": ", $summary, ".")]
                pub const $constant: Self = Self($number);
            )*

            /// Every event of this table.
            pub const ALL: &[Self] = &[$(Self($number),)*];

            fn row(self) -> Option<(EventCategory, EventSeverity, &'static str, &'static [&'static str])> {
                match self.0 {
                    $($number => Some((
                        EventCategory::$category,
                        EventSeverity::$severity,
                        $summary,
                        &[$($parameter),*],
                    )),)*
                    _ => None,
                }
            }
        }
    };
}

impl EventId {
    /// Category; general for a number without a row.
    #[must_use]
    pub fn category(self) -> EventCategory {
        self.row().map_or(EventCategory::GENERAL, |r| r.0)
    }

    /// Severity; information for a number without a row.
    #[must_use]
    pub fn severity(self) -> EventSeverity {
        self.row().map_or(EventSeverity::Information, |r| r.1)
    }

    /// One phrase.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.row().map_or("event", |r| r.2)
    }

    /// Names of the parameters in their order (after process name, process id and instance name).
    #[must_use]
    pub fn parameter_names(self) -> &'static [&'static str] {
        self.row().map_or(&[], |r| r.3)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

events! {
    (START_INSTANCE, 102, GENERAL, Information, "instance starting", ["instance"]),
    (STOP_INSTANCE, 103, GENERAL, Information, "instance stopped", ["instance", "dirty"]),
    (STOP_INSTANCE_ERROR, 104, GENERAL, Error, "instance stopped with an error", ["instance", "error"]),
    (START_INSTANCE_DONE, 105, GENERAL, Information, "instance started", ["instance"]),
    (START_RESTORE, 204, LOGGING_RECOVERY, Information, "restore begins", ["set", "log directory"]),
    (STOP_RESTORE, 205, LOGGING_RECOVERY, Information, "restore ends", []),
    (MISSING_FULL_BACKUP, 206, LOGGING_RECOVERY, Error, "no matching full backup for an incremental one", ["database"]),
    (START_FULL_BACKUP, 210, LOGGING_RECOVERY, Information, "full backup begins", []),
    (START_INCREMENTAL_BACKUP, 211, LOGGING_RECOVERY, Information, "incremental backup begins", []),
    (STOP_BACKUP, 213, LOGGING_RECOVERY, Information, "backup finished", []),
    (STOP_BACKUP_ERROR, 214, LOGGING_RECOVERY, Error, "backup failed", ["error"]),
    (STOP_BACKUP_BY_CALLER, 215, LOGGING_RECOVERY, Error, "backup ended by its caller", []),
    (DATABASE_LOCATION_CHANGE, 216, LOGGING_RECOVERY, Information, "database found at another location", ["old", "new"]),
    (BACKUP_DATABASE_ERROR, 217, LOGGING_RECOVERY, Error, "backup of a database failed", ["error", "file"]),
    (BACKUP_LOG_ERROR, 218, LOGGING_RECOVERY, Error, "reading a log for a backup failed", ["error", "file"]),
    (BACKUP_HEADER_ERROR, 219, LOGGING_RECOVERY, Warning, "database headers were not updated after a backup", ["error"]),
    (BACKUP_FILE_START, 220, LOGGING_RECOVERY, Information, "copy of a file begins", ["file", "size"]),
    (BACKUP_FILE_DONE, 221, LOGGING_RECOVERY, Information, "copy of a file complete", ["file"]),
    (BACKUP_FILE_CUT, 222, LOGGING_RECOVERY, Information, "file closed before its end", ["file", "bytes read", "bytes"]),
    (BACKUP_LOG_RANGE, 223, LOGGING_RECOVERY, Information, "logs of the backup determined", ["first", "last"]),
    (BACKUP_TRUNCATE, 224, LOGGING_RECOVERY, Information, "logs are deleted", ["first", "last"]),
    (BACKUP_NOTHING_TO_TRUNCATE, 225, LOGGING_RECOVERY, Information, "no log can be deleted", []),
    (STOP_BACKUP_BY_SERVER, 226, LOGGING_RECOVERY, Error, "backup ended by the engine", []),
    (BACKUP_TRUNCATE_MISSING, 227, LOGGING_RECOVERY, Warning, "logs to delete were missing already", ["count"]),
    (START_INTERNAL_COPY, 240, LOGGING_RECOVERY, Information, "internal copy begins", []),
    (STOP_INTERNAL_COPY, 243, LOGGING_RECOVERY, Information, "internal copy finished", []),
    (STOP_INTERNAL_COPY_ERROR, 244, LOGGING_RECOVERY, Error, "internal copy failed", ["error"]),
    (STOP_INTERNAL_COPY_BY_CALLER, 245, LOGGING_RECOVERY, Error, "internal copy ended by its caller", []),
    (INTERNAL_COPY_FILE_CUT, 252, LOGGING_RECOVERY, Information, "file of an internal copy closed before its end", ["file", "bytes read", "bytes"]),
    (STOP_INTERNAL_COPY_BY_SERVER, 256, LOGGING_RECOVERY, Error, "internal copy ended by the engine", []),
    (START_REDO, 300, LOGGING_RECOVERY, Information, "recovery begins", []),
    (STATUS_REDO, 301, LOGGING_RECOVERY, Information, "log replayed", ["log"]),
    (STOP_REDO, 302, LOGGING_RECOVERY, Information, "recovery complete", []),
    (STOP_REDO_WITHOUT_UNDO, 304, LOGGING_RECOVERY, Information, "recovery stopped before undo", []),
    (CREATE_DATABASE_DONE, 325, GENERAL, Information, "database created", ["database id", "file"]),
    (ATTACH_DATABASE_DONE, 326, GENERAL, Information, "database attached", ["database id", "file"]),
    (DETACH_DATABASE_DONE, 327, GENERAL, Information, "database detached", ["database id", "file"]),
    (BAD_PAGE_CORRECTED, 399, DATABASE_PAGE, Warning, "single-bit error corrected", ["file", "page"]),
    (RESTORE_DATABASE_MISMATCH, 430, LOGGING_RECOVERY, Error, "database and trailer page do not match", ["database"]),
    (RESTORE_LOG_TOO_HIGH, 431, LOGGING_RECOVERY, Error, "first log of the set too high", ["first present", "required"]),
    (RESTORE_LOG_TOO_LOW, 432, LOGGING_RECOVERY, Error, "last log of the set too low", ["last present", "required"]),
    (RESTORE_LOG_BAD_SIGNATURE, 433, LOGGING_RECOVERY, Error, "log of the set has another signature", ["file"]),
    (RESTORE_LOG_NOT_CONTIGUOUS, 434, LOGGING_RECOVERY, Error, "log of the set does not continue its predecessor", ["generation"]),
    (RESTORE_LOG_MISSING, 435, LOGGING_RECOVERY, Error, "log of the set missing", ["file"]),
    (LOG_DIRECTORY_GAP, 450, LOGGING_RECOVERY, Error, "gap in the log directory", ["file"]),
    (RESTORE_ERROR, 454, LOGGING_RECOVERY, Error, "restore failed", ["error"]),
    (EXISTING_LOG_BAD_SIGNATURE, 457, LOGGING_RECOVERY, Warning, "existing log has another signature than the set", ["file"]),
    (EXISTING_LOG_NOT_CONTIGUOUS, 458, LOGGING_RECOVERY, Warning, "existing logs do not continue the set", ["previous", "current"]),
    (BACKUP_FILE_MISSING, 459, LOGGING_RECOVERY, Error, "file of the backup missing", ["file"]),
    (PAGE_CHECKSUM_MISMATCH, 474, DATABASE_PAGE, Error, "page checksum does not match", ["file", "page", "expected", "found"]),
    (PAGE_NUMBER_MISMATCH, 475, DATABASE_PAGE, Error, "page number does not match", ["file", "page", "found"]),
    (PAGE_MISSING, 476, DATABASE_PAGE, Error, "page without data where data is expected", ["file", "page"]),
    (FILE_READ_ERROR, 481, GENERAL, Error, "reading a file failed", ["file", "offset", "error"]),
    (FILE_WRITE_ERROR, 482, GENERAL, Error, "writing a file failed", ["file", "offset", "error"]),
    (LOG_DOWN, 492, LOGGING_RECOVERY, Error, "nothing can be logged any more", ["directory", "error"]),
    (READ_RETRIED, 493, LOGGING_RECOVERY, Error, "a read needed retries", ["file", "offset", "bytes", "failures", "seconds"]),
    (DATABASE_OF_LOGS_MISSING, 494, LOGGING_RECOVERY, Error, "database of the logs not found", ["database"]),
    (BACKUP_TRUNCATE_REFUSED, 520, LOGGING_RECOVERY, Warning, "logs not deleted: not all were copied", []),
    (LOG_CORRUPT, 552, LOGGING_RECOVERY, Error, "log corrupt", ["file", "reason"]),
    (RESTORE_MAP_ERROR, 553, LOGGING_RECOVERY, Error, "restore map entry unusable", ["database", "error"]),
    (LOG_SEGMENT_CORRECTED, 554, LOGGING_RECOVERY, Warning, "log segment corrected", ["file"]),
    (LOG_FILES_MISSING, 558, LOGGING_RECOVERY, Error, "gap in the logs to replay", ["file"]),
    (BACKUP_SET_DATABASE_ATTACHED, 619, LOGGING_RECOVERY, Error, "attach of an unrestored backup copy", ["database"]),
    (TRAILER_PAGE_BAD, 645, LOGGING_RECOVERY, Error, "trailer page missing or damaged", ["database"]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_documented() {
        use EventSeverity::{Error, Information, Warning};
        for (number, category, severity, parameters) in [
            (210, 3, Information, 0),
            (211, 3, Information, 0),
            (213, 3, Information, 0),
            (214, 3, Error, 1),
            (215, 3, Error, 0),
            (217, 3, Error, 2),
            (219, 3, Warning, 1),
            (220, 3, Information, 2),
            (222, 3, Information, 3),
            (226, 3, Error, 0),
            (459, 3, Error, 1),
            (520, 3, Warning, 0),
            (102, 1, Information, 1),
        ] {
            let id = EventId(number);
            assert_eq!(id.category(), EventCategory(category), "{number}");
            assert_eq!(id.severity(), severity, "{number}");
            assert_eq!(id.parameter_names().len(), parameters, "{number}");
        }
        assert!(EventId::ALL.windows(2).all(|w| w[0] < w[1]), "sorted, no number twice");
    }
}
