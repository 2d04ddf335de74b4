//! What must be there after a process was killed.

use std::collections::BTreeMap;
use std::path::Path;

use ese_instance::{
    CommitMode, DatabaseReader, DirtyPolicy, Environment, FindingSeverity, TermMode, deep_verify,
};

use super::schema::others;
use super::store::{Failure, Result, Rows, database_path, open, start};
use super::{ACCOUNTS, BALANCE, KEPT, body};

/// Recovers what lies in `directory` and compares it with `acknowledged`: each thread's last transaction that was said to be
/// on the disk. Answers the number of transactions that are there.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn check(
    directory: &Path,
    seed: u64,
    acknowledged: &BTreeMap<i32, i32>,
) -> std::result::Result<u64, Failure> {
    let transactions = check_rows(directory, seed, acknowledged)?;
    check_deep(directory)?;
    Ok(transactions)
}

/// The rows, after recovery if it is needed.
pub(super) fn check_rows(directory: &Path, seed: u64, acknowledged: &BTreeMap<i32, i32>) -> Result<u64> {
    let instance = start(directory, seed)?;
    let transactions = {
        let (session, database) = open(&instance, directory)?;
        session.begin_read_only()?;
        let mut accounts = Rows::open(&database, "Accounts", ["Number", "Balance"])?;
        let mut sum = 0;
        let count = each(&mut accounts, |row| {
            sum += row.long_long(1)?;
            Ok(())
        })?;
        expect("accounts", u64::from(ACCOUNTS.cast_unsigned()), count)?;
        expect("sum of the accounts", i64::from(ACCOUNTS) * BALANCE, sum)?;

        let mut last = BTreeMap::new();
        let mut counters = Rows::open(&database, "Counters", ["Thread", "Last"])?;
        each(&mut counters, |row| {
            last.insert(row.long(0)?, row.long(1)?);
            Ok(())
        })?;
        for (thread, number) in acknowledged {
            let found = last.get(thread).copied().unwrap_or_default();
            if found < *number {
                return Err(format!("thread {thread}: {number} was acknowledged, {found} is the last").into());
            }
        }
        check_journal(&mut Rows::open(&database, "Journal", ["Thread", "Number", "Body"])?, &last)?;
        session.commit(CommitMode::Lazy)?;
        last.values().map(|number| u64::from(number.unsigned_abs())).sum()
    };
    instance.terminate(TermMode::Complete)?;
    Ok(transactions)
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, found: T) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}: {expected:?} expected, found {found:?}").into())
    }
}

/// Goes over the rows in the order of the current index.
fn each<const N: usize>(rows: &mut Rows<N>, mut see: impl FnMut(&mut Rows<N>) -> Result<()>) -> Result<u64> {
    let mut count = 0;
    let mut found = rows.table.move_first();
    loop {
        match found {
            Ok(()) => see(rows)?,
            Err(error) if error.jet_error().0 == -1603 => return Ok(count),
            Err(error) => return Err(error.into()),
        }
        count += 1;
        found = rows.table.move_next();
    }
}

/// Each thread's rows are the last ones up to its counter, with their bytes, in both indexes.
fn check_journal(journal: &mut Rows<3>, last: &BTreeMap<i32, i32>) -> Result<()> {
    let rows = |thread: i32, last: i32| ((last - KEPT).max(0) + 1..=last).map(move |number| (thread, number));
    let mut expected: Vec<(i32, i32)> = last.iter().flat_map(|(thread, last)| rows(*thread, *last)).collect();
    let mut found = Vec::new();
    each(journal, |row| {
        let (thread, number) = (row.long(0)?, row.long(1)?);
        if row.bytes(2)? != body(thread, number) {
            return Err(format!("transaction {number} of thread {thread} has other bytes").into());
        }
        found.push((thread, number));
        Ok(())
    })?;
    expect("journal", &expected, &found)?;
    journal.table.set_current_index(Some("ByNumber"))?;
    found.clear();
    each(journal, |row| {
        found.push((row.long(0)?, row.long(1)?));
        Ok(())
    })?;
    expected.sort_by_key(|(thread, number)| (std::cmp::Reverse(*number), *thread));
    expect("index of the journal", &expected, &found)
}

/// All databases in `directory`, as `ese verify --deep` does.
pub(super) fn check_deep(directory: &Path) -> Result<()> {
    let environment = Environment::system();
    for path in
        std::iter::once(database_path(directory)).chain(others(directory)).filter(|path| path.exists())
    {
        let reader = DatabaseReader::open(environment.storage.as_ref(), &path, DirtyPolicy::Refuse)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut bad = Vec::new();
        deep_verify(&reader, &|| false, &mut |finding| {
            if finding.severity > FindingSeverity::Information {
                bad.push(format!("{finding:?}"));
            }
        })?;
        if !bad.is_empty() {
            return Err(format!("{}: {} findings: {}", path.display(), bad.len(), bad.concat()).into());
        }
    }
    Ok(())
}
