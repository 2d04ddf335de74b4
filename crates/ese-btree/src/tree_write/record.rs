//! The log records of a change.

use ese_format::{DbTime, PageNumber, PageSize};
use ese_log::RecordBatch;
use ese_log::record::{
    BeforeImage, BeforeImageFlags, ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, DatabaseSlot,
    Delete, DiffForm, EmptyPage, EmptyTree, EncodeError, ExtendDatabase, FlagInsert,
    FlagInsertAndReplaceData, Insert, Macro, MacroInfo, MacroInfo2, Merge, NewPage, NodePrefix, PagePrefix,
    PageRecordFlags, Record, Replace, SessionId, SetExternalHeader, Split, SplitFields, SplitOperation,
    TransactionTime, VersionId, make_diff,
};

use super::change::{convert, multiple_extent, page_prefix, single_extent};
use super::{LeafChange, MergePlan, PageChange, PageStore, SplitPlan, TreeRoot, TreeWriteError};
use crate::page_edit::{PageEditError, PageImage, usable_prefix};
use crate::page_operation::{merge_target, moves_nodes};
use crate::stored_image::{BeforeImageError, StoredImage, make_before_image};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Whose change it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordContext {
    /// The session.
    pub session: SessionId,
    /// Slot of the database.
    pub slot: DatabaseSlot,
    /// Begin time of the outermost transaction.
    pub transaction: TransactionTime,
    /// Transaction level.
    pub level: u8,
    /// Flags beside those that follow from the tree and the change: done by an index build, by a background task.
    pub flags: PageRecordFlags,
}

/// Something that is known of the pages before the change.
struct Writer<'a, S: ?Sized> {
    store: &'a mut S,
    tree: &'a TreeRoot,
    time: DbTime,
    context: &'a RecordContext,
    batch: &'a mut RecordBatch,
}

impl PageChange<'_> {
    /// Appends to `batch` the log records of this change of `tree`, which has not been applied yet and gives its pages the
    /// counter `time`. A macro is complete: from its begin to its commit, with the list of its pages.
    ///
    /// # Errors
    /// When a page of the change cannot be had, or a byte string is too long for a record.
    pub fn record<S: PageStore + ?Sized>(
        &self,
        store: &mut S,
        tree: &TreeRoot,
        time: DbTime,
        context: &RecordContext,
        batch: &mut RecordBatch,
    ) -> Result<()> {
        Writer { store, tree, time, context, batch }.change(self)
    }
}

/// Appends to `batch` the record that tells of a file that is to end with page `last`. It is made durable before the file
/// grows.
///
/// # Errors
/// Never in fact.
pub fn record_extension(
    slot: DatabaseSlot,
    last: PageNumber,
    batch: &mut RecordBatch,
) -> std::result::Result<(), EncodeError> {
    batch.push(&Record::ExtendDatabase(ExtendDatabase { database: slot, last_page: last, more: &[] }))
}

impl<S: PageStore + ?Sized> Writer<'_, S> {
    fn push(&mut self, page: PageNumber, record: &Record<'_>) -> Result<()> {
        self.batch.push(record).map_err(|source| TreeWriteError::Record { page, source })
    }

    /// The beginning of a record that creates pages.
    fn new_prefix(&self, page: PageNumber) -> PagePrefix {
        let prefix = page_prefix(self.tree, page, self.time);
        PagePrefix {
            session: self.context.session,
            database: self.context.slot,
            transaction: self.context.transaction,
            level: self.context.level,
            flags: prefix.flags | self.context.flags,
            ..prefix
        }
    }

    fn prefix(&mut self, page: PageNumber) -> Result<PagePrefix> {
        let db_time_before = self.store.page(page)?.db_time();
        Ok(PagePrefix { db_time_before, ..self.new_prefix(page) })
    }

    fn node(&self, page: PagePrefix, line: usize, version: VersionId) -> Result<NodePrefix> {
        let number = page.page_number;
        let out_of_range = PageEditError::LineOutOfRange { line, count: usize::from(u16::MAX) };
        let line =
            u16::try_from(line).map_err(|_| TreeWriteError::Edit { page: number, source: out_of_range })?;
        let mut flags = page.flags;
        flags.set(PageRecordFlags::VERSIONED, version != VersionId::NONE);
        let page = PagePrefix { line, flags, ..page };
        Ok(NodePrefix { page, version, root: self.tree.owner, object: self.tree.object })
    }

    fn change(&mut self, change: &PageChange<'_>) -> Result<()> {
        let root = self.tree.root;
        match *change {
            PageChange::NewPage { page } => {
                let (session, database) = (self.context.session, self.context.slot);
                let (object, db_time) = (self.tree.object, self.time);
                self.push(
                    page,
                    &Record::NewPage(NewPage { session, database, page_number: page, object, db_time }),
                )
            }
            PageChange::CreateSingle { parent, pages } => {
                let record: CreateSingleExtentFdp =
                    single_extent(self.new_prefix(root), self.tree, parent, pages);
                self.push(root, &Record::CreateSingleExtentFdp(record))
            }
            PageChange::CreateMultiple { parent, pages } => {
                let record: CreateMultipleExtentFdp =
                    multiple_extent(self.new_prefix(root), self.tree, parent, pages);
                self.push(root, &Record::CreateMultipleExtentFdp(record))
            }
            PageChange::Convert { parent, pages, available, secondary } => {
                let record: ConvertFdp2 =
                    convert(self.prefix(root)?, self.tree, parent, pages, available, secondary);
                self.push(root, &Record::ConvertFdp2(record))
            }
            PageChange::Insert { page, line, key, data, version } => {
                let prefix_len = usable_prefix(self.store.page(page)?.key_prefix(), key);
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, line, version)?;
                self.push(page, &insert_record(node, key, prefix_len, data))
            }
            PageChange::FlagInsert { page, line, version } => {
                let (key, data) = self.node_at(page, line)?;
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, line, version)?;
                self.push(page, &Record::FlagInsert(FlagInsert { node, key: &key, data: &data }))
            }
            PageChange::FlagInsertAndReplace { page, line, data, version, replace_version } => {
                let (key, _) = self.node_at(page, line)?;
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, line, version)?;
                let record = FlagInsertAndReplaceData { node, replace_version, key: &key, data };
                self.push(page, &Record::FlagInsertAndReplaceData(record))
            }
            PageChange::Replace { page, line, data, version } => self.replace(page, line, data, version),
            PageChange::FlagDelete { page, line, version } => {
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, line, version)?;
                self.push(page, &Record::FlagDelete(Delete { node }))
            }
            PageChange::Delete { page, line } => {
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, line, VersionId::NONE)?;
                self.push(page, &Record::Delete(Delete { node }))
            }
            PageChange::Header { page, header } => {
                let prefix = self.prefix(page)?;
                let node = self.node(prefix, 0, VersionId::NONE)?;
                self.push(page, &Record::SetExternalHeader(SetExternalHeader { node, data: header }))
            }
            PageChange::Split(plan) => self.split(plan),
            PageChange::Merge(plan) => self.merge(plan),
            PageChange::EmptyTree { pages } => self.empty_tree(pages),
        }
    }

    /// Key and data of a node.
    fn node_at(&mut self, page: PageNumber, line: usize) -> Result<(Vec<u8>, Vec<u8>)> {
        let image = self.store.page(page)?;
        let node = image.node(line).map_err(|source| TreeWriteError::Edit { page, source })?;
        Ok((node.key(), node.data.to_vec()))
    }

    /// The difference, where it is smaller than the new data.
    fn replace(&mut self, page: PageNumber, line: usize, data: &[u8], version: VersionId) -> Result<()> {
        let prefix = self.prefix(page)?;
        let node = self.node(prefix, line, version)?;
        let form = DiffForm::of_page_size(self.store.page_size());
        let mut difference = Vec::new();
        let image = self.store.page(page)?;
        let old = image.node(line).map_err(|source| TreeWriteError::Edit { page, source })?.data;
        let old_size = old.len();
        // Data that does not change at all is logged whole.
        let smaller = make_diff(old, data, form, &mut difference) && !difference.is_empty();
        let record = replace_record(node, old_size, data);
        if smaller {
            let long_entries = form == DiffForm::Long;
            self.push(page, &Record::ReplaceDiff(Replace { long_entries, data: &difference, ..record }))
        } else {
            self.push(page, &Record::Replace(record))
        }
    }

    fn macro_bounds(&self) -> Macro {
        Macro { session: self.context.session, db_time: self.time }
    }

    fn end_macro(&mut self, pages: &[PageNumber]) -> Result<()> {
        let root = self.tree.root;
        self.push(root, &Record::MacroCommit(self.macro_bounds()))?;
        let list: Vec<u8> = pages.iter().flat_map(|page| page.0.to_le_bytes()).collect();
        let page_count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
        let database = self.context.slot;
        // The first slot has a record of its own, older than the others'.
        let info = if database.0 == 1 {
            Record::MacroInfo(MacroInfo { page_list: &list })
        } else {
            Record::MacroInfo2(MacroInfo2 { database, page_count, page_list: &list })
        };
        self.push(root, &info)
    }

    /// The page as it is now, with the counter that the change gives it.
    fn image(&mut self, page: PageNumber) -> Result<StoredImage> {
        let size: PageSize = self.store.page_size();
        let bytes = self.store.page(page)?.bytes().to_vec();
        let edit = |source| TreeWriteError::Edit { page, source };
        let mut copy = PageImage::new(bytes, size).map_err(edit)?;
        copy.set_db_time(self.time);
        make_before_image(copy.bytes(), size, true).map_err(|error| match error {
            BeforeImageError::Page(source) => edit(source),
            _ => TreeWriteError::Corrupt { page, what: "it gives no before-image" },
        })
    }

    fn split(&mut self, plan: &SplitPlan) -> Result<()> {
        let root = self.tree.root;
        self.push(root, &Record::MacroBegin(self.macro_bounds()))?;
        let mut touched = Vec::with_capacity(plan.levels.len() * 3);
        let mut parent: Option<PagePrefix> = None;
        for level in &plan.levels {
            let prefix = self.prefix(level.page)?;
            let mut fields = level.fields;
            touched.push(level.page);
            if let Some(parent) = parent {
                fields.parent_page = parent.page_number;
                fields.parent_db_time_before = parent.db_time_before;
            }
            if !fields.right_page.is_none() {
                fields.right_db_time_before = self.store.page(fields.right_page)?.db_time();
            }
            let mut record = Split { fields, ..level.record(prefix) };
            let image = if !fields.new_page.is_none() && moves_nodes(&record) {
                self.image(level.page)?
            } else {
                no_image()
            };
            let part: BeforeImage<'_> = image.as_part();
            record.image = Some(part);
            self.push(level.page, &Record::Split(record))?;
            touched.extend([fields.new_page, fields.right_page].into_iter().filter(|page| !page.is_none()));
            parent = Some(prefix);
        }
        let leaf = plan.levels.last().zip(plan.change.as_ref());
        if let Some((level, change)) = leaf {
            self.split_leaf(level.page, &level.fields, change)?;
        }
        self.end_macro(&touched)
    }

    fn merge(&mut self, plan: &MergePlan) -> Result<()> {
        let root = self.tree.root;
        self.push(root, &Record::MacroBegin(self.macro_bounds()))?;
        let mut touched = Vec::with_capacity(plan.levels.len() + 2);
        let mut parent: Option<PagePrefix> = None;
        for level in &plan.levels {
            let prefix = self.prefix(level.page)?;
            let mut fields = level.fields;
            touched.push(level.page);
            if let Some(parent) = parent {
                fields.parent_page = parent.page_number;
                fields.parent_db_time_before = parent.db_time_before;
            }
            for (page, time) in [
                (fields.left_page, &mut fields.left_db_time_before),
                (fields.right_page, &mut fields.right_db_time_before),
            ] {
                if !page.is_none() {
                    *time = self.store.page(page)?.db_time();
                    touched.push(page);
                }
            }
            let mut record = Merge { fields, ..plan.record(level, prefix) };
            let image = if merge_target(&record).is_none() { no_image() } else { self.image(level.page)? };
            record.image = Some(image.as_part());
            self.push(level.page, &Record::Merge(record))?;
            parent = Some(prefix);
        }
        self.end_macro(&touched)
    }

    fn empty_tree(&mut self, pages: &[PageNumber]) -> Result<()> {
        let root = self.tree.root;
        let mut list = Vec::with_capacity(pages.len());
        for &page_number in pages {
            let image = self.store.page(page_number)?;
            let (db_time_before, flags) = (image.db_time(), image.flags());
            list.extend_from_slice(&EmptyPage { db_time_before, page_number, page_flags: flags }.to_bytes());
        }
        let prefix = self.prefix(root)?;
        let node = self.node(prefix, 0, VersionId::NONE)?;
        self.push(root, &Record::EmptyTree(EmptyTree { node, page_list: &list }))
    }

    /// The operation that a split makes room for.
    fn split_leaf(&mut self, page: PageNumber, fields: &SplitFields, change: &LeafChange) -> Result<()> {
        let prefix = PagePrefix { db_time_before: DbTime::NIL, ..self.new_prefix(page) };
        let node = self.node(prefix, change.line, change.version)?;
        match fields.operation {
            SplitOperation::INSERT => self.push(page, &insert_record(node, &change.key, 0, &change.data)),
            SplitOperation::REPLACE => {
                let (_, old) = self.node_at(page, change.line)?;
                self.push(page, &Record::Replace(replace_record(node, old.len(), &change.data)))
            }
            _ => {
                let replace_version = change.replace_version;
                let (key, data) = (&change.key[..], &change.data[..]);
                let record = FlagInsertAndReplaceData { node, replace_version, key, data };
                self.push(page, &Record::FlagInsertAndReplaceData(record))
            }
        }
    }
}

fn no_image() -> StoredImage {
    StoredImage { flags: BeforeImageFlags::empty(), bytes: Vec::new() }
}

fn insert_record<'a>(node: NodePrefix, key: &'a [u8], prefix_len: usize, data: &'a [u8]) -> Record<'a> {
    let (key_prefix, key_suffix) = key.split_at_checked(prefix_len).unwrap_or((&[], key));
    Record::Insert(Insert { node, key_prefix, key_suffix, data })
}

fn replace_record(node: NodePrefix, old_size: usize, data: &[u8]) -> Replace<'_> {
    // Data is shorter than a page.
    let size = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
    Replace { node, old_size: size(old_size), new_size: size(data.len()), long_entries: false, data }
}
