//! Databases created by a running instance: sound, with the rows of the engine's own, and rebuilt from the log alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_format::{
    ColumnKind, DatabaseHeader, DatabaseState, EngineFormatVersion, JetError, LogGeneration, PageSize,
};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, IndexSpec, TableSpec, TermMode, read_database_header,
};
use ese_io::{OpenOptions, Storage};
use ese_log::record::Record;
use live_bed::{Bed, DATABASE, assert_sound};

mod live_bed;

fn books() -> TableSpec {
    TableSpec::new("Books")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::variable("Title", ColumnKind::TEXT, 200).unicode())
        .column(ColumnSpec::tagged("Review", ColumnKind::LONG_TEXT).unicode().compressed())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByTitle").ascending("Title"))
}

#[test]
fn created_databases_are_sound_and_come_back_from_the_log() {
    for page_size in [4096, 8192, 16384, 32768] {
        for format in [8920, 8940, 9180, 9600] {
            let what = format!("{page_size} {format}");
            let bed = Bed::new();
            let instance = bed.start(page_size, format);
            let session = instance.begin_session().unwrap();
            let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
            let transaction = session.transaction().unwrap();
            database.create_table(&books()).unwrap();
            transaction.commit(CommitMode::Durable).unwrap();
            drop(database);
            session.end().unwrap();
            instance.terminate(TermMode::Complete).unwrap();
            let reader = bed.reader();
            assert_eq!(reader.header().state(), DatabaseState::CLEAN_SHUTDOWN, "{what}");
            let version = EngineFormatVersion(format).versions().unwrap().database;
            assert_eq!(reader.header().version(), version, "{what}");
            assert_sound(&what, &reader);
            let table = reader.table("Books").unwrap();
            assert_eq!(table.columns.len(), 3, "{what}");
            assert_eq!(table.indexes.len(), 2, "{what}");
        }
    }
}

/// A crash right after the last commit, the database file gone: the log brings every page back as it was.
#[test]
fn the_log_alone_brings_a_created_database_back() {
    for (page_size, format) in [(4096, 9600), (8192, 9600), (16384, 9180), (32768, 8920)] {
        let what = format!("{page_size} {format}");
        let bed = Bed::new();
        let instance = bed.start(page_size, format);
        let session = instance.begin_session().unwrap();
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        for n in 0..20 {
            let spec = TableSpec::new(&format!("T{n}"))
                .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
                .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
                .index(IndexSpec::new("ById").ascending("Id").primary())
                .index(IndexSpec::new("ByText").ascending("Text"));
            database.create_table(&spec).unwrap();
        }
        database.delete_table("T3").unwrap();
        database.rename_table("T4", "Renamed").unwrap();
        database.delete_index("T5", "ByText").unwrap();
        database.add_column("T5", &ColumnSpec::variable("More", ColumnKind::TEXT, 20)).unwrap();
        database.delete_column("T5", "Text").unwrap();
        let open = session.transaction().unwrap();
        database.create_table(&books()).unwrap();
        session.wait_for_all_commits().unwrap();
        // What the log holds at this moment, the open transaction's part too.
        instance.flush_log().unwrap();
        let crashed = bed.snapshot();
        crashed.remove(DATABASE);
        // The engine goes on to a clean end without the open transaction.
        drop(open);
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::Complete).unwrap();

        crashed.recover();
        let reader = crashed.reader();
        assert_sound(&what, &reader);
        let names: Vec<_> = reader.tables().unwrap().into_iter().map(|t| t.name).collect();
        assert!(
            names.contains(&"Renamed".to_owned()) && !names.contains(&"T3".to_owned()),
            "{what}: {names:?}"
        );
        assert!(!names.contains(&"Books".to_owned()), "{what}: {names:?}");
        assert_eq!(bed.reader().tables().unwrap(), reader.tables().unwrap(), "{what}");

        // The whole life, the clean end included: page for page.
        let whole = bed.snapshot();
        for file in [DATABASE, "/db/edb.chk"] {
            whole.remove(file);
        }
        whole.recover();
        assert_eq!(bed.page_differences(&whole), Vec::<String>::new(), "{what}");
    }
}

/// A database is created in the place of one that the log created before. Killed with the file gone, or begun: recovery makes
/// the first one, and the second in its place. A file that recovery has not made stays as it is.
#[test]
fn a_database_created_again_comes_back_from_the_log() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    session.detach_database(Path::new(DATABASE)).unwrap();
    let first = bed.storage.get(Path::new(DATABASE)).unwrap();
    let database =
        session.create_database(Path::new(DATABASE), &CreateOptions::default().overwrite()).unwrap();
    database.create_table(&books()).unwrap();
    instance.flush_log().unwrap();
    for begun in [false, true] {
        let crashed = bed.snapshot();
        if begun {
            let mut header = DatabaseHeader::new(PageSize::new(4096).unwrap());
            header.set_state(DatabaseState::JUST_CREATED);
            crashed.storage.put(Path::new(DATABASE), header.write().repeat(2));
        } else {
            crashed.remove(DATABASE);
        }
        crashed.recover();
        let reader = crashed.reader();
        assert_sound("again", &reader);
        assert!(reader.table("Books").is_ok(), "begun: {begun}");
    }
    let kept = bed.snapshot();
    kept.storage.put(Path::new(DATABASE), first.clone());
    assert_eq!(kept.try_recover().unwrap_err().jet_error(), JetError::ATTACHED_DATABASE_MISMATCH);
    assert_eq!(kept.storage.get(Path::new(DATABASE)).unwrap(), first);
}

/// The log rolls between the record of an attach and the next one: pages changed from then on need the new generation, and
/// the header has to say so before one of them is written.
#[test]
fn a_roll_while_a_database_is_attached_raises_what_its_header_requires() {
    let bed = Bed::new();
    let instance = bed.start(8192, 9600);
    let session = instance.begin_session().unwrap();
    session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    session.detach_database(Path::new(DATABASE)).unwrap();
    let log = instance.log().unwrap();
    let last_segment = 256 / 4 - 1;
    while log.tip().sector < last_segment - 1 {
        log.append_and_fill(&Record::ShutDownMark).unwrap();
    }
    let before = log.generation();
    session.attach_database(Path::new(DATABASE)).unwrap();
    assert_eq!(log.generation(), before.next(), "it rolled meanwhile");
    let file = bed.storage.open(Path::new(DATABASE), OpenOptions::READ).unwrap();
    let header = read_database_header(&*file).unwrap().header;
    assert_eq!((header.max_required(), header.max_committed()), (before.next(), before.next()));
}

/// What the list of a checkpoint says of a database that is detached while the checkpoint is behind: where it was consistent
/// when it was attached, not where it ended. Recovery would take it for one that is to be brought up again.
#[test]
fn a_detached_database_is_listed_in_front_of_its_end_as_it_was_attached() {
    let bed = Bed::new();
    let instance = bed.start(8192, 9600);
    let session = instance.begin_session().unwrap();
    session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    session.detach_database(Path::new(DATABASE)).unwrap();
    session.attach_database(Path::new(DATABASE)).unwrap();
    let database = instance.databases().into_iter().next().unwrap();
    let (attached, consistent) =
        (database.header().attach_position(), database.header().consistent_position());
    let between = instance.log().unwrap().append_and_fill(&Record::ShutDownMark).unwrap();
    assert!(database.attachment_entry(attached).is_none(), "attached behind it");
    assert_eq!(database.attachment_entry(between).unwrap().fixed.consistent_position(), consistent);
    session.detach_database(Path::new(DATABASE)).unwrap();

    let end = database.header().consistent_position();
    assert!(consistent < between && between < end);
    assert_eq!(database.attachment_entry(between).unwrap().fixed.consistent_position(), consistent);
    let behind = instance.log().unwrap().append_and_fill(&Record::ShutDownMark).unwrap();
    assert!(database.attachment_entry(behind).is_none(), "detached in front of it");
    // A log that rolls leaves a clean header alone.
    let log = instance.log().unwrap();
    let before = log.generation();
    while log.generation() == before {
        log.append_and_fill(&Record::ShutDownMark).unwrap();
    }
    let file = bed.storage.open(Path::new(DATABASE), OpenOptions::READ).unwrap();
    let header = read_database_header(&*file).unwrap().header;
    assert!(header.is_clean() && header.max_required() == LogGeneration(0));
}
