//! A thread that changes the schema, and other databases, beside those that change rows.

use std::path::{Path, PathBuf};

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, IndexSpec, Instance, PrepareKind, Session, TableSpec,
};

use super::store::{Result, Rows, open};
use crate::dice::Dice;

const TABLES: u64 = 3;
const OTHERS: u64 = 2;

/// The databases that come and go.
pub(super) fn others(directory: &Path) -> impl Iterator<Item = PathBuf> {
    (0..OTHERS).map(move |number| directory.join(format!("other{number}.edb")))
}

/// Creates, changes and deletes tables, and creates, attaches and detaches databases, until the process is killed.
pub(super) fn change_schema(instance: &Instance, directory: &Path, mut dice: Dice) -> Result<()> {
    let (session, database) = open(instance, directory)?;
    // What recovery attached.
    for path in others(directory) {
        if instance.databases().iter().any(|attached| attached.path() == path) {
            session.detach_database(&path)?;
        }
    }
    loop {
        if dice.once_in(3) {
            let number = usize::try_from(dice.below(OTHERS))?;
            other(&session, &others(directory).nth(number).unwrap_or_default(), &mut dice)?;
            continue;
        }
        session.begin()?;
        let steps = 1 + dice.below(3);
        for _ in 0..steps {
            let name = format!("Changing{}", dice.below(TABLES));
            change(&database, &name, &mut dice)?;
        }
        if dice.once_in(3) {
            session.rollback()?;
        } else {
            session.commit(if dice.once_in(2) { CommitMode::Durable } else { CommitMode::Lazy })?;
        }
    }
}

fn change(database: &Database, name: &str, dice: &mut Dice) -> Result<()> {
    if !database.table_names()?.iter().any(|table| table == name) {
        database.create_table(
            &TableSpec::new(name)
                .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
                .column(ColumnSpec::fixed("Number", ColumnKind::LONG))
                .column(ColumnSpec::tagged("Text", ColumnKind::LONG_BINARY))
                .index(IndexSpec::new("ById").ascending("Id").primary()),
        )?;
    }
    match dice.below(5) {
        0 => return Ok(database.delete_table(name)?),
        1 => {
            let indexed =
                database.table_definition(name)?.indexes.iter().any(|index| index.name == "ByNumber");
            if indexed {
                database.delete_index(name, "ByNumber")?;
            } else {
                database.create_index(name, &IndexSpec::new("ByNumber").ascending("Number"))?;
            }
        }
        2 => {
            let column = format!("Added{}", dice.next());
            database.add_column(name, &ColumnSpec::tagged(&column, ColumnKind::LONG).default_value(7))?;
            if dice.once_in(2) {
                database.delete_column(name, &column)?;
            }
        }
        _ => {}
    }
    let mut rows = Rows::open(database, name, ["Number", "Text"])?;
    for _ in 0..dice.below(30) {
        let number = i32::try_from(dice.below(1000))?.to_le_bytes();
        let most = if dice.once_in(10) { 10_000 } else { 100 };
        let len = usize::try_from(dice.below(most))?;
        rows.put(PrepareKind::Insert, [&number, &dice.bytes(1 + len)])?;
    }
    Ok(())
}

/// A database of its own for a moment.
fn other(session: &Session, path: &Path, dice: &mut Dice) -> Result<()> {
    let database = if path.exists() && !dice.once_in(4) {
        session.attach_database(path)?;
        session.open_database(path)?
    } else {
        session.create_database(path, &CreateOptions::default().overwrite())?
    };
    session.begin()?;
    for _ in 0..dice.below(3) {
        change(&database, "Rows", dice)?;
    }
    session.commit(if dice.once_in(2) { CommitMode::Durable } else { CommitMode::Lazy })?;
    database.close()?;
    Ok(session.detach_database(path)?)
}
