//! A log in memory, and a model of a database with snapshot isolation.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ese_btree::live::{
    ChangeLog, LiveError, LiveSettings, LiveTrees, SeekHow, SlotFacts, Spot, TransactionState, Tree,
};
use ese_btree::{Redo, RedoDatabase, UndoError, UndoLog, compare_pages};
use ese_format::{DbTime, JetError, LogGeneration, LogPosition, ObjectId, PageNumber, PageSize};
use ese_io::{File, MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{DatabaseSlot, Record, SessionId};
use ese_log::{Appended, RecordBatch};
use parking_lot::Mutex;

pub(crate) const SLOT: DatabaseSlot = DatabaseSlot(1);

/// Numbers that look random.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

#[derive(Default)]
struct Records {
    all: Vec<(LogPosition, Vec<u8>)>,
    durable: usize,
    failing: bool,
}

/// A log that keeps its records.
#[derive(Default)]
pub(crate) struct MemoryLog(Mutex<Records>);

impl MemoryLog {
    pub(crate) fn records(&self) -> Vec<(LogPosition, Vec<u8>)> {
        self.0.lock().all.clone()
    }
    pub(crate) fn durable(&self) -> Vec<(LogPosition, Vec<u8>)> {
        let records = self.0.lock();
        records.all[..records.durable].to_vec()
    }
    pub(crate) fn sync(&self) {
        let mut records = self.0.lock();
        records.durable = records.all.len();
    }
    pub(crate) fn fail(&self, yes: bool) {
        self.0.lock().failing = yes;
    }
}

fn position(index: usize) -> LogPosition {
    LogPosition::from_u64((1 << 32) + 0x1_0000 + index as u64)
}

impl ChangeLog for MemoryLog {
    fn append(
        &self,
        batch: &mut RecordBatch,
        _: Option<LogGeneration>,
        complete: &mut dyn FnMut(LogPosition, &mut RecordBatch),
    ) -> Result<Appended, LiveError> {
        let mut records = self.0.lock();
        if records.failing {
            return Err(LiveError::Log { message: "no".into(), jet: JetError::LOG_WRITE_FAIL });
        }
        let first = position(records.all.len());
        complete(first, batch);
        for record in batch.records() {
            let at = position(records.all.len());
            records.all.push((at, record.to_vec()));
        }
        Ok(Appended { first, last: position(records.all.len() - 1) })
    }

    fn flush_to(&self, wanted: LogPosition) -> Result<(), LiveError> {
        let mut records = self.0.lock();
        if records.failing {
            return Err(LiveError::Log { message: "no".into(), jet: JetError::LOG_WRITE_FAIL });
        }
        let count = records.all.partition_point(|(at, _)| *at <= wanted);
        records.durable = records.durable.max(count);
        Ok(())
    }
}

pub(crate) fn new_file(name: &str) -> (MemoryStorage, Arc<dyn File>) {
    let storage = MemoryStorage::default();
    let file = storage.open(Path::new(name), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    (storage, file)
}

/// Everything in a file.
pub(crate) fn bytes_of(file: &dyn File) -> Vec<u8> {
    let mut all = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut all).unwrap();
    all
}

/// A file with this content.
pub(crate) fn file_of(bytes: &[u8]) -> Arc<dyn File> {
    let (_, file) = new_file("/copy");
    file.write_at(0, bytes).unwrap();
    file
}

struct Undone(usize);

impl UndoLog for Undone {
    fn append(&mut self, _: &Record<'_>) -> Result<LogPosition, UndoError> {
        self.0 += 1;
        Ok(position(1 << 40 | self.0))
    }
}

/// Replays records on a file. With `undo` open transactions are rolled back. Returns the highest update counter.
pub(crate) fn replay(
    records: &[(LogPosition, Vec<u8>)],
    file: &Arc<dyn File>,
    size: PageSize,
    undo: bool,
) -> DbTime {
    let mut redo = Redo::new(size, 8 << 20);
    // The highest counter of the records before is not known, and all pages may have it.
    let db_time = if records.len() > 1 && records[0].0 == position(0) { DbTime(0) } else { DbTime(1 << 40) };
    let database = RedoDatabase { future_data: true, db_time, ..RedoDatabase::default() };
    redo.attach(SLOT, database, Some(Arc::clone(file))).unwrap();
    for (at, record) in records {
        redo.apply(record, *at).unwrap_or_else(|e| panic!("{e}"));
    }
    redo.check_maps(SLOT).unwrap();
    if undo {
        redo.undo_all(&mut Undone(0)).unwrap();
    }
    redo.detach(SLOT).unwrap().unwrap().db_time
}

/// Both files hold the same pages.
pub(crate) fn assert_same_pages(a: &[u8], b: &[u8], size: PageSize) {
    let pages = a.len().max(b.len()) / size.len();
    for page in 2..pages {
        let page_of =
            |bytes| -> Option<&[u8]> { <[u8]>::get(bytes, page * size.len()..(page + 1) * size.len()) };
        let difference = compare_pages(page_of(a), page_of(b), size);
        assert!(difference.is_none(), "page {}: {}", page - 1, difference.unwrap());
    }
}

/// Live trees over one database with one tree in it.
pub(crate) struct World {
    pub(crate) trees: LiveTrees,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) tree: Tree,
    pub(crate) size: PageSize,
}

impl World {
    pub(crate) fn new(page_bytes: u32, cache_bytes: usize, flags: u32) -> Self {
        let (_, file) = new_file("/live");
        Self::on(file, page_bytes, cache_bytes, flags)
    }

    pub(crate) fn on(file: Arc<dyn File>, page_bytes: u32, cache_bytes: usize, flags: u32) -> Self {
        let size = PageSize::new(page_bytes).unwrap();
        let log = Arc::new(MemoryLog::default());
        let mut settings = LiveSettings::new(size);
        settings.cache_bytes = cache_bytes;
        let trees = LiveTrees::new(settings, Some(Arc::clone(&log) as Arc<dyn ChangeLog>));
        trees.attach(SLOT, Arc::clone(&file), SlotFacts::new(DbTime::START, ObjectId(1))).unwrap();
        let mut t = trees.open_session(SessionId(1));
        trees.begin(&mut t, false).unwrap();
        trees.create_database_root(&mut t, SLOT, 40).unwrap();
        let object = trees.new_object_id(SLOT).unwrap();
        let tree =
            trees.create_tree(&mut t, SLOT, PageNumber::DATABASE_ROOT, object, flags, 1, false).unwrap();
        trees.commit(&mut t).unwrap();
        trees.close_session(t).unwrap();
        log.sync();
        Self { trees, log, file, tree, size }
    }
}

type Key = Vec<u8>;
/// Commit times and what was committed.
type History = Vec<(u64, Option<Vec<u8>>)>;
type Level = BTreeMap<Key, Option<Vec<u8>>>;

#[derive(Default)]
struct ModelSession {
    snapshot: u64,
    levels: Vec<Level>,
}

/// What a database with snapshot isolation does.
#[derive(Default)]
pub(crate) struct Model {
    time: u64,
    committed: BTreeMap<Key, History>,
    sessions: Vec<ModelSession>,
}

impl Model {
    pub(crate) fn now(&self) -> BTreeMap<Key, Vec<u8>> {
        self.at(self.time)
    }
    pub(crate) fn at(&self, time: u64) -> BTreeMap<Key, Vec<u8>> {
        let seen = |versions: &History| {
            versions.iter().rev().find(|(t, _)| *t <= time).and_then(|(_, data)| data.clone())
        };
        self.committed.iter().filter_map(|(k, v)| Some((k.clone(), seen(v)?))).collect()
    }
    pub(crate) fn view(&self, s: usize) -> BTreeMap<Key, Vec<u8>> {
        let session = &self.sessions[s];
        if session.levels.is_empty() {
            return self.now();
        }
        let mut all = self.at(session.snapshot);
        for level in &session.levels {
            for (key, data) in level {
                match data {
                    Some(data) => all.insert(key.clone(), data.clone()),
                    None => all.remove(key),
                };
            }
        }
        all
    }
    fn sees(&self, s: usize, key: &[u8]) -> bool {
        let session = &self.sessions[s];
        if let Some(own) = session.levels.iter().rev().find_map(|l| l.get(key)) {
            return own.is_some();
        }
        let versions = self.committed.get(key);
        versions
            .and_then(|v| v.iter().rev().find(|(t, _)| *t <= session.snapshot))
            .is_some_and(|(_, data)| data.is_some())
    }
    fn conflicts(&self, s: usize, key: &[u8]) -> bool {
        let newer =
            self.committed.get(key).is_some_and(|v| v.iter().any(|(t, _)| *t > self.sessions[s].snapshot));
        let others = self.sessions.iter().enumerate().filter(|(i, _)| *i != s);
        newer || others.flat_map(|(_, o)| &o.levels).any(|l| l.contains_key(key))
    }
    fn put(&mut self, s: usize, key: &[u8], data: Option<&[u8]>) {
        self.sessions[s].levels.last_mut().unwrap().insert(key.to_vec(), data.map(<[u8]>::to_vec));
    }
}

/// The engine and the model side by side.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) model: Model,
    pub(crate) sessions: Vec<TransactionState>,
    pub(crate) key_count: u64,
    pub(crate) largest: u64,
    pub(crate) unique: bool,
    /// Where each commit stands in the log, and the model's time.
    pub(crate) commits: Vec<(LogPosition, u64)>,
}

impl Pair {
    pub(crate) fn new(world: World, session_count: u16) -> Self {
        let sessions = (0..session_count).map(|i| world.trees.open_session(SessionId(10 + i))).collect();
        let mut model = Model::default();
        model.sessions.resize_with(session_count.into(), ModelSession::default);
        Self { world, model, sessions, key_count: 300, largest: 300, unique: true, commits: Vec::new() }
    }

    fn key(&self, random: &mut Random) -> Vec<u8> {
        let number = random.below(self.key_count);
        let mut key = b"common beginning ".to_vec();
        key.extend_from_slice(&number.to_be_bytes()[4..]);
        key.resize(key.len() + (number % 7) as usize, number as u8);
        key
    }

    /// One random operation; both must answer alike.
    pub(crate) fn step(&mut self, random: &mut Random) {
        let s = random.below(self.sessions.len() as u64) as usize;
        let (trees, tree) = (&self.world.trees, &self.world.tree);
        let level = self.model.sessions[s].levels.len();
        if level == 0 {
            if random.below(6) == 0 {
                self.check(s, random);
                return;
            }
            trees.begin(&mut self.sessions[s], false).unwrap();
            let snapshot = self.model.time;
            self.model.sessions[s] = ModelSession { snapshot, levels: vec![Level::new()] };
            return;
        }
        let key = self.key(random);
        let data: Vec<u8> = {
            let len = random.below(self.largest) + 1;
            (0..len).map(|i| (i * 31 + random.0 % 251) as u8).collect()
        };
        let t = &mut self.sessions[s];
        match random.below(40) {
            0..=12 => {
                let expected = !self.model.conflicts(s, &key) && !self.model.sees(s, &key);
                match trees.insert(t, tree, &key, &data) {
                    Ok(()) => assert!(expected, "inserted {key:?}"),
                    Err(LiveError::KeyDuplicate { .. }) => assert!(!expected, "duplicate {key:?}"),
                    Err(error) => panic!("{error}"),
                }
                if expected {
                    self.model.put(s, &key, Some(&data));
                }
            }
            13..=22 => {
                let conflict = self.model.conflicts(s, &key);
                let sees = self.model.sees(s, &key);
                match trees.replace(t, tree, &key, &data) {
                    Ok(()) => assert!(!conflict && sees),
                    Err(LiveError::WriteConflict { .. }) => assert!(conflict),
                    Err(LiveError::KeyMissing { .. }) => assert!(!conflict && !sees),
                    Err(error) => panic!("{error}"),
                }
                if !conflict && sees {
                    self.model.put(s, &key, Some(&data));
                }
            }
            23..=29 => {
                let conflict = self.model.conflicts(s, &key);
                let sees = self.model.sees(s, &key);
                match trees.delete(t, tree, &key, &[]) {
                    Ok(()) => assert!(!conflict && sees),
                    Err(LiveError::WriteConflict { .. }) => assert!(conflict),
                    Err(LiveError::KeyMissing { .. }) => assert!(!conflict && !sees),
                    Err(error) => panic!("{error}"),
                }
                if !conflict && sees {
                    self.model.put(s, &key, None);
                }
            }
            30 | 31 => {
                if level < 4 {
                    trees.begin(t, false).unwrap();
                    self.model.sessions[s].levels.push(Level::new());
                }
            }
            32..=34 => {
                let position = trees.commit(t).unwrap();
                let top = self.model.sessions[s].levels.pop().unwrap();
                match self.model.sessions[s].levels.last_mut() {
                    Some(below) => below.extend(top),
                    None => {
                        self.model.time += 1;
                        let time = self.model.time;
                        self.commits.extend(position.map(|p| (p, time)));
                        for (key, data) in top {
                            self.model.committed.entry(key).or_default().push((time, data));
                        }
                    }
                }
            }
            35 => {
                trees.rollback(t).unwrap();
                self.model.sessions[s].levels.pop();
            }
            36 => {
                trees.clean_versions(50).unwrap();
            }
            37 => {
                trees.write_back(LogPosition::MAX, 20).unwrap();
            }
            _ => self.check(s, random),
        }
    }

    /// Reads in every way.
    pub(crate) fn check(&mut self, s: usize, random: &mut Random) {
        let (trees, tree, t) = (&self.world.trees, &self.world.tree, &self.sessions[s]);
        let view = self.model.view(s);
        let key = self.key(random);
        let mut data = Vec::new();
        let found = trees.get(t, tree, &key, &mut data).unwrap();
        assert_eq!(found.then_some(&data), view.get(&key));
        let mut spot = Spot::new();
        let same = |found: bool, spot: &Spot, expected: Option<(&Vec<u8>, &Vec<u8>)>| {
            let expected = expected.map(|(key, data)| (&key[..], &data[..]));
            assert_eq!(found.then_some((&spot.key[..], spot.data())), expected);
        };
        let found = trees.seek(t, tree, &key, &[], SeekHow::AtLeast, &mut spot).unwrap();
        same(found, &spot, view.range(key.clone()..).next());
        for _ in 0..3 {
            if !found {
                break;
            }
            let here = spot.key.clone();
            let next = trees.next(t, tree, &mut spot).unwrap();
            let above = (std::ops::Bound::Excluded(here), std::ops::Bound::Unbounded);
            same(next, &spot, view.range(above).next());
        }
        let found = trees.seek(t, tree, &key, &[], SeekHow::Below, &mut spot).unwrap();
        same(found, &spot, view.range(..key.clone()).next_back());
        if found {
            let here = spot.key.clone();
            let found = trees.previous(t, tree, &mut spot).unwrap();
            same(found, &spot, view.range(..here).next_back());
        }
        let found = trees.seek(t, tree, &key, &[], SeekHow::Above, &mut spot).unwrap();
        let above = (std::ops::Bound::Excluded(key.clone()), std::ops::Bound::Unbounded);
        same(found, &spot, view.range(above).next());
        let found = trees.seek(t, tree, &key, &[], SeekHow::AtMost, &mut spot).unwrap();
        same(found, &spot, view.range(..=key).next_back());
    }

    /// Everything a session sees, forwards and backwards.
    pub(crate) fn check_all(&self, s: usize) {
        assert!(self.world.trees.keeps_room_for_rollbacks(&self.world.tree).unwrap());
        let (trees, tree, t) = (&self.world.trees, &self.world.tree, &self.sessions[s]);
        let expected: Vec<_> = self.model.view(s).into_iter().collect();
        let mut spot = Spot::new();
        let mut found = Vec::new();
        let mut more = trees.seek(t, tree, &[], &[], SeekHow::First, &mut spot).unwrap();
        while more {
            found.push((spot.key.clone(), spot.data().to_vec()));
            more = trees.next(t, tree, &mut spot).unwrap();
        }
        assert_eq!(found, expected);
        let mut more = trees.seek(t, tree, &[], &[], SeekHow::Last, &mut spot).unwrap();
        let mut back = Vec::new();
        while more {
            back.push((spot.key.clone(), spot.data().to_vec()));
            more = trees.previous(t, tree, &mut spot).unwrap();
        }
        back.reverse();
        assert_eq!(back, expected);
    }

    /// Crashes here: what the disk holds, with the durable part of the log replayed and open transactions undone, is
    /// what was committed.
    pub(crate) fn crash(&self) {
        self.recover_with(self.world.log.durable());
    }

    /// As [`crash`](Self::crash), with these records.
    pub(crate) fn recover_with(&self, records: Vec<(LogPosition, Vec<u8>)>) {
        self.recover_file(&bytes_of(&*self.world.file), &records);
    }

    /// The checkpoint: where replay may begin, and what the disk is sure to hold then.
    pub(crate) fn checkpoint(&self) -> (LogPosition, Vec<u8>) {
        let end = position(self.world.log.records().len());
        let position = self.world.trees.checkpoint_position().unwrap();
        (position.unwrap_or(end), bytes_of(&*self.world.file))
    }

    /// Crashes after a checkpoint: of what was written since, some pages are on the disk and some are not.
    pub(crate) fn crash_after(&self, checkpoint: &(LogPosition, Vec<u8>), random: &mut Random) {
        let mut bytes = bytes_of(&*self.world.file);
        for (now, then) in
            bytes.chunks_mut(self.world.size.len()).zip(checkpoint.1.chunks(self.world.size.len()))
        {
            if random.below(2) == 0 {
                now.copy_from_slice(then);
            }
        }
        let mut records = self.world.log.durable();
        records.retain(|(at, _)| *at >= checkpoint.0);
        self.recover_file(&bytes, &records);
    }

    fn recover_file(&self, bytes: &[u8], records: &[(LogPosition, Vec<u8>)]) {
        let (world, size) = (&self.world, self.world.size);
        let file = file_of(bytes);
        let time = replay(records, &file, size, true);
        let durable = world.log.durable();
        let last = durable.last().map_or(LogPosition::NONE, |(at, _)| *at);
        let committed = self.commits.iter().rev().find(|(at, _)| *at <= last).map_or(0, |(_, time)| *time);
        let trees = LiveTrees::new(LiveSettings::new(size), None);
        trees.attach(SLOT, file, SlotFacts::new(time, ObjectId(9))).unwrap();
        let t = trees.open_session(SessionId(1));
        let expected: Vec<_> = self.model.at(committed).into_iter().collect();
        let mut found = Vec::new();
        let mut spot = Spot::new();
        let mut more = trees.seek(&t, &world.tree, &[], &[], SeekHow::First, &mut spot).unwrap();
        while more {
            found.push((spot.key.clone(), spot.data().to_vec()));
            more = trees.next(&t, &world.tree, &mut spot).unwrap();
        }
        assert_eq!(found.len(), expected.len());
        assert_eq!(found, expected);
    }

    /// The whole log makes the pages that are in memory.
    pub(crate) fn compare_with_log(&self) {
        let world = &self.world;
        world.trees.flush(SLOT).unwrap();
        let file = file_of(&vec![0; 2 * world.size.len()]);
        replay(&world.log.records(), &file, world.size, false);
        assert_same_pages(&bytes_of(&*file), &bytes_of(&*world.file), world.size);
    }

    pub(crate) fn roll_back_all(&mut self) {
        for s in 0..self.sessions.len() {
            while self.sessions[s].level() > 0 {
                self.world.trees.rollback(&mut self.sessions[s]).unwrap();
                self.model.sessions[s].levels.pop();
            }
        }
    }
}
