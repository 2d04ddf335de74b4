//! Indexes, columns and tables come and go while threads change rows; then a crash with transactions open.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, IndexSpec, Instance, ParameterId, PrepareKind, SetFlags, SetOptions, Table,
    TableError, TableMode, TableSpec,
};
use table_bed::{Bed, DATABASE, number};

const WRITERS: [&str; 3] = ["A", "B", "C"];

fn plain(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::fixed("Group", ColumnKind::SHORT))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 100))
        .column(ColumnSpec::tagged("Tags", ColumnKind::BINARY).multi_valued())
        .column(ColumnSpec::tagged("Long", ColumnKind::LONG_BINARY))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

/// One of four kinds of index, each on columns that some rows have no value in.
fn index(round: usize) -> IndexSpec {
    match round % 4 {
        0 => IndexSpec::new("G").ascending("Group"),
        1 => IndexSpec::new("N").ascending("Name"),
        2 => IndexSpec::new("T").ascending("Tags"),
        _ => IndexSpec::new("L").descending("Long").ignore_null(),
    }
}

fn insert(table: &mut Table, id: i32) -> Result<(), TableError> {
    let mut column = |name: &str| table.column_id(name).unwrap();
    let (key, group, name) = (column("Id"), column("Group"), column("Name"));
    let (tags, long) = (column("Tags"), column("Long"));
    table.prepare(PrepareKind::Insert)?;
    table.set_column(key, &id.to_le_bytes(), SetFlags::empty())?;
    if id % 7 != 0 {
        table.set_column(group, &((id % 100) as i16).to_le_bytes(), SetFlags::empty())?;
    }
    table.set_column(name, format!("Name {id}").as_bytes(), SetFlags::empty())?;
    for n in 0..id % 3 {
        let add = SetOptions { instance: 0, ..Default::default() };
        table.set_column(tags, format!("tag{n}").as_bytes(), add)?;
    }
    if id % 10 == 0 {
        let bytes: Vec<u8> = id.to_be_bytes().iter().copied().cycle().take(9000).collect();
        table.set_column(long, &bytes, SetFlags::empty())?;
    }
    table.update().map(drop)
}

fn id(table: &mut Table) -> i32 {
    let column = table.column_id("Id").unwrap();
    i32::from_le_bytes(table.get(column).unwrap().unwrap().try_into().unwrap())
}

/// Inserts and deletes until told to stop, and leaves a transaction open over the crash. What has committed.
fn write(instance: &Instance, name: &str, stop: &AtomicBool, crash: &Barrier) -> BTreeSet<i32> {
    let session = instance.begin_session().unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    let (mut committed, mut next) = (BTreeSet::new(), 0);
    while !stop.load(Ordering::Relaxed) && next < 3000 {
        let mut table = database.open_table(name, TableMode::empty()).unwrap();
        session.begin().unwrap();
        let mut rows = committed.clone();
        let first = next;
        let mut done = true;
        for _ in 0..20 {
            next += 1;
            match insert(&mut table, next) {
                Ok(()) => drop(rows.insert(next)),
                Err(error) => {
                    // The table's structure has changed since the transaction began, or changes now.
                    assert_eq!(error.jet_error().0, -1102);
                    let _ = table.cancel_update();
                    done = false;
                    break;
                }
            }
        }
        if done && next % 3 == 0 {
            table.move_first().unwrap();
            for _ in 0..8 {
                rows.remove(&id(&mut table));
                table.delete().unwrap();
                if table.move_next().is_err() {
                    break;
                }
            }
        }
        if done && next % 7 != 0 {
            session.commit(CommitMode::Lazy).unwrap();
            committed = rows;
        } else {
            session.rollback().unwrap();
            next = first + 1;
        }
    }
    session.wait_for_all_commits().unwrap();
    let mut table = database.open_table(name, TableMode::empty()).unwrap();
    session.begin().unwrap();
    for n in 0..30 {
        if insert(&mut table, 100_000 + n).is_err() {
            let _ = table.cancel_update();
        }
    }
    crash.wait();
    // Over the crash.
    std::mem::forget((table, database, session));
    committed
}

/// Makes and unmakes tables, indexes and columns. Counts outcomes by their number.
fn change_structures(bed: &Bed) -> BTreeMap<i32, usize> {
    let mut outcomes = BTreeMap::new();
    let mut count = |number: i32| *outcomes.entry(number).or_insert(0) += 1;
    let database = &bed.database;
    for round in 0..30 {
        for table in WRITERS {
            bed.session.begin().unwrap();
            count(database.create_index(table, &index(round)).err().map_or(0, |e| e.jet_error().0));
            let gone = if round % 5 == 4 { "G" } else { "N" };
            if round % 5 > 2 {
                count(database.delete_index(table, gone).err().map_or(0, |e| e.jet_error().0));
            }
            let column = ColumnSpec::fixed(&format!("X{round}"), ColumnKind::LONG);
            count(database.add_column(table, &column).err().map_or(0, |e| e.jet_error().0));
            let old = format!("X{}", round / 2);
            count(database.delete_column(table, &old).err().map_or(0, |e| e.jet_error().0));
            if round % 3 == 1 {
                bed.session.rollback().unwrap();
            } else {
                bed.session.commit(CommitMode::Lazy).unwrap();
            }
        }
        let name = format!("D{round}");
        database.create_table(&plain(&name)).unwrap();
        let mut table = bed.open(&name);
        bed.session.begin().unwrap();
        for id in 1..100 {
            insert(&mut table, id).unwrap();
        }
        bed.session.commit(CommitMode::Lazy).unwrap();
        drop(table);
        let tags = IndexSpec::new("T").ascending("Tags").ascending("Group");
        database.create_index(&name, &tags).unwrap();
        database.create_index(&name, &IndexSpec::new("L").ascending("Long").ignore_null()).unwrap();
        if round % 2 == 0 {
            database.delete_table(&name).unwrap();
        } else {
            database.rename_table(&name, &format!("R{round}")).unwrap();
        }
    }
    outcomes
}

#[test]
fn crash_between_rows_and_structures() {
    for (page_size, format) in [(4096, 8920), (8192, 9600)] {
        // A thread that waits for its turn in a transaction keeps the versions of all others.
        let bed = Bed::with_parameters(page_size, format, |instance| {
            instance.set_parameter(ParameterId::MAX_VER_PAGES, 4096_u32).unwrap();
        });
        bed.instance.set_parameter(ParameterId::CHECKPOINT_DEPTH_MAX, 1_u32 << 20).unwrap();
        for table in WRITERS {
            bed.database.create_table(&plain(table)).unwrap();
        }
        let (stop, crash) = (AtomicBool::new(false), Barrier::new(WRITERS.len() + 1));
        let committed: Vec<BTreeSet<i32>> = std::thread::scope(|scope| {
            let writers: Vec<_> = WRITERS
                .iter()
                .map(|name| scope.spawn(|| write(&bed.instance, name, &stop, &crash)))
                .collect();
            let outcomes = change_structures(&bed);
            for number in outcomes.keys() {
                assert!([0, -1102, -1403, -1404, -1507].contains(number), "{page_size}: {outcomes:?}");
            }
            stop.store(true, Ordering::Relaxed);
            bed.session.wait_for_all_commits().unwrap();
            bed.session.begin().unwrap();
            bed.database.create_table(&plain("Open")).unwrap();
            bed.database.delete_table("R1").unwrap();
            bed.database.create_index("R3", &IndexSpec::new("Open").ascending("Name")).unwrap();
            crash.wait();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let bed = bed.crash();
        for (name, committed) in WRITERS.iter().zip(committed) {
            let mut table = bed.open(name);
            let mut rows = BTreeSet::new();
            let mut more = table.move_first();
            while more.is_ok() {
                rows.insert(id(&mut table));
                more = table.move_next();
            }
            assert_eq!(rows, committed, "{page_size}: {name}");
        }
        assert_eq!(bed.open("R1").count(u64::MAX).unwrap(), 99);
        assert_eq!(number(bed.open("R3").set_current_index(Some("Open"))), -1404);
        assert!(bed.database.open_table("Open", TableMode::empty()).is_err());
        bed.finish();
    }
}
