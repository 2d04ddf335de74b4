//! Deep verification finds nothing in clean databases of the original engine and of real systems, agrees with the
//! engine's own integrity check on damaged ones, and turns red on each planted defect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_format::{PageNumber, PageSize, PageView, RecordView, SearchKey, write_page_checksum};
use ese_instance::{
    ColumnContent, DatabaseReader, DeepFinding, DeepSummary, DirtyPolicy, FindingSeverity, ReaderError,
    RowLayout, TableDefinition, deep_verify,
};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

fn reader(bytes: &[u8]) -> Result<DatabaseReader, ReaderError> {
    let storage = MemoryStorage::default();
    let file = storage.open(Path::new("/db.edb"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.write_at(0, bytes).unwrap();
    DatabaseReader::from_file(file, DirtyPolicy::ReadAsItIs)
}

fn verify(bytes: &[u8]) -> Result<(DeepSummary, Vec<DeepFinding>), ReaderError> {
    let mut findings = Vec::new();
    let summary = deep_verify(&reader(bytes)?, &|| false, &mut |finding| findings.push(finding))?;
    Ok((summary, findings))
}

fn assert_clean(name: &str, bytes: &[u8]) {
    let (summary, findings) = verify(bytes).unwrap();
    let bad: Vec<_> = findings.iter().filter(|f| f.severity > FindingSeverity::Information).collect();
    assert!(bad.is_empty(), "{name}: {bad:?}");
    assert!(summary.tables >= 3 && summary.rows > 30, "{name}: {summary:?}");
}

fn database(case: &str) -> Vec<u8> {
    std::fs::read(testdata::reference(case).unwrap().join("files/db.edb")).unwrap()
}

#[test]
fn clean_databases_of_the_engine_are_clean() {
    let all = std::env::var_os("ESE_TEST_ALL").is_some();
    let choice = [
        "clean-p4k",
        "clean-p8k",
        "clean-p16k",
        "clean-p32k",
        "clean-p8k-efv8020",
        "dirty-exit-p8k",
        "backup-atomic-p4k",
        "rare-ddl-crash-p16k",
        "rare-comp-crash-p8k",
        "rare-trim-crash-p8k",
        "rare-long-crash-p8k",
        "rare-escrow-p32k",
        "rare-multi-p4k",
    ];
    let mut seen = 0;
    for case in testdata::reference_cases() {
        if !all && !choice.contains(&case.as_str()) {
            continue;
        }
        let Some(folder) = testdata::reference(&case) else { continue };
        for sub in ["files", "recovered", "restored_0", "restored_1", "restored_2"] {
            let Ok(entries) = std::fs::read_dir(folder.join(sub)) else { continue };
            for path in entries.map(|e| e.unwrap().path()) {
                if path.extension().is_none_or(|e| e != "edb") {
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                // State 3 is "clean".
                if bytes[52] == 3 {
                    assert_clean(&path.display().to_string(), &bytes);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 3);
}

#[test]
fn clean_databases_of_real_systems_are_clean() {
    for file in testdata::real_files() {
        if file.kind == "database" && file.state.starts_with("clean") {
            assert_clean(&file.file, &testdata::real_bytes(&file).unwrap());
        }
    }
}

/// `(kind, file pages or flipped (offset, bit) pairs, engine's verdict)` of a verdict file, read without a JSON library.
fn mutations(text: &str) -> Vec<(String, Vec<usize>, bool)> {
    let numbers = |text: &str| -> Vec<usize> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
    };
    let mut found = Vec::new();
    for part in text.split("\"kind\":").skip(1) {
        let kind = part.split('"').nth(1).unwrap().to_owned();
        let place = part.split("\"where\":").nth(1).unwrap().split("\"k_rc\"").next().unwrap();
        let places = if kind.starts_with("flip") {
            let flips = place.split("\"offset\":").skip(1);
            flips.flat_map(|f| [numbers(f)[0], numbers(f.split("\"bit\":").nth(1).unwrap())[0]]).collect()
        } else {
            numbers(place)
        };
        let verdict = part.split("\"g_rc\":").nth(1).unwrap();
        found.push((kind, places, verdict.trim_start().starts_with('0')));
    }
    found
}

#[test]
fn agrees_with_the_engines_integrity_check_on_damaged_files() {
    for size in [4usize, 8, 32] {
        if size != 4 && std::env::var_os("ESE_TEST_ALL").is_none() {
            continue;
        }
        let Some(folder) = testdata::reference(&format!("bitflips-p{size}k")) else { continue };
        let page = size * 1024;
        let clean = database(&format!("clean-p{size}k"));
        let text = std::fs::read_to_string(folder.join("verdicts.json")).unwrap();
        let mutations = mutations(&text);
        assert!(mutations.len() > 100);
        for (kind, places, engine_accepts) in mutations {
            let mut bytes = clean.clone();
            let original = |place: usize| &clean[place * page..][..page];
            match kind.as_str() {
                "zero-page" => bytes[places[0] * page..][..page].fill(0),
                "torn-half-zero" => bytes[places[0] * page..][page / 2..page].fill(0),
                "swap-pages" => {
                    bytes[places[0] * page..][..page].copy_from_slice(original(places[1]));
                    bytes[places[1] * page..][..page].copy_from_slice(original(places[0]));
                }
                "copy-page" => bytes[places[1] * page..][..page].copy_from_slice(original(places[0])),
                _ => places.chunks(2).for_each(|flip| bytes[flip[0]] ^= 1 << flip[1]),
            }
            let ours = verify(&bytes).is_ok_and(|(summary, _)| summary.errors == 0);
            assert_eq!(ours, engine_accepts, "{size} KiB pages, {kind} at {places:?}");
        }
    }
}

/// A database to plant defects in.
struct Bed {
    bytes: Vec<u8>,
    size: PageSize,
}

impl Bed {
    fn new(case: &str) -> Self {
        let bytes = database(case);
        let size = u32::from_le_bytes(bytes[236..240].try_into().unwrap());
        Self { bytes, size: PageSize::from_header_field(size).unwrap() }
    }

    fn table(&self, name: &str) -> TableDefinition {
        reader(&self.bytes).unwrap().table(name).unwrap()
    }

    /// The names of everything that is found after `change` was made to a page, whose checksum is right again.
    fn found(&self, page: PageNumber, change: impl FnOnce(&mut [u8])) -> Vec<&'static str> {
        let mut bytes = self.bytes.clone();
        let at = usize::try_from(page.file_offset(self.size)).unwrap();
        let target = &mut bytes[at..at + self.size.len()];
        change(target);
        assert_ne!(target, &self.bytes[at..at + self.size.len()], "the defect changes nothing");
        write_page_checksum(target, page).unwrap();
        match verify(&bytes) {
            Ok((_, findings)) => findings.iter().map(|f| f.problem.name()).collect(),
            Err(_) => vec!["unreadable"],
        }
    }

    fn page(&self, page: PageNumber) -> &[u8] {
        &self.bytes[usize::try_from(page.file_offset(self.size)).unwrap()..][..self.size.len()]
    }

    fn view(&self, page: PageNumber) -> PageView<'_> {
        PageView::parse(self.page(page), self.size).unwrap()
    }

    /// The leftmost leaf below a root.
    fn leaf(&self, root: PageNumber) -> PageNumber {
        let mut page = root;
        while !self.view(page).is_leaf() {
            page = self.view(page).node(0).unwrap().child().unwrap();
        }
        page
    }

    /// Where a part of a node begins in its page.
    fn offset(&self, page: PageNumber, part: &[u8]) -> usize {
        part.as_ptr() as usize - self.page(page).as_ptr() as usize
    }

    fn live(&self, page: PageNumber) -> ese_format::Node<'_> {
        self.view(page).nodes().flatten().find(|n| !n.is_deleted()).unwrap()
    }
}

fn assert_red(found: &[&str], wanted: &[&str]) {
    assert!(wanted.iter().any(|w| found.contains(w)), "wanted one of {wanted:?}, found {found:?}");
}

#[test]
fn defects_of_pages_and_trees_turn_red() {
    let bed = Bed::new("clean-p4k");
    let churn = bed.table("churn");
    let leaf = bed.leaf(churn.root);
    assert_ne!(leaf, churn.root);
    assert_red(&bed.found(leaf, |p| p[24] ^= 1), &["page_object"]);
    assert_red(&bed.found(leaf, |p| p[36] |= 0x40), &["page_flags"]);
    assert_red(&bed.found(leaf, |p| p[36] |= 0x10), &["page_structure"]);
    assert_red(&bed.found(leaf, |p| p[16] ^= 1), &["sibling"]);
    assert_red(&bed.found(leaf, |p| p[20] ^= 1), &["sibling"]);
    assert_red(&bed.found(leaf, |p| p[13] = 0x70), &["db_time"]);
    assert_red(&bed.found(leaf, |p| p[28] ^= 1), &["page_structure"]);
    // The last node of the first leaf moves beyond the first separator.
    let last = bed.view(leaf).node(bed.view(leaf).node_count() - 1).unwrap();
    let at = bed.offset(leaf, last.suffix);
    assert_red(&bed.found(leaf, |p| p[at] = 0xFE), &["separator"]);
    // The parent's separator moves before its child's nodes.
    let node = bed.view(churn.root).node(0).unwrap();
    let at = bed.offset(churn.root, node.suffix) + 1;
    assert_red(&bed.found(churn.root, |p| p[at] = 0), &["separator"]);
    let at = bed.offset(churn.root, node.data);
    let used_twice = bed.view(churn.root).node(1).unwrap().child().unwrap();
    let twice = bed.found(churn.root, |p| p[at..at + 4].copy_from_slice(&used_twice.0.to_le_bytes()));
    assert_red(&twice, &["two_uses"]);
    let outside = bed.found(churn.root, |p| p[at..at + 4].copy_from_slice(&0x00F0_0000u32.to_le_bytes()));
    assert_red(&outside, &["tree"]);
    let fields = bed.view(churn.root).external_header();
    // A lone space header, or one behind the mask byte: the parent's number stands at 4 or 5.
    let parent = bed.offset(churn.root, fields) + if fields.len() == 16 { 4 } else { 5 };
    assert_red(&bed.found(churn.root, |p| p[parent] ^= 2), &["space_header"]);
}

#[test]
fn defects_of_space_turn_red() {
    let bed = Bed::new("clean-p4k");
    let node = bed.live(PageNumber(3));
    let at = bed.offset(PageNumber(3), node.data);
    // One page more than there is: its front reaches into a tree. One page less: it is leaked.
    assert_red(&bed.found(PageNumber(3), |p| p[at] += 1), &["two_uses", "extent_place"]);
    assert_eq!(bed.found(PageNumber(3), |p| p[at] -= 1), ["leaked"]);
    let node = bed.live(PageNumber(2));
    let at = bed.offset(PageNumber(2), node.data);
    assert_red(&bed.found(PageNumber(2), |p| p[at] -= 1), &["space_header", "extent_place"]);
    let buffer = bed.offset(PageNumber(3), bed.view(PageNumber(3)).external_header());
    let reserve = |p: &mut [u8]| p[buffer..buffer + 8].copy_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
    assert_red(&bed.found(PageNumber(3), reserve), &["two_uses"]);
}

#[test]
fn defects_of_the_catalog_turn_red() {
    let bed = Bed::new("clean-p4k");
    // A column's name in the catalog differs from the index and the shadow; the shadow alone differs.
    let leaf = bed.leaf(PageNumber(4));
    let node = bed.live(leaf);
    let at = bed.offset(leaf, node.data) + node.data.len() - 1;
    let found = bed.found(leaf, |p| p[at] ^= 0x01);
    assert_red(&found, &["index_entries"]);
    assert_red(&found, &["shadow"]);
    let shadow = bed.leaf(PageNumber(24));
    let node = bed.live(shadow);
    let at = bed.offset(shadow, node.data) + node.data.len() - 1;
    assert_eq!(bed.found(shadow, |p| p[at] ^= 0x01), ["shadow"]);
    let names = bed.leaf(PageNumber(7));
    let node = bed.live(names);
    let at = bed.offset(names, node.suffix) + node.suffix.len() - 2;
    let found = bed.found(names, |p| p[at] ^= 0x01);
    assert_red(&found, &["stale_entry"]);
    assert_red(&found, &["missing_entry"]);
}

#[test]
fn defects_of_rows_indexes_and_long_values_turn_red() {
    let bed = Bed::new("clean-p4k");
    let types = bed.table("types");
    let leaf = bed.leaf(types.root);
    let node = bed.live(leaf);
    let at = bed.offset(leaf, node.data);
    // The record's key column, its end of the fixed columns, its last variable column.
    assert_red(&bed.found(leaf, |p| p[at + 4] ^= 0x10), &["primary_key"]);
    assert_red(&bed.found(leaf, |p| p[at + 2] ^= 0x01), &["column", "record"]);
    assert_red(&bed.found(leaf, |p| p[at + 1] = 3), &["record"]);
    // An index's bookmark names no row.
    let index = types.indexes.iter().find(|i| i.name == "x_guid").unwrap();
    let entries = bed.leaf(index.root);
    let entry = bed.live(entries);
    let at = bed.offset(entries, entry.data) + entry.data.len() - 1;
    let found = bed.found(entries, |p| p[at] ^= 0x40);
    assert_red(&found, &["stale_entry"]);
    assert_red(&found, &["missing_entry"]);
    // An index of Unicode text: bookmark and sort key.
    let index = types.indexes.iter().find(|i| i.name == "x_utxt_desc").unwrap();
    let entries = bed.leaf(index.root);
    let entry = bed.live(entries);
    let at = bed.offset(entries, entry.data) + entry.data.len() - 1;
    assert_red(&bed.found(entries, |p| p[at] ^= 0x40), &["index_entries"]);
    let at = bed.offset(entries, entry.suffix) + entry.suffix.len() - 1;
    let found = bed.found(entries, |p| p[at] ^= 0x01);
    assert_red(&found, &["stale_entry"]);
    assert_red(&found, &["missing_entry"]);
    // Long values: references, size, a chunk's place.
    let lv = bed.table("lv");
    let values = bed.leaf(lv.long_values.unwrap().root);
    let view = bed.view(values);
    let is_root = |n: &ese_format::Node<'_>| n.data.len() <= 9 && !n.is_deleted();
    let (line, root) = view.nodes().flatten().enumerate().find(|(_, n)| is_root(n)).unwrap();
    let at = bed.offset(values, root.data);
    assert_red(&bed.found(values, |p| p[at] += 1), &["references"]);
    assert_red(&bed.found(values, |p| p[at + 6] ^= 1), &["long_value"]);
    let chunk = view.node(line + 1).unwrap();
    let at = bed.offset(values, chunk.suffix) + chunk.suffix.len() - 1;
    assert_red(&bed.found(values, |p| p[at] ^= 1), &["long_value"]);
    assert!(view.find(SearchKey::key(&root.key().to_vec())).unwrap().1);
}

#[test]
fn cut_databases_are_errors() {
    let clean = database("clean-p4k");
    let owned = {
        let reader = reader(&clean).unwrap();
        usize::try_from(ese_btree::PageSource::last_page(reader.source()).0).unwrap()
    };
    for pages in [0, 1, 2, 3, 4, 5, 7, 30, 100, owned / 2, owned + 1] {
        for more in [0, 1, 4095] {
            let cut = &clean[..pages * 4096 + more];
            let good = verify(cut).is_ok_and(|(summary, _)| summary.errors == 0);
            assert!(!good, "a file cut to {pages} pages and {more} bytes passes");
        }
    }
    assert!(verify(&clean[..(owned + 2) * 4096]).unwrap().0.errors == 0, "what lies behind is not needed");
}

#[test]
fn indexes_whose_sort_keys_are_not_known_are_compared_by_bookmarks() {
    let bed = Bed::new("clean-p4k");
    let types = bed.table("types");
    let index = types.indexes.iter().find(|i| i.name == "x_utxt_desc").unwrap();
    assert_eq!(verify(&bed.bytes).unwrap().0.indexes_by_bookmark, 0);

    // A text with a character that has no known weight: conjoining Jamo.
    let (place, _) = types.column_of(&index.segments[0]).unwrap();
    let layout = RowLayout::new(&types);
    let leaf = bed.leaf(types.root);
    let view = bed.view(leaf);
    let text = |node: &ese_format::Node<'_>| {
        let record = RecordView::parse(node.data, bed.size).ok()?;
        match layout.content(&record, place) {
            Ok(Some(ColumnContent::Value(text))) if !text.is_empty() => Some(bed.offset(leaf, text)),
            _ => None,
        }
    };
    let at = view.nodes().flatten().filter(|n| !n.is_deleted()).find_map(|n| text(&n)).unwrap();
    assert_eq!(bed.found(leaf, |p| p[at..at + 2].copy_from_slice(&[0, 0x11])), [""; 0]);
    // With a letter instead, keys are compared.
    assert_red(&bed.found(leaf, |p| p[at..at + 2].copy_from_slice(b"\xE9\0")), &["stale_entry"]);

    // Another version of the sorting tables, in each row of the catalog that has one: only the shadow says otherwise.
    let mut page = bed.leaf(PageNumber(4));
    let version = [5, 3, 6, 0, 5, 3, 6, 0];
    let of = |page: &[u8]| page.windows(8).position(|w| w == version);
    while of(bed.page(page)).is_none() {
        page = bed.view(page).header().next;
    }
    let at = of(bed.page(page)).unwrap();
    assert_eq!(bed.found(page, |p| p[at..at + 8].copy_from_slice(&[8, 4, 6, 0, 8, 4, 6, 0])), ["shadow"]);
}
