//! Temporary tables: sorts, and tables of one session without a database. They are kept in memory.

use std::sync::Arc;

use ese_btree::live::LiveError;
use ese_format::{
    Collation, CollationError, ColumnId, ColumnKind, JetError, KeySegment, ObjectId, PageNumber, RecordView,
    StoredCollation,
};
use ese_log::record::DatabaseSlot;
use parking_lot::Mutex;

use super::Table;
use super::cursor::{Cursor, Location};
use super::error::{Result, TableError};
use super::plan::TablePlan;
use super::update::PrepareKind;
use super::write::check_nulls;
use crate::builder::definition::SORT_VERSION;
use crate::catalog::{
    ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, TableDefinition, TableFlags,
};
use crate::ddl::key_limit;
use crate::schema::{TableSchema, TableShared};
use crate::session::{Session, SessionCallGuard, SessionShared};
use crate::state::SessionCall;

/// Flags for the normalisation of text where nothing else is said.
const NORMALIZATION_FLAGS: u32 = 0x0003_0401;
/// Longest key where nothing else is said.
const KEY_MOST: u16 = 255;

bitflags::bitflags! {
    /// Options of a temporary table. Unknown bits are ignored.
    #[doc(alias = "JetOpenTemporaryTable")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TemporaryTableFlags: u32 {
        /// Can be searched.
        #[doc(alias = "JET_bitTTIndexed")]
        const INDEXED = 0x1;
        /// Rows with equal keys are one.
        #[doc(alias = "JET_bitTTUnique")]
        const UNIQUE = 0x2;
        /// Rows can be changed once they are sorted.
        #[doc(alias = "JET_bitTTUpdatable")]
        const UPDATABLE = 0x4;
        /// Can be moved through backwards.
        #[doc(alias = "JET_bitTTScrollable")]
        const SCROLLABLE = 0x8;
        /// Nulls sort behind values.
        #[doc(alias = "JET_bitTTSortNullsHigh")]
        const NULLS_HIGH = 0x10;
        /// A table from the beginning, not a sort.
        #[doc(alias = "JET_bitTTForceMaterialization")]
        const FORCE_MATERIALIZATION = 0x20;
        /// Is only gone through once, and rows with equal keys stay.
        #[doc(alias = "JET_bitTTForwardOnly")]
        const FORWARD_ONLY = 0x40;
        /// Long values stay in their rows.
        #[doc(alias = "JET_bitTTIntrinsicLVsOnly")]
        const INTRINSIC_LONG_VALUES = 0x80;
        /// GUIDs sort as .NET compares them.
        #[doc(alias = "JET_bitTTDotNetGuid")]
        const DOT_NET_GUID = 0x100;
    }
}

/// A column of a temporary table.
#[doc(alias = "JET_COLUMNDEF")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporaryColumn {
    /// Type.
    pub kind: ColumnKind,
    /// Code page of text: 1252 (or 0) or 1200.
    pub code_page: u16,
    /// Largest size of text and binary; 0 for the type's own.
    pub max_size: u32,
    /// Text or binary in a slot of its largest size.
    #[doc(alias = "JET_bitColumnFixed")]
    pub fixed: bool,
    /// Several values.
    #[doc(alias = "JET_bitColumnTagged")]
    pub tagged: bool,
    /// Part of the key; the order of these columns is that of the segments.
    #[doc(alias = "JET_bitColumnTTKey")]
    pub key: bool,
    /// Sorted from high to low.
    #[doc(alias = "JET_bitColumnTTDescending")]
    pub descending: bool,
}

impl TemporaryColumn {
    /// A column that is no part of the key.
    #[must_use]
    pub const fn new(kind: ColumnKind) -> Self {
        let (fixed, tagged, key, descending) = (false, false, false, false);
        Self { kind, code_page: 1252, max_size: 0, fixed, tagged, key, descending }
    }

    /// A column of the key, from low to high.
    #[must_use]
    pub const fn key(kind: ColumnKind) -> Self {
        let mut column = Self::new(kind);
        column.key = true;
        column
    }
}

/// What a temporary table is to look like.
#[doc(alias = "JET_OPENTEMPORARYTABLE2")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemporaryTableSpec {
    /// Columns.
    pub columns: Vec<TemporaryColumn>,
    /// Options.
    pub flags: TemporaryTableFlags,
    /// Longest key; 255 when not said.
    #[doc(alias = "cbKeyMost")]
    pub key_most: Option<u16>,
    /// Longest segment of text or binary.
    #[doc(alias = "cbVarSegMac")]
    pub segment_most: Option<u16>,
    /// Locale of Unicode text; en-US when not said.
    pub locale: Option<String>,
    /// Flags for the normalisation of Unicode text.
    #[doc(alias = "dwMapFlags")]
    pub normalization_flags: Option<u32>,
}

/// How far a temporary table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Rows are inserted; nothing is sorted yet.
    Filling,
    /// Rows are read, and cannot be changed.
    Sorted,
    /// A table as others are.
    Table,
}

/// What the cursors of a temporary table share.
#[derive(Clone, Debug)]
pub(super) struct TemporaryState {
    flags: TemporaryTableFlags,
    phase: Arc<Mutex<Phase>>,
}

/// How the engine sorts text where nothing else is said.
pub(super) fn default_collation() -> std::result::Result<Collation, CollationError> {
    Collation::new(&StoredCollation {
        locale_name: Some("en-US"),
        locale_id: 0,
        sort_id: None,
        version: Some(&SORT_VERSION),
        flags: NORMALIZATION_FLAGS,
    })
}

fn definition(spec: &TemporaryTableSpec, key_limit: u16) -> Result<(TableDefinition, Vec<u32>)> {
    let key_most = spec.key_most.filter(|&most| most != 0);
    let longest = key_most.unwrap_or(KEY_MOST);
    if longest < KEY_MOST || longest > key_limit || spec.segment_most.is_some_and(|most| most > longest) {
        return Err(TableError::parameter("a longest key that cannot be"));
    }
    let mut next = [*ColumnId::FIXED.start(), *ColumnId::VARIABLE.start(), *ColumnId::TAGGED.start()];
    let lasts = [*ColumnId::FIXED.end(), *ColumnId::VARIABLE.end(), *ColumnId::TAGGED.end()];
    let mut offset = 4_u16;
    let mut columns = Vec::with_capacity(spec.columns.len());
    let mut ids = Vec::with_capacity(spec.columns.len());
    let mut segments = Vec::new();
    let mut localized = false;
    for column in &spec.columns {
        let size = column.kind.fixed_size();
        if column.kind.name().is_none() || matches!(column.kind, ColumnKind::NIL | ColumnKind::SLV) {
            let what = "no type for columns";
            return Err(TableError::refused(what, JetError::INVALID_COLUMN_TYPE));
        }
        if column.kind.is_text() && !matches!(column.code_page, 0 | 1200 | 1252) {
            return Err(TableError::refused("unknown code page", JetError::INVALID_CODE_PAGE));
        }
        let form = if column.tagged || column.kind.is_long_value() {
            2
        } else {
            usize::from(size.is_none() && !column.fixed)
        };
        let too_many = || TableError::refused("too many columns", JetError::TOO_MANY_COLUMNS);
        let last = lasts.get(form).copied().unwrap_or_default();
        let number = next.get_mut(form).filter(|number| **number <= last).ok_or_else(too_many)?;
        let id = ColumnId(*number);
        *number += 1;
        let max_size = match size {
            Some(size) => size as u32,
            None if column.kind.is_long_value() => column.max_size,
            None => {
                if column.max_size == 0 {
                    255
                } else {
                    column.max_size.min(255)
                }
            }
        };
        let mut record_offset = None;
        if form == 0 {
            record_offset = Some(offset);
            let end = u16::try_from(max_size).ok().and_then(|size| offset.checked_add(size));
            offset = end.ok_or_else(|| TableError::refused("too long", JetError::RECORD_TOO_BIG))?;
        }
        let code_page = match (column.kind.is_text(), column.code_page) {
            (true, 1200) => 1200,
            (true, _) => 1252,
            _ => 0,
        };
        if column.key && segments.len() < 16 {
            localized |= code_page == 1200;
            segments.push(KeySegment {
                column: id,
                from_template: false,
                descending: column.descending,
                must_be_null: false,
            });
        }
        ids.push(u32::from(id.0));
        columns.push(ColumnDefinition {
            name: format!("{}", id.0),
            id,
            from_template: false,
            kind: column.kind,
            max_size,
            flags: ColumnFlags::empty(),
            code_page,
            record_offset,
            default_value: None,
        });
    }
    columns.sort_by_key(ColumnDefinition::api_id);
    let mut indexes = Vec::new();
    if !segments.is_empty() {
        let mut flags = IndexFlags::UNIQUE
            | IndexFlags::PRIMARY
            | IndexFlags::ALLOW_ALL_NULLS
            | IndexFlags::ALLOW_FIRST_NULL
            | IndexFlags::ALLOW_SOME_NULLS
            | IndexFlags::EXTENDED_SEGMENTS;
        flags.set(IndexFlags::LOCALIZED_TEXT, localized);
        flags.set(IndexFlags::NULLS_HIGH, spec.flags.contains(TemporaryTableFlags::NULLS_HIGH));
        flags.set(IndexFlags::DOT_NET_GUID, spec.flags.contains(TemporaryTableFlags::DOT_NET_GUID));
        let index = IndexDefinition {
            name: String::new(),
            object_id: ObjectId(0),
            root: PageNumber::NONE,
            flags,
            segments,
            conditions: Vec::new(),
            key_most: longest,
            segment_most: spec.segment_most.filter(|&most| most != 0),
            tuple_limits: None,
            normalization_flags: spec.normalization_flags.unwrap_or(NORMALIZATION_FLAGS),
            locale_name: Some(spec.locale.clone().unwrap_or_else(|| "en-US".to_owned())),
            locale_id: 0,
            sort_version: Some(SORT_VERSION.to_vec()),
            sort_id: None,
        };
        if localized {
            index.collation().map_err(|error| TableError::Key(error.into()))?;
        }
        indexes.push(index);
    }
    let table = TableDefinition {
        name: String::new(),
        object_id: ObjectId(0),
        root: PageNumber::NONE,
        flags: TableFlags::empty(),
        template: None,
        chunk_size: None,
        columns,
        indexes,
        long_values: None,
    };
    Ok((table, ids))
}

impl Session {
    /// Opens a temporary table. Returns it with the numbers of its columns, in the order given.
    ///
    /// It begins as a sort: rows are inserted, and the first move, seek or range ends that. Afterwards rows can be changed only
    /// in a table that is [updatable](TemporaryTableFlags::UPDATABLE). Tables without key columns and those with long values
    /// are tables from the beginning. Changes are not taken back when a transaction is.
    ///
    /// # Errors
    /// `Refused` with the engine's numbers for options that do not go together and columns that cannot be.
    #[doc(alias = "JetOpenTempTable")]
    #[doc(alias = "JetOpenTemporaryTable2")]
    pub fn open_temporary_table(&self, spec: &TemporaryTableSpec) -> Result<(Table, Vec<u32>)> {
        Table::open_temporary_on(Arc::clone(&self.shared), spec)
    }
}

impl Table {
    pub(super) fn open_temporary_on(
        session: Arc<SessionShared>,
        spec: &TemporaryTableSpec,
    ) -> Result<(Self, Vec<u32>)> {
        drop(session.enter(SessionCall::Ordinary)?);
        let page_size = session.instance.parameters().page_size();
        let flags = spec.flags;
        let cannot = || {
            let what = "a sort that is gone through once is no table";
            TableError::refused(what, JetError::CANNOT_MATERIALIZE_FORWARD_ONLY_SORT)
        };
        let forward_only = flags.contains(TemporaryTableFlags::FORWARD_ONLY);
        let table_wanted = TemporaryTableFlags::INDEXED
            | TemporaryTableFlags::UPDATABLE
            | TemporaryTableFlags::SCROLLABLE
            | TemporaryTableFlags::FORCE_MATERIALIZATION;
        if forward_only && flags.intersects(table_wanted) {
            return Err(cannot());
        }
        let (definition, ids) = definition(spec, key_limit(page_size))?;
        let long = spec.columns.iter().any(|column| column.kind.is_long_value());
        let is_table = definition.indexes.is_empty()
            || long && !flags.contains(TemporaryTableFlags::INTRINSIC_LONG_VALUES)
            || flags.contains(TemporaryTableFlags::FORCE_MATERIALIZATION);
        if is_table && forward_only {
            return Err(cannot());
        }
        let shared = TableShared::new(ObjectId(0), &Arc::default());
        let schema = Arc::new(TableSchema::new(DatabaseSlot(0), definition, shared, 0));
        let plan = TablePlan::in_memory(schema, page_size);
        let phase = if is_table { Phase::Table } else { Phase::Filling };
        let mut cursor = Cursor::new(Arc::new(plan));
        cursor.location = Location::BeforeFirst;
        let temporary = TemporaryState { flags, phase: Arc::new(Mutex::new(phase)) };
        Ok((Self { session, database: None, opened: None, temporary: Some(temporary), cursor }, ids))
    }

    fn phase(&self) -> Option<Phase> {
        self.temporary.as_ref().map(|state| *state.phase.lock())
    }

    /// Whether rows are being inserted into a sort.
    pub(super) fn is_being_filled(&self) -> bool {
        self.phase() == Some(Phase::Filling)
    }

    /// The first move ends the insertion into a sort.
    #[doc(alias = "ErrTTEndInsert")]
    pub(super) fn end_insertion(&mut self) -> Result<()> {
        if !self.is_being_filled() {
            return Ok(());
        }
        self.cursor.prepared = None;
        self.cursor.location = Location::BeforeFirst;
        if let Some(state) = &self.temporary {
            let updatable = state.flags.contains(TemporaryTableFlags::UPDATABLE);
            *state.phase.lock() = if updatable { Phase::Table } else { Phase::Sorted };
        }
        Ok(())
    }

    /// Reads do not end it: there is a row in preparation to be read, or none.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "beside the others that end it")]
    pub(super) const fn end_insertion_for_reading(&self) -> Result<()> {
        Ok(())
    }

    fn illegal() -> TableError {
        TableError::refused("not possible with this temporary table", JetError::ILLEGAL_OPERATION)
    }

    /// Whether a sort may be gone through backwards.
    pub(super) fn check_backwards(&self, backwards: bool) -> Result<()> {
        if backwards { self.check_search() } else { Ok(()) }
    }

    /// Whether a sort may be searched.
    pub(super) fn check_search(&self) -> Result<()> {
        let Some(state) = &self.temporary else { return Ok(()) };
        let free = TemporaryTableFlags::INDEXED | TemporaryTableFlags::SCROLLABLE;
        if self.phase() == Some(Phase::Sorted) && !state.flags.intersects(free) {
            return Err(Self::illegal());
        }
        Ok(())
    }

    /// Whether a row of this kind may be prepared.
    pub(super) fn check_preparation(&self, kind: PrepareKind) -> Result<()> {
        match self.phase() {
            Some(Phase::Filling) if kind != PrepareKind::Insert => Err(Self::illegal()),
            Some(Phase::Sorted) => Err(Self::illegal()),
            _ => Ok(()),
        }
    }

    /// Whether rows may be changed.
    pub(super) fn check_changes(&self) -> Result<()> {
        if self.phase() == Some(Phase::Sorted) { Err(Self::illegal()) } else { Ok(()) }
    }

    /// Puts the prepared row into a sort.
    #[doc(alias = "ErrIsamSortUpdate")]
    pub(super) fn insert_while_filling(&mut self, bookmark: &mut Vec<u8>) -> Result<()> {
        let flags = self.temporary.as_ref().map(|state| state.flags).unwrap_or_default();
        let keep_all =
            flags.contains(TemporaryTableFlags::FORWARD_ONLY) && !flags.contains(TemporaryTableFlags::UNIQUE);
        self.call(|cursor, call| cursor.insert_into_sort(call, keep_all, bookmark))
    }
}

impl Cursor {
    fn insert_into_sort(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        keep_all: bool,
        key: &mut Vec<u8>,
    ) -> Result<()> {
        if self.prepared.is_none() {
            return Err(TableError::UpdateNotPrepared);
        }
        let plan = Arc::clone(&self.plan);
        let row = RecordView::parse(self.copy.bytes(), plan.page_size)?;
        check_nulls(&plan, &row)?;
        let Some(primary) = &plan.primary else { return Err(TableError::NoCurrentIndex) };
        let tree = plan.long_values();
        let mut values = Self::values(&mut self.buffers, &plan, tree.as_ref(), call)?;
        primary.keys.base_key(plan.table(), &row, &mut values, key)?;
        if keep_all {
            plan.rows.insert_beside(key, self.copy.bytes());
        } else {
            let (trees, state) = call.parts()?;
            match plan.rows.insert(trees, state, key, self.copy.bytes()) {
                // Of rows with equal keys the first one stays.
                Err(TableError::Live(LiveError::KeyDuplicate { .. })) => {}
                done => done?,
            }
        }
        self.prepared = None;
        Ok(())
    }
}
