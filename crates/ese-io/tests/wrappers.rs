//! Counting and failing storages, direct I/O, links, and overlays over large files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_io::{
    AlignedBuffer, CountingStorage, Effect, FailingStorage, Fault, IoErrorKind, MemoryStorage, OpenMode,
    OpenOptions, Operation, OsStorage, OverlayStorage, Storage, remove_tree,
};

#[test]
fn counts_calls_and_bytes() {
    let storage = CountingStorage::new(MemoryStorage::new());
    let file = storage.open(Path::new("f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    let before = storage.counts();
    file.write_at(0, &[1; 100]).unwrap();
    file.read_at(50, &mut [0; 100]).unwrap();
    file.sync().unwrap();
    storage.sync_directory(Path::new("")).unwrap();
    assert!(storage.open(Path::new("no"), OpenOptions::READ).is_err());
    let counts = storage.counts().since(&before);
    let of = |operation| (counts.of(operation).calls, counts.of(operation).bytes);
    assert_eq!(of(Operation::Write), (1, 100));
    assert_eq!(of(Operation::Read), (1, 50));
    assert_eq!(of(Operation::Sync), (2, 0));
    assert_eq!(of(Operation::Open), (1, 0));
    assert_eq!(counts.calls(), 5);
    assert_eq!(storage.counts().of(Operation::Open).calls, 2);
}

#[test]
fn fails_the_chosen_call_only_and_poisons() {
    let memory = MemoryStorage::new();
    let storage = FailingStorage::new(memory.clone());
    storage.plan(Fault::nth(2, IoErrorKind::DiskFull).of(&[Operation::Write]).with_effect(Effect::Half));
    let file = storage.open(Path::new("f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.write_at(0, b"aaaa").unwrap();
    let error = file.write_at(4, b"bbbb").unwrap_err();
    assert_eq!(
        (error.kind, error.operation, error.offset),
        (IoErrorKind::DiskFull, Operation::Write, Some(4))
    );
    assert_eq!(memory.get("f").unwrap(), b"aaaabb");
    assert_eq!(file.write_at(4, b"bbbb").unwrap_err().kind, IoErrorKind::Poisoned);
    assert_eq!(file.sync().unwrap_err().kind, IoErrorKind::Poisoned);
    assert_eq!(file.read_at(0, &mut [0; 4]).unwrap(), 4, "reading goes on");
    let again = storage.open(Path::new("f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    again.write_at(4, b"bbbb").unwrap();
}

#[test]
fn a_lasting_fault_lasts_until_cleared() {
    let storage = FailingStorage::new(MemoryStorage::new());
    storage.plan(Fault::nth(1, IoErrorKind::TooManyOpenFiles).of(&[Operation::Open]).lasting());
    for _ in 0..3 {
        let opened = storage.open(Path::new("f"), OpenOptions::new(OpenMode::CreateOrOpen));
        assert_eq!(opened.err().unwrap().kind, IoErrorKind::TooManyOpenFiles);
    }
    storage.clear();
    storage.open(Path::new("f"), OpenOptions::new(OpenMode::CreateOrOpen)).unwrap();
    assert_eq!(storage.calls(), 4);
}

#[test]
fn every_call_fails_in_turn() {
    let work = |storage: &dyn Storage| -> ese_io::Result<()> {
        storage.create_directory(Path::new("d"))?;
        let file = storage.open(Path::new("d/f"), OpenOptions::new(OpenMode::CreateNew))?;
        file.write_at(0, b"x")?;
        file.read_at(0, &mut [0])?;
        file.len()?;
        file.set_len(3)?;
        file.sync()?;
        storage.inspect(Path::new("d/f"))?;
        storage.list(Path::new("d"))?;
        storage.rename(Path::new("d/f"), Path::new("d/g"))?;
        storage.remove(Path::new("d/g"))?;
        storage.sync_directory(Path::new("d"))
    };
    for nth in 1..=12 {
        let storage = FailingStorage::new(MemoryStorage::new());
        storage.plan(Fault::nth(nth, IoErrorKind::AccessDenied));
        assert_eq!(work(&storage).unwrap_err().kind, IoErrorKind::AccessDenied, "{nth}");
        assert_eq!(storage.calls(), nth);
    }
    let storage = FailingStorage::new(MemoryStorage::new());
    storage.plan(Fault::nth(13, IoErrorKind::AccessDenied));
    work(&storage).unwrap();
}

#[test]
fn direct_requests_and_odd_ones_mix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let storage = OsStorage;
    let file = storage.open(&path, OpenOptions::new(OpenMode::CreateNew).direct(true)).unwrap();
    let mut buffer = AlignedBuffer::new(3 * 4096 + 100);
    for (i, byte) in buffer.iter_mut().enumerate() {
        *byte = (i / 7) as u8;
    }
    // Aligned start, odd length: the tail goes the ordinary way.
    file.write_at(0, &buffer).unwrap();
    // Odd offset, odd address.
    file.write_at(4000, &buffer[1..300]).unwrap();
    // Aligned again, over what was just written the other way.
    file.write_at(8192, &buffer[..4096]).unwrap();
    let mut expected = buffer.to_vec();
    let model = buffer.to_vec();
    expected[4000..4299].copy_from_slice(&model[1..300]);
    expected[8192..12288].copy_from_slice(&model[..4096]);
    file.sync().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), expected);

    let reader = storage.open(&path, OpenOptions::READ.direct(true)).unwrap();
    let mut whole = AlignedBuffer::new(8 * 4096);
    assert_eq!(reader.read_at(0, &mut whole).unwrap(), expected.len());
    assert_eq!(whole[..expected.len()], expected);
    assert_eq!(reader.read_at(4096, &mut whole[..5000]).unwrap(), 5000);
    assert_eq!(whole[..5000], expected[4096..9096]);
    assert_eq!(reader.read_at(1, &mut whole[1..4097]).unwrap(), 4096);
    assert_eq!(whole[1..4097], expected[1..4097]);
    assert_eq!(reader.read_at(64 << 10, &mut whole).unwrap(), 0);
    file.set_len(5).unwrap();
    assert_eq!(reader.read_at(0, &mut whole).unwrap(), 5);
}

#[cfg(target_os = "linux")]
#[test]
fn direct_falls_back_on_a_file_system_without_it() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
    let storage = OsStorage;
    let path = folder.path().join("f");
    let file = storage.open(&path, OpenOptions::new(OpenMode::CreateNew).direct(true)).unwrap();
    let mut buffer = AlignedBuffer::new(8192);
    buffer.fill(3);
    file.write_at(0, &buffer).unwrap();
    buffer.fill(0);
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 8192);
    assert!(buffer.iter().all(|b| *b == 3));
}

#[cfg(unix)]
#[test]
fn remove_tree_removes_links_and_leaves_what_they_point_to() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), b"x").unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    std::fs::write(tree.join("sub/f"), b"y").unwrap();
    std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
    remove_tree(&OsStorage, &tree, 100).unwrap();
    assert!(!tree.exists());
    assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"x");
}

#[cfg(unix)]
#[test]
fn pipes_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|s| s.success()) {
        return;
    }
    assert_eq!(OsStorage.list(folder.path()).unwrap(), vec![]);
    let opened = OsStorage.open(&pipe, OpenOptions::READ);
    assert_eq!(opened.err().unwrap().kind, IoErrorKind::AccessDenied);
}

#[test]
fn an_overlay_over_a_huge_file_costs_what_is_changed() {
    let base = MemoryStorage::new();
    let huge = 100_u64 << 30;
    base.open(Path::new("db"), OpenOptions::new(OpenMode::CreateNew)).unwrap().set_len(huge).unwrap();
    let base = CountingStorage::new(base);
    let overlay = OverlayStorage::in_memory(base.clone());
    let file = overlay.open(Path::new("db"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    file.write_at(huge - 8192, &[7; 8192]).unwrap();
    file.write_at(4096 * 5 + 10, b"abc").unwrap();
    file.write_at(4096 * 5 + 20, b"def").unwrap();
    let mut buffer = [9; 30];
    file.read_exact_at(4096 * 5, &mut buffer).unwrap();
    assert_eq!(&buffer, b"\0\0\0\0\0\0\0\0\0\0abc\0\0\0\0\0\0\0def\0\0\0\0\0\0\0");
    overlay.rename(Path::new("db"), Path::new("other")).unwrap();
    assert_eq!(overlay.inspect(Path::new("other")).unwrap().len, huge);
    assert_eq!(overlay.changed_bytes(), 3 * 4096);
    let counts = base.counts();
    assert_eq!(counts.of(Operation::Write).calls + counts.of(Operation::Length).calls, 1, "only its length");
    assert_eq!(counts.of(Operation::Read).bytes, 4096, "the block that was changed in part");
    assert_eq!(counts.of(Operation::Rename).calls, 0);
}

#[test]
fn an_overlay_notices_that_its_base_shrank() {
    let base = MemoryStorage::new();
    base.put("f", vec![1; 10_000]);
    let overlay = OverlayStorage::in_memory(base.clone());
    let file = overlay.open(Path::new("f"), OpenOptions::READ).unwrap();
    base.open(Path::new("f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap().set_len(100).unwrap();
    assert_eq!(file.read_at(0, &mut [0; 1000]).unwrap_err().kind, IoErrorKind::EndOfFile);
}
