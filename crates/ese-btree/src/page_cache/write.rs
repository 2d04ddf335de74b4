//! Pages on their way out: replacement, write back, flush.

use std::ops::Range;
use std::sync::Arc;

use ese_format::{LogPosition, PageNumber, write_page_checksum};
use ese_io::AlignedBuffer;
use ese_log::record::DatabaseSlot;

use super::frame::Frame;
use super::{FrameId, PageCache, PageCacheError, key};
use crate::page_edit::{PageImage, page_flags};

/// Keeps pages from being written for a while, such as those that a backup reads at this moment.
pub trait PageWriteGate: Send + Sync {
    /// Calls `write` and returns true, or returns false at once when one of `pages` (half-open) must not be written now:
    /// they stay in memory and are offered again later.
    fn write(&self, pages: Range<PageNumber>, write: &mut dyn FnMut()) -> bool;
}

/// Most bytes written in one call.
const LARGEST_WRITE: usize = 1 << 20;
/// Changed pages that leave together when only changed ones are left in memory.
pub(super) const EVICTED_TOGETHER: usize = 64;
/// Most pages that leave together when nobody but the caller waits for it.
const MOST_EVICTED_TOGETHER: usize = 1024;

impl PageCache {
    /// From now on asks `gate` before pages of `slot` are written.
    ///
    /// # Errors
    /// [`PageCacheError::NotAttached`].
    pub fn set_gate(
        &mut self,
        slot: DatabaseSlot,
        gate: Option<Arc<dyn PageWriteGate>>,
    ) -> Result<(), PageCacheError> {
        self.file_mut(slot)?.gate = gate;
        Ok(())
    }

    /// From now on the file of `slot` is not made durable any more: nobody needs it after a crash.
    ///
    /// # Errors
    /// [`PageCacheError::NotAttached`].
    pub(crate) fn set_scratch(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        self.file_mut(slot)?.scratch = true;
        Ok(())
    }

    /// From now on a good part of the cache leaves at a time when room must be made by writing: fewer and larger writes, at
    /// the price of a wait.
    pub(crate) fn evict_many(&mut self) {
        self.evicted_together = (self.most_frames / 16).clamp(EVICTED_TOGETHER, MOST_EVICTED_TOGETHER);
    }

    /// The number that [`set_waiting`](Self::set_waiting) left at a page.
    pub(crate) fn waiting(&self, frame: FrameId) -> Option<u32> {
        self.frames.get(frame.0).and_then(|f| f.waiting)
    }

    /// Says that operations on the page wait for their before-image to be logged: until then it stays in memory.
    pub(crate) fn set_waiting(&mut self, frame: FrameId, waiting: Option<u32>) {
        if let Some(frame) = self.frames.get_mut(frame.0) {
            frame.waiting = waiting;
        }
    }

    /// The log must be durable up to this position before the page is written.
    pub(crate) fn last_change(&self, frame: FrameId) -> LogPosition {
        self.frames.get(frame.0).map_or(LogPosition::NONE, |f| f.last_change)
    }

    /// Says that the page must not be written before the log is durable up to `position`.
    pub(crate) fn raise_last_change(&mut self, frame: FrameId, position: LogPosition) {
        if let Some(frame) = self.frames.get_mut(frame.0) {
            frame.last_change = frame.last_change.max(position);
        }
    }

    /// Buffers in use, and how many there should be at most.
    pub(crate) fn fill(&self) -> (usize, usize) {
        (self.frames.len() - self.free.len(), self.most_frames)
    }

    /// Position from which on the log is needed for changes that are in memory only; none when there is no such change.
    #[must_use]
    pub fn oldest_change(&mut self) -> Option<LogPosition> {
        let (spilled, in_flight) = (self.oldest_spilled(), self.oldest_in_flight());
        while let Some(&(position, index)) = self.changed.first() {
            if self.is_current(position, index) {
                return [spilled, in_flight].into_iter().flatten().chain([position]).min();
            }
            self.changed.pop_first();
        }
        spilled.into_iter().chain(in_flight).min()
    }

    fn is_current(&self, position: LogPosition, index: usize) -> bool {
        self.frames.get(index).is_some_and(|f| f.used && f.dirty && f.first_change == position)
    }

    /// The pages that keep the log from `position` back from being given up, oldest first, at most `count`.
    pub(crate) fn changed_before(&mut self, position: LogPosition, count: usize) -> Vec<FrameId> {
        if self.changed.len() > 2 * self.frames.len() + 64 {
            let mut changed = std::mem::take(&mut self.changed);
            changed.retain(|&(position, index)| self.is_current(position, index));
            self.changed = changed;
        }
        let mut found = Vec::new();
        for &(first, index) in &self.changed {
            if first >= position || found.len() >= count {
                break;
            }
            if self.is_current(first, index) {
                found.push(FrameId(index));
            }
        }
        found
    }

    /// Writes the pages that need the log from before `position`, of all databases; those that must stay in memory stay.
    /// They are not durable yet. Returns how many.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub fn write_back(&mut self, position: LogPosition) -> Result<usize, PageCacheError> {
        self.begin_operation();
        let frames = self.changed_before(position, usize::MAX);
        self.write_frames(&frames)
    }

    /// Every changed page of a database.
    pub(crate) fn changed_of(&self, slot: DatabaseSlot) -> Vec<FrameId> {
        let changed = |f: &Frame| f.used && f.dirty && f.slot == slot;
        (0..).zip(&self.frames).filter(|(_, f)| changed(f)).map(|(index, _)| FrameId(index)).collect()
    }

    /// Writes those of `frames` that are changed and may be written, neighbours in one call. Returns how many.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub(crate) fn write_frames(&mut self, frames: &[FrameId]) -> Result<usize, PageCacheError> {
        self.refuse_lent()?;
        let mut written = 0;
        for (slot, first, run) in self.writable_runs(frames) {
            written += self.write_run(slot, first, &run)?;
        }
        Ok(written)
    }

    /// Those of `frames` that are changed and may be written: neighbours together, in the order of the pages, no more than
    /// one call writes.
    pub(super) fn writable_runs(&self, frames: &[FrameId]) -> Vec<(DatabaseSlot, PageNumber, Vec<usize>)> {
        let mut dirty: Vec<(u8, u32, usize)> = frames
            .iter()
            .filter_map(|id| Some((self.frames.get(id.0)?, id.0)))
            .filter(|(f, _)| f.used && f.dirty && f.is_writable())
            .map(|(f, index)| (f.slot.0, f.page.0, index))
            .collect();
        dirty.sort_unstable();
        dirty.dedup();
        let most = (LARGEST_WRITE / self.size.len()).max(1);
        let mut runs: Vec<(DatabaseSlot, PageNumber, Vec<usize>)> = Vec::new();
        for (slot, page, index) in dirty {
            match runs.last_mut() {
                Some((last, first, run))
                    if last.0 == slot && first.0 + run.len() as u32 == page && run.len() < most =>
                {
                    run.push(index);
                }
                _ => runs.push((DatabaseSlot(slot), PageNumber(page), vec![index])),
            }
        }
        runs
    }

    /// Second-chance replacement among the buffers that the operation at hand does not use; what is unchanged goes
    /// first.
    pub(super) fn evict(&mut self) -> Result<usize, PageCacheError> {
        let count = self.frames.len();
        let mut changed = std::mem::take(&mut self.evicting);
        let rounds = if changed.is_empty() { 2 * count } else { 0 };
        for _ in 0..rounds {
            self.hand = (self.hand + 1) % count.max(1);
            let (operation, hand) = (self.operation, self.hand);
            let Some(frame) = self.frames.get_mut(hand) else { continue };
            if frame.operation == operation
                || !frame.used
                || frame.writing
                || std::mem::take(&mut frame.recent)
            {
                continue;
            }
            if !frame.dirty {
                return Ok(self.vacate(hand));
            }
            if frame.is_writable() {
                changed.push(FrameId(hand));
                if changed.len() == self.evicted_together {
                    break;
                }
            }
        }
        if let Err(error) = self.refuse_lent() {
            self.evicting = changed;
            return Err(error);
        }
        if let Some(&first) = changed.first() {
            let neighbours = self.changed_behind(first);
            self.write_frames(&[&changed[..], &neighbours[..]].concat())?;
        }
        for id in changed {
            if self.frames.get(id.0).is_some_and(|f| f.used && !f.dirty) {
                let index = self.vacate(id.0);
                self.free.push(index);
            }
        }
        if self.free.is_empty() {
            self.spill_some()?;
        }
        if let Some(index) = self.free.pop() {
            return Ok(index);
        }
        // Everything is held: by pages that may not be written yet, or by one large operation. The bound gives way.
        self.frames.push(Frame::new(self.size));
        Ok(self.frames.len() - 1)
    }

    /// Changed pages that lie right behind this one in its file: the disk moves once.
    fn changed_behind(&self, first: FrameId) -> Vec<FrameId> {
        let Some(frame) = self.frames.get(first.0) else { return Vec::new() };
        let (slot, page) = (frame.slot, frame.page.0);
        let most = (LARGEST_WRITE / self.size.len()).max(1) as u32;
        let behind = (page.saturating_add(1)..page.saturating_add(most))
            .map_while(|number| self.index.get(&key(slot, PageNumber(number))))
            .take_while(|&&index| {
                self.frames.get(index).is_some_and(|f| f.dirty && f.operation != self.operation)
            });
        behind.map(|&index| FrameId(index)).collect()
    }

    pub(super) fn vacate(&mut self, index: usize) -> usize {
        if let Some(frame) = self.frames.get_mut(index) {
            self.index.remove(&key(frame.slot, frame.page));
            if let Some(prefetch) = &self.prefetch {
                prefetch.left(key(frame.slot, frame.page));
            }
            frame.clear();
        }
        index
    }

    /// The bytes of consecutive pages as the file is to have them, and the last record that changed one of them.
    pub(super) fn image_of_run(&mut self, first: PageNumber, run: &[usize]) -> (AlignedBuffer, LogPosition) {
        let mut buffer = AlignedBuffer::new(run.len() * self.size.len());
        let mut position = LogPosition::NONE;
        for ((number, &index), place) in (first.0..).zip(run).zip(buffer.chunks_exact_mut(self.size.len())) {
            let Some(frame) = self.frames.get_mut(index) else { continue };
            position = position.max(frame.last_change);
            let mut image = PageImage::of_frame(&mut frame.bytes[..], self.size);
            // "Unknown" agrees with any flush map.
            let flags = image.flags() & !page_flags::FLUSH_TYPE;
            image.set_flags(flags);
            let _ = write_page_checksum(&mut frame.bytes, PageNumber(number));
            place.copy_from_slice(&frame.bytes);
        }
        (buffer, position)
    }

    /// Writes consecutive pages in one call. Returns how many: all or none.
    fn write_run(
        &mut self,
        slot: DatabaseSlot,
        first: PageNumber,
        run: &[usize],
    ) -> Result<usize, PageCacheError> {
        let (buffer, position) = self.image_of_run(first, run);
        if let Some(log) = &self.write_ahead {
            log.before_write(slot, position)?;
        }
        let offset = first.file_offset(self.size);
        let file = self.file_mut(slot)?;
        let mut outcome = Ok(());
        let mut write = || outcome = file.file.write_at(offset, &buffer);
        let allowed = match &file.gate {
            Some(gate) => gate.write(first..PageNumber(first.0 + run.len() as u32), &mut write),
            None => {
                write();
                true
            }
        };
        if !allowed {
            return Ok(0);
        }
        file.unsynced = true;
        if let Some(prefetch) = &self.prefetch {
            prefetch.forget(slot, first, PageNumber(first.0 + run.len() as u32 - 1));
        }
        let last = first.0 + run.len() as u32 - 1;
        outcome?;
        let file = self.file_mut(slot)?;
        file.file_pages = file.file_pages.max(last);
        if let Some(prefetch) = &self.prefetch {
            prefetch.set_last(slot, last);
        }
        self.pages_written += run.len() as u64;
        for &index in run {
            if let Some(frame) = self.frames.get_mut(index) {
                self.changed.remove(&(frame.first_change, index));
                frame.dirty = false;
                frame.last_change = LogPosition::NONE;
                frame.first_change = LogPosition::NONE;
            }
        }
        Ok(run.len())
    }

    /// Writes every changed page of a database that may be written, in page order, and makes the file durable. Pages that
    /// its [gate](PageWriteGate) keeps back stay in memory.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub fn flush(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        self.file(slot)?;
        self.refuse_lent()?;
        self.settle_writes();
        let frames = self.changed_of(slot);
        self.write_frames(&frames)?;
        self.flush_spilled(slot)?;
        self.sync(slot)
    }

    /// Makes durable what was written to a database.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn sync(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        self.settle_writes();
        self.settle_length(slot)?;
        let file = self.file_mut(slot)?;
        if file.unsynced {
            file.file.sync()?;
            file.unsynced = false;
        }
        Ok(())
    }

    /// The files that were written and not made durable since; whoever takes them makes them durable.
    ///
    /// # Errors
    /// What the log or the file system answers when a file has to grow first.
    pub(crate) fn take_unsynced(&mut self) -> Result<Vec<Arc<dyn ese_io::File>>, PageCacheError> {
        self.settle_writes();
        let mut files = Vec::new();
        let slots = (0_u8..).map(DatabaseSlot).zip(&self.files).filter(|(_, file)| file.is_some());
        for slot in slots.map(|(slot, _)| slot).collect::<Vec<_>>() {
            self.settle_length(slot)?;
        }
        for file in self.files.iter_mut().flatten() {
            if std::mem::take(&mut file.unsynced) && !file.scratch {
                files.push(Arc::clone(&file.file));
            }
        }
        Ok(files)
    }
}
