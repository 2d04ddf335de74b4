//! What the calling thread has cost, apart from what others did.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;

use ese_btree::ThreadCounters;
use ese_instance::{CreateOptions, TableSpec};
use live_bed::{Bed, DATABASE};

#[test]
fn a_thread_counts_only_its_own_work() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let before = ThreadCounters::of_this_thread();
    database.create_table(&TableSpec::new("mine")).unwrap();
    let mine = ThreadCounters::of_this_thread();
    assert!(mine.pages_referenced > before.pages_referenced);
    assert!(
        mine.pages_dirtied + mine.pages_dirtied_again > before.pages_dirtied + before.pages_dirtied_again
    );
    assert!(mine.pages_dirtied_again > before.pages_dirtied_again);
    assert!(mine.records > before.records && mine.record_bytes > before.record_bytes);
    let theirs = std::thread::spawn(move || {
        assert_eq!(ThreadCounters::of_this_thread(), ThreadCounters::default());
        database.create_table(&TableSpec::new("theirs")).unwrap();
        ThreadCounters::of_this_thread()
    })
    .join()
    .unwrap();
    assert!(theirs.records > 0 && theirs.pages_dirtied_again > 0);
    assert_eq!(ThreadCounters::of_this_thread(), mine);
}

#[test]
fn pages_that_were_not_in_memory_are_counted_and_timed() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    instance.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    instance.terminate(ese_instance::TermMode::Complete).unwrap();
    let instance = bed.start(4096, 9600);
    let before = ThreadCounters::of_this_thread();
    instance.attach(Path::new(DATABASE)).unwrap();
    let session = instance.begin_session().unwrap();
    session.open_database(Path::new(DATABASE)).unwrap().tables().unwrap();
    let after = ThreadCounters::of_this_thread();
    let read = after.pages_read - before.pages_read;
    assert!(read > 0);
    assert!(after.miss_microseconds - before.miss_microseconds >= read);
}
