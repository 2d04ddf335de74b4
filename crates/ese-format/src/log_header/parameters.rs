//! The engine parameters that log headers, checkpoints and some records carry.

use crate::field::FieldValue;
use crate::stored::{Stored, stored_struct};

bitflags::bitflags! {
    /// Flags of [`RawLogParameters`]. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct LogParameterFlags: u8 {
        /// Circular logging is on.
        #[doc(alias = "fDBMSPARAMCircularLogging")]
        const CIRCULAR_LOGGING = 0x01;
        const _ = !0;
    }
}

impl Stored for LogParameterFlags {
    type Raw = u8;
    fn load(raw: u8) -> Self {
        Self::from_bits_retain(raw)
    }
    fn store(self) -> u8 {
        self.bits()
    }
    fn field(self) -> FieldValue {
        FieldValue::flags(self)
    }
}

stored_struct! {
    /// Parameters of the engine that wrote a log or checkpoint, 567 bytes, little-endian. Informational; recovery may
    /// size its tables by them.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/daedef.hxx`, `DBMS_PARAM`.
    #[doc(alias = "DBMS_PARAM")]
    pub struct RawLogParameters [567] {
        /// System path: narrow, zero-terminated; characters outside the code page are `?`.
        #[doc(alias = "szSystemPath")]
        0 "szSystemPath" system_path_bytes set_system_path_bytes: [u8; 261] as text,
        /// Log file path, same rules.
        #[doc(alias = "szLogFilePath")]
        261 "szLogFilePath" log_path_bytes set_log_path_bytes: [u8; 261] as text,
        /// Flags.
        #[doc(alias = "fDBMSPARAMFlags")]
        522 "fDBMSPARAMFlags" flags set_flags: LogParameterFlags,
        /// Sessions.
        #[doc(alias = "le_lSessionsMax")]
        523 "lSessionsMax" max_sessions set_max_sessions: u32,
        /// Open tables.
        #[doc(alias = "le_lOpenTablesMax")]
        527 "lOpenTablesMax" max_open_tables set_max_open_tables: u32,
        /// Version store buckets.
        #[doc(alias = "le_lVerPagesMax")]
        531 "lVerPagesMax" max_version_pages set_max_version_pages: u32,
        /// Cursors.
        #[doc(alias = "le_lCursorsMax")]
        535 "lCursorsMax" max_cursors set_max_cursors: u32,
        /// Log buffers, in sectors of 512 bytes.
        #[doc(alias = "le_lLogBuffers")]
        539 "lLogBuffers" log_buffers set_log_buffers: u32,
        /// Size of a log file in sectors.
        #[doc(alias = "le_lcsecLGFile")]
        543 "lcsecLGFile" log_file_sectors set_log_file_sectors: u32,
        /// Size of the page cache in pages.
        #[doc(alias = "le_ulCacheSizeMax")]
        547 "ulCacheSizeMax" max_cache_pages set_max_cache_pages: u32,
        /// Zero.
        551 "reserved551" reserved_551 set_reserved_551: [u8; 16],
    }
}

impl RawLogParameters {
    /// System path, as far as it can be read: UTF-8, else Latin-1.
    #[must_use]
    pub fn system_path(&self) -> String {
        narrow_text(&self.system_path_bytes())
    }

    /// Log file path, as far as it can be read.
    #[must_use]
    pub fn log_path(&self) -> String {
        narrow_text(&self.log_path_bytes())
    }

    /// Stores both paths: characters outside ASCII become `?`, what does not fit into 260 bytes is cut.
    pub fn set_paths(&mut self, system_path: &str, log_path: &str) {
        self.set_system_path_bytes(narrow_bytes(system_path));
        self.set_log_path_bytes(narrow_bytes(log_path));
    }
}

/// Text up to the first zero byte: UTF-8, else each byte a Latin-1 character. The code page is not recorded anywhere.
pub(crate) fn narrow_text(bytes: &[u8]) -> String {
    let text = bytes.split(|&b| b == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) => text.to_owned(),
        Err(_) => text.iter().map(|&b| char::from(b)).collect(),
    }
}

fn narrow_bytes(text: &str) -> [u8; 261] {
    let mut bytes = [0; 261];
    let narrow = text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?'));
    for (byte, c) in bytes.iter_mut().take(260).zip(narrow) {
        *byte = c;
    }
    bytes
}

impl Stored for RawLogParameters {
    type Raw = Self;
    fn load(raw: Self) -> Self {
        raw
    }
    fn store(self) -> Self {
        self
    }
    fn field(self) -> FieldValue {
        FieldValue::Group(self.fields())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_narrow_and_cut() {
        let mut parameters = RawLogParameters::default();
        parameters.set_paths("E:\\f\u{fc}r\\", &"x".repeat(400));
        assert_eq!(parameters.system_path(), "E:\\f?r\\");
        assert_eq!(parameters.log_path().len(), 260);
        assert_eq!(narrow_text(b"E:\\f\xfcr\0rest"), "E:\\f\u{fc}r");
    }
}
