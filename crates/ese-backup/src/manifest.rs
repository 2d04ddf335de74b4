//! The list beside a backup set: what it holds, how long each file is, and its checksum.
//!
//! Written last, used by restore and verification when it is there, never needed: a set of the original engine has none.

use std::path::Path;

use ese_format::Signature;
use ese_io::{IoErrorKind, OpenMode, OpenOptions, Storage};
use serde::{Deserialize, Serialize};

use crate::error::BackupError;

/// Name of the manifest in the directory of a set.
pub const MANIFEST_NAME: &str = "ese-manifest.json";
/// What the first member of every manifest says.
const SCHEMA: &str = "ese-manifest-1";

/// What a backup set holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `ese-manifest-1`.
    pub schema: String,
    /// When it was written (UTC, ISO 8601).
    pub written: String,
    /// Signature of the log stream: random number and creation time.
    pub log_signature: String,
    /// Position that identifies the set: `generation:sector:byte`, hexadecimal.
    pub mark: String,
    /// First log generation of the set.
    pub generation_low: u32,
    /// Last log generation of the set.
    pub generation_high: u32,
    /// Every file but this one, in the order of their names.
    pub files: Vec<ManifestFile>,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Name in the directory.
    pub name: String,
    /// What it is.
    pub kind: ManifestFileKind,
    /// Length in bytes.
    pub size: u64,
    /// CRC-32C of its bytes, as eight hexadecimal digits.
    pub crc32c: String,
    /// Log generation, of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Database signature, of a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_signature: Option<String>,
    /// Full path of the database when it was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What a file of a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestFileKind {
    /// Database with trailer page.
    Database,
    /// Log.
    Log,
    /// Empty patch file.
    Patch,
}

impl ManifestFile {
    pub(crate) fn new(name: &str, kind: ManifestFileKind, size: u64, crc32c: u32) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            size,
            crc32c: format!("{crc32c:08x}"),
            generation: None,
            database_signature: None,
            source: None,
        }
    }
}

/// A signature as manifests spell it.
pub(crate) fn signature_text(signature: Signature) -> String {
    signature.to_string()
}

impl Manifest {
    /// Manifests are a few lines a file; anything longer is none of ours.
    pub(crate) const MAX_BYTES: u64 = 64 << 20;

    pub(crate) fn new(written: String) -> Self {
        Self { schema: SCHEMA.to_owned(), written, ..Self::default() }
    }

    /// Adds a file, or replaces the one of that name.
    pub(crate) fn put(&mut self, file: ManifestFile) {
        match self.files.binary_search_by(|f| f.name.cmp(&file.name)) {
            Ok(index) => {
                if let Some(slot) = self.files.get_mut(index) {
                    *slot = file;
                }
            }
            Err(index) => self.files.insert(index, file),
        }
    }

    /// The file of that name (letter case ignored, as file names are where these sets come from).
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&ManifestFile> {
        self.files.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// The manifest in `directory`; `None` when there is none, or it cannot be understood (which is reported to
    /// `tracing`: a set is complete without it).
    ///
    /// # Errors
    /// A storage error.
    pub fn read(storage: &dyn Storage, directory: &Path) -> Result<Option<Self>, BackupError> {
        let path = directory.join(MANIFEST_NAME);
        let file = match storage.open(&path, OpenOptions::READ) {
            Ok(file) => file,
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let len = file.len()?;
        if len > Self::MAX_BYTES {
            tracing::warn!(path = %path.display(), len, "manifest ignored: too long");
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_exact_at(0, &mut bytes)?;
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(manifest) if manifest.schema == SCHEMA => Ok(Some(manifest)),
            Ok(manifest) => {
                tracing::warn!(path = %path.display(), schema = manifest.schema, "manifest ignored: unknown schema");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "manifest ignored: not understood");
                Ok(None)
            }
        }
    }

    /// Writes the manifest as `path`, durable.
    ///
    /// # Errors
    /// A storage error.
    pub(crate) fn write(&self, storage: &dyn Storage, path: &Path) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        let file = storage.open(path, OpenOptions::new(OpenMode::CreateOrTruncate))?;
        file.write_at(0, &text)?;
        file.sync()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ese_io::MemoryStorage;

    #[test]
    fn written_and_read_back() {
        let storage = MemoryStorage::new();
        let directory = Path::new("/set");
        storage.create_directory(directory).unwrap();
        assert_eq!(Manifest::read(&storage, directory).unwrap(), None);
        let mut manifest = Manifest::new("2026-11-22T13:18:42.574Z".to_owned());
        manifest.put(ManifestFile::new("edb00001.log", ManifestFileKind::Log, 5, 7));
        manifest.put(ManifestFile::new("db.edb", ManifestFileKind::Database, 5, 7));
        manifest.put(ManifestFile::new("edb00001.log", ManifestFileKind::Log, 6, 8));
        assert_eq!(manifest.files.len(), 2);
        assert_eq!(manifest.files[0].name, "db.edb");
        manifest.write(&storage, &directory.join(MANIFEST_NAME)).unwrap();
        assert_eq!(Manifest::read(&storage, directory).unwrap().unwrap(), manifest);
        assert_eq!(manifest.file("EDB00001.LOG").unwrap().crc32c, "00000008");
        assert_eq!(storage.list(directory).unwrap().len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        let storage = MemoryStorage::new();
        for text in ["", "{", "{\"schema\":\"other\"}", "[1,2]"] {
            storage.put("/set/ese-manifest.json", text.as_bytes());
            assert_eq!(Manifest::read(&storage, Path::new("/set")).unwrap(), None);
        }
    }
}
