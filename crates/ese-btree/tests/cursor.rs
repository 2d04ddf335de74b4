//! Walks every data tree that the catalog of a reference database names, both ways, and finds every node again by its
//! key; hostile links end in errors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Cursor, FilePageSource, Found, PageSource, Tree, TreeProblem};
use ese_format::{PageNumber, PageSize, PageView, SearchKey, write_page_checksum};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

fn database(case: &str) -> (PageSize, Vec<u8>) {
    let path = testdata::reference(case).unwrap().join("files/db.edb");
    let bytes = std::fs::read(path).unwrap();
    let size = PageSize::from_header_field(u32::from_le_bytes(bytes[236..240].try_into().unwrap())).unwrap();
    (size, bytes)
}

fn source(size: PageSize, bytes: &[u8]) -> FilePageSource {
    let storage = MemoryStorage::default();
    let file = storage.open(Path::new("/db.edb"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.write_at(0, bytes).unwrap();
    let last = PageNumber(u32::try_from(bytes.len() / size.len() - 2).unwrap());
    FilePageSource::new(Arc::clone(&file), size, last, 64 * 1024)
}

fn walk<'t, S: PageSource>(
    cursor: &mut Cursor<'t, S>,
    step: fn(&mut Cursor<'t, S>) -> Result<bool, ese_btree::TreeError>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut nodes = Vec::new();
    while step(cursor).unwrap() {
        let node = cursor.node().unwrap().unwrap();
        nodes.push((node.key().to_vec(), node.data.to_vec()));
    }
    nodes
}

#[test]
fn every_tree_reads_the_same_both_ways_and_by_key() {
    let (size, bytes) = database("clean-p4k");
    let source = source(size, &bytes);
    let catalog = Tree::open(&source, PageNumber(4)).unwrap();
    let mut roots = vec![PageNumber(4), PageNumber(24)];
    for (_, record) in walk(&mut catalog.cursor(), Cursor::move_next) {
        // Rows of tables, indexes and long values name their root page.
        if matches!(record[8], 1 | 3 | 4) {
            roots.push(PageNumber(u32::from_le_bytes(record[14..18].try_into().unwrap())));
        }
    }
    let mut most = 0;
    for root in roots {
        let tree = Tree::open(&source, root).unwrap();
        let forward = walk(&mut tree.cursor(), Cursor::move_next);
        let mut back = walk(&mut tree.cursor(), Cursor::move_previous);
        back.reverse();
        assert_eq!(forward, back, "tree {root}");
        let mut cursor = tree.cursor();
        for (i, (key, data)) in forward.iter().enumerate() {
            assert_eq!(cursor.seek(SearchKey { key, data }).unwrap(), Found::Equal, "tree {root} node {i}");
            if tree.is_non_unique() {
                // Separators reach into the data there: a key that continues another is no legal search.
                continue;
            }
            let behind = [key.as_slice(), &[0]].concat();
            let found = cursor.seek(SearchKey::key(&behind)).unwrap();
            match forward.iter().find(|(k, _)| *k >= behind) {
                None => assert_eq!(found, Found::End),
                Some(next) => {
                    let node = cursor.node().unwrap().unwrap();
                    assert_eq!(
                        (node.key().to_vec(), node.data.to_vec()),
                        *next,
                        "tree {root} behind node {i}"
                    );
                }
            }
        }
        most = most.max(forward.len());
    }
    assert!(most > 100);
}

/// Changes one page and gives it a right checksum again.
fn with_page(size: PageSize, bytes: &[u8], page: PageNumber, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = usize::try_from(page.file_offset(size)).unwrap();
    let page_bytes = &mut bytes[at..at + size.len()];
    change(page_bytes);
    write_page_checksum(page_bytes, page).unwrap();
    bytes
}

#[test]
fn hostile_links_end_in_errors() {
    let (size, bytes) = database("clean-p4k");
    let clean = source(size, &bytes);
    let catalog = Tree::open(&clean, PageNumber(4)).unwrap();
    let mut cursor = catalog.cursor();
    cursor.move_first().unwrap();
    let (first, _) = cursor.position().unwrap();
    cursor.move_last().unwrap();
    let (last, _) = cursor.position().unwrap();
    assert_ne!(first, last, "the catalog has several leaves");
    // The last leaf leads back to the first, which claims to follow it: a circle.
    let circle = with_page(size, &bytes, last, |p| p[20..24].copy_from_slice(&first.0.to_le_bytes()));
    let circle = with_page(size, &circle, first, |p| p[16..20].copy_from_slice(&last.0.to_le_bytes()));
    let problem = |bytes: &[u8]| {
        let source = source(size, bytes);
        let tree = match Tree::open(&source, PageNumber(4)) {
            Ok(tree) => tree,
            Err(error) => return *error.problem,
        };
        let mut cursor = tree.cursor();
        loop {
            match cursor.move_next() {
                Ok(true) => {}
                Ok(false) => panic!("nothing wrong"),
                Err(error) => return *error.problem,
            }
        }
    };
    assert!(matches!(problem(&circle), TreeProblem::Endless));
    let broken = with_page(size, &bytes, last, |p| p[16..20].fill(0));
    assert!(matches!(problem(&broken), TreeProblem::SiblingLink { .. }));
    let foreign = with_page(size, &bytes, last, |p| p[24] ^= 1);
    assert!(matches!(problem(&foreign), TreeProblem::ObjectId { .. }));
    let outside =
        with_page(size, &bytes, first, |p| p[20..24].copy_from_slice(&0x00FF_FFFFu32.to_le_bytes()));
    assert!(matches!(problem(&outside), TreeProblem::OutOfRange { .. }));
    // The root's first child is the root itself.
    let root = with_page(size, &bytes, PageNumber(4), |p| {
        let base = p.as_ptr() as usize;
        let at = PageView::parse(p, size).unwrap().node(0).unwrap().data.as_ptr() as usize - base;
        p[at..at + 4].copy_from_slice(&4u32.to_le_bytes());
    });
    assert!(matches!(problem(&root), TreeProblem::Flags { .. }));
    let mut damaged = bytes.clone();
    let at = usize::try_from(last.file_offset(size)).unwrap() + 100;
    damaged[at] ^= 0xFF;
    assert!(matches!(problem(&damaged), TreeProblem::Damaged(_)));
    damaged[at] ^= 0xFE;
    let source = source(size, &damaged);
    let tree = Tree::open(&source, PageNumber(4)).unwrap();
    let mut cursor = tree.cursor();
    assert_eq!(
        walk(&mut cursor, Cursor::move_next).len(),
        walk(&mut catalog.cursor(), Cursor::move_next).len()
    );
    assert_eq!(source.corrected_pages(), 1, "one flipped bit is corrected in memory");
}
