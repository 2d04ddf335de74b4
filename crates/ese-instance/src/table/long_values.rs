//! Long values: reading them, and every way of changing them.

use ese_btree::live::{LiveError, LiveTrees, SeekHow, TransactionState};
use ese_format::{
    JetError, KeyParts, LongValueId, LongValueKey, LongValueRoot, TaggedValue, compress_value,
    decompress_value,
};

use super::error::{Result, TableError};
use super::tree::{Place, Reads, RowTree};
use crate::reader::PlainValues;

/// Largest plain size of a compressed value inside a row: what a page of packed 7-bit Unicode expands to, rounded up.
const MAX_INTRINSIC_LEN: usize = 128 * 1024;
/// Longest value of any column.
#[doc(alias = "JET_cbLVColumnMost")]
pub(super) const LONGEST: u64 = 0x7FFF_FFFF;
/// Shortest value for which the LZ scheme is tried.
#[doc(alias = "JET_paramMinDataForXpress")]
const MIN_XPRESS: usize = 16;

/// Memory that reads of long values use again.
#[derive(Debug, Default)]
pub(super) struct LongValueBuffers {
    chunk: Vec<u8>,
    plain: Vec<u8>,
    key: Vec<u8>,
}

/// A node of a long value as it was before a row that is being prepared changed it.
#[derive(Clone, Debug)]
pub(super) struct LongValueEdit {
    id: LongValueId,
    /// Of a piece; none for the root.
    offset: Option<u32>,
    /// Its bytes as stored; none when it was not there.
    before: Option<Vec<u8>>,
    /// Level of transactions at which it was changed.
    pub(super) level: u8,
}

/// What a node was before the first of `edits` changed it; `None` when they did not.
fn before(edits: &[LongValueEdit], id: LongValueId, offset: Option<u32>) -> Option<Option<&[u8]>> {
    let edit = edits.iter().find(|edit| edit.id == id && edit.offset == offset)?;
    Some(edit.before.as_deref())
}

/// Reads the plain bytes of values: as they are, decompressed, or from the tree of long values.
pub(super) struct ValueSource<'a> {
    pub(super) reads: Reads<'a>,
    pub(super) tree: Option<&'a RowTree>,
    pub(super) chunk_size: u32,
    pub(super) buffers: &'a mut LongValueBuffers,
    /// Changes that are not to be seen: those of a row that is being prepared, for whoever reads the row itself.
    pub(super) hidden: &'a [LongValueEdit],
}

/// Compresses as the engine does; `None` when nothing is gained.
pub(super) fn compressed(data: &[u8]) -> Option<Vec<u8>> {
    compress_value(data, data.len() >= MIN_XPRESS)
}

fn push_key(key: &mut Vec<u8>, id: LongValueId, offset: Option<u32>) {
    key.clear();
    let bytes = id.0.to_be_bytes();
    key.extend_from_slice(bytes.get(if id.is_64_bit() { 0 } else { 4 }..).unwrap_or_default());
    if let Some(offset) = offset {
        key.extend_from_slice(&offset.to_be_bytes());
    }
}

impl ValueSource<'_> {
    fn tree(&self, id: LongValueId) -> Result<&RowTree> {
        self.tree.ok_or(TableError::LongValue { id: id.0, what: "the table has no long values" })
    }

    /// The root of a long value.
    pub(super) fn root(&mut self, id: LongValueId) -> Result<LongValueRoot> {
        let tree =
            self.tree.ok_or(TableError::LongValue { id: id.0, what: "the table has no long values" })?;
        if let Some(Some(root)) = before(self.hidden, id, None) {
            return Ok(LongValueRoot::decode(root)?);
        }
        push_key(&mut self.buffers.key, id, None);
        if !tree.get(&self.reads, &self.buffers.key, &mut self.buffers.chunk)? {
            return Err(TableError::LongValue { id: id.0, what: "its root is missing" });
        }
        Ok(LongValueRoot::decode(&self.buffers.chunk)?)
    }

    /// The plain bytes of the chunk at `offset`, in the buffer for them.
    fn chunk(&mut self, id: LongValueId, size: u32, offset: u32) -> Result<()> {
        push_key(&mut self.buffers.key, id, Some(offset));
        let expected = (size - offset).min(self.chunk_size) as usize;
        let tree = *self.tree(id)?;
        if let Some(Some(chunk)) = before(self.hidden, id, Some(offset)) {
            self.buffers.chunk.clear();
            self.buffers.chunk.extend_from_slice(chunk);
        } else if !tree.get(&self.reads, &self.buffers.key, &mut self.buffers.chunk)? {
            return Err(TableError::LongValue { id: id.0, what: "a chunk is missing" });
        }
        let LongValueBuffers { chunk, plain, .. } = &mut *self.buffers;
        plain.clear();
        if chunk.len() < expected {
            decompress_value(chunk, expected, plain)?;
        } else {
            plain.extend_from_slice(chunk);
        }
        if plain.len() != expected {
            return Err(TableError::LongValue { id: id.0, what: "a chunk is not as long as it has to be" });
        }
        Ok(())
    }

    /// Hands the bytes from `start` on, at most `most`, to `sink` in pieces. Returns how many bytes there are from `start` on.
    #[doc(alias = "ErrRECRetrieveSLongField")]
    pub(super) fn read(
        &mut self,
        id: LongValueId,
        start: u32,
        most: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<usize> {
        let size = self.root(id)?.size;
        let there = size.saturating_sub(start) as usize;
        let end = u64::from(start) + most.min(there) as u64;
        let mut at = u64::from(start);
        while at < end {
            let offset = at - at % u64::from(self.chunk_size);
            self.chunk(id, size, offset as u32)?;
            let skip = (at - offset) as usize;
            let take = ((end - at) as usize).min(self.buffers.plain.len().saturating_sub(skip));
            let piece = self.buffers.plain.get(skip..skip + take).unwrap_or_default();
            if piece.is_empty() {
                return Err(TableError::LongValue { id: id.0, what: "a chunk is shorter than it has to be" });
            }
            sink(piece);
            at += take as u64;
        }
        Ok(there)
    }

    /// All bytes of a value.
    pub(super) fn whole(&mut self, value: TaggedValue<'_>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.head(value, usize::MAX, &mut out)?;
        Ok(out)
    }

    /// Number of bytes of a value.
    pub(super) fn len(&mut self, value: TaggedValue<'_>) -> Result<usize> {
        Ok(match value {
            TaggedValue::Plain(bytes) => bytes.len(),
            TaggedValue::Compressed(bytes) => self.decompress(bytes)?.len(),
            TaggedValue::Separated(id) => self.root(id)?.size as usize,
        })
    }

    /// A compressed value of a row.
    pub(super) fn decompress(&mut self, bytes: &[u8]) -> Result<&[u8]> {
        self.buffers.plain.clear();
        decompress_value(bytes, MAX_INTRINSIC_LEN, &mut self.buffers.plain)?;
        Ok(&self.buffers.plain)
    }
}

impl PlainValues<TableError> for ValueSource<'_> {
    fn head(&mut self, value: TaggedValue<'_>, most: usize, out: &mut Vec<u8>) -> Result<()> {
        match value {
            TaggedValue::Plain(bytes) => out.extend_from_slice(bytes.get(..most).unwrap_or(bytes)),
            TaggedValue::Compressed(bytes) => {
                let plain = self.decompress(bytes)?;
                out.extend_from_slice(plain.get(..most).unwrap_or(plain));
            }
            TaggedValue::Separated(id) => {
                self.read(id, 0, most, |piece| out.extend_from_slice(piece))?;
            }
        }
        Ok(())
    }
}

/// Changes long values, in the transaction of the caller.
pub(super) struct LongValueWriter<'a> {
    pub(super) trees: &'a LiveTrees,
    pub(super) state: &'a mut TransactionState,
    pub(super) tree: &'a RowTree,
    pub(super) chunk_size: u32,
    pub(super) buffers: &'a mut LongValueBuffers,
    /// Where what changes is noted, for a row that may be given up.
    pub(super) edits: Option<&'a mut Vec<LongValueEdit>>,
}

impl LongValueWriter<'_> {
    fn source(&mut self) -> ValueSource<'_> {
        ValueSource {
            reads: Reads { trees: self.trees, state: self.state },
            tree: Some(self.tree),
            chunk_size: self.chunk_size,
            buffers: self.buffers,
            hidden: &[],
        }
    }

    /// Notes what a node is before it changes.
    fn note(&mut self, id: LongValueId, offset: Option<u32>) -> Result<()> {
        let Some(edits) = &mut self.edits else { return Ok(()) };
        let key = LongValueKey { id, offset }.encode();
        let reads = Reads { trees: self.trees, state: self.state };
        let found = self.tree.get(&reads, &key, &mut self.buffers.chunk)?;
        let before = found.then(|| self.buffers.chunk.clone());
        // Each change is a level of its own, inside the application's.
        edits.push(LongValueEdit { id, offset, before, level: self.state.level().saturating_sub(1) });
        Ok(())
    }

    /// Makes the nodes what they were before these changes.
    pub(super) fn take_back(&mut self, edits: &[LongValueEdit]) -> Result<()> {
        for edit in edits.iter().rev() {
            let key = LongValueKey { id: edit.id, offset: edit.offset }.encode();
            let reads = Reads { trees: self.trees, state: self.state };
            let is_there = self.tree.get(&reads, &key, &mut self.buffers.chunk)?;
            match &edit.before {
                Some(bytes) if is_there => self.tree.replace(self.trees, self.state, &key, bytes)?,
                Some(bytes) => self.tree.insert(self.trees, self.state, &key, bytes)?,
                None if is_there => self.tree.delete(self.trees, self.state, &key, &[])?,
                None => {}
            }
        }
        Ok(())
    }

    /// The root of a long value.
    pub(super) fn root(&mut self, id: LongValueId) -> Result<LongValueRoot> {
        self.source().root(id)
    }

    /// Takes the right to change a long value. `false` when another transaction has changed how many rows refer to it.
    pub(super) fn may_change(&mut self, id: LongValueId) -> Result<bool> {
        match self.tree.write_lock(self.trees, self.state, &id.key()) {
            Ok(()) => Ok(true),
            Err(TableError::Live(LiveError::WriteConflict { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn insert_chunk(&mut self, id: LongValueId, offset: u32, data: &[u8], compress: bool) -> Result<()> {
        let key = LongValueKey { id, offset: Some(offset) }.encode();
        // A chunk that is shorter than what it stands for is a compressed one.
        let packed = if compress { compressed(data) } else { None };
        self.note(id, Some(offset))?;
        self.tree.insert(self.trees, self.state, &key, packed.as_deref().unwrap_or(data))
    }

    fn replace_chunk(&mut self, id: LongValueId, offset: u32, data: &[u8], compress: bool) -> Result<()> {
        let key = LongValueKey { id, offset: Some(offset) }.encode();
        let packed = if compress { compressed(data) } else { None };
        self.note(id, Some(offset))?;
        self.tree.replace(self.trees, self.state, &key, packed.as_deref().unwrap_or(data))
    }

    fn replace_root(&mut self, id: LongValueId, root: &LongValueRoot) -> Result<()> {
        self.note(id, None)?;
        self.tree.replace(self.trees, self.state, &id.key(), &root.encode())
    }

    /// A new long value with one reference.
    #[doc(alias = "ErrRECSeparateLV")]
    pub(super) fn create(&mut self, id: LongValueId, data: &[u8], compress: bool) -> Result<()> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let root = LongValueRoot { reference_count: 1, size, ..LongValueRoot::default() };
        self.tree.insert(self.trees, self.state, &id.key(), &root.encode())?;
        self.append_chunks(id, 0, data, compress)
    }

    /// Appends whole chunks from a multiple of the chunk size on.
    fn append_chunks(&mut self, id: LongValueId, start: u32, data: &[u8], compress: bool) -> Result<()> {
        let mut offset = start;
        for chunk in data.chunks(self.chunk_size as usize) {
            self.insert_chunk(id, offset, chunk, compress)?;
            offset = offset.saturating_add(chunk.len() as u32);
        }
        Ok(())
    }

    /// Puts `data` at `offset`, which is not behind the end, and makes the value longer when it has to be; then cuts it behind
    /// the data when `resize`. The value has one reference.
    #[doc(alias = "ErrRECAOSeparateLV")]
    pub(super) fn overwrite(
        &mut self,
        id: LongValueId,
        offset: u32,
        data: &[u8],
        resize: bool,
        compress: bool,
    ) -> Result<()> {
        let root = self.root(id)?;
        let end = offset.saturating_add(data.len() as u32);
        let size = if resize { end } else { end.max(root.size) };
        self.set_root_size(id, &root, size)?;
        if size < root.size {
            self.cut(id, root.size, size, compress)?;
        }
        self.write_range(id, root.size.min(size), size, offset, data, compress)
    }

    /// Makes the value `size` bytes long: cut, or with zeros added.
    pub(super) fn resize(&mut self, id: LongValueId, size: u32, compress: bool) -> Result<()> {
        let root = self.root(id)?;
        self.set_root_size(id, &root, size)?;
        if size < root.size {
            return self.cut(id, root.size, size, compress);
        }
        let mut at = root.size;
        let zeros = vec![0; (self.chunk_size.min(size - root.size)) as usize];
        while at < size {
            let room = self.chunk_size - at % self.chunk_size;
            let step = room.min(size - at);
            let piece = zeros.get(..step as usize).unwrap_or_default();
            // The chunk that is not full yet, and then new ones: each as long as the value is by then.
            self.write_range(id, at, at + step, at, piece, compress)?;
            at += step;
        }
        Ok(())
    }

    fn set_root_size(&mut self, id: LongValueId, root: &LongValueRoot, size: u32) -> Result<()> {
        if size == root.size {
            // The right to change the value, all the same.
            return self.tree.write_lock(self.trees, self.state, &id.key());
        }
        self.replace_root(id, &LongValueRoot { reference_count: 1, size, ..*root })
    }

    /// Writes `data` at `offset`. The chunks are those of a value of `old` bytes, and become those of one of `new` bytes.
    fn write_range(
        &mut self,
        id: LongValueId,
        old: u32,
        new: u32,
        offset: u32,
        data: &[u8],
        compress: bool,
    ) -> Result<()> {
        let size = self.chunk_size;
        let mut data = data;
        let mut at = offset;
        while !data.is_empty() {
            let start = at - at % size;
            let skip = (at - start) as usize;
            let take = data.len().min((size as usize) - skip);
            let (piece, rest) = data.split_at_checked(take).unwrap_or((data, &[]));
            if start >= old {
                self.insert_chunk(id, start, piece, compress)?;
            } else {
                let there = (old - start).min(size) as usize;
                let covers = skip == 0 && take >= there;
                let mut chunk = Vec::with_capacity(size as usize);
                if !covers {
                    self.source().chunk(id, old, start)?;
                    chunk.extend_from_slice(&self.buffers.plain);
                }
                let wanted = (new - start).min(size) as usize;
                chunk.resize(wanted.max(skip + take), 0);
                if let Some(target) = chunk.get_mut(skip..skip + take) {
                    target.copy_from_slice(piece);
                }
                self.replace_chunk(id, start, &chunk, compress)?;
            }
            at = at.saturating_add(take as u32);
            data = rest;
        }
        Ok(())
    }

    /// Takes away what lies behind `new` bytes of a value of `old` bytes.
    #[doc(alias = "ErrLVTruncate")]
    fn cut(&mut self, id: LongValueId, old: u32, new: u32, compress: bool) -> Result<()> {
        let size = self.chunk_size;
        let kept = new - new % size;
        let mut offset = kept;
        if !new.is_multiple_of(size) {
            self.source().chunk(id, old, kept)?;
            let head = self.buffers.plain.get(..(new - kept) as usize).unwrap_or_default().to_vec();
            self.replace_chunk(id, kept, &head, compress)?;
            offset = kept.saturating_add(size);
        }
        while offset < old {
            let key = LongValueKey { id, offset: Some(offset) }.encode();
            self.note(id, Some(offset))?;
            self.tree.delete(self.trees, self.state, &key, &[])?;
            match offset.checked_add(size) {
                Some(next) => offset = next,
                None => break,
            }
        }
        Ok(())
    }

    /// A copy of a value under a new id, with one reference.
    #[doc(alias = "ErrRECIBurstSeparateLV")]
    pub(super) fn copy(&mut self, from: LongValueId, to: LongValueId) -> Result<()> {
        let root = self.root(from)?;
        let root = LongValueRoot { reference_count: 1, ..root };
        self.tree.insert(self.trees, self.state, &to.key(), &root.encode())?;
        let mut offset = 0;
        while offset < root.size {
            // Chunks are copied as they are stored.
            push_key(&mut self.buffers.key, from, Some(offset));
            let reads = Reads { trees: self.trees, state: self.state };
            if !self.tree.get(&reads, &self.buffers.key, &mut self.buffers.chunk)? {
                return Err(TableError::LongValue { id: from.0, what: "a chunk is missing" });
            }
            let key = LongValueKey { id: to, offset: Some(offset) }.encode();
            self.tree.insert(self.trees, self.state, &key, &self.buffers.chunk)?;
            offset = offset.saturating_add(self.chunk_size);
        }
        Ok(())
    }

    /// One more row refers to the value.
    pub(super) fn reference(&mut self, id: LongValueId) -> Result<()> {
        self.tree.add_i32(self.trees, self.state, &id.key(), 0, 1)?;
        Ok(())
    }

    /// One row less refers to the value. With the last reference the value goes, in the same transaction; when another
    /// transaction is about to refer to it, only the count changes.
    #[doc(alias = "ErrRECAffectSeparateLV")]
    pub(super) fn dereference(&mut self, id: LongValueId) -> Result<()> {
        let root = self.root(id)?;
        if root.reference_count == 1 {
            match self.delete(id) {
                Err(TableError::Live(LiveError::WriteConflict { .. })) => {}
                done => return done,
            }
        }
        self.tree.add_i32(self.trees, self.state, &id.key(), 0, -1)?;
        Ok(())
    }

    fn delete(&mut self, id: LongValueId) -> Result<()> {
        let key = id.key();
        self.tree.delete(self.trees, self.state, &key, &[])?;
        let mut place = Place::default();
        let reads = Reads { trees: self.trees, state: self.state };
        let mut found = self.tree.seek(&reads, &key, &[], SeekHow::Above, &mut place)?;
        while found {
            let node = LongValueKey::decode(KeyParts::whole(place.key()))?;
            if node.id != id || node.offset.is_none() {
                break;
            }
            self.tree.delete(self.trees, self.state, place.key(), &[])?;
            let reads = Reads { trees: self.trees, state: self.state };
            found = self.tree.next(&reads, &mut place)?;
        }
        Ok(())
    }
}

/// The highest id in a tree of long values; 0 when it is empty.
pub(super) fn highest_id(reads: &Reads<'_>, tree: &RowTree) -> Result<u64> {
    let mut key = Vec::new();
    // Deleted ones count: others may still see them.
    if !tree.last_key(reads, &mut key)? {
        return Ok(0);
    }
    Ok(LongValueKey::decode(KeyParts::whole(&key))?.id.0)
}

/// Refuses a size that no value may have.
pub(super) fn check_size(size: u64, column: u32, most: u32) -> Result<()> {
    if size > LONGEST || most != 0 && size > u64::from(most) {
        let what = "the value is longer than the column allows";
        return Err(TableError::Column { column, what, error: JetError::COLUMN_TOO_BIG });
    }
    Ok(())
}
