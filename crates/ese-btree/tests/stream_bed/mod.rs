//! A small database, and records that are made up one by one.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_btree::{Fetched, Handled, PageImage, Redo, RedoDatabase, RedoError};
use ese_format::{DbTime, LogPosition, ObjectId, PageNumber, PageSize, write_page_checksum};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{
    BeginLevels, BeginOutermost, CreateSingleExtentFdp, DatabaseSlot, Insert, NodePrefix, PagePrefix,
    PageRecordFlags, Record, SessionId, TransactionTime, VersionId,
};

pub(crate) const SLOT: DatabaseSlot = DatabaseSlot(1);
pub(crate) const SESSION: SessionId = SessionId(3);
pub(crate) const OBJECT: ObjectId = ObjectId(20);
pub(crate) const SIZE: u32 = 8192;
pub(crate) const ROOT: u32 = 5;
pub(crate) const SHRUNK: u32 = 8;
pub(crate) const REVERTED: u32 = 9;
pub(crate) const NEVER_USED: u32 = 10;
pub(crate) const LAST: u32 = 30;

pub(crate) struct Stream {
    pub(crate) redo: Redo,
    pub(crate) storage: MemoryStorage,
    pub(crate) at: u16,
    pub(crate) time: u64,
}

impl Stream {
    /// A database with a tree of three nodes on its root, a page that was shrunk away and one that was reverted; a
    /// transaction is open. `future`: the file may hold changes of later logs.
    pub(crate) fn new(future: bool) -> Self {
        let storage = MemoryStorage::new();
        let file = storage.open(Path::new("db"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        let size = PageSize::new(SIZE).unwrap();
        file.set_len((u64::from(LAST) + 2) * u64::from(SIZE)).unwrap();
        for (number, time) in [(SHRUNK, DbTime::SHRUNK), (REVERTED, DbTime::REVERTED)] {
            let mut bytes = vec![0; SIZE as usize];
            let mut page = PageImage::new(&mut bytes[..], size).unwrap_or_else(|e| panic!("{e}"));
            page.initialize(PageNumber(number), OBJECT, time);
            page.consume(0);
            write_page_checksum(&mut bytes, PageNumber(number)).unwrap();
            file.write_at(PageNumber(number).file_offset(size), &bytes).unwrap();
        }
        let mut redo = Redo::new(size, 1 << 20);
        let database = RedoDatabase { future_data: future, ..RedoDatabase::default() };
        redo.attach(SLOT, database, Some(file)).unwrap();
        let mut stream = Self { redo, storage, at: 1, time: 100 };
        stream.begin();
        stream.create_tree(ROOT);
        for line in 0..3 {
            stream.insert(ROOT, line, &[b'a' + line as u8]).unwrap();
        }
        stream
    }

    /// A tree of one page.
    pub(crate) fn create_tree(&mut self, root: u32) {
        let create = CreateSingleExtentFdp {
            page: self.prefix(root, 0),
            object: OBJECT,
            parent_root: PageNumber(1),
            primary_page_count: 1,
            page_flags: 0,
        };
        self.apply(&Record::CreateSingleExtentFdp(create)).unwrap();
    }

    pub(crate) fn apply(&mut self, record: &Record<'_>) -> Result<Handled, RedoError> {
        let mut bytes = Vec::new();
        record.encode(&mut bytes).unwrap();
        self.raw(&bytes)
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<Handled, RedoError> {
        self.at += 1;
        let position = LogPosition::new(1, 1, self.at);
        let outcome = self.redo.apply(bytes, position);
        assert!(outcome.as_ref().is_ok() || outcome.as_ref().is_err_and(|e| e.position == position));
        outcome
    }

    /// The number that a record stops redo with; 0 for none.
    pub(crate) fn number(&mut self, record: &Record<'_>) -> i32 {
        self.apply(record).err().map_or(0, |e| e.jet_error().0)
    }

    pub(crate) fn begin(&mut self) {
        let levels = BeginLevels::new(0, 1);
        let begin = BeginOutermost { session: SESSION, levels, transaction: TransactionTime(8) };
        self.apply(&Record::Begin0(begin)).unwrap();
    }

    /// The prefix of the next change of a page.
    pub(crate) fn prefix(&mut self, page: u32, line: u16) -> PagePrefix {
        let before = self.page_time(page);
        self.time += 1;
        PagePrefix {
            session: SESSION,
            database: SLOT,
            page_number: PageNumber(page),
            db_time: DbTime(self.time),
            db_time_before: before,
            transaction: TransactionTime(8),
            level: 1,
            line,
            flags: PageRecordFlags::VERSIONED | PageRecordFlags::UNIQUE,
        }
    }

    pub(crate) fn node(&mut self, page: u32, line: u16) -> NodePrefix {
        let page = self.prefix(page, line);
        let version = VersionId(2 * page.db_time.0 as u32);
        NodePrefix { page, version, root: PageNumber(ROOT), object: OBJECT }
    }

    pub(crate) fn insert(&mut self, page: u32, line: u16, key: &[u8]) -> Result<Handled, RedoError> {
        let node = self.node(page, line);
        self.apply(&Record::Insert(Insert { node, key_prefix: &[], key_suffix: key, data: b"data" }))
    }

    pub(crate) fn page_time(&mut self, page: u32) -> DbTime {
        let Ok(Fetched::Page(frame)) = self.redo.cache().fetch(SLOT, PageNumber(page)) else {
            return DbTime(50);
        };
        self.redo.cache().page(frame).db_time()
    }

    pub(crate) fn keys(&mut self, page: u32) -> Vec<Vec<u8>> {
        let Ok(Fetched::Page(frame)) = self.redo.cache().fetch(SLOT, PageNumber(page)) else { panic!() };
        let page = self.redo.cache().page(frame);
        (0..page.line_count()).map(|line| page.node(line).unwrap().key()).collect()
    }

    pub(crate) fn map_error(&self) -> i32 {
        self.redo.check_maps(SLOT).err().map_or(0, |e| e.jet_error().0)
    }
}
