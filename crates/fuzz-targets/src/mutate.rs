//! Seeded mutations of byte strings.

/// A small repeatable generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() % (bound.max(1) as u64)).unwrap_or(0)
    }
}

/// Numbers that sit at the edges of fields.
const INTERESTING: [u64; 22] = [
    0,
    1,
    2,
    3,
    7,
    8,
    0x0F,
    0x10,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x0FFF,
    0x1000,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x0001_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    u64::MAX,
];

/// Longest input made by mutation, unless the sample was longer.
pub const MAX_LEN: usize = 1 << 20;

/// Changes `input` in one to six places. `other` is a second sample to take pieces from.
pub fn mutate(generator: &mut Generator, input: &mut Vec<u8>, other: &[u8]) {
    let limit = MAX_LEN.max(input.len());
    for _ in 0..=generator.below(6) {
        mutate_once(generator, input, other);
    }
    input.truncate(limit);
}

fn mutate_once(generator: &mut Generator, input: &mut Vec<u8>, other: &[u8]) {
    let at = position(generator, input.len());
    match generator.below(12) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << generator.below(8);
            }
        }
        2 => {
            let value = generator.next_u64() as u8;
            if let Some(byte) = input.get_mut(at) {
                *byte = value;
            }
        }
        3..=5 => {
            let width = 1 << generator.below(4);
            let value = INTERESTING.get(generator.below(INTERESTING.len())).copied().unwrap_or(0);
            let value = if generator.below(3) == 0 { value.wrapping_neg() } else { value };
            // Fields are mostly aligned.
            let at = if generator.below(4) == 0 { at } else { at / width * width };
            overwrite(input, at, value.to_le_bytes().get(..width).unwrap_or(&[]));
        }
        6 => {
            // A little more or less than what is there.
            let delta = i64::try_from(generator.below(33)).unwrap_or(0) - 16;
            let at = at / 4 * 4;
            let field = input.get(at..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_le_bytes(*b));
            if let Some(value) = field {
                overwrite(input, at, &value.wrapping_add(delta as u32).to_le_bytes());
            }
        }
        7 => input.truncate(at),
        8 => {
            let count = length(generator);
            let fill = if generator.below(2) == 0 { 0 } else { generator.next_u64() as u8 };
            let end = at.saturating_add(count).min(input.len());
            if let Some(range) = input.get_mut(at..end) {
                range.fill(fill);
            }
        }
        9 => {
            let from = position(generator, other.len());
            let piece = other.get(from..).unwrap_or(&[]);
            let piece = piece.get(..length(generator).min(piece.len())).unwrap_or(&[]);
            if generator.below(4) == 0 {
                input.truncate(at);
                input.extend_from_slice(piece);
            } else {
                overwrite(input, at, piece);
            }
        }
        10 => {
            let from = position(generator, input.len());
            let piece: Vec<u8> =
                input.get(from..).unwrap_or(&[]).iter().copied().take(length(generator)).collect();
            overwrite(input, at, &piece);
        }
        _ => {
            let count = length(generator);
            let byte = generator.next_u64() as u8;
            input.extend(std::iter::repeat_n(byte, count));
        }
    }
}

/// A position: often near the start, where headers are.
fn position(generator: &mut Generator, len: usize) -> usize {
    match generator.below(4) {
        0 => generator.below(len.min(64)),
        1 => generator.below(len.min(1024)),
        _ => generator.below(len),
    }
}

/// A length: mostly short, at times a block.
fn length(generator: &mut Generator) -> usize {
    match generator.below(8) {
        0 => 512 << generator.below(4),
        1 | 2 => generator.below(256),
        _ => 1 + generator.below(16),
    }
}

fn overwrite(input: &mut [u8], at: usize, piece: &[u8]) {
    for (target, source) in input.iter_mut().skip(at).zip(piece) {
        *target = *source;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_mutations() {
        let run = |seed| {
            let mut generator = Generator::new(seed);
            let mut input = vec![7; 300];
            for _ in 0..50 {
                mutate(&mut generator, &mut input, &[1, 2, 3]);
            }
            input
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn empty_inputs_are_fine() {
        let mut generator = Generator::new(3);
        for _ in 0..1000 {
            let mut input = Vec::new();
            mutate(&mut generator, &mut input, &[]);
        }
    }

    #[test]
    fn every_bit_of_a_small_input_gets_flipped() {
        let mut generator = Generator::new(9);
        let mut seen = [0_u8; 8];
        for _ in 0..4000 {
            let mut input = vec![0; 8];
            mutate(&mut generator, &mut input, &[]);
            for (s, i) in seen.iter_mut().zip(&input) {
                *s |= i;
            }
        }
        assert_eq!(seen, [0xFF; 8]);
    }
}
