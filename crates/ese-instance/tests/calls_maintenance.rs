//! Scans find damage and nothing else; defragmentation makes trees smaller and keeps their rows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::path::Path;
use std::sync::{Arc, Mutex};

use ese_format::ColumnKind;
use ese_instance::{
    AttachOptions, ColumnSpec, CommitMode, DatabaseInfoLevel, DefragmentFlags, DefragmentOptions,
    DefragmentReport, DefragmentStatus, IndexSpec, ParameterId, PrepareKind, ScanEvent, ScanFlags,
    ScanOptions, SetOptions, TableSpec, TermMode,
};
use table_bed::{Bed, DATABASE};

fn jet<T>(outcome: Result<T, ese_instance::InstanceError>) -> i32 {
    outcome.err().map_or(0, |error| error.jet_error().0)
}

const ROWS: u32 = 3000;

/// Short rows, on as many leaves as long ones needed.
fn thinned(bed: &Bed) {
    let spec = TableSpec::new("thin")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Text", ColumnKind::BINARY, 200))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"));
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("thin");
    let (id, text) = (table.column_id("Id").unwrap(), table.column_id("Text").unwrap());
    bed.session.begin().unwrap();
    for row in 0..ROWS {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(id, &row.to_le_bytes(), SetOptions::default()).unwrap();
        table.set_column(text, &[row as u8; 150], SetOptions::default()).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(CommitMode::Lazy).unwrap();
    // Shorter rows leave their leaves half empty: only deleted ones make clean-up look at them.
    bed.session.begin().unwrap();
    table.move_first().unwrap();
    for row in 0..ROWS {
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(text, &[row as u8; 10], SetOptions::default()).unwrap();
        table.update().unwrap();
        if row + 1 < ROWS {
            table.move_next().unwrap();
        }
    }
    bed.session.commit(CommitMode::Lazy).unwrap();
}

fn rows_left(bed: &Bed) {
    let mut table = bed.open("thin");
    let id = table.column_id("Id").unwrap();
    for index in [None, Some("ByText")] {
        table.set_current_index(index).unwrap();
        let mut found = Vec::new();
        let mut more = table.move_first();
        while more.is_ok() {
            found.push(u32::from_le_bytes(table.get(id).unwrap().unwrap().try_into().unwrap()));
            more = table.move_next();
        }
        found.sort_unstable();
        assert!(found.into_iter().eq(0..ROWS), "{index:?}");
    }
}

#[test]
fn a_defragmentation_gives_pages_back_and_keeps_rows() {
    let bed = Bed::new(4096);
    thinned(&bed);
    let used = |bed: &Bed| {
        let space = bed.database.table_space("thin").unwrap();
        space.owned - space.available
    };
    let before = used(&bed);
    let told: Arc<Mutex<Vec<DefragmentReport>>> = Arc::default();
    let to = Arc::clone(&told);
    let options = DefragmentOptions {
        passes: 2,
        seconds: 0,
        callback: Some(Arc::new(move |report: &DefragmentReport| to.lock().unwrap().push(*report))),
    };
    let answer = bed.database.defragment(None, DefragmentFlags::START, options).unwrap();
    assert_eq!(answer.status, DefragmentStatus::Done);
    let report = told.lock().unwrap()[0];
    assert_eq!((report.passes, report.failure), (2, None));
    assert!(report.merges > 20 && report.leaves > 100, "{report:?}");
    // Whole extents that became free go back to the database.
    assert!(used(&bed) + 20 < before, "{} of {before}", used(&bed));
    rows_left(&bed);
    let stop = bed.database.defragment(None, DefragmentFlags::STOP, Default::default()).unwrap();
    assert_eq!(stop.status.jet_error().0, 2001);
    let bed = bed.crash();
    rows_left(&bed);
    bed.finish();
}

#[test]
fn one_table_is_defragmented() {
    let bed = Bed::new(8192);
    thinned(&bed);
    let merges = bed.instance.counters().merges;
    let one = |table, flags| bed.database.defragment(table, flags, Default::default());
    assert_eq!(one(Some("thin"), DefragmentFlags::ONE_TABLE).unwrap().status, DefragmentStatus::Done);
    assert!(bed.instance.counters().merges > merges + 10);
    rows_left(&bed);
    // Nothing of it stays behind.
    bed.database.delete_index("thin", "ByText").unwrap();
    bed.database.delete_table("thin").unwrap();
    bed.finish();
}

#[test]
fn options_of_defragmentations() {
    let bed = Bed::new(4096);
    let ask = |table, bits, options| {
        jet(bed.database.defragment(table, DefragmentFlags::from_bits_retain(bits), options))
    };
    for bits in [0, 3, 0x40, 0x1000, 0x101, 0x102, 0x140, 0x200, 0x202] {
        assert_eq!(ask(None, bits, Default::default()), -900, "{bits:#x}");
    }
    assert_eq!(ask(None, 0x100, Default::default()), -1002);
    assert_eq!(ask(Some("none"), 0x100, Default::default()), -1305);
    assert_eq!(ask(Some("none"), 0x201, Default::default()), -1003);
    let passes = || DefragmentOptions { passes: 1, ..Default::default() };
    assert_eq!(ask(None, 0x201, passes()), -1003);
    let callback = DefragmentOptions { callback: Some(Arc::new(|_: &_| ())), ..Default::default() };
    assert_eq!(ask(Some("none"), 0x100, callback), -1003);
    for bits in [0x201, 0x41, 0x81, 2] {
        assert_eq!(ask(None, bits, Default::default()), 0, "{bits:#x}");
    }
    bed.session.begin_read_only().unwrap();
    assert_eq!(ask(None, 1, Default::default()), -1110);
    bed.session.rollback().unwrap();
    bed.instance.set_parameter(ParameterId::ENABLE_ONLINE_DEFRAG, 0_u32).unwrap();
    assert_eq!(ask(None, 2, passes()), 0);
    let stop = bed.database.defragment(None, DefragmentFlags::STOP, Default::default()).unwrap();
    assert_eq!(stop.status, DefragmentStatus::Done);
    let bed = bed.restart(AttachOptions::default().read_only());
    let ask = |bits| jet(bed.database.defragment(None, DefragmentFlags::from_bits_retain(bits), passes()));
    assert_eq!((ask(1), ask(2)), (-1008, -1008));
}

#[test]
fn a_scan_checks_every_page_and_finds_damage() {
    let bed = Bed::new(4096);
    thinned(&bed);
    let events: Arc<Mutex<Vec<ScanEvent>>> = Arc::default();
    let options = |limit: Option<usize>| {
        let to = Arc::clone(&events);
        let callback = move |event: &ScanEvent| {
            let events = &mut *to.lock().unwrap();
            events.push(event.clone());
            match limit {
                Some(limit) if events.len() >= limit => Err(ese_format::JetError::CALLBACK_FAILED),
                _ => Ok(()),
            }
        };
        ScanOptions { callback: Some(Arc::new(callback)), ..Default::default() }
    };
    let scan = |limit| {
        events.lock().unwrap().clear();
        bed.database.scan(ScanFlags::START, options(limit)).unwrap();
        let events = events.lock().unwrap();
        let Some(ScanEvent::Completed(report)) = events.last().cloned() else { panic!("{events:?}") };
        report
    };
    let report = scan(None);
    let pages = bed.database.info(DatabaseInfoLevel::FILE_SIZE).unwrap().number().unwrap() - 2;
    assert!(report.whole);
    assert_eq!((report.pages, report.total, report.failure), (pages, pages, None));
    assert_eq!((report.damaged_count, report.corrected), (0, 0));
    let header = bed.database.attached().header();
    assert!(!header.scan_finish_time().is_none());
    // A callback stops it.
    let report = scan(Some(1));
    assert!(!report.whole && report.pages == 64, "{report:?}");
    assert_eq!(bed.database.attached().header().scan_highest_continuous().0, 65);
    // Damage that somebody else did to the file.
    bed.instance.advance_checkpoint().unwrap();
    bed.session.instance().idle().unwrap();
    let mut bytes = bed.storage.get(Path::new(DATABASE)).unwrap();
    for (page, at) in [(3, 100), (9, 200)] {
        let byte = &mut bytes[4096 * (page + 1) + at];
        *byte ^= 0x55;
    }
    let file = bed.database.attached().file().unwrap();
    file.write_at(0, &bytes).unwrap();
    let report = scan(None);
    let damaged: Vec<u32> = report.damaged.iter().map(|(page, _)| page.0).collect();
    assert_eq!((report.damaged_count, damaged), (2, vec![3, 9]));
}

#[test]
fn options_of_scans() {
    let bed = Bed::new(4096);
    let ask = |bits, options| jet(bed.database.scan(ScanFlags::from_bits_retain(bits), options));
    for bits in [0, 0x40, 0x30, 0xA0, 0x90, 0xB0] {
        assert_eq!(ask(bits, Default::default()), -900, "{bits:#x}");
    }
    assert_eq!(ask(0x80, ScanOptions { seconds: 1, ..Default::default() }), -1003);
    for bits in [0x10, 0x80, 0x20, 0x50] {
        assert_eq!(ask(bits, Default::default()), 0, "{bits:#x}");
    }
    let bed = bed.restart(AttachOptions::default().read_only());
    assert_eq!(jet(bed.database.scan(ScanFlags::START, Default::default())), -1008);
    assert_eq!(jet(bed.database.scan(ScanFlags::STOP, Default::default())), 0);
}

/// On threads: while rows change, and through detach and termination.
#[test]
fn work_in_the_background_is_stopped_in_order() {
    let bed = Bed::on_threads(4096);
    thinned(&bed);
    for _ in 0..3 {
        bed.database.scan(ScanFlags::START, ScanOptions { seconds: 60, ..Default::default() }).unwrap();
        let options = DefragmentOptions { passes: 1_000_000, ..Default::default() };
        bed.database.defragment(None, DefragmentFlags::START, options.clone()).unwrap();
        let second = bed.database.defragment(None, DefragmentFlags::START, options).unwrap();
        assert_eq!(second.status.jet_error().0, 2000);
        let mut table = bed.open("thin");
        let text = table.column_id("Text").unwrap();
        bed.session.begin().unwrap();
        let mut more = table.move_first();
        while more.is_ok() {
            table.prepare(PrepareKind::Replace).unwrap();
            table.set_column(text, &[7; 180], SetOptions::default()).unwrap();
            table.update().unwrap();
            more = table.move_next();
        }
        bed.session.commit(CommitMode::Lazy).unwrap();
        let stopped = bed.database.defragment(None, DefragmentFlags::STOP, Default::default()).unwrap();
        assert_eq!(stopped.status, DefragmentStatus::Done);
        bed.database.scan(ScanFlags::STOP, Default::default()).unwrap();
    }
    rows_left(&bed);
    let options = DefragmentOptions { passes: 1_000_000, ..Default::default() };
    bed.database.defragment(None, DefragmentFlags::START, options).unwrap();
    let pause = std::time::Duration::from_secs(3600);
    bed.database.scan(ScanFlags::START, ScanOptions { pause, ..Default::default() }).unwrap();
    bed.finish();
}

#[test]
fn termination_stops_what_runs() {
    let bed = Bed::on_threads(4096);
    thinned(&bed);
    let options = DefragmentOptions { passes: 1_000_000, ..Default::default() };
    bed.database.defragment(None, DefragmentFlags::START, options).unwrap();
    assert_eq!(jet(bed.instance.terminate(TermMode::Dirty)), -1116);
}
