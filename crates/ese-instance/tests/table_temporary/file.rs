//! The temporary database as a file: when it is made, where, and that it goes.

use std::path::Path;

use ese_instance::{PrepareKind, SetFlags, Table, TemporaryTableFlags as Flags};
use ese_io::Storage;

use crate::table_bed::{Bed, number};
use crate::{TEMPORARY, insert, open, spec};

#[test]
fn the_temporary_database_comes_and_goes() {
    let bed = Bed::new(8192);
    let there = |bed: &Bed| bed.storage.exists(Path::new(TEMPORARY)).unwrap();
    assert!(!there(&bed), "made when it is needed");
    let before = bed.instance.counters().records;
    drop(open(&bed, Flags::empty()));
    assert!(there(&bed));
    let size = |bed: &Bed| {
        let options = ese_io::OpenOptions::READ.lock(ese_io::Lock::None);
        bed.storage.open(Path::new(TEMPORARY), options).unwrap().len().unwrap()
    };
    let cycle = || {
        let session = bed.instance.begin_session().unwrap();
        for flags in [Flags::FORCE_MATERIALIZATION, Flags::UPDATABLE, Flags::empty()] {
            let (mut table, _) = session.open_temporary_table(&spec(flags)).unwrap();
            for key in 0..300 {
                insert(&mut table, key, &"z".repeat(100));
            }
            table.move_first().unwrap();
            if flags != Flags::empty() {
                session.begin().unwrap();
                table.prepare(PrepareKind::Insert).unwrap();
                table.set_column(1, &1000_i32.to_le_bytes(), SetFlags::empty()).unwrap();
                table.update().unwrap();
                if flags == Flags::UPDATABLE {
                    session.commit(Default::default()).unwrap();
                }
            }
            // Some are closed by their sessions.
            if flags == Flags::empty() {
                std::mem::forget(table);
            }
        }
        session.end().unwrap();
    };
    for _ in 0..3 {
        cycle();
    }
    let settled = size(&bed);
    for _ in 0..40 {
        cycle();
    }
    assert_eq!(size(&bed), settled, "the space of closed tables is used again");
    assert_eq!(bed.instance.counters().records, before, "nothing is logged");
    let storage = bed.storage.clone();
    let table = open(&bed, Flags::FORCE_MATERIALIZATION);
    bed.finish();
    assert!(!storage.exists(Path::new(TEMPORARY)).unwrap());
    drop(table);
}

#[test]
fn a_left_over_is_no_obstacle() {
    let bed = Bed::new(8192);
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    fill_unique(&mut table);
    let bed = bed.crash();
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    assert_eq!(number(table.move_first()), -1603);
    fill_unique(&mut table);
    bed.finish();
}

#[test]
fn a_place_that_is_not_there() {
    let path = ese_instance::ParameterId::TEMP_PATH;
    let bed = Bed::with_parameters(4096, 8920, |i| i.set_parameter(path, "/missing/tmp.edb").unwrap());
    for _ in 0..2 {
        assert_eq!(number(bed.session.open_temporary_table(&spec(Flags::empty()))), -1023);
    }
    bed.storage.create_directory(Path::new("/missing")).unwrap();
    let mut table = open(&bed, Flags::FORCE_MATERIALIZATION);
    fill_unique(&mut table);
    drop(table);
    bed.finish();
    // A folder gets a file of the usual name.
    let bed = Bed::with_parameters(4096, 8920, |i| i.set_parameter(path, "/db/").unwrap());
    drop(open(&bed, Flags::empty()));
    assert!(bed.storage.exists(Path::new(TEMPORARY)).unwrap());
    bed.finish();
}

fn fill_unique(table: &mut Table) {
    for key in 0..100 {
        assert_eq!(insert(table, key, "u"), 0);
    }
}
