//! Databases made from nothing: sound to the deep verification, with the rows that were put in, and with the system
//! rows of the engine's own new databases, byte for byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_format::{
    ColumnKind, DatabaseState, EngineFormatVersion, ObjectId, PageNumber, PageSize, RecordView,
};
use ese_instance::{
    BuilderError, CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, CatalogRow,
    ColumnContent, ColumnSpec, DatabaseBuilder, DatabaseOptions, DatabaseReader, DirtyPolicy,
    FindingSeverity, IndexSpec, Row, RowLayout, TableSpec, ValueReader, deep_verify,
};
use ese_io::{FixedClock, IoErrorKind, MemoryStorage, OsStorage, SeededRandomness};

mod sample_database;

const PATH: &str = "/new.edb";
const EXCHANGE_2016_CU1: EngineFormatVersion = EngineFormatVersion(8920);

fn options(page_size: u32, format: EngineFormatVersion) -> DatabaseOptions {
    DatabaseOptions {
        page_size: PageSize::new(page_size).unwrap(),
        format,
        // So little that pages come and go.
        cache_bytes: 1 << 20,
        clock: Arc::new(FixedClock::new(1_700_000_000_000)),
        randomness: Arc::new(SeededRandomness::new(7)),
    }
}

fn open(storage: &MemoryStorage) -> DatabaseReader {
    DatabaseReader::open(storage, Path::new(PATH), DirtyPolicy::Refuse).unwrap()
}

fn assert_sound(what: &str, reader: &DatabaseReader) {
    let mut bad = Vec::new();
    deep_verify(reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(finding);
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{what}: {bad:?}");
}

fn rows(reader: &DatabaseReader, root: PageNumber, object: ObjectId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tree = reader.tree(root, object).unwrap();
    let mut cursor = tree.cursor();
    let mut rows = Vec::new();
    while cursor.move_next().unwrap() {
        let node = cursor.node().unwrap().unwrap();
        rows.push((node.key().to_vec(), node.data.to_vec()));
    }
    rows
}

/// The plain bytes of every column of a row, by name.
fn values(
    layout: &RowLayout<'_>,
    record: &[u8],
    page_size: PageSize,
    reader: &mut ValueReader<'_>,
) -> Vec<(String, Vec<Vec<u8>>)> {
    let view = RecordView::parse(record, page_size).unwrap();
    let mut found = Vec::new();
    for (place, column) in layout.table().columns.iter().enumerate() {
        let all = match layout.content(&view, place).unwrap() {
            None => continue,
            Some(ColumnContent::Value(v) | ColumnContent::Default(v)) => vec![v.to_vec()],
            Some(ColumnContent::Tagged(tagged)) => tagged
                .values()
                .map(|value| {
                    let mut bytes = Vec::new();
                    let value = value.unwrap();
                    reader.read::<BuilderError>(column.id, value, |p| bytes.extend_from_slice(p)).unwrap();
                    bytes
                })
                .collect(),
        };
        found.push((column.name.clone(), all));
    }
    found
}

/// What the sample stores in the columns that a test looks at.
fn expected(n: u32) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    use sample_database::{bytes, text};
    let utf16 = |t: String| t.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let len = match n % 50 {
        0 => 40_000,
        1..5 => 2500,
        5..10 => 0,
        _ => n as usize % 700,
    };
    let some = |wanted: bool, value: Vec<u8>| if wanted { vec![value] } else { Vec::new() };
    let tag = |k: u32| text(n + k, 1 + (n as usize + k as usize * 50) % 90).into_bytes();
    vec![
        ("Id", vec![(n + 1).to_le_bytes().to_vec()]),
        ("Byte", some(!n.is_multiple_of(11), vec![7])),
        ("Short", some(!n.is_multiple_of(7), (n as i16).to_le_bytes().to_vec())),
        ("Name", vec![format!("{}-{}", text(n / 3, 5 + n as usize % 60), n).into_bytes()]),
        ("Wide", some(!n.is_multiple_of(5), utf16(format!("\u{416}{}", text(n, n as usize % 40))))),
        ("Tags", (0..n % 4).map(tag).collect()),
        ("Numbers", (0..n % 3).map(|k| ((n * (k + 1)) as i32).to_le_bytes().to_vec()).collect()),
        ("Note", some(n.is_multiple_of(3), text(n, len).into_bytes())),
        ("Picture", some(n.is_multiple_of(4), bytes(n, len / 2 + n as usize % 40))),
        ("Packed", some(n.is_multiple_of(2), utf16(text(n / 9, len)))),
        ("Parts", (0..(n % 13).saturating_sub(9)).map(|k| bytes(n, 30 + 700 * k as usize)).collect()),
    ]
}

#[test]
fn every_type_and_index_in_every_page_size() {
    for (page_size, format, count) in [
        (4096, EXCHANGE_2016_CU1, 900),
        (8192, EngineFormatVersion::NEWEST, 500),
        (16384, EXCHANGE_2016_CU1, 400),
        (32768, EngineFormatVersion::NEWEST, 400),
    ] {
        let storage = MemoryStorage::default();
        sample_database::build(&storage, PATH.as_ref(), options(page_size, format), count).unwrap();
        let reader = open(&storage);
        assert_sound(&format!("{page_size}"), &reader);
        let table = reader.table("Types").unwrap();
        assert_eq!((table.columns.len(), table.indexes.len()), (24, 14));
        let layout = RowLayout::new(&table);
        let tree = table.long_values.unwrap();
        let long_values = reader.tree(tree.root, tree.object_id).unwrap();
        let chunk = table.chunk_size(reader.header().page_size());
        let mut plain = ValueReader::new(Some(ese_btree::LongValueReader::new(&long_values, chunk)));
        let rows = rows(&reader, table.root, table.object_id);
        assert_eq!(rows.len(), count as usize);
        let mut seen = vec![false; count as usize];
        for (_, record) in &rows {
            let values = values(&layout, record, reader.header().page_size(), &mut plain);
            let get = |name: &str| values.iter().find(|v| v.0 == name).map_or(Vec::new(), |v| v.1.clone());
            let n = u32::from_le_bytes(get("Id")[0].clone().try_into().unwrap()) - 1;
            seen[n as usize] = true;
            for (name, wanted) in expected(n) {
                assert!(get(name) == wanted, "{page_size}, row {n}, {name}");
            }
        }
        assert!(seen.iter().all(|&s| s));
        let heap = reader.table("heap").unwrap();
        let keys: Vec<_> = self::rows(&reader, heap.root, heap.object_id).into_iter().map(|r| r.0).collect();
        assert_eq!(keys, (1..=count).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn system_rows_are_the_engines() {
    let storage = MemoryStorage::default();
    for case in ["clean-p8k-efv8920", "clean-p16k"] {
        let Some(folder) = testdata::reference(case) else { return };
        let path = folder.join("files/db.edb");
        let theirs = DatabaseReader::open(&OsStorage, &path, DirtyPolicy::Refuse).unwrap();
        let page_size = theirs.header().page_size();
        // The time of creation is in the rows of the newest formats.
        let format = EXCHANGE_2016_CU1;
        let timed = theirs.header().version().has_feature(EngineFormatVersion::NON_REVERTABLE_TABLE_DELETE);
        let path = format!("/{case}.edb");
        let database =
            DatabaseBuilder::create(&storage, path.as_ref(), options(page_size.bytes(), format)).unwrap();
        database.finish().unwrap();
        let ours = DatabaseReader::open(&storage, path.as_ref(), DirtyPolicy::Refuse).unwrap();
        assert_eq!(ours.header().state(), DatabaseState::CLEAN_SHUTDOWN);
        assert_sound(case, &ours);
        for (root, object) in [(CATALOG_ROOT, CATALOG_OBJECT), (CATALOG_SHADOW_ROOT, CATALOG_SHADOW_OBJECT)] {
            let system = |reader: &DatabaseReader| -> Vec<(Vec<u8>, Vec<u8>)> {
                let mut all = rows(reader, root, object);
                // Those of the hard-wired tables are the same in all formats.
                let last = if timed { 3 } else { 7 };
                all.retain(|(_, r)| CatalogRow::decode(r, page_size).unwrap().table.0 <= last);
                all
            };
            let (theirs, ours) = (system(&theirs), system(&ours));
            assert_eq!(ours.len(), theirs.len(), "{case}");
            for (a, b) in ours.iter().zip(&theirs) {
                assert_eq!(a.0, b.0, "{case}");
                assert_eq!(a.1, b.1, "{case}: {:?}", CatalogRow::decode(&b.1, page_size));
            }
            assert!(theirs.len() > 60);
        }
        if !timed {
            for (name, count) in [("MSysLocales", 7), ("MSysObjids", 6)] {
                let of = |reader: &DatabaseReader| {
                    let table = reader.table(name).unwrap();
                    assert!(table.root <= PageNumber(30));
                    (table.root, rows(reader, table.root, table.object_id))
                };
                let (theirs, ours) = (of(&theirs), of(&ours));
                assert_eq!(theirs.0, ours.0);
                let wanted: Vec<_> = ours.1.iter().filter(|row| theirs.1.contains(row)).collect();
                assert_eq!((wanted.len(), ours.1.len()), (count, count), "{name}");
            }
        }
    }
}

#[test]
fn catalog_rows_come_back() {
    for case in ["clean-p8k", "rare-multi-p4k", "clean-p32k"] {
        let Some(folder) = testdata::reference(case) else { return };
        let reader =
            DatabaseReader::open(&OsStorage, &folder.join("files/db.edb"), DirtyPolicy::ReadAsItIs).unwrap();
        let page_size = reader.header().page_size();
        let mut same = 0;
        for (key, record) in rows(&reader, CATALOG_ROOT, CATALOG_OBJECT) {
            let row = CatalogRow::decode(&record, page_size).unwrap();
            assert_eq!(row.key().unwrap(), key);
            let view = RecordView::parse(&record, page_size).unwrap();
            // Callback data and space hints are not part of the row's value.
            if view.tagged_columns().any(|c| matches!(c.unwrap().id.0, 256 | 257 | 259 | 260)) {
                continue;
            }
            let again = row.encode(page_size).unwrap();
            assert_eq!(again.len(), record.len(), "{case}: {row:?}");
            // The slots of nulls hold what was there before.
            let differ = again.iter().zip(&record).filter(|(a, b)| a != b).all(|(a, _)| *a == b'*');
            assert!(differ, "{case}: {row:?}\n{again:02x?}\n{record:02x?}");
            same += 1;
        }
        assert!(same > 70, "{case}: {same}");
    }
}

#[test]
fn rows_that_are_refused_change_nothing() {
    let storage = MemoryStorage::default();
    let mut db = DatabaseBuilder::create(&storage, PATH.as_ref(), options(4096, EXCHANGE_2016_CU1)).unwrap();
    let exists = DatabaseBuilder::create(&storage, PATH.as_ref(), options(4096, EXCHANGE_2016_CU1));
    assert!(matches!(exists, Err(BuilderError::Io(e)) if e.kind == IoErrorKind::AlreadyExists));
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).not_null())
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 255))
        .column(ColumnSpec::tagged("Many", ColumnKind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Note", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("P").ascending("Id").primary())
        .index(IndexSpec::new("N").ascending("Name").unique().disallow_null());
    let table = db.create_table(&spec).unwrap();
    assert!(matches!(db.create_table(&spec), Err(BuilderError::TableDuplicate { .. })));
    let row = |id: i32, name: &str| Row::new().set("Id", id).set("Name", name);
    db.insert(table, &row(1, "one")).unwrap();
    let long: String = "x".repeat(2000);
    let many = (0..30).fold(row(9, "nine"), |r, _| r.set("Many", &*"y".repeat(250)));
    type Check = fn(&BuilderError) -> bool;
    let cases: [(Row, Check); 9] = [
        (row(1, "two"), |e| matches!(e, BuilderError::KeyDuplicate { index } if index == "P")),
        (
            row(2, "ONE").set("Note", &*long),
            |e| matches!(e, BuilderError::KeyDuplicate { index } if index == "N"),
        ),
        (Row::new().set("Name", "x"), |e| matches!(e, BuilderError::Null { .. })),
        (Row::new().set("Id", 3), |e| matches!(e, BuilderError::NullKey { .. })),
        (row(3, "three").set("Nope", 1), |e| matches!(e, BuilderError::NoSuchColumn { .. })),
        (row(3, "three").set("Name", "again"), |e| matches!(e, BuilderError::Value { .. })),
        (Row::new().set("Id", "text"), |e| matches!(e, BuilderError::Value { .. })),
        (row(3, &"z".repeat(256)), |e| matches!(e, BuilderError::Value { .. })),
        (many, |e| matches!(e, BuilderError::RowTooLong { .. })),
    ];
    for (row, check) in cases {
        let error = db.insert(table, &row).unwrap_err();
        assert!(check(&error), "{error:?}");
        assert!(error.jet_error().0 < 0, "{error:?}");
    }
    db.insert(table, &row(2, "two").set("Note", &*long)).unwrap();
    // Not finished: nobody takes it for a database.
    let unfinished = DatabaseReader::open(&storage, PATH.as_ref(), DirtyPolicy::Refuse);
    assert!(unfinished.is_err());
    db.finish().unwrap();
    let reader = open(&storage);
    assert_sound("refused rows", &reader);
    let definition = reader.table("T").unwrap();
    assert_eq!(rows(&reader, definition.root, definition.object_id).len(), 2);
    let small = DatabaseBuilder::create(&storage, "/x".as_ref(), options(2048, EXCHANGE_2016_CU1));
    assert!(matches!(small, Err(BuilderError::PageSize(_))));
    let unknown = DatabaseBuilder::create(&storage, "/x".as_ref(), options(4096, EngineFormatVersion(8941)));
    assert!(matches!(unknown, Err(BuilderError::Format(_))));
}
