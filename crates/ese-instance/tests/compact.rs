//! Copies of clean databases hold the same: every node of every tree of each user's table, and deep verification finds nothing
//! in them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use ese_format::{JetError, ObjectId, PageNumber};
use ese_instance::{
    CompactError, CompactOptions, CompactProgress, DatabaseReader, DirtyPolicy, FindingSeverity,
    NoCompactProgress, TableDefinition, TableFlags, compact_database, deep_verify,
};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

const SOURCE: &str = "/source.edb";
const COPY: &str = "/copy.edb";

fn storage(bytes: &[u8]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    storage.put(SOURCE, bytes);
    storage
}

fn open(storage: &MemoryStorage, path: &str) -> DatabaseReader {
    DatabaseReader::open(storage, Path::new(path), DirtyPolicy::Refuse).unwrap()
}

/// Every node in order: key and data.
fn nodes(reader: &DatabaseReader, root: PageNumber, object: ObjectId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tree = reader.tree(root, object).unwrap();
    let mut cursor = tree.cursor();
    let mut nodes = Vec::new();
    while cursor.move_next().unwrap() {
        let node = cursor.node().unwrap().unwrap();
        nodes.push((node.key().to_vec(), node.data.to_vec()));
    }
    nodes
}

const LONG_VALUES: &str = "long values";

/// Takes away the long values that no row refers to: they are not copied.
fn drop_unused(nodes: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    let mut unused = false;
    nodes.retain(|(key, data)| {
        // Roots have the shorter keys: 4 bytes, or 8 that begin with a set bit. They begin with the number of references.
        if key.len() == 4 || key.len() == 8 && key[0] & 0x80 != 0 {
            unused = matches!(data[..4], [0, 0, 0, 0] | [0xFF, 0xFF, 0xFF, 0xFF]);
        }
        !unused
    });
}

/// The definition without what a copy changes: numbers of objects and pages.
fn shape(mut table: TableDefinition) -> TableDefinition {
    (table.object_id, table.root) = (ObjectId(0), PageNumber(0));
    for index in &mut table.indexes {
        (index.object_id, index.root) = (ObjectId(0), PageNumber(0));
    }
    table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
    table.initial_pages = 0;
    if let Some(tree) = &mut table.long_values {
        (tree.object_id, tree.root) = (ObjectId(0), PageNumber(0));
    }
    table
}

fn assert_same(name: &str, source: &DatabaseReader, copy: &DatabaseReader) -> usize {
    let tables = |reader: &DatabaseReader| {
        let mut tables = reader.tables().unwrap();
        tables.retain(|t| !t.flags.contains(TableFlags::SYSTEM) && !t.name.starts_with("MSys"));
        tables
    };
    let (theirs, ours) = (tables(source), tables(copy));
    assert_eq!(
        theirs.iter().map(|t| &t.name).collect::<Vec<_>>(),
        ours.iter().map(|t| &t.name).collect::<Vec<_>>(),
        "{name}"
    );
    let mut count = 0;
    for (a, b) in theirs.iter().zip(&ours) {
        let (a, b) =
            (source.table_by_object(a.object_id).unwrap(), copy.table_by_object(b.object_id).unwrap());
        let mut same = |what: &str, (root_a, object_a), (root_b, object_b)| {
            let (mut a, b) = (nodes(source, root_a, object_a), nodes(copy, root_b, object_b));
            if what == LONG_VALUES {
                drop_unused(&mut a);
            }
            assert_eq!(a.len(), b.len(), "{name}: {what}");
            assert!(a == b, "{name}: {what}");
            count += a.len();
        };
        same(&a.name, (a.root, a.object_id), (b.root, b.object_id));
        for index in a.indexes.iter().filter(|index| !index.is_primary()) {
            let other = b.indexes.iter().find(|other| other.name == index.name).unwrap();
            same(&index.name, (index.root, index.object_id), (other.root, other.object_id));
        }
        if let (Some(a), Some(b)) = (a.long_values, b.long_values) {
            same(LONG_VALUES, (a.root, a.object_id), (b.root, b.object_id));
        }
        assert_eq!(shape(a), shape(b), "{name}");
    }
    count
}

fn check(name: &str, bytes: &[u8]) -> usize {
    let storage = storage(bytes);
    let report = compact_database(
        &storage,
        Path::new(SOURCE),
        Path::new(COPY),
        &CompactOptions::default(),
        &NoCompactProgress,
    )
    .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(storage.get(SOURCE).unwrap() == bytes, "{name}: the source was changed");
    let (source, copy) = (open(&storage, SOURCE), open(&storage, COPY));
    let mut bad = Vec::new();
    deep_verify(&copy, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(format!("{finding:?}"));
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{name}: {bad:?}");
    assert_eq!(report.destination_bytes, storage.get(COPY).unwrap().len() as u64);
    assert_same(name, &source, &copy)
}

fn clean_databases(case: &str) -> Vec<PathBuf> {
    let Some(folder) = testdata::reference(case) else { return Vec::new() };
    let mut found = Vec::new();
    for sub in ["files", "recovered", "restored_0", "restored_1", "restored_2"] {
        let Ok(entries) = std::fs::read_dir(folder.join(sub)) else { continue };
        found
            .extend(entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "edb")));
    }
    // State 3 is "clean".
    found.retain(|path| std::fs::read(path).unwrap().get(52) == Some(&3));
    found.sort();
    found
}

#[test]
fn copies_of_the_engines_databases() {
    let all = std::env::var_os("ESE_TEST_ALL").is_some();
    let choice = [
        "clean-p4k",
        "clean-p8k",
        "clean-p32k",
        "clean-p8k-efv8020",
        "clean-p8k-efv9400",
        "rare-comp-crash-p8k",
        "rare-ddl-crash-p16k",
        "rare-escrow-p32k",
        "rare-index-crash-p8k",
        "rare-long-crash-p8k",
        "rare-multi-p4k",
        "rare-trim-crash-p8k",
    ];
    let (mut databases, mut count) = (0, 0);
    for case in testdata::reference_cases() {
        if !all && !choice.contains(&case.as_str()) {
            continue;
        }
        for path in clean_databases(&case) {
            count += check(&path.display().to_string(), &std::fs::read(&path).unwrap());
            databases += 1;
        }
    }
    assert!(databases >= 3 && count > 10_000, "{databases} databases, {count} nodes");
}

#[test]
fn copies_of_real_databases() {
    let mut copied = 0;
    for file in testdata::real_files() {
        if file.kind != "database" {
            continue;
        }
        let Ok(bytes) = testdata::real_bytes(&file) else { continue };
        if bytes.get(52) == Some(&3) {
            check(&format!("{}/{}", file.set, file.file), &bytes);
            copied += 1;
        }
    }
    println!("{copied} real databases copied");
}

#[test]
fn what_is_refused() {
    let bytes = |case: &str| std::fs::read(testdata::reference(case).unwrap().join("files/db.edb")).unwrap();
    let storage = storage(&bytes("clean-p4k"));
    let compact = |source: &str, progress: &dyn CompactProgress| {
        compact_database(&storage, source.as_ref(), COPY.as_ref(), &CompactOptions::default(), progress)
    };
    // Whatever stands at the destination stays.
    storage.put(COPY, b"mine");
    let error = compact(SOURCE, &NoCompactProgress).unwrap_err();
    assert!(
        matches!(error, CompactError::Exists { .. }) && error.jet_error() == JetError::DATABASE_DUPLICATE
    );
    assert_eq!(storage.get(COPY).unwrap(), b"mine");
    storage.remove(Path::new(COPY)).unwrap();
    assert_eq!(compact("/none.edb", &NoCompactProgress).unwrap_err().jet_error(), JetError::FILE_NOT_FOUND);
    assert!(!storage.exists(Path::new(COPY)).unwrap());
}

#[test]
fn a_dirty_source() {
    let Some(folder) = testdata::reference("dirty-exit-p4k") else { return };
    let storage = storage(&std::fs::read(folder.join("files/db.edb")).unwrap());
    let options = CompactOptions::default();
    let error =
        compact_database(&storage, SOURCE.as_ref(), COPY.as_ref(), &options, &NoCompactProgress).unwrap_err();
    assert_eq!(error.jet_error(), JetError::DATABASE_DIRTY_SHUTDOWN);
    assert!(!storage.exists(Path::new(COPY)).unwrap());
}

/// Stops after a number of reports, and checks that they only grow.
struct StopAfter {
    left: std::cell::Cell<u64>,
    seen: std::cell::Cell<u64>,
}

impl CompactProgress for StopAfter {
    fn pages(&self, done: u64, total: u64) -> Result<(), JetError> {
        assert!(done >= self.seen.replace(done) && done <= total);
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(JetError(-12)),
        }
        Ok(())
    }
}

#[test]
fn a_copy_that_is_stopped_leaves_nothing() {
    let folder = testdata::reference("clean-p8k").unwrap();
    let storage = storage(&std::fs::read(folder.join("files/db.edb")).unwrap());
    let options = CompactOptions::default();
    let mut stopped = 0;
    for left in [0, 1, 5, 30, 200, u64::MAX] {
        let progress = StopAfter { left: left.into(), seen: 0.into() };
        match compact_database(&storage, SOURCE.as_ref(), COPY.as_ref(), &options, &progress) {
            Err(error) => {
                assert_eq!(error.jet_error(), JetError(-12));
                assert!(!storage.exists(Path::new(COPY)).unwrap());
                stopped += 1;
            }
            Ok(_) => {
                storage.remove(Path::new(COPY)).unwrap();
            }
        }
    }
    assert!((3..6).contains(&stopped), "{stopped}");
}

/// A file that is not complete yet is no database.
#[test]
fn an_incomplete_copy_is_told() {
    struct Look<'s>(&'s MemoryStorage, std::cell::Cell<bool>);
    impl CompactProgress for Look<'_> {
        fn pages(&self, done: u64, total: u64) -> Result<(), JetError> {
            let bytes = self.0.get(COPY).unwrap();
            if done < total {
                let other = MemoryStorage::new();
                let file = other.open(Path::new(COPY), OpenOptions::new(OpenMode::CreateNew)).unwrap();
                file.write_at(0, &bytes).unwrap();
                assert!(DatabaseReader::from_file(file, DirtyPolicy::Refuse).is_err());
                self.1.set(true);
            }
            Ok(())
        }
    }
    let folder = testdata::reference("clean-p4k").unwrap();
    let storage = storage(&std::fs::read(folder.join("files/db.edb")).unwrap());
    let look = Look(&storage, false.into());
    compact_database(&storage, SOURCE.as_ref(), COPY.as_ref(), &CompactOptions::default(), &look).unwrap();
    assert!(look.1.get());
}
