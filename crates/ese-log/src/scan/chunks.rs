//! Sequential reading of sectors in large pieces.

use std::sync::Arc;

use ese_io::{File, IoError, IoErrorKind, Operation};

use super::geometry::Geometry;

/// Bytes read at a time: large enough for the device, small enough to stay in a core's cache while it is checked.
const CHUNK_SIZE: usize = 256 * 1024;

/// Reads a log's sectors in order, in pieces of up to 256 KiB.
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
}

impl ChunkReader {
    pub(crate) fn new(file: Arc<dyn File>, geometry: Geometry) -> Self {
        Self { file, geometry, buffer: Vec::new(), first: 0, count: 0, failed: None }
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
        let size = self.geometry.sector_size as usize;
        let most = (CHUNK_SIZE / size.max(1)).clamp(1, usize::from(u16::MAX));
        let left = self.geometry.sectors.saturating_sub(sector);
        let wanted = u16::try_from(most).unwrap_or(u16::MAX).min(left);
        self.first = sector;
        self.failed = None;
        match self.read(sector, wanted) {
            Ok(()) => self.count = wanted,
            Err(error) if wanted <= 1 => {
                self.count = 1;
                self.failed = Some(error.clone());
                return Err(error);
            }
            Err(_) => {
                self.count = 1;
                if let Err(error) = self.read(sector, 1) {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(())
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
