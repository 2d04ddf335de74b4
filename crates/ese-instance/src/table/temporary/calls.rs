//! Which calls a temporary table allows while it is filled, sorted, or a table.

use ese_format::JetError;

use super::super::Table;
use super::super::error::{Result, TableError};
use super::super::update::PrepareKind;
use super::{Phase, TemporaryCursor, TemporaryTableFlags};

/// Kinds of calls on tables, as far as temporary tables tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::table) enum TableCall {
    /// Move to the first or last row, or forwards.
    Move,
    /// Move backwards.
    MoveBack,
    Seek,
    /// Also makes and tells search keys, and gives up a row being prepared.
    SearchKey,
    SetRange,
    Bookmark,
    Read,
    Prepare(PrepareKind),
    SetColumn,
    Update,
    Delete,
    Escrow,
    Duplicate,
    /// Object information.
    Information,
    /// What temporary tables never allow: other indexes, positions, counts, locks, structure.
    OnlyDatabases,
}

fn illegal() -> TableError {
    TableError::refused("not possible with this temporary table", JetError::ILLEGAL_OPERATION)
}

impl Table {
    /// Refuses a call that a temporary table does not allow now, and any call on one that was closed.
    ///
    /// # Errors
    /// `Refused`: `JET_errIllegalOperation`, `JET_errInvalidTableId`.
    #[inline]
    pub(in crate::table) fn allow(&self, call: TableCall) -> Result<()> {
        self.temporary.as_ref().map_or(Ok(()), |cursor| Self::allow_on(cursor, call))
    }

    fn allow_on(cursor: &TemporaryCursor, call: TableCall) -> Result<()> {
        if cursor.is_closed() {
            let what = "the table was closed when its transaction was rolled back";
            return Err(TableError::refused(what, JetError::INVALID_TABLE_ID));
        }
        let searched = TemporaryTableFlags::SCROLLABLE | TemporaryTableFlags::INDEXED;
        let searched = cursor.table.flags.intersects(searched);
        let allowed = match cursor.table.phase() {
            Phase::Filling => match call {
                TableCall::Prepare(PrepareKind::Insert | PrepareKind::InsertMustSetAutoIncrement)
                | TableCall::Move
                | TableCall::MoveBack
                | TableCall::Seek
                | TableCall::SearchKey
                | TableCall::SetColumn
                | TableCall::Escrow
                | TableCall::Update => true,
                TableCall::Prepare(_) => return Err(TableError::NoCurrentRecord),
                _ => false,
            },
            Phase::Sorted => match call {
                TableCall::Move
                | TableCall::SearchKey
                | TableCall::Bookmark
                | TableCall::Read
                | TableCall::Duplicate
                | TableCall::Information => true,
                TableCall::MoveBack | TableCall::Seek | TableCall::SetRange => searched,
                _ => false,
            },
            Phase::Table => call != TableCall::OnlyDatabases,
            Phase::Broken => false,
        };
        if allowed { Ok(()) } else { Err(illegal()) }
    }
}
