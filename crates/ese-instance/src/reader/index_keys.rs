//! From a row to its keys in an index: one function for changing rows, for filling a new index and for verification.

use ese_format::{
    KeyBuilder, KeyError, KeyRules, NullCounts, RecordError, RecordView, SegmentKind, TaggedValue,
};

use super::ColumnContent;
use super::layout::column_content;
use crate::catalog::{ColumnFlags, IndexDefinition, IndexFlags, TableDefinition, TupleLimits};

/// Combinations of values that one row may give an index: a bound for rows that are not honest.
const MAX_COMBINATIONS: usize = 1 << 20;

/// Where the plain bytes of stored values come from.
pub trait PlainValues<E> {
    /// Appends at most `most` bytes of the value's beginning to `out`.
    ///
    /// # Errors
    /// When the value cannot be read.
    fn head(&mut self, value: TaggedValue<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), E>;
}

/// The keys that a row has in an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntries {
    /// Keys in order, without duplicates.
    pub keys: Vec<Vec<u8>>,
    /// Combinations that have an entry whose key cannot be computed: Unicode text whose sort key is not known.
    pub unknown: usize,
    /// Why the first of those cannot be computed.
    pub error: Option<KeyError>,
    /// A segment is null in an index that disallows it.
    pub null_segment: bool,
    /// A key was cut in an index that disallows it.
    pub truncated: bool,
    /// The row makes a key more than once.
    pub repeated: bool,
}

/// What a key with null segments is to an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullVerdict {
    /// It has an entry.
    Indexed,
    /// It has none.
    Ignored,
    /// The row may not be stored.
    Disallowed,
}

/// How to make the keys of one index: prepared once for many rows.
#[derive(Clone, Debug)]
pub struct IndexKeys {
    rules: KeyRules,
    flags: IndexFlags,
    tuple_limits: Option<TupleLimits>,
    segments: Vec<Segment>,
    /// Place of the column, and whether it must be null.
    conditions: Vec<(usize, bool)>,
    is_complete: bool,
    /// Several values of a row may have entries.
    is_multi_valued: bool,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Place of the column in the table's list; none for a column that is not there.
    place: Option<usize>,
    kind: SegmentKind,
    descending: bool,
    multi_valued: bool,
}

/// The values of one column, as far as keys need them.
type Values = Vec<Vec<u8>>;

impl IndexKeys {
    /// Prepares for an index of a table.
    #[must_use]
    pub fn new(table: &TableDefinition, index: &IndexDefinition) -> Self {
        let mut is_complete = true;
        let mut segments = Vec::with_capacity(index.segments.len());
        for segment in &index.segments {
            let found = table.column_of(segment);
            is_complete &= found.is_some_and(|(_, column)| !column.is_deleted());
            let kind = found.map_or(
                SegmentKind { kind: ese_format::ColumnKind::NIL, code_page: 0, fixed: false },
                |(_, column)| column.segment_kind(),
            );
            let multi_valued =
                found.is_some_and(|(_, c)| c.id.is_tagged() && c.flags.contains(ColumnFlags::MULTI_VALUED));
            let descending = segment.descending;
            segments.push(Segment { place: found.map(|(place, _)| place), kind, descending, multi_valued });
        }
        let mut conditions = Vec::with_capacity(index.conditions.len());
        for condition in &index.conditions {
            match table.column_of(condition) {
                Some((place, _)) => conditions.push((place, condition.must_be_null)),
                None => is_complete = false,
            }
        }
        Self {
            rules: index.key_rules(),
            flags: index.flags,
            tuple_limits: index.tuple_limits,
            is_multi_valued: segments.iter().any(|s| s.multi_valued),
            segments,
            conditions,
            is_complete,
        }
    }

    /// Limits and variants of the index.
    #[must_use]
    pub const fn rules(&self) -> &KeyRules {
        &self.rules
    }

    /// Whether every segment and condition names a column that is there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether a row has at most one key here.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !self.is_multi_valued && self.tuple_limits.is_none()
    }

    /// Whether substrings are indexed.
    #[must_use]
    pub const fn is_substring(&self) -> bool {
        self.tuple_limits.is_some()
    }

    /// The key of a row's first substring; `None` when it has no entry.
    ///
    /// # Errors
    /// As [`entries`](Self::entries).
    pub fn first_substring_key<E: From<RecordError>>(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
        values: &mut impl PlainValues<E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let limits = self.tuple_limits.map(|limits| TupleLimits { most: 1, ..limits });
        let first = Self { tuple_limits: limits, ..self.clone() };
        Ok(first.entries(table, record, values)?.keys.into_iter().next())
    }

    /// Places of the columns that decide on a row's keys: those of segments and of conditions.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.segments.iter().filter_map(|s| s.place).chain(self.conditions.iter().map(|(place, _)| *place))
    }

    /// What the index does with a key.
    #[must_use]
    pub fn judge_nulls(&self, nulls: NullCounts) -> NullVerdict {
        let allowed = if !nulls.any {
            true
        } else if self.flags.contains(IndexFlags::NO_NULL_SEGMENT) {
            return NullVerdict::Disallowed;
        } else if nulls.all {
            self.flags.contains(IndexFlags::ALLOW_ALL_NULLS)
        } else if nulls.first {
            self.flags.contains(IndexFlags::ALLOW_FIRST_NULL)
        } else {
            self.flags.contains(IndexFlags::ALLOW_SOME_NULLS)
        };
        if allowed { NullVerdict::Indexed } else { NullVerdict::Ignored }
    }

    /// Whether the row meets the index's conditions.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn meets_conditions(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
    ) -> Result<bool, RecordError> {
        for &(place, must_be_null) in &self.conditions {
            if column_content(table, record, place)?.is_none() != must_be_null {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The key of the first value of each segment, in `key` whose memory is used again. `None` when the row does not meet the
    /// conditions; whether nulls keep it out is the caller's question ([`judge_nulls`](Self::judge_nulls)).
    ///
    /// # Errors
    /// When the record, or a value that is indexed, cannot be read; `KeyError` when there is no key for it.
    #[doc(alias = "ErrRECRetrieveKeyFromRecord")]
    pub fn base_key<E: From<RecordError> + From<KeyError>>(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
        values: &mut impl PlainValues<E>,
        key: &mut Vec<u8>,
    ) -> Result<Option<NullCounts>, E> {
        self.key_of_instance(table, record, 1, values, key).map(|made| made.flatten())
    }

    /// As [`base_key`](Self::base_key), with value number `instance` (from 1) of the multi-valued segments that run. The outer
    /// `None`: there is no such value.
    ///
    /// # Errors
    /// As [`base_key`](Self::base_key).
    pub fn key_of_instance<E: From<RecordError> + From<KeyError>>(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
        instance: usize,
        values: &mut impl PlainValues<E>,
        key: &mut Vec<u8>,
    ) -> Result<Option<Option<NullCounts>>, E> {
        if !self.meets_conditions(table, record)? {
            return Ok(Some(None));
        }
        let nested = self.flags.contains(IndexFlags::NESTED_TABLE);
        let mut builder = KeyBuilder::new(&self.rules, std::mem::take(key));
        let mut scratch = Vec::new();
        let mut is_first_multi = true;
        let mut any_value = instance <= 1;
        let mut missing = false;
        for segment in &self.segments {
            let runs = segment.multi_valued && (is_first_multi || nested);
            is_first_multi &= !segment.multi_valued;
            let wanted = if runs { instance.saturating_sub(1) } else { 0 };
            let content = match segment.place {
                Some(place) => column_content(table, record, place)?,
                None => None,
            };
            scratch.clear();
            let most = self.rules.value_len(segment.kind);
            let value = match content {
                None => None,
                Some(ColumnContent::Value(value) | ColumnContent::Default(value)) => {
                    (wanted == 0).then_some(value)
                }
                Some(ColumnContent::Tagged(tagged)) => match tagged.values().nth(wanted).transpose()? {
                    None => None,
                    Some(TaggedValue::Plain(value)) => Some(value),
                    Some(value) => {
                        values.head(value, most, &mut scratch)?;
                        Some(scratch.as_slice())
                    }
                },
            };
            if wanted > 0 {
                any_value |= value.is_some();
                missing |= value.is_none() && !nested;
            }
            let value = value.map(|v| v.get(..most).unwrap_or(v));
            if let Err(error) = builder.push(segment.kind, segment.descending, value) {
                *key = builder.finish().0;
                return Err(error.into());
            }
        }
        if builder.is_truncated() && self.flags.contains(IndexFlags::DISALLOW_TRUNCATION) {
            let limit = self.rules.key_most;
            *key = builder.finish().0;
            return Err(KeyError::Truncated { limit }.into());
        }
        let (made, nulls) = builder.finish();
        *key = made;
        Ok((any_value && !missing).then_some(Some(nulls)))
    }

    /// The entries of a row.
    ///
    /// # Errors
    /// When the record, or a long value that is indexed, cannot be read.
    #[doc(alias = "ErrRECIEnumerateKeys")]
    pub fn entries<E: From<RecordError>>(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
        values: &mut impl PlainValues<E>,
    ) -> Result<IndexEntries, E> {
        let mut entries = IndexEntries::default();
        if !self.meets_conditions(table, record)? {
            return Ok(entries);
        }
        let mut columns = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            columns.push(self.values_of(table, record, segment, values)?);
        }
        for numbers in self.combinations(&columns) {
            let chosen: Vec<Option<&[u8]>> = columns
                .iter()
                .zip(&numbers)
                .map(|(values, &number)| values.get(number).map(Vec::as_slice))
                .collect();
            match self.tuple_limits {
                None => self.add(&chosen, &mut entries),
                Some(limits) => self.add_tuples(limits, &chosen, &mut entries),
            }
        }
        entries.keys.sort_unstable();
        let made = entries.keys.len();
        entries.keys.dedup();
        entries.repeated = entries.keys.len() < made;
        Ok(entries)
    }

    /// The values of a segment's column, as far as keys need them.
    fn values_of<E: From<RecordError>>(
        &self,
        table: &TableDefinition,
        record: &RecordView<'_>,
        segment: &Segment,
        values: &mut impl PlainValues<E>,
    ) -> Result<Values, E> {
        let Some(place) = segment.place else { return Ok(Values::new()) };
        let content = match column_content(table, record, place)? {
            None => return Ok(Values::new()),
            Some(content) => content,
        };
        let wanted = match self.tuple_limits {
            None => self.rules.value_len(segment.kind),
            Some(l) => {
                let reach =
                    u64::from(l.start) + u64::from(l.most) * u64::from(l.increment) + u64::from(l.max);
                usize::try_from(2 * reach).unwrap_or(usize::MAX)
            }
        };
        let mut plain = |value: TaggedValue<'_>| -> Result<Vec<u8>, E> {
            let mut bytes = Vec::new();
            values.head(value, wanted, &mut bytes)?;
            Ok(bytes)
        };
        Ok(match content {
            ColumnContent::Value(value) | ColumnContent::Default(value) => {
                vec![plain(TaggedValue::Plain(value))?]
            }
            ColumnContent::Tagged(tagged) => {
                let mut all = Values::new();
                for value in tagged.values() {
                    all.push(plain(value?)?);
                    // Without the flag only the first value is indexed.
                    if !segment.multi_valued {
                        break;
                    }
                }
                all
            }
        })
    }

    /// Which value of each segment, counted from 0, for each entry.
    fn combinations(&self, columns: &[Values]) -> Vec<Vec<usize>> {
        let is_multi = |place: usize| self.segments.get(place).is_some_and(|s| s.multi_valued);
        let first = vec![0; columns.len()];
        let multi: Vec<usize> = (0..columns.len()).filter(|&p| is_multi(p)).collect();
        let count = |place: usize| columns.get(place).map_or(1, |v| v.len().max(1));
        if self.flags.contains(IndexFlags::NESTED_TABLE) {
            let rounds = multi.iter().map(|&p| count(p)).max().unwrap_or(1);
            return (0..rounds)
                .map(|k| (0..columns.len()).map(|p| if is_multi(p) { k } else { 0 }).collect())
                .collect();
        }
        let cross = self.flags.contains(IndexFlags::CROSS_PRODUCT);
        let mut all = vec![first];
        for &place in multi.iter().take(if cross { multi.len() } else { 1 }) {
            if all.len().saturating_mul(count(place)) > MAX_COMBINATIONS {
                break;
            }
            all = all
                .into_iter()
                .flat_map(|numbers| {
                    (0..count(place)).map(move |k| {
                        let mut numbers = numbers.clone();
                        if let Some(slot) = numbers.get_mut(place) {
                            *slot = k;
                        }
                        numbers
                    })
                })
                .collect();
        }
        all
    }

    fn add(&self, chosen: &[Option<&[u8]>], entries: &mut IndexEntries) {
        let mut builder = KeyBuilder::new(&self.rules, Vec::new());
        let mut failed = None;
        for (segment, value) in self.segments.iter().zip(chosen) {
            if let Err(error) = builder.push(segment.kind, segment.descending, *value) {
                failed = failed.or(Some(error));
            }
        }
        let truncated = builder.is_truncated() && self.flags.contains(IndexFlags::DISALLOW_TRUNCATION);
        let (key, nulls) = builder.finish();
        let verdict = self.judge_nulls(nulls);
        entries.null_segment |= verdict == NullVerdict::Disallowed;
        if verdict == NullVerdict::Ignored {
            return;
        }
        entries.truncated |= truncated;
        match failed {
            None => entries.keys.push(key),
            Some(error) => {
                entries.unknown += 1;
                entries.error = entries.error.or(Some(error));
            }
        }
    }

    /// One entry for each substring of the first segment's value.
    fn add_tuples(&self, limits: TupleLimits, chosen: &[Option<&[u8]>], entries: &mut IndexEntries) {
        let (Some(Some(value)), Some(segment)) = (chosen.first(), self.segments.first()) else { return };
        let size = if segment.kind.is_unicode() { 2 } else { 1 };
        let bytes = |characters: u32| usize::try_from(characters).unwrap_or(usize::MAX).saturating_mul(size);
        let mut parts = chosen.to_vec();
        for number in 0..limits.most {
            let Some(start) = number.checked_mul(limits.increment).and_then(|n| n.checked_add(limits.start))
            else {
                return;
            };
            let start = bytes(start);
            let end = start.saturating_add(bytes(limits.max)).min(value.len());
            let Some(part) = value.get(start..end).filter(|p| p.len() >= bytes(limits.min).max(1)) else {
                return;
            };
            if let Some(slot) = parts.first_mut() {
                *slot = Some(part);
            }
            self.add(&parts, entries);
            if limits.increment == 0 {
                return;
            }
        }
    }
}
