//! The scan of a generation of major version 8: which segments are data, where the data ends, what is damaged.

use ese_format::LogPosition;
use ese_io::{IoError, IoErrorKind};

use crate::context::ReplayContext;
use crate::segment::{SEGMENT_HEADER_SIZE, SegmentJudgement, flip_bit, judge_segment};
use crate::walk::closing_record;

use super::chunks::ChunkReader;
use super::end::{EndOfLog, LogDefect, LogDefectKind, Repair, RepairAction};
use super::geometry::Geometry;
use super::judged::{Judged, judge, position_of};

/// Goes once through a generation and delivers its data segments in order.
///
/// What the engine does before redo, in one pass with the reading: it looks through the whole generation first,
/// remembers the verdict, replays up to the damage and then reports it. Segments are delivered up to the same place
/// here, and the verdict is [`finish`](Self::finish)'s.
#[doc(alias = "ErrLGCheckReadLastLogRecordFF")]
pub(crate) struct SegmentScan {
    chunks: ChunkReader,
    geometry: Geometry,
    context: ReplayContext,
    /// Goes on after a defect, to count what is there.
    count_all: bool,
    next: u16,
    /// A segment that is no data was met: no data may follow.
    empty: bool,
    last_valid: Option<u16>,
    /// Judgements made in advance, from the first data segment on. Segments are not delivered then, only judged.
    judged: Option<Vec<Result<Judged, IoError>>>,
    /// Content of the segment delivered last, when it is not the chunk's.
    substitute: Option<Vec<u8>>,
    found: EndOfLog,
}

/// What one segment turned out to be.
enum Class {
    Data { checksum: u64 },
    NoData,
    Defect(LogDefect),
}

impl SegmentScan {
    pub(crate) fn new(
        chunks: ChunkReader,
        geometry: Geometry,
        context: ReplayContext,
        count_all: bool,
    ) -> Self {
        let found = EndOfLog::empty(geometry);
        Self {
            chunks,
            geometry,
            context,
            count_all,
            next: geometry.header_sectors,
            empty: false,
            last_valid: None,
            judged: None,
            substitute: None,
            found,
        }
    }

    /// A scan whose segments were judged before: only its verdict is of use.
    pub(crate) fn judged(mut self, judged: Option<Vec<Result<Judged, IoError>>>) -> Self {
        self.judged = judged;
        self
    }

    /// The number of the next data segment; its bytes are [`segment`](Self::segment). `None` at the end of the data,
    /// whatever the reason.
    pub(crate) fn next_data(&mut self) -> Result<Option<u16>, IoError> {
        while self.next <= self.geometry.last_data_sector() {
            let sector = self.next;
            self.next += 1;
            match self.classify(sector)? {
                Class::Data { checksum } if self.found.defect.is_none() => {
                    self.found.data += 1;
                    self.found.accumulated_checksum ^= checksum;
                    self.last_valid = Some(sector);
                    return Ok(Some(sector));
                }
                Class::Data { .. } => self.found.data += 1,
                Class::NoData => {}
                Class::Defect(defect) => {
                    self.found.bad += 1;
                    self.found.defect.get_or_insert(defect);
                    if !self.count_all {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    /// The bytes of the segment delivered last, corrected.
    pub(crate) fn segment(&self) -> &[u8] {
        match (&self.substitute, self.last_valid) {
            (Some(bytes), _) => bytes,
            (None, Some(sector)) => self.chunks.sector(sector),
            (None, None) => &[],
        }
    }

    /// The position behind the data delivered so far.
    pub(crate) fn end(&self) -> LogPosition {
        let sector = self.last_valid.map_or(self.geometry.header_sectors, |s| s.saturating_add(1));
        LogPosition::new(self.geometry.generation, sector, 0)
    }

    /// The first defect met so far.
    pub(crate) fn defect(&self) -> Option<LogDefect> {
        self.found.defect
    }

    /// The verdict. Whatever was not delivered yet is scanned first.
    pub(crate) fn finish(mut self) -> Result<EndOfLog, IoError> {
        while self.next_data()?.is_some() {}
        if self.count_all {
            self.count_last_sector()?;
        }
        self.found.end = self.end();
        if let Some(sector) = self.last_valid {
            let closing = match self.substitute.take() {
                Some(bytes) => closing_record(&bytes),
                None => {
                    self.load_and_judge(sector)?;
                    closing_record(self.chunks.sector(sector))
                }
            };
            self.found.closed_at = closing.map(|offset| {
                let byte = if offset == SEGMENT_HEADER_SIZE { 0 } else { offset };
                LogPosition::new(self.geometry.generation, sector, u16::try_from(byte).unwrap_or(u16::MAX))
            });
        }
        Ok(self.found)
    }

    /// The last sector never holds data and is no part of the engine's scan.
    fn count_last_sector(&mut self) -> Result<(), IoError> {
        let sector = self.geometry.sectors.saturating_sub(1);
        match self.chunks.load(sector) {
            Ok(()) => {}
            Err(error) if is_out_of_memory(&error) => return Err(error),
            Err(_) => {
                self.found.stale += 1;
                return Ok(());
            }
        }
        match judge_segment(self.chunks.sector(sector), sector) {
            SegmentJudgement::Shadow { .. } => self.found.shadows += 1,
            SegmentJudgement::Zero => self.found.unused += 1,
            SegmentJudgement::Own { .. } | SegmentJudgement::Damaged { .. } => self.found.stale += 1,
        }
        Ok(())
    }

    fn classify(&mut self, sector: u16) -> Result<Class, IoError> {
        self.substitute = None;
        let judged = match &self.judged {
            Some(all) => {
                let index = usize::from(sector.saturating_sub(self.geometry.header_sectors));
                all.get(index).cloned().unwrap_or_else(|| self.load_and_judge(sector))
            }
            None => self.load_and_judge(sector),
        };
        let Judged { judgement, position } = match judged {
            Ok(judged) => judged,
            Err(error) if is_out_of_memory(&error) => return Err(error),
            Err(_) => return self.damaged(sector, None),
        };
        match judgement {
            SegmentJudgement::Own { checksum, flipped_bit } => {
                let class = self.classify_valid(sector, position, checksum.to_u64());
                if let (Some(bit), Class::Data { .. }) = (flipped_bit, &class) {
                    self.found.corrected += 1;
                    self.found.repairs.push(Repair { sector, byte: 0, action: RepairAction::FlipBit(bit) });
                }
                Ok(class)
            }
            SegmentJudgement::Shadow { flipped_bit } => {
                self.empty = true;
                self.found.shadows += 1;
                self.found.corrected += u32::from(flipped_bit.is_some());
                Ok(Class::NoData)
            }
            SegmentJudgement::Zero if self.geometry.zero_filled => {
                self.empty = true;
                self.found.unused += 1;
                Ok(Class::NoData)
            }
            SegmentJudgement::Damaged { stored, computed } => {
                self.damaged(sector, Some((stored.to_u64(), computed.to_u64())))
            }
            SegmentJudgement::Zero => self.damaged(sector, None),
        }
    }

    fn load_and_judge(&mut self, sector: u16) -> Result<Judged, IoError> {
        self.chunks.load(sector)?;
        Ok(judge(self.chunks.sector_mut(sector), sector))
    }

    fn classify_valid(&mut self, sector: u16, position: LogPosition, checksum: u64) -> Class {
        let own = LogPosition::new(self.geometry.generation, sector, 0);
        let defect = |kind, found: LogPosition| {
            Class::Defect(LogDefect {
                sector,
                kind,
                expected: Some(own.to_u64()),
                found: Some(found.to_u64()),
            })
        };
        if position < own {
            self.empty = true;
            self.found.stale += 1;
            Class::NoData
        } else if position > own {
            defect(LogDefectKind::BadSegmentPosition, position)
        } else if self.empty {
            defect(LogDefectKind::ValidSegmentAfterEmpty, position)
        } else {
            Class::Data { checksum }
        }
    }

    /// A segment that is neither data nor unused: its shadow may stand behind it.
    fn damaged(&mut self, sector: u16, checksums: Option<(u64, u64)>) -> Result<Class, IoError> {
        let defect = |kind| {
            let (expected, found) = checksums.unzip();
            Ok(Class::Defect(LogDefect { sector, kind, expected, found }))
        };
        if self.empty {
            return defect(LogDefectKind::CorruptAfterEmptySegment);
        }
        let mut shadow = Vec::new();
        match self.chunks.read_single(sector.saturating_add(1), &mut shadow) {
            Ok(()) => {}
            Err(error) if is_out_of_memory(&error) => return Err(error),
            Err(_) => return defect(LogDefectKind::IoError),
        }
        let SegmentJudgement::Own { checksum, flipped_bit } = judge_segment(&shadow, sector) else {
            return defect(LogDefectKind::SegmentCorrupt);
        };
        if let Some(bit) = flipped_bit {
            flip_bit(&mut shadow, bit);
        }
        if position_of(&shadow) != LogPosition::new(self.geometry.generation, sector, 0) {
            return defect(LogDefectKind::SegmentCorrupt);
        }
        if self.context == ReplayContext::HardRestore {
            return defect(LogDefectKind::CannotPatchHardRecovery);
        }
        self.found.from_shadow += 1;
        self.found.repairs.push(Repair { sector, byte: 0, action: RepairAction::CopyShadow });
        self.substitute = Some(shadow);
        Ok(Class::Data { checksum: checksum.to_u64() })
    }
}

/// Being short of memory says nothing about the log.
fn is_out_of_memory(error: &IoError) -> bool {
    error.kind == IoErrorKind::OutOfMemory
}
