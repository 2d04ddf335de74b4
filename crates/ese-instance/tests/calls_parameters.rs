//! System parameters as the original's interface sets and answers them: for the process, for an instance, before and after
//! its start.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use ese_instance::{Instance, ParameterId as Id, ParameterValue, TermMode};
use live_bed::{Bed, number};

impl Bed {
    fn set(&self, instance: Option<&Instance>, id: Id, value: u64) -> i32 {
        number(self.engine.set_system_parameter(instance, id, value, None))
    }

    fn set_text(&self, instance: Option<&Instance>, id: Id, text: &str) -> i32 {
        number(self.engine.set_system_parameter(instance, id, 0, Some(text)))
    }

    fn get(&self, instance: Option<&Instance>, id: Id) -> u64 {
        match self.engine.system_parameter(instance, id).unwrap() {
            ParameterValue::Number(number) => number,
            ParameterValue::Text(text) => panic!("{text}"),
        }
    }

    fn text(&self, instance: Option<&Instance>, id: Id) -> String {
        match self.engine.system_parameter(instance, id).unwrap() {
            ParameterValue::Text(text) => text,
            ParameterValue::Number(number) => panic!("{number}"),
        }
    }
}

#[test]
fn parameters_of_the_process_are_fixed_by_its_first_instance() {
    let bed = Bed::new();
    assert_eq!(bed.set(None, Id::DATABASE_PAGE_SIZE, 2048), -1003);
    assert_eq!(bed.set(None, Id::DATABASE_PAGE_SIZE, 16384), 0);
    let instance = bed.engine.create_instance("one").unwrap();
    assert_eq!(bed.get(Some(&instance), Id::DATABASE_PAGE_SIZE), 16384);
    for who in [None, Some(&instance)] {
        assert_eq!(bed.set(who, Id::DATABASE_PAGE_SIZE, 8192), -1030);
        assert_eq!(bed.set(who, Id::DATABASE_PAGE_SIZE, 16384), 0);
        assert_eq!(bed.set(who, Id::HUNG_IO_THRESHOLD, 0), -1030);
    }
    // One that can be changed at any time is the same for all.
    assert_eq!(bed.set(Some(&instance), Id::CACHE_SIZE_MAX, 77), 0);
    assert_eq!((bed.get(None, Id::CACHE_SIZE_MAX), bed.get(Some(&instance), Id::CACHE_SIZE_MAX)), (77, 77));
    // One of an instance is not.
    assert_eq!(bed.set(None, Id::MAX_SESSIONS, 9), 0);
    assert_eq!((bed.get(None, Id::MAX_SESSIONS), bed.get(Some(&instance), Id::MAX_SESSIONS)), (9, 16));
    // A text is never the one that is there already.
    assert_eq!(bed.set_text(None, Id::TABLE_CLASS_1_NAME, "TableClass1"), -1030);
    instance.terminate(TermMode::Abrupt).unwrap();
    assert_eq!(bed.set(None, Id::DATABASE_PAGE_SIZE, 8192), 0);
}

#[test]
fn a_started_instance_keeps_what_it_started_with() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let who = Some(&instance);
    assert_eq!(bed.set(who, Id::MAX_SESSIONS, 17), -1030);
    assert_eq!(bed.set(who, Id::MAX_SESSIONS, 16), 0);
    // Any number but 0 is yes, yet only the one in force can be set.
    assert_eq!(bed.set(who, Id::ENABLE_TEMP_TABLE_VERSIONING, 1), 0);
    assert_eq!(bed.set(who, Id::ENABLE_TEMP_TABLE_VERSIONING, 2), -1030);
    assert_eq!(bed.set_text(who, Id::BASE_NAME, "edb"), -1030);
    assert_eq!(bed.set(who, Id::CHECKPOINT_DEPTH_MAX, 5), 0);
    assert_eq!(bed.text(who, Id::SYSTEM_PATH), "/db/");
    assert_eq!(bed.text(who, Id::TEMP_PATH), "/db/tmp.edb");
    // No instance was named: these are for later ones.
    assert_eq!(bed.set(None, Id::MAX_SESSIONS, 17), 0);
    assert_eq!(bed.set(who, Id::CONFIGURATION, 1), -1030);
    assert_eq!(bed.set(None, Id::CONFIGURATION, 1), -1030);
}

#[test]
fn values_that_mean_nothing_are_refused() {
    let bed = Bed::new();
    for id in
        [Id::TRANSACTION_LEVEL, Id::KEY_MOST, Id::RECORD_SIZE_MOST, Id::LV_CHUNK_SIZE_MOST, Id::MAX_COLTYP]
    {
        assert_eq!(bed.set(None, id, 1), -1003, "{id}");
    }
    assert_eq!(bed.set(None, Id(185), 1), -1003);
    assert_eq!(bed.set(None, Id(5000), 1), -1003);
    assert_eq!(number(bed.engine.system_parameter(None, Id::RECOVERY_CURRENT_LOGFILE)), -1003);
    for (value, error) in [(3, 0), (0x3B, 0), (4, -1003), (64, -1003), (1 << 32, 0)] {
        assert_eq!(bed.set(None, Id::COMMIT_DEFAULT, value), error, "{value}");
    }
    for (value, error) in [(1, 0), (3, 0), (0x8001, 0), (2, -900), (5, -900), (0, 0)] {
        assert_eq!(bed.set(None, Id::ENABLE_SHRINK_DATABASE, value), error, "{value}");
    }
    for (value, error) in [(0, -619), (1000, -619), (9600, 0), (0x7FFF_FFFF, -620), (u64::MAX, -620)] {
        assert_eq!(bed.set(None, Id::ENGINE_FORMAT_VERSION, value), error, "{value}");
    }
    assert_eq!(bed.set(None, Id::ENGINE_FORMAT_VERSION, 0x4000_0001), 0);
    assert_eq!(bed.get(None, Id::ENGINE_FORMAT_VERSION), 9600);
    // A yes or no that takes only 0 and 1.
    assert_eq!(bed.set(None, Id::ENABLE_RBS, 2), -1003);
    assert_eq!(bed.set(None, Id::CIRCULAR_LOG, 2), 0);
    assert_eq!(bed.get(None, Id::CIRCULAR_LOG), 1);
}

#[test]
fn paths_become_absolute() {
    let bed = Bed::new();
    assert_eq!(bed.text(None, Id::LOG_FILE_PATH), "./");
    let here = std::env::current_dir().unwrap();
    let full = |name: &str| format!("{}/{name}", here.display());
    let instance = bed.engine.create_instance("paths").unwrap();
    let who = Some(&instance);
    for id in [Id::SYSTEM_PATH, Id::LOG_FILE_PATH, Id::ALTERNATE_DATABASE_RECOVERY_PATH] {
        assert_eq!(bed.set_text(who, id, "a/b"), 0);
        assert_eq!(bed.text(who, id), full("a/b/"));
        assert_eq!(bed.set_text(who, id, ""), 0);
        assert_eq!(bed.text(who, id), full(""));
        assert_eq!(bed.set_text(who, id, &"x".repeat(246)), -1003);
        assert_eq!(bed.set_text(who, id, &"x".repeat(247)), -1003);
    }
    for (given, kept) in [("t.edb", "t.edb".to_owned()), ("a/", full("a/")), ("a/t.edb", full("a/t.edb"))] {
        assert_eq!(bed.set_text(who, Id::TEMP_PATH, given), 0);
        assert_eq!(bed.text(who, Id::TEMP_PATH), kept);
    }
}

#[test]
fn sizes_follow_from_the_page_size() {
    for (page, record, key, chunk) in [
        (4096, 4052, 1000, 4014),
        (8192, 8148, 2000, 8110),
        (16384, 16300, 2000, 4050),
        (32768, 32684, 2000, 8150),
    ] {
        let bed = Bed::new();
        assert_eq!(bed.set(None, Id::DATABASE_PAGE_SIZE, page), 0);
        let found = [Id::RECORD_SIZE_MOST, Id::KEY_MOST, Id::LV_CHUNK_SIZE_MOST].map(|id| bed.get(None, id));
        assert_eq!(found, [record, key, chunk], "{page}");
    }
}

#[test]
fn configurations_set_many_at_once() {
    let bed = Bed::new();
    assert_eq!(bed.set_text(None, Id::BASE_NAME, "abc"), 0);
    assert_eq!(bed.set(None, Id::MAX_SESSIONS, 5), 0);
    assert_eq!(bed.set(None, Id::CONFIGURATION, 0), 0);
    let read = |id| bed.get(None, id);
    assert_eq!((read(Id::MAX_SESSIONS), read(Id::LOG_FILE_SIZE), read(Id::CACHE_SIZE_MAX)), (30_000, 64, 16));
    assert_eq!(bed.text(None, Id::BASE_NAME), "edb");
    assert_eq!(bed.set(None, Id::CONFIGURATION, 1), 0);
    assert_eq!((read(Id::MAX_SESSIONS), read(Id::CONFIGURATION)), (16, 1));
    assert_eq!(bed.set(None, Id::CONFIGURATION, 0x42), 0);
    assert_eq!(read(Id::CONFIGURATION), 0x43);
    assert_eq!(bed.set(None, Id::CONFIGURATION, 0x800), -1003);
    // Only what is an instance's own.
    let instance = bed.engine.create_instance("small").unwrap();
    assert_eq!(bed.set(Some(&instance), Id::CONFIGURATION, 0), 0);
    assert_eq!(bed.get(Some(&instance), Id::LOG_FILE_SIZE), 64);
    assert_eq!(bed.get(Some(&instance), Id::CACHE_SIZE_MAX), 2_000_000_000);
}

#[test]
fn advanced_parameters_can_be_frozen() {
    let bed = Bed::new();
    assert_eq!(bed.set(None, Id::ENABLE_ADVANCED, 0), 0);
    assert_eq!(bed.set(None, Id::MAX_SESSIONS, 99_999), 0);
    assert_eq!(bed.get(None, Id::MAX_SESSIONS), 16);
    // This one is not advanced.
    assert_eq!(bed.set(None, Id::LOG_FILE_SIZE, 128), 0);
    assert_eq!(bed.get(None, Id::LOG_FILE_SIZE), 128);
}
