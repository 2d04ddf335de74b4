//! Which files of a log stream lie in a directory.

mod probe;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ese_format::LogGeneration;
use ese_io::{EntryKind, Storage};

use crate::error::LogError;
use crate::naming::{GenerationDigits, LogFileKind, LogNames};

pub use probe::{choose_extension, find_streams};

/// One file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Full path, in the spelling of the directory.
    pub path: PathBuf,
    /// Length in bytes.
    pub len: u64,
}

/// The files of one log stream in one directory, by name. Nothing was opened: what the names claim is checked when the
/// files are read.
///
/// Files of the other extension pair are not part of the set, as in the engine.
#[derive(Clone, Debug)]
pub struct LogSet {
    /// The directory.
    pub directory: PathBuf,
    /// How the files are named.
    pub names: LogNames,
    /// Closed generations by number.
    pub archived: BTreeMap<LogGeneration, LogFile>,
    /// The log being written.
    pub current: Option<LogFile>,
    /// The next log while it is prepared.
    pub temporary: Option<LogFile>,
    /// Reserve logs by number.
    pub reserves: BTreeMap<u32, LogFile>,
    /// `res1.log`, `res2.log`.
    pub old_reserves: Vec<LogFile>,
    /// Partial copies of generations that are written elsewhere.
    pub shadows: BTreeMap<LogGeneration, LogFile>,
    /// Files that name something that another file names already (other case, other number of digits). The spelling
    /// that the stream itself would write wins, then the first in order.
    pub duplicates: Vec<LogFile>,
}

impl LogSet {
    /// Lists the files of the stream `names` in `directory`.
    ///
    /// # Errors
    /// [`LogError::Storage`] when the directory cannot be listed; [`LogError::ShortName`] for an archived name with
    /// five digits when the names allow eight only.
    #[doc(alias = "ErrLGGetGenerationRange")]
    pub fn discover(storage: &dyn Storage, directory: &Path, names: &LogNames) -> Result<Self, LogError> {
        let mut set = Self {
            directory: directory.to_path_buf(),
            names: names.clone(),
            archived: BTreeMap::new(),
            current: None,
            temporary: None,
            reserves: BTreeMap::new(),
            old_reserves: Vec::new(),
            shadows: BTreeMap::new(),
            duplicates: Vec::new(),
        };
        for entry in storage.list(directory)? {
            let Some(name) = entry.path.file_name().and_then(|n| n.to_str()) else { continue };
            let Some(parsed) = names.parse(name).filter(|_| entry.kind == EntryKind::File) else { continue };
            let name = name.to_owned();
            set.add(parsed.kind, &name, LogFile { path: entry.path, len: entry.len })?;
        }
        Ok(set)
    }

    fn add(&mut self, kind: LogFileKind, name: &str, file: LogFile) -> Result<(), LogError> {
        let own = self.names.extension;
        let loser = match kind {
            LogFileKind::Archived { generation, digits, extension } if extension == own => {
                if digits == GenerationDigits::Five && !self.names.short_generations {
                    return Err(LogError::ShortName { file: file.path });
                }
                let preferred = self.names.archived(generation) == name;
                put(self.archived.entry(generation), file, preferred)
            }
            LogFileKind::Shadow { generation, .. } => {
                let preferred = self.names.shadow(generation) == name;
                put(self.shadows.entry(generation), file, preferred)
            }
            LogFileKind::Reserve { number } => {
                let preferred = self.names.reserve(number) == name;
                put(self.reserves.entry(number), file, preferred)
            }
            LogFileKind::Current(extension) if extension == own => {
                put_one(&mut self.current, file, self.names.current() == name)
            }
            LogFileKind::Temporary(extension) if extension == own => {
                put_one(&mut self.temporary, file, self.names.temporary() == name)
            }
            LogFileKind::OldReserve { .. } => {
                self.old_reserves.push(file);
                None
            }
            _ => None,
        };
        self.duplicates.extend(loser);
        Ok(())
    }

    /// Lowest archived generation.
    #[must_use]
    pub fn lowest(&self) -> Option<LogGeneration> {
        self.archived.first_key_value().map(|(&g, _)| g)
    }

    /// Highest archived generation.
    #[must_use]
    pub fn highest(&self) -> Option<LogGeneration> {
        self.archived.last_key_value().map(|(&g, _)| g)
    }

    /// Whether there is no log at all, neither archived nor current.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.archived.is_empty() && self.current.is_none()
    }

    /// Ranges of generations that are missing between the lowest and the highest archived one, ascending.
    #[must_use]
    pub fn gaps(&self) -> Vec<RangeInclusive<u32>> {
        let generations = self.archived.keys();
        generations
            .clone()
            .zip(generations.skip(1))
            .filter(|(low, high)| high.0 - low.0 > 1)
            .map(|(low, high)| low.0 + 1..=high.0 - 1)
            .collect()
    }

    /// The first generation of `wanted` that is not archived, or `None` when all are there.
    #[must_use]
    pub fn first_missing(&self, wanted: RangeInclusive<LogGeneration>) -> Option<LogGeneration> {
        let (mut next, end) = (wanted.start().0, wanted.end().0);
        if next > end {
            return None;
        }
        for generation in self.archived.range(wanted).map(|(g, _)| g.0) {
            if generation != next {
                break;
            }
            if next == end {
                return None;
            }
            next += 1;
        }
        Some(LogGeneration(next))
    }

    /// Where a generation is archived, or would be.
    #[must_use]
    pub fn archived_path(&self, generation: LogGeneration) -> PathBuf {
        match self.archived.get(&generation) {
            Some(file) => file.path.clone(),
            None => self.directory.join(self.names.archived(generation)),
        }
    }

    /// Where the log being written is, or would be.
    #[must_use]
    pub fn current_path(&self) -> PathBuf {
        match &self.current {
            Some(file) => file.path.clone(),
            None => self.directory.join(self.names.current()),
        }
    }
}

/// Keeps the preferred spelling; gives back the file that lost.
fn put<K: Ord>(
    entry: std::collections::btree_map::Entry<'_, K, LogFile>,
    file: LogFile,
    preferred: bool,
) -> Option<LogFile> {
    match entry {
        std::collections::btree_map::Entry::Vacant(slot) => {
            slot.insert(file);
            None
        }
        std::collections::btree_map::Entry::Occupied(mut slot) if preferred => Some(slot.insert(file)),
        std::collections::btree_map::Entry::Occupied(_) => Some(file),
    }
}

fn put_one(slot: &mut Option<LogFile>, file: LogFile, preferred: bool) -> Option<LogFile> {
    if slot.is_none() || preferred { slot.replace(file) } else { Some(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::{BaseName, LogExtension};
    use ese_io::MemoryStorage;

    fn storage(names: &[&str]) -> MemoryStorage {
        let storage = MemoryStorage::new();
        for name in names {
            storage.put(Path::new("/logs").join(name), vec![0; 8]);
        }
        storage
    }

    fn discover(storage: &MemoryStorage) -> LogSet {
        LogSet::discover(storage, Path::new("/logs"), &LogNames::legacy(BaseName::default())).unwrap()
    }

    #[test]
    fn roles_range_and_gaps() {
        let set = discover(&storage(&[
            "EDB.LOG",
            "edb00004.log",
            "edb00005.log",
            "edb00009.log",
            "edb0000000A.log",
            "edbtmp.log",
            "edbres00001.jrs",
            "edbres00002.jrs",
            "res1.log",
            "edb00003.jtx",
            "edb.chk",
            "E0000001.log",
            "db.edb",
        ]));
        assert_eq!(set.current.as_ref().unwrap().path, Path::new("/logs/EDB.LOG"));
        assert_eq!((set.lowest(), set.highest()), (Some(LogGeneration(4)), Some(LogGeneration(10))));
        assert_eq!(set.gaps(), vec![6..=8]);
        assert_eq!(set.first_missing(LogGeneration(4)..=LogGeneration(10)), Some(LogGeneration(6)));
        assert_eq!(set.first_missing(LogGeneration(9)..=LogGeneration(10)), None);
        assert_eq!(set.first_missing(LogGeneration(9)..=LogGeneration(11)), Some(LogGeneration(11)));
        assert_eq!(set.first_missing(LogGeneration(1)..=LogGeneration(4)), Some(LogGeneration(1)));
        assert_eq!(set.reserves.len(), 2);
        assert_eq!(set.old_reserves.len(), 1);
        assert!(set.temporary.is_some() && set.duplicates.is_empty());
        assert_eq!(set.archived_path(LogGeneration(10)), Path::new("/logs/edb0000000A.log"));
        assert_eq!(set.archived_path(LogGeneration(11)), Path::new("/logs/edb0000B.log"));
    }

    #[test]
    fn own_spelling_wins_over_a_duplicate() {
        let set = discover(&storage(&["EDB00001.log", "edb00000001.log", "edb00001.log"]));
        assert_eq!(set.archived_path(LogGeneration(1)), Path::new("/logs/edb00001.log"));
        assert_eq!(set.duplicates.len(), 2);
    }

    #[test]
    fn five_digits_are_refused_without_short_names() {
        let names = LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) };
        let storage = storage(&["edb00000001.log", "edb00002.log"]);
        let error = LogSet::discover(&storage, Path::new("/logs"), &names).unwrap_err();
        assert_eq!(error.jet_error().0, -513);
    }

    #[test]
    fn extension_follows_checkpoint_then_current_log() {
        let choose = |files: &[&str], preferred| {
            choose_extension(
                &storage(files),
                Path::new("/logs"),
                Path::new("/logs"),
                &BaseName::default(),
                preferred,
            )
            .unwrap()
        };
        use LogExtension::{Current, Legacy};
        assert_eq!(choose(&["edb.jcp", "edb.log"], Legacy), Current);
        assert_eq!(choose(&["edb.jcp", "edb.chk"], Legacy), Legacy);
        assert_eq!(choose(&["edb.jtx"], Legacy), Current);
        assert_eq!(choose(&["edb.jtx", "EDB.log"], Legacy), Legacy);
        assert_eq!(choose(&["db.edb"], Current), Current);
        assert_eq!(choose(&["edb00001.jtx"], Legacy), Current);
        assert_eq!(choose(&["edb00001.jtx", "edb00001.log"], Legacy), Legacy);
    }

    #[test]
    fn streams_of_a_directory() {
        let bases = find_streams(
            &storage(&[
                "edb00001.log",
                "edbtmp.log",
                "V01.log",
                "v0100002.log",
                "a.chk",
                "x.edb",
                "res1.log",
            ]),
            Path::new("/logs"),
        )
        .unwrap();
        let bases: Vec<_> = bases.iter().map(|(b, e)| (b.as_str(), *e)).collect();
        use LogExtension::Legacy;
        assert_eq!(bases, [("V01", Legacy), ("a", Legacy), ("edb", Legacy)]);
    }
}
