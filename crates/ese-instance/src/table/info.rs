//! What is known of the current row besides its values.

use ese_format::{JetError, RecordView};

use super::Table;
use super::error::{Result, TableError};
use super::retrieve::{RetrieveFlags, reading};
use crate::reader::{ColumnContent, column_content};

/// A tagged column that a row has values of.
#[doc(alias = "JET_RETRIEVEMULTIVALUECOUNT")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggedColumnCount {
    /// The column.
    pub column: u32,
    /// How many values.
    pub values: u32,
}

impl Table {
    /// Makes sure that no transaction of another session has changed the current row and not ended yet.
    ///
    /// # Errors
    /// `NoCurrentRecord`, `RecordDeleted`; `Live` (a write conflict).
    #[doc(alias = "JetGetCursorInfo")]
    pub fn check_not_being_changed(&mut self) -> Result<()> {
        self.call(|cursor, call| {
            cursor.check_was_on_row()?;
            cursor.forget_row();
            cursor.read_row(call)?;
            let state = call.state()?;
            let tree = &cursor.plan.rows.0;
            Ok(call.trees().check_not_being_changed(state, tree, cursor.row.key())?)
        })
    }

    /// The tagged columns that the current row has values of, or null in spite of a default, from column `start` on: the
    /// template's first. Of the options, [`RetrieveFlags::COPY`] and [`RetrieveFlags::IGNORE_DEFAULT`] count.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    #[doc(alias = "JetRetrieveTaggedColumnList")]
    pub fn tagged_columns(&mut self, start: u32, flags: RetrieveFlags) -> Result<Vec<TaggedColumnCount>> {
        self.allow(super::temporary::TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            reading(call, |call| {
                let plan = std::sync::Arc::clone(&cursor.plan);
                let from_copy = flags.contains(RetrieveFlags::COPY) && cursor.prepared.is_some();
                if !from_copy {
                    cursor.read_row(call)?;
                }
                let bytes = if from_copy { cursor.copy.bytes() } else { cursor.row.data() };
                let view = RecordView::parse(bytes, plan.page_size)?;
                // The template's before the table's own.
                let rank = |id: u32| (id & 0x8000_0000 == 0, id & 0x7FFF_FFFF);
                let mut columns = Vec::new();
                for (place, column) in plan.table().columns.iter().enumerate() {
                    let id = column.api_id();
                    if !column.id.is_tagged() || column.is_deleted() {
                        continue;
                    }
                    if start & 0x7FFF_FFFF >= 256 && rank(id) < rank(start) {
                        continue;
                    }
                    let target = plan.target(column);
                    let null = view
                        .tagged(target.column, target.from_template)?
                        .is_some_and(|tagged| tagged.is_null());
                    let values = match column_content(plan.table(), &view, place)? {
                        Some(ColumnContent::Tagged(tagged)) => tagged.values().count() as u32,
                        Some(_) if flags.contains(RetrieveFlags::IGNORE_DEFAULT) => continue,
                        Some(_) => 1,
                        None if null => 0,
                        None => continue,
                    };
                    columns.push(TaggedColumnCount { column: id, values });
                }
                columns.sort_by_key(|count| rank(count.column));
                Ok(columns)
            })
        })
    }

    /// Sets the key that encrypted columns are read and written with. There are none: encryption is not supported.
    ///
    /// # Errors
    /// `Refused` (`JET_errFeatureNotAvailable`).
    #[doc(alias = "JetSetTableInfo")]
    #[doc(alias = "JetCreateEncryptionKey")]
    #[doc(alias = "JET_TblInfoEncryptionKey")]
    pub fn set_encryption_key(&mut self, _key: &[u8]) -> Result<()> {
        self.call(|_, _| {
            Err(TableError::refused("encryption is not supported", JetError::FEATURE_NOT_AVAILABLE))
        })
    }
}
