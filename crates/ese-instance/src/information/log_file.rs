//! What the header of a log file says.

use std::ops::Deref;
use std::path::Path;

use ese_format::{LogHeader, RawLogHeader};
use ese_io::OpenOptions;
use ese_log::LogError;
use zerocopy::IntoBytes;

use crate::call_error::CallError;
use crate::engine::Engine;
use crate::error::InstanceError;

/// What the header of a log file says (the fields are those of the [`LogHeader`], through `Deref`).
#[doc(alias = "JET_LOGINFOMISC")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMisc {
    header: LogHeader,
}

/// Which of the engine's structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogMiscForm {
    /// 80 bytes.
    #[doc(alias = "JET_LogInfoMisc")]
    First,
    /// 88 bytes: the checkpoint at creation behind.
    #[doc(alias = "JET_LogInfoMisc2")]
    Second,
    /// 104 bytes: the newer parts of the version and the checksum of the log before, too.
    #[doc(alias = "JET_LogInfoMisc3")]
    Third,
}

impl LogMiscForm {
    /// The form of an information level.
    ///
    /// # Errors
    /// `Call` (`JET_errInvalidParameter`) for a level that there is not.
    pub fn from_level(level: u32) -> Result<Self, InstanceError> {
        match level {
            0 => Ok(Self::First),
            1 => Ok(Self::Second),
            2 => Ok(Self::Third),
            _ => Err(CallError::InvalidParameter { what: "no such information level" }.into()),
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::First => 80,
            Self::Second => 88,
            Self::Third => 104,
        }
    }
}

/// Offset in the structure, offset in the header, bytes in the header: numbers of two bytes become numbers of four.
const COMMON: [(usize, usize, usize); 10] = [
    (0, 4, 4),    // ulGeneration
    (4, 44, 28),  // signLog
    (32, 16, 8),  // logtimeCreate
    (40, 24, 8),  // logtimePreviousGeneration
    (48, 639, 1), // ulFlags
    (52, 32, 4),  // ulVersionMajor
    (64, 8, 2),   // cbSectorSize
    (68, 10, 2),  // cbHeader
    (72, 12, 2),  // cbFile
    (76, 14, 2),  // cbDatabasePageSize
];
/// Minor version and the next part of it, in the two older forms.
const OLDER: [(usize, usize, usize); 2] = [(56, 36, 4), (60, 40, 4)];
/// Both parts of the update, the minor version, and the checksum of the log before, in the newest.
const NEWER: [(usize, usize, usize); 4] = [(56, 40, 4), (60, 648, 4), (88, 36, 4), (96, 653, 8)];

impl LogMisc {
    /// Of a header.
    #[must_use]
    pub const fn new(header: LogHeader) -> Self {
        Self { header }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &LogHeader {
        &self.header
    }

    /// The engine's structure, little-endian. Header, file and database page are measured as in the header: in sectors,
    /// sectors and bytes.
    #[must_use]
    #[doc(alias = "JET_LOGINFOMISC2")]
    #[doc(alias = "JET_LOGINFOMISC3")]
    pub fn to_bytes(&self, form: LogMiscForm) -> Vec<u8> {
        let raw: &RawLogHeader = &self.header;
        let mut bytes = vec![0; form.size()];
        let mut copy = |(at, from, len): (usize, usize, usize)| {
            let value = raw.as_bytes().get(from..from + len).unwrap_or_default();
            if let Some(place) = bytes.get_mut(at..at + len) {
                place.copy_from_slice(value);
            }
        };
        COMMON.into_iter().for_each(&mut copy);
        if form != LogMiscForm::First {
            copy((80, 640, 8));
        }
        match form {
            LogMiscForm::Third => NEWER.into_iter().for_each(copy),
            _ => OLDER.into_iter().for_each(copy),
        }
        bytes
    }
}

impl Deref for LogMisc {
    type Target = LogHeader;

    fn deref(&self) -> &LogHeader {
        &self.header
    }
}

impl Engine {
    /// What the header of a log file says, whoever writes the file.
    ///
    /// # Errors
    /// A storage error; `Log` for a header that is none.
    #[doc(alias = "JetGetLogFileInfo")]
    pub fn log_file_info(&self, path: &Path) -> Result<LogMisc, InstanceError> {
        let file = self.environment().storage.open(path, OpenOptions::READ)?;
        let mut bytes = vec![0; LogHeader::SIZE];
        file.read_exact_at(0, &mut bytes)?;
        let refuse = |error| LogError::Header { file: path.to_path_buf(), error };
        Ok(LogMisc::new(LogHeader::parse(&bytes).map_err(refuse)?))
    }
}

#[cfg(test)]
mod tests {
    use ese_format::{LogGeneration, LogPosition, LogVersion};

    use super::*;

    #[test]
    fn fields_lie_where_the_engine_has_them() {
        let mut header = LogHeader::new(LogVersion::segments(130, 270));
        header.set_generation(LogGeneration(0x21));
        header.set_sector_size(4096);
        header.set_header_sectors(1);
        header.set_file_sectors(1280);
        header.set_page_size_field(8192);
        header.set_checkpoint(LogPosition::new(0x20, 3, 4));
        header.set_previous_segments_checksum(0x1122_3344_5566_7788);
        let misc = LogMisc::new(header);
        let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        for form in [LogMiscForm::First, LogMiscForm::Second, LogMiscForm::Third] {
            let bytes = misc.to_bytes(form);
            assert_eq!((number(&bytes, 0), number(&bytes, 52)), (0x21, 8));
            assert_eq!((number(&bytes, 64), number(&bytes, 68)), (4096, 1));
            assert_eq!((number(&bytes, 72), number(&bytes, 76)), (1280, 8192));
        }
        let second = misc.to_bytes(LogMiscForm::Second);
        assert_eq!((number(&second, 56), number(&second, 60)), (4000, 130));
        assert_eq!(second[80..88], [4, 0, 3, 0, 0x20, 0, 0, 0]);
        let third = misc.to_bytes(LogMiscForm::Third);
        assert_eq!((number(&third, 56), number(&third, 60), number(&third, 88)), (130, 270, 4000));
        assert_eq!(third[96..104], 0x1122_3344_5566_7788_u64.to_le_bytes());
    }

    #[test]
    fn levels() {
        assert_eq!(LogMiscForm::from_level(2).unwrap().size(), 104);
        assert_eq!(LogMiscForm::from_level(3).unwrap_err().jet_error().0, -1003);
    }
}
