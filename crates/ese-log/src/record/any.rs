//! A record of any type.

use super::backup::{Backup, Backup2, BackupPath, ExternalRestore};
use super::body::Body;
use super::error::{EncodeError, RecordError};
use super::field::FieldVisitor;
use super::kind::RecordKind;
use super::lifetime::{
    AttachDatabase, CreateDatabase, CreateDatabaseFinish, DetachDatabase, Init, PagePatchRequest, Quit,
    ReAttach, RecoveryUndo, SetDatabaseVersion, SignalAttach, TimedQuit,
};
use super::node::{
    Delete, Delta, Delta64, EmptyTree, FlagInsert, FlagInsertAndReplaceData, Insert, Scrub,
    SetExternalHeader, Undo, UndoInfo,
};
use super::note::{ChecksumRecord, Fragment, FragmentBegin, JetOperation, MultiSector, Skippable, Trace};
use super::replace::Replace;
use super::size::{RecordSize, fixed_size, record_size};
use super::space::{
    ConvertFdp, ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, ExtendDatabase, ExtentFreed,
    ExtentFreed2, FreeFdp, MacroInfo, MacroInfo2, NewPage, ScanCheck, ScanCheck2, ShrinkDatabase,
    ShrinkDatabase3, TrimDatabase,
};
use super::structure::{Merge, PageMove, RootPageMove, Split};
use super::transaction::{
    Begin, BeginOutermost, Commit, CommitContext, CommitOutermost, Macro, PrepareCommit, Refresh, Rollback,
    SessionOnly,
};

/// Declares [`Record`]: one variant a type, or one for an older and a newer type that differ by an optional field.
macro_rules! records {
    (
        $($unit:ident, $unit_kind:ident;)*
        ---
        $($variant:ident($body:ty), $kind:ident;)*
        ---
        $($both:ident($both_body:ty), $option:ident: $older:ident | $newer:ident;)*
    ) => {
        /// A log record of any type, its byte strings borrowed from the log.
        ///
        /// [`decode`](Self::decode) and [`encode`](Self::encode) are inverse to each other for every byte string that
        /// decodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Record<'a> {
            $(
                #[doc = concat!("[`RecordKind::", stringify!($unit_kind), "`].")]
                $unit,
            )*
            $(
                #[doc = concat!("[`RecordKind::", stringify!($kind), "`].")]
                $variant($body),
            )*
            $(
                #[doc = concat!("[`RecordKind::", stringify!($older), "`] or [`RecordKind::", stringify!($newer), "`].")]
                $both($both_body),
            )*
            /// A skippable type that was never used. Its content is kept.
            Ignored(
                /// The type.
                RecordKind,
                /// The content.
                Skippable<'a>,
            ),
        }

        impl<'a> Record<'a> {
            /// Type of the record.
            #[must_use]
            pub const fn kind(&self) -> RecordKind {
                match self {
                    $( Self::$unit => RecordKind::$unit_kind, )*
                    $( Self::$variant(_) => RecordKind::$kind, )*
                    $(
                        Self::$both(body) if body.$option.is_none() => RecordKind::$older,
                        Self::$both(_) => RecordKind::$newer,
                    )*
                    Self::Ignored(kind, _) => *kind,
                }
            }

            fn decode_sized(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
                match kind {
                    $( RecordKind::$unit_kind => Ok(Self::$unit), )*
                    $( RecordKind::$kind => Body::read(kind, bytes).map(Self::$variant), )*
                    $( RecordKind::$older | RecordKind::$newer => Body::read(kind, bytes).map(Self::$both), )*
                    _ if kind.is_skippable() => {
                        Body::read(kind, bytes).map(|body| Self::Ignored(kind, body))
                    }
                    _ => Err(RecordError::UnknownKind { kind }),
                }
            }

            /// Appends the record's bytes to `out`.
            ///
            /// # Errors
            /// [`EncodeError::TooLong`] when a byte string is longer than its count field can say. `out` is as it was
            /// then.
            pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                let kind = self.kind();
                match self {
                    $( Self::$unit => {
                        out.push(kind.0);
                        Ok(())
                    } )*
                    $( Self::$variant(body) => body.write(kind, out), )*
                    $( Self::$both(body) => body.write(kind, out), )*
                    Self::Ignored(_, body) => body.write(kind, out),
                }
            }

            /// Shows the fields of the record in the order of their offsets, prefix first, byte strings last.
            pub fn list_fields(&self, visit: &mut FieldVisitor<'_>) {
                match self {
                    $( Self::$unit => {} )*
                    $( Self::$variant(body) => body.list_body(visit), )*
                    $( Self::$both(body) => body.list_body(visit), )*
                    Self::Ignored(_, body) => body.list_body(visit),
                }
            }
        }

        impl<'a> Record<'a> {
            /// The structs have the sizes of the engine's table.
            const SIZES_AGREE: () = {
                $( assert!(has_fixed_size(RecordKind::$unit_kind, 1)); )*
                $( assert!(has_fixed_size(RecordKind::$kind, <$body as Body<'a>>::FIXED)); )*
                $( assert!(has_fixed_size(RecordKind::$older, <$both_body as Body<'a>>::FIXED)); )*
            };
        }

        const _: () = Record::SIZES_AGREE;
    };
}

records! {
    Nop, NOP;
    End, END;
    RecoveryUndo, RECOVERY_UNDO;
    ShutDownMark, SHUT_DOWN_MARK;
    ---
    Term(Quit), TERM;
    Term2(TimedQuit), TERM2;
    MultiSector(MultiSector), MS;
    Begin(Begin), BEGIN;
    Commit(Commit), COMMIT;
    Rollback(Rollback), ROLLBACK;
    Begin0(BeginOutermost), BEGIN0;
    Commit0(CommitOutermost), COMMIT0;
    Refresh(Refresh), REFRESH;
    MacroBegin(Macro), MACRO_BEGIN;
    MacroCommit(Macro), MACRO_COMMIT;
    MacroAbort(Macro), MACRO_ABORT;
    CreateDatabase(CreateDatabase<'a>), CREATE_DB;
    AttachDatabase(AttachDatabase<'a>), ATTACH_DB;
    DetachDatabase(DetachDatabase<'a>), DETACH_DB;
    RecoveryQuit(Quit), RECOVERY_QUIT;
    FullBackup(BackupPath<'a>), FULL_BACKUP;
    IncrementalBackup(BackupPath<'a>), INC_BACKUP;
    JetOperation(JetOperation), JET_OP;
    Trace(Trace<'a>), TRACE;
    CreateMultipleExtentFdp(CreateMultipleExtentFdp), CREATE_MULTIPLE_EXTENT_FDP;
    CreateSingleExtentFdp(CreateSingleExtentFdp), CREATE_SINGLE_EXTENT_FDP;
    ConvertFdp(ConvertFdp), CONVERT_FDP;
    Insert(Insert<'a>), INSERT;
    FlagInsert(FlagInsert<'a>), FLAG_INSERT;
    FlagInsertAndReplaceData(FlagInsertAndReplaceData<'a>), FLAG_INSERT_AND_REPLACE_DATA;
    FlagDelete(Delete), FLAG_DELETE;
    Replace(Replace<'a>), REPLACE;
    ReplaceDiff(Replace<'a>), REPLACE_D;
    Delete(Delete), DELETE;
    UndoInfo(UndoInfo<'a>), UNDO_INFO;
    Delta(Delta<'a>), DELTA;
    SetExternalHeader(SetExternalHeader<'a>), SET_EXTERNAL_HEADER;
    Undo(Undo<'a>), UNDO;
    Checksum(ChecksumRecord), CHECKSUM;
    ExternalRestore(ExternalRestore<'a>), EXT_RESTORE;
    Backup(Backup<'a>), BACKUP;
    EmptyTree(EmptyTree<'a>), EMPTY_TREE;
    RecoveryUndo2(RecoveryUndo), RECOVERY_UNDO2;
    RecoveryQuit2(TimedQuit), RECOVERY_QUIT2;
    BeginDistributed(BeginOutermost), BEGIN_DT;
    PrepareCommit(PrepareCommit<'a>), PREP_COMMIT;
    PrepareRollback(SessionOnly), PREP_ROLLBACK;
    ForceWriteLog(SessionOnly), FORCE_WRITE_LOG;
    ConvertFdp2(ConvertFdp2), CONVERT_FDP2;
    ExternalRestore2(ExternalRestore<'a>), EXT_RESTORE2;
    Backup2(Backup2<'a>), BACKUP2;
    ForceLogRollover(Trace<'a>), FORCE_LOG_ROLLOVER;
    Scrub(Scrub<'a>), SCRUB;
    PageMove(PageMove<'a>), PAGE_MOVE;
    PagePatchRequest(PagePatchRequest), PAGE_PATCH_REQUEST;
    MacroInfo(MacroInfo<'a>), MACRO_INFO;
    ExtendDatabase(ExtendDatabase<'a>), EXTEND_DB;
    CommitContext(CommitContext<'a>), COMMIT_CTX;
    ScanCheck(ScanCheck<'a>), SCAN_CHECK;
    Nop2(Skippable<'a>), NOP2;
    ReAttach(ReAttach<'a>), RE_ATTACH;
    MacroInfo2(MacroInfo2<'a>), MACRO_INFO2;
    FreeFdp(FreeFdp<'a>), FREE_FDP;
    FragmentBegin(FragmentBegin<'a>), FRAGMENT_BEGIN;
    Fragment(Fragment<'a>), FRAGMENT;
    ShrinkDatabase(ShrinkDatabase), SHRINK_DB;
    CreateDatabaseFinish(CreateDatabaseFinish), CREATE_DB_FINISH;
    RecoveryQuitKeepAttachments(TimedQuit), RECOVERY_QUIT_KEEP_ATTACHMENTS;
    TrimDatabase(TrimDatabase), TRIM_DB;
    SetDatabaseVersion(SetDatabaseVersion), SET_DB_VERSION;
    Delta64(Delta64<'a>), DELTA64;
    ShrinkDatabase2(ShrinkDatabase), SHRINK_DB2;
    NewPage(NewPage), NEW_PAGE;
    RootPageMove(RootPageMove), ROOT_PAGE_MOVE;
    SignalAttach(SignalAttach), SIGNAL_ATTACH_DB;
    ScanCheck2(ScanCheck2), SCAN_CHECK2;
    ShrinkDatabase3(ShrinkDatabase3), SHRINK_DB3;
    ExtentFreed(ExtentFreed), EXTENT_FREED;
    ExtentFreed2(ExtentFreed2), EXTENT_FREED2;
    ---
    Init(Init<'a>), time: INIT | INIT2;
    Split(Split<'a>), image: SPLIT | SPLIT2;
    Merge(Merge<'a>), image: MERGE | MERGE2;
}

/// Whether the engine's table gives a type this size. The fields of skippable records are payload to it.
const fn has_fixed_size(kind: RecordKind, size: usize) -> bool {
    match fixed_size(kind) {
        Some(fixed) => fixed == size || kind.is_skippable() && fixed <= size,
        None => false,
    }
}

impl<'a> Record<'a> {
    /// Decodes exactly one record: `bytes` is all of it and nothing else.
    ///
    /// # Errors
    /// [`RecordError::Empty`] without a byte, [`RecordError::UnknownKind`] for a type without layout,
    /// [`RecordError::Size`] when the record's own counts do not add up to `bytes.len()`.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let Some(&first) = bytes.first() else { return Err(RecordError::Empty) };
        let kind = RecordKind(first);
        if bytes.len() != 1 && fixed_size(kind) == Some(1) {
            return Err(RecordError::size(kind, 1, bytes.len()));
        }
        Self::decode_sized(kind, bytes)
    }

    /// Decodes the record that begins `bytes`, and returns it with its size.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode); [`RecordError::Size`] when `bytes` ends before the record does.
    pub fn decode_first(bytes: &'a [u8]) -> Result<(Self, usize), RecordError> {
        let size = match record_size(bytes)? {
            RecordSize::Need(size) | RecordSize::Size(size) => size,
        };
        let Some(record) = bytes.get(..size) else {
            let kind = RecordKind(bytes.first().copied().unwrap_or_default());
            return Err(RecordError::size(kind, size, bytes.len()));
        };
        Ok((Self::decode(record)?, size))
    }
}
