//! The loop: choose, do it on both sides, compare.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_instance::{CommitMode, DefragmentFlags, TermMode};
use ese_io::{SimulatedDisk, Storage, Survival};

use crate::backup::{self, Backup};
use crate::dice::Dice;
use crate::edit::Edit;
use crate::engine::{Answer, Running, verify_deeply};
use crate::model::{Model, Refusal, Row};

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Repeats a run.
    pub seed: u64,
    /// Steps.
    pub operations: u64,
    /// Page size of the database.
    pub page_size: u32,
    /// Sessions that work side by side.
    pub sessions: usize,
    /// Different keys.
    pub keys: u64,
    /// Mean number of steps between losses of power; 0 for none.
    pub crash_every: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, operations: 10_000, page_size: 4096, sessions: 3, keys: 200, crash_every: 400 }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps.
    pub operations: u64,
    /// Changes that succeeded.
    pub changes: u64,
    /// Changes that were refused, by both.
    pub refusals: u64,
    /// Commits to level 0 that changed something.
    pub commits: u64,
    /// Levels rolled back.
    pub rollbacks: u64,
    /// Losses of power.
    pub crashes: u64,
    /// Restarts after an end in order.
    pub restarts: u64,
    /// Commits that were not durable and were lost with the power.
    pub lost_commits: u64,
    /// Backups taken, restored and compared.
    pub backups: u64,
    /// Times that trees were made smaller.
    pub defragmentations: u64,
}

impl Report {
    /// The sums of two reports.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            changes: self.changes + other.changes,
            refusals: self.refusals + other.refusals,
            commits: self.commits + other.commits,
            rollbacks: self.rollbacks + other.rollbacks,
            crashes: self.crashes + other.crashes,
            restarts: self.restarts + other.restarts,
            lost_commits: self.lost_commits + other.lost_commits,
            backups: self.backups + other.backups,
            defragmentations: self.defragmentations + other.defragmentations,
        }
    }
}

/// The first thing in which engine and model differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The options that show it again.
    pub options: Options,
    /// Steps before it.
    pub operation: u64,
    /// What it is.
    pub what: String,
    /// What lies on the disk.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after {} steps of {:?}: {}", self.operation, self.options, self.what)
    }
}

impl std::error::Error for Difference {}

/// Everything that is compared after a restart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) rows: BTreeMap<i32, Row>,
    pub(crate) sides: BTreeMap<String, i32>,
}

struct World {
    options: Options,
    dice: Dice,
    disk: SimulatedDisk,
    running: Option<Running>,
    model: Model,
    /// The newest commit that must survive.
    durable: u64,
    /// Rows of the second database, and whether there may be one more.
    second: i32,
    second_unsure: bool,
    /// A backup under way, and the moment that it shows once the log was rolled for it.
    backup: Option<(Backup, Option<u64>)>,
    report: Report,
}

/// Works on an engine and on the model, and compares them.
///
/// # Errors
/// The first [`Difference`].
pub fn run(options: Options) -> Result<Report, Difference> {
    let mut world = World {
        options,
        dice: Dice(options.seed),
        // The format has nothing against half a page: it needs a disk that keeps pages whole.
        disk: SimulatedDisk::with_sector_size(options.page_size),
        running: None,
        model: Model::new(options.sessions),
        durable: 0,
        second: 0,
        second_unsure: false,
        backup: None,
        report: Report::default(),
    };
    world.disk.keep_order(".log");
    // Its directory is there for good.
    world.disk.put("/db/README", b"the model's database");
    let outcome = world.work();
    match outcome {
        Ok(()) => Ok(world.report),
        Err(what) => {
            let files = world.files();
            Err(Difference { options, operation: world.report.operations, what, files })
        }
    }
}

impl World {
    fn work(&mut self) -> Result<(), String> {
        self.start()?;
        while self.report.operations < self.options.operations {
            self.report.operations += 1;
            if self.options.crash_every > 0
                && self.disk.has_power()
                && self.dice.once_in(self.options.crash_every)
            {
                let seed = self.dice.next();
                let survival = match self.dice.below(4) {
                    0 => Survival::Nothing,
                    1 => Survival::Everything,
                    2 => Survival::Prefix(seed),
                    _ => Survival::Torn(seed),
                };
                self.disk.cut_power_at(self.disk.steps() + 1 + self.dice.below(40), survival);
            }
            let step = if self.dice.once_in(1500) {
                self.restart()
            } else if self.dice.once_in(if self.backup.is_some() { 3 } else { 1000 }) {
                self.back_up()
            } else if self.dice.once_in(300) {
                self.tidy()
            } else {
                self.step()
            };
            match step {
                Ok(()) => {}
                Err(_) if !self.disk.has_power() => self.reboot()?,
                Err(what) => return Err(what),
            }
            if self.report.operations.is_multiple_of(500) {
                let floor = self.backup.as_ref().and_then(|(_, moment)| *moment);
                self.model.compact(self.durable.min(floor.unwrap_or(u64::MAX)));
            }
        }
        match self.finish() {
            Err(_) if !self.disk.has_power() => self.reboot(),
            other => other,
        }
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = self.disk.reboot().list(Path::new("/db")).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|entry| Some((entry.path.clone(), self.disk.get(&entry.path)?)))
            .collect()
    }

    fn start(&mut self) -> Result<(), String> {
        let options = &self.options;
        let seed = self.dice.next();
        let storage: Arc<dyn Storage> = Arc::new(self.disk.clone());
        self.running = Some(Running::start(&storage, options.page_size, options.sessions, seed)?);
        Ok(())
    }

    fn running(&mut self) -> Result<&mut Running, String> {
        self.running.as_mut().ok_or_else(|| "the instance does not run".to_owned())
    }

    /// One random step of one session.
    fn step(&mut self) -> Result<(), String> {
        let session = self.dice.below(self.options.sessions as u64) as usize;
        let key = self.dice.below(self.options.keys) as i32 - 50;
        let level = self.model.level(session);
        if level == 0 {
            return match self.dice.below(10) {
                0 => self.read(session, key),
                2 if self.dice.once_in(150) => self.detour(session),
                1 if self.dice.once_in(8) => self.scan(session),
                _ => {
                    self.running()?.begin(session)?;
                    self.model.begin(session);
                    Ok(())
                }
            };
        }
        match self.dice.below(100) {
            0..30 => {
                let row = self.row();
                let (ours, theirs) =
                    (self.running()?.insert(session, key, &row)?, self.model.insert(session, key, &row));
                self.agree("insert", session, key, &ours, &theirs)
            }
            30..36 => self.edit(session, key),
            36..39 => {
                let copy = self.dice.below(self.options.keys) as i32 - 50;
                let ours = self.running()?.copy(session, key, copy)?;
                // Who copies a row takes part in its long value, which somebody else may just be changing.
                if ours == Err(Refusal::Conflict) && self.model.is_disturbed(session, key) {
                    self.report.refusals += 1;
                    return Ok(());
                }
                let theirs = self.model.copy(session, key, copy);
                self.agree("copy", session, key, &ours, &theirs)
            }
            39 if self.dice.once_in(4) => self.side(session),
            39..52 => {
                let row = self.row();
                let (ours, theirs) =
                    (self.running()?.replace(session, key, &row)?, self.model.replace(session, key, &row));
                self.agree("replace", session, key, &ours, &theirs)
            }
            52..64 => {
                let (ours, theirs) = (self.running()?.delete(session, key)?, self.model.delete(session, key));
                self.agree("delete", session, key, &ours, &theirs)
            }
            64..72 => {
                let amount = self.dice.below(1000) as i32 - 500;
                let (ours, theirs) =
                    (self.running()?.add(session, key, amount)?, self.model.add(session, key, amount));
                self.agree("add", session, key, &ours, &theirs)
            }
            72..82 => self.read(session, key),
            82 => self.scan(session),
            83..87 if level < 7 => {
                self.running()?.begin(session)?;
                self.model.begin(session);
                Ok(())
            }
            83..90 => {
                self.running()?.rollback(session)?;
                self.model.rollback(session);
                self.report.rollbacks += 1;
                Ok(())
            }
            _ => self.commit(session),
        }
    }

    /// Changes a part of a body.
    fn edit(&mut self, session: usize, key: i32) -> Result<(), String> {
        let old = self.model.get(session, key);
        let len = old.as_ref().and_then(|row| row.body.as_ref()).map_or(0, Vec::len);
        let size = match self.dice.below(3) {
            0 => 40,
            1 => 700,
            _ => 3 * u64::from(self.options.page_size),
        };
        let count = 1 + self.dice.below(size) as usize;
        let edit = match self.dice.below(3) {
            0 => Edit::Append(self.dice.bytes(count)),
            1 => Edit::Overwrite(self.dice.below(len as u64 + 1) as usize, self.dice.bytes(count)),
            _ => Edit::Size(count),
        };
        let ours = self.running()?.edit(session, key, &edit)?;
        let theirs = match old {
            None => Err(Refusal::Missing),
            Some(row) => {
                let body = Some(edit.apply(row.body.as_deref()));
                self.model.replace(session, key, &Row { body, ..row })
            }
        };
        self.agree("edit", session, key, &ours, &theirs)
    }

    /// A table comes, goes or gets a column and an index, in a transaction that may be taken back.
    fn side(&mut self, session: usize) -> Result<(), String> {
        let name = format!("Side{session}{}", self.dice.below(4));
        let now = self.model.side(session, &name);
        let found = self.running()?.side(session, &name)?;
        if found != now {
            return Err(format!("table {name} of session {session}: engine {found:?}, model {now:?}"));
        }
        let rows = match now {
            None => {
                let rows = self.dice.below(12) as i32;
                self.running()?.create_side(session, &name, rows)?;
                Some(rows)
            }
            Some(rows) if self.dice.once_in(2) => {
                let column = format!("C{}", self.dice.next());
                self.running()?.widen_side(session, &name, &column)?;
                Some(rows + 1)
            }
            Some(_) => {
                self.running()?.delete_side(session, &name)?;
                None
            }
        };
        self.model.change_side(session, &name, rows);
        self.report.changes += 1;
        Ok(())
    }

    /// Trees are made smaller, while others are in transactions.
    fn tidy(&mut self) -> Result<(), String> {
        let flags = match self.dice.below(3) {
            0 => DefragmentFlags::START,
            1 => DefragmentFlags::START | DefragmentFlags::NO_PARTIAL_MERGES,
            _ => DefragmentFlags::ONE_TABLE,
        };
        self.running()?.tidy(flags)?;
        self.report.defragmentations += 1;
        Ok(())
    }

    /// A piece of a backup; a complete one is restored and compared.
    fn back_up(&mut self) -> Result<(), String> {
        let page_size = self.options.page_size;
        let Some((backup, moment)) = &mut self.backup else {
            let backup = Backup::begin(&self.running()?.instance, page_size)?;
            self.backup = Some((backup, None));
            return Ok(());
        };
        match backup.step()? {
            backup::Step::More => {}
            backup::Step::Rolled => {
                *moment = Some(self.model.now());
                // What was lazy is in the set, and durable.
                self.durable = self.model.now() - 1;
            }
            backup::Step::Done(set) => {
                let moment = moment.unwrap_or_default();
                self.backup = None;
                let seed = self.dice.next();
                let found = backup::contents(&set, page_size, seed)?;
                let (rows, sides) = (self.model.committed_before(moment), self.model.sides_before(moment));
                if found != (Contents { rows, sides }) {
                    return Err(format!("a backup does not hold what was committed before moment {moment}"));
                }
                self.report.backups += 1;
            }
        }
        Ok(())
    }

    /// A second database is attached, changed and detached, while others are in transactions.
    fn detour(&mut self, session: usize) -> Result<(), String> {
        if self.backup.is_some() {
            // Databases do not come and go meanwhile.
            return Ok(());
        }
        let (known, path) = (self.second, Path::new("/db/second.edb"));
        let rows = self.running()?.detour(session, path, known == 0)?;
        // A row whose commit was under way when the power went may be there, or not.
        if rows != known + 1 && !(self.second_unsure && rows == known + 2) {
            return Err(format!("{rows} rows in the second database, {known} were committed before"));
        }
        (self.second, self.second_unsure) = (rows, false);
        Ok(())
    }

    fn commit(&mut self, session: usize) -> Result<(), String> {
        let mode = if self.dice.once_in(3) { CommitMode::Durable } else { CommitMode::Lazy };
        // First the model: a commit during which the power goes may be there afterwards, or not.
        let moment = self.model.commit(session);
        let logged = self.running()?.commit(session, mode)?;
        if let Some(moment) = moment {
            self.report.commits += 1;
            // A transaction that changed nothing but held a right has nothing to wait for.
            if mode == CommitMode::Durable && logged {
                self.durable = moment;
            }
        }
        Ok(())
    }

    fn agree<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        session: usize,
        key: i32,
        ours: &Answer<T>,
        theirs: &Answer<T>,
    ) -> Result<(), String> {
        if ours != theirs {
            return Err(format!("{what} of {key} by session {session}: engine {ours:?}, model {theirs:?}"));
        }
        let (level, wanted) = (self.running()?.level(session)?, self.model.level(session));
        if level != wanted {
            let outcome = if ours.is_ok() { "done" } else { "refused" };
            return Err(format!(
                "{what} of {key} by session {session}, {outcome}, leaves it at level {level}, model {wanted}"
            ));
        }
        if ours.is_ok() {
            self.report.changes += 1;
        } else {
            self.report.refusals += 1;
        }
        Ok(())
    }

    fn row(&mut self) -> Row {
        let dice = &mut self.dice;
        let page = u64::from(self.options.page_size);
        let body = match dice.below(8) {
            0 | 1 => None,
            2 => Some(0),
            3..=5 => Some(dice.below(60)),
            6 => Some(dice.below(page)),
            _ => Some(dice.below(4 * page)),
        };
        Row {
            name: (!dice.once_in(3)).then(|| format!("name {}", dice.below(150)).into_bytes()),
            group: (!dice.once_in(4)).then(|| dice.below(9) as i32 - 4),
            body: body.map(|len| dice.bytes(len as usize)),
            counter: dice.below(5) as i32,
            tags: (0..dice.below(8).saturating_sub(3)).map(|_| dice.below(20) as i32).collect(),
        }
    }

    fn read(&mut self, session: usize, key: i32) -> Result<(), String> {
        let (ours, theirs) = (self.running()?.get(session, key)?, self.model.get(session, key));
        if ours == theirs {
            return Ok(());
        }
        Err(format!("row {key} of session {session}: engine {}, model {}", brief(&ours), brief(&theirs)))
    }

    fn scan(&mut self, session: usize) -> Result<(), String> {
        let back = self.dice.once_in(2);
        let rows = self.model.all(session);
        let mut wanted: Vec<_> = rows.into_iter().collect();
        let index = match self.dice.below(4) {
            0 => None,
            1 => {
                wanted.retain(|(_, row)| row.name.is_some());
                wanted.sort_by(|a, b| a.1.name.cmp(&b.1.name));
                Some("ByName")
            }
            2 => {
                // A row is there once for each different tag, and in front of all others when it has none.
                let mut entries = Vec::new();
                for (key, row) in wanted {
                    let mut tags: Vec<_> = row.tags.iter().copied().map(Some).collect();
                    if tags.is_empty() {
                        tags.push(None);
                    }
                    tags.sort_unstable();
                    tags.dedup();
                    entries.extend(tags.into_iter().map(|tag| (tag, key, row.clone())));
                }
                entries.sort_by_key(|(tag, key, _)| (*tag, *key));
                wanted = entries.into_iter().map(|(_, key, row)| (key, row)).collect();
                Some("ByTag")
            }
            _ => {
                // Nulls are below every number.
                wanted.sort_by_key(|(key, row)| (row.group, *key));
                Some("ByGroup")
            }
        };
        let found = self.running()?.walk(session, index, back)?;
        if found == wanted {
            return Ok(());
        }
        let at = found.iter().zip(&wanted).position(|(a, b)| a != b).unwrap_or(found.len().min(wanted.len()));
        let row = |rows: &[(i32, Row)]| rows.get(at).map(|(key, row)| (*key, brief(&Some(row.clone()))));
        Err(format!(
            "index {index:?} of session {session}, backwards {back}: {} rows, model {}; at {at}: {:?}, model {:?}",
            found.len(),
            wanted.len(),
            row(&found),
            row(&wanted)
        ))
    }

    /// Ends the instance in order, looks at the database, and starts again.
    fn restart(&mut self) -> Result<(), String> {
        self.finish()?;
        self.report.restarts += 1;
        self.start()?;
        self.compare()
    }

    fn finish(&mut self) -> Result<(), String> {
        let dirty = self.dice.once_in(4);
        if let Some((backup, _)) = self.backup.take() {
            backup.give_up();
        }
        for session in 0..self.options.sessions {
            while self.model.level(session) > 0 {
                self.running()?.rollback(session)?;
                self.model.rollback(session);
            }
        }
        let Some(running) = self.running.take() else { return Ok(()) };
        let mode = match (dirty, self.dice.once_in(2)) {
            (true, _) => TermMode::Dirty,
            (_, true) => TermMode::Abrupt,
            _ => TermMode::Complete,
        };
        running.stop(mode)?;
        self.durable = self.model.now() - 1;
        if mode == TermMode::Dirty { Ok(()) } else { verify_deeply(&self.disk) }
    }

    /// The power is gone: starts again with what survived.
    fn reboot(&mut self) -> Result<(), String> {
        self.report.crashes += 1;
        self.second_unsure = true;
        if let Some((backup, _)) = self.backup.take() {
            backup.give_up();
        }
        drop(self.running.take());
        for attempt in 0.. {
            self.disk = self.disk.reboot();
            // Recovery may be cut short, too.
            if attempt < 2 && self.dice.once_in(3) {
                let seed = self.dice.next();
                self.disk.cut_power_at(1 + self.dice.below(60), Survival::Torn(seed));
            }
            match self.start() {
                Ok(()) => break,
                Err(_) if !self.disk.has_power() => drop(self.running.take()),
                Err(what) => return Err(format!("after a loss of power: {what}")),
            }
        }
        // It may go during the comparison; that proves nothing then.
        match self.compare() {
            Err(_) if !self.disk.has_power() => self.reboot(),
            other => other,
        }
    }

    /// The rows must be what some commit left, no earlier than the newest durable one.
    fn compare(&mut self) -> Result<(), String> {
        let found = self.running()?.all(0)?;
        let sides = self.running()?.sides()?;
        let newest = self.model.now();
        for moment in (self.durable + 1..=newest).rev() {
            if self.model.committed_before(moment) == found && self.model.sides_before(moment) == sides {
                self.report.lost_commits += newest - moment;
                self.model.restart(&found, &sides);
                self.durable = self.model.now() - 1;
                return Ok(());
            }
        }
        Err(format!(
            "{} rows and {} tables are those of no moment from {} to {newest}; nearest: {}",
            found.len(),
            sides.len(),
            self.durable + 1,
            self.nearest(&found)
        ))
    }

    fn nearest(&self, found: &BTreeMap<i32, Row>) -> String {
        let differences = |moment: u64| {
            let wanted = self.model.committed_before(moment);
            let mut keys: Vec<i32> = found.keys().chain(wanted.keys()).copied().collect();
            keys.sort_unstable();
            keys.dedup();
            keys.retain(|key| found.get(key) != wanted.get(key));
            let first = keys.first().map(|key| {
                let (ours, theirs) = (brief(&found.get(key).cloned()), brief(&wanted.get(key).cloned()));
                format!("row {key}: {ours}, model {theirs}")
            });
            (keys.len(), moment, first.unwrap_or_default())
        };
        let best = (self.durable + 1..=self.model.now()).map(differences).min();
        best.map_or_else(String::new, |(count, moment, first)| {
            format!("moment {moment}, {count} rows differ; {first}")
        })
    }
}

/// A row without its bytes.
fn brief(row: &Option<Row>) -> String {
    row.as_ref().map_or_else(
        || "none".to_owned(),
        |row| {
            let name = row.name.as_ref().map(|n| String::from_utf8_lossy(n).into_owned());
            let body = row.body.as_ref().map(|b| (b.len(), b.first().copied()));
            let (group, counter, tags) = (row.group, row.counter, &row.tags);
            format!("{{name {name:?}, group {group:?}, body {body:?}, counter {counter}, tags {tags:?}}}")
        },
    )
}
