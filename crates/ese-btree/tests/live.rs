//! Live trees against a model with snapshot isolation: several sessions, nested levels, conflicts, rollback, clean-up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_support;

use std::collections::BTreeSet;

use ese_btree::PageImage;
use ese_btree::live::{LiveError, LiveSettings, LiveTrees, SeekHow, SlotFacts, Spot, TransactionState};
use ese_format::{DbTime, JetError, LogPosition, ObjectId, PageNumber, PageSize};
use ese_log::record::{DatabaseSlot, RecordKind, SessionId};
use live_support::{Pair, Random, SLOT, World, assert_same_pages, bytes_of, file_of, new_file, replay};

fn run(seed: u64, page_bytes: u32, cache_bytes: usize, steps: usize, sessions: u16) {
    let mut pair = Pair::new(World::new(page_bytes, cache_bytes, 0), sessions);
    let mut random = Random(seed);
    for step in 0..steps {
        pair.step(&mut random);
        if step % 500 == 0 {
            for s in 0..usize::from(sessions) {
                pair.check_all(s);
            }
        }
    }
    pair.compare_with_log();
    pair.roll_back_all();
    pair.check_all(0);
    pair.world.trees.clean_versions(usize::MAX).unwrap();
    pair.check_all(0);
    assert_eq!(pair.world.trees.counters().versions, 0);
    pair.compare_with_log();
}

#[test]
fn one_session() {
    run(0x1234_5678_9ABC, 4096, 1 << 20, 8000, 1);
}

#[test]
fn several_sessions() {
    for seed in 1..5_u64 {
        run(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 4096, 1 << 20, 8000, 4);
        run(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 32768, 0, 4000, 3);
    }
}

#[test]
fn a_cache_that_is_too_small() {
    run(0x00C0_FFEE, 4096, 0, 10_000, 3);
}

#[test]
fn crashes() {
    for seed in 1..4_u64 {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut pair = Pair::new(World::new(4096, if seed % 2 == 0 { 0 } else { 1 << 20 }, 0), 3);
        let mut random = Random(seed);
        for step in 0..4000 {
            pair.step(&mut random);
            if random.below(40) == 0 {
                pair.world.log.sync();
            }
            if step % 100 == 0 {
                pair.crash();
            }
        }
    }
}

#[test]
fn crashes_after_checkpoints() {
    for seed in 1..6_u64 {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let cache = if seed.is_multiple_of(2) { 0 } else { 1 << 20 };
        let mut pair = Pair::new(World::new(4096, cache, 0), 3);
        let mut random = Random(seed);
        let mut checkpoint = pair.checkpoint();
        for step in 0..4000 {
            pair.step(&mut random);
            if random.below(60) == 0 {
                pair.world.log.sync();
            }
            if random.below(150) == 0 {
                let oldest = pair.world.trees.oldest_needed().unwrap_or(LogPosition::MAX);
                pair.world.trees.write_back(LogPosition::MAX, random.below(30) as usize).unwrap();
                checkpoint = pair.checkpoint();
                assert!(checkpoint.0 >= oldest || oldest == LogPosition::MAX);
            }
            if step % 100 == 0 {
                pair.crash_after(&checkpoint, &mut random);
            }
        }
        assert!(checkpoint.0 > LogPosition::from_u64((1 << 32) + 0x1_0000 + 1000), "{}", checkpoint.0);
    }
}

/// Databases of all shapes through the same mill. `ESE_LIVE_RUNS` makes it longer.
#[test]
fn many_shapes() {
    let runs = std::env::var("ESE_LIVE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(24_u64);
    for seed in 1..=runs {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let page_bytes = [4096, 8192, 16384, 32768][random.below(4) as usize];
        let cache = if random.below(2) == 0 { 0 } else { 1 << 20 };
        let sessions = 1 + random.below(5) as u16;
        let mut pair = Pair::new(World::new(page_bytes, cache, 0), sessions);
        pair.key_count = [20, 100, 400, 3000][random.below(4) as usize];
        pair.largest = [5, 60, 300, 1500][random.below(4) as usize];
        let mut checkpoint = pair.checkpoint();
        for step in 0..1500 {
            pair.step(&mut random);
            if random.below(60) == 0 {
                pair.world.log.sync();
            }
            if random.below(200) == 0 {
                pair.world.trees.write_back(LogPosition::MAX, random.below(30) as usize).unwrap();
                checkpoint = pair.checkpoint();
            }
            if step % 300 == 299 {
                pair.crash_after(&checkpoint, &mut random);
                pair.crash();
                pair.check_all(0);
            }
        }
        pair.compare_with_log();
        pair.roll_back_all();
        pair.check_all(0);
        pair.world.trees.clean_versions(usize::MAX).unwrap();
        pair.check_all(0);
        pair.compare_with_log();
    }
}

/// Positions as estimates: they rise with the keys, and lead back to about where they came from.
#[test]
fn fractions() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut t = trees.open_session(SessionId(2));
    trees.begin(&mut t, false).unwrap();
    assert_eq!(trees.fraction(tree, b"x", &[]).unwrap(), (0, 0));
    let mut spot = Spot::new();
    assert!(!trees.goto_fraction(&t, tree, 1, 2, &mut spot).unwrap());
    let count = 20_000_u32;
    for row in 0..count {
        trees.insert(&mut t, tree, &row.to_be_bytes(), &[1; 20]).unwrap();
    }
    let mut last = 0.0;
    for row in (0..count).step_by(997) {
        let (before, total) = trees.fraction(tree, &row.to_be_bytes(), &[]).unwrap();
        let found = before as f64 / total as f64;
        assert!(found >= last && (found - f64::from(row) / f64::from(count)).abs() < 0.05, "{row}: {found}");
        last = found;
        assert!(trees.goto_fraction(&t, tree, row.into(), count.into(), &mut spot).unwrap());
        let at = u32::from_be_bytes(spot.key[..].try_into().unwrap());
        assert!(at.abs_diff(row) < count / 20, "{row}: {at}");
    }
    assert_eq!(
        trees.fraction(tree, &count.to_be_bytes(), &[]).unwrap().0,
        trees.fraction(tree, &count.to_be_bytes(), &[]).unwrap().1
    );
}

/// Without the before-images that were logged before pages were written, or without the log's last records, a crash is
/// not survived: the check above would notice.
#[test]
fn canary_a_crash_without_before_images_is_noticed() {
    let mut pair = Pair::new(World::new(4096, 0, 0), 3);
    let mut random = Random(77);
    let mut noticed = 0;
    for step in 0..3000 {
        pair.step(&mut random);
        if step % 100 == 99 {
            pair.world.log.sync();
            let mut records = pair.world.log.durable();
            records.retain(|(_, bytes)| bytes[0] != RecordKind::UNDO_INFO.0);
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pair.recover_with(records)));
            noticed += usize::from(outcome.is_err());
        }
    }
    assert!(noticed > 5, "{noticed}");
}

/// Transactions of several threads on the same few rows: counters add up, whatever conflicts there are.
#[test]
fn threads() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut t = trees.open_session(SessionId(2));
    trees.begin(&mut t, false).unwrap();
    for row in 0..20_u8 {
        trees.insert(&mut t, tree, &[row], &[0; 12]).unwrap();
    }
    trees.commit(&mut t).unwrap();
    let sum = std::thread::scope(|scope| {
        let run = |thread: u16| {
            let mut t = trees.open_session(SessionId(10 + thread));
            let mut random = Random(0x1357 + u64::from(thread));
            let mut added = 0;
            while added < 300 {
                trees.begin(&mut t, false).unwrap();
                let row = [random.below(20) as u8];
                let mut data = Vec::new();
                assert!(trees.get(&t, tree, &row, &mut data).unwrap());
                let count = u64::from_le_bytes(data[4..12].try_into().unwrap());
                data[4..12].copy_from_slice(&(count + 1).to_le_bytes());
                match trees.replace(&mut t, tree, &row, &data) {
                    Ok(()) => {
                        trees.commit(&mut t).unwrap();
                        added += 1;
                    }
                    Err(LiveError::WriteConflict { .. }) => trees.rollback(&mut t).unwrap(),
                    Err(error) => panic!("{error}"),
                }
            }
            trees.close_session(t).unwrap();
            added
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum::<u64>()
    });
    let mut total = 0;
    let mut data = Vec::new();
    for row in 0..20_u8 {
        assert!(trees.get(&t, tree, &[row], &mut data).unwrap());
        total += u64::from_le_bytes(data[4..12].try_into().unwrap());
    }
    assert_eq!(total, sum);
}

/// Escrow: several transactions add to one counter at the same time, some roll back; a replace must wait for all of them.
#[test]
fn counters_of_several_transactions() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut sessions: Vec<_> = (0..3).map(|i| trees.open_session(SessionId(10 + i))).collect();
    let [a, b, c] = &mut sessions[..] else { unreachable!() };
    trees.begin(a, false).unwrap();
    trees.insert(a, tree, b"row", &[0; 16]).unwrap();
    trees.commit(a).unwrap();
    for t in [&mut *a, &mut *b, &mut *c] {
        trees.begin(t, false).unwrap();
    }
    assert_eq!(trees.add_i32(a, tree, b"row", 0, 5).unwrap(), 0);
    // What others have added is told, though it is not seen.
    assert_eq!(trees.add_i32(b, tree, b"row", 0, 7).unwrap(), 5);
    assert_eq!(trees.add_i32(a, tree, b"row", 0, 5).unwrap(), 12);
    // Counters of different sizes are not added to side by side.
    let conflict = trees.add_i64(b, tree, b"row", 8, -1).unwrap_err();
    assert_eq!(conflict.jet_error(), JetError::WRITE_CONFLICT);
    let conflict = trees.replace(c, tree, b"row", &[1; 16]).unwrap_err();
    assert_eq!(conflict.jet_error(), JetError::WRITE_CONFLICT);
    let counter = |t: &TransactionState| {
        let mut data = Vec::new();
        assert!(trees.get(t, tree, b"row", &mut data).unwrap());
        (i32::from_le_bytes(data[..4].try_into().unwrap()), i64::from_le_bytes(data[8..].try_into().unwrap()))
    };
    assert_eq!((counter(a), counter(b), counter(c)), ((10, 0), (7, 0), (0, 0)));
    trees.rollback(a).unwrap();
    assert_eq!((counter(a), counter(b), counter(c)), ((0, 0), (7, 0), (0, 0)));
    trees.commit(b).unwrap();
    assert_eq!((counter(a), counter(b), counter(c)), ((7, 0), (7, 0), (0, 0)));
    // Began before b committed: it may add, and still sees what it saw.
    assert_eq!(trees.add_i32(c, tree, b"row", 0, 1).unwrap(), 7);
    assert_eq!(counter(c), (1, 0));
    trees.commit(c).unwrap();
    trees.begin(a, false).unwrap();
    assert_eq!(trees.add_i64(a, tree, b"row", 8, -1).unwrap(), 0);
    trees.commit(a).unwrap();
    assert_eq!(counter(a), (8, -1));
    let error = trees.add_i32(a, tree, b"row", 13, 1).unwrap_err();
    assert_eq!(error.jet_error(), JetError::NOT_IN_TRANSACTION);
    trees.begin(a, true).unwrap();
    assert_eq!(trees.add_i32(a, tree, b"row", 13, 1).unwrap_err().jet_error(), JetError::TRANS_READ_ONLY);
    trees.rollback(a).unwrap();
    trees.begin(a, false).unwrap();
    assert!(matches!(trees.add_i32(a, tree, b"row", 13, 1), Err(LiveError::NoCounter { .. })));
    trees.rollback(a).unwrap();
    world.trees.flush(SLOT).unwrap();
    let file = file_of(&vec![0; 2 * world.size.len()]);
    replay(&world.log.records(), &file, world.size, false);
    assert_same_pages(&bytes_of(&*file), &bytes_of(&*world.file), world.size);
}

/// A log that refuses leaves everything as it was; the transaction can still end.
#[test]
fn a_log_that_refuses() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut t = trees.open_session(SessionId(10));
    trees.begin(&mut t, false).unwrap();
    trees.insert(&mut t, tree, b"a", b"1").unwrap();
    world.log.fail(true);
    for outcome in [
        trees.insert(&mut t, tree, b"b", b"2"),
        trees.replace(&mut t, tree, b"a", b"3"),
        trees.delete(&mut t, tree, b"a", b""),
        trees.commit(&mut t).map(|_| ()),
        trees.rollback(&mut t),
        trees.flush(SLOT),
    ] {
        assert!(outcome.is_err());
    }
    world.log.fail(false);
    let mut data = Vec::new();
    assert!(trees.get(&t, tree, b"a", &mut data).unwrap());
    assert_eq!(data, b"1");
    assert!(!trees.get(&t, tree, b"b", &mut data).unwrap());
    trees.rollback(&mut t).unwrap();
    assert!(!trees.get(&t, tree, b"a", &mut data).unwrap());
    assert!(trees.commit(&mut t).is_err());
}

/// Trees come and go: the pages of one that is rolled back, or given up and seen by nobody, serve the next one.
#[test]
fn trees_give_their_pages_back() {
    let world = World::new(4096, 1 << 20, 0);
    let trees = &world.trees;
    let mut t = trees.open_session(SessionId(2));
    let mut reader = trees.open_session(SessionId(3));
    let mut last_page = Vec::new();
    for round in 0..30_u8 {
        trees.begin(&mut t, false).unwrap();
        let object = trees.new_object_id(SLOT).unwrap();
        let root = PageNumber::DATABASE_ROOT;
        let table = trees.create_tree(&mut t, SLOT, root, object, 0, 16, true).unwrap();
        let object = trees.new_object_id(SLOT).unwrap();
        let index = trees.create_tree(&mut t, SLOT, table.root.root, object, 0x400, 1, false).unwrap();
        for row in 0..400_u32 {
            trees.insert(&mut t, &table, &row.to_be_bytes(), &[round; 60]).unwrap();
            trees.insert(&mut t, &index, &(row % 7).to_be_bytes(), &row.to_be_bytes()).unwrap();
        }
        assert_eq!(trees.root_fields(&table).unwrap().space.parent, root);
        if round % 3 == 0 {
            trees.rollback(&mut t).unwrap();
        } else {
            trees.commit(&mut t).unwrap();
            trees.begin(&mut reader, true).unwrap();
            trees.begin(&mut t, false).unwrap();
            trees.delete_tree(&mut t, &index, table.root.root).unwrap();
            trees.delete_tree(&mut t, &table, root).unwrap();
            trees.commit(&mut t).unwrap();
            trees.clean_versions(usize::MAX).unwrap();
            // Whoever began before still sees it.
            let mut spot = Spot::new();
            let mut count = 0;
            let mut more = trees.seek(&reader, &index, &[], &[], SeekHow::First, &mut spot).unwrap();
            while more {
                count += 1;
                more = trees.next(&reader, &index, &mut spot).unwrap();
            }
            assert_eq!(count, 400);
            trees.commit(&mut reader).unwrap();
            trees.clean_versions(usize::MAX).unwrap();
        }
        last_page.push(trees.facts(SLOT).unwrap().last_page);
    }
    assert_eq!(last_page[3], last_page[29]);
    assert_eq!(trees.counters().versions, 0);
    trees.flush(SLOT).unwrap();
    let file = file_of(&vec![0; 2 * world.size.len()]);
    replay(&world.log.records(), &file, world.size, false);
    assert_same_pages(&bytes_of(&*file), &bytes_of(&*world.file), world.size);
}

/// A database with a limit does not grow beyond it, and goes on with what it has.
#[test]
fn a_database_that_is_full() {
    let size = PageSize::new(4096).unwrap();
    let (_, file) = new_file("/full");
    let trees = LiveTrees::new(LiveSettings::new(size), None);
    let largest_page = Some(PageNumber(100));
    let facts = SlotFacts { largest_page, ..SlotFacts::new(DbTime::START, ObjectId(1)) };
    trees.attach(SLOT, file, facts).unwrap();
    let mut t = trees.open_session(SessionId(1));
    trees.begin(&mut t, false).unwrap();
    trees.create_database_root(&mut t, SLOT, 60).unwrap();
    let tree = trees.create_tree(&mut t, SLOT, PageNumber(1), ObjectId(2), 0, 1, false).unwrap();
    trees.commit(&mut t).unwrap();
    trees.begin(&mut t, false).unwrap();
    let mut row = 0_u32;
    let error = loop {
        match trees.insert(&mut t, &tree, &row.to_be_bytes(), &[1; 500]) {
            Ok(()) => row += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.jet_error(), JetError::OUT_OF_DATABASE_SPACE);
    assert!(row > 200);
    trees.commit(&mut t).unwrap();
    let mut data = Vec::new();
    assert!(trees.get(&t, &tree, &(row - 1).to_be_bytes(), &mut data).unwrap());
    assert!(!trees.get(&t, &tree, &row.to_be_bytes(), &mut data).unwrap());
}

/// Trees with non-unique keys: entries are told apart by key and data, deleted ones come back, separators reach into the
/// data.
#[test]
fn non_unique_trees() {
    let world = World::new(4096, 1 << 20, 0x400);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut random = Random(0x5EED);
    let mut committed: BTreeSet<(Vec<u8>, Vec<u8>)> = BTreeSet::new();
    let mut t = trees.open_session(SessionId(10));
    let mut old = trees.open_session(SessionId(11));
    for round in 0..120 {
        let frozen = committed.clone();
        trees.begin(&mut old, true).unwrap();
        trees.begin(&mut t, false).unwrap();
        let mut own = committed.clone();
        for _ in 0..random.below(120) {
            let key = vec![b'k'; 1 + random.below(3) as usize];
            let mut data = b"bookmark of a row ".to_vec();
            data.extend_from_slice(&(random.below(400) as u16).to_be_bytes());
            let entry = (key, data);
            if random.below(5) < 3 {
                let outcome = trees.insert(&mut t, tree, &entry.0, &entry.1);
                assert_eq!(outcome.is_ok(), own.insert(entry));
            } else {
                let outcome = trees.delete(&mut t, tree, &entry.0, &entry.1);
                assert_eq!(outcome.is_ok(), own.remove(&entry));
            }
        }
        let all = |t: &TransactionState| {
            let mut found = BTreeSet::new();
            let mut spot = Spot::new();
            let mut more = trees.seek(t, tree, &[], &[], SeekHow::First, &mut spot).unwrap();
            while more {
                assert!(found.insert((spot.key.clone(), spot.data().to_vec())));
                more = trees.next(t, tree, &mut spot).unwrap();
            }
            found
        };
        assert_eq!(all(&t), own);
        assert_eq!(all(&old), frozen);
        let mut spot = Spot::new();
        if let Some(entry) = own.iter().nth(random.below(own.len().max(1) as u64) as usize) {
            assert!(trees.seek(&t, tree, &entry.0, &entry.1, SeekHow::AtMost, &mut spot).unwrap());
            assert_eq!((&spot.key[..], spot.data()), (&entry.0[..], &entry.1[..]));
            let below = trees.previous(&t, tree, &mut spot).unwrap();
            let expected = own.range(..entry.clone()).next_back();
            assert_eq!(
                below.then_some((&spot.key[..], spot.data())),
                expected.map(|(k, d)| (&k[..], &d[..]))
            );
            let mut data = Vec::new();
            assert!(trees.get(&t, tree, &entry.0, &mut data).unwrap());
            assert_eq!(Some(&data), own.iter().find(|(k, _)| *k == entry.0).map(|(_, d)| d));
        }
        if round % 4 == 0 {
            trees.rollback(&mut t).unwrap();
        } else {
            trees.commit(&mut t).unwrap();
            committed = own;
        }
        assert_eq!(all(&t), committed);
        trees.commit(&mut old).unwrap();
        if round % 7 == 0 {
            trees.clean_versions(usize::MAX).unwrap();
        }
    }
    assert!(committed.len() > 300, "{}", committed.len());
    trees.flush(SLOT).unwrap();
    let file = file_of(&vec![0; 2 * world.size.len()]);
    replay(&world.log.records(), &file, world.size, false);
    assert_same_pages(&bytes_of(&*file), &bytes_of(&*world.file), world.size);
}

/// A database is detached while a transaction reads another one: what was deleted is cleaned up all the same, and nothing
/// is left over that could hit the next database in the slot.
#[test]
fn detach_while_others_read() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let other = DatabaseSlot(2);
    let (_, file) = new_file("/other");
    trees.attach(other, file, SlotFacts::new(DbTime::START, ObjectId(1))).unwrap();
    let mut reader = trees.open_session(SessionId(7));
    let mut t = trees.open_session(SessionId(8));
    trees.begin(&mut t, false).unwrap();
    for row in 0..50_u8 {
        trees.insert(&mut t, tree, &[row], &[row; 40]).unwrap();
    }
    trees.commit(&mut t).unwrap();
    trees.begin(&mut reader, true).unwrap();
    trees.begin(&mut t, false).unwrap();
    for row in 0..49_u8 {
        trees.delete(&mut t, tree, &[row], &[]).unwrap();
    }
    trees.commit(&mut t).unwrap();
    trees.clean_versions(usize::MAX).unwrap();
    assert_eq!(trees.counters().versions, 49);
    let facts = trees.detach(SLOT).unwrap();
    assert_eq!(trees.counters().versions, 0);
    assert!(matches!(trees.detach(SLOT), Err(LiveError::Slot(SLOT))));
    // Attached again, by itself, it holds one node.
    let bytes = bytes_of(&*world.file);
    trees.attach(SLOT, file_of(&bytes), facts).unwrap();
    let mut spot = Spot::new();
    assert!(trees.seek(&t, tree, &[], &[], SeekHow::First, &mut spot).unwrap());
    assert_eq!(spot.key, [49]);
    let root = tree.root.root.file_offset(world.size) as usize;
    let page = PageImage::new(&bytes[root..root + 4096], world.size).unwrap();
    assert_eq!(page.line_count(), 1);
    trees.commit(&mut reader).unwrap();
    trees.abandon(SLOT);
    assert!(trees.get(&t, tree, &[49], &mut Vec::new()).is_err());
}

/// A commit leaves no versions behind that nobody needs, and all those that somebody does.
#[test]
fn commits_forget_versions() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let (mut t, mut reader) = (trees.open_session(SessionId(7)), trees.open_session(SessionId(8)));
    let key = |row: u32| row.to_be_bytes();
    trees.begin(&mut t, false).unwrap();
    for row in 0..1000 {
        trees.insert(&mut t, tree, &key(row), b"old").unwrap();
    }
    for row in 0..500 {
        trees.replace(&mut t, tree, &key(row), b"older").unwrap();
        trees.replace(&mut t, tree, &key(row), b"old").unwrap();
    }
    assert_eq!(trees.counters().versions, 2000);
    trees.commit(&mut t).unwrap();
    assert_eq!(trees.counters().versions, 0);
    // Somebody reads what was.
    trees.begin(&mut reader, true).unwrap();
    trees.begin(&mut t, false).unwrap();
    for row in 0..1000 {
        trees.replace(&mut t, tree, &key(row), b"new").unwrap();
    }
    trees.commit(&mut t).unwrap();
    assert_eq!(trees.counters().versions, 1000);
    let mut data = Vec::new();
    for row in 0..1000 {
        assert!(trees.get(&reader, tree, &key(row), &mut data).unwrap());
        assert_eq!(data, b"old");
        assert!(trees.get(&t, tree, &key(row), &mut data).unwrap());
        assert_eq!(data, b"new");
    }
    trees.commit(&mut reader).unwrap();
    // What stayed for the reader goes with the commits that follow.
    for _ in 0..4 {
        trees.begin(&mut t, false).unwrap();
        for row in 0..300 {
            trees.replace(&mut t, tree, &key(row), b"newer").unwrap();
        }
        trees.commit(&mut t).unwrap();
    }
    assert_eq!(trees.counters().versions, 0);
    // A deleted node is work on a page, which a small commit leaves to others.
    trees.begin(&mut t, false).unwrap();
    trees.delete(&mut t, tree, &key(0), &[]).unwrap();
    trees.commit(&mut t).unwrap();
    assert_eq!(trees.counters().versions, 1);
    trees.clean_versions(usize::MAX).unwrap();
    assert_eq!(trees.counters().versions, 0);
    assert!(!trees.get(&t, tree, &key(0), &mut data).unwrap());
}
