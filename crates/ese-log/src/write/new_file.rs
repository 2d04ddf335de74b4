//! The file of a new generation, from wherever one can be had.

use std::path::Path;
use std::sync::Arc;

use ese_format::{LogGeneration, LogHeader, LogHeaderChecks};
use ese_io::{File, IoErrorKind, OpenMode, OpenOptions, Storage};

use crate::discovery::LogSet;
use crate::error::LogError;
use crate::naming::LogNames;
use crate::read::OpenLog;
use crate::retention::{RecyclingState, plan_recycling};

use super::environment::{LogEnvironment, LogEvent};
use super::reserve::{ReservePool, fill_with_zeros};

/// Where new files go and how large they are.
pub(crate) struct NewFile<'a> {
    pub storage: &'a dyn Storage,
    pub directory: &'a Path,
    pub names: &'a LogNames,
    pub environment: &'a dyn LogEnvironment,
    pub file_len: u64,
    pub circular: bool,
    pub keeps_flush_maps: bool,
    /// Generation being closed; 0 for the first of a stream.
    pub closing: LogGeneration,
    /// Records wait that will fill the file at once.
    pub filled_soon: bool,
}

/// A file under its temporary name, of full length, whose body holds zeros or an older generation.
pub(crate) struct Prepared {
    pub file: Arc<dyn File>,
    pub from_reserve: bool,
}

impl NewFile<'_> {
    /// Obtains a file: one that lies there under the temporary name is emptied, else with circular logging the oldest
    /// archived one that nobody needs, else a new one; when the disk is full, a reserve log.
    #[doc(alias = "ErrLGIOpenTempLogFile")]
    pub(crate) fn obtain(&self, reserves: &mut ReservePool) -> Result<Prepared, LogError> {
        let temporary = self.directory.join(self.names.temporary());
        let file = match self.open_existing(&temporary) {
            Ok(Some(file)) => file,
            Ok(None) => match self.create(&temporary) {
                Err(LogError::Storage(error)) if error.kind == IoErrorKind::DiskFull => {
                    return self.take_reserve(reserves, &temporary);
                }
                file => file?,
            },
            Err(LogError::Storage(error)) if error.kind == IoErrorKind::DiskFull => {
                return self.take_reserve(reserves, &temporary);
            }
            Err(error) => return Err(error),
        };
        Ok(Prepared { file, from_reserve: false })
    }

    /// A file that is there already, or a recycled one.
    fn open_existing(&self, temporary: &Path) -> Result<Option<Arc<dyn File>>, LogError> {
        match self.storage.open(temporary, OpenOptions::new(OpenMode::ReadWrite)) {
            Ok(file) => {
                // What a crash left: its content means nothing.
                self.format(&*file)?;
                return Ok(Some(file));
            }
            Err(error) if error.kind == IoErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if !self.circular {
            return Ok(None);
        }
        self.recycle(temporary)
    }

    fn create(&self, temporary: &Path) -> Result<Arc<dyn File>, LogError> {
        let file = self.storage.open(temporary, OpenOptions::new(OpenMode::CreateNew))?;
        // Zeros in their places spare each later sync the file system's own bookkeeping. A file that is written from end to
        // end in a few pieces would only be written twice: space that is promised, and reads as zeros, is enough for it.
        if self.filled_soon && file.reserve(self.file_len)? {
            file.set_len(self.file_len)?;
        } else {
            fill_with_zeros(&*file, self.file_len)?;
        }
        Ok(file)
    }

    fn format(&self, file: &dyn File) -> Result<(), LogError> {
        file.set_len(0)?;
        Ok(fill_with_zeros(file, self.file_len)?)
    }

    /// Circular logging: the oldest archived log becomes the next one, and surplus ones are deleted.
    #[doc(alias = "ErrLGIReuseArchivedLogFile")]
    fn recycle(&self, temporary: &Path) -> Result<Option<Arc<dyn File>>, LogError> {
        let set = LogSet::discover(self.storage, self.directory, self.names)?;
        let Some(lowest) = set.lowest() else { return Ok(None) };
        let checkpoint = LogGeneration(self.environment.write_checkpoint().generation);
        let plan = plan_recycling(RecyclingState {
            lowest,
            checkpoint,
            tip: self.closing,
            backup_floor: self.environment.backup_floor(),
            keeps_flush_maps: self.keeps_flush_maps,
        });
        let Some(plan) = plan else { return Ok(None) };
        if self.storage.rename(&set.archived_path(plan.reuse), temporary).is_err() {
            return Ok(None);
        }
        // Before the file is written: else a crash could show the new content under the old name.
        self.storage.sync_directory(self.directory)?;
        let file = match self.storage.open(temporary, OpenOptions::new(OpenMode::ReadWrite)) {
            Ok(file) => file,
            Err(error) => {
                let _ = self.storage.remove(temporary);
                return Err(error.into());
            }
        };
        let fits = OpenLog::from_file(Arc::clone(&file), &LogHeaderChecks::default()).is_ok_and(|log| {
            log.header().version().has_zero_fill() && log.header().file_size() == self.file_len
        });
        if !fits {
            self.format(&*file)?;
        }
        let mut gone = plan.delete.start;
        for generation in plan.delete.clone() {
            // Whatever cannot be deleted ends it: no holes.
            if self.storage.remove(&set.archived_path(LogGeneration(generation))).is_err() {
                break;
            }
            gone = generation + 1;
        }
        if gone > plan.delete.start {
            let (first, last) = (LogGeneration(plan.delete.start), LogGeneration(gone - 1));
            self.environment.event(&LogEvent::Recycled { first, last });
        }
        Ok(Some(file))
    }

    fn take_reserve(&self, reserves: &mut ReservePool, temporary: &Path) -> Result<Prepared, LogError> {
        use super::reserve::LogSpace::{Normal, OutOfDisk};
        match self.storage.remove(temporary) {
            Err(error) if error.kind != IoErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let before = reserves.space();
        let taken = reserves.take(self.storage, temporary);
        if before == Normal {
            self.environment.event(&LogEvent::LowDiskSpace);
        }
        let Some(file) = taken else {
            let file = self.directory.join(self.names.current());
            if before != OutOfDisk {
                self.environment.event(&LogEvent::DiskFull { file: &file });
            }
            return Err(LogError::DiskFull { file });
        };
        if file.len()? != self.file_len {
            file.set_len(self.file_len)?;
        }
        Ok(Prepared { file, from_reserve: true })
    }
}

/// Writes the header of a new generation and makes the whole file durable.
pub(crate) fn write_header(file: &dyn File, header: &LogHeader) -> Result<(), LogError> {
    file.write_at(0, &header.write())?;
    Ok(file.sync()?)
}
