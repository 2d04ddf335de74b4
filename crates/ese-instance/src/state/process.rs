//! The choice a process makes between one nameless instance and several.

use ese_format::JetError;

/// Mode of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessMode {
    /// No instance yet, or the last one is gone.
    #[default]
    NotSet,
    /// One instance; handles are ignored.
    SingleInstance,
    /// Instances are named by their handles.
    MultiInstance,
}

/// A call that does not fit the process's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModeError {
    /// The mode is not set, or the handle names no instance.
    #[error("no such instance")]
    InvalidParameter,
    /// The call needs several-instances mode.
    #[error("the process runs in one-instance mode")]
    RunningInOneInstanceMode,
    /// The call needs one-instance mode.
    #[error("the process runs in multi-instance mode")]
    RunningInMultiInstanceMode,
    /// The one instance is initialised.
    #[error("the instance is initialised already")]
    AlreadyInitialized,
    /// The handle is no instance.
    #[error("the handle is not one of an instance")]
    InvalidInstance,
}

impl ModeError {
    /// The engine's number.
    #[must_use]
    pub fn jet_error(self) -> JetError {
        match self {
            Self::InvalidParameter => JetError::INVALID_PARAMETER,
            Self::RunningInOneInstanceMode => JetError::RUNNING_IN_ONE_INSTANCE_MODE,
            Self::RunningInMultiInstanceMode => JetError::RUNNING_IN_MULTI_INSTANCE_MODE,
            Self::AlreadyInitialized => JetError::ALREADY_INITIALIZED,
            Self::InvalidInstance => JetError::INVALID_INSTANCE,
        }
    }
}

impl ProcessMode {
    /// Calls of the implicit-instance family (`JetBackup`, `JetStopService`, …).
    ///
    /// # Errors
    /// No mode: `InvalidParameter`; several instances: `RunningInMultiInstanceMode`.
    pub fn check_implicit(self) -> Result<(), ModeError> {
        match self {
            Self::NotSet => Err(ModeError::InvalidParameter),
            Self::SingleInstance => Ok(()),
            Self::MultiInstance => Err(ModeError::RunningInMultiInstanceMode),
        }
    }

    /// Calls with an instance argument: `known` says whether the handle names a live instance.
    ///
    /// # Errors
    /// `InvalidParameter` without a mode, or with several instances and an unknown handle.
    pub fn check_instance(self, known: bool) -> Result<(), ModeError> {
        match self {
            Self::SingleInstance => Ok(()),
            Self::MultiInstance if known => Ok(()),
            Self::NotSet | Self::MultiInstance => Err(ModeError::InvalidParameter),
        }
    }

    /// Creating an instance by name: the mode that follows.
    ///
    /// # Errors
    /// `RunningInOneInstanceMode`.
    pub fn create_instance(self) -> Result<Self, ModeError> {
        match self {
            Self::SingleInstance => Err(ModeError::RunningInOneInstanceMode),
            Self::NotSet | Self::MultiInstance => Ok(Self::MultiInstance),
        }
    }

    /// `init` without an instance: the mode that follows.
    ///
    /// # Errors
    /// `AlreadyInitialized` with one instance, `RunningInMultiInstanceMode` with several.
    pub fn init_implicit(self) -> Result<Self, ModeError> {
        match self {
            Self::NotSet => Ok(Self::SingleInstance),
            Self::SingleInstance => Err(ModeError::AlreadyInitialized),
            Self::MultiInstance => Err(ModeError::RunningInMultiInstanceMode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_by_call_table() {
        use ProcessMode::{MultiInstance, NotSet, SingleInstance};
        let number = |r: Result<(), ModeError>| r.err().map_or(0, |e| e.jet_error().0);
        // mode, implicit call, known handle, unknown handle, create, implicit init
        for (mode, expected) in [
            (NotSet, [-1003, -1003, -1003, 0, 0]),
            (SingleInstance, [0, 0, 0, -1080, -1030]),
            (MultiInstance, [-1081, 0, -1003, 0, -1081]),
        ] {
            let found = [
                number(mode.check_implicit()),
                number(mode.check_instance(true)),
                number(mode.check_instance(false)),
                number(mode.create_instance().map(drop)),
                number(mode.init_implicit().map(drop)),
            ];
            assert_eq!(found, expected, "{mode:?}");
        }
    }
}
