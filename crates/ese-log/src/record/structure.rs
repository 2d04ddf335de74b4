//! Records that change the shape of a tree: splits, merges and moves of pages.

use bitflags::bitflags;
use ese_format::{DbTime, ObjectId, PageNumber};

use super::body::{self, Body};
use super::error::{EncodeError, RecordError};
use super::field::{Field, FieldValue, FieldVisitor, flags_field, get_at, open_kind, put_at};
use super::kind::RecordKind;
use super::layout::layout;
use super::prefix::{DatabaseSlot, PagePrefix, SessionId};

bitflags! {
    /// How the page image of a split or merge is stored.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct BeforeImageFlags: u32 {
        /// The free gap was cut out of the page.
        #[doc(alias = "fPreimageDehydrated")]
        const DEHYDRATED = 0x1;
        /// Compressed.
        #[doc(alias = "fPreimageCompressed")]
        const COMPRESSED = 0x2;
    }
}

bitflags! {
    /// What happens to one page of a merge.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MergeFlags: u8 {
        /// A key changes.
        #[doc(alias = "fKeyChange")]
        const KEY_CHANGE = 0x01;
        /// A node is deleted.
        #[doc(alias = "fDeleteNode")]
        const DELETE_NODE = 0x02;
        /// The page becomes empty.
        #[doc(alias = "fEmptyPage")]
        const EMPTY_PAGE = 0x04;
    }
}

bitflags! {
    /// Which page a [`PageMove`] moves; no bit for an ordinary page.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PageMoveFlags: u32 {
        /// Root of the tree.
        #[doc(alias = "fRootMoveFDP")]
        const ROOT = 0x1;
        /// Root of the tree of owned extents.
        #[doc(alias = "fRootMoveOE")]
        const OWNED_EXTENTS = 0x2;
        /// Root of the tree of available extents.
        #[doc(alias = "fRootMoveAE")]
        const AVAILABLE_EXTENTS = 0x4;
    }
}

flags_field! {
    BeforeImageFlags, u32;
    MergeFlags, u8;
    PageMoveFlags, u32;
}

open_kind! {
    /// Kind of a split.
    #[doc(alias = "SPLITTYPE")]
    pub struct SplitKind(u8) {
        /// The root keeps one node; all others go one level down.
        #[doc(alias = "splittypeVertical")]
        VERTICAL = 0, "vertical";
        /// The right part goes to a new page.
        #[doc(alias = "splittypeRight")]
        RIGHT = 1, "right";
        /// Only the new node goes to a new page.
        #[doc(alias = "splittypeAppend")]
        APPEND = 2, "append";
    }
}

open_kind! {
    /// Operation that a split was made for.
    #[doc(alias = "SPLITOPER")]
    pub struct SplitOperation(u8) {
        /// None.
        #[doc(alias = "splitoperNone")]
        NONE = 0, "none";
        /// Insert.
        #[doc(alias = "splitoperInsert")]
        INSERT = 1, "insert";
        /// Replace.
        #[doc(alias = "splitoperReplace")]
        REPLACE = 2, "replace";
        /// Flag-insert and replace.
        #[doc(alias = "splitoperFlagInsertAndReplaceData")]
        FLAG_INSERT_AND_REPLACE_DATA = 3, "flag-insert-and-replace-data";
    }
}

open_kind! {
    /// Kind of a merge. 0 stands in the records of the inner levels.
    #[doc(alias = "MERGETYPE")]
    pub struct MergeKind(u8) {
        /// None: a record of an inner level.
        #[doc(alias = "mergetypeNone")]
        NONE = 0, "none";
        /// The page is empty and leaves the tree.
        #[doc(alias = "mergetypeEmptyPage")]
        EMPTY_PAGE = 1, "empty-page";
        /// All nodes go to the right sibling.
        #[doc(alias = "mergetypeFullRight")]
        FULL_RIGHT = 2, "full-right";
        /// The last nodes go to the right sibling.
        #[doc(alias = "mergetypePartialRight")]
        PARTIAL_RIGHT = 3, "partial-right";
        /// The tree becomes empty; logged as EmptyTree instead.
        #[doc(alias = "mergetypeEmptyTree")]
        EMPTY_TREE = 4, "empty-tree";
        /// All nodes go to the left sibling.
        #[doc(alias = "mergetypeFullLeft")]
        FULL_LEFT = 5, "full-left";
        /// The first nodes go to the left sibling.
        #[doc(alias = "mergetypePartialLeft")]
        PARTIAL_LEFT = 6, "partial-left";
        /// The page moves; logged as PageMove instead.
        #[doc(alias = "mergetypePageMove")]
        PAGE_MOVE = 7, "page-move";
    }
}

/// Image of a page as it was when its nodes were about to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeforeImage<'a> {
    /// How it is stored.
    #[doc(alias = "fPreimageFlags")]
    pub flags: BeforeImageFlags,
    /// The stored bytes; empty when no image was needed.
    #[doc(alias = "cbPageBeforeImage")]
    pub bytes: &'a [u8],
}

layout! {
    /// The part of a split record between the [`PagePrefix`] and the lengths. 64 bytes; offsets count from the record.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 32 | 4 | `new_page` |
    /// | 36 | 4 | `right_page` |
    /// | 40 | 8 | `right_db_time_before` |
    /// | 48 | 4 | `parent_page` |
    /// | 52 | 8 | `parent_db_time_before` |
    /// | 60 | 4 | `root` |
    /// | 64 | 4 | `object` |
    /// | 68 | 1 | `kind` |
    /// | 69 | 1 | `operation` |
    /// | 70 | 2 | `operation_line` |
    /// | 72 | 2 | `split_line` |
    /// | 74 | 2 | `line_count` |
    /// | 76 | 4 | `new_page_flags` |
    /// | 80 | 4 | `split_page_flags` |
    /// | 84 | 2 | `source_uncommitted_free` |
    /// | 86 | 2 | `target_uncommitted_free` |
    /// | 88 | 4 | `split_prefix_line` |
    /// | 92 | 4 | `new_prefix_line` |
    #[derive(Default)]
    pub struct SplitFields [64] {
        /// Page that takes the nodes; 0 where the page only gets a pointer to a new page below it, and then most other
        /// fields mean nothing.
        #[doc(alias = "pgnoNew")]
        0 => new_page: PageNumber,
        /// Right sibling, or 0.
        #[doc(alias = "pgnoRight")]
        4 => right_page: PageNumber,
        /// Its database time before.
        #[doc(alias = "dbtimeRightBefore")]
        8 => right_db_time_before: DbTime,
        /// Parent page, or 0.
        #[doc(alias = "pgnoParent")]
        16 => parent_page: PageNumber,
        /// Its database time before.
        #[doc(alias = "dbtimeParentBefore")]
        20 => parent_db_time_before: DbTime,
        /// Root page of the tree.
        #[doc(alias = "pgnoFDP")]
        28 => root: PageNumber,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        32 => object: ObjectId,
        /// Kind of split.
        #[doc(alias = "splittype")]
        36 => kind: SplitKind,
        /// Operation that made the split necessary.
        #[doc(alias = "splitoper")]
        37 => operation: SplitOperation,
        /// Line of that operation.
        #[doc(alias = "ilineOper")]
        38 => operation_line: u16,
        /// First line that moves.
        #[doc(alias = "ilineSplit")]
        40 => split_line: u16,
        /// Number of lines, the inserted one included.
        #[doc(alias = "clines")]
        42 => line_count: u16,
        /// Page flags of the new page.
        #[doc(alias = "fNewPageFlags")]
        44 => new_page_flags: u32,
        /// Page flags of the split page afterwards.
        #[doc(alias = "fSplitPageFlags")]
        48 => split_page_flags: u32,
        /// Uncommitted free bytes of the split page afterwards.
        #[doc(alias = "cbUncFreeSrc")]
        52 => source_uncommitted_free: u16,
        /// Uncommitted free bytes of the new page.
        #[doc(alias = "cbUncFreeDest")]
        54 => target_uncommitted_free: u16,
        /// Line whose key is the new prefix of the split page; -1 for none.
        #[doc(alias = "ilinePrefixSplit")]
        56 => split_prefix_line: i32,
        /// Line, counted from `split_line`, whose key is the prefix of the new page; -1 for none.
        #[doc(alias = "ilinePrefixNew")]
        60 => new_prefix_line: i32,
    }
}

/// A page splits (types 27 Split, without image, and 62 Split2).
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 0   | 32 | `page` |
/// | 32  | 64 | `fields` |
/// | 96  | 2 | length of `old_prefix` |
/// | 98  | 2 | length of `new_prefix` |
/// | 100 | 2 | length of `parent_key` |
/// | 102 | 4 | Split2: flags of `image` |
/// | 106 | 4 | Split2: length of `image` |
/// | 102 or 110 | | `parent_key`, `old_prefix`, `new_prefix`, `image` |
#[doc(alias = "LRSPLIT_")]
#[doc(alias = "LRSPLITNEW")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The page that splits.
    pub page: PagePrefix,
    /// The fields of fixed size.
    pub fields: SplitFields,
    /// Key that separates the two pages in their parent.
    #[doc(alias = "cbKeyParent")]
    pub parent_key: &'a [u8],
    /// Prefix of the split page before.
    #[doc(alias = "cbPrefixSplitOld")]
    pub old_prefix: &'a [u8],
    /// Prefix of the split page afterwards.
    #[doc(alias = "cbPrefixSplitNew")]
    pub new_prefix: &'a [u8],
    /// Split2: the page before; with no bytes where it is not needed. `None` makes the record a Split.
    pub image: Option<BeforeImage<'a>>,
}

impl<'a> Body<'a> for Split<'a> {
    const FIXED: usize = 102;

    #[inline]
    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (fixed, rest) = body::split_fixed::<102>(kind, bytes)?;
        let (image_head, rest) = ImageHead::split(kind, RecordKind::SPLIT2, bytes, rest)?;
        let (parent_key, rest) = body::take(kind, bytes, rest, body::length(get_at::<u16>(fixed, 100)))?;
        let (old_prefix, rest) = body::take(kind, bytes, rest, body::length(get_at::<u16>(fixed, 96)))?;
        let (new_prefix, rest) = body::take(kind, bytes, rest, body::length(get_at::<u16>(fixed, 98)))?;
        let image = ImageHead::image(image_head, kind, bytes, rest)?;
        let (page, fields) = (get_at(fixed, 0), get_at(fixed, 32));
        Ok(Self { page, fields, parent_key, old_prefix, new_prefix, image })
    }

    #[inline]
    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let old: u16 = body::count(kind, "old_prefix", self.old_prefix.len())?;
        let new: u16 = body::count(kind, "new_prefix", self.new_prefix.len())?;
        let key: u16 = body::count(kind, "parent_key", self.parent_key.len())?;
        let image_head = self.image.map(|image| ImageHead::of(kind, image)).transpose()?;
        let fixed = body::begin_fixed::<102>(kind, out);
        put_at(fixed, 0, &self.page);
        put_at(fixed, 32, &self.fields);
        put_at(fixed, 96, &old);
        put_at(fixed, 98, &new);
        put_at(fixed, 100, &key);
        ImageHead::append(image_head, out);
        for part in [self.parent_key, self.old_prefix, self.new_prefix] {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(self.image.map_or(&[], |image| image.bytes));
        Ok(())
    }

    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        Field::list(&self.page, "page", visit);
        Field::list(&self.fields, "fields", &mut |name, value| match name {
            "kind" => visit("split_kind", value),
            "operation" => visit("split_operation", value),
            _ => visit(name, value),
        });
        visit("parent_key", FieldValue::Bytes(self.parent_key));
        visit("old_prefix", FieldValue::Bytes(self.old_prefix));
        visit("new_prefix", FieldValue::Bytes(self.new_prefix));
        list_image(self.image, visit);
    }
}

layout! {
    /// The part of a merge record between the [`PagePrefix`] and the lengths. 54 bytes; offsets count from the record.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 32 | 4 | `right_page` |
    /// | 36 | 8 | `right_db_time_before` |
    /// | 44 | 4 | `left_page` |
    /// | 48 | 8 | `left_db_time_before` |
    /// | 56 | 4 | `parent_page` |
    /// | 60 | 8 | `parent_db_time_before` |
    /// | 68 | 4 | `root` |
    /// | 72 | 4 | `object` |
    /// | 76 | 2 | `total_size` |
    /// | 78 | 2 | `largest_total_size` |
    /// | 80 | 2 | `target_uncommitted_free` |
    /// | 82 | 2 | `merge_line` |
    /// | 84 | 1 | `flags` |
    /// | 85 | 1 | `kind` |
    #[derive(Default)]
    pub struct MergeFields [54] {
        /// Right sibling, or 0.
        #[doc(alias = "pgnoRight")]
        0 => right_page: PageNumber,
        /// Its database time before.
        #[doc(alias = "dbtimeRightBefore")]
        4 => right_db_time_before: DbTime,
        /// Left sibling, or 0.
        #[doc(alias = "pgnoLeft")]
        12 => left_page: PageNumber,
        /// Its database time before.
        #[doc(alias = "dbtimeLeftBefore")]
        16 => left_db_time_before: DbTime,
        /// Parent page, or 0.
        #[doc(alias = "pgnoParent")]
        24 => parent_page: PageNumber,
        /// Its database time before.
        #[doc(alias = "dbtimeParentBefore")]
        28 => parent_db_time_before: DbTime,
        /// Root page of the tree.
        #[doc(alias = "pgnoFDP")]
        36 => root: PageNumber,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        40 => object: ObjectId,
        /// Bytes of the nodes that move.
        #[doc(alias = "cbSizeTotal")]
        44 => total_size: u16,
        /// The same at their largest within open transactions.
        #[doc(alias = "cbSizeMaxTotal")]
        46 => largest_total_size: u16,
        /// Uncommitted free bytes of the receiving page afterwards.
        #[doc(alias = "cbUncFreeDest")]
        48 => target_uncommitted_free: u16,
        /// First (right merges) or last (left merges) line that moves.
        #[doc(alias = "ilineMerge")]
        50 => merge_line: u16,
        /// What happens to this page.
        52 => flags: MergeFlags,
        /// Kind of merge; told by the record of the leaf only.
        #[doc(alias = "mergetype")]
        53 => kind: MergeKind,
    }
}

/// A page gives its nodes to a sibling (types 28 Merge, without image, and 63 Merge2).
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 0  | 32 | `page` |
/// | 32 | 54 | `fields` |
/// | 86 | 2 | length of `parent_separator` |
/// | 88 | 4 | Merge2: flags of `image` |
/// | 92 | 4 | Merge2: length of `image` |
/// | 88 or 96 | | `parent_separator`, `image` |
#[doc(alias = "LRMERGE_")]
#[doc(alias = "LRMERGENEW")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge<'a> {
    /// The page that gives.
    pub page: PagePrefix,
    /// The fields of fixed size.
    pub fields: MergeFields,
    /// New separator in the parent.
    #[doc(alias = "cbKeyParentSep")]
    pub parent_separator: &'a [u8],
    /// Merge2: the page before; with no bytes where it is not needed. `None` makes the record a Merge.
    pub image: Option<BeforeImage<'a>>,
}

impl<'a> Body<'a> for Merge<'a> {
    const FIXED: usize = 88;

    #[inline]
    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (fixed, rest) = body::split_fixed::<88>(kind, bytes)?;
        let (image_head, rest) = ImageHead::split(kind, RecordKind::MERGE2, bytes, rest)?;
        let (parent_separator, rest) = body::take(kind, bytes, rest, body::length(get_at::<u16>(fixed, 86)))?;
        let image = ImageHead::image(image_head, kind, bytes, rest)?;
        Ok(Self { page: get_at(fixed, 0), fields: get_at(fixed, 32), parent_separator, image })
    }

    #[inline]
    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let separator: u16 = body::count(kind, "parent_separator", self.parent_separator.len())?;
        let image_head = self.image.map(|image| ImageHead::of(kind, image)).transpose()?;
        let fixed = body::begin_fixed::<88>(kind, out);
        put_at(fixed, 0, &self.page);
        put_at(fixed, 32, &self.fields);
        put_at(fixed, 86, &separator);
        ImageHead::append(image_head, out);
        out.extend_from_slice(self.parent_separator);
        out.extend_from_slice(self.image.map_or(&[], |image| image.bytes));
        Ok(())
    }

    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        Field::list(&self.page, "page", visit);
        Field::list(&self.fields, "fields", &mut |name, value| match name {
            "kind" => visit("merge_kind", value),
            "flags" => visit("merge_flags", value),
            _ => visit(name, value),
        });
        visit("parent_separator", FieldValue::Bytes(self.parent_separator));
        list_image(self.image, visit);
    }
}

/// The last eight bytes of the fixed part of Split2 and Merge2.
#[derive(Clone, Copy)]
struct ImageHead {
    flags: BeforeImageFlags,
    length: u32,
}

impl ImageHead {
    /// Takes the eight bytes where the record is of the newer type.
    fn split<'a>(
        kind: RecordKind,
        newer: RecordKind,
        whole: &[u8],
        rest: &'a [u8],
    ) -> Result<(Option<Self>, &'a [u8]), RecordError> {
        if kind != newer {
            return Ok((None, rest));
        }
        let (head, rest) = body::take(kind, whole, rest, 8)?;
        Ok((Some(Self { flags: get_at(head, 0), length: get_at(head, 4) }), rest))
    }

    /// The image must be what is left of the record.
    fn image<'a>(
        head: Option<Self>,
        kind: RecordKind,
        whole: &[u8],
        rest: &'a [u8],
    ) -> Result<Option<BeforeImage<'a>>, RecordError> {
        let Some(head) = head else {
            body::nothing_left(kind, whole, rest)?;
            return Ok(None);
        };
        let (bytes, rest) = body::take(kind, whole, rest, body::length(head.length))?;
        body::nothing_left(kind, whole, rest)?;
        Ok(Some(BeforeImage { flags: head.flags, bytes }))
    }

    fn of(kind: RecordKind, image: BeforeImage<'_>) -> Result<Self, EncodeError> {
        Ok(Self { flags: image.flags, length: body::count(kind, "image", image.bytes.len())? })
    }

    fn append(head: Option<Self>, out: &mut Vec<u8>) {
        if let Some(head) = head {
            out.extend_from_slice(&head.flags.bits().to_le_bytes());
            out.extend_from_slice(&head.length.to_le_bytes());
        }
    }
}

fn list_image(image: Option<BeforeImage<'_>>, visit: &mut FieldVisitor<'_>) {
    if let Some(image) = image {
        Field::list(&image.flags, "image_flags", visit);
        visit("image", FieldValue::Bytes(image.bytes));
    }
}

layout! {
    /// A page moves to another page number (type 65): an ordinary page, or one of the roots inside a root move.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 32 | `page` |
    /// | 32 | 4 | `target_page` |
    /// | 36 | 4 | `left_page` |
    /// | 40 | 4 | `right_page` |
    /// | 44 | 4 | `parent_page` |
    /// | 48 | 8 | `left_db_time_before` |
    /// | 56 | 8 | `right_db_time_before` |
    /// | 64 | 8 | `parent_db_time_before` |
    /// | 72 | 4 | `root` |
    /// | 76 | 4 | `object` |
    /// | 80 | 4 | `parent_line` |
    /// | 84 | 4 | `move_flags` |
    /// | 88 | 4 | length of `page_head` |
    /// | 92 | 4 | length of `page_tail` |
    /// | 96 |   | `page_head`, `page_tail` |
    #[doc(alias = "LRPAGEMOVE")]
    pub struct PageMove<'a> [96] {
        /// The page that moves.
        0 => page: PagePrefix,
        /// Where it moves.
        #[doc(alias = "pgnoDest")]
        32 => target_page: PageNumber,
        /// Left sibling, or 0.
        #[doc(alias = "pgnoLeft")]
        36 => left_page: PageNumber,
        /// Right sibling, or 0.
        #[doc(alias = "pgnoRight")]
        40 => right_page: PageNumber,
        /// Parent; 0 for roots.
        #[doc(alias = "pgnoParent")]
        44 => parent_page: PageNumber,
        /// The left sibling's database time before; [`DbTime::INVALID`] without one.
        #[doc(alias = "dbtimeLeftBefore")]
        48 => left_db_time_before: DbTime,
        /// The right sibling's database time before; [`DbTime::INVALID`] without one.
        #[doc(alias = "dbtimeRightBefore")]
        56 => right_db_time_before: DbTime,
        /// The parent's database time before; [`DbTime::INVALID`] for roots.
        #[doc(alias = "dbtimeParentBefore")]
        64 => parent_db_time_before: DbTime,
        /// Root page of the tree.
        #[doc(alias = "pgnoFDP")]
        72 => root: PageNumber,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        76 => object: ObjectId,
        /// Line of the pointer in the parent; -1 for roots.
        #[doc(alias = "ilineParent")]
        80 => parent_line: i32,
        /// Which page it is.
        #[doc(alias = "fMoveFlags")]
        84 => move_flags: PageMoveFlags,
    }
    payload {
        /// First bytes of the page: header and node data.
        #[doc(alias = "cbPageHeader")]
        88, u32 => page_head,
        /// Last bytes of the page: tags. What lies between is free.
        #[doc(alias = "cbPageTrailer")]
        92, u32 => page_tail,
    }
}

layout! {
    /// The root of a tree moves (type 96); first record of the macro that does it. 16 bytes.
    #[doc(alias = "LRROOTPAGEMOVE")]
    pub struct RootPageMove [16] {
        /// Database time of the macro.
        #[doc(alias = "dbtimeAfter")]
        1 => db_time: DbTime,
        /// Slot of the database.
        9 => database: DatabaseSlot,
        /// Object id of the tree.
        10 => object: ObjectId,
        /// Session.
        14 => session: SessionId,
    }
}
