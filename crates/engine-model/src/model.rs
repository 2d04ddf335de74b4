//! What the engine must do, in memory: rows under snapshot isolation, the first who changes a row wins.

use std::collections::BTreeMap;

use crate::chain::{Chain, Change, Counted, Entry, View};

/// A row beside its key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Row {
    /// Unique among the rows that have one.
    pub name: Option<Vec<u8>>,
    /// Any value, many rows with the same one.
    pub group: Option<i32>,
    /// Bytes; long ones are kept outside of the row by the engine.
    pub body: Option<Vec<u8>>,
    /// A counter that several transactions change at a time.
    pub counter: i32,
    /// Several values, in an index that has an entry for each different one.
    pub tags: Vec<i32>,
}

impl Counted for Row {
    fn add(&mut self, amount: i32) {
        self.counter = self.counter.wrapping_add(amount);
    }
}

/// Why a change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else changed it.
    #[doc(alias = "JET_errWriteConflict")]
    Conflict,
    /// The key is there.
    #[doc(alias = "JET_errKeyDuplicate")]
    Duplicate,
    /// The row is not there.
    #[doc(alias = "JET_errRecordNotFound")]
    Missing,
}

/// Which history an entry is in.
#[derive(Clone, Debug)]
enum Place {
    Row(i32),
    Name(Vec<u8>),
    Side(String),
}

#[derive(Debug, Default)]
struct SessionState {
    moment: u64,
    /// For each level, how many changes there were when it began.
    levels: Vec<usize>,
    changes: Vec<(Place, u64)>,
}

/// Rows, their unique names, and the sessions that change them.
#[derive(Debug)]
pub struct Model {
    rows: BTreeMap<i32, Chain<Row>>,
    names: BTreeMap<Vec<u8>, Chain<i32>>,
    /// Tables that come and go, with the number of their rows.
    sides: BTreeMap<String, Chain<i32>>,
    sessions: Vec<SessionState>,
    clock: u64,
    next_id: u64,
}

impl Model {
    /// No rows, and `sessions` sessions without transactions.
    #[must_use]
    pub fn new(sessions: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            names: BTreeMap::new(),
            sides: BTreeMap::new(),
            sessions: (0..sessions).map(|_| SessionState::default()).collect(),
            clock: 1,
            next_id: 1,
        }
    }

    fn session(&mut self, session: usize) -> Option<&mut SessionState> {
        self.sessions.get_mut(session)
    }

    /// Levels of transactions of a session.
    #[must_use]
    pub fn level(&self, session: usize) -> usize {
        self.sessions.get(session).map_or(0, |s| s.levels.len())
    }

    /// The moment that the next commit gets.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock
    }

    fn view(&self, session: usize) -> View {
        let moment = match self.sessions.get(session) {
            Some(state) if !state.levels.is_empty() => state.moment,
            _ => self.clock,
        };
        View { session, moment }
    }

    /// Begins a transaction or a level of it.
    pub fn begin(&mut self, session: usize) {
        let clock = self.clock;
        if let Some(state) = self.session(session) {
            if state.levels.is_empty() {
                state.moment = clock;
            }
            let changes = state.changes.len();
            state.levels.push(changes);
        }
    }

    /// Commits the innermost level; the moment of the commit when it is the outermost and changed something.
    pub fn commit(&mut self, session: usize) -> Option<u64> {
        let state = self.session(session)?;
        state.levels.pop();
        if !state.levels.is_empty() || state.changes.is_empty() {
            return None;
        }
        let moment = self.clock;
        self.clock += 1;
        for (place, id) in std::mem::take(&mut self.session(session)?.changes) {
            self.with_entry(&place, id, |committed| *committed = Some(moment));
        }
        Some(moment)
    }

    fn with_entry(&mut self, place: &Place, id: u64, change: impl FnOnce(&mut Option<u64>)) {
        let committed = match place {
            Place::Row(key) => self
                .rows
                .get_mut(key)
                .and_then(|c| c.entries.iter_mut().find(|e| e.id == id))
                .map(|e| &mut e.committed),
            Place::Name(name) => self
                .names
                .get_mut(name)
                .and_then(|c| c.entries.iter_mut().find(|e| e.id == id))
                .map(|e| &mut e.committed),
            Place::Side(name) => self
                .sides
                .get_mut(name)
                .and_then(|c| c.entries.iter_mut().find(|e| e.id == id))
                .map(|e| &mut e.committed),
        };
        if let Some(committed) = committed {
            change(committed);
        }
    }

    /// Rolls the innermost level back.
    pub fn rollback(&mut self, session: usize) {
        let Some(state) = self.session(session) else { return };
        let Some(kept) = state.levels.pop() else { return };
        for (place, id) in state.changes.split_off(kept) {
            match place {
                Place::Row(key) => {
                    if let Some(chain) = self.rows.get_mut(&key) {
                        chain.entries.retain(|e| e.id != id);
                    }
                }
                Place::Name(name) => {
                    if let Some(chain) = self.names.get_mut(&name) {
                        chain.entries.retain(|e| e.id != id);
                    }
                }
                Place::Side(name) => {
                    if let Some(chain) = self.sides.get_mut(&name) {
                        chain.entries.retain(|e| e.id != id);
                    }
                }
            }
        }
    }

    fn change_row(&mut self, session: usize, key: i32, change: Change<Row>) {
        let id = self.next_id;
        self.next_id += 1;
        let chain = self.rows.entry(key).or_default();
        chain.entries.push(Entry { id, session, committed: None, change });
        if let Some(state) = self.session(session) {
            state.changes.push((Place::Row(key), id));
        }
    }

    fn change_name(&mut self, session: usize, name: &[u8], key: Option<i32>) {
        let id = self.next_id;
        self.next_id += 1;
        let chain = self.names.entry(name.to_vec()).or_default();
        chain.entries.push(Entry { id, session, committed: None, change: Change::Set(key) });
        if let Some(state) = self.session(session) {
            state.changes.push((Place::Name(name.to_vec()), id));
        }
    }

    /// A table comes (with so many rows), changes or goes. Only one session works on a table of that name.
    pub fn change_side(&mut self, session: usize, name: &str, rows: Option<i32>) {
        let id = self.next_id;
        self.next_id += 1;
        let chain = self.sides.entry(name.to_owned()).or_default();
        chain.entries.push(Entry { id, session, committed: None, change: Change::Set(rows) });
        if let Some(state) = self.session(session) {
            state.changes.push((Place::Side(name.to_owned()), id));
        }
    }

    /// The rows of a table that comes and goes, as a session sees it.
    #[must_use]
    pub fn side(&self, session: usize, name: &str) -> Option<i32> {
        self.sides.get(name)?.visible(self.view(session))
    }

    /// The tables that come and go as they were committed before `moment`.
    #[must_use]
    pub fn sides_before(&self, moment: u64) -> BTreeMap<String, i32> {
        let view = View { session: usize::MAX, moment };
        self.sides.iter().filter_map(|(name, chain)| Some((name.clone(), chain.visible(view)?))).collect()
    }

    /// Whether a new entry can be made: not when it is there, and not when somebody just removed it. An insert never
    /// answers with a conflict.
    fn check_new<T: Counted>(chain: Option<&Chain<T>>, view: View) -> Result<(), Refusal> {
        match chain {
            Some(chain) if chain.is_present() || chain.has_conflict(view, false) => Err(Refusal::Duplicate),
            _ => Ok(()),
        }
    }

    /// Does a change in a level of its own, taken back when it is refused.
    fn whole(
        &mut self,
        session: usize,
        work: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.begin(session);
        let result = work(self);
        match result {
            Ok(()) => {
                self.commit(session);
            }
            Err(_) => self.rollback(session),
        }
        result
    }

    /// Inserts a row. The session is in a transaction.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn insert(&mut self, session: usize, key: i32, row: &Row) -> Result<(), Refusal> {
        let view = self.view(session);
        self.whole(session, |model| {
            Self::check_new(model.rows.get(&key), view)?;
            model.change_row(session, key, Change::Set(Some(row.clone())));
            model.insert_name(session, view, row.name.as_deref(), key)
        })
    }

    fn insert_name(
        &mut self,
        session: usize,
        view: View,
        name: Option<&[u8]>,
        key: i32,
    ) -> Result<(), Refusal> {
        let Some(name) = name else { return Ok(()) };
        Self::check_new(self.names.get(name), view)?;
        self.change_name(session, name, Some(key));
        Ok(())
    }

    /// Whether a row that the session sees can be changed by it.
    fn check_change(&self, session: usize, key: i32, is_addition: bool) -> Result<Row, Refusal> {
        let view = self.view(session);
        let chain = self.rows.get(&key).ok_or(Refusal::Missing)?;
        let row = chain.visible(view).ok_or(Refusal::Missing)?;
        if chain.has_conflict(view, is_addition) { Err(Refusal::Conflict) } else { Ok(row) }
    }

    /// Replaces a row; its counter stays.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn replace(&mut self, session: usize, key: i32, row: &Row) -> Result<(), Refusal> {
        let old = self.check_change(session, key, false)?;
        let view = self.view(session);
        let row = Row { counter: old.counter, ..row.clone() };
        // Beginning the update takes the right to do it, and keeps it when the update itself is refused.
        self.change_row(session, key, Change::Lock);
        self.whole(session, |model| {
            let (before, after) = (old.name.as_deref(), row.name.clone());
            model.change_row(session, key, Change::Set(Some(row)));
            if before != after.as_deref() {
                if let Some(before) = before {
                    model.change_name(session, before, None);
                }
                model.insert_name(session, view, after.as_deref(), key)?;
            }
            Ok(())
        })
    }

    /// Whether somebody changed a row whose change a session does not see.
    #[must_use]
    pub fn is_disturbed(&self, session: usize, key: i32) -> bool {
        self.rows.get(&key).is_some_and(|chain| chain.has_conflict(self.view(session), false))
    }

    /// Inserts a copy of a row, without its unique name.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn copy(&mut self, session: usize, key: i32, copy: i32) -> Result<(), Refusal> {
        let row = self.get(session, key).ok_or(Refusal::Missing)?;
        self.insert(session, copy, &Row { name: None, counter: 0, ..row })
    }

    /// Removes a row.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn delete(&mut self, session: usize, key: i32) -> Result<(), Refusal> {
        let old = self.check_change(session, key, false)?;
        self.whole(session, |model| {
            model.change_row(session, key, Change::Set(None));
            if let Some(name) = &old.name {
                model.change_name(session, name, None);
            }
            Ok(())
        })
    }

    /// Changes a row's counter; its value before, with what others have added and not committed.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn add(&mut self, session: usize, key: i32, amount: i32) -> Result<i32, Refusal> {
        self.check_change(session, key, true)?;
        let old = self.rows.get(&key).and_then(Chain::present).ok_or(Refusal::Missing)?;
        self.change_row(session, key, Change::Add(amount));
        Ok(old.counter)
    }

    /// The row as a session sees it.
    #[must_use]
    pub fn get(&self, session: usize, key: i32) -> Option<Row> {
        self.rows.get(&key)?.visible(self.view(session))
    }

    /// The rows that a session sees, in the order of keys.
    #[must_use]
    pub fn all(&self, session: usize) -> BTreeMap<i32, Row> {
        self.seen(self.view(session))
    }

    /// The rows as they were committed before `moment`.
    #[must_use]
    pub fn committed_before(&self, moment: u64) -> BTreeMap<i32, Row> {
        self.seen(View { session: usize::MAX, moment })
    }

    fn seen(&self, view: View) -> BTreeMap<i32, Row> {
        self.rows.iter().filter_map(|(key, chain)| Some((*key, chain.visible(view)?))).collect()
    }

    /// Goes on from `rows`: nothing else was ever there, and no session is in a transaction.
    pub fn restart(&mut self, rows: &BTreeMap<i32, Row>, sides: &BTreeMap<String, i32>) {
        *self = Self { clock: self.clock, ..Self::new(self.sessions.len()) };
        self.begin(0);
        for (key, row) in rows {
            self.change_row(0, *key, Change::Set(Some(row.clone())));
            if let Some(name) = &row.name {
                self.change_name(0, name, Some(*key));
            }
        }
        for (name, rows) in sides {
            self.change_side(0, name, Some(*rows));
        }
        self.commit(0);
    }

    /// Forgets versions that nobody can see; committed states from `keep_from` on can still be asked for.
    pub fn compact(&mut self, keep_from: u64) {
        let oldest = self.sessions.iter().filter(|s| !s.levels.is_empty()).map(|s| s.moment).min();
        let moment = oldest.unwrap_or(self.clock).min(keep_from);
        self.rows.values_mut().for_each(|chain| chain.compact(moment));
        self.names.values_mut().for_each(|chain| chain.compact(moment));
        self.sides.values_mut().for_each(|chain| chain.compact(moment));
        self.sides.retain(|_, chain| !chain.entries.is_empty());
        self.rows.retain(|_, chain| !chain.entries.is_empty());
        self.names.retain(|_, chain| !chain.entries.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Row {
        Row { name: Some(name.into()), ..Row::default() }
    }

    #[test]
    fn the_first_who_changes_a_row_wins() {
        let mut model = Model::new(2);
        model.begin(0);
        model.insert(0, 1, &named("a")).unwrap();
        model.commit(0);
        model.begin(0);
        model.begin(1);
        model.replace(0, 1, &named("b")).unwrap();
        assert_eq!(model.replace(1, 1, &named("c")), Err(Refusal::Conflict));
        assert_eq!(model.get(1, 1), Some(named("a")));
        model.commit(0);
        assert_eq!(model.get(1, 1), Some(named("a")), "as of its begin");
        assert_eq!(model.delete(1, 1), Err(Refusal::Conflict));
        model.rollback(1);
        assert_eq!(model.get(1, 1), Some(named("b")));
    }

    #[test]
    fn names_are_unique_and_refusals_leave_nothing() {
        let mut model = Model::new(1);
        model.begin(0);
        model.insert(0, 1, &named("a")).unwrap();
        assert_eq!(model.insert(0, 2, &named("a")), Err(Refusal::Duplicate));
        assert_eq!(model.get(0, 2), None);
        model.delete(0, 1).unwrap();
        model.insert(0, 2, &named("a")).unwrap();
        model.rollback(0);
        assert!(model.all(0).is_empty());
    }

    #[test]
    fn counters_are_changed_side_by_side() {
        let mut model = Model::new(2);
        model.begin(0);
        model.insert(0, 1, &Row::default()).unwrap();
        model.commit(0);
        model.begin(0);
        model.begin(1);
        assert_eq!(model.add(0, 1, 5), Ok(0));
        assert_eq!(model.add(1, 1, 7), Ok(5), "what others have added is told");
        assert_eq!(model.replace(0, 1, &Row::default()), Err(Refusal::Conflict));
        model.commit(0);
        model.commit(1);
        assert_eq!(model.get(0, 1).map(|r| r.counter), Some(12));
    }

    #[test]
    fn levels_are_taken_back_one_by_one() {
        let mut model = Model::new(1);
        model.begin(0);
        model.insert(0, 1, &Row::default()).unwrap();
        model.begin(0);
        model.delete(0, 1).unwrap();
        model.rollback(0);
        assert_eq!(model.all(0).len(), 1);
        assert!(model.commit(0).is_some());
        let before = model.committed_before(model.now());
        model.compact(model.now());
        assert_eq!(model.committed_before(model.now()), before);
    }
}
