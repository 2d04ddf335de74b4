//! Types of log records.

use std::fmt;

/// Type of a log record: its first byte.
///
/// Any value can stand here; those with a known layout have a constant and a [`name`](Self::name). Values from
/// [`FIRST_UNASSIGNED`](Self::FIRST_UNASSIGNED) on, and the gaps in the list, are corruption to the engine.
#[doc(alias = "LRTYP")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind(pub u8);

macro_rules! record_kinds {
    ($($constant:ident = $value:literal, $name:literal, $symbol:literal, $doc:literal;)*) => {
        impl RecordKind {
            $(
                #[doc = concat!($doc, " (`", $symbol, "`, ", stringify!($value), ").")]
                #[doc(alias = $symbol)]
                pub const $constant: Self = Self($value);
            )*

            /// Every type with a known layout, ascending.
            pub const KNOWN: &[Self] = &[$(Self($value),)*];

            /// The engine's name of the type, without its prefix, or `None` for a type without layout.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

record_kinds! {
    NOP = 0, "NOP", "lrtypNOP", "No operation: fill";
    INIT = 1, "Init", "lrtypInit", "Start of the instance, before times were logged";
    TERM = 2, "Term", "lrtypTerm", "End of the instance, before times were logged";
    MS = 3, "MS", "lrtypMS", "Link between sectors of the oldest log format";
    END = 4, "End", "lrtypEnd", "End of the log, oldest formats";
    BEGIN = 5, "Begin", "lrtypBegin", "A nested transaction begins";
    COMMIT = 6, "Commit", "lrtypCommit", "A nested transaction commits";
    ROLLBACK = 7, "Rollback", "lrtypRollback", "Transaction levels were rolled back";
    BEGIN0 = 8, "Begin0", "lrtypBegin0", "An outermost transaction begins";
    COMMIT0 = 9, "Commit0", "lrtypCommit0", "An outermost transaction commits";
    REFRESH = 10, "Refresh", "lrtypRefresh", "A read transaction was renewed";
    MACRO_BEGIN = 11, "MacroBegin", "lrtypMacroBegin", "A group of page changes begins";
    MACRO_COMMIT = 12, "MacroCommit", "lrtypMacroCommit", "A group of page changes is complete";
    MACRO_ABORT = 13, "MacroAbort", "lrtypMacroAbort", "A group of page changes was given up";
    CREATE_DB = 14, "CreateDB", "lrtypCreateDB", "A database is created";
    ATTACH_DB = 15, "AttachDB", "lrtypAttachDB", "A database is attached";
    DETACH_DB = 16, "DetachDB", "lrtypDetachDB", "A database is detached";
    RECOVERY_UNDO = 17, "RecoveryUndo", "lrtypRecoveryUndo", "Recovery begins to undo, before times were logged";
    RECOVERY_QUIT = 18, "RecoveryQuit", "lrtypRecoveryQuit", "End of recovery, before times were logged";
    FULL_BACKUP = 19, "FullBackup", "lrtypFullBackup", "Full backup, oldest form";
    INC_BACKUP = 20, "IncBackup", "lrtypIncBackup", "Incremental backup, oldest form";
    JET_OP = 21, "JetOp", "lrtypJetOp", "API call, debug builds only";
    TRACE = 22, "Trace", "lrtypTrace", "Text for people";
    SHUT_DOWN_MARK = 23, "ShutDownMark", "lrtypShutDownMark", "Databases are about to be closed at the end of the instance";
    CREATE_MULTIPLE_EXTENT_FDP = 24, "CreateMultipleExtentFDP", "lrtypCreateMultipleExtentFDP", "Root page of a tree with space trees of its own";
    CREATE_SINGLE_EXTENT_FDP = 25, "CreateSingleExtentFDP", "lrtypCreateSingleExtentFDP", "Root page of a tree with a bitmap of its few pages";
    CONVERT_FDP = 26, "ConvertFDP", "lrtypConvertFDP", "A tree's bitmap becomes space trees, old form";
    SPLIT = 27, "Split", "lrtypSplit", "Page split without page image";
    MERGE = 28, "Merge", "lrtypMerge", "Page merge without page image";
    INSERT = 29, "Insert", "lrtypInsert", "A node is inserted";
    FLAG_INSERT = 30, "FlagInsert", "lrtypFlagInsert", "A deleted node comes back as it is";
    FLAG_INSERT_AND_REPLACE_DATA = 31, "FlagInsertAndReplaceData", "lrtypFlagInsertAndReplaceData", "A deleted node comes back with new data";
    FLAG_DELETE = 32, "FlagDelete", "lrtypFlagDelete", "A node is marked deleted";
    REPLACE = 33, "Replace", "lrtypReplace", "A node gets new data, given in full";
    REPLACE_D = 34, "ReplaceD", "lrtypReplaceD", "A node gets new data, given as a difference";
    DELETE = 35, "Delete", "lrtypDelete", "A node is removed";
    UNDO_INFO = 36, "UndoInfo", "lrtypUndoInfo", "What a replace or flag-delete overwrote";
    DELTA = 37, "Delta", "lrtypDelta", "A 32-bit counter in a node changes";
    SET_EXTERNAL_HEADER = 38, "SetExternalHeader", "lrtypSetExternalHeader", "A page's external header is set";
    UNDO = 39, "Undo", "lrtypUndo", "An operation is undone";
    CHECKSUM = 42, "Checksum", "lrtypChecksum", "Checksum of a range, log format 7";
    EXT_RESTORE = 45, "ExtRestore", "lrtypExtRestore", "External restore began, old form";
    BACKUP = 46, "Backup", "lrtypBackup", "A backup step, old form";
    EMPTY_TREE = 48, "EmptyTree", "lrtypEmptyTree", "All pages of a tree but the root become empty";
    INIT2 = 49, "Init2", "lrtypInit2", "Start of the instance";
    TERM2 = 50, "Term2", "lrtypTerm2", "End of the instance";
    RECOVERY_UNDO2 = 51, "RecoveryUndo2", "lrtypRecoveryUndo2", "Recovery begins to undo";
    RECOVERY_QUIT2 = 52, "RecoveryQuit2", "lrtypRecoveryQuit2", "End of recovery";
    BEGIN_DT = 53, "BeginDT", "lrtypBeginDT", "A distributed transaction begins";
    PREP_COMMIT = 54, "PrepCommit", "lrtypPrepCommit", "A distributed transaction is prepared";
    PREP_ROLLBACK = 55, "PrepRollback", "lrtypPrepRollback", "A prepared transaction is rolled back; never written";
    FORCE_WRITE_LOG = 57, "ForceWriteLog", "lrtypForceWriteLog", "The log was flushed";
    CONVERT_FDP2 = 58, "ConvertFDP2", "lrtypConvertFDP2", "A tree's bitmap becomes space trees";
    EXT_RESTORE2 = 59, "ExtRestore2", "lrtypExtRestore2", "External restore began";
    BACKUP2 = 60, "Backup2", "lrtypBackup2", "A backup step";
    FORCE_LOG_ROLLOVER = 61, "ForceLogRollover", "lrtypForceLogRollover", "The log was rolled on purpose";
    SPLIT2 = 62, "Split2", "lrtypSplit2", "Page split";
    MERGE2 = 63, "Merge2", "lrtypMerge2", "Page merge";
    SCRUB = 64, "Scrub", "lrtypScrub", "Deleted data of a page was overwritten";
    PAGE_MOVE = 65, "PageMove", "lrtypPageMove", "A page moved to another page number";
    PAGE_PATCH_REQUEST = 66, "PagePatchRequest", "lrtypPagePatchRequest", "A damaged page asks for its content from elsewhere";
    MACRO_INFO = 67, "MacroInfo", "lrtypMacroInfo", "Pages of the macro before it, database slot 1";
    EXTEND_DB = 68, "ExtendDB", "lrtypExtendDB", "The database file grew";
    COMMIT_CTX = 69, "CommitCtx", "lrtypCommitCtx", "The application's mark on a commit";
    SCAN_CHECK = 70, "ScanCheck", "lrtypScanCheck", "A page as a scan found it, old form";
    NOP2 = 71, "NOP2", "lrtypNOP2", "No operation: fill of any length";
    RE_ATTACH = 72, "ReAttach", "lrtypReAttach", "A database kept attached through recovery goes on";
    MACRO_INFO2 = 73, "MacroInfo2", "lrtypMacroInfo2", "Pages of the macro before it";
    FREE_FDP = 74, "FreeFDP", "lrtypFreeFDP", "A tree was given up";
    IGNORED9 = 75, "Ignored9", "lrtypIgnored9", "Never used";
    FRAGMENT_BEGIN = 76, "FragmentBegin", "lrtypFragmentBegin", "First part of a record that spans segments";
    FRAGMENT = 77, "Fragment", "lrtypFragment", "Further part of a record that spans segments";
    SHRINK_DB = 78, "ShrinkDB", "lrtypShrinkDB", "The database file shrinks; never written";
    CREATE_DB_FINISH = 79, "CreateDBFinish", "lrtypCreateDBFinish", "A database is completely created";
    RECOVERY_QUIT_KEEP_ATTACHMENTS = 80, "RecoveryQuitKeepAttachments", "lrtypRecoveryQuitKeepAttachments", "End of recovery with databases left attached";
    TRIM_DB = 81, "TrimDB", "lrtypTrimDB", "A range inside the database file was given back";
    IGNORED10 = 82, "Ignored10", "lrtypIgnored10", "Never used";
    IGNORED11 = 83, "Ignored11", "lrtypIgnored11", "Never used";
    IGNORED12 = 84, "Ignored12", "lrtypIgnored12", "Never used";
    IGNORED13 = 85, "Ignored13", "lrtypIgnored13", "Never used";
    IGNORED14 = 86, "Ignored14", "lrtypIgnored14", "Never used";
    IGNORED15 = 87, "Ignored15", "lrtypIgnored15", "Never used";
    IGNORED16 = 88, "Ignored16", "lrtypIgnored16", "Never used";
    IGNORED17 = 89, "Ignored17", "lrtypIgnored17", "Never used";
    IGNORED18 = 90, "Ignored18", "lrtypIgnored18", "Never used";
    IGNORED19 = 91, "Ignored19", "lrtypIgnored19", "Never used";
    SET_DB_VERSION = 92, "SetDbVersion", "lrtypSetDbVersion", "A database's format version is raised";
    DELTA64 = 93, "Delta64", "lrtypDelta64", "A 64-bit counter in a node changes";
    SHRINK_DB2 = 94, "ShrinkDB2", "lrtypShrinkDB2", "The database file shrinks";
    NEW_PAGE = 95, "NewPage", "lrtypNewPage", "A page comes into use";
    ROOT_PAGE_MOVE = 96, "RootPageMove", "lrtypRootPageMove", "A tree's root moves";
    SIGNAL_ATTACH_DB = 97, "SignalAttachDb", "lrtypSignalAttachDb", "Work after an attach may begin";
    SCAN_CHECK2 = 98, "ScanCheck2", "lrtypScanCheck2", "A page as a scan found it";
    SHRINK_DB3 = 99, "ShrinkDB3", "lrtypShrinkDB3", "The database file shrinks, with a database time";
    EXTENT_FREED = 100, "ExtentFreed", "lrtypExtentFreed", "Pages were freed, for revert snapshots";
    EXTENT_FREED2 = 101, "ExtentFreed2", "lrtypExtentFreed2", "Pages were freed, for revert snapshots, with a database time";
}

impl RecordKind {
    /// First number that no published engine gives to a type.
    pub const FIRST_UNASSIGNED: u8 = 102;

    /// The type with this name, whatever the case of its letters; also a plain number.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Ok(number) = name.parse::<u8>() {
            return Some(Self(number));
        }
        Self::KNOWN.iter().copied().find(|kind| kind.name().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }

    /// Whether an engine that does not know the type may step over it: such records carry their length at offset 1.
    #[must_use]
    pub const fn is_skippable(self) -> bool {
        matches!(self.0, 67..=75 | 82..=91)
    }

    /// Whether the record is fill: NOP or NOP2.
    #[must_use]
    pub const fn is_fill(self) -> bool {
        matches!(self, Self::NOP | Self::NOP2)
    }

    /// Whether the record ends a run of the instance. A log whose last record is such a one was closed normally.
    #[must_use]
    pub const fn is_quit(self) -> bool {
        matches!(
            self,
            Self::TERM
                | Self::TERM2
                | Self::RECOVERY_QUIT
                | Self::RECOVERY_QUIT2
                | Self::RECOVERY_QUIT_KEEP_ATTACHMENTS
        )
    }
}

/// The name, or the number of a type without one.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

impl fmt::Debug for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(RecordKind::SPLIT2.0, 62);
        assert_eq!(RecordKind::from_name("split2"), Some(RecordKind::SPLIT2));
        assert_eq!(RecordKind::from_name("100"), Some(RecordKind::EXTENT_FREED));
        assert_eq!(RecordKind::from_name("nothing"), None);
        assert_eq!(RecordKind(41).to_string(), "41");
        assert_eq!(RecordKind(200).name(), None);
        assert_eq!(RecordKind::KNOWN.len(), 96);
    }
}
