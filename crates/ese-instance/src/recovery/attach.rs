//! Whether a database file that the log names takes part in redo.

use std::path::PathBuf;
use std::sync::Arc;

use ese_btree::RedoDatabase;
use ese_format::{DatabaseHeader, DatabaseState, JetError, LogGeneration, LogPosition, LogTime};
use ese_io::{File, IoErrorKind, OpenMode, OpenOptions};
use ese_log::record::DatabaseSlot;

use super::database::{AttachAt, Expected, HeaderFile, Slot, SlotState, make_attached};
use super::error::{DeferReason, RecoveryError};
use super::locate::{Located, locate, read_header};
use super::replay::Replay;
use super::request::RecoveryMode;

/// Where the expectation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttachSource {
    /// The attachment list at the start of redo.
    List,
    /// An AttachDB record.
    Record,
}

/// The file behind a logged path.
pub(super) enum Opened {
    File(PathBuf, Arc<dyn File>, Result<DatabaseHeader, ese_format::HeaderError>),
    Absent(Option<PathBuf>),
    Denied,
    LeftOut,
}

/// What a header means for redo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Attach,
    Defer(&'static DeferReason),
}

/// Gives the header of a backup copy the range of its set: everything up to the last log of the set is required.
fn fold_backup(
    header: &mut DatabaseHeader,
    high: LogGeneration,
    path: &std::path::Path,
) -> Result<(), RecoveryError> {
    let mut backup = header.current_full_backup();
    if backup.low_generation == 0 {
        return Err(RecoveryError::NotABackup { database: path.to_path_buf() });
    }
    backup.high_generation = high.0;
    header.set_current_full_backup(backup);
    if header.max_required() < high {
        header.set_max_required(high);
        header.set_max_required_create_time(LogTime::NONE);
    }
    if header.max_committed() < high {
        header.set_max_committed(high);
        header.set_max_committed_create_time(LogTime::NONE);
    }
    Ok(())
}

impl Replay<'_> {
    /// Opens the file of a logged path.
    pub(super) fn open_database(&self, logged: &str, expected: &Expected) -> Result<Opened, RecoveryError> {
        let signature = Some(expected.signature).filter(|s| !s.is_none());
        let storage = &*self.environment.storage;
        let path = match locate(storage, &self.request.locations, logged, signature)? {
            Located::At(path) => path,
            Located::CreateAt(path) => return Ok(Opened::Absent(Some(path))),
            Located::LeftOut => return Ok(Opened::LeftOut),
            Located::Nowhere => return Ok(Opened::Absent(None)),
        };
        if self.is_open(&path) {
            return Err(RecoveryError::Duplicate { database: path });
        }
        match storage.open(&path, OpenOptions::new(OpenMode::ReadWrite).direct_writes()) {
            Ok(file) => {
                let header = read_header(&*file, self.page_size)?;
                Ok(Opened::File(path, file, header))
            }
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => {
                Ok(Opened::Absent(Some(path)))
            }
            Err(e) if matches!(e.kind, IoErrorKind::AccessDenied | IoErrorKind::InUse) => Ok(Opened::Denied),
            Err(e) => Err(e.into()),
        }
    }

    /// Puts a database of the attachment list or of an AttachDB record into its slot.
    pub(super) fn attach(
        &mut self,
        slot: DatabaseSlot,
        logged: String,
        expected: Expected,
        source: AttachSource,
    ) -> Result<(), RecoveryError> {
        let opened = self.open_database(&logged, &expected)?;
        let (path, file, header) = match opened {
            Opened::Absent(_) => return self.defer(slot, logged, expected, DeferReason::Missing),
            Opened::Denied => return self.defer(slot, logged, expected, DeferReason::AccessDenied),
            Opened::LeftOut => return self.defer(slot, logged, expected, DeferReason::NotMapped),
            Opened::File(path, file, Ok(header)) => (path, file, header),
            Opened::File(file, _, Err(error)) => return Err(RecoveryError::Header { file, error }),
        };
        match self.decide(&header, &expected, source, &path)? {
            Decision::Attach => self.attach_now(slot, logged, expected, path, file, header),
            Decision::Defer(reason) => self.defer(slot, logged, expected, reason.clone()),
        }
    }

    fn decide(
        &self,
        header: &DatabaseHeader,
        expected: &Expected,
        source: AttachSource,
        path: &std::path::Path,
    ) -> Result<Decision, RecoveryError> {
        let state = header.state();
        let refuse = |jet| Err(RecoveryError::State { database: path.to_path_buf(), state: state.0, jet });
        match state {
            DatabaseState::INCREMENTAL_RESEED_IN_PROGRESS => {
                return refuse(JetError::DATABASE_INCOMPLETE_INCREMENTAL_RESEED);
            }
            DatabaseState::REVERT_IN_PROGRESS => return refuse(JetError::DATABASE_INCOMPLETE_REVERT),
            DatabaseState::JUST_CREATED => return Ok(Decision::Defer(&DeferReason::JustCreated)),
            DatabaseState::CLEAN_SHUTDOWN
            | DatabaseState::DIRTY_SHUTDOWN
            | DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN => {}
            _ => return refuse(JetError::DATABASE_CORRUPTED),
        }
        let consistent = header.consistent_position();
        let same_database = header.signature() == expected.signature;
        let mismatch = || {
            Err(RecoveryError::ConsistentTimeMismatch {
                database: path.to_path_buf(),
                expected: expected.consistent_position,
                found: consistent,
            })
        };
        if header.log_signature() != self.log_signature {
            if expected.previous_log_signature != Some(header.log_signature()) {
                return Ok(Decision::Defer(&DeferReason::ForeignLog));
            }
            if !same_database {
                return Ok(Decision::Defer(&DeferReason::UnloggedChanges));
            }
            if consistent != expected.consistent_position && !expected.consistent_position.is_none() {
                return mismatch();
            }
            return Ok(Decision::Attach);
        }
        let consistent_fits = consistent == expected.consistent_position || consistent.is_none();
        if same_database && consistent_fits {
            let found = header.attach_position();
            return match found.cmp(&expected.attach_position) {
                std::cmp::Ordering::Equal => Ok(Decision::Attach),
                std::cmp::Ordering::Less if source == AttachSource::Record => Ok(Decision::Attach),
                std::cmp::Ordering::Less => Err(RecoveryError::AttachedEarlier {
                    database: path.to_path_buf(),
                    expected: expected.attach_position,
                    found,
                }),
                std::cmp::Ordering::Greater => Ok(Decision::Defer(&DeferReason::AttachedLater)),
            };
        }
        // At the start of redo any later position will do: the checkpoint may stand just where the end of the run began.
        let is_later = source == AttachSource::List || consistent > self.position;
        if consistent > expected.consistent_position && is_later {
            return Ok(Decision::Defer(&DeferReason::ConsistentLater));
        }
        if same_database { mismatch() } else { Ok(Decision::Defer(&DeferReason::UnloggedChanges)) }
    }

    fn attach_now(
        &mut self,
        slot: DatabaseSlot,
        logged: String,
        mut expected: Expected,
        path: PathBuf,
        file: Arc<dyn File>,
        mut header: DatabaseHeader,
    ) -> Result<(), RecoveryError> {
        let generation = self.generation;
        let patched = header.state() == DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN;
        let hard = matches!(self.request.mode, RecoveryMode::Hard { .. });
        if !header.is_clean()
            && header.min_required().0 != 0
            && !patched
            && header.min_required() < generation
        {
            return Err(RecoveryError::RequiredLogsMissing {
                database: path,
                first: header.min_required(),
                last: header.max_required(),
                found: format!("replay begins with generation {generation}"),
            });
        }
        let backup = header.current_full_backup();
        if backup.low_generation != 0
            && backup.high_generation == 0
            && !hard
            && !self.request.accept_backup_copies
        {
            return Err(RecoveryError::BackupCopy { database: path });
        }
        // Detached and attached again on the way it is an ordinary database.
        let seen = self.detached.iter().any(|d| d.path == path);
        if let RecoveryMode::Hard { high, .. } = self.request.mode
            && !seen
        {
            fold_backup(&mut header, high, &path)?;
        }
        make_attached(
            &mut header,
            &AttachAt {
                slot,
                position: expected.attach_position,
                generation,
                generation_created: self.generation_created,
                log_signature: self.log_signature,
            },
            &*self.environment.clock,
        );
        let database = RedoDatabase {
            deferred: false,
            future_data: generation <= header.max_required(),
            patched,
            attach_position: header.attach_position(),
            db_time: expected.db_time.max(header.db_time()),
            last_object: expected.last_object.max(header.last_object_id()),
            last_resize: header.last_resize_position(),
            was_trimmed: header.trim_count() > 0,
            ..RedoDatabase::default()
        };
        expected.attach_position = header.attach_position();
        let header_file = Arc::new(HeaderFile::new(path, Arc::clone(&file), header, self.environment));
        header_file.enter_generation(generation, self.generation_created);
        header_file.write()?;
        self.redo.attach(slot, database, Some(file))?;
        self.gate.add(slot, Arc::clone(&header_file));
        self.put_slot(Slot { slot, logged, expected, state: SlotState::Attached(header_file) });
        Ok(())
    }

    /// A slot whose database does not take part. Its counters are still kept.
    pub(super) fn defer(
        &mut self,
        slot: DatabaseSlot,
        logged: String,
        expected: Expected,
        reason: DeferReason,
    ) -> Result<(), RecoveryError> {
        tracing::info!(%logged, %reason, "database does not take part for now");
        let database = RedoDatabase {
            deferred: true,
            attach_position: expected.attach_position,
            db_time: expected.db_time,
            last_object: expected.last_object,
            ..RedoDatabase::default()
        };
        self.redo.attach(slot, database, None)?;
        self.put_slot(Slot { slot, logged, expected, state: SlotState::Deferred(reason) });
        Ok(())
    }

    /// A CreateDB record.
    pub(super) fn create(
        &mut self,
        record: &ese_log::record::CreateDatabase<'_>,
        position: LogPosition,
    ) -> Result<(), RecoveryError> {
        let logged = record.logged_path().to_text().into_owned();
        let expected = Expected {
            attach_position: position,
            signature: record.signature,
            largest_pages: record.largest_page_count,
            ..Expected::default()
        };
        let slot = record.database;
        let version = record.version.unwrap_or_default();
        match self.open_database(&logged, &expected)? {
            Opened::LeftOut => self.defer(slot, logged, expected, DeferReason::NotMapped),
            Opened::Denied => self.defer(slot, logged, expected, DeferReason::AccessDenied),
            Opened::Absent(None) => self.defer(slot, logged, expected, DeferReason::Missing),
            Opened::Absent(Some(path)) => self.create_file(record, logged, expected, path, version),
            Opened::File(path, _, Err(_)) => self.create_file(record, logged, expected, path, version),
            Opened::File(path, file, Ok(header)) => {
                let created_anew = matches!(header.state().0, 0 | 1);
                if created_anew {
                    return self.create_file(record, logged, expected, path, version);
                }
                if header.log_signature() != self.log_signature {
                    return self.defer(slot, logged, expected, DeferReason::ForeignLog);
                }
                match header.attach_position().cmp(&position) {
                    std::cmp::Ordering::Equal if header.signature() == record.signature => {
                        if header.consistent_position() >= position {
                            self.defer(slot, logged, expected, DeferReason::ConsistentLater)
                        } else {
                            self.attach_now(slot, logged, expected, path, file, header)
                        }
                    }
                    std::cmp::Ordering::Equal => {
                        self.defer(slot, logged, expected, DeferReason::UnloggedChanges)
                    }
                    std::cmp::Ordering::Greater => {
                        self.defer(slot, logged, expected, DeferReason::AttachedLater)
                    }
                    // Made by this replay, it is what the log says was there before, and had gone when this one was created.
                    std::cmp::Ordering::Less if self.made.contains(&path) => {
                        drop(file);
                        self.create_file(record, logged, expected, path, version)
                    }
                    std::cmp::Ordering::Less => {
                        self.defer(slot, logged, expected, DeferReason::OtherDatabase)
                    }
                }
            }
        }
    }
}
