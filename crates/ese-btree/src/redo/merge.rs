//! Redo of a merge: all levels of one macro together.

use ese_log::record::{Merge, MergeFlags};

use super::Redo;
use super::error::RedoErrorKind;
use crate::page_operation::{is_partial, merge_pages, merge_target};

type Result<T> = std::result::Result<T, RedoErrorKind>;

impl Redo {
    pub(super) fn merge(&mut self, records: &[Merge<'_>]) -> Result<()> {
        let Some((leaf, inner)) = records.split_last() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = leaf.page.database;
        let after = leaf.page.db_time;
        if !self.takes_part(leaf.page.session, slot, after, leaf.fields.object, None) {
            return Ok(());
        }
        let mut targets = Vec::with_capacity(inner.len() + 3);
        for (record, child) in inner.iter().zip(records.iter().skip(1)) {
            // What the level below says of its parent counts.
            let before = child.fields.parent_db_time_before;
            targets.push(self.target(slot, record.page.page_number, before, after)?);
        }
        let f = &leaf.fields;
        let source = self.target(slot, leaf.page.page_number, leaf.page.db_time_before, after)?;
        targets.push(self.target(slot, f.left_page, f.left_db_time_before, after)?);
        targets.push(self.target(slot, f.right_page, f.right_db_time_before, after)?);
        let receiver = merge_target(leaf);
        let mut before = Vec::new();
        if targets.iter().any(|t| t.redo && t.page == receiver) {
            let image = leaf.image.filter(|i| !i.bytes.is_empty());
            let Some(image) = image else {
                return Err(RedoErrorKind::ImageMissing { slot, page: source.page });
            };
            if source.redo {
                if let Some(frame) = source.frame {
                    before.extend_from_slice(self.cache.page(frame).bytes());
                }
            } else {
                // The page itself stays as it is, as in a split.
                self.image_of(&image, leaf.page.db_time_before, &mut before)?;
            }
        }
        targets.push(source);
        let size = self.cache.page_size();
        let before = (!before.is_empty()).then_some(&before[..]);
        merge_pages(&mut self.changed_pages(slot, &targets), size, records, before)?;
        for record in records {
            if record.fields.flags.contains(MergeFlags::EMPTY_PAGE)
                || record.page.page_number == leaf.page.page_number && !is_partial(leaf)
            {
                self.freed(slot, record.page.page_number);
            }
        }
        self.statistics.merges += 1;
        Ok(())
    }
}
