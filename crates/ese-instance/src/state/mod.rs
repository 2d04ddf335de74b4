//! The states of an instance, the checks at the door of every call, and which refusal wins.

mod entry;
mod gate;
mod process;

pub use entry::{EntryError, SessionCall};
pub use gate::{ApiCall, ApiGate};
pub use process::{ModeError, ProcessMode};

use ese_format::JetError;

/// What has locked the API of an instance against ordinary calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiLock {
    /// `init` is running.
    Initializing,
    /// `term` is running.
    Terminating,
    /// A restore is running.
    Restoring,
    /// The instance is being freed.
    Deleting,
}

/// Everything the door checks look at. A plain value: a snapshot taken under the gate's mutex.
///
/// | state | `initialized` | `lock` |
/// |---|---|---|
/// | allocated | no | none |
/// | initialising | no | `Initializing`; with `external_recovery` it lets most calls in |
/// | running | yes | none |
/// | stopping service | yes | none, `stop_service` |
/// | unavailable | yes | none, `fatal_error` |
/// | terminating | yes, then no | `Terminating` |
/// | restoring | no | `Restoring` |
/// | deleted | no | `Deleting` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstanceState {
    /// `init` has succeeded and `term` has not yet shut everything down.
    #[doc(alias = "m_fJetInitialized")]
    pub initialized: bool,
    /// Who has locked ordinary calls out.
    pub lock: Option<ApiLock>,
    /// Stop of the service was requested. Not reversible.
    #[doc(alias = "m_fStopJetService")]
    pub stop_service: bool,
    /// The first fatal error.
    #[doc(alias = "m_errFatal")]
    pub fatal_error: Option<JetError>,
    /// Recovery is running and its caller controls it: calls that allow recovery get in.
    pub external_recovery: bool,
    /// `term` has begun: running calls should give up.
    #[doc(alias = "m_fTermInProgress")]
    pub term_in_progress: bool,
    /// Backups may begin: set at the end of `init`, cleared when `term` has locked the API.
    #[doc(alias = "m_fBackupAllowed")]
    pub backup_allowed: bool,
}
