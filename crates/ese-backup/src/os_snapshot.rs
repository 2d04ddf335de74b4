//! Snapshots that somebody else takes of the disks: everything is made ready for them, and held still meanwhile.
//!
//! Prepare → freeze → thaw → (truncate logs) → end. Between freeze and thaw no page of a database is written, and the logs
//! up to there are closed and durable: whoever copies the disks then, one after the other, has a set that recovery brings
//! up to the freeze at least. Transactions go on; what they log meanwhile may or may not be in the copies. To an instance a
//! snapshot is a backup: there is no other one beside it, and headers remember it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bitflags::bitflags;
use ese_format::{JetError, PageNumber};
use ese_instance::{
    AttachedDatabase, CallError, Engine, EntryError, Instance, InstanceError, InstanceInfo, ParameterId,
};
use parking_lot::{Condvar, Mutex};

use crate::context::{BackupContext, ReadOptions};
use crate::error::BackupError;

bitflags! {
    /// How a snapshot is to be. Unknown bits are kept, and refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SnapshotFlags: u32 {
        /// Of the logs only.
        #[doc(alias = "JET_bitIncrementalSnapshot")]
        const INCREMENTAL = 0x1;
        /// No later backup builds on it, and no logs go.
        #[doc(alias = "JET_bitCopySnapshot")]
        const COPY = 0x2;
        /// It goes on after the thaw, until it is ended: logs can be truncated, and headers remember it.
        #[doc(alias = "JET_bitContinueAfterThaw")]
        const CONTINUE_AFTER_THAW = 0x4;
        /// Of the instances that are named, not of all.
        #[doc(alias = "JET_bitExplicitPrepare")]
        const EXPLICIT_PREPARE = 0x8;
        const _ = !0;
    }
}

/// Number of a snapshot.
#[doc(alias = "JET_OSSNAPID")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub u64);

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Prepared,
    Frozen,
    TimedOut,
    Thawed,
    Truncated,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Frozen => "frozen",
            Self::TimedOut => "timed out",
            Self::Thawed => "thawed",
            Self::Truncated => "thawed, with its logs truncated",
        }
    }
}

struct Snapshot {
    flags: SnapshotFlags,
    stage: Stage,
    instances: Vec<Instance>,
    backups: Vec<Arc<BackupContext>>,
    hold: Option<Hold>,
}

/// The thread that keeps writers out of database files.
struct Hold {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signal {
    inner: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    frozen: bool,
    thaw: bool,
    timed_out: bool,
}

/// The snapshots of a process.
pub struct OsSnapshots {
    engine: Engine,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    last: u64,
    snapshots: BTreeMap<u64, Snapshot>,
}

impl std::fmt::Debug for OsSnapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OsSnapshots").finish_non_exhaustive()
    }
}

fn refuse(error: CallError) -> BackupError {
    InstanceError::from(error).into()
}

impl Inner {
    /// Whether an instance takes part in a snapshot.
    fn has(&self, instance: &Instance) -> bool {
        let all = self.snapshots.values().flat_map(|snapshot| &snapshot.instances);
        all.into_iter().any(|other| other.name() == instance.name() && other.state().initialized)
    }

    fn get(&mut self, id: SnapshotId) -> Result<&mut Snapshot, BackupError> {
        self.snapshots.get_mut(&id.0).ok_or_else(|| refuse(CallError::SnapshotUnknown { id: id.0 }))
    }
}

impl Snapshot {
    fn check(&self, stages: &[Stage]) -> Result<(), BackupError> {
        if stages.contains(&self.stage()) {
            return Ok(());
        }
        Err(refuse(CallError::SnapshotSequence { state: self.stage().name() }))
    }

    fn stage(&self) -> Stage {
        let timed_out = self.hold.as_ref().is_some_and(|hold| hold.signal.inner.lock().timed_out);
        if self.stage == Stage::Frozen && timed_out { Stage::TimedOut } else { self.stage }
    }

    fn release(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.release();
        }
    }

    fn infos(&self) -> Vec<InstanceInfo> {
        self.instances.iter().map(Instance::info).collect()
    }
}

impl Hold {
    /// Keeps writers out; returns when nobody writes any more.
    fn begin(databases: Vec<Arc<AttachedDatabase>>, time: Duration) -> Result<Self, BackupError> {
        let signal = Arc::new(Signal::default());
        let own = Arc::clone(&signal);
        let thread = std::thread::Builder::new().name("ese snapshot".to_owned()).spawn(move || {
            let locks: Vec<_> =
                databases.iter().map(|d| d.range_locks().lock(PageNumber(0)..PageNumber(u32::MAX))).collect();
            let state = &mut own.inner.lock();
            state.frozen = true;
            own.changed.notify_all();
            while !state.thaw && !state.timed_out {
                state.timed_out = own.changed.wait_for(state, time).timed_out() && !state.thaw;
            }
            drop(locks);
        });
        let thread =
            thread.map_err(|_| refuse(CallError::NotAvailable { what: "a thread for a snapshot" }))?;
        {
            let state = &mut signal.inner.lock();
            while !state.frozen {
                signal.changed.wait(state);
            }
        }
        Ok(Self { signal, thread: Some(thread) })
    }

    fn release(mut self) {
        self.signal.inner.lock().thaw = true;
        self.signal.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does nothing that fails.
            let _ = thread.join();
        }
    }
}

impl OsSnapshots {
    /// The snapshots of an engine's instances.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), inner: Mutex::default() }
    }

    /// Begins a snapshot: of all instances that run and are in no other one, unless they are to be named.
    ///
    /// # Errors
    /// An invalid combination of options (`JET_errInvalidGrbit`); a process without instances (`JET_errNotInitialized`).
    #[doc(alias = "JetOSSnapshotPrepare")]
    pub fn prepare(&self, flags: SnapshotFlags) -> Result<SnapshotId, BackupError> {
        if flags.bits() & !0xF != 0 {
            return Err(BackupError::InvalidFlags { bits: flags.bits() });
        }
        if self.engine.instances().is_empty() {
            return Err(EntryError::NotInitialized.into());
        }
        let inner = &mut *self.inner.lock();
        inner.last += 1;
        let mut instances = Vec::new();
        if !flags.contains(SnapshotFlags::EXPLICIT_PREPARE) {
            instances = self.engine.instances();
            instances.retain(|instance| instance.state().initialized && !inner.has(instance));
        }
        let snapshot = Snapshot { flags, stage: Stage::Prepared, instances, backups: Vec::new(), hold: None };
        inner.snapshots.insert(inner.last, snapshot);
        Ok(SnapshotId(inner.last))
    }

    /// Names an instance that takes part.
    ///
    /// # Errors
    /// An unknown snapshot; one that is frozen already; an instance with a backup, that allows none, or that is in a snapshot,
    /// be it this one.
    #[doc(alias = "JetOSSnapshotPrepareInstance")]
    pub fn prepare_instance(&self, id: SnapshotId, instance: &Instance) -> Result<(), BackupError> {
        let inner = &mut *self.inner.lock();
        inner.get(id)?.check(&[Stage::Prepared])?;
        let state = instance.state();
        if inner.has(instance) || !state.backup_allowed || instance.backup_gate().occupant().is_some() {
            let instance = instance.name().to_owned();
            return Err(refuse(CallError::SnapshotNotAllowed { instance }));
        }
        inner.get(id)?.instances.push(instance.clone());
        Ok(())
    }

    /// Closes the logs, and keeps writers out of the database files until the thaw, or until the parameter
    /// `OSSnapshotTimeout` is over. Returns what takes part.
    ///
    /// # Errors
    /// An unknown snapshot, the wrong moment; an instance with a backup, or that allows none; what the begin of a backup
    /// says for instances that log.
    #[doc(alias = "JetOSSnapshotFreeze")]
    pub fn freeze(&self, id: SnapshotId) -> Result<Vec<InstanceInfo>, BackupError> {
        let inner = &mut *self.inner.lock();
        let snapshot = inner.get(id)?;
        snapshot.check(&[Stage::Prepared])?;
        // Those that have ended since then are none any more.
        snapshot.instances.retain(|instance| instance.state().initialized);
        let mut backups = Vec::new();
        let mut reached = 0;
        let frozen = Self::freeze_all(snapshot, &mut backups, &mut reached);
        match frozen {
            Ok(hold) => {
                snapshot.hold = Some(hold);
                snapshot.backups = backups;
                snapshot.stage = Stage::Frozen;
                Ok(snapshot.infos())
            }
            Err(error) => {
                if error.jet_error() == JetError::OS_SNAPSHOT_NOT_ALLOWED {
                    // As in the original, those that were looked at are none of the snapshot any more.
                    snapshot.instances.drain(..reached.min(snapshot.instances.len()));
                }
                for backup in backups {
                    backup.end_snapshot(None);
                }
                Err(error)
            }
        }
    }

    /// `reached`: how many instances were looked at.
    fn freeze_all(
        snapshot: &Snapshot,
        backups: &mut Vec<Arc<BackupContext>>,
        reached: &mut usize,
    ) -> Result<Hold, BackupError> {
        let incremental = snapshot.flags.contains(SnapshotFlags::INCREMENTAL);
        let mut databases = Vec::new();
        let mut time = u64::MAX;
        for instance in &snapshot.instances {
            *reached += 1;
            let not_allowed =
                || refuse(CallError::SnapshotNotAllowed { instance: instance.name().to_owned() });
            if !instance.state().backup_allowed {
                return Err(not_allowed());
            }
            let parameters = instance.parameters();
            time = time.min(parameters.number(ParameterId::OS_SNAPSHOT_TIMEOUT));
            databases.extend(instance.databases());
            if !parameters.recovery_on() {
                continue;
            }
            let backup = BackupContext::new(instance, ReadOptions::default());
            backup.begin_snapshot(incremental).map_err(|error| match error.jet_error() {
                JetError::BACKUP_IN_PROGRESS | JetError::SURROGATE_BACKUP_IN_PROGRESS => not_allowed(),
                _ => error,
            })?;
            backups.push(Arc::clone(&backup));
            backup.take_everything()?;
        }
        Hold::begin(databases, Duration::from_millis(time.min(u64::from(u32::MAX))))
    }

    /// What takes part in a snapshot.
    ///
    /// # Errors
    /// An unknown snapshot.
    #[doc(alias = "JetOSSnapshotGetFreezeInfo")]
    pub fn freeze_info(&self, id: SnapshotId) -> Result<Vec<InstanceInfo>, BackupError> {
        Ok(self.inner.lock().get(id)?.infos())
    }

    /// Lets writers go on. A snapshot that does not continue is over then.
    ///
    /// # Errors
    /// An unknown snapshot, the wrong moment; a freeze that took too long: writers went on before, and the snapshot is no good.
    #[doc(alias = "JetOSSnapshotThaw")]
    pub fn thaw(&self, id: SnapshotId) -> Result<(), BackupError> {
        let inner = &mut *self.inner.lock();
        let snapshot = inner.get(id)?;
        snapshot.check(&[Stage::Frozen, Stage::TimedOut])?;
        let in_time = thaw(snapshot);
        if !snapshot.flags.contains(SnapshotFlags::CONTINUE_AFTER_THAW) {
            let good = snapshot.stage == Stage::Thawed;
            if let Some(snapshot) = inner.snapshots.remove(&id.0) {
                finish(&snapshot, good);
            }
        }
        if in_time { Ok(()) } else { Err(refuse(CallError::SnapshotTimeOut)) }
    }

    /// Deletes the logs that nobody needs after the snapshot. Only when all databases are in it anything goes.
    ///
    /// # Errors
    /// An unknown snapshot, the wrong moment, a copy; a storage error.
    #[doc(alias = "JetOSSnapshotTruncateLog")]
    #[doc(alias = "JET_bitAllDatabasesSnapshot")]
    pub fn truncate_logs(&self, id: SnapshotId, all_databases: bool) -> Result<(), BackupError> {
        self.truncate(id, None, all_databases)
    }

    /// As [`truncate_logs`](Self::truncate_logs), of one instance.
    ///
    /// # Errors
    /// As [`truncate_logs`](Self::truncate_logs); the engine's −1 for an instance that is not in the snapshot.
    #[doc(alias = "JetOSSnapshotTruncateLogInstance")]
    pub fn truncate_logs_of(
        &self,
        id: SnapshotId,
        instance: &Instance,
        all_databases: bool,
    ) -> Result<(), BackupError> {
        self.truncate(id, Some(instance), all_databases)
    }

    fn truncate(
        &self,
        id: SnapshotId,
        instance: Option<&Instance>,
        all_databases: bool,
    ) -> Result<(), BackupError> {
        let inner = &mut *self.inner.lock();
        let snapshot = inner.get(id)?;
        snapshot.check(&[Stage::Thawed, Stage::Truncated])?;
        if snapshot.flags.contains(SnapshotFlags::COPY) {
            return Err(refuse(CallError::SnapshotSequence { state: "a copy" }));
        }
        let is_wanted = |member: &Instance| instance.is_none_or(|wanted| member.name() == wanted.name());
        if !snapshot.instances.iter().any(is_wanted) && instance.is_some() {
            return Err(refuse(CallError::NotImplemented {
                what: "the logs of an instance outside the snapshot",
            }));
        }
        let wanted = |backup: &&Arc<BackupContext>| is_wanted(backup.instance());
        let mut outcome = Ok(());
        for backup in snapshot.backups.iter().filter(wanted).filter(|_| all_databases) {
            // The first failure counts; the others are tried all the same.
            let truncated = backup.truncate_inside();
            outcome = outcome.and(truncated);
        }
        outcome?;
        snapshot.stage = Stage::Truncated;
        Ok(())
    }

    /// Ends a snapshot that continued after its thaw, or was only prepared. Headers remember it.
    ///
    /// # Errors
    /// An unknown snapshot; the wrong moment.
    #[doc(alias = "JetOSSnapshotEnd")]
    pub fn end(&self, id: SnapshotId) -> Result<(), BackupError> {
        let inner = &mut *self.inner.lock();
        inner.get(id)?.check(&[Stage::Prepared, Stage::Thawed, Stage::Truncated])?;
        if let Some(snapshot) = inner.snapshots.remove(&id.0) {
            finish(&snapshot, snapshot.stage != Stage::Prepared);
        }
        Ok(())
    }

    /// Gives a snapshot up, at whatever moment. Writers go on; nothing remembers it.
    ///
    /// # Errors
    /// An unknown snapshot.
    #[doc(alias = "JetOSSnapshotAbort")]
    #[doc(alias = "JET_bitAbortSnapshot")]
    pub fn abort(&self, id: SnapshotId) -> Result<(), BackupError> {
        let inner = &mut *self.inner.lock();
        inner.get(id)?;
        if let Some(mut snapshot) = inner.snapshots.remove(&id.0) {
            thaw(&mut snapshot);
            finish(&snapshot, false);
        }
        Ok(())
    }
}

/// Lets writers go on; says whether they were kept out until now.
fn thaw(snapshot: &mut Snapshot) -> bool {
    let in_time = snapshot.stage() != Stage::TimedOut;
    snapshot.release();
    if snapshot.stage == Stage::Frozen {
        snapshot.stage = if in_time { Stage::Thawed } else { Stage::TimedOut };
    }
    in_time
}

fn finish(snapshot: &Snapshot, good: bool) {
    let truncates = !snapshot.flags.contains(SnapshotFlags::COPY);
    for backup in &snapshot.backups {
        backup.end_snapshot(good.then_some(truncates));
    }
}
