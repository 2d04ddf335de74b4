//! Restore with the parameters of an instance.

use std::path::Path;

use ese_instance::{Instance, ParameterId};

use super::{RestoreError, RestoreOptions, RestoreSummary, restore};
use crate::progress::Progress;

/// Restores a backup set with the paths, base name and page size of an instance that is not initialised; its databases go
/// to `destination`. While this runs every other call of the instance is refused with JET_errRestoreInProgress; afterwards
/// the instance is as it was, to be initialised or set up for something else.
///
/// # Errors
/// The instance's refusals (initialised already, terminating, paths in use); then as [`restore`].
#[doc(alias = "JetRestoreInstance")]
pub fn restore_instance(
    instance: &Instance,
    path: &Path,
    destination: &Path,
    progress: &dyn Progress,
) -> Result<RestoreSummary, RestoreError> {
    let restoring = instance.begin_restore()?;
    let parameters = restoring.parameters();
    let options = RestoreOptions {
        destination: destination.to_path_buf(),
        log_directory: Some(restoring.log_path().to_path_buf()),
        checkpoint_directory: Some(restoring.system_path().to_path_buf()),
        base_name: Some(restoring.base_name().clone()),
        page_size: Some(parameters.page_size()),
        create_path: parameters.on(ParameterId::CREATE_PATH_IF_NOT_EXIST),
        ..RestoreOptions::default()
    };
    restore(instance.environment(), path, &options, progress)
}
