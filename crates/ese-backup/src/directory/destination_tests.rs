//! The destination of a set: what is refused, what is left behind, and what a complete set looks like.

use std::path::Path;

use ese_io::{MemoryStorage, Storage};

use super::destination::{Destination, SetForm};
use crate::error::BackupError;
use crate::manifest::Manifest;

const FULL: SetForm = SetForm { incremental: false, atomic: false };
const INCREMENTAL: SetForm = SetForm { incremental: true, atomic: false };
const ATOMIC: SetForm = SetForm { incremental: false, atomic: true };
const ATOMIC_INCREMENTAL: SetForm = SetForm { incremental: true, atomic: true };

/// Every file below the root with its content, and every directory.
fn tree(storage: &MemoryStorage) -> Vec<String> {
    fn walk(storage: &MemoryStorage, directory: &Path, found: &mut Vec<String>) {
        for entry in storage.list(directory).unwrap() {
            let path = entry.path.to_str().unwrap();
            match storage.get(&entry.path) {
                Some(bytes) => found.push(format!("{path}={}", String::from_utf8_lossy(&bytes))),
                None => {
                    found.push(format!("{path}/"));
                    walk(storage, &entry.path, found);
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(storage, Path::new("/"), &mut found);
    found
}

fn with(files: &[(&str, &str)], directories: &[&str]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    for (path, text) in files {
        storage.put(path, text.as_bytes());
    }
    for path in directories {
        storage.create_directory(Path::new(path)).unwrap();
    }
    storage
}

fn write(destination: &mut Destination<'_>, files: &[(&str, &str)]) {
    for (name, text) in files {
        let file = destination.create(name).unwrap();
        file.write_at(0, text.as_bytes()).unwrap();
        file.sync().unwrap();
    }
}

fn prepare<'a>(storage: &'a MemoryStorage, form: SetForm) -> Result<Destination<'a>, BackupError> {
    Destination::prepare(storage, Path::new("/p"), form, false)
}

fn number(result: Result<Destination<'_>, BackupError>) -> i32 {
    result.err().unwrap().jet_error().0
}

#[test]
fn refusals() {
    let none = MemoryStorage::new();
    assert_eq!(number(prepare(&none, FULL)), -1023);
    assert_eq!(number(prepare(&none, INCREMENTAL)), -1023);
    assert_eq!(number(prepare(&none, ATOMIC)), -525);
    assert_eq!(number(prepare(&none, ATOMIC_INCREMENTAL)), -1023);
    assert_eq!(tree(&none), [""; 0]);

    assert_eq!(number(prepare(&with(&[("/p/x", "")], &[]), FULL)), -504);
    assert_eq!(number(prepare(&with(&[], &["/p", "/p/sub"]), FULL)), -504);
    let atomic = with(&[("/p/NEW/db.edb", "")], &[]);
    assert_eq!(number(prepare(&atomic, INCREMENTAL)), -504);
    assert_eq!(number(prepare(&atomic, FULL)), -504);
    assert_eq!(number(prepare(&with(&[("/p/temp/a/b", "")], &[]), ATOMIC)), -524);
}

#[test]
fn an_abandoned_set_leaves_nothing() {
    for (form, files) in [
        (FULL, &[("/p/temp/old", "left over")][..]),
        (INCREMENTAL, &[("/p/db.edb", "1"), ("/p/edb00001.log", "1")][..]),
        (ATOMIC, &[("/p/new/db.edb", "1"), ("/p/old/db.edb", "0"), ("/p/other", "x")][..]),
        (ATOMIC_INCREMENTAL, &[("/p/new/db.edb", "1")][..]),
    ] {
        let storage = with(files, &[]);
        let mut before = tree(&storage);
        before.retain(|line| !line.contains("temp"));
        let mut destination = prepare(&storage, form).unwrap();
        write(&mut destination, &[("edb00001.log", "one"), ("edb00002.log", "two")]);
        drop(destination);
        assert_eq!(tree(&storage), before, "{form:?}");
    }
}

#[test]
fn a_made_path_is_removed_again() {
    let storage = with(&[], &["/a"]);
    let mut destination = Destination::prepare(&storage, Path::new("/a/b/c"), FULL, true).unwrap();
    write(&mut destination, &[("x", "x")]);
    drop(destination);
    assert_eq!(tree(&storage), ["/a/"]);
}

#[test]
fn a_full_set() {
    let storage = with(&[("/p/temp/old", "left over")], &[]);
    let mut destination = prepare(&storage, FULL).unwrap();
    write(&mut destination, &[("db.edb", "pages"), ("edb00001.log", "one"), ("db.pat", "")]);
    assert!(
        matches!(destination.create("db.edb"), Err(e) if e.jet_error().0 == -1814),
        "two databases of one name"
    );
    destination.add_manifest(&Manifest::default()).unwrap();
    destination.promote().unwrap();
    assert_eq!(destination.final_directory(), Path::new("/p"));
    drop(destination);
    let found = tree(&storage);
    assert_eq!(found[..4], ["/p/", "/p/db.edb=pages", "/p/db.pat=", "/p/edb00001.log=one"]);
    assert!(found[4].starts_with("/p/ese-manifest.json={"), "{found:?}");
    assert_eq!(found.len(), 5);
}

#[test]
fn an_incremental_set_replaces_logs_by_their_equals() {
    let storage = with(&[("/p/db.edb", "pages"), ("/p/edb00001.log", "one")], &[]);
    let mut destination = prepare(&storage, INCREMENTAL).unwrap();
    write(&mut destination, &[("edb00001.log", "one"), ("edb00002.log", "two")]);
    destination.promote().unwrap();
    drop(destination);
    let expected = ["/p/", "/p/db.edb=pages", "/p/edb00001.log=one", "/p/edb00002.log=two"];
    assert_eq!(tree(&storage), expected);
}

#[test]
fn an_atomic_set_takes_the_place_of_the_one_before() {
    let storage = with(&[], &["/p"]);
    for text in ["first", "second", "third"] {
        let mut destination = prepare(&storage, ATOMIC).unwrap();
        write(&mut destination, &[("db.edb", text)]);
        destination.promote().unwrap();
        assert_eq!(destination.final_directory(), Path::new("/p/new"));
        drop(destination);
        assert_eq!(tree(&storage), ["/p/".to_owned(), "/p/new/".to_owned(), format!("/p/new/db.edb={text}")]);
    }
    let mut destination = prepare(&storage, ATOMIC_INCREMENTAL).unwrap();
    assert_eq!(destination.present_directory(), Path::new("/p/new"));
    write(&mut destination, &[("edb00002.log", "two")]);
    destination.promote().unwrap();
    assert_eq!(destination.final_directory(), Path::new("/p/old"));
    drop(destination);
    assert_eq!(tree(&storage), ["/p/", "/p/old/", "/p/old/db.edb=third", "/p/old/edb00002.log=two"]);
    let mut destination = prepare(&storage, ATOMIC).unwrap();
    write(&mut destination, &[("db.edb", "fourth")]);
    destination.promote().unwrap();
    drop(destination);
    assert_eq!(tree(&storage), ["/p/", "/p/new/", "/p/new/db.edb=fourth"]);
}
