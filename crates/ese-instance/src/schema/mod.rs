//! Tables as a running engine knows them: read from the catalog under a session's snapshot, kept for the next call.
//!
//! * [`TableSchema`]: one version of a table's columns, indexes and trees. Immutable and shared.
//! * [`TableShared`]: what all versions of a table share while the database is attached: who has it open and how, who changes
//!   its rows or its structure, its tree of long values, its counters.
//! * [`SchemaCache`]: the versions that are in use.

mod cache;
mod new_index;
mod read;
mod shared;
mod table;

pub(crate) use cache::{SchemaCache, SchemaEpoch};
pub(crate) use new_index::{NewIndex, NewIndexes};
pub(crate) use read::{CatalogTrees, CatalogView, NAME_TREE, ROOTS_TREE, rows_prefix};
pub use shared::TableMode;
pub(crate) use shared::{IndexUse, NumberReserve, OpenHold, OpenedTable, TableShared};
pub(crate) use table::{IndexSchema, TableSchema, long_value_tree};
