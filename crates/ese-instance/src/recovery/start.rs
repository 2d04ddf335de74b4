//! Where redo begins and with which databases.

use ese_format::{
    AttachmentEntry, Checkpoint, CheckpointPair, DatabaseState, HeaderError, LogGeneration, LogPosition,
    PageSize,
};
use ese_io::{IoErrorKind, OpenMode, OpenOptions, Storage};
use ese_log::{OpenLog, ReplayContext, ScanOptions};

use super::error::RecoveryError;
use super::locate::{Located, locate, read_header};
use super::request::{MissingCurrentLog, RecoveryMode, RecoveryRequest};
use super::source::{LogSource, first_position};

/// The beginning of redo.
pub(super) struct Start {
    /// First position to be replayed.
    pub(super) position: LogPosition,
    /// Databases that are attached there.
    pub(super) attachments: Vec<AttachmentEntry>,
    /// Whether a checkpoint said so.
    pub(super) from_checkpoint: bool,
    /// Log that holds the position.
    pub(super) log: OpenLog,
    /// Page size of the databases.
    pub(super) page_size: PageSize,
}

/// What there is to do.
pub(super) enum Beginning {
    /// The stream was closed in order, and the checkpoint knows it.
    Clean(LogPosition),
    /// Redo.
    Start(Box<Start>),
}

/// Reads the checkpoint file. A missing or damaged one is `None`: redo begins with the lowest log then.
pub(super) fn read_checkpoint(
    storage: &dyn Storage,
    request: &RecoveryRequest,
) -> Result<Option<Checkpoint>, RecoveryError> {
    let file = match storage.open(&request.checkpoint, OpenOptions::new(OpenMode::Read)) {
        Ok(file) => file,
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let mut bytes = vec![0; Checkpoint::FILE_SIZE];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    let parsed: Result<CheckpointPair, HeaderError> = CheckpointPair::parse(&bytes);
    match parsed {
        Ok(pair) => Ok(Some(pair.checkpoint)),
        Err(error) => {
            tracing::warn!(%error, "the checkpoint cannot be used; redo begins with the lowest log");
            Ok(None)
        }
    }
}

/// Decides where redo begins.
pub(super) fn find_start(
    storage: &dyn Storage,
    request: &RecoveryRequest,
    source: &mut LogSource,
) -> Result<Beginning, RecoveryError> {
    let Some(lowest) = source.lowest() else {
        return Err(RecoveryError::NoLogs {
            directory: request.log_directory.clone(),
            base: request.names.base.to_string(),
        });
    };
    let soft = request.mode == RecoveryMode::Soft;
    let headless = source.current.is_none() && soft && source.directory.temporary.is_none();
    if headless && request.missing_current_log == MissingCurrentLog::Refuse {
        return Err(source.missing_current_log(lowest));
    }
    let checkpoint = if soft { read_checkpoint(storage, request)? } else { None };
    let known = match &source.current {
        Some(log) => log.clone(),
        None => match source.generation(storage, lowest)? {
            Some(generation) => generation.log,
            None => return Err(RecoveryError::Unsupported("no log can be opened")),
        },
    };
    let page_size =
        known.header().page_size().map_err(|_| RecoveryError::Unsupported("the log's page size is none"))?;
    let signature = known.header().signature();
    source.expect(signature, page_size);
    let checkpoint = checkpoint.filter(|c| match c.check(Some(&signature)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the checkpoint cannot be used; redo begins with the lowest log");
            false
        }
    });
    if let (Some(checkpoint), Some(current)) = (&checkpoint, &source.current) {
        let options = ScanOptions {
            context: ReplayContext::Soft,
            is_current: true,
            accepts_repair: true,
            ..ScanOptions::default()
        };
        // Damage is found again, and reported, when the log is replayed.
        if let Ok(end) = current.scan(options)
            && end.defect.is_none()
            && end.is_closed_at(checkpoint.position())
            && !keeps_attached(storage, request, checkpoint, page_size)?
        {
            return Ok(Beginning::Clean(checkpoint.position()));
        }
    }
    if let Some(checkpoint) = checkpoint {
        let position = checkpoint.position();
        let Some(generation) = source
            .generation(storage, LogGeneration(position.generation))
            .or_else(|error| match error {
                RecoveryError::Log(ese_log::LogError::Missing { .. }) => Ok(None),
                other => Err(other),
            })?
            .filter(|opened| opened.log.generation().0 == position.generation)
        else {
            return Err(RecoveryError::MissingCheckpointLog {
                generation: LogGeneration(position.generation),
                file: source.directory.archived_path(LogGeneration(position.generation)),
            });
        };
        let log = generation.log;
        let list = checkpoint.attachments().ok().flatten();
        let (position, attachments) = match list {
            Some(list) if log.header().version().has_checkpoint_attachments() => (position, list),
            _ => (first_position(&log), header_list(&log)?),
        };
        let position = position.max(first_position(&log));
        let start = Start { position, attachments, from_checkpoint: true, log, page_size };
        if headless {
            check_covered(storage, request, source, &start)?;
        }
        return Ok(Beginning::Start(Box::new(start)));
    }
    let Some(generation) = source.generation(storage, lowest)? else {
        return Err(RecoveryError::Unsupported("no log can be opened"));
    };
    let log = generation.log;
    let (position, attachments) = (first_position(&log), header_list(&log)?);
    let start = Start { position, attachments, from_checkpoint: false, log, page_size };
    if headless {
        check_covered(storage, request, source, &start)?;
    }
    Ok(Beginning::Start(Box::new(start)))
}

/// Whether a stream that was closed in order left databases attached, and they are as it left them: a recovery that kept
/// them, whose instance never began.
fn keeps_attached(
    storage: &dyn Storage,
    request: &RecoveryRequest,
    checkpoint: &Checkpoint,
    page_size: PageSize,
) -> Result<bool, RecoveryError> {
    for entry in checkpoint.attachments().ok().flatten().unwrap_or_default() {
        let signature = Some(entry.fixed.signature()).filter(|s| !s.is_none());
        let Located::At(path) = locate(storage, &request.locations, &entry.path(), signature)? else {
            continue;
        };
        let file = storage.open(&path, OpenOptions::new(OpenMode::Read))?;
        if let Ok(header) = read_header(&*file, page_size)?
            && header.state() == DatabaseState::DIRTY_SHUTDOWN
            && header.log_signature() == checkpoint.signature()
            && header.attach_position() == entry.fixed.attach_position()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Without a current log: whether the archived ones hold everything that the databases at the start need. Those that
/// the log attaches later are judged at the end of redo.
fn check_covered(
    storage: &dyn Storage,
    request: &RecoveryRequest,
    source: &LogSource,
    start: &Start,
) -> Result<(), RecoveryError> {
    if request.missing_current_log == MissingCurrentLog::Accept {
        return Ok(());
    }
    let last = source.highest().unwrap_or(start.log.generation());
    let refused = Err(source.missing_current_log(last));
    match source.generation(storage, last) {
        Ok(Some(opened)) if opened.log.generation() == last => {}
        _ => return refused,
    }
    for entry in &start.attachments {
        let signature = Some(entry.fixed.signature()).filter(|s| !s.is_none());
        let Located::At(path) = locate(storage, &request.locations, &entry.path(), signature)? else {
            continue;
        };
        let file = storage.open(&path, OpenOptions::new(OpenMode::Read))?;
        if let Ok(header) = read_header(&*file, start.page_size)?
            && header.max_required().max(header.max_committed()) > last
        {
            return refused;
        }
    }
    Ok(())
}

fn header_list(log: &OpenLog) -> Result<Vec<AttachmentEntry>, RecoveryError> {
    log.header()
        .attachments()
        .map_err(|error| RecoveryError::Header { file: log.path().to_path_buf(), error })
}
