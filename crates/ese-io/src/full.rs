//! A disk that takes no new files while it is full.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{IoError, IoErrorKind, Operation};
use crate::storage::{OpenMode, Storage};
use crate::watched::{Proceed, WatchedStorage};

/// A storage around `inner` that takes no new files below `directory` while `full` is set.
pub fn full_while(
    inner: impl Storage + 'static,
    directory: impl Into<PathBuf>,
    full: &Arc<AtomicBool>,
) -> WatchedStorage {
    let (directory, full) = (directory.into(), Arc::clone(full));
    WatchedStorage::new(inner, move |call| {
        let is_new = call.mode == Some(OpenMode::CreateNew) && call.path.starts_with(&directory);
        if is_new && full.load(Ordering::Acquire) {
            return Err(IoError::new(Operation::Open, IoErrorKind::DiskFull, call.path));
        }
        Ok(Proceed::Yes)
    })
}
