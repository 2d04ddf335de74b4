//! Changes of schemas: every one of them a few rows of the catalog, in the transaction of the session.

mod build_index;
mod catalog_rows;
mod columns;
mod create_table;
mod default_value;
mod delete_table;
mod indexes;
pub(crate) mod locales;
mod long_values;
pub(crate) mod object_map;
mod rename;
mod space_hints;

pub(crate) use build_index::bring_entries;
pub(crate) use catalog_rows::insert_row;
pub(crate) use columns::{add_column, check_not_fixed, delete_column};
pub(crate) use create_table::create_table;
pub(crate) use default_value::set_column_default;
pub(crate) use delete_table::delete_table;
pub(crate) use indexes::{create_index, create_indexes, delete_index};
pub(crate) use long_values::long_value_tree;
pub(crate) use rename::{rename_column, rename_table};

use ese_format::JetError;

use crate::error::InstanceError;
use crate::schema::TableSchema;

/// Longest key that a page size allows.
pub(crate) fn key_limit(page_size: ese_format::PageSize) -> u16 {
    if page_size.bytes() == 4096 { 1000 } else { 2000 }
}

/// A change that a table's flags forbid.
pub(crate) fn refuse(table: &TableSchema, error: JetError, what: &'static str) -> InstanceError {
    InstanceError::Structure { table: table.definition.name.clone(), what, error }
}
