//! Space goes round: trees take pages from one another and give them back, wholly free extents return to where they came
//! from, trees that are given up leave nothing behind. And a log cut anywhere replays to sound trees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod tree_support;

use std::sync::Arc;

use ese_btree::{
    PageImage, Redo, RedoDatabase, RedoError, TreeRoot, make_before_image, page_flags, restore_before_image,
};
use ese_format::{DbTime, LogPosition, ObjectId, PageNumber, PageSize};
use ese_log::record::{BeforeImage, FreedTreeKind, Merge, Record, Split, TransactionTime};
use tree_support::{Database, SLOT, Walk, file, key_of};

const INDEX: u32 = 0x40;
const LONG_VALUES: u32 = 0x80;

fn fill(db: &mut Database, tree: &TreeRoot, count: u32, size: usize) {
    for i in 0..count {
        db.writer.insert(tree, &key_of(i * 7919 % count, 40), &vec![tree.object.0 as u8; size]).unwrap();
    }
}

#[test]
fn trees_given_up_leave_their_space_to_others() {
    for bytes in [4096, 8192, 16384, 32768] {
        let mut db = Database::new(bytes);
        let object = |n| ObjectId(n);
        let mut again = Vec::new();
        for round in 0..3 {
            let table = db.writer.create_tree(PageNumber(1), object(7), 0, 1, false, None).unwrap();
            let big = db.writer.create_tree(PageNumber(1), object(8), 0, 20, true, Some(4)).unwrap();
            let index = db.writer.create_tree(table.root, object(9), INDEX, 1, false, None).unwrap();
            let long = db.writer.create_tree(table.root, object(10), LONG_VALUES, 1, false, None).unwrap();
            let trees = [table, big, index, long];
            for (tree, size) in trees.iter().zip([60, 400, 20, 900]) {
                fill(&mut db, tree, 500, size);
            }
            db.check(&trees);
            // The table's own trees first, as when an index is deleted; then the tables.
            let order = [
                (index, FreedTreeKind::INDEX),
                (long, FreedTreeKind::UNKNOWN),
                (table, FreedTreeKind::TABLE),
                (big, FreedTreeKind::TABLE),
            ];
            for (done, (tree, kind)) in order.iter().enumerate() {
                db.writer.free_tree(tree.root, *kind, TransactionTime(8)).unwrap();
                let left: Vec<TreeRoot> = order[done + 1..].iter().map(|(tree, _)| *tree).collect();
                db.check(&left);
            }
            let len = db.bytes().len();
            again.push(len);
            assert_eq!(db.count(|r| matches!(r, Record::FreeFdp(_))), 4 * (round + 1));
        }
        // What was given back is used again: the file does not grow any more.
        assert_eq!(again[1], again[2], "{bytes}: {again:?}");
        assert!(db.writer.free_tree(PageNumber(1), FreedTreeKind::TABLE, TransactionTime(8)).is_err());
    }
}

#[test]
fn a_table_with_everything_inside_goes_at_once() {
    let mut db = Database::new(4096);
    let table = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    let index = db
        .writer
        .create_tree(table.root, ObjectId(9), INDEX | page_flags::NON_UNIQUE_KEYS, 1, false, None)
        .unwrap();
    fill(&mut db, &table, 2000, 100);
    fill(&mut db, &index, 2000, 30);
    db.check(&[table, index]);
    // Its pages hold the index, which is gone with it.
    db.writer.free_tree(table.root, FreedTreeKind::TABLE, TransactionTime(8)).unwrap();
    db.check(&[]);
}

#[test]
fn extents_that_are_wholly_free_return_to_the_parent() {
    let mut db = Database::new(4096);
    let table = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    fill(&mut db, &table, 3000, 200);
    let owned = |db: &mut Database| -> u32 {
        let fields = db.writer.root_fields(table.root).unwrap();
        let (owned, _) = fields.space.space_trees().unwrap();
        let tree = TreeRoot::new(owned, ObjectId(7), page_flags::SPACE_TREE);
        let bytes = db.bytes();
        let nodes = Walk::new(&bytes, db.size).tree(&tree, "").unwrap();
        nodes.iter().map(|(_, data)| u32::from_le_bytes(data[..].try_into().unwrap())).sum()
    };
    let full = owned(&mut db);
    for i in 0..3000 {
        db.writer.delete(&table, &key_of(i, 40), &[]).unwrap();
    }
    db.check(&[table]);
    let empty = owned(&mut db);
    assert!(empty * 4 < full, "{empty} of {full} pages stay");
}

/// Replays the first `count` records on an empty file.
fn replay(log: &[Vec<u8>], count: usize, db: &Database) -> Vec<u8> {
    let file = file("/c");
    let mut redo = Redo::new(db.size, 8 << 20);
    redo.attach(SLOT, RedoDatabase::default(), Some(Arc::clone(&file))).unwrap();
    for (index, record) in log[..count].iter().enumerate() {
        let position = LogPosition::new(1, (index / 4000 + 1) as u16, (index % 4000 + 1) as u16);
        redo.apply(record, position).unwrap();
    }
    redo.cache().flush(SLOT).unwrap();
    let mut all = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut all).unwrap();
    all
}

#[test]
fn a_log_cut_after_any_record_replays_to_sound_trees() {
    let mut db = Database::new(4096);
    let table = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    let index = db.writer.create_tree(table.root, ObjectId(9), INDEX, 1, false, None).unwrap();
    let created = db.writer.store().log.len();
    for tree in [&table, &index] {
        fill(&mut db, tree, 60, 700);
    }
    for i in (5..60).chain(0..5) {
        db.writer.delete(&table, &key_of(i, 40), &[]).unwrap();
    }
    let log = std::mem::take(&mut db.writer.store_mut().log);
    assert!(log.len() > 400);
    for count in created..=log.len() {
        let bytes = replay(&log, count, &db);
        let mut walk = Walk::new(&bytes, db.size);
        // Pages may be lost on the way, never used twice.
        match walk.database(&[table, index]) {
            Ok(()) => {}
            Err(error) if error.contains("lost") => {}
            Err(error) => panic!("after {count} records: {error}"),
        }
    }
    // A canary: with one record of a split left out, replay fails or the trees are broken.
    let split = log.iter().position(|r| matches!(Record::decode(r), Ok(Record::Split(_)))).unwrap();
    let mut holed = log.clone();
    holed.remove(split);
    let outcome = std::panic::catch_unwind(|| {
        let bytes = replay(&holed, holed.len(), &db_of(4096));
        Walk::new(&bytes, ese_format::PageSize::new(4096).unwrap()).database(&[table, index]).unwrap();
    });
    assert!(outcome.is_err());
}

fn db_of(bytes: u32) -> Database {
    Database::new(bytes)
}

/// A file as a crash may leave it: each page as it was at one of several times, whatever the others are.
fn mixed(states: &[Vec<u8>], page_len: usize, choice: &mut impl FnMut() -> usize) -> Vec<u8> {
    let last = states.last().unwrap();
    let mut out = vec![0; last.len()];
    for (index, page) in out.chunks_mut(page_len).enumerate() {
        let state = &states[choice() % states.len()];
        if let Some(bytes) = state.get(index * page_len..(index + 1) * page_len) {
            page.copy_from_slice(bytes);
        }
    }
    out
}

#[test]
fn pages_of_different_times_meet_again_by_replay() {
    for (seed, bytes) in [(1_u64, 4096_u32), (2, 4096), (3, 8192), (4, 16384), (5, 32768)] {
        let mut db = Database::new(bytes);
        let mut random = seed;
        let mut next = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize
        };
        let mut states = vec![Vec::new()];
        let table = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
        let flags = INDEX | page_flags::NON_UNIQUE_KEYS;
        let index = db.writer.create_tree(table.root, ObjectId(9), flags, 1, false, None).unwrap();
        let mut keys: Vec<u32> = Vec::new();
        let long = bytes as usize / 20;
        for round in 0..1800 {
            if next() % 5 < if round < 900 { 4 } else { 2 } {
                let key = next() as u32;
                if keys.contains(&key) {
                    continue;
                }
                keys.push(key);
                db.writer.insert(&table, &key_of(key, 90), &vec![1; next() % long + 1]).unwrap();
                db.writer.insert(&index, &key_of(key % 9, 4), &key.to_be_bytes().repeat(8)).unwrap();
            } else if !keys.is_empty() {
                let key = keys.swap_remove(next() % keys.len());
                db.writer.delete(&table, &key_of(key, 90), &[]).unwrap();
                db.writer.delete(&index, &key_of(key % 9, 4), &key.to_be_bytes().repeat(8)).unwrap();
            }
            if let Some(key) = keys.first() {
                db.writer.replace(&table, &key_of(*key, 90), &vec![2; next() % long + 1]).unwrap();
            }
            if next() % 200 == 0 {
                states.push(db.bytes());
            }
        }
        db.check(&[table, index]);
        let done = db.bytes();
        states.push(done.clone());
        let log = std::mem::take(&mut db.writer.store_mut().log);
        let mut falsified = 0;
        for _ in 0..6 {
            let mix = mixed(&states, db.size.len(), &mut next);
            let found = replay_on(&log, &mix, db.size).unwrap();
            assert_eq!(difference(&done, &found, db.size), None, "seed {seed}");
            // The canary: images that are not what the pages were are found out, where they are needed.
            let outcome = replay_on(&falsify(&log, db.size), &mix, db.size);
            falsified +=
                u32::from(outcome.map_or(true, |found| difference(&done, &found, db.size).is_some()));
        }
        assert!(falsified > 0, "seed {seed}: no before-image was needed");
    }
}

fn replay_on(log: &[Vec<u8>], start: &[u8], size: PageSize) -> Result<Vec<u8>, RedoError> {
    let file = file("/m");
    file.write_at(0, start).unwrap();
    let mut redo = Redo::new(size, 8 << 20);
    let database = RedoDatabase { future_data: true, ..RedoDatabase::default() };
    redo.attach(SLOT, database, Some(Arc::clone(&file))).unwrap();
    for (index, record) in log.iter().enumerate() {
        let position = LogPosition::new(1, (index / 4000 + 1) as u16, (index % 4000 + 1) as u16);
        redo.apply(record, position)?;
    }
    redo.check_maps(SLOT)?;
    redo.cache().flush(SLOT).unwrap();
    let mut all = vec![0; start.len()];
    file.read_exact_at(0, &mut all).unwrap();
    Ok(all)
}

fn difference(a: &[u8], b: &[u8], size: PageSize) -> Option<String> {
    let mut pages = a.chunks(size.len()).zip(b.chunks(size.len())).enumerate().skip(2);
    pages.find_map(|(n, (a, b))| {
        ese_btree::compare_pages(Some(a), Some(b), size).map(|d| format!("page {}: {d}", n - 1))
    })
}

/// The records with before-images whose last node lost a bit.
fn falsify(log: &[Vec<u8>], size: PageSize) -> Vec<Vec<u8>> {
    let other = |image: BeforeImage<'_>| {
        let mut page = Vec::new();
        restore_before_image(&image, size, &mut page).unwrap();
        let mut image = PageImage::new(&mut page[..], size).unwrap();
        let line = image.line_count() - 1;
        let data = image.node(line).unwrap().data.iter().map(|b| b ^ 4).collect::<Vec<_>>();
        image.overwrite_data(line, 0, &data).unwrap();
        make_before_image(&page, size, true).unwrap()
    };
    let encode = |record: &Record<'_>| {
        let mut bytes = Vec::new();
        record.encode(&mut bytes).unwrap();
        bytes
    };
    log.iter()
        .map(|bytes| match Record::decode(bytes).unwrap() {
            Record::Split(split) if split.image.is_some_and(|i| !i.bytes.is_empty()) => {
                let image = other(split.image.unwrap());
                encode(&Record::Split(Split { image: Some(image.as_part()), ..split }))
            }
            Record::Merge(merge) if merge.image.is_some_and(|i| !i.bytes.is_empty()) => {
                let image = other(merge.image.unwrap());
                encode(&Record::Merge(Merge { image: Some(image.as_part()), ..merge }))
            }
            _ => bytes.clone(),
        })
        .collect()
}

/// While the engine replays the creation of a database its own counter rises with each new page; a page whose value is not
/// below that of the split would be taken for one that has the split already.
#[test]
fn the_counter_leaves_room_for_the_engines_own() {
    let mut db = Database::new(4096);
    let first = db.writer.store().log.iter().find_map(|r| match Record::decode(r) {
        Ok(Record::CreateMultipleExtentFdp(r)) => Some(r.page.db_time.0),
        _ => None,
    });
    assert_eq!(first, Some(73), "as in every database that the engine creates");
    let table = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    fill(&mut db, &table, 600, 100);
    let (mut before, mut splits) = (0, 0);
    for bytes in &db.writer.store().log {
        match Record::decode(bytes).unwrap() {
            Record::MacroBegin(r) => {
                assert!(r.db_time.0 > before + 2, "a split at {} after {before}", r.db_time);
                splits += 1;
            }
            Record::Insert(r) if r.node.page.db_time_before != DbTime::NIL => before = r.node.page.db_time.0,
            Record::Replace(r) => before = r.node.page.db_time.0,
            Record::SetExternalHeader(r) => before = r.node.page.db_time.0,
            Record::NewPage(r) => before = r.db_time.0,
            _ => {}
        }
    }
    assert!(splits > 10);
}

/// Trees whose extents were said to grow: by half, by steps, and between limits.
#[test]
fn extents_grow_as_was_said() {
    use ese_btree::ExtentGrowth;
    let page = 4096;
    let none = ExtentGrowth::default();
    for (growth, expected) in [
        (none, vec![4]),
        (ExtentGrowth { percent: 300, ..none }, vec![4, 16, 48, 144, 432]),
        (ExtentGrowth { least_bytes: 32 * page, most_bytes: 32 * page, ..none }, vec![32]),
        (ExtentGrowth { percent: 200, least_bytes: 20 * page, most_bytes: 80 * page }, vec![20, 40, 80]),
    ] {
        let mut db = Database::new(page);
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
        let tree = tree.with_growth(growth);
        let mut sizes = Vec::new();
        for i in 0..4000 {
            db.writer.insert(&tree, &key_of(i, 40), &[3; 600]).unwrap();
            let fields = db.writer.root_fields(tree.root).unwrap();
            if fields.space.flags.contains(ese_format::SpaceHeaderFlags::GROWTH_MEMORY)
                && sizes.last() != Some(&fields.space.page_count)
            {
                sizes.push(fields.space.page_count);
            }
        }
        db.check(&[tree]);
        assert_eq!(sizes.get(..expected.len()), Some(&expected[..]), "{growth:?}: {sizes:?}");
        let mut from = sizes.iter().skip(expected.len());
        assert!(growth.most_bytes == 0 || from.all(|pages| pages * page <= growth.most_bytes), "{sizes:?}");
    }
}
