//! Setting columns of the row being prepared.

use std::sync::Arc;

use ese_btree::live::LiveError;
use ese_format::{
    ColumnKind, JetError, LongValueId, LongValueKey, RecordEditError, RecordView, TaggedFlags, TaggedTarget,
    TaggedValue,
};

use super::cursor::Cursor;
use super::error::{Result, TableError, TableStatus};
use super::long_values::{LONGEST, LongValueWriter, check_size, compressed, highest_id};
use super::plan::TablePlan;
use super::tree::{Reads, RowTree};
use super::update::{PrepareKind, nested};
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::database::AttachedDatabase;
use crate::reader::{ColumnContent, column_content};
use crate::session::SessionCallGuard;

/// Longest long value that is kept in the row while the row fits.
#[doc(alias = "cbLVIntrinsicMost")]
const MOST_INTRINSIC: usize = 1023;
/// Long values of at most this size are copied before they are changed, so that the row keeps its old value until the update.
const MOST_COPIED: u32 = 1 << 16;

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

/// What is done to a long value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Nothing,
    Null,
    ZeroLength,
    /// A new value, or one in place of the old.
    Whole,
    /// As many zeros.
    Zeros,
    Append,
    Resize,
    Overwrite,
    OverwriteAndResize,
}

/// The value that is there.
enum Existing {
    None,
    /// In the row, or a default; plain.
    Plain(Vec<u8>),
    Separated(LongValueId),
}

fn operation(column: u32, options: &SetOptions, length: usize, is_new: bool) -> Result<Operation> {
    let mask = SetFlags::APPEND | SetFlags::OVERWRITE | SetFlags::SIZE | SetFlags::ZERO_LENGTH;
    let flags = options.flags.intersection(mask);
    let whole = |empty: Operation| if length == 0 { empty } else { Operation::Whole };
    let at_start = |then: Operation| {
        if options.offset == 0 {
            return Ok(then);
        }
        let error = JetError::COLUMN_NO_CHUNK;
        Err(TableError::Column { column, what: "no value that could be overwritten", error })
    };
    let resized = if is_new { Operation::Zeros } else { Operation::Resize };
    if flags == SetFlags::APPEND {
        return Ok(match (length, is_new) {
            (0, true) => Operation::ZeroLength,
            (0, false) => Operation::Nothing,
            (_, true) => Operation::Whole,
            (_, false) => Operation::Append,
        });
    }
    if flags == SetFlags::OVERWRITE {
        return match (length, is_new) {
            (0, true) => at_start(Operation::ZeroLength),
            (0, false) => Ok(Operation::Nothing),
            (_, true) => at_start(Operation::Whole),
            (_, false) => Ok(Operation::Overwrite),
        };
    }
    if flags == SetFlags::SIZE {
        return Ok(if length == 0 { Operation::Null } else { resized });
    }
    if flags == SetFlags::SIZE | SetFlags::ZERO_LENGTH {
        return Ok(if length == 0 { Operation::ZeroLength } else { resized });
    }
    if flags == SetFlags::SIZE | SetFlags::OVERWRITE {
        return match (length, is_new) {
            (0, _) => Ok(Operation::Null),
            (_, true) => at_start(Operation::Whole),
            (_, false) => Ok(Operation::OverwriteAndResize),
        };
    }
    Ok(whole(if flags == SetFlags::ZERO_LENGTH { Operation::ZeroLength } else { Operation::Null }))
}

fn column_error(column: &ColumnDefinition, what: &'static str, error: JetError) -> TableError {
    TableError::Column { column: column.api_id(), what, error }
}

const fn is_too_big(error: &TableError) -> bool {
    matches!(error, TableError::Edit(RecordEditError::TooBig { .. }))
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
        let plan = Arc::clone(&self.plan);
        let (place, column) = plan.column(id)?;
        if column.id.is_fixed() {
            let is_version = column.flags.contains(ColumnFlags::VERSION);
            let is_numbered = column.flags.contains(ColumnFlags::AUTO_INCREMENT);
            let replaces = matches!(kind, PrepareKind::Replace | PrepareKind::ReplaceNoLock);
            if is_version && replaces || is_numbered && kind != PrepareKind::InsertMustSetAutoIncrement {
                let what = "the engine sets this column";
                return Err(column_error(column, what, JetError::INVALID_COLUMN_TYPE));
            }
        }
        if column.kind.is_long_value() {
            return self.set_long(call, database, &plan, place, column, data, options);
        }
        let value = (!data.is_empty() || flags.contains(SetFlags::ZERO_LENGTH)).then_some(data);
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

    fn mark(&mut self, place: usize) {
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
        let not_null = column.flags.contains(ColumnFlags::NOT_NULL);
        let null = || column_error(column, "must not be null", JetError::NULL_INVALID);
        let size = |what| column_error(column, what, JetError::INVALID_BUFFER_SIZE);
        if column.id.is_fixed() {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                if not_null {
                    return Err(null());
                }
                if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
                    let what = "has to be set";
                    return Err(column_error(column, what, JetError::AUTO_INCREMENT_NOT_SET));
                }
                self.copy.set_fixed(&**plan, column.id, None)?;
                self.mark(place);
                return Ok(TableStatus::Done);
            };
            let slot = column.slot_size();
            let mut padded = Vec::new();
            let bytes = if column.kind == ColumnKind::BIT && value.len() == 1 {
                if value == [0] { &[0][..] } else { &[0xFF][..] }
            } else if value.len() == slot {
                value
            } else if value.len() > slot || !column.kind.is_text_or_binary() {
                return Err(size("the value has another size than the column"));
            } else {
                padded.extend_from_slice(value);
                pad(&mut padded, column);
                &padded
            };
            if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
                check_number(plan, column, bytes)?;
            }
            self.copy.set_fixed(&**plan, column.id, Some(bytes))?;
            self.mark(place);
            return Ok(TableStatus::Done);
        }
        if value.is_none() && not_null {
            return Err(null());
        }
        let most = column.max_size as usize;
        if column.id.is_variable() {
            let cut = value.map(|value| value.get(..most).filter(|_| most != 0).unwrap_or(value));
            self.copy.set_variable(&**plan, column.id, cut)?;
            self.mark(place);
            let shortened = cut.map(<[u8]>::len) != value.map(<[u8]>::len);
            return Ok(if shortened { TableStatus::ColumnMaxTruncated } else { TableStatus::Done });
        }
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
        self.mark(place);
        Ok(TableStatus::Done)
    }

    fn set_tagged(
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
    fn check_unique(
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

    /// A long value: whole, or a part of it.
    #[doc(alias = "ErrRECSetLongField")]
    #[expect(clippy::too_many_arguments, reason = "what the call was given, and what was found out about it")]
    fn set_long(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        plan: &Arc<TablePlan>,
        place: usize,
        column: &ColumnDefinition,
        data: &[u8],
        options: &SetOptions,
    ) -> Result<TableStatus> {
        let flags = options.flags;
        if flags.contains(SetFlags::ZERO_LENGTH) || !data.is_empty() {
            self.check_unique(call, plan, place, column, data, options)?;
        }
        if call.level() == 0 && !plan.temporary {
            return Err(LiveError::NotInTransaction.into());
        }
        let existing = self.existing(call, plan, place, options)?;
        let is_new = matches!(existing, Existing::None);
        let length = if flags.contains(SetFlags::SIZE) && !flags.contains(SetFlags::OVERWRITE) {
            options.size.map_or(data.len(), |size| size as usize)
        } else {
            data.len()
        };
        let operation = operation(column.api_id(), options, length, is_new)?;
        if flags.contains(SetFlags::CONTIGUOUS) && !(operation == Operation::Whole && is_new) {
            return Err(TableError::parameter("only new values are laid out on consecutive pages"));
        }
        let target = plan.target(column);
        match operation {
            Operation::Nothing => return Ok(TableStatus::Done),
            Operation::Null | Operation::ZeroLength => {
                let zero = operation == Operation::ZeroLength;
                if !zero && column.flags.contains(ColumnFlags::NOT_NULL) {
                    return Err(column_error(column, "must not be null", JetError::NULL_INVALID));
                }
                self.set_tagged(&target, options, zero.then_some(TaggedValue::Plain(&[])))?;
                self.mark(place);
                return self.drop_unused(call, plan, &existing).map(|()| TableStatus::Done);
            }
            _ => {}
        }
        let compress = flags.contains(SetFlags::COMPRESSED)
            || column.flags.contains(ColumnFlags::COMPRESSED) && !flags.contains(SetFlags::UNCOMPRESSED);
        if let (Existing::Separated(id), true) = (&existing, operation != Operation::Whole) {
            let id = *id;
            let set = LongSet { place, column, target, data, length, operation, compress, options };
            return self.change_separated(call, plan, &set, id);
        }
        let old = match &existing {
            Existing::Plain(bytes) => bytes.as_slice(),
            _ => &[],
        };
        let whole = assemble(column, old, data, length, operation, options.offset)?;
        let new = whole.as_deref().unwrap_or(data);
        check_size(new.len() as u64, column.api_id(), column.max_size)?;
        let most = plan.most_intrinsic();
        let preferred = if flags.contains(SetFlags::SEPARATE) {
            plan.id_len()
        } else if flags.contains(SetFlags::INTRINSIC) {
            most
        } else {
            MOST_INTRINSIC.clamp(plan.id_len(), most)
        };
        let saved = self.copy.bytes().to_vec();
        let mut threshold = plan.page_size.len();
        let mut separate = new.len() > preferred;
        let outcome = loop {
            if separate {
                break self.store_apart(call, database, plan, &target, options.instance, new, compress);
            }
            let stored = self.set_intrinsic(plan, &target, options, new, compress);
            match stored {
                Err(error) if is_too_big(&error) => {
                    // First this value, when it is a large one; then, in steps, whatever else is large.
                    separate = new.len() > (threshold / 2).max(plan.id_len());
                    if separate {
                        continue;
                    }
                    if threshold <= plan.id_len() {
                        break Err(error);
                    }
                    threshold = match self.separate_all(call, database, plan, threshold) {
                        Ok(0) => break Err(error),
                        Ok(threshold) => threshold,
                        Err(error) => break Err(error),
                    };
                    separate = new.len() > threshold;
                }
                done => break done,
            }
        };
        if let Err(error) = outcome {
            self.copy.load(&saved);
            return Err(error);
        }
        self.mark(place);
        self.drop_unused(call, plan, &existing).map(|()| TableStatus::Done)
    }

    fn existing(
        &mut self,
        call: &SessionCallGuard<'_>,
        plan: &TablePlan,
        place: usize,
        options: &SetOptions,
    ) -> Result<Existing> {
        let Some(number) = (options.instance as usize).checked_sub(1) else { return Ok(Existing::None) };
        let view = RecordView::parse(self.copy.bytes(), plan.page_size)?;
        let tree = plan.long_values();
        let mut source = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
        // The old bytes are wanted only where a part of them stays.
        let partial = options.flags.intersects(SetFlags::APPEND | SetFlags::OVERWRITE | SetFlags::SIZE);
        Ok(match column_content(plan.table(), &view, place)? {
            Some(ColumnContent::Tagged(tagged)) => match tagged.values().nth(number).transpose()? {
                None => Existing::None,
                Some(TaggedValue::Separated(id)) => Existing::Separated(id),
                Some(value) if partial => Existing::Plain(source.whole(value)?),
                Some(_) => Existing::Plain(Vec::new()),
            },
            Some(ColumnContent::Default(value)) if number == 0 => Existing::Plain(value.to_vec()),
            _ => Existing::None,
        })
    }

    /// In the row, compressed when that makes it smaller.
    fn set_intrinsic(
        &mut self,
        plan: &TablePlan,
        target: &TaggedTarget,
        options: &SetOptions,
        value: &[u8],
        compress: bool,
    ) -> Result<()> {
        // Only the first value of a column can say that it is compressed; and none becomes shorter than an id.
        let packed = if compress && options.instance < 2 { compressed(value) } else { None };
        if let Some(packed) = packed.filter(|packed| packed.len() >= plan.id_len()) {
            let set = self.copy.set_tagged(target, options.instance, Some(TaggedValue::Compressed(&packed)));
            match set {
                Err(RecordEditError::CompressedInstance { .. }) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.copy.set_tagged(target, options.instance, Some(TaggedValue::Plain(value)))?)
    }

    /// A new long value, in the tree for them; the row gets its id.
    #[expect(clippy::too_many_arguments, reason = "what is stored, where, and how")]
    fn store_apart(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        plan: &Arc<TablePlan>,
        target: &TaggedTarget,
        instance: u32,
        value: &[u8],
        compress: bool,
    ) -> Result<()> {
        let tree = self.writable_tree(call, database, plan)?;
        let (copy, buffers, chunk_size) = (&mut self.copy, &mut self.buffers, plan.chunk_size);
        let id = nested(call, |call| {
            let id = next_id(call, plan, &tree)?;
            let (trees, state) = call.parts()?;
            let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers };
            writer.create(id, value, compress)?;
            copy.set_tagged(target, instance, Some(TaggedValue::Separated(id)))?;
            Ok(id)
        })?;
        if let Some(prepared) = &mut self.prepared {
            prepared.created.push(id);
        }
        Ok(())
    }

    /// The tree of long values, made if need be.
    fn writable_tree(
        &self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        plan: &TablePlan,
    ) -> Result<RowTree> {
        if let Some(tree) = plan.long_values() {
            return Ok(tree);
        }
        let Some(database) = database else {
            return Err(TableError::refused("no database", JetError::INTERNAL_ERROR));
        };
        call.begin_update(&plan.schema)?;
        Ok(RowTree::Live(crate::ddl::long_value_tree(call, database, &plan.schema)?))
    }

    /// Stores apart whatever long value of the row is longer than half of `threshold`. Returns that half; 0 when there is
    /// nothing more to gain.
    #[doc(alias = "ErrRECAffectLongFieldsInWorkBuf")]
    fn separate_all(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        plan: &Arc<TablePlan>,
        threshold: usize,
    ) -> Result<usize> {
        if threshold <= plan.id_len() {
            return Ok(0);
        }
        let mut threshold = threshold / 2;
        if threshold < plan.page_size.len() / 64 {
            threshold = plan.id_len();
        }
        let mut found = Vec::new();
        let view = self.copy.view()?;
        for tagged in view.tagged_columns() {
            let tagged = tagged?;
            if !tagged.flags.contains(TaggedFlags::LONG_VALUE) {
                continue;
            }
            let target = TaggedTarget {
                column: tagged.id,
                from_template: tagged.from_template,
                long_value: true,
                explicit_null: false,
            };
            for (number, value) in (1..).zip(tagged.values()) {
                let value = value?;
                if value.stored_len() > threshold && !matches!(value, TaggedValue::Separated(_)) {
                    found.push((target, number, matches!(value, TaggedValue::Compressed(_))));
                }
            }
        }
        if found.is_empty() {
            return Ok(threshold);
        }
        if call.level() == 0 && !plan.temporary {
            return Err(LiveError::NotInTransaction.into());
        }
        for (target, number, compress) in found {
            let plain = {
                let view = RecordView::parse(self.copy.bytes(), plan.page_size)?;
                let tagged = view.tagged(target.column, target.from_template)?;
                let value = tagged.and_then(|t| t.values().nth(number as usize - 1)).transpose()?;
                let tree = plan.long_values();
                let mut source = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
                value.map(|value| source.whole(value)).transpose()?
            };
            if let Some(plain) = plain {
                self.store_apart(call, database, plan, &target, number, &plain, compress)?;
            }
        }
        Ok(threshold)
    }

    /// A long value that this update made and that the row does not have any more goes at once.
    fn drop_unused(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        plan: &TablePlan,
        existing: &Existing,
    ) -> Result<()> {
        let Existing::Separated(id) = existing else { return Ok(()) };
        let Some(prepared) = &mut self.prepared else { return Ok(()) };
        let Some(place) = prepared.created.iter().position(|made| made == id) else { return Ok(()) };
        prepared.created.swap_remove(place);
        let Some(tree) = plan.long_values() else { return Ok(()) };
        let (buffers, chunk_size) = (&mut self.buffers, plan.chunk_size);
        nested(call, |call| {
            let (trees, state) = call.parts()?;
            LongValueWriter { trees, state, tree: &tree, chunk_size, buffers }.dereference(*id)
        })
    }

    /// Changes a part of a value that is stored apart. One that others refer to, or that the row still has as it is stored,
    /// is copied first, unless it is large and only made longer.
    fn change_separated(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        plan: &Arc<TablePlan>,
        set: &LongSet<'_>,
        id: LongValueId,
    ) -> Result<TableStatus> {
        let Some(tree) = plan.long_values() else {
            return Err(TableError::LongValue { id: id.0, what: "the table has no long values" });
        };
        let Some(prepared) = &mut self.prepared else { return Err(TableError::UpdateNotPrepared) };
        let own = prepared.created.contains(&id);
        let known = prepared.appended.iter().any(|(appended, _)| *appended == id);
        let replaces = matches!(prepared.kind, PrepareKind::Replace | PrepareKind::ReplaceNoLock);
        let indexed = plan
            .primary
            .iter()
            .chain(&plan.secondary)
            .any(|index| index.keys.places().any(|p| p == set.place));
        let (copy, buffers, chunk_size) = (&mut self.copy, &mut self.buffers, plan.chunk_size);
        let (column, options) = (set.column, set.options);
        let (new, shared, old_size) = nested(call, |call| {
            let (trees, state) = call.parts()?;
            let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers };
            let root = writer.root(id)?;
            let size = u64::from(root.size);
            let end = u64::from(options.offset) + set.length as u64;
            let new_size = match set.operation {
                Operation::Append => size + set.length as u64,
                Operation::Overwrite => end.max(size),
                Operation::OverwriteAndResize => end,
                _ => set.length as u64,
            };
            check_size(new_size, column.api_id(), column.max_size)?;
            let overwrites = matches!(set.operation, Operation::Overwrite | Operation::OverwriteAndResize);
            if overwrites && u64::from(options.offset) > size {
                let what = "the value ends before the offset";
                return Err(column_error(column, what, JetError::COLUMN_NO_CHUNK));
            }
            let only_longer = match set.operation {
                Operation::Append => true,
                Operation::Overwrite | Operation::OverwriteAndResize => u64::from(options.offset) == size,
                _ => new_size >= size,
            };
            let in_place = own
                || root.reference_count == 1
                    && replaces
                    && !indexed
                    && only_longer
                    && (known || root.size > MOST_COPIED);
            let mut target_id = id;
            if !in_place {
                target_id = next_id(call, plan, &tree)?;
                let (trees, state) = call.parts()?;
                writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers };
                writer.copy(id, target_id)?;
            }
            match set.operation {
                Operation::Append => {
                    writer.overwrite(target_id, root.size, set.data, false, set.compress)?;
                }
                Operation::Overwrite => {
                    writer.overwrite(target_id, options.offset, set.data, false, set.compress)?;
                }
                Operation::OverwriteAndResize => {
                    writer.overwrite(target_id, options.offset, set.data, true, set.compress)?;
                }
                _ => writer.resize(target_id, new_size as u32, set.compress)?,
            }
            if target_id != id {
                copy.set_tagged(&set.target, options.instance, Some(TaggedValue::Separated(target_id)))?;
            }
            Ok((target_id, root.reference_count > 1, root.size))
        })?;
        if new != id {
            prepared.created.push(new);
        } else if !own && !known {
            prepared.appended.push((id, old_size));
        }
        self.mark(set.place);
        Ok(if shared { TableStatus::CopiedLongValue } else { TableStatus::Done })
    }
}

/// One change of a part of a long value.
struct LongSet<'a> {
    place: usize,
    column: &'a ColumnDefinition,
    target: TaggedTarget,
    data: &'a [u8],
    /// Bytes of the data, or the size that is set.
    length: usize,
    operation: Operation,
    compress: bool,
    options: &'a SetOptions,
}

/// The whole new value of one that is in the row; `None` when it is the data.
fn assemble(
    column: &ColumnDefinition,
    old: &[u8],
    data: &[u8],
    length: usize,
    operation: Operation,
    offset: u32,
) -> Result<Option<Vec<u8>>> {
    let offset = offset as usize;
    let most = if column.max_size == 0 { LONGEST } else { u64::from(column.max_size) };
    let too_big = |size: usize| check_size(size as u64, column.api_id(), most as u32);
    Ok(match operation {
        Operation::Zeros => {
            too_big(length)?;
            Some(vec![0; length])
        }
        Operation::Resize => {
            too_big(length)?;
            let mut value = old.to_vec();
            value.resize(length, 0);
            Some(value)
        }
        Operation::Append => Some([old, data].concat()),
        Operation::Overwrite | Operation::OverwriteAndResize => {
            let Some(head) = old.get(..offset) else {
                let what = "the value ends before the offset";
                return Err(column_error(column, what, JetError::COLUMN_NO_CHUNK));
            };
            let mut value = [head, data].concat();
            if operation == Operation::Overwrite {
                value.extend_from_slice(old.get(value.len()..).unwrap_or_default());
            }
            Some(value)
        }
        _ => None,
    })
}

/// The next id of a long value.
#[doc(alias = "ErrLVIGetNextLID")]
fn next_id(call: &SessionCallGuard<'_>, plan: &TablePlan, tree: &RowTree) -> Result<LongValueId> {
    let mut next = plan.schema.shared.next_long_value.lock();
    let id = match *next {
        Some(id) => LongValueId(id),
        None => {
            let reads = Reads { trees: call.trees(), state: call.state()? };
            plan.id_after(highest_id(&reads, tree)?)?
        }
    };
    *next = Some(plan.id_after(id.0)?.0);
    debug_assert!(LongValueKey { id, offset: None }.encode().len() <= 8, "ids have 4 or 8 bytes");
    Ok(id)
}

/// Fills a value up to the size of a fixed column's slot: text with spaces, binary with zeros.
fn pad(value: &mut Vec<u8>, column: &ColumnDefinition) {
    let size = column.slot_size();
    match (column.kind, column.code_page) {
        (ColumnKind::TEXT, 1200) => {
            while value.len() + 1 < size {
                value.extend_from_slice(&[b' ', 0]);
            }
            value.resize(size, 0);
        }
        (ColumnKind::TEXT, _) => value.resize(size, b' '),
        _ => value.resize(size, 0),
    }
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
