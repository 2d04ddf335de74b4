//! Signatures: the identity of a database, a log stream or a header write.

use std::fmt;

use crate::LogTime;

/// Identity of a database, of a log stream, or of one header write. 28 bytes; compared byte for byte.
///
/// | offset | size | field | note |
/// |-------:|-----:|-------|------|
/// | 0  | 4  | `random`  | random number |
/// | 4  | 8  | `created` | creation time |
/// | 12 | 16 | `computer_name` | zero in all current files |
#[doc(alias = "SIGNATURE")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signature {
    /// Random number.
    #[doc(alias = "ulRandom")]
    pub random: u32,
    /// Creation time.
    #[doc(alias = "logtimeCreate")]
    pub created: LogTime,
    /// NetBIOS name of the creating computer; zero in all current files.
    #[doc(alias = "szComputerName")]
    pub computer_name: [u8; 16],
}

impl Signature {
    /// Stored size in bytes.
    pub const SIZE: usize = 28;
    /// "Not set".
    pub const NONE: Self = Self { random: 0, created: LogTime::NONE, computer_name: [0; 16] };

    /// Decodes the stored form.
    #[must_use]
    pub fn from_bytes(b: &[u8; 28]) -> Self {
        let (random, rest) = b.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let (created, name) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        Self {
            random: u32::from_le_bytes(*random),
            created: LogTime(*created),
            computer_name: name.first_chunk::<16>().copied().unwrap_or_default(),
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 28] {
        let mut out = [0; 28];
        out[..4].copy_from_slice(&self.random.to_le_bytes());
        out[4..12].copy_from_slice(&self.created.0);
        out[12..].copy_from_slice(&self.computer_name);
        out
    }

    /// Whether all 28 bytes are zero.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// `random/creation time`, the random number in hexadecimal.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}/{}", self.random, self.created)
    }
}
