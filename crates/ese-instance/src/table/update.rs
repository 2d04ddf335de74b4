//! Preparing, writing, replacing and deleting rows.

use std::sync::Arc;

use ese_btree::live::LiveError;
use ese_format::{JetError, LongValueId, RecordView};

use super::auto_increment::next_auto_increment;
use super::callbacks::TableEvent;
use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::long_values::{LongValueEdit, LongValueWriter};
use super::plan::PlanIndex;
use super::write::long_values_of;
use super::zero::ZeroCounter;
use crate::catalog::ColumnFlags;
use crate::database::AttachedDatabase;
use crate::session::SessionCallGuard;

/// What a row is prepared for.
#[doc(alias = "JetPrepareUpdate")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrepareKind {
    /// A new row, with default values.
    #[doc(alias = "JET_prepInsert")]
    Insert,
    /// A new row whose auto-increment column will be set.
    #[doc(alias = "JET_prepInsertMustSetAutoIncrement")]
    InsertMustSetAutoIncrement,
    /// A new row with the values of the current one.
    #[doc(alias = "JET_prepInsertCopy")]
    InsertCopy,
    /// A new row in the current one's place, with a new auto-increment value.
    #[doc(alias = "JET_prepInsertCopyDeleteOriginal")]
    InsertCopyDeleteOriginal,
    /// A new row in the current one's place, with the same auto-increment value.
    #[doc(alias = "JET_prepInsertCopyReplaceOriginal")]
    InsertCopyReplaceOriginal,
    /// The current row, locked at once.
    #[doc(alias = "JET_prepReplace")]
    Replace,
    /// The current row, locked when it is written.
    #[doc(alias = "JET_prepReplaceNoLock")]
    ReplaceNoLock,
    /// A copy of the current row for reading.
    #[doc(alias = "JET_prepReadOnlyCopy")]
    ReadOnlyCopy,
}

impl PrepareKind {
    /// The kind with the engine's number; `None` for `JET_prepCancel` (3, see [`Table::cancel_update`](super::Table)) and
    /// numbers without a meaning.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Insert,
            2 => Self::Replace,
            4 => Self::ReplaceNoLock,
            5 => Self::InsertCopy,
            7 => Self::InsertCopyDeleteOriginal,
            8 => Self::ReadOnlyCopy,
            9 => Self::InsertCopyReplaceOriginal,
            10 => Self::InsertMustSetAutoIncrement,
            _ => return None,
        })
    }

    const fn is_replace(self) -> bool {
        matches!(self, Self::Replace | Self::ReplaceNoLock)
    }

    pub(super) const fn is_insert(self) -> bool {
        !self.is_replace() && !matches!(self, Self::ReadOnlyCopy)
    }

    /// The original row goes.
    pub(super) const fn takes_original(self) -> bool {
        matches!(self, Self::InsertCopyDeleteOriginal | Self::InsertCopyReplaceOriginal)
    }

    const fn copies(self) -> bool {
        matches!(self, Self::InsertCopy) || self.takes_original()
    }
}

bitflags::bitflags! {
    /// Options of writing a prepared row. Unknown bits are ignored.
    #[doc(alias = "JetUpdate2")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct UpdateFlags: u32 {
        /// A check for very old engines, ignored.
        #[doc(alias = "JET_bitUpdateCheckESE97Compatibility")]
        const CHECK_OLD_LIMITS = 0x1;
        /// Without a version; only for rows of tables that the transaction made. Rows are versioned all the same.
        #[doc(alias = "JET_bitUpdateNoVersion")]
        const NO_VERSION = 0x2;
    }
}

bitflags::bitflags! {
    /// Options of adding to a counter. Unknown bits are ignored.
    #[doc(alias = "JetEscrowUpdate")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EscrowFlags: u32 {
        /// It stays when the transaction is rolled back.
        #[doc(alias = "JET_bitEscrowNoRollback")]
        const NO_ROLLBACK = 0x1;
    }
}

/// A row being prepared.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) kind: PrepareKind,
    /// Bookmark and bytes of the row that is replaced or copied.
    pub(super) bookmark: Vec<u8>,
    pub(super) original: Vec<u8>,
    /// Prepared outside transactions: the row must be the same when it is written.
    pub(super) compare: bool,
    /// Places of the columns that were set: of the first 64, and of the others.
    pub(super) changed: u64,
    pub(super) changed_behind: Vec<u64>,
    /// Long values made for this update.
    pub(super) created: Vec<LongValueId>,
    /// What was changed of long values that the original row has too.
    pub(super) edits: Vec<LongValueEdit>,
}

impl Prepared {
    /// What happens before and after it is written.
    pub(super) const fn events(&self) -> (TableEvent, TableEvent) {
        if self.kind.is_replace() {
            (TableEvent::BEFORE_REPLACE, TableEvent::AFTER_REPLACE)
        } else {
            (TableEvent::BEFORE_INSERT, TableEvent::AFTER_INSERT)
        }
    }

    pub(super) fn mark(&mut self, place: usize) {
        let bit = 1 << (place % 64);
        let Some(word) = (place / 64).checked_sub(1) else {
            self.changed |= bit;
            return;
        };
        if self.changed_behind.len() <= word {
            self.changed_behind.resize(word + 1, 0);
        }
        if let Some(word) = self.changed_behind.get_mut(word) {
            *word |= bit;
        }
    }

    pub(super) fn is_marked(&self, place: usize) -> bool {
        let word = match (place / 64).checked_sub(1) {
            None => self.changed,
            Some(word) => self.changed_behind.get(word).copied().unwrap_or(0),
        };
        word >> (place % 64) & 1 != 0
    }

    /// Whether no column was set.
    pub(super) fn is_unchanged(&self) -> bool {
        self.changed == 0 && self.changed_behind.is_empty()
    }

    pub(super) fn affects(&self, index: &PlanIndex) -> bool {
        index.keys.places().any(|place| self.is_marked(place))
    }
}

/// What a row that is being prepared has changed of long values that are not its own yet.
pub(super) fn hidden_edits(prepared: Option<&Prepared>) -> &[LongValueEdit] {
    prepared.map_or(&[], |prepared| &prepared.edits)
}

/// Does something in a transaction level of its own: committed when it succeeds, rolled back when it fails. At level 0 the
/// commit is durable.
pub(super) fn nested<R>(
    call: &mut SessionCallGuard<'_>,
    change: impl FnOnce(&mut SessionCallGuard<'_>) -> Result<R>,
) -> Result<R> {
    call.begin(false)?;
    match change(call).and_then(|value| Ok((value, call.commit()?))) {
        Ok((value, position)) => {
            if let (Some(position), Some(log)) = (position, call.session.instance.log()) {
                log.flush_to(position)?;
            }
            Ok(value)
        }
        Err(error) => {
            call.rollback()?;
            Err(error)
        }
    }
}

impl Cursor {
    /// A move while a row is being prepared takes the preparation back.
    pub(super) fn cancel_for_move(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        if self.prepared.is_some() { self.cancel(call) } else { Ok(()) }
    }

    pub(super) fn cancel(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        let Some(prepared) = self.prepared.take() else { return Err(TableError::UpdateNotPrepared) };
        self.note_update_over();
        if (prepared.created.is_empty() && prepared.edits.is_empty()) || call.level() == 0 {
            return Ok(());
        }
        let Some(tree) = self.plan.long_values() else { return Ok(()) };
        let (buffers, chunk_size) = (&mut self.buffers, self.plan.chunk_size);
        let undone = nested(call, |call| {
            let (trees, state) = call.parts()?;
            let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
            for id in &prepared.created {
                writer.dereference(*id)?;
            }
            writer.take_back(&prepared.edits)
        });
        match undone {
            // The transaction that made them was rolled back meanwhile.
            Err(TableError::LongValue { .. } | TableError::Live(LiveError::KeyMissing { .. })) => Ok(()),
            other => other,
        }
    }

    pub(super) fn prepare(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        kind: PrepareKind,
        updatable: bool,
    ) -> Result<()> {
        if kind != PrepareKind::ReadOnlyCopy {
            self.check_updatable(call, updatable)?;
        }
        if self.prepared.is_some() {
            return Err(TableError::AlreadyPrepared);
        }
        let mut prepared = Prepared {
            kind,
            bookmark: Vec::new(),
            original: Vec::new(),
            compare: false,
            changed: 0,
            changed_behind: Vec::new(),
            created: Vec::new(),
            edits: Vec::new(),
        };
        match kind {
            PrepareKind::Insert => {
                self.copy.load(&self.plan.default_row);
                self.set_next_number(call, &mut prepared)?;
            }
            PrepareKind::InsertMustSetAutoIncrement => {
                let plan = Arc::clone(&self.plan);
                let illegal = || TableError::refused("no column to be numbered", JetError::ILLEGAL_OPERATION);
                let column = plan.schema.auto_increment.and_then(|place| plan.table().columns.get(place));
                if column.ok_or_else(illegal)?.flags.contains(ColumnFlags::DEFAULT) {
                    return Err(illegal());
                }
                next_auto_increment(call, &plan, false)?;
                self.copy.load(&plan.default_row);
            }
            PrepareKind::ReadOnlyCopy if call.level() == 0 => {
                return Err(LiveError::NotInTransaction.into());
            }
            PrepareKind::ReplaceNoLock => {
                self.read_row(call)?;
                prepared.compare = call.level() == 0;
            }
            PrepareKind::Replace if call.level() == 0 => {
                // Nothing can be locked outside a transaction.
                self.read_row(call)?;
                prepared.kind = PrepareKind::ReplaceNoLock;
                prepared.compare = true;
            }
            PrepareKind::Replace
            | PrepareKind::InsertCopyDeleteOriginal
            | PrepareKind::InsertCopyReplaceOriginal => {
                self.check_on_row(call)?;
                if call.level() > 0 {
                    self.lock_row(call)?;
                } else {
                    // Nothing stays locked, but somebody else may have it.
                    nested(call, |call| self.lock_row(call))?;
                }
                self.read_row(call)?;
            }
            PrepareKind::InsertCopy | PrepareKind::ReadOnlyCopy => self.read_row(call)?,
        }
        if kind.copies() || kind.is_replace() || kind == PrepareKind::ReadOnlyCopy {
            self.copy.load(self.row.data());
            prepared.bookmark.extend_from_slice(self.row.key());
            prepared.original.extend_from_slice(self.row.data());
        }
        if matches!(kind, PrepareKind::InsertCopy | PrepareKind::InsertCopyDeleteOriginal) {
            self.set_next_number(call, &mut prepared)?;
        }
        if kind == PrepareKind::InsertCopy && call.level() == 0 {
            // Long values of both rows are counted for both, if there were any.
            return Err(LiveError::NotInTransaction.into());
        }
        if let Some(link) = &self.link {
            link.prepared(Some(call.level()));
        }
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Fails unless rows may be changed.
    pub(super) fn check_updatable(&self, call: &SessionCallGuard<'_>, updatable: bool) -> Result<()> {
        if !updatable {
            let what = "the table is open for reading";
            return Err(TableError::refused(what, JetError::PERMISSION_DENIED));
        }
        let state = call.state()?;
        if !self.plan.temporary && state.level() > 0 && state.is_read_only() {
            return Err(LiveError::TransactionReadOnly.into());
        }
        Ok(())
    }

    /// Fails unless the structure may be changed.
    pub(super) fn check_structure_updatable(call: &SessionCallGuard<'_>, updatable: bool) -> Result<()> {
        if !updatable {
            let what = "the table is open for reading";
            return Err(TableError::refused(what, JetError::PERMISSION_DENIED));
        }
        let state = call.state()?;
        if state.level() > 0 && state.is_read_only() {
            return Err(LiveError::TransactionReadOnly.into());
        }
        Ok(())
    }

    /// Reserves the right to change the current row.
    pub(super) fn lock_row(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        if !self.plan.temporary {
            call.begin_update(&self.plan.schema)?;
        }
        let (trees, state) = call.parts()?;
        gone_is_deleted(self.plan.rows.write_lock(trees, state, self.row.key()))
    }

    /// Keeps others from changing the current row.
    pub(super) fn lock_row_for_reading(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        let (trees, state) = call.parts()?;
        let tree = &self.plan.rows.0;
        gone_is_deleted(trees.read_lock(state, tree, self.row.key()).map_err(TableError::from))
    }

    fn set_next_number(&mut self, call: &mut SessionCallGuard<'_>, prepared: &mut Prepared) -> Result<()> {
        let plan = &self.plan;
        let Some(place) = plan.schema.auto_increment else { return Ok(()) };
        let Some(column) = plan.table().columns.get(place) else { return Ok(()) };
        let number = next_auto_increment(call, plan, true)?;
        let bytes = number.to_le_bytes();
        let value = bytes.get(..column.slot_size().min(8)).unwrap_or_default();
        self.copy.set_fixed(&**plan, column.id, Some(value))?;
        prepared.mark(place);
        Ok(())
    }

    /// Writes the prepared row. Its bookmark is left in `bookmark`.
    pub(super) fn update(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        flags: UpdateFlags,
        bookmark: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(prepared) = self.prepared.take() else { return Err(TableError::UpdateNotPrepared) };
        let outcome = if prepared.kind.is_replace() {
            bookmark.clear();
            bookmark.extend_from_slice(&prepared.bookmark);
            self.write_replace(call, &prepared, flags)
        } else if prepared.kind.is_insert() {
            self.write_insert(call, &prepared, flags, bookmark)
        } else {
            Err(TableError::UpdateNotPrepared)
        };
        if outcome.is_err() {
            self.prepared = Some(prepared);
        } else {
            self.note_update_over();
        }
        self.forget_row();
        outcome
    }

    pub(super) fn delete(&mut self, call: &mut SessionCallGuard<'_>, updatable: bool) -> Result<()> {
        self.check_updatable(call, updatable)?;
        match &self.prepared {
            Some(prepared) if prepared.kind.takes_original() => return Err(TableError::AlreadyPrepared),
            Some(_) => self.cancel(call)?,
            None => {}
        }
        let plan = Arc::clone(&self.plan);
        let done = nested(call, |call| {
            self.check_on_row(call)?;
            self.lock_row(call)?;
            self.read_row(call)?;
            let (bookmark, row) = (self.row.key().to_vec(), self.row.data().to_vec());
            let references = long_values_of(&RecordView::parse(&row, plan.page_size)?)?;
            self.remove_row(call, &plan, &bookmark, &row)?;
            if let (Some(tree), false) = (plan.long_values(), references.is_empty()) {
                let (trees, state) = call.parts()?;
                let (chunk_size, buffers) = (plan.chunk_size, &mut self.buffers);
                let mut writer =
                    LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
                for id in references {
                    writer.dereference(id)?;
                }
            }
            Ok(())
        });
        self.forget_row();
        done
    }

    /// Adds to a counter of the current row. Returns what was there before.
    pub(super) fn escrow_update(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&Arc<AttachedDatabase>>,
        id: u32,
        delta: &[u8],
        flags: EscrowFlags,
        updatable: bool,
    ) -> Result<i64> {
        if call.level() == 0 {
            return Err(LiveError::NotInTransaction.into());
        }
        self.check_updatable(call, updatable)?;
        let plan = Arc::clone(&self.plan);
        let (place, column) = plan.column(id)?;
        if self.prepared.is_some() {
            return Err(TableError::AlreadyPrepared);
        }
        let size = if column.id.is_fixed() { column.slot_size() } else { column.max_size as usize };
        if size != delta.len() {
            let error = JetError::INVALID_BUFFER_SIZE;
            return Err(TableError::Column { column: id, what: "a delta of another size", error });
        }
        let offset = usize::from(column.record_offset.unwrap_or_default());
        let no_counter =
            || TableError::Column { column: id, what: "no counter", error: JetError::INVALID_OPERATION };
        if !column.id.is_fixed() || !column.flags.contains(ColumnFlags::ESCROW_UPDATE) {
            return Err(no_counter());
        }
        let old = nested(call, |call| {
            // The row that the cursor was on last will do.
            self.settle(call)?;
            if self.row.key().is_empty() {
                return Err(TableError::NoCurrentRecord);
            }
            if !plan.temporary {
                call.begin_update(&plan.schema)?;
            }
            let (trees, state) = call.parts()?;
            let (tree, key) = (&plan.rows.0, self.row.key());
            if flags.contains(EscrowFlags::NO_ROLLBACK) {
                let (amount, wide) = (amount_of(delta), delta.len() > 4);
                let old = trees.add_unversioned(state, tree, key, offset, amount, wide);
                return gone_is_deleted(old.map_err(TableError::from));
            }
            if let &[a, b, c, d] = delta {
                let delta = i32::from_le_bytes([a, b, c, d]);
                let old = trees.add_i32(state, tree, key, offset, delta).map_err(TableError::from);
                return Ok(i64::from(gone_is_deleted(old)?));
            }
            let Some(delta) = delta.first_chunk::<8>() else {
                let error = JetError::INVALID_OPERATION;
                return Err(TableError::Column { column: id, what: "no counter", error });
            };
            let delta = i64::from_le_bytes(*delta);
            gone_is_deleted(trees.add_i64(state, tree, key, offset, delta).map_err(TableError::from))
        });
        self.forget_row();
        let ends = ColumnFlags::DELETE_ON_ZERO | ColumnFlags::FINALIZE;
        if let (Ok(old), Some(database), true) = (&old, database, column.flags.intersects(ends))
            && old.wrapping_add(amount_of(delta)) == 0
        {
            call.note_zero(ZeroCounter {
                database: Arc::clone(database),
                table: Arc::clone(&plan.schema),
                bookmark: self.row.key().to_vec(),
                place,
            });
        }
        old
    }
}

/// What a counter is changed by: four bytes or eight.
fn amount_of(delta: &[u8]) -> i64 {
    match delta {
        &[a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => delta.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes)),
    }
}

/// A row that is not there any more is a deleted one.
pub(super) fn gone_is_deleted<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(TableError::Live(LiveError::KeyMissing { .. })) => Err(TableError::RecordDeleted),
        other => other,
    }
}
