//! Finding the database that a log names.

use std::path::{Path, PathBuf};

use ese_format::{DatabaseHeader, DatabaseHeaderPair, PageSize, Signature};
use ese_io::{Entry, EntryKind, File, IoErrorKind, OpenMode, OpenOptions, Storage};

use super::error::RecoveryError;
use super::request::DatabaseLocations;

/// Bytes that hold both headers of any page size.
const HEADER_BYTES: usize = 2 * 32768;

/// What was found for a logged path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// The file.
    At(PathBuf),
    /// There is none; it would be created here.
    CreateAt(PathBuf),
    /// It is not to be recovered.
    LeftOut,
    /// There is none, and no place to create it.
    Nowhere,
}

/// The part of a logged path behind the last separator of either system.
pub(super) fn base_name(logged: &str) -> &str {
    logged.rsplit(['\\', '/']).next().unwrap_or(logged)
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// Reads the header pair of a file.
pub(super) fn read_header(
    file: &dyn File,
    size: PageSize,
) -> Result<Result<DatabaseHeader, ese_format::HeaderError>, RecoveryError> {
    let mut bytes = vec![0; HEADER_BYTES];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|r| !r.is_empty()) {
        let read = file.read_at(filled as u64, rest)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    bytes.truncate(filled);
    Ok(DatabaseHeaderPair::probe_with_page_size(&bytes, size).map(|pair| pair.header))
}

/// The header of a file that is a database.
fn probe(storage: &dyn Storage, path: &Path) -> Option<DatabaseHeader> {
    let file = storage.open(path, OpenOptions::new(OpenMode::Read)).ok()?;
    let mut bytes = vec![0; HEADER_BYTES];
    let read = file.read_at(0, &mut bytes).ok()?;
    bytes.truncate(read);
    Some(DatabaseHeaderPair::probe(&bytes).ok()?.header)
}

fn signature_of(storage: &dyn Storage, path: &Path) -> Option<Signature> {
    Some(probe(storage, path)?.signature())
}

/// Whether it is worth looking into a file for a database header: it is long enough and no file of a log stream.
fn may_be_database(entry: &Entry, name: &str) -> bool {
    let known = ["log", "jtx", "chk", "jcp", "jrs", "jfm", "jsl"];
    let name = name.to_lowercase();
    entry.len >= 4 * 2048 && !known.iter().any(|e| name.ends_with(&format!(".{e}")))
}

/// The databases of a log stream in the directories that are searched, by the signature in their headers.
pub(super) fn databases_of(
    storage: &dyn Storage,
    locations: &DatabaseLocations,
    log_signature: Signature,
) -> Result<Vec<PathBuf>, RecoveryError> {
    let mut found = Vec::new();
    for directory in locations.directories.iter().filter(|_| !log_signature.is_none()) {
        let entries = match storage.list(directory) {
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => continue,
            entries => entries?,
        };
        for entry in entries.iter().filter(|e| e.kind == EntryKind::File) {
            let name = entry.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if may_be_database(entry, name)
                && !found.contains(&entry.path)
                && probe(storage, &entry.path).is_some_and(|h| h.log_signature() == log_signature)
            {
                found.push(entry.path.clone());
            }
        }
    }
    Ok(found)
}

/// Finds the file of a logged path: told by the caller, else of the same name beside the logs, else of the same
/// signature there.
pub(super) fn locate(
    storage: &dyn Storage,
    locations: &DatabaseLocations,
    logged: &str,
    signature: Option<Signature>,
) -> Result<Located, RecoveryError> {
    let place = |path: &Path| -> Result<Located, RecoveryError> {
        Ok(match storage.exists(path)? {
            true => Located::At(path.to_path_buf()),
            false => Located::CreateAt(path.to_path_buf()),
        })
    };
    let name = base_name(logged);
    let by_path = locations.mapped.iter().find(|m| m.logged.as_deref().is_some_and(|l| same(l, logged)));
    let by_name = || {
        locations
            .mapped
            .iter()
            .find(|m| m.logged.as_deref().is_some_and(|l| !l.contains(['\\', '/']) && same(l, name)))
    };
    let by_signature = || locations.mapped.iter().find(|m| m.signature.is_some() && m.signature == signature);
    if let Some(mapped) = by_path.or_else(by_signature).or_else(by_name) {
        return place(&mapped.path);
    }
    if locations.only_mapped {
        return Ok(Located::LeftOut);
    }
    let mut by_signature = None;
    for directory in &locations.directories {
        let entries = match storage.list(directory) {
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => continue,
            entries => entries?,
        };
        for entry in entries.iter().filter(|e| e.kind == EntryKind::File) {
            let Some(found) = entry.path.file_name().and_then(|n| n.to_str()) else { continue };
            if same(found, name) {
                return Ok(Located::At(entry.path.clone()));
            }
            if by_signature.is_none()
                && may_be_database(entry, found)
                && signature.is_some_and(|s| !s.is_none())
                && signature_of(storage, &entry.path) == signature
            {
                by_signature = Some(entry.path.clone());
            }
        }
    }
    if let Some(path) = by_signature {
        return Ok(Located::At(path));
    }
    Ok(match locations.new_databases.as_ref().or(locations.directories.first()) {
        Some(directory) => Located::CreateAt(directory.join(name)),
        None => Located::Nowhere,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::MappedDatabase;
    use ese_io::MemoryStorage;

    #[test]
    fn told_then_named_then_signed() {
        let storage = MemoryStorage::new();
        storage.put("/logs/DB.EDB", vec![0; 100]);
        let mut header = DatabaseHeader::new(PageSize::DEFAULT);
        let signature = Signature { random: 77, ..Signature::NONE };
        header.set_signature(signature);
        let mut bytes = header.write();
        bytes.extend_from_slice(&header.write());
        storage.put("/logs/renamed", bytes);
        let mut locations = DatabaseLocations::beside(Path::new("/logs"));
        let at = |locations: &DatabaseLocations, logged: &str, signature| {
            locate(&storage, locations, logged, signature).unwrap()
        };
        assert_eq!(at(&locations, "E:\\store\\db.edb", None), Located::At("/logs/DB.EDB".into()));
        assert_eq!(at(&locations, "E:\\x.edb", Some(signature)), Located::At("/logs/renamed".into()));
        assert_eq!(at(&locations, "E:\\x.edb", None), Located::CreateAt("/logs/x.edb".into()));
        locations.mapped.push(MappedDatabase {
            logged: Some("e:\\STORE\\db.edb".to_owned()),
            signature: None,
            path: "/elsewhere/a".into(),
        });
        assert_eq!(at(&locations, "E:\\store\\db.edb", None), Located::CreateAt("/elsewhere/a".into()));
        locations.only_mapped = true;
        assert_eq!(at(&locations, "E:\\x.edb", Some(signature)), Located::LeftOut);
    }
}
