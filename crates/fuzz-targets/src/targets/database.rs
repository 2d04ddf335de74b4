//! A small real database with a few words changed and the pages' checksums made right: catalog, tables, rows, long
//! values.
//!
//! The input is a list of changes, eight bytes each: page (u16), offset in the page (u16), new value (u32), all
//! little-endian and taken modulo what there is.

use std::path::Path;
use std::sync::OnceLock;

use ese_btree::{LongValueReader, TreeError};
use ese_format::{PageNumber, RecordError, RecordView, write_header_checksum, write_page_checksum};
use ese_instance::{
    ColumnContent, DatabaseReader, DirtyPolicy, ReaderError, RowLayout, TableDefinition, ValueReader,
    deep_verify,
};
use ese_io::MemoryStorage;

use crate::samples;

const PAGE: usize = 4096;

/// Reads everything that the changed database still lets us read.
pub(crate) fn run(data: &[u8]) {
    with_changes(data);
}

/// Verifies the changed database deeply: trees, space, catalog, records, long values, indexes.
pub(crate) fn deep(data: &[u8]) {
    let Some(file) = changed(data) else { return };
    let storage = MemoryStorage::new();
    storage.put("a.edb", file);
    let Ok(reader) = DatabaseReader::open(&storage, Path::new("a.edb"), DirtyPolicy::ReadAsItIs) else {
        return;
    };
    let mut findings = 0_u64;
    let result = deep_verify(&reader, &|| false, &mut |finding| {
        findings += 1;
        let _ = (finding.problem.to_string(), finding.problem.jet_error(), finding.problem.name());
    });
    match result {
        Ok(summary) => assert!(findings <= summary.errors + summary.warnings + summary.informations),
        Err(error) => drop((error.to_string(), error.jet_error())),
    }
}

/// The number of rows read in all.
fn with_changes(data: &[u8]) -> usize {
    let Some(file) = changed(data) else { return 0 };
    let mut read_rows = 0;
    let storage = MemoryStorage::new();
    storage.put("a.edb", file);
    for policy in [DirtyPolicy::Refuse, DirtyPolicy::ReadAsItIs] {
        match DatabaseReader::open(&storage, Path::new("a.edb"), policy) {
            Ok(reader) => read_rows += read(&reader),
            Err(error) => drop((error.to_string(), error.jet_error())),
        }
    }
    read_rows
}

/// The database with the changes, its checksums right.
fn changed(data: &[u8]) -> Option<Vec<u8>> {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    let base = BASE.get_or_init(|| {
        samples::files("clean-p4k", "files", &[".edb"], usize::MAX).into_iter().next().unwrap_or_default()
    });
    let pages = base.len() / PAGE;
    if pages < 4 {
        return None;
    }
    let mut file = base.clone();
    for change in data.as_chunks::<8>().0.iter().take(32) {
        let [p0, p1, o0, o1, value @ ..] = *change;
        let page = usize::from(u16::from_le_bytes([p0, p1])) % pages;
        let offset = usize::from(u16::from_le_bytes([o0, o1])) % (PAGE - 4);
        if let Some(target) = file.get_mut(page * PAGE + offset..).and_then(|b| b.first_chunk_mut::<4>()) {
            *target = value;
        }
        let Some(bytes) = file.get_mut(page * PAGE..(page + 1) * PAGE) else { continue };
        if page < 2 {
            write_header_checksum(bytes);
        } else {
            let number = PageNumber(u32::try_from(page - 1).unwrap_or(0));
            let _ = write_page_checksum(bytes, number);
        }
    }
    Some(file)
}

fn read(reader: &DatabaseReader) -> usize {
    let Ok(tables) = reader.tables() else { return 0 };
    let mut count = 0;
    for entry in tables {
        let Ok(table) = reader.table_by_object(entry.object_id) else { continue };
        match rows(reader, &table) {
            Ok(rows) => count += rows,
            Err(Problem(text)) => drop(text),
        }
    }
    count
}

struct Problem(String);

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        Self(format!("{error} {:?}", error.jet_error()))
    }
}

impl From<ReaderError> for Problem {
    fn from(error: ReaderError) -> Self {
        Self(format!("{error} {:?}", error.jet_error()))
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        Self(format!("{error} {:?}", error.jet_error()))
    }
}

fn rows(reader: &DatabaseReader, table: &TableDefinition) -> Result<usize, Problem> {
    let page_size = reader.header().page_size();
    let layout = RowLayout::new(table);
    let tree = match table.long_values {
        Some(tree) => Some(reader.tree(tree.root, tree.object_id)?),
        None => None,
    };
    let chunks = tree.as_ref().map(|tree| LongValueReader::new(tree, table.chunk_size(page_size)));
    let mut values = ValueReader::new(chunks);
    let tree = reader.tree(table.root, table.object_id)?;
    let mut cursor = tree.cursor();
    let (mut rows, mut bytes) = (0_usize, 0_usize);
    while cursor.move_next()? {
        rows += 1;
        // Each row has a tag of its own in some page.
        assert!(rows < 1 << 20, "an endless tree");
        let Some(node) = cursor.node()? else { break };
        let record = RecordView::parse(node.data, page_size)?;
        layout.visit(&record, |_, column, content| -> Result<(), Problem> {
            if let ColumnContent::Tagged(tagged) = content {
                for value in tagged.values() {
                    let value = value?;
                    // A value of a gigabyte may be real: its pieces come one by one, and the pages must be there.
                    values.read::<Problem>(column.id, value, |piece| bytes += piece.len())?;
                }
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    // Fields of page headers, tags at the end of pages, bytes in between, in pages of all kinds.
    for page in (0..120_u16).step_by(3) {
        for offset in [8_u16, 16, 20, 24, 28, 30, 32, 34, 36, 40, 200, 236, 4092, 4088, 4084] {
            let value = u32::from(page) << 8 | u32::from(offset & 0xFF);
            let change = [page.to_le_bytes(), offset.to_le_bytes()].concat();
            found.push([&change[..], &value.to_le_bytes()].concat());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_changes_all_rows_are_read() {
        assert!(with_changes(&[]) > 1000);
    }
}
