//! Joining pages that are half empty, while a database is worked on.
//!
//! Each leaf of each tree is looked at: nodes that nobody can see go, and the others move to a neighbour as far as the
//! tree's density leaves room there. Pages that lose all nodes are free for other trees then; the file does not become
//! shorter. All tables are gone through from the last leaf to the first, with nodes moving to the right; a single table
//! from the first to the last, with nodes moving to the left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitflags::bitflags;
use ese_btree::TidyWay;
use ese_btree::live::{LiveError, LiveTrees, Tree};
use ese_format::JetError;

use super::task::Task;
use crate::call_error::CallError;
use crate::catalog::TableFlags;
use crate::error::InstanceError;
use crate::open_database::Database;
use crate::parameter::ParameterId;
use crate::schema::TableMode;
use crate::session::{Session, SessionShared};
use crate::state::SessionCall;

bitflags! {
    /// What is to be done about the defragmentation of a database. Unknown bits are kept, and refused.
    #[doc(alias = "JET_bitDefragment")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DefragmentFlags: u32 {
        /// Begin with all tables.
        #[doc(alias = "JET_bitDefragmentBatchStart")]
        const START = 0x1;
        /// Stop.
        #[doc(alias = "JET_bitDefragmentBatchStop")]
        const STOP = 0x2;
        /// Only the trees of free space, which are never left half empty here: nothing is done.
        #[doc(alias = "JET_bitDefragmentAvailSpaceTreesOnly")]
        const SPACE_TREES_ONLY = 0x40;
        /// No partial merges: nodes of a leaf move only when all of them do.
        #[doc(alias = "JET_bitDefragmentNoPartialMerges")]
        const NO_PARTIAL_MERGES = 0x80;
        /// One table with its indexes and long values.
        #[doc(alias = "JET_bitDefragmentBTree")]
        const ONE_TABLE = 0x100;
        /// With `START`: what was left over. Nothing is.
        #[doc(alias = "JET_bitDefragmentBTreeBatch")]
        const TABLES_LEFT = 0x200;
        const _ = !0;
    }
}

/// What a call says besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefragmentStatus {
    /// Nothing.
    #[default]
    Done,
    /// The database is being defragmented already.
    #[doc(alias = "JET_wrnDefragAlreadyRunning")]
    AlreadyRunning,
    /// There is nothing to stop.
    #[doc(alias = "JET_wrnDefragNotRunning")]
    NotRunning,
}

impl DefragmentStatus {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(self) -> JetError {
        match self {
            Self::Done => JetError::SUCCESS,
            Self::AlreadyRunning => JetError::WRN_DEFRAG_ALREADY_RUNNING,
            Self::NotRunning => JetError::WRN_DEFRAG_NOT_RUNNING,
        }
    }
}

/// The answer of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefragmentAnswer {
    /// What it says besides.
    pub status: DefragmentStatus,
    /// Of a stop: how often all tables were gone through.
    #[doc(alias = "pcPasses")]
    pub passes: u32,
    /// Of a stop: how long it took.
    #[doc(alias = "pcSeconds")]
    pub seconds: u32,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefragmentReport {
    /// Times that all tables were gone through.
    pub passes: u32,
    /// Leaves looked at.
    pub leaves: u64,
    /// Merges of pages made meanwhile, by whomever.
    pub merges: u64,
    /// Why it ended early.
    pub failure: Option<JetError>,
}

/// Told when a defragmentation is over.
#[doc(alias = "JET_cbtypOnlineDefragCompleted")]
pub type DefragmentCallback = dyn Fn(&DefragmentReport) + Send + Sync;

/// How a defragmentation is made.
#[derive(Clone, Default)]
pub struct DefragmentOptions {
    /// Most times that all tables are gone through; 0 for one.
    pub passes: u32,
    /// Seconds after which it stops; 0 for no limit.
    pub seconds: u32,
    /// Told when it is over.
    pub callback: Option<Arc<DefragmentCallback>>,
}

impl std::fmt::Debug for DefragmentOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DefragmentOptions")
            .field("passes", &self.passes)
            .field("seconds", &self.seconds)
            .finish_non_exhaustive()
    }
}

/// The grains of the parameter `EnableOnlineDefrag` that let tables be worked on: all of old, tables.
const TABLES_ALLOWED: u64 = 0x1 | 0x2;

impl Database {
    /// Begins or stops making the trees of a database, or of one table, smaller. Where there are no threads the call that
    /// begins does it all.
    ///
    /// # Errors
    /// Refused at the door; `Live` in a transaction for reading; `Call`: a read-only database, options that do not go together
    /// (`JET_errInvalidGrbit`), arguments that the options do not take; `Definition` (`JET_errInvalidName`) for
    /// `ONE_TABLE` without a name; `TableNotFound`.
    #[doc(alias = "JetDefragment")]
    #[doc(alias = "JetDefragment2")]
    pub fn defragment(
        &self,
        table: Option<&str>,
        flags: DefragmentFlags,
        options: DefragmentOptions,
    ) -> Result<DefragmentAnswer, InstanceError> {
        type Flags = DefragmentFlags;
        let mut call = self.enter(SessionCall::Ordinary)?;
        if call.level() > 0 && call.state()?.is_read_only() {
            return Err(LiveError::TransactionReadOnly.into());
        }
        let invalid = || CallError::InvalidFlags { bits: flags.bits() };
        let no_argument = |what| Err(CallError::InvalidParameter { what }.into());
        if flags.contains(Flags::TABLES_LEFT) {
            if options.passes != 0 || options.seconds != 0 || options.callback.is_some() || table.is_some() {
                return no_argument("what is left over takes no arguments");
            }
            if flags != Flags::TABLES_LEFT | Flags::START {
                return Err(invalid().into());
            }
            return Ok(DefragmentAnswer::default());
        }
        if flags.contains(Flags::ONE_TABLE) {
            if flags != Flags::ONE_TABLE {
                return Err(invalid().into());
            }
            if options.callback.is_some() {
                return no_argument("one table takes no callback");
            }
            let Some(name) = table else {
                return Err(CallError::InvalidName { what: "a table to defragment" }.into());
            };
            self.schema(&mut call, name)?;
            self.check_writable()?;
            drop(call);
            let way = TidyWay::FromTheBegin;
            return self.start_defragmentation(Some(name.to_owned()), way, DefragmentOptions::default());
        }
        drop(call);
        let allowed = self.session.instance.parameter_number(ParameterId::ENABLE_ONLINE_DEFRAG);
        if allowed == 0 {
            return Ok(DefragmentAnswer::default());
        }
        self.check_writable()?;
        match flags - (Flags::SPACE_TREES_ONLY | Flags::NO_PARTIAL_MERGES) {
            Flags::START if flags.contains(Flags::SPACE_TREES_ONLY) || allowed & TABLES_ALLOWED == 0 => {
                Ok(DefragmentAnswer::default())
            }
            Flags::START => {
                let partial = !flags.contains(Flags::NO_PARTIAL_MERGES);
                self.start_defragmentation(None, TidyWay::FromTheEnd { partial }, options)
            }
            Flags::STOP => Ok(self.stop_defragmentation()),
            _ => Err(invalid().into()),
        }
    }

    fn check_writable(&self) -> Result<(), CallError> {
        if self.attached.is_read_only() {
            return Err(CallError::ReadOnly { path: self.attached.path().to_path_buf() });
        }
        Ok(())
    }

    fn stop_defragmentation(&self) -> DefragmentAnswer {
        let Some(task) = self.attached.maintenance().defragment.running() else {
            return DefragmentAnswer { status: DefragmentStatus::NotRunning, ..DefragmentAnswer::default() };
        };
        task.stop();
        task.wait();
        let passes = task.passes.load(Ordering::Acquire);
        DefragmentAnswer { status: DefragmentStatus::Done, passes, seconds: task.seconds() }
    }

    fn start_defragmentation(
        &self,
        table: Option<String>,
        way: TidyWay,
        options: DefragmentOptions,
    ) -> Result<DefragmentAnswer, InstanceError> {
        let seconds = (options.seconds != 0).then_some(options.seconds);
        let Some(task) = self.attached.maintenance().defragment.begin(seconds) else {
            let status = DefragmentStatus::AlreadyRunning;
            return Ok(DefragmentAnswer { status, ..DefragmentAnswer::default() });
        };
        let (from, path) = (Arc::clone(&self.session), self.attached.path().to_path_buf());
        let threads = from.instance.environment().threads;
        task.run(threads, "ese defragmentation", move |task| {
            let mut report = DefragmentReport::default();
            let merges = from.trees.counters().merges;
            if let Err(error) = defragment(&from, &path, task, (table.as_deref(), way), &options, &mut report)
            {
                report.failure = Some(error.jet_error());
            }
            report.merges = from.trees.counters().merges.saturating_sub(merges);
            if let Some(callback) = &options.callback {
                callback(&report);
            }
        });
        Ok(DefragmentAnswer::default())
    }
}

fn defragment(
    from: &SessionShared,
    path: &std::path::Path,
    task: &Task,
    (table, way): (Option<&str>, TidyWay),
    options: &DefragmentOptions,
    report: &mut DefragmentReport,
) -> Result<(), InstanceError> {
    let session: Session = from.instance.new_session()?;
    let database = session.open_database(path)?;
    let goes_on = || task.goes_on() && from.instance.background_tasks_allowed();
    // What nobody can see any more would be in the way.
    from.trees.clean_versions(usize::MAX)?;
    while goes_on() && report.passes < options.passes.max(1) {
        let names = match table {
            Some(name) => vec![name.to_owned()],
            None => {
                let all = database.tables()?.into_iter();
                all.filter(|t| !t.flags.contains(TableFlags::SYSTEM)).map(|t| t.name).collect()
            }
        };
        for name in names {
            match database.defragment_table(&name, way, &goes_on, report) {
                // Gone, or somebody has it for himself: another time.
                Err(
                    InstanceError::TableNotFound { .. }
                    | InstanceError::TableLocked { .. }
                    | InstanceError::TableInUse { .. },
                ) => {}
                other => other?,
            }
        }
        if goes_on() {
            report.passes += 1;
            task.passes.store(report.passes, Ordering::Release);
        }
    }
    Ok(())
}

impl Database {
    fn defragment_table(
        &self,
        name: &str,
        way: TidyWay,
        goes_on: &dyn Fn() -> bool,
        report: &mut DefragmentReport,
    ) -> Result<(), InstanceError> {
        let schema = {
            let mut call = self.enter(SessionCall::Ordinary)?;
            self.schema(&mut call, name)?
        };
        // While they are held neither the table nor its indexes are given up.
        let _open = schema.shared.open(name, self.session.id, TableMode::READ_ONLY, false)?;
        let uses: Vec<_> =
            schema.indexes.iter().map(|index| schema.shared.use_index(index.tree.root.root)).collect();
        // What was read before might be gone since.
        let now = {
            let mut call = self.enter(SessionCall::Ordinary)?;
            self.schema(&mut call, name)?
        };
        if now.tree != schema.tree || now.indexes.len() != schema.indexes.len() {
            return Ok(());
        }
        let trees = now.indexes.iter().map(|index| index.tree).filter(|tree| *tree != now.tree);
        let trees: Vec<Tree> = [now.tree].into_iter().chain(now.long_values()).chain(trees).collect();
        for tree in trees {
            walk(&self.session.trees, &tree, way, goes_on, report)?;
        }
        drop(uses);
        Ok(())
    }
}

fn walk(
    trees: &LiveTrees,
    tree: &Tree,
    way: TidyWay,
    goes_on: &dyn Fn() -> bool,
    report: &mut DefragmentReport,
) -> Result<(), InstanceError> {
    let mut at = trees.first_to_tidy(tree, way)?;
    while let Some(mark) = at.filter(|_| goes_on()) {
        at = trees.tidy_leaf(tree, &mark, way)?;
        report.leaves += 1;
    }
    Ok(())
}
