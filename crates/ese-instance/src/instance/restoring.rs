//! An instance that a restore runs on.

use std::path::Path;

use ese_log::BaseName;

use super::Instance;
use super::paths::InstancePaths;
use crate::error::InstanceError;
use crate::parameter::{ParameterId, ParameterSet};
use crate::state::{ApiLock, InstanceState};

/// The right to restore with an instance's parameters. As long as it is there every call of the instance is refused with
/// "restore in progress"; afterwards the instance is allocated and not initialised, as before.
#[derive(Debug)]
pub struct RestoringInstance {
    instance: Instance,
    parameters: ParameterSet,
    paths: InstancePaths,
    base_name: BaseName,
}

impl Instance {
    /// Takes an instance that is not initialised for a restore.
    ///
    /// # Errors
    /// Refused at the door; `InvalidPath`, `PathInUse`, `InvalidSettings`.
    pub fn begin_restore(&self) -> Result<RestoringInstance, InstanceError> {
        self.shared.gate.lock(ApiLock::Restoring, false, InstanceState::check_init)?;
        let prepared = self.prepare_restore();
        if prepared.is_err() {
            self.end_restore();
        }
        prepared
    }

    fn prepare_restore(&self) -> Result<RestoringInstance, InstanceError> {
        let parameters = self.parameters();
        let paths = InstancePaths::complete(&parameters)?;
        self.check_collisions(&paths, &parameters)?;
        let base_name = BaseName::new(&parameters.text(ParameterId::BASE_NAME))
            .map_err(|_| InstanceError::InvalidSettings { reason: "the base name is not one for files" })?;
        if parameters.on(ParameterId::CREATE_PATH_IF_NOT_EXIST) {
            paths.create(&*self.environment().storage)?;
        }
        Ok(RestoringInstance { instance: self.clone(), parameters, paths, base_name })
    }

    fn end_restore(&self) {
        self.shared.gate.update(|state| state.lock = None);
    }
}

impl RestoringInstance {
    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> &ParameterSet {
        &self.parameters
    }

    /// Directory of its logs.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.paths.log
    }

    /// Directory of its checkpoint.
    #[must_use]
    pub fn system_path(&self) -> &Path {
        &self.paths.system
    }

    /// First part of its logs' names.
    #[must_use]
    pub fn base_name(&self) -> &BaseName {
        &self.base_name
    }
}

impl Drop for RestoringInstance {
    fn drop(&mut self) {
        self.instance.end_restore();
    }
}
