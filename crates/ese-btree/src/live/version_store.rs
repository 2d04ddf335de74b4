//! Versions: what nodes were before transactions that others do not see, or that may be undone.
//!
//! The versions of one node form a chain, newest first; the newest of each chain is found through a hash table.

use ese_format::PageNumber;
use ese_log::record::{DatabaseSlot, TransactionTime, VersionId};

use crate::page_cache::FrameId;
use crate::tree_write::TreeRoot;

/// No version.
pub(super) const NONE: u32 = u32::MAX;
/// Owner of reads outside transactions.
pub(super) const NOBODY: u32 = u32::MAX;

/// What a version remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Insert,
    Replace,
    FlagDelete,
    /// Added to a counter; 64 bits when wide.
    Delta {
        wide: bool,
    },
    /// A replace by the same data.
    Touch,
    /// Nothing but the right to change the node.
    Lock,
    /// Keeps others from changing the node; not from doing the same.
    #[doc(alias = "operReadLock")]
    ReadLock,
    /// A tree that goes when its creation is undone.
    CreateTree,
    /// A tree that goes when nobody can see it any more; the root of the tree that gets its pages.
    DeleteTree {
        parent: PageNumber,
    },
}

impl Change {
    const fn leaves_work(self) -> bool {
        !matches!(self, Self::Insert | Self::Delta { .. } | Self::Touch | Self::Lock | Self::ReadLock)
    }

    /// Whether several transactions may do this to one node at the same time.
    pub(super) const fn is_shared(self) -> bool {
        matches!(self, Self::Delta { .. } | Self::ReadLock)
    }
}

/// One version.
#[doc(alias = "RCE")]
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: VersionId,
    pub(super) change: Change,
    pub(super) level: u8,
    pub(super) slot: DatabaseSlot,
    pub(super) tree: TreeRoot,
    /// Number of the transaction's session among the open ones.
    pub(super) owner: u32,
    pub(super) begin: TransactionTime,
    /// [`TransactionTime::MAX`] until the transaction commits.
    pub(super) commit: TransactionTime,
    /// The page on which it was done.
    pub(super) page: PageNumber,
    /// Whether the before-image, of a replace or flag-delete, is in the log.
    pub(super) has_undo_info: bool,
    /// The buffer that waits for that.
    pub(super) waits: Option<FrameId>,
    waits_before: u32,
    waits_after: u32,
    /// Amount and place, of a delta.
    pub(super) delta: i64,
    pub(super) delta_offset: u16,
    hash: u64,
    older: u32,
    newer: u32,
    /// The next chain in the bucket; of the newest in a chain only.
    next_chain: u32,
    key_len: u32,
    data_len: u32,
    bytes: Bytes,
}

/// Key, data part of the bookmark, before-image of a version: most have a short key and nothing else.
#[derive(Clone, Debug)]
enum Bytes {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Vec<u8>),
}

/// Bytes that are kept in the version itself.
const SHORT: usize = 22;

impl Bytes {
    const EMPTY: Self = Self::Short { len: 0, bytes: [0; SHORT] };

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(&[]),
            Self::Long(bytes) => bytes,
        }
    }

    /// Takes three parts, one behind the other, in memory that it has where that is enough.
    fn set(&mut self, parts: [&[u8]; 3]) {
        let total = parts.iter().map(|part| part.len()).sum::<usize>();
        if total > SHORT {
            let mut bytes = match std::mem::replace(self, Self::EMPTY) {
                Self::Long(bytes) => bytes,
                Self::Short { .. } => Vec::new(),
            };
            bytes.clear();
            bytes.reserve_exact(total);
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            *self = Self::Long(bytes);
            return;
        }
        let mut bytes = [0; SHORT];
        let mut at = 0;
        for part in parts {
            if let Some(target) = bytes.get_mut(at..at + part.len()) {
                target.copy_from_slice(part);
            }
            at += part.len();
        }
        *self = Self::Short { len: at as u8, bytes };
    }
}

impl Version {
    pub(super) fn key(&self) -> &[u8] {
        self.bytes.as_slice().get(..self.key_len as usize).unwrap_or(&[])
    }

    pub(super) fn data(&self) -> &[u8] {
        let (key, data) = (self.key_len as usize, self.data_len as usize);
        self.bytes.as_slice().get(key..key + data).unwrap_or(&[])
    }

    /// What a replace overwrote.
    pub(super) fn before(&self) -> &[u8] {
        self.bytes.as_slice().get(self.key_len as usize + self.data_len as usize..).unwrap_or(&[])
    }

    /// Whether it has to do with a node, and is in the chain of that node.
    fn is_of_node(&self) -> bool {
        !matches!(self.change, Change::CreateTree | Change::DeleteTree { .. })
    }

    pub(super) fn is_committed(&self) -> bool {
        self.commit != TransactionTime::MAX
    }

    /// Whether a reader sees its effect.
    fn is_seen_by(&self, reader: Reader) -> bool {
        if self.is_committed() { self.commit.is_before(reader.time) } else { self.owner == reader.owner }
    }

    /// Whether undoing it takes a before-image that is in memory only.
    pub(super) fn needs_undo_info(&self) -> bool {
        matches!(self.change, Change::Replace | Change::FlagDelete) && !self.has_undo_info
    }
}

/// Who looks: a session, and what had committed when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) owner: u32,
    pub(super) time: TransactionTime,
}

/// Everything about a new version but its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewVersion {
    pub(super) id: VersionId,
    pub(super) change: Change,
    pub(super) level: u8,
    pub(super) slot: DatabaseSlot,
    pub(super) tree: TreeRoot,
    pub(super) owner: u32,
    pub(super) begin: TransactionTime,
    pub(super) page: PageNumber,
    /// The node was made by this change.
    pub(super) is_new_node: bool,
}

/// All versions.
#[doc(alias = "VER")]
pub(super) struct VersionStore {
    versions: Vec<Version>,
    free: Vec<u32>,
    buckets: Vec<u32>,
    chained: usize,
    /// Replaces among them.
    replaces: usize,
    /// Versions that leave work when their transaction commits: a page waits for them, or something has to go.
    laborious: usize,
    bytes: usize,
    last_id: u32,
}

/// Versions whose memory is kept when all are forgotten.
const MOST_KEPT: usize = 1 << 16;

/// Bytes that a version takes beside those of its node.
const OVERHEAD: usize = size_of::<Version>();

/// Keys that are numbers differ in their last bytes only: every step folds the high half of a product back. The last bits of
/// the last byte are added at the end: keys that follow one another have buckets that do.
fn hash_of(slot: DatabaseSlot, root: PageNumber, key: &[u8], data: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    const START: u64 = 0xD6E8_FEB8_6659_FD93;
    const NEAR: u8 = 0x0F;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(FACTOR);
        (product >> 64) as u64 ^ product as u64
    };
    let mut hash = mix(START, u64::from(root.0) << 8 | u64::from(slot.0));
    let (near, key, data) = match (data.split_last(), key.split_last()) {
        (Some((last, data)), _) => (*last, key, data),
        (None, Some((last, key))) => (*last, key, data),
        (None, None) => (0, key, data),
    };
    hash = mix(hash, u64::from(near & !NEAR));
    for part in [key, data] {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        let tail = rest.iter().fold(rest.len() as u64, |value, &byte| value << 8 | u64::from(byte));
        hash = mix(hash, tail);
    }
    mix(hash, START).wrapping_add(u64::from(near & NEAR))
}

impl VersionStore {
    pub(super) fn new() -> Self {
        Self {
            versions: Vec::new(),
            free: Vec::new(),
            buckets: vec![NONE; 1024],
            chained: 0,
            replaces: 0,
            laborious: 0,
            bytes: 0,
            last_id: 1,
        }
    }

    /// Whether some version may bring back longer data than its node has.
    pub(super) fn has_replaces(&self) -> bool {
        self.replaces > 0
    }

    /// Whether some version leaves work when its transaction commits.
    pub(super) fn leaves_work(&self) -> bool {
        self.laborious > 0
    }

    /// Forgets all versions at once.
    pub(super) fn clear(&mut self) {
        self.versions.clear();
        self.free.clear();
        self.buckets.fill(NONE);
        self.chained = 0;
        self.replaces = 0;
        self.laborious = 0;
        self.bytes = 0;
        // What a transaction of that size needed is not kept for ever.
        if self.versions.capacity() > MOST_KEPT {
            self.versions.shrink_to(MOST_KEPT);
            self.buckets = vec![NONE; 1024];
        }
    }

    /// Number of versions, and the bytes they take.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.versions.len() - self.free.len(), self.bytes)
    }

    /// The id of the next version.
    pub(super) fn next_id(&mut self) -> VersionId {
        self.last_id = self.last_id.wrapping_add(2);
        VersionId(self.last_id)
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&Version> {
        self.versions.get(index as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Version> {
        self.versions.get_mut(index as usize)
    }

    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// Whether there is no version of any node.
    #[inline]
    pub(super) const fn tells_nothing(&self) -> bool {
        self.chained == 0
    }

    /// The newest version of a node.
    pub(super) fn newest(
        &self,
        slot: DatabaseSlot,
        root: PageNumber,
        key: &[u8],
        data: &[u8],
    ) -> Option<u32> {
        if self.chained == 0 {
            return None;
        }
        self.find(hash_of(slot, root, key, data), slot, root, key, data)
    }

    fn find(&self, hash: u64, slot: DatabaseSlot, root: PageNumber, key: &[u8], data: &[u8]) -> Option<u32> {
        let mut index = self.buckets.get(self.bucket(hash)).copied().unwrap_or(NONE);
        while let Some(version) = self.get(index) {
            let same = version.hash == hash && version.slot == slot && version.tree.root == root;
            if same && version.key() == key && version.data() == data {
                return Some(index);
            }
            index = version.next_chain;
        }
        None
    }

    /// Adds the newest version of a node, or one that belongs to no node.
    pub(super) fn add(&mut self, new: &NewVersion, key: &[u8], data: &[u8], before: &[u8]) -> u32 {
        let of_node = !matches!(new.change, Change::CreateTree | Change::DeleteTree { .. });
        let hash = if of_node { hash_of(new.slot, new.tree.root, key, data) } else { 0 };
        // A node that was not there has no versions: it is removed for good only when they are gone.
        let looks = of_node && !new.is_new_node;
        let head = if looks { self.find(hash, new.slot, new.tree.root, key, data) } else { None };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.versions.push(Version {
                    id: new.id,
                    change: new.change,
                    level: 0,
                    slot: new.slot,
                    tree: new.tree,
                    owner: NOBODY,
                    begin: new.begin,
                    commit: TransactionTime::MAX,
                    page: new.page,
                    has_undo_info: false,
                    waits: None,
                    waits_before: NONE,
                    waits_after: NONE,
                    delta: 0,
                    delta_offset: 0,
                    hash: 0,
                    older: NONE,
                    newer: NONE,
                    next_chain: NONE,
                    key_len: 0,
                    data_len: 0,
                    bytes: Bytes::EMPTY,
                });
                (self.versions.len() - 1) as u32
            }
        };
        let Some(version) = self.versions.get_mut(index as usize) else { return NONE };
        version.id = new.id;
        version.change = new.change;
        version.level = new.level;
        version.slot = new.slot;
        version.tree = new.tree;
        version.owner = new.owner;
        version.begin = new.begin;
        version.commit = TransactionTime::MAX;
        version.page = new.page;
        version.has_undo_info = false;
        version.hash = hash;
        version.older = head.unwrap_or(NONE);
        version.newer = NONE;
        // Parts of nodes: shorter than a page.
        version.key_len = key.len() as u32;
        version.data_len = data.len() as u32;
        version.bytes.set([key, data, before]);
        self.bytes += OVERHEAD + version.bytes.as_slice().len();
        self.replaces += usize::from(new.change == Change::Replace);
        self.laborious += usize::from(new.change.leaves_work());
        if !of_node {
            return index;
        }
        self.chained += 1;
        if let Some(head) = head {
            self.replace_in_bucket(hash, head, index);
            if let Some(older) = self.get_mut(head) {
                older.newer = index;
            }
        } else {
            let bucket = self.bucket(hash);
            if let Some(first) = self.buckets.get_mut(bucket) {
                let next = std::mem::replace(first, index);
                if let Some(version) = self.versions.get_mut(index as usize) {
                    version.next_chain = next;
                }
            }
            if self.chained > self.buckets.len() {
                self.grow();
            }
        }
        index
    }

    /// Puts `new` (or the next chain, when it is none) where `old` is in its bucket.
    fn replace_in_bucket(&mut self, hash: u64, old: u32, new: u32) {
        let next = self.get(old).map_or(NONE, |v| v.next_chain);
        if let Some(version) = self.get_mut(new) {
            version.next_chain = next;
        }
        let put = if new == NONE { next } else { new };
        let bucket = self.bucket(hash);
        let Some(first) = self.buckets.get_mut(bucket) else { return };
        if *first == old {
            *first = put;
            return;
        }
        let mut at = *first;
        while let Some(version) = self.versions.get_mut(at as usize) {
            if version.next_chain == old {
                version.next_chain = put;
                return;
            }
            at = version.next_chain;
        }
    }

    fn grow(&mut self) {
        let heads: Vec<u32> = std::mem::take(&mut self.buckets);
        self.buckets = vec![NONE; heads.len() * 4];
        for mut index in heads {
            while let Some(version) = self.get(index) {
                let (hash, next) = (version.hash, version.next_chain);
                let bucket = self.bucket(hash);
                let first = self.buckets.get_mut(bucket).map_or(NONE, |f| std::mem::replace(f, index));
                if let Some(version) = self.get_mut(index) {
                    version.next_chain = first;
                }
                index = next;
            }
        }
    }

    /// Removes a version. Whether no version of its node is left.
    pub(super) fn remove(&mut self, index: u32) -> bool {
        let Some(version) = self.get_mut(index) else { return true };
        let (hash, older, newer) = (version.hash, version.older, version.newer);
        let of_node = version.is_of_node();
        let change = version.change;
        let bytes = version.bytes.as_slice().len() + OVERHEAD;
        // A large buffer is not kept for a small version.
        if matches!(&version.bytes, Bytes::Long(bytes) if bytes.capacity() > 1024) {
            version.bytes = Bytes::EMPTY;
        }
        version.owner = NOBODY;
        self.replaces -= usize::from(change == Change::Replace);
        self.laborious -= usize::from(change.leaves_work());
        if of_node {
            if newer == NONE {
                self.replace_in_bucket(hash, index, older);
            } else if let Some(newer) = self.get_mut(newer) {
                newer.older = older;
            }
            if let Some(older) = self.get_mut(older) {
                older.newer = newer;
            }
            self.chained -= 1;
        }
        self.bytes -= bytes.min(self.bytes);
        self.free.push(index);
        older == NONE && newer == NONE
    }

    /// The versions of a node, from `newest` on, newest first.
    pub(super) fn chain(&self, newest: Option<u32>) -> impl Iterator<Item = &Version> {
        let mut index = newest.unwrap_or(NONE);
        std::iter::from_fn(move || {
            let version = self.get(index)?;
            index = version.older;
            Some(version)
        })
    }

    /// Whether somebody else's change that the transaction does not see forbids it to change the node. Deltas of one size, and
    /// locks for reading, do not disturb one another: `beside` is such a change that is about to be made.
    #[doc(alias = "FVERIWriteConflict")]
    pub(super) fn conflicts(&self, newest: Option<u32>, reader: Reader, beside: Option<Change>) -> bool {
        for version in self.chain(newest) {
            if version.is_seen_by(reader) {
                // What is older than a write is seen by whoever sees the write.
                if !version.change.is_shared() && version.change != Change::Lock {
                    return false;
                }
            } else if beside != Some(version.change) {
                return true;
            }
        }
        false
    }

    /// What a reader sees of a node whose data is `data` now and which is flag-deleted or not: whether it is there, and
    /// its data in `out`.
    #[doc(alias = "ErrVERAccessNode")]
    pub(super) fn resolve(
        &self,
        newest: u32,
        reader: Reader,
        data: &[u8],
        deleted: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut exists = !deleted;
        out.clear();
        out.extend_from_slice(data);
        for version in self.chain(Some(newest)) {
            let delta = version.change.is_shared() || version.change == Change::Lock;
            if version.is_seen_by(reader) {
                // Under a delta that is seen there may be one that is not.
                if delta {
                    continue;
                }
                break;
            }
            match version.change {
                Change::Insert => exists = false,
                Change::FlagDelete => exists = true,
                Change::Replace => {
                    out.clear();
                    out.extend_from_slice(version.before());
                }
                Change::Delta { wide } => {
                    add_to_counter(out, version.delta_offset.into(), version.delta.wrapping_neg(), wide);
                }
                Change::Touch
                | Change::Lock
                | Change::ReadLock
                | Change::CreateTree
                | Change::DeleteTree { .. } => {}
            }
        }
        exists
    }

    /// Longest data that undoing changes of open transactions can bring back to the node.
    pub(super) fn largest_before(&self, newest: Option<u32>) -> usize {
        let open = self.chain(newest).filter(|v| !v.is_committed() && v.change == Change::Replace);
        open.map(|v| v.before().len()).max().unwrap_or(0)
    }

    /// Puts a version into the list of those that wait at a page, whose first one is `first`. Returns the new first.
    pub(super) fn wait(&mut self, index: u32, frame: FrameId, first: Option<u32>) -> u32 {
        if let Some(first) = first.and_then(|f| self.get_mut(f)) {
            first.waits_before = index;
        }
        if let Some(version) = self.get_mut(index) {
            version.waits = Some(frame);
            version.waits_before = NONE;
            version.waits_after = first.unwrap_or(NONE);
        }
        index
    }

    /// Takes a version out of that list; `first` is what the page has. Returns the new first.
    pub(super) fn stop_waiting(&mut self, index: u32, first: Option<u32>) -> Option<u32> {
        let Some(version) = self.get_mut(index) else { return first };
        version.waits = None;
        let (before, after) = (version.waits_before, version.waits_after);
        if let Some(after) = self.get_mut(after) {
            after.waits_before = before;
        }
        match self.get_mut(before) {
            Some(version) => {
                version.waits_after = after;
                first
            }
            None => (after != NONE).then_some(after),
        }
    }

    /// The versions that wait at a page.
    pub(super) fn waiting(&self, first: Option<u32>) -> Vec<u32> {
        let mut index = first.unwrap_or(NONE);
        let mut all = Vec::new();
        while let Some(version) = self.get(index) {
            all.push(index);
            index = version.waits_after;
        }
        all
    }
}

/// Adds to the little-endian counter at `offset`, wrapping. Nothing happens when there is none.
fn add_to_counter(data: &mut [u8], offset: usize, delta: i64, wide: bool) {
    let Some(rest) = data.get_mut(offset..) else { return };
    if wide {
        if let Some(bytes) = rest.first_chunk_mut::<8>() {
            *bytes = i64::from_le_bytes(*bytes).wrapping_add(delta).to_le_bytes();
        }
    } else if let Some(bytes) = rest.first_chunk_mut::<4>() {
        *bytes = i32::from_le_bytes(*bytes).wrapping_add(delta as i32).to_le_bytes();
    }
}
