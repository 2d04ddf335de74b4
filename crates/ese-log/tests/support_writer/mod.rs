#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
//! A stream in a storage, the engine around it, and reading it back.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ese_format::{AttachmentEntry, EngineFormatVersion, LogGeneration, LogPosition, LogVersion, PageSize};
use ese_io::{FixedClock, SeededRandomness, Storage};
use ese_log::{
    BaseName, LogEnvironment, LogError, LogEvent, LogNames, LogSet, LogSettings, LogWriter, LogWriterParts,
    StreamEnd, StreamItem, StreamOptions, StreamReader,
};

pub const DIRECTORY: &str = "/logs";

/// A record of type "fill of any length" with a content of its own.
pub fn filler(len: usize, seed: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(seed | 1).wrapping_add(seed)).collect();
    bytes[0] = 75;
    bytes[1..5].copy_from_slice(&(len as u32 - 5).to_le_bytes());
    bytes
}

#[derive(Default)]
pub struct Engine {
    checkpoint: Mutex<LogPosition>,
    events: Mutex<Vec<String>>,
}

impl Engine {
    pub fn set_checkpoint(&self, position: LogPosition) {
        *self.checkpoint.lock().unwrap() = position;
    }
}

impl LogEnvironment for Engine {
    fn attachments(&self, _: LogGeneration) -> Vec<AttachmentEntry> {
        vec![AttachmentEntry::new(1, "E:\\db.edb")]
    }
    fn checkpoint(&self) -> LogPosition {
        *self.checkpoint.lock().unwrap()
    }
    fn event(&self, event: &LogEvent<'_>) {
        let name = match event {
            LogEvent::LowDiskSpace => "low",
            LogEvent::DiskFull { .. } => "full",
            LogEvent::NewLogFailed { .. } => "new log failed",
            LogEvent::Down { .. } => "down",
            LogEvent::Recycled { .. } => "recycled",
            _ => "other",
        };
        self.events.lock().unwrap().push(name.to_owned());
    }
}

pub struct World {
    pub storage: Arc<dyn Storage>,
    pub settings: LogSettings,
    pub engine: Arc<Engine>,
}

impl World {
    /// A storage with nothing but the directory of the logs.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        storage.create_directory(Path::new(DIRECTORY)).unwrap();
        storage.sync_directory(Path::new("/")).unwrap();
        Self::of(storage)
    }

    /// A storage as it is.
    pub fn of(storage: Arc<dyn Storage>) -> Self {
        let version = LogVersion::segments(130, 280);
        let mut settings = LogSettings::new(PageSize::new(8192).unwrap(), version, EngineFormatVersion(9600));
        settings.file_segments = 32;
        Self { storage, settings, engine: Arc::default() }
    }

    pub fn parts(&self) -> LogWriterParts {
        LogWriterParts {
            storage: Arc::clone(&self.storage),
            directory: PathBuf::from(DIRECTORY),
            names: LogNames::legacy(BaseName::default()),
            clock: Arc::new(FixedClock::new(1_700_000_000_000)),
            environment: self.engine.clone(),
            settings: self.settings.clone(),
        }
    }

    pub fn create(&self) -> LogWriter {
        LogWriter::create(self.parts(), &SeededRandomness::new(1)).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(DIRECTORY).join(name)
    }

    pub fn events(&self) -> Vec<String> {
        self.engine.events.lock().unwrap().clone()
    }
}

pub fn set(storage: &dyn Storage) -> LogSet {
    LogSet::discover(storage, Path::new(DIRECTORY), &LogNames::legacy(BaseName::default())).unwrap()
}

/// Positions and bytes of records.
pub type Records = Vec<(LogPosition, Vec<u8>)>;

/// All records of the stream and how it ends.
pub fn read_all(storage: &dyn Storage) -> Result<(Records, StreamEnd), LogError> {
    let names = LogNames::legacy(BaseName::default());
    let set = LogSet::discover(storage, Path::new(DIRECTORY), &names)?;
    let mut stream = StreamReader::new(storage, vec![set], StreamOptions::default());
    let mut records = Vec::new();
    while let Some(item) = stream.next()? {
        if let StreamItem::Record(record) = item {
            records.push((record.position, record.bytes.to_vec()));
        }
    }
    Ok((records, stream.last_end().expect("there is a log").clone()))
}
