//! What kind of file it is, trailer pages, patch files, flush maps.

use ese_format::{
    FLUSH_MAP_PAGE_SIZE, FileKind, FlushMapHeader, FlushMapPage, PageNumber, PageSize, PatchFileHeader,
    TrailerPage, write_header_checksum,
};

use crate::samples;

/// Any bytes as the start of a file, once with the checksum of every possible header size made right.
pub(crate) fn kind(data: &[u8]) {
    let (found, evidence) = FileKind::detect(data);
    let _ = format!("{found:?} {evidence:?}");
    for size in PageSize::ALL {
        let mut fixed = data.to_vec();
        if let Some(page) = fixed.get_mut(..size.len()) {
            write_header_checksum(page);
            let _ = FileKind::detect(&fixed);
        }
    }
}

pub(crate) fn kind_samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for case in ["clean-p4k", "dirty-exit-p8k"] {
        for ending in [".edb", ".log", ".chk", ".jfm", ".jrs"] {
            found.extend(samples::files(case, "files", &[ending], FileKind::DETECT_LEN).into_iter().take(2));
        }
    }
    found
}

/// Trailer pages and patch files.
pub(crate) fn trailer(data: &[u8]) {
    let _ = PatchFileHeader::probe(data);
    for size in PageSize::ALL {
        let Some(page) = data.get(..size.len()) else { continue };
        let mut fixed = page.to_vec();
        write_header_checksum(&mut fixed);
        let Ok(trailer) = TrailerPage::parse(&fixed) else { continue };
        assert!(trailer.write() == fixed, "what was read is written again");
        let _ = (trailer.fields().len(), trailer.unknown_tail().len());
        let _ = PatchFileHeader::probe(&[fixed.clone(), fixed].concat());
    }
}

pub(crate) fn trailer_samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for database in samples::files("backup-atomic-p4k", "", &[".edb"], usize::MAX) {
        found.extend(database.len().checked_sub(4096).and_then(|at| database.get(at..)).map(<[u8]>::to_vec));
    }
    found.truncate(6);
    found
}

/// Header and first map page.
pub(crate) fn flush_map(data: &[u8]) {
    let mut fixed = data.to_vec();
    if let Some(page) = fixed.get_mut(..FLUSH_MAP_PAGE_SIZE) {
        write_header_checksum(page);
    }
    for bytes in [data, &fixed] {
        if let Ok(header) = FlushMapHeader::parse(bytes) {
            assert_eq!(Some(&*header.write()), bytes.get(..FLUSH_MAP_PAGE_SIZE));
            let _ = (header.fields().len(), header.check(), header.version());
        }
    }
    if let Some(page) = data.get(FLUSH_MAP_PAGE_SIZE..)
        && let Ok(map) = FlushMapPage::parse(page)
    {
        let _ = FlushMapPage::verify(page, 0);
        for number in [0, 1, FlushMapPage::DATABASE_PAGES - 1, FlushMapPage::DATABASE_PAGES, u32::MAX] {
            assert!(map.flush_type(PageNumber(number)).is_none_or(|t| t < 4));
        }
    }
}

pub(crate) fn flush_map_samples() -> Vec<Vec<u8>> {
    let mut found = samples::files("clean-p4k", "files", &[".jfm"], 2 * FLUSH_MAP_PAGE_SIZE);
    found.extend(samples::files("dirty-exit-p8k", "files", &[".jfm"], 2 * FLUSH_MAP_PAGE_SIZE));
    found
}
