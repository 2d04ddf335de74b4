//! The power is cut at every step of an instance's life: creation of a database, schema changes, checkpoints, termination.
//! The next start recovers to what was committed: everything whose commit returned, and of the one under way all or nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, IndexSpec,
    InitOptions, Instance, InstanceError, ParameterId, TableSpec, TermMode,
};

use ese_io::{Effect, IoErrorKind, SimulatedDisk, Storage, Survival, crash_everywhere, fail_everywhere};
use live_bed::{DATABASE, assert_sound};

mod live_bed;

fn engine(disk: &SimulatedDisk) -> Engine {
    Engine::new(Environment::repeatable(Arc::new(disk.clone()), 1_795_353_522_574, 7))
}

fn start(disk: &SimulatedDisk) -> Result<Instance, InstanceError> {
    let instance = engine(disk).create_instance("cut")?;
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db")?;
    }
    for (id, value) in [
        (ParameterId::DATABASE_PAGE_SIZE, 4096_u32),
        (ParameterId::LOG_FILE_SIZE, 64),
        (ParameterId::CHECKPOINT_DEPTH_MAX, 16 * 1024),
    ] {
        instance.set_parameter(id, value)?;
    }
    instance.initialize(InitOptions::default())?;
    Ok(instance)
}

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"))
}

/// The names of the tables after each commit; none before the database was there.
type History = RefCell<Vec<Option<Vec<String>>>>;

fn live(disk: &SimulatedDisk, history: &History) -> Result<(), InstanceError> {
    history.replace(vec![None]);
    let remember = |names: &[&str]| {
        history.borrow_mut().push(Some(names.iter().map(|&n| n.to_owned()).collect()));
    };
    let instance = start(disk)?;
    let session = instance.begin_session()?;
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default())?;
    remember(&[]);
    database.create_table(&table("A"))?;
    remember(&["A"]);
    let transaction = session.transaction()?;
    for name in ["B", "C", "D"] {
        database.create_table(&table(name))?;
    }
    transaction.commit(CommitMode::Durable)?;
    remember(&["A", "B", "C", "D"]);
    let transaction = session.transaction()?;
    database.create_table(&table("X"))?;
    transaction.rollback()?;
    database.delete_table("B")?;
    remember(&["A", "C", "D"]);
    database.rename_table("A", "Z")?;
    remember(&["C", "D", "Z"]);
    database.delete_index("C", "ByText")?;
    database.add_column("C", &ColumnSpec::variable("More", ColumnKind::TEXT, 20))?;
    while instance.idle()? {}
    drop(database);
    session.end()?;
    instance.terminate(TermMode::Complete)
}

/// What the next start finds.
fn after(disk: &SimulatedDisk) -> Result<Option<Vec<String>>, String> {
    let instance = start(disk).map_err(|e| format!("start: {e}"))?;
    let there = match instance.attach(Path::new(DATABASE)) {
        Ok(_) => true,
        // Not there, or not finished.
        Err(error) if [-1811, -1023, -1206, -550].contains(&error.jet_error().0) => false,
        Err(error) => return Err(format!("attach: {error}")),
    };
    let names = if there {
        let session = instance.begin_session().map_err(|e| e.to_string())?;
        let database = session.open_database(Path::new(DATABASE)).map_err(|e| e.to_string())?;
        Some(database.table_names().map_err(|e| format!("names: {e}"))?)
    } else {
        None
    };
    instance.terminate(TermMode::Complete).map_err(|e| format!("end: {e}"))?;
    if there {
        let reader = DatabaseReader::open(disk, Path::new(DATABASE), DirtyPolicy::Refuse)
            .map_err(|e| e.to_string())?;
        assert_sound("after", &reader);
    }
    Ok(names)
}

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.create_directory(Path::new("/db")).unwrap();
    disk.sync_directory(Path::new("/")).unwrap();
    disk.reboot()
}

/// Nothing when what was found is what was committed last, or what was under way.
fn judge(history: &History, found: &Result<Option<Vec<String>>, String>) -> Option<String> {
    let history = history.borrow();
    let names = match found {
        Err(problem) => return Some(problem.clone()),
        Ok(names) => names,
    };
    let done = history.last().unwrap();
    let next: &[&str] = match history.len() {
        1 => &[],
        2 => &["A"],
        3 => &["A", "B", "C", "D"],
        4 => &["A", "C", "D"],
        _ => &["C", "D", "Z"],
    };
    let next: Vec<String> = next.iter().map(|&n| n.to_owned()).collect();
    (names != done && names.as_ref() != Some(&next))
        .then(|| format!("{done:?} was committed, {names:?} found"))
}

#[test]
fn power_cuts() {
    let history = History::default();
    let mut failures = Vec::new();
    let points = crash_everywhere(
        &disk(),
        &[Survival::Nothing, Survival::Everything, Survival::Prefix(1)],
        |disk| drop(live(disk, &history)),
        |point, disk| {
            if let Some(problem) = judge(&history, &after(disk)) {
                failures.push(format!("{point:?}: {problem}"));
            }
        },
    );
    assert!(
        failures.is_empty(),
        "{} of {points}: {:#?}",
        failures.len(),
        &failures[..failures.len().min(10)]
    );
    assert!(points > 200, "{points}");
}

/// Every call fails once: the instance ends somehow, and what was committed is there after the next start.
#[test]
fn failing_calls() {
    let history = History::default();
    let mut failures = Vec::new();
    let mut calls = 0;
    for kind in [IoErrorKind::Device, IoErrorKind::DiskFull] {
        calls += fail_everywhere(
            &disk(),
            kind,
            Effect::None,
            |disk| {
                let _ = live(disk, &history);
            },
            |nth, (), disk| {
                if let Some(problem) = judge(&history, &after(disk)) {
                    failures.push(format!("call {nth} {kind:?}: {problem}"));
                }
            },
        );
    }
    assert!(failures.is_empty(), "{} of {calls}: {:#?}", failures.len(), &failures[..failures.len().min(10)]);
}
