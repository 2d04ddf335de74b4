//! Computed parameters, statistics of tables, pages in memory, several instances, the engine's version.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;

use ese_format::{ColumnKind, PageNumber, PageSize};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, IndexSpec, ParameterId, ParameterValue, PrepareKind, SetOptions,
    TableMode, TableSpec, page_infos,
};
use live_bed::{Bed, DATABASE, number};

#[test]
fn computed_parameters_follow_the_page_size() {
    for (size, key, chunk) in [(4096, 1000, 4014), (8192, 2000, 8110)] {
        let bed = Bed::new();
        let instance = bed.start(size, 9600);
        let value = |id| match instance.parameter(id).unwrap() {
            ParameterValue::Number(number) => number,
            ParameterValue::Text(_) => panic!(),
        };
        assert_eq!((value(ParameterId::KEY_MOST), value(ParameterId::LV_CHUNK_SIZE_MOST)), (key, chunk));
        let record = value(ParameterId::RECORD_SIZE_MOST);
        assert!(record > u64::from(size) * 9 / 10 && record < u64::from(size), "{record}");
        assert_eq!(value(ParameterId::MAX_COLTYP), 19);
        let session = instance.begin_session().unwrap();
        assert_eq!(session.engine_version().unwrap(), 0xA045_6300);
    }
}

#[test]
fn statistics_count_rows_keys_and_pages() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let spec = TableSpec::new("rows")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Tens", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByTens").ascending("Tens"));
    database.create_table(&spec).unwrap();
    let mut table = database.open_table("rows", TableMode::empty()).unwrap();
    let columns = [table.column_id("Id").unwrap(), table.column_id("Tens").unwrap()];
    session.begin().unwrap();
    for row in 0..500_u32 {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(columns[0], &row.to_le_bytes(), SetOptions::default()).unwrap();
        table.set_column(columns[1], &(row / 10).to_le_bytes(), SetOptions::default()).unwrap();
        table.update().unwrap();
    }
    let other = session.duplicate().unwrap();
    let elsewhere = other.open_database(Path::new(DATABASE)).unwrap();
    let mut seen = elsewhere.open_table("rows", TableMode::empty()).unwrap();
    assert!(seen.compute_statistics().unwrap().iter().all(|index| index.entries == 0));
    session.commit(CommitMode::Lazy).unwrap();
    let found = seen.compute_statistics().unwrap();
    let names: Vec<_> = found.iter().map(|i| (i.index.as_str(), i.entries, i.keys)).collect();
    assert_eq!(names, [("ById", 500, 500), ("ByTens", 500, 50)]);
    assert!(found.iter().all(|index| index.pages > 1));
}

#[test]
fn pages_in_memory_are_judged() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    instance.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    instance.detach(Path::new(DATABASE)).unwrap();
    let mut pages = bed.storage.get(Path::new(DATABASE)).unwrap()[8192..8192 + 3 * 4096].to_vec();
    pages.extend([0; 4096]);
    let numbers: Vec<_> = (1..=4).map(PageNumber).collect();
    let size = PageSize::new(4096).unwrap();
    let infos = page_infos(&pages, size, &numbers).unwrap();
    assert!(infos[..3].iter().all(|page| page.is_initialized() && page.db_time > 0));
    assert!(!infos[3].is_initialized());
    assert_eq!(infos[3].db_time, 0);
    pages[5000] ^= 4;
    assert!(page_infos(&pages, size, &numbers).unwrap()[1].is_correctable());
    assert_eq!(number(page_infos(&pages, size, &numbers[1..])), -1003);
    assert_eq!(number(page_infos(&[], size, &[])), -1003);
}

#[test]
fn several_instances_are_chosen_once() {
    let bed = Bed::new();
    let set = |sessions: u64| {
        let one = [(ParameterId::MAX_SESSIONS, ParameterValue::Number(sessions))];
        bed.engine.enable_multiple_instances(&one)
    };
    let (done, failed) = set(99_999).unwrap();
    assert_eq!((done, failed.unwrap().jet_error().0), (0, -1003));
    assert_eq!(set(17).unwrap(), (1, None));
    assert_eq!(number(set(17)), -1082);
    assert_eq!(number(set(18)), -1087);
    // What is fixed by now is compared as a whole.
    let enable = |parameters: &[_]| number(bed.engine.enable_multiple_instances(parameters));
    let page = |bytes| (ParameterId::DATABASE_PAGE_SIZE, ParameterValue::Number(bytes));
    assert_eq!((enable(&[]), enable(&[page(4096)])), (-1082, -1087));
    let unknown = (ParameterId(9999), ParameterValue::Number(1));
    assert_eq!((enable(std::slice::from_ref(&unknown)), enable(&[page(1), unknown])), (-1003, -1087));
    let fixed = Bed::new();
    fixed.engine.set_default(ParameterId::DATABASE_PAGE_SIZE, 8192_u32).unwrap();
    fixed.engine.create_instance("one").unwrap();
    let enable = |parameters: &[_]| number(fixed.engine.enable_multiple_instances(parameters));
    assert_eq!((enable(&[]), enable(&[page(8192)]), enable(&[page(4096)])), (-1087, -1082, -1087));
    let instance = bed.create(4096, 9600);
    assert_eq!(instance.parameter(ParameterId::MAX_SESSIONS).unwrap(), ParameterValue::Number(17));
    assert_eq!(number(bed.engine.initialize_single(Default::default())), -1081);
    let single = Bed::new();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        single.engine.set_default(id, "/db").unwrap();
    }
    single.engine.initialize_single(Default::default()).unwrap();
    assert_eq!(number(single.engine.enable_multiple_instances(&[])), -1080);
}
