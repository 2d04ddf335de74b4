//! Comparing names the way the engine does: without regard to case.
//!
//! The storage itself keeps names as the operating system has them. The engine was written for a file system that
//! ignores case, and a set copied from there may carry `EDB.LOG` where `edb.log` is looked for.

use std::ffi::OsStr;
use std::path::Path;

use crate::error::Result;
use crate::storage::{Entry, Storage};

/// Whether two names are the same without regard to case.
#[must_use]
pub fn same_name(a: impl AsRef<OsStr>, b: impl AsRef<OsStr>) -> bool {
    let (a, b) = (a.as_ref(), b.as_ref());
    match (a.to_str(), b.to_str()) {
        (Some(a), Some(b)) => a.chars().map(upper).eq(b.chars().map(upper)),
        _ => a == b,
    }
}

/// One character for one character, as file systems do it: `ß` stays.
fn upper(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// The entry of `directory` with this name: the exact spelling if it is there, else the first that differs only in case.
///
/// # Errors
/// As [`Storage::list`].
pub fn find_name(storage: &dyn Storage, directory: &Path, name: impl AsRef<OsStr>) -> Result<Option<Entry>> {
    let name = name.as_ref();
    let mut similar = None;
    for entry in storage.list(directory)? {
        match entry.path.file_name() {
            Some(found) if found == name => return Ok(Some(entry)),
            Some(found) if similar.is_none() && same_name(found, name) => similar = Some(entry),
            _ => {}
        }
    }
    Ok(similar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;

    #[test]
    fn case_is_ignored_and_nothing_else() {
        assert!(same_name("edb.log", "EDB.Log"));
        assert!(same_name("ö", "Ö") && !same_name("straße.edb", "STRASSE.EDB"));
        assert!(!same_name("edb.log", "edb.lo") && !same_name("edb", "edb "));
    }

    #[test]
    fn the_exact_spelling_wins() {
        let storage = MemoryStorage::new();
        storage.put("d/EDB.log", "");
        storage.put("d/edb.LOG", "");
        let find = |name| find_name(&storage, Path::new("d"), name).unwrap().map(|e| e.path);
        assert_eq!(find("edb.LOG").as_deref(), Some(Path::new("d/edb.LOG")));
        assert_eq!(find("edb.log").as_deref(), Some(Path::new("d/EDB.log")));
        assert_eq!(find("edb.chk"), None);
    }
}
