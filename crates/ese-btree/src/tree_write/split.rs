//! Planning a split.

use ese_format::PageNumber;

use super::apply::changed_lines;
use super::writer::Step;
use super::{LeafChange, PageChange, PageStore, Pointer, SplitLevel, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags, usable_prefix};
use crate::page_operation::Line;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Where and how to cut.
struct Cut {
    line: usize,
    prefix: Option<Vec<u8>>,
    new_prefix: Vec<u8>,
}

/// The common beginning of two keys.
fn common_prefix(first: &Line<'_>, last: &Line<'_>) -> Vec<u8> {
    let bytes = |line: &Line<'_>| line.whole_key().into_iter();
    bytes(first).zip(bytes(last)).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// Bytes that lines need on a page with this prefix, the prefix and their tags included.
fn cost(lines: &[Line<'_>], prefix: &[u8]) -> usize {
    prefix.len() + lines.iter().map(|line| line.node(prefix).body_len() + 4).sum::<usize>()
}

/// The key prefix that makes lines smallest: none, the old one, or what all their keys begin with.
fn best_prefix(lines: &[Line<'_>], old: &[u8]) -> (Vec<u8>, usize) {
    let mut best = (Vec::new(), cost(lines, &[]));
    if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
        for candidate in [common_prefix(first, last), old.to_vec()] {
            let bytes = cost(lines, &candidate);
            if bytes < best.1 {
                best = (candidate, bytes);
            }
        }
    }
    best
}

/// The shortest separator between two neighbours: what they share, and one byte more of the right one.
#[doc(alias = "ErrBTISplitAllocAndCopyPrefix")]
fn separator(left: &Line<'_>, right: &Line<'_>, unique: bool) -> Vec<u8> {
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

/// Chooses where to cut `lines`, of which `new` is the one that was added. `None` when no cut leaves two pages that
/// hold their lines: then the new line needs a page of its own, and room is made for it in steps.
fn choose(lines: &[Line<'_>], new: usize, appending: bool, old_prefix: &[u8], room: usize) -> Option<Cut> {
    let fits = |cut: usize| {
        let (left, right) = lines.split_at_checked(cut)?;
        let ((prefix, a), (new_prefix, b)) = (best_prefix(left, old_prefix), best_prefix(right, old_prefix));
        (a <= room && b <= room && !left.is_empty() && !right.is_empty()).then_some(Cut {
            line: cut,
            prefix: Some(prefix),
            new_prefix,
        })
    };
    // Keys arrive in order: the full page stays full. On a branch page the new separator may have to move on with the
    // last line.
    let at_end = [lines.len().checked_sub(1), lines.len().checked_sub(2)];
    if appending && let Some(cut) = at_end.into_iter().flatten().find_map(fits) {
        return Some(cut);
    }
    let sizes: Vec<usize> = lines.iter().map(|line| line.node(old_prefix).body_len() + 4).collect();
    let total: usize = sizes.iter().sum();
    let mut before = 0_usize;
    let mut cuts: Vec<(usize, usize)> = Vec::with_capacity(lines.len());
    for (line, size) in sizes.iter().enumerate() {
        if line > 0 {
            cuts.push(((2 * before).abs_diff(total), line));
        }
        before += size;
    }
    cuts.sort_unstable();
    // The best balance nearly always fits; beside a long line only a cut next to it may.
    let first = cuts.iter().take(3).map(|(_, line)| *line);
    first.chain([new, new + 1]).filter(|line| (1..lines.len()).contains(line)).find_map(fits)
}

impl<S: PageStore> TreeWriter<S> {
    /// Splits the leaf at the end of `path`, and what must be split above it, to make room for `change`. Returns whether
    /// the change was made with it; if not, the caller tries again on the changed tree.
    pub(super) fn split(&mut self, tree: &TreeRoot, path: &[Step], change: LeafChange) -> Result<bool> {
        let mut levels: Vec<SplitLevel> = Vec::new();
        let mut pointer: Option<Pointer> = None;
        let mut change = Some(change);
        let mut done = true;
        for step in path.iter().rev() {
            if let Some(wanted) = &mut pointer {
                wanted.page = step.page;
                wanted.line = step.line;
                let image = self.store.page(step.page)?;
                let prefix_len = usable_prefix(image.key_prefix(), &wanted.key);
                let node = NewNode::compressed(&wanted.key, prefix_len, &[0; 4], 0);
                if node.body_len() + 4 <= image.free() {
                    return self.split_right(tree, levels, pointer).map(|()| done);
                }
            }
            if step.page == tree.root {
                return self.split_root(tree, change.filter(|_| levels.is_empty()));
            }
            let (level, above, made) = self.plan_level(tree, step, change.take(), pointer.take())?;
            done &= made;
            levels.push(level);
            pointer = Some(above);
        }
        Err(TreeWriteError::Corrupt { page: tree.root, what: "the path does not begin at the root" })
    }

    /// Plans the split of one page: the level, the separator for the page above, and whether the change is part of it.
    fn plan_level(
        &mut self,
        tree: &TreeRoot,
        step: &Step,
        change: Option<LeafChange>,
        pointer: Option<Pointer>,
    ) -> Result<(SplitLevel, Pointer, bool)> {
        let page = step.page;
        let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
        let size = self.store.page_size();
        let image = self.store.page(page)?;
        let (right_page, is_leaf) = (image.next(), image.has(page_flags::LEAF));
        let image = PageImage::of_frame(image.bytes().to_vec(), size);
        // The tag of the external header is there in any case.
        let room = image.data_len() - 4;
        let zeros = [[0; 4]; 2];
        let old_prefix = image.key_prefix();
        let unique = tree.has_unique_keys() || tree.is_space_tree();
        let lines =
            changed_lines(&image, change.as_ref(), pointer.as_ref().map(|p| (p, &zeros))).map_err(edit)?;
        let new = change.as_ref().map_or(step.line, |c| c.line);
        // A branch page's last line is the one that was led to the new page on the right.
        let appending = if is_leaf {
            right_page.is_none() && new + 1 == lines.len() && change.as_ref().is_some_and(|c| !c.replace)
        } else {
            new + 2 == lines.len() && lines.last().is_some_and(|l| l.whole_key().is_empty())
        };
        let cut = choose(&lines, new, appending, old_prefix, room);
        let made = cut.is_some();
        let plain_lines;
        let (lines, cut) = match cut {
            Some(cut) => (lines, cut),
            None => {
                // Without the change, at its place: then the new node is the first or the last of a page.
                plain_lines = changed_lines(&image, None, None).map_err(edit)?;
                let count = plain_lines.len();
                if pointer.is_some() || count < 2 {
                    return Err(TreeWriteError::Corrupt {
                        page,
                        what: "a page with long nodes cannot be split",
                    });
                }
                let cut =
                    Cut { line: new.clamp(1, count - 1), prefix: None, new_prefix: old_prefix.to_vec() };
                (plain_lines, cut)
            }
        };
        let corrupt = TreeWriteError::Corrupt { page, what: "a page without lines cannot be split" };
        let (Some(left), Some(right)) =
            (cut.line.checked_sub(1).and_then(|l| lines.get(l)), lines.get(cut.line))
        else {
            return Err(corrupt);
        };
        // A branch page's last separator stays on it and is its own separator above.
        let key = if is_leaf { separator(left, right, unique) } else { left.whole_key() };
        let adds_last = change.as_ref().is_some_and(|c| !c.replace && c.line + 1 == lines.len());
        let untouched = made && adds_last && cut.line + 1 == lines.len();
        let change = change.filter(|_| made);
        let level = SplitLevel {
            page,
            new_page: PageNumber::NONE,
            right_page: if is_leaf { right_page } else { PageNumber::NONE },
            split_line: cut.line,
            prefix: if untouched { None } else { cut.prefix },
            new_prefix: cut.new_prefix,
            change,
            pointer,
        };
        let above = Pointer { page: PageNumber::NONE, line: 0, key, left: page, right: PageNumber::NONE };
        Ok((level, above, made))
    }

    fn split_right(
        &mut self,
        tree: &TreeRoot,
        mut levels: Vec<SplitLevel>,
        pointer: Option<Pointer>,
    ) -> Result<()> {
        let Some(mut pointer) = pointer else { return Ok(()) };
        let mut below = PageNumber::NONE;
        for level in &mut levels {
            level.new_page = self.allocate_page(tree)?;
            if let Some(inner) = &mut level.pointer {
                inner.right = below;
            }
            below = level.new_page;
        }
        pointer.right = below;
        self.store.begin();
        self.change(&PageChange::Split { levels: &levels, pointer: &pointer })
    }

    /// Moves the nodes of a root to a new page below it; a change goes with them when the root is empty. Returns whether
    /// it did.
    fn split_root(&mut self, tree: &TreeRoot, change: Option<LeafChange>) -> Result<bool> {
        let root = tree.root;
        let size = self.store.page_size();
        let image = self.store.page(root)?;
        let image = PageImage::of_frame(image.bytes().to_vec(), size);
        let change = change.filter(|_| image.line_count() == 0);
        let lines = changed_lines(&image, change.as_ref(), None)
            .map_err(|source| TreeWriteError::Edit { page: root, source })?;
        let (prefix, _) = best_prefix(&lines, &[]);
        let new_page = self.allocate_page(tree)?;
        self.store.begin();
        let made = change.is_some();
        self.change(&PageChange::VerticalSplit { root, new_page, prefix: &prefix, change })?;
        Ok(made)
    }
}
