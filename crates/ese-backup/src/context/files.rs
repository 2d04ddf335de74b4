//! Opening, reading and closing the files of a backup.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::BackupInfo;
use ese_instance::EventId;
use ese_io::{IoErrorKind, OpenOptions};
use ese_log::LogFileKind;

use super::open_database::{DatabaseCopy, OpenDatabase};
use super::open_log::OpenLog;
use super::{BackupContext, Ending, Open, Phase, State};
use crate::copy::{Chunk, ChunkSource};
use crate::error::BackupError;
use crate::progress::Progress;

/// Reads hand out memory for direct I/O: buffers must begin at a multiple of this.
const BUFFER_ALIGNMENT: usize = 4096;

/// The one open file of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "JET_HANDLE")]
pub struct FileHandle(pub u32);

/// A file that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedFile {
    /// For reading and closing.
    pub handle: FileHandle,
    /// Bytes that reading it will give, header and trailer pages of a database included.
    pub size: u64,
}

const HANDLE: FileHandle = FileHandle(0);

impl BackupContext {
    /// Full paths of the databases that a full backup copies.
    ///
    /// # Errors
    /// Refused at the door; `NoBackup`; `Stopped`; `InvalidSequence` in an incremental backup.
    #[doc(alias = "JetGetAttachInfoInstance")]
    pub fn attach_info(&self) -> Result<Vec<PathBuf>, BackupError> {
        let _call = self.enter()?;
        self.attach_info_inside()
    }

    pub(crate) fn attach_info_inside(&self) -> Result<Vec<PathBuf>, BackupError> {
        self.with_state(|state| {
            if !state.kind.is_full() {
                return Err(BackupError::InvalidSequence {
                    what: "an incremental backup copies no database",
                });
            }
            let databases = self.instance.databases();
            Ok(databases.iter().filter(|d| d.is_logged()).map(|d| d.path().to_path_buf()).collect())
        })
    }

    /// Opens an attached database, a log, or a patch file by its full path. One file can be open at a time.
    ///
    /// An error in the log phase ends the whole backup; one in the database phase takes that database out of it.
    ///
    /// # Errors
    /// Refused at the door; `InvalidParameter` without a name; `NoBackup`; `Stopped`; `FileOpen`; `DatabaseNotFound` in
    /// the database phase; `InvalidSequence` for a database in the log phase; `MissingFile`; a storage error.
    #[doc(alias = "JetOpenFileInstance")]
    #[doc(alias = "JetOpenFile")]
    pub fn open_file(&self, path: &Path) -> Result<OpenedFile, BackupError> {
        let _call = self.enter()?;
        self.open_file_inside(path)
    }

    pub(crate) fn open_file_inside(&self, path: &Path) -> Result<OpenedFile, BackupError> {
        if path.as_os_str().is_empty() {
            return Err(BackupError::InvalidParameter { what: "a file name is needed" });
        }
        let phase = self.with_state(|state| {
            if state.open.is_some() {
                return Err(BackupError::FileOpen);
            }
            Ok(state.phase)
        })?;
        let opened = self.with_state(|state| self.open_as(state, path));
        opened.inspect_err(|error| self.after_failed_open(phase, path, error))
    }

    fn open_as(&self, state: &mut State, path: &Path) -> Result<OpenedFile, BackupError> {
        let database = self.instance.databases().into_iter().find(|d| d.path() == path && d.is_logged());
        if let Some(database) = database {
            if !state.kind.is_full() || state.phase != Phase::Databases {
                return Err(BackupError::InvalidSequence { what: "databases come before logs" });
            }
            let id = database.id();
            let log = self.instance.log().ok_or(BackupError::LoggingDisabled)?;
            let (stop, instance) = (Arc::clone(&self.stop), self.instance.clone());
            let open = Arc::new(OpenDatabase::new(DatabaseCopy {
                database,
                events: self.instance.events(),
                info: BackupInfo { high_generation: 0, ..state.info() },
                retries: self.options.retries,
                verify: self.options.verify,
                current_generation: Box::new(move || log.generation()),
                check_stop: Box::new(move || {
                    if stop.load(std::sync::atomic::Ordering::SeqCst) {
                        return Err(BackupError::Stopped);
                    }
                    if instance.state().term_in_progress { Err(BackupError::TermInProgress) } else { Ok(()) }
                }),
            }));
            state.databases.insert(id, false);
            let size = open.total_bytes();
            state.open = Some(Open::Database(open));
            self.report(EventId::BACKUP_FILE_START, [path.display().to_string(), size_text(size)]);
            self.trace(&format!("Start backup file {}, size {}", path.display(), size_text(size)));
            return Ok(OpenedFile { handle: HANDLE, size });
        }
        if state.phase == Phase::Databases {
            return Err(BackupError::DatabaseNotFound { path: path.to_path_buf() });
        }
        self.open_log(state, path)
    }

    /// The extension decides: a log, or anything else taken for an empty patch file.
    fn open_log(&self, state: &mut State, path: &Path) -> Result<OpenedFile, BackupError> {
        let log = self.instance.log().ok_or(BackupError::LoggingDisabled)?;
        let storage = &self.instance.environment().storage;
        let file = storage.open(path, OpenOptions::READ).map_err(|error| match error.kind {
            IoErrorKind::NotFound => {
                self.report(EventId::BACKUP_FILE_MISSING, [path.display().to_string()]);
                BackupError::MissingFile { path: path.to_path_buf() }
            }
            _ => error.into(),
        })?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !extension.eq_ignore_ascii_case(log.names().extension.log()) {
            if file.len()? != 0 {
                return Err(BackupError::InvalidParameter { what: "a patch file is empty" });
            }
            state.open = Some(Open::Patch);
            return Ok(OpenedFile { handle: HANDLE, size: 0 });
        }
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let Some(LogFileKind::Archived { generation, .. }) = log.names().parse(name).map(|n| n.kind) else {
            return Err(BackupError::InvalidParameter { what: "the name is not one of an archived log" });
        };
        let open = Arc::new(OpenLog::new(file, generation, self.options.verify)?);
        let size = open.total_bytes();
        state.open = Some(Open::Log(open));
        Ok(OpenedFile { handle: HANDLE, size })
    }

    /// Parameter errors and a full slot have no effect beyond themselves.
    fn after_failed_open(&self, phase: Phase, path: &Path, error: &BackupError) {
        if is_harmless(error) {
            return;
        }
        match phase {
            Phase::Databases => self.report(
                EventId::BACKUP_DATABASE_ERROR,
                [error.jet_error().0.to_string(), path.display().to_string()],
            ),
            Phase::LogsAndPatches => {
                self.finish(Ending::Failed(error.jet_error()));
            }
        }
    }

    /// Reads the next bytes of the open file: as many as fit, 0 at its end.
    ///
    /// # Errors
    /// Refused at the door; `NoBackup`; `Stopped`; `InvalidParameter` for an unaligned buffer, one that is not a whole
    /// number of pages, or a first read of 2 pages or fewer (a database) or fewer than 2 (a log); `Page`, `LogVerify`;
    /// `SessionSharing` when another thread is reading a log; a storage error.
    #[doc(alias = "JetReadFileInstance")]
    #[doc(alias = "JetReadFile")]
    pub fn read_file(&self, handle: FileHandle, buffer: &mut [u8]) -> Result<usize, BackupError> {
        let _call = self.enter()?;
        let open = self.open_for_read(handle)?;
        let page = self.instance.parameters().page_size().len();
        let invalid = |what| Err(BackupError::InvalidParameter { what });
        if buffer.as_ptr().align_offset(BUFFER_ALIGNMENT) != 0 {
            return invalid("the buffer must begin at a multiple of 4096");
        }
        if !buffer.len().is_multiple_of(page) {
            return invalid("the buffer must hold a whole number of pages");
        }
        let pages = buffer.len() / page;
        let source = match &open {
            Open::Database(database) => {
                if pages == 0 || (database.delivered() == 0 && pages <= 2) {
                    return invalid("the buffer is too small");
                }
                OpenSource::Database(database)
            }
            Open::Log(log) => {
                if log.delivered() == 0 && pages < 2 {
                    return invalid("the buffer is too small");
                }
                OpenSource::Log(log)
            }
            Open::Patch => return Ok(0),
        };
        Ok(self.read_chunk(&source, buffer)?.map_or(0, |chunk| chunk.len))
    }

    fn open_for_read(&self, handle: FileHandle) -> Result<Open, BackupError> {
        self.with_state(|state| {
            if handle != HANDLE {
                return Err(BackupError::InvalidParameter { what: "no such handle" });
            }
            state.open.clone().ok_or(BackupError::InvalidParameter { what: "no file is open" })
        })
    }

    fn read_chunk(&self, source: &OpenSource<'_>, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError> {
        let result = match source {
            OpenSource::Database(database) => database.next_chunk(buffer),
            OpenSource::Log(log) => {
                let Some(_session) = self.session.try_lock() else { return Err(BackupError::SessionSharing) };
                log.next_chunk(buffer)
            }
        };
        result.inspect_err(|error| self.after_failed_read(source, error))
    }

    fn after_failed_read(&self, source: &OpenSource<'_>, error: &BackupError) {
        if is_harmless(error) {
            return;
        }
        let number = error.jet_error().0.to_string();
        match source {
            OpenSource::Database(database) => {
                let path = database.path().display().to_string();
                self.report(EventId::BACKUP_DATABASE_ERROR, [number, path]);
                // The engine closes the file; other databases can still be copied.
                self.close_open();
            }
            OpenSource::Log(log) => {
                self.report(EventId::BACKUP_LOG_ERROR, [number, log.path().display().to_string()]);
                self.finish(Ending::Failed(error.jet_error()));
            }
        }
    }

    /// Closes the open file. One that was read to its end counts as copied.
    ///
    /// # Errors
    /// Refused at the door; `NoBackup`; `InvalidParameter` when nothing is open under the handle.
    #[doc(alias = "JetCloseFileInstance")]
    #[doc(alias = "JetCloseFile")]
    pub fn close_file(&self, handle: FileHandle) -> Result<(), BackupError> {
        let _call = self.enter()?;
        if self.state.lock().is_none() {
            return Err(BackupError::NoBackup);
        }
        if handle == HANDLE && self.close_open() {
            Ok(())
        } else {
            Err(BackupError::InvalidParameter { what: "no such handle" })
        }
    }

    /// Closes what is open; says whether something was.
    pub(crate) fn close_open(&self) -> bool {
        let Some(open) = self.state.lock().as_mut().and_then(|s| s.open.take()) else { return false };
        match &open {
            Open::Database(database) => {
                let path = database.path().display().to_string();
                if database.is_complete() {
                    if let Some(state) = &mut *self.state.lock() {
                        state.databases.insert(database.database().id(), true);
                    }
                    self.report(EventId::BACKUP_FILE_DONE, [path.clone()]);
                } else {
                    self.report_cut(path.clone(), database.delivered(), database.total_bytes());
                }
                self.trace(&format!("Stop backup file {path}"));
            }
            Open::Log(log) => {
                if log.is_complete() {
                    if let Some(state) = &mut *self.state.lock() {
                        state.logs_read.insert(log.generation().0);
                    }
                } else {
                    self.report_cut(log.path().display().to_string(), log.delivered(), log.total_bytes());
                }
            }
            Open::Patch => {}
        }
        true
    }

    fn report_cut(&self, path: String, delivered: u64, total: u64) {
        self.report(EventId::BACKUP_FILE_CUT, [path, delivered.to_string(), total.to_string()]);
    }

    /// The open file as a source of the copy loop.
    pub(crate) fn open_source<'a>(
        &'a self,
        progress: &'a dyn Progress,
    ) -> Result<CopySource<'a>, BackupError> {
        Ok(CopySource { context: self, open: self.open_for_read(HANDLE)?, progress })
    }
}

enum OpenSource<'a> {
    Database(&'a OpenDatabase),
    Log(&'a OpenLog),
}

/// The open file of a backup, read by the copy loop of the directory form: the same reads as
/// [`read_file`](BackupContext::read_file), from several threads.
pub(crate) struct CopySource<'a> {
    context: &'a BackupContext,
    open: Open,
    progress: &'a dyn Progress,
}

impl ChunkSource for CopySource<'_> {
    fn total_bytes(&self) -> u64 {
        match &self.open {
            Open::Database(database) => database.total_bytes(),
            Open::Log(log) => log.total_bytes(),
            Open::Patch => 0,
        }
    }

    fn is_sequential(&self) -> bool {
        !matches!(self.open, Open::Database(_))
    }

    fn next_chunk(&self, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError> {
        if self.progress.stop_requested() {
            self.context.stop();
        }
        self.context.check_stop()?;
        let source = match &self.open {
            Open::Database(database) => OpenSource::Database(database),
            Open::Log(log) => OpenSource::Log(log),
            Open::Patch => return Ok(None),
        };
        self.context.read_chunk(&source, buffer)
    }
}

/// Errors that leave the backup as it was.
fn is_harmless(error: &BackupError) -> bool {
    matches!(
        error,
        BackupError::InvalidParameter { .. }
            | BackupError::NoBackup
            | BackupError::Stopped
            | BackupError::TermInProgress
            | BackupError::FileOpen
            | BackupError::SessionSharing
    )
}

/// Size as events tell it: megabytes from 1 MiB on, else kilobytes.
fn size_text(bytes: u64) -> String {
    if bytes > 1 << 20 { format!("{} Mb", bytes >> 20) } else { format!("{} Kb", bytes >> 10) }
}
