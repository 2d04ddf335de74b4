//! Titles, names and texts, the same for the same number.

use ese_io::SeededRandomness;

pub(super) struct Dice(SeededRandomness);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeededRandomness::new(seed))
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    fn pick<'a>(&self, words: &[&'a str]) -> &'a str {
        usize::try_from(self.below(words.len() as u64)).ok().and_then(|i| words.get(i)).unwrap_or(&"")
    }
}

const FIRST: [&str; 14] = [
    "Silent",
    "Blue",
    "Lost",
    "Last",
    "Golden",
    "Hidden",
    "Burning",
    "Quiet",
    "Broken",
    "Distant",
    "Änderung der",
    "Été des",
    "Ночь",
    "夜の",
];
const SECOND: [&str; 14] = [
    "River",
    "Library",
    "Checkpoint",
    "Garden",
    "Transaction",
    "Harbour",
    "Engine",
    "Winter",
    "Bridge",
    "Ledger",
    "Straße",
    "Étoiles",
    "поэта",
    "図書館",
];
const PEOPLE: [&str; 12] =
    ["Ada", "Björn", "Chloé", "Dmitri", "Esther", "Farid", "Grace", "Hana", "Ívar", "José", "Kemal", "Łucja"];
const SUBJECTS: [&str; 6] = ["novel", "history", "science", "poetry", "travel", "children"];
const SENTENCES: [&str; 6] = [
    "Nobody expected the archive to be complete.",
    "What was written was written once, and in order.",
    "She read the last page first, as one should with logs.",
    "The ferry left at nine; the letter arrived at ten.",
    "Between two checkpoints everything can still happen.",
    "It is a book about patience, and about durable things.",
];

pub(super) fn title(dice: &Dice, number: u32) -> String {
    format!("{} {} {number}", dice.pick(&FIRST), dice.pick(&SECOND))
}

pub(super) fn person(dice: &Dice, number: u32) -> String {
    format!("{} {number}", dice.pick(&PEOPLE))
}

pub(super) fn subject(dice: &Dice) -> &'static str {
    dice.pick(&SUBJECTS)
}

/// A description: some are long enough to be kept outside of their row.
pub(super) fn blurb(dice: &Dice) -> String {
    let sentences = if dice.below(8) == 0 { 60 + dice.below(120) } else { 1 + dice.below(6) };
    (0..sentences).map(|_| dice.pick(&SENTENCES)).collect::<Vec<_>>().join(" ")
}
