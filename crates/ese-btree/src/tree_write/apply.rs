//! Carrying out a change.

use ese_format::{DbTime, PageNumber};

use super::{LeafChange, PageChange, PageStore, Pointer, SplitLevel, TreeWriteError};
use crate::page_edit::{NewNode, PageEditError, PageImage, node_flags, page_flags, usable_prefix};
use crate::page_operation::{Line, append_lines};

type Result<T> = std::result::Result<T, TreeWriteError>;

fn edit(page: PageNumber) -> impl Fn(PageEditError) -> TreeWriteError {
    move |source| TreeWriteError::Edit { page, source }
}

impl PageChange<'_> {
    /// Carries the change out on the pages of `store` and stamps them with `time`.
    ///
    /// # Errors
    /// When a page cannot be had, or does not allow the change.
    pub fn apply<S: PageStore + ?Sized>(&self, store: &mut S, time: DbTime) -> Result<()> {
        match *self {
            Self::Create { page, object, flags, header, nodes } => {
                let mut image = store.new_page(page)?;
                image.initialize(page, object, time);
                image.consume(flags);
                image.set_external_header(header).map_err(edit(page))?;
                for (line, (key, data)) in nodes.iter().enumerate() {
                    image.insert(line, &NewNode::plain(key, data, 0)).map_err(edit(page))?;
                }
                Ok(())
            }
            Self::Insert { page, line, key, data } => change_one(store, page, time, |image| {
                let prefix_len = usable_prefix(image.key_prefix(), key);
                image.insert(line, &NewNode::compressed(key, prefix_len, data, 0))
            }),
            Self::Replace { page, line, data } => change_one(store, page, time, |image| {
                image.replace_data(line, data)?;
                image.change_node_flags(line, 0, node_flags::DELETED)
            }),
            Self::FlagDelete { page, line } => {
                change_one(store, page, time, |image| image.change_node_flags(line, node_flags::DELETED, 0))
            }
            Self::Delete { page, line } => change_one(store, page, time, |image| image.delete(line)),
            Self::Header { page, header } => {
                change_one(store, page, time, |image| image.set_external_header(header))
            }
            Self::VerticalSplit { root, new_page, prefix, ref change } => {
                vertical(store, root, new_page, prefix, change.as_ref(), time)
            }
            Self::Split { levels, pointer } => {
                for level in levels {
                    split_level(store, level, time)?;
                }
                change_one(store, pointer.page, time, |image| insert_pointer(image, pointer))
            }
        }
    }
}

fn change_one<S: PageStore + ?Sized>(
    store: &mut S,
    page: PageNumber,
    time: DbTime,
    change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
) -> Result<()> {
    let mut image = store.page_mut(page)?;
    change(&mut image).map_err(edit(page))?;
    image.set_db_time(time);
    Ok(())
}

/// The separator goes in front of the old pointer, which is led to the right page; its key stays.
fn insert_pointer(
    image: &mut PageImage<&mut [u8]>,
    pointer: &Pointer,
) -> std::result::Result<(), PageEditError> {
    let left = pointer.left.0.to_le_bytes();
    append_lines(image, pointer.line, [Line { key: [&pointer.key, &[]], data: &left, flags: 0 }])?;
    image.replace_data(pointer.line + 1, &pointer.right.0.to_le_bytes())
}

/// The lines of a page with a change made. `pointers` keeps the bytes of the two page numbers.
pub(super) fn changed_lines<'a>(
    image: &'a PageImage<impl AsRef<[u8]>>,
    change: Option<&'a LeafChange>,
    pointer: Option<(&'a Pointer, &'a [[u8; 4]; 2])>,
) -> std::result::Result<Vec<Line<'a>>, PageEditError> {
    let mut lines = (0..image.line_count())
        .map(|line| image.node(line).map(Line::of))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let out_of_range = |line, count| PageEditError::LineOutOfRange { line, count };
    if let Some(change) = change {
        let count = lines.len();
        let new = Line { key: [&change.key, &[]], data: &change.data, flags: 0 };
        if change.replace {
            *lines.get_mut(change.line).ok_or(out_of_range(change.line, count))? = new;
        } else if change.line <= count {
            lines.insert(change.line, new);
        } else {
            return Err(out_of_range(change.line, count));
        }
    }
    if let Some((pointer, [left, right])) = pointer {
        let count = lines.len();
        let old = lines.get_mut(pointer.line).ok_or(out_of_range(pointer.line, count))?;
        old.data = right;
        lines.insert(pointer.line, Line { key: [&pointer.key, &[]], data: left, flags: 0 });
    }
    Ok(lines)
}

fn split_level<S: PageStore + ?Sized>(store: &mut S, level: &SplitLevel, time: DbTime) -> Result<()> {
    let (page, size) = (level.page, store.page_size());
    let old_image = store.page(page)?;
    let (object, flags, previous_flags) =
        (old_image.object(), old_image.flags(), old_image.flags() & !page_flags::FLUSH_TYPE);
    let old = PageImage::of_frame(old_image.bytes().to_vec(), size);
    if flags & page_flags::ROOT != 0 {
        return Err(TreeWriteError::Corrupt { page, what: "a root cannot be split to the right" });
    }
    let children = level.pointer.as_ref().map(|p| (p, [p.left.0.to_le_bytes(), p.right.0.to_le_bytes()]));
    let pointer = children.as_ref().map(|(p, bytes)| (*p, bytes));
    let lines = changed_lines(&old, level.change.as_ref(), pointer).map_err(edit(page))?;
    let (stay, moved) = lines.split_at_checked(level.split_line).ok_or(TreeWriteError::Edit {
        page,
        source: PageEditError::LineOutOfRange { line: level.split_line, count: lines.len() },
    })?;
    let is_leaf = flags & page_flags::LEAF != 0;

    let mut new = store.new_page(level.new_page)?;
    new.initialize(level.new_page, object, time);
    new.consume(previous_flags);
    new.set_external_header(&level.new_prefix).map_err(edit(level.new_page))?;
    append_lines(&mut new, 0, moved.iter().copied()).map_err(edit(level.new_page))?;
    if is_leaf {
        new.set_previous(page);
        new.set_next(level.right_page);
    }

    let mut image = store.page_mut(page)?;
    match &level.prefix {
        Some(prefix) => {
            let nodes = stay.iter().map(|line| line.node(prefix));
            image.rebuild(prefix, nodes).map_err(edit(page))?;
        }
        None => {
            let count = image.line_count();
            image.delete_range(level.split_line.min(count), count).map_err(edit(page))?;
        }
    }
    if is_leaf {
        image.set_next(level.new_page);
    }
    image.set_db_time(time);
    if is_leaf && !level.right_page.is_none() {
        let mut right = store.page_mut(level.right_page)?;
        right.set_previous(level.new_page);
        right.set_db_time(time);
    }
    Ok(())
}

fn vertical<S: PageStore + ?Sized>(
    store: &mut S,
    root: PageNumber,
    new_page: PageNumber,
    prefix: &[u8],
    change: Option<&LeafChange>,
    time: DbTime,
) -> Result<()> {
    let size = store.page_size();
    let old_image = store.page(root)?;
    let flags = old_image.flags() & !page_flags::FLUSH_TYPE;
    let object = old_image.object();
    let old = PageImage::of_frame(old_image.bytes().to_vec(), size);
    let lines = changed_lines(&old, change, None).map_err(edit(root))?;

    let mut new = store.new_page(new_page)?;
    new.initialize(new_page, object, time);
    new.consume(flags & !page_flags::ROOT);
    new.set_external_header(prefix).map_err(edit(new_page))?;
    append_lines(&mut new, 0, lines).map_err(edit(new_page))?;

    change_one(store, root, time, |image| {
        image.remove_all_nodes()?;
        let parent = if flags & page_flags::LEAF != 0 { page_flags::PARENT_OF_LEAF } else { 0 };
        image.set_flags(image.flags() & !(page_flags::LEAF | page_flags::PARENT_OF_LEAF) | parent);
        // The only separator is empty: above everything.
        image.insert(0, &NewNode::plain(&[], &new_page.0.to_le_bytes(), 0))
    })
}
