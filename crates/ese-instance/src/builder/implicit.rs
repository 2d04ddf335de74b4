//! The first pages of a database as Windows 7 makes them without logging any of it.
//!
//! A CreateDB record of version (1, 0) stands for all of this: space of the database, catalog, its shadow and its two
//! indexes, with the catalog's rows about itself. The records that follow build on these pages, so that each page must
//! have the update counter that the engine's own creation leaves on it.

use std::sync::Arc;

use ese_btree::{CachedPages, PageStore, TreeWriter};
use ese_format::{DbTime, KeySegment, ObjectId, PageNumber, PageSize};
use ese_io::File;

use super::BuilderError;
use super::system::{
    CATALOG_COLUMNS, CATALOG_TREE, NAME_TREE, ROOT_TREE, SHADOW_TREE, column_row, table_row,
};
use crate::catalog::{CATALOG_ROOT, CatalogRow, CatalogRowKind, IndexFlags};

/// Last page of a new database.
const IMPLICIT_PAGES: PageNumber = PageNumber(256);
/// Highest update counter in use after the creation.
pub(crate) const IMPLICIT_DB_TIME: DbTime = DbTime(204);
/// Highest object id in use after the creation.
pub(crate) const IMPLICIT_LAST_OBJECT: ObjectId = ObjectId(5);
/// Update of the database format that Windows 7 writes.
pub(crate) const IMPLICIT_UPDATE: u32 = 17;

const CATALOG_PAGES: u32 = 20;
const SHADOW_PAGES: u32 = 9;
/// Columns that the catalog was given later: of long-value chunks, set times, sort ids, locale names.
const LATER_COLUMNS: [u16; 4] = [12, 13, 137, 261];
/// Locale of every index row: English (United States).
const LOCALE: u32 = 0x409;
/// Flags for the normalisation of text in every index row.
const NORMALIZATION_FLAGS: u32 = 0x0003_0401;

/// The update counters that the creation leaves: pages of space trees when their tree was made or an extent was last
/// taken, those of the catalog when the last row was inserted.
const TIMES: [(u32, u64); 15] = [
    (1, 6),
    (2, 6),
    (3, 14),
    (4, 202),
    (5, 13),
    (6, 28),
    (7, 203),
    (8, 27),
    (9, 27),
    (10, 115),
    (11, 34),
    (12, 34),
    (24, 204),
    (25, 20),
    (26, 20),
];

/// Writes the pages into `file`, behind the two header pages, and makes them durable.
pub(crate) fn create_implicitly(file: Arc<dyn File>, page_size: PageSize) -> Result<(), BuilderError> {
    let pages = CachedPages::new(file, page_size, 0, DbTime(0))?;
    let mut writer = TreeWriter::new(pages);
    let root = PageNumber::DATABASE_ROOT;
    writer.create_database_root(IMPLICIT_PAGES.0)?;
    writer.create_tree(root, CATALOG_TREE.object, 0, CATALOG_PAGES, true, None)?;
    writer.create_tree(root, SHADOW_TREE.object, 0, SHADOW_PAGES, true, None)?;
    writer.create_tree(CATALOG_ROOT, NAME_TREE.object, NAME_TREE.flags, 3, true, None)?;
    writer.create_tree(CATALOG_ROOT, ROOT_TREE.object, ROOT_TREE.flags, 3, true, None)?;
    for row in catalog_rows() {
        let record = row.encode(page_size)?;
        let key_error = |source| BuilderError::Key { index: "Id".to_owned(), source };
        let (key, name_key) = (row.key().map_err(key_error)?, row.name_key().map_err(key_error)?);
        writer.insert(&CATALOG_TREE, &key, &record)?;
        writer.insert(&SHADOW_TREE, &key, &record)?;
        writer.insert(&NAME_TREE, &name_key, &key)?;
        if let Some(root_key) = row.root_key().map_err(key_error)? {
            writer.insert(&ROOT_TREE, &root_key, &key)?;
        }
    }
    for (page, time) in TIMES {
        writer.store_mut().begin();
        writer.store_mut().page_mut(PageNumber(page))?.set_db_time(DbTime(time));
    }
    writer.store_mut().flush()?;
    Ok(())
}

/// The catalog's rows about itself and its shadow.
fn catalog_rows() -> Vec<CatalogRow> {
    let tables =
        [("MSysObjects", CATALOG_TREE, CATALOG_PAGES), ("MSysObjectsShadow", SHADOW_TREE, SHADOW_PAGES)];
    let mut rows = Vec::new();
    for (name, tree, pages) in tables {
        rows.push(table_row(tree, pages, name.as_bytes().to_vec()));
        for (id, name, kind, size, not_null) in CATALOG_COLUMNS {
            if LATER_COLUMNS.contains(&id) {
                continue;
            }
            rows.push(column_row(tree, id, name.as_bytes().to_vec(), kind, size, not_null));
        }
    }
    let primary = IndexFlags::NO_NULL_SEGMENT | IndexFlags::PRIMARY;
    for (name, table, tree, columns, null_policy) in [
        ("Id", CATALOG_TREE, CATALOG_TREE, &[1, 2, 3][..], primary),
        ("Name", CATALOG_TREE, NAME_TREE, &[1, 2, 128], IndexFlags::NO_NULL_SEGMENT),
        ("RootObjects", CATALOG_TREE, ROOT_TREE, &[8, 128], IndexFlags::ALLOW_SOME_NULLS),
        ("Id", SHADOW_TREE, SHADOW_TREE, &[1, 2, 3], primary),
    ] {
        let segments: Vec<_> = columns
            .iter()
            .map(|&column| KeySegment {
                column: ese_format::ColumnId(column),
                from_template: false,
                descending: false,
                must_be_null: false,
            })
            .collect();
        rows.push(CatalogRow {
            table: table.object,
            kind: CatalogRowKind::INDEX,
            id: tree.object.0,
            type_or_root: tree.root.0,
            space_usage: 80,
            flags: (IndexFlags::EXTENDED_SEGMENTS | IndexFlags::UNIQUE | null_policy).bits(),
            pages_or_locale: LOCALE,
            normalization_flags: Some(NORMALIZATION_FLAGS),
            name: name.as_bytes().to_vec(),
            segments: Some(KeySegment::encode_list(&segments)),
            ..CatalogRow::default()
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ese_btree::PageImage;
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    use super::*;

    /// Pages that nothing has changed since the creation, in databases of Windows 7 with 4 KiB pages: the same.
    #[test]
    fn pages_of_real_databases_that_stayed_as_they_were_made() {
        let size = PageSize::new(4096).unwrap();
        let storage = MemoryStorage::new();
        let file = storage.open(Path::new("/d"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        file.set_len(2 * 4096).unwrap();
        create_implicitly(file, size).unwrap();
        let made = storage.get("/d").unwrap();
        assert_eq!(made.len(), 258 * 4096);
        let mut seen = 0;
        for real in testdata::real_files().into_iter().filter(|f| f.set == "ravendb-dirty-a") {
            let bytes = testdata::real_bytes(&real).unwrap();
            if bytes.len() < made.len() {
                continue;
            }
            for page in [1, 2, 5, 11, 12, 25_usize] {
                let image = |bytes: &'_ [u8]| {
                    let bytes = bytes[(page + 1) * 4096..][..4096].to_vec();
                    PageImage::new(bytes, size).unwrap()
                };
                let (ours, theirs) = (image(&made), image(&bytes));
                assert_eq!(ours.db_time(), theirs.db_time(), "page {page}");
                assert_eq!((ours.flags(), ours.object()), (theirs.flags(), theirs.object()), "page {page}");
                assert_eq!(ours.external_header(), theirs.external_header(), "page {page}");
                assert_eq!(ours.line_count(), theirs.line_count(), "page {page}");
                for line in 0..ours.line_count() {
                    assert_eq!(
                        ours.node(line).unwrap(),
                        theirs.node(line).unwrap(),
                        "page {page}, line {line}"
                    );
                }
                seen += 1;
            }
        }
        println!("{seen} pages compared");
    }
}
