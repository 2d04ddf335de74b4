//! A tree by its root.

use ese_format::{ObjectId, PageFlags, PageNumber, PageView, RootFields, SearchKey};

use super::{Cursor, PageSource, TreeError, TreeProblem};

/// No tree is deeper: even with the smallest fan-out of two, the highest page number is reached before.
const MAX_DEPTH: u32 = 40;

/// A tree: table, index, long values, or space. Holds the root's identity; pages come from `source`.
#[derive(Clone, Copy, Debug)]
pub struct Tree<S> {
    source: S,
    root: PageNumber,
    object_id: ObjectId,
    /// Flags that every page of the tree must share.
    kind: PageFlags,
}

impl<S: PageSource> Tree<S> {
    /// Opens the tree whose root is page `root`.
    ///
    /// # Errors
    /// When the page cannot be read or is no root.
    pub fn open(source: S, root: PageNumber) -> Result<Self, TreeError> {
        let page = source.page(root)?;
        let view = view_of(&source, root, &page)?;
        let flags = view.flags();
        if !view.is_root() || flags.intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
            let problem = TreeProblem::Flags { expected: "the root of a tree", found: flags };
            return Err(TreeError::new(root, problem));
        }
        let object_id = view.header().object_id;
        drop(page);
        Ok(Self { source, root, object_id, kind: flags & PageFlags::TREE_MASK })
    }

    /// As [`open`](Self::open), and the pages must belong to `object_id`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`TreeProblem::ObjectId`].
    pub fn open_object(source: S, root: PageNumber, object_id: ObjectId) -> Result<Self, TreeError> {
        let tree = Self::open(source, root)?;
        if tree.object_id != object_id {
            let problem = TreeProblem::ObjectId { expected: object_id, found: tree.object_id };
            return Err(TreeError::new(root, problem));
        }
        Ok(tree)
    }

    /// Root page.
    pub const fn root(&self) -> PageNumber {
        self.root
    }

    /// Object id of every page.
    pub const fn object_id(&self) -> ObjectId {
        self.object_id
    }

    /// The flags that every page shares: type of the tree, space tree, non-unique.
    pub const fn kind(&self) -> PageFlags {
        self.kind
    }

    /// Whether nodes are ordered by key and data.
    pub const fn is_non_unique(&self) -> bool {
        self.kind.contains(PageFlags::NON_UNIQUE_KEYS)
    }

    /// Where the pages come from.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// The fields of the root's external header. Space trees have none: theirs is a split buffer.
    ///
    /// # Errors
    /// When the page cannot be read; the inner result is the header's own form.
    pub fn root_fields(&self) -> Result<Result<RootFields, ese_format::InvalidRootFields>, TreeError> {
        let page = self.source.page(self.root)?;
        Ok(RootFields::decode(view_of(&self.source, self.root, &page)?.external_header()))
    }

    /// A cursor before the first node.
    pub fn cursor(&self) -> Cursor<'_, S> {
        Cursor::new(self)
    }

    /// Reads a page of this tree that must be a leaf or not.
    pub(super) fn page(&self, number: PageNumber) -> Result<S::Page, TreeError> {
        let page = self.source.page(number)?;
        let view = view_of(&self.source, number, &page)?;
        if view.header().object_id != self.object_id {
            let problem = TreeProblem::ObjectId { expected: self.object_id, found: view.header().object_id };
            return Err(TreeError::new(number, problem));
        }
        let flags = view.flags();
        let problem = if flags & PageFlags::TREE_MASK != self.kind {
            Some("type of the tree")
        } else if flags.contains(PageFlags::ROOT) != (number == self.root) {
            Some("only the first page is a root")
        } else if flags.intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
            Some("a page in use")
        } else {
            None
        };
        match problem {
            Some(expected) => Err(TreeError::new(number, TreeProblem::Flags { expected, found: flags })),
            None => Ok(page),
        }
    }

    /// Walks down to a leaf; `choose` picks the line on each branch page.
    fn descend(
        &self,
        choose: impl Fn(&PageView<'_>) -> Result<usize, ese_format::PageError>,
    ) -> Result<(PageNumber, S::Page), TreeError> {
        let mut number = self.root;
        let mut parent_of_leaf = None;
        for _ in 0..MAX_DEPTH {
            let page = self.page(number)?;
            let view = view_of(&self.source, number, &page)?;
            let leaf = view.is_leaf();
            if parent_of_leaf.is_some_and(|expected| expected != leaf) {
                let problem = TreeProblem::Flags {
                    expected: "leaves below a parent of leaves, branches below other branches",
                    found: view.flags(),
                };
                return Err(TreeError::new(number, problem));
            }
            if leaf {
                return Ok((number, page));
            }
            parent_of_leaf = Some(view.flags().contains(PageFlags::PARENT_OF_LEAF));
            let line = choose(&view).map_err(|e| TreeError::new(number, e))?;
            let node = view.node(line).map_err(|e| TreeError::new(number, e))?;
            let child = node.child().ok_or_else(|| TreeError::new(number, TreeProblem::NoChild { line }))?;
            number = child;
        }
        Err(TreeError::new(number, TreeProblem::Endless))
    }

    pub(super) fn first_leaf(&self) -> Result<(PageNumber, S::Page), TreeError> {
        self.descend(|_| Ok(0))
    }

    pub(super) fn last_leaf(&self) -> Result<(PageNumber, S::Page), TreeError> {
        self.descend(|view| Ok(view.node_count().saturating_sub(1)))
    }

    pub(super) fn leaf_of(&self, wanted: SearchKey<'_>) -> Result<(PageNumber, S::Page), TreeError> {
        self.descend(|view| view.find_child(wanted))
    }
}

/// Looks at a page of `source`.
pub(super) fn view_of<'p, S: PageSource>(
    source: &S,
    number: PageNumber,
    page: &'p S::Page,
) -> Result<PageView<'p>, TreeError> {
    PageView::parse(page, source.page_size()).map_err(|e| TreeError::new(number, e))
}
