//! Databases grow when asked to, within their limits, and the log knows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;

use ese_instance::{
    AttachOptions, CreateOptions, Database, DatabaseInfoLevel as Level, ParameterId, ResizeFlags, TermMode,
};
use ese_io::Storage;
use live_bed::{Bed, DATABASE, assert_sound, number};

fn path() -> &'static Path {
    Path::new(DATABASE)
}

fn pages(database: &Database, level: Level) -> u32 {
    database.info(level).unwrap().number().unwrap()
}

#[test]
fn a_database_grows_by_whole_steps() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(path(), &CreateOptions::default()).unwrap();
    let (before, free) = (pages(&database, Level::FILE_SIZE), pages(&database, Level::SPACE_AVAILABLE));
    assert_eq!(database.grow(before).unwrap(), before);
    assert_eq!(database.grow(1).unwrap(), before);
    assert_eq!(database.resize(before + 300, ResizeFlags::ONLY_SHRINK).unwrap(), before);
    // 300 pages are two steps of 256.
    assert_eq!(database.resize(before + 300, ResizeFlags::empty()).unwrap(), before + 512);
    assert_eq!(pages(&database, Level::FILE_SIZE), before + 512);
    assert_eq!(pages(&database, Level::SPACE_OWNED), before + 510);
    let now = pages(&database, Level::SPACE_AVAILABLE);
    assert!(now > free + 490 && now <= free + 512, "{free} became {now}");
    // In a transaction, in other steps; rolling back leaves it as it is.
    instance.set_parameter(ParameterId::DB_EXTENSION_SIZE, 16_u32).unwrap();
    session.begin().unwrap();
    assert_eq!(database.grow(before + 513).unwrap(), before + 528);
    session.rollback().unwrap();
    assert_eq!(pages(&database, Level::FILE_SIZE), before + 528);
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_eq!(bed.storage.inspect(path()).unwrap().len, u64::from(before + 528) * 4096);
    assert_sound("grown", &bed.reader());
}

#[test]
fn what_cannot_be_is_refused() {
    let bed = Bed::new();
    let instance = bed.create(4096, 9600);
    instance.initialize(Default::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = session.create_database(path(), &CreateOptions::default()).unwrap();
    let now = pages(&database, Level::FILE_SIZE);
    for flags in [3, 4, 0x8000_0001] {
        assert_eq!(number(database.resize(now, ResizeFlags::from_bits_retain(flags))), -900);
    }
    assert_eq!(number(database.resize(now - 1, ResizeFlags::empty())), -1001);
    assert_eq!(number(database.resize(now - 1, ResizeFlags::ONLY_SHRINK)), -1001);
    assert_eq!(database.resize(now - 1, ResizeFlags::ONLY_GROW).unwrap(), now);
    drop(database);
    session.detach_database(path()).unwrap();
    session.attach_database_with(path(), &AttachOptions::default().read_only()).unwrap();
    let database = session.open_database(path()).unwrap();
    assert_eq!(number(database.grow(now + 1)), -1032);
    assert_eq!(database.grow(now).unwrap(), now);
    session.end().unwrap();
    assert_eq!(number(database.grow(now)), -1104);
    instance.terminate(TermMode::Abrupt).unwrap();

    let shrinking = bed.create(4096, 9600);
    shrinking.set_parameter(ParameterId::ENABLE_SHRINK_DATABASE, 1_u32).unwrap();
    shrinking.initialize(Default::default()).unwrap();
    let session = shrinking.begin_session().unwrap();
    session.attach_database(path()).unwrap();
    let database = session.open_database(path()).unwrap();
    assert_eq!(number(database.resize(now - 1, ResizeFlags::empty())), -1003);
}

#[test]
fn growth_ends_at_the_limit() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let options = CreateOptions::default().largest_page_count(2000);
    let database = session.create_database(path(), &options).unwrap();
    assert_eq!(database.largest_size().unwrap(), 2000);
    let now = pages(&database, Level::FILE_SIZE);
    assert_eq!(database.grow(now + 256).unwrap(), now + 256);
    database.set_largest_size(now + 300).unwrap();
    assert_eq!(number(database.grow(now + 257)), -1012);
    assert_eq!(pages(&database, Level::FILE_SIZE), now + 256);
    database.set_largest_size(0).unwrap();
    assert_eq!(database.largest_size().unwrap(), 0);
    assert_eq!(database.grow(now + 257).unwrap(), now + 512);
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("limited", &bed.reader());
}

#[test]
fn the_log_brings_growth_back() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(path(), &CreateOptions::default()).unwrap();
    instance.advance_checkpoint().unwrap();
    let before = bed.snapshot();
    let grown = database.grow(2000).unwrap();
    session.wait_for_all_commits().unwrap();
    // Logs of now, pages of then.
    let crashed = bed.snapshot();
    crashed.storage.put(path(), before.storage.get(path()).unwrap());
    crashed.recover();
    assert_eq!(crashed.storage.inspect(path()).unwrap().len, u64::from(grown) * 4096);
    assert_sound("recovered", &crashed.reader());
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_eq!(crashed.page_differences(&bed), [""; 0]);
}

#[test]
fn a_closed_file_is_made_longer() {
    let bed = Bed::new();
    let instance = bed.start(8192, 8920);
    let session = instance.begin_session().unwrap();
    drop(session.create_database(path(), &CreateOptions::default()).unwrap());
    assert!(number(session.set_database_size(path(), 1000)) < 0);
    session.detach_database(path()).unwrap();
    let before = bed.storage.inspect(path()).unwrap().len;
    assert_eq!(number(session.set_database_size(Path::new(""), 1000)), -1217);
    assert_eq!(number(session.set_database_size(path(), 31)), -1003);
    assert_eq!(number(session.set_database_size(Path::new("/db/none.edb"), 1000)), -1811);
    assert_eq!(session.set_database_size(path(), 32).unwrap(), (before / 8192 - 2) as u32);
    assert_eq!(session.set_database_size(path(), 1000).unwrap(), 1000);
    assert_eq!(bed.storage.inspect(path()).unwrap().len, 1002 * 8192);
    session.attach_database(path()).unwrap();
    drop(session.open_database(path()).unwrap());
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("longer", &bed.reader());

    // Not closed in order.
    let instance = bed.start(8192, 8920);
    instance.attach(path()).unwrap();
    assert_eq!(number(instance.terminate(TermMode::Dirty)), -1116);
    let other = Bed::new();
    other.storage.put(path(), bed.storage.get(path()).unwrap());
    let instance = other.start(8192, 8920);
    let session = instance.begin_session().unwrap();
    assert_eq!(number(session.set_database_size(path(), 1000)), -550);
}
