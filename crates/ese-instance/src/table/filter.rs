//! Moves that pass over rows.

use ese_format::{ColumnKind, JetError, KeyRules, RecordView, encode_segment};

use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::{Table, plan::TablePlan};
use crate::catalog::{ColumnDefinition, IndexFlags};
use crate::reader::{ColumnContent, column_content};

/// How a column's value is to compare with the one of a [`ColumnFilter`]. Null comes before everything.
#[doc(alias = "JET_RELOP")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterOperator {
    /// The same.
    #[doc(alias = "JET_relopEquals")]
    Equal,
    /// It begins with the filter's value. Variable binary columns only.
    #[doc(alias = "JET_relopPrefixEquals")]
    BeginsWith,
    /// Another one.
    #[doc(alias = "JET_relopNotEquals")]
    NotEqual,
    /// Less, or the same.
    #[doc(alias = "JET_relopLessThanOrEqual")]
    LessOrEqual,
    /// Less.
    #[doc(alias = "JET_relopLessThan")]
    Less,
    /// Greater, or the same.
    #[doc(alias = "JET_relopGreaterThanOrEqual")]
    GreaterOrEqual,
    /// Greater.
    #[doc(alias = "JET_relopGreaterThan")]
    Greater,
    /// It has none of the filter's bits.
    #[doc(alias = "JET_relopBitmaskEqualsZero")]
    NoBits,
    /// It has any of the filter's bits.
    #[doc(alias = "JET_relopBitmaskNotEqualsZero")]
    AnyBits,
}

/// What a row's column must be like for moves to stop there.
#[doc(alias = "JET_INDEX_COLUMN")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFilter {
    /// Column. Of a column with several values, the first counts.
    pub column: u32,
    /// How it is compared.
    pub operator: FilterOperator,
    /// With what; `None` for null.
    pub value: Option<Vec<u8>>,
}

/// A filter, ready for use.
#[derive(Debug)]
pub(super) struct ReadyFilter {
    column: u32,
    operator: FilterOperator,
    value: Option<Vec<u8>>,
    /// The value is a key, and so must be what it is compared with.
    normalized: Option<KeyRules>,
}

fn normal(column: &ColumnDefinition, value: &[u8], rules: &KeyRules) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    encode_segment(column.segment_kind(), Some(value), rules, rules.key_most, &mut key)?;
    Ok(key)
}

impl ReadyFilter {
    #[doc(alias = "ErrRECIValidateOneMoveFilter")]
    fn new(plan: &TablePlan, filter: &ColumnFilter) -> Result<Self> {
        use FilterOperator as Op;
        let (_, column) = plan.column(filter.column)?;
        if column.kind.is_long_value() || column.kind == ColumnKind::TEXT {
            return Err(unsupported("text and long columns do not filter"));
        }
        let (operator, is_binary) = (filter.operator, column.kind == ColumnKind::BINARY);
        let bits = matches!(operator, Op::NoBits | Op::AnyBits);
        let wrong = match &filter.value {
            None => bits || operator == Op::BeginsWith,
            Some(value) => {
                let size = column.kind.fixed_size();
                let no_bits = is_binary || matches!(column.kind, ColumnKind::BIT | ColumnKind::GUID);
                !is_binary && size != Some(value.len())
                    || bits && no_bits
                    || value.is_empty() && operator == Op::BeginsWith
                    || operator == Op::BeginsWith && !is_binary
            }
        };
        if wrong {
            return Err(TableError::parameter("a filter that its column cannot have"));
        }
        let by_order = matches!(operator, Op::LessOrEqual | Op::Less | Op::GreaterOrEqual | Op::Greater);
        let mut ready =
            Self { column: filter.column, operator, value: filter.value.clone(), normalized: None };
        if let Some(value) = &filter.value
            && !is_binary
            && (by_order || column.kind == ColumnKind::BIT)
        {
            let primary = plan.primary.as_ref().and_then(|index| plan.table().indexes.get(index.place));
            let dot_net_guid = primary.is_some_and(|index| index.flags.contains(IndexFlags::DOT_NET_GUID));
            let rules = KeyRules { dot_net_guid, ..KeyRules::DEFAULT };
            ready.value = Some(normal(column, value, &rules)?);
            ready.normalized = Some(rules);
        }
        Ok(ready)
    }

    #[doc(alias = "ErrRECICheckCursorFilter")]
    fn matches(&self, plan: &TablePlan, row: &RecordView<'_>) -> Result<bool> {
        use FilterOperator as Op;
        let (place, column) = plan.column(self.column)?;
        let found = match column_content(plan.table(), row, place)? {
            None => None,
            Some(ColumnContent::Value(value) | ColumnContent::Default(value)) => Some(value),
            Some(ColumnContent::Tagged(values)) => match values.values().next().transpose()? {
                None => None,
                Some(ese_format::TaggedValue::Plain(value)) => Some(value),
                Some(_) => return Err(unsupported("a value that is no plain one")),
            },
        };
        let wanted = self.value.as_deref();
        let Some(found) = found else {
            return Ok(match self.operator {
                Op::Equal | Op::GreaterOrEqual => wanted.is_none(),
                Op::NotEqual | Op::Less => wanted.is_some(),
                Op::LessOrEqual | Op::NoBits => true,
                Op::BeginsWith | Op::Greater | Op::AnyBits => false,
            });
        };
        let Some(wanted) = wanted else {
            return Ok(matches!(self.operator, Op::NotEqual | Op::GreaterOrEqual | Op::Greater));
        };
        let key;
        let found = match &self.normalized {
            Some(rules) => {
                key = normal(column, found, rules)?;
                key.as_slice()
            }
            None => found,
        };
        let any_bits = || found.iter().zip(wanted).any(|(a, b)| a & b != 0);
        Ok(match self.operator {
            Op::Equal => found == wanted,
            Op::BeginsWith => found.starts_with(wanted),
            Op::NotEqual => found != wanted,
            Op::LessOrEqual => found <= wanted,
            Op::Less => found < wanted,
            Op::GreaterOrEqual => found >= wanted,
            Op::Greater => found > wanted,
            Op::NoBits => !any_bits(),
            Op::AnyBits => any_bits(),
        })
    }
}

const fn unsupported(what: &'static str) -> TableError {
    TableError::refused(what, JetError::FILTERED_MOVE_NOT_SUPPORTED)
}

impl Cursor {
    /// Whether moves stop at the row that the cursor has come to.
    #[inline]
    pub(super) fn passes_filters(&self) -> Result<bool> {
        if self.filters.is_empty() || self.index.is_some() { Ok(true) } else { self.matches_filters() }
    }

    /// Fails when moves are filtered.
    pub(super) fn check_unfiltered(&self) -> Result<()> {
        if self.filters.is_empty() {
            return Ok(());
        }
        Err(unsupported("filters hold for moves through the primary index only"))
    }

    fn matches_filters(&self) -> Result<bool> {
        let row = RecordView::parse(self.row.data(), self.plan.page_size)?;
        for filter in &self.filters {
            if !filter.matches(&self.plan, &row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Table {
    /// Lets moves through the primary index pass over the rows that any of the filters does not match; none of them: over no
    /// row. After an error there are no filters.
    ///
    /// # Errors
    /// `Refused` (`JET_errFilteredMoveNotSupported`) on a secondary index, on temporary tables and for text and long columns,
    /// and `JET_errInvalidParameter` for what the column cannot be compared with; a column that the table does not have.
    #[doc(alias = "JetSetCursorFilter")]
    pub fn set_filters(&mut self, filters: &[ColumnFilter]) -> Result<()> {
        self.allow(super::temporary::TableCall::OnlyDatabases)?;
        self.call(|cursor, _| {
            cursor.filters.clear();
            if cursor.index.is_some() || cursor.plan.temporary {
                return Err(unsupported("moves are filtered on primary indexes of tables only"));
            }
            let plan = &cursor.plan;
            let ready: Result<Vec<_>> = filters.iter().map(|filter| ReadyFilter::new(plan, filter)).collect();
            cursor.filters = ready?;
            Ok(())
        })
    }
}
