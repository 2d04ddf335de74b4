//! Copying a clean database into a new file: the same tables, rows and indexes, in order and without unused space.
//!
//! The source is only read. Trees are copied node by node in the order of their keys, so that everything stays what it is:
//! bookmarks, entries of indexes whatever their sort order, counters, long values that several rows share. What is left out:
//! unused pages, deleted rows, long values that no row refers to any more, and system tables, which are made anew.

mod catalog;
mod error;
mod table;

use std::path::Path;
use std::sync::Arc;

use ese_btree::PageSource;
use ese_format::{DatabaseVersion, EngineFormatVersion, FORMAT_VERSIONS, JetError};
use ese_io::{Clock, IoErrorKind, Randomness, Storage, SystemClock, SystemRandomness, parent_directory};

pub use error::CompactError;

use crate::builder::{BuilderError, DatabaseBuilder, DatabaseOptions};
use crate::catalog::TableFlags;
use crate::reader::{DatabaseReader, DirtyPolicy, TableEntry};

/// System tables that engines have had, beside those whose flags say so.
const SYSTEM_TABLES: [&str; 10] = [
    "MSysObjects",
    "MSysObjectsShadow",
    "MSysObjids",
    "MSysLocales",
    "MSysUnicodeFixupVer1",
    "MSysUnicodeFixupVer2",
    "MSysDefrag1",
    "MSysDefrag2",
    "MSysExtentPageCountCache",
    "MSysDeferredPopulateKeys",
];

/// How a database is to be copied.
#[derive(Clone)]
pub struct CompactOptions {
    /// The engine whose format is written; `None` for that of the source, or the oldest that is written.
    pub format: Option<EngineFormatVersion>,
    /// Pages of the destination kept in memory, in bytes.
    pub cache_bytes: usize,
    /// Time of the header's stamps.
    pub clock: Arc<dyn Clock>,
    /// Source of signatures.
    pub randomness: Arc<dyn Randomness>,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self {
            format: None,
            cache_bytes: 32 << 20,
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
        }
    }
}

/// Receives the progress of a copy.
#[doc(alias = "JET_PFNSTATUS")]
pub trait CompactProgress {
    /// So many of about so many pages of the source were read.
    ///
    /// # Errors
    /// The number that the copy is to fail with.
    #[doc(alias = "JET_snpCompact")]
    fn pages(&self, done: u64, total: u64) -> Result<(), JetError> {
        let _ = (done, total);
        Ok(())
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCompactProgress;

impl CompactProgress for NoCompactProgress {}

/// What was copied of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactedTable {
    /// Name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the rows.
    pub row_bytes: u64,
    /// Long values.
    pub long_values: u64,
    /// Bytes of their chunks, as stored.
    pub long_value_bytes: u64,
    /// Entries of secondary indexes.
    pub index_entries: u64,
    /// Pages of the source that were read.
    pub source_pages: u64,
}

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Each table, in the order of copying.
    pub tables: Vec<CompactedTable>,
    /// Bytes of the source.
    pub source_bytes: u64,
    /// Bytes of the destination.
    pub destination_bytes: u64,
}

/// Copies a clean database into a new file.
///
/// The destination is marked as incomplete until all is there; after a failure it is removed.
///
/// # Errors
/// [`CompactError::Exists`]; [`CompactError::Source`] for a source that is not clean or cannot be read; others when a page
/// cannot be read or written, or the watcher stops it.
pub fn compact_database(
    storage: &dyn Storage,
    source: &Path,
    destination: &Path,
    options: &CompactOptions,
    progress: &dyn CompactProgress,
) -> Result<CompactReport, CompactError> {
    let reader = DatabaseReader::open(storage, source, DirtyPolicy::Refuse)?;
    compact_opened(&reader, storage, destination, options, progress)
}

/// As [`compact_database`], for a source that is open already.
pub(crate) fn compact_opened(
    reader: &DatabaseReader,
    storage: &dyn Storage,
    destination: &Path,
    options: &CompactOptions,
    progress: &dyn CompactProgress,
) -> Result<CompactReport, CompactError> {
    let format = options.format.unwrap_or_else(|| format_of(reader.header().version()));
    let database = DatabaseOptions {
        page_size: reader.header().page_size(),
        format,
        cache_bytes: options.cache_bytes,
        clock: Arc::clone(&options.clock),
        randomness: Arc::clone(&options.randomness),
    };
    if storage.exists(destination)? {
        return Err(CompactError::Exists { path: destination.to_owned() });
    }
    let copied = match DatabaseBuilder::create(storage, destination, database) {
        Err(BuilderError::Io(error)) if error.kind == IoErrorKind::AlreadyExists => {
            return Err(CompactError::Exists { path: destination.to_owned() });
        }
        Err(error) => Err(error.into()),
        Ok(builder) => Copier::new(reader, builder, progress).run(),
    };
    let outcome = copied.and_then(|tables| {
        let bytes =
            |path: &Path| Ok::<_, CompactError>(storage.open(path, ese_io::OpenOptions::READ)?.len()?);
        let destination_bytes = bytes(destination)?;
        let source_bytes = reader.source().file().len()?;
        Ok(CompactReport { tables, source_bytes, destination_bytes })
    });
    if outcome.is_err() {
        // What is there is marked as incomplete: nobody takes it for a database, should it stay.
        let _ = storage.remove(destination);
        let _ = storage.sync_directory(parent_directory(destination));
    }
    outcome
}

/// The newest format that a database of a version does not exceed, or the oldest that is written.
fn format_of(version: DatabaseVersion) -> EngineFormatVersion {
    let known = FORMAT_VERSIONS.iter().filter(|row| row.database <= version).map(|row| row.engine);
    known.max().unwrap_or(EngineFormatVersion::OLDEST).max(EngineFormatVersion::WINDOWS_10)
}

/// A copy under way.
struct Copier<'c> {
    reader: &'c DatabaseReader,
    builder: DatabaseBuilder,
    progress: &'c dyn CompactProgress,
    done_pages: u64,
    total_pages: u64,
}

impl<'c> Copier<'c> {
    fn new(reader: &'c DatabaseReader, builder: DatabaseBuilder, progress: &'c dyn CompactProgress) -> Self {
        let total_pages = u64::from(reader.source().last_page().0);
        Self { reader, builder, progress, done_pages: 0, total_pages }
    }

    fn run(mut self) -> Result<Vec<CompactedTable>, CompactError> {
        self.report()?;
        let mut entries = self.reader.tables()?;
        self.copy_locales(&entries)?;
        entries.retain(|entry| !is_system(entry));
        // Templates come before what is derived of them; else in the order of their making.
        entries.sort_by_key(|entry| (entry.flags.contains(TableFlags::DERIVED), entry.object_id));
        let mut tables = Vec::with_capacity(entries.len());
        for entry in &entries {
            tables.push(self.copy_table(entry)?);
        }
        let (from, to) = (self.reader.header(), &mut self.builder.header);
        to.set_repair_count(from.repair_count());
        to.set_old_repair_count(from.repair_count());
        to.set_repair_time(from.repair_time());
        self.builder.finish()?;
        self.done_pages = self.total_pages;
        self.progress.pages(self.total_pages, self.total_pages).map_err(CompactError::Stopped)?;
        Ok(tables)
    }

    /// A page of the source is read.
    fn page_done(&mut self) -> Result<(), CompactError> {
        self.done_pages = (self.done_pages + 1).min(self.total_pages);
        self.report()
    }

    fn report(&self) -> Result<(), CompactError> {
        self.progress.pages(self.done_pages, self.total_pages).map_err(CompactError::Stopped)
    }
}

fn is_system(entry: &TableEntry) -> bool {
    entry.flags.intersects(TableFlags::SYSTEM | TableFlags::DYNAMIC_SYSTEM)
        || SYSTEM_TABLES.iter().any(|name| entry.name.eq_ignore_ascii_case(name))
}
