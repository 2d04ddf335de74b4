//! A backup that is taken piece by piece while the sessions work, restored and compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_backup::{
    BackupContext, BeginFlags, EndFlags, FileHandle, NoProgress, ReadOptions, ReadRetries, RestoreOptions,
    restore,
};
use ese_instance::{Environment, Instance, TermMode};
use ese_io::{AlignedBuffer, MemoryStorage, Storage};

use crate::engine::{Running, verify_deeply};
use crate::run::Contents;

const SET: &str = "/set";

type Result<T> = std::result::Result<T, String>;

fn broken(error: impl std::fmt::Display) -> String {
    format!("backup: {error}")
}

/// A backup under way.
pub(crate) struct Backup {
    context: Arc<BackupContext>,
    target: MemoryStorage,
    /// What is still to be copied.
    files: Vec<PathBuf>,
    open: Option<(FileHandle, PathBuf, Vec<u8>)>,
    buffer: AlignedBuffer,
    in_logs: bool,
}

/// What a step of a backup did.
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// The log was rolled: the set shows everything that was committed before.
    Rolled,
    /// The set is complete.
    Done(MemoryStorage),
}

impl Backup {
    pub(crate) fn begin(instance: &Instance, page_size: u32) -> Result<Self> {
        // Without power there is no use in waiting for better reads.
        let options = ReadOptions { retries: ReadRetries::NONE, ..ReadOptions::default() };
        let context = BackupContext::new(instance, options);
        context.begin(BeginFlags::empty()).map_err(broken)?;
        let files = context.attach_info().map_err(broken)?;
        let target = MemoryStorage::new();
        target.create_directory(Path::new(SET)).map_err(broken)?;
        let buffer = AlignedBuffer::new(65536.max(8 * page_size as usize));
        Ok(Self { context, target, files, open: None, buffer, in_logs: false })
    }

    /// Reads one piece.
    pub(crate) fn step(&mut self) -> Result<Step> {
        if let Some((handle, path, bytes)) = &mut self.open {
            let count = self.context.read_file(*handle, &mut self.buffer).map_err(broken)?;
            bytes.extend_from_slice(self.buffer.get(..count).unwrap_or_default());
            if count == 0 {
                self.context.close_file(*handle).map_err(broken)?;
                let name = path.file_name().unwrap_or_default();
                self.target.put(Path::new(SET).join(name), std::mem::take(bytes));
                self.open = None;
            }
            return Ok(Step::More);
        }
        if let Some(path) = self.files.pop() {
            let opened = self.context.open_file(&path).map_err(broken)?;
            self.open = Some((opened.handle, path, Vec::new()));
            return Ok(Step::More);
        }
        if !self.in_logs {
            self.in_logs = true;
            self.files = self.context.log_info().map_err(broken)?.files;
            return Ok(Step::Rolled);
        }
        self.context.truncate_logs().map_err(broken)?;
        self.context.end(EndFlags::NORMAL).map_err(broken)?;
        Ok(Step::Done(self.target.clone()))
    }

    pub(crate) fn give_up(self) {
        // Ended already when the power is gone.
        let _ = self.context.end(EndFlags::ABORT);
    }
}

/// What a set holds when it is restored.
pub(crate) fn contents(set: &MemoryStorage, page_size: u32, seed: u64) -> Result<Contents> {
    let storage: Arc<dyn Storage> = Arc::new(set.clone());
    let environment = Environment::repeatable(Arc::clone(&storage), 1_795_353_522_574, seed);
    let options = RestoreOptions {
        destination: "/db".into(),
        create_path: true,
        find_databases: true,
        ..RestoreOptions::default()
    };
    restore(&environment, Path::new(SET), &options, &NoProgress).map_err(|e| format!("restore: {e}"))?;
    let mut restored = Running::start(&storage, page_size, 1, seed)?;
    let contents = Contents { rows: restored.all(0)?, sides: restored.sides()? };
    restored.stop(TermMode::Complete)?;
    verify_deeply(set)?;
    Ok(contents)
}
