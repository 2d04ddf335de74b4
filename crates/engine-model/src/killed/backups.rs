//! A thread that backs the instance up, restores what it has, and looks at it, beside those that work.

use std::path::Path;

use ese_backup::{BackupFlags, NoProgress, ReadOptions, RestoreOptions, backup_instance, restore};
use ese_instance::{Environment, Instance};

use super::check::{check_deep, check_rows};
use super::store::Result;

/// Takes full backups until the process is killed.
pub(super) fn take_backups(instance: &Instance, directory: &Path, seed: u64) -> Result<()> {
    let (set, restored) = (directory.join("set"), directory.join("restored"));
    loop {
        for left in [&set, &restored] {
            if left.exists() {
                std::fs::remove_dir_all(left)?;
            }
        }
        std::fs::create_dir(&set)?;
        backup_instance(instance, Some(&set), BackupFlags::empty(), ReadOptions::default(), &NoProgress)?;
        let options = RestoreOptions {
            destination: restored.clone(),
            create_path: true,
            find_databases: true,
            ..RestoreOptions::default()
        };
        restore(&Environment::system(), &set, &options, &NoProgress)?;
        check_rows(&restored, seed, &[].into())?;
        check_deep(&restored)?;
    }
}
