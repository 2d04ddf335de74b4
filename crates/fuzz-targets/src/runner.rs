//! Runs targets on mutated samples, on the stable toolchain: panics, hangs and unbounded allocations are caught, and the
//! input that caused them is kept.
//!
//! A run is given by its seed: the inputs of run `n` of a target are the same on every machine.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Target;
use crate::mutate::{Generator, mutate};

/// How long and how hard.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Seed of the mutations.
    pub seed: u64,
    /// Inputs after which a target is done, beside its samples.
    pub inputs: u64,
    /// Time after which a target is done.
    pub time: Duration,
    /// Time after which one input counts as hung.
    pub hang: Duration,
    /// Address space that one input may add, in KiB.
    pub allocation_kib: u64,
    /// Where inputs that fail are kept.
    pub artifacts: PathBuf,
}

impl Limits {
    /// A small, quick run for every change.
    #[must_use]
    pub fn smoke() -> Self {
        Self { inputs: 1500, time: Duration::from_secs(5), ..Self::long(Duration::ZERO) }
    }

    /// A run of `time` for each target.
    #[must_use]
    pub fn long(time: Duration) -> Self {
        Self {
            seed: 1,
            inputs: u64::MAX,
            time,
            hang: Duration::from_secs(60),
            allocation_kib: 512 << 10,
            artifacts: testdata::workspace_root().join("fuzz").join("artifacts"),
        }
    }
}

/// What a run of one target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing in so many inputs.
    Clean(u64),
    /// The target panicked on the input kept in this file; with the panic's message and place.
    Panicked(PathBuf, String),
    /// The target allocated without bound on the input kept in this file.
    Allocated(PathBuf),
}

/// Runs one target. A hang ends the process after keeping the input, because a thread cannot be stopped; `on_hang` is
/// called first with the kept file.
pub fn run(target: &Target, limits: &Limits, on_hang: fn(&Target, &Path)) -> Outcome {
    let watchdog = Watchdog::start(*target, limits.clone(), on_hang);
    let message = Arc::new(Mutex::new(String::new()));
    let previous = panic::take_hook();
    let sink = Arc::clone(&message);
    panic::set_hook(Box::new(move |info| {
        *sink.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    let outcome = run_inputs(target, limits, &watchdog, &message);
    panic::set_hook(previous);
    watchdog.stop();
    outcome
}

fn run_inputs(target: &Target, limits: &Limits, watchdog: &Watchdog, message: &Mutex<String>) -> Outcome {
    let started = Instant::now();
    let mut samples = kept_inputs(target);
    samples.extend((target.samples)());
    samples.push(Vec::new());
    let mut generator = Generator::new(limits.seed);
    let mut peak = peak_address_space_kib();
    let mut done = 0_u64;
    let mut one = |input: &[u8]| {
        watchdog.begin(input);
        let result = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        watchdog.end();
        if result.is_err() {
            let text = message.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Some(Outcome::Panicked(keep(limits, target, "crash", input), text));
        }
        let now = peak_address_space_kib();
        if now.saturating_sub(peak) > limits.allocation_kib {
            return Some(Outcome::Allocated(keep(limits, target, "allocation", input)));
        }
        peak = peak.max(now);
        None
    };
    for sample in &samples {
        if let Some(found) = one(sample) {
            return found;
        }
    }
    while done < limits.inputs && started.elapsed() < limits.time {
        let pick = |generator: &mut Generator| samples.get(generator.below(samples.len()));
        let mut input = pick(&mut generator).cloned().unwrap_or_default();
        let other = pick(&mut generator).map_or(&[][..], Vec::as_slice);
        mutate(&mut generator, &mut input, other);
        if let Some(found) = one(&input) {
            return found;
        }
        done += 1;
    }
    Outcome::Clean(done + samples.len() as u64)
}

/// Inputs that once found something: `fuzz/regressions/<target>/*`, committed.
fn kept_inputs(target: &Target) -> Vec<Vec<u8>> {
    let folder = testdata::workspace_root().join("fuzz").join("regressions").join(target.name);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files.iter().filter_map(|f| fs::read(f).ok()).collect()
}

/// Runs a kept input again, without protection.
///
/// # Errors
/// When the file cannot be read.
pub fn replay(target: &Target, file: &Path) -> std::io::Result<()> {
    (target.run)(&fs::read(file)?);
    Ok(())
}

fn keep(limits: &Limits, target: &Target, kind: &str, input: &[u8]) -> PathBuf {
    // FNV-1a: the same input gets the same name.
    let hash = input
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3));
    let folder = limits.artifacts.join(target.name);
    let file = folder.join(format!("{kind}-{hash:016x}"));
    if let Err(error) = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input)) {
        eprintln!("cannot keep {}: {error}", file.display());
    }
    file
}

/// The largest address space this process ever had; 0 where the system does not tell.
fn peak_address_space_kib() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|l| l.strip_prefix("VmPeak:"))?;
            line.split_whitespace().next()?.parse().ok()
        })
        .unwrap_or(0)
}

struct Watchdog {
    shared: Arc<(Mutex<Watched>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Watched {
    input: Option<(Instant, Vec<u8>)>,
    stop: bool,
}

impl Watchdog {
    fn start(target: Target, limits: Limits, on_hang: fn(&Target, &Path)) -> Self {
        let shared = Arc::new((Mutex::new(Watched::default()), Condvar::new()));
        let watched = Arc::clone(&shared);
        let pause = (limits.hang / 4).min(Duration::from_secs(1));
        let thread = thread::spawn(move || {
            let mut state = watched.0.lock().unwrap_or_else(PoisonError::into_inner);
            while !state.stop {
                if let Some((_, input)) =
                    state.input.as_ref().filter(|(since, _)| since.elapsed() > limits.hang)
                {
                    let file = keep(&limits, &target, "hang", input);
                    on_hang(&target, &file);
                    return;
                }
                state = watched.1.wait_timeout(state, pause).map_or_else(|e| e.into_inner().0, |(s, _)| s);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    fn begin(&self, input: &[u8]) {
        let mut state = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.input = Some((Instant::now(), input.to_vec()));
    }

    fn end(&self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).input = None;
    }

    fn stop(mut self) {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
