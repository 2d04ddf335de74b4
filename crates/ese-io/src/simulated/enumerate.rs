//! Cutting the power at every step, and failing every call.

use crate::error::IoErrorKind;
use crate::fault::{Effect, Fault};
use crate::simulated::{SimulatedDisk, Survival};

/// Where the power was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    /// During this step; one more than there are steps when the work was done.
    pub step: u64,
    /// What survived.
    pub survival: Survival,
    /// The work had returned before: all that it promised must be durable.
    pub finished: bool,
}

/// Does `work` on copies of `disk` and cuts the power at every step, and once after the end, for each kind of survival.
/// `check` gets what survived, rebooted. Returns how many crash points there were.
///
/// The work must do the same steps each time (no threads that race, no clock, seeded randomness), and must return when
/// its storage has lost its power.
///
/// ```
/// use std::path::Path;
/// use ese_io::{SimulatedDisk, Survival, crash_everywhere, replace_durably};
///
/// let disk = SimulatedDisk::new();
/// disk.put("d/file", b"old");
/// let points = crash_everywhere(
///     &disk,
///     &[Survival::Nothing, Survival::Everything, Survival::Prefix(1), Survival::Torn(1)],
///     |disk| drop(replace_durably(disk, Path::new("d/file"), b"new")),
///     |point, disk| {
///         let found = disk.get("d/file").expect("never without a file");
///         assert!(found == b"new" || found == b"old" && !point.finished, "{point:?}: {found:?}");
///     },
/// );
/// assert_eq!(points, 6 * 4);
/// ```
pub fn crash_everywhere(
    disk: &SimulatedDisk,
    survivals: &[Survival],
    mut work: impl FnMut(&SimulatedDisk),
    mut check: impl FnMut(CrashPoint, &SimulatedDisk),
) -> u64 {
    let mut points = 0;
    let mut step = 1;
    loop {
        let run = disk.reboot();
        run.cut_power_at(step, Survival::Nothing);
        work(&run);
        let finished = run.has_power();
        for survival in survivals {
            let survival = survival.mixed(step);
            // The state at the moment of the cut is the same whatever survives.
            run.lose(survival);
            points += 1;
            check(CrashPoint { step, survival, finished }, &run.reboot());
        }
        if finished {
            return points;
        }
        step += 1;
    }
}

/// Does `work` on copies of `disk` with the Nth call failing, for every N; `check` gets N, what the work returned, and the disk
/// as it is then, with no failures planned. The last N is one more than the work has calls: it ran without a failure.
/// Returns that N.
pub fn fail_everywhere<T>(
    disk: &SimulatedDisk,
    kind: IoErrorKind,
    effect: Effect,
    mut work: impl FnMut(&SimulatedDisk) -> T,
    mut check: impl FnMut(u64, T, &SimulatedDisk),
) -> u64 {
    let mut nth = 1;
    loop {
        let run = disk.reboot();
        run.plan(Fault::nth(nth, kind).with_effect(effect));
        let outcome = work(&run);
        let done = run.calls() < nth;
        check(nth, outcome, &run.reboot());
        if done {
            return nth;
        }
        nth += 1;
    }
}

impl SimulatedDisk {
    /// Without power, with what survives chosen again.
    fn lose(&self, survival: Survival) {
        self.state.lock().lost = Some(survival);
    }
}
