//! What records do to one page: nothing but the page is needed for it, so that any thread can do it that has the page.

use ese_format::{DbTime, PageNumber, PageSize};
use ese_log::record::{
    Delete, FlagInsert, FlagInsertAndReplaceData, Insert, NodePrefix, PageRecordFlags, Record, Replace,
    VersionId, apply_diff,
};

use super::error::RedoErrorKind;
use super::kept::KeptBytes;
use super::node::DeltaParts;
use crate::page_edit::{NewNode, PageEditError, PageImage, node_flags};
use crate::page_operation::{UndoneOperation, undo_node};

type Result<T> = std::result::Result<T, RedoErrorKind>;
type Page<'p> = PageImage<&'p mut [u8]>;

/// What is needed beside the page.
pub(super) struct ChangeTools<'t> {
    pub(super) size: PageSize,
    /// Room for new data.
    pub(super) scratch: &'t mut Vec<u8>,
    /// Where what is overwritten goes, when a version waits for it.
    pub(super) kept: Option<&'t mut KeptBytes>,
}

/// An edit of the page that a record names did not work out.
pub(super) fn edit_error(node: &NodePrefix) -> impl Fn(PageEditError) -> RedoErrorKind {
    let (slot, page) = (node.page.database, node.page.page_number);
    move |error| RedoErrorKind::Edit { slot, page, error }
}

/// Changes the page as the record says; its update counter is the record's then.
pub(super) fn change_node(page: &mut Page<'_>, record: &Record<'_>, tools: ChangeTools<'_>) -> Result<()> {
    let node = match record {
        Record::Insert(r) => insert(page, r)?,
        Record::FlagInsert(r) => flag_insert(page, r)?,
        Record::FlagInsertAndReplaceData(r) => flag_insert_and_replace(page, r, tools)?,
        Record::FlagDelete(r) => flag_delete(page, r, tools)?,
        Record::Replace(r) => replace(page, r, false, tools)?,
        Record::ReplaceDiff(r) => replace(page, r, true, tools)?,
        Record::Delete(r) => {
            page.delete(r.node.page.line.into()).map_err(edit_error(&r.node))?;
            &r.node
        }
        Record::SetExternalHeader(r) => {
            page.set_external_header(r.data).map_err(edit_error(&r.node))?;
            &r.node
        }
        Record::Delta(_) | Record::Delta64(_) => {
            let Some(delta) = DeltaParts::of(record) else {
                return Err(RedoErrorKind::Unsupported(record.kind()));
            };
            add(page, &delta)?;
            page.set_db_time(delta.node.page.db_time);
            return Ok(());
        }
        other => return Err(RedoErrorKind::Unsupported(other.kind())),
    };
    page.set_db_time(node.page.db_time);
    Ok(())
}

fn insert<'r>(page: &mut Page<'_>, record: &'r Insert<'_>) -> Result<&'r NodePrefix> {
    let node = &record.node;
    if !page.key_prefix().starts_with(record.key_prefix) {
        return Err(RedoErrorKind::Field { field: "key_prefix", found: record.key_prefix.len() as u64 });
    }
    let new = NewNode {
        flags: version_flag(node),
        prefix_len: record.key_prefix.len(),
        suffix: [record.key_suffix, &[]],
        data: record.data,
    };
    page.insert(node.page.line.into(), &new).map_err(edit_error(node))?;
    Ok(node)
}

fn flag_insert<'r>(page: &mut Page<'_>, record: &'r FlagInsert<'_>) -> Result<&'r NodePrefix> {
    let node = &record.node;
    page.change_node_flags(node.page.line.into(), version_flag(node), node_flags::DELETED)
        .map_err(edit_error(node))?;
    Ok(node)
}

fn flag_insert_and_replace<'r>(
    page: &mut Page<'_>,
    record: &'r FlagInsertAndReplaceData<'_>,
    tools: ChangeTools<'_>,
) -> Result<&'r NodePrefix> {
    let node = &record.node;
    put_data(page, node, record.replace_version, record.data, node_flags::DELETED, tools.kept)?;
    Ok(node)
}

fn replace<'r>(
    page: &mut Page<'_>,
    record: &'r Replace<'_>,
    difference: bool,
    tools: ChangeTools<'_>,
) -> Result<&'r NodePrefix> {
    let node = &record.node;
    let (expected, limit) = (usize::from(record.new_size), tools.size.len());
    let data = if difference {
        let old = page.node(node.page.line.into()).map_err(edit_error(node))?.data;
        apply_diff(old, record.data, record.diff_form(), limit, tools.scratch)?;
        &tools.scratch[..]
    } else {
        record.data
    };
    if data.len() != expected || data.len() >= limit {
        return Err(RedoErrorKind::DataSize { expected, found: data.len() });
    }
    put_data(page, node, node.version, data, 0, tools.kept)?;
    Ok(node)
}

/// Puts new data into a node, and keeps the old.
fn put_data(
    page: &mut Page<'_>,
    node: &NodePrefix,
    version: VersionId,
    data: &[u8],
    clear: u8,
    kept: Option<&mut KeptBytes>,
) -> Result<()> {
    let error = edit_error(node);
    let line = usize::from(node.page.line);
    if let Some(kept) = kept {
        let old = page.node(line).map_err(&error)?;
        kept.keep(node.page.session, version, &old, &[], old.data);
    }
    page.replace_data(line, data).map_err(&error)?;
    page.change_node_flags(line, version_flag(node), clear).map_err(&error)
}

fn flag_delete<'r>(
    page: &mut Page<'_>,
    record: &'r Delete,
    tools: ChangeTools<'_>,
) -> Result<&'r NodePrefix> {
    let node = &record.node;
    let error = edit_error(node);
    let line = usize::from(node.page.line);
    if let Some(kept) = tools.kept {
        let old = page.node(line).map_err(&error)?;
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        kept.keep(node.page.session, node.version, &old, if unique { &[] } else { old.data }, &[]);
    }
    page.change_node_flags(line, version_flag(node) | node_flags::DELETED, 0).map_err(&error)?;
    Ok(node)
}

fn add(page: &mut Page<'_>, record: &DeltaParts<'_>) -> Result<()> {
    let error = edit_error(&record.node);
    let line = usize::from(record.node.page.line);
    page.add_to_counter(line, record.offset.into(), record.delta, record.wide).map_err(&error)?;
    page.change_node_flags(line, version_flag(&record.node), 0).map_err(&error)
}

/// What an Undo record takes back.
#[derive(Clone, Debug)]
pub(super) struct TakenBack {
    pub(super) undone: UndoneOperation,
    pub(super) before: Vec<u8>,
}

/// Takes an operation back, unless its transaction was not seen.
pub(super) fn change_undo(page: &mut Page<'_>, node: &NodePrefix, taken: Option<&TakenBack>) -> Result<()> {
    if let Some(taken) = taken {
        undo_node(page, node.page.line.into(), &taken.undone, &taken.before).map_err(edit_error(node))?;
    }
    page.set_db_time(node.page.db_time);
    Ok(())
}

/// Makes a page new that no tree uses yet.
pub(super) fn change_new_page(
    page: &mut Page<'_>,
    number: PageNumber,
    object: ese_format::ObjectId,
    time: DbTime,
) {
    page.initialize(number, object, time);
}

/// The version bit of a node that the record makes a version of.
fn version_flag(node: &NodePrefix) -> u8 {
    if node.page.flags.contains(PageRecordFlags::VERSIONED) { node_flags::VERSIONED } else { 0 }
}
