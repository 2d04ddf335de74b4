//! A whole log file: header, segments, records across segments, the search for the end.

use std::path::Path;

use ese_format::{
    LOG_SEGMENT_SIZE, LogHeader, LogHeaderChecks, LogPosition, PageNumber, write_page_checksum,
};
use ese_io::{MemoryStorage, Storage};
use ese_log::record::Record;
use ese_log::{LogError, OpenLog, ReplayContext, ScanOptions, judge_segment};

use crate::samples;

/// The bytes as they are; with a header that goes with their length; and with every segment's checksum made right.
pub(crate) fn run(data: &[u8]) {
    one(data);
    let mut fixed = data.to_vec();
    fix_header(&mut fixed);
    one(&fixed);
    let segments = fixed.chunks_exact_mut(LOG_SEGMENT_SIZE).enumerate().skip(1);
    for (index, segment) in segments.filter(|(_, s)| s.iter().any(|b| *b != 0)) {
        let _ = write_page_checksum(segment, PageNumber(u32::try_from(index).unwrap_or(u32::MAX)));
    }
    one(&fixed);
}

/// Gives the header the file's length and a right checksum.
pub(super) fn fix_header(file: &mut [u8]) {
    let Ok(mut header) = LogHeader::parse_unverified(file) else { return };
    let sector = usize::from(header.sector_size()).max(1);
    header.set_file_sectors(u16::try_from(file.len() / sector).unwrap_or(u16::MAX));
    if let Some(target) = file.get_mut(..LogHeader::SIZE) {
        target.copy_from_slice(&header.write());
    }
}

/// Reads every record and judges the file, in every way there is. Returns how many records were read in the first.
pub(super) fn one(file: &[u8]) -> usize {
    let storage = MemoryStorage::new();
    storage.put("edb.log", file);
    let checks = LogHeaderChecks::default();
    let Ok(log) = OpenLog::open(&storage, Path::new("edb.log"), &checks) else { return 0 };
    let mut first_count = None;
    for (segment, index) in file.chunks_exact(LOG_SEGMENT_SIZE).zip(0..=u16::MAX) {
        let _ = judge_segment(segment, index);
    }
    for (context, is_current, accepts_repair, count_all) in
        [(ReplayContext::default(), true, true, false), (ReplayContext::default(), false, false, true)]
    {
        let options =
            ScanOptions { context, is_current, accepts_repair, count_all, ..ScanOptions::default() };
        match log.scan(options) {
            Ok(end) => drop(format!("{end:?}")),
            Err(error) => drop((error.to_string(), error.jet_error())),
        }
        let mut reader = log.records(LogPosition::NONE, options);
        let (mut count, mut before) = (0_usize, LogPosition::NONE);
        let error: Option<LogError> = loop {
            match reader.next() {
                Ok(Some(record)) => {
                    count += 1;
                    assert!(record.position > before || count == 1, "positions grow");
                    before = record.position;
                    let _ = Record::decode(record.bytes);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(count <= file.len(), "more records than bytes");
        first_count.get_or_insert(count);
        if let Some(error) = error {
            let _ = (error.to_string(), error.jet_error());
            assert!(matches!(reader.next(), Ok(None)), "after an error there is nothing more");
        }
        drop(reader.finish().map(|end| format!("{end:?}")));
    }
    // Nothing was written.
    assert!(storage.list(Path::new("")).is_ok_and(|l| l.len() == 1));
    first_count.unwrap_or(0)
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for case in ["clean-p4k", "dirty-exit-p8k", "logtails-p4k"] {
        found.extend(samples::files(case, "", &[".log"], 9 * LOG_SEGMENT_SIZE).into_iter().take(5));
    }
    for file in &mut found {
        fix_header(file);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_reach_the_records() {
        let counts: Vec<usize> = samples().iter().map(|s| one(s)).collect();
        assert!(counts.iter().filter(|c| **c > 20).count() > 5, "{counts:?}");
    }
}
