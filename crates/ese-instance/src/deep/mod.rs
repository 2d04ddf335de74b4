//! Deep verification: the invariants that tie pages, trees, space, catalog, records, long values and indexes together.
//!
//! Goes on after each finding. Memory: one byte for each page of the database, the extents and one path of the tree being
//! walked, one table's definition; sets of index entries are compared by digests, so that no list of rows is kept.

mod catalog_check;
mod finding;
mod index_check;
mod multiset;
mod page_map;
mod record_check;
mod space_check;
mod table_check;
mod tree_check;
mod verifier;

pub use finding::{DeepFinding, DeepProblem, FindingSeverity};
pub use verifier::{DeepSummary, deep_verify};
