//! The LZ4 block format, decoding only: no engine that is known writes it, but the format gives it a number.

/// Decodes a block that stands for exactly `expected` bytes to the end of `out`; errors as for XPRESS: offset in the
/// block and bytes produced.
pub(super) fn decode(block: &[u8], expected: usize, out: &mut Vec<u8>) -> Result<(), (usize, usize)> {
    let start = out.len();
    let mut at = 0;
    decode_block(block, &mut at, start, expected, out).ok_or((at, out.len() - start))
}

fn decode_block(
    block: &[u8],
    at: &mut usize,
    start: usize,
    expected: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let end = start.checked_add(expected)?;
    while out.len() < end {
        let token = next(block, at)?;
        let literals = length(block, at, token >> 4)?;
        let source = block.get(*at..at.checked_add(literals)?)?;
        if literals > end - out.len() {
            return None;
        }
        out.extend_from_slice(source);
        *at += literals;
        if out.len() == end {
            break;
        }
        let offset = usize::from(u16::from_le_bytes([next(block, at)?, next(block, at)?]));
        let len = length(block, at, token & 15)?.checked_add(4)?;
        let from = out.len().checked_sub(offset).filter(|&from| from >= start)?;
        if offset == 0 || len > end - out.len() {
            return None;
        }
        for i in 0..len {
            out.push(*out.get(from + i)?);
        }
    }
    Some(())
}

fn next(block: &[u8], at: &mut usize) -> Option<u8> {
    let byte = *block.get(*at)?;
    *at += 1;
    Some(byte)
}

fn length(block: &[u8], at: &mut usize, nibble: u8) -> Option<usize> {
    let mut len = usize::from(nibble);
    if nibble == 15 {
        loop {
            let byte = next(block, at)?;
            len = len.checked_add(usize::from(byte))?;
            if byte != 255 {
                break;
            }
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_an_overlapping_match() {
        let mut out = Vec::new();
        // 3 literals, match of 4 + 5 at distance 3, then 2 literals.
        let block = [0x35, b'a', b'b', b'c', 3, 0, 0x20, b'y', b'z'];
        decode(&block, 14, &mut out).unwrap();
        assert_eq!(out, b"abcabcabcabcyz");
        for cut in 0..block.len() {
            assert!(decode(&block[..cut], 14, &mut Vec::new()).is_err());
        }
        assert!(decode(&[0x10, b'a', 2, 0], 9, &mut Vec::new()).is_err());
    }
}
