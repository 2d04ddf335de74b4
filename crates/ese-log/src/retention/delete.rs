//! Deleting archived generations so that what remains is contiguous.

use std::ops::Range;
use std::path::Path;

use ese_format::LogGeneration;
use ese_io::{IoErrorKind, Storage};

use crate::discovery::LogSet;
use crate::error::LogError;
use crate::naming::LogNames;

/// What a deletion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files deleted.
    pub deleted: u32,
    /// Files that were gone already.
    pub missing: u32,
}

/// Deletes the archived logs of `generations` from `directory` in ascending order, durably. A file that is not there is
/// counted and passed over. The first other failure stops the deletion, so that the logs that remain are contiguous.
///
/// # Errors
/// [`LogError::Storage`]; files before it are gone.
pub fn delete_generations(
    storage: &dyn Storage,
    directory: &Path,
    names: &LogNames,
    generations: Range<u32>,
) -> Result<Deleted, LogError> {
    let mut done = Deleted::default();
    if generations.is_empty() {
        return Ok(done);
    }
    let set = LogSet::discover(storage, directory, names)?;
    let result = generations.into_iter().try_for_each(|generation| {
        match storage.remove(&set.archived_path(LogGeneration(generation))) {
            Ok(()) => done.deleted += 1,
            Err(error) if error.kind == IoErrorKind::NotFound => done.missing += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    });
    // Names of one directory become durable in the order of the changes, so that no crash leaves a hole.
    storage.sync_directory(directory)?;
    result?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::BaseName;
    use ese_io::{FailingStorage, Fault, MemoryStorage, Operation};

    #[test]
    fn ascending_and_contiguous() {
        let storage = MemoryStorage::new();
        for name in ["edb00003.log", "edb00004.log", "EDB00006.LOG", "edb00007.log", "edb.log"] {
            storage.put(Path::new("/l").join(name), [0; 8]);
        }
        let names = LogNames::legacy(BaseName::default());
        let delete =
            |storage: &dyn Storage, range| delete_generations(storage, Path::new("/l"), &names, range);
        let failing = FailingStorage::new(storage.clone());
        failing.plan(Fault::nth(2, IoErrorKind::AccessDenied).of(&[Operation::Remove]));
        assert!(delete(&failing, 3..7).is_err());
        let left = |storage: &MemoryStorage| {
            let set = LogSet::discover(storage, Path::new("/l"), &names).unwrap();
            set.archived.keys().map(|g| g.0).collect::<Vec<_>>()
        };
        assert_eq!(left(&storage), [4, 6, 7]);
        assert_eq!(delete(&storage, 3..7).unwrap(), Deleted { deleted: 2, missing: 2 });
        assert_eq!(left(&storage), [7]);
        assert_eq!(delete(&storage, 7..7).unwrap(), Deleted::default());
    }
}
