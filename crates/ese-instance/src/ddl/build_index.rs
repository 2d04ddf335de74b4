//! Filling a new index from the rows of its table.

use ese_btree::live::{LiveError, LiveTrees, SeekHow, Spot, TransactionState, Tree};
use ese_format::{
    JetError, LongValueId, LongValueKey, LongValueRoot, RecordError, RecordView, TaggedValue,
    decompress_value,
};

use super::refuse;
use crate::catalog::IndexFlags;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::reader::{IndexKeys, PlainValues};
use crate::schema::{IndexSchema, TableSchema};
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

/// Puts the entries of all rows that the session sees into a new index.
///
/// # Errors
/// `Structure` for a row that the index refuses, and for a duplicate key in a unique one; `Live`.
#[doc(alias = "ErrFILEBuildAllIndexes")]
pub(super) fn build(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
    index: &IndexSchema,
) -> Result<(), InstanceError> {
    let keys = IndexKeys::new(&table.definition, &index.definition);
    let unique = index.definition.flags.contains(IndexFlags::UNIQUE);
    let mut spot = Spot::default();
    let mut at = call.trees().seek(call.state()?, &table.tree, &[], &[], SeekHow::First, &mut spot)?;
    while at {
        let mut run: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        {
            let (trees, state) = (call.trees(), call.state()?);
            let mut values = Values {
                trees,
                state,
                long_values: table.long_values(),
                chunk_size: table.definition.chunk_size(database.page_size()).max(1),
                plain: Vec::new(),
            };
            while at && bytes < RUN_BYTES {
                let view = RecordView::parse(spot.data(), database.page_size())?;
                let entries = keys.entries::<InstanceError>(&table.definition, &view, &mut values)?;
                if entries.null_segment {
                    return Err(refuse(table, JetError::NULL_KEY_DISALLOWED, "a row with a null in the key"));
                }
                if entries.truncated {
                    return Err(refuse(table, JetError::KEY_TRUNCATED, "a key that does not fit"));
                }
                if let Some(error) = entries.error {
                    return Err(refuse(table, error.jet_error(), "a key that cannot be made"));
                }
                if entries.repeated && unique {
                    return Err(refuse(table, JetError::KEY_DUPLICATE, "a row with the same key twice"));
                }
                for key in entries.keys {
                    bytes += key.len() + spot.key.len() + 64;
                    run.push((key, spot.key.clone()));
                }
                at = trees.next(state, &table.tree, &mut spot)?;
            }
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
