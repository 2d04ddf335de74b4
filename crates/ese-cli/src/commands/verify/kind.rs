//! What a file is, by its content.

use std::path::Path;

use ese_format::{Checkpoint, DatabaseHeader, DatabaseHeaderPair, LogHeader};
use ese_io::File;

use crate::failure::Failure;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Database,
    Patch,
    Log,
    ReservedLog,
    Checkpoint,
    FlushMap,
    /// Nothing but zeros at its start: a log that was prepared but not used yet.
    Blank,
    Unknown,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Patch => "patch",
            Self::Log => "log",
            Self::ReservedLog => "reserved_log",
            Self::Checkpoint => "checkpoint",
            Self::FlushMap => "flush_map",
            Self::Blank => "blank",
            Self::Unknown => "unknown",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Patch => "patch file",
            Self::Log => "log",
            Self::ReservedLog => "reserved log",
            Self::Checkpoint => "checkpoint",
            Self::FlushMap => "flush map",
            Self::Blank => "file of zeros",
            Self::Unknown => "no file of the engine",
        }
    }

    /// Tells the kind by the start of the file (see [`read_start`]) and, where content does not tell, by the name.
    pub(super) fn detect(path: &Path, start: &[u8], len: u64) -> Self {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let extension = extension.as_deref().unwrap_or_default();
        // The checksum alone does not make a database: other headers have the same.
        if DatabaseHeaderPair::probe(start).is_ok_and(|pair| pair.header.magic() == DatabaseHeader::MAGIC) {
            return Self::Database;
        }
        let magic = start.get(4..).and_then(|rest| rest.first_chunk::<4>());
        if magic == Some(&DatabaseHeader::MAGIC.to_le_bytes()) {
            return Self::Database;
        }
        let sound_checkpoint = |copy: usize| Checkpoint::parse(start.get(copy..).unwrap_or_default()).is_ok();
        match extension {
            "pat" => return Self::Patch,
            "jrs" => return Self::ReservedLog,
            "jfm" => return Self::FlushMap,
            "chk" | "jcp" if !start.is_empty() => return Self::Checkpoint,
            _ if len == Checkpoint::FILE_SIZE as u64 && (sound_checkpoint(0) || sound_checkpoint(4096)) => {
                return Self::Checkpoint;
            }
            _ => {}
        }
        if LogHeader::parse(start).is_ok() {
            return Self::Log;
        }
        if len > 0 && start.iter().all(|byte| *byte == 0) {
            return Self::Blank;
        }
        match extension {
            "log" | "jtx" => Self::Log,
            _ => Self::Unknown,
        }
    }
}

/// The first bytes of a file, as many as it takes to tell what it is.
pub(super) fn read_start(file: &dyn File) -> Result<Vec<u8>, Failure> {
    let mut start = vec![0; DatabaseHeaderPair::PROBE_LEN];
    let read = file.read_at(0, &mut start)?;
    start.truncate(read);
    Ok(start)
}
