//! A storage with a planted defect.
#![allow(unreachable_pub, reason = "shared by tests")]

use std::sync::Arc;

use ese_io::{Operation, Proceed, SimulatedDisk, Storage, WatchedStorage};

/// Says yes to a sync of files or directories below a directory, and does nothing.
pub fn forgetful(
    disk: &SimulatedDisk,
    below: &'static str,
    files: bool,
    directories: bool,
) -> Arc<dyn Storage> {
    Arc::new(WatchedStorage::new(disk.clone(), move |call| {
        let is_sync = call.operation == Operation::Sync && call.path.starts_with(below);
        let forgets = is_sync && if call.on_file { files } else { directories };
        Ok(if forgets { Proceed::Pretend } else { Proceed::Yes })
    }))
}
