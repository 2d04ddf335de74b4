//! A crash with a transaction open that has changed many more pages than recovery's cache holds. None of them may be written
//! before its before-image is in the log, which only undo can do: the cache's bound holds all the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;
use std::sync::Arc;

use ese_format::ColumnKind;
use ese_instance::recovery::{
    NoRecoveryProgress, RecoveryEnvironment, RecoveryReport, RecoveryRequest, recover,
};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, IndexSpec, PrepareKind, SetFlags, TableMode, TableSpec,
};
use ese_log::{LogNames, find_streams};
use live_bed::{Bed, DATABASE, assert_sound};

const ROWS: i32 = 1500;

/// What a crash leaves: rows that committed, and a transaction that has changed every row.
fn crashed() -> Bed {
    let bed = Bed::new();
    let instance = bed.start(8192, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let names = ["A", "B", "C", "D", "E", "F"];
    let spec = TableSpec::new("T").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    let spec = names
        .iter()
        .fold(spec, |spec, name| spec.column(ColumnSpec::variable(name, ColumnKind::BINARY, 255)));
    database.create_table(&spec.index(IndexSpec::new("ById").ascending("Id").primary())).unwrap();
    let mut table = database.open_table("T", TableMode::default()).unwrap();
    let id = table.column_id("Id").unwrap();
    let columns = names.map(|name| table.column_id(name).unwrap());
    let transaction = session.transaction().unwrap();
    for row in 0..ROWS {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(id, &row.to_le_bytes(), SetFlags::empty()).unwrap();
        for column in columns {
            table.set_column(column, &[row as u8; 200], SetFlags::empty()).unwrap();
        }
        table.update().unwrap();
    }
    transaction.commit(CommitMode::Durable).unwrap();
    let transaction = session.transaction().unwrap();
    table.move_first().unwrap();
    for row in 0..ROWS {
        if row % 3 == 0 {
            table.delete().unwrap();
        } else {
            table.prepare(PrepareKind::Replace).unwrap();
            table.set_column(columns[0], &[0xEE; 190], SetFlags::empty()).unwrap();
            table.update().unwrap();
        }
        let _ = table.move_next();
    }
    instance.flush_log().unwrap();
    let crashed = bed.snapshot();
    drop(transaction);
    crashed
}

fn run(bed: &Bed, cache_bytes: usize, threads: usize) -> RecoveryReport {
    let (base, extension) = find_streams(&bed.storage, Path::new("/db")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: true };
    let mut request = RecoveryRequest::soft(Path::new("/db"), names);
    request.cache_bytes = cache_bytes;
    request.threads = threads;
    let environment = RecoveryEnvironment::repeatable(Arc::new(bed.storage.clone()), 1_795_353_522_574, 1);
    recover(&request, &environment, &NoRecoveryProgress).unwrap()
}

#[test]
fn the_bound_of_the_cache_holds() {
    let crashed = crashed();
    let large = crashed.snapshot();
    let report = run(&large, 64 << 20, 1);
    assert_eq!(report.spilled_pages, 0);
    assert_eq!(report.undo.operations, ROWS as u64);
    assert!(report.most_buffers > 200, "{}", report.most_buffers);
    assert_sound("large", &large.reader());
    for threads in [1, 2] {
        let small = crashed.snapshot();
        let report = run(&small, 0, threads);
        println!("{} buffers, {} pages spilled", report.most_buffers, report.spilled_pages);
        assert!(report.most_buffers <= 64 && report.spilled_pages > 100);
        assert!(small.storage.get("/db/edbredo.tmp").is_none());
        assert_sound("small", &small.reader());
        assert_eq!(small.page_differences(&large), Vec::<String>::new());
    }
}
