//! Counting the rows, keys and pages of a table.

use ese_btree::live::{SeekHow, Spot, Tree};

use super::{Result, Table};
use crate::session::SessionCallGuard;

/// What an index holds, as the transaction sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStatistics {
    /// Name of the index; empty for the rows of a table without a primary index.
    pub index: String,
    /// Entries.
    #[doc(alias = "cItems")]
    pub entries: u64,
    /// Different keys.
    #[doc(alias = "cKeys")]
    pub keys: u64,
    /// Pages that the index owns.
    #[doc(alias = "cPages")]
    pub pages: u32,
}

impl Table {
    /// Counts what the table's indexes hold; the rows come first. Nothing is stored in the catalog.
    ///
    /// # Errors
    /// Refused at the door; `Refused` (`JET_errFilteredMoveNotSupported`) while rows are filtered; `Live`.
    #[doc(alias = "JetComputeStats")]
    pub fn compute_statistics(&mut self) -> Result<Vec<IndexStatistics>> {
        self.call(|cursor, call| {
            if !cursor.filters.is_empty() {
                let error = ese_format::JetError::FILTERED_MOVE_NOT_SUPPORTED;
                return Err(super::TableError::refused("statistics of filtered rows", error));
            }
            let schema = std::sync::Arc::clone(&cursor.plan.schema);
            let rows = schema.primary().map_or_else(String::new, |index| index.definition.name.clone());
            let mut all = vec![count(call, rows, &schema.tree)?];
            for index in schema.indexes.iter().filter(|index| !index.definition.is_primary()) {
                all.push(count(call, index.definition.name.clone(), &index.tree)?);
            }
            Ok(all)
        })
    }
}

fn count(call: &mut SessionCallGuard<'_>, index: String, tree: &Tree) -> Result<IndexStatistics> {
    let trees = std::sync::Arc::clone(call.trees());
    let pages = trees.space_of(tree.slot, tree.root.root)?.owned;
    let mut counted = IndexStatistics { index, entries: 0, keys: 0, pages };
    let (mut spot, mut last) = (Spot::default(), Vec::new());
    let mut more = trees.seek(call.state()?, tree, &[], &[], SeekHow::First, &mut spot)?;
    while more {
        if counted.entries == 0 || last != spot.key {
            counted.keys += 1;
            last.clone_from(&spot.key);
        }
        counted.entries += 1;
        more = trees.next(call.state()?, tree, &mut spot)?;
    }
    Ok(counted)
}
