//! The history of one key: who changed it, and when that was committed.

/// Who sees what: a session with a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The session; its own changes are visible to it.
    pub(crate) session: usize,
    /// Commits before this moment are visible.
    pub(crate) moment: u64,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// The value was set, or removed.
    Set(Option<T>),
    /// A counter of the value was changed, whatever it was.
    Add(i32),
    /// Nothing; others must keep away.
    Lock,
}

/// A change of a key.
#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    /// Unique number.
    pub(crate) id: u64,
    /// Who did it.
    pub(crate) session: usize,
    /// When it was committed; `None` as long as it is not.
    pub(crate) committed: Option<u64>,
    /// What it did.
    pub(crate) change: Change<T>,
}

impl<T> Entry<T> {
    fn is_visible(&self, view: View) -> bool {
        match self.committed {
            None => self.session == view.session,
            Some(moment) => moment < view.moment,
        }
    }
}

/// The changes of a key, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Chain<T> {
    /// The changes.
    pub(crate) entries: Vec<Entry<T>>,
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// A value with a counter.
pub(crate) trait Counted: Clone {
    /// Changes the counter.
    fn add(&mut self, amount: i32);
}

impl Counted for i32 {
    fn add(&mut self, _: i32) {}
}

impl<T: Counted> Chain<T> {
    /// The value as `view` has it.
    pub(crate) fn visible(&self, view: View) -> Option<T> {
        Self::value_of(self.entries.iter().filter(|e| e.is_visible(view)))
    }

    /// The value that is there now, by whoever's doing.
    pub(crate) fn present(&self) -> Option<T> {
        Self::value_of(self.entries.iter())
    }

    fn value_of<'a>(entries: impl Iterator<Item = &'a Entry<T>>) -> Option<T>
    where
        T: 'a,
    {
        let mut value = None;
        for entry in entries {
            match &entry.change {
                Change::Lock => {}
                Change::Set(set) => value.clone_from(set),
                Change::Add(amount) => {
                    if let Some(value) = &mut value {
                        value.add(*amount);
                    }
                }
            }
        }
        value
    }

    /// Whether the value is there now, by whoever's doing.
    pub(crate) fn is_present(&self) -> bool {
        let set = self.entries.iter().rev().find_map(|e| match &e.change {
            Change::Set(set) => Some(set.is_some()),
            Change::Add(_) | Change::Lock => None,
        });
        set.unwrap_or(false)
    }

    /// Whether somebody changed it whose change `view` does not see. Changes of the counter do not disturb each other.
    pub(crate) fn has_conflict(&self, view: View, is_addition: bool) -> bool {
        let disturbs = |e: &&Entry<T>| !(is_addition && matches!(e.change, Change::Add(_)));
        self.entries.iter().filter(disturbs).any(|e| !e.is_visible(view))
    }

    /// Forgets what nobody needs any more: everything before `moment` becomes one change.
    pub(crate) fn compact(&mut self, moment: u64) {
        let view = View { session: usize::MAX, moment };
        let value = self.visible(view);
        let newest = self.entries.iter().filter(|e| e.is_visible(view)).filter_map(|e| e.committed).max();
        let Some(newest) = newest else { return };
        self.entries.retain(|e| !e.is_visible(view));
        if value.is_some() || !self.entries.is_empty() {
            let entry =
                Entry { id: 0, session: usize::MAX, committed: Some(newest), change: Change::Set(value) };
            self.entries.insert(0, entry);
        }
    }
}
