//! What cursors need to know of a version of their table, made once for it.

use std::sync::Arc;

use ese_format::{
    ColumnId, ColumnState, KeyRules, LongValueId, PageSize, RecordBuffer, RecordColumns, RecordView,
    SearchSegment, TaggedTarget, largest_record,
};

use super::error::{Result, TableError};
use super::tree::RowTree;
use crate::catalog::{ColumnDefinition, ColumnFlags, TableDefinition, TableFlags};
use crate::reader::{IndexKeys, default_of};
use crate::schema::TableSchema;

/// Bytes of a key in a table without primary index.
const SEQUENTIAL_KEY: usize = 4;

/// An index of a table, ready for use.
#[derive(Debug)]
pub(super) struct PlanIndex {
    /// Place in the definition's list.
    pub(super) place: usize,
    pub(super) keys: IndexKeys,
    pub(super) tree: RowTree,
    pub(super) segments: Vec<SearchSegment>,
    /// Rules of search keys: those of a primary index are no longer than the longest key that its columns allow.
    #[doc(alias = "FILEIMinimizePrimaryCbKeyMost")]
    pub(super) search_rules: KeyRules,
    /// The first segment is a placeholder that searches skip.
    pub(super) placeholder: Option<[u8; 2]>,
}

/// A fixed or variable column, ready for reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct UntaggedColumn {
    id: ColumnId,
    /// Place in the definition's list.
    place: usize,
    /// Offset and size of a fixed column in rows.
    slot: Option<(usize, usize)>,
}

/// A version of a table, ready for use.
#[derive(Debug)]
pub(super) struct TablePlan {
    pub(super) schema: Arc<TableSchema>,
    pub(super) rows: RowTree,
    /// The primary index, unless rows are in the order of their insertion.
    pub(super) primary: Option<PlanIndex>,
    pub(super) secondary: Vec<PlanIndex>,
    pub(super) page_size: PageSize,
    /// New long values get ids of 64 bits.
    pub(super) wide_ids: bool,
    /// Size of a long value's chunk.
    pub(super) chunk_size: u32,
    /// Longest row.
    pub(super) row_limit: usize,
    /// Slots of the fixed columns, by number.
    slots: Vec<Option<(usize, usize)>>,
    /// Fixed and variable columns that are not deleted, by number in the engine's interface.
    untagged: Vec<Option<UntaggedColumn>>,
    /// Places of the fixed and variable columns with default values, by number.
    defaults: Vec<Option<usize>>,
    /// What a new row begins with.
    pub(super) default_row: Vec<u8>,
    /// A temporary table: not logged, nothing to ask the session for.
    pub(super) temporary: bool,
    /// Sorted rows that are only read: their tree is in the order of their numbers.
    pub(super) sorted: bool,
    /// Long values stay in their rows.
    #[doc(alias = "FIntrinsicLVsOnly")]
    pub(super) intrinsic_only: bool,
}

impl RecordColumns for TablePlan {
    fn fixed_slot(&self, column: ColumnId) -> Option<(usize, usize)> {
        self.slots.get(usize::from(column.0)).copied().flatten()
    }

    fn default_value(&self, column: ColumnId) -> Option<&[u8]> {
        let place = self.defaults.get(usize::from(column.0)).copied().flatten()?;
        self.schema.definition.columns.get(place)?.default_value.as_deref()
    }
}

impl TablePlan {
    pub(super) fn new(schema: Arc<TableSchema>, page_size: PageSize, wide_ids: bool) -> Self {
        Self::build(schema, page_size, wide_ids, false)
    }

    /// A temporary table.
    pub(super) fn temporary(
        schema: Arc<TableSchema>,
        page_size: PageSize,
        sorted: bool,
        intrinsic_only: bool,
    ) -> Self {
        Self { sorted, intrinsic_only, ..Self::build(schema, page_size, true, true) }
    }

    fn build(schema: Arc<TableSchema>, page_size: PageSize, wide_ids: bool, temporary: bool) -> Self {
        let table = &schema.definition;
        let mut slots = vec![None; 128];
        let mut untagged = vec![None; 256];
        let mut defaults = vec![None; 256];
        for (place, column) in table.columns.iter().enumerate() {
            let number = usize::from(column.id.0);
            if let (Some(slot), Some(offset)) = (slots.get_mut(number), column.record_offset) {
                *slot = Some((usize::from(offset), column.slot_size()));
            }
            if !column.is_deleted()
                && !column.id.is_tagged()
                && let Some(known) = untagged.get_mut(column.api_id() as usize)
            {
                let slot = column.record_offset.map(|offset| (usize::from(offset), column.slot_size()));
                let slot = if column.id.is_fixed() { slot.or(Some((usize::MAX, 0))) } else { None };
                *known = Some(UntaggedColumn { id: column.id, place, slot });
            }
            if !column.is_deleted()
                && column.default_value.is_some()
                && column.flags.contains(ColumnFlags::DEFAULT)
                && let Some(default) = defaults.get_mut(number)
            {
                *default = Some(place);
            }
        }
        let mut primary = None;
        let mut secondary = Vec::new();
        for (place, index) in schema.indexes.iter().enumerate() {
            let definition = &index.definition;
            let keys = IndexKeys::new(table, definition);
            let mut placeholder = None;
            let mut segments = Vec::with_capacity(definition.segments.len());
            for (number, segment) in definition.segments.iter().enumerate() {
                let Some((_, column)) = table.column_of(segment) else { continue };
                let tuple = definition.tuple_limits.filter(|_| number == 0).map(|l| (l.min, l.max));
                segments.push(SearchSegment {
                    kind: column.segment_kind(),
                    descending: segment.descending,
                    slot_size: column.id.is_fixed().then(|| column.slot_size()),
                    tuple,
                });
                if number == 0 && column.flags.contains(ColumnFlags::PRIMARY_INDEX_PLACEHOLDER) {
                    placeholder = Some(if segment.descending { [0x80, 0xFF] } else { [0x7F, 0] });
                }
            }
            let search_rules = *keys.rules();
            let tree = RowTree(index.tree);
            let mut index = PlanIndex { place, keys, tree, segments, search_rules, placeholder };
            if definition.is_primary() {
                index.search_rules.key_most = longest_key(table, &index);
            }
            if definition.is_primary() {
                primary = Some(index);
            } else if index.keys.is_complete() {
                secondary.push(index);
            }
        }
        let key_most = primary.as_ref().map_or(SEQUENTIAL_KEY, |index| longest_key(table, index));
        let mut plan = Self {
            rows: RowTree(schema.tree),
            primary,
            secondary,
            page_size,
            wide_ids,
            chunk_size: table.chunk_size(page_size).max(1),
            row_limit: largest_record(page_size, key_most),
            slots,
            untagged,
            defaults,
            default_row: Vec::new(),
            temporary,
            sorted: false,
            intrinsic_only: false,
            schema,
        };
        plan.default_row = plan.make_default_row();
        plan
    }

    fn make_default_row(&self) -> Vec<u8> {
        let mut row = RecordBuffer::new(self.page_size, self.row_limit);
        for number in 1..256 {
            let id = ColumnId(number);
            let Some(value) = self.default_value(id) else { continue };
            // A default that does not fit is left out, as one that is not there.
            let _ = if id.is_fixed() {
                row.set_fixed(self, id, Some(value))
            } else {
                row.set_variable(self, id, Some(value))
            };
        }
        row.bytes().to_vec()
    }

    pub(super) fn table(&self) -> &TableDefinition {
        &self.schema.definition
    }

    /// A live fixed or variable column, by its number in the engine's interface. `None` says nothing.
    #[inline]
    pub(super) fn untagged(&self, id: u32) -> Option<UntaggedColumn> {
        self.untagged.get(id as usize).copied().flatten()
    }

    /// What a row has for such a column; `None` for null.
    #[inline]
    pub(super) fn untagged_value<'a>(
        &'a self,
        row: &RecordView<'a>,
        column: &UntaggedColumn,
    ) -> Result<Option<&'a [u8]>> {
        let state = match column.slot {
            Some((offset, size)) => row.fixed(column.id, offset, size)?,
            None => row.variable(column.id)?,
        };
        Ok(match state {
            ColumnState::Value(value) => Some(value),
            ColumnState::Null => None,
            ColumnState::Absent => self.table().columns.get(column.place).and_then(default_of),
        })
    }

    /// A live column by its number in the engine's interface.
    #[doc(alias = "ErrRECIAccessColumn")]
    pub(super) fn column(&self, id: u32) -> Result<(usize, &ColumnDefinition)> {
        let number = id & 0x7FFF_FFFF;
        if number == 0 || number > u32::from(*ColumnId::TAGGED.end()) {
            return Err(TableError::BadColumnId { id });
        }
        match self.schema.column_by_id(id) {
            Some(found) => Ok(found),
            None => Err(TableError::ColumnNotFound { id }),
        }
    }

    /// How a tagged column is named in rows of this table.
    pub(super) fn target(&self, column: &ColumnDefinition) -> TaggedTarget {
        let is_template = self.table().flags.contains(TableFlags::TEMPLATE);
        TaggedTarget {
            column: column.id,
            from_template: column.from_template && !is_template,
            long_value: column.kind.is_long_value(),
            explicit_null: column.flags.contains(ColumnFlags::DEFAULT),
        }
    }

    /// The tree of long values, once there is one.
    pub(super) fn long_values(&self) -> Option<RowTree> {
        self.schema.long_values().map(RowTree)
    }

    /// Bytes of a new long value's id in a row.
    pub(super) const fn id_len(&self) -> usize {
        if self.wide_ids { 8 } else { 4 }
    }

    /// Longest value that may be kept in a row, whatever is asked for.
    #[doc(alias = "CbLVIntrinsicTableMost")]
    pub(super) const fn most_intrinsic(&self) -> usize {
        // Header, entry of the array, extended-info byte.
        self.row_limit.saturating_sub(4 + 4 + 1)
    }
}

/// Longest key that an index can have: fewer bytes than its limit where all of its columns have a fixed size.
#[doc(alias = "ErrFILEIGenerateIDB")]
fn longest_key(table: &TableDefinition, index: &PlanIndex) -> usize {
    let limit = index.keys.rules().key_most;
    let Some(definition) = table.indexes.get(index.place) else { return limit };
    let segment_most = definition.segment_most.map(usize::from).filter(|&most| most != limit);
    let mut longest = 0;
    for segment in &definition.segments {
        let Some((_, column)) = table.column_of(segment) else { return limit };
        longest += match column.kind.fixed_size() {
            Some(size) => 1 + size,
            None => {
                let fixed = (column.id.is_fixed() && !column.kind.is_text()).then(|| 1 + column.slot_size());
                match (fixed, segment_most) {
                    (Some(size), Some(most)) => size.min(most),
                    (Some(size), None) | (None, Some(size)) => size,
                    (None, None) => return limit,
                }
            }
        };
    }
    longest.min(limit)
}

/// Numbers of long values.
impl TablePlan {
    /// The id after `last`.
    pub(super) fn id_after(&self, last: u64) -> Result<LongValueId> {
        const FIRST_WIDE: u64 = 0x8000_0000_8000_0001;
        const LAST_SHORT: u64 = 0x7FFF_FEFF;
        let (first, most) = if self.wide_ids { (FIRST_WIDE, u64::MAX) } else { (1, LAST_SHORT) };
        let next = last.checked_add(1).map(|id| id.max(first)).filter(|&id| id <= most);
        let out = TableError::refused(
            "no ids of long values are left",
            ese_format::JetError::OUT_OF_LONG_VALUE_I_DS,
        );
        next.map(LongValueId).ok_or(out)
    }
}
