//! Trees that lose their nodes give back their pages: merges with either sibling, empty pages, empty trees. Trees and
//! space stay sound after each step, and replay makes the same pages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod tree_support;

use ese_btree::page_flags;
use ese_format::{ObjectId, PageNumber};
use ese_log::record::{MergeKind, Record};
use proptest::prelude::*;
use tree_support::{Database, Walk, key_of};

fn merges(db: &Database, kind: MergeKind) -> usize {
    db.count(|r| matches!(r, Record::Merge(m) if m.fields.kind == kind))
}

#[test]
fn all_deleted_in_several_orders() {
    for bytes in [4096_u32, 8192, 16384, 32768] {
        for order in 0..4 {
            let mut db = Database::new(bytes);
            let count = if bytes == 4096 { 3000_u32 } else { 1200 };
            let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
            let data = vec![7; bytes as usize / 60];
            for i in 0..count {
                db.writer.insert(&tree, &key_of((i * 7919) % count, 100), &data).unwrap();
            }
            db.check(&[tree]);
            for i in 0..count {
                let number = match order {
                    0 => i,
                    1 => count - 1 - i,
                    2 => (i * 7919) % count,
                    // From the middle to both ends.
                    _ if i % 2 == 0 => count / 2 + i / 2,
                    _ => count / 2 - 1 - i / 2,
                };
                db.writer.delete(&tree, &key_of(number, 100), &[]).unwrap();
                if i % 397 == 0 {
                    db.check(&[tree]);
                }
            }
            db.check(&[tree]);
            assert_eq!(db.depth(&tree), 1, "{bytes}/{order}");
            assert_eq!(db.count(|r| matches!(r, Record::EmptyTree(_))), 1, "{bytes}/{order}");
            let (empty, right, left) = (
                merges(&db, MergeKind::EMPTY_PAGE),
                merges(&db, MergeKind::FULL_RIGHT),
                merges(&db, MergeKind::FULL_LEFT),
            );
            println!("{bytes}/{order}: {empty} empty, {right} right, {left} left");
            assert!(empty + right + left > 5);
            db.writer.insert(&tree, b"again", b"x").unwrap();
            db.check(&[tree]);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u16),
    Replace(u16, u16),
    DeleteRun(u16, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        3 => (any::<u16>(), 20..300_u16).prop_map(|(a, b)| Step::Insert(a, b)),
        1 => (any::<u16>(), 1..900_u16).prop_map(|(a, b)| Step::Replace(a, b)),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(a, b)| Step::DeleteRun(a, b)),
    ];
    prop::collection::vec(one, 1..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn runs_of_deletes_among_inserts(steps in steps(), non_unique: bool, long: bool, size in 0..6_u32) {
        // Small pages oftener: more of them.
        let mut db = Database::new([4096, 4096, 4096, 8192, 16384, 32768][size as usize]);
        let flags = if non_unique { page_flags::NON_UNIQUE_KEYS | page_flags_index() } else { 0 };
        let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), flags, 1, false, None).unwrap();
        let mut model = std::collections::BTreeMap::new();
        let len = if long { 300 } else { 8 };
        for step in &steps {
            match *step {
                Step::Insert(number, size) => {
                    let (key, data) = if non_unique {
                        let mut data = number.to_be_bytes().to_vec();
                        data.resize(usize::from(size), 9);
                        (key_of(u32::from(number % 7), len), data)
                    } else {
                        (key_of(u32::from(number), len), vec![5; usize::from(size)])
                    };
                    let place = (key.clone(), if non_unique { data.clone() } else { Vec::new() });
                    if let std::collections::btree_map::Entry::Vacant(v) = model.entry(place) {
                        db.writer.insert(&tree, &key, &data).unwrap();
                        v.insert(data);
                    }
                }
                Step::Replace(start, size) if !non_unique => {
                    let from = (key_of(u32::from(start), len), Vec::new());
                    if let Some((place, data)) = model.range_mut(from..).next() {
                        *data = vec![8; usize::from(size)];
                        db.writer.replace(&tree, &place.0, data).unwrap();
                    }
                }
                Step::Replace(..) => {}
                Step::DeleteRun(start, count) => {
                    let from = (key_of(u32::from(start) % if non_unique { 7 } else { 0xFFFF }, len), Vec::new());
                    let gone: Vec<_> = model.range(from..).take(usize::from(count)).map(|(k, _)| k.clone()).collect();
                    for place in gone {
                        db.writer.delete(&tree, &place.0, &place.1).unwrap();
                        model.remove(&place);
                    }
                }
            }
        }
        let bytes = db.bytes();
        let mut walk = Walk::new(&bytes, db.size);
        prop_assert_eq!(walk.database(&[tree]), Ok(()));
        let mut walk = Walk::new(&bytes, db.size);
        let found = walk.tree(&tree, "").unwrap();
        let expected: Vec<_> = model.iter().map(|(k, d)| (k.0.clone(), d.clone())).collect();
        prop_assert_eq!(found, expected);
    }
}

const fn page_flags_index() -> u32 {
    0x40
}

/// The walk notices what it is there to notice.
#[test]
fn canaries_of_the_walk() {
    let mut db = Database::new(4096);
    let tree = db.writer.create_tree(PageNumber(1), ObjectId(7), 0, 1, false, None).unwrap();
    for i in 0..400 {
        db.writer.insert(&tree, &key_of(i, 60), &[1; 60]).unwrap();
    }
    let bytes = db.bytes();
    Walk::new(&bytes, db.size).database(&[tree]).unwrap();
    // A lost page: the tree is left out.
    assert!(Walk::new(&bytes, db.size).database(&[]).unwrap_err().contains("lost"));
    // A page used twice: the tree is counted twice.
    assert!(Walk::new(&bytes, db.size).database(&[tree, tree]).unwrap_err().contains(" and "));
    // A link that leads elsewhere.
    let mut broken = bytes.clone();
    let start = PageNumber(tree.root.0).file_offset(db.size) as usize;
    let root = ese_btree::PageImage::new(&bytes[start..start + 4096], db.size).unwrap();
    let leaf = root.node(0).unwrap().child().unwrap();
    let at = leaf.file_offset(db.size) as usize + 20;
    broken[at] ^= 1;
    assert!(Walk::new(&broken, db.size).database(&[tree]).unwrap_err().contains("links"));
}
