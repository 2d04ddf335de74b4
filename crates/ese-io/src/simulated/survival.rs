//! What reaches the disk when the power goes.

use std::collections::{HashMap, HashSet};

use crate::clock::SeededRandomness;
use crate::simulated::state::{Content, Data, FileId, State};
use crate::sparse::SparseBytes;
use crate::tree::Tree;

/// What of the changes that were not made durable survives a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// Those made before a moment that the seed chooses, as if the disk wrote in order.
    Prefix(u64),
    /// A subset that the seed chooses: writes sector by sector, lengths on their own, names of each directory up to a
    /// moment of its own. Files that [keep the order](crate::SimulatedDisk::keep_order) have the writes up to such a
    /// moment.
    Torn(u64),
}

impl Survival {
    /// The same kind with another seed, mixed from this one's and `number`.
    #[must_use]
    pub fn mixed(self, number: u64) -> Self {
        let mix =
            |seed: u64| SeededRandomness::new(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95)).next_u64();
        match self {
            Self::Prefix(seed) => Self::Prefix(mix(seed)),
            Self::Torn(seed) => Self::Torn(mix(seed)),
            other => other,
        }
    }
}

/// True in `eighths` of eight cases.
fn roll(dice: &SeededRandomness, eighths: u64) -> bool {
    dice.next_u64() % 8 < eighths
}

impl State {
    pub(super) fn reboot(&self) -> Self {
        let survival = self.lost.unwrap_or(Survival::Everything);
        let mut tree = self.durable.clone();
        let mut content: HashMap<FileId, SparseBytes> =
            self.files.iter().map(|(id, file)| (*id, file.durable.clone())).collect();
        match survival {
            Survival::Nothing => {}
            Survival::Everything => self.keep_before(u64::MAX, &mut tree, &mut content),
            Survival::Prefix(seed) => {
                let mut numbers: Vec<u64> = self.names.iter().map(|n| n.number).collect();
                numbers.extend(self.files.values().flat_map(|f| f.pending.iter().map(|(n, _)| *n)));
                numbers.sort_unstable();
                let choice = SeededRandomness::new(seed).next_u64() % (numbers.len() as u64 + 1);
                let end = usize::try_from(choice).ok().and_then(|c| numbers.get(c)).copied();
                self.keep_before(end.unwrap_or(u64::MAX), &mut tree, &mut content);
            }
            Survival::Torn(seed) => self.keep_torn(&SeededRandomness::new(seed), &mut tree, &mut content),
        }
        let mut files = HashMap::new();
        let tree = tree.convert(&mut |id| {
            let bytes = content.remove(id).unwrap_or_default();
            files.insert(*id, Content { volatile: bytes.clone(), durable: bytes, ..Content::default() });
            *id
        });
        let mut state = Self::of(self.sector, tree, files);
        state.ordered_suffix.clone_from(&self.ordered_suffix);
        state.ordered.clone_from(&self.ordered);
        state
    }

    /// Applies the changes numbered below `end`.
    fn keep_before(&self, end: u64, tree: &mut Tree<FileId>, content: &mut HashMap<FileId, SparseBytes>) {
        for name in self.names.iter().filter(|n| n.number < end) {
            tree.apply(&name.change);
        }
        for (id, file) in &self.files {
            let Some(bytes) = content.get_mut(id) else { continue };
            for (_, data) in file.pending.iter().filter(|(n, _)| *n < end) {
                let _ = match data {
                    Data::Write(offset, data) => bytes.write(*offset, data),
                    Data::SetLen(len) => bytes.set_len(*len),
                };
            }
        }
    }

    fn keep_torn(
        &self,
        dice: &SeededRandomness,
        tree: &mut Tree<FileId>,
        content: &mut HashMap<FileId, SparseBytes>,
    ) {
        let (mut stopped, mut kept) = (HashSet::new(), HashSet::new());
        let density = [1, 4, 6, 7].get(dice.next_u64() as usize % 4).copied().unwrap_or(4);
        for name in &self.names {
            let directory = name.change.directory();
            let allowed = name.after.is_none_or(|(_, number)| {
                kept.contains(&number) || !self.names.iter().any(|n| n.number == number)
            });
            if !stopped.contains(&directory) && allowed && roll(dice, density) {
                kept.insert(name.number);
                tree.apply(&name.change);
            } else {
                stopped.insert(directory);
            }
        }
        let mut ids: Vec<&FileId> = self.files.keys().collect();
        ids.sort_unstable();
        for id in ids {
            let (Some(file), Some(bytes)) = (self.files.get(id), content.get_mut(id)) else { continue };
            if self.ordered.contains(id) {
                self.tear_in_order(dice, bytes, &file.pending);
                continue;
            }
            let density = [0, 1, 4, 7, 8].get(dice.next_u64() as usize % 5).copied().unwrap_or(4);
            for (_, data) in &file.pending {
                match data {
                    Data::SetLen(len) => {
                        if roll(dice, density) {
                            let _ = bytes.set_len(*len);
                        }
                    }
                    Data::Write(offset, data) => self.tear(dice, density, bytes, *offset, data),
                }
            }
        }
    }

    /// Makes the changes up to one that the dice choose, of which the first sectors survive.
    fn tear_in_order(&self, dice: &SeededRandomness, bytes: &mut SparseBytes, pending: &[(u64, Data)]) {
        let torn = usize::try_from(dice.next_u64() % (pending.len() as u64 + 1)).unwrap_or(0);
        for (_, data) in pending.iter().take(torn) {
            let _ = match data {
                Data::Write(offset, data) => bytes.write(*offset, data),
                Data::SetLen(len) => bytes.set_len(*len),
            };
        }
        if let Some((_, Data::Write(offset, data))) = pending.get(torn) {
            let sector = u64::from(self.sector);
            let sectors = dice.next_u64() % (data.len() as u64 / sector + 1);
            // Up to the end of a sector of the file.
            let len = (sectors * sector).saturating_sub(offset % sector);
            let first = usize::try_from(len).ok().and_then(|len| data.get(..len)).unwrap_or_default();
            let _ = bytes.write(*offset, first);
        }
    }

    /// Writes some of the sectors, and lets the file grow or not.
    fn tear(&self, dice: &SeededRandomness, density: u64, bytes: &mut SparseBytes, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        if end > bytes.len() && roll(dice, 4) {
            let _ = bytes.set_len(end);
        }
        let sector = u64::from(self.sector);
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let room = usize::try_from(sector - at % sector).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(room.min(rest.len()));
            if roll(dice, density) {
                let _ = bytes.write(at, now);
            }
            at += now.len() as u64;
            rest = later;
        }
    }
}
