//! A storage with a planted defect.
#![allow(unreachable_pub, reason = "shared by tests")]

use std::path::Path;
use std::sync::Arc;

use ese_io::{Entry, File, OpenOptions, SimulatedDisk, Storage};

/// Says yes to a sync below a directory and does nothing.
pub struct Forgetful {
    pub disk: SimulatedDisk,
    pub below: &'static str,
    /// Forgets files.
    pub files: bool,
    /// Forgets directories.
    pub directories: bool,
}

struct ForgetfulFile(Arc<dyn File>);

impl Storage for Forgetful {
    fn open(&self, path: &Path, options: OpenOptions) -> ese_io::Result<Arc<dyn File>> {
        let file = self.disk.open(path, options)?;
        Ok(if self.files && path.starts_with(self.below) { Arc::new(ForgetfulFile(file)) } else { file })
    }
    fn inspect(&self, path: &Path) -> ese_io::Result<Entry> {
        self.disk.inspect(path)
    }
    fn list(&self, directory: &Path) -> ese_io::Result<Vec<Entry>> {
        self.disk.list(directory)
    }
    fn create_directory(&self, path: &Path) -> ese_io::Result<()> {
        self.disk.create_directory(path)
    }
    fn remove(&self, path: &Path) -> ese_io::Result<()> {
        self.disk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> ese_io::Result<()> {
        self.disk.rename(from, to)
    }
    fn sync_directory(&self, path: &Path) -> ese_io::Result<()> {
        if self.directories && path.starts_with(self.below) { Ok(()) } else { self.disk.sync_directory(path) }
    }
}

impl File for ForgetfulFile {
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> ese_io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> ese_io::Result<()> {
        self.0.write_at(offset, data)
    }
    fn len(&self) -> ese_io::Result<u64> {
        self.0.len()
    }
    fn set_len(&self, len: u64) -> ese_io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> ese_io::Result<()> {
        Ok(())
    }
}
