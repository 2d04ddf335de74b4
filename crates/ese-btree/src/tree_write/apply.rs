//! Carrying out a change.

use ese_format::{DbTime, PageNumber, PageSize};
use ese_log::record::{SplitKind, SplitOperation, VersionId};

use super::change::{convert, multiple_extent, page_prefix, single_extent};
use super::{MergePlan, PageChange, PageStore, SplitPlan, TreeRoot, TreeWriteError};
use crate::page_edit::{NewNode, PageEditError, PageImage, node_flags, usable_prefix};
use crate::page_operation::{
    ChangedPages, Line, SplitNode, SplitStep, convert_root, create_multiple_extent, create_single_extent,
    empty_tree_page, empty_tree_root, insert_separator, merge_pages, merge_target, split_page,
};

type Result<T> = std::result::Result<T, TreeWriteError>;
type Edit = std::result::Result<(), PageEditError>;

/// The pages of a store, all of which a change reaches.
struct StorePages<'s, S: ?Sized>(&'s mut S);

impl<S: PageStore + ?Sized> ChangedPages for StorePages<'_, S> {
    type Error = TreeWriteError;

    fn change(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> Edit,
    ) -> Result<()> {
        change(&mut self.0.page_mut(page)?).map_err(|source| TreeWriteError::Edit { page, source })
    }

    fn create(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> Edit,
    ) -> Result<()> {
        change(&mut self.0.new_page(page)?).map_err(|source| TreeWriteError::Edit { page, source })
    }

    fn edit_error(&self, page: PageNumber, source: PageEditError) -> TreeWriteError {
        TreeWriteError::Edit { page, source }
    }
}

fn version_flag(version: VersionId) -> u8 {
    if version == VersionId::NONE { 0 } else { node_flags::VERSIONED }
}

impl PageChange<'_> {
    /// Carries the change of `tree` out on the pages of `store` and stamps them with `time`.
    ///
    /// # Errors
    /// When a page cannot be had, or does not allow the change.
    pub fn apply<S: PageStore + ?Sized>(&self, store: &mut S, tree: &TreeRoot, time: DbTime) -> Result<()> {
        let size = store.page_size();
        let mut pages = StorePages(store);
        let root = page_prefix(tree, tree.root, time);
        match *self {
            Self::NewPage { page } => pages.create(page, |image| {
                image.initialize(page, tree.object, time);
                Ok(())
            }),
            Self::CreateSingle { parent, pages: count } => {
                create_single_extent(&mut pages, &single_extent(root, tree, parent, count))
            }
            Self::CreateMultiple { parent, pages: count } => {
                create_multiple_extent(&mut pages, &multiple_extent(root, tree, parent, count))
            }
            Self::Convert { parent, pages: count, available, secondary } => {
                convert_root(&mut pages, &convert(root, tree, parent, count, available, secondary))
            }
            Self::Insert { page, line, key, data, version } => change_one(&mut pages, page, time, |image| {
                let prefix_len = usable_prefix(image.key_prefix(), key);
                image.insert(line, &NewNode::compressed(key, prefix_len, data, version_flag(version)))
            }),
            Self::FlagInsert { page, line, version } => change_one(&mut pages, page, time, |image| {
                image.change_node_flags(line, version_flag(version), node_flags::DELETED)
            }),
            Self::FlagInsertAndReplace { page, line, data, version, .. } => {
                change_one(&mut pages, page, time, |image| {
                    image.replace_data(line, data)?;
                    image.change_node_flags(line, version_flag(version), node_flags::DELETED)
                })
            }
            Self::Replace { page, line, data, version } => change_one(&mut pages, page, time, |image| {
                image.replace_data(line, data)?;
                image.change_node_flags(line, version_flag(version), 0)
            }),
            Self::FlagDelete { page, line, version } => change_one(&mut pages, page, time, |image| {
                image.change_node_flags(line, version_flag(version) | node_flags::DELETED, 0)
            }),
            Self::Delete { page, line } => change_one(&mut pages, page, time, |image| image.delete(line)),
            Self::Header { page, header } => {
                change_one(&mut pages, page, time, |image| image.set_external_header(header))
            }
            Self::Split(plan) => split(&mut pages, size, tree, plan, time),
            Self::Merge(plan) => merge(&mut pages, size, tree, plan, time),
            Self::EmptyTree { pages: emptied } => {
                for &page in emptied {
                    pages.change(page, |image| empty_tree_page(image, time))?;
                }
                pages.change(tree.root, |image| empty_tree_root(image, time))
            }
        }
    }
}

fn change_one<S: PageStore + ?Sized>(
    pages: &mut StorePages<'_, S>,
    page: PageNumber,
    time: DbTime,
    change: impl FnOnce(&mut PageImage<&mut [u8]>) -> Edit,
) -> Result<()> {
    pages.change(page, |image| {
        change(image)?;
        image.set_db_time(time);
        Ok(())
    })
}

fn split<S: PageStore + ?Sized>(
    pages: &mut StorePages<'_, S>,
    size: PageSize,
    tree: &TreeRoot,
    plan: &SplitPlan,
    time: DbTime,
) -> Result<()> {
    let prefix = page_prefix(tree, PageNumber::NONE, time);
    let records: Vec<_> = plan.levels.iter().map(|level| level.record(prefix)).collect();
    let mut before = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let child = records.get(index + 1);
        let page = record.page.page_number;
        if record.fields.new_page.is_none() {
            let what = "a pointer without a split below it";
            insert_separator(pages, record, child.ok_or(TreeWriteError::Corrupt { page, what })?)?;
            continue;
        }
        // When nothing but the new node goes to the new page, nobody looks at the old one.
        let alone = record.fields.kind == SplitKind::APPEND;
        before.clear();
        if !alone {
            before.extend_from_slice(pages.0.page(page)?.bytes());
        }
        let left;
        let node = match (child, &plan.change) {
            (Some(child), _) => {
                left = child.page.page_number.0.to_le_bytes();
                Some(SplitNode { key: [child.parent_key, &[]], data: &left, versioned: false })
            }
            (None, Some(change)) => Some(SplitNode {
                key: [&change.key, &[]],
                data: &change.data,
                versioned: change.version != VersionId::NONE,
            }),
            (None, None) => None,
        };
        split_page(pages, size, &SplitStep { record, before: (!alone).then_some(&before[..]), node, child })?;
    }
    Ok(())
}

fn merge<S: PageStore + ?Sized>(
    pages: &mut StorePages<'_, S>,
    size: PageSize,
    tree: &TreeRoot,
    plan: &MergePlan,
    time: DbTime,
) -> Result<()> {
    let prefix = page_prefix(tree, PageNumber::NONE, time);
    let records: Vec<_> = plan.levels.iter().map(|level| plan.record(level, prefix)).collect();
    let Some(leaf) = records.last() else { return Ok(()) };
    let before = if merge_target(leaf).is_none() {
        None
    } else {
        Some(pages.0.page(leaf.page.page_number)?.bytes().to_vec())
    };
    merge_pages(pages, size, &records, before.as_deref())
}

/// The lines of a page with the node of a split put in its place, and the separator of the page below.
pub(super) fn changed_lines<'a>(
    image: &'a PageImage<impl AsRef<[u8]>>,
    change: Option<(SplitOperation, usize, &'a [u8], &'a [u8])>,
) -> std::result::Result<Vec<Line<'a>>, PageEditError> {
    let mut lines = (0..image.line_count())
        .map(|line| image.node(line).map(Line::of))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let Some((operation, line, key, data)) = change else { return Ok(lines) };
    let count = lines.len();
    let new = Line { key: [key, &[]], data, flags: 0 };
    let out_of_range = PageEditError::LineOutOfRange { line, count };
    if operation == SplitOperation::INSERT {
        if line > count {
            return Err(out_of_range);
        }
        lines.insert(line, new);
    } else {
        *lines.get_mut(line).ok_or(out_of_range)? = new;
    }
    Ok(lines)
}
