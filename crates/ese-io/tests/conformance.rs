//! All storages give the same answers: the same errors for names, the same bytes, the same locks. First by hand, then by random
//! sequences of calls that run on all of them in step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_io::{
    AlignedBuffer, CountingStorage, EntryKind, FailingStorage, File, IoErrorKind, Lock, MemoryStorage,
    OpenMode, OpenOptions, OsStorage, OverlayStorage, SimulatedDisk, Storage, full_while,
};
use proptest::prelude::*;

struct Subject {
    name: &'static str,
    storage: Arc<dyn Storage>,
    root: PathBuf,
    _folders: Vec<tempfile::TempDir>,
}

impl Subject {
    fn new(
        name: &'static str,
        storage: impl Storage + 'static,
        root: &Path,
        folders: Vec<tempfile::TempDir>,
    ) -> Self {
        Self { name, storage: Arc::new(storage), root: root.to_path_buf(), _folders: folders }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Every storage, each with the empty directory `root`.
fn subjects() -> Vec<Subject> {
    let root = Path::new("/root");
    let memory = || {
        let memory = MemoryStorage::new();
        memory.create_directory(root).unwrap();
        memory
    };
    let disk = SimulatedDisk::new();
    disk.create_directory(root).unwrap();
    let os = tempfile::tempdir().unwrap();
    let (base, changes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let over_os = OverlayStorage::new(OsStorage, OsStorage, changes.path());
    let (os_root, base_root) = (os.path().to_path_buf(), base.path().to_path_buf());
    vec![
        Subject::new("os", OsStorage, &os_root, vec![os]),
        Subject::new("memory", memory(), root, vec![]),
        Subject::new("overlay on memory", OverlayStorage::in_memory(memory()), root, vec![]),
        Subject::new("overlay on os", over_os, &base_root, vec![base, changes]),
        Subject::new("simulated", disk, root, vec![]),
        Subject::new("counting", CountingStorage::new(memory()), root, vec![]),
        Subject::new("failing", FailingStorage::new(memory()), root, vec![]),
        Subject::new("with room", full_while(memory(), root, &Arc::default()), root, vec![]),
    ]
}

fn kind<T>(result: ese_io::Result<T>) -> Option<IoErrorKind> {
    result.err().map(|e| e.kind)
}

fn write(storage: &dyn Storage, path: &Path, data: &[u8]) {
    let file = storage.open(path, OpenOptions::new(OpenMode::CreateOrTruncate)).unwrap();
    file.write_at(0, data).unwrap();
}

fn read(storage: &dyn Storage, path: &Path) -> Vec<u8> {
    let file = storage.open(path, OpenOptions::READ).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn open_modes() {
    for s in subjects() {
        let (st, f) = (&*s.storage, s.path("f"));
        let open = |mode| st.open(&f, OpenOptions::new(mode));
        assert_eq!(kind(open(OpenMode::Read)), Some(IoErrorKind::NotFound), "{}", s.name);
        assert_eq!(kind(open(OpenMode::ReadWrite)), Some(IoErrorKind::NotFound), "{}", s.name);
        open(OpenMode::CreateNew).unwrap().write_at(0, b"abc").unwrap();
        assert_eq!(kind(open(OpenMode::CreateNew)), Some(IoErrorKind::AlreadyExists), "{}", s.name);
        assert_eq!(open(OpenMode::CreateOrOpen).unwrap().len().unwrap(), 3, "{}", s.name);
        assert_eq!(open(OpenMode::ReadWrite).unwrap().len().unwrap(), 3, "{}", s.name);
        assert_eq!(open(OpenMode::CreateOrTruncate).unwrap().len().unwrap(), 0, "{}", s.name);
        for mode in [OpenMode::Read, OpenMode::CreateNew, OpenMode::CreateOrOpen] {
            let below_missing = st.open(&s.path("no/f"), OpenOptions::new(mode));
            assert_eq!(kind(below_missing), Some(IoErrorKind::InvalidPath), "{} {mode:?}", s.name);
            let below_file = st.open(&s.path("f/f"), OpenOptions::new(mode));
            assert_eq!(kind(below_file), Some(IoErrorKind::InvalidPath), "{} {mode:?}", s.name);
        }
        assert_eq!(kind(st.open(&s.root, OpenOptions::READ)), Some(IoErrorKind::AccessDenied), "{}", s.name);
        let new = st.open(&s.root, OpenOptions::new(OpenMode::CreateNew));
        assert_eq!(kind(new), Some(IoErrorKind::AlreadyExists), "{}", s.name);
    }
}

#[test]
fn reading_and_writing() {
    for s in subjects() {
        let st = &*s.storage;
        let file = st.open(&s.path("f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        file.write_at(5, b"hello").unwrap();
        assert_eq!(file.len().unwrap(), 10, "{}", s.name);
        let mut buffer = [9; 8];
        assert_eq!(file.read_at(3, &mut buffer).unwrap(), 7, "{}", s.name);
        assert_eq!(&buffer[..7], b"\0\0hello", "{}", s.name);
        assert_eq!(file.read_at(10, &mut buffer).unwrap(), 0, "{}", s.name);
        assert_eq!(file.read_at(u64::MAX, &mut buffer).unwrap(), 0, "{}", s.name);
        assert_eq!(file.read_at(i64::MAX as u64, &mut buffer).unwrap(), 0, "{}", s.name);
        assert_eq!(kind(file.read_exact_at(3, &mut buffer)), Some(IoErrorKind::EndOfFile), "{}", s.name);
        file.set_len(6).unwrap();
        file.set_len(12).unwrap();
        assert_eq!(read(st, &s.path("f")), b"\0\0\0\0\0h\0\0\0\0\0\0", "{}", s.name);
        file.write_at(100, b"").unwrap();
        assert_eq!(file.len().unwrap(), 12, "{}: an empty write grows nothing", s.name);
        file.sync().unwrap();
        let far = file.write_at(u64::MAX - 2, b"abcdef");
        assert_eq!(kind(far), Some(IoErrorKind::DiskFull), "{}", s.name);
        let reader = st.open(&s.path("f"), OpenOptions::READ).unwrap();
        assert_eq!(kind(reader.write_at(0, b"x")), Some(IoErrorKind::ReadOnly), "{}", s.name);
        assert_eq!(kind(reader.set_len(0)), Some(IoErrorKind::ReadOnly), "{}", s.name);
        reader.sync().unwrap();
        assert_eq!(reader.path(), s.path("f"), "{}", s.name);
    }
}

#[test]
fn a_reader_sees_what_a_later_writer_wrote() {
    for s in subjects() {
        let st = &*s.storage;
        write(st, &s.path("f"), b"old");
        let reader = st.open(&s.path("f"), OpenOptions::READ).unwrap();
        st.open(&s.path("f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap().write_at(0, b"new").unwrap();
        let mut buffer = [0; 3];
        reader.read_exact_at(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"new", "{}", s.name);
    }
}

#[test]
fn locks() {
    for s in subjects() {
        let (st, f) = (&*s.storage, s.path("f"));
        let open = |lock| st.open(&f, OpenOptions::new(OpenMode::CreateOrOpen).lock(lock));
        let first = open(Lock::Shared).unwrap();
        let second = open(Lock::Shared).unwrap();
        assert_eq!(kind(open(Lock::Exclusive)), Some(IoErrorKind::InUse), "{}", s.name);
        drop(open(Lock::None).unwrap());
        drop((first, second));
        let exclusive = open(Lock::Exclusive).unwrap();
        assert_eq!(kind(open(Lock::Shared)), Some(IoErrorKind::InUse), "{}", s.name);
        assert_eq!(kind(open(Lock::Exclusive)), Some(IoErrorKind::InUse), "{}", s.name);
        // A refused truncation must not truncate.
        exclusive.write_at(0, b"kept").unwrap();
        let cut = st.open(&f, OpenOptions::new(OpenMode::CreateOrTruncate).lock(Lock::Exclusive));
        assert_eq!(kind(cut), Some(IoErrorKind::InUse), "{}", s.name);
        assert_eq!(exclusive.len().unwrap(), 4, "{}", s.name);
        drop(exclusive);
        open(Lock::Exclusive).unwrap();
    }
}

#[test]
fn directories() {
    for s in subjects() {
        let st = &*s.storage;
        st.create_directory(&s.path("d")).unwrap();
        assert_eq!(kind(st.create_directory(&s.path("d"))), Some(IoErrorKind::AlreadyExists), "{}", s.name);
        let below = st.create_directory(&s.path("no/d"));
        assert_eq!(kind(below), Some(IoErrorKind::InvalidPath), "{}", s.name);
        write(st, &s.path("d/b"), b"22");
        write(st, &s.path("d/a"), b"1");
        st.create_directory(&s.path("d/c")).unwrap();
        let names: Vec<_> = st
            .list(&s.path("d"))
            .unwrap()
            .into_iter()
            .map(|e| (e.path.strip_prefix(&s.root).unwrap().to_str().unwrap().to_owned(), e.kind, e.len))
            .collect();
        let expected = [
            ("d/a".to_owned(), EntryKind::File, 1),
            ("d/b".to_owned(), EntryKind::File, 2),
            ("d/c".to_owned(), EntryKind::Directory, 0),
        ];
        assert_eq!(names, expected, "{}", s.name);
        assert_eq!(kind(st.list(&s.path("no"))), Some(IoErrorKind::NotFound), "{}", s.name);
        assert_eq!(kind(st.list(&s.path("d/a"))), Some(IoErrorKind::InvalidPath), "{}", s.name);
        assert_eq!(kind(st.remove(&s.path("d"))), Some(IoErrorKind::DirectoryNotEmpty), "{}", s.name);
        for name in ["d/a", "d/b", "d/c", "d"] {
            st.remove(&s.path(name)).unwrap();
        }
        assert_eq!(kind(st.remove(&s.path("d"))), Some(IoErrorKind::NotFound), "{}", s.name);
        assert_eq!(kind(st.remove(&s.path("d/a"))), Some(IoErrorKind::InvalidPath), "{}", s.name);
        assert!(!st.exists(&s.path("d")).unwrap() && !st.exists(&s.path("d/a")).unwrap(), "{}", s.name);
        st.sync_directory(&s.root).unwrap();
        assert_eq!(kind(st.sync_directory(&s.path("no"))), Some(IoErrorKind::NotFound), "{}", s.name);
        write(st, &s.path("f"), b"");
        assert_eq!(kind(st.sync_directory(&s.path("f"))), Some(IoErrorKind::InvalidPath), "{}", s.name);
    }
}

#[test]
fn renames() {
    for s in subjects() {
        let st = &*s.storage;
        let rename = |from: &str, to: &str| st.rename(&s.path(from), &s.path(to));
        write(st, &s.path("a"), b"a");
        write(st, &s.path("b"), b"b");
        rename("a", "b").unwrap();
        assert_eq!(read(st, &s.path("b")), b"a", "{}", s.name);
        assert_eq!(kind(rename("a", "c")), Some(IoErrorKind::NotFound), "{}", s.name);
        assert_eq!(kind(rename("b", "no/c")), Some(IoErrorKind::InvalidPath), "{}", s.name);
        rename("b", "b").unwrap();
        st.create_directory(&s.path("d")).unwrap();
        st.create_directory(&s.path("d/e")).unwrap();
        write(st, &s.path("d/e/f"), b"f");
        assert_eq!(kind(rename("b", "d")), Some(IoErrorKind::AlreadyExists), "{}", s.name);
        assert_eq!(kind(rename("d", "b")), Some(IoErrorKind::AlreadyExists), "{}", s.name);
        assert_eq!(kind(rename("d", "d")), Some(IoErrorKind::AlreadyExists), "{}", s.name);
        assert_eq!(kind(rename("d", "d/x")), Some(IoErrorKind::InvalidPath), "{}", s.name);
        rename("d", "D").unwrap();
        assert_eq!(read(st, &s.path("D/e/f")), b"f", "{}", s.name);
        assert!(!st.exists(&s.path("d")).unwrap(), "{}", s.name);
        rename("D/e", "e").unwrap();
        rename("b", "D/b").unwrap();
        assert_eq!(read(st, &s.path("e/f")), b"f", "{}", s.name);
        assert_eq!(read(st, &s.path("D/b")), b"a", "{}", s.name);
        assert_eq!(st.list(&s.path("D")).unwrap().len(), 1, "{}", s.name);
    }
}

#[test]
fn open_handles_outlive_their_names() {
    for s in subjects() {
        let st = &*s.storage;
        let file = st.open(&s.path("f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        file.write_at(0, b"abc").unwrap();
        st.remove(&s.path("f")).unwrap();
        write(st, &s.path("f"), b"other");
        file.write_at(3, b"def").unwrap();
        let mut buffer = [0; 6];
        file.read_exact_at(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"abcdef", "{}", s.name);
        assert_eq!(read(st, &s.path("f")), b"other", "{}", s.name);
    }
}

#[derive(Clone, Debug)]
enum Call {
    Write(String, u64, usize, u8),
    Truncate(String, u64),
    Create(String),
    CreateDirectory(String),
    Remove(String),
    Rename(String, String),
}

fn name() -> impl Strategy<Value = String> {
    // Few names, so that they meet; some below others.
    prop_oneof![
        prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(str::to_owned),
        (prop_oneof![Just("a"), Just("b")], prop_oneof![Just("a"), Just("x")])
            .prop_map(|(d, n)| format!("{d}/{n}")),
        Just("a/a/a".to_owned()),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let offset = prop_oneof![0..20_u64, 4090..4100_u64, 0..20_000_u64, Just(8192)];
    let len = prop_oneof![0..20_usize, Just(4096), Just(8192), 0..9000_usize];
    prop_oneof![
        4 => (name(), offset.clone(), len, any::<u8>()).prop_map(|(n, o, l, b)| Call::Write(n, o, l, b)),
        2 => (name(), offset).prop_map(|(n, o)| Call::Truncate(n, o)),
        2 => name().prop_map(Call::Create),
        3 => name().prop_map(Call::CreateDirectory),
        2 => name().prop_map(Call::Remove),
        3 => (name(), name()).prop_map(|(a, b)| Call::Rename(a, b)),
    ]
}

fn perform(s: &Subject, call: &Call) -> Option<IoErrorKind> {
    let st = &*s.storage;
    let write = |file: Arc<dyn File>, offset: u64, len: usize, byte: u8| {
        let data: Vec<u8> = (0..len).map(|i| byte.wrapping_add(i as u8)).collect();
        file.write_at(offset, &data)
    };
    kind(match call {
        Call::Write(name, offset, len, byte) => st
            .open(&s.path(name), OpenOptions::new(OpenMode::ReadWrite))
            .and_then(|file| write(file, *offset, *len, *byte)),
        Call::Truncate(name, len) => st
            .open(&s.path(name), OpenOptions::new(OpenMode::CreateOrOpen))
            .and_then(|file| file.set_len(*len)),
        Call::Create(name) => st.open(&s.path(name), OpenOptions::new(OpenMode::CreateOrTruncate)).map(drop),
        Call::CreateDirectory(name) => st.create_directory(&s.path(name)),
        Call::Remove(name) => st.remove(&s.path(name)),
        Call::Rename(from, to) => st.rename(&s.path(from), &s.path(to)),
    })
}

fn tree(s: &Subject) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut open = vec![s.root.clone()];
    while let Some(folder) = open.pop() {
        for entry in s.storage.list(&folder).unwrap() {
            assert_eq!(s.storage.inspect(&entry.path).unwrap(), entry, "{}", s.name);
            let name = entry.path.strip_prefix(&s.root).unwrap().to_path_buf();
            if entry.kind == EntryKind::Directory {
                found.push((name, None));
                open.push(entry.path);
            } else {
                let bytes = read(&*s.storage, &entry.path);
                assert_eq!(bytes.len() as u64, entry.len, "{}", s.name);
                found.push((name, Some(bytes)));
            }
        }
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]
    #[test]
    fn random_calls_in_step(calls in proptest::collection::vec(call(), 1..40)) {
        let subjects = subjects();
        for call in &calls {
            let expected = perform(&subjects[0], call);
            for s in &subjects[1..] {
                prop_assert_eq!(perform(s, call), expected, "{} after {:?}", s.name, call);
            }
        }
        let expected = tree(&subjects[0]);
        for s in &subjects[1..] {
            prop_assert_eq!(tree(s), expected.clone(), "{}", s.name);
        }
    }

    /// The first calls make the base, the others run on overlays over it and on a plain copy of it.
    #[test]
    fn overlays_over_something(
        before in proptest::collection::vec(call(), 1..40),
        after in proptest::collection::vec(call(), 1..40),
    ) {
        let root = Path::new("/root");
        let prepare = || {
            let memory = MemoryStorage::new();
            memory.create_directory(root).unwrap();
            let subject = Subject::new("base", memory.clone(), root, vec![]);
            for call in &before {
                perform(&subject, call);
            }
            (memory, subject)
        };
        let (base, base_subject) = prepare();
        let plain = prepare().1;
        let untouched = tree(&base_subject);
        let counting = CountingStorage::new(base);
        let changes = MemoryStorage::new();
        let overlay =
            Subject::new("overlay", OverlayStorage::new(counting.clone(), changes.clone(), ""), root, vec![]);
        for call in &after {
            prop_assert_eq!(perform(&overlay, call), perform(&plain, call), "{:?}", call);
        }
        prop_assert_eq!(tree(&overlay), tree(&plain));
        prop_assert_eq!(tree(&base_subject), untouched);
        drop(overlay);
        prop_assert_eq!(changes.list(Path::new("")).unwrap(), vec![], "left behind");
    }
}

/// Writes past the system's cache, in whole units and not, and what went through it: the same bytes are read either way.
#[test]
fn direct_writes_and_others_meet() {
    for s in subjects() {
        let options = OpenOptions::new(OpenMode::CreateNew).direct_writes();
        let file = s.storage.open(&s.path("f"), options).unwrap();
        let mut pages = AlignedBuffer::new(5 * 4096);
        pages.fill(1);
        file.write_at(0, &pages).unwrap();
        let mut expected = pages.to_vec();
        file.write_at(4000, &[2; 200]).unwrap();
        expected[4000..4200].fill(2);
        let mut read = vec![0; 4096];
        file.read_exact_at(4096, &mut read).unwrap();
        assert_eq!(read, expected[4096..8192], "{}", s.name);
        pages[..4096].fill(3);
        file.write_at(4096, &pages[..4096]).unwrap();
        expected[4096..8192].fill(3);
        // Not a whole unit at its end.
        file.write_at(4 * 4096, &pages[..5000]).unwrap();
        expected.resize(4 * 4096 + 5000, 0);
        expected[4 * 4096..].copy_from_slice(&pages[..5000]);
        assert_eq!(file.len().unwrap(), expected.len() as u64, "{}", s.name);
        let mut read = vec![0; expected.len()];
        file.read_exact_at(0, &mut read).unwrap();
        assert!(read == expected, "{}", s.name);
    }
}
