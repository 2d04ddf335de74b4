//! Which names an overlay changed, and where the others are in the base.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::overlay::content::Content;
use crate::storage::{EntryKind, Storage};

/// What became of a name. Beneath a directory's mark there may be further ones; they win.
#[derive(Clone)]
pub(super) enum Mark {
    /// Gone, whatever the base has.
    Removed,
    /// A directory: a new one, or one that was renamed and is still this one in the base.
    Directory(Option<PathBuf>),
    /// A file that was opened, created or renamed.
    File(Arc<Content>),
}

/// What a path means.
pub(super) enum Place {
    /// A directory, with the base's directory that shows through it.
    Directory(Option<PathBuf>),
    /// A file that was opened, created or renamed.
    File(Arc<Content>),
    /// A file of the base that nobody touched, by its path in the base.
    BaseFile(PathBuf),
}

#[derive(Default)]
pub(super) struct Names(BTreeMap<PathBuf, Mark>);

impl Names {
    /// What `path` means now.
    pub(super) fn find(&self, base: &dyn Storage, path: &Path) -> Result<Place> {
        let path = key(path);
        let fail = |kind| Err(IoError::new(Operation::Inspect, kind, &path));
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        // The base's path for what was looked at last; none below a new directory.
        let mut shown = ancestors.first().map(|root| root.to_path_buf());
        for (index, ancestor) in ancestors.iter().enumerate() {
            let last = index + 1 == ancestors.len();
            let missing = if last { IoErrorKind::NotFound } else { IoErrorKind::InvalidPath };
            if index > 0 {
                shown = shown
                    .and_then(|s| Some(s.join(ancestor.file_name().unwrap_or(last_component(ancestor)?))));
            }
            match self.0.get(*ancestor) {
                Some(Mark::Removed) => return fail(missing),
                Some(Mark::Directory(base)) => shown.clone_from(base),
                Some(Mark::File(content)) if last => return Ok(Place::File(Arc::clone(content))),
                Some(Mark::File(_)) => return fail(IoErrorKind::InvalidPath),
                None if shown.is_none() => return fail(missing),
                None => continue,
            }
            if last {
                return Ok(Place::Directory(shown));
            }
        }
        let Some(shown) = shown else { return fail(IoErrorKind::NotFound) };
        Ok(match base.inspect(&shown)?.kind {
            EntryKind::Directory => Place::Directory(Some(shown)),
            EntryKind::File => Place::BaseFile(shown),
        })
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(&key(path))
    }

    /// The marked names directly in a directory that are there.
    pub(super) fn marked_in(&self, directory: &Path) -> Vec<(PathBuf, Place)> {
        let folder = key(directory);
        self.below(&folder)
            .filter(|(path, _)| path.parent() == Some(&folder))
            .filter_map(|(path, mark)| {
                let place = match mark {
                    Mark::Removed => return None,
                    Mark::Directory(base) => Place::Directory(base.clone()),
                    Mark::File(content) => Place::File(Arc::clone(content)),
                };
                Some((directory.join(path.file_name()?), place))
            })
            .collect()
    }

    /// The marks beneath a directory, its own left out.
    fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a Mark)> {
        let root = folder.as_os_str().is_empty();
        self.0
            .range(folder.to_path_buf()..)
            .take_while(move |(path, _)| root || path.starts_with(folder))
            .filter(move |(path, _)| path.as_path() != folder)
    }

    /// Marks a name; what was marked beneath it is forgotten.
    pub(super) fn set(&mut self, path: &Path, mark: Mark) {
        let path = key(path);
        self.forget_below(&path);
        self.0.insert(path, mark);
    }

    fn forget_below(&mut self, path: &Path) {
        let below: Vec<PathBuf> = self.below(path).map(|(p, _)| p.clone()).collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Takes a name away. The mark stays only where the base would show through.
    pub(super) fn remove(&mut self, base: &dyn Storage, path: &Path) -> Result<()> {
        let path = key(path);
        self.forget_below(&path);
        self.0.remove(&path);
        match self.find(base, &path) {
            Ok(_) => {
                self.0.insert(path, Mark::Removed);
                Ok(())
            }
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => Ok(()),
            Err(e) => {
                self.0.insert(path, Mark::Removed);
                Err(e)
            }
        }
    }

    /// Gives a name to what `mark` says, and takes the other away; marks beneath come along.
    pub(super) fn rename(&mut self, base: &dyn Storage, from: &Path, to: &Path, mark: Mark) -> Result<()> {
        let (from, to) = (key(from), key(to));
        let moved: Vec<(PathBuf, Mark)> = self
            .below(&from)
            .filter_map(|(path, mark)| Some((to.join(path.strip_prefix(&from).ok()?), mark.clone())))
            .collect();
        self.set(&to, mark);
        self.0.extend(moved);
        self.remove(base, &from)
    }
}

/// A path as it is compared: without `.`.
fn key(path: &Path) -> PathBuf {
    path.components().filter(|c| *c != Component::CurDir).collect()
}

/// The last name of a path, `..` included.
fn last_component(path: &Path) -> Option<&std::ffi::OsStr> {
    path.components().next_back().map(Component::as_os_str)
}

pub(super) fn same_path(a: &Path, b: &Path) -> bool {
    key(a) == key(b)
}

pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    key(path).starts_with(key(folder))
}
