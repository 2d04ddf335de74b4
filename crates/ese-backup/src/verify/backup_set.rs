//! Verification of a backup set as a whole: are all its files there, do they belong together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ese_format::{
    DatabaseHeader, DatabaseHeaderPair, FileKind, HeaderError, JetError, LogHeader, PageNumber, Signature,
    TrailerPage,
};
use ese_io::{AlignedBuffer, EntryKind, File, OpenOptions, Storage};

use super::error::VerifyError;
use super::page_tally::is_trailer_page;
use crate::{BackupError, Manifest, Progress};

/// The outcome of looking at a backup set as a whole. Its files are verified one by one besides.
#[derive(Clone, Debug, Default)]
pub struct BackupSetVerification {
    /// Whether the set has a manifest, so that every byte was compared.
    pub has_manifest: bool,
    /// Databases of the set.
    pub databases: u64,
    /// Logs of the set.
    pub logs: u64,
    /// Findings, by file.
    pub findings: Vec<BackupSetFinding>,
}

/// One thing that is wrong with a backup set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupSetFinding {
    /// A file of the manifest is not there.
    MissingFile {
        /// The file.
        file: PathBuf,
    },
    /// A file has another length than the manifest tells.
    Size {
        /// The file.
        file: PathBuf,
        /// Length in the manifest, in bytes.
        expected: u64,
        /// Length of the file, in bytes.
        found: u64,
    },
    /// A file has another CRC-32C than the manifest tells.
    Crc32c {
        /// The file.
        file: PathBuf,
        /// In the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// A log that a database needs is not there.
    MissingLog {
        /// The database.
        file: PathBuf,
        /// The log generation.
        generation: u32,
    },
    /// The trailer of a database is not that of its header.
    Trailer {
        /// The database.
        file: PathBuf,
        /// What does not fit.
        error: HeaderError,
    },
}

impl BackupSetFinding {
    /// The file that it is about.
    #[must_use]
    pub fn file(&self) -> &Path {
        match self {
            Self::MissingFile { file }
            | Self::Size { file, .. }
            | Self::Crc32c { file, .. }
            | Self::MissingLog { file, .. }
            | Self::Trailer { file, .. } => file,
        }
    }

    /// What kind of finding, in lower case with underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MissingFile { .. } => "missing_file",
            Self::Size { .. } => "size",
            Self::Crc32c { .. } => "crc32c",
            Self::MissingLog { .. } => "missing_log",
            Self::Trailer { .. } => "trailer",
        }
    }

    /// What a restore of such a set returns; `None` where the engine would not notice.
    #[must_use]
    pub const fn jet_error(&self) -> Option<JetError> {
        match self {
            Self::MissingFile { .. } => Some(JetError::FILE_NOT_FOUND),
            Self::Size { .. } | Self::Crc32c { .. } => None,
            Self::MissingLog { .. } => Some(JetError::MISSING_LOG_FILE),
            Self::Trailer { error, .. } => Some(error.jet_error()),
        }
    }
}

/// Looks at a directory as a backup set. `None` when it is none: it has neither a manifest nor a database with a backup
/// trailer. Files in directories below belong to sets of their own.
///
/// # Errors
/// [`VerifyError::Io`] when the directory or one of its files cannot be read, [`VerifyError::Interrupted`].
pub fn verify_backup_set(
    storage: &dyn Storage,
    directory: &Path,
    progress: &dyn Progress,
) -> Result<Option<BackupSetVerification>, VerifyError> {
    let manifest = match Manifest::read(storage, directory) {
        Ok(manifest) => manifest,
        Err(BackupError::Io(error)) => return Err(error.into()),
        Err(_) => None,
    };
    let mut set = BackupSetVerification { has_manifest: manifest.is_some(), ..Default::default() };
    let mut logs: BTreeSet<(u32, [u8; Signature::SIZE])> = BTreeSet::new();
    let mut trailers = Vec::new();
    for entry in storage.list(directory)?.into_iter().filter(|entry| entry.kind == EntryKind::File) {
        if progress.stop_requested() {
            return Err(VerifyError::Interrupted);
        }
        let file = storage.open(&entry.path, OpenOptions::READ)?;
        let mut start = vec![0; FileKind::DETECT_LEN];
        let read = file.read_at(0, &mut start)?;
        start.truncate(read);
        match FileKind::detect(&start).0 {
            FileKind::Log => {
                if let Ok(header) = LogHeader::parse(&start) {
                    set.logs += 1;
                    logs.insert((header.generation().0, header.signature().to_bytes()));
                }
            }
            FileKind::Database => {
                set.databases += 1;
                if let Some(found) = read_trailer(file.as_ref(), &start)? {
                    trailers.push((entry.path, found));
                }
            }
            _ => {}
        }
    }
    if manifest.is_none() && trailers.is_empty() {
        return Ok(None);
    }
    for (path, (header, trailer)) in trailers {
        if let Err(error) = trailer.check(&header, false) {
            set.findings.push(BackupSetFinding::Trailer { file: path, error });
            continue;
        }
        let signature = trailer.log_signature().to_bytes();
        let backup = trailer.backup();
        // Generations come from a file: what is not there is told one by one, up to a bound.
        let wanted = backup.low_generation..=backup.high_generation;
        let missing = wanted.filter(|generation| !logs.contains(&(*generation, signature))).take(MAX_MISSING);
        set.findings.extend(
            missing.map(|generation| BackupSetFinding::MissingLog { file: path.clone(), generation }),
        );
    }
    if let Some(manifest) = manifest {
        compare_manifest(storage, directory, &manifest, progress, &mut set.findings)?;
    }
    Ok(Some(set))
}

/// Missing logs that are told one by one for a database.
const MAX_MISSING: usize = 1000;

/// Header and trailer of a database that ends with one.
fn read_trailer(file: &dyn File, start: &[u8]) -> Result<Option<(DatabaseHeader, TrailerPage)>, VerifyError> {
    let head = start.get(..DatabaseHeaderPair::PROBE_LEN).unwrap_or(start);
    let Ok(pair) = DatabaseHeaderPair::probe(head) else { return Ok(None) };
    let size = pair.header.page_size();
    let Some(offset) = file.len()?.checked_sub(u64::from(size.bytes())) else { return Ok(None) };
    if offset < PageNumber(1).file_offset(size) {
        return Ok(None);
    }
    let mut page = vec![0; size.len()];
    file.read_exact_at(offset, &mut page)?;
    if !is_trailer_page(&page) {
        return Ok(None);
    }
    Ok(TrailerPage::parse(&page).ok().map(|trailer| (pair.header, trailer)))
}

fn compare_manifest(
    storage: &dyn Storage,
    directory: &Path,
    manifest: &Manifest,
    progress: &dyn Progress,
    findings: &mut Vec<BackupSetFinding>,
) -> Result<(), VerifyError> {
    let present = storage.list(directory)?;
    progress.begin(manifest.files.iter().map(|file| file.size).fold(0, u64::saturating_add));
    let mut buffer = AlignedBuffer::new(1 << 20);
    for wanted in &manifest.files {
        // By name among what is there: a manifest cannot point outside of its directory.
        let entry = present.iter().find(|entry| {
            entry.kind == EntryKind::File
                && entry.path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(&wanted.name))
        });
        let Some(entry) = entry else {
            findings.push(BackupSetFinding::MissingFile { file: directory.join(&wanted.name) });
            continue;
        };
        let path = entry.path.clone();
        if entry.len != wanted.size {
            findings.push(BackupSetFinding::Size { file: path, expected: wanted.size, found: entry.len });
            continue;
        }
        let file = storage.open(&path, OpenOptions::READ)?;
        let (mut crc, mut offset) = (0, 0);
        while offset < entry.len {
            if progress.stop_requested() {
                return Err(VerifyError::Interrupted);
            }
            let read = file.read_at(offset, &mut buffer)?;
            if read == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, buffer.get(..read).unwrap_or_default());
            offset += read as u64;
            progress.advance(read as u64);
        }
        let found = format!("{crc:08x}");
        if !found.eq_ignore_ascii_case(&wanted.crc32c) {
            findings.push(BackupSetFinding::Crc32c { file: path, expected: wanted.crc32c.clone(), found });
        }
    }
    progress.complete();
    Ok(())
}
