//! From paths to log files in their order.

use std::path::{Path, PathBuf};

use ese_io::{EntryKind, Storage};
use ese_log::{BaseName, LogFile, LogNames, LogSet, find_streams};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// One log file.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its path.
    pub(super) path: PathBuf,
    /// Whether its name is that of the log being written.
    pub(super) is_current: bool,
}

/// Logs that belong together by their names.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Base name, or `None` for a file that was named alone.
    pub(super) base: Option<BaseName>,
    /// Where the files are, or the file that was named.
    pub(super) path: PathBuf,
    /// The files, by generation; the log being written last.
    pub(super) files: Vec<Source>,
}

/// The streams that a path stands for: of a directory all that lie in it, of a file just that file.
pub(super) fn streams_of(path: &Path, context: &Context) -> Result<Vec<Stream>, Failure> {
    let storage = &context.storage;
    if storage.inspect(path)?.kind == EntryKind::File {
        let file = Source { path: path.to_path_buf(), is_current: !is_archived(path) };
        return Ok(vec![Stream { base: None, path: path.to_path_buf(), files: vec![file] }]);
    }
    let mut streams = Vec::new();
    for (base, extension) in find_streams(storage, path).map_err(|e| super::failure_of(&e))? {
        let mut names = LogNames::legacy(base.clone());
        names.extension = extension;
        let set = LogSet::discover(storage, path, &names).map_err(|e| super::failure_of(&e))?;
        let archived = set.archived.into_values().map(|file| source(file, false));
        let files: Vec<Source> = archived.chain(set.current.map(|file| source(file, true))).collect();
        if !files.is_empty() {
            streams.push(Stream { base: Some(base), path: path.to_path_buf(), files });
        }
    }
    if streams.is_empty() {
        return Err(Failure::new(Exit::Failed, "no log files here")
            .file(path)
            .expected("edb.log, edb00001.log, … or other names of that form")
            .advice("name the directory that holds the logs, or the log files themselves"));
    }
    Ok(streams)
}

fn source(file: LogFile, is_current: bool) -> Source {
    Source { path: file.path, is_current }
}

/// Whether a name is that of a closed generation.
fn is_archived(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(ese_log::LogFileName::guess);
    name.is_some_and(|name| matches!(name.kind, ese_log::LogFileKind::Archived { .. }))
}
