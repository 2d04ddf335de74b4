//! What is known of a database that is open.

use std::sync::Arc;

use ese_btree::TreeSpace;
use ese_format::PageNumber;

use super::DatabaseMisc;
use crate::call_error::CallError;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::open_database::Database;
use crate::state::SessionCall;

/// What to ask of a database. Unknown levels are kept; asking for one is refused.
#[doc(alias = "JET_DbInfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DatabaseInfoLevel(pub u32);

impl DatabaseInfoLevel {
    /// Path of the file.
    #[doc(alias = "JET_DbInfoFilename")]
    pub const FILE_NAME: Self = Self(0);
    /// The connect string of old: always empty.
    #[doc(alias = "JET_DbInfoConnect")]
    pub const CONNECT: Self = Self(1);
    /// Country: 1.
    #[doc(alias = "JET_DbInfoCountry")]
    pub const COUNTRY: Self = Self(2);
    /// Locale of text without one of its own: 1033, English (United States).
    #[doc(alias = "JET_DbInfoLCID")]
    #[doc(alias = "JET_DbInfoLangid")]
    pub const LOCALE: Self = Self(3);
    /// Code page: 1252.
    #[doc(alias = "JET_DbInfoCp")]
    pub const CODE_PAGE: Self = Self(4);
    /// Collation: 0.
    #[doc(alias = "JET_DbInfoCollate")]
    pub const COLLATION: Self = Self(5);
    /// How the session has opened it: 2 when for itself, else 0.
    #[doc(alias = "JET_DbInfoOptions")]
    pub const OPTIONS: Self = Self(6);
    /// Levels of transactions: 7.
    #[doc(alias = "JET_DbInfoTransactions")]
    pub const TRANSACTIONS: Self = Self(7);
    /// Format version: 0x620.
    #[doc(alias = "JET_DbInfoVersion")]
    pub const VERSION: Self = Self(8);
    /// Not available.
    #[doc(alias = "JET_DbInfoIsam")]
    pub const ISAM: Self = Self(9);
    /// Size of the file: pages of an open database (headers included), bytes of a file.
    #[doc(alias = "JET_DbInfoFilesize")]
    pub const FILE_SIZE: Self = Self(10);
    /// Pages that the database owns.
    #[doc(alias = "JET_DbInfoSpaceOwned")]
    pub const SPACE_OWNED: Self = Self(11);
    /// Pages that no tree has.
    #[doc(alias = "JET_DbInfoSpaceAvailable")]
    pub const SPACE_AVAILABLE: Self = Self(12);
    /// What converting an old format would take. Of files only.
    #[doc(alias = "JET_DbInfoUpgrade")]
    pub const UPGRADE: Self = Self(13);
    /// The header.
    #[doc(alias = "JET_DbInfoMisc")]
    pub const MISC: Self = Self(14);
    /// Whether an instance of this process has it attached. Of files only.
    #[doc(alias = "JET_DbInfoDBInUse")]
    pub const IN_USE: Self = Self(15);
    /// Bytes of a page.
    #[doc(alias = "JET_DbInfoPageSize")]
    pub const PAGE_SIZE: Self = Self(17);
    /// Kind of file. Of files only.
    #[doc(alias = "JET_DbInfoFileType")]
    pub const FILE_TYPE: Self = Self(19);
    /// As [`FILE_SIZE`](Self::FILE_SIZE), without holes. No holes are made here: the same number.
    #[doc(alias = "JET_DbInfoFilesizeOnDisk")]
    pub const FILE_SIZE_ON_DISK: Self = Self(21);
    /// Pages that the space trees of the database keep for themselves.
    #[doc(alias = "JET_DbInfoSplitBuffers")]
    pub const SPLIT_BUFFERS: Self = Self(23);

    /// A bit that says that an answer may be old; ignored.
    #[doc(alias = "JET_DbInfoUseCachedResult")]
    pub const USE_CACHED_RESULT: u32 = 0x4000_0000;
}

/// An answer about a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseInfo {
    /// A number; four bytes in the engine's calls.
    Number(u32),
    /// A text.
    Text(String),
    /// The header.
    Misc(Box<DatabaseMisc>),
}

impl DatabaseInfo {
    /// The number; `None` for something else.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Pages, headers included, that a file has.
pub(crate) fn file_pages(database: &AttachedDatabase) -> Result<u32, InstanceError> {
    // A file that is yet to grow does so when somebody asks where the database ends.
    let _ = database.last_page();
    let pages = database.file()?.len()? / u64::from(database.page_size().bytes());
    Ok(u32::try_from(pages).unwrap_or(u32::MAX))
}

impl Database {
    /// What is known of the database.
    ///
    /// # Errors
    /// Refused at the door; `Call`: levels that are of files only or that there are not are invalid parameters, `ISAM` is
    /// not available; `Live` when the space trees cannot be read; a storage error.
    #[doc(alias = "JetGetDatabaseInfo")]
    pub fn info(&self, level: DatabaseInfoLevel) -> Result<DatabaseInfo, InstanceError> {
        use DatabaseInfoLevel as Level;
        let call = self.enter(SessionCall::Ordinary)?;
        let attached = &self.attached;
        let space = || call.trees().space_of(attached.slot(), PageNumber::DATABASE_ROOT);
        let number = match Level(level.0 & !Level::USE_CACHED_RESULT) {
            Level::FILE_NAME => {
                return Ok(DatabaseInfo::Text(attached.path().to_string_lossy().into_owned()));
            }
            Level::CONNECT => return Ok(DatabaseInfo::Text(String::new())),
            Level::MISC => return Ok(DatabaseInfo::Misc(Box::new(DatabaseMisc::new(attached.header())))),
            Level::COUNTRY => 1,
            Level::LOCALE => 1033,
            Level::CODE_PAGE => 1252,
            Level::COLLATION => 0,
            Level::OPTIONS => {
                if attached.is_exclusive_to(self.session.id) {
                    2
                } else {
                    0
                }
            }
            Level::TRANSACTIONS => u32::from(crate::session::MOST_LEVELS),
            Level::VERSION => ese_format::DatabaseHeader::FORMAT_VERSION,
            Level::ISAM => return Err(CallError::NotAvailable { what: "the driver of a database" }.into()),
            Level::FILE_SIZE | Level::FILE_SIZE_ON_DISK => file_pages(attached)?,
            Level::SPACE_OWNED => space()?.owned,
            Level::SPACE_AVAILABLE => space()?.available,
            Level::SPLIT_BUFFERS => space()?.split_buffers,
            Level::PAGE_SIZE => attached.page_size().bytes(),
            _ => return Err(CallError::InvalidParameter { what: "no such information level" }.into()),
        };
        Ok(DatabaseInfo::Number(number))
    }

    /// Pages of a table: what it owns, with its indexes and long values, and what of that is free.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`; `Live`.
    #[doc(alias = "JET_TblInfoSpaceUsage")]
    #[doc(alias = "JET_TblInfoSpaceOwned")]
    #[doc(alias = "JET_TblInfoSpaceAvailable")]
    pub fn table_space(&self, table: &str) -> Result<TreeSpace, InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Ok(call.trees().space_of(self.attached.slot(), schema.tree.root.root)?)
    }

    /// The attached database: header, slot, size.
    #[must_use]
    pub fn attached(&self) -> &Arc<AttachedDatabase> {
        &self.attached
    }
}
