//! The scan of a generation of major version 7: the chain of flush ranges, its end, a torn last flush.

use std::sync::Arc;

use ese_format::LogPosition;
use ese_io::{File, IoError};

use crate::context::ReplayContext;
use crate::scan::{EndOfLog, Geometry, LogDefect, LogDefectKind, Repair, RepairAction};

use super::checksum_record::{ChecksumRecord, RangeVerdict, shadow_as_primary};
use super::pattern::is_pattern;
use super::window::Window;

/// What may be done about a damaged end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegacyRules {
    /// What the log is read for.
    pub context: ReplayContext,
    /// Whether this is the log being written, not an archived generation.
    pub is_current: bool,
    /// Whether a damaged end is set right (recovery) or only reported (dump, verification).
    pub accepts_repair: bool,
}

/// A verified flush range, in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushRange {
    /// Its checksum record.
    pub record: ChecksumRecord,
    /// Offset behind its valid bytes: less than the record says for a range that is cut.
    pub end: u64,
}

/// The verdict on a generation, and what is needed to walk its records.
pub(crate) struct LegacyScan {
    window: Window,
    geometry: Geometry,
    rules: LegacyRules,
    /// Checksum record looked at.
    cursor: u64,
    /// The range verified last.
    last: Option<ChecksumRecord>,
    finished: bool,
    /// Behind the valid bytes.
    end: u64,
    found: EndOfLog,
}

/// How the chain of ranges ended.
enum Ending {
    /// At the last range, in order; the rest of the file must be unused.
    Normal { end: u64 },
    /// At something else; `scan_from` is the sector from which on unused sectors prove a torn write.
    Broken { end: u64, scan_from: u64, bad_range: Option<ChecksumRecord> },
    /// At a record that is the shadow of the one before it: torn without further proof.
    Torn { end: u64 },
}

impl LegacyScan {
    pub(crate) fn new(file: Arc<dyn File>, geometry: Geometry, rules: LegacyRules) -> Self {
        let start = geometry.offset(geometry.header_sectors);
        let found = EndOfLog::empty(geometry);
        Self {
            window: Window::new(file, geometry.file_len()),
            geometry,
            rules,
            cursor: start,
            last: None,
            finished: false,
            end: start,
            found,
        }
    }

    /// The next verified range, or `None` at the end of the data.
    pub(crate) fn next_range(&mut self) -> Result<Option<FlushRange>, IoError> {
        if self.finished {
            return Ok(None);
        }
        let Some(record) = ChecksumRecord::read(&mut self.window, self.geometry, self.cursor)? else {
            return self.shadow_or_end(None);
        };
        let computed = match record.verify(&mut self.window, self.geometry)? {
            RangeVerdict::Primary => {
                let range = FlushRange { record, end: record.range_end() };
                self.last = Some(record);
                match record.next_offset() {
                    Some(next) => self.cursor = next,
                    None => self.finish_with(Ending::Normal { end: range.end })?,
                }
                self.end = self.end.max(range.end);
                return Ok(Some(range));
            }
            RangeVerdict::Shadow if self.follows_last(record.offset) => {
                let end = self.sector_start(record.offset);
                self.finish_with(Ending::Torn { end })?;
                return Ok(None);
            }
            RangeVerdict::Shadow => record.toggled_shadow().raw.range_checksum(),
            RangeVerdict::Bad { computed } => computed,
        };
        if record.raw.uses_short_checksum() {
            // Its own sector passed the short checksum: that much is kept.
            let end = self.sector_start(record.offset) + u64::from(self.geometry.sector_size);
            let bad_range = Some(record);
            self.finish_with(Ending::Broken { end, scan_from: record.range_end(), bad_range })?;
            return Ok(self.found.defect.is_none().then_some(FlushRange { record, end }));
        }
        self.shadow_or_end(Some((record.raw.range_checksum(), computed)))
    }

    /// The verdict, after the last range was delivered.
    pub(crate) fn finish(mut self) -> Result<EndOfLog, IoError> {
        let size = u64::from(self.geometry.sector_size);
        self.found.end = self.position(self.end);
        let data_end = self.end.div_ceil(size);
        // Both fit: a file has at most 65535 sectors.
        self.found.data = (data_end - u64::from(self.geometry.header_sectors)) as u32;
        let behind = u64::from(self.geometry.sectors).saturating_sub(data_end) as u32;
        if self.found.defect.is_some() {
            // What lies behind the damage was not judged.
            self.found.bad = behind.min(1);
            self.found.stale = behind.saturating_sub(1);
        } else if data_end * size + size <= self.window.len() {
            let shadow = !is_pattern(self.window.bytes(data_end * size, size as usize)?);
            self.found.shadows = u32::from(shadow);
            self.found.unused = behind - u32::from(shadow);
        } else {
            self.found.unused = behind;
        }
        Ok(self.found)
    }

    pub(crate) fn defect(&self) -> Option<LogDefect> {
        self.found.defect
    }

    /// Bytes of the file, for the walk.
    pub(crate) fn bytes(&mut self, offset: u64, count: usize) -> Result<&[u8], IoError> {
        self.window.bytes(offset, count)
    }

    /// Bytes that [`bytes`](Self::bytes) made available last.
    pub(crate) fn held(&self, offset: u64, count: usize) -> &[u8] {
        self.window.held(offset, count)
    }

    /// The position of an offset in the file.
    pub(crate) fn position(&self, offset: u64) -> LogPosition {
        let size = u64::from(self.geometry.sector_size);
        let sector = u16::try_from(offset / size).unwrap_or(u16::MAX);
        LogPosition::new(self.geometry.generation, sector, (offset % size) as u16)
    }

    fn sector_start(&self, offset: u64) -> u64 {
        offset - offset % u64::from(self.geometry.sector_size)
    }

    /// Whether an offset is that of the last record, one sector further on.
    fn follows_last(&self, offset: u64) -> bool {
        self.last.is_some_and(|last| last.offset + u64::from(self.geometry.sector_size) == offset)
    }

    /// No valid range at the cursor: its shadow may stand one sector further on, or the crash came before it was
    /// written at all.
    fn shadow_or_end(&mut self, checksums: Option<(u32, u32)>) -> Result<Option<FlushRange>, IoError> {
        let size = u64::from(self.geometry.sector_size);
        let behind = self.cursor + size;
        if let Some(shadow) = self.read_shadow(behind, false)? {
            if !self.rules.accepts_repair || !self.rules.is_current {
                self.set_defect(self.cursor, LogDefectKind::Patchable, checksums);
                self.finished = true;
                return Ok(None);
            }
            self.found.from_shadow += 1;
            self.push_repair(RepairAction::CopyLegacyShadow);
            let record = ChecksumRecord { offset: self.cursor, ..shadow }.toggled_shadow();
            self.show_shadow(record)?;
            let end = record.range_end();
            self.finish_with(Ending::Normal { end })?;
            self.end = end;
            return Ok(Some(FlushRange { record, end }));
        }
        let start = self.sector_start(self.cursor);
        let last_has_shadow_here = match self.last {
            Some(last) if self.sector_start(last.offset) + size == start => {
                self.read_shadow(last.offset + size, true)?.is_some()
            }
            _ => false,
        };
        let scan_from = if last_has_shadow_here { start + size } else { start };
        self.finish_with(Ending::Broken { end: start, scan_from, bad_range: None })?;
        if let (Some(defect), Some((expected, found))) = (&mut self.found.defect, checksums) {
            defect.kind = LogDefectKind::RangeCorrupt;
            defect.expected = Some(u64::from(expected));
            defect.found = Some(u64::from(found));
        }
        Ok(None)
    }

    /// Takes the bytes of a damaged last sector from its shadow, with the checksum of a primary.
    fn show_shadow(&mut self, record: ChecksumRecord) -> Result<(), IoError> {
        let size = u64::from(self.geometry.sector_size);
        let start = self.sector_start(record.offset);
        let mut sector = self.window.bytes(start + size, size as usize)?.to_vec();
        let inside = u16::try_from(record.offset - start).unwrap_or(u16::MAX);
        shadow_as_primary(&mut sector, inside);
        self.window.replace(start, sector);
        Ok(())
    }

    #[doc(alias = "FValidLRCKShadow")]
    fn read_shadow(&mut self, offset: u64, ignore_next: bool) -> Result<Option<ChecksumRecord>, IoError> {
        let Some(record) = ChecksumRecord::read(&mut self.window, self.geometry, offset)? else {
            return Ok(None);
        };
        let alone = !record.raw.uses_short_checksum() && (ignore_next || record.next_offset().is_none());
        let verdict = record.verify(&mut self.window, self.geometry)?;
        Ok(Some(record).filter(|_| alone && verdict == RangeVerdict::Shadow))
    }

    fn finish_with(&mut self, ending: Ending) -> Result<(), IoError> {
        self.finished = true;
        let size = u64::from(self.geometry.sector_size);
        match ending {
            Ending::Normal { end } => {
                // One sector behind the end is left to the shadow.
                let from = end.div_ceil(size) * size + size;
                if let Some(sector) = self.first_used(from)? {
                    self.set_defect(sector, LogDefectKind::CorruptAfterEmptySegment, None);
                }
            }
            Ending::Broken { end, scan_from, bad_range } => {
                let last_sector = self.window.len() - size;
                let mut torn = scan_from >= last_sector || self.first_used(scan_from)?.is_none();
                if let (true, Some(record)) = (torn, bad_range) {
                    torn = self.is_torn(record)?;
                }
                if torn {
                    self.accept_torn(end);
                } else {
                    let kind = match bad_range {
                        Some(_) => LogDefectKind::RangeCorrupt,
                        None => LogDefectKind::ChecksumRecordCorrupt,
                    };
                    self.set_defect(self.cursor, kind, None);
                }
            }
            Ending::Torn { end } => self.accept_torn(end),
        }
        Ok(())
    }

    /// Whether a bad range of several sectors looks as if only a part of it was written.
    fn is_torn(&mut self, record: ChecksumRecord) -> Result<bool, IoError> {
        let size = u64::from(self.geometry.sector_size);
        let mut at = self.sector_start(record.offset) + size;
        while at < record.range_end() {
            if is_pattern(self.window.bytes(at, size as usize)?) {
                return Ok(true);
            }
            at += size;
        }
        Ok(false)
    }

    /// A torn write: cut where that is allowed.
    fn accept_torn(&mut self, end: u64) {
        let LegacyRules { context, is_current, accepts_repair } = self.rules;
        let refused = match context {
            ReplayContext::HardRestore => true,
            ReplayContext::HardRecovery => !is_current || !accepts_repair,
            ReplayContext::Soft => !accepts_repair,
        };
        if refused {
            self.set_defect(self.cursor, LogDefectKind::TornWrite, None);
        } else {
            self.end = end;
            self.push_repair(RepairAction::EndTornRange);
        }
    }

    /// Remembers what makes the place of the cursor right.
    fn push_repair(&mut self, action: RepairAction) {
        let LogPosition { sector, byte, .. } = self.position(self.cursor);
        self.found.repairs.push(Repair { sector, byte, action });
    }

    /// Offset of the first sector from `from` on that was written, or `None`.
    fn first_used(&mut self, from: u64) -> Result<Option<u64>, IoError> {
        let size = u64::from(self.geometry.sector_size);
        let mut at = from;
        while at + size <= self.window.len() {
            if !is_pattern(self.window.bytes(at, size as usize)?) {
                return Ok(Some(at));
            }
            at += size;
        }
        Ok(None)
    }

    fn set_defect(&mut self, offset: u64, kind: LogDefectKind, checksums: Option<(u32, u32)>) {
        let sector = self.position(offset).sector;
        let (expected, found) = checksums.unzip();
        let (expected, found) = (expected.map(u64::from), found.map(u64::from));
        self.found.defect.get_or_insert(LogDefect { sector, kind, expected, found });
    }
}
