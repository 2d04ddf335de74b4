//! Reserve logs: space for the last generations of an instance whose disk is full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_io::{File, OpenMode, OpenOptions, Result, Storage};

use crate::discovery::LogSet;
use crate::naming::LogNames;

/// Bytes written at a time when a file is filled with zeros.
const PIECE: usize = 256 * 1024;

/// How much room is left for new logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogSpace {
    /// Enough.
    #[default]
    #[doc(alias = "lsNormal")]
    Normal,
    /// A reserve log had to be used or could not be created: new transactions are refused, what ends an instance is
    /// allowed.
    #[doc(alias = "lsQuiesce")]
    Quiesce,
    /// No reserve log is left.
    #[doc(alias = "lsOutOfDiskSpace")]
    OutOfDisk,
}

/// The reserve logs of a stream.
#[derive(Debug)]
pub(crate) struct ReservePool {
    directory: PathBuf,
    names: LogNames,
    file_len: u64,
    target: u32,
    count: u32,
    space: LogSpace,
}

impl ReservePool {
    /// A pool that holds nothing yet.
    pub(crate) fn new(directory: PathBuf, names: LogNames, file_len: u64, target: u32) -> Self {
        Self { directory, names, file_len, target, count: 0, space: LogSpace::Normal }
    }

    pub(crate) fn space(&self) -> LogSpace {
        self.space
    }

    /// Tidies up at the start of an instance, best effort: the reserve logs of old engines and those of the wrong size or
    /// number go, missing ones are created.
    #[doc(alias = "ErrLGInitCreateReserveLogFiles")]
    pub(crate) fn prepare(&mut self, storage: &dyn Storage) {
        if let Ok(set) = LogSet::discover(storage, &self.directory, &self.names) {
            let unfit = |&(&number, file): &(&u32, &crate::LogFile)| {
                number > self.target || file.len != self.file_len
            };
            let reserves = set.reserves.iter().filter(unfit).map(|(_, file)| file);
            for file in set.old_reserves.iter().chain(reserves) {
                let _ = storage.remove(&file.path);
            }
        }
        self.count = 0;
        self.space = LogSpace::Normal;
        self.grow(storage);
    }

    /// Creates what is missing; whether the pool is full afterwards. Nothing is tried once the disk was found full to the
    /// last reserve.
    #[doc(alias = "ErrLGIGrowReserveLogPool")]
    pub(crate) fn grow(&mut self, storage: &dyn Storage) -> bool {
        if self.space == LogSpace::OutOfDisk {
            return false;
        }
        while self.count < self.target {
            if self.create(storage, self.count + 1).is_err() {
                self.space = LogSpace::Quiesce;
                return false;
            }
            self.count += 1;
        }
        self.space = LogSpace::Normal;
        true
    }

    fn path(&self, number: u32) -> PathBuf {
        self.directory.join(self.names.reserve(number))
    }

    fn create(&self, storage: &dyn Storage, number: u32) -> Result<()> {
        let path = self.path(number);
        if storage.exists(&path)? {
            return Ok(());
        }
        let created = storage
            .open(&path, OpenOptions::new(OpenMode::CreateNew))
            .and_then(|file| fill_with_zeros(&*file, self.file_len));
        if created.is_err() {
            let _ = storage.remove(&path);
        }
        created
    }

    /// Makes the last reserve log the file `target`, which must not be there. `None` when none is left.
    #[doc(alias = "ErrLGIOpenReserveLogFile")]
    pub(crate) fn take(&mut self, storage: &dyn Storage, target: &Path) -> Option<Arc<dyn File>> {
        while self.count > 0 {
            let path = self.path(self.count);
            self.count -= 1;
            if storage.rename(&path, target).is_err() {
                continue;
            }
            match storage.open(target, OpenOptions::new(OpenMode::ReadWrite)) {
                Ok(file) => {
                    self.space = LogSpace::Quiesce;
                    return Some(file);
                }
                // The next one needs the name.
                Err(_) => drop(storage.remove(target)),
            }
        }
        self.space = LogSpace::OutOfDisk;
        None
    }
}

/// Writes `len` zeros, so that the space is really there. The file is not synced.
pub(crate) fn fill_with_zeros(file: &dyn File, len: u64) -> Result<()> {
    let zeros = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
    let mut at = 0;
    while at < len {
        let count = (len - at).min(zeros.len() as u64);
        // Not more than the vector has.
        file.write_at(at, zeros.get(..count as usize).unwrap_or(&zeros))?;
        at += count;
    }
    Ok(())
}
