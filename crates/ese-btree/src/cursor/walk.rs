//! Moving over the nodes of a tree.

use ese_format::{Node, PageNumber, PageView, SearchKey};

use super::tree::view_of;
use super::{PageSource, Tree, TreeError, TreeProblem};

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// On the node that was looked for.
    Equal,
    /// On the first node behind it.
    After,
    /// Behind the last node.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Back,
}

/// A position in a tree. Flag-deleted nodes are passed over.
pub struct Cursor<'t, S: PageSource> {
    tree: &'t Tree<S>,
    leaf: Option<(PageNumber, S::Page)>,
    /// Line on the leaf; meaningful while `leaf` is there and `on_node`.
    line: usize,
    on_node: bool,
    /// Leaves passed in one direction since the last search: more than there are pages means a circle.
    passed: u32,
    direction: Direction,
}

impl<'t, S: PageSource> Cursor<'t, S> {
    pub(super) fn new(tree: &'t Tree<S>) -> Self {
        Self { tree, leaf: None, line: 0, on_node: false, passed: 0, direction: Direction::Forward }
    }

    /// The tree.
    pub const fn tree(&self) -> &'t Tree<S> {
        self.tree
    }

    /// Whether the cursor stands on a node.
    pub const fn is_on_node(&self) -> bool {
        self.on_node
    }

    /// Page and line of the current node.
    pub fn position(&self) -> Option<(PageNumber, usize)> {
        self.leaf.as_ref().filter(|_| self.on_node).map(|(number, _)| (*number, self.line))
    }

    /// The current node; `None` when the cursor is before the first or behind the last.
    ///
    /// # Errors
    /// When the node cannot be read.
    #[inline]
    pub fn node(&self) -> Result<Option<Node<'_>>, TreeError> {
        match &self.leaf {
            Some((number, page)) if self.on_node => {
                let view = view_of(self.tree.source(), *number, page)?;
                view.node(self.line).map(Some).map_err(|e| TreeError::new(*number, e))
            }
            _ => Ok(None),
        }
    }

    /// Moves to the first node; false when there is none.
    ///
    /// # Errors
    /// When a page on the way cannot be read or does not belong.
    pub fn move_first(&mut self) -> Result<bool, TreeError> {
        self.enter(self.tree.first_leaf()?, Direction::Forward);
        self.settle_forward(0)
    }

    /// Moves to the last node; false when there is none.
    ///
    /// # Errors
    /// As [`move_first`](Self::move_first).
    pub fn move_last(&mut self) -> Result<bool, TreeError> {
        self.enter(self.tree.last_leaf()?, Direction::Back);
        let count = self.node_count()?;
        self.settle_back(count)
    }

    /// Moves to the first node at or behind `wanted`.
    ///
    /// # Errors
    /// As [`move_first`](Self::move_first).
    pub fn seek(&mut self, wanted: SearchKey<'_>) -> Result<Found, TreeError> {
        self.enter(self.tree.leaf_of(wanted)?, Direction::Forward);
        let (line, equal) = match &self.leaf {
            Some((number, page)) => view_of(self.tree.source(), *number, page)?
                .find(wanted)
                .map_err(|e| TreeError::new(*number, e))?,
            None => return Ok(Found::End),
        };
        let moved = self.settle_forward(line)?;
        let there = equal && self.line == line && self.passed == 0;
        Ok(if !moved {
            Found::End
        } else if there {
            Found::Equal
        } else {
            Found::After
        })
    }

    /// Moves to the next node: to the first when the cursor has not been moved yet; false behind the last.
    ///
    /// # Errors
    /// As [`move_first`](Self::move_first), and when sibling pages do not agree.
    #[inline]
    pub fn move_next(&mut self) -> Result<bool, TreeError> {
        if self.leaf.is_none() {
            return self.move_first();
        }
        self.turn(Direction::Forward);
        let line = if self.on_node { self.line + 1 } else { self.line };
        self.settle_forward(line)
    }

    /// Moves to the previous node: to the last when the cursor has not been moved yet; false before the first.
    ///
    /// # Errors
    /// As [`move_next`](Self::move_next).
    pub fn move_previous(&mut self) -> Result<bool, TreeError> {
        if self.leaf.is_none() {
            return self.move_last();
        }
        self.turn(Direction::Back);
        self.settle_back(self.line)
    }

    fn enter(&mut self, leaf: (PageNumber, S::Page), direction: Direction) {
        self.leaf = Some(leaf);
        self.line = 0;
        self.on_node = false;
        self.passed = 0;
        self.direction = direction;
    }

    fn turn(&mut self, direction: Direction) {
        if self.direction != direction {
            self.direction = direction;
            self.passed = 0;
        }
    }

    fn view(&self) -> Result<Option<(PageNumber, PageView<'_>)>, TreeError> {
        let Some((number, page)) = &self.leaf else { return Ok(None) };
        Ok(Some((*number, view_of(self.tree.source(), *number, page)?)))
    }

    fn node_count(&self) -> Result<usize, TreeError> {
        Ok(self.view()?.map_or(0, |(_, view)| view.node_count()))
    }

    /// The first live node at or behind `line`, on this leaf or the following ones.
    fn settle_forward(&mut self, mut line: usize) -> Result<bool, TreeError> {
        loop {
            let Some((number, view)) = self.view()? else { return Ok(false) };
            let count = view.node_count();
            while line < count {
                let node = view.node(line).map_err(|e| TreeError::new(number, e))?;
                if !node.is_deleted() {
                    (self.line, self.on_node) = (line, true);
                    return Ok(true);
                }
                line += 1;
            }
            let next = view.header().next;
            if next.is_none() {
                (self.line, self.on_node) = (count, false);
                return Ok(false);
            }
            self.step(number, next)?;
            line = 0;
        }
    }

    /// The last live node before `end`, on this leaf or the preceding ones.
    fn settle_back(&mut self, mut end: usize) -> Result<bool, TreeError> {
        loop {
            let Some((number, view)) = self.view()? else { return Ok(false) };
            end = end.min(view.node_count());
            while let Some(line) = end.checked_sub(1) {
                let node = view.node(line).map_err(|e| TreeError::new(number, e))?;
                if !node.is_deleted() {
                    (self.line, self.on_node) = (line, true);
                    return Ok(true);
                }
                end = line;
            }
            let previous = view.header().previous;
            if previous.is_none() {
                (self.line, self.on_node) = (0, false);
                return Ok(false);
            }
            self.step(number, previous)?;
            end = usize::MAX;
        }
    }

    /// Goes to a sibling, which must point back.
    fn step(&mut self, from: PageNumber, to: PageNumber) -> Result<(), TreeError> {
        self.passed += 1;
        if self.passed > self.tree.source().last_page().0 {
            return Err(TreeError::new(to, TreeProblem::Endless));
        }
        let page = self.tree.page(to)?;
        let view = view_of(self.tree.source(), to, &page)?;
        if !view.is_leaf() {
            let problem = TreeProblem::Flags { expected: "a leaf", found: view.flags() };
            return Err(TreeError::new(to, problem));
        }
        let back = match self.direction {
            Direction::Forward => view.header().previous,
            Direction::Back => view.header().next,
        };
        if back != from {
            return Err(TreeError::new(to, TreeProblem::SiblingLink { expected: from, found: back }));
        }
        self.leaf = Some((to, page));
        Ok(())
    }
}
