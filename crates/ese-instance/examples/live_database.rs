//! Creates a database in a running instance, changes schemas in it, and ends the instance in order or, with `crash`, not:
//! `live_database DIRECTORY [PAGE_SIZE] [FORMAT] [crash]`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CreateOptions, Engine, Environment, IndexSpec, InitOptions, ParameterId, TableSpec, TermMode,
    TupleLimits,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = Path::new(arguments.first().map_or(".", String::as_str));
    let page_size: u32 = arguments.get(1).map_or(Ok(8192), |text| text.parse())?;
    let format: u32 = arguments.get(2).map_or(Ok(9600), |text| text.parse())?;
    let engine = Engine::new(Environment::system());
    let instance = engine.create_instance("live")?;
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, directory.to_string_lossy().into_owned())?;
    }
    instance.set_parameter(ParameterId::CREATE_PATH_IF_NOT_EXIST, true)?;
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, page_size)?;
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 1024_u32)?;
    // Names with eight digits.
    instance.set_parameter(ParameterId::LEGACY_FILE_NAMES, 1_u32)?;
    instance.set_parameter(ParameterId::ENGINE_FORMAT_VERSION, format)?;
    instance.initialize(InitOptions::default())?;
    let session = instance.begin_session()?;
    let database = session.create_database(&directory.join("live.edb"), &CreateOptions::default())?;
    let all = TableSpec::new("All")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Version", ColumnKind::LONG).version())
        .column(ColumnSpec::fixed("Count", ColumnKind::LONG).escrow_update().default_value(0))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 100).unicode())
        .column(ColumnSpec::variable("Code", ColumnKind::BINARY, 50))
        .column(ColumnSpec::tagged("Tags", ColumnKind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Note", ColumnKind::LONG_TEXT).unicode().compressed())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByName").ascending("Name").descending("Id"))
        .index(IndexSpec::new("ByCode").ascending("Code").unique().ignore_any_null())
        .index(IndexSpec::new("ByTag").ascending("Tags").ignore_null())
        .index(IndexSpec::new("Parts").ascending("Tags").tuples(TupleLimits {
            min: 3,
            max: 10,
            most: 100,
            increment: 1,
            start: 0,
        }));
    database.create_table(&all)?;
    let template = TableSpec::new("Template")
        .template()
        .column(ColumnSpec::fixed("Key", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Value", ColumnKind::LONG_BINARY))
        .index(IndexSpec::new("ByKey").ascending("Key").primary())
        .index(IndexSpec::new("ByValue").ascending("Value"));
    database.create_table(&template)?;
    for n in 0..30 {
        let spec = TableSpec::new(&format!("Derived{n}"))
            .derived_from("Template")
            .column(ColumnSpec::fixed("Own", ColumnKind::SHORT))
            .index(IndexSpec::new("ByOwn").ascending("Own").ascending("Key"));
        database.create_table(&spec)?;
    }
    for n in 0..20 {
        database.delete_table(&format!("Derived{n}"))?;
    }
    database.add_column("All", &ColumnSpec::tagged("Later", ColumnKind::GUID))?;
    database.create_index("All", &IndexSpec::new("ByLater").ascending("Later"))?;
    database.delete_index("All", "ByCode")?;
    database.delete_column("All", "Code")?;
    database.rename_column("All", "Note", "Remark")?;
    database.rename_table("All", "Everything")?;
    if arguments.get(3).is_some_and(|text| text == "crash") {
        std::process::exit(0);
    }
    drop(database);
    session.end()?;
    instance.terminate(TermMode::Complete)?;
    Ok(())
}
