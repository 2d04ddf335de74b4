//! Reading an existing database file: no instance, no logs, nothing written.

mod database;
mod error;
mod index_entries;
mod layout;
mod value;

pub use database::{DatabaseReader, DirtyPolicy, TableEntry};
pub use error::ReaderError;
pub use index_entries::{IndexEntries, IndexEntryBuilder};
pub use layout::{ColumnContent, RowLayout};
pub use value::ValueReader;
