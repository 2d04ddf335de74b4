//! What the engine tells about instances, databases, files and logs, and with which numbers it refuses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;

use ese_format::{DatabaseState, LogHeader};
use ese_instance::{
    CreateOptions, DatabaseInfo, DatabaseInfoLevel as Level, FileInfo, LogMiscForm, ParameterId, TermMode,
};
use live_bed::{Bed, DATABASE, number};

fn path() -> &'static Path {
    Path::new(DATABASE)
}

#[test]
fn an_open_database_answers_every_level() {
    let bed = Bed::new();
    let instance = bed.start(8192, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(path(), &CreateOptions::default()).unwrap();
    let ask = |level| database.info(level).unwrap();
    let value = |level| ask(level).number().unwrap();
    assert_eq!(ask(Level::FILE_NAME), DatabaseInfo::Text(DATABASE.to_owned()));
    assert_eq!(ask(Level::CONNECT), DatabaseInfo::Text(String::new()));
    assert_eq!((value(Level::COUNTRY), value(Level::LOCALE), value(Level::CODE_PAGE)), (1, 1033, 1252));
    assert_eq!((value(Level::COLLATION), value(Level::OPTIONS), value(Level::TRANSACTIONS)), (0, 0, 7));
    assert_eq!((value(Level::VERSION), value(Level::PAGE_SIZE)), (0x620, 8192));
    let file = bed.storage.get(path()).unwrap().len() as u32 / 8192;
    assert_eq!((value(Level::FILE_SIZE), value(Level::FILE_SIZE_ON_DISK)), (file, file));
    let (owned, available) = (value(Level::SPACE_OWNED), value(Level::SPACE_AVAILABLE));
    // Two headers are not owned; some pages are in use, some are free.
    assert_eq!(owned + 2, file);
    assert!(available > 0 && available < owned, "{available} of {owned}");
    assert!(value(Level::SPLIT_BUFFERS) < owned - available);
    assert_eq!(value(Level(Level::FILE_SIZE.0 | Level::USE_CACHED_RESULT)), file);
    let DatabaseInfo::Misc(misc) = ask(Level::MISC) else { panic!() };
    assert_eq!(misc.state(), DatabaseState::DIRTY_SHUTDOWN);
    assert_eq!(misc.log_signature(), instance.log_signature().unwrap());
    assert_eq!(misc.to_bytes(216).unwrap()[..4], [0x20, 6, 0, 0]);
    assert_eq!(number(database.info(Level::ISAM)), -1001);
    for level in [Level::UPGRADE, Level::IN_USE, Level::FILE_TYPE, Level(16), Level(18), Level(20), Level(99)]
    {
        assert_eq!(number(database.info(level)), -1003, "{level:?}");
    }
    database.close().unwrap();
    let own = session.open_database_exclusively(path()).unwrap();
    assert_eq!(own.info(Level::OPTIONS).unwrap().number(), Some(2));
}

#[test]
fn available_space_goes_with_what_is_stored() {
    let bed = Bed::new();
    let instance = bed.start(4096, 8920);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(path(), &CreateOptions::default()).unwrap();
    let free = || database.info(Level::SPACE_AVAILABLE).unwrap().number().unwrap();
    let before = free();
    database.create_table(&ese_instance::TableSpec::new("taking")).unwrap();
    assert!(free() < before);
}

#[test]
fn files_answer_whether_attached_or_not() {
    let bed = Bed::new();
    let engine = &bed.engine;
    let ask = |level| engine.database_file_info(path(), level);
    assert_eq!(number(ask(Level::FILE_SIZE)), -1811);
    assert_eq!(number(ask(Level(99))), -1811);
    let instance = bed.start(16384, 9600);
    let session = instance.begin_session().unwrap();
    drop(session.create_database(path(), &CreateOptions::default()).unwrap());
    assert_eq!(ask(Level::IN_USE).unwrap(), FileInfo::Number(1));
    assert_eq!(ask(Level::PAGE_SIZE).unwrap(), FileInfo::Number(16384));
    let FileInfo::Misc(misc) = ask(Level::MISC).unwrap() else { panic!() };
    assert_eq!(misc.state(), DatabaseState::DIRTY_SHUTDOWN);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();

    assert_eq!(ask(Level::IN_USE).unwrap(), FileInfo::Number(0));
    let size = bed.storage.get(path()).unwrap().len() as u64;
    assert_eq!(ask(Level::FILE_SIZE).unwrap(), FileInfo::Size(size));
    assert_eq!(ask(Level::FILE_SIZE_ON_DISK).unwrap(), FileInfo::Size(size));
    assert_eq!(ask(Level::FILE_TYPE).unwrap(), FileInfo::Number(1));
    let FileInfo::Misc(misc) = ask(Level::MISC).unwrap() else { panic!() };
    assert_eq!(misc.state(), DatabaseState::CLEAN_SHUTDOWN);
    let FileInfo::Upgrade(upgrade) = ask(Level::UPGRADE).unwrap() else { panic!() };
    assert!(upgrade.already_upgraded);
    assert_eq!(upgrade.to_bytes()[..8], [28, 0, 0, 0, size as u8, (size >> 8) as u8, (size >> 16) as u8, 0]);
    assert_eq!(upgrade.to_bytes()[24], 2);
    for level in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 16, 18, 20, 22, 23] {
        assert_eq!(number(ask(Level(level))), -1003, "{level}");
    }
    let log = Path::new("/db/edb.log");
    assert!(number(engine.database_file_info(log, Level::MISC)) < 0);
    assert_eq!(number(engine.database_file_info(Path::new("/gone/a.edb"), Level::MISC)), -1811);
}

#[test]
fn instances_tell_their_names_and_databases() {
    let bed = Bed::new();
    assert!(bed.engine.instance_infos().is_empty());
    let second = bed.engine.create_instance_for("second", "The second one").unwrap();
    let instance = bed.start(4096, 8920);
    instance.create_database(path(), &CreateOptions::default()).unwrap();
    let infos = bed.engine.instance_infos();
    assert_eq!(infos.len(), 2);
    assert_eq!((infos[0].name.as_str(), infos[0].display_name.as_str()), ("second", "The second one"));
    assert!(infos[0].databases.is_empty());
    assert_eq!(
        (infos[1].name.as_str(), infos[1].databases.as_slice()),
        ("live", &[path().to_path_buf()][..])
    );
    assert_eq!(instance.attach_info(), [path().to_path_buf()]);
    assert_eq!(number(second.log_signature()), -1029);
    let checkpoint = instance.checkpoint_info().unwrap();
    assert_eq!((checkpoint.checkpoint.0, checkpoint.current.0), (1, 1));
    assert_eq!(checkpoint.to_bytes()[..8], [1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(checkpoint.to_bytes()[8..], checkpoint.created.0);
    second.terminate(TermMode::Abrupt).unwrap();
    assert_eq!(bed.engine.instance_infos().len(), 1);
}

#[test]
fn an_instance_without_log_has_no_databases_to_back_up() {
    let bed = Bed::new();
    let instance = bed.create(4096, 8920);
    instance.set_parameter(ParameterId::RECOVERY, "off").unwrap();
    instance.initialize(Default::default()).unwrap();
    instance.create_database(path(), &CreateOptions::default()).unwrap();
    assert!(instance.attach_info().is_empty());
    assert_eq!(instance.log_signature().unwrap(), Default::default());
    assert_eq!(instance.checkpoint_info().unwrap(), Default::default());
}

#[test]
fn log_files_tell_their_headers() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let log = Path::new("/db/edb.log");
    let misc = bed.engine.log_file_info(log).unwrap();
    assert_eq!((misc.generation().0, misc.signature()), (1, instance.log_signature().unwrap()));
    let bytes = misc.to_bytes(LogMiscForm::Third);
    assert_eq!((bytes.len(), &bytes[..4], &bytes[52..56]), (104, &[1, 0, 0, 0][..], &[8, 0, 0, 0][..]));
    assert_eq!(number(bed.engine.log_file_info(Path::new("/db/none.log"))), -1811);
    bed.storage.put(Path::new("/db/short.log"), vec![0; 100]);
    assert_eq!(number(bed.engine.log_file_info(Path::new("/db/short.log"))), -4001);
    bed.storage.put(Path::new("/db/bad.log"), vec![7; LogHeader::SIZE]);
    assert_eq!(number(bed.engine.log_file_info(Path::new("/db/bad.log"))), -501);
}
