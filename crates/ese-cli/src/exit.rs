//! The exit codes, as `docs/exit-codes.md` lists them.

use std::process::ExitCode;

use ese_format::JetError;

/// What the program tells its caller when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Exit {
    /// Done; nothing to complain about.
    Clean,
    /// Failed: nothing usable came out.
    Failed,
    /// The command line was wrong.
    Usage,
    /// Done, and something was found that needs attention.
    Findings,
    /// The database must be recovered from its logs first.
    RecoveryNeeded,
    /// Logs that the database requires are not there.
    RequiredLogsMissing,
    /// Going on would lose committed data.
    WouldLoseData,
    /// A format or version that this program (or the engine it stands in for) does not support.
    UnsupportedFormat,
    /// A file is in use by somebody else.
    InUse,
    /// Interrupted by Ctrl-C or a termination request.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Findings => 3,
            Self::RecoveryNeeded => 4,
            Self::RequiredLogsMissing => 5,
            Self::WouldLoseData => 6,
            Self::UnsupportedFormat => 7,
            Self::InUse => 8,
            Self::Interrupted => 130,
        }
    }

    /// The code that says most about two results of one run: an interruption, then the plain failure, then the
    /// special failures, then findings.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    const fn weight(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::RecoveryNeeded => 2,
            Self::UnsupportedFormat => 3,
            Self::InUse => 4,
            Self::RequiredLogsMissing => 5,
            Self::WouldLoseData => 6,
            Self::Failed => 7,
            Self::Usage => 8,
            Self::Interrupted => 9,
        }
    }

    /// The exit code that goes with an engine error.
    pub(crate) fn for_jet_error(error: JetError) -> Self {
        match error {
            JetError::DATABASE_DIRTY_SHUTDOWN
            | JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE
            | JetError::DIRTY_SHUTDOWN => Self::RecoveryNeeded,
            JetError::REQUIRED_LOG_FILES_MISSING
            | JetError::MISSING_LOG_FILE
            | JetError::MISSING_PREVIOUS_LOG_FILE
            | JetError::MISSING_RESTORE_LOG_FILES
            | JetError::MISSING_CURRENT_LOG_FILES => Self::RequiredLogsMissing,
            JetError::COMMITTED_LOG_FILES_MISSING | JetError::COMMITTED_LOG_FILE_CORRUPT => {
                Self::WouldLoseData
            }
            JetError::BAD_LOG_VERSION
            | JetError::INVALID_DATABASE_VERSION
            | JetError::INVALID_CREATE_DB_VERSION
            | JetError::DATABASE200_FORMAT
            | JetError::DATABASE400_FORMAT
            | JetError::DATABASE500_FORMAT
            | JetError::FILE_INVALID_TYPE
            | JetError::FLUSH_MAP_VERSION_UNSUPPORTED
            | JetError::ENGINE_FORMAT_VERSION_NO_LONGER_SUPPORTED_TOO_LOW
            | JetError::ENGINE_FORMAT_VERSION_NOT_YET_IMPLEMENTED_TOO_HIGH
            | JetError::ENGINE_FORMAT_VERSION_PARAM_TOO_LOW_FOR_REQUESTED_FEATURE
            | JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_LOG_VERSION
            | JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_DATABASE_VERSION => {
                Self::UnsupportedFormat
            }
            JetError::DATABASE_IN_USE
            | JetError::DATABASE_SHARING_VIOLATION
            | JetError::LOG_FILE_PATH_IN_USE
            | JetError::SYSTEM_PATH_IN_USE => Self::InUse,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_result_wins() {
        assert_eq!(Exit::Clean.and(Exit::Findings), Exit::Findings);
        assert_eq!(Exit::Failed.and(Exit::RequiredLogsMissing), Exit::Failed);
        assert_eq!(Exit::Interrupted.and(Exit::Failed), Exit::Interrupted);
    }

    /// The page lists every code, and nothing else.
    #[test]
    fn the_page_is_complete() {
        let page = include_str!("../../../docs/exit-codes.md");
        let listed: Vec<u8> = page
            .lines()
            .skip_while(|line| !line.starts_with("| code | name"))
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split('|').nth(1)?.trim().parse().ok())
            .collect();
        let codes = [
            Exit::Clean,
            Exit::Failed,
            Exit::Usage,
            Exit::Findings,
            Exit::RecoveryNeeded,
            Exit::RequiredLogsMissing,
            Exit::WouldLoseData,
            Exit::UnsupportedFormat,
            Exit::InUse,
            Exit::Interrupted,
        ]
        .map(Exit::code);
        assert_eq!(listed, codes);
        let mut by_weight = [0, 3, 4, 7, 8, 5, 6, 1, 2, 130];
        by_weight.reverse();
        let order = by_weight.map(|code: u8| code.to_string()).join(", ");
        assert!(page.contains(&format!("in this order: {order}.")), "{order}");
    }

    #[test]
    fn engine_errors_choose_their_code() {
        assert_eq!(Exit::for_jet_error(JetError::REQUIRED_LOG_FILES_MISSING).code(), 5);
        assert_eq!(Exit::for_jet_error(JetError::COMMITTED_LOG_FILES_MISSING).code(), 6);
        assert_eq!(Exit::for_jet_error(JetError::READ_VERIFY_FAILURE).code(), 1);
    }
}
