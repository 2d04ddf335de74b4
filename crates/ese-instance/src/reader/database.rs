//! An existing database, opened for reading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_btree::{Cursor, FilePageSource, PageSource, Tree};
use ese_format::{
    DatabaseHeader, DatabaseHeaderPair, Extent, HeaderPairStatus, ObjectId, PageNumber, SearchKey,
};
use ese_io::{File, OpenOptions, Storage};

use super::ReaderError;
use crate::catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CatalogRow, CatalogRowKind, TableBuilder, TableDefinition, TableFlags,
    decode_windows_1252,
};

/// What to do with a database that is not complete by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirtyPolicy {
    /// Refuse it.
    #[default]
    Refuse,
    /// Read what is in the file; changes that only the logs hold are missing, and trees may contradict each other.
    ReadAsItIs,
}

/// A table by name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Name.
    pub name: String,
    /// Object id.
    pub object_id: ObjectId,
    /// Flags.
    pub flags: TableFlags,
}

/// An existing database file, opened for reading only.
pub struct DatabaseReader {
    path: PathBuf,
    header: DatabaseHeader,
    header_status: HeaderPairStatus,
    source: FilePageSource,
    file_pages: PageNumber,
}

impl DatabaseReader {
    /// Opens a database.
    ///
    /// # Errors
    /// When the file cannot be read, has no usable header, or is not clean and `policy` refuses that.
    pub fn open(storage: &dyn Storage, path: &Path, policy: DirtyPolicy) -> Result<Self, ReaderError> {
        let file = storage.open(path, OpenOptions::READ)?;
        Self::from_file(file, policy)
    }

    /// As [`open`](Self::open) for a file that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: Arc<dyn File>, policy: DirtyPolicy) -> Result<Self, ReaderError> {
        let path = file.path().to_path_buf();
        let mut start = vec![0; DatabaseHeaderPair::PROBE_LEN];
        let got = file.read_at(0, &mut start)?;
        start.truncate(got);
        let header_error = |source| ReaderError::Header { path: path.clone(), source };
        let pair = DatabaseHeaderPair::probe(&start).map_err(header_error)?;
        let header = pair.header;
        header.check_database(None).map_err(header_error)?;
        let not_clean = header.state().attach_error(header.is_part_of_backup());
        if let (Some(error), DirtyPolicy::Refuse) = (not_clean, policy) {
            return Err(ReaderError::NotClean { path, state: header.state(), error });
        }
        let page_size = header.page_size();
        let pages = file.len()? / u64::from(page_size.bytes());
        let file_pages = u32::try_from(pages.saturating_sub(2)).unwrap_or(u32::MAX);
        let file_pages = PageNumber(file_pages.min(PageNumber::MAX.0));
        let cache = FilePageSource::DEFAULT_CACHE_BYTES;
        let source = FilePageSource::new(Arc::clone(&file), page_size, file_pages, cache);
        // Behind the last page that the database owns anything may lie. A dirty file may not know its own end.
        let last = match last_owned_page(&source) {
            Ok(Some(last)) => last.min(file_pages),
            Err(error) if policy == DirtyPolicy::Refuse => return Err(error),
            _ => file_pages,
        };
        let source = FilePageSource::new(file, page_size, last, cache);
        Ok(Self { path, header, header_status: pair.status, source, file_pages })
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &DatabaseHeader {
        &self.header
    }

    /// How the header's two copies relate.
    #[must_use]
    pub fn header_status(&self) -> HeaderPairStatus {
        self.header_status
    }

    /// The pages.
    #[must_use]
    pub fn source(&self) -> &FilePageSource {
        &self.source
    }

    /// Last page that fits the file; the database may own fewer.
    #[must_use]
    pub fn file_pages(&self) -> PageNumber {
        self.file_pages
    }

    /// A tree by its root page, whose pages must belong to `object_id`.
    ///
    /// # Errors
    /// When the root cannot be read or belongs elsewhere.
    pub fn tree(&self, root: PageNumber, object_id: ObjectId) -> Result<Tree<&FilePageSource>, ReaderError> {
        Ok(Tree::open_object(&self.source, root, object_id)?)
    }

    /// Every table, sorted by the bytes of its name; system tables and templates included.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn tables(&self) -> Result<Vec<TableEntry>, ReaderError> {
        let tree = self.tree(CATALOG_ROOT, CATALOG_OBJECT)?;
        let mut cursor = tree.cursor();
        let mut tables = Vec::new();
        while cursor.move_next()? {
            let row = self.row(&cursor)?;
            if row.kind == CatalogRowKind::TABLE {
                tables.push(TableEntry {
                    name: decode_windows_1252(&row.name),
                    object_id: row.table,
                    flags: TableFlags::from_bits_retain(row.flags),
                });
            }
        }
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    /// A table by name, letters a–z in either case.
    ///
    /// # Errors
    /// [`ReaderError::NoSuchTable`], or when the catalog cannot be read.
    pub fn table(&self, name: &str) -> Result<TableDefinition, ReaderError> {
        let tables = self.tables()?;
        let found = tables.iter().find(|t| t.name.eq_ignore_ascii_case(name));
        match found {
            Some(entry) => self.table_by_object(entry.object_id),
            None => Err(ReaderError::NoSuchTable { name: name.to_owned() }),
        }
    }

    /// A table by its object id.
    ///
    /// # Errors
    /// [`ReaderError::NoSuchTable`], [`ReaderError::Catalog`], or when the catalog cannot be read.
    pub fn table_by_object(&self, object_id: ObjectId) -> Result<TableDefinition, ReaderError> {
        let builder = self.rows_of(object_id)?;
        let template = match builder.template() {
            None => None,
            Some(name) => {
                let tables = self.tables()?;
                let entry = tables
                    .iter()
                    .find(|t| t.flags.contains(TableFlags::TEMPLATE) && t.name.eq_ignore_ascii_case(name));
                // A template is derived from nothing: no chain, no circle.
                match entry {
                    Some(entry) => Some(self.rows_of(entry.object_id)?.finish(None)?),
                    None => None,
                }
            }
        };
        Ok(builder.finish(template.as_ref())?)
    }

    fn rows_of(&self, object_id: ObjectId) -> Result<TableBuilder, ReaderError> {
        let tree = self.tree(CATALOG_ROOT, CATALOG_OBJECT)?;
        let mut cursor = tree.cursor();
        let mut prefix = vec![0x7F];
        prefix.extend_from_slice(&(object_id.0 ^ 0x8000_0000).to_be_bytes());
        cursor.seek(SearchKey::key(&prefix))?;
        let mut builder: Option<TableBuilder> = None;
        while cursor.is_on_node() {
            let row = self.row(&cursor)?;
            if row.table != object_id {
                break;
            }
            match &mut builder {
                None => builder = Some(TableBuilder::new(&row)?),
                Some(builder) => builder.push(&row)?,
            }
            cursor.move_next()?;
        }
        builder.ok_or_else(|| ReaderError::NoSuchTable { name: format!("of object {object_id}") })
    }

    fn row(&self, cursor: &Cursor<'_, &FilePageSource>) -> Result<CatalogRow, ReaderError> {
        let Some(node) = cursor.node()? else { return Ok(CatalogRow::default()) };
        CatalogRow::decode(node.data, self.source.page_size()).map_err(|source| {
            let (page, line) = cursor.position().unwrap_or_default();
            ReaderError::Record { page, line, source }
        })
    }
}

/// Last page of the database root's owned extents; `None` when there are none.
fn last_owned_page(source: &FilePageSource) -> Result<Option<PageNumber>, ReaderError> {
    let owned = Tree::open(source, PageNumber(2))?;
    let mut cursor = owned.cursor();
    if !cursor.move_last()? {
        return Ok(None);
    }
    let Some(node) = cursor.node()? else { return Ok(None) };
    Ok(Extent::decode(node.key(), node.data).ok().map(|extent| extent.last))
}
