//! Setting columns of the row being prepared.

use std::sync::Arc;

use ese_format::{
    ColumnKind, JetError, RecordBuffer, RecordEditError, RecordView, TaggedFlags, TaggedTarget, TaggedValue,
};

use super::cursor::Cursor;
use super::error::{Result, TableError, TableStatus};
use super::long_values::LONGEST;
use super::plan::TablePlan;
use super::update::PrepareKind;
use crate::builder::definition::pad;
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::database::AttachedDatabase;
use crate::reader::{ColumnContent, column_content};
use crate::session::SessionCallGuard;

bitflags::bitflags! {
    /// Options of setting a column. Unknown bits are ignored.
    #[doc(alias = "JetSetColumn")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SetFlags: u32 {
        /// Appends to a long value.
        #[doc(alias = "JET_bitSetAppendLV")]
        const APPEND = 0x1;
        /// Overwrites a part of a long value, from the offset on.
        #[doc(alias = "JET_bitSetOverwriteLV")]
        const OVERWRITE = 0x4;
        /// Sets the size of a long value.
        #[doc(alias = "JET_bitSetSizeLV")]
        const SIZE = 0x8;
        /// Data without bytes means a value without bytes, not null.
        #[doc(alias = "JET_bitSetZeroLength")]
        const ZERO_LENGTH = 0x20;
        /// Stores a long value apart from its row.
        #[doc(alias = "JET_bitSetSeparateLV")]
        const SEPARATE = 0x40;
        /// Refuses a value that another value of the column equals.
        #[doc(alias = "JET_bitSetUniqueMultiValues")]
        const UNIQUE_VALUES = 0x80;
        /// As [`UNIQUE_VALUES`](Self::UNIQUE_VALUES), comparing as keys do.
        #[doc(alias = "JET_bitSetUniqueNormalizedMultiValues")]
        const UNIQUE_NORMALIZED_VALUES = 0x100;
        /// With null: the column has its default value again.
        #[doc(alias = "JET_bitSetRevertToDefaultValue")]
        const REVERT_TO_DEFAULT = 0x200;
        /// Keeps a long value in its row if it fits at all.
        #[doc(alias = "JET_bitSetIntrinsicLV")]
        const INTRINSIC = 0x400;
        /// Does not compress.
        #[doc(alias = "JET_bitSetUncompressed")]
        const UNCOMPRESSED = 0x1_0000;
        /// Compresses, whatever the column says.
        #[doc(alias = "JET_bitSetCompressed")]
        const COMPRESSED = 0x2_0000;
        /// A hint with [`SEPARATE`](Self::SEPARATE): on consecutive pages.
        #[doc(alias = "JET_bitSetContiguousLV")]
        const CONTIGUOUS = 0x4_0000;
    }
}

/// Where and how a value is set.
#[doc(alias = "JET_SETINFO")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetOptions {
    /// Options.
    pub flags: SetFlags,
    /// Number of the value, from 1; 0, or a number behind the last, adds one.
    #[doc(alias = "itagSequence")]
    pub instance: u32,
    /// Where a part of a long value begins.
    #[doc(alias = "ibLongValue")]
    pub offset: u32,
    /// With [`SetFlags::SIZE`]: the size, where it is not that of the data.
    pub size: Option<u32>,
}

impl Default for SetOptions {
    fn default() -> Self {
        Self { flags: SetFlags::empty(), instance: 1, offset: 0, size: None }
    }
}

impl From<SetFlags> for SetOptions {
    fn from(flags: SetFlags) -> Self {
        Self { flags, ..Self::default() }
    }
}

pub(super) fn column_error(column: &ColumnDefinition, what: &'static str, error: JetError) -> TableError {
    TableError::Column { column: column.api_id(), what, error }
}

pub(super) const fn is_too_big(error: &TableError) -> bool {
    matches!(error, TableError::Edit(RecordEditError::TooBig { .. }))
}

/// A size without data, for a column that is no long value: whether a value of this size could be.
fn check_claimed_size(column: &ColumnDefinition, size: usize) -> Result<()> {
    if column.id.is_variable() {
        return Ok(());
    }
    let most = column.max_size as usize;
    if column.id.is_tagged() && most != 0 && size > most {
        let what = "the value is longer than the column allows";
        return Err(column_error(column, what, JetError::COLUMN_TOO_BIG));
    }
    let slot = if column.id.is_fixed() { Some(column.slot_size()) } else { column.kind.fixed_size() };
    let fits = slot.is_none_or(|slot| size == slot || size < slot && column.kind.is_text_or_binary());
    let what = "the value has another size than the column";
    if fits { Ok(()) } else { Err(column_error(column, what, JetError::INVALID_BUFFER_SIZE)) }
}

impl Cursor {
    pub(super) fn set_column(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        id: u32,
        data: &[u8],
        options: &SetOptions,
    ) -> Result<TableStatus> {
        let flags = options.flags;
        if data.len() as u64 > LONGEST {
            return Err(TableError::parameter("a value longer than any can be"));
        }
        let kind = match &self.prepared {
            Some(prepared) if prepared.kind != PrepareKind::ReadOnlyCopy => prepared.kind,
            _ => return Err(TableError::UpdateNotPrepared),
        };
        let unique = flags.intersects(SetFlags::UNIQUE_VALUES | SetFlags::UNIQUE_NORMALIZED_VALUES);
        if unique && flags.intersects(SetFlags::APPEND | SetFlags::OVERWRITE | SetFlags::SIZE) {
            return Err(TableError::flags());
        }
        if flags.contains(SetFlags::CONTIGUOUS) {
            if !flags.contains(SetFlags::SEPARATE) {
                return Err(TableError::flags());
            }
            if data.len() < self.plan.page_size.len() {
                let what = "too short to lie on consecutive pages";
                return Err(TableError::refused(what, JetError::INVALID_BUFFER_SIZE));
            }
        }
        let (place, column) = self.plan.column(id)?;
        if column.id.is_fixed() {
            let is_version = column.flags.contains(ColumnFlags::VERSION);
            let is_numbered = column.flags.contains(ColumnFlags::AUTO_INCREMENT);
            let replaces = matches!(kind, PrepareKind::Replace | PrepareKind::ReplaceNoLock);
            if is_version && replaces || is_numbered && kind != PrepareKind::InsertMustSetAutoIncrement {
                let what = "the engine sets this column";
                return Err(column_error(column, what, JetError::INVALID_COLUMN_TYPE));
            }
        }
        let mut value = (!data.is_empty() || flags.contains(SetFlags::ZERO_LENGTH)).then_some(data);
        if let (Some(size @ 1..), true, false) = (options.size, data.is_empty(), column.kind.is_long_value())
            && flags.contains(SetFlags::SIZE)
        {
            if let Some(prepared) = &mut self.prepared {
                prepared.mark(place);
            }
            check_claimed_size(column, size as usize)?;
            if column.id.is_variable() {
                value = Some(data);
            }
        }
        if !column.id.is_tagged() && !column.kind.is_long_value() {
            if let Some(prepared) = self.prepared.as_mut().filter(|_| counts_as_set(column, value)) {
                prepared.mark(place);
            }
            match set_untagged(&self.plan, &mut self.copy, column, value) {
                // Values that may go elsewhere make room.
                Err(error) if is_too_big(&error) => {}
                done => return done,
            }
        }
        let plan = Arc::clone(&self.plan);
        let (place, column) = plan.column(id)?;
        if column.kind.is_long_value() {
            return self.set_long(call, database, &plan, place, column, data, options);
        }
        let mut threshold = plan.page_size.len();
        loop {
            match self.set_short(call, &plan, place, column, value, options) {
                Err(error) if is_too_big(&error) && threshold > plan.id_len() => {
                    threshold = self.separate_all(call, database, &plan, threshold)?;
                    if threshold == 0 {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }

    pub(super) fn mark(&mut self, place: usize) {
        if let Some(prepared) = &mut self.prepared {
            prepared.mark(place);
        }
    }

    /// A column that is no long value.
    fn set_short(
        &mut self,
        call: &SessionCallGuard<'_>,
        plan: &Arc<TablePlan>,
        place: usize,
        column: &ColumnDefinition,
        value: Option<&[u8]>,
        options: &SetOptions,
    ) -> Result<TableStatus> {
        if !column.id.is_tagged() {
            return set_untagged(plan, &mut self.copy, column, value);
        }
        let size = |what| column_error(column, what, JetError::INVALID_BUFFER_SIZE);
        if value.is_none() && column.flags.contains(ColumnFlags::NOT_NULL) {
            return Err(null_refused(column));
        }
        self.mark(place);
        let most = column.max_size as usize;
        let target = plan.target(column);
        let bit;
        let value = match value {
            None => None,
            Some(value) if most != 0 && value.len() > most => {
                let what = "the value is longer than the column allows";
                return Err(column_error(column, what, JetError::COLUMN_TOO_BIG));
            }
            Some(value) if column.kind.fixed_size().is_some_and(|size| size != value.len()) => {
                if !value.is_empty() {
                    return Err(size("the value has another size than the column"));
                }
                Some(value)
            }
            Some(value) if column.kind == ColumnKind::BIT => {
                bit = [if value == [0] { 0 } else { 0xFF }];
                Some(&bit[..])
            }
            Some(value) => Some(value),
        };
        if let Some(value) = value {
            self.check_unique(call, plan, place, column, value, options)?;
        }
        self.set_tagged(&target, options, value.map(TaggedValue::Plain))?;
        Ok(TableStatus::Done)
    }

    pub(super) fn set_tagged(
        &mut self,
        target: &TaggedTarget,
        options: &SetOptions,
        value: Option<TaggedValue<'_>>,
    ) -> Result<()> {
        if value.is_none() && options.flags.contains(SetFlags::REVERT_TO_DEFAULT) {
            let view = self.copy.view()?;
            let found = view.tagged(target.column, target.from_template)?;
            // With other values left, only this one goes.
            let is_multi = found.is_some_and(|c| c.flags.contains(TaggedFlags::MULTI_VALUES));
            if !is_multi {
                if options.instance == 1 || found.is_some_and(|c| c.is_null()) {
                    self.copy.remove_tagged(target)?;
                }
                return Ok(());
            }
        }
        Ok(self.copy.set_tagged(target, options.instance, value)?)
    }

    /// Refuses a value that another value of the column equals.
    pub(super) fn check_unique(
        &mut self,
        call: &SessionCallGuard<'_>,
        plan: &TablePlan,
        place: usize,
        column: &ColumnDefinition,
        value: &[u8],
        options: &SetOptions,
    ) -> Result<()> {
        let normalized = options.flags.contains(SetFlags::UNIQUE_NORMALIZED_VALUES);
        if !normalized && !options.flags.contains(SetFlags::UNIQUE_VALUES) {
            return Ok(());
        }
        let view = RecordView::parse(self.copy.bytes(), plan.page_size)?;
        let Some(ColumnContent::Tagged(tagged)) = column_content(plan.table(), &view, place)? else {
            return Ok(());
        };
        let tree = plan.long_values();
        let mut source = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
        let wanted = if normalized { normal_form(column, value)? } else { (value.to_vec(), false) };
        for (number, other) in (1..).zip(tagged.values()) {
            if number == options.instance {
                continue;
            }
            let other = source.whole(other?)?;
            if !normalized {
                if other == value {
                    let what = "another value of the column equals this one";
                    return Err(column_error(column, what, JetError::MULTI_VALUED_DUPLICATE));
                }
                continue;
            }
            let other = normal_form(column, &other)?;
            if other.0 == wanted.0 {
                let what = "another value of the column sorts as this one";
                let cut = other.1 && wanted.1;
                let error = if cut {
                    JetError::MULTI_VALUED_DUPLICATE_AFTER_TRUNCATION
                } else {
                    JetError::MULTI_VALUED_DUPLICATE
                };
                return Err(column_error(column, what, error));
            }
        }
        Ok(())
    }
}

fn null_refused(column: &ColumnDefinition) -> TableError {
    column_error(column, "must not be null", JetError::NULL_INVALID)
}

/// Whether the attempt to set a fixed or variable column counts as a change of it, whatever becomes of the attempt.
#[doc(alias = "FUCBSetColumnSet")]
fn counts_as_set(column: &ColumnDefinition, value: Option<&[u8]>) -> bool {
    let refused = ColumnFlags::NOT_NULL | ColumnFlags::AUTO_INCREMENT;
    let is_null = value.is_none_or(<[u8]>::is_empty);
    !(column.id.is_fixed() && is_null && column.flags.intersects(refused))
}

/// Sets a fixed or variable column of a row that is being prepared. A fixed one is in the row from then on, even when its value
/// is refused.
fn set_untagged(
    plan: &TablePlan,
    row: &mut RecordBuffer,
    column: &ColumnDefinition,
    value: Option<&[u8]>,
) -> Result<TableStatus> {
    let not_null = column.flags.contains(ColumnFlags::NOT_NULL);
    let size = |what| column_error(column, what, JetError::INVALID_BUFFER_SIZE);
    if column.id.is_fixed() {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            if not_null {
                return Err(null_refused(column));
            }
            if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
                let what = "has to be set";
                return Err(column_error(column, what, JetError::AUTO_INCREMENT_NOT_SET));
            }
            row.set_fixed(plan, column.id, None)?;
            return Ok(TableStatus::Done);
        };
        let slot = column.slot_size();
        let mut padded = Vec::new();
        let bytes = if column.kind == ColumnKind::BIT && value.len() == 1 {
            if value == [0] { &[0][..] } else { &[0xFF][..] }
        } else if value.len() == slot {
            value
        } else if value.len() > slot || !column.kind.is_text_or_binary() {
            row.include_fixed(plan, column.id)?;
            return Err(size("the value has another size than the column"));
        } else {
            padded.extend_from_slice(value);
            pad(&mut padded, column);
            &padded
        };
        if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
            row.include_fixed(plan, column.id)?;
            check_number(plan, column, bytes)?;
        }
        row.set_fixed(plan, column.id, Some(bytes))?;
        return Ok(TableStatus::Done);
    }
    if value.is_none() && not_null {
        return Err(null_refused(column));
    }
    let most = column.max_size as usize;
    let cut = value.map(|value| value.get(..most).filter(|_| most != 0).unwrap_or(value));
    row.set_variable(plan, column.id, cut)?;
    let shortened = cut.map(<[u8]>::len) != value.map(<[u8]>::len);
    Ok(if shortened { TableStatus::ColumnMaxTruncated } else { TableStatus::Done })
}

/// A number that the application gives must be one that was given out.
fn check_number(plan: &TablePlan, column: &ColumnDefinition, value: &[u8]) -> Result<()> {
    let number = value.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
    if number == 0 {
        return Err(TableError::parameter("0 is never an auto-increment value"));
    }
    if number >= plan.schema.shared.auto_increment.lock().next {
        let what = "the number was not given out yet";
        return Err(column_error(column, what, JetError::SET_AUTO_INCREMENT_TOO_HIGH));
    }
    Ok(())
}

/// The form in which values are compared, and whether it was cut.
fn normal_form(column: &ColumnDefinition, value: &[u8]) -> Result<(Vec<u8>, bool)> {
    let mut rules = ese_format::KeyRules::DEFAULT;
    rules.collation = super::temporary::default_collation();
    let mut key = Vec::new();
    let part = value.get(..rules.key_most).unwrap_or(value);
    let cut =
        ese_format::encode_segment(column.segment_kind(), Some(part), &rules, rules.key_most, &mut key)?;
    key.truncate(rules.key_most);
    Ok((key, cut || part.len() < value.len()))
}
