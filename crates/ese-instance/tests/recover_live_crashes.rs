//! Crashes of the running engine, with several databases on one log, some of which are created, detached and attached
//! again on the way, in every page size: recovered on any number of threads to the same bytes, sound, and the same pages as
//! from the logs alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;
mod thread_bed;

use std::path::Path;

use ese_btree::{Difference, compare_databases};
use ese_format::ColumnKind;
use ese_instance::recovery::{MissingCurrentLog, RecoveryRequest};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, DatabaseReader, DirtyPolicy, IndexSpec, PrepareKind,
    Session, SetFlags, TableMode, TableSpec,
};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{LogNames, find_streams};
use live_bed::{Bed, assert_sound};
use thread_bed::recover_alike;

const PATHS: [&str; 3] = ["/db/a.edb", "/db/b.edb", "/db/c.edb"];

/// A stream of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn create(session: &Session, path: &str) -> Database {
    let database = session.create_database(Path::new(path), &CreateOptions::default()).unwrap();
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Text", ColumnKind::BINARY, 255))
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"));
    database.create_table(&spec).unwrap();
    database
}

/// Some rows in, changed and out, in one transaction.
fn work(session: &Session, database: &Database, numbers: &mut Numbers, next: &mut i32) {
    let mut table = database.open_table("T", TableMode::default()).unwrap();
    let [id, text, long] = ["Id", "Text", "Long"].map(|name| table.column_id(name).unwrap());
    let transaction = session.transaction().unwrap();
    for _ in 0..40 + numbers.below(80) {
        let kind = numbers.below(8);
        // In the middle of the tree as well as at its end.
        let key = if kind == 0 { *next } else { (*next).wrapping_mul(0x9E37_79B1_u32 as i32) };
        *next += 1;
        let there = kind >= 5 && table.move_first().is_ok();
        if there {
            for _ in 0..numbers.below(6) {
                let _ = table.move_next();
            }
        }
        if there && kind == 7 {
            let _ = table.delete();
            continue;
        }
        let _ = table.prepare(if there { PrepareKind::Replace } else { PrepareKind::Insert });
        if !there {
            table.set_column(id, &key.to_le_bytes(), SetFlags::empty()).unwrap();
        }
        let value = vec![key as u8; numbers.below(200) + 1];
        let _ = table.set_column(text, &value, SetFlags::empty());
        if numbers.below(12) == 0 {
            let value = vec![key as u8; 3000 + numbers.below(20_000)];
            let _ = table.set_column(long, &value, SetFlags::empty());
        }
        if table.update().is_err() {
            let _ = table.cancel_update();
        }
    }
    if numbers.below(5) == 0 {
        transaction.rollback().unwrap();
    } else {
        transaction.commit(CommitMode::Durable).unwrap();
    }
}

/// What crashes at several moments leave.
fn crashes(page_size: u32, format: u32) -> Vec<MemoryStorage> {
    let bed = Bed::new();
    let instance = bed.start(page_size, format);
    let session = instance.begin_session().unwrap();
    let mut numbers = Numbers(u64::from(page_size + format));
    let mut next = 1;
    let mut open = vec![create(&session, PATHS[0]), create(&session, PATHS[1])];
    let mut left = Vec::new();
    for step in 0..14 {
        match step {
            4 => open.push(create(&session, PATHS[2])),
            6 => {
                open.remove(1);
                session.detach_database(Path::new(PATHS[1])).unwrap();
            }
            8 => {
                session.attach_database(Path::new(PATHS[1])).unwrap();
                open.insert(1, session.open_database(Path::new(PATHS[1])).unwrap());
            }
            11 => {
                open.pop();
                session.detach_database(Path::new(PATHS[2])).unwrap();
            }
            _ => {}
        }
        for database in &open {
            work(&session, database, &mut numbers, &mut next);
        }
        if step % 3 == 2 {
            while instance.idle().unwrap() {}
        }
        // One more that stays open.
        let transaction = session.transaction().unwrap();
        let mut table = open[0].open_table("T", TableMode::default()).unwrap();
        let text = table.column_id("Text").unwrap();
        if table.move_last().is_ok() {
            table.prepare(PrepareKind::Replace).unwrap();
            table.set_column(text, b"not committed", SetFlags::empty()).unwrap();
            table.update().unwrap();
        }
        instance.flush_log().unwrap();
        if [3, 5, 7, 9, 13].contains(&step) {
            left.push(bed.snapshot().storage);
        }
        transaction.rollback().unwrap();
    }
    left
}

fn request(storage: &MemoryStorage) -> RecoveryRequest {
    let (base, extension) = find_streams(storage, Path::new("/db")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: true };
    let mut request = RecoveryRequest::soft(Path::new("/db"), names);
    request.missing_current_log = MissingCurrentLog::Accept;
    request.locations.directories.push("/db".into());
    request
}

fn check(page_size: u32, format: u32) {
    for (number, storage) in crashes(page_size, format).into_iter().enumerate() {
        let what = format!("{page_size} {format}, crash {number}");
        // The logs without the databases.
        let alone = MemoryStorage::new();
        for entry in storage.list(Path::new("/db")).unwrap() {
            let name = entry.path.to_str().unwrap();
            if !name.ends_with(".edb") && !name.ends_with(".chk") {
                alone.put(&entry.path, storage.get(&entry.path).unwrap());
            }
        }
        // Pages come and go all the time; the checkpoint moves on the way.
        let mut small = request(&storage);
        (small.cache_bytes, small.checkpoint_bytes) = (0, 1);
        let report = recover_alike(&storage, &small).unwrap_or_else(|e| panic!("{what}: {e}"));
        recover_alike(&alone, &request(&alone)).unwrap_or_else(|e| panic!("{what}, logs alone: {e}"));
        let mut pages = 0;
        for path in PATHS.iter().filter(|p| storage.get(p).is_some()) {
            let reader = DatabaseReader::open(&storage, Path::new(path), DirtyPolicy::Refuse).unwrap();
            assert_sound(&format!("{what} {path}"), &reader);
            let open = |storage: &MemoryStorage| storage.open(Path::new(path), OpenOptions::READ).unwrap();
            let mut different = Vec::new();
            let compared = compare_databases(&open(&storage), &open(&alone), |difference| {
                if matches!(difference, Difference::Page { .. }) {
                    different.push(difference.to_string());
                }
            });
            pages += compared.unwrap().pages;
            assert!(different.is_empty(), "{what} {path}: {different:?}");
        }
        println!("{what}: {pages} pages, {:?} {:?}", report.redo, report.undo);
        assert!(report.undo.operations > 0, "{what}");
    }
}

#[test]
fn small_pages() {
    check(4096, 9600);
    check(8192, 9600);
}

#[test]
fn large_pages() {
    check(16384, 9600);
    check(32768, 9600);
}

#[test]
fn an_older_format() {
    check(8192, 8020);
    check(32768, 8920);
}
