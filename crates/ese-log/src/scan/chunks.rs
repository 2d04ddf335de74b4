//! Sequential reading of sectors in large pieces.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use ese_io::{File, IoError, IoErrorKind, Operation};

use super::geometry::Geometry;
use super::read_ahead::{Piece, ReadAhead};

/// Bytes read at a time when the reader waits for them: small enough to be still in the first caches when it is checked.
/// The system reads ahead by itself.
const CHUNK_SIZE: usize = 64 * 1024;
/// Bytes read at a time by a thread of its own.
const AHEAD_SIZE: usize = 256 * 1024;
/// Pieces asked for in advance.
const DEPTH: usize = 2;

/// Reads a log's sectors in order, in pieces.
pub(crate) struct ChunkReader {
    file: Arc<dyn File>,
    geometry: Geometry,
    buffer: Vec<u8>,
    /// First sector in the buffer.
    first: u16,
    /// Sectors in the buffer.
    count: u16,
    /// Sector in the buffer that the device would not deliver.
    failed: Option<IoError>,
    ahead: Option<Arc<ReadAhead>>,
    /// Pieces asked for, in order.
    pending: VecDeque<Pending>,
    /// Buffers that nobody uses.
    spare: Vec<Vec<u8>>,
}

struct Pending {
    first: u16,
    count: u16,
    receiver: Receiver<Piece>,
}

impl ChunkReader {
    /// A reader; with `ahead` the first pieces are asked for at once.
    pub(crate) fn new(file: Arc<dyn File>, geometry: Geometry, ahead: Option<Arc<ReadAhead>>) -> Self {
        let mut reader = Self {
            file,
            geometry,
            buffer: Vec::new(),
            first: 0,
            count: 0,
            failed: None,
            ahead,
            pending: VecDeque::new(),
            spare: Vec::new(),
        };
        reader.ask_from(geometry.header_sectors);
        reader
    }

    /// Makes `sector` the one that [`sector_mut`](Self::sector_mut) delivers, reading when it is not there yet.
    ///
    /// A piece that fails as a whole is read again sector by sector, so that one bad block costs one sector.
    pub(crate) fn load(&mut self, sector: u16) -> Result<(), IoError> {
        if sector >= self.first && sector - self.first < self.count {
            return match &self.failed {
                Some(error) => Err(error.clone()),
                None => Ok(()),
            };
        }
        if self.take_pending(sector) {
            return Ok(());
        }
        let wanted = self.chunk_at(sector);
        self.first = sector;
        self.count = 1;
        self.failed = None;
        if wanted > 1 && self.read(sector, wanted).is_ok() {
            self.count = wanted;
            return Ok(());
        }
        if let Err(error) = self.read(sector, 1) {
            self.failed = Some(error.clone());
            return Err(error);
        }
        Ok(())
    }

    /// Sectors of the piece that begins with `sector`.
    fn chunk_at(&self, sector: u16) -> u16 {
        let size = if self.ahead.is_some() { AHEAD_SIZE } else { CHUNK_SIZE };
        let most = (size / (self.geometry.sector_size as usize).max(1)).max(1);
        let left = self.geometry.sectors.saturating_sub(sector);
        u16::try_from(most).unwrap_or(u16::MAX).min(left)
    }

    /// Takes a piece that was asked for; `false` when `sector` is not the next one or it could not be read.
    fn take_pending(&mut self, sector: u16) -> bool {
        let Some(pending) = self.pending.pop_front().filter(|p| p.first == sector) else {
            self.pending.clear();
            return false;
        };
        let len = usize::from(pending.count) * self.geometry.sector_size as usize;
        let Ok(Piece { buffer, read }) = pending.receiver.recv() else { return false };
        if !read.is_ok_and(|read| read == len && buffer.len() == len) {
            self.pending.clear();
            return false;
        }
        let used = std::mem::replace(&mut self.buffer, buffer);
        self.spare.push(used);
        (self.first, self.count, self.failed) = (sector, pending.count, None);
        let next = self.pending.back().map_or(sector + pending.count, |p| p.first + p.count);
        self.ask_from(next);
        true
    }

    /// Asks for pieces from `sector` on, as many as may be under way.
    fn ask_from(&mut self, mut sector: u16) {
        let Some(ahead) = self.ahead.clone() else { return };
        while self.pending.len() < DEPTH && sector < self.geometry.sectors {
            let count = self.chunk_at(sector);
            let mut buffer = self.spare.pop().unwrap_or_default();
            buffer.resize(usize::from(count) * self.geometry.sector_size as usize, 0);
            let receiver = ahead.request(Arc::clone(&self.file), self.geometry.offset(sector), buffer);
            self.pending.push_back(Pending { first: sector, count, receiver });
            sector += count;
        }
    }

    fn read(&mut self, sector: u16, count: u16) -> Result<(), IoError> {
        let len = usize::from(count) * self.geometry.sector_size as usize;
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        let offset = self.geometry.offset(sector);
        let end_of_file =
            || IoError::new(Operation::Read, IoErrorKind::EndOfFile, self.file.path()).at(offset);
        let target = self.buffer.get_mut(..len).ok_or_else(end_of_file)?;
        if len == 0 || self.file.read_at(offset, target)? < len { Err(end_of_file()) } else { Ok(()) }
    }

    /// The bytes of a loaded sector; empty when it is not loaded.
    pub(crate) fn sector(&self, sector: u16) -> &[u8] {
        let size = self.geometry.sector_size as usize;
        let start = usize::from(sector.saturating_sub(self.first)) * size;
        if sector < self.first || sector - self.first >= self.count {
            return &[];
        }
        self.buffer.get(start..start + size).unwrap_or(&[])
    }

    /// The same, to be corrected in the buffer.
    pub(crate) fn sector_mut(&mut self, sector: u16) -> &mut [u8] {
        let size = self.geometry.sector_size as usize;
        let start = usize::from(sector.saturating_sub(self.first)) * size;
        if sector < self.first || sector - self.first >= self.count {
            return &mut [];
        }
        self.buffer.get_mut(start..start + size).unwrap_or(&mut [])
    }

    /// Reads one sector into a buffer of the caller's, past the loaded piece.
    pub(crate) fn read_single(&self, sector: u16, target: &mut Vec<u8>) -> Result<(), IoError> {
        target.resize(self.geometry.sector_size as usize, 0);
        self.file.read_exact_at(self.geometry.offset(sector), target)
    }
}
