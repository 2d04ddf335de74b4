//! Good inputs to start from: files of the committed fixtures.

use std::fs;
use std::path::Path;

/// Every file below `case/folder` whose name ends in one of `endings`, cut to `limit` bytes.
pub(crate) fn files(case: &str, folder: &str, endings: &[&str], limit: usize) -> Vec<Vec<u8>> {
    let Some(root) = testdata::reference(case) else { return Vec::new() };
    let mut found = Vec::new();
    collect(&root.join(folder), endings, limit, &mut found);
    found
}

fn collect(folder: &Path, endings: &[&str], limit: usize, found: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    // The order of a directory is the file system's whim; runs must be repeatable.
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, endings, limit, found);
        } else if path.to_str().is_some_and(|p| endings.iter().any(|e| p.ends_with(e))) {
            let mut bytes = fs::read(&path).unwrap_or_default();
            bytes.truncate(limit);
            found.push(bytes);
        }
    }
}

/// Every `step`th page of the databases of a case.
pub(crate) fn pages(case: &str, page_size: usize, step: usize) -> Vec<Vec<u8>> {
    let databases = files(case, "files", &[".edb"], usize::MAX);
    databases.iter().flat_map(|d| d.chunks_exact(page_size).step_by(step)).map(<[u8]>::to_vec).collect()
}

/// Every file directly in a folder of a case, with its name.
pub(crate) fn named_files(case: &str, folder: &str) -> Vec<(String, Vec<u8>)> {
    let Some(root) = testdata::reference(case) else { return Vec::new() };
    let mut paths: Vec<_> =
        fs::read_dir(root.join(folder)).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.iter().filter_map(|p| Some((p.file_name()?.to_str()?.to_owned(), fs::read(p).ok()?))).collect()
}
