//! Finds test material and unpacks it once.
//!
//! * **Fixtures** (`fixtures/*.tar.zst` in the workspace): databases, logs and backup sets made by the original engine,
//!   committed, always there.
//! * **Reference** (`../shared/data/reference/*.tar.zst` beside the workspace): all of them; may be absent.
//! * **Real** (`../shared/data/real`): files of real systems, read in place, never copied into the workspace and never
//!   printed; may be absent.
//!
//! When the outer folders are absent the functions return `None` after saying so on standard error: a test that got
//! `None` returns early, and nobody can miss that it did.

mod damage;

pub use damage::{damage, number_before};

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Writes past the test harness, which would swallow the line of a test that passes.
macro_rules! say {
    ($($text:tt)*) => {
        let _ = writeln!(std::io::stderr(), $($text)*);
    };
}

/// The workspace's root folder.
#[must_use]
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default()
}

fn shared_data() -> PathBuf {
    workspace_root().join("../shared/data")
}

/// The unpacked folder of a reference case, for example `clean-p8k`: from the committed fixtures if it is among them,
/// else from the reference folder. `None`, with a loud line, when it is in neither.
///
/// The folder is shared by all tests and must not be changed; copy what you want to change.
#[must_use]
pub fn reference(case: &str) -> Option<PathBuf> {
    let name = format!("{case}.tar.zst");
    let candidates =
        [workspace_root().join("fixtures").join(&name), shared_data().join("reference").join(&name)];
    let Some(archive) = candidates.iter().find(|p| p.is_file()) else {
        say!(
            "TEST DATA ABSENT: {name} is neither in fixtures/ nor in ../shared/data/reference; test skipped"
        );
        return None;
    };
    Some(unpack_once(archive, case))
}

/// The bytes of `name` in a case's folder, or of `name.gz` unpacked; `None` when neither is there.
#[must_use]
pub fn text(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let path = folder.join(name);
    if let Ok(bytes) = fs::read(&path) {
        return Some(bytes);
    }
    let packed = fs::File::open(path.with_file_name(format!("{}.gz", path.file_name()?.to_str()?))).ok()?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Every reference case that is present, by name.
#[must_use]
pub fn reference_cases() -> Vec<String> {
    let mut names: Vec<String> = [workspace_root().join("fixtures"), shared_data().join("reference")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".tar.zst")?.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The folder of real files, or `None` with a loud line.
#[must_use]
pub fn real_folder() -> Option<PathBuf> {
    let folder = shared_data().join("real");
    if folder.is_dir() {
        return Some(folder);
    }
    say!("TEST DATA ABSENT: ../shared/data/real is not there; test skipped");
    None
}

/// One line of the manifest of real files.
#[derive(Clone, Debug)]
pub struct RealFile {
    /// Name of the set.
    pub set: String,
    /// Path inside the set, without `.zst`.
    pub file: String,
    /// Path of the stored file inside the set.
    pub stored: String,
    /// Unpacked size in bytes.
    pub size: u64,
    /// What it is: `database`, `log`, `checkpoint`, …
    pub kind: String,
    /// Page size of the database, where known.
    pub page_size: Option<u32>,
    /// Version text.
    pub version: String,
    /// State text.
    pub state: String,
    /// Page or segment counts, as text.
    pub counts: String,
}

/// The manifest of real files, or an empty list with a loud line.
#[must_use]
pub fn real_files() -> Vec<RealFile> {
    let Some(folder) = real_folder() else { return Vec::new() };
    let text = fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap_or_default();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let set = columns.next()?;
            let file = columns.next()?;
            let stored = columns.next()?;
            let size = columns.next()?.parse().ok()?;
            let _sha256 = columns.next()?;
            let kind = columns.next()?;
            let page_size = columns.next()?.parse().ok();
            let (version, state, counts) = (columns.next()?, columns.next()?, columns.next()?);
            Some(RealFile { set, file, stored, size, kind, page_size, version, state, counts })
        })
        .collect()
}

/// The unpacked bytes of a real file.
///
/// # Errors
/// When it cannot be read or unpacked.
pub fn real_bytes(file: &RealFile) -> std::io::Result<Vec<u8>> {
    let path = shared_data().join("real").join(&file.set).join(&file.stored);
    let stored = fs::File::open(&path)?;
    let mut bytes = Vec::new();
    if file.stored.ends_with(".zst") {
        zstd::Decoder::new(stored)?.read_to_end(&mut bytes)?;
    } else {
        { stored }.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Unpacks every file of a real set below `target` (a temporary folder of the test).
///
/// # Errors
/// When a file cannot be read, unpacked or written.
pub fn unpack_real_set(set: &str, target: &Path) -> std::io::Result<()> {
    for file in real_files().iter().filter(|f| f.set == set) {
        let path = target.join(&file.file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, real_bytes(file)?)?;
    }
    Ok(())
}

/// Reads a text of a reference case, unpacking it when its name ends in `.gz`. `path` may be given without that ending.
/// Bytes that are no UTF-8 come out as U+FFFD.
///
/// # Errors
/// When it cannot be read or unpacked.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    let path = if path.is_file() { path } else { &packed };
    let mut bytes = fs::read(path)?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        bytes = plain;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

static UNPACKING: Mutex<()> = Mutex::new(());

fn unpack_once(archive: &Path, case: &str) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    let root = target.join("testdata");
    let folder = root.join(case);
    let _guard = UNPACKING.lock();
    if folder.is_dir() {
        return folder;
    }
    // Other test processes may unpack the same case: each works in a folder of its own, and the rename decides.
    let work = root.join(format!(".{case}.{}", std::process::id()));
    let unpacked = fs::create_dir_all(&work)
        .and_then(|()| fs::File::open(archive))
        .and_then(zstd::Decoder::new)
        .and_then(|decoder| tar::Archive::new(decoder).unpack(&work));
    if let Err(error) = unpacked {
        say!("TEST DATA BROKEN: {} cannot be unpacked: {error}", archive.display());
    }
    if fs::rename(work.join(case), &folder).is_err() && !folder.is_dir() {
        say!("TEST DATA BROKEN: {} holds no folder {case}", archive.display());
    }
    let _ = fs::remove_dir_all(&work);
    folder
}
