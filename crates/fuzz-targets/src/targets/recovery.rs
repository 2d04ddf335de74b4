//! Recovery of a crash state, a few words of whose files are changed, with the checksums made right.
//!
//! The input is a list of changes, ten bytes each: file (u8), nothing (u8), block of 4096 bytes (u16), offset in the
//! block (u16), new value (u32), all little-endian and taken modulo what there is.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use ese_format::{DatabaseHeader, PageNumber, write_header_checksum, write_page_checksum};
use ese_instance::recovery::{
    NoRecoveryProgress, RecoveryEnvironment, RecoveryRequest, RecoveryResult, recover,
};
use ese_io::MemoryStorage;
use ese_log::{BaseName, LogNames};

use crate::samples;

const BLOCK: usize = 4096;
const CASE: &str = "dirty-exit-p4k";

/// Recovers what the changes left.
pub(crate) fn run(data: &[u8]) {
    let _ = with_changes(data);
}

fn with_changes(data: &[u8]) -> Option<RecoveryResult> {
    static BASE: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let mut files = BASE.get_or_init(|| samples::named_files(CASE, "files")).clone();
    for change in data.as_chunks::<10>().0.iter().take(16) {
        let [file, _, b0, b1, o0, o1, value @ ..] = *change;
        let count = files.len().max(1);
        let (name, bytes) = files.get_mut(usize::from(file) % count)?;
        let block = usize::from(u16::from_le_bytes([b0, b1])) % (bytes.len() / BLOCK).max(1);
        let offset = usize::from(u16::from_le_bytes([o0, o1])) % (BLOCK - 4);
        let Some(page) = bytes.get_mut(block * BLOCK..(block + 1) * BLOCK) else { continue };
        if let Some(target) = page.get_mut(offset..).and_then(|p| p.first_chunk_mut::<4>()) {
            *target = value;
        }
        let number = u32::try_from(block).unwrap_or(0);
        match (name.ends_with(".edb"), block) {
            (true, 0 | 1) | (false, 0) => write_header_checksum(page),
            (true, _) => drop(write_page_checksum(page, PageNumber(number - 1))),
            (false, 1) if name.ends_with(".chk") => write_header_checksum(page),
            (false, _) => drop(write_page_checksum(page, PageNumber(number))),
        }
    }
    let storage = MemoryStorage::new();
    for (name, bytes) in files {
        storage.put(Path::new("/r").join(name), bytes);
    }
    let names = LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    request.cache_bytes = 1 << 20;
    let environment = RecoveryEnvironment::repeatable(Arc::new(storage.clone()), 1_700_000_000_000, 1);
    match recover(&request, &environment, &NoRecoveryProgress) {
        Ok(report) => {
            for database in &report.databases {
                let header =
                    storage.get(&database.path).and_then(|b| DatabaseHeader::parse(b.get(..BLOCK)?).ok());
                assert!(header.is_none_or(|h| h.is_clean()), "recovered, and not clean: {database:?}");
            }
            Some(report.result)
        }
        Err(error) => {
            let _ = (error.to_string(), error.jet_error());
            None
        }
    }
}

/// Fields of headers of files, pages and segments; tags.
const OFFSETS: [u16; 11] = [8, 24, 40, 44, 48, 60, 236, 652, 700, 4080, 4088];
const VALUES: [u32; 5] = [0, 1, 0xFFFF_FFFF, 0x8000_0000, 0x0010_0001];

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let files = samples::named_files(CASE, "files").len();
    for step in 0..400_usize {
        let file = step % files.max(1);
        let block = (step * 7 % 61) as u16;
        let offset = OFFSETS.get(step % OFFSETS.len()).copied().unwrap_or(0);
        let value = VALUES.get(step % VALUES.len()).copied().unwrap_or(0);
        let numbers = [&block.to_le_bytes()[..], &offset.to_le_bytes(), &value.to_le_bytes()].concat();
        found.push([&[file as u8, 0][..], &numbers].concat());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_changes_it_recovers() {
        assert_eq!(with_changes(&[]), Some(RecoveryResult::Recovered));
    }
}
