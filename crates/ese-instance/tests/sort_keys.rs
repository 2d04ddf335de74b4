//! Sort keys of Unicode text: recomputed for every index of the real databases and compared byte for byte with what
//! Windows stored. Contents of the databases are never printed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::path::Path;

use ese_btree::{LongValueReader, TreeError};
use ese_format::{CollationError, RecordError, RecordView};
use ese_instance::{
    DatabaseReader, DirtyPolicy, IndexDefinition, IndexEntryBuilder, RowLayout, TableDefinition, ValueReader,
};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

#[derive(Debug)]
struct Unreadable;

impl From<RecordError> for Unreadable {
    fn from(_: RecordError) -> Self {
        Self
    }
}

impl From<TreeError> for Unreadable {
    fn from(_: TreeError) -> Self {
        Self
    }
}

fn reader(bytes: &[u8]) -> DatabaseReader {
    let storage = MemoryStorage::default();
    let file = storage.open(Path::new("/db.edb"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.write_at(0, bytes).unwrap();
    DatabaseReader::from_file(file, DirtyPolicy::ReadAsItIs).unwrap()
}

/// The entries of an index as stored: key and, but for a primary index, bookmark.
fn stored_entries(reader: &DatabaseReader, index: &IndexDefinition) -> HashSet<(Vec<u8>, Vec<u8>)> {
    let tree = reader.tree(index.root, index.object_id).unwrap();
    let mut cursor = tree.cursor();
    let mut found = HashSet::new();
    while cursor.move_next().unwrap_or(false) {
        if let Ok(Some(node)) = cursor.node() {
            let bookmark = if index.is_primary() { Vec::new() } else { node.data.to_vec() };
            found.insert((node.key().to_vec(), bookmark));
        }
    }
    found
}

/// How many entries the rows give to indexes, how many of them are stored, how many have no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    entries: usize,
    matched: usize,
    unknown: usize,
}

impl Counts {
    fn add_index(&mut self, reader: &DatabaseReader, table: &TableDefinition, index: &IndexDefinition) {
        let page_size = reader.header().page_size();
        let layout = RowLayout::new(table);
        let builder = IndexEntryBuilder::new(&layout, index);
        let stored = stored_entries(reader, index);
        let tree = reader.tree(table.root, table.object_id).unwrap();
        let long = table.long_values.and_then(|l| reader.tree(l.root, l.object_id).ok());
        let chunks = long.as_ref().map(|t| LongValueReader::new(t, table.chunk_size(page_size)));
        let mut values = ValueReader::new(chunks);
        let mut row = tree.cursor();
        // A torn database has rows that cannot be read.
        while row.move_next().unwrap_or(false) {
            let Ok(Some(node)) = row.node() else { continue };
            let bookmark = if index.is_primary() { Vec::new() } else { node.key().to_vec() };
            let Ok(record) = RecordView::parse(node.data, page_size) else { continue };
            let Ok(given) = builder.entries::<Unreadable>(&layout, &record, &mut values) else { continue };
            self.entries += given.keys.len() + given.unknown;
            self.unknown += given.unknown;
            let is_stored = |key: &&Vec<u8>| stored.contains(&((*key).clone(), bookmark.clone()));
            self.matched += given.keys.iter().filter(is_stored).count();
        }
    }
}

/// Every index with Unicode text.
fn unicode_indexes(reader: &DatabaseReader) -> Vec<(TableDefinition, IndexDefinition)> {
    let mut found = Vec::new();
    for entry in reader.tables().unwrap_or_default() {
        let Ok(table) = reader.table_by_object(entry.object_id) else { continue };
        let is_unicode = |index: &&IndexDefinition| {
            let mut columns = index.segments.iter().filter_map(|s| table.column_of(s));
            columns.any(|(_, column)| column.segment_kind().is_unicode())
        };
        let indexes: Vec<IndexDefinition> = table.indexes.iter().filter(is_unicode).cloned().collect();
        found.extend(indexes.into_iter().map(|index| (table.clone(), index)));
    }
    found
}

#[test]
fn keys_of_real_databases() {
    let files = testdata::real_files();
    let mut of_known_versions = Counts::default();
    for file in files.iter().filter(|f| f.kind == "database") {
        let reader = reader(&testdata::real_bytes(file).unwrap());
        for (table, index) in unicode_indexes(&reader) {
            let mut counts = Counts::default();
            counts.add_index(&reader, &table, &index);
            let all = Counts { entries: counts.entries, matched: counts.entries, unknown: 0 };
            match index.collation() {
                Ok(_) => {
                    assert_eq!(counts, all, "{}/{}: {}", file.set, file.file, index.name);
                    of_known_versions.entries += counts.entries;
                }
                // Windows XP and Server 2003.
                Err(CollationError::Version { found: 0x100 }) => {
                    assert_eq!((counts.matched, counts.unknown), (0, counts.entries));
                }
                Err(error) => panic!("{}/{}: {error}", file.set, file.file),
            }
        }
    }
    assert!(files.is_empty() || of_known_versions.entries >= 255, "{of_known_versions:?}");
}

#[test]
fn canary_another_version_of_the_tables_gives_other_keys() {
    let Some(file) = testdata::real_files().into_iter().find(|f| f.file == "Current.mdb") else { return };
    let reader = reader(&testdata::real_bytes(&file).unwrap());
    let mut counts = Counts::default();
    for (table, mut index) in unicode_indexes(&reader) {
        // Windows 7 has other weights for digits.
        index.sort_version = Some(vec![1, 1, 6, 0, 1, 1, 6, 0]);
        counts.add_index(&reader, &table, &index);
    }
    assert!(counts.matched < counts.entries && counts.unknown == 0, "{counts:?}");
}
