//! XPRESS, the plain LZ77 of [MS-XCA]: 32 flag bits at a time, literals and matches of 3 bytes and more within 8 KiB.

const WINDOW: usize = 8192;
const MIN_MATCH: usize = 3;
const HASH_BITS: u32 = 13;
/// How many earlier positions with the same hash are looked at for one match.
const MAX_CHAIN: usize = 32;

/// Reads a stream from front to back.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let chunk = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*chunk)
    }
}

/// Decodes a stream that stands for exactly `expected` bytes to the end of `out`.
///
/// Stops as soon as these bytes are there: a missing end mark, which the original refuses, loses nothing.
///
/// # Errors
/// Offset in the stream and bytes produced, when the stream ends early, reaches before its own beginning, or holds an
/// impossible length.
pub fn decode_xpress(stream: &[u8], expected: usize, out: &mut Vec<u8>) -> Result<(), (usize, usize)> {
    let start = out.len();
    let mut input = Input { bytes: stream, at: 0 };
    let decoded = decode(&mut input, start, expected, out);
    decoded.ok_or(()).map_err(|()| (input.at, out.len() - start))
}

fn decode(input: &mut Input<'_>, start: usize, expected: usize, out: &mut Vec<u8>) -> Option<()> {
    // `expected` is a u16 in every stored form; larger claims of a caller are not worth reserving for.
    out.reserve(expected.min(1 << 16));
    let end = start.checked_add(expected)?;
    let (mut flags, mut flag_count) = (0u32, 0u32);
    // Place of the byte whose upper half belongs to the next long match.
    let mut half_used: Option<usize> = None;
    while out.len() < end {
        if flag_count == 0 {
            flags = u32::from_le_bytes(input.take()?);
            flag_count = 32;
        }
        let is_match = flags & 0x8000_0000 != 0;
        flags <<= 1;
        flag_count -= 1;
        if !is_match {
            let [byte] = input.take()?;
            out.push(byte);
            continue;
        }
        let word = u16::from_le_bytes(input.take()?);
        let offset = usize::from(word >> 3) + 1;
        let mut len = usize::from(word & 7);
        if len == 7 {
            let nibble = if let Some(at) = half_used.take() {
                input.bytes.get(at)? >> 4
            } else {
                half_used = Some(input.at);
                let [byte] = input.take()?;
                byte & 15
            };
            len = usize::from(nibble);
            if len == 15 {
                let [byte] = input.take()?;
                len = if byte == 255 {
                    // Absolute length in 16 bits; shorter ones have a shorter form.
                    usize::from(u16::from_le_bytes(input.take()?)).checked_sub(7).filter(|&l| l >= 270)?
                } else {
                    usize::from(byte) + 15
                };
            }
            len += 7;
        }
        len += MIN_MATCH;
        let from = out.len().checked_sub(offset).filter(|&from| from >= start)?;
        let len = len.min(end - out.len());
        copy_match(out, from, offset, len)?;
    }
    Some(())
}

/// Appends `len` bytes that begin at `from`, `offset` bytes before the end; source and target may overlap.
fn copy_match(out: &mut Vec<u8>, mut from: usize, offset: usize, mut len: usize) -> Option<()> {
    while len > 0 {
        // A run that overlaps itself doubles with each round.
        let step = len.min(offset.max(out.len() - from));
        let step = step.min(out.len() - from);
        if step == 0 {
            return None;
        }
        out.extend_from_within(from..from.checked_add(step)?);
        from += step;
        len -= step;
    }
    Some(())
}

/// Encodes `data` to the end of `out`, with the end mark that the original's decoder wants: every flag bit behind the
/// last token is 1, and there is at least one.
pub fn encode_xpress(data: &[u8], out: &mut Vec<u8>) {
    let mut output = Output { out, flags_at: 0, flags: 0, flag_count: 32, half_used: None };
    let mut chains = Chains::new(data);
    let mut at = 0;
    while at < data.len() {
        match chains.longest_match(at) {
            Some((offset, len)) => {
                output.matched(offset, len);
                chains.insert(at, at + len);
                at += len;
            }
            None => {
                output.literal(data.get(at).copied().unwrap_or_default());
                chains.insert(at, at + 1);
                at += 1;
            }
        }
    }
    output.finish();
}

struct Output<'a> {
    out: &'a mut Vec<u8>,
    flags_at: usize,
    flags: u32,
    flag_count: u32,
    half_used: Option<usize>,
}

impl Output<'_> {
    fn flag(&mut self, is_match: bool) {
        if self.flag_count == 32 {
            self.store_flags();
            self.flags_at = self.out.len();
            self.out.extend_from_slice(&[0; 4]);
            (self.flags, self.flag_count) = (0, 0);
        }
        self.flags = self.flags << 1 | u32::from(is_match);
        self.flag_count += 1;
    }

    fn store_flags(&mut self) {
        if let Some(slot) = self.out.get_mut(self.flags_at..).and_then(|s| s.first_chunk_mut::<4>()) {
            *slot = self.flags.to_le_bytes();
        }
    }

    fn literal(&mut self, byte: u8) {
        self.flag(false);
        self.out.push(byte);
    }

    fn matched(&mut self, offset: usize, len: usize) {
        self.flag(true);
        let rest = len - MIN_MATCH;
        let word = ((offset - 1) << 3 | rest.min(7)) as u16;
        self.out.extend_from_slice(&word.to_le_bytes());
        let Some(rest) = rest.checked_sub(7) else { return };
        let nibble = rest.min(15) as u8;
        match self.half_used.take() {
            Some(at) => {
                if let Some(byte) = self.out.get_mut(at) {
                    *byte |= nibble << 4;
                }
            }
            None => {
                self.half_used = Some(self.out.len());
                self.out.push(nibble);
            }
        }
        let Some(rest) = rest.checked_sub(15) else { return };
        if rest < 255 {
            self.out.push(rest as u8);
        } else {
            self.out.push(255);
            // Matches are no longer than a value, which is below 64 KiB.
            self.out.extend_from_slice(&((rest + 22) as u16).to_le_bytes());
        }
    }

    fn finish(mut self) {
        if self.flag_count == 32 {
            self.flag(true);
        }
        while self.flag_count < 32 {
            self.flags = self.flags << 1 | 1;
            self.flag_count += 1;
        }
        self.store_flags();
    }
}

/// How many bytes two strings have in common at their beginning.
fn common_len(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    for (index, (x, y)) in words_a.iter().zip(words_b).enumerate() {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return index * 8 + (difference.trailing_zeros() / 8) as usize;
        }
    }
    let done = words_a.len().min(words_b.len()) * 8;
    let rest = |s| <[u8]>::get(s, done..).unwrap_or_default();
    done + rest(a).iter().zip(rest(b)).take_while(|(x, y)| x == y).count()
}

/// Earlier positions by the hash of their three bytes.
struct Chains<'a> {
    data: &'a [u8],
    heads: Vec<u32>,
    previous: Vec<u32>,
}

impl<'a> Chains<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, heads: vec![u32::MAX; 1 << HASH_BITS], previous: vec![u32::MAX; data.len()] }
    }

    fn hash(&self, at: usize) -> Option<usize> {
        let [a, b, c] = *self.data.get(at..)?.first_chunk::<3>()?;
        let word = u32::from_le_bytes([a, b, c, 0]);
        Some((word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize)
    }

    fn insert(&mut self, from: usize, to: usize) {
        for at in from..to {
            let Some(hash) = self.hash(at) else { return };
            if let (Some(head), Some(slot)) = (self.heads.get_mut(hash), self.previous.get_mut(at)) {
                *slot = *head;
                *head = at as u32;
            }
        }
    }

    fn longest_match(&self, at: usize) -> Option<(usize, usize)> {
        let wanted = self.data.get(at..)?;
        let mut candidate = *self.heads.get(self.hash(at)?)?;
        let mut best: Option<(usize, usize)> = None;
        let mut longest = 0;
        for _ in 0..MAX_CHAIN {
            let position = candidate as usize;
            if candidate == u32::MAX || at - position > WINDOW {
                break;
            }
            let source = self.data.get(position..)?;
            // Most candidates end before the longest match so far does.
            if source.get(longest) == wanted.get(longest) {
                let len = common_len(source, wanted);
                if len >= MIN_MATCH && len > longest {
                    best = Some((at - position, len));
                    longest = len;
                    if len == wanted.len() {
                        break;
                    }
                }
            }
            candidate = *self.previous.get(position)?;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(data: &[u8]) -> usize {
        let mut stream = Vec::new();
        encode_xpress(data, &mut stream);
        let mut back = vec![0xEE];
        decode_xpress(&stream, data.len(), &mut back).unwrap();
        assert_eq!(&back[1..], data);
        stream.len()
    }

    /// The two examples of [MS-XCA] 3.1 for plain LZ77, whose flag words are these.
    #[test]
    fn published_examples() {
        let mut out = Vec::new();
        let letters = *b"\x3f\0\0\0abcdefghijklmnopqrstuvwxyz";
        decode_xpress(&letters, 26, &mut out).unwrap();
        assert_eq!(out, b"abcdefghijklmnopqrstuvwxyz");
        out.clear();
        let repeated = [0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01];
        decode_xpress(&repeated, 300, &mut out).unwrap();
        assert_eq!(out, b"abc".repeat(100));
        let mut stream = Vec::new();
        encode_xpress(&b"abc".repeat(100), &mut stream);
        assert_eq!(stream, repeated);
        stream.clear();
        encode_xpress(b"abcdefghijklmnopqrstuvwxyz", &mut stream);
        assert_eq!(stream, letters);
    }

    #[test]
    fn every_match_length_and_both_halves() {
        for len in (1..600).chain([1000, 8191, 8192, 8193, 20_000, 65_535]) {
            let mut data = vec![b'x'; len];
            data.extend_from_slice(b"something else");
            data.extend(std::iter::repeat_n(b'y', len / 2));
            data.truncate(65_535);
            round_trip(&data);
        }
        // Exactly 32 tokens: one more flag word must follow as the end mark.
        let data: Vec<u8> = (0..32).collect();
        assert_eq!(round_trip(&data), 4 + 32 + 4);
    }

    #[test]
    fn broken_streams_are_refused() {
        let mut out = Vec::new();
        // A match before any literal.
        assert_eq!(decode_xpress(&[0, 0, 0, 0x80, 0, 0], 10, &mut out), Err((6, 0)));
        // Ends after the flags.
        assert_eq!(decode_xpress(&[0; 4], 10, &mut out), Err((4, 0)));
        assert_eq!(decode_xpress(&[], 1, &mut out), Err((0, 0)));
        // A 16-bit length that has a shorter form.
        let short = [0, 0, 0, 0x40, b'a', 7, 0, 0x0F, 255, 0x10, 0];
        assert!(decode_xpress(&short, 500, &mut out).is_err());
    }

    proptest! {
        #[test]
        fn comes_back(data in prop::collection::vec(0u8..4, 0..5000)) {
            round_trip(&data);
        }

        #[test]
        fn any_bytes_are_survived(stream in prop::collection::vec(any::<u8>(), 0..300), expected in 0usize..70_000) {
            let mut out = Vec::new();
            if decode_xpress(&stream, expected, &mut out).is_ok() {
                prop_assert_eq!(out.len(), expected);
            }
            prop_assert!(out.len() <= expected);
        }
    }
}
