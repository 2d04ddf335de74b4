//! All columns of a row at once.

use std::sync::Arc;

use ese_format::{ColumnState, JetError, RecordView, TaggedValue};

use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::long_values::ValueSource;
use super::plan::TablePlan;
use super::update::{PrepareKind, hidden_edits};
use super::write::long_values_of;
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::reader::{ColumnContent, PlainValues, column_content};
use crate::session::SessionCallGuard;

bitflags::bitflags! {
    /// Options of enumerating columns. Unknown bits are refused.
    #[doc(alias = "JetEnumerateColumns")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EnumerateFlags: u32 {
        /// Of the row being prepared.
        #[doc(alias = "JET_bitEnumerateCopy")]
        const COPY = 0x1;
        /// Default values do not count.
        #[doc(alias = "JET_bitEnumerateIgnoreDefault")]
        const IGNORE_DEFAULT = 0x20;
        /// Says only which columns have values.
        #[doc(alias = "JET_bitEnumeratePresenceOnly")]
        const PRESENCE_ONLY = 0x2_0000;
        /// Tagged columns only. Not with a list of columns.
        #[doc(alias = "JET_bitEnumerateTaggedOnly")]
        const TAGGED_ONLY = 0x4_0000;
        /// Single values of columns come without a list.
        #[doc(alias = "JET_bitEnumerateCompressOutput")]
        const COMPRESS_OUTPUT = 0x8_0000;
        /// Default values that a callback makes do not count; they are never made.
        #[doc(alias = "JET_bitEnumerateIgnoreUserDefinedDefault")]
        const IGNORE_USER_DEFINED_DEFAULT = 0x10_0000;
        /// Values that are stored apart are not read.
        #[doc(alias = "JET_bitEnumerateInRecordOnly")]
        const IN_RECORD_ONLY = 0x20_0000;
        /// References to values that are stored apart; such values are refused, for references are not supported.
        #[doc(alias = "JET_bitEnumerateAsRefIfNotInRecord")]
        const AS_REFERENCE = 0x40_0000;
    }
}

/// What is to be enumerated of one column.
#[doc(alias = "JET_ENUMCOLUMNID")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnumerateColumn {
    /// The column; 0 is passed over.
    pub column: u32,
    /// Numbers of the values; none for all. 0 is passed over.
    pub instances: Vec<u32>,
}

/// A column as enumerated.
#[doc(alias = "JET_ENUMCOLUMN")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumeratedColumn {
    /// The column.
    pub column: u32,
    /// The engine's number: success; null, present, single value, default, skipped; an error.
    pub status: JetError,
    /// The values; with the status for a single value, that one.
    pub values: Vec<EnumeratedValue>,
}

/// A value as enumerated.
#[doc(alias = "JET_ENUMCOLUMNVALUE")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumeratedValue {
    /// Its number, from 1.
    pub instance: u32,
    /// The engine's number: success; null, skipped, truncated, not in the record.
    pub status: JetError,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Sizes of a row.
#[doc(alias = "JET_RECSIZE3")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordSize {
    /// Bytes of values in the row, plain.
    #[doc(alias = "cbData")]
    pub data: u64,
    /// Bytes of values that are stored apart, plain.
    #[doc(alias = "cbLongValueData")]
    pub long_value_data: u64,
    /// Bytes of the row that are no values.
    #[doc(alias = "cbOverhead")]
    pub overhead: u64,
    /// Bytes of keys and roots of values that are stored apart.
    #[doc(alias = "cbLongValueOverhead")]
    pub long_value_overhead: u64,
    /// Fixed and variable columns.
    #[doc(alias = "cNonTaggedColumns")]
    pub non_tagged_columns: u64,
    /// Tagged columns.
    #[doc(alias = "cTaggedColumns")]
    pub tagged_columns: u64,
    /// Values that are stored apart.
    #[doc(alias = "cLongValues")]
    pub long_values: u64,
    /// Values of columns beyond the first.
    #[doc(alias = "cMultiValues")]
    pub multi_values: u64,
    /// Values of the row that are compressed.
    #[doc(alias = "cCompressedColumns")]
    pub compressed_columns: u64,
    /// Bytes of values in the row, as stored.
    #[doc(alias = "cbDataCompressed")]
    pub data_compressed: u64,
    /// Bytes of values that are stored apart, as stored.
    #[doc(alias = "cbLongValueDataCompressed")]
    pub long_value_data_compressed: u64,
    /// Bytes of long values in the row, plain.
    #[doc(alias = "cbIntrinsicLongValueData")]
    pub intrinsic_long_value_data: u64,
    /// Bytes of long values in the row, as stored.
    #[doc(alias = "cbIntrinsicLongValueDataCompressed")]
    pub intrinsic_long_value_data_compressed: u64,
    /// Long values in the row.
    #[doc(alias = "cIntrinsicLongValues")]
    pub intrinsic_long_values: u64,
    /// Bytes of the primary key.
    #[doc(alias = "cbKey")]
    pub key: u64,
}

bitflags::bitflags! {
    /// Options of measuring a row. Unknown bits are refused.
    #[doc(alias = "JetGetRecordSize")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RecordSizeFlags: u32 {
        /// Of the row being prepared.
        #[doc(alias = "JET_bitRecordSizeInCopyBuffer")]
        const COPY = 0x1;
        /// Adds to the sizes that are there.
        #[doc(alias = "JET_bitRecordSizeRunningTotal")]
        const RUNNING_TOTAL = 0x2;
        /// Without values that are stored apart.
        #[doc(alias = "JET_bitRecordSizeLocal")]
        const LOCAL = 0x4;
    }
}

/// Bytes that a node takes on its page beside key and data: its tag, and the length of its key.
#[doc(alias = "cbInsertionOverhead")]
const NODE: u64 = 4 + 2;

/// How values are given out.
struct Giving<'a> {
    flags: EnumerateFlags,
    /// Most bytes of a value that is stored apart.
    most: usize,
    source: ValueSource<'a>,
}

impl Giving<'_> {
    fn value(&mut self, instance: u32, value: TaggedValue<'_>) -> Result<EnumeratedValue> {
        let mut data = Vec::new();
        let mut status = JetError::SUCCESS;
        match value {
            TaggedValue::Separated(_) if self.flags.contains(EnumerateFlags::IN_RECORD_ONLY) => {
                status = JetError::WRN_COLUMN_NOT_IN_RECORD;
            }
            TaggedValue::Separated(_) if self.flags.contains(EnumerateFlags::AS_REFERENCE) => {
                return Err(TableError::flags());
            }
            TaggedValue::Separated(id) => {
                let length = self.source.read(id, 0, self.most, |piece| data.extend_from_slice(piece))?;
                if length > self.most {
                    status = JetError::WRN_COLUMN_TRUNCATED;
                }
            }
            value => self.source.head(value, usize::MAX, &mut data)?,
        }
        Ok(EnumeratedValue { instance, status, data })
    }

    /// Every value of a column, or those that are asked for.
    fn column(
        &mut self,
        column: u32,
        content: Option<ColumnContent<'_>>,
        instances: &[u32],
    ) -> Result<EnumeratedColumn> {
        let status = |status| EnumeratedColumn { column, status, values: Vec::new() };
        let all = match &content {
            None => Vec::new(),
            Some(ColumnContent::Value(value) | ColumnContent::Default(value)) => {
                vec![TaggedValue::Plain(value)]
            }
            Some(ColumnContent::Tagged(tagged)) => {
                let mut all = Vec::new();
                for value in tagged.values() {
                    all.push(value?);
                }
                all
            }
        };
        if instances.is_empty() {
            if all.is_empty() {
                return Ok(status(JetError::WRN_COLUMN_NULL));
            }
            if self.flags.contains(EnumerateFlags::PRESENCE_ONLY) {
                return Ok(status(JetError::WRN_COLUMN_PRESENT));
            }
            let mut values = Vec::with_capacity(all.len());
            for (number, value) in (1..).zip(&all) {
                values.push(self.value(number, *value)?);
            }
            let is_single = matches!(all.as_slice(), [TaggedValue::Plain(_) | TaggedValue::Compressed(_)]);
            let single = is_single && self.flags.contains(EnumerateFlags::COMPRESS_OUTPUT);
            let status = if single { JetError::WRN_COLUMN_SINGLE_VALUE } else { JetError::SUCCESS };
            return Ok(EnumeratedColumn { column, status, values });
        }
        let mut values = Vec::with_capacity(instances.len());
        for &instance in instances {
            let bare = |status| EnumeratedValue { instance, status, data: Vec::new() };
            let value = (instance as usize).checked_sub(1).and_then(|number| all.get(number));
            values.push(match value {
                _ if instance == 0 => bare(JetError::WRN_COLUMN_SKIPPED),
                None => bare(JetError::WRN_COLUMN_NULL),
                Some(_) if self.flags.contains(EnumerateFlags::PRESENCE_ONLY) => {
                    bare(JetError::WRN_COLUMN_PRESENT)
                }
                Some(value) => self.value(instance, *value)?,
            });
        }
        Ok(EnumeratedColumn { column, status: JetError::SUCCESS, values })
    }
}

/// Whether the row itself says something about the column, if only that it is null.
fn is_in_row(plan: &TablePlan, view: &RecordView<'_>, column: &ColumnDefinition) -> Result<bool> {
    Ok(if column.id.is_fixed() {
        column.id.0 <= u16::from(view.last_fixed())
    } else if column.id.is_variable() {
        !matches!(view.variable(column.id)?, ColumnState::Absent)
    } else {
        let target = plan.target(column);
        view.tagged(target.column, target.from_template)?.is_some()
    })
}

impl Cursor {
    pub(super) fn enumerate(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        wanted: &[EnumerateColumn],
        most: usize,
        flags: EnumerateFlags,
    ) -> Result<Vec<EnumeratedColumn>> {
        let listed = !wanted.is_empty();
        let unknown = EnumerateFlags::from_bits(flags.bits()).is_none();
        let both = EnumerateFlags::IN_RECORD_ONLY | EnumerateFlags::AS_REFERENCE;
        if unknown || flags.contains(both) || listed && flags.contains(EnumerateFlags::TAGGED_ONLY) {
            return Err(TableError::flags());
        }
        let plan = Arc::clone(&self.plan);
        let ignored = EnumerateFlags::IGNORE_DEFAULT | EnumerateFlags::IGNORE_USER_DEFINED_DEFAULT;
        let made = |c: &ColumnDefinition| c.flags.contains(ColumnFlags::USER_DEFINED_DEFAULT);
        if !flags.intersects(ignored) && plan.table().columns.iter().any(made) {
            let what = "a default value would have to be made by a callback";
            return Err(TableError::refused(what, JetError::CALLBACK_FAILED));
        }
        let from_copy = flags.contains(EnumerateFlags::COPY) && self.prepared.is_some();
        if !from_copy {
            self.read_row(call)?;
        }
        let unstable = self.prepared.is_some() || plan.temporary;
        if flags.contains(EnumerateFlags::AS_REFERENCE) && unstable {
            return Err(TableError::flags());
        }
        let bytes = if from_copy { self.copy.bytes() } else { self.row.data() };
        let view = RecordView::parse(bytes, plan.page_size)?;
        let tree = plan.long_values();
        let mut source = Self::values(&mut self.buffers, &plan, tree.as_ref(), call)?;
        if !from_copy {
            source.hidden = hidden_edits(self.prepared.as_ref());
        }
        let mut giving = Giving { flags, most, source };
        let mut columns = Vec::new();
        let ignores = flags.contains(EnumerateFlags::IGNORE_DEFAULT);
        if listed {
            for wanted in wanted {
                let status = |status| EnumeratedColumn { column: wanted.column, status, values: Vec::new() };
                if wanted.column == 0 {
                    columns.push(status(JetError::WRN_COLUMN_SKIPPED));
                    continue;
                }
                let (place, column) = match plan.column(wanted.column) {
                    Ok(found) => found,
                    Err(error) => {
                        columns.push(status(error.jet_error()));
                        continue;
                    }
                };
                let content = column_content(plan.table(), &view, place)?;
                if ignores && !is_in_row(&plan, &view, column)? {
                    if wanted.instances.is_empty() {
                        columns.push(status(JetError::WRN_COLUMN_DEFAULT));
                        continue;
                    }
                    let said = |instance| match instance {
                        0 => JetError::WRN_COLUMN_SKIPPED,
                        _ => JetError::WRN_COLUMN_DEFAULT,
                    };
                    let value = |&instance: &u32| EnumeratedValue {
                        instance,
                        status: said(instance),
                        data: Vec::new(),
                    };
                    let values = wanted.instances.iter().map(value).collect();
                    columns.push(EnumeratedColumn { values, ..status(JetError::SUCCESS) });
                    continue;
                }
                columns.push(giving.column(wanted.column, content, &wanted.instances)?);
            }
            return Ok(columns);
        }
        for (place, column) in plan.table().columns.iter().enumerate() {
            if column.is_deleted() || flags.contains(EnumerateFlags::TAGGED_ONLY) && !column.id.is_tagged() {
                continue;
            }
            let content = column_content(plan.table(), &view, place)?;
            let in_row = is_in_row(&plan, &view, column)?;
            if !in_row && (content.is_none() || ignores) {
                continue;
            }
            columns.push(giving.column(column.api_id(), content, &[])?);
        }
        // Fixed, variable, tagged; the template's before the table's own.
        let rank = |id: u32| {
            let number = id & 0x7FFF_FFFF;
            (number >= 128, number >= 256, number >= 256 && id & 0x8000_0000 == 0, number)
        };
        columns.sort_by_key(|column| rank(column.column));
        Ok(columns)
    }

    /// Measures a row.
    #[doc(alias = "ErrRECIGetRecordSize")]
    pub(super) fn record_size(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        flags: RecordSizeFlags,
        size: &mut RecordSize,
    ) -> Result<()> {
        if RecordSizeFlags::from_bits(flags.bits()).is_none() {
            return Err(TableError::flags());
        }
        let from_copy = flags.contains(RecordSizeFlags::COPY) && self.prepared.is_some();
        if !from_copy {
            self.read_row(call)?;
        }
        let plan = Arc::clone(&self.plan);
        let mut sum =
            if flags.contains(RecordSizeFlags::RUNNING_TOTAL) { *size } else { RecordSize::default() };
        let bytes = if from_copy { self.copy.bytes() } else { self.row.data() };
        let view = RecordView::parse(bytes, plan.page_size)?;
        let tree = plan.long_values();
        let mut source = Self::values(&mut self.buffers, &plan, tree.as_ref(), call)?;
        if !from_copy {
            source.hidden = hidden_edits(self.prepared.as_ref());
        }
        let mut stored = 0;
        let mut uncounted = 0;
        for column in plan.table().columns.iter().filter(|c| !c.is_deleted()) {
            let length = if column.id.is_fixed() {
                if column.id.0 > u16::from(view.last_fixed()) {
                    continue;
                }
                column.slot_size()
            } else if column.id.is_variable() {
                match view.variable(column.id)? {
                    ColumnState::Absent => continue,
                    ColumnState::Null => 0,
                    ColumnState::Value(value) => value.len(),
                }
            } else {
                continue;
            };
            sum.non_tagged_columns += 1;
            sum.data += length as u64;
            sum.data_compressed += length as u64;
            stored += length;
        }
        for tagged in view.tagged_columns() {
            let tagged = tagged?;
            sum.tagged_columns += 1;
            let mut count = 0;
            for value in tagged.values() {
                let value = value?;
                count += 1;
                let is_long = tagged.flags.contains(ese_format::TaggedFlags::LONG_VALUE);
                match value {
                    TaggedValue::Separated(id) => {
                        sum.long_values += 1;
                        if flags.contains(RecordSizeFlags::LOCAL) {
                            continue;
                        }
                        let root = source.root(id)?;
                        sum.long_value_data += u64::from(root.size);
                        let chunks = u64::from(root.size.div_ceil(plan.chunk_size));
                        let root_len = root.encode().len() as u64;
                        sum.long_value_overhead += NODE + id.key().len() as u64 + root_len;
                        // The engine takes the key of the row for that of each piece.
                        sum.long_value_overhead += chunks * (NODE + self.row.key().len() as u64);
                    }
                    value => {
                        let plain = source.len(value)? as u64;
                        let kept = value.stored_len() as u64;
                        stored += value.stored_len();
                        sum.data += plain;
                        sum.data_compressed += kept;
                        if matches!(value, TaggedValue::Compressed(_)) {
                            sum.compressed_columns += 1;
                        }
                        if is_long {
                            sum.intrinsic_long_values += 1;
                            sum.intrinsic_long_value_data += plain;
                            sum.intrinsic_long_value_data_compressed += kept;
                        }
                    }
                }
            }
            let is_long = tagged.flags.contains(ese_format::TaggedFlags::LONG_VALUE);
            if count <= 1 && !is_long && plan.page_size.is_large() {
                // The engine does not count the byte that large pages have here and small ones do not.
                uncounted += 1;
            }
            sum.multi_values += u64::from(u32::try_from(count).unwrap_or(0_u32).saturating_sub(1));
        }
        sum.overhead += NODE + bytes.len().saturating_sub(stored + uncounted) as u64;
        let kind = self.prepared.as_ref().map(|prepared| prepared.kind);
        let is_new = kind.is_some_and(|kind| kind.is_insert() || kind == PrepareKind::ReadOnlyCopy);
        if !is_new || !from_copy && flags.contains(RecordSizeFlags::LOCAL) {
            sum.overhead += self.row.key().len() as u64;
            sum.key += self.row.key().len() as u64;
        }
        if !flags.contains(RecordSizeFlags::LOCAL) {
            for id in long_values_of(&view)? {
                sum.long_value_data_compressed += self.stored_size(call, &plan, id)? as u64;
            }
        }
        *size = sum;
        Ok(())
    }
}
