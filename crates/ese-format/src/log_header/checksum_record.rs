//! The Checksum record that guards a flush range of a log of major version 7.

use crate::stored::stored_struct;
use crate::{HeaderError, HeaderStructure, LogGeneration};

stored_struct! {
    /// Checksum record, 22 bytes, little-endian, at the start of every flush range of a log of major version 7.
    ///
    /// The range reaches back to the start of the record's sector (or not at all) and forward by a count of bytes. The
    /// record itself is covered by folding its counts into the checksum.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/logapi.hxx`, `LRCHECKSUM`.
    #[doc(alias = "LRCHECKSUM")]
    pub struct RawChecksumRecord [22] {
        /// Record type, 42.
        #[doc(alias = "lrtyp")]
        0 "lrtyp" record_type set_record_type: u8,
        /// Bytes covered in front of the record: its offset in the sector, or 0.
        #[doc(alias = "le_cbBackwards")]
        1 "cbBackwards" backward_bytes set_backward_bytes: u32,
        /// Bytes covered behind the record.
        #[doc(alias = "le_cbForwards")]
        5 "cbForwards" forward_bytes set_forward_bytes: u32,
        /// Distance from the end of the record to the next Checksum record; 0 in the last.
        #[doc(alias = "le_cbNext")]
        9 "cbNext" next_distance set_next_distance: u32,
        /// Checksum of the covered range.
        #[doc(alias = "le_ulChecksum")]
        13 "ulChecksum" range_checksum set_range_checksum: u32 as hexadecimal,
        /// Checksum of this sector alone, when the range spans several; else 0.
        #[doc(alias = "le_ulShortChecksum")]
        17 "ulShortChecksum" short_checksum set_short_checksum: u32 as hexadecimal,
        /// 0x9A: the short checksum is in use; 0xD1: it is not.
        #[doc(alias = "bUseShortChecksum")]
        21 "bUseShortChecksum" short_checksum_switch set_short_checksum_switch: u8 as hexadecimal,
    }
}

/// XOR of the little-endian words of `bytes`, counted from its first byte, the last one filled up with zeros, XOR
/// `seed`. Ranges are chained by passing the result on as seed.
#[doc(alias = "UlChecksumBytes")]
#[must_use]
pub fn log_range_checksum(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    words.iter().fold(seed ^ u32::from_le_bytes(last), |sum, word| sum ^ u32::from_le_bytes(*word))
}

impl RawChecksumRecord {
    /// Its record type.
    #[doc(alias = "lrtypChecksum")]
    pub const TYPE: u8 = 42;
    /// Switch value: the short checksum is in use.
    #[doc(alias = "bShortChecksumOn")]
    pub const SHORT_ON: u8 = 0x9A;
    /// Switch value: the short checksum is not in use.
    #[doc(alias = "bShortChecksumOff")]
    pub const SHORT_OFF: u8 = 0xD1;
    /// What the checksum of a shadow sector differs by.
    #[doc(alias = "ulShadowSectorChecksum")]
    pub const SHADOW: u32 = 0x5AD0_5EC7;

    const RANGE_SEED: u32 = 0xFEED_BEAF;
    const SHORT_SEED: u32 = 0xDEAD_C0DE;

    /// Checksum of the range: `before` holds the `backward_bytes` in front of the record, `after` the `forward_bytes`
    /// behind it. A shadow stores it XOR [`SHADOW`](Self::SHADOW).
    #[doc(alias = "UlComputeChecksum")]
    #[must_use]
    pub fn compute_range_checksum(&self, before: &[u8], after: &[u8], generation: LogGeneration) -> u32 {
        self.compute(Self::RANGE_SEED, before, after, generation)
    }

    /// Checksum of the record's sector alone: `before` as in
    /// [`compute_range_checksum`](Self::compute_range_checksum), `after` the rest of the sector behind the record.
    #[doc(alias = "UlComputeShortChecksum")]
    #[must_use]
    pub fn compute_short_checksum(&self, before: &[u8], after: &[u8], generation: LogGeneration) -> u32 {
        self.compute(Self::SHORT_SEED, before, after, generation)
    }

    fn compute(&self, seed: u32, before: &[u8], after: &[u8], generation: LogGeneration) -> u32 {
        log_range_checksum(after, log_range_checksum(before, seed))
            ^ self.backward_bytes()
            ^ self.forward_bytes()
            ^ self.next_distance()
            ^ u32::from(self.short_checksum_switch())
            ^ generation.0
    }

    /// Whether the range spans more than the record's sector.
    #[must_use]
    pub fn uses_short_checksum(&self) -> bool {
        self.short_checksum_switch() == Self::SHORT_ON
    }

    /// Checks the record itself, as it stands at byte `offset` of `sector` (one whole sector of a file of
    /// `sectors_in_file`, with index `sector_index`); the range is not checked.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] when it does not fit into the sector, [`HeaderError::Checksum`] for a wrong short
    /// checksum, [`HeaderError::Field`] for anything that cannot be.
    #[doc(alias = "FValidLRCKRecord")]
    pub fn check(
        &self,
        sector: &[u8],
        offset: usize,
        sector_index: u32,
        sectors_in_file: u32,
        generation: LogGeneration,
    ) -> Result<(), HeaderError> {
        let structure = HeaderStructure::ChecksumRecord;
        let wrong = |field, expected: String, found: u64| {
            Err(HeaderError::Field { structure, field, expected, found: found.to_string() })
        };
        let sector_size = sector.len() as u64;
        let behind = offset.checked_add(Self::SIZE).and_then(|end| sector.get(end..));
        let (Some(in_front), Some(behind)) = (sector.get(..offset), behind) else {
            return Err(HeaderError::Truncated {
                structure,
                expected: Self::SIZE,
                found: sector.len().saturating_sub(offset),
            });
        };
        if self.record_type() != Self::TYPE {
            return wrong("lrtyp", Self::TYPE.to_string(), self.record_type().into());
        }
        let backward = u64::from(self.backward_bytes());
        if backward != 0 && backward != offset as u64 {
            return wrong("cbBackwards", format!("0 or {offset}"), backward);
        }
        match self.short_checksum_switch() {
            Self::SHORT_ON => {
                let before = if backward == 0 { &[] } else { in_front };
                let found = self.compute_short_checksum(before, behind, generation);
                if found != self.short_checksum() {
                    return Err(HeaderError::Checksum { structure, expected: self.short_checksum(), found });
                }
            }
            Self::SHORT_OFF if self.short_checksum() == 0 => {}
            Self::SHORT_OFF => {
                return wrong("ulShortChecksum", "0".to_owned(), self.short_checksum().into());
            }
            other => return wrong("bUseShortChecksum", "0x9a or 0xd1".to_owned(), other.into()),
        }
        let end = (offset + Self::SIZE) as u64;
        // From here on all sums are of 32-bit numbers in 64 bits.
        let forward = u64::from(self.forward_bytes());
        let room = u64::from(sectors_in_file.saturating_sub(sector_index)) * sector_size;
        let range_end = end + forward;
        if range_end > room {
            return wrong("cbForwards", format!("at most {}", room.saturating_sub(end)), forward);
        }
        let several = range_end > sector_size;
        if several != self.uses_short_checksum() || several && !range_end.is_multiple_of(sector_size) {
            return wrong("cbForwards", "a range that goes with bUseShortChecksum".to_owned(), forward);
        }
        let next = u64::from(self.next_distance());
        if next != 0 {
            let whole = range_end != 0 && range_end.is_multiple_of(sector_size);
            if !whole || (end + next) / sector_size != range_end / sector_size {
                return wrong("cbNext", "a record in the sector behind the range".to_owned(), next);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    #[test]
    fn published_vector() {
        let bytes: Vec<u8> = (1..=11).collect();
        assert_eq!(log_range_checksum(&bytes, 0xFEED_BEAF), 0xF2E2_B0A2);
        // Chained ranges start afresh at their first byte.
        let chained = log_range_checksum(&bytes[4..], log_range_checksum(&bytes[..4], 0));
        assert_eq!(chained, log_range_checksum(&bytes, 0));
    }

    const GENERATION: LogGeneration = LogGeneration(0x83);

    fn record(offset: u32, forward: u32, next: u32, sector: &mut [u8]) -> RawChecksumRecord {
        let mut record = RawChecksumRecord::default();
        record.set_record_type(RawChecksumRecord::TYPE);
        record.set_backward_bytes(offset);
        record.set_forward_bytes(forward);
        record.set_next_distance(next);
        let several = offset as usize + 22 + forward as usize > sector.len();
        record.set_short_checksum_switch(if several {
            RawChecksumRecord::SHORT_ON
        } else {
            RawChecksumRecord::SHORT_OFF
        });
        let at = offset as usize;
        if several {
            let sum = record.compute_short_checksum(&sector[..at], &sector[at + 22..], GENERATION);
            record.set_short_checksum(sum);
        }
        sector[at..at + 22].copy_from_slice(record.as_bytes());
        record
    }

    #[test]
    fn good_records() {
        let mut sector: Vec<u8> = (0..512).map(|i| i as u8).collect();
        record(100, 300, 0, &mut sector).check(&sector, 100, 8, 20, GENERATION).unwrap();
        let long = record(100, 512 * 3 - 122, 512 * 3 - 122 + 7, &mut sector);
        long.check(&sector, 100, 8, 20, GENERATION).unwrap();
    }

    #[test]
    fn every_field_is_looked_at() {
        let mut sector: Vec<u8> = (0..512).map(|i| i as u8).collect();
        let bad = |change: fn(&mut RawChecksumRecord), sector: &[u8], of: RawChecksumRecord| {
            let mut record = of;
            change(&mut record);
            record.check(sector, 100, 8, 20, GENERATION).unwrap_err()
        };
        let short = record(100, 300, 0, &mut sector);
        bad(|r| r.set_record_type(41), &sector, short);
        bad(|r| r.set_backward_bytes(99), &sector, short);
        bad(|r| r.set_short_checksum_switch(0), &sector, short);
        bad(|r| r.set_short_checksum(1), &sector, short);
        bad(|r| r.set_forward_bytes(500), &sector, short);
        bad(|r| r.set_forward_bytes(u32::MAX), &sector, short);
        bad(|r| r.set_next_distance(600), &sector, short);
        let long = record(100, 512 * 3 - 122, 512 * 3 - 122, &mut sector);
        bad(|r| r.set_next_distance(512 * 4), &sector, long);
        bad(|r| r.set_short_checksum(1), &sector, long);
        sector[511] ^= 1;
        assert!(matches!(long.check(&sector, 100, 8, 20, GENERATION), Err(HeaderError::Checksum { .. })));
        assert!(matches!(long.check(&sector, 500, 8, 20, GENERATION), Err(HeaderError::Truncated { .. })));
        assert!(long.check(&sector, usize::MAX - 10, 8, 20, GENERATION).is_err());
    }
}
