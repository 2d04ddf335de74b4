//! What a record is about: session, database, tree, pages, database time.

use ese_format::{DbTime, ObjectId, PageNumber};

use super::any::Record;
use super::prefix::{DatabaseSlot, NodePrefix, PagePrefix, SessionId};
use super::space::SCAN_FINISHED;

/// Pages of a range that [`Record::visit_pages`] names one by one; longer ranges are named by their ends.
const NAMED_RANGE: u32 = 4096;

impl Record<'_> {
    /// The common beginning of records that change a node.
    #[must_use]
    pub fn node_prefix(&self) -> Option<&NodePrefix> {
        Some(match self {
            Self::Insert(r) => &r.node,
            Self::FlagInsert(r) => &r.node,
            Self::FlagInsertAndReplaceData(r) => &r.node,
            Self::FlagDelete(r) | Self::Delete(r) => &r.node,
            Self::Replace(r) | Self::ReplaceDiff(r) => &r.node,
            Self::UndoInfo(r) => &r.node,
            Self::Undo(r) => &r.node,
            Self::Delta(r) => &r.node,
            Self::Delta64(r) => &r.node,
            Self::SetExternalHeader(r) => &r.node,
            Self::EmptyTree(r) => &r.node,
            Self::Scrub(r) => &r.node,
            _ => return None,
        })
    }

    /// The common beginning of records that change a page.
    #[must_use]
    pub fn page_prefix(&self) -> Option<&PagePrefix> {
        Some(match self {
            Self::Split(r) => &r.page,
            Self::Merge(r) => &r.page,
            Self::PageMove(r) => &r.page,
            Self::CreateMultipleExtentFdp(r) => &r.page,
            Self::CreateSingleExtentFdp(r) => &r.page,
            Self::ConvertFdp(r) => &r.page,
            Self::ConvertFdp2(r) => &r.convert.page,
            _ => &self.node_prefix()?.page,
        })
    }

    /// The session that wrote it, where the record says so.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        Some(match self {
            Self::Begin(r) => r.session,
            Self::Begin0(r) | Self::BeginDistributed(r) => r.session,
            Self::Commit(r) => r.session,
            Self::Commit0(r) => r.session,
            Self::Rollback(r) => r.session,
            Self::Refresh(r) => r.session,
            Self::MacroBegin(r) | Self::MacroCommit(r) | Self::MacroAbort(r) => r.session,
            Self::PrepareCommit(r) => r.session,
            Self::PrepareRollback(r) | Self::ForceWriteLog(r) => r.session,
            Self::CommitContext(r) => r.session,
            Self::CreateDatabase(r) => r.session,
            Self::CreateDatabaseFinish(r) => r.session,
            Self::AttachDatabase(r) => r.session,
            Self::DetachDatabase(r) => r.session,
            Self::JetOperation(r) => r.session,
            Self::Trace(r) | Self::ForceLogRollover(r) => r.session,
            Self::NewPage(r) => r.session,
            Self::RootPageMove(r) => r.session,
            _ => self.page_prefix()?.session,
        })
    }

    /// The database it is about, where the record says so. A slot means a database only between its attach and its
    /// detach.
    #[must_use]
    pub fn database(&self) -> Option<DatabaseSlot> {
        Some(match self {
            Self::CreateDatabase(r) => r.database,
            Self::CreateDatabaseFinish(r) => r.database,
            Self::AttachDatabase(r) => r.database,
            Self::DetachDatabase(r) => r.database,
            Self::ReAttach(r) => r.database,
            Self::SetDatabaseVersion(r) => r.database,
            Self::SignalAttach(r) => r.database,
            Self::PagePatchRequest(r) => r.database,
            Self::FreeFdp(r) => r.database,
            Self::ExtendDatabase(r) => r.database,
            Self::ShrinkDatabase(r) | Self::ShrinkDatabase2(r) => r.database,
            Self::ShrinkDatabase3(r) => r.shrink.database,
            Self::TrimDatabase(r) => r.database,
            Self::ExtentFreed(r) => r.database,
            Self::ExtentFreed2(r) => r.freed.database,
            Self::NewPage(r) => r.database,
            Self::RootPageMove(r) => r.database,
            Self::ScanCheck(r) => r.database,
            Self::ScanCheck2(r) => r.database,
            Self::MacroInfo(_) => DatabaseSlot(1),
            Self::MacroInfo2(r) => r.database,
            Self::Backup2(r) if r.database.0 != 0 => r.database,
            _ => self.page_prefix()?.database,
        })
    }

    /// The tree it is about, where the record says so.
    #[must_use]
    pub fn object(&self) -> Option<ObjectId> {
        Some(match self {
            Self::Split(r) => r.fields.object,
            Self::Merge(r) => r.fields.object,
            Self::PageMove(r) => r.object,
            Self::RootPageMove(r) => r.object,
            Self::NewPage(r) => r.object,
            Self::CreateMultipleExtentFdp(r) => r.object,
            Self::CreateSingleExtentFdp(r) => r.object,
            Self::ConvertFdp(r) => r.object,
            Self::ConvertFdp2(r) => r.convert.object,
            _ => self.node_prefix()?.object,
        })
    }

    /// The database time that it gives to its pages, or reports. [`DbTime::NIL`] in UndoInfo.
    #[must_use]
    pub fn db_time(&self) -> Option<DbTime> {
        Some(match self {
            Self::MacroBegin(r) | Self::MacroCommit(r) | Self::MacroAbort(r) => r.db_time,
            Self::NewPage(r) => r.db_time,
            Self::RootPageMove(r) => r.db_time,
            Self::ShrinkDatabase3(r) => r.db_time,
            Self::ExtentFreed2(r) => r.db_time,
            Self::PagePatchRequest(r) => r.db_time,
            Self::ScanCheck(r) => r.current_db_time,
            Self::ScanCheck2(r) => r.current_db_time,
            _ => self.page_prefix()?.db_time,
        })
    }

    /// Calls `visit` for every page that the record names, the one of its prefix first. Of ranges of more than 4096
    /// pages (truncation of a file) only both ends are named. Page 0, "none", is left out.
    pub fn visit_pages(&self, visit: &mut dyn FnMut(DatabaseSlot, PageNumber)) {
        let Some(database) = self.database() else { return };
        let mut name = |page: PageNumber| {
            if !page.is_none() {
                visit(database, page);
            }
        };
        if let Some(prefix) = self.page_prefix() {
            name(prefix.page_number);
        }
        match self {
            Self::Split(r) => {
                for page in [r.fields.new_page, r.fields.right_page, r.fields.parent_page] {
                    name(page);
                }
            }
            Self::Merge(r) => {
                for page in [r.fields.right_page, r.fields.left_page, r.fields.parent_page] {
                    name(page);
                }
            }
            Self::PageMove(r) => {
                for page in [r.target_page, r.left_page, r.right_page, r.parent_page] {
                    name(page);
                }
            }
            Self::CreateMultipleExtentFdp(r) => {
                name(r.owned_extents_root);
                name(r.available_extents_root);
            }
            Self::ConvertFdp(r) => {
                name(r.owned_extents_root);
                name(r.available_extents_root);
            }
            Self::ConvertFdp2(r) => {
                name(r.convert.owned_extents_root);
                name(r.convert.available_extents_root);
            }
            Self::EmptyTree(r) => r.pages().for_each(|page| name(page.page_number)),
            Self::MacroInfo(r) => r.pages().for_each(name),
            Self::MacroInfo2(r) => r.pages().for_each(name),
            Self::NewPage(r) => name(r.page_number),
            Self::FreeFdp(r) => name(r.root),
            Self::PagePatchRequest(r) => name(r.page_number),
            Self::ScanCheck(r) if r.page_number != SCAN_FINISHED => name(r.page_number),
            Self::ScanCheck2(r) if r.page_number != SCAN_FINISHED => name(r.page_number),
            Self::TrimDatabase(r) => name_range(r.first_page, r.page_count, &mut name),
            Self::ExtentFreed(r) => name_range(r.first_page, r.page_count, &mut name),
            Self::ExtentFreed2(r) => name_range(r.freed.first_page, r.freed.page_count, &mut name),
            Self::ShrinkDatabase(r) | Self::ShrinkDatabase2(r) => name_behind(r, &mut name),
            Self::ShrinkDatabase3(r) => name_behind(&r.shrink, &mut name),
            _ => {}
        }
    }
}

/// Names the pages that a shrink takes away.
fn name_behind(shrink: &super::space::ShrinkDatabase, name: &mut dyn FnMut(PageNumber)) {
    name_range(PageNumber(shrink.last_page.0.saturating_add(1)), shrink.page_count, name);
}

fn name_range(first: PageNumber, count: u32, name: &mut dyn FnMut(PageNumber)) {
    let Some(last) = count.checked_sub(1).map(|more| first.0.saturating_add(more)) else { return };
    if count <= NAMED_RANGE {
        (first.0..=last).for_each(|page| name(PageNumber(page)));
    } else {
        name(first);
        name(PageNumber(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ExtentFreed, ExtentFreedFlags, Macro, NewPage, TrimDatabase};

    fn pages(record: &Record<'_>) -> Vec<u32> {
        let mut pages = Vec::new();
        record.visit_pages(&mut |_, page| pages.push(page.0));
        pages
    }

    #[test]
    fn ranges_are_bounded() {
        let trim = |first, page_count| {
            Record::TrimDatabase(TrimDatabase {
                database: DatabaseSlot(1),
                first_page: PageNumber(first),
                page_count,
            })
        };
        assert_eq!(pages(&trim(7, 3)), [7, 8, 9]);
        assert_eq!(pages(&trim(7, 0)), [0u32; 0]);
        assert_eq!(pages(&trim(1, u32::MAX)), [1, u32::MAX]);
        assert_eq!(pages(&trim(u32::MAX, u32::MAX)), [u32::MAX, u32::MAX]);
    }

    #[test]
    fn ids_come_from_where_each_record_has_them() {
        let new_page = Record::NewPage(NewPage {
            session: SessionId(5),
            database: DatabaseSlot(2),
            page_number: PageNumber(9),
            object: ObjectId(34),
            db_time: DbTime(77),
        });
        assert_eq!(new_page.session(), Some(SessionId(5)));
        assert_eq!(new_page.database(), Some(DatabaseSlot(2)));
        assert_eq!(new_page.object(), Some(ObjectId(34)));
        assert_eq!(new_page.db_time(), Some(DbTime(77)));
        assert_eq!(pages(&new_page), [9]);
        let begin = Record::MacroBegin(Macro { session: SessionId(3), db_time: DbTime(8) });
        assert_eq!((begin.session(), begin.database()), (Some(SessionId(3)), None));
        let freed = Record::ExtentFreed(ExtentFreed {
            database: DatabaseSlot(1),
            first_page: PageNumber(4),
            page_count: 2,
            flags: ExtentFreedFlags::empty(),
        });
        assert_eq!((freed.session(), pages(&freed)), (None, vec![4, 5]));
    }
}
