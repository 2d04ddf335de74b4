//! Planning a split.

use ese_format::PageNumber;
use ese_log::record::{SplitKind, SplitOperation};

use super::apply::changed_lines;
use super::writer::Step;
use super::{LeafChange, PageChange, PageStore, SplitLevel, SplitPlan, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags, usable_prefix};
use crate::page_operation::Line;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Where to cut, and the lines whose keys become the prefixes of the two pages.
#[derive(Clone, Copy)]
struct Cut {
    line: usize,
    prefix_line: Option<usize>,
    /// Counted from the cut.
    new_prefix_line: Option<usize>,
}

/// Lines and what they need beside their own bytes: free space for rollbacks.
#[derive(Clone, Copy)]
struct Load<'l, 'a> {
    lines: &'l [Line<'a>],
    /// Reserved bytes of each line; empty when there are none.
    reserves: &'l [usize],
    /// The prefix of the page that is split.
    old_prefix: &'l [u8],
}

impl<'l, 'a> Load<'l, 'a> {
    fn split_at(self, cut: usize) -> Option<(Self, Self)> {
        let (left, right) = self.lines.split_at_checked(cut)?;
        let (a, b) = self.reserves.split_at_checked(cut).unwrap_or((&[], &[]));
        Some((Self { lines: left, reserves: a, ..self }, Self { lines: right, reserves: b, ..self }))
    }

    fn reserve(self) -> usize {
        self.reserves.iter().sum()
    }

    /// Bytes that the lines need on a page with this prefix: the prefix, tags and reserves included.
    fn cost(self, prefix: &[u8]) -> usize {
        let lines = self.lines.iter().map(|line| line.node(prefix).body_len() + 4);
        prefix.len() + lines.sum::<usize>() + self.reserve()
    }

    /// The line that shares most with the old prefix.
    fn nearest_to_old_prefix(self) -> Option<usize> {
        if self.old_prefix.is_empty() {
            return None;
        }
        let shared = |line: &Line<'_>| {
            let key = line.key.iter().copied().flatten();
            key.zip(self.old_prefix).take_while(|(a, b)| a == b).count()
        };
        self.lines.iter().enumerate().max_by_key(|(_, line)| shared(line)).map(|(index, _)| index)
    }

    /// The line whose key as the page's prefix makes the lines smallest, and the bytes that they need then. Keys are in
    /// order, so that one in the middle shares most with most of them. The key that shares most with the page's old prefix
    /// is tried, too: each line shares at least as much with it as with that prefix, so that lines which fitted the old page
    /// fit the new one.
    #[doc(alias = "BTISplitSetPrefixes")]
    fn best_prefix(self) -> (Option<usize>, usize) {
        let mut best = (None, self.cost(&[]));
        let count = self.lines.len();
        let middle = count / 2;
        let mut candidates =
            [middle, count / 4, count * 3 / 4, self.nearest_to_old_prefix().unwrap_or(middle)];
        candidates.sort_unstable();
        for (index, &line) in candidates.iter().enumerate() {
            if index > 0 && candidates.get(index - 1) == Some(&line) {
                continue;
            }
            let Some(candidate) = self.lines.get(line) else { continue };
            let bytes = self.cost(&candidate.whole_key());
            if bytes < best.1 {
                best = (Some(line), bytes);
            }
        }
        best
    }
}

/// The shortest separator between two neighbours: what they share, and one byte more of the right one.
#[doc(alias = "ErrBTISplitComputeSeparatorKey")]
pub(super) fn separator(left: &Line<'_>, right: &Line<'_>, unique: bool) -> Vec<u8> {
    let (left_key, right_key) = (left.whole_key(), right.whole_key());
    let shared = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
    if unique || left_key != right_key {
        let len = shared(&left_key, &right_key) + 1;
        right_key.get(..len).unwrap_or(&right_key).to_vec()
    } else {
        let len = shared(left.data, right.data) + 1;
        let mut key = right_key;
        key.extend_from_slice(right.data.get(..len).unwrap_or(right.data));
        key
    }
}

/// The line whose key becomes the prefix of a page that begins with one appended node: the node itself, when its key can be
/// shortened by a prefix at all and there is room. Redo of an append takes a prefix for granted that is usable.
#[doc(alias = "BTISelectAppend")]
fn append_prefix(node: &Line<'_>, room: usize) -> Option<usize> {
    let key = node.whole_key();
    let fits = key.len() + node.node(&key).body_len() + 4 <= room;
    (fits && usable_prefix(&key, &key) > 0).then_some(0)
}

/// Chooses where to cut, `new` being the line that was added. `None` when no cut leaves two pages that hold their lines:
/// then the new line needs a page of its own, and room is made for it in steps.
fn choose(load: Load<'_, '_>, new: usize, end: End, room: usize) -> Option<Cut> {
    let count = load.lines.len();
    // The old page stays as it is.
    if end == End::Append && count > 1 {
        let line = count - 1;
        let (_, right) = load.split_at(line)?;
        let (new_prefix_line, bytes) = right.best_prefix();
        return (bytes <= room).then_some(Cut { line, prefix_line: None, new_prefix_line });
    }
    let fits = |cut: usize| {
        let (left, right) = load.split_at(cut)?;
        let ((prefix_line, a), (new_prefix_line, b)) = (left.best_prefix(), right.best_prefix());
        (a <= room && b <= room && !left.lines.is_empty() && !right.lines.is_empty()).then_some(Cut {
            line: cut,
            prefix_line,
            new_prefix_line,
        })
    };
    // Keys arrive in order: the full page stays full. On a branch page the new separator may have to move on with the
    // last line.
    let ends = [count.checked_sub(1), count.checked_sub(2)];
    if end == End::Hot
        && let Some(cut) = ends.into_iter().flatten().find_map(fits)
    {
        return Some(cut);
    }
    // What stands behind the place where keys arrive goes, so that they arrive at the end of a page from now on.
    if end == End::HotPoint
        && let Some(cut) = fits(new + 1)
    {
        return Some(cut);
    }
    let reserve = |line: usize| load.reserves.get(line).copied().unwrap_or(0);
    let sizes: Vec<usize> =
        load.lines.iter().enumerate().map(|(i, line)| line.node(&[]).body_len() + 4 + reserve(i)).collect();
    let total: usize = sizes.iter().sum();
    let mut before = 0_usize;
    let mut cuts: Vec<(usize, usize)> = Vec::with_capacity(count);
    for (line, size) in sizes.iter().enumerate() {
        if line > 0 {
            cuts.push(((2 * before).abs_diff(total), line));
        }
        before += size;
    }
    cuts.sort_unstable();
    // The best balance nearly always fits; beside a long line only a cut next to it may.
    let first = cuts.iter().take(3).map(|(_, line)| *line);
    first.chain([new, new + 1]).filter(|line| (1..count).contains(line)).find_map(fits)
}

/// Whether a row of inserts goes on here, so that the old page should stay full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// No.
    No,
    /// Behind the last line of a page.
    Hot,
    /// In front of the line that was behind the new one of the last split, too.
    #[doc(alias = "fHotpoint")]
    HotPoint,
    /// Behind the last line of the last leaf.
    Append,
}

fn stored_line(line: Option<usize>) -> i32 {
    line.and_then(|line| i32::try_from(line).ok()).unwrap_or(-1)
}

/// Lines of a page: at most 4095.
fn short(line: usize) -> u16 {
    u16::try_from(line).unwrap_or(u16::MAX)
}

impl<S: PageStore> TreeWriter<S> {
    /// Splits the leaf at the end of `path`, and what must be split above it, to make room for `change`. Returns whether
    /// the change was made with it; if not, the caller tries again on the changed tree.
    pub(super) fn split(&mut self, tree: &TreeRoot, path: &[Step], change: LeafChange) -> Result<bool> {
        let mut plan = SplitPlan { levels: Vec::new(), change: Some(change) };
        let mut separator: Option<Vec<u8>> = None;
        for step in path.iter().rev() {
            if let Some(key) = &separator {
                let image = self.store.page(step.page)?;
                let prefix_len = usable_prefix(image.key_prefix(), key);
                let node = NewNode::compressed(key, prefix_len, &[0; 4], 0);
                if node.body_len() + 4 <= image.free() {
                    plan.levels.push(SplitLevel::pointer_only(tree, step.page));
                    return self.make_split(tree, plan);
                }
            }
            if step.page == tree.root {
                let change = plan.change.take().filter(|_| plan.levels.is_empty());
                let plan = self.plan_root(tree, change)?;
                return self.make_split(tree, plan);
            }
            let (level, made) = self.plan_level(tree, step, plan.change.as_ref(), separator.as_deref())?;
            if separator.is_none() && !made {
                plan.change = None;
            }
            separator = Some(level.parent_key.clone());
            plan.levels.push(level);
        }
        Err(TreeWriteError::Corrupt { page: tree.root, what: "the path does not begin at the root" })
    }

    /// A copy of a page, to be looked at while others are fetched.
    pub(super) fn copy_of(&mut self, page: PageNumber) -> Result<PageImage<Vec<u8>>> {
        let size = self.store.page_size();
        Ok(PageImage::of_frame(self.store.page(page)?.bytes().to_vec(), size))
    }

    /// Free space that each line needs for rollbacks; none where the page keeps none.
    fn reserves(&mut self, tree: &TreeRoot, image: &PageImage<Vec<u8>>, lines: &[Line<'_>]) -> Vec<usize> {
        if image.uncommitted_free() == 0 || tree.is_space_tree() {
            return Vec::new();
        }
        let store = &mut self.store;
        lines
            .iter()
            .map(|line| {
                store.largest_data(tree, &line.whole_key(), line.data).saturating_sub(line.data.len())
            })
            .collect()
    }

    /// Plans the split of one page, and tells whether the change is part of it.
    fn plan_level(
        &mut self,
        tree: &TreeRoot,
        step: &Step,
        change: Option<&LeafChange>,
        pointer: Option<&[u8]>,
    ) -> Result<(SplitLevel, bool)> {
        let page = step.page;
        let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
        if let (Some(change), None) = (change, pointer)
            && let Some(level) = self.plan_append(tree, page, change)?
        {
            return Ok((level, true));
        }
        let image = self.copy_of(page)?;
        let (right_page, is_leaf) = (image.next(), image.has(page_flags::LEAF));
        // The tag of the external header is there in any case.
        let room = image.data_len() - 4;
        let unique = tree.has_unique_keys() || tree.is_space_tree();
        let operation = match (pointer, change) {
            (Some(key), _) => Some((SplitOperation::INSERT, step.line, key, &[0; 4][..])),
            (None, Some(c)) => Some((c.operation, c.line, &c.key[..], &c.data[..])),
            (None, None) => None,
        };
        let lines = changed_lines(&image, operation).map_err(edit)?;
        let reserves = self.reserves(tree, &image, &lines);
        let new = operation.map_or(step.line, |(_, line, ..)| line);
        let inserts = operation.is_some_and(|(operation, ..)| operation == SplitOperation::INSERT);
        let end = match (is_leaf, inserts && new + 1 == lines.len()) {
            (true, true) if right_page.is_none() => End::Append,
            (true, true) => End::Hot,
            (true, false) if inserts => match lines.get(new + 1).map(Line::whole_key) {
                Some(behind) if self.store.splits_here_again(tree, &behind) => End::HotPoint,
                _ => End::No,
            },
            // The last line is the one that was led to the new page on the right.
            (false, _)
                if new + 2 == lines.len() && lines.last().is_some_and(|l| l.whole_key().is_empty()) =>
            {
                End::Hot
            }
            _ => End::No,
        };
        let old_prefix = image.key_prefix();
        let cut = choose(Load { lines: &lines, reserves: &reserves, old_prefix }, new, end, room);
        let made = cut.is_some();
        let (plain_lines, plain_reserves);
        let (load, cut) = match cut {
            Some(cut) => (Load { lines: &lines, reserves: &reserves, old_prefix }, cut),
            None => {
                // Without the change, at its place: then the new node is the first or the last of a page.
                plain_lines = changed_lines(&image, None).map_err(edit)?;
                plain_reserves = self.reserves(tree, &image, &plain_lines);
                let count = plain_lines.len();
                if pointer.is_some() || count < 2 {
                    let what = "a page with long nodes cannot be split";
                    return Err(TreeWriteError::Corrupt { page, what });
                }
                let load = Load { lines: &plain_lines, reserves: &plain_reserves, old_prefix };
                let line = new.clamp(1, count - 1);
                let halves = load.split_at(line).map(|(a, b)| (a.best_prefix().0, b.best_prefix().0));
                let (prefix_line, new_prefix_line) = halves.unwrap_or_default();
                (load, Cut { line, prefix_line, new_prefix_line })
            }
        };
        let corrupt = TreeWriteError::Corrupt { page, what: "a page without lines cannot be split" };
        let left = cut.line.checked_sub(1).and_then(|line| load.lines.get(line));
        let (Some(left), Some(right)) = (left, load.lines.get(cut.line)) else { return Err(corrupt) };
        let mut level = SplitLevel::right(tree, page, image.flags());
        // A branch page's last separator stays on it and is its own separator above.
        level.parent_key = if is_leaf { separator(left, right, unique) } else { left.whole_key() };
        level.old_prefix = image.key_prefix().to_vec();
        let fields = &mut level.fields;
        fields.right_page = if is_leaf { right_page } else { PageNumber::NONE };
        fields.split_line = short(cut.line);
        fields.line_count = short(load.lines.len());
        fields.new_prefix_line = stored_line(cut.new_prefix_line);
        if let Some((operation, line, ..)) = operation.filter(|_| made) {
            fields.operation = operation;
            fields.operation_line = short(line);
        }
        if let Some((stay, moved)) = load.split_at(cut.line).filter(|_| is_leaf) {
            fields.source_uncommitted_free = short(stay.reserve());
            fields.target_uncommitted_free = short(moved.reserve());
        }
        let alone = made && inserts && is_leaf && new == cut.line && cut.line + 1 == load.lines.len();
        if alone && right_page.is_none() {
            // Nothing but the new node moves, and what follows will be like it.
            fields.kind = SplitKind::APPEND;
            fields.new_prefix_line = stored_line(append_prefix(right, room));
        } else if let Some(line) = cut.prefix_line {
            fields.split_prefix_line = stored_line(Some(line));
            level.new_prefix = load.lines.get(line).map(Line::whole_key).unwrap_or_default();
        }
        Ok((level, made))
    }

    /// As [`plan_level`](Self::plan_level), for a node behind all others of the tree: the page stays as it is. `None` when
    /// that is not the case, or anything else is to be thought of.
    fn plan_append(
        &mut self,
        tree: &TreeRoot,
        page: PageNumber,
        change: &LeafChange,
    ) -> Result<Option<SplitLevel>> {
        let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
        let image = self.store.page(page)?;
        let count = image.line_count();
        let is_append = change.operation == SplitOperation::INSERT
            && change.line == count
            && count > 0
            && image.has(page_flags::LEAF)
            && image.next().is_none()
            && image.uncommitted_free() == 0;
        if !is_append {
            return Ok(None);
        }
        let room = image.data_len() - 4;
        let left = Line::of(image.node(count - 1).map_err(edit)?);
        let right = Line { key: [&change.key, &[]], data: &change.data, flags: 0 };
        let load =
            Load { lines: std::slice::from_ref(&right), reserves: &[], old_prefix: image.key_prefix() };
        if load.cost(&[]) > room {
            return Ok(None);
        }
        let mut level = SplitLevel::right(tree, page, image.flags());
        level.parent_key = separator(&left, &right, tree.has_unique_keys() || tree.is_space_tree());
        level.old_prefix = image.key_prefix().to_vec();
        let fields = &mut level.fields;
        fields.split_line = short(count);
        fields.line_count = short(count + 1);
        fields.operation = change.operation;
        fields.operation_line = short(count);
        fields.kind = SplitKind::APPEND;
        fields.new_prefix_line = stored_line(append_prefix(&right, room));
        Ok(Some(level))
    }

    /// Plans to move the nodes of the root to a new page below it, with the change when it fits there.
    fn plan_root(&mut self, tree: &TreeRoot, change: Option<LeafChange>) -> Result<SplitPlan> {
        let root = tree.root;
        let edit = |source| TreeWriteError::Edit { page: root, source };
        let image = self.copy_of(root)?;
        let room = image.data_len() - 4;
        let mut level = SplitLevel::vertical(tree, image.flags());
        let is_leaf = image.has(page_flags::LEAF);
        for change in [change, None] {
            let operation = change.as_ref().map(|c| (c.operation, c.line, &c.key[..], &c.data[..]));
            let lines = changed_lines(&image, operation).map_err(edit)?;
            let reserves = self.reserves(tree, &image, &lines);
            let load = Load { lines: &lines, reserves: &reserves, old_prefix: image.key_prefix() };
            let (prefix_line, bytes) = load.best_prefix();
            if bytes > room && change.is_some() {
                continue;
            }
            let fields = &mut level.fields;
            fields.line_count = short(lines.len());
            fields.new_prefix_line = stored_line(prefix_line);
            if is_leaf {
                fields.target_uncommitted_free = short(load.reserve());
            }
            if let Some(change) = &change {
                fields.operation = change.operation;
                fields.operation_line = short(change.line);
            }
            return Ok(SplitPlan { levels: vec![level], change });
        }
        Err(TreeWriteError::Corrupt { page: root, what: "the nodes of the root do not fit a page" })
    }

    /// Allocates the new pages of a plan whose levels are in order from the leaf up, and carries it out. Returns whether
    /// the change was part of it.
    fn make_split(&mut self, tree: &TreeRoot, mut plan: SplitPlan) -> Result<bool> {
        plan.levels.reverse();
        // A vertical split is made for itself; above any other one a page gets the pointer.
        let top_is_pointer = plan.levels.len() > 1;
        for level in plan.levels.iter_mut().skip(usize::from(top_is_pointer)) {
            level.fields.new_page = self.allocate_page(tree)?;
        }
        self.store.begin();
        let made = plan.change.is_some();
        // The engine's counter rises with every page that it allocates or changes. While it replays the creation of a
        // database its own counter rises as well, and a new page that gets a value not below that of the split would be
        // taken for one that has the split already.
        let new_pages = plan.levels.iter().filter(|level| !level.fields.new_page.is_none()).count();
        self.pass_times(2 * new_pages);
        self.change(tree, &PageChange::Split(&plan))?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines with these keys fit a page with `old_prefix` when they fit it with the best prefix.
    fn assert_no_worse(keys: &[Vec<u8>], old_prefix: &[u8]) {
        let lines: Vec<Line<'_>> =
            keys.iter().map(|key| Line { key: [key, &[]], data: b"12345", flags: 0 }).collect();
        let load = Load { lines: &lines, reserves: &[], old_prefix };
        let (_, bytes) = load.best_prefix();
        assert!(bytes <= load.cost(old_prefix), "{bytes} bytes, {} before", load.cost(old_prefix));
    }

    #[test]
    fn a_part_of_a_page_needs_no_more_than_on_the_page() {
        // Long keys that share most of their bytes, none of them at a quarter of the lines.
        let mut keys: Vec<Vec<u8>> = (0..11_u8).map(|n| vec![b'a', n]).collect();
        keys.extend((0..9_u8).map(|n| [&[b'm'; 200][..], &[n]].concat()));
        keys.extend((0..20_u8).map(|n| vec![b'x', n]));
        assert_no_worse(&keys, &[b'm'; 182]);
        assert_no_worse(&keys, &[&[b'm'; 200][..], b"gone"].concat());
        assert_no_worse(&keys, b"y");
    }
}
