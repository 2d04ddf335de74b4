//! Which generations are kept, and for whom: circular logging, backups, truncation.

mod delete;
mod recycling;
mod truncation;

pub use delete::{Deleted, delete_generations};
pub use recycling::{Recycling, RecyclingState, plan_recycling};
pub use truncation::{
    BackupExtent, MissingSinceBackup, TruncationState, full_copy_range, incremental_copy_range,
    needed_generations, truncation_range,
};
