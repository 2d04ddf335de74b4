//! What a header remembers of a backup.

use crate::{LogPosition, LogTime};

/// One backup as remembered in a database header or trailer page. 24 bytes.
///
/// | offset | size | field | note |
/// |-------:|-----:|-------|------|
/// | 0  | 8 | `mark` | identity of the set: log tip at the start of a full backup |
/// | 8  | 8 | `time` | time of the mark |
/// | 16 | 4 | `low_generation`  | first log of the set |
/// | 20 | 4 | `high_generation` | last log of the set; 0 while it is not known |
#[doc(alias = "BKINFO")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackupInfo {
    /// Identity of the set.
    #[doc(alias = "lgposMark")]
    pub mark: LogPosition,
    /// Time of the mark.
    #[doc(alias = "logtimeMark")]
    pub time: LogTime,
    /// First log generation of the set.
    #[doc(alias = "genLow")]
    pub low_generation: u32,
    /// Last log generation of the set (inclusive); 0 while it is not known.
    #[doc(alias = "genHigh")]
    pub high_generation: u32,
}

impl BackupInfo {
    /// Stored size in bytes.
    pub const SIZE: usize = 24;
    /// "No such backup".
    pub const NONE: Self =
        Self { mark: LogPosition::NONE, time: LogTime::NONE, low_generation: 0, high_generation: 0 };

    /// Decodes the stored form.
    #[must_use]
    pub fn from_bytes(b: &[u8; 24]) -> Self {
        let words: [[u8; 8]; 3] =
            std::array::from_fn(|i| b.as_chunks::<8>().0.get(i).copied().unwrap_or_default());
        let generations = u64::from_le_bytes(words[2]);
        Self {
            mark: LogPosition::from_bytes(words[0]),
            time: LogTime(words[1]),
            low_generation: (generations & 0xFFFF_FFFF) as u32,
            high_generation: (generations >> 32) as u32,
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut out = [0; 24];
        out[..8].copy_from_slice(&self.mark.to_bytes());
        out[8..16].copy_from_slice(&self.time.0);
        out[16..20].copy_from_slice(&self.low_generation.to_le_bytes());
        out[20..].copy_from_slice(&self.high_generation.to_le_bytes());
        out
    }

    /// Whether all 24 bytes are zero.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// How a remembered backup was made. 4 bytes; unknown numbers are kept.
#[doc(alias = "BKINFOTYPE")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackupInfoKind(pub u32);

impl BackupInfoKind {
    /// Streaming backup.
    pub const NORMAL: Self = Self(0);
    /// OS (VSS) snapshot.
    pub const OS_SNAPSHOT: Self = Self(1);
    /// Engine snapshot; never shipped.
    pub const SNAPSHOT: Self = Self(2);
    /// Surrogate backup; appears in log records only, a header stores it as OS snapshot.
    pub const SURROGATE: Self = Self(3);
}
