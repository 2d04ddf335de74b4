//! Reading columns of the current row, or of the row being prepared.

use std::sync::Arc;

use ese_format::{ColumnId, JetError, KeyParts, LongValueKey, RecordView, TaggedValue};

use super::cursor::Cursor;
use super::error::{Result, TableError, TableStatus};
use super::plan::TablePlan;
use super::tree::{Place, Reads};
use super::update::{PrepareKind, hidden_edits};
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::reader::{ColumnContent, column_content};
use crate::session::SessionCallGuard;

bitflags::bitflags! {
    /// Options of reading a column. Unknown bits are ignored.
    #[doc(alias = "JetRetrieveColumn")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RetrieveFlags: u32 {
        /// Of the row being prepared.
        #[doc(alias = "JET_bitRetrieveCopy")]
        const COPY = 0x1;
        /// The value that the current index has.
        #[doc(alias = "JET_bitRetrieveFromIndex")]
        const FROM_INDEX = 0x2;
        /// The value that the primary key has.
        #[doc(alias = "JET_bitRetrieveFromPrimaryBookmark")]
        const FROM_PRIMARY_BOOKMARK = 0x4;
        /// With an index: says which value it is.
        #[doc(alias = "JET_bitRetrieveTag")]
        const INSTANCE = 0x8;
        /// Nulls count as values.
        #[doc(alias = "JET_bitRetrieveNull")]
        const NULL = 0x10;
        /// Default values do not count. Tagged columns only.
        #[doc(alias = "JET_bitRetrieveIgnoreDefault")]
        const IGNORE_DEFAULT = 0x20;
        /// The id of a long value that is stored apart.
        #[doc(alias = "JET_bitRetrieveLongId")]
        const LONG_ID = 0x40;
        /// The count of references to a long value that is stored apart.
        #[doc(alias = "JET_bitRetrieveLongValueRefCount")]
        const REFERENCE_COUNT = 0x80;
        /// With [`FROM_INDEX`](Self::FROM_INDEX): of a substring index too.
        #[doc(alias = "JET_bitRetrieveTuple")]
        const TUPLE = 0x800;
        /// The number of the page that the row is on.
        #[doc(alias = "JET_bitRetrievePageNumber")]
        const PAGE_NUMBER = 0x1000;
        /// How many bytes the row being prepared may still get.
        #[doc(alias = "JET_bitRetrieveCopyIntrinsic")]
        const INTRINSIC_ROOM = 0x2000;
        /// A hint: nothing is read.
        #[doc(alias = "JET_bitRetrievePrereadOnly")]
        const PREREAD_ONLY = 0x4000;
        /// A hint.
        #[doc(alias = "JET_bitRetrievePrereadMany")]
        const PREREAD_MANY = 0x8000;
        /// The size as stored.
        #[doc(alias = "JET_bitRetrievePhysicalSize")]
        const PHYSICAL_SIZE = 0x1_0000;
        /// A reference instead of the value; not supported.
        #[doc(alias = "JET_bitRetrieveAsRefIfNotInRecord")]
        const AS_REFERENCE = 0x2_0000;
    }
}

/// Which value is read, and from where.
#[doc(alias = "JET_RETINFO")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrieveOptions {
    /// Options.
    pub flags: RetrieveFlags,
    /// Number of the value, from 1.
    #[doc(alias = "itagSequence")]
    pub instance: u32,
    /// Where reading of a long value begins.
    #[doc(alias = "ibLongValue")]
    pub offset: u32,
}

impl Default for RetrieveOptions {
    fn default() -> Self {
        Self { flags: RetrieveFlags::empty(), instance: 1, offset: 0 }
    }
}

impl From<RetrieveFlags> for RetrieveOptions {
    fn from(flags: RetrieveFlags) -> Self {
        Self { flags, ..Self::default() }
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// Null, truncated, or plainly there.
    pub status: TableStatus,
    /// Bytes of the value from the offset on, whatever of it fitted.
    #[doc(alias = "cbActual")]
    pub length: usize,
    /// Number of the value, as far as the options asked for it.
    pub instance: u32,
    /// The column.
    #[doc(alias = "columnidNextTagged")]
    pub column: u32,
}

/// One of several columns that are read together.
#[doc(alias = "JET_RETRIEVECOLUMN")]
#[derive(Debug)]
pub struct ColumnRead<'a> {
    /// Column; 0 for all tagged ones.
    pub column: u32,
    /// Options.
    pub flags: RetrieveFlags,
    /// Number of the value, from 1. 0 asks for the number of values, which stands here afterwards.
    #[doc(alias = "itagSequence")]
    pub instance: u32,
    /// Where reading of a long value begins.
    #[doc(alias = "ibLongValue")]
    pub offset: u32,
    /// Where the value goes, as far as it fits.
    pub out: &'a mut [u8],
    /// Afterwards: null, truncated, or plainly there.
    pub status: TableStatus,
    /// Afterwards: bytes of the value from the offset on.
    #[doc(alias = "cbActual")]
    pub length: usize,
    /// Afterwards: the column; 0 where none is told.
    #[doc(alias = "columnidNextTagged")]
    pub found: u32,
}

impl<'a> ColumnRead<'a> {
    /// The first value of a column.
    #[must_use]
    pub const fn new(column: u32, out: &'a mut [u8]) -> Self {
        let (flags, status) = (RetrieveFlags::empty(), TableStatus::Done);
        Self { column, flags, instance: 1, offset: 0, out, status, length: 0, found: 0 }
    }
}

/// Where a value is; the columns' own bytes are borrowed.
enum Found<'a> {
    Null,
    Bytes(&'a [u8]),
    /// Of a long column: the offset counts.
    Long(TaggedValue<'a>),
}

/// Puts the part of `value` from `offset` on into `out`.
pub(super) fn give(value: &[u8], offset: usize, out: &mut [u8]) -> (TableStatus, usize) {
    let rest = value.get(offset..).unwrap_or_default();
    let fits = rest.len().min(out.len());
    if let (Some(target), Some(source)) = (out.get_mut(..fits), rest.get(..fits)) {
        target.copy_from_slice(source);
    }
    (if fits < rest.len() { TableStatus::Truncated } else { TableStatus::Done }, rest.len())
}

/// Reads at level 0 are one transaction too: a long value does not go away in the middle.
#[inline]
pub(super) fn reading<R>(
    call: &mut SessionCallGuard<'_>,
    read: impl FnOnce(&mut SessionCallGuard<'_>) -> Result<R>,
) -> Result<R> {
    if call.level() > 0 {
        return read(call);
    }
    call.begin(true)?;
    let result = read(call);
    // Nothing was changed: there is nothing that could fail to be durable.
    call.commit()?;
    result
}

impl Cursor {
    #[inline]
    pub(super) fn retrieve(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        id: u32,
        out: &mut [u8],
        options: &RetrieveOptions,
    ) -> Result<Retrieved> {
        if options.flags.is_empty()
            && let Some(column) = self.plan.untagged(id)
        {
            self.read_row(call)?;
            let view = RecordView::parse(self.row.data(), self.plan.page_size)?;
            let (status, length) = match self.plan.untagged_value(&view, &column)? {
                Some(value) => give(value, 0, out),
                None => (TableStatus::Null, 0),
            };
            // Not every column may be read in part.
            if status != TableStatus::Truncated {
                return Ok(Retrieved { status, length, instance: options.instance, column: id });
            }
        }
        self.retrieve_otherwise(call, id, out, options)
    }

    #[inline(never)]
    fn retrieve_otherwise(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        id: u32,
        out: &mut [u8],
        options: &RetrieveOptions,
    ) -> Result<Retrieved> {
        let mut flags = options.flags;
        let (mut instance, mut told) = (options.instance, options.instance);
        let prepared = self.prepared.as_ref().map(|prepared| prepared.kind);
        if prepared == Some(PrepareKind::ReadOnlyCopy) {
            flags.remove(RetrieveFlags::FROM_INDEX | RetrieveFlags::FROM_PRIMARY_BOOKMARK);
        }
        let done = |status, length| Retrieved { status, length, instance: options.instance, column: id };
        if flags.contains(RetrieveFlags::PAGE_NUMBER) {
            let retrieved =
                self.page_number(call, flags, out).map(|length| done(TableStatus::Done, length))?;
            return Ok(Retrieved { column: 0, ..retrieved });
        }
        if flags.contains(RetrieveFlags::INTRINSIC_ROOM) {
            if flags != RetrieveFlags::INTRINSIC_ROOM {
                return Err(TableError::flags());
            }
            if prepared.is_none() {
                return Err(TableError::UpdateNotPrepared);
            }
            let room = self.intrinsic_room(id, instance)?;
            let room = u32::try_from(room).unwrap_or(u32::MAX).to_le_bytes();
            let retrieved = number(&room, out).map(|length| done(TableStatus::Done, length))?;
            return Ok(Retrieved { column: 0, ..retrieved });
        }
        if flags.contains(RetrieveFlags::PHYSICAL_SIZE) {
            if !(RetrieveFlags::PHYSICAL_SIZE | RetrieveFlags::COPY).contains(flags) {
                return Err(TableError::flags());
            }
            if !out.is_empty() || options.offset != 0 {
                return Err(TableError::parameter("the size as stored comes without the value"));
            }
        }
        if flags.contains(RetrieveFlags::TUPLE) && !flags.contains(RetrieveFlags::FROM_INDEX) {
            return Err(TableError::flags());
        }
        self.check_reference(flags)?;
        if flags.intersects(RetrieveFlags::FROM_INDEX | RetrieveFlags::FROM_PRIMARY_BOOKMARK) {
            let index = self.retrieve_from_index(call, id, flags, options.offset, out)?;
            instance = index.instance.unwrap_or(instance);
            if flags.contains(RetrieveFlags::INSTANCE) {
                told = instance;
            }
            if let Some((status, length)) = index.given {
                return Ok(Retrieved { status, length, instance: told, column: 0 });
            }
        }
        if id != 0 {
            self.plan.column(id)?;
        }
        let from_copy = flags.contains(RetrieveFlags::COPY) && prepared.is_some();
        if !from_copy {
            self.read_row(call)?;
        }
        let options = RetrieveOptions { flags, instance, offset: options.offset };
        let retrieved = self.retrieve_value(call, id, out, &options, from_copy)?;
        Ok(Retrieved { instance: told, ..retrieved })
    }

    /// References instead of values are not for rows that are being changed; nor are there any.
    fn check_reference(&self, flags: RetrieveFlags) -> Result<()> {
        let unstable = self.prepared.is_some() || self.plan.temporary;
        if flags.contains(RetrieveFlags::AS_REFERENCE) && unstable {
            Err(TableError::flags())
        } else {
            Ok(())
        }
    }

    /// A value of a row that was read, or of the one being prepared.
    fn retrieve_value(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        id: u32,
        out: &mut [u8],
        options: &RetrieveOptions,
        from_copy: bool,
    ) -> Result<Retrieved> {
        let (flags, instance) = (options.flags, options.instance);
        let inserts = self.prepared.as_ref().is_some_and(|prepared| prepared.kind.is_insert());
        let mut column_id = id;
        let place = if id == 0 { None } else { Some(self.plan.column(id)?.0) };
        let plan = &*self.plan;
        let definition = place.and_then(|place| Some((place, plan.table().columns.get(place)?)));
        let bytes = if from_copy { self.copy.bytes() } else { self.row.data() };
        let view = RecordView::parse(bytes, plan.page_size)?;
        if let Some((_, column)) = definition
            && column.id.is_fixed()
            && column.flags.contains(ColumnFlags::ESCROW_UPDATE)
            && !inserts
            && !flags.contains(RetrieveFlags::PHYSICAL_SIZE)
            && !flags.intersects(RetrieveFlags::LONG_ID | RetrieveFlags::REFERENCE_COUNT)
            && out.len() < column.slot_size()
        {
            let what = "no room for the counter";
            return Err(TableError::refused(what, JetError::INVALID_BUFFER_SIZE));
        }
        let found = match definition {
            Some((place, column)) => find(plan, &view, place, column, instance, flags)?,
            None => {
                if instance == 0 {
                    let what = "columns are counted from 1";
                    return Err(TableError::refused(what, JetError::BAD_ITAG_SEQUENCE));
                }
                let (column, found) = scan_tagged(plan, &view, instance, flags)?;
                column_id = column;
                found
            }
        };
        let result = |status, length| Retrieved { status, length, instance, column: column_id };
        let by_id = flags.intersects(RetrieveFlags::LONG_ID | RetrieveFlags::REFERENCE_COUNT);
        let offset = options.offset as usize;
        let no_id = Retrieved { status: TableStatus::Null, length: 0, instance, column: 0 };
        let value = match found {
            Found::Null if by_id => return Ok(no_id),
            Found::Null => return Ok(result(TableStatus::Null, 0)),
            Found::Bytes(_) | Found::Long(TaggedValue::Plain(_) | TaggedValue::Compressed(_)) if by_id => {
                return Ok(no_id);
            }
            Found::Bytes(bytes) if flags.contains(RetrieveFlags::PHYSICAL_SIZE) => {
                return Ok(result(TableStatus::Done, bytes.len()));
            }
            Found::Bytes(bytes) => {
                let (status, length) = give(bytes, 0, out);
                return Ok(result(status, length));
            }
            Found::Long(value) => value,
        };
        let tree = plan.long_values();
        let mut source = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
        if !from_copy {
            source.hidden = hidden_edits(self.prepared.as_ref());
        }
        match value {
            TaggedValue::Plain(bytes) | TaggedValue::Compressed(bytes)
                if flags.contains(RetrieveFlags::PHYSICAL_SIZE) =>
            {
                Ok(result(TableStatus::Done, bytes.len()))
            }
            TaggedValue::Plain(bytes) => {
                let (status, length) = give(bytes, offset, out);
                Ok(result(status, length))
            }
            TaggedValue::Compressed(bytes) => {
                let (status, length) = give(source.decompress(bytes)?, offset, out);
                Ok(result(status, length))
            }
            TaggedValue::Separated(long) => {
                if flags.contains(RetrieveFlags::AS_REFERENCE) {
                    return Err(TableError::flags());
                }
                let ahead = RetrieveFlags::PREREAD_ONLY | RetrieveFlags::PREREAD_MANY;
                if flags.intersects(ahead) {
                    if flags != RetrieveFlags::PREREAD_ONLY && flags != ahead {
                        return Err(TableError::flags());
                    }
                    return Ok(result(TableStatus::Done, 0));
                }
                if flags.contains(RetrieveFlags::LONG_ID) {
                    let wide = out.len() >= 8;
                    let id = long.0.to_le_bytes();
                    let bytes = if wide { &id[..] } else { id.get(..4).unwrap_or_default() };
                    if out.len() < 4 || !wide && long.is_64_bit() {
                        let what = "no room for the id";
                        return Err(TableError::refused(what, JetError::INVALID_BUFFER_SIZE));
                    }
                    give(bytes, 0, out);
                    return Ok(result(TableStatus::SeparateLongValue, bytes.len()));
                }
                if flags.contains(RetrieveFlags::REFERENCE_COUNT) {
                    let count = source.root(long)?.reference_count.to_le_bytes();
                    give(&count, 0, out);
                    return Ok(result(TableStatus::SeparateLongValue, count.len()));
                }
                if flags.contains(RetrieveFlags::PHYSICAL_SIZE) {
                    let size = self.stored_size(call, plan, long)?;
                    return Ok(result(TableStatus::Done, size));
                }
                let (mut at, most) = (0, out.len());
                let length = source.read(long, options.offset, most, |piece| {
                    if let Some(target) = out.get_mut(at..at + piece.len()) {
                        target.copy_from_slice(piece);
                    }
                    at += piece.len();
                })?;
                let status = if length > most { TableStatus::Truncated } else { TableStatus::Done };
                Ok(result(status, length))
            }
        }
    }

    /// How many bytes a value of the row being prepared may get before long ones have to go elsewhere; of a fixed column its
    /// size, or nothing.
    #[doc(alias = "ErrRECIGetIntrinsicAvail")]
    fn intrinsic_room(&self, id: u32, instance: u32) -> Result<usize> {
        let plan = &*self.plan;
        let (_, column) = plan.column(id)?;
        let view = self.copy.view()?;
        let left = self.copy.limit().saturating_sub(self.copy.bytes().len());
        if column.id.is_fixed() {
            let (start, size) = (usize::from(column.record_offset.unwrap_or_default()), column.slot_size());
            let end = view.fixed_values_end() + usize::from(view.last_fixed()).div_ceil(8);
            return Ok(if start < end || (start + size).saturating_sub(end) < left { size } else { 0 });
        }
        if column.id.is_variable() {
            let missing = usize::from(column.id.0).saturating_sub(usize::from(view.last_variable()));
            return Ok(left.saturating_sub(2 * missing));
        }
        let target = plan.target(column);
        let found = view.tagged(target.column, target.from_template)?;
        let value = match (&found, (instance as usize).checked_sub(1)) {
            (Some(tagged), Some(number)) => tagged.values().nth(number).transpose()?,
            _ => None,
        };
        if matches!(value, Some(TaggedValue::Separated(_))) {
            let what = "the value is stored apart";
            return Err(TableError::refused(what, JetError::SEPARATED_LONG_VALUE));
        }
        let entry = if value.is_none() { 4 } else { 0 };
        Ok(left.saturating_sub(entry + usize::from(column.kind.is_long_value())))
    }

    fn page_number(
        &mut self,
        call: &SessionCallGuard<'_>,
        flags: RetrieveFlags,
        out: &mut [u8],
    ) -> Result<usize> {
        if flags != RetrieveFlags::PAGE_NUMBER {
            return Err(TableError::flags());
        }
        if self.plan.sorted {
            return Err(TableError::refused("sorted rows", JetError::INVALID_TABLE_ID));
        }
        self.check_on_row(call)?;
        self.forget_row();
        self.read_row(call)?;
        let page = self.row.spot.page().map_or(0, |page| page.0);
        number(&page.to_le_bytes(), out)
    }

    /// Bytes of a long value's chunks as they are stored.
    pub(super) fn stored_size(
        &self,
        call: &SessionCallGuard<'_>,
        plan: &TablePlan,
        id: ese_format::LongValueId,
    ) -> Result<usize> {
        let Some(tree) = plan.long_values() else { return Ok(0) };
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let mut place = Place::default();
        let mut size = 0;
        let mut found = tree.seek(&reads, &id.key(), &[], ese_btree::live::SeekHow::Above, &mut place)?;
        while found {
            let node = LongValueKey::decode(KeyParts::whole(place.key()))?;
            if node.id != id {
                break;
            }
            size += place.data().len();
            found = tree.next(&reads, &mut place)?;
        }
        Ok(size)
    }

    /// One column of several.
    #[doc(alias = "ErrRECRetrieveColumns")]
    fn retrieve_one_of(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        wanted: &mut ColumnRead<'_>,
    ) -> Result<()> {
        let mut flags = wanted.flags;
        let prepared = self.prepared.as_ref().map(|prepared| prepared.kind);
        if prepared == Some(PrepareKind::ReadOnlyCopy) {
            flags.remove(RetrieveFlags::FROM_INDEX | RetrieveFlags::FROM_PRIMARY_BOOKMARK);
        }
        if flags.contains(RetrieveFlags::PHYSICAL_SIZE) {
            if !(RetrieveFlags::PHYSICAL_SIZE | RetrieveFlags::COPY).contains(flags) {
                return Err(TableError::flags());
            }
            if !wanted.out.is_empty() || wanted.offset != 0 {
                return Err(TableError::parameter("the size as stored comes without the value"));
            }
        }
        self.check_reference(flags)?;
        if flags.intersects(RetrieveFlags::FROM_INDEX | RetrieveFlags::FROM_PRIMARY_BOOKMARK)
            && !self.plan.sorted
        {
            let index = self.retrieve_from_index(call, wanted.column, flags, wanted.offset, wanted.out)?;
            wanted.instance = index.instance.unwrap_or(wanted.instance);
            if let Some((status, length)) = index.given {
                (wanted.status, wanted.length, wanted.found) = (status, length, wanted.column);
                return Ok(());
            }
        }
        let from_copy = flags.contains(RetrieveFlags::COPY) && prepared.is_some();
        if !from_copy {
            self.read_row(call)?;
        }
        if wanted.instance == 0 {
            wanted.instance = self.count_values(call, wanted.column, flags)?;
            (wanted.status, wanted.length, wanted.found) = (TableStatus::Done, 0, wanted.column);
            return Ok(());
        }
        let options = RetrieveOptions { flags, instance: wanted.instance, offset: wanted.offset };
        let retrieved = self.retrieve_value(call, wanted.column, wanted.out, &options, from_copy)?;
        wanted.status = retrieved.status;
        wanted.length = retrieved.length;
        wanted.found = retrieved.column;
        Ok(())
    }

    /// Several columns, one after the other, until one fails.
    pub(super) fn retrieve_columns(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        columns: &mut [ColumnRead<'_>],
    ) -> Result<TableStatus> {
        if self.plan.sorted {
            self.check_on_row(call)?;
        }
        let mut status = TableStatus::Done;
        for column in columns {
            self.retrieve_one_of(call, column)?;
            if column.status == TableStatus::Truncated {
                status = TableStatus::Truncated;
            }
        }
        Ok(status)
    }

    /// Number of values of a column; of all tagged columns when `id` is 0.
    #[doc(alias = "RECICountColumn")]
    pub(super) fn count_values(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        id: u32,
        flags: RetrieveFlags,
    ) -> Result<u32> {
        let plan = Arc::clone(&self.plan);
        let definition = if id == 0 { None } else { Some(plan.column(id)?) };
        let from_copy = flags.contains(RetrieveFlags::COPY) && self.prepared.is_some();
        if !from_copy {
            self.read_row(call)?;
        }
        let bytes = if from_copy { self.copy.bytes() } else { self.row.data() };
        let view = RecordView::parse(bytes, plan.page_size)?;
        let count = |content: Option<ColumnContent<'_>>| match content {
            None => 0,
            Some(ColumnContent::Tagged(tagged)) => tagged.values().count() as u32,
            Some(_) => 1,
        };
        if let Some((place, _)) = definition {
            return Ok(count(column_content(plan.table(), &view, place)?));
        }
        let mut all = 0;
        for (place, column) in plan.table().columns.iter().enumerate().filter(|(_, c)| c.id.is_tagged()) {
            let content = column_content(plan.table(), &view, place)?;
            let ignored = matches!(content, Some(ColumnContent::Default(_)))
                && flags.contains(RetrieveFlags::IGNORE_DEFAULT);
            if !ignored && !column.is_deleted() {
                all += count(content);
            }
        }
        Ok(all)
    }
}

/// A number, whole or not at all.
fn number(bytes: &[u8], out: &mut [u8]) -> Result<usize> {
    if out.len() < bytes.len() {
        return Err(TableError::refused("no room for the number", JetError::BUFFER_TOO_SMALL));
    }
    give(bytes, 0, out);
    Ok(bytes.len())
}

fn find<'a>(
    plan: &'a TablePlan,
    view: &RecordView<'a>,
    place: usize,
    column: &ColumnDefinition,
    instance: u32,
    flags: RetrieveFlags,
) -> Result<Found<'a>> {
    let long = column.kind.is_long_value();
    if instance == 0 && column.id.is_tagged() {
        let what = "values are counted from 1";
        return Err(TableError::refused(what, JetError::BAD_ITAG_SEQUENCE));
    }
    Ok(match column_content(plan.table(), view, place)? {
        None => {
            let computed = column.flags.contains(ColumnFlags::USER_DEFINED_DEFAULT)
                && instance == 1
                && !flags.contains(RetrieveFlags::IGNORE_DEFAULT);
            if computed {
                let target = plan.target(column);
                if view.tagged(target.column, target.from_template)?.is_none() {
                    // Callbacks that are stored in databases are not made unless the engine is told to.
                    let what = "a default value that a callback computes";
                    return Err(TableError::refused(what, JetError::CALLBACK_FAILED));
                }
            }
            Found::Null
        }
        Some(ColumnContent::Value(value)) => Found::Bytes(value),
        Some(ColumnContent::Default(value)) if !column.id.is_tagged() => Found::Bytes(value),
        Some(ColumnContent::Default(value)) => {
            if instance != 1 || flags.contains(RetrieveFlags::IGNORE_DEFAULT) {
                Found::Null
            } else if long {
                Found::Long(TaggedValue::Plain(value))
            } else {
                Found::Bytes(value)
            }
        }
        Some(ColumnContent::Tagged(tagged)) => {
            let Some(number) = (instance as usize).checked_sub(1) else {
                let what = "values are counted from 1";
                return Err(TableError::refused(what, JetError::BAD_ITAG_SEQUENCE));
            };
            match tagged.values().nth(number).transpose()? {
                None => Found::Null,
                Some(TaggedValue::Plain(value)) if !long => Found::Bytes(value),
                Some(value) => Found::Long(value),
            }
        }
    })
}

/// Value number `wanted` of all values of tagged columns, and its column.
#[doc(alias = "ErrRECIScanTaggedColumns")]
fn scan_tagged<'a>(
    plan: &'a TablePlan,
    view: &RecordView<'a>,
    wanted: u32,
    flags: RetrieveFlags,
) -> Result<(u32, Found<'a>)> {
    let mut left = wanted;
    let tagged = |column: &ColumnDefinition| column.id >= ColumnId(*ColumnId::TAGGED.start());
    for (place, column) in plan.table().columns.iter().enumerate().filter(|(_, c)| tagged(c)) {
        let content = column_content(plan.table(), view, place)?;
        let values = match &content {
            None => continue,
            Some(ColumnContent::Default(_)) if flags.contains(RetrieveFlags::IGNORE_DEFAULT) => continue,
            Some(ColumnContent::Tagged(tagged)) => tagged.values().count() as u32,
            Some(_) => 1,
        };
        if left <= values {
            return Ok((column.api_id(), find(plan, view, place, column, left, flags)?));
        }
        left -= values;
    }
    Ok((0, Found::Null))
}
