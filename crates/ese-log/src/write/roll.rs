//! New generations: the first of a stream, the next one, and going on after recovery.

use std::path::Path;
use std::sync::Arc;

use ese_format::{
    AttachmentEntry, LogFlags, LogGeneration, LogHeader, LogHeaderChecks, LogPosition, LogTime, LogVersion,
    Signature,
};
use ese_io::{File, IoErrorKind, OpenMode, OpenOptions, Randomness, Storage};
use parking_lot::MutexGuard;

use crate::error::LogError;
use crate::read::{OpenLog, StreamEnd, apply_repairs};
use crate::scan::RepairAction;

use super::batch::RecordBatch;
use super::buffer::{Flush, LogBuffer};
use super::environment::LogEvent;
use super::new_file::{NewFile, Prepared, write_header};
use super::reserve::ReservePool;
use super::segment_file::SegmentFile;
use super::writer::{Buffer, ClosedGeneration, LogWriter, LogWriterParts, Output};

/// From this generation on the end of the numbers is announced.
#[doc(alias = "lGenerationMaxWarningThreshold")]
const WARNING_FROM: u32 = 0x4000_0000;
const WARNING_EVERY: u32 = 20_000;
/// From this generation on it is announced more often.
#[doc(alias = "lGenerationMaxPanicThreshold")]
const PANIC_FROM: u32 = 0x7FFF_F000;
const PANIC_EVERY: u32 = 10;

/// Records of the first data segment begin here.
const FIRST_SECTOR: u16 = 1;

/// The generation that a new one follows.
pub(super) struct Previous {
    pub header: LogHeader,
    pub accumulated_checksum: u64,
}

/// What is known of a new generation.
pub(super) struct NextGeneration<'a> {
    pub previous: Option<Previous>,
    pub generation: LogGeneration,
    pub signature: Signature,
    /// The databases attached at its very start.
    pub attachments: &'a [AttachmentEntry],
    /// Records wait that will fill it at once.
    pub filled_soon: bool,
}

/// What is known of a generation when the one in front of it is closed.
struct Successor<'a> {
    attachments: &'a [AttachmentEntry],
    filled_soon: bool,
    /// Memory of what was written of the closed generation, to be used again.
    memory: Vec<u8>,
}

impl LogWriter {
    /// Creates a new stream: its first generation, with a signature of its own. There must be no log of that name.
    ///
    /// # Errors
    /// Whatever [`LogEnvironment::stream_begins`](super::LogEnvironment::stream_begins) returned, [`LogError::Storage`],
    /// [`LogError::DiskFull`].
    #[doc(alias = "ErrLGCreateNewLogStream")]
    pub fn create(parts: LogWriterParts, randomness: &dyn Randomness) -> Result<Self, LogError> {
        let created = LogTime::from_unix_ms(parts.clock.unix_ms());
        let signature = Signature { random: randomness.next_u32(), created, computer_name: [0; 16] };
        let generation = parts.settings.first_generation;
        let first = LogPosition::new(generation.0, FIRST_SECTOR, 0);
        parts.environment.stream_begins(&signature, first)?;
        Self::begin(parts, None, generation, signature, None)
    }

    /// Begins the generation after the last one read. Usually that one is archived and there is no log being written: the
    /// state that a crash between the two renames of a roll leaves. The temporary file is rebuilt, whatever it holds.
    /// When the last one is the log being written, it is archived as it is.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::DiskFull`], [`LogError::SequenceEnd`].
    pub fn begin_after(parts: LogWriterParts, last: &StreamEnd) -> Result<Self, LogError> {
        let accumulated_checksum = last.end.accumulated_checksum;
        let previous = Previous { header: last.header.clone(), accumulated_checksum };
        let (generation, signature) = (last.header.generation().next(), last.header.signature());
        let old = last.is_current.then_some(last.file.as_path());
        if last.is_current {
            write_back(&parts, last)?;
        }
        Self::begin(parts, Some(previous), generation, signature, old)
    }

    /// Goes on in the log being written, at the start of the segment behind its last valid one. A segment that was read from
    /// its shadow is written back first, because the shadow's place is needed.
    ///
    /// When a crash cut the last record, the first one appended must be a `RecoveryUndo2`: readers take nothing else behind
    /// a cut record.
    ///
    /// A log of major version 7 is archived as it is, and the next generation begins.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Damaged`] for a log that ends in damage.
    pub fn resume(parts: LogWriterParts, last: &StreamEnd) -> Result<Self, LogError> {
        if let Some(defect) = last.end.defect {
            let (file, position) = (last.file.clone(), last.end.end);
            return Err(LogError::Damaged { file, position, defect, context: crate::ReplayContext::Soft });
        }
        if !last.header.version().has_segments() {
            return Self::begin_after(parts, last);
        }
        let file = write_back(&parts, last)?;
        let generation = last.header.generation().0;
        let order = parts.settings.write_order;
        let segments = SegmentFile::new(file, generation, order, last.end.accumulated_checksum);
        let (header, sector) = (last.header.clone(), last.end.end.sector);
        Ok(Self::with_output(parts, segments, last.file.clone(), header, sector))
    }

    fn begin(
        parts: LogWriterParts,
        previous: Option<Previous>,
        generation: LogGeneration,
        signature: Signature,
        old: Option<&Path>,
    ) -> Result<Self, LogError> {
        let mut reserves =
            ReservePool::new(parts.directory.clone(), parts.names.clone(), parts.settings.file_len(), 0);
        let attachments = &parts.environment.attachments(generation);
        let next = NextGeneration { previous, generation, signature, attachments, filled_soon: false };
        let (file, header) = new_generation(&parts, &next, &mut reserves, old)?;
        let path = parts.directory.join(parts.names.current());
        Ok(Self::with_output(parts, file, path, header, FIRST_SECTOR))
    }

    /// Begins a new generation now, whatever the old one holds.
    ///
    /// # Errors
    /// [`LogError::Down`] when the old generation cannot be completed or the new one not created: the log is down then.
    pub fn roll(&self) -> Result<(), LogError> {
        let mut output = self.output.lock();
        let mut buffer = self.lock_buffer_of_file(&mut output)?;
        self.roll_locked(&mut output, &mut buffer)
    }

    /// Completes the generation and begins the next one. Nobody appends meanwhile; no other generation is closed.
    pub(super) fn roll_locked(&self, output: &mut Output, buffer: &mut Buffer) -> Result<(), LogError> {
        buffer.log.close();
        let rest = buffer.log.take(true);
        let attachments = self.parts.environment.attachments(buffer.header.generation().next());
        let mut kind = Successor { attachments: &attachments, filled_soon: false, memory: Vec::new() };
        match self.next_generation(output, rest, buffer.header.clone(), &mut kind) {
            Ok(header) => {
                buffer.log = LogBuffer::new(header.generation().0, FIRST_SECTOR, header.file_sectors());
                buffer.header = header;
                Ok(())
            }
            Err(error) => Err(self.take_down(buffer, error)),
        }
    }

    /// Closes the generation in memory and goes on with the next one, whose file is made by whoever writes next. False,
    /// and nothing has changed, when that is not possible, or `batch` would not fit then.
    pub(super) fn close_in_memory(&self, buffer: &mut Buffer, batch: &RecordBatch) -> bool {
        let generation = LogGeneration(buffer.log.generation).next();
        if !self.parts.settings.write_behind || buffer.closed.is_some() || generation > LogGeneration::MAX {
            return false;
        }
        let sectors = self.parts.settings.file_segments;
        if !LogBuffer::new(generation.0, FIRST_SECTOR, sectors).fits(batch) {
            return false;
        }
        let next = buffer.log.next(generation.0, FIRST_SECTOR, sectors);
        let mut log = std::mem::replace(&mut buffer.log, next);
        log.close();
        let attachments = self.parts.environment.attachments(generation);
        buffer.closed = Some(ClosedGeneration { log, attachments });
        self.parts.environment.much_waits();
        true
    }

    /// The buffer, locked, once all generations in front of it have their ends written and the file of `output` is its own:
    /// what is taken from it belongs into that file for as long as it stays locked. While it is not, anybody who appends may
    /// close its generation.
    pub(super) fn lock_buffer_of_file(
        &self,
        output: &mut Output,
    ) -> Result<MutexGuard<'_, Buffer>, LogError> {
        loop {
            let mut buffer = self.buffer.lock();
            super::writer::check_up(&buffer)?;
            let Some(mut closed) = buffer.closed.take() else { return Ok(buffer) };
            let header = buffer.header.clone();
            let behind = closed.log.len() + buffer.log.len();
            // Others append while this is written.
            drop(buffer);
            let rest = closed.log.take(true);
            let mut kind = Successor {
                attachments: &closed.attachments,
                filled_soon: behind > self.parts.settings.buffer_bytes / 8,
                memory: Vec::new(),
            };
            let made = self.next_generation(output, rest, header, &mut kind);
            let mut buffer = self.buffer.lock();
            buffer.log.give_back(kind.memory);
            match made {
                Ok(header) => buffer.header = header,
                Err(error) => return Err(self.take_down(&mut buffer, error)),
            }
        }
    }

    /// Writes what is left of a generation, whose header is `closing`, and makes the file of the next one.
    fn next_generation(
        &self,
        output: &mut Output,
        rest: Option<Flush>,
        closing: LogHeader,
        kind: &mut Successor<'_>,
    ) -> Result<LogHeader, LogError> {
        if let Some(flush) = rest {
            let end = flush.end;
            kind.memory = output.file.write(flush)?;
            self.set_durable(end);
        }
        let parts = &self.parts;
        let accumulated_checksum = output.file.accumulated_checksum();
        let next = NextGeneration {
            previous: Some(Previous { header: closing.clone(), accumulated_checksum }),
            generation: closing.generation().next(),
            signature: closing.signature(),
            attachments: kind.attachments,
            filled_soon: kind.filled_soon,
        };
        let old = Some(output.path.as_path());
        match new_generation(parts, &next, &mut output.reserves, old) {
            Ok((file, header)) => {
                output.file = file;
                output.path = parts.directory.join(parts.names.current());
                self.set_durable(LogPosition::new(next.generation.0, FIRST_SECTOR, 0));
                Ok(header)
            }
            Err(error) => {
                parts.environment.event(&LogEvent::NewLogFailed { error: &error });
                Err(error)
            }
        }
    }
}

/// Writes what was read from a shadow to its place, because the shadow's own place is needed, or the log becomes an archived
/// one, where shadows do not count.
fn write_back(parts: &LogWriterParts, last: &StreamEnd) -> Result<Arc<dyn File>, LogError> {
    let file = parts.storage.open(&last.file, OpenOptions::new(OpenMode::ReadWrite))?;
    let log = OpenLog::from_file(Arc::clone(&file), &LogHeaderChecks::default())?;
    let mut writes = log.plan_repairs(&last.end)?;
    writes.retain(|write| matches!(write.action, RepairAction::CopyShadow | RepairAction::CopyLegacyShadow));
    apply_repairs(&*file, &writes)?;
    Ok(file)
}

/// Creates a generation under the current name, archiving the log that has it. `old` is its path.
#[doc(alias = "ErrLGINewLogFile")]
fn new_generation(
    parts: &LogWriterParts,
    next: &NextGeneration<'_>,
    reserves: &mut ReservePool,
    old: Option<&Path>,
) -> Result<(SegmentFile, LogHeader), LogError> {
    let storage: &dyn Storage = &*parts.storage;
    let (previous, generation) = (next.previous.as_ref(), next.generation);
    let closing = previous.map_or(LogGeneration(0), |p| p.header.generation());
    announce_end(parts, closing);
    if generation > LogGeneration::MAX {
        return Err(LogError::SequenceEnd { generation: closing });
    }
    if previous.is_some() {
        parts.environment.write_checkpoint();
    }
    let new_file = NewFile {
        storage,
        directory: &parts.directory,
        names: &parts.names,
        environment: &*parts.environment,
        file_len: parts.settings.file_len(),
        circular: parts.settings.circular,
        keeps_flush_maps: parts.settings.keeps_flush_maps,
        closing,
        filled_soon: next.filled_soon,
    };
    let Prepared { file, from_reserve } = new_file.obtain(reserves)?;
    let header = header(parts, next, from_reserve)?;
    write_header(&*file, &header)?;
    // Names become durable in the order of the changes: after a crash the old log is the current one, or archived with the
    // new one under its temporary name, or archived with the new one in its place.
    let (current, temporary) = (parts.names.current(), parts.names.temporary());
    if let Some(old) = old {
        storage.rename(old, &parts.directory.join(parts.names.archived(closing)))?;
    }
    let current = parts.directory.join(current);
    if old.is_none() && storage.exists(&current)? {
        let error = ese_io::IoError::new(ese_io::Operation::Rename, IoErrorKind::AlreadyExists, current);
        return Err(error.into());
    }
    storage.rename(&parts.directory.join(temporary), &current)?;
    storage.sync_directory(&parts.directory)?;
    parts.environment.generation_opened(&header)?;
    let order = parts.settings.write_order;
    Ok((SegmentFile::new(Arc::clone(&file), generation.0, order, 0), header))
}

/// The header of a new generation.
#[doc(alias = "InitLgfilehdrT")]
pub(super) fn header(
    parts: &LogWriterParts,
    next: &NextGeneration<'_>,
    from_reserve: bool,
) -> Result<LogHeader, LogError> {
    let settings = &parts.settings;
    let previous = next.previous.as_ref();
    let desired = settings.version;
    // A stream never goes back, part by part.
    let version = previous.map_or(desired, |p| {
        let old = p.header.version();
        LogVersion {
            major: desired.major.max(old.major),
            minor: desired.minor,
            update_major: desired.update_major.max(if old.has_segments() { old.update_major } else { 0 }),
            update_minor: desired.update_minor.max(if old.has_segments() { old.update_minor } else { 0 }),
        }
    });
    let mut header = LogHeader::new(version);
    header.set_generation(next.generation);
    header.set_file_sectors(settings.file_segments);
    // The largest page size is 32768.
    header.set_page_size_field(u16::try_from(settings.page_size.bytes()).unwrap_or(0));
    header.set_create_time(LogTime::from_unix_ms(parts.clock.unix_ms()));
    header.set_signature(next.signature);
    header.set_parameters(settings.parameters);
    header.set_checkpoint(parts.environment.checkpoint());
    header.set_engine_format(settings.engine_format);
    let mut flags = LogFlags::empty();
    flags.set(LogFlags::RESERVED_LOG, from_reserve);
    flags.set(LogFlags::CIRCULAR_LOGGING_CURRENT, settings.circular);
    if let Some(previous) = previous {
        header.set_previous_create_time(previous.header.create_time());
        header.set_previous_segments_checksum(previous.accumulated_checksum);
        let ever = LogFlags::CIRCULAR_LOGGING_CURRENT | LogFlags::CIRCULAR_LOGGING_HISTORY;
        flags.set(LogFlags::CIRCULAR_LOGGING_HISTORY, previous.header.flags().intersects(ever));
    }
    header.set_flags(flags);
    header
        .set_attachments(next.attachments)
        .map_err(|error| LogError::Header { file: parts.directory.join(parts.names.temporary()), error })?;
    Ok(header)
}

#[doc(alias = "CheckForGenerationOverflow")]
fn announce_end(parts: &LogWriterParts, current: LogGeneration) {
    let every = if current.0 > PANIC_FROM { PANIC_EVERY } else { WARNING_EVERY };
    if current.0 > WARNING_FROM && current.0.is_multiple_of(every) {
        let highest = LogGeneration::MAX_NORMAL;
        parts.environment.event(&LogEvent::AlmostOutOfGenerations { current, highest });
    }
}
