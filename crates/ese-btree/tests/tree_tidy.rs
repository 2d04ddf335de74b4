//! Going through trees to make them smaller: full and partial merges to either side. Trees and space stay sound after each
//! step, replay makes the same pages, and nothing is left to be gained afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod tree_support;

use ese_btree::{PageImage, TidyWay, TreeRoot, page_flags};
use ese_format::{ObjectId, PageNumber};
use ese_log::record::{MergeFlags, MergeKind, Record};
use proptest::prelude::*;
use tree_support::{Database, Walk, key_of};

const WAYS: [TidyWay; 3] =
    [TidyWay::FromTheEnd { partial: true }, TidyWay::FromTheEnd { partial: false }, TidyWay::FromTheBegin];

fn merges(db: &Database, kind: MergeKind) -> usize {
    db.count(|r| matches!(r, Record::Merge(m) if m.fields.kind == kind))
}

/// Goes through a whole tree once; how many leaves were looked at.
fn tidy(db: &mut Database, tree: &TreeRoot, way: TidyWay) -> usize {
    let mut at = db.writer.first_to_tidy(tree, way).unwrap();
    let mut leaves = 0;
    while let Some(mark) = at {
        at = db.writer.tidy_leaf(tree, &mark, way).unwrap();
        leaves += 1;
    }
    leaves
}

/// Free bytes of the leaves, from the first to the last.
fn free_of_leaves(db: &mut Database, tree: &TreeRoot) -> Vec<usize> {
    let bytes = db.bytes();
    let size = db.size;
    let page = |number: PageNumber| {
        let start = number.file_offset(size) as usize;
        PageImage::new(&bytes[start..start + size.len()], size).unwrap()
    };
    let mut number = tree.root;
    while !page(number).has(page_flags::LEAF) {
        number = page(number).node(0).unwrap().child().unwrap();
    }
    let mut free = Vec::new();
    while !number.is_none() {
        free.push(page(number).free());
        number = page(number).next();
    }
    free
}

/// A tree whose leaves are about 55 percent full, none of them less than half.
fn loose_tree(bytes: u32, count: u32, density: u32) -> (Database, TreeRoot) {
    let mut db = Database::new(bytes);
    let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    let tree = tree.with_density(density);
    let data = vec![7; bytes as usize / 60];
    for i in 0..count {
        db.writer.insert(&tree, &key_of(i, 20), &data).unwrap();
    }
    for i in 0..count {
        if i % 20 < 9 && i % 2 == 0 || i % 20 == 13 {
            db.writer.delete(&tree, &key_of(i, 20), &[]).unwrap();
        }
    }
    db.check(&[tree]);
    (db, tree)
}

#[test]
fn leaves_are_filled_up_to_the_density() {
    for bytes in [4096_u32, 8192, 32768] {
        for (way, density) in [(WAYS[0], 80), (WAYS[0], 100), (WAYS[2], 80), (WAYS[2], 100)] {
            let (mut db, tree) = loose_tree(bytes, 4000, density);
            let nodes = db.nodes(&tree);
            let before = free_of_leaves(&mut db, &tree);
            let looked_at = tidy(&mut db, &tree, way);
            assert_eq!(looked_at, before.len(), "{bytes}/{way:?}: every leaf");
            db.check(&[tree]);
            assert_eq!(db.nodes(&tree), nodes, "{bytes}/{way:?}");
            let after = free_of_leaves(&mut db, &tree);
            let kind = if way == WAYS[2] { MergeKind::PARTIAL_LEFT } else { MergeKind::PARTIAL_RIGHT };
            assert!(merges(&db, kind) > before.len() / 8, "{bytes}/{way:?}");
            // A partial merge frees no page.
            let freeing = |r: &Record<'_>| {
                matches!(r, Record::Merge(m) if m.fields.kind == kind
                    && m.fields.flags.contains(MergeFlags::EMPTY_PAGE))
            };
            assert_eq!(db.count(freeing), 0);
            // No page but those at the ends of their parents has room for one more node than the density keeps free.
            let kept = (100 - density as usize) * bytes as usize / 100;
            let node = bytes as usize / 60 + 40;
            let loose = after.iter().filter(|free| **free > kept + node).count();
            println!(
                "{bytes}/{density}/{way:?}: {} leaves, then {}, {loose} loose",
                before.len(),
                after.len()
            );
            assert!(loose <= 1 + after.len() / 20, "{bytes}/{density}/{way:?}: {loose} of {}", after.len());
            assert!(after.iter().filter(|free| **free < kept).count() <= before.len() / 20);
            // Nothing more is to be gained.
            let merged = db.count(|r| matches!(r, Record::Merge(_)));
            tidy(&mut db, &tree, way);
            let more = db.count(|r| matches!(r, Record::Merge(_))) - merged;
            assert!(more <= 2 + after.len() / 20, "{bytes}/{density}/{way:?}: {more} more");
        }
    }
}

#[test]
fn without_partial_merges_there_are_none() {
    let (mut db, tree) = loose_tree(4096, 3000, 80);
    tidy(&mut db, &tree, WAYS[1]);
    db.check(&[tree]);
    assert_eq!(merges(&db, MergeKind::PARTIAL_RIGHT) + merges(&db, MergeKind::PARTIAL_LEFT), 0);
    tidy(&mut db, &tree, WAYS[0]);
    assert!(merges(&db, MergeKind::PARTIAL_RIGHT) > 0);
}

/// Keys in order whose separators are long and share little.
fn clumsy_key(number: u32, len: usize) -> Vec<u8> {
    let group = number / 7;
    let mut key = (group as u16).to_be_bytes().to_vec();
    let mut state = group.wrapping_mul(0x9E37_79B9) | 1;
    while key.len() < len {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
        key.push((state >> 16) as u8);
    }
    key.extend_from_slice(&number.to_be_bytes());
    key
}

#[test]
fn separators_above_the_parents_move_too() {
    for way in [WAYS[0], WAYS[2]] {
        let mut db = Database::new(4096);
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
        for i in 0..2500_u32 {
            // In no order, so that branch pages are split in the middle.
            db.writer.insert(&tree, &clumsy_key(i * 1777 % 2500, 160), &[1; 60]).unwrap();
        }
        for i in (0..2500_u32).filter(|i| i % 5 < 2) {
            db.writer.delete(&tree, &clumsy_key(i, 160), &[]).unwrap();
        }
        let nodes = db.nodes(&tree);
        assert!(db.depth(&tree) >= 3);
        tidy(&mut db, &tree, way);
        db.check(&[tree]);
        assert_eq!(db.nodes(&tree), nodes);
        // The record of a partial merge to the right that is the last of its parent tells two branch pages.
        let mut levels = 0;
        let mut most = 0;
        for record in &db.writer.store().log {
            match Record::decode(record).unwrap() {
                Record::MacroBegin(_) => levels = 0,
                Record::Merge(m) if m.fields.flags.contains(MergeFlags::KEY_CHANGE) => levels += 1,
                Record::Merge(m) if m.fields.kind == MergeKind::PARTIAL_RIGHT => most = most.max(levels),
                _ => {}
            }
        }
        assert_eq!(most, if way == WAYS[0] { 2 } else { 0 });
    }
}

#[test]
fn one_page_is_left_alone() {
    let mut db = Database::new(4096);
    let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    for way in WAYS {
        assert_eq!(db.writer.first_to_tidy(&tree, way).unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Separators of every length, deep trees, keys with and without data behind them.
    #[test]
    fn random_trees_stay_sound(
        numbers in prop::collection::vec((any::<u16>(), 1..400_u16), 50..500),
        gone in prop::collection::vec(any::<bool>(), 500),
        non_unique: bool,
        key_len in prop::sample::select(vec![2_usize, 40, 200]),
        density in prop::sample::select(vec![100_u32, 80, 50]),
        ways in prop::collection::vec(0..3_usize, 1..4),
        size in prop::sample::select(vec![4096_u32, 4096, 8192, 32768]),
    ) {
        let mut db = Database::new(size);
        let flags = if non_unique { page_flags::NON_UNIQUE_KEYS | 0x40 } else { 0 };
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), flags, 1, false, None).unwrap();
        let tree = tree.with_density(density);
        let mut nodes = std::collections::BTreeMap::new();
        for &(number, len) in &numbers {
            let len = usize::from(len);
            let (key, data) = if non_unique {
                let mut data = number.to_be_bytes().to_vec();
                data.resize(2 + len, 9);
                (key_of(u32::from(number % 5), key_len), data)
            } else {
                (key_of(u32::from(number), key_len), vec![4; len])
            };
            let data_of_bookmark = if non_unique { data.clone() } else { Vec::new() };
            if nodes.insert((key.clone(), data_of_bookmark), data.clone()).is_none() {
                db.writer.insert(&tree, &key, &data).unwrap();
            } else if !non_unique {
                db.writer.replace(&tree, &key, &data).unwrap();
            }
        }
        let places: Vec<_> = nodes.keys().cloned().collect();
        for (place, _) in places.iter().zip(&gone).filter(|(_, gone)| **gone) {
            db.writer.delete(&tree, &place.0, &place.1).unwrap();
            nodes.remove(place);
        }
        let expected: Vec<_> = nodes.iter().map(|((k, _), d)| (k.clone(), d.clone())).collect();
        for way in ways {
            tidy(&mut db, &tree, WAYS[way]);
            let bytes = db.bytes();
            prop_assert_eq!(Walk::new(&bytes, db.size).database(&[tree]), Ok(()));
            prop_assert_eq!(Walk::new(&bytes, db.size).tree(&tree, "").unwrap(), expected.clone());
        }
    }
}
