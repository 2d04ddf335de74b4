//! Database files of an instance: header, size, attach state.

mod attached;
mod file;
mod header_change;
mod page_range_locks;
mod space;

pub(crate) use attached::AttachKind;
pub use attached::AttachedDatabase;
pub use file::{engine_format_for, read_database_header, write_database_header};
pub use header_change::{
    AttachFacts, BackupStamp, DetachFacts, apply_attach, apply_attach_unlogged, apply_backup,
    apply_checkpoint, apply_detach, apply_roll, clear_previous_backups,
};
pub use page_range_locks::{PageRangeLock, PageRangeLocks, PageWrite};
pub use space::{SpaceError, last_owned_page};
