//! A database that is being built.

use std::path::Path;
use std::sync::Arc;

use ese_btree::{CachedPages, TreeRoot, TreeWriter};
use ese_format::{
    DatabaseHeader, DatabaseState, DbTime, EngineFormatVersion, JetError, LogTime, LongValueId, ObjectId,
    PageFlags, PageNumber, PageSize, RootFields, Signature,
};
use ese_io::{
    Clock, File, Lock, OpenMode, OpenOptions, Randomness, Storage, SystemClock, SystemRandomness,
    parent_directory,
};

use super::definition::{column_row, find_placed, index_row, place_columns, table_row};
use super::system::{CATALOG_TREE, NAME_TREE, ROOT_TREE, SHADOW_TREE};
use super::{BuilderError, Row, TableSpec};
use crate::catalog::{CatalogRow, CatalogRowKind, TableBuilder, TableDefinition};

/// Object id of the first table that is not hard-wired.
const FIRST_DYNAMIC_OBJECT: ObjectId = ObjectId(6);
/// Windows' file times count from 1601.
const FILE_TIME_EPOCH_MS: i64 = 11_644_473_600_000;

/// How a database is to be made.
#[derive(Clone)]
pub struct DatabaseOptions {
    /// Page size: 4, 8, 16 or 32 KiB.
    pub page_size: PageSize,
    /// The engine whose format is written.
    pub format: EngineFormatVersion,
    /// Pages kept in memory, in bytes.
    pub cache_bytes: usize,
    /// Time of the header's stamps.
    pub clock: Arc<dyn Clock>,
    /// Source of signatures.
    pub randomness: Arc<dyn Randomness>,
}

/// 8 KiB pages in the format of Windows 10, which every later engine takes.
impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            page_size: PageSize::new(8192).unwrap_or(PageSize::DEFAULT),
            format: EngineFormatVersion::WINDOWS_10,
            cache_bytes: 32 << 20,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
        }
    }
}

/// A table of the database that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableHandle(pub(super) usize);

/// What the builder knows about a table.
pub(super) struct TableState {
    pub(super) definition: TableDefinition,
    pub(super) tree: TreeRoot,
    /// The trees of the secondary indexes, with their places in the definition.
    pub(super) indexes: Vec<(usize, TreeRoot)>,
    pub(super) long_values: Option<TreeRoot>,
    pub(super) last_long_value: LongValueId,
    /// Rows inserted so far: the keys of a table without primary index.
    pub(super) rows: u32,
    /// Highest number given out in the auto-increment column.
    pub(super) last_number: u64,
    pub(super) has_root_number: bool,
}

/// Writes a new database. Until [`finish`](Self::finish) the file is marked as incomplete and no engine attaches it.
pub struct DatabaseBuilder {
    pub(crate) writer: TreeWriter<CachedPages>,
    pub(crate) header: DatabaseHeader,
    pub(super) tables: Vec<TableState>,
    pub(super) last_object: ObjectId,
    options: DatabaseOptions,
    file: Arc<dyn File>,
}

impl DatabaseBuilder {
    /// Creates the file, which must not exist, with the system tables.
    ///
    /// # Errors
    /// [`BuilderError::Io`] when the file exists or cannot be written, [`BuilderError::PageSize`],
    /// [`BuilderError::Format`].
    #[doc(alias = "JetCreateDatabase")]
    pub fn create(
        storage: &dyn Storage,
        path: &Path,
        options: DatabaseOptions,
    ) -> Result<Self, BuilderError> {
        let page_size = options.page_size;
        if page_size.bytes() < 4096 {
            return Err(BuilderError::PageSize(page_size));
        }
        let versions = options.format.versions()?;
        let file = storage.open(path, OpenOptions::new(OpenMode::CreateNew).lock(Lock::Exclusive))?;
        storage.sync_directory(parent_directory(path))?;
        let mut header = DatabaseHeader::new(page_size);
        header.set_state(DatabaseState::JUST_CREATED);
        header.set_update_major(versions.database.update_major);
        header.set_update_minor(versions.database.update_minor);
        if versions.database.supports_set_version() {
            header.set_max_attach_format(options.format);
        }
        let pages = CachedPages::new(Arc::clone(&file), page_size, options.cache_bytes, DbTime::START)?;
        let mut builder = Self {
            writer: TreeWriter::new(pages),
            header,
            tables: Vec::new(),
            last_object: ObjectId(5),
            options,
            file,
        };
        builder.write_header()?;
        builder.create_system_tables()?;
        Ok(builder)
    }

    pub(super) fn page_size(&self) -> PageSize {
        self.options.page_size
    }

    /// Longest key that the page size allows.
    pub(super) fn key_limit(&self) -> u16 {
        if self.page_size().bytes() == 4096 { 1000 } else { 2000 }
    }

    pub(crate) fn next_object(&mut self) -> Result<ObjectId, BuilderError> {
        let next = self.last_object.0.checked_add(1).filter(|&id| id < 0x7FFF_FFFF);
        self.last_object = ObjectId(next.ok_or(BuilderError::OutOfNumbers { what: "objects" })?);
        Ok(self.last_object)
    }

    /// Adds a row to the catalog: table, shadow and both indexes.
    pub(super) fn add_catalog_row(&mut self, mut row: CatalogRow) -> Result<CatalogRow, BuilderError> {
        let is_tree =
            matches!(row.kind, CatalogRowKind::TABLE | CatalogRowKind::INDEX | CatalogRowKind::LONG_VALUE);
        if is_tree
            && row.table >= FIRST_DYNAMIC_OBJECT
            && self.header.version().has_feature(EngineFormatVersion::NON_REVERTABLE_TABLE_DELETE)
        {
            let since_1601 = self.options.clock.unix_ms().saturating_add(FILE_TIME_EPOCH_MS);
            row.root_set_time = Some(u64::try_from(since_1601).unwrap_or(0).saturating_mul(10_000));
        }
        let record = row.encode(self.page_size())?;
        self.add_catalog_record(&row, &record)?;
        Ok(row)
    }

    /// Adds the record of a catalog row, which may hold more than the row tells.
    pub(crate) fn add_catalog_record(&mut self, row: &CatalogRow, record: &[u8]) -> Result<(), BuilderError> {
        let key_error = |source| BuilderError::Key { index: "Id".to_owned(), source };
        let (key, name_key) = (row.key().map_err(key_error)?, row.name_key().map_err(key_error)?);
        self.writer.insert(&CATALOG_TREE, &key, record)?;
        self.writer.insert(&SHADOW_TREE, &key, record)?;
        self.writer.insert(&NAME_TREE, &name_key, &key)?;
        if let Some(root_key) = row.root_key().map_err(key_error)? {
            self.writer.insert(&ROOT_TREE, &root_key, &key)?;
        }
        Ok(())
    }

    /// Creates a table with its columns and indexes.
    ///
    /// # Errors
    /// [`BuilderError`] for names, columns and indexes that cannot be, and when pages cannot be written.
    #[doc(alias = "JetCreateTableColumnIndex")]
    pub fn create_table(&mut self, spec: &TableSpec) -> Result<TableHandle, BuilderError> {
        let known = self.tables.iter().any(|t| t.definition.name.eq_ignore_ascii_case(&spec.name));
        if known || spec.name.to_ascii_lowercase().starts_with("msysobjects") {
            return Err(BuilderError::TableDuplicate { name: spec.name.clone() });
        }
        self.create_any_table(spec)
    }

    /// As [`create_table`](Self::create_table), for system tables too.
    pub(super) fn create_any_table(&mut self, spec: &TableSpec) -> Result<TableHandle, BuilderError> {
        // Everything that can be wrong with the specification is found before the first page changes.
        let columns = place_columns(spec)?;
        let mut index_rows = Vec::with_capacity(spec.indexes.len());
        let mut names = std::collections::HashSet::new();
        for index in &spec.indexes {
            if !names.insert(index.name.to_ascii_lowercase()) {
                let (table, name) = (spec.name.clone(), index.name.clone());
                return Err(BuilderError::PartDuplicate { table, name, index: true });
            }
            let find = |name: &str| find_placed(&columns, name, false);
            let row = index_row(index, &find, ObjectId(0), self.key_limit())?;
            if row.sort_version.is_some() {
                return Err(BuilderError::UnicodeIndex { index: index.name.clone() });
            }
            index_rows.push(row);
        }
        let is_primary = |row: &CatalogRow| row.flags & 0x20 != 0;
        if index_rows.iter().filter(|row| is_primary(row)).count() > 1 {
            let what = "a second primary index";
            let error = JetError::INDEX_HAS_PRIMARY;
            return Err(BuilderError::Index { index: spec.name.clone(), what, error });
        }
        // The primary index has the table's own number, the smallest.
        index_rows.sort_by_key(|row| !is_primary(row));
        let column_rows =
            columns.iter().map(|column| column_row(column, ObjectId(0))).collect::<Result<Vec<_>, _>>()?;
        table_row(spec, ObjectId(0), PageNumber::NONE)?;

        let object = self.next_object()?;
        let has_number = columns.iter().any(|c| c.spec.flags.bits() & 0x4 != 0)
            && self.header.version().supports_root_fields();
        let pages = spec.pages.clamp(1, 100_000);
        let multiple = pages > 33;
        let number = (has_number && !multiple).then_some(1);
        let parent = PageNumber::DATABASE_ROOT;
        let tree = self.writer.create_tree(parent, object, 0, pages, multiple, number)?;
        let mut builder = TableBuilder::new(&self.add_catalog_row(table_row(spec, object, tree.root)?)?)?;
        for row in column_rows {
            builder.push(&self.add_catalog_row(CatalogRow { table: object, ..row })?)?;
        }
        let mut trees = Vec::new();
        let mut objects = vec![(object, CatalogRowKind::TABLE)];
        for (place, row) in index_rows.into_iter().enumerate() {
            let (id, root) = if is_primary(&row) {
                (object, tree.root)
            } else {
                let id = self.next_object()?;
                let unique = row.flags & 1 != 0;
                let mut flags = PageFlags::INDEX;
                flags.set(PageFlags::NON_UNIQUE_KEYS, !unique);
                let index = self.writer.create_tree(tree.root, id, flags.bits(), 1, false, None)?;
                trees.push((place, index));
                objects.push((id, CatalogRowKind::INDEX));
                (id, index.root)
            };
            let row = CatalogRow { table: object, id: id.0, type_or_root: root.0, ..row };
            builder.push(&self.add_catalog_row(row)?)?;
        }
        let definition = builder.finish(None)?;
        self.tables.push(TableState {
            definition,
            tree,
            indexes: trees,
            long_values: None,
            last_long_value: LongValueId(0),
            rows: 0,
            last_number: 0,
            has_root_number: number.is_some(),
        });
        for (id, kind) in objects {
            self.add_object(id, object, kind)?;
        }
        Ok(TableHandle(self.tables.len() - 1))
    }

    /// Inserts a row.
    ///
    /// # Errors
    /// [`BuilderError::NoSuchColumn`], [`BuilderError::Value`], [`BuilderError::Null`], [`BuilderError::NullKey`],
    /// [`BuilderError::KeyDuplicate`], [`BuilderError::RowTooLong`]: nothing is stored then. Others leave the database
    /// unfit to be finished.
    #[doc(alias = "JetUpdate")]
    pub fn insert(&mut self, table: TableHandle, row: &Row) -> Result<(), BuilderError> {
        self.insert_row(table, row)
    }

    /// Writes everything, makes it durable, and marks the database as complete: clean, never logged.
    ///
    /// # Errors
    /// When the file cannot be written. It stays marked as incomplete then.
    pub fn finish(mut self) -> Result<(), BuilderError> {
        let numbers: Vec<_> = self
            .tables
            .iter()
            .filter(|t| t.has_root_number)
            .map(|t| (t.tree.root, t.last_number.saturating_add(1)))
            .collect();
        for (root, next) in numbers {
            let fields = self.writer.root_fields(root)?;
            self.writer.set_root_fields(root, &RootFields { auto_increment: Some(next), ..fields })?;
        }
        self.writer.store_mut().flush()?;
        let now = LogTime::from_unix_ms(self.options.clock.unix_ms());
        let random =
            || Signature { random: self.options.randomness.next_u32(), created: now, ..Signature::NONE };
        let (identity, flush) = (random(), random());
        let header = &mut self.header;
        header.set_signature(identity);
        header.set_header_flush_signature(flush);
        header.set_db_time(self.writer.store().time());
        header.set_last_object_id(self.last_object);
        header.set_database_id(1);
        header.set_attach_time(now);
        header.set_detach_time(now);
        header.set_consistent_time(now);
        header.set_sort_version(u64::MAX);
        // A plausible system: engines write the one they run on.
        header.set_os_major(10);
        header.set_os_build(17763);
        header.set_state(DatabaseState::CLEAN_SHUTDOWN);
        self.write_header()
    }

    /// Both copies, the first one first.
    fn write_header(&self) -> Result<(), BuilderError> {
        let page = self.header.write();
        self.file.write_at(0, &page)?;
        self.file.sync()?;
        self.file.write_at(page.len() as u64, &page)?;
        self.file.sync()?;
        Ok(())
    }
}
