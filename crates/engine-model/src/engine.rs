//! The engine's side: an instance with sessions, each with a cursor on the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
    IndexSpec, InitOptions, Instance, ParameterId, PrepareKind, SeekFlags, Session, SetFlags, Table,
    TableError, TableMode, TableSpec, TermMode, deep_verify,
};
use ese_io::{FixedClock, SeededRandomness, SimulatedDisk};

use crate::model::{Refusal, Row};

pub(crate) const DATABASE: &str = "/db/model.edb";

/// An answer that no sound engine gives.
pub(crate) type Broken = String;
type Result<T> = std::result::Result<T, Broken>;

/// What the engine says to a change.
pub(crate) type Answer<T> = std::result::Result<T, Refusal>;

struct Columns {
    name: u32,
    group: u32,
    body: u32,
    counter: u32,
    key: u32,
}

/// A running instance.
pub(crate) struct Running {
    pub(crate) instance: Instance,
    // Cursors go before their sessions.
    tables: Vec<Table>,
    pub(crate) sessions: Vec<Session>,
    columns: Columns,
}

fn broken(what: impl std::fmt::Display) -> Broken {
    what.to_string()
}

fn answer<T>(outcome: std::result::Result<T, TableError>) -> Result<Answer<T>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.jet_error().0 {
            -1102 => Ok(Err(Refusal::Conflict)),
            -1605 => Ok(Err(Refusal::Duplicate)),
            -1601 => Ok(Err(Refusal::Missing)),
            number => Err(format!("{error} ({number}): {error:?}")),
        },
    }
}

fn number(bytes: Option<Vec<u8>>) -> Option<i32> {
    bytes.and_then(|b| b.first_chunk().map(|b| i32::from_le_bytes(*b)))
}

impl Running {
    /// Starts an instance on what lies on the disk; the database is made when there is none.
    pub(crate) fn start(disk: &SimulatedDisk, page_size: u32, sessions: usize, seed: u64) -> Result<Self> {
        let engine = Engine::new(Environment {
            storage: Arc::new(disk.clone()),
            clock: Arc::new(FixedClock::new(1_795_353_522_574)),
            randomness: Arc::new(SeededRandomness::new(seed)),
            events: None,
            threads: false,
        });
        let instance = engine.create_instance("model").map_err(broken)?;
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            instance.set_parameter(id, "/db").map_err(broken)?;
        }
        // Small, so that logs roll, pages leave memory and checkpoints move all the time.
        for (id, value) in [
            (ParameterId::DATABASE_PAGE_SIZE, page_size),
            (ParameterId::LOG_FILE_SIZE, 128),
            (ParameterId::CHECKPOINT_DEPTH_MAX, 256 << 10),
            (ParameterId::CACHE_SIZE_MAX, 64),
            (ParameterId::CIRCULAR_LOG, 1),
        ] {
            instance.set_parameter(id, value).map_err(broken)?;
        }
        instance.initialize(InitOptions::default()).map_err(broken)?;
        let path = Path::new(DATABASE);
        let first = instance.begin_session().map_err(broken)?;
        if instance.databases().is_empty() {
            if disk.get(DATABASE).is_some_and(|bytes| !bytes.is_empty()) {
                first.attach_database(path).map_err(broken)?;
            } else {
                drop(first.create_database(path, &CreateOptions::default().overwrite()).map_err(broken)?);
            }
        }
        let database = first.open_database(path).map_err(broken)?;
        if database.table_names().map_err(broken)?.is_empty() {
            database.create_table(&table()).map_err(broken)?;
        }
        drop(database);
        let mut all = vec![first];
        while all.len() < sessions {
            all.push(instance.begin_session().map_err(broken)?);
        }
        let mut tables = Vec::new();
        for session in &all {
            let database = session.open_database(path).map_err(broken)?;
            tables.push(database.open_table("Rows", TableMode::default()).map_err(broken)?);
        }
        let Some(cursor) = tables.first_mut() else { return Err("no session".to_owned()) };
        let mut column = |name: &str| cursor.column_id(name).map_err(broken);
        let columns = Columns {
            key: column("Key")?,
            name: column("Name")?,
            group: column("Group")?,
            body: column("Body")?,
            counter: column("Counter")?,
        };
        Ok(Self { instance, tables, sessions: all, columns })
    }

    fn session(&self, index: usize) -> Result<&Session> {
        self.sessions.get(index).ok_or_else(|| "no such session".to_owned())
    }

    fn table(&mut self, index: usize) -> Result<(&mut Table, &Columns)> {
        let columns = &self.columns;
        self.tables.get_mut(index).map(|t| (t, columns)).ok_or_else(|| "no such session".to_owned())
    }

    pub(crate) fn level(&self, session: usize) -> Result<usize> {
        Ok(usize::from(self.session(session)?.level().map_err(broken)?))
    }

    pub(crate) fn begin(&self, session: usize) -> Result<()> {
        self.session(session)?.begin().map_err(broken)
    }

    /// Whether there was anything to log.
    pub(crate) fn commit(&self, session: usize, mode: CommitMode) -> Result<bool> {
        self.session(session)?.commit(mode).map(|id| id.is_some()).map_err(broken)
    }

    pub(crate) fn rollback(&self, session: usize) -> Result<()> {
        self.session(session)?.rollback().map_err(broken)
    }

    /// Puts the cursor on a row.
    fn find(&mut self, session: usize, key: i32) -> Result<Answer<()>> {
        let (table, _) = self.table(session)?;
        table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY).map_err(broken)?;
        Ok(answer(table.seek(SeekFlags::EQUAL))?.map(|_| ()))
    }

    fn set(&mut self, session: usize, row: &Row) -> Result<Answer<()>> {
        let (table, columns) = self.table(session)?;
        let group = row.group.map(i32::to_le_bytes);
        let values = [
            (columns.name, row.name.as_deref()),
            (columns.group, group.as_ref().map(|g| &g[..])),
            (columns.body, row.body.as_deref()),
        ];
        for (column, value) in values {
            let flags = match value {
                Some([]) => SetFlags::ZERO_LENGTH,
                _ => SetFlags::empty(),
            };
            table
                .set_column(column, value.unwrap_or_default(), flags)
                .map_err(|e| format!("setting column {column} to {:?} bytes: {e}", value.map(<[u8]>::len)))?;
        }
        let outcome = answer(table.update())?.map(|_| ());
        if outcome.is_err() {
            table.cancel_update().map_err(|e| format!("giving up an update: {e}"))?;
        }
        Ok(outcome)
    }

    pub(crate) fn insert(&mut self, session: usize, key: i32, row: &Row) -> Result<Answer<()>> {
        let (table, columns) = self.table(session)?;
        table.prepare(PrepareKind::Insert).map_err(broken)?;
        table.set_column(columns.key, &key.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
        table.set_column(columns.counter, &row.counter.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
        self.set(session, row)
    }

    pub(crate) fn replace(&mut self, session: usize, key: i32, row: &Row) -> Result<Answer<()>> {
        if let Err(refusal) = self.find(session, key)? {
            return Ok(Err(refusal));
        }
        let (table, _) = self.table(session)?;
        if let Err(refusal) = answer(table.prepare(PrepareKind::Replace))? {
            return Ok(Err(refusal));
        }
        self.set(session, row)
    }

    pub(crate) fn delete(&mut self, session: usize, key: i32) -> Result<Answer<()>> {
        if let Err(refusal) = self.find(session, key)? {
            return Ok(Err(refusal));
        }
        answer(self.table(session)?.0.delete())
    }

    pub(crate) fn add(&mut self, session: usize, key: i32, amount: i32) -> Result<Answer<i32>> {
        if let Err(refusal) = self.find(session, key)? {
            return Ok(Err(refusal));
        }
        let (table, columns) = self.table(session)?;
        let before = answer(table.escrow_update(columns.counter, &amount.to_le_bytes()))?;
        Ok(before.map(|before| before as i32))
    }

    fn current(&mut self, session: usize) -> Result<(i32, Row)> {
        let (table, columns) = self.table(session)?;
        let key = number(table.get(columns.key).map_err(broken)?).ok_or("a row without a key")?;
        let row = Row {
            name: table.get(columns.name).map_err(broken)?,
            group: number(table.get(columns.group).map_err(broken)?),
            body: table.get(columns.body).map_err(broken)?,
            counter: number(table.get(columns.counter).map_err(broken)?).ok_or("a row without a counter")?,
        };
        Ok((key, row))
    }

    pub(crate) fn get(&mut self, session: usize, key: i32) -> Result<Option<Row>> {
        match self.find(session, key)? {
            Ok(()) => Ok(Some(self.current(session)?.1)),
            Err(Refusal::Missing) => Ok(None),
            Err(refusal) => Err(format!("a seek was refused: {refusal:?}")),
        }
    }

    /// All rows in the order of an index (`None`: the primary one), forwards or backwards.
    pub(crate) fn walk(
        &mut self,
        session: usize,
        index: Option<&str>,
        back: bool,
    ) -> Result<Vec<(i32, Row)>> {
        let mut rows = Vec::new();
        self.table(session)?.0.set_current_index(index).map_err(broken)?;
        let (table, _) = self.table(session)?;
        let mut found = if back { table.move_last() } else { table.move_first() };
        loop {
            match found {
                Ok(()) => {}
                Err(TableError::NoCurrentRecord) => break,
                Err(error) if error.jet_error().0 == -1603 => break,
                Err(error) => return Err(broken(error)),
            }
            rows.push(self.current(session)?);
            let (table, _) = self.table(session)?;
            found = if back { table.move_previous() } else { table.move_next() };
        }
        self.table(session)?.0.set_current_index(None).map_err(broken)?;
        if back {
            rows.reverse();
        }
        Ok(rows)
    }

    pub(crate) fn all(&mut self, session: usize) -> Result<BTreeMap<i32, Row>> {
        Ok(self.walk(session, None, false)?.into_iter().collect())
    }

    /// Ends the instance in order.
    pub(crate) fn stop(self, mode: TermMode) -> Result<()> {
        let Self { instance, tables, sessions, .. } = self;
        drop(tables);
        for session in sessions {
            session.end().map_err(broken)?;
        }
        match instance.terminate(mode) {
            // That is how a dirty end that succeeded answers.
            Err(error) if mode == TermMode::Dirty && error.jet_error().0 == -1116 => Ok(()),
            other => other.map_err(broken),
        }
    }
}

fn table() -> TableSpec {
    TableSpec::new("Rows")
        .column(ColumnSpec::fixed("Key", ColumnKind::LONG).not_null())
        .column(ColumnSpec::variable("Name", ColumnKind::BINARY, 100))
        .column(ColumnSpec::fixed("Group", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Body", ColumnKind::LONG_BINARY))
        .column(ColumnSpec::fixed("Counter", ColumnKind::LONG).escrow_update().default_value(0_i32))
        .index(IndexSpec::new("ByKey").ascending("Key").primary())
        .index(IndexSpec::new("ByName").ascending("Name").unique().ignore_null())
        .index(IndexSpec::new("ByGroup").ascending("Group"))
}

/// Looks at a closed database as `ese verify --deep` does.
pub(crate) fn verify_deeply(disk: &SimulatedDisk) -> Result<()> {
    let reader = DatabaseReader::open(disk, Path::new(DATABASE), DirtyPolicy::Refuse).map_err(broken)?;
    let mut bad = Vec::new();
    let summary = deep_verify(&reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(format!("{finding:?}"));
        }
    });
    summary.map_err(broken)?;
    if bad.is_empty() { Ok(()) } else { Err(format!("{} findings, the first: {}", bad.len(), bad.concat())) }
}
