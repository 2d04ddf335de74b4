//! The content of sectors that were never written, in logs of major version 7.

/// Bytes after which the pattern repeats.
const PERIOD: usize = 512;

/// Byte `index` of the pattern: 0xDA, except that every sixteenth byte counts up.
const fn pattern_byte(index: usize) -> u8 {
    let inside = index % PERIOD;
    if inside.is_multiple_of(16) { 0xDA_u8.wrapping_add((inside & 0xFF) as u8) } else { 0xDA }
}

const PATTERN: [u8; PERIOD] = {
    let mut bytes = [0; PERIOD];
    let mut i = 0;
    while i < PERIOD {
        let (_, rest) = bytes.split_at_mut(i);
        if let Some(byte) = rest.first_mut() {
            *byte = pattern_byte(i);
        }
        i += 1;
    }
    bytes
};

/// Whether a sector was never written.
#[doc(alias = "rgbLogExtendPattern")]
pub(crate) fn is_pattern(sector: &[u8]) -> bool {
    !sector.is_empty()
        && sector.chunks(PERIOD).all(|part| PATTERN.get(..part.len()).is_some_and(|pattern| pattern == part))
}

/// Writes the pattern over whole sectors.
#[cfg(test)]
pub(crate) fn fill_pattern(sectors: &mut [u8]) {
    for part in sectors.chunks_mut(PERIOD) {
        if let Some(pattern) = PATTERN.get(..part.len()) {
            part.copy_from_slice(pattern);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sixteenth_byte_counts() {
        assert_eq!(PATTERN[..3], [0xDA, 0xDA, 0xDA]);
        assert_eq!((PATTERN[16], PATTERN[32], PATTERN[48]), (0xEA, 0xFA, 0x0A));
        assert_eq!((PATTERN[256], PATTERN[496], PATTERN[511]), (0xDA, 0xCA, 0xDA));
        let mut sector = vec![0; 4096];
        assert!(!is_pattern(&sector));
        fill_pattern(&mut sector);
        assert!(is_pattern(&sector));
        sector[4000] ^= 1;
        assert!(!is_pattern(&sector));
        assert!(!is_pattern(&[]));
    }
}
