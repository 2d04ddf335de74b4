//! Records that change one node of a page.

use bitflags::bitflags;
use ese_format::PageNumber;

use super::field::{flags_field, open_kind};
use super::layout::layout;
use super::prefix::{NodePrefix, VersionId};

layout! {
    /// A node is inserted at line `node.page.line` (type 29).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `key_suffix` |
    /// | 46 | 2 | length of `key_prefix` |
    /// | 48 | 2 | length of `data` |
    /// | 50 |   | `key_prefix`, `key_suffix`, `data` |
    #[doc(alias = "LRINSERT")]
    pub struct Insert<'a> [50] {
        /// Where.
        0 => node: NodePrefix,
    }
    payload {
        /// First part of the key: that many bytes the node shares with the page's prefix.
        46, u16 => key_prefix,
        /// The rest of the key.
        44, u16 => key_suffix,
        /// Data of the node.
        48, u16 => data,
    }
}

layout! {
    /// A deleted node comes back with the data it has (type 30).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `key` |
    /// | 46 | 2 | length of `data` |
    /// | 48 |   | `key`, `data` |
    #[doc(alias = "LRFLAGINSERT")]
    pub struct FlagInsert<'a> [48] {
        /// Where.
        0 => node: NodePrefix,
    }
    payload {
        /// Key of the node.
        44, u16 => key,
        /// Data of the node.
        46, u16 => data,
    }
}

layout! {
    /// A deleted node comes back with new data (type 31).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node`; its version is that of the insert |
    /// | 44 | 2 | length of `key` |
    /// | 46 | 2 | length of `data` |
    /// | 48 | 4 | `replace_version` |
    /// | 52 |   | `key`, `data` |
    #[doc(alias = "LRFLAGINSERTANDREPLACEDATA")]
    pub struct FlagInsertAndReplaceData<'a> [52] {
        /// Where.
        0 => node: NodePrefix,
        /// Version of the replace.
        #[doc(alias = "rceidReplace")]
        48 => replace_version: VersionId,
    }
    payload {
        /// Key of the node.
        44, u16 => key,
        /// New data of the node.
        46, u16 => data,
    }
}

layout! {
    /// A node is marked deleted (type 32) or removed (type 35). 44 bytes.
    #[doc(alias = "LRFLAGDELETE")]
    #[doc(alias = "LRDELETE")]
    pub struct Delete [44] {
        /// Where.
        0 => node: NodePrefix,
    }
}

layout! {
    /// Before-image of a replace or flag-delete, logged only when somebody needs it (type 36).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node`; its version is that of the operation |
    /// | 44 | 2 | length of `bookmark_key` |
    /// | 46 | 2 | length of `bookmark_data` |
    /// | 48 | 2 | `operation` |
    /// | 50 | 2 | `largest_size` |
    /// | 52 | 2 | `size_change` |
    /// | 54 | 2 | length of `before_image` |
    /// | 56 |   | `bookmark_key`, `bookmark_data`, `before_image` |
    #[doc(alias = "LRUNDOINFO")]
    pub struct UndoInfo<'a> [56] {
        /// Where. Both database times are [`DbTime::NIL`](ese_format::DbTime::NIL).
        0 => node: NodePrefix,
        /// Operation that can be undone with it: replace or flag-delete.
        #[doc(alias = "le_oper")]
        48 => operation: VersionOperation,
        /// Largest size of the node's data in this transaction.
        #[doc(alias = "le_cbMaxSize")]
        50 => largest_size: u16,
        /// Change of the data's size, as 16 bits.
        #[doc(alias = "le_cbDelta")]
        52 => size_change: u16,
    }
    payload {
        /// Key of the bookmark.
        44, u16 => bookmark_key,
        /// Data of the bookmark, where keys are not unique.
        46, u16 => bookmark_data,
        /// What a replace overwrote.
        54, u16 => before_image,
    }
}

open_kind! {
    /// Operation that a version remembers.
    #[doc(alias = "OPER")]
    pub struct VersionOperation(u16) {
        /// Insert.
        #[doc(alias = "operInsert")]
        INSERT = 1, "insert";
        /// Replace.
        #[doc(alias = "operReplace")]
        REPLACE = 2, "replace";
        /// Flag-delete.
        #[doc(alias = "operFlagDelete")]
        FLAG_DELETE = 3, "flag-delete";
        /// 32-bit counter.
        #[doc(alias = "operDelta")]
        DELTA = 4, "delta";
        /// 64-bit counter.
        #[doc(alias = "operDelta64")]
        DELTA64 = 9, "delta64";
    }
}

layout! {
    /// An operation is undone (type 39).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node`; its version is that of the operation, its level the session's |
    /// | 44 | 2 | length of `bookmark_key` |
    /// | 46 | 2 | length of `bookmark_data` |
    /// | 48 | 2 | `operation` |
    /// | 50 | 1 | `version_level` |
    /// | 51 |   | `bookmark_key`, `bookmark_data` |
    #[doc(alias = "LRUNDO")]
    pub struct Undo<'a> [51] {
        /// Where.
        0 => node: NodePrefix,
        /// Operation that is undone.
        #[doc(alias = "le_oper")]
        48 => operation: VersionOperation,
        /// Transaction level of the version.
        #[doc(alias = "level")]
        50 => version_level: u8,
    }
    payload {
        /// Key of the bookmark.
        44, u16 => bookmark_key,
        /// Data of the bookmark, where keys are not unique.
        46, u16 => bookmark_data,
    }
}

layout! {
    /// A 32-bit counter inside a node's data changes (type 37).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `bookmark_key` |
    /// | 46 | 2 | length of `bookmark_data` |
    /// | 48 | 4 | `delta` |
    /// | 52 | 2 | `offset` |
    /// | 54 |   | `bookmark_key`, `bookmark_data` |
    #[doc(alias = "LRDELTA")]
    #[doc(alias = "LRDELTA32")]
    pub struct Delta<'a> [54] {
        /// Where.
        0 => node: NodePrefix,
        /// What is added, wrapping.
        48 => delta: i32,
        /// Offset of the counter in the node's data, in bytes.
        #[doc(alias = "cbOffset")]
        52 => offset: u16,
    }
    payload {
        /// Key of the bookmark.
        44, u16 => bookmark_key,
        /// Data of the bookmark, where keys are not unique.
        46, u16 => bookmark_data,
    }
}

layout! {
    /// A 64-bit counter inside a node's data changes (type 93). Since log version 8.4000.20.60.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `bookmark_key` |
    /// | 46 | 2 | length of `bookmark_data` |
    /// | 48 | 8 | `delta` |
    /// | 56 | 2 | `offset` |
    /// | 58 |   | `bookmark_key`, `bookmark_data` |
    #[doc(alias = "LRDELTA64")]
    pub struct Delta64<'a> [58] {
        /// Where.
        0 => node: NodePrefix,
        /// What is added, wrapping.
        48 => delta: i64,
        /// Offset of the counter in the node's data, in bytes.
        #[doc(alias = "cbOffset")]
        56 => offset: u16,
    }
    payload {
        /// Key of the bookmark.
        44, u16 => bookmark_key,
        /// Data of the bookmark, where keys are not unique.
        46, u16 => bookmark_data,
    }
}

layout! {
    /// The external header (tag 0) of a page gets new content (type 38).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `data` |
    /// | 46 |   | `data` |
    #[doc(alias = "LRSETEXTERNALHEADER")]
    pub struct SetExternalHeader<'a> [46] {
        /// Where.
        0 => node: NodePrefix,
    }
    payload {
        /// The whole new header.
        44, u16 => data,
    }
}

layout! {
    /// One page of an [`EmptyTree`] record. 16 bytes.
    #[doc(alias = "EMPTYPAGE")]
    #[derive(Default)]
    pub struct EmptyPage [16] {
        /// The page's database time before.
        #[doc(alias = "dbtimeBefore")]
        0 => db_time_before: ese_format::DbTime,
        /// The page.
        #[doc(alias = "pgno")]
        8 => page_number: PageNumber,
        /// Copy of the page's flags; informational.
        #[doc(alias = "ulFlags")]
        12 => page_flags: u32,
    }
}

impl EmptyPage {
    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut out = [0; 16];
        super::field::Field::put(self, &mut out);
        out
    }
}

layout! {
    /// All pages of a tree but its root become empty, the root loses its last node (type 48).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node` |
    /// | 44 | 2 | length of `page_list` in bytes |
    /// | 46 |   | `page_list` |
    #[doc(alias = "LREMPTYTREE")]
    pub struct EmptyTree<'a> [46] {
        /// Where: the root.
        0 => node: NodePrefix,
    }
    payload {
        /// The pages, 16 bytes each: see [`pages`](EmptyTree::pages).
        #[doc(alias = "rgemptypage")]
        44, u16 => page_list,
    }
}

impl EmptyTree<'_> {
    /// The pages that become empty. Bytes after the last whole entry are left out.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = EmptyPage> + '_ {
        self.page_list.as_chunks::<16>().0.iter().map(|entry| super::field::Field::get(entry))
    }
}

bitflags! {
    /// What is scrubbed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ScrubFlags: u32 {
        /// The page is not in use: everything goes.
        #[doc(alias = "fScrubPageUnused")]
        const UNUSED_PAGE = 0x1;
    }
}

flags_field! { ScrubFlags, u32; }

layout! {
    /// Deleted data of a page is overwritten (type 64).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 0  | 44 | `node`; its root is 0 |
    /// | 44 | 4 | `scrub_flags` |
    /// | 48 | 4 | `operation_count` |
    /// | 52 | 2 | length of `data` |
    /// | 54 |   | `data`: one byte for each line (0 none, 1 data, 2 long value), then fill |
    #[doc(alias = "LRSCRUB")]
    pub struct Scrub<'a> [54] {
        /// Where.
        0 => node: NodePrefix,
        /// What is scrubbed.
        44 => scrub_flags: ScrubFlags,
        /// Number of operations in `data`.
        #[doc(alias = "le_cscrubOper")]
        48 => operation_count: u32,
    }
    payload {
        /// Operations and fill.
        52, u16 => data,
    }
}

impl<'a> Scrub<'a> {
    /// The operations, one for each line, or `None` when `data` is too short for their number.
    #[must_use]
    pub fn operations(&self) -> Option<&'a [u8]> {
        self.data.get(..usize::try_from(self.operation_count).ok()?)
    }
}
