//! Reading an existing database file: no instance, no logs, nothing written.

mod database;
mod error;
mod layout;
mod value;

pub use database::{DatabaseReader, DirtyPolicy, TableEntry};
pub use error::ReaderError;
pub use layout::{ColumnContent, RowLayout};
pub use value::ValueReader;
