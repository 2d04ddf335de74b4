//! The rows that several index ranges have in common.

use std::sync::Arc;

use ese_format::ColumnKind;

use super::Table;
use super::error::{Result, TableError};
use super::temporary::{Sort, Sorted, TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec};

/// Ranges that are intersected at once.
const MOST_RANGES: usize = 64;
/// Bookmarks up to this length are in a column of the type that the engine gives them.
const MOST_SHORT: u16 = 255;

impl Table {
    /// The rows that lie in the ranges of all the cursors, which stand at the beginnings of their ranges on different
    /// secondary indexes of one table: a temporary table of their bookmarks, sorted, to be gone through forwards, with how many
    /// there are. The only column is number 128, or 256 when keys of the table may be longer than 255 bytes. The cursors go to
    /// the ends of their ranges.
    ///
    /// # Errors
    /// `Refused` (`JET_errInvalidParameter`) for cursors that do not go together, none, or more than 64; `NoCurrentRecord`.
    #[doc(alias = "JetIntersectIndexes")]
    #[doc(alias = "JET_INDEXRANGE")]
    #[doc(alias = "JET_RECORDLIST")]
    pub fn intersect_indexes(ranges: &mut [&mut Self]) -> Result<(Self, u64)> {
        let mut seen = Vec::new();
        for range in &*ranges {
            let Some(index) = range.cursor.index else {
                return Err(TableError::parameter("a range of the primary index"));
            };
            let object = range.cursor.plan.table().object_id;
            if seen.iter().any(|&(other, place)| other != object || place == index) {
                return Err(TableError::parameter("ranges of other tables, or of one index twice"));
            }
            seen.push((object, index));
        }
        let Some(first) = ranges.first().filter(|_| ranges.len() <= MOST_RANGES) else {
            return Err(TableError::parameter("no ranges, or too many"));
        };
        let session = Arc::clone(&first.session);
        let plan = Arc::clone(&first.cursor.plan);
        let trees = session.instance.temporary_database()?;
        let mut sorts = Vec::with_capacity(ranges.len());
        for range in &mut *ranges {
            let mut sort = Sort::new(Arc::clone(&trees), plan.page_size, false);
            range.call(|cursor, call| {
                cursor.check_on_row(call)?;
                loop {
                    sort.insert(cursor.row.key(), &[])?;
                    if !cursor.next_for_count(call)? {
                        return Ok(());
                    }
                }
            })?;
            sorts.push(sort.finish()?);
        }
        let most = crate::ddl::key_limit(plan.page_size);
        let short = plan.primary.as_ref().is_none_or(|p| p.keys.rules().key_most <= usize::from(MOST_SHORT));
        let kind = if short { ColumnKind::BINARY } else { ColumnKind::LONG_BINARY };
        let spec = TemporaryTableSpec {
            columns: vec![TemporaryColumn::key(kind)],
            flags: TemporaryTableFlags::INTRINSIC_LONG_VALUES,
            key_most: Some(most),
            segment_most: Some(most),
            ..TemporaryTableSpec::default()
        };
        let (mut list, _) = Self::open_temporary_on(session, &spec)?;
        let mut count = 0;
        while advance_together(&mut sorts)? {
            let bookmark = sorts.first().map(|sorted| sorted.key().to_vec()).unwrap_or_default();
            list.insert_value(&bookmark)?;
            count += 1;
        }
        Ok((list, count))
    }
}

/// Goes to the next key that all have. False when there is none.
fn advance_together(sorts: &mut [Sorted]) -> Result<bool> {
    for sorted in &mut *sorts {
        if !sorted.advance()? {
            return Ok(false);
        }
    }
    loop {
        let highest = sorts.iter().map(|sorted| sorted.key().to_vec()).max().unwrap_or_default();
        let mut all = true;
        for sorted in &mut *sorts {
            while *sorted.key() < *highest {
                all = false;
                if !sorted.advance()? {
                    return Ok(false);
                }
            }
        }
        if all {
            return Ok(true);
        }
    }
}
