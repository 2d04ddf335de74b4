//! Records that create trees, take and give back space, and look at pages.

use bitflags::bitflags;
use ese_format::{DbTime, ObjectId, PageNumber};

use super::field::{FieldValue, flags_field, open_kind};
use super::layout::layout;
use super::prefix::{DatabaseSlot, PagePrefix, SessionId, TransactionTime};

layout! {
    /// Root page of a new tree that has space trees (type 24). 56 bytes. The primary extent begins at the root page.
    #[doc(alias = "LRCREATEMEFDP")]
    pub struct CreateMultipleExtentFdp [56] {
        /// The root page.
        0 => page: PagePrefix,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        32 => object: ObjectId,
        /// Root of its owned-extent tree.
        #[doc(alias = "pgnoOE")]
        36 => owned_extents_root: PageNumber,
        /// Root of its available-extent tree.
        #[doc(alias = "pgnoAE")]
        40 => available_extents_root: PageNumber,
        /// Root of the tree that its pages come from.
        #[doc(alias = "pgnoFDPParent")]
        44 => parent_root: PageNumber,
        /// Pages of the primary extent.
        #[doc(alias = "cpgPrimary")]
        48 => primary_page_count: u32,
        /// Page flags of the root.
        #[doc(alias = "fPageFlags")]
        52 => page_flags: u32,
    }
}

layout! {
    /// Root page of a new tree that keeps its free pages in a bitmap (type 25). 48 bytes.
    #[doc(alias = "LRCREATESEFDP")]
    pub struct CreateSingleExtentFdp [48] {
        /// The root page.
        0 => page: PagePrefix,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        32 => object: ObjectId,
        /// Root of the tree that its pages come from.
        #[doc(alias = "pgnoFDPParent")]
        36 => parent_root: PageNumber,
        /// Pages of the primary extent.
        #[doc(alias = "cpgPrimary")]
        40 => primary_page_count: u32,
        /// Page flags of the root.
        #[doc(alias = "fPageFlags")]
        44 => page_flags: u32,
    }
}

layout! {
    /// A tree's bitmap becomes space trees, old form (type 26). 60 bytes. Current engines refuse to redo it.
    #[doc(alias = "LRCONVERTFDP_OBSOLETE")]
    pub struct ConvertFdp [60] {
        /// The root page.
        0 => page: PagePrefix,
        /// Object id of the tree.
        #[doc(alias = "objidFDP")]
        32 => object: ObjectId,
        /// Root of its owned-extent tree.
        #[doc(alias = "pgnoOE")]
        36 => owned_extents_root: PageNumber,
        /// Root of its available-extent tree.
        #[doc(alias = "pgnoAE")]
        40 => available_extents_root: PageNumber,
        /// Root of the tree that its pages come from.
        #[doc(alias = "pgnoFDPParent")]
        44 => parent_root: PageNumber,
        /// First page of the extent that was added.
        #[doc(alias = "pgnoSecondaryFirst")]
        48 => secondary_first: PageNumber,
        /// Pages of the primary extent.
        #[doc(alias = "cpgPrimary")]
        52 => primary_page_count: u32,
        /// Pages of the extent that was added.
        #[doc(alias = "cpgSecondary")]
        56 => secondary_page_count: u32,
    }
}

layout! {
    /// A tree's bitmap becomes space trees (type 58). 68 bytes. Since log version 7.3704.7.
    #[doc(alias = "LRCONVERTFDP")]
    pub struct ConvertFdp2 [68] {
        /// The fields of the old form, 60 bytes.
        0 => convert: ConvertFdp,
        /// The bitmap of free pages: bit i is the page i + 1 behind the root.
        #[doc(alias = "rgbitAvail")]
        60 => available: u32,
        /// Page flags of the root.
        #[doc(alias = "fCpageFlags")]
        64 => page_flags: u32,
    }
}

open_kind! {
    /// What kind of tree was given up.
    #[doc(alias = "FDPTYPE")]
    pub struct FreedTreeKind(u8) {
        /// Not told.
        #[doc(alias = "fFDPTypeUnknown")]
        UNKNOWN = 0, "unknown";
        /// A table.
        #[doc(alias = "fFDPTypeTable")]
        TABLE = 1, "table";
        /// An index.
        #[doc(alias = "fFDPTypeIndex")]
        INDEX = 2, "index";
    }
}

layout! {
    /// A tree was given up (type 74), skippable. Since log version 8.4000.5.16.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 4 | length of what follows offset 5 |
    /// | 5  | 1 | `database` |
    /// | 6  | 4 | `root` |
    /// | 10 | 4 | `commit_time` |
    /// | 14 | 1 | `kind` |
    #[doc(alias = "LRFREEFDP")]
    pub struct FreeFdp<'a> [15] {
        /// Slot of the database.
        5 => database: DatabaseSlot,
        /// Root page of the tree.
        #[doc(alias = "pgnoFDP")]
        6 => root: PageNumber,
        /// Commit time of the transaction that gave it up.
        #[doc(alias = "trxCommitted")]
        10 => commit_time: TransactionTime,
        /// What it was.
        14 => kind: FreedTreeKind,
    }
    rest
    /// Bytes beyond the known fields.
    more
}

layout! {
    /// The database file grew (type 68), skippable.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 4 | length of what follows offset 5 |
    /// | 5 | 1 | `database` |
    /// | 6 | 4 | `last_page` |
    #[doc(alias = "LREXTENDDB")]
    pub struct ExtendDatabase<'a> [10] {
        /// Slot of the database.
        5 => database: DatabaseSlot,
        /// Last page of the file now.
        #[doc(alias = "pgnoLast")]
        6 => last_page: PageNumber,
    }
    rest
    /// Bytes beyond the known fields.
    more
}

layout! {
    /// The database file shrinks (types 78 ShrinkDB and 94 ShrinkDB2). 10 bytes.
    #[doc(alias = "LRSHRINKDB")]
    pub struct ShrinkDatabase [10] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// Last page of the file now.
        #[doc(alias = "pgnoLast")]
        2 => last_page: PageNumber,
        /// Number of pages that go.
        #[doc(alias = "cpgShrunk")]
        6 => page_count: u32,
    }
}

layout! {
    /// The database file shrinks (type 99). 18 bytes. Since log version 8.4000.70.160.
    #[doc(alias = "LRSHRINKDB3")]
    pub struct ShrinkDatabase3 [18] {
        /// The fields of the older forms, 10 bytes.
        0 => shrink: ShrinkDatabase,
        /// Database time of the shrink.
        10 => db_time: DbTime,
    }
}

layout! {
    /// A range inside the database file was given back to the file system (type 81). 10 bytes.
    #[doc(alias = "LRTRIMDB")]
    pub struct TrimDatabase [10] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// First page of the range.
        #[doc(alias = "pgnoStartZeroes")]
        2 => first_page: PageNumber,
        /// Number of pages.
        #[doc(alias = "cpgZeroLength")]
        6 => page_count: u32,
    }
}

bitflags! {
    /// Why an extent was freed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ExtentFreedFlags: u8 {
        /// A table's root is among the pages.
        #[doc(alias = "fTableRootPage")]
        const TABLE_ROOT = 0x1;
        /// A tree was given up in a way that cannot be reverted.
        #[doc(alias = "fEmptyPageFDPDeleted")]
        const NON_REVERTIBLE_DELETE = 0x2;
    }
}

flags_field! { ExtentFreedFlags, u8; }

layout! {
    /// Pages were freed (type 100), for revert snapshots. 11 bytes. Since log version 8.4000.90.200.
    #[doc(alias = "LREXTENTFREED")]
    pub struct ExtentFreed [11] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// First page.
        #[doc(alias = "pgnoFirst")]
        2 => first_page: PageNumber,
        /// Number of pages.
        #[doc(alias = "cpgExtent")]
        6 => page_count: u32,
        /// Why.
        10 => flags: ExtentFreedFlags,
    }
}

layout! {
    /// Pages were freed (type 101), for revert snapshots. 19 bytes. Since log version 8.4000.120.260.
    #[doc(alias = "LREXTENTFREED2")]
    pub struct ExtentFreed2 [19] {
        /// The fields of the older form, 11 bytes.
        0 => freed: ExtentFreed,
        /// Database time.
        11 => db_time: DbTime,
    }
}

layout! {
    /// A page comes into use (type 95). 20 bytes. Since log version 8.4000.40.100.
    #[doc(alias = "LRNEWPAGE")]
    pub struct NewPage [20] {
        /// Session.
        1 => session: SessionId,
        /// Slot of the database.
        3 => database: DatabaseSlot,
        /// The page.
        4 => page_number: PageNumber,
        /// Tree that gets it.
        8 => object: ObjectId,
        /// Its database time.
        #[doc(alias = "dbtimeAfter")]
        12 => db_time: DbTime,
    }
}

/// Page number in a scan record that means "the pass is finished".
pub const SCAN_FINISHED: PageNumber = PageNumber(0xFFFF_FFFE);

layout! {
    /// A page as a scan found it (type 70), skippable.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 4 | length of what follows offset 5 |
    /// | 5  | 1 | `database` |
    /// | 6  | 4 | `page_number` |
    /// | 10 | 8 | `unused_page_db_time` |
    /// | 18 | 8 | `unused_current_db_time` |
    /// | 26 | 8 | `page_db_time` |
    /// | 34 | 8 | `current_db_time` |
    /// | 42 | 2 | `checksum` |
    #[doc(alias = "LRSCANCHECK")]
    pub struct ScanCheck<'a> [44] {
        /// Slot of the database.
        5 => database: DatabaseSlot,
        /// The page, or [`SCAN_FINISHED`].
        6 => page_number: PageNumber,
        /// Not set.
        #[doc(alias = "dbtimePage")]
        10 => unused_page_db_time: DbTime,
        /// Not set.
        #[doc(alias = "dbtimeCurrent")]
        18 => unused_current_db_time: DbTime,
        /// The page's database time.
        #[doc(alias = "dbtimeBefore")]
        26 => page_db_time: DbTime,
        /// The database's time.
        #[doc(alias = "dbtimeAfter")]
        34 => current_db_time: DbTime,
        /// Short checksum of the page.
        #[doc(alias = "usChecksum")]
        42 => checksum: u16,
    }
    rest
    /// Bytes beyond the known fields.
    more
}

/// State of a scanned page and who scanned it: flags in the high bits, source in the low two.
#[doc(alias = "ScanCheckSource")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScanFlags(pub u8);

impl ScanFlags {
    /// The scan of the whole database.
    #[doc(alias = "scsDbScan")]
    pub const SOURCE_SCAN: u8 = 1;
    /// A shrink that moves pages.
    #[doc(alias = "scsDbShrink")]
    pub const SOURCE_SHRINK: u8 = 2;

    /// Who scanned.
    #[must_use]
    pub const fn source(self) -> u8 {
        self.0 & 0x03
    }

    /// The page's object id is invalid.
    #[must_use]
    pub const fn object_invalid(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// The page is empty.
    #[must_use]
    pub const fn empty_page(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// The page belonged to a deleted tree.
    #[must_use]
    pub const fn deleted_tree(self) -> bool {
        self.0 & 0x20 != 0
    }
}

super::field::wrapped_field! {
    ScanFlags, u8, ScanFlags, |v| v.0, |v| FieldValue::Bits(u64::from(v.0), scan_flag_names(v));
}

fn scan_flag_names(flags: ScanFlags) -> Vec<&'static str> {
    let mut names = Vec::new();
    match flags.source() {
        ScanFlags::SOURCE_SCAN => names.push("SOURCE_SCAN"),
        ScanFlags::SOURCE_SHRINK => names.push("SOURCE_SHRINK"),
        _ => {}
    }
    for (set, name) in [
        (flags.object_invalid(), "OBJECT_INVALID"),
        (flags.empty_page(), "EMPTY_PAGE"),
        (flags.deleted_tree(), "DELETED_TREE"),
    ] {
        if set {
            names.push(name);
        }
    }
    names
}

layout! {
    /// A page as a scan found it (type 98). 27 bytes. Since log version 8.4000.60.140.
    #[doc(alias = "LRSCANCHECK2")]
    pub struct ScanCheck2 [27] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// The page, or [`SCAN_FINISHED`].
        2 => page_number: PageNumber,
        /// State and source.
        #[doc(alias = "bFlagsAndScs")]
        6 => flags: ScanFlags,
        /// The page's database time.
        #[doc(alias = "dbtimePage")]
        7 => page_db_time: DbTime,
        /// The database's time.
        #[doc(alias = "dbtimeCurrent")]
        15 => current_db_time: DbTime,
        /// Short checksum of the page.
        #[doc(alias = "ulChecksum")]
        23 => checksum: u32,
    }
}

/// Page numbers as a record stores them: four bytes each.
fn page_numbers(bytes: &[u8]) -> impl ExactSizeIterator<Item = PageNumber> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|chunk| PageNumber(u32::from_le_bytes(*chunk)))
}

layout! {
    /// Pages of the macro before it, of the database in slot 1 (type 67), skippable, informational.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 4 | length of `page_list` |
    /// | 5 |   | `page_list` |
    #[doc(alias = "LRMACROINFO")]
    pub struct MacroInfo<'a> [5] {}
    rest
    /// Page numbers, 4 bytes each.
    page_list
}

impl MacroInfo<'_> {
    /// The pages.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = PageNumber> + '_ {
        page_numbers(self.page_list)
    }
}

layout! {
    /// Pages of the macro before it (type 73), skippable, informational. Since log version 8.4000.5.14.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 4 | length of what follows offset 5 |
    /// | 5  | 1 | `database` |
    /// | 6  | 4 | `page_count` |
    /// | 10 |   | `page_list` |
    #[doc(alias = "LRMACROINFO2")]
    pub struct MacroInfo2<'a> [10] {
        /// Slot of the database.
        5 => database: DatabaseSlot,
        /// Number of pages, as stored.
        #[doc(alias = "cpgno")]
        6 => page_count: u32,
    }
    rest
    /// Page numbers, 4 bytes each.
    page_list
}

impl MacroInfo2<'_> {
    /// The pages.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = PageNumber> + '_ {
        page_numbers(self.page_list)
    }
}
