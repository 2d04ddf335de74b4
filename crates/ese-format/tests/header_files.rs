//! Headers of files that real engines wrote: parsing and writing gives the same bytes, for every file of every
//! reference case and of the folder of real files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use ese_format::{DatabaseHeader, DatabaseHeaderPair, HeaderPairStatus, RawDatabaseHeader};

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Calls `check` with name and content of every file whose name ends with one of `extensions`, reference and real.
fn every_file(extensions: &[&str], kinds: &[&str], mut check: impl FnMut(&str, &[u8])) -> usize {
    let mut count = 0;
    for case in testdata::reference_cases() {
        let mut found = Vec::new();
        files_below(&testdata::reference(&case).unwrap(), &mut found);
        for path in found {
            let name = path.to_string_lossy();
            if extensions.iter().any(|e| name.ends_with(e)) {
                check(&name, &fs::read(&path).unwrap());
                count += 1;
            }
        }
    }
    for file in testdata::real_files() {
        if kinds.contains(&file.kind.as_str()) {
            check(&format!("{}/{}", file.set, file.file), &testdata::real_bytes(&file).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn database_headers() {
    let count = every_file(&[".edb"], &["database"], |name, bytes| {
        let start = &bytes[..bytes.len().min(DatabaseHeaderPair::PROBE_LEN)];
        let pair = DatabaseHeaderPair::probe(start).unwrap_or_else(|e| panic!("{name}: {e}"));
        let header = &pair.header;
        let size = header.page_size().len();
        assert!(header.write() == bytes[..size], "{name}: first copy changed");
        let second = pair.stale.as_ref().unwrap_or(header);
        assert!(second.write() == bytes[size..2 * size], "{name}: second copy changed");
        // A streaming copy carries the backup in its first header only.
        if pair.status == HeaderPairStatus::SecondaryStale {
            assert!(header.is_part_of_backup() || !name.contains("backup_"), "{name}");
        } else {
            assert_eq!(pair.status, HeaderPairStatus::BothGood, "{name}");
        }
        assert!(header.unknown_tail().is_empty(), "{name}");
        assert_eq!(header.magic(), DatabaseHeader::MAGIC, "{name}");
        header.check_database(None).unwrap_or_else(|e| panic!("{name}: {e}"));
        // Every field goes through its typed value and back.
        assert_eq!(header.fields().iter().filter(|f| f.name.starts_with("reserved")).count(), 0, "{name}");
    });
    println!("{count} databases");
}

#[test]
fn field_table_covers_every_byte() {
    let mut at = 0;
    for (name, offset, size) in RawDatabaseHeader::FIELDS {
        assert_eq!(*offset, at, "{name}");
        at += size;
    }
    assert_eq!(at, RawDatabaseHeader::SIZE);
}
