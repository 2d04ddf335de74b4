//! The bytes of one file of an overlay: the base's, with changed blocks before them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::{File, Lock};
use crate::locks::{LockGuard, Locks};
use crate::storage::{OpenMode, OpenOptions, Storage};

/// Unit of change: the smallest page, so that a page write never reads.
const BLOCK: u64 = 4096;

/// Where changed blocks are kept.
pub(super) struct Delta {
    storage: Arc<dyn Storage>,
    folder: PathBuf,
    next: AtomicU64,
    bytes: AtomicU64,
}

impl Delta {
    pub(super) fn new(storage: Arc<dyn Storage>, folder: PathBuf) -> Self {
        Self { storage, folder, next: AtomicU64::new(1), bytes: AtomicU64::new(0) }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A new file; numbers that are taken (by another overlay, or left over) are passed by.
    fn create(&self) -> Result<Arc<dyn File>> {
        const TRIES: u32 = 10_000;
        let mut last = None;
        for _ in 0..TRIES {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("overlay-{number:06}.delta"));
            match self.storage.open(&path, OpenOptions::new(OpenMode::CreateNew)) {
                Err(e) if e.kind == IoErrorKind::AlreadyExists => last = Some(e),
                result => return result,
            }
        }
        let full = IoError::new(Operation::Open, IoErrorKind::AlreadyExists, &self.folder);
        Err(last.unwrap_or(full))
    }
}

pub(super) struct Content {
    base: Option<Arc<dyn File>>,
    blocks: RwLock<Blocks>,
    delta: Arc<Delta>,
    locks: Locks,
}

#[derive(Default)]
struct Blocks {
    len: u64,
    /// How much of the base still shows.
    base_len: u64,
    /// Block number to slot in the delta file.
    slots: HashMap<u64, u64>,
    next_slot: u64,
    file: Option<Arc<dyn File>>,
}

/// Neighbouring blocks that are neighbours in the delta file, too, or all not in it.
struct Run {
    slot: Option<u64>,
    blocks: u64,
}

impl Blocks {
    fn run(&self, first: u64, last: u64) -> Run {
        let slot = self.slots.get(&first).copied();
        let mut blocks = 1;
        while first + blocks <= last && self.slots.get(&(first + blocks)).copied() == slot.map(|s| s + blocks)
        {
            blocks += 1;
        }
        Run { slot, blocks }
    }

    fn read(&self, base: Option<&Arc<dyn File>>, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let last = (at + rest.len() as u64 - 1) / BLOCK;
            let run = self.run(at / BLOCK, last);
            let end = (at / BLOCK + run.blocks) * BLOCK;
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            match (run.slot, &self.file) {
                (Some(slot), Some(file)) => file.read_exact_at(slot * BLOCK + at % BLOCK, now)?,
                _ => {
                    let shown = usize::try_from(self.base_len.saturating_sub(at)).unwrap_or(usize::MAX);
                    let (shown, zeros) = now.split_at_mut(shown.min(count));
                    if let Some(base) = base.filter(|_| !shown.is_empty()) {
                        // Shorter than it was when opened: somebody changes the base, and we must not make up zeros.
                        base.read_exact_at(at, shown)?;
                    }
                    zeros.fill(0);
                }
            }
            rest = later;
            at += count as u64;
        }
        Ok(())
    }

    fn write(&mut self, base: Option<&Arc<dyn File>>, delta: &Delta, offset: u64, data: &[u8]) -> Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(delta.create()?)),
        };
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let first = at / BLOCK;
            let run = self.run(first, (at + rest.len() as u64 - 1) / BLOCK);
            let end = (first + run.blocks) * BLOCK;
            let mut count = usize::try_from(end - at).unwrap_or(usize::MAX).min(rest.len());
            if let Some(slot) = run.slot {
                file.write_at(slot * BLOCK + at % BLOCK, rest.get(..count).unwrap_or(&[]))?;
            } else if at % BLOCK == 0 && count as u64 >= BLOCK {
                // Whole blocks; the rest of the last one comes in the next round.
                let blocks = count as u64 / BLOCK;
                count = usize::try_from(blocks * BLOCK).unwrap_or(0);
                file.write_at(self.next_slot * BLOCK, rest.get(..count).unwrap_or(&[]))?;
                self.add(delta, first, blocks);
            } else {
                let mut block = vec![0; usize::try_from(BLOCK).unwrap_or(0)];
                self.read(base, first * BLOCK, &mut block)?;
                let start = usize::try_from(at % BLOCK).unwrap_or(0);
                count = count.min(block.len() - start);
                for (target, source) in block.iter_mut().skip(start).zip(rest.iter().take(count)) {
                    *target = *source;
                }
                file.write_at(self.next_slot * BLOCK, &block)?;
                self.add(delta, first, 1);
            }
            rest = rest.get(count..).unwrap_or(&[]);
            at += count as u64;
        }
        self.len = self.len.max(at);
        Ok(())
    }

    fn add(&mut self, delta: &Delta, first: u64, count: u64) {
        for index in 0..count {
            self.slots.insert(first + index, self.next_slot + index);
        }
        self.next_slot += count;
        delta.bytes.fetch_add(count * BLOCK, Ordering::Relaxed);
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        if len < self.len {
            self.base_len = self.base_len.min(len);
            self.slots.retain(|block, _| *block < len.div_ceil(BLOCK));
            // What is behind the cut in its own block must read as zeros after growing again.
            if let (Some(slot), Some(file)) = (self.slots.get(&(len / BLOCK)), &self.file) {
                let start = len % BLOCK;
                let zeros = vec![0; usize::try_from(BLOCK - start).unwrap_or(0)];
                file.write_at(slot * BLOCK + start, &zeros)?;
            }
        }
        self.len = len;
        Ok(())
    }
}

impl Content {
    pub(super) fn over(base: Arc<dyn File>, delta: Arc<Delta>) -> Result<Self> {
        let len = base.len()?;
        let blocks = RwLock::new(Blocks { len, base_len: len, ..Blocks::default() });
        Ok(Self { base: Some(base), blocks, delta, locks: Locks::default() })
    }

    pub(super) fn empty(delta: Arc<Delta>) -> Self {
        Self { base: None, blocks: RwLock::default(), delta, locks: Locks::default() }
    }

    pub(super) fn len(&self) -> u64 {
        self.blocks.read().len
    }

    pub(super) fn lock(&self, lock: Lock) -> Option<LockGuard> {
        self.locks.take(lock)
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Some(file) = self.blocks.get_mut().file.take() {
            let path = file.path().to_path_buf();
            drop(file);
            // Nobody is left to tell.
            let _ = self.delta.storage.remove(&path);
        }
    }
}

pub(super) struct OverlayFile {
    path: PathBuf,
    content: Arc<Content>,
    writable: bool,
    poisoned: AtomicBool,
    _lock: LockGuard,
}

impl OverlayFile {
    pub(super) fn new(path: &Path, content: Arc<Content>, writable: bool, lock: LockGuard) -> Self {
        let poisoned = AtomicBool::new(false);
        Self { path: path.to_path_buf(), content, writable, poisoned, _lock: lock }
    }

    fn check(&self, operation: Operation) -> Result<()> {
        let kind = if !self.writable {
            IoErrorKind::ReadOnly
        } else if self.poisoned.load(Ordering::Acquire) {
            IoErrorKind::Poisoned
        } else {
            return Ok(());
        };
        Err(IoError::new(operation, kind, &self.path))
    }

    fn doubtful<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }
}

impl File for OverlayFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let blocks = self.content.blocks.read();
        let available = usize::try_from(blocks.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = available.min(buffer.len());
        let wanted = buffer.get_mut(..count).unwrap_or(&mut []);
        blocks.read(self.content.base.as_ref(), offset, wanted)?;
        Ok(count)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check(Operation::Write)?;
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(IoError::new(Operation::Write, IoErrorKind::DiskFull, &self.path).at(offset));
        }
        if data.is_empty() {
            return Ok(());
        }
        let content = &self.content;
        let result = content.blocks.write().write(content.base.as_ref(), &content.delta, offset, data);
        self.doubtful(result)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.content.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Operation::Length)?;
        if i64::try_from(len).is_err() {
            return Err(IoError::new(Operation::Length, IoErrorKind::DiskFull, &self.path).at(len));
        }
        let result = self.content.blocks.write().set_len(len);
        self.doubtful(result)
    }

    fn sync(&self) -> Result<()> {
        if self.writable { self.check(Operation::Sync) } else { Ok(()) }
    }
}
