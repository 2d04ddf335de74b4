//! Space hints of new tables and indexes.

use ese_format::{JetError, PageSize};

use crate::builder::schema::{IndexSpec, TableSpec};
use crate::catalog::{CatalogRow, CatalogRowKind, DEFAULT_DENSITY, IndexFlags, SpaceHints};
use crate::error::InstanceError;

fn refuse(table: &str, error: JetError) -> InstanceError {
    InstanceError::Structure { table: table.to_owned(), what: "space hints that make no sense", error }
}

/// The hints of a table's own tree: those of its primary index when it has one. Its pages are enough for all indexes.
///
/// # Errors
/// `Structure`.
#[doc(alias = "ErrFILECreateTableProcessSpaceHints")]
pub(super) fn of_table(spec: &TableSpec, page_size: PageSize) -> Result<SpaceHints, InstanceError> {
    let check = |hints: SpaceHints| hints.checked(page_size).map_err(|error| refuse(&spec.name, error));
    let mut pages = 0_u32;
    for index in &spec.indexes {
        let own = index.space_hints.map(check).transpose()?;
        pages = pages.saturating_add(own.map_or(1, |hints| hints.initial_pages(page_size)));
    }
    let density = if spec.density == 0 { DEFAULT_DENSITY } else { spec.density };
    let primary = spec.indexes.iter().find(|index| index.flags.contains(IndexFlags::PRIMARY));
    let mut hints = match (primary, spec.space_hints) {
        (Some(_), Some(_)) => return Err(refuse(&spec.name, JetError::SPACE_HINTS_INVALID)),
        (Some(index), None) => {
            let density = if index.density == 0 { density } else { index.density };
            check(index.space_hints.unwrap_or(SpaceHints::with_density(density)))?
        }
        (None, sequential) => {
            let hints = check(sequential.unwrap_or(SpaceHints::with_density(density)))?;
            pages = pages.saturating_add(hints.initial_pages(page_size));
            hints
        }
    };
    if let Some(hints) = spec.long_value_hints {
        check(hints)?;
    }
    let bytes = pages.max(spec.pages).saturating_mul(page_size.bytes());
    hints.initial_bytes = hints.initial_bytes.max(bytes);
    if hints.initial_bytes == page_size.bytes() {
        hints.initial_bytes = 0;
    }
    Ok(hints)
}

/// Puts the hints of a new index into its row; `table_density` is what it has when nothing is said.
///
/// # Errors
/// `Structure`.
pub(super) fn put_into_index(
    row: &mut CatalogRow,
    spec: &IndexSpec,
    table: &str,
    table_density: u32,
    page_size: PageSize,
) -> Result<(), InstanceError> {
    let density = if spec.density == 0 { table_density } else { spec.density };
    let hints = spec.space_hints.unwrap_or(SpaceHints::with_density(density));
    let hints = hints.checked(page_size).map_err(|error| refuse(table, error))?;
    row.space_usage = hints.initial_density;
    row.space_hints = hints.to_stored(CatalogRowKind::INDEX);
    Ok(())
}

/// Pages that an index of a catalog row has at first.
pub(super) fn initial_pages(row: &CatalogRow, page_size: PageSize) -> u32 {
    let hints = SpaceHints::from_stored(row.kind, row.space_usage, 0, row.space_hints.as_deref());
    hints.map_or(1, |hints| hints.initial_pages(page_size))
}
