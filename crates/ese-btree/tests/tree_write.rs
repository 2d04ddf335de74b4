//! Trees that are changed at random hold what a model holds, in order, within sound pages; and the log records of the
//! changes make, replayed on another file, the same pages byte by byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod tree_support;

use std::collections::BTreeMap;

use ese_btree::{TreeRoot, TreeWriteError, page_flags};
use ese_format::{Extent, ObjectId, PageNumber};
use ese_log::record::{Record, SplitKind};
use proptest::prelude::*;
use tree_support::{Database, key_of};

#[test]
fn keys_in_order_in_reverse_and_shuffled_give_deep_trees() {
    for (bytes, count, data_len) in [(4096_u32, 6000_u32, 60), (8192, 3000, 300), (32768, 2000, 900)] {
        for order in 0..3 {
            let mut db = Database::new(bytes);
            let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
            for i in 0..count {
                let number = match order {
                    0 => i,
                    1 => count - 1 - i,
                    // A prime that divides none of the counts visits each number once.
                    _ => (u64::from(i) * 7919 % u64::from(count)) as u32,
                };
                db.writer.insert(&tree, &key_of(number, 120), &vec![number as u8; data_len]).unwrap();
            }
            let again = db.writer.insert(&tree, &key_of(5, 120), b"x");
            assert!(matches!(again, Err(TreeWriteError::KeyDuplicate { .. })));
            let nodes = db.nodes(&tree);
            assert_eq!(nodes.len(), count as usize);
            assert!(nodes.iter().enumerate().all(|(i, n)| n.0 == key_of(i as u32, 120)));
            let wanted = if bytes == 4096 { 3 } else { 2 };
            assert!(db.depth(&tree) >= wanted, "{bytes}/{order}: {}", db.depth(&tree));
            assert_eq!(db.writer.get(&tree, &key_of(9, 120)).unwrap(), Some(vec![9; data_len]));
        }
    }
}

#[test]
fn nodes_as_large_as_a_page() {
    let mut db = Database::new(4096);
    let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    let most = 4096 - 40 - 8;
    let too_long = db.writer.insert(&tree, b"key", &vec![1; most]);
    assert!(matches!(too_long, Err(TreeWriteError::NodeTooLong { .. })));
    // The root itself is too small for the largest node: its external header takes part of it.
    db.writer.insert(&tree, b"m", &vec![2; most - 3]).unwrap();
    // Small ones on both sides of a place, then a large one between them.
    for i in 0..40_u8 {
        db.writer.insert(&tree, &[b'a', i], &[i; 70]).unwrap();
        db.writer.insert(&tree, &[b'z', i], &[i; 70]).unwrap();
    }
    db.writer.insert(&tree, &[b'a', 10, 1], &vec![3; most - 5]).unwrap();
    db.writer.replace(&tree, &[b'z', 20], &vec![4; most - 4]).unwrap();
    assert_eq!(db.nodes(&tree).len(), 82);
    assert_eq!(db.writer.get(&tree, &[b'z', 20]).unwrap().unwrap().len(), most - 4);
}

#[test]
fn space_trees_split_as_well() {
    // Each small tree takes one page of its parent; given back in an order that leaves no neighbours, the available
    // extents become many more than a page holds.
    let mut db = Database::new(4096);
    let parent = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 3, true, None).unwrap();
    let mut taken = Vec::new();
    for _ in 0..1500 {
        taken.push(db.writer.take_extent(parent.root, 1, 1).unwrap());
    }
    let mut freed = 0_u32;
    for extent in taken.iter().step_by(2) {
        db.writer.free_extent(parent.root, *extent).unwrap();
        freed += 1;
    }
    let fields = db.writer.root_fields(parent.root).unwrap();
    let (owned, available) = fields.space.space_trees().unwrap();
    db.finish();
    let space = |root| TreeRoot::new(root, ObjectId(7), page_flags::SPACE_TREE);
    let extents = |db: &mut Database, root| -> Vec<Extent> {
        let nodes = db.nodes(&space(root));
        nodes.iter().map(|(k, d)| Extent::decode(ese_format::KeyParts::whole(k), d).unwrap()).collect()
    };
    assert!(db.depth(&space(available)) >= 2, "the available extents fit one page");
    let free = extents(&mut db, available);
    assert!(free.windows(2).all(|w| w[0].last < w[1].first()));
    assert!(free.iter().map(|e| e.page_count).sum::<u32>() >= freed);
    let own = extents(&mut db, owned);
    for extent in &free {
        assert!(own.iter().any(|o| o.contains(extent.first()) && o.contains(extent.last)));
        assert!(taken.iter().skip(1).step_by(2).all(|t| !extent.contains(t.last)), "a page used twice");
    }
    // Everything free is found again: the next thousand pages are all different and were not in use.
    let mut again: Vec<u32> =
        (0..1000).map(|_| db.writer.take_extent(parent.root, 1, 1).unwrap().last.0).collect();
    again.extend(taken.iter().skip(1).step_by(2).map(|e| e.last.0));
    again.sort_unstable();
    assert!(again.windows(2).all(|w| w[0] != w[1]));
}

#[test]
fn single_extents_hand_out_their_bits_first() {
    let mut db = Database::new(8192);
    let tree = db.writer.create_tree(PageNumber(1), ObjectId(9), 0, 4, false, None).unwrap();
    let first = db.writer.take_extent(tree.root, 1, 1).unwrap();
    let two = db.writer.take_extent(tree.root, 2, 2).unwrap();
    assert_eq!((first.last.0, two.first().0), (tree.root.0 + 1, tree.root.0 + 2));
    db.writer.free_extent(tree.root, first).unwrap();
    assert!(db.writer.root_fields(tree.root).unwrap().space.space_trees().is_none());
    let more = db.writer.take_extent(tree.root, 2, 2).unwrap();
    assert!(more.first().0 > tree.root.0 + 3);
    assert!(db.writer.root_fields(tree.root).unwrap().space.space_trees().is_some());
    // The bit that was free is an available extent now.
    assert_eq!(db.writer.take_extent(tree.root, 1, 1).unwrap(), first);
    let foreign = db.writer.free_extent(tree.root, Extent::new(PageNumber(2), 1));
    assert!(matches!(foreign, Err(TreeWriteError::Corrupt { .. })));
    db.finish();
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u8, u16),
    Replace(usize, u16),
    Delete(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![8 => 1..200_u16, 1 => 1000..1900_u16];
    let one = prop_oneof![
        6 => (any::<u16>(), 0..60_u8, len.clone()).prop_map(|(a, b, c)| Step::Insert(a, b, c)),
        2 => (any::<usize>(), len).prop_map(|(a, b)| Step::Replace(a, b)),
        3 => any::<usize>().prop_map(Step::Delete),
    ];
    prop::collection::vec(one, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn trees_follow_the_model(steps in steps(), non_unique: bool, large: bool) {
        let mut db = Database::new(if large { 16384 } else { 4096 });
        let flags = if non_unique { page_flags::NON_UNIQUE_KEYS | 0x40 } else { 0 };
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), flags, 1, false, None).unwrap();
        let mut model: BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>> = BTreeMap::new();
        for (i, step) in steps.iter().enumerate() {
            match *step {
                Step::Insert(number, len, data_len) => {
                    // Few keys in the trees that may hold equal ones.
                    let number = if non_unique { number % 5 } else { number };
                    let len = if non_unique { 6 } else { usize::from(len) };
                    let key = key_of(u32::from(number), len);
                    let mut data = vec![i as u8; usize::from(data_len.min(900))];
                    data.extend_from_slice(&(i as u32).to_le_bytes());
                    let place = (key.clone(), if non_unique { data.clone() } else { Vec::new() });
                    let done = db.writer.insert(&tree, &key, &data);
                    prop_assert_eq!(done.is_ok(), !model.contains_key(&place));
                    if done.is_ok() {
                        model.insert(place, data);
                    }
                }
                Step::Replace(at, len) if !non_unique && !model.is_empty() => {
                    let key = model.keys().nth(at % model.len()).unwrap().clone();
                    let data = vec![i as u8; usize::from(len)];
                    db.writer.replace(&tree, &key.0, &data).unwrap();
                    model.insert(key, data);
                }
                Step::Delete(at) if !model.is_empty() => {
                    let key = model.keys().nth(at % model.len()).unwrap().clone();
                    db.writer.delete(&tree, &key.0, &key.1).unwrap();
                    prop_assert!(!db.writer.contains(&tree, &key.0, &key.1).unwrap());
                    model.remove(&key);
                }
                _ => {}
            }
        }
        let expected: Vec<_> = model.iter().map(|(k, d)| (k.0.clone(), d.clone())).collect();
        prop_assert_eq!(db.nodes(&tree), expected);
    }
}

/// A page that begins with one appended node has its key as the prefix, unless the key is too short to be shortened by one:
/// the original's redo compresses the node whenever there is a prefix.
#[test]
fn appended_nodes_with_short_keys_leave_no_prefix() {
    for (key, expected) in [(&[0xC0][..], -1), (&[0xC0, 1], -1), (&[0xC0, 1, 2], 0)] {
        let mut db = Database::new(4096);
        let flags = page_flags::NON_UNIQUE_KEYS;
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), flags, 1, false, None).unwrap();
        for i in 0..2000_u32 {
            db.writer.insert(&tree, key, &i.to_be_bytes()).unwrap();
        }
        assert_eq!(db.nodes(&tree).len(), 2000);
        let log = &db.writer.store().log;
        let prefixes: Vec<i32> = log
            .iter()
            .filter_map(|bytes| match Record::decode(bytes).unwrap() {
                Record::Split(split) if split.fields.kind == SplitKind::APPEND => {
                    Some(split.fields.new_prefix_line)
                }
                _ => None,
            })
            .collect();
        assert!(prefixes.len() > 3, "{key:?}: {}", prefixes.len());
        assert!(prefixes.iter().all(|line| *line == expected), "{key:?}: {prefixes:?}");
    }
}
