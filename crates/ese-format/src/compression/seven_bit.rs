//! Seven bits a character, packed from the lowest bit on.

use super::{CompressionError, CompressionScheme};

/// Unpacks a 7-bit value (header byte included) to the end of `out`.
///
/// The low three bits of the header are the bits used in the last byte, minus one. Code *k* occupies bits 7*k* … 7*k*+6
/// of what follows, lowest bit first. In the Unicode form each code stands for a 16-bit unit.
///
/// # Errors
/// [`CompressionError::TooShort`] without a single packed byte, [`CompressionError::TooLong`] beyond `limit`,
/// [`CompressionError::Unsupported`] for another scheme.
pub fn decode_seven_bit(value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let too_short = CompressionError::TooShort { len: value.len() };
    let (&header, packed) = value.split_first().ok_or(too_short)?;
    let wide = match CompressionScheme(header >> 3) {
        CompressionScheme::SEVEN_BIT_ASCII => false,
        CompressionScheme::SEVEN_BIT_UNICODE => true,
        other => return Err(CompressionError::Unsupported(other)),
    };
    let full = packed.len().checked_sub(1).ok_or(too_short)?;
    let codes = (full * 8 + usize::from(header & 7) + 1) / 7;
    let expected = if wide { codes * 2 } else { codes };
    if expected > limit {
        return Err(CompressionError::TooLong { expected, limit });
    }
    // Bounded: at most 16/7 of the input.
    out.reserve(expected);
    let mut emit = |code: u8| {
        out.push(code & 0x7F);
        if wide {
            out.push(0);
        }
    };
    // Eight codes lie in seven bytes.
    let (groups, rest) = packed.as_chunks::<7>();
    let mut left = codes;
    for group in groups {
        let [a, b, c, d, e, f, g] = *group;
        let bits = u64::from_le_bytes([a, b, c, d, e, f, g, 0]);
        for k in 0..left.min(8) {
            emit((bits >> (7 * k)) as u8);
        }
        left -= left.min(8);
    }
    let mut last = [0; 8];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    let bits = u64::from_le_bytes(last);
    for k in 0..left.min(8) {
        emit((bits >> (7 * k)) as u8);
    }
    Ok(())
}

/// Packs `data`: in the Unicode form when it consists of 16-bit units up to 0x7F, else in the ASCII form when every
/// byte is at most 0x7F, else not at all.
#[must_use]
pub fn encode_seven_bit(data: &[u8]) -> Option<Vec<u8>> {
    if data.is_empty() {
        return None;
    }
    let (units, rest) = data.as_chunks::<2>();
    let wide = rest.is_empty() && units.iter().all(|&[low, high]| low <= 0x7F && high == 0);
    if !wide && !data.is_ascii() {
        return None;
    }
    let step = if wide { 2 } else { 1 };
    let bits = data.len() / step * 7;
    let scheme = if wide { CompressionScheme::SEVEN_BIT_UNICODE } else { CompressionScheme::SEVEN_BIT_ASCII };
    let last_bits = (bits + 7) % 8;
    let mut out = Vec::with_capacity(bits / 8 + 2);
    out.push(scheme.0 << 3 | last_bits as u8);
    let (mut pending, mut pending_bits) = (0u32, 0u32);
    for &code in data.iter().step_by(step) {
        pending |= u32::from(code) << pending_bits;
        pending_bits += 7;
        if pending_bits >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            pending_bits -= 8;
        }
    }
    if pending_bits > 0 {
        out.push(pending as u8);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACKED: [u8; 8] = [0x0F, 0xB0, 0x98, 0x6C, 0x46, 0xAB, 0xD9, 0x6E];

    fn decode(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        decode_seven_bit(value, 1 << 16, &mut out).unwrap();
        out
    }

    #[test]
    fn eight_digits_in_seven_bytes() {
        assert_eq!(decode(&PACKED), b"01234567");
        assert_eq!(encode_seven_bit(b"01234567").unwrap(), PACKED);
        let wide = encode_seven_bit(b"0\x001\x002\x003\x004\x005\x006\x007\0").unwrap();
        assert_eq!((wide[0], &wide[1..]), (0x17, &PACKED[1..]));
        assert_eq!(decode(&wide), b"0\x001\x002\x003\x004\x005\x006\x007\0");
        assert_eq!(encode_seven_bit(b"\x80"), None);
        let mut out = Vec::new();
        assert!(decode_seven_bit(&[0x0F], 10, &mut out).is_err());
        assert!(decode_seven_bit(&PACKED, 7, &mut out).is_err());
    }

    proptest! {
        #[test]
        fn comes_back(data in prop::collection::vec(0u8..0x80, 1..200), wide: bool) {
            let data: Vec<u8> = if wide { data.iter().flat_map(|&b| [b, 0]).collect() } else { data };
            prop_assert_eq!(decode(&encode_seven_bit(&data).unwrap()), data);
        }
    }
}
