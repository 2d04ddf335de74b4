//! Setting long values, in the row and apart from it.

use std::sync::Arc;

use ese_btree::live::LiveError;
use ese_format::{
    JetError, LongValueId, LongValueKey, RecordEditError, RecordView, TaggedFlags, TaggedTarget, TaggedValue,
};

use super::cursor::Cursor;
use super::error::{Result, TableError, TableStatus};
use super::long_values::{LONGEST, LongValueWriter, check_size, compressed, highest_id};
use super::plan::TablePlan;
use super::set_column::{SetFlags, SetOptions, column_error, is_too_big};
use super::tree::{Reads, RowTree};
use super::update::{PrepareKind, nested};
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::database::AttachedDatabase;
use crate::reader::{ColumnContent, column_content};
use crate::session::SessionCallGuard;

/// Longest long value that is kept in the row while the row fits.
#[doc(alias = "cbLVIntrinsicMost")]
const MOST_INTRINSIC: usize = 1023;

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

impl Cursor {
    /// A long value: whole, or a part of it.
    #[doc(alias = "ErrRECSetLongField")]
    #[expect(clippy::too_many_arguments, reason = "what the call was given, and what was found out about it")]
    pub(super) fn set_long(
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
        if call.level() == 0 {
            return Err(LiveError::NotInTransaction.into());
        }
        self.mark(place);
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
                return self.drop_unused(call, plan, &existing).map(|()| TableStatus::Done);
            }
            _ => {}
        }
        let compress = flags.contains(SetFlags::COMPRESSED)
            || column.flags.contains(ColumnFlags::COMPRESSED) && !flags.contains(SetFlags::UNCOMPRESSED);
        if let (Existing::Separated(id), true) = (&existing, operation != Operation::Whole) {
            let id = *id;
            let set = LongSet { column, target, data, length, operation, compress, options };
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
            let preferred = plan.table().separation_threshold.filter(|&bytes| bytes != 0);
            preferred.map_or(MOST_INTRINSIC, |bytes| bytes as usize).clamp(plan.id_len(), most)
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
            let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
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
        let Some(database) = database else { return plan.temporary_long_values(call.trees()) };
        call.begin_update(&plan.schema)?;
        Ok(RowTree(crate::ddl::long_value_tree(call, database, &plan.schema)?))
    }

    /// Stores apart whatever long value of the row is longer than half of `threshold`. Returns that half; 0 when there is
    /// nothing more to gain.
    #[doc(alias = "ErrRECAffectLongFieldsInWorkBuf")]
    pub(super) fn separate_all(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        plan: &Arc<TablePlan>,
        threshold: usize,
    ) -> Result<usize> {
        if threshold <= plan.id_len() {
            return Ok(0);
        }
        if call.level() == 0 {
            return Err(LiveError::NotInTransaction.into());
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
            LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None }.dereference(*id)
        })
    }

    /// Changes a part of a value that is stored apart, where it is. One that other rows refer to, or a row that is to go, is
    /// copied first.
    #[doc(alias = "ErrRECAOSeparateLV")]
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
        let replaces = matches!(prepared.kind, PrepareKind::Replace | PrepareKind::ReplaceNoLock);
        let (copy, buffers, chunk_size) = (&mut self.copy, &mut self.buffers, plan.chunk_size);
        let (column, options) = (set.column, set.options);
        let edits_before = prepared.edits.len();
        let edits = &mut prepared.edits;
        let outcome = nested(call, |call| {
            let (trees, state) = call.parts()?;
            let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
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
            let in_place = own || root.reference_count == 1 && replaces && writer.may_change(id)?;
            let mut target_id = id;
            writer.edits = (in_place && !own).then_some(edits);
            if !in_place {
                target_id = next_id(call, plan, &tree)?;
                let (trees, state) = call.parts()?;
                writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
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
            Ok(target_id)
        });
        if outcome.is_err() {
            prepared.edits.truncate(edits_before);
        }
        let new = outcome?;
        if new != id {
            prepared.created.push(new);
        }
        Ok(TableStatus::Done)
    }
}

/// One change of a part of a long value.
struct LongSet<'a> {
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
