//! Checking every page of a database.

use std::sync::Arc;
use std::time::Duration;

use bitflags::bitflags;
use ese_format::{JetError, PageCheck, PageNumber, PageVerdict, verify_page};

use super::task::Task;
use crate::call_error::CallError;
use crate::database::AttachedDatabase;
use crate::environment::Environment;
use crate::error::InstanceError;
use crate::open_database::Database;
use crate::state::SessionCall;

/// Pages read at once.
const CHUNK_PAGES: u32 = 64;

bitflags! {
    /// What is to be done about the scan of a database. Unknown bits are kept, and ignored as the engine does.
    #[doc(alias = "JET_bitDatabaseScan")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ScanFlags: u32 {
        /// Begin one pass.
        #[doc(alias = "JET_bitDatabaseScanBatchStart")]
        const START = 0x10;
        /// Stop.
        #[doc(alias = "JET_bitDatabaseScanBatchStop")]
        const STOP = 0x20;
        /// Overwrite pages without use: an option of old, ignored.
        #[doc(alias = "JET_bitDatabaseScanZeroPages")]
        const ZERO_PAGES = 0x40;
        /// Begin passes without end. One pass is made.
        #[doc(alias = "JET_bitDatabaseScanBatchStartContinuous")]
        const START_CONTINUOUS = 0x80;
        const _ = !0;
    }
}

/// How the scan goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanEvent {
    /// So many pages were checked.
    #[doc(alias = "JET_cbtypScanProgress")]
    Progress(ScanReport),
    /// It is over.
    #[doc(alias = "JET_cbtypScanCompleted")]
    Completed(ScanReport),
}

/// What a scan has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanReport {
    /// Pages read.
    pub pages: u32,
    /// Pages that the database had when it began.
    pub total: u32,
    /// Pages that were never written.
    pub blank: u32,
    /// Pages with one wrong bit that their checksum sets right. The file is left as it is.
    pub corrected: u32,
    /// Damaged pages, at most the first thousand.
    pub damaged: Vec<(PageNumber, PageVerdict)>,
    /// How many pages are damaged.
    pub damaged_count: u32,
    /// Why it ended early: a read that failed.
    pub failure: Option<JetError>,
    /// Whether every page was read.
    pub whole: bool,
}

/// Told how a scan goes; an error stops it.
pub type ScanCallback = dyn Fn(&ScanEvent) -> Result<(), JetError> + Send + Sync;

/// How a scan is made.
#[derive(Clone, Default)]
pub struct ScanOptions {
    /// Seconds after which it stops; 0 for no limit.
    pub seconds: u32,
    /// Rest after each read.
    pub pause: Duration,
    /// Told how it goes.
    pub callback: Option<Arc<ScanCallback>>,
}

impl std::fmt::Debug for ScanOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScanOptions").field("seconds", &self.seconds).field("pause", &self.pause).finish()
    }
}

impl Database {
    /// Begins or stops checking every page of the database's file, while it is worked on. The header remembers when. Where
    /// there are no threads the call that begins checks everything.
    ///
    /// # Errors
    /// `Call` (`JET_errInvalidGrbit`) unless exactly one of starting and stopping is asked for, or both ways to start are; an
    /// invalid parameter for options with `START_CONTINUOUS`. Refused at the door; `Call`: a read-only database, or one that is
    /// being scanned.
    #[doc(alias = "JetDatabaseScan")]
    pub fn scan(&self, flags: ScanFlags, options: ScanOptions) -> Result<(), InstanceError> {
        let starts = flags & (ScanFlags::START | ScanFlags::START_CONTINUOUS);
        let both = starts == ScanFlags::START | ScanFlags::START_CONTINUOUS;
        if starts.is_empty() != flags.contains(ScanFlags::STOP) || both {
            return Err(CallError::InvalidFlags { bits: flags.bits() }.into());
        }
        let plain = options.seconds == 0 && options.pause.is_zero() && options.callback.is_none();
        if starts == ScanFlags::START_CONTINUOUS && !plain {
            return Err(CallError::InvalidParameter { what: "continuous scans take no options" }.into());
        }
        let call = self.enter(SessionCall::Ordinary)?;
        if call.level() > 0 && call.state()?.is_read_only() {
            return Err(ese_btree::live::LiveError::TransactionReadOnly.into());
        }
        drop(call);
        let place = &self.attached.maintenance().scan;
        if flags.contains(ScanFlags::STOP) {
            if let Some(task) = place.running() {
                task.stop();
                task.wait();
            }
            return Ok(());
        }
        let path = || self.attached.path().to_path_buf();
        if self.attached.is_read_only() {
            return Err(CallError::ReadOnly { path: path() }.into());
        }
        let seconds = (options.seconds != 0).then_some(options.seconds);
        let task = place.begin(seconds).ok_or_else(|| CallError::MaintenanceRunning { path: path() })?;
        let instance = self.session.instance.clone();
        let environment = instance.environment().clone();
        let database = Arc::clone(&self.attached);
        let allowed = move || instance.background_tasks_allowed();
        task.run(environment.threads, "ese scan", move |task| {
            scan(&database, &environment, task, &options, &allowed);
        });
        Ok(())
    }
}

fn scan(
    database: &AttachedDatabase,
    environment: &Environment,
    task: &Task,
    options: &ScanOptions,
    allowed: &dyn Fn() -> bool,
) {
    database.change_header(|header| {
        header.set_scan_start_time(environment.now());
        header.set_scan_highest_continuous(PageNumber(1));
    });
    let mut report = ScanReport { total: database.last_page().0, ..ScanReport::default() };
    let tell = |event: &ScanEvent| options.callback.as_ref().map_or(Ok(()), |callback| callback(event));
    while report.pages < report.total && task.goes_on() && allowed() {
        if let Err(error) = read_chunk(database, &mut report) {
            report.failure = Some(error.jet_error());
            break;
        }
        let next = PageNumber(report.pages + 1);
        database.change_header(|header| header.set_scan_highest_continuous(next));
        if tell(&ScanEvent::Progress(report.clone())).is_err() {
            break;
        }
        task.rest(options.pause);
    }
    report.whole = report.pages == report.total;
    if report.whole {
        database.change_header(|header| {
            header.set_scan_finish_time(environment.now());
            header.set_scan_highest_continuous(PageNumber(0));
        });
    }
    let _ = tell(&ScanEvent::Completed(report));
}

/// Reads and checks the next pages. Nobody writes them meanwhile.
fn read_chunk(database: &AttachedDatabase, report: &mut ScanReport) -> Result<(), InstanceError> {
    let size = database.page_size();
    let first = PageNumber(report.pages + 1);
    let count = (report.total - report.pages).min(CHUNK_PAGES);
    let mut bytes = vec![0; size.len() * count as usize];
    {
        let _still = database.range_locks().lock(first..PageNumber(first.0 + count));
        database.file()?.read_exact_at(first.file_offset(size), &mut bytes)?;
    }
    for (number, page) in (first.0..).zip(bytes.chunks_exact(size.len())) {
        let PageCheck::Verified(verdict) = verify_page(page, PageNumber(number)) else { continue };
        match verdict {
            PageVerdict::Good => {}
            PageVerdict::Uninitialized => report.blank += 1,
            PageVerdict::Corrected { .. } => report.corrected += 1,
            damage => {
                report.damaged_count += 1;
                if report.damaged.len() < 1000 {
                    report.damaged.push((PageNumber(number), damage));
                }
            }
        }
    }
    report.pages += count;
    Ok(())
}
