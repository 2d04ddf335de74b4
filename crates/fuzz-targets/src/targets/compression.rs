//! Compressed values: decompression of anything, and compression that comes back.

use ese_format::{compress_value, decode_seven_bit, decode_xpress, decompress_value};

/// The input as a compressed value, as a bare stream, and as something to compress.
pub(crate) fn run(data: &[u8]) {
    let mut out = Vec::new();
    for limit in [1 << 17, 100, 0] {
        out.clear();
        let result = decompress_value(data, limit, &mut out);
        assert!(result.is_err() || out.len() <= limit);
        out.clear();
        let _ = decode_seven_bit(data, limit, &mut out);
        out.clear();
        let _ = decode_xpress(data, limit.min(1 << 16), &mut out);
        assert!(out.len() <= limit.min(1 << 16));
    }
    for xpress in [false, true] {
        if let Some(value) = compress_value(data, xpress) {
            out.clear();
            assert!(value.len() < data.len());
            assert_eq!(decompress_value(&value, data.len(), &mut out), Ok(()));
            assert!(out == data, "came back different");
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let text = b"the quick brown fox jumps over the lazy dog; the quick brown fox jumps again. ".repeat(9);
    let wide: Vec<u8> = text.iter().flat_map(|b| [*b, 0]).collect();
    let noise: Vec<u8> = (0..600_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let plain = [text, wide, noise, vec![7; 4000]];
    let compressed = plain.iter().flat_map(|p| [compress_value(p, true), compress_value(p, false)]).flatten();
    plain.iter().cloned().chain(compressed).collect()
}
