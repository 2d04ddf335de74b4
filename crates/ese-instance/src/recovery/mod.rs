//! Recovery as a whole: from what lies on disk to databases that are consistent.
//!
//! [`recover`] works in place on the storage it is given. Callers that must not change their input give it a copy, or an
//! overlay.

mod advance;
mod attach;
mod copy;
mod create;
mod cut;
mod damage;
mod database;
mod error;
mod feed;
mod finish;
mod gate;
mod locate;
mod output;
mod owned_size;
mod plan;
mod replay;
mod report;
mod request;
mod source;
mod start;

pub use copy::copy_for_recovery;
pub use error::{DeferReason, RecoveryError};
pub use finish::recover;
pub use plan::{OpenTransaction, PlannedDatabase, PlannedGeneration, RecoveryPlan, plan};
pub use report::{DatabaseOutcome, RecoveryReport, RecoveryResult};
pub use request::{
    DEFAULT_CACHE_BYTES, DEFAULT_CHECKPOINT_BYTES, DatabaseLocations, MappedDatabase, MissingCurrentLog,
    NoRecoveryProgress, RecoveryEnvironment, RecoveryMode, RecoveryPhase, RecoveryProgress, RecoveryRequest,
    StopAt,
};
