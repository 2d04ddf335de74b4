//! What recovery writes back into a damaged log.

use ese_io::File;

use crate::error::LogError;
use crate::legacy::shadow_as_primary;
use crate::scan::{EndOfLog, RepairAction};
use crate::segment::flip_bit;

use super::open::OpenLog;

/// A sector with the content that it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectorWrite {
    /// Offset in the file.
    pub offset: u64,
    /// The whole sector.
    pub bytes: Vec<u8>,
    /// Why.
    pub action: RepairAction,
}

impl OpenLog {
    /// The sectors that are to be written so that the file itself holds what [`scan`](Self::scan) accepted. Nothing is written
    /// here.
    ///
    /// The torn end of a log of major version 7 ([`RepairAction::EndTornRange`]) has no sector: what was cut off is ignored by
    /// every reader, and today's engines never append to such a log.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn plan_repairs(&self, end: &EndOfLog) -> Result<Vec<SectorWrite>, LogError> {
        let size = self.geometry.sector_size as usize;
        let mut writes = Vec::new();
        for repair in &end.repairs {
            let offset = self.geometry.offset(repair.sector);
            let mut bytes = vec![0; size];
            let mut read = |offset| self.file.read_exact_at(offset, &mut bytes);
            match repair.action {
                RepairAction::FlipBit(bit) => {
                    read(offset)?;
                    flip_bit(&mut bytes, bit);
                }
                RepairAction::CopyShadow => read(offset + size as u64)?,
                RepairAction::CopyLegacyShadow => {
                    read(offset + size as u64)?;
                    if !shadow_as_primary(&mut bytes, repair.byte) {
                        continue;
                    }
                }
                RepairAction::EndTornRange => continue,
            }
            writes.push(SectorWrite { offset, bytes, action: repair.action });
        }
        Ok(writes)
    }
}

/// Writes repairs and makes them durable.
///
/// # Errors
/// [`LogError::Storage`].
pub(crate) fn apply_repairs(file: &dyn File, writes: &[SectorWrite]) -> Result<(), LogError> {
    for write in writes {
        file.write_at(write.offset, &write.bytes)?;
    }
    if writes.is_empty() { Ok(()) } else { Ok(file.sync()?) }
}
