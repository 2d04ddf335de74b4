//! Hints of rows that will be read: checked as the engine checks them. Rows are read when they are asked for.

use ese_format::{JetError, KeyFlags, SearchKeyBuffer};

use super::Table;
use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::filter::FilterOperator;

bitflags::bitflags! {
    /// Options of reading ahead. Unknown bits are refused.
    #[doc(alias = "JetPrereadIndexRanges")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PrereadFlags: u32 {
        /// In the order of the keys.
        #[doc(alias = "JET_bitPrereadForward")]
        const FORWARD = 0x1;
        /// Against the order of the keys.
        #[doc(alias = "JET_bitPrereadBackward")]
        const BACKWARD = 0x2;
        /// The first page of each range only.
        #[doc(alias = "JET_bitPrereadFirstPage")]
        const FIRST_PAGE = 0x4;
        /// Ranges are keys as the index stores them.
        #[doc(alias = "JET_bitPrereadNormalizedKey")]
        const NORMALIZED_KEY = 0x8;
    }
}

/// A column of the begin or the end of a range.
#[doc(alias = "JET_INDEX_COLUMN")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn<'a> {
    /// [`FilterOperator::Equal`], or in the last column of a key [`FilterOperator::BeginsWith`].
    pub operator: FilterOperator,
    /// The value; `None` for null.
    pub value: Option<&'a [u8]>,
}

/// A range of keys of the current index.
#[doc(alias = "JET_INDEX_RANGE")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexRange<'a> {
    /// Its begin.
    pub start: Vec<KeyColumn<'a>>,
    /// Its end; the begin once more when there are no columns.
    pub end: Vec<KeyColumn<'a>>,
}

impl Cursor {
    /// One end of a range, as a key.
    #[doc(alias = "ErrRECIMakeKey")]
    fn range_key(&mut self, columns: &[KeyColumn<'_>], low: bool, flags: PrereadFlags) -> Result<Vec<u8>> {
        let made = std::mem::take(&mut self.search_key);
        let outcome = self.fill_range_key(columns, low, flags);
        let key = std::mem::replace(&mut self.search_key, made);
        outcome.map(|()| key.key().to_vec())
    }

    fn fill_range_key(&mut self, columns: &[KeyColumn<'_>], low: bool, flags: PrereadFlags) -> Result<()> {
        self.search_key = SearchKeyBuffer::default();
        if flags.contains(PrereadFlags::NORMALIZED_KEY) {
            let [column] = columns else {
                return Err(TableError::parameter("a whole key is one column of a range"));
            };
            let key = column.value.unwrap_or_default();
            return self.make_key(key, KeyFlags::NEW_KEY | KeyFlags::NORMALIZED_KEY);
        }
        for (number, column) in (1..).zip(columns) {
            let last = number == columns.len();
            let prefix = column.operator == FilterOperator::BeginsWith;
            if column.operator != FilterOperator::Equal && !(last && prefix) {
                return Err(TableError::parameter("ranges are of values, or of what begins with them"));
            }
            let mut options = KeyFlags::empty();
            options.set(KeyFlags::NEW_KEY, number == 1);
            options.set(KeyFlags::ZERO_LENGTH_DATA, column.value.is_some_and(<[u8]>::is_empty));
            if last {
                options |= match (prefix, low) {
                    (false, true) => KeyFlags::FULL_COLUMN_START_LIMIT,
                    (false, false) => KeyFlags::FULL_COLUMN_END_LIMIT,
                    (true, true) => KeyFlags::PARTIAL_COLUMN_START_LIMIT,
                    (true, false) => KeyFlags::PARTIAL_COLUMN_END_LIMIT,
                };
            }
            self.make_key(column.value.unwrap_or_default(), options)?;
        }
        Ok(())
    }

    #[doc(alias = "ErrIsamIPrereadIndexRanges")]
    fn check_ranges(
        &mut self,
        ranges: &[IndexRange<'_>],
        long_columns: &[u32],
        flags: PrereadFlags,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let directions = PrereadFlags::FORWARD | PrereadFlags::BACKWARD;
        let forward = flags.contains(PrereadFlags::FORWARD);
        let mut before: Option<Vec<u8>> = None;
        let mut keys = Vec::with_capacity(ranges.len());
        for range in ranges {
            let start = self.range_key(&range.start, forward, flags)?;
            // Without an end a range is the one key.
            let end = if range.end.is_empty() {
                start.clone()
            } else {
                self.range_key(&range.end, !forward, flags)?
            };
            keys.push((start, end));
        }
        if PrereadFlags::from_bits(flags.bits()).is_none() || !flags.intersects(directions) {
            return Err(TableError::flags());
        }
        if !long_columns.is_empty() && self.index.is_some() {
            let what = "long values are read ahead in the order of the rows";
            return Err(TableError::refused(what, JetError::INVALID_PREREAD));
        }
        for &id in long_columns {
            let (_, column) = self.plan.column(id)?;
            if !column.kind.is_long_value() {
                let what = "only long values are stored apart";
                return Err(TableError::refused(what, JetError::MUST_BE_SEPARATE_LONG_VALUE));
            }
        }
        let in_order = |first: &[u8], second: &[u8]| if forward { first <= second } else { first >= second };
        for (start, end) in &keys {
            let follows = before.as_deref().is_none_or(|before| in_order(before, start));
            if !in_order(start, end) || !follows {
                return Err(TableError::parameter("ranges to read ahead are out of order"));
            }
            before = Some(end.clone());
        }
        Ok(keys)
    }
}

impl Table {
    /// A hint that rows in these ranges of the current index will be read, with these long values: leaves of the index are
    /// read ahead, long values are not. Returns how many ranges there were.
    ///
    /// # Errors
    /// `Refused`: no ranges, ranges out of order, columns that are neither equal nor prefixes (`JET_errInvalidParameter`);
    /// options (`JET_errInvalidGrbit`); columns that are no long values (`JET_errMustBeSeparateLongValue`), or that are wanted
    /// along a secondary index (`JET_errInvalidPreread`); as [`make_key`](Self::make_key).
    #[doc(alias = "JetPrereadIndexRanges")]
    #[doc(alias = "JetPrereadIndexRange")]
    pub fn preread_index_ranges(
        &mut self,
        ranges: &[IndexRange<'_>],
        long_columns: &[u32],
        flags: PrereadFlags,
    ) -> Result<usize> {
        self.allow(super::temporary::TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            if ranges.is_empty() {
                return Err(TableError::parameter("no ranges to read ahead"));
            }
            let keys = cursor.check_ranges(ranges, long_columns, flags)?;
            for (start, end) in &keys {
                let (low, high) = if start <= end { (start, end) } else { (end, start) };
                call.trees().want_keys(&cursor.tree().0, low, high)?;
            }
            Ok(ranges.len())
        })
    }
}

impl Table {
    /// A hint that rows with these keys of the current index will be sought, in the order of the keys (`backwards`: against
    /// it): leaves of the index are read ahead. Returns how many keys there were.
    ///
    /// # Errors
    /// `Refused`: no keys, or keys in another order (`JET_errInvalidParameter`); empty or too long ones
    /// (`JET_errInvalidBufferSize`).
    #[doc(alias = "JetPrereadKeys")]
    #[doc(alias = "JET_bitPrereadForward")]
    #[doc(alias = "JET_bitPrereadBackward")]
    pub fn preread_keys(&mut self, keys: &[&[u8]], backwards: bool) -> Result<usize> {
        self.allow(super::temporary::TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            if keys.is_empty() {
                return Err(TableError::parameter("no keys to read ahead"));
            }
            let definition = cursor.current_index().and_then(|i| cursor.plan.table().indexes.get(i.place));
            let most = definition.map_or(4, |index| usize::from(index.key_most));
            if keys.iter().any(|key| key.is_empty() || key.len() > most) {
                let what = "a key to read ahead is empty or too long";
                return Err(TableError::refused(what, JetError::INVALID_BUFFER_SIZE));
            }
            let in_order = |pair: &[&[u8]]| match pair {
                [first, second] if backwards => first >= second,
                [first, second] => first <= second,
                _ => true,
            };
            if !keys.windows(2).all(in_order) {
                return Err(TableError::parameter("keys to read ahead are out of order"));
            }
            for key in keys {
                call.trees().want_key(&cursor.tree().0, key)?;
            }
            Ok(keys.len())
        })
    }
}
