//! Walks through live trees: read ahead, among the changes of others, with little room, and rows that arrive in order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ese_btree::live::{LiveSettings, LiveTrees, SeekHow, Spot};
use ese_format::JetError;
use ese_io::{CountingStorage, File, OpenMode, OpenOptions, Operation, Storage};
use ese_log::record::SessionId;
use live_support::{Random, SLOT, World, bytes_of, file_of, new_file};

/// A scan of leaves that lie in order in the file reads them in few calls, and the same nodes; also when a page among them
/// is damaged: that is reported where it is reached.
#[test]
fn scans_read_ahead() {
    let (storage, file) = new_file("/scan");
    let world = World::on(Arc::clone(&file), 4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut t = trees.open_session(SessionId(8));
    trees.begin(&mut t, false).unwrap();
    for row in 0..20_000_u32 {
        trees.insert(&mut t, tree, &row.to_be_bytes(), &row.to_le_bytes().repeat(10)).unwrap();
    }
    trees.commit(&mut t).unwrap();
    let facts = trees.detach(SLOT).unwrap();
    let scan = |file: Arc<dyn File>| {
        let trees = LiveTrees::new(LiveSettings::new(world.size), None);
        trees.attach(SLOT, file, facts.clone()).unwrap();
        let t = trees.open_session(SessionId(1));
        let mut spot = Spot::new();
        let mut count = 0_u32;
        let mut more = trees.seek(&t, tree, &[], &[], SeekHow::First, &mut spot);
        while more.as_ref().is_ok_and(|more| *more) {
            assert_eq!(spot.key, count.to_be_bytes());
            count += 1;
            more = trees.next(&t, tree, &mut spot);
        }
        (count, more)
    };
    let counting = CountingStorage::new(storage);
    let counted = counting.open(Path::new("/scan"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    let (count, end) = scan(counted);
    assert_eq!((count, end.unwrap()), (20_000, false));
    let reads = counting.counts().of(Operation::Read).calls;
    assert!(reads < 60, "{reads} reads");
    // A leaf somewhere in the middle.
    let mut bytes = bytes_of(&*file);
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle + 200..middle + 400].fill(0x55);
    let (count, end) = scan(file_of(&bytes));
    assert!((1000..20_000).contains(&count), "{count}");
    assert_eq!(end.unwrap_err().jet_error(), JetError::READ_VERIFY_FAILURE);
}

/// A cursor that goes to and fro in its transaction's view, while others insert, replace, delete and clean up around it: pages
/// split, merge and are used again under its copies. Its own changes it sees at once.
#[test]
fn moves_among_changes_of_others() {
    let world = World::new(4096, 1 << 20, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let mut random = Random(0xC0B1);
    let mut committed: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut writer = trees.open_session(SessionId(10));
    let mut reader = trees.open_session(SessionId(11));
    let mut spot = Spot::new();
    for round in 0..60_u64 {
        trees.begin(&mut reader, round % 3 != 0).unwrap();
        let mut view = committed.clone();
        let mut here: Option<Vec<u8>> = None;
        for step in 0..400 {
            if step % 40 == 0 {
                trees.begin(&mut writer, false).unwrap();
                let heavy = random.below(3);
                for _ in 0..random.below(80) {
                    let key = (random.below(600) as u32).to_be_bytes().to_vec();
                    let data = vec![random.below(256) as u8; 20 + random.below(60) as usize];
                    let known = committed.contains_key(&key);
                    if !known {
                        trees.insert(&mut writer, tree, &key, &data).unwrap();
                        committed.insert(key, data);
                    } else if random.below(3) < heavy {
                        trees.delete(&mut writer, tree, &key, &[]).unwrap();
                        committed.remove(&key);
                    } else {
                        trees.replace(&mut writer, tree, &key, &data).unwrap();
                        committed.insert(key, data);
                    }
                }
                trees.commit(&mut writer).unwrap();
                trees.clean_versions(usize::MAX).unwrap();
            }
            if round % 3 == 0
                && step > 125
                && step % 25 == 7
                && let Some(here) = &here
            {
                // Right beside the cursor, where nobody else changes anything.
                let key = [&here[..], &[7]].concat();
                if view.insert(key.clone(), b"own".to_vec()).is_none() {
                    trees.insert(&mut reader, tree, &key, b"own").unwrap();
                }
            }
            let (found, expected) = match &here {
                Some(key) if random.below(5) > 0 => {
                    // Runs in one direction.
                    let forwards = step / 60 % 2 == 0;
                    if forwards {
                        let above = (std::ops::Bound::Excluded(key.clone()), std::ops::Bound::Unbounded);
                        (trees.next(&reader, tree, &mut spot).unwrap(), view.range(above).next())
                    } else {
                        let below = view.range(..key.clone()).next_back();
                        (trees.previous(&reader, tree, &mut spot).unwrap(), below)
                    }
                }
                Some(key) if random.below(4) > 0 => {
                    assert!(trees.refresh(&reader, tree, &mut spot).unwrap());
                    (true, view.get_key_value(key))
                }
                _ => {
                    let key = (random.below(600) as u32).to_be_bytes().to_vec();
                    let found = trees.seek(&reader, tree, &key, &[], SeekHow::AtLeast, &mut spot).unwrap();
                    (found, view.range(key..).next())
                }
            };
            assert_eq!(
                found.then_some((&spot.key[..], spot.data())),
                expected.map(|(key, data)| (&key[..], &data[..])),
                "round {round}, step {step}"
            );
            here = found.then(|| spot.key.clone());
        }
        trees.rollback(&mut reader).unwrap();
    }
}

/// Two scans, one each way, and point reads between them, with room for a few pages only: every page is found, wherever it
/// went since a cursor, a root or a branch page knew its buffer.
#[test]
fn scans_and_reads_with_little_room() {
    const ROWS: u32 = 10_000;
    let world = World::new(4096, 0, 0);
    let (trees, tree) = (&world.trees, &world.tree);
    let key = |row: u32| (3 * row).to_be_bytes();
    let data = |row: u32| row.to_le_bytes().repeat(15);
    let mut t = trees.open_session(SessionId(8));
    trees.begin(&mut t, false).unwrap();
    for row in 0..ROWS {
        trees.insert(&mut t, tree, &key(row), &data(row)).unwrap();
    }
    trees.commit(&mut t).unwrap();
    assert!(trees.counters().pages_cached <= 64, "the tree has more pages than there is room for");
    let mut random = Random(0x5CA9);
    let [mut up, mut down, mut point] = [Spot::new(), Spot::new(), Spot::new()];
    trees.begin(&mut t, true).unwrap();
    assert!(trees.seek(&t, tree, &[], &[], SeekHow::First, &mut up).unwrap());
    assert!(trees.seek(&t, tree, &[], &[], SeekHow::Last, &mut down).unwrap());
    let before = trees.counters().pages_read;
    for row in 0..ROWS {
        assert_eq!((&up.key[..], up.data()), (&key(row)[..], &data(row)[..]));
        let other = ROWS - 1 - row;
        assert_eq!((&down.key[..], down.data()), (&key(other)[..], &data(other)[..]));
        let wanted = random.below(u64::from(ROWS)) as u32;
        // There is no key between two of them.
        for (sought, how) in [(3 * wanted, SeekHow::AtLeast), (3 * wanted + 1, SeekHow::AtMost)] {
            assert!(trees.seek(&t, tree, &sought.to_be_bytes(), &[], how, &mut point).unwrap());
            assert_eq!((&point.key[..], point.data()), (&key(wanted)[..], &data(wanted)[..]));
        }
        let last = row == ROWS - 1;
        assert_eq!(trees.next(&t, tree, &mut up).unwrap(), !last);
        assert_eq!(trees.previous(&t, tree, &mut down).unwrap(), !last);
    }
    assert!(trees.counters().pages_read > before + 1000, "pages come and go");
    trees.rollback(&mut t).unwrap();
}

/// Runs of keys in order that begin anywhere among others, each cut by keys of elsewhere and by deletions: the place behind the
/// last node of a leaf is taken only for what belongs there, and rarely looked for.
#[test]
fn runs_in_order_among_other_keys() {
    for cache in [0, 4 << 20] {
        let world = World::new(4096, cache, 0);
        let (trees, tree) = (&world.trees, &world.tree);
        let mut random = Random(0x0DE2);
        let mut expected = BTreeSet::new();
        let mut t = trees.open_session(SessionId(8));
        let (mut inserted, mut descents) = (0, 0);
        for run in 0..60_u32 {
            trees.begin(&mut t, false).unwrap();
            let start = random.below(1 << 20) as u32 * 4096;
            let before = (expected.len(), trees.counters().descents);
            for step in 0..300 {
                let key = start + step * (1 + run % 9);
                if expected.insert(key) {
                    trees.insert(&mut t, tree, &key.to_be_bytes(), &[7; 60]).unwrap();
                }
            }
            inserted += expected.len() - before.0;
            descents += trees.counters().descents - before.1;
            for _ in 0..random.below(20) {
                let key = random.below(1 << 32) as u32;
                if expected.insert(key) {
                    trees.insert(&mut t, tree, &key.to_be_bytes(), &[7; 60]).unwrap();
                }
            }
            for key in expected.iter().copied().step_by(5).collect::<Vec<_>>() {
                if random.below(6) == 0 {
                    trees.delete(&mut t, tree, &key.to_be_bytes(), &[]).unwrap();
                    expected.remove(&key);
                }
            }
            trees.commit(&mut t).unwrap();
            trees.clean_versions(usize::MAX).unwrap();
        }
        assert!(descents < inserted as u64 / 4, "{descents} descents for {inserted} rows");
        trees.begin(&mut t, true).unwrap();
        let (mut spot, mut found) = (Spot::new(), Vec::new());
        let mut more = trees.seek(&t, tree, &[], &[], SeekHow::First, &mut spot).unwrap();
        while more {
            found.push(u32::from_be_bytes(spot.key[..].try_into().unwrap()));
            more = trees.next(&t, tree, &mut spot).unwrap();
        }
        assert_eq!(found, expected.iter().copied().collect::<Vec<_>>());
        for key in &expected {
            assert!(trees.seek(&t, tree, &key.to_be_bytes(), &[], SeekHow::AtLeast, &mut spot).unwrap());
            assert_eq!(spot.key[..], key.to_be_bytes());
        }
        trees.rollback(&mut t).unwrap();
    }
}
