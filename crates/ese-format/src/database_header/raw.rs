//! The 748 bytes of a database header as they lie on disk.

use crate::stored::stored_struct;
use crate::{
    BackupInfo, BackupInfoKind, DatabaseFlags, DatabaseState, DbTime, EngineFormatVersion, FileType,
    LogGeneration, LogPosition, LogTime, ObjectId, PageNumber, Signature,
};

stored_struct! {
    /// The known part of a database header, 748 bytes, little-endian, with a typed getter and setter a field.
    ///
    /// Stands at the start of the file and again one page further, each copy filled up with zeros to one page. Written at
    /// every change of state, required range or backup memory. The header checksum covers the whole page.
    ///
    /// Fields that older formats do not know are zero in their files.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/daedef.hxx`, `DBFILEHDR`.
    #[doc(alias = "DBFILEHDR")]
    #[doc(alias = "DBFILEHDR_FIX")]
    pub struct RawDatabaseHeader [748] {
        /// XOR checksum of the whole header page; [`DatabaseHeader::write`](crate::DatabaseHeader::write) computes it.
        #[doc(alias = "le_ulChecksum")]
        0 "checksum" checksum set_checksum: u32 as hexadecimal,
        /// 0x89ABCDEF.
        #[doc(alias = "le_ulMagic")]
        4 "magic" magic set_magic: u32 as hexadecimal,
        /// Format version, 0x620 (1568) in every supported database.
        #[doc(alias = "le_ulVersion")]
        8 "version" format_version set_format_version: u32,
        /// 0 for a database.
        #[doc(alias = "le_attrib")]
        12 "attrib" attributes set_attributes: u32,
        /// Highest update counter handed out; no page of a clean database has a higher one.
        #[doc(alias = "le_dbtimeDirtied")]
        16 "dbtimeDirtied" db_time set_db_time: DbTime,
        /// Identity of the database; replaced when it is attached without logging.
        #[doc(alias = "signDb")]
        24 "signDb" signature set_signature: Signature,
        /// State.
        #[doc(alias = "le_dbstate")]
        52 "dbstate" state set_state: DatabaseState,
        /// Log position up to which the database is complete: its last clean detach.
        #[doc(alias = "le_lgposConsistent")]
        56 "lgposConsistent" consistent_position set_consistent_position: LogPosition,
        /// Time of the last clean detach.
        #[doc(alias = "logtimeConsistent")]
        64 "logtimeConsistent" consistent_time set_consistent_time: LogTime,
        /// Time of the last attach. Unlike with other pairs, the time precedes the position in the file.
        #[doc(alias = "logtimeAttach")]
        72 "logtimeAttach" attach_time set_attach_time: LogTime,
        /// Position of the record of the last attach.
        #[doc(alias = "le_lgposAttach")]
        80 "lgposAttach" attach_position set_attach_position: LogPosition,
        /// Time of the last detach; not set while attached.
        #[doc(alias = "logtimeDetach")]
        88 "logtimeDetach" detach_time set_detach_time: LogTime,
        /// Position of the record of the last detach; not set while attached.
        #[doc(alias = "le_lgposDetach")]
        96 "lgposDetach" detach_position set_detach_position: LogPosition,
        /// Number of the database within its log stream, 1 to 6.
        #[doc(alias = "le_dbid")]
        104 "dbid" database_id set_database_id: u32,
        /// Signature of the log stream; not set in a database that was never logged.
        #[doc(alias = "signLog")]
        108 "signLog" log_signature set_log_signature: Signature,
        /// Last full backup that truncated the logs.
        #[doc(alias = "bkinfoFullPrev")]
        136 "bkinfoFullPrev" previous_full_backup set_previous_full_backup: BackupInfo,
        /// Last incremental backup since then.
        #[doc(alias = "bkinfoIncPrev")]
        160 "bkinfoIncPrev" previous_incremental_backup set_previous_incremental_backup: BackupInfo,
        /// Full backup in progress; a first generation other than 0 marks a file of a backup set.
        #[doc(alias = "bkinfoFullCur")]
        184 "bkinfoFullCur" current_full_backup set_current_full_backup: BackupInfo,
        /// Flags.
        #[doc(alias = "m_ulDbFlags")]
        208 "flags" flags set_flags: DatabaseFlags,
        /// Highest object id ever given out.
        #[doc(alias = "le_objidLast")]
        212 "objidLast" last_object_id set_last_object_id: ObjectId,
        /// Major version of the operating system at the last attach.
        #[doc(alias = "le_dwMajorVersion")]
        216 "osMajor" os_major set_os_major: u32,
        /// Minor version of the operating system.
        #[doc(alias = "le_dwMinorVersion")]
        220 "osMinor" os_minor set_os_minor: u32,
        /// Build number of the operating system.
        #[doc(alias = "le_dwBuildNumber")]
        224 "osBuild" os_build set_os_build: u32,
        /// Service pack of the operating system.
        #[doc(alias = "le_lSPNumber")]
        228 "osServicePack" os_service_pack set_os_service_pack: u32,
        /// Second part of the format version.
        #[doc(alias = "le_ulDaeUpdateMajor")]
        232 "updateMajor" update_major set_update_major: u32,
        /// Page size in bytes; 0 means 4096.
        #[doc(alias = "le_cbPageSize")]
        236 "cbPage" page_size_field set_page_size_field: u32,
        /// How often the database was repaired.
        #[doc(alias = "le_ulRepairCount")]
        240 "repairCount" repair_count set_repair_count: u32,
        /// Time of the last repair.
        #[doc(alias = "logtimeRepair")]
        244 "logtimeRepair" repair_time set_repair_time: LogTime,
        /// Was the signature of the streaming file.
        #[doc(alias = "rgbReservedSignSLV")]
        252 "reserved252" reserved_streaming_signature set_reserved_streaming_signature: [u8; 28],
        /// Update counter at the last scrub.
        #[doc(alias = "le_dbtimeLastScrub")]
        280 "dbtimeLastScrub" scrub_db_time set_scrub_db_time: DbTime,
        /// Time of the last scrub.
        #[doc(alias = "logtimeScrub")]
        288 "logtimeScrub" scrub_time set_scrub_time: LogTime,
        /// First log generation needed to make the database consistent; 0 when clean.
        #[doc(alias = "le_lGenMinRequired")]
        296 "lGenMinRequired" min_required set_min_required: LogGeneration,
        /// Last log generation needed to make the database consistent; 0 when clean.
        #[doc(alias = "le_lGenMaxRequired")]
        300 "lGenMaxRequired" max_required set_max_required: LogGeneration,
        /// Obsolete.
        #[doc(alias = "le_cpgUpgrade55Format")]
        304 "cpgUpgrade55Format" upgrade_55_pages set_upgrade_55_pages: u32,
        /// Obsolete.
        #[doc(alias = "le_cpgUpgradeFreePages")]
        308 "cpgUpgradeFreePages" upgrade_free_pages set_upgrade_free_pages: u32,
        /// Obsolete.
        #[doc(alias = "le_cpgUpgradeSpaceMapPages")]
        312 "cpgUpgradeSpaceMapPages" upgrade_space_map_pages set_upgrade_space_map_pages: u32,
        /// Snapshot backup in progress.
        #[doc(alias = "bkinfoSnapshotCur")]
        316 "bkinfoSnapshotCur" current_snapshot_backup set_current_snapshot_backup: BackupInfo,
        /// Format version at creation.
        #[doc(alias = "le_ulCreateVersion")]
        340 "createVersion" create_version set_create_version: u32,
        /// Second part of it; 20 in new files, whatever the engine.
        #[doc(alias = "le_ulCreateUpdate")]
        344 "createUpdate" create_update set_create_update: u32,
        /// Creation time of the log of the last committed generation.
        #[doc(alias = "logtimeGenMaxCreate")]
        348 "logtimeGenMaxCreate" max_committed_create_time set_max_committed_create_time: LogTime,
        /// How the last full backup was made.
        #[doc(alias = "bkinfoTypeFullPrev")]
        356 "bkinfoTypeFullPrev" previous_full_backup_kind set_previous_full_backup_kind: BackupInfoKind,
        /// How the last incremental backup was made.
        #[doc(alias = "bkinfoTypeIncPrev")]
        360 "bkinfoTypeIncPrev" previous_incremental_backup_kind set_previous_incremental_backup_kind: BackupInfoKind,
        /// Repairs before the last offline defragmentation.
        #[doc(alias = "le_ulRepairCountOld")]
        364 "repairCountOld" old_repair_count set_old_repair_count: u32,
        /// Single-bit corrections that gave a good page.
        #[doc(alias = "le_ulECCFixSuccess")]
        368 "eccFixSuccess" ecc_fix_success_count set_ecc_fix_success_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeECCFixSuccess")]
        372 "logtimeEccFixSuccess" ecc_fix_success_time set_ecc_fix_success_time: LogTime,
        /// The count before the last repair.
        #[doc(alias = "le_ulECCFixSuccessOld")]
        380 "eccFixSuccessOld" old_ecc_fix_success_count set_old_ecc_fix_success_count: u32,
        /// Single-bit corrections that did not give a good page.
        #[doc(alias = "le_ulECCFixFail")]
        384 "eccFixFail" ecc_fix_fail_count set_ecc_fix_fail_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeECCFixFail")]
        388 "logtimeEccFixFail" ecc_fix_fail_time set_ecc_fix_fail_time: LogTime,
        /// The count before the last repair.
        #[doc(alias = "le_ulECCFixFailOld")]
        396 "eccFixFailOld" old_ecc_fix_fail_count set_old_ecc_fix_fail_count: u32,
        /// Pages with a wrong checksum that could not be corrected.
        #[doc(alias = "le_ulBadChecksum")]
        400 "badChecksum" bad_checksum_count set_bad_checksum_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeBadChecksum")]
        404 "logtimeBadChecksum" bad_checksum_time set_bad_checksum_time: LogTime,
        /// The count before the last repair.
        #[doc(alias = "le_ulBadChecksumOld")]
        412 "badChecksumOld" old_bad_checksum_count set_old_bad_checksum_count: u32,
        /// Last log generation with records of this database: needed to lose nothing; 0 when clean.
        #[doc(alias = "le_lGenMaxCommitted")]
        416 "lGenMaxCommitted" max_committed set_max_committed: LogGeneration,
        /// Last full backup that left the logs alone.
        #[doc(alias = "bkinfoCopyPrev")]
        420 "bkinfoCopyPrev" previous_copy_backup set_previous_copy_backup: BackupInfo,
        /// Last logs-only backup that left the logs alone.
        #[doc(alias = "bkinfoDiffPrev")]
        444 "bkinfoDiffPrev" previous_differential_backup set_previous_differential_backup: BackupInfo,
        /// How that copy backup was made.
        #[doc(alias = "bkinfoTypeCopyPrev")]
        468 "bkinfoTypeCopyPrev" previous_copy_backup_kind set_previous_copy_backup_kind: BackupInfoKind,
        /// How that differential backup was made.
        #[doc(alias = "bkinfoTypeDiffPrev")]
        472 "bkinfoTypeDiffPrev" previous_differential_backup_kind set_previous_differential_backup_kind: BackupInfoKind,
        /// How often the database was reseeded incrementally.
        #[doc(alias = "le_ulIncrementalReseedCount")]
        476 "incReseedCount" incremental_reseed_count set_incremental_reseed_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeIncrementalReseed")]
        480 "logtimeIncReseed" incremental_reseed_time set_incremental_reseed_time: LogTime,
        /// The count before the last repair.
        #[doc(alias = "le_ulIncrementalReseedCountOld")]
        488 "incReseedCountOld" old_incremental_reseed_count set_old_incremental_reseed_count: u32,
        /// How many pages were patched.
        #[doc(alias = "le_ulPagePatchCount")]
        492 "pagePatchCount" page_patch_count set_page_patch_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimePagePatch")]
        496 "logtimePagePatch" page_patch_time set_page_patch_time: LogTime,
        /// The count before the last repair.
        #[doc(alias = "le_ulPagePatchCountOld")]
        504 "pagePatchCountOld" old_page_patch_count set_old_page_patch_count: u32,
        /// All ones: sort versions are kept in the table MSysLocales. Older files: a sort version.
        #[doc(alias = "le_qwSortVersion")]
        508 "qwSortVersion" sort_version set_sort_version: u64 as hexadecimal,
        /// When the last database scan ended.
        #[doc(alias = "logtimeDbscanPrev")]
        516 "logtimeDbscanPrev" scan_finish_time set_scan_finish_time: LogTime,
        /// When the current database scan began.
        #[doc(alias = "logtimeDbscanStart")]
        524 "logtimeDbscanStart" scan_start_time set_scan_start_time: LogTime,
        /// Up to which page the current scan is complete.
        #[doc(alias = "le_pgnoDbscanHighestContinuous")]
        532 "pgnoDbscanHighestContinuous" scan_highest_continuous set_scan_highest_continuous: PageNumber,
        /// Generation that is being redone.
        #[doc(alias = "le_lGenRecovering")]
        536 "lGenRecovering" recovering_generation set_recovering_generation: LogGeneration,
        /// How often the file was extended.
        #[doc(alias = "le_ulExtendCount")]
        540 "extendCount" extend_count set_extend_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeLastExtend")]
        544 "logtimeLastExtend" extend_time set_extend_time: LogTime,
        /// How often the file was shrunk.
        #[doc(alias = "le_ulShrinkCount")]
        552 "shrinkCount" shrink_count set_shrink_count: u32,
        /// Time of the last of them.
        #[doc(alias = "logtimeLastShrink")]
        556 "logtimeLastShrink" shrink_time set_shrink_time: LogTime,
        /// Time of the last reattach.
        #[doc(alias = "logtimeLastReAttach")]
        564 "logtimeLastReAttach" reattach_time set_reattach_time: LogTime,
        /// Position of the record of the last reattach.
        #[doc(alias = "le_lgposLastReAttach")]
        572 "lgposLastReAttach" reattach_position set_reattach_position: LogPosition,
        /// How often parts of the file were made sparse.
        #[doc(alias = "le_ulTrimCount")]
        580 "trimCount" trim_count set_trim_count: u32,
        /// Fresh at every header write; pairs the file with its flush map.
        #[doc(alias = "signDbHdrFlush")]
        584 "signDbHdrFlush" header_flush_signature set_header_flush_signature: Signature,
        /// Signature of the flush-map header that belongs to this header.
        #[doc(alias = "signFlushMapHdrFlush")]
        612 "signFlushMapHdrFlush" flush_map_flush_signature set_flush_map_flush_signature: Signature,
        /// As the first required generation, without what the flush map needs; 0 when clean.
        #[doc(alias = "le_lGenMinConsistent")]
        640 "lGenMinConsistent" min_consistent set_min_consistent: LogGeneration,
        /// Third part of the format version.
        #[doc(alias = "le_ulDaeUpdateMinor")]
        644 "updateMinor" update_minor set_update_minor: u32,
        /// Highest engine format version of any program that attached the file; informational.
        #[doc(alias = "le_efvMaxBinAttachDiagnostic")]
        648 "efvMaxBinAttachDiagnostic" max_attach_format set_max_attach_format: EngineFormatVersion,
        /// Highest page the database scan has seen.
        #[doc(alias = "le_pgnoDbscanHighest")]
        652 "pgnoDbscanHighest" scan_highest set_scan_highest: PageNumber,
        /// Position of the last committed change of the file's size; from update 110 on.
        #[doc(alias = "le_lgposLastResize")]
        656 "lgposLastResize" last_resize_position set_last_resize_position: LogPosition,
        /// Zero.
        #[doc(alias = "rgbReserved")]
        664 "reserved664" reserved_664 set_reserved_664: [u8; 3],
        /// File type: database, 0 in old files.
        #[doc(alias = "le_filetype")]
        667 "fileType" file_type set_file_type: FileType,
        /// Zero.
        #[doc(alias = "rgbReserved2")]
        671 "reserved671" reserved_671 set_reserved_671: [u8; 1],
        /// Creation time of the log of the last required generation; from update 150 on.
        #[doc(alias = "logtimeGenMaxRequired")]
        672 "logtimeGenMaxRequired" max_required_create_time set_max_required_create_time: LogTime,
        /// The first consistent generation before redo lowered it; 0 outside redo.
        #[doc(alias = "le_lGenPreRedoMinConsistent")]
        680 "lGenPreRedoMinConsistent" pre_redo_min_consistent set_pre_redo_min_consistent: LogGeneration,
        /// The first required generation before redo lowered it; 0 outside redo.
        #[doc(alias = "le_lGenPreRedoMinRequired")]
        684 "lGenPreRedoMinRequired" pre_redo_min_required set_pre_redo_min_required: LogGeneration,
        /// Signature of the revert-snapshot header that belongs to this header; from update 180 on.
        #[doc(alias = "signRBSHdrFlush")]
        688 "signRBSHdrFlush" snapshot_flush_signature set_snapshot_flush_signature: Signature,
        /// How often the database was reverted.
        #[doc(alias = "le_ulRevertCount")]
        716 "revertCount" revert_count set_revert_count: u32,
        /// When the last revert was done.
        #[doc(alias = "logtimeRevertFrom")]
        720 "logtimeRevertFrom" revert_from_time set_revert_from_time: LogTime,
        /// To which time.
        #[doc(alias = "logtimeRevertTo")]
        728 "logtimeRevertTo" revert_to_time set_revert_to_time: LogTime,
        /// How many pages that changed.
        #[doc(alias = "le_ulRevertPageCount")]
        736 "revertPageCount" revert_page_count set_revert_page_count: u32,
        /// Last commit before the revert.
        #[doc(alias = "le_lgposCommitBeforeRevert")]
        740 "lgposCommitBeforeRevert" commit_before_revert_position set_commit_before_revert_position: LogPosition,
    }
}
