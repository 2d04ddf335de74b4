//! Reading an existing database file: no instance, no logs, nothing written.

mod database;
mod error;
mod index_entries;
mod index_keys;
mod layout;
mod value;

pub use database::{DatabaseReader, DirtyPolicy, TableEntry};
pub use error::ReaderError;
pub use index_entries::IndexEntryBuilder;
pub use index_keys::{IndexEntries, IndexKeys, NullVerdict, PlainValues};
pub(crate) use layout::default_of;
pub use layout::{ColumnContent, RowLayout, column_content};
pub use value::ValueReader;
