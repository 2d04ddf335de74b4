//! Space goes round: trees take pages from one another and give them back, wholly free extents return to where they came
//! from, trees that are given up leave nothing behind. And a log cut anywhere replays to sound trees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod tree_support;

use std::sync::Arc;

use ese_btree::{Redo, RedoDatabase, TreeRoot, page_flags};
use ese_format::{LogPosition, ObjectId, PageNumber};
use ese_log::record::{FreedTreeKind, Record, TransactionTime};
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
