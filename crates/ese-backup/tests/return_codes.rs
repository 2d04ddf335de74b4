//! The sixteen return codes that the engine documents for a backup into a directory, each provoked, and which of them
//! wins where several apply.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Bed, DATABASE, DIRECTORY, created, load, names, running, snapshot};
use ese_backup::{
    BackupFlags, BeginFlags, EndFlags, NoProgress, Progress, ReadOptions, backup_instance, restore_instance,
};
use ese_format::JetError;
use ese_instance::recovery::{RecoveryPhase, RecoveryProgress};
use ese_instance::{
    ApiLock, InitFlags, InitOptions, Instance, InstanceState, ModeError, ParameterId, ProcessMode, TermMode,
};
use ese_io::{
    AlignedBuffer, IoError, IoErrorKind, MemoryStorage, Operation, Proceed, Storage, WatchedStorage,
};
use parking_lot::{Condvar, Mutex};

const TARGET: &str = "/backup";

/// The number that a backup answers with; 0 for success.
fn backup(bed: &Bed, path: Option<&str>, flags: u32) -> i32 {
    let flags = BackupFlags::from_bits_retain(flags);
    backup_instance(&bed.instance, path.map(Path::new), flags, bed.read_options(), &NoProgress)
        .map_or_else(|e| e.jet_error().0, |_| 0)
}

fn ready() -> Option<Bed> {
    let bed = running("clean-p8k")?;
    bed.make_directory(TARGET);
    Some(bed)
}

#[test]
fn success() {
    let Some(bed) = ready() else { return };
    assert_eq!(backup(&bed, Some(TARGET), 0), 0);
    assert_eq!(bed.events.take_ids(), [210, 220, 221, 223, 224, 213]);
    assert_eq!(backup(&bed, Some(TARGET), 1), 0);
    assert_eq!(bed.events.take_ids(), [211, 223, 224, 213]);
}

#[test]
fn backup_in_progress() {
    let Some(bed) = ready() else { return };
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    assert_eq!(backup(&bed, Some(TARGET), 0), -505);
    // Before every problem of the directory.
    assert_eq!(backup(&bed, Some("/nowhere"), 0), -505);
    assert_eq!(backup(&bed, None, 0), -505);
    assert_eq!(bed.instance.detach(Path::new(DATABASE)).unwrap_err().jet_error().0, -505);
    context.end(EndFlags::ABORT).unwrap();
    assert_eq!(backup(&bed, Some(TARGET), 0), 0);
}

#[test]
fn backup_not_allowed_yet() {
    let Some(bed) = ready() else { return };
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    // A complete termination respects the streaming backup, and leaves the instance without new ones.
    assert_eq!(bed.instance.terminate(TermMode::Complete).unwrap_err().jet_error().0, -505);
    assert_eq!(backup(&bed, Some(TARGET), 0), -523);
    context.end(EndFlags::ABORT).unwrap();
    assert_eq!(backup(&bed, Some(TARGET), 0), -523);
}

/// Tries calls of an instance while something else runs on it, and keeps what they answer.
struct Calls<'a> {
    instance: &'a Instance,
    answers: Mutex<Vec<[i32; 6]>>,
}

impl Calls<'_> {
    /// Backup, begin of a session, parameter, initialisation, restore, termination; from a thread of their own.
    fn try_all(&self) {
        let instance = self.instance.clone();
        let answers = thread::spawn(move || {
            let number = |error: Option<i32>| error.unwrap_or(0);
            let instance = &instance;
            [
                backup_instance(
                    instance,
                    Some(Path::new(TARGET)),
                    BackupFlags::empty(),
                    ReadOptions::default(),
                    &NoProgress,
                )
                .map_or_else(|e| e.jet_error().0, |_| 0),
                number(instance.begin_session().err().map(|e| e.jet_error().0)),
                number(
                    instance.set_parameter(ParameterId::MAX_SESSIONS, 32_u32).err().map(|e| e.jet_error().0),
                ),
                number(instance.initialize(InitOptions::default()).err().map(|e| e.jet_error().0)),
                number(instance.begin_restore().err().map(|e| e.jet_error().0)),
                number(instance.terminate(TermMode::Abrupt).err().map(|e| e.jet_error().0)),
            ]
        });
        self.answers.lock().push(answers.join().unwrap());
    }
}

impl RecoveryProgress for Calls<'_> {
    fn phase(&self, _phase: RecoveryPhase) {
        self.try_all();
    }
}

impl Progress for Calls<'_> {
    fn begin(&self, _total: u64) {
        self.try_all();
    }
}

#[test]
fn backup_not_allowed_yet_during_a_recovery_that_is_controlled() {
    for (flags, expected) in [
        (InitFlags::EXTERNAL_RECOVERY_CONTROL, [-523, -1029, 0, -1031, -1031, -1031]),
        (InitFlags::empty(), [-1029, -1029, -1031, -1031, -1031, -1031]),
    ] {
        let Some(storage) = load("dirty-exit-p8k") else { return };
        let bed = created(&storage);
        bed.make_directory(TARGET);
        let calls = Calls { instance: &bed.instance, answers: Mutex::default() };
        bed.instance.initialize_with(InitOptions { flags, ..InitOptions::default() }, &calls).unwrap();
        let answers = calls.answers.into_inner();
        assert!(!answers.is_empty(), "there was something to recover");
        assert!(answers.iter().all(|a| *a == expected), "{answers:?}");
        // Afterwards they are allowed.
        bed.instance.attach(Path::new(DATABASE)).unwrap();
        assert_eq!(backup(&bed, Some(TARGET), 0), 0);
    }
}

#[test]
fn client_request_to_stop_the_service() {
    let Some(bed) = ready() else { return };
    bed.instance.set_fatal(JetError::DISK_IO);
    bed.instance.stop_service();
    // Before "unavailable", before every argument.
    assert_eq!(backup(&bed, Some(TARGET), 0x8000_0000), -1329);
}

#[test]
fn instance_unavailable() {
    let Some(bed) = ready() else { return };
    bed.instance.set_fatal(JetError::DISK_IO);
    assert_eq!(backup(&bed, Some(TARGET), 0x8000_0000), -1090);
    let Some(bed) = ready() else { return };
    bed.instance.set_fatal(JetError::LOG_DISK_FULL);
    assert_eq!(backup(&bed, Some(TARGET), 0), -1092);
}

#[test]
fn invalid_backup() {
    let Some(storage) = load("clean-p8k") else { return };
    let bed = created(&storage);
    bed.set(ParameterId::CIRCULAR_LOG, true);
    bed.start();
    bed.make_directory(TARGET);
    assert_eq!(backup(&bed, Some(TARGET), 1), -526);
    // Before "in progress"; a full one is possible.
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    assert_eq!(backup(&bed, None, 1), -526);
    context.end(EndFlags::ABORT).unwrap();
    assert_eq!(backup(&bed, Some(TARGET), 0), 0);
}

#[test]
fn invalid_grbit() {
    let Some(bed) = ready() else { return };
    // The directory form looks at the bits that it knows, and at no others.
    assert_eq!(backup(&bed, Some(TARGET), 0x8000_0050), 0);
    // The streaming begin knows other bits.
    let begin = |bits| bed.context().begin(BeginFlags::from_bits_retain(bits)).unwrap_err().jet_error().0;
    assert_eq!((begin(0x4), begin(0x80), begin(0x41)), (-900, -900, -900));
}

#[test]
fn invalid_parameter() {
    // No mode, or a handle that names nothing.
    assert_eq!(ProcessMode::NotSet.check_instance(false).unwrap_err().jet_error().0, -1003);
    assert_eq!(ProcessMode::MultiInstance.check_instance(false), Err(ModeError::InvalidParameter));
    let Some(bed) = ready() else { return };
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    assert_eq!(context.end(EndFlags::empty()).unwrap_err().jet_error().0, -1003);
}

#[test]
fn invalid_path() {
    let Some(bed) = ready() else { return };
    assert_eq!(backup(&bed, Some(""), 0), -1023);
    assert_eq!(backup(&bed, Some(&format!("/{}", "x".repeat(400))), 0), -1023);
    assert_eq!(bed.events.take_ids(), [0_u32; 0], "found before anything begins");
    assert_eq!(backup(&bed, Some("/missing/deep"), 0), -1023);
    assert_eq!(bed.events.take_ids(), [210, 215]);
    bed.set(ParameterId::CREATE_PATH_IF_NOT_EXIST, true);
    assert_eq!(backup(&bed, Some("/missing/deep"), 0), 0);
}

#[test]
fn logging_disabled() {
    let Some(storage) = load("clean-p8k") else { return };
    let bed = created(&storage);
    bed.set(ParameterId::RECOVERY, "off");
    bed.set(ParameterId::CIRCULAR_LOG, true);
    bed.start();
    for flags in [0, 1] {
        // Before "invalid backup".
        assert_eq!(backup(&bed, Some("/nowhere"), flags), -516);
        assert_eq!(backup(&bed, None, flags), -516);
    }
    assert_eq!(bed.context().begin(BeginFlags::empty()).unwrap_err().jet_error().0, -516);
    assert_eq!(bed.context().truncate_logs().unwrap_err().jet_error().0, -520);
}

#[test]
fn log_read_verify_failure() {
    let Some(bed) = ready() else { return };
    let log = bed.instance.log().unwrap();
    let before = snapshot(&bed.storage, TARGET);
    // The log being written is archived by the backup itself: damage it beyond correction on the way.
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    let path = context.log_info().unwrap().files[0].clone();
    context.end(EndFlags::ABORT).unwrap();
    let mut bytes = bed.storage.get(&path).unwrap();
    bytes[4096 + 100] ^= 0x01;
    bytes[4096 + 701] ^= 0x02;
    bed.storage.put(&path, bytes);
    let _ = bed.events.take();
    // The checkpoint has moved on: an incremental backup reads all logs that are left.
    stamp_full(&bed);
    assert_eq!(backup(&bed, Some(TARGET), 1), -612);
    assert_eq!(bed.events.take_ids(), [211, 223, 218, 214]);
    assert_eq!(snapshot(&bed.storage, TARGET), before);
    assert!(log.discover().unwrap().archived.len() > 1, "no log was deleted");
}

/// Makes the database look fully backed up, so that an incremental backup is possible.
fn stamp_full(bed: &Bed) {
    bed.make_directory("/full");
    for database in bed.instance.databases() {
        database.change_header(|h| {
            let info = ese_format::BackupInfo {
                mark: ese_format::LogPosition::new(1, 1, 0),
                time: ese_format::LogTime([1; 8]),
                low_generation: 1,
                high_generation: 0x7FFF_0000,
            };
            h.set_previous_full_backup(info);
        });
    }
}

#[test]
fn log_write_fail() {
    let Some(storage) = load("clean-p8k") else { return };
    let faults = LogFaults::default();
    let bed = created_on(&storage, faults.on(&storage));
    bed.start();
    bed.make_directory(TARGET);
    faults.fail_writes.store(true, Ordering::SeqCst);
    // The roll fails, and shuts the log off.
    assert_eq!(backup(&bed, Some(TARGET), 0), -510);
    assert_eq!(names(&storage, TARGET), [""; 0]);
    // From now on the door of the backup says so, before "in progress" and "invalid backup".
    assert_eq!(backup(&bed, Some(TARGET), 1), -510);
}

#[test]
fn not_initialized() {
    let Some(storage) = load("clean-p8k") else { return };
    let bed = created(&storage);
    assert_eq!(backup(&bed, Some(TARGET), 0x8000_0000), -1029);
    bed.start();
    bed.instance.terminate(TermMode::Complete).unwrap();
    assert_eq!(backup(&bed, Some(TARGET), 0), -1029);
}

#[test]
fn read_verify_failure() {
    let Some(bed) = ready() else { return };
    let file = bed.instance.databases()[0].file().unwrap();
    let mut byte = [0];
    for (offset, bit) in [(41 * 8192 + 100, 1), (41 * 8192 + 901, 2)] {
        file.read_exact_at(offset, &mut byte).unwrap();
        file.write_at(offset, &[byte[0] ^ bit]).unwrap();
    }
    for flags in [0, 4] {
        let logs = names(&bed.storage, DIRECTORY);
        assert_eq!(backup(&bed, Some(TARGET), flags), -1018);
        assert_eq!(bed.events.take_ids(), [210, 220, 474, 217, 222, 215]);
        assert_eq!(names(&bed.storage, TARGET), [""; 0]);
        assert_eq!(names(&bed.storage, DIRECTORY), logs, "no log was deleted, none rolled");
    }
}

#[test]
fn restore_in_progress() {
    let Some(bed) = ready() else { return };
    assert_eq!(backup(&bed, Some(TARGET), 0), 0);
    let restored = created(&bed.storage);
    for (id, path) in [(ParameterId::LOG_FILE_PATH, "/new"), (ParameterId::SYSTEM_PATH, "/new")] {
        restored.set(id, path);
    }
    restored.set(ParameterId::CREATE_PATH_IF_NOT_EXIST, true);
    let calls = Calls { instance: &restored.instance, answers: Mutex::default() };
    restore_instance(&restored.instance, Path::new(TARGET), Path::new("/new"), &calls).unwrap();
    assert_eq!(calls.answers.into_inner(), [[-506; 6]]);
    // Afterwards the instance is as before: it has still to be initialised.
    assert_eq!(backup(&restored, Some(TARGET), 0), -1029);
    restored.instance.initialize(InitOptions::default()).unwrap();
    restored.instance.attach(Path::new("/new/db.edb")).unwrap();
    restored.make_directory("/again");
    assert_eq!(backup(&restored, Some("/again"), 0), 0);
    let running = restore_instance(&restored.instance, Path::new(TARGET), Path::new("/new"), &NoProgress);
    assert_eq!(running.unwrap_err().jet_error().0, -1030);
}

/// A restore that fails leaves the instance as it was, too.
#[test]
fn a_restore_that_fails_leaves_the_instance() {
    let Some(storage) = load("clean-p8k") else { return };
    let bed = created(&storage);
    bed.make_directory("/nothing");
    let failed = restore_instance(&bed.instance, Path::new("/nothing"), Path::new("/new"), &NoProgress);
    assert_eq!(failed.unwrap_err().jet_error().0, -1811);
    bed.start();
}

#[test]
fn session_sharing_violation() {
    let Some(storage) = load("clean-p8k") else { return };
    let faults = LogFaults::default();
    let bed = created_on(&storage, faults.on(&storage));
    bed.start();
    let context = bed.context();
    context.begin(BeginFlags::empty()).unwrap();
    let log = context.log_info().unwrap().files[0].clone();
    let opened = context.open_file(&log).unwrap();
    faults.hold_reads();
    let reader = Arc::clone(&context);
    let first = thread::spawn(move || reader.read_file(opened.handle, &mut AlignedBuffer::new(65536)));
    faults.wait_for_reader();
    // The other thread is inside the session.
    let second = context.read_file(opened.handle, &mut AlignedBuffer::new(65536));
    assert_eq!(second.unwrap_err().jet_error().0, -1910);
    faults.release_reads();
    assert_eq!(first.join().unwrap().unwrap(), 65536);
    assert!(context.read_file(opened.handle, &mut AlignedBuffer::new(65536)).is_ok(), "the backup goes on");
    context.end(EndFlags::ABORT).unwrap();
}

/// Terminates the instance in the middle of a copy.
struct TerminateInTheMiddle<'a> {
    bed: &'a Bed,
    started: AtomicBool,
}

impl Progress for TerminateInTheMiddle<'_> {
    fn advance(&self, _bytes: u64) {
        if !self.started.swap(true, Ordering::SeqCst) {
            let instance = self.bed.instance.clone();
            thread::spawn(move || instance.terminate(TermMode::Abrupt));
            while !self.bed.instance.state().term_in_progress {
                thread::yield_now();
            }
        }
    }
}

#[test]
fn term_in_progress() {
    let Some(bed) = ready() else { return };
    let progress = TerminateInTheMiddle { bed: &bed, started: AtomicBool::new(false) };
    let result = backup_instance(
        &bed.instance,
        Some(Path::new(TARGET)),
        BackupFlags::empty(),
        bed.read_options(),
        &progress,
    );
    assert_eq!(result.unwrap_err().jet_error().0, -1000);
    assert_eq!(names(&bed.storage, TARGET), [""; 0]);
    // While it runs, the door says the same.
    let state =
        InstanceState { lock: Some(ApiLock::Terminating), initialized: true, ..InstanceState::default() };
    assert_eq!(state.check_backup().unwrap_err().jet_error().0, -1000);
}

/// What becomes of calls on logs: writes fail, reads wait.
#[derive(Clone, Default)]
struct LogFaults {
    fail_writes: Arc<AtomicBool>,
    reads: Arc<(Mutex<Reads>, Condvar)>,
}

#[derive(Default)]
struct Reads {
    held: bool,
    waiting: bool,
}

impl LogFaults {
    fn on(&self, storage: &MemoryStorage) -> Arc<dyn Storage> {
        let faults = self.clone();
        Arc::new(WatchedStorage::new(storage.clone(), move |call| {
            if !is_log(call.path) {
                return Ok(Proceed::Yes);
            }
            match call.operation {
                Operation::Read => faults.wait_to_read(),
                Operation::Write if faults.fail_writes.load(Ordering::SeqCst) => {
                    return Err(IoError::new(Operation::Write, IoErrorKind::Device, call.path));
                }
                _ => {}
            }
            Ok(Proceed::Yes)
        }))
    }

    fn wait_to_read(&self) {
        let mut reads = self.reads.0.lock();
        while reads.held {
            reads.waiting = true;
            self.reads.1.notify_all();
            self.reads.1.wait(&mut reads);
        }
    }

    fn hold_reads(&self) {
        self.reads.0.lock().held = true;
    }

    fn release_reads(&self) {
        self.reads.0.lock().held = false;
        self.reads.1.notify_all();
    }

    fn wait_for_reader(&self) {
        let mut reads = self.reads.0.lock();
        while !reads.waiting {
            self.reads.1.wait(&mut reads);
        }
    }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "log")
}

fn created_on(memory: &MemoryStorage, storage: Arc<dyn Storage>) -> Bed {
    let events = ese_instance::MemoryEventSink::new();
    let environment = common::environment(memory, &events).with_storage(storage);
    let engine = ese_instance::Engine::new(environment);
    let instance = engine.create_instance("test").unwrap();
    let bed = Bed { storage: memory.clone(), events, engine, instance };
    bed.set(ParameterId::LOG_FILE_PATH, DIRECTORY);
    bed.set(ParameterId::SYSTEM_PATH, DIRECTORY);
    bed.set(ParameterId::DATABASE_PAGE_SIZE, 8192_u32);
    let _: PathBuf = DIRECTORY.into();
    bed
}
