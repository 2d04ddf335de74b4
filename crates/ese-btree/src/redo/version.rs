//! Versions: what a transaction that did not commit needs to be undone.
//!
//! Redo rebuilds them from the records. They live with their session and are dropped when it commits.

use ese_format::{ObjectId, PageNumber};
use ese_log::record::{DatabaseSlot, TransactionTime, VersionId, VersionOperation};

use crate::page_cache::FrameId;
use crate::page_operation::UndoneOperation;

/// Bytes kept in the list's arena.
#[derive(Clone, Copy, Debug, Default)]
struct Stored {
    start: usize,
    len: usize,
}

/// One operation that can be undone.
#[doc(alias = "RCE")]
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Id: rises with time.
    pub id: VersionId,
    /// Transaction level; falls when levels commit.
    pub level: u8,
    /// Database.
    pub slot: DatabaseSlot,
    /// Page on which it was done; the node may have moved since.
    pub page: PageNumber,
    /// Root page of the tree.
    pub root: PageNumber,
    /// Object id of the tree.
    pub object: ObjectId,
    /// What was done.
    pub operation: VersionOperation,
    /// Whether bookmarks of the tree are keys alone.
    pub unique: bool,
    /// Whether the tree is a space tree.
    pub space: bool,
    /// Begin time of the outermost transaction.
    pub transaction: TransactionTime,
    /// Amount added, of a delta.
    pub delta: i64,
    /// Offset of the counter, of a delta.
    pub delta_offset: u16,
    /// Largest size of the node's data in the transaction, of a replace.
    pub largest_size: u16,
    /// Change of the data's size, of a replace.
    pub size_change: i16,
    /// Whether the before-image is in the log already.
    pub has_undo_info: bool,
    /// The page that may not be written as long as it is not, and its buffer.
    pub(crate) pinned: Option<(FrameId, PageNumber)>,
    /// Its key and before-image come when the page has been changed.
    pub(super) awaits: bool,
    key: Stored,
    data: Stored,
    before: Stored,
}

impl Version {
    /// What undoing it takes, beside the before-image.
    pub(crate) const fn undone(&self) -> UndoneOperation {
        UndoneOperation { operation: self.operation, delta: self.delta, delta_offset: self.delta_offset }
    }
}

/// The parts of a new version that are not copied from its record's prefix.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VersionBytes<'a> {
    /// The key, in up to two pieces.
    pub(crate) key: [&'a [u8]; 2],
    /// The data part of the bookmark; empty in trees with unique keys.
    pub(crate) data: &'a [u8],
    /// What a replace overwrote.
    pub(crate) before: &'a [u8],
}

/// Everything else about a new version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewVersion {
    pub(crate) id: VersionId,
    pub(crate) level: u8,
    pub(crate) slot: DatabaseSlot,
    pub(crate) page: PageNumber,
    pub(crate) root: PageNumber,
    pub(crate) object: ObjectId,
    pub(crate) operation: VersionOperation,
    pub(crate) unique: bool,
    pub(crate) space: bool,
    pub(crate) transaction: TransactionTime,
}

/// The versions of one session, in the order of their ids.
#[derive(Debug, Default)]
pub struct VersionList {
    versions: Vec<Version>,
    arena: Vec<u8>,
}

/// Whether `a` is older than `b`: ids count up and may wrap around.
fn older(a: VersionId, b: VersionId) -> bool {
    (a.0.wrapping_sub(b.0) as i32) < 0
}

impl VersionList {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    fn place(&self, id: VersionId) -> Result<usize, usize> {
        // Nearly always the newest.
        match self.versions.last() {
            None => return Err(0),
            Some(last) if older(last.id, id) => return Err(self.versions.len()),
            Some(last) if last.id == id => return Ok(self.versions.len() - 1),
            _ => {}
        }
        let at = self.versions.partition_point(|v| older(v.id, id));
        if self.versions.get(at).is_some_and(|v| v.id == id) { Ok(at) } else { Err(at) }
    }

    fn store(&mut self, parts: &[&[u8]]) -> Stored {
        let start = self.arena.len();
        for part in parts {
            self.arena.extend_from_slice(part);
        }
        Stored { start, len: self.arena.len() - start }
    }

    /// Adds a version; one with the same id stays as it is. Returns the new one.
    pub(crate) fn add(&mut self, new: &NewVersion, bytes: VersionBytes<'_>) -> Option<&mut Version> {
        let Err(at) = self.place(new.id) else { return None };
        let key = self.store(&bytes.key);
        let data = self.store(&[bytes.data]);
        let before = self.store(&[bytes.before]);
        let largest = u16::try_from(bytes.before.len()).unwrap_or(u16::MAX);
        self.versions.insert(
            at,
            Version {
                id: new.id,
                level: new.level,
                slot: new.slot,
                page: new.page,
                root: new.root,
                object: new.object,
                operation: new.operation,
                unique: new.unique,
                space: new.space,
                transaction: new.transaction,
                delta: 0,
                delta_offset: 0,
                largest_size: largest,
                size_change: 0,
                has_undo_info: false,
                pinned: None,
                awaits: false,
                key,
                data,
                before,
            },
        );
        self.versions.get_mut(at)
    }

    /// Whether the key and before-image of `id` are still to come.
    pub(super) fn awaits(&self, id: VersionId) -> bool {
        self.place(id).is_ok_and(|at| self.versions.get(at).is_some_and(|v| v.awaits))
    }

    /// Puts key and before-image into a version that waits for them.
    pub(super) fn fill(&mut self, id: VersionId, bytes: VersionBytes<'_>) {
        let Ok(at) = self.place(id) else { return };
        if !self.versions.get(at).is_some_and(|v| v.awaits) {
            return;
        }
        let key = self.store(&bytes.key);
        let data = self.store(&[bytes.data]);
        let before = self.store(&[bytes.before]);
        if let Some(version) = self.versions.get_mut(at) {
            version.awaits = false;
            version.largest_size = u16::try_from(bytes.before.len()).unwrap_or(u16::MAX);
            (version.key, version.data, version.before) = (key, data, before);
        }
    }

    /// Removes the version `id` and returns it; its bytes stay readable until the list is cleared.
    pub(crate) fn remove(&mut self, id: VersionId) -> Option<Version> {
        let at = self.place(id).ok()?;
        Some(self.versions.remove(at))
    }

    /// Marks that the before-image of `id` is in the log; the page that waited for it.
    pub(crate) fn set_undo_info(&mut self, id: VersionId) -> Option<(DatabaseSlot, FrameId, PageNumber)> {
        let at = self.place(id).ok()?;
        let version = self.versions.get_mut(at)?;
        version.has_undo_info = true;
        version.pinned.take().map(|(frame, page)| (version.slot, frame, page))
    }

    /// The pages that versions at `level` and above keep from being written.
    pub(crate) fn pins_from(
        &self,
        level: u8,
    ) -> impl Iterator<Item = (DatabaseSlot, FrameId, PageNumber)> + '_ {
        self.versions
            .iter()
            .filter(move |v| v.level >= level)
            .filter_map(|v| v.pinned.map(|(frame, page)| (v.slot, frame, page)))
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter()
    }

    /// The newest version.
    #[must_use]
    pub fn newest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// Takes the newest version that is at `level` or above; its bytes stay readable until the list is cleared.
    pub fn pop_at(&mut self, level: u8) -> Option<Version> {
        let at = self.versions.iter().rposition(|v| v.level >= level)?;
        Some(self.versions.remove(at))
    }

    /// Moves versions above `level` down to it: the levels above have committed.
    pub(crate) fn lower_to(&mut self, level: u8) {
        for version in self.versions.iter_mut().rev() {
            version.level = version.level.min(level);
        }
    }

    /// Drops the versions at `level` and above.
    pub(crate) fn drop_from(&mut self, level: u8) {
        self.versions.retain(|v| v.level < level);
        if self.versions.is_empty() {
            self.arena.clear();
        }
    }

    /// Drops all.
    pub(crate) fn clear(&mut self) {
        self.versions.clear();
        self.arena.clear();
    }

    /// Drops the versions of a database.
    pub(crate) fn drop_database(&mut self, slot: DatabaseSlot) {
        self.versions.retain(|v| v.slot != slot);
    }

    fn bytes(&self, stored: Stored) -> &[u8] {
        self.arena.get(stored.start..stored.start + stored.len).unwrap_or(&[])
    }

    /// Key of a version of this list.
    #[must_use]
    pub fn key(&self, version: &Version) -> &[u8] {
        self.bytes(version.key)
    }

    /// Data part of a version's bookmark.
    #[must_use]
    pub fn data(&self, version: &Version) -> &[u8] {
        self.bytes(version.data)
    }

    /// What a replace overwrote.
    #[must_use]
    pub fn before(&self, version: &Version) -> &[u8] {
        self.bytes(version.before)
    }
}
