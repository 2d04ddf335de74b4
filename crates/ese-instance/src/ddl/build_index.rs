//! Filling a new index from the rows of its table.

use ese_btree::live::{LiveError, LiveTrees, SeekHow, Spot, TransactionState, Tree};
use ese_format::{
    JetError, LongValueId, LongValueKey, LongValueRoot, PageSize, RecordError, RecordView, TaggedValue,
    decompress_value,
};

use super::refuse;
use crate::catalog::{IndexFlags, TableDefinition};
use crate::error::InstanceError;
use crate::reader::{IndexEntries, IndexKeys, PlainValues};
use crate::schema::{IndexSchema, NewIndex, TableSchema};
use crate::session::SessionCallGuard;

/// Bytes of entries that are sorted in memory before they go into the tree: what is in order goes in fast.
const RUN_BYTES: usize = 16 << 20;
/// Largest plain size of a compressed value inside a record.
const MAX_INTRINSIC_LEN: usize = 128 * 1024;

impl From<RecordError> for InstanceError {
    fn from(error: RecordError) -> Self {
        Self::CatalogRecord { error }
    }
}

/// Values of rows, the separated ones from the table's tree.
struct Values<'a> {
    trees: &'a LiveTrees,
    state: &'a TransactionState,
    long_values: Option<Tree>,
    chunk_size: u32,
    plain: Vec<u8>,
}

impl PlainValues<InstanceError> for Values<'_> {
    fn head(&mut self, value: TaggedValue<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), InstanceError> {
        match value {
            TaggedValue::Plain(bytes) => out.extend(bytes.iter().take(most)),
            TaggedValue::Compressed(bytes) => {
                self.plain.clear();
                decompress_value(bytes, MAX_INTRINSIC_LEN, &mut self.plain)
                    .map_err(|source| RecordError::Compression { column: 0, source })?;
                out.extend(self.plain.iter().take(most));
            }
            TaggedValue::Separated(id) => self.separated(id, most, out)?,
        }
        Ok(())
    }
}

impl Values<'_> {
    fn separated(&mut self, id: LongValueId, most: usize, out: &mut Vec<u8>) -> Result<(), InstanceError> {
        let broken = || InstanceError::Unsupported { what: "a long value that is not there" };
        let tree = self.long_values.ok_or_else(broken)?;
        let mut data = Vec::new();
        if !self.trees.get(self.state, &tree, &id.key(), &mut data)? {
            return Err(broken());
        }
        let root = LongValueRoot::decode(&data).map_err(|_| broken())?;
        let wanted = u32::try_from(most).unwrap_or(u32::MAX).min(root.size);
        let mut offset = 0_u32;
        while offset < wanted {
            let key = LongValueKey { id, offset: Some(offset) }.encode();
            if !self.trees.get(self.state, &tree, &key, &mut data)? {
                return Err(broken());
            }
            let expected = self.chunk_size.min(root.size - offset);
            self.plain.clear();
            let chunk: &[u8] = if data.len() == expected as usize {
                &data
            } else {
                decompress_value(&data, expected as usize, &mut self.plain)
                    .map_err(|source| RecordError::Compression { column: 0, source })?;
                &self.plain
            };
            out.extend(chunk.iter().take((wanted - offset) as usize));
            offset = offset.saturating_add(expected);
        }
        Ok(())
    }
}

/// What the entries of an index are made with.
struct Maker<'a> {
    table: &'a TableDefinition,
    keys: IndexKeys,
    long_values: Option<Tree>,
    page_size: PageSize,
}

impl Maker<'_> {
    fn refuse(&self, error: JetError, what: &'static str) -> InstanceError {
        InstanceError::Structure { table: self.table.name.clone(), what, error }
    }

    /// The keys of a row, as a reader sees it.
    fn keys_of(
        &self,
        trees: &LiveTrees,
        state: &TransactionState,
        row: &[u8],
    ) -> Result<IndexEntries, InstanceError> {
        let view = RecordView::parse(row, self.page_size)?;
        let chunk_size = self.table.chunk_size(self.page_size).max(1);
        let mut values =
            Values { trees, state, long_values: self.long_values, chunk_size, plain: Vec::new() };
        self.keys.entries::<InstanceError>(self.table, &view, &mut values)
    }

    /// Fails for entries of a row that the index refuses.
    fn check(&self, entries: &IndexEntries) -> Result<(), InstanceError> {
        if entries.null_segment {
            return Err(self.refuse(JetError::NULL_KEY_DISALLOWED, "a row with a null in the key"));
        }
        if entries.truncated {
            return Err(self.refuse(JetError::KEY_TRUNCATED, "a key that does not fit"));
        }
        if let Some(error) = &entries.error {
            return Err(self.refuse(error.jet_error(), "a key that cannot be made"));
        }
        Ok(())
    }
}

/// Puts the entries of all rows that `view` sees into a new index.
///
/// # Errors
/// `Structure` for a row that the index refuses, and for a duplicate key in a unique one; `Live`.
#[doc(alias = "ErrFILEIBuildIndex")]
pub(super) fn build(
    call: &mut SessionCallGuard<'_>,
    page_size: PageSize,
    table: &TableSchema,
    index: &IndexSchema,
    view: &TransactionState,
) -> Result<(), InstanceError> {
    let keys = IndexKeys::new(&table.definition, &index.definition);
    let maker = Maker { table: &table.definition, keys, long_values: table.long_values(), page_size };
    let unique = index.definition.flags.contains(IndexFlags::UNIQUE);
    let mut spot = Spot::default();
    let mut at = call.trees().seek(view, &table.tree, &[], &[], SeekHow::First, &mut spot)?;
    while at {
        let mut run: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        while at && bytes < RUN_BYTES {
            let entries = maker.keys_of(call.trees(), view, spot.data())?;
            maker.check(&entries)?;
            if entries.repeated && unique {
                return Err(refuse(table, JetError::KEY_DUPLICATE, "a row with the same key twice"));
            }
            for key in entries.keys {
                bytes += key.len() + spot.key.len() + 64;
                run.push((key, spot.key.clone()));
            }
            at = call.trees().next(view, &table.tree, &mut spot)?;
        }
        run.sort_unstable();
        let (trees, state) = call.parts()?;
        for (key, bookmark) in &run {
            // The tree goes as a whole when the transaction is rolled back.
            match trees.insert_unversioned(state, &index.tree, key, bookmark) {
                Err(LiveError::KeyDuplicate { .. }) if unique => {
                    return Err(refuse(table, JetError::KEY_DUPLICATE, "two rows with the same key"));
                }
                outcome => outcome?,
            }
        }
    }
    Ok(())
}

/// Puts into an index that the transaction does not see what its changes of rows are to that index.
///
/// # Errors
/// `Structure` for a row that the index refuses; `Live`: a duplicate key among them.
#[doc(alias = "ErrFILEIUpdateIndex")]
pub(crate) fn bring_entries(call: &mut SessionCallGuard<'_>, index: &NewIndex) -> Result<(), InstanceError> {
    // As long as it is filled from the rows as they were.
    let _filled = index.building.lock();
    let Some(shared) = index.shared().filter(|_| !index.is_gone()) else { return Ok(()) };
    let keys = IndexKeys::new(&index.table, &index.index);
    let page_size = call.trees().page_size();
    let maker = Maker { table: &index.table, keys, long_values: shared.long_values(), page_size };
    let rows = call.trees().changed_keys(call.state()?, &index.rows);
    call.nested(|call| {
        let mut row = Vec::new();
        for bookmark in &rows {
            let (trees, state) = call.parts()?;
            // Nobody else can have changed the row since.
            let before = trees.committed_view();
            let mut old = Vec::new();
            if trees.get(&before, &index.rows, bookmark, &mut row)? {
                old = maker.keys_of(trees, &before, &row)?.keys;
            }
            let mut new = Vec::new();
            if trees.get(state, &index.rows, bookmark, &mut row)? {
                let entries = maker.keys_of(trees, state, &row)?;
                maker.check(&entries)?;
                new = entries.keys;
            }
            for key in old.iter().filter(|key| new.binary_search(key).is_err()) {
                trees.delete(state, &index.tree, key, bookmark)?;
            }
            for key in new.iter().filter(|key| old.binary_search(key).is_err()) {
                trees.insert(state, &index.tree, key, bookmark)?;
            }
        }
        Ok(())
    })
}
