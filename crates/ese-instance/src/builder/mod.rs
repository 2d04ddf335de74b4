//! Writing a new database from nothing, without logs: every file made here is one the engine itself could have left.
//!
//! ```
//! use ese_format::ColumnKind;
//! use ese_instance::{ColumnSpec, DatabaseBuilder, DatabaseOptions, IndexSpec, Row, TableSpec};
//! use ese_io::MemoryStorage;
//!
//! # fn main() -> Result<(), ese_instance::BuilderError> {
//! let storage = MemoryStorage::default();
//! let mut database = DatabaseBuilder::create(&storage, "/books.edb".as_ref(), DatabaseOptions::default())?;
//! let books = database.create_table(
//!     &TableSpec::new("Books")
//!         .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
//!         .column(ColumnSpec::variable("Title", ColumnKind::TEXT, 200).not_null())
//!         .column(ColumnSpec::tagged("Review", ColumnKind::LONG_TEXT).unicode().compressed())
//!         .index(IndexSpec::new("ById").ascending("Id").primary())
//!         .index(IndexSpec::new("ByTitle").ascending("Title")),
//! )?;
//! database.insert(books, &Row::new().set("Title", "Moby Dick").set("Review", "Too many whales."))?;
//! database.finish()?;
//! # Ok(())
//! # }
//! ```

mod database;
pub(crate) mod definition;
mod error;
mod implicit;
mod request;
mod rows;
pub(crate) mod schema;
pub(crate) mod system;
mod value;

pub use database::{DatabaseBuilder, DatabaseOptions, TableHandle};
pub use error::BuilderError;
pub(crate) use implicit::{IMPLICIT_DB_TIME, IMPLICIT_LAST_OBJECT, IMPLICIT_UPDATE, create_implicitly};
pub use request::{ColumnOptions, ColumnRequest, IndexOptions, IndexRequest, TableOptions};
pub use schema::{ColumnPlacement, ColumnSpec, ComputedDefault, IndexSpec, TableSpec};
pub use value::{Row, Value};
