//! Recovery on one thread and on several, which must leave the same files and say the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_instance::recovery::{
    NoRecoveryProgress, RecoveryEnvironment, RecoveryError, RecoveryReport, RecoveryRequest, recover,
};
use ese_io::{EntryKind, MemoryStorage, Storage};

fn files(storage: &MemoryStorage, directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in storage.list(directory).unwrap_or_default() {
        if entry.kind == EntryKind::Directory {
            found.extend(files(storage, &entry.path));
        } else if let Some(bytes) = storage.get(&entry.path) {
            found.push((entry.path, bytes));
        }
    }
    found.sort();
    found
}

fn run(
    storage: &MemoryStorage,
    request: &RecoveryRequest,
    threads: usize,
) -> Result<RecoveryReport, RecoveryError> {
    let environment = RecoveryEnvironment::repeatable(Arc::new(storage.clone()), 1_700_000_000_000, 1);
    let mut request = request.clone();
    request.threads = threads;
    recover(&request, &environment, &NoRecoveryProgress)
}

/// Recovers `storage` on one thread, and copies of it on two and four, where everything must come out the same: files,
/// report, error.
pub(crate) fn recover_alike(
    storage: &MemoryStorage,
    request: &RecoveryRequest,
) -> Result<RecoveryReport, RecoveryError> {
    let before = files(storage, Path::new("/"));
    assert!(!before.is_empty());
    let outcome = run(storage, request, 1);
    let after = files(storage, Path::new("/"));
    for threads in [2, 4] {
        let copy = MemoryStorage::new();
        for entry in storage.list(Path::new("/")).unwrap() {
            if entry.kind == EntryKind::Directory {
                copy.create_directory(&entry.path).unwrap();
            }
        }
        before.iter().for_each(|(path, bytes)| copy.put(path, bytes));
        let found = run(&copy, request, threads);
        assert_eq!(format!("{found:?}"), format!("{outcome:?}"), "{threads} threads");
        for ((path, ours), (known, theirs)) in files(&copy, Path::new("/")).iter().zip(&after) {
            assert!(path == known && ours == theirs, "{} differs with {threads} threads", path.display());
        }
    }
    outcome
}
