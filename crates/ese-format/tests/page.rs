//! Every page in use of real and reference databases reads cleanly; each structural check turns red on a planted defect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{
    Extent, KeyParts, PageFinding, PageFlags, PageNumber, PageSize, PageView, RootFields, SearchKey,
};

/// Page size from the header page, and the pages behind the two headers.
fn pages(file: &[u8]) -> (PageSize, impl Iterator<Item = (PageNumber, &[u8])>) {
    let size = u32::from_le_bytes(file[236..240].try_into().unwrap());
    let size = PageSize::from_header_field(size).unwrap();
    let pages = file
        .chunks_exact(size.len())
        .skip(2)
        .enumerate()
        .map(|(i, page)| (PageNumber(u32::try_from(i).unwrap() + 1), page));
    (size, pages)
}

fn clean_p4k() -> Vec<u8> {
    let folder = testdata::reference("clean-p4k").unwrap();
    let database = std::fs::read_dir(folder.join("files"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "edb"))
        .unwrap();
    std::fs::read(database).unwrap()
}

fn assert_clean(name: &str, file: &[u8]) {
    let (size, pages) = pages(file);
    // Behind the last page that the database root owns anything may lie.
    let owned = PageView::parse(&file[3 * size.len()..4 * size.len()], size).unwrap();
    let last = owned.node(owned.node_count() - 1).unwrap();
    let last_page = Extent::decode(last.key(), last.data).unwrap().last.0;
    let mut nodes = 0;
    for (number, bytes) in pages.take_while(|(n, _)| n.0 <= last_page) {
        let page = PageView::parse(bytes, size).unwrap_or_else(|e| panic!("{name} page {number}: {e}"));
        if page.is_zero() || page.flags().contains(PageFlags::EMPTY) {
            continue;
        }
        assert_eq!(page.check(), [], "{name} page {number}");
        let mut before: Option<Vec<u8>> = None;
        for (line, node) in page.nodes().enumerate() {
            let node = node.unwrap();
            let key = node.key().to_vec();
            nodes += 1;
            if page.is_leaf() {
                let found = page.find(SearchKey { key: &key, data: node.data }).unwrap();
                assert_eq!(found, (line, true), "{name} page {number}");
            } else {
                let data_free = page.find_child(SearchKey::key(&key)).unwrap();
                let next = if key.is_empty() { 0 } else { (line + 1).min(page.node_count() - 1) };
                assert_eq!(
                    data_free, next,
                    "{name} page {number}: a bookmark equal to a separator goes right"
                );
            }
            if let Some(before) = before.filter(|_| !key.is_empty()) {
                assert!(before <= key, "{name} page {number} line {line}");
            }
            before = Some(key);
        }
    }
    assert!(nodes > 100, "{name} has only {nodes} nodes");
}

#[test]
fn pages_of_a_reference_database_are_sound() {
    let file = clean_p4k();
    let (size, mut pages) = pages(&file);
    let root = PageView::parse(pages.next().unwrap().1, size).unwrap();
    let fields = RootFields::decode(root.external_header()).unwrap();
    assert_eq!(fields.space.space_trees(), Some((PageNumber(2), PageNumber(3))));
    let owned = PageView::parse(pages.next().unwrap().1, size).unwrap();
    let node = owned.node(0).unwrap();
    let extent = Extent::decode(node.key(), node.data).unwrap();
    assert_eq!(extent.first(), PageNumber(1));
    assert_eq!(extent.key(), node.key().to_vec());
    assert_clean("clean-p4k", &file);
}

#[test]
fn pages_of_real_databases_are_sound() {
    for file in testdata::real_files() {
        // One copy ends in garbage. Torn and dirty files hold pages in the middle of a change, backup copies a trailer page.
        if file.kind == "database" && file.state.starts_with("clean") && !file.file.contains("copy-tail") {
            assert_clean(&file.file, &testdata::real_bytes(&file).unwrap());
        }
    }
}

/// A small page by hand: one unique leaf, prefix `abc`, three nodes.
fn hand_made() -> Vec<u8> {
    let mut page = vec![0u8; 4096];
    let mut area = Vec::new();
    let mut tags: Vec<(u16, u16)> = Vec::new();
    for (flags, body) in
        [(0u16, &b"abc"[..]), (0, &b"\x02\0aax"[..]), (4, &b"\x03\0\0\0yz"[..]), (4, &b"\x03\0\x01\0dv"[..])]
    {
        tags.push((body.len() as u16, area.len() as u16 | flags << 13));
        area.extend_from_slice(body);
    }
    page[40..40 + area.len()].copy_from_slice(&area);
    for (i, (len, offset)) in tags.iter().enumerate() {
        let at = 4096 - 4 * (i + 1);
        page[at..at + 2].copy_from_slice(&len.to_le_bytes());
        page[at + 2..at + 4].copy_from_slice(&offset.to_le_bytes());
    }
    let free = 4056 - area.len() - 16;
    page[28..30].copy_from_slice(&(free as u16).to_le_bytes());
    page[32..34].copy_from_slice(&(area.len() as u16).to_le_bytes());
    page[34..36].copy_from_slice(&(4u16 | 1 << 12).to_le_bytes());
    page[36..40].copy_from_slice(&0x2802u32.to_le_bytes());
    page
}

fn findings(change: impl FnOnce(&mut Vec<u8>)) -> Vec<PageFinding> {
    let mut page = hand_made();
    change(&mut page);
    match PageView::parse(&page, PageSize::DEFAULT) {
        Ok(view) => view.check(),
        Err(error) => vec![error.into()],
    }
}

#[test]
fn reads_a_page_made_by_hand() {
    let page = hand_made();
    let view = PageView::parse(&page, PageSize::DEFAULT).unwrap();
    let keys: Vec<Vec<u8>> = view.nodes().map(|n| n.unwrap().key().to_vec()).collect();
    assert_eq!(keys, [b"aa".to_vec(), b"abc".to_vec(), b"abcd".to_vec()]);
    assert_eq!(view.node(1).unwrap().data, b"yz");
    assert_eq!(view.find(SearchKey::key(b"abc")).unwrap(), (1, true));
    assert_eq!(view.find(SearchKey::key(b"abcc")).unwrap(), (2, false));
    assert_eq!(view.find(SearchKey::key(b"b")).unwrap(), (3, false));
    assert!(view.node(3).is_err());
    assert_eq!(view.check(), []);
    assert_eq!(view.node(2).unwrap().key(), KeyParts::whole(b"abcd"));
}

#[test]
fn every_structural_check_turns_red() {
    use PageFinding as F;
    type Defect = (&'static str, &'static [(usize, u8)], fn(&F) -> bool);
    let red: [Defect; 14] = [
        ("free bytes", &[(29, 0x70)], |f| matches!(f, F::Counter { field: "free byte count", .. })),
        ("uncommitted", &[(31, 0x70)], |f| {
            matches!(f, F::Counter { field: "uncommitted free byte count", .. })
        }),
        ("equation", &[(28, 1)], |f| matches!(f, F::SpaceEquation { .. })),
        ("end of data", &[(32, 3)], |f| matches!(f, F::BeyondUsed { .. })),
        ("repair", &[(36, 0x12)], |f| matches!(f, F::FlagCombination { .. })),
        ("leaf and parent", &[(36, 6)], |f| matches!(f, F::FlagCombination { .. })),
        ("unknown flag", &[(39, 0x80)], |f| matches!(f, F::UnknownFlags { .. })),
        ("compressed on a root", &[(36, 3)], |f| matches!(f, F::CompressedOnRoot { .. } | F::Unreadable(_))),
        ("overlap", &[(4096 - 6, 2)], |f| matches!(f, F::Overlap { .. })),
        ("tag outside", &[(4096 - 5, 0x1F), (4096 - 6, 0xF0)], |f| matches!(f, F::Unreadable(_))),
        ("empty tag", &[(4096 - 8, 0)], |f| matches!(f, F::EmptyTag { .. })),
        ("suffix too long", &[(43, 0x20)], |f| matches!(f, F::Unreadable(_))),
        ("no data", &[(43, 3)], |f| matches!(f, F::NoData { .. })),
        ("order", &[(45, b'z')], |f| matches!(f, F::Order { line: 1 })),
    ];
    for (what, changes, is_it) in red {
        let found = findings(|page| changes.iter().for_each(|&(at, value)| page[at] = value));
        assert!(found.iter().any(is_it), "{what}: {found:?}");
    }
    let duplicate = findings(|page| page[4096 - 16..4096 - 12].copy_from_slice(&[6, 0, 8, 0x80]));
    assert!(duplicate.iter().any(|f| matches!(f, F::Duplicate { line: 2 })), "{duplicate:?}");
    let none = findings(|page| page[34..36].fill(0));
    assert!(none.iter().any(|f| matches!(f, F::NoTags { .. })), "{none:?}");
    let many = findings(|page| page[34..36].copy_from_slice(&[0xFF, 0x0F]));
    assert!(many.iter().any(|f| matches!(f, F::Unreadable(_))), "{many:?}");
}

#[test]
fn no_flip_and_no_cut_makes_it_panic() {
    for large in [false, true] {
        let size = PageSize::new(if large { 16384 } else { 4096 }).unwrap();
        let mut page = hand_made();
        page.resize(size.len(), 0xA5);
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            if let Ok(view) = PageView::parse(&page, size) {
                if bit < 80 * 8 || bit % 31 == 0 {
                    let _ = view.check();
                }
                let _ = view.find(SearchKey::key(b"abc"));
                let _ = view.find_child(SearchKey { key: b"abc", data: b"x" });
            }
            page[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(PageView::parse(&page[1..], size).is_err());
    }
}
