//! Small fixed values: signatures, times, positions, backup records.

use ese_format::{BackupInfo, LogTime, Signature};

use crate::samples;

/// Reads each value from the front and writes it back: every bit must survive.
pub(crate) fn run(data: &[u8]) {
    if let Some(bytes) = data.first_chunk::<28>() {
        let signature = Signature::from_bytes(bytes);
        assert_eq!(signature.to_bytes(), *bytes);
        let _ = (signature.is_none(), format!("{signature:?}"));
    }
    if let Some(bytes) = data.first_chunk::<24>() {
        let info = BackupInfo::from_bytes(bytes);
        assert_eq!(info.to_bytes(), *bytes);
        let _ = (info.is_none(), format!("{info:?}"));
    }
    if let Some(bytes) = data.first_chunk::<8>() {
        let _ = LogTime::from_unix_ms(i64::from_le_bytes(*bytes)).to_unix_ms();
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    // The signatures and times of real headers.
    samples::files("clean-p4k", "files", &[".edb", ".log", ".chk"], 4096)
        .iter()
        .flat_map(|file| [4, 12, 24].into_iter().filter_map(|at| file.get(at..)?.get(..64)))
        .map(<[u8]>::to_vec)
        .chain([vec![0; 64], vec![0xFF; 64]])
        .collect()
}
