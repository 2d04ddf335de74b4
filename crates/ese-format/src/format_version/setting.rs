//! The parameter that chooses an engine's format version.

use crate::{EngineFormatVersion, FORMAT_VERSIONS, FormatVersions, JetError};

/// Meaning of a value of JET_paramEngineFormatVersion.
#[doc(alias = "JET_paramEngineFormatVersion")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineFormatSetting {
    /// The newest version: files are upgraded.
    #[doc(alias = "JET_efvUseEngineDefault")]
    EngineDefault,
    /// The version that the files have.
    #[doc(alias = "JET_efvUsePersistedFormat")]
    UsePersisted,
    /// This version; files with a higher one are refused.
    Exactly(EngineFormatVersion),
    /// This version; files with a higher one are taken as they are.
    #[doc(alias = "JET_efvAllowHigherPersistedFormat")]
    AtLeast(EngineFormatVersion),
}

/// An engine format version without a row in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("engine format version {0} is not known")]
pub struct UnknownEngineFormat(pub EngineFormatVersion);

impl UnknownEngineFormat {
    /// The engine's error: "no longer supported" for any number below the newest, else "not yet implemented".
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        if self.0 < EngineFormatVersion::NEWEST {
            JetError::ENGINE_FORMAT_VERSION_NO_LONGER_SUPPORTED_TOO_LOW
        } else {
            JetError::ENGINE_FORMAT_VERSION_NOT_YET_IMPLEMENTED_TOO_HIGH
        }
    }
}

impl EngineFormatVersion {
    /// The versions that this engine format stands for.
    ///
    /// # Errors
    /// [`UnknownEngineFormat`] unless the number is exactly one of the table's.
    pub fn versions(self) -> Result<&'static FormatVersions, UnknownEngineFormat> {
        FORMAT_VERSIONS.iter().rev().find(|row| row.engine == self).ok_or(UnknownEngineFormat(self))
    }
}

impl EngineFormatSetting {
    const ENGINE_DEFAULT: u32 = 0x4000_0001;
    const USE_PERSISTED: u32 = 0x4000_0002;
    const ALLOW_HIGHER: u32 = 0x4100_0000;

    /// Reads a parameter value. Which versions exist is checked by [`EngineFormatVersion::versions`].
    #[must_use]
    pub const fn from_parameter(value: u32) -> Self {
        match value {
            Self::ENGINE_DEFAULT => Self::EngineDefault,
            Self::USE_PERSISTED => Self::UsePersisted,
            v if v & Self::ALLOW_HIGHER == Self::ALLOW_HIGHER => {
                Self::AtLeast(EngineFormatVersion(v & !Self::ALLOW_HIGHER))
            }
            v => Self::Exactly(EngineFormatVersion(v)),
        }
    }

    /// The parameter value.
    #[must_use]
    pub const fn to_parameter(self) -> u32 {
        match self {
            Self::EngineDefault => Self::ENGINE_DEFAULT,
            Self::UsePersisted => Self::USE_PERSISTED,
            Self::Exactly(version) => version.0,
            Self::AtLeast(version) => version.0 | Self::ALLOW_HIGHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_values() {
        for (value, setting) in [
            (0x4000_0001, EngineFormatSetting::EngineDefault),
            (0x4000_0002, EngineFormatSetting::UsePersisted),
            (8920, EngineFormatSetting::Exactly(EngineFormatVersion(8920))),
            (0x4100_22D8, EngineFormatSetting::AtLeast(EngineFormatVersion(8920))),
        ] {
            assert_eq!(EngineFormatSetting::from_parameter(value), setting);
            assert_eq!(setting.to_parameter(), value);
        }
    }

    #[test]
    fn numbers_between_the_rows_are_refused() {
        let error = |n| EngineFormatVersion(n).versions().unwrap_err().jet_error();
        assert_eq!(error(9440), JetError::ENGINE_FORMAT_VERSION_NO_LONGER_SUPPORTED_TOO_LOW);
        assert_eq!(error(1), JetError::ENGINE_FORMAT_VERSION_NO_LONGER_SUPPORTED_TOO_LOW);
        assert_eq!(error(9620), JetError::ENGINE_FORMAT_VERSION_NOT_YET_IMPLEMENTED_TOO_HIGH);
    }
}
