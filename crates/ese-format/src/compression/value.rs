//! The header byte of a compressed value and the choice of scheme.

use std::fmt;

use super::{decode_seven_bit, decode_xpress, encode_seven_bit, encode_xpress, lz4};
use crate::JetError;

/// Largest plain size of a value that the LZ schemes can express.
pub const MAX_COMPRESSED_VALUE_LEN: usize = 0xFFFF;

/// How a value is compressed: the top five bits of its first byte. Unknown numbers are kept.
#[doc(alias = "COMPRESSION_SCHEME")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompressionScheme(pub u8);

impl CompressionScheme {
    /// Seven bits a byte.
    pub const SEVEN_BIT_ASCII: Self = Self(1);
    /// Seven bits a UTF-16 unit.
    pub const SEVEN_BIT_UNICODE: Self = Self(2);
    /// Plain LZ77 of [MS-XCA].
    pub const XPRESS: Self = Self(3);
    /// Overwritten; the data is gone.
    pub const SCRUBBED: Self = Self(4);
    /// XPRESS9; not decoded here.
    pub const XPRESS9: Self = Self(5);
    /// XPRESS10; not decoded here.
    pub const XPRESS10: Self = Self(6);
    /// LZ4 block format.
    pub const LZ4: Self = Self(7);

    /// The scheme of a compressed value; `None` when it has no bytes.
    #[must_use]
    pub fn of(value: &[u8]) -> Option<Self> {
        value.first().map(|b| Self(b >> 3))
    }
}

impl fmt::Display for CompressionScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SEVEN_BIT_ASCII => f.write_str("7-bit ASCII"),
            Self::SEVEN_BIT_UNICODE => f.write_str("7-bit Unicode"),
            Self::XPRESS => f.write_str("XPRESS"),
            Self::SCRUBBED => f.write_str("scrubbed"),
            Self::XPRESS9 => f.write_str("XPRESS9"),
            Self::XPRESS10 => f.write_str("XPRESS10"),
            Self::LZ4 => f.write_str("LZ4"),
            Self(other) => write!(f, "scheme {other}"),
        }
    }
}

/// Why a value cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// No bytes, or fewer than the scheme's own header has.
    #[error("compressed value of {len} bytes is shorter than its header")]
    TooShort {
        /// Length of the value.
        len: usize,
    },
    /// A scheme that this program does not know, or knows only by name.
    #[error("compression {0} is not supported")]
    Unsupported(CompressionScheme),
    /// The data was overwritten.
    #[error("the value was scrubbed")]
    Scrubbed,
    /// The stream ends early, points before its own beginning or holds an impossible length.
    #[error("{scheme} stream is broken at byte {at}: {produced} of {expected} bytes were produced")]
    Broken {
        /// Scheme.
        scheme: CompressionScheme,
        /// Offset in the compressed value.
        at: usize,
        /// Bytes produced so far.
        produced: usize,
        /// Bytes that should come out.
        expected: usize,
    },
    /// More would come out than the caller allows.
    #[error("{expected} bytes would come out, more than {limit}")]
    TooLong {
        /// Bytes that would come out.
        expected: usize,
        /// The caller's limit.
        limit: usize,
    },
}

impl CompressionError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        JetError::DECOMPRESSION_FAILED
    }
}

/// Decompresses `value` to the end of `out`, producing at most `limit` bytes.
///
/// # Errors
/// [`CompressionError`]; `out` may then hold a part of the data.
pub fn decompress_value(value: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let Some((&header, rest)) = value.split_first() else {
        return Err(CompressionError::TooShort { len: 0 });
    };
    let scheme = CompressionScheme(header >> 3);
    match scheme {
        CompressionScheme::SEVEN_BIT_ASCII | CompressionScheme::SEVEN_BIT_UNICODE => {
            decode_seven_bit(value, limit, out)
        }
        CompressionScheme::XPRESS | CompressionScheme::LZ4 => {
            let (size, stream) =
                rest.split_first_chunk::<2>().ok_or(CompressionError::TooShort { len: value.len() })?;
            let expected = usize::from(u16::from_le_bytes(*size));
            if expected > limit {
                return Err(CompressionError::TooLong { expected, limit });
            }
            let decoded = if scheme == CompressionScheme::XPRESS {
                decode_xpress(stream, expected, out)
            } else {
                lz4::decode(stream, expected, out)
            };
            // Offsets are reported within the value: behind the header byte and the size.
            decoded.map_err(|(at, produced)| CompressionError::Broken {
                scheme,
                at: at + 3,
                produced,
                expected,
            })
        }
        CompressionScheme::SCRUBBED => Err(CompressionError::Scrubbed),
        other => Err(CompressionError::Unsupported(other)),
    }
}

/// Compresses `data` as the engine does: XPRESS when `xpress` is allowed and the value is long enough, unless 7 bits
/// are smaller; `None` when nothing is gained.
#[must_use]
pub fn compress_value(data: &[u8], xpress: bool) -> Option<Vec<u8>> {
    let seven_bit = encode_seven_bit(data);
    let lz = (xpress && data.len() > 8 && data.len() <= MAX_COMPRESSED_VALUE_LEN).then(|| {
        let size = u16::try_from(data.len()).unwrap_or(u16::MAX);
        let mut out = vec![CompressionScheme::XPRESS.0 << 3];
        out.extend_from_slice(&size.to_le_bytes());
        encode_xpress(data, &mut out);
        // The engine's decoder takes a stream of fewer than 8 bytes, or one as long as the data, for something else.
        (out.len() >= 11 && out.len() < data.len() + 3).then_some(out)
    });
    let best = match (lz.flatten(), seven_bit) {
        (Some(lz), Some(seven_bit)) => Some(if lz.len() <= seven_bit.len() { lz } else { seven_bit }),
        (lz, seven_bit) => lz.or(seven_bit),
    };
    best.filter(|value| value.len() < data.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(value: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut out = Vec::new();
        decompress_value(value, 1 << 17, &mut out).map(|()| out)
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(plain(&[]), Err(CompressionError::TooShort { len: 0 }));
        assert_eq!(plain(&[0x20, b'#', b'#']), Err(CompressionError::Scrubbed));
        assert_eq!(plain(&[0x30; 20]), Err(CompressionError::Unsupported(CompressionScheme::XPRESS10)));
        assert_eq!(plain(&[0xF8; 20]), Err(CompressionError::Unsupported(CompressionScheme(31))));
        assert_eq!(plain(&[0x18, 1]), Err(CompressionError::TooShort { len: 2 }));
        let mut out = Vec::new();
        let long = decompress_value(&[0x18, 0, 1, 0, 0], 10, &mut out);
        assert_eq!(long, Err(CompressionError::TooLong { expected: 256, limit: 10 }));
    }

    proptest! {
        #[test]
        fn comes_back(data in prop::collection::vec(0u8..5, 0..3000), shift in 0u8..=255, xpress: bool) {
            let data: Vec<u8> = data.iter().map(|b| b.wrapping_add(shift)).collect();
            if let Some(value) = compress_value(&data, xpress) {
                prop_assert!(value.len() < data.len());
                prop_assert_eq!(plain(&value).unwrap(), data);
            }
        }

        #[test]
        fn any_bytes_are_survived(value in prop::collection::vec(any::<u8>(), 0..200), scheme in 0u8..9) {
            let mut value = value;
            if let Some(first) = value.first_mut() {
                *first = scheme << 3 | *first & 7;
            }
            let _ = plain(&value);
        }
    }
}
