//! The engine's side: an instance with sessions, each with a cursor on the table.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
    IndexSpec, InitOptions, Instance, ParameterId, PrepareKind, RetrieveFlags, RetrieveOptions, SeekFlags,
    Session, SetFlags, SetOptions, Table, TableError, TableMode, TableSpec, TermMode, deep_verify,
};
use ese_io::Storage;

use crate::edit::Edit;
use crate::model::{Refusal, Row};

pub(crate) const DATABASE: &str = "/db/model.edb";

/// An answer that no sound engine gives.
pub(crate) type Broken = String;
type Result<T> = std::result::Result<T, Broken>;

/// What the engine says to a change.
pub(crate) type Answer<T> = std::result::Result<T, Refusal>;

struct Columns {
    tags: u32,
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
    pub(crate) fn start(
        storage: &Arc<dyn Storage>,
        page_size: u32,
        sessions: usize,
        seed: u64,
    ) -> Result<Self> {
        let engine = Engine::new(Environment::repeatable(Arc::clone(storage), 1_795_353_522_574, seed));
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
        if instance.databases().iter().all(|d| d.path() != path) {
            if storage.inspect(path).is_ok_and(|entry| entry.len > 0) {
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
            tags: column("Tags")?,
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
        let old = table.count_values(columns.tags, RetrieveFlags::COPY).map_err(broken)?;
        for instance in (1..=old).rev() {
            let options = SetOptions { instance, ..SetOptions::default() };
            table.set_column(columns.tags, &[], options).map_err(broken)?;
        }
        for tag in &row.tags {
            let options = SetOptions { instance: 0, ..SetOptions::default() };
            table.set_column(columns.tags, &tag.to_le_bytes(), options).map_err(broken)?;
        }
        self.finish_update(session)
    }

    fn finish_update(&mut self, session: usize) -> Result<Answer<()>> {
        let (table, _) = self.table(session)?;
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

    /// Changes a part of a row's body.
    pub(crate) fn edit(&mut self, session: usize, key: i32, edit: &Edit) -> Result<Answer<()>> {
        if let Err(refusal) = self.find(session, key)? {
            return Ok(Err(refusal));
        }
        let (table, columns) = self.table(session)?;
        if let Err(refusal) = answer(table.prepare(PrepareKind::Replace))? {
            return Ok(Err(refusal));
        }
        let (data, options) = match edit {
            Edit::Append(data) => (&data[..], SetFlags::APPEND.into()),
            Edit::Overwrite(offset, data) => {
                let (flags, offset) = (SetFlags::OVERWRITE, *offset as u32);
                (&data[..], SetOptions { flags, offset, ..SetOptions::default() })
            }
            Edit::Size(size) => {
                let (flags, size) = (SetFlags::SIZE, Some(*size as u32));
                (&[][..], SetOptions { flags, size, ..SetOptions::default() })
            }
        };
        table.set_column(columns.body, data, options).map_err(|e| format!("{edit:?}: {e}"))?;
        self.finish_update(session)
    }

    /// Inserts a copy of a row: their long values are one until one of them is changed.
    pub(crate) fn copy(&mut self, session: usize, key: i32, copy: i32) -> Result<Answer<()>> {
        if let Err(refusal) = self.find(session, key)? {
            return Ok(Err(refusal));
        }
        let (table, columns) = self.table(session)?;
        table.prepare(PrepareKind::InsertCopy).map_err(broken)?;
        table.set_column(columns.key, &copy.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
        table.set_column(columns.name, &[], SetFlags::empty()).map_err(broken)?;
        table.set_column(columns.counter, &0_i32.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
        self.finish_update(session)
    }

    /// Makes a table with some rows.
    pub(crate) fn create_side(&mut self, session: usize, name: &str, rows: i32) -> Result<()> {
        let database = self.session(session)?.open_database(Path::new(DATABASE)).map_err(broken)?;
        let spec = TableSpec::new(name)
            .column(ColumnSpec::fixed("Number", ColumnKind::LONG))
            .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
            .index(IndexSpec::new("ByNumber").ascending("Number"));
        database.create_table(&spec).map_err(|e| format!("creating {name}: {e}"))?;
        let mut table = database.open_table(name, TableMode::default()).map_err(broken)?;
        let (number, text) =
            (table.column_id("Number").map_err(broken)?, table.column_id("Text").map_err(broken)?);
        for row in 0..rows {
            table.prepare(PrepareKind::Insert).map_err(broken)?;
            table.set_column(number, &row.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
            table.set_column(text, &vec![b'x'; 100 * row as usize], SetFlags::empty()).map_err(broken)?;
            table.update().map_err(|e| format!("inserting into {name}: {e}"))?;
        }
        Ok(())
    }

    /// Adds a column and an index over it to a table, and a row that has it.
    pub(crate) fn widen_side(&mut self, session: usize, name: &str, column: &str) -> Result<()> {
        let database = self.session(session)?.open_database(Path::new(DATABASE)).map_err(broken)?;
        let what = |what: &str, e: &dyn std::fmt::Display| format!("{what} of {name}: {e}");
        database
            .add_column(name, &ColumnSpec::fixed(column, ColumnKind::LONG).default_value(3_i32))
            .map_err(|e| what("column", &e))?;
        database
            .create_index(name, &IndexSpec::new(column).descending(column).ascending("Number"))
            .map_err(|e| what("index", &e))?;
        let mut table = database.open_table(name, TableMode::default()).map_err(broken)?;
        let id = table.column_id(column).map_err(broken)?;
        table.prepare(PrepareKind::Insert).map_err(broken)?;
        table.set_column(id, &8_i32.to_le_bytes(), SetFlags::empty()).map_err(broken)?;
        table.update().map_err(|e| what("row", &e))?;
        Ok(())
    }

    pub(crate) fn delete_side(&mut self, session: usize, name: &str) -> Result<()> {
        let database = self.session(session)?.open_database(Path::new(DATABASE)).map_err(broken)?;
        database.delete_table(name).map_err(|e| format!("deleting {name}: {e}"))
    }

    /// Rows of a table that a session sees, counted in its rows and in its index; `None` when there is no such table.
    pub(crate) fn side(&mut self, session: usize, name: &str) -> Result<Option<i32>> {
        let database = self.session(session)?.open_database(Path::new(DATABASE)).map_err(broken)?;
        let mut table = match database.open_table(name, TableMode::default()) {
            Ok(table) => table,
            Err(error) if error.jet_error().0 == -1305 => return Ok(None),
            Err(error) => return Err(format!("opening {name}: {error}")),
        };
        let mut counts = [0; 2];
        for (index, rows) in [None, Some("ByNumber")].into_iter().zip(&mut counts) {
            table.set_current_index(index).map_err(broken)?;
            let mut found = table.move_first();
            loop {
                match found {
                    Ok(()) => *rows += 1,
                    Err(error) if error.jet_error().0 == -1603 => break,
                    Err(error) => return Err(broken(error)),
                }
                found = table.move_next();
            }
        }
        let [rows, entries] = counts;
        if rows == entries { Ok(Some(rows)) } else { Err(format!("{name}: {rows} rows, {entries} entries")) }
    }

    /// All tables that come and go.
    pub(crate) fn sides(&mut self) -> Result<BTreeMap<String, i32>> {
        let names = {
            let database = self.session(0)?.open_database(Path::new(DATABASE)).map_err(broken)?;
            database.table_names().map_err(broken)?
        };
        let mut sides = BTreeMap::new();
        for name in names.into_iter().filter(|name| name != "Rows") {
            let rows =
                self.side(0, &name)?.ok_or_else(|| format!("{name} is listed and cannot be opened"))?;
            sides.insert(name, rows);
        }
        Ok(sides)
    }

    /// Attaches a second database, adds a row to it, and detaches it; its rows then. It is made when it has none.
    pub(crate) fn detour(&mut self, session: usize, path: &Path, is_new: bool) -> Result<i32> {
        let session = self.session(session)?;
        let database = if is_new {
            if self.instance.databases().iter().any(|d| d.path() == path) {
                session.detach_database(path).map_err(broken)?;
            }
            let database = session
                .create_database(path, &CreateOptions::default().overwrite())
                .map_err(|e| format!("second database: {e}"))?;
            database
                .create_table(&TableSpec::new("T").column(ColumnSpec::fixed("N", ColumnKind::LONG)))
                .map_err(broken)?;
            database
        } else {
            session.attach_database(path).map_err(|e| format!("attaching the second database: {e}"))?;
            session.open_database(path).map_err(broken)?
        };
        let mut table = database.open_table("T", TableMode::default()).map_err(broken)?;
        session.begin().map_err(broken)?;
        table.prepare(PrepareKind::Insert).map_err(broken)?;
        table.update().map_err(broken)?;
        session.commit(CommitMode::Durable).map_err(broken)?;
        let mut rows = 0;
        let mut found = table.move_first();
        while found.is_ok() {
            rows += 1;
            found = table.move_next();
        }
        drop(table);
        drop(database);
        session.detach_database(path).map_err(|e| format!("detaching the second database: {e}"))?;
        Ok(rows)
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
            tags: tags(table, columns.tags)?,
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

fn tags(table: &mut Table, column: u32) -> Result<Vec<i32>> {
    let mut tags = Vec::new();
    loop {
        let instance = tags.len() as u32 + 1;
        let options = RetrieveOptions { instance, ..RetrieveOptions::default() };
        match number(table.get_with(column, options).map_err(broken)?) {
            Some(tag) => tags.push(tag),
            None => return Ok(tags),
        }
    }
}

fn table() -> TableSpec {
    TableSpec::new("Rows")
        .column(ColumnSpec::fixed("Key", ColumnKind::LONG).not_null())
        .column(ColumnSpec::variable("Name", ColumnKind::BINARY, 100))
        .column(ColumnSpec::fixed("Group", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Body", ColumnKind::LONG_BINARY))
        .column(ColumnSpec::tagged("Tags", ColumnKind::LONG).multi_valued())
        .column(ColumnSpec::fixed("Counter", ColumnKind::LONG).escrow_update().default_value(0_i32))
        .index(IndexSpec::new("ByKey").ascending("Key").primary())
        .index(IndexSpec::new("ByName").ascending("Name").unique().ignore_null())
        .index(IndexSpec::new("ByGroup").ascending("Group"))
        .index(IndexSpec::new("ByTag").ascending("Tags"))
}

/// Looks at a closed database as `ese verify --deep` does.
pub(crate) fn verify_deeply(storage: &dyn Storage) -> Result<()> {
    let reader = DatabaseReader::open(storage, Path::new(DATABASE), DirtyPolicy::Refuse).map_err(broken)?;
    let mut bad = Vec::new();
    let summary = deep_verify(&reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(format!("{finding:?}"));
        }
    });
    summary.map_err(broken)?;
    if bad.is_empty() { Ok(()) } else { Err(format!("{} findings, the first: {}", bad.len(), bad.concat())) }
}
