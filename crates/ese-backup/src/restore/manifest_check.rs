//! Whether a set is what its manifest says.

use std::path::Path;

use ese_io::{AlignedBuffer, IoErrorKind, OpenOptions, Storage};

use super::error::{ManifestDifference, RestoreError};
use crate::manifest::{Manifest, ManifestFile};
use crate::progress::Progress;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A difference between a set and its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFinding {
    /// Name of the file.
    pub name: String,
    /// What differs.
    pub what: ManifestDifference,
    /// By manifest.
    pub expected: String,
    /// Found.
    pub found: String,
}

/// Compares every file of a set with its manifest: presence and length, and with `read` every byte.
///
/// # Errors
/// A storage error, or `Stopped`. Differences are the answer.
pub fn verify_manifest(
    storage: &dyn Storage,
    directory: &Path,
    manifest: &Manifest,
    read: bool,
    progress: &dyn Progress,
) -> Result<Vec<ManifestFinding>, RestoreError> {
    let mut findings = Vec::new();
    for file in &manifest.files {
        findings.extend(compare(storage, directory, file, read, progress)?);
    }
    Ok(findings)
}

fn compare(
    storage: &dyn Storage,
    directory: &Path,
    file: &ManifestFile,
    read: bool,
    progress: &dyn Progress,
) -> Result<Option<ManifestFinding>, RestoreError> {
    let finding = |what, expected: String, found: String| {
        Ok(Some(ManifestFinding { name: file.name.clone(), what, expected, found }))
    };
    // A name is one component: a manifest cannot lead out of its directory.
    if Path::new(&file.name).file_name().is_none_or(|n| n != file.name.as_str()) {
        return finding(ManifestDifference::Presence, "a plain file name".to_owned(), file.name.clone());
    }
    let opened = match storage.open(&directory.join(&file.name), OpenOptions::READ.direct(true)) {
        Ok(opened) => opened,
        Err(e) if e.kind == IoErrorKind::NotFound => {
            return finding(ManifestDifference::Presence, "there".to_owned(), "missing".to_owned());
        }
        Err(error) => return Err(error.into()),
    };
    let len = opened.len()?;
    if len != file.size {
        return finding(ManifestDifference::Size, file.size.to_string(), len.to_string());
    }
    if !read {
        return Ok(None);
    }
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let (mut checksum, mut offset) = (0, 0);
    loop {
        if progress.stop_requested() {
            return Err(RestoreError::Stopped);
        }
        let count = opened.read_at(offset, &mut buffer)?;
        if count == 0 {
            break;
        }
        checksum = crc32c::crc32c_append(checksum, buffer.get(..count).unwrap_or_default());
        offset += count as u64;
    }
    let found = format!("{checksum:08x}");
    if found.eq_ignore_ascii_case(&file.crc32c) {
        Ok(None)
    } else {
        finding(ManifestDifference::Checksum, file.crc32c.clone(), found)
    }
}
