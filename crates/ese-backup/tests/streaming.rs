//! The streaming calls: which order of calls is refused with which number, and what an error does to the backup.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Bed, DATABASE, running};
use ese_backup::{BackupContext, BackupError, BeginFlags, EndFlags, FileHandle};
use ese_io::{AlignedBuffer, Storage};

fn number<T>(result: Result<T, BackupError>) -> i32 {
    result.map_or_else(|e| e.jet_error().0, |_| 0)
}

fn full(bed: &Bed) -> Arc<BackupContext> {
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    context
}

/// Reads the open file to its end; its bytes.
fn read_all(context: &BackupContext, handle: FileHandle, piece: usize) -> Vec<u8> {
    let mut buffer = AlignedBuffer::new(piece);
    let mut bytes = Vec::new();
    loop {
        match context.read_file(handle, &mut buffer).unwrap() {
            0 => return bytes,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

fn copy_logs(context: &BackupContext) -> Vec<PathBuf> {
    let files = context.log_info().unwrap().files;
    for log in &files {
        let opened = context.open_file(log).unwrap();
        assert_eq!(read_all(context, opened.handle, 65536).len() as u64, opened.size);
        context.close_file(opened.handle).unwrap();
    }
    files
}

#[test]
fn without_a_backup() {
    let Some(bed) = running("clean-p8k") else { return };
    let context = bed.context();
    let handle = FileHandle(0);
    assert_eq!(number(context.attach_info()), -520);
    assert_eq!(number(context.open_file(Path::new(DATABASE))), -520);
    assert_eq!(number(context.read_file(handle, &mut AlignedBuffer::new(65536))), -520);
    assert_eq!(number(context.close_file(handle)), -520);
    assert_eq!(number(context.log_info()), -520);
    assert_eq!(number(context.truncate_log_info()), -520);
    assert_eq!(number(context.truncate_logs()), -520);
    assert_eq!(number(context.end(EndFlags::NORMAL)), -520);
    assert_eq!(number(context.end(EndFlags::ABORT)), -520);
    assert_eq!(number(context.end(EndFlags::empty())), -1003, "the options come first");
    assert_eq!(number(context.end(EndFlags::NORMAL | EndFlags::ABORT)), -1003);
    context.stop();
    context.begin(BeginFlags::empty()).unwrap();
    assert_eq!(number(context.attach_info()), 0, "begin forgets an earlier stop");
    context.end(EndFlags::ABORT).unwrap();
}

#[test]
fn the_database_phase() {
    let Some(bed) = running("clean-p8k") else { return };
    let context = full(&bed);
    assert_eq!(number(context.begin(BeginFlags::empty())), -505);
    assert_eq!(context.attach_info().unwrap(), [PathBuf::from(DATABASE)]);
    assert_eq!(number(context.open_file(Path::new(""))), -1003);
    assert_eq!(number(context.truncate_logs()), -521, "before the range is known");
    // A file that is not attached leaves the backup as it is.
    assert_eq!(number(context.open_file(Path::new("/db/edb00000014.log"))), -1203);
    let opened = context.open_file(Path::new(DATABASE)).unwrap();
    assert_eq!(number(context.open_file(Path::new(DATABASE))), -1011);
    assert_eq!(number(context.log_info()), -521);
    assert_eq!(number(context.truncate_logs()), -521);
    // Buffers: not whole pages, too small for a first read, not aligned.
    let read = |len| number(context.read_file(opened.handle, &mut AlignedBuffer::new(len)));
    assert_eq!((read(100), read(4096), read(8192), read(2 * 8192)), (-1003, -1003, -1003, -1003));
    let mut unaligned = AlignedBuffer::new(65536 + 4096);
    assert_eq!(number(context.read_file(opened.handle, &mut unaligned[8..65536 + 8])), -1003);
    assert_eq!(number(context.read_file(FileHandle(7), &mut AlignedBuffer::new(65536))), -1003);
    assert_eq!(number(context.close_file(FileHandle(7))), -1003);
    assert_eq!(read(3 * 8192), 0);
    assert_eq!(read(8192), 0, "a later read may be one page");
    context.close_file(opened.handle).unwrap();
    assert_eq!(number(context.close_file(opened.handle)), -1003);
    let events = bed.events.take_ids();
    assert_eq!(events, [210, 217, 220, 222]);
    // Ending normally in this phase gives the backup up.
    context.end(EndFlags::NORMAL).unwrap();
    assert_eq!(bed.events.take_ids(), [215]);
}

#[test]
fn the_log_phase() {
    let Some(bed) = running("clean-p8k") else { return };
    let context = full(&bed);
    let logs = context.log_info().unwrap();
    assert_eq!((logs.low.0, logs.high.0, logs.base_name.as_str()), (0x15, 0x15, "edb"));
    assert_eq!(context.log_info().unwrap(), logs, "the log is rolled once");
    assert_eq!(number(context.truncate_logs()), -616);
    assert_eq!(number(context.open_file(Path::new("/db/nothing.log"))), -569);
    assert_eq!(number(context.attach_info()), -520, "that ended the backup");
    assert_eq!(bed.events.take_ids(), [210, 223, 520, 459, 214]);

    let context = full(&bed);
    context.log_info().unwrap();
    assert_eq!(number(context.open_file(Path::new(DATABASE))), -521);
    assert_eq!(number(context.log_info()), -520, "that ended it, too");
}

#[test]
fn a_whole_backup() {
    let Some(bed) = running("clean-p8k") else { return };
    let live = bed.storage.get(DATABASE).unwrap();
    let context = full(&bed);
    let opened = context.open_file(Path::new(DATABASE)).unwrap();
    // Pieces of an odd number of pages: the trailer comes with the last one that has room for it.
    let copy = read_all(&context, opened.handle, 7 * 8192);
    context.close_file(opened.handle).unwrap();
    assert_eq!(copy.len() as u64, opened.size);
    assert_eq!(copy[2 * 8192..copy.len() - 8192], live[2 * 8192..copy.len() - 8192]);
    let logs = copy_logs(&context);
    assert_eq!(number(context.truncate_logs()), 0);
    context.end(EndFlags::NORMAL).unwrap();
    assert_eq!(bed.events.take_ids(), [210, 220, 221, 223, 224, 213]);
    let left = common::names(&bed.storage, "/db");
    assert!(!left.contains(&"edb00000014.log".to_owned()), "deleted: {left:?}");
    assert_eq!(logs.len(), 1);
    let header = bed.instance.databases()[0].header();
    assert_eq!(
        (header.previous_full_backup().low_generation, header.previous_full_backup().high_generation),
        (0x15, 0x15)
    );
    assert!(header.current_full_backup().is_none(), "only the copy knows of a backup going on");

    // A second one without truncation is a copy; logs only, without and with truncation by somebody else.
    let run = |begin, end| {
        let context = bed.context();
        context.begin(begin).unwrap();
        if begin.is_empty() {
            let opened = context.open_file(Path::new(DATABASE)).unwrap();
            read_all(&context, opened.handle, 1 << 20);
            context.close_file(opened.handle).unwrap();
        }
        copy_logs(&context);
        context.end(end).unwrap();
        bed.instance.databases()[0].header()
    };
    assert!(!run(BeginFlags::empty(), EndFlags::NORMAL).previous_copy_backup().is_none());
    let header = run(BeginFlags::INCREMENTAL, EndFlags::NORMAL);
    assert!(!header.previous_differential_backup().is_none());
    assert!(header.previous_incremental_backup().is_none());
    let header = run(BeginFlags::INCREMENTAL, EndFlags::NORMAL | EndFlags::TRUNCATE_DONE);
    assert!(!header.previous_incremental_backup().is_none());
    // A truncating full backup forgets both, and keeps the copy.
    let header = run(BeginFlags::empty(), EndFlags::NORMAL | EndFlags::TRUNCATE_DONE);
    assert!(
        header.previous_incremental_backup().is_none() && header.previous_differential_backup().is_none()
    );
    assert!(!header.previous_copy_backup().is_none());
}

#[test]
fn stop_and_what_is_left_out() {
    let Some(bed) = running("clean-p8k") else { return };
    let context = full(&bed);
    context.stop();
    assert_eq!(number(context.attach_info()), -801);
    assert_eq!(number(context.log_info()), -801);
    assert_eq!(number(context.end(EndFlags::NORMAL)), 0);
    assert_eq!(bed.events.take_ids(), [210, 226], "ended by the engine");

    // A database that was not read to its end: its logs are kept, its header is not stamped.
    let context = full(&bed);
    copy_logs(&context);
    let kept = common::names(&bed.storage, "/db");
    assert_eq!(number(context.truncate_logs()), 0);
    context.end(EndFlags::NORMAL).unwrap();
    assert_eq!(common::names(&bed.storage, "/db"), kept);
    assert_eq!(bed.events.take_ids(), [210, 223, 225, 213]);
    assert!(bed.instance.databases()[0].header().previous_full_backup().is_none());
}

#[test]
fn a_log_lost_since_the_last_backup() {
    let Some(bed) = running("clean-p8k") else { return };
    bed.make_directory("/full");
    let backup = |path: &str, flags| {
        number(ese_backup::backup_instance(
            &bed.instance,
            Some(Path::new(path)),
            flags,
            bed.read_options(),
            &ese_backup::NoProgress,
        ))
    };
    assert_eq!(backup("/full", ese_backup::BackupFlags::empty()), 0);
    // Two generations come to be; the first is lost.
    for _ in 0..2 {
        let context = full(&bed);
        context.log_info().unwrap();
        context.end(EndFlags::ABORT).unwrap();
    }
    let lost = bed.instance.log().unwrap().discover().unwrap().archived.values().next().unwrap().path.clone();
    bed.storage.remove(&lost).unwrap();
    let _ = bed.events.take();
    assert_eq!(backup("/full", ese_backup::BackupFlags::INCREMENTAL), -569);
    assert_eq!(bed.events.take_ids(), [211, 459, 215]);
}
