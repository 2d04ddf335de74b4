//! A database whose changes are logged and replayed on a second file, and walks that prove trees and space sound.
#![allow(dead_code, unreachable_pub, clippy::type_complexity, clippy::too_many_arguments)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ese_btree::{
    CachedPages, FilePageSource, PageChange, PageImage, PageStore, RecordContext, Redo, RedoDatabase,
    SpaceNote, Tree, TreeRoot, TreeWriteError, TreeWriter, page_flags, record_extension,
};
use ese_format::{
    DbTime, Extent, KeyParts, LogPosition, ObjectId, OwnedSpace, PageNumber, PageSize, PageView, RootFields,
    SearchKey, SplitBuffer,
};
use ese_io::{File, MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::RecordBatch;
use ese_log::record::{
    BeginLevels, BeginOutermost, DatabaseSlot, PageRecordFlags, Record, SessionId, TransactionTime,
};

pub fn file(name: &str) -> Arc<dyn File> {
    let storage = MemoryStorage::default();
    storage.open(Path::new(name), OpenOptions::new(OpenMode::CreateNew)).unwrap()
}

/// Changes a database, and replays the log records of each change on a second one.
pub struct Replayed {
    pub pages: CachedPages,
    pub redo: Redo,
    position: LogPosition,
    batch: RecordBatch,
    /// Every record, in order.
    pub log: Vec<Vec<u8>>,
}

pub const SLOT: DatabaseSlot = DatabaseSlot(1);
const CONTEXT: RecordContext = RecordContext {
    session: SessionId(5),
    slot: SLOT,
    transaction: TransactionTime(4),
    level: 1,
    flags: PageRecordFlags::empty(),
};

impl Replayed {
    fn replay(&mut self) {
        for record in self.batch.records() {
            self.position.byte += 1;
            if self.position.byte == 4096 {
                self.position = LogPosition::new(1, self.position.sector + 1, 0);
            }
            self.redo.apply(record, self.position).unwrap();
            self.log.push(record.to_vec());
        }
        self.batch.clear();
    }
}

impl PageStore for Replayed {
    fn page_size(&self) -> PageSize {
        self.pages.page_size()
    }
    fn begin(&mut self) {
        self.pages.begin();
    }
    fn page(&mut self, number: PageNumber) -> Result<PageImage<&[u8]>, TreeWriteError> {
        self.pages.page(number)
    }
    fn page_mut(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError> {
        self.pages.page_mut(number)
    }
    fn new_page(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError> {
        self.pages.new_page(number)
    }
    fn extend(&mut self, last: PageNumber) -> Result<(), TreeWriteError> {
        record_extension(SLOT, last, &mut self.batch).unwrap();
        self.replay();
        self.pages.extend(last)
    }
    fn note(&mut self, note: &SpaceNote) -> Result<(), TreeWriteError> {
        note.record(SLOT, self.pages.time(), &mut self.batch).unwrap();
        self.replay();
        Ok(())
    }
    fn next_time(&mut self) -> DbTime {
        self.pages.next_time()
    }
    fn record(
        &mut self,
        tree: &TreeRoot,
        change: &PageChange<'_>,
        time: DbTime,
    ) -> Result<(), TreeWriteError> {
        let mut batch = std::mem::take(&mut self.batch);
        change.record(self, tree, time, &CONTEXT, &mut batch)?;
        self.batch = batch;
        self.replay();
        Ok(())
    }
}

pub struct Database {
    pub writer: TreeWriter<Replayed>,
    pub files: [Arc<dyn File>; 2],
    pub size: PageSize,
}

impl Database {
    pub fn new(bytes: u32) -> Self {
        let size = PageSize::new(bytes).unwrap();
        let files = [file("/a"), file("/b")];
        // The smallest cache: pages come and go.
        let pages = CachedPages::new(Arc::clone(&files[0]), size, 0, DbTime::START).unwrap();
        let mut redo = Redo::new(size, 1 << 20);
        redo.attach(SLOT, RedoDatabase::default(), Some(Arc::clone(&files[1]))).unwrap();
        let begin = BeginOutermost {
            session: CONTEXT.session,
            levels: BeginLevels::new(0, 1),
            transaction: CONTEXT.transaction,
        };
        let batch = RecordBatch::of(&Record::Begin0(begin)).unwrap();
        let mut store = Replayed { pages, redo, position: LogPosition::new(1, 1, 0), batch, log: Vec::new() };
        store.replay();
        let mut writer = TreeWriter::new(store);
        writer.create_database_root(40).unwrap();
        Self { writer, files, size }
    }

    /// Everything written; both files the same.
    pub fn finish(&mut self) {
        self.writer.store_mut().pages.flush().unwrap();
        self.writer.store_mut().redo.cache().flush(SLOT).unwrap();
        let bytes = |f: &Arc<dyn File>| {
            let mut all = vec![0; usize::try_from(f.len().unwrap()).unwrap()];
            f.read_exact_at(0, &mut all).unwrap();
            all
        };
        let (done, redone) = (bytes(&self.files[0]), bytes(&self.files[1]));
        assert_eq!(done.len(), redone.len());
        let mut pages = done.chunks(self.size.len()).zip(redone.chunks(self.size.len()));
        if let Some(index) = pages.position(|(a, b)| a != b) {
            panic!("file page {index} is another one after replay");
        }
    }

    /// The live nodes by the reading cursor, forwards; checks every leaf on the way and the way back.
    pub fn nodes(&mut self, tree: &TreeRoot) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.finish();
        let last = PageNumber((self.files[0].len().unwrap() / u64::from(self.size.bytes()) - 2) as u32);
        let source = FilePageSource::new(Arc::clone(&self.files[0]), self.size, last, 1 << 20);
        let opened = Tree::open_object(&source, tree.root, tree.object).unwrap();
        let mut cursor = opened.cursor();
        let mut nodes = Vec::new();
        while cursor.move_next().unwrap() {
            let node = cursor.node().unwrap().unwrap();
            nodes.push((node.key().to_vec(), node.data.to_vec()));
        }
        for (key, data) in nodes.iter().step_by(7) {
            let wanted = SearchKey { key, data: if tree.flags & 0x400 != 0 { data } else { &[] } };
            assert_eq!(cursor.seek(wanted).unwrap(), ese_btree::Found::Equal);
        }
        let mut page = vec![0; self.size.len()];
        for number in 1..=last.0 {
            let offset = PageNumber(number).file_offset(self.size);
            self.files[0].read_exact_at(offset, &mut page).unwrap();
            if page.iter().any(|&b| b != 0) {
                let view = PageView::parse(&page, self.size).unwrap();
                let findings = view.check();
                assert!(findings.iter().all(|f| f.is_tolerated()), "page {number}: {findings:?}");
            }
        }
        nodes
    }

    pub fn depth(&self, tree: &TreeRoot) -> usize {
        let mut page = vec![0; self.size.len()];
        let (mut number, mut depth) = (tree.root, 1);
        loop {
            self.files[0].read_exact_at(number.file_offset(self.size), &mut page).unwrap();
            let view = PageView::parse(&page, self.size).unwrap();
            if view.is_leaf() {
                return depth;
            }
            depth += 1;
            number = PageNumber(u32::from_le_bytes(view.node(0).unwrap().data.try_into().unwrap()));
        }
    }
}

pub fn key_of(number: u32, len: usize) -> Vec<u8> {
    // A long common beginning and an uncommon end, so that prefixes and separators matter.
    let mut key = vec![b'k'; len];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The pages of a database file, and what each is used for.
pub struct Walk<'a> {
    bytes: &'a [u8],
    size: PageSize,
    uses: BTreeMap<u32, String>,
}

impl<'a> Walk<'a> {
    pub fn new(bytes: &'a [u8], size: PageSize) -> Self {
        Self { bytes, size, uses: BTreeMap::new() }
    }

    fn page(&self, number: PageNumber) -> Result<PageImage<&'a [u8]>, String> {
        let start = number.file_offset(self.size) as usize;
        let bytes =
            self.bytes.get(start..start + self.size.len()).ok_or(format!("page {number} beyond the end"))?;
        PageImage::new(bytes, self.size).map_err(|e| e.to_string())
    }

    fn use_page(&mut self, number: u32, what: &str) -> Result<(), String> {
        match self.uses.insert(number, what.to_owned()) {
            None => Ok(()),
            Some(other) => Err(format!("page {number} is {other} and {what}")),
        }
    }

    /// Every page below the database root is used for one thing, and every tree is sound. `trees`: the others.
    pub fn database(&mut self, trees: &[TreeRoot]) -> Result<(), String> {
        let root = TreeRoot::new(PageNumber(1), ObjectId(1), 0);
        let mut owned = Vec::new();
        for tree in std::iter::once(&root).chain(trees) {
            self.tree(tree, &format!("of tree {}", tree.root))?;
            let extents = self.space(tree)?;
            if tree.root.0 == 1 {
                owned = extents;
            }
        }
        for extent in owned {
            for page in extent.range() {
                if self.uses.remove(&page).is_none() {
                    return Err(format!("page {page} is lost"));
                }
            }
        }
        match self.uses.first_key_value() {
            None => Ok(()),
            Some((page, what)) => Err(format!("page {page} is {what} and not owned")),
        }
    }

    /// Space trees, bitmap, split buffers; returns the extents that the tree owns.
    fn space(&mut self, tree: &TreeRoot) -> Result<Vec<Extent>, String> {
        let fields =
            RootFields::decode(self.page(tree.root)?.external_header()).map_err(|e| e.to_string())?;
        let name = format!("available to tree {}", tree.root);
        match fields.space.space {
            OwnedSpace::SingleExtent { available } => {
                let count = fields.space.page_count;
                for bit in 0..count - 1 {
                    if bit >= 32 || available >> bit & 1 != 0 {
                        self.use_page(tree.root.0 + 1 + bit, &name)?;
                    }
                }
                Ok(vec![Extent::new(PageNumber(tree.root.0 + count - 1), count)])
            }
            OwnedSpace::MultipleExtents { owned } => {
                let mut both = Vec::new();
                for root in [owned, PageNumber(owned.0 + 1)] {
                    let space = TreeRoot::new(root, tree.object, tree.flags | page_flags::SPACE_TREE);
                    let nodes = self.tree(&space, &format!("a space page of tree {}", tree.root))?;
                    let extents: Vec<Extent> =
                        nodes.iter().map(|(k, d)| Extent::decode(KeyParts::whole(k), d).unwrap()).collect();
                    if !extents.windows(2).all(|w| w[0].last < w[1].first() || w[1].page_count == 0) {
                        return Err(format!("extents of {root} overlap"));
                    }
                    let buffer = SplitBuffer::decode(self.page(root)?.external_header()).unwrap();
                    for page in buffer.reserves.iter().filter(|r| r.page_count > 0).flat_map(Extent::range) {
                        self.use_page(page, "in a split buffer")?;
                    }
                    both.push(extents);
                }
                for extent in &both[1] {
                    if !both[0].iter().any(|o| o.contains(extent.first()) && o.contains(extent.last)) {
                        return Err(format!("{extent:?} is available and in no owned extent"));
                    }
                    for page in extent.range() {
                        self.use_page(page, &name)?;
                    }
                }
                Ok(both.swap_remove(0))
            }
        }
    }

    /// A tree: separators, links, flags, order. Returns the live nodes.
    pub fn tree(&mut self, tree: &TreeRoot, what: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, String> {
        let mut leaves = Vec::new();
        let mut nodes = Vec::new();
        let depth = self.subtree(tree, tree.root, &[], &[], what, &mut leaves, &mut nodes)?;
        let _ = depth;
        for (index, leaf) in leaves.iter().enumerate() {
            let image = self.page(*leaf)?;
            let left = index.checked_sub(1).map_or(PageNumber::NONE, |i| leaves[i]);
            let right = leaves.get(index + 1).copied().unwrap_or(PageNumber::NONE);
            if (image.previous(), image.next()) != (left, right) {
                return Err(format!("links of leaf {leaf}"));
            }
        }
        let space = tree.flags & page_flags::SPACE_TREE != 0;
        let unique = space || tree.flags & page_flags::NON_UNIQUE_KEYS == 0;
        let ordered = nodes.windows(2).all(|w: &[(Vec<u8>, Vec<u8>, bool)]| {
            if unique { w[0].0 < w[1].0 } else { (&w[0].0, &w[0].1) < (&w[1].0, &w[1].1) }
        });
        if !ordered {
            return Err(format!("nodes of {} out of order", tree.root));
        }
        Ok(nodes.into_iter().filter(|n| !n.2).map(|(k, d, _)| (k, d)).collect())
    }

    fn subtree(
        &mut self,
        tree: &TreeRoot,
        number: PageNumber,
        low: &[u8],
        high: &[u8],
        what: &str,
        leaves: &mut Vec<PageNumber>,
        nodes: &mut Vec<(Vec<u8>, Vec<u8>, bool)>,
    ) -> Result<usize, String> {
        self.use_page(number.0, what)?;
        let image = self.page(number)?;
        let view = PageView::parse(image.bytes(), self.size).map_err(|e| format!("page {number}: {e}"))?;
        if let Some(finding) = view.check().iter().find(|f| !f.is_tolerated()) {
            return Err(format!("page {number}: {finding:?}"));
        }
        let is_root = number == tree.root;
        if image.object() != tree.object
            || image.has(page_flags::ROOT) != is_root
            || image.has(page_flags::EMPTY)
        {
            return Err(format!("page {number} does not belong to the tree"));
        }
        let count = image.line_count();
        if count == 0 && !is_root {
            return Err(format!("page {number} is empty"));
        }
        if image.has(page_flags::LEAF) {
            for line in 0..count {
                let node = image.node(line).unwrap();
                let bookmark = match image.has_unique_keys() {
                    true => node.key(),
                    false => [node.key(), node.data.to_vec()].concat(),
                };
                if &bookmark[..] < low || !high.is_empty() && &bookmark[..] >= high {
                    return Err(format!("page {number}: node {line} outside the separators"));
                }
                nodes.push((node.key(), node.data.to_vec(), node.is_deleted()));
            }
            leaves.push(number);
            return Ok(1);
        }
        let mut low = low.to_vec();
        let mut depth = None;
        for line in 0..count {
            let node = image.node(line).unwrap();
            let key = node.key();
            let last = line + 1 == count;
            if last != (&key[..] == high) || !last && (key.is_empty() || key <= low) {
                return Err(format!("page {number}: separator {line}"));
            }
            let child = node.child().ok_or(format!("page {number}: no child"))?;
            let below = self.subtree(tree, child, &low, &key, what, leaves, nodes)?;
            if *depth.get_or_insert(below) != below {
                return Err(format!("page {number}: leaves at two depths"));
            }
            low = key;
        }
        let depth = depth.unwrap_or(0);
        if image.has(page_flags::PARENT_OF_LEAF) != (depth == 1) {
            return Err(format!("page {number}: parent-of-leaf flag"));
        }
        Ok(depth + 1)
    }
}

impl Database {
    /// The file as it is now.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.finish();
        let mut all = vec![0; usize::try_from(self.files[0].len().unwrap()).unwrap()];
        self.files[0].read_exact_at(0, &mut all).unwrap();
        all
    }

    /// Everything is sound: the trees, and the use of every page.
    pub fn check(&mut self, trees: &[TreeRoot]) {
        let bytes = self.bytes();
        Walk::new(&bytes, self.size).database(trees).unwrap();
    }

    /// How many records of a type there are.
    pub fn count(&self, wanted: impl Fn(&Record<'_>) -> bool) -> usize {
        let log = &self.writer.store().log;
        log.iter().filter(|r| wanted(&Record::decode(r).unwrap())).count()
    }
}
