//! Reading ahead: walks through leaves wherever they lie in the file, forwards and backwards, and keys that were announced. What
//! is read is counted, never timed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_btree::live::{LiveSettings, LiveTrees, SeekHow, SlotFacts, Spot, Tree};
use ese_io::{OpenMode, OpenOptions, Operation, Storage, WatchedStorage};
use ese_log::record::SessionId;
use live_support::{SLOT, World, new_file};

const ROWS: u32 = 30_000;

/// A tree of about a thousand leaves, which lie in the order of their keys or in none, and its file.
fn tree(in_order: bool) -> (ese_io::MemoryStorage, Tree, SlotFacts) {
    let (storage, file) = new_file("/ahead");
    let world = World::on(file, 4096, 1 << 24, 0);
    let (trees, tree) = (&world.trees, world.tree);
    let mut t = trees.open_session(SessionId(8));
    trees.begin(&mut t, false).unwrap();
    for row in 0..ROWS {
        let row: u32 = if in_order { row } else { row.wrapping_mul(17_497) % ROWS };
        trees.insert(&mut t, &tree, &row.to_be_bytes(), &[row as u8; 80]).unwrap();
    }
    trees.commit(&mut t).unwrap();
    let facts = trees.detach(SLOT).unwrap();
    (storage, tree, facts)
}

struct Reads {
    mine: AtomicU64,
    theirs: AtomicU64,
}

/// A cold cache of `cache_bytes` over the file, with threads that read ahead; reads of this thread and of others are counted. A
/// disk is slower than whoever walks: this one lets others go on first.
fn cold(
    storage: &ese_io::MemoryStorage,
    facts: &SlotFacts,
    cache_bytes: usize,
    threads: bool,
) -> (LiveTrees, Arc<Reads>) {
    let reads = Arc::new(Reads { mine: AtomicU64::new(0), theirs: AtomicU64::new(0) });
    let (to, this) = (Arc::clone(&reads), std::thread::current().id());
    let watched = WatchedStorage::new(storage.clone(), move |call| {
        if call.operation == Operation::Read {
            if std::thread::current().id() == this {
                to.mine.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(1));
            } else {
                to.theirs.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(ese_io::Proceed::Yes)
    });
    let file = watched.open(Path::new("/ahead"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    let mut settings = LiveSettings::new(ese_format::PageSize::new(4096).unwrap());
    settings.cache_bytes = cache_bytes;
    let trees = LiveTrees::new(settings, None);
    trees.attach(SLOT, file, facts.clone()).unwrap();
    assert!(!threads || trees.read_ahead_on_threads());
    (trees, reads)
}

fn walk(trees: &LiveTrees, tree: &Tree, backwards: bool) {
    let t = trees.open_session(SessionId(1));
    let mut spot = Spot::new();
    let how = if backwards { SeekHow::Last } else { SeekHow::First };
    let mut more = trees.seek(&t, tree, &[], &[], how, &mut spot).unwrap();
    let mut count = 0_u32;
    while more {
        let row = if backwards { ROWS - 1 - count } else { count };
        assert_eq!(spot.key, row.to_be_bytes());
        assert_eq!(spot.data(), [row as u8; 80]);
        count += 1;
        more = if backwards { trees.previous(&t, tree, &mut spot) } else { trees.next(&t, tree, &mut spot) }
            .unwrap();
    }
    assert_eq!(count, ROWS);
}

#[test]
fn walks_find_their_leaves_read() {
    for in_order in [true, false] {
        let (storage, tree, facts) = tree(in_order);
        for backwards in [false, true] {
            // Much smaller than the file.
            let (trees, reads) = cold(&storage, &facts, 1 << 20, true);
            walk(&trees, &tree, backwards);
            let counters = trees.counters();
            let (mine, theirs) = (reads.mine.load(Ordering::Relaxed), reads.theirs.load(Ordering::Relaxed));
            println!("in order {in_order}, backwards {backwards}: {counters:?}, {mine} and {theirs} reads");
            assert!(counters.pages_read > 600 && counters.pages_read < 1500, "{counters:?}");
            assert!(counters.pages_read_ahead * 10 > counters.pages_read * 8, "{counters:?}");
            assert!(mine < counters.pages_read / 5, "{mine} of {}", counters.pages_read);
            if in_order {
                assert!(theirs < counters.pages_read / 4, "pages side by side are read together: {theirs}");
            }
        }
    }
}

/// Threads or not, and whatever the cache: announced keys have their leaves in memory or on the way there.
#[test]
fn announced_keys_are_read() {
    let (storage, tree, facts) = tree(false);
    for threads in [false, true] {
        let (trees, reads) = cold(&storage, &facts, 1 << 23, threads);
        let keys: Vec<[u8; 4]> = (0..100_u32).map(|i| (i * 299).to_be_bytes()).collect();
        for key in &keys {
            trees.want_key(&tree, key).unwrap();
        }
        let before = reads.mine.load(Ordering::Relaxed);
        if threads {
            // The branch pages, and no leaf.
            assert!(before < 20, "{before}");
            while reads.theirs.load(Ordering::Relaxed) < 90 {
                std::thread::yield_now();
            }
        }
        let t = trees.open_session(SessionId(1));
        let mut data = Vec::new();
        for key in &keys {
            assert!(trees.get(&t, &tree, key, &mut data).unwrap());
        }
        let mine = reads.mine.load(Ordering::Relaxed) - before;
        assert!(mine <= 12, "{threads}: {mine}");
        assert!(trees.counters().pages_read_ahead >= 88, "{:?}", trees.counters());
        // A range: the leaves between two keys, no others.
        let at = trees.counters().pages_read_ahead;
        let (low, high) = (10_000_u32.to_be_bytes(), 11_000_u32.to_be_bytes());
        trees.want_keys(&tree, &low, &high).unwrap();
        let mut spot = Spot::new();
        let mut more = trees.seek(&t, &tree, &low, &[], SeekHow::AtLeast, &mut spot).unwrap();
        while more && spot.key[..] <= high[..] {
            more = trees.next(&t, &tree, &mut spot).unwrap();
        }
        let read = trees.counters().pages_read_ahead - at;
        assert!((15..60).contains(&read), "{threads}: {read}");
    }
}

/// Pages that were read ahead and changed meanwhile are found as they are now.
#[test]
fn a_walk_among_changes() {
    let (storage, tree, facts) = tree(false);
    let (trees, _) = cold(&storage, &facts, 1 << 19, true);
    let reader = trees.open_session(SessionId(1));
    let mut writer = trees.open_session(SessionId(2));
    for round in 1..4_u8 {
        let mut spot = Spot::new();
        let mut more = trees.seek(&reader, &tree, &[], &[], SeekHow::First, &mut spot).unwrap();
        let mut row = 0_u32;
        while more {
            assert_eq!(spot.key, row.to_be_bytes());
            let expected = if row % 41 == 40 { (row as u8).wrapping_add(round - 1) } else { row as u8 };
            assert_eq!(spot.data(), [expected; 80], "row {row}, round {round}");
            // Rows that the walk has passed and, far ahead, what it comes to in the next round.
            if row % 41 == 40 {
                trees.begin(&mut writer, false).unwrap();
                trees
                    .replace(&mut writer, &tree, &row.to_be_bytes(), &[(row as u8).wrapping_add(round); 80])
                    .unwrap();
                trees.commit(&mut writer).unwrap();
            }
            row += 1;
            more = trees.next(&reader, &tree, &mut spot).unwrap();
        }
        assert_eq!(row, ROWS);
    }
}
