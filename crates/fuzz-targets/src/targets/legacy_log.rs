//! A log file of major version 7: the input is the body, a Checksum record and what it covers. Its checksum is made
//! right, so that the walk goes on into the records.

use ese_format::{LogGeneration, LogHeader, LogVersion, RawChecksumRecord, RawLogHeader};
use zerocopy::{FromBytes, IntoBytes};

use crate::targets::log_file;
use crate::targets::log_records;

const SECTOR: usize = 512;
const GENERATION: LogGeneration = LogGeneration(5);

/// A file around the body.
pub(crate) fn run(data: &[u8]) {
    let mut file = file_around(data);
    log_file::one(&file);
    fix(&mut file);
    log_file::one(&file);
}

fn file_around(data: &[u8]) -> Vec<u8> {
    let mut header = LogHeader::new(LogVersion { major: 7, minor: 3704, update_major: 17, update_minor: 0 });
    header.set_generation(GENERATION);
    header.set_sector_size(SECTOR as u16);
    header.set_header_sectors((RawLogHeader::SIZE / SECTOR) as u16);
    header.set_page_size_field(8192);
    let mut body = data.to_vec();
    body.truncate(1 << 17);
    body.resize(body.len().next_multiple_of(SECTOR).max(4 * SECTOR), 0);
    let mut file = [header.write(), body].concat();
    log_file::fix_header(&mut file);
    file
}

/// Makes the first Checksum record right where it can be.
fn fix(file: &mut [u8]) {
    let Some((_, body)) = file.split_at_mut_checked(RawLogHeader::SIZE) else { return };
    let Ok((mut record, behind)) = RawChecksumRecord::read_from_prefix(body) else { return };
    let behind_len = behind.len();
    record.set_record_type(RawChecksumRecord::TYPE);
    record.set_backward_bytes(0);
    let mut forward = usize::try_from(record.forward_bytes()).unwrap_or(usize::MAX).min(behind_len);
    let several = RawChecksumRecord::SIZE + forward > SECTOR;
    if several {
        // Whole sectors then.
        forward = (RawChecksumRecord::SIZE + forward) / SECTOR * SECTOR - RawChecksumRecord::SIZE;
    }
    record.set_forward_bytes(u32::try_from(forward).unwrap_or(0));
    if record.next_distance() as usize > behind_len {
        record.set_next_distance(0);
    }
    let switch = if several { RawChecksumRecord::SHORT_ON } else { RawChecksumRecord::SHORT_OFF };
    record.set_short_checksum_switch(switch);
    record.set_short_checksum(0);
    let covered = behind.get(..forward).unwrap_or_default();
    record.set_range_checksum(record.compute_range_checksum(&[], covered, GENERATION));
    if several {
        let rest = behind.get(..SECTOR - RawChecksumRecord::SIZE).unwrap_or_default();
        record.set_short_checksum(record.compute_short_checksum(&[], rest, GENERATION));
    }
    if let Some(target) = body.get_mut(..RawChecksumRecord::SIZE) {
        target.copy_from_slice(record.as_bytes());
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let records = log_records::samples();
    let mut found = Vec::new();
    for (index, segment) in records.iter().take(40).enumerate() {
        let mut record = RawChecksumRecord::default();
        let forward = if index % 3 == 0 { 400 } else { 3 * SECTOR - RawChecksumRecord::SIZE };
        record.set_forward_bytes(u32::try_from(forward).unwrap_or(0));
        if index % 3 == 2 {
            record.set_next_distance(u32::try_from(forward + 100).unwrap_or(0));
        }
        found.push([record.as_bytes(), segment].concat());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_reach_the_records() {
        let count = |sample: &Vec<u8>| {
            let mut file = file_around(sample);
            fix(&mut file);
            log_file::one(&file)
        };
        let counts: Vec<usize> = samples().iter().map(count).collect();
        assert!(counts.iter().filter(|c| **c > 1).count() > 5, "{counts:?}");
    }
}
