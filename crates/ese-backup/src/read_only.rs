//! A restorable set of a closed database, without touching anything but the destination.
//!
//! A running engine writes a set's logs as it goes; here nothing runs, and the database's own logs, if they are there at
//! all, end before the set would begin. So the set gets a log stream of its own, of one generation, that says what a
//! running engine would have said: the instance started, the database was attached, a backup began. The header of the
//! copy belongs to that stream: attached at that record, dirty, in need of that one log. Restore then replays a log
//! without changes and closes the database. The original engine restores such a set by the same steps.
//!
//! What this cannot give: newer logs of the database's own stream do not continue the set, so there is no rolling
//! forward from it. For that, back up through a running instance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{BackupInfo, DatabaseHeader, LogGeneration, LogPosition, TrailerPage};
use ese_instance::{
    AttachFacts, Engine, Environment, InitOptions, InstanceError, ParameterId, TermMode, apply_attach,
    engine_format_for, last_owned_page, read_database_header,
};
use ese_io::{Lock, MemoryStorage, OpenOptions};
use ese_log::BaseName;
use ese_log::record::{
    AttachDatabase, Backup2, BackupMethod, BackupPhase, BackupScope, DatabaseRecordFlags, DatabaseSlot,
    Record, SessionId,
};

use crate::copy::{ChunkSource, copy_chunks};
use crate::directory::{BackupSummary, Destination, SetForm, complete_path};
use crate::error::BackupError;
use crate::manifest::{Manifest, ManifestFile, ManifestFileKind, signature_text};
use crate::page_source::PageSource;
use crate::progress::Progress;

/// The slot and session that the log names.
const SLOT: u8 = 1;
const SESSION: SessionId = SessionId(5);
/// Kilobytes of the set's log: small, as it holds a handful of records.
const LOG_KILOBYTES: u32 = 128;
/// Where the log is made, in memory.
const LOG_DIRECTORY: &str = "/log";

/// Options of a backup that leaves its source alone.
#[derive(Clone, Debug, Default)]
pub struct ReadOnlyOptions {
    /// Keep the previous set until the new one is complete.
    pub atomic: bool,
    /// Make missing directories of the destination.
    pub create_path: bool,
    /// First part of the log name; `None`: `edb`.
    pub base_name: Option<BaseName>,
}

/// Makes a restorable set of a cleanly closed database. The database is read under a shared lock; neither it nor its
/// logs are written.
///
/// # Errors
/// A storage error (`InUse` when an engine has the database); a header that cannot be attached, with its reason: a
/// database that is not clean must be recovered first; the destination, as for [`backup_instance`]; `Page`; `Stopped`.
///
/// [`backup_instance`]: crate::backup_instance
pub fn backup_read_only(
    environment: &Environment,
    database: &Path,
    destination: &Path,
    options: &ReadOnlyOptions,
    progress: &dyn Progress,
) -> Result<BackupSummary, BackupError> {
    let database = complete_path(database)?;
    let destination = complete_path(destination)?;
    let storage = &*environment.storage;
    let file = storage.open(&database, OpenOptions::READ.lock(Lock::Shared))?;
    let header = read_database_header(&*file)?.header;
    header.check_attachable(None).map_err(|error| InstanceError::Header { path: database.clone(), error })?;
    let page_bytes = u64::from(header.page_size().bytes());
    let last_page = last_owned_page(&*file, header.page_size())?;
    let pages_end = last_page.file_offset(header.page_size()) + page_bytes;
    let found = file.len()?;
    if found < pages_end {
        let expected = pages_end;
        return Err(InstanceError::DatabaseTooShort { path: database, last_page, expected, found }.into());
    }

    let form = SetForm { incremental: false, atomic: options.atomic };
    let mut target = Destination::prepare(storage, &destination, form, options.create_path)?;
    let log = make_log(environment, &database, &header, options.base_name.clone().unwrap_or_default())?;
    let trailer = TrailerPage::for_copy(&log.header, BackupInfo { high_generation: 1, ..log.backup });
    let source = PageSource::new(Arc::clone(&file), &log.header, pages_end, trailer.write(), progress);
    let total = source.total_bytes() + log.bytes.len() as u64;
    progress.begin(total);

    let name = |path: &Path| path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut manifest = Manifest::new(environment.now().to_string());
    let copy = target.create(&name(&database))?;
    let checksum = copy_chunks(&source, &*copy, progress)?;
    copy.sync()?;
    let mut entry =
        ManifestFile::new(&name(&database), ManifestFileKind::Database, source.total_bytes(), checksum);
    entry.database_signature = Some(signature_text(header.signature()));
    entry.source = Some(database.display().to_string());
    manifest.put(entry);

    let file = target.create(&log.name)?;
    file.write_at(0, &log.bytes)?;
    file.sync()?;
    progress.advance(log.bytes.len() as u64);
    let checksum = crc32c::crc32c(&log.bytes);
    let mut entry = ManifestFile::new(&log.name, ManifestFileKind::Log, log.bytes.len() as u64, checksum);
    entry.generation = Some(1);
    manifest.put(entry);

    let patch = name(&database.with_extension("pat"));
    target.create(&patch)?.sync()?;
    manifest.put(ManifestFile::new(&patch, ManifestFileKind::Patch, 0, 0));
    manifest.log_signature = signature_text(log.header.log_signature());
    manifest.mark = log.backup.mark.to_string();
    (manifest.generation_low, manifest.generation_high) = (1, 1);
    target.add_manifest(&manifest)?;
    if progress.stop_requested() {
        return Err(BackupError::Stopped);
    }
    target.promote()?;
    progress.complete();
    let generation = LogGeneration(1);
    Ok(BackupSummary {
        directory: Some(target.final_directory()),
        databases: vec![database],
        logs: Some((generation, generation)),
        bytes: total,
    })
}

/// The log of a set, and what it makes of the database's header.
struct SetLog {
    name: String,
    bytes: Vec<u8>,
    header: DatabaseHeader,
    backup: BackupInfo,
}

/// Lets an engine write the log, in memory.
fn make_log(
    environment: &Environment,
    database: &Path,
    header: &DatabaseHeader,
    base: BaseName,
) -> Result<SetLog, BackupError> {
    let memory = MemoryStorage::new();
    let surroundings =
        Environment { events: None, ..environment.clone() }.with_storage(Arc::new(memory.clone()));
    let instance = Engine::new(surroundings).create_instance("set")?;
    let set = |id, value: ese_instance::ParameterValue| instance.set_parameter(id, value);
    set(ParameterId::LOG_FILE_PATH, LOG_DIRECTORY.into())?;
    set(ParameterId::SYSTEM_PATH, LOG_DIRECTORY.into())?;
    set(ParameterId::CREATE_PATH_IF_NOT_EXIST, true.into())?;
    set(ParameterId::BASE_NAME, base.as_str().into())?;
    set(ParameterId::LOG_FILE_SIZE, LOG_KILOBYTES.into())?;
    set(ParameterId::DATABASE_PAGE_SIZE, header.page_size().bytes().into())?;
    set(ParameterId::ENGINE_FORMAT_VERSION, engine_format_for(header).0.into())?;
    instance.initialize(InitOptions::default())?;
    let log = instance.log().ok_or(BackupError::LoggingDisabled)?;

    let path: Vec<u8> =
        database.to_string_lossy().encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let time = environment.now();
    let position = log.append_and_fill(&Record::AttachDatabase(AttachDatabase {
        session: SESSION,
        database: DatabaseSlot(SLOT),
        largest_page_count: 0,
        // Of another stream, as far as this one is concerned.
        consistent: LogPosition::NONE,
        signature: header.signature(),
        log_signature: header.log_signature(),
        flags: DatabaseRecordFlags::WIDE_PATH,
        path: &path,
    }))?;
    let mut header = header.clone();
    apply_attach(
        &mut header,
        &AttachFacts {
            database_id: u32::from(SLOT),
            position,
            time,
            log_signature: log.signature(),
            generation: log.generation(),
            generation_created: log.generation_created(),
        },
    );
    header.set_header_flush_signature(environment.new_signature());
    let backup = BackupInfo {
        mark: log.tip(),
        time: environment.now(),
        low_generation: log.generation().0,
        high_generation: 0,
    };
    header.set_current_full_backup(backup);
    let step = |phase| {
        Record::Backup2(Backup2 {
            phase,
            method: BackupMethod::STREAMING,
            scope: BackupScope::FULL,
            database: DatabaseSlot(0),
            details: BackupInfo { time: backup.time, ..BackupInfo::NONE },
            reserved: 0,
            path: &[],
        })
    };
    log.append(&step(BackupPhase::BEGIN))?;
    log.append_to_new_generation(&step(BackupPhase::PREPARE_LOGS))?;
    let name = log.names().archived(LogGeneration(1));
    let bytes = memory.get(PathBuf::from(LOG_DIRECTORY).join(&name)).unwrap_or_default();
    // The instance was only ever in memory.
    let _ = instance.terminate(TermMode::Abrupt);
    Ok(SetLog { name, bytes, header, backup })
}
