//! The index entries of a row.

use ese_btree::TreeError;
use ese_format::{ColumnKind, KeyBuilder, KeyRules, RecordError, RecordView, TaggedValue};

use super::{ColumnContent, RowLayout, ValueReader};
use crate::catalog::{ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, TupleLimits};

/// Combinations of values that one row may give an index: a bound for rows that are not honest.
const MAX_COMBINATIONS: usize = 1 << 20;

/// The keys that a row has in an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexEntries {
    /// Keys in order, without duplicates.
    pub keys: Vec<Vec<u8>>,
    /// Combinations that have an entry whose key cannot be computed: Unicode text whose sort key is not known.
    pub unknown: usize,
}

/// How to compute the keys of an index: prepared once for many rows.
#[derive(Debug)]
pub struct IndexEntryBuilder<'t> {
    index: &'t IndexDefinition,
    rules: KeyRules,
    /// Place of each segment's column in the table's list; `None` for a column that is not there.
    segments: Vec<Option<(usize, &'t ColumnDefinition)>>,
    conditions: Vec<Option<usize>>,
}

/// The values of one column.
type Values = Vec<Vec<u8>>;

impl<'t> IndexEntryBuilder<'t> {
    /// Prepares for an index of the layout's table.
    #[must_use]
    pub fn new(layout: &RowLayout<'t>, index: &'t IndexDefinition) -> Self {
        let table = layout.table();
        Self {
            index,
            rules: index.key_rules(),
            segments: index.segments.iter().map(|s| table.column_of(s)).collect(),
            conditions: index.conditions.iter().map(|s| Some(table.column_of(s)?.0)).collect(),
        }
    }

    /// The index.
    #[must_use]
    pub const fn index(&self) -> &'t IndexDefinition {
        self.index
    }

    /// The columns of the segments.
    pub fn columns(&self) -> impl Iterator<Item = &'t ColumnDefinition> + '_ {
        self.segments.iter().flatten().map(|(_, column)| *column)
    }

    /// Whether every segment and condition names a column that is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.segments.iter().all(|s| s.is_some_and(|(_, c)| !c.is_deleted()))
            && self.conditions.iter().all(Option::is_some)
    }

    /// The entries of a row.
    ///
    /// # Errors
    /// When the record, or a long value that is indexed, cannot be read.
    pub fn entries<E: From<RecordError> + From<TreeError>>(
        &self,
        layout: &RowLayout<'t>,
        record: &RecordView<'_>,
        values: &mut ValueReader<'_>,
    ) -> Result<IndexEntries, E> {
        let mut entries = IndexEntries::default();
        for (condition, column) in self.index.conditions.iter().zip(&self.conditions) {
            let Some(column) = column else { continue };
            if layout.content(record, *column)?.is_none() != condition.must_be_null {
                return Ok(entries);
            }
        }
        let mut columns = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            columns.push(match segment {
                Some((place, column)) => self.values_of::<E>(layout, record, *place, column, values)?,
                None => Values::new(),
            });
        }
        for numbers in self.combinations(&columns) {
            let chosen: Vec<Option<&[u8]>> = columns
                .iter()
                .zip(&numbers)
                .map(|(values, &number)| values.get(number).map(Vec::as_slice))
                .collect();
            match self.index.tuple_limits {
                None => self.add(&chosen, &mut entries),
                Some(limits) => self.add_tuples(limits, &chosen, &mut entries),
            }
        }
        entries.keys.sort_unstable();
        entries.keys.dedup();
        Ok(entries)
    }

    /// The values of a segment's column, as far as keys need them.
    fn values_of<E: From<RecordError> + From<TreeError>>(
        &self,
        layout: &RowLayout<'t>,
        record: &RecordView<'_>,
        place: usize,
        column: &ColumnDefinition,
        values: &mut ValueReader<'_>,
    ) -> Result<Values, E> {
        let content = match layout.content(record, place)? {
            None => return Ok(Values::new()),
            Some(content) => content,
        };
        let wanted = match self.index.tuple_limits {
            None => self.rules.value_len(column.segment_kind()),
            Some(l) => {
                let reach =
                    u64::from(l.start) + u64::from(l.most) * u64::from(l.increment) + u64::from(l.max);
                usize::try_from(2 * reach).unwrap_or(usize::MAX)
            }
        };
        let mut plain = |value: TaggedValue<'_>| -> Result<Vec<u8>, E> {
            let mut bytes = Vec::new();
            values.read::<E>(column.id, value, |piece| {
                let room = wanted.saturating_sub(bytes.len()).min(piece.len());
                bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
            })?;
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
                    if !column.flags.contains(ColumnFlags::MULTI_VALUED) {
                        break;
                    }
                }
                all
            }
        })
    }

    /// Which value of each segment, counted from 0, for each entry.
    fn combinations(&self, columns: &[Values]) -> Vec<Vec<usize>> {
        let is_multi = |place: usize| {
            self.segments.get(place).is_some_and(|s| {
                s.is_some_and(|(_, c)| c.id.is_tagged() && c.flags.contains(ColumnFlags::MULTI_VALUED))
            })
        };
        let first = vec![0; columns.len()];
        let multi: Vec<usize> = (0..columns.len()).filter(|&p| is_multi(p)).collect();
        let count = |place: usize| columns.get(place).map_or(1, |v| v.len().max(1));
        if self.index.flags.contains(IndexFlags::NESTED_TABLE) {
            let rounds = multi.iter().map(|&p| count(p)).max().unwrap_or(1);
            return (0..rounds)
                .map(|k| (0..columns.len()).map(|p| if is_multi(p) { k } else { 0 }).collect())
                .collect();
        }
        let cross = self.index.flags.contains(IndexFlags::CROSS_PRODUCT);
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
        let mut known = true;
        for ((segment, column), value) in self.index.segments.iter().zip(&self.segments).zip(chosen) {
            let kind = column.map_or(
                ese_format::SegmentKind { kind: ColumnKind::NIL, code_page: 0, fixed: false },
                |(_, c)| c.segment_kind(),
            );
            match builder.push(kind, segment.descending, *value) {
                Ok(()) => {}
                Err(_) => known = false,
            }
        }
        let (key, nulls) = builder.finish();
        let flags = self.index.flags;
        let allowed = if flags.contains(IndexFlags::NO_NULL_SEGMENT) || !nulls.any {
            true
        } else if nulls.all {
            flags.contains(IndexFlags::ALLOW_ALL_NULLS)
        } else if nulls.first {
            flags.contains(IndexFlags::ALLOW_FIRST_NULL)
        } else {
            flags.contains(IndexFlags::ALLOW_SOME_NULLS)
        };
        if allowed && known {
            entries.keys.push(key);
        } else if allowed {
            entries.unknown += 1;
        }
    }

    /// One entry for each substring of the first segment's value.
    fn add_tuples(&self, limits: TupleLimits, chosen: &[Option<&[u8]>], entries: &mut IndexEntries) {
        let (Some(Some(value)), Some(Some((_, column)))) = (chosen.first(), self.segments.first()) else {
            return;
        };
        let size = if column.kind.is_text() && column.code_page == 1200 { 2 } else { 1 };
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
