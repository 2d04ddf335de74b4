//! The checkpoint file: reading by the rule of its two copies, writing in their order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{Checkpoint, CheckpointPair, HeaderCopy, HeaderPairStatus, JetError, Signature};
use ese_io::{File, IoError, IoErrorKind, OpenMode, OpenOptions, Storage, parent_directory};

use crate::error::LogError;

/// Why a checkpoint cannot be used. None of these stops recovery: it then starts at the lowest log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file is not there.
    #[error("{}: there is no checkpoint file", .file.display())]
    NotFound {
        /// The file.
        file: PathBuf,
    },
    /// What [`LogError`] says: a device error, or neither copy is valid, or another type or stream.
    #[error(transparent)]
    Unusable(#[from] LogError),
}

impl CheckpointError {
    /// The engine's error number.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::NotFound { .. } => JetError::CHECKPOINT_FILE_NOT_FOUND,
            Self::Unusable(error) => error.jet_error(),
        }
    }
}

impl From<IoError> for CheckpointError {
    fn from(error: IoError) -> Self {
        LogError::from(error).into()
    }
}

/// Reads the checkpoint file at `path`, choosing between its two copies. With `signature` it must belong to that stream.
/// Nothing is written.
///
/// # Errors
/// [`CheckpointError::NotFound`] (`JET_errCheckpointFileNotFound`); [`LogError::Header`] when neither copy is valid
/// (`JET_errCheckpointCorrupt`), for another file type (`JET_errFileInvalidType`) or another stream
/// (`JET_errBadCheckpointSignature`); [`LogError::Storage`].
#[doc(alias = "ErrLGReadCheckpoint")]
pub fn read_checkpoint(
    storage: &dyn Storage,
    path: &Path,
    signature: Option<&Signature>,
) -> Result<CheckpointPair, CheckpointError> {
    let file = storage.open(path, OpenOptions::READ).map_err(|error| not_found(error, path))?;
    let mut bytes = vec![0; Checkpoint::FILE_SIZE];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    let refuse = |error| LogError::Header { file: path.to_path_buf(), error };
    let pair = CheckpointPair::parse(&bytes).map_err(refuse)?;
    pair.checkpoint.check(signature).map_err(refuse)?;
    Ok(pair)
}

fn not_found(error: IoError, path: &Path) -> CheckpointError {
    match error.kind {
        IoErrorKind::NotFound | IoErrorKind::InvalidPath => {
            CheckpointError::NotFound { file: path.to_path_buf() }
        }
        _ => error.into(),
    }
}

/// Writes the good copy of a checkpoint over the bad one and makes it durable, as an opener does that may write. Nothing
/// happens when both are good.
///
/// # Errors
/// [`LogError::Storage`].
pub fn repair_checkpoint(storage: &dyn Storage, path: &Path, pair: &CheckpointPair) -> Result<(), LogError> {
    if pair.status == HeaderPairStatus::BothGood {
        return Ok(());
    }
    let file = storage.open(path, OpenOptions::new(OpenMode::ReadWrite))?;
    let offset = match pair.used_copy() {
        HeaderCopy::Primary => Checkpoint::SIZE as u64,
        HeaderCopy::Secondary => 0,
    };
    file.write_at(offset, &pair.checkpoint.write())?;
    Ok(file.sync()?)
}

/// A checkpoint file that is written again and again.
pub struct CheckpointFile {
    path: PathBuf,
    file: Option<Arc<dyn File>>,
}

impl CheckpointFile {
    /// The file at `path`; it is opened, or created, with the first write.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes both copies, the first one first, and makes them durable with one sync.
    ///
    /// The caller has flushed the databases up to the checkpoint and has their headers durable. A failure means that the
    /// file may hold the old checkpoint, the new one or one good copy; the next write tries again from the start.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    #[doc(alias = "ErrLGIWriteCheckpoint")]
    pub fn write(&mut self, storage: &dyn Storage, checkpoint: &Checkpoint) -> Result<(), LogError> {
        // A handle whose write failed is of no more use.
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open(storage)?,
        };
        let copy = checkpoint.write();
        file.write_at(0, &copy)?;
        file.write_at(copy.len() as u64, &copy)?;
        file.sync()?;
        self.file = Some(file);
        Ok(())
    }

    fn open(&self, storage: &dyn Storage) -> Result<Arc<dyn File>, IoError> {
        match storage.open(&self.path, OpenOptions::new(OpenMode::ReadWrite)) {
            Err(error) if error.kind == IoErrorKind::NotFound => {
                let file = storage.open(&self.path, OpenOptions::new(OpenMode::CreateNew))?;
                file.set_len(Checkpoint::FILE_SIZE as u64)?;
                storage.sync_directory(parent_directory(&self.path))?;
                Ok(file)
            }
            opened => opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ese_format::{FileType, LogPosition};
    use ese_io::{MemoryStorage, SimulatedDisk, Survival, crash_everywhere};

    const PATH: &str = "/system/edb.chk";

    fn checkpoint(generation: u32) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        checkpoint.set_position(LogPosition::new(generation, 1, 0));
        checkpoint
    }

    fn read(storage: &dyn Storage) -> Result<CheckpointPair, CheckpointError> {
        read_checkpoint(storage, Path::new(PATH), Some(&Signature::NONE))
    }

    #[test]
    fn written_twice_read_back() {
        let storage = MemoryStorage::new();
        storage.put("/system/x", Vec::new());
        assert_eq!(read(&storage).unwrap_err().jet_error(), JetError::CHECKPOINT_FILE_NOT_FOUND);
        let mut file = CheckpointFile::new(PATH.into());
        for generation in [1, 2] {
            file.write(&storage, &checkpoint(generation)).unwrap();
            let pair = read(&storage).unwrap();
            assert_eq!(pair.checkpoint.position().generation, generation);
            assert_eq!(pair.status, HeaderPairStatus::BothGood);
        }
        assert_eq!(storage.get(PATH).unwrap().len(), 8192);
    }

    #[test]
    fn refusals_and_repair() {
        let storage = MemoryStorage::new();
        let good = checkpoint(7).write();
        let mut bad = good.clone();
        bad[5] ^= 1;
        for (bytes, repaired) in [([&bad[..], &good].concat(), true), ([&good[..], &bad].concat(), true)] {
            storage.put(PATH, bytes);
            let pair = read(&storage).unwrap();
            assert_eq!(pair.checkpoint.position().generation, 7);
            repair_checkpoint(&storage, Path::new(PATH), &pair).unwrap();
            assert_eq!(read(&storage).unwrap().status == HeaderPairStatus::BothGood, repaired);
        }
        storage.put(PATH, [&bad[..], &bad].concat());
        assert_eq!(read(&storage).unwrap_err().jet_error(), JetError::CHECKPOINT_CORRUPT);
        storage.put(PATH, &bad[..100]);
        assert_eq!(read(&storage).unwrap_err().jet_error(), JetError::CHECKPOINT_CORRUPT);
        let mut other = checkpoint(1);
        other.set_file_type(FileType::LOG);
        storage.put(PATH, other.write());
        assert_eq!(read(&storage).unwrap_err().jet_error(), JetError::FILE_INVALID_TYPE);
        let mut other = checkpoint(1);
        other.set_signature(Signature { random: 1, ..Signature::NONE });
        storage.put(PATH, other.write());
        assert_eq!(read(&storage).unwrap_err().jet_error(), JetError::BAD_CHECKPOINT_SIGNATURE);
    }

    #[test]
    fn a_crash_leaves_the_old_or_the_new_checkpoint() {
        let disk = SimulatedDisk::new();
        disk.put(PATH, [checkpoint(1).write(), checkpoint(1).write()].concat());
        let points = crash_everywhere(
            &disk,
            &[Survival::Nothing, Survival::Everything, Survival::Prefix(1)],
            |disk| drop(CheckpointFile::new(PATH.into()).write(disk, &checkpoint(2))),
            |point, disk| {
                let found = read(disk).unwrap().checkpoint.position().generation;
                assert!(found == 2 || (!point.finished && found == 1), "{point:?}");
            },
        );
        assert!(points > 3);
    }
}
