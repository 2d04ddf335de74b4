//! Makes databases with everything the format knows: all column types in all placements, all kinds of indexes, long values
//! in every form, trees of three levels, after deletions, rollbacks and, when wanted, a crash.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod rows;

use std::path::{Path, PathBuf};

use ese_format::ColumnKind as Kind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, DatabaseReader, DirtyPolicy, Engine, Environment,
    IndexSpec, InitOptions, Instance, ParameterId, Session, TableSpec, TermMode, TupleLimits,
};

use ese_io::OsStorage;

/// The format that the newest engine writes.
pub const NEWEST: u32 = 9600;

/// A database to make.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub page_size: u32,
    /// Engine format version.
    pub format: u32,
    /// Ends with a crash in the middle of transactions, and is recovered.
    pub crash: bool,
}

/// Kinds that have a size, each with its name.
const SIZED: [(&str, Kind); 13] = [
    ("Bit", Kind::BIT),
    ("Byte", Kind::UNSIGNED_BYTE),
    ("Short", Kind::SHORT),
    ("UShort", Kind::UNSIGNED_SHORT),
    ("Long", Kind::LONG),
    ("ULong", Kind::UNSIGNED_LONG),
    ("LongLong", Kind::LONG_LONG),
    ("Currency", Kind::CURRENCY),
    ("Single", Kind::IEEE_SINGLE),
    ("Double", Kind::IEEE_DOUBLE),
    ("Date", Kind::DATE_TIME),
    ("Guid", Kind::GUID),
    ("Small", Kind::LONG),
];

fn kinds() -> TableSpec {
    let mut table = TableSpec::new("Kinds")
        .column(ColumnSpec::fixed("Id", Kind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Version", Kind::LONG).version())
        .column(ColumnSpec::fixed("Escrow", Kind::LONG).escrow_update().default_value(5_i32))
        .column(ColumnSpec::fixed("Default", Kind::LONG).default_value(-7_i32));
    for (name, kind) in SIZED {
        table = table
            .column(ColumnSpec::fixed(&format!("Fixed{name}"), kind))
            .column(ColumnSpec::tagged(&format!("Tagged{name}"), kind))
            .column(ColumnSpec::tagged(&format!("Multi{name}"), kind).multi_valued());
    }
    for (name, kind, unicode) in
        [("Binary", Kind::BINARY, false), ("Text", Kind::TEXT, false), ("Wide", Kind::TEXT, true)]
    {
        let coded = |column: ColumnSpec| if unicode { column.unicode() } else { column };
        table = table
            .column(coded(ColumnSpec::fixed(&format!("Fixed{name}"), kind).max_size(20)))
            .column(coded(ColumnSpec::variable(&format!("Var{name}"), kind, 200)))
            .column(coded(ColumnSpec::tagged(&format!("Tagged{name}"), kind)))
            .column(coded(ColumnSpec::tagged(&format!("Multi{name}"), kind).multi_valued()));
    }
    let parts = TupleLimits { min: 3, max: 10, most: 100, increment: 1, start: 0 };
    table
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("Descending").descending("FixedSmall").ascending("VarText"))
        .index(IndexSpec::new("Values").ascending("MultiLong"))
        .index(IndexSpec::new("Unique").ascending("MultiULong").ascending("Id").unique())
        .index(IndexSpec::new("Guids").ascending("FixedGuid").ignore_null())
        .index(IndexSpec::new("NetGuids").ascending("TaggedGuid").dot_net_guid())
        .index(IndexSpec::new("Numbers").descending("FixedDouble").ascending("FixedCurrency"))
        .index(IndexSpec::new("Dense").ascending("VarBinary").density(60))
        .index(IndexSpec::new("IfNull").ascending("FixedLongLong").only_if_null("VarText", true))
        .index(
            IndexSpec::new("IfNotNull")
                .ascending("FixedLongLong")
                .only_if_null("VarText", false)
                .ignore_any_null(),
        )
        .index(IndexSpec::new("Cross").ascending("MultiShort").ascending("MultiText").cross_product())
        .index(IndexSpec::new("Parts").ascending("TaggedText").tuples(parts))
        .index(IndexSpec::new("Wide").ascending("VarWide").descending("Id"))
        .index(IndexSpec::new("High").ascending("FixedUShort").nulls_high())
}

/// A type that libesedb does not know, in a table of its own.
fn unsigned() -> TableSpec {
    TableSpec::new("Unsigned")
        .column(ColumnSpec::fixed("Fixed", Kind::UNSIGNED_LONG_LONG))
        .column(ColumnSpec::tagged("Tagged", Kind::UNSIGNED_LONG_LONG))
        .column(ColumnSpec::tagged("Multi", Kind::UNSIGNED_LONG_LONG).multi_valued())
        .index(IndexSpec::new("ByMulti").ascending("Multi"))
}

fn deep(page_size: u32) -> TableSpec {
    let key = rows::deep_key_size(page_size);
    TableSpec::new("Deep")
        .column(ColumnSpec::tagged("Key", Kind::LONG_BINARY))
        .column(ColumnSpec::fixed("Number", Kind::LONG))
        .column(ColumnSpec::tagged("Body", Kind::LONG_BINARY))
        .index(IndexSpec::new("ByKey").ascending("Key").primary().key_most(key))
        .index(IndexSpec::new("Back").descending("Key").key_most(key))
}

fn long() -> TableSpec {
    TableSpec::new("Long")
        .column(ColumnSpec::fixed("Id", Kind::LONG).auto_increment())
        .column(ColumnSpec::tagged("Plain", Kind::LONG_BINARY))
        .column(ColumnSpec::tagged("Text", Kind::LONG_TEXT))
        .column(ColumnSpec::tagged("Wide", Kind::LONG_TEXT).unicode().compressed())
        .column(ColumnSpec::tagged("Packed", Kind::LONG_BINARY).compressed())
        .column(ColumnSpec::tagged("Several", Kind::LONG_BINARY).multi_valued())
        .column(ColumnSpec::tagged("SeveralPacked", Kind::LONG_TEXT).multi_valued().compressed())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"))
}

fn churn() -> TableSpec {
    TableSpec::new("Churn")
        .column(ColumnSpec::fixed("Key", Kind::LONG).not_null())
        .column(ColumnSpec::variable("Text", Kind::TEXT, 100))
        .index(IndexSpec::new("ByKey").ascending("Key").primary())
        .index(IndexSpec::new("ByText").ascending("Text"))
}

fn start(directory: &Path, case: Case) -> Instance {
    let instance = Engine::new(Environment::system()).create_instance("every kind").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, directory.to_string_lossy().into_owned()).unwrap();
    }
    for (id, value) in [
        (ParameterId::DATABASE_PAGE_SIZE, case.page_size),
        (ParameterId::LOG_FILE_SIZE, 1024),
        (ParameterId::ENGINE_FORMAT_VERSION, case.format),
        (ParameterId::MAX_VER_PAGES, 4096),
    ] {
        instance.set_parameter(id, value).unwrap();
    }
    instance.initialize(InitOptions::default()).unwrap();
    instance
}

/// Makes the database, and ends the instance; where it is.
pub fn make(directory: &Path, case: Case) -> PathBuf {
    let path = directory.join("every.edb");
    let instance = start(directory, case);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(&path, &CreateOptions::default()).unwrap();
    for table in [kinds(), unsigned(), deep(case.page_size), long(), churn()] {
        database.create_table(&table).unwrap();
    }
    database
        .create_table(&TableSpec::new("Heap").column(ColumnSpec::variable("Text", Kind::TEXT, 100)))
        .unwrap();
    rows::fill(&session, &database, case.page_size);
    change_schema(&session, &database);
    for _ in 0..20 {
        instance.idle().unwrap();
    }
    if !case.crash {
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::Complete).unwrap();
        return path;
    }
    rows::begin_and_leave(&session, &database);
    instance.flush_log().unwrap();
    drop((database, session, instance));
    let instance = start(directory, case);
    let session = instance.begin_session().unwrap();
    if instance.databases().is_empty() {
        session.attach_database(&path).unwrap();
    }
    let database = session.open_database(&path).unwrap();
    rows::after_recovery(&session, &database);
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    path
}

/// A copy of a closed database in which one byte of one value is another.
pub fn change_one_byte(directory: &Path, path: &Path, copy: &Path) {
    std::fs::copy(path, copy).unwrap();
    let logs = directory.join("logs of the copy");
    std::fs::create_dir(&logs).unwrap();
    let page_size = DatabaseReader::open(&OsStorage, copy, DirtyPolicy::Refuse).unwrap().header().page_size();
    let instance = start(&logs, Case { page_size: page_size.bytes(), format: NEWEST, crash: false });
    let session = instance.begin_session().unwrap();
    session.attach_database(copy).unwrap();
    let database = session.open_database(copy).unwrap();
    rows::change_one_byte(&session, &database);
    drop(database);
    session.detach_database(copy).unwrap();
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}

/// What is there after the rows: columns with and without a default, an index over filled tables, things deleted.
fn change_schema(session: &Session, database: &Database) {
    database.add_column("Churn", &ColumnSpec::fixed("Later", Kind::SHORT)).unwrap();
    database.add_column("Churn", &ColumnSpec::fixed("Given", Kind::LONG).default_value(99_i32)).unwrap();
    database.add_column("Churn", &ColumnSpec::tagged("Extra", Kind::LONG_TEXT).unicode()).unwrap();
    database.create_index("Kinds", &IndexSpec::new("Late").ascending("VarBinary").descending("Id")).unwrap();
    database.delete_index("Kinds", "Dense").unwrap();
    database.delete_column("Kinds", "TaggedByte").unwrap();
    database.rename_column("Kinds", "TaggedShort", "Renamed").unwrap();
    database.create_table(&TableSpec::new("Gone").column(ColumnSpec::fixed("A", Kind::LONG))).unwrap();
    database.delete_table("Gone").unwrap();
    session.begin().unwrap();
    database.create_table(&TableSpec::new("Never").column(ColumnSpec::fixed("A", Kind::LONG))).unwrap();
    session.rollback().unwrap();
    session.begin().unwrap();
    rows::fill_later(database);
    session.commit(CommitMode::Durable).unwrap();
}
