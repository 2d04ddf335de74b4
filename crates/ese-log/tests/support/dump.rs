//! Records as the original's dump tool prints them.

use std::fmt::Write as _;

use ese_format::{DbTime, LogTime, PageNumber, Signature};
use ese_log::record::{
    BeforeImage, BeforeImageFlags, CommitContext, CommitContextFlags, DatabaseSlot, DiffEntries,
    FreedTreeKind, MergeFlags, NodePrefix, PagePrefix, PageRecordFlags, Record, Replace,
};

/// First 16 bytes in hexadecimal, as many as there are.
fn head(parts: &[&[u8]]) -> String {
    parts.concat().iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X} ");
        text
    })
}

fn time(time: LogTime) -> String {
    format!(
        "{:02}/{:02}/{:04} {:02}:{:02}:{:02}.{:03}",
        time.month(),
        time.day(),
        time.year(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

fn signature(signature: Signature) -> String {
    format!("Create time:{} Rand:{} Computer:<None>", time(signature.created), signature.random)
}

fn position(position: ese_format::LogPosition) -> String {
    format!("({:X},{:X},{:X})", position.generation, position.sector, position.byte)
}

/// `U:V:ND:NSP:USR:NCI`, the parts that are asked for.
fn flags(flags: PageRecordFlags, parts: &str) -> String {
    let names: Vec<&str> = parts
        .chars()
        .map(|part| match part {
            'u' => (PageRecordFlags::UNIQUE, "U", "NU"),
            'v' => (PageRecordFlags::VERSIONED, "V", "NV"),
            'd' => (PageRecordFlags::DELETED, "D", "ND"),
            's' => (PageRecordFlags::SPACE, "SP", "NSP"),
            't' => (PageRecordFlags::SYSTEM_TASK, "SYS", "USR"),
            'c' => (PageRecordFlags::CONCURRENT_INDEX, "CI", "NCI"),
            _ => unreachable!(),
        })
        .map(|(bit, yes, no)| if flags.contains(bit) { yes } else { no })
        .collect();
    names.join(":")
}

/// `dbtime,dbtimeBefore,trx:level(session,`
fn lead(page: &PagePrefix) -> String {
    format!(
        "{:x},{:x},{:x}:{}({:x},",
        page.db_time.0, page.db_time_before.0, page.transaction.0, page.level, page.session.0
    )
}

/// `[dbid:pgno:iline]`
fn place(page: &PagePrefix) -> String {
    format!("[{}:{}:{}]", page.database, page.page_number, page.line)
}

fn at(slot: DatabaseSlot, page: PageNumber) -> String {
    format!("[{slot}:{page}]")
}

/// The tool prints 0 for the time of a page that is not there.
fn known(page: PageNumber, time: DbTime) -> u64 {
    if page.is_none() { 0 } else { time.0 }
}

fn object(node: &NodePrefix) -> String {
    format!("objid:[{}:{}]", node.page.database, node.object)
}

fn range(slot: DatabaseSlot, first: PageNumber, count: u32) -> String {
    (first.0 + 1..first.0 + count).fold(String::new(), |mut text, page| {
        let _ = write!(text, "[{slot}:{page}] ");
        text
    })
}

fn image(image: Option<BeforeImage<'_>>) -> String {
    let image = image.unwrap();
    let mut how = String::new();
    if image.flags.contains(BeforeImageFlags::DEHYDRATED) {
        how.push('D');
    }
    if image.flags.contains(BeforeImageFlags::COMPRESSED) {
        how.push('X');
    }
    format!("beforeImage:{}[{how}]", image.bytes.len())
}

fn replace(replace: &Replace<'_>) -> String {
    let page = &replace.node.page;
    format!(
        "{}{},{},{:5},{:5},{:5},rceid:{},{})",
        lead(page),
        place(page),
        flags(page.flags, "uvstc"),
        replace.data.len(),
        replace.new_size,
        replace.old_size,
        replace.node.version,
        object(&replace.node)
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

/// Name and text of a record, as the dump has them behind the position; `None` for records that it does not print.
#[allow(clippy::too_many_lines)]
pub(crate) fn line(record: &Record<'_>, version: (u32, u32, u32, u32)) -> Option<(&'static str, String)> {
    Some(match record {
        Record::Begin(r) => {
            ("Begin", format!("({:x},from:{},to:{})", r.session.0, r.levels.from(), r.levels.to()))
        }
        Record::Begin0(r) => (
            "Begin0",
            format!(
                "({:x},from:{},to:{}) {:x}",
                r.session.0,
                r.levels.from(),
                r.levels.to(),
                r.transaction.0
            ),
        ),
        Record::Commit(r) => ("Commit", format!("({:x},to:{})", r.session.0, r.level_after)),
        Record::Commit0(r) => {
            ("Commit0", format!("({:x},to:{}) {:x}", r.session.0, r.level_after, r.commit_time.0))
        }
        Record::Rollback(r) => ("Rollback", format!("({:x},{})", r.session.0, r.level_count)),
        Record::MacroBegin(r) => ("McroBegin", format!("({:x}) {:x}", r.session.0, r.db_time.0)),
        Record::MacroCommit(r) => ("McroComit", format!("({:x}) {:x}", r.session.0, r.db_time.0)),
        Record::MacroAbort(r) => ("McroAbort", format!("({:x}) {:x}", r.session.0, r.db_time.0)),
        Record::MacroInfo(r) => ("McroInfo", r.pages().map(|page| at(DatabaseSlot(1), page) + ",").collect()),
        Record::MacroInfo2(r) => {
            assert_eq!(r.page_count as usize, r.pages().len());
            ("McroInfo2", r.pages().map(|page| at(r.database, page) + ",").collect())
        }
        Record::Insert(r) => (
            "Insert",
            format!(
                "{}{},{},{},{},{},rceid:{},{}){}",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "uvdstc"),
                r.key_prefix.len(),
                r.key_suffix.len(),
                r.data.len(),
                r.node.version,
                object(&r.node),
                head(&[r.key_prefix, r.key_suffix, r.data])
            ),
        ),
        Record::FlagInsert(r) => (
            "FInsert",
            format!(
                "{}{},{},rceid:{},{})",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "uvdstc"),
                r.node.version,
                object(&r.node)
            ),
        ),
        Record::FlagInsertAndReplaceData(r) => (
            "FInsertRD",
            format!(
                "{}{},{},{:5},rceidInsert:{},rceidReplace:{},{}){}",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "uvstc"),
                r.key.len() + r.data.len(),
                r.node.version,
                r.replace_version,
                object(&r.node),
                head(&[r.key, r.data])
            ),
        ),
        Record::FlagDelete(r) => (
            "FDelete",
            format!(
                "{}{},{}),rceid:{},{}",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "uvstc"),
                r.node.version,
                object(&r.node)
            ),
        ),
        Record::Delete(r) => (
            "Delete",
            format!(
                "{}{},{},{})",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "ust"),
                object(&r.node)
            ),
        ),
        Record::Replace(r) => ("Replace", replace(r) + &head(&[r.data])),
        Record::ReplaceDiff(r) => ("ReplaceD", replace(r)),
        Record::SetExternalHeader(r) => (
            "SetExtHdr",
            format!(
                "{}{},{},{:5}){}",
                lead(&r.node.page),
                at(r.node.page.database, r.node.page.page_number),
                flags(r.node.page.flags, "ust"),
                r.data.len(),
                head(&[r.data])
            ),
        ),
        Record::Undo(r) => (
            "Undo",
            format!(
                "{}{},{},{},{},rceid:{})",
                lead(&r.node.page),
                place(&r.node.page),
                flags(r.node.page.flags, "ut"),
                r.version_level,
                r.operation.0,
                r.node.version
            ),
        ),
        Record::UndoInfo(r) => {
            assert_eq!((r.node.page.db_time, r.node.page.db_time_before), (DbTime::NIL, DbTime::NIL));
            (
                "UndoInfo",
                format!(
                    "{:x}:{}({:x},{},{},{},{},{},rceid:{},{}){}",
                    r.node.page.transaction.0,
                    r.node.page.level,
                    r.node.page.session.0,
                    at(r.node.page.database, r.node.page.page_number),
                    flags(r.node.page.flags, "ut"),
                    r.bookmark_key.len(),
                    r.bookmark_data.len(),
                    r.before_image.len(),
                    r.node.version,
                    object(&r.node),
                    head(&[r.bookmark_key, r.bookmark_data, r.before_image])
                ),
            )
        }
        Record::Delta(r) => ("Delta", delta(&r.node, i64::from(r.delta), r.offset)),
        Record::Delta64(r) => ("Delta64", delta(&r.node, r.delta, r.offset)),
        Record::EmptyTree(r) => (
            "EmptyTree",
            format!(
                "{}{},{},{},{}){}",
                lead(&r.node.page),
                at(r.node.page.database, r.node.page.page_number),
                object(&r.node),
                flags(r.node.page.flags, "ust"),
                r.page_list.len(),
                head(&[r.page_list])
            ),
        ),
        Record::Scrub(r) => (
            "Scrub",
            format!(
                "{}{},{},{},{}, {}){}",
                lead(&r.node.page),
                at(r.node.page.database, r.node.page.page_number),
                flags(r.node.page.flags, "ust"),
                if r.scrub_flags.bits() & 1 != 0 { "unused page" } else { "used page" },
                r.operation_count,
                r.data.len(),
                head(&[r.data])
            ),
        ),
        Record::Split(r) => {
            let f = &r.fields;
            if f.new_page.is_none() {
                let text = format!(
                    "ParentOfSplitPage {}parent:{:x},{})",
                    lead(&r.page),
                    f.parent_db_time_before.0,
                    at(r.page.database, r.page.page_number)
                );
                ("Split2", text)
            } else {
                let kind = ["SplitVertical", "SplitRight", "Append"][usize::from(f.kind.0)];
                let operation =
                    ["None", "Insert", "Replace", "FlagInsertAndReplaceData"][usize::from(f.operation.0)];
                let text = format!(
                    "{kind} {}split:[{}:{}:{}],oper/last:[{}/{}],new:{},parent:{:x},{},right:{:x},{}, \
                     objid:[{}:{}], {}, splitoper:{operation}, {})",
                    lead(&r.page),
                    r.page.database,
                    r.page.page_number,
                    f.split_line,
                    f.operation_line,
                    f.line_count - 1,
                    at(r.page.database, f.new_page),
                    known(f.parent_page, f.parent_db_time_before),
                    at(r.page.database, f.parent_page),
                    known(f.right_page, f.right_db_time_before),
                    at(r.page.database, f.right_page),
                    r.page.database,
                    f.object,
                    flags(r.page.flags, "ustc"),
                    image(r.image)
                );
                ("Split2", text)
            }
        }
        Record::Merge(r) => {
            let f = &r.fields;
            let kind = [
                "None",
                "EmptyPage",
                "FullRight",
                "PartialRight",
                "EmptyTree",
                "FullLeft",
                "PartialLeft",
                "PageMove",
            ][usize::from(f.kind.0)];
            let yes = |bit, yes, no| if f.flags.contains(bit) { yes } else { no };
            (
                "Merge2",
                format!(
                    "{}merge:[{}:{}:{}],right:{:x},{},left:{:x},{},parent:{:x},{},{}:{}:{}:{}:{kind},size:{},\
                     maxsize:{},uncfree:{},{}){}",
                    lead(&r.page),
                    r.page.database,
                    r.page.page_number,
                    f.merge_line,
                    known(f.right_page, f.right_db_time_before),
                    at(r.page.database, f.right_page),
                    known(f.left_page, f.left_db_time_before),
                    at(r.page.database, f.left_page),
                    known(f.parent_page, f.parent_db_time_before),
                    at(r.page.database, f.parent_page),
                    flags(r.page.flags, "ust"),
                    yes(MergeFlags::KEY_CHANGE, "KC", "NKC"),
                    yes(MergeFlags::EMPTY_PAGE, "EP", "NEP"),
                    yes(MergeFlags::DELETE_NODE, "D", "ND"),
                    f.total_size,
                    f.largest_total_size,
                    f.target_uncommitted_free,
                    image(r.image),
                    head(&[r.parent_separator])
                ),
            )
        }
        Record::PageMove(r) => (
            "PageMove",
            format!(
                "{}source:{},destination:{},right:{:x},{},left:{:x},{},parent:{:x},[{}:{}:{}],header:{},\
                 trailer:{},objid:[{}:{}],flags:{}, {})",
                lead(&r.page),
                at(r.page.database, r.page.page_number),
                at(r.page.database, r.target_page),
                known(r.right_page, r.right_db_time_before),
                at(r.page.database, r.right_page),
                known(r.left_page, r.left_db_time_before),
                at(r.page.database, r.left_page),
                r.parent_db_time_before.0,
                r.page.database,
                r.parent_page,
                r.parent_line.cast_unsigned(),
                r.page_head.len(),
                r.page_tail.len(),
                r.page.database,
                r.object,
                r.move_flags.bits(),
                flags(r.page.flags, "t")
            ),
        ),
        Record::RootPageMove(r) => (
            "PageMoveR",
            format!("{:x},({:x},objid:[{}:{}])", r.db_time.0, r.session.0, r.database, r.object),
        ),
        Record::NewPage(r) => (
            "NewPage",
            format!(
                "{:x},({:x},page:{},objid:[{}:{}])",
                r.db_time.0,
                r.session.0,
                at(r.database, r.page_number),
                r.database,
                r.object
            ),
        ),
        Record::CreateMultipleExtentFdp(r) => {
            let slot = r.page.database;
            (
                "Create M",
                format!(
                    "{:x},{:x}:{}({:x},FDP:{},OE:{},AE:{},FDPParent:{},objid:[{slot}:{}],\
                     PageFlags:[0x{:x}],{},{})",
                    r.page.db_time.0,
                    r.page.transaction.0,
                    r.page.level,
                    r.page.session.0,
                    at(slot, r.page.page_number),
                    at(slot, r.owned_extents_root),
                    at(slot, r.available_extents_root),
                    at(slot, r.parent_root),
                    r.object,
                    r.page_flags,
                    r.primary_page_count,
                    flags(r.page.flags, "ut")
                ),
            )
        }
        Record::CreateSingleExtentFdp(r) => {
            let slot = r.page.database;
            (
                "Create S",
                format!(
                    "{:x},{:x}:{}({:x},{},{},[{}],PageFlags:[0x{:x}]{},{})",
                    r.page.db_time.0,
                    r.page.transaction.0,
                    r.page.level,
                    r.page.session.0,
                    at(slot, r.page.page_number),
                    at(slot, r.parent_root),
                    r.object,
                    r.page_flags,
                    r.primary_page_count,
                    flags(r.page.flags, "ut")
                ),
            )
        }
        Record::ConvertFdp2(r) => {
            let (c, slot) = (&r.convert, r.convert.page.database);
            (
                "Convert",
                format!(
                    "{}{},{},[{}],+{},{},+{},{})",
                    lead(&c.page),
                    at(slot, c.page.page_number),
                    at(slot, c.parent_root),
                    c.object,
                    c.primary_page_count,
                    at(slot, c.secondary_first),
                    c.secondary_page_count,
                    flags(c.page.flags, "ut")
                ),
            )
        }
        Record::FreeFdp(r) => {
            let kind = match r.kind {
                FreedTreeKind::TABLE => "T",
                FreedTreeKind::INDEX => "I",
                _ => "?",
            };
            ("FreeFDP", format!("{:x}:({} ({kind}))", r.commit_time.0, at(r.database, r.root)))
        }
        Record::ExtendDatabase(r) => ("ExtendDB", at(r.database, r.last_page)),
        Record::ShrinkDatabase2(r) => {
            ("ShrinkDB2", format!("[{}:{}:{}]", r.database, r.last_page, r.page_count))
        }
        Record::ShrinkDatabase3(r) => (
            "ShrinkDB3",
            format!(
                "{:x}[{}:{}:{}]",
                r.db_time.0, r.shrink.database, r.shrink.last_page, r.shrink.page_count
            ),
        ),
        Record::TrimDatabase(r) => (
            "TrimDB",
            format!(
                "[{}:{}+{}] ({})",
                r.database,
                r.first_page,
                r.page_count,
                range(r.database, r.first_page, r.page_count)
            ),
        ),
        Record::ExtentFreed(r) => ("ExtFreed", extent_freed(DbTime::NIL, r)),
        Record::ExtentFreed2(r) => ("ExtFreed2", extent_freed(r.db_time, &r.freed)),
        Record::ScanCheck(r) => (
            "ScanCheck",
            format!("{:x},{:x}{}", r.current_db_time.0, r.page_db_time.0, at(r.database, r.page_number)),
        ),
        Record::ScanCheck2(r) => (
            "ScanChk2",
            format!(
                "{:x},{:x}{},source:{},{},{}",
                r.current_db_time.0,
                r.page_db_time.0,
                at(r.database, r.page_number),
                r.flags.source(),
                if r.flags.object_invalid() { "IVO" } else { "VO" },
                if r.flags.empty_page() { "EP" } else { "NEP" }
            ),
        ),
        Record::SetDatabaseVersion(r) => (
            "SetDbVer",
            format!("(dbid:{}, DB ver:{}.{}.{})", r.database, r.major, r.update_major, r.update_minor),
        ),
        Record::CreateDatabase(r) => {
            let version = r.version.unwrap();
            (
                "CreateDB",
                format!(
                    "({:x},{},{}) Version: 0x{:x},0x{:x} cpgMax: {} Sig: {} sparse: {}",
                    r.session.0,
                    r.logged_path().to_text(),
                    r.database,
                    version.version,
                    version.update_major,
                    r.largest_page_count,
                    signature(r.signature),
                    u8::from(r.flags.bits() & 0x10 != 0)
                ),
            )
        }
        Record::AttachDatabase(r) => (
            "AttachDB",
            format!(
                "({:x},{},{}) cpgMax: {} consistent:{}   SigDb: {}   SigLog: {} sparse: {}",
                r.session.0,
                r.logged_path().to_text(),
                r.database,
                r.largest_page_count,
                position(r.consistent),
                signature(r.signature),
                signature(r.log_signature),
                u8::from(r.flags.bits() & 0x10 != 0)
            ),
        ),
        Record::DetachDatabase(r) => {
            ("DetachDB", format!("({:x},{},{})", r.session.0, r.logged_path().to_text(), r.database))
        }
        Record::CreateDatabaseFinish(r) => ("CrDBFinsh", format!("({:x},{})", r.session.0, r.database)),
        Record::ReAttach(r) => (
            "ReAttach",
            format!(
                "[{}:], consistent:{} attach:{} SigDb: {}",
                r.database,
                position(r.consistent),
                position(r.attach),
                signature(r.signature)
            ),
        ),
        Record::SignalAttach(r) => ("SAttachDB", format!("(dbid:{})", r.database)),
        Record::Init(r) => ("Init", format!("({})", time(r.time.unwrap()))),
        Record::Term2(r) => ("Term", format!("({})", time(r.time))),
        Record::RecoveryUndo2(r) => ("RcvUndo", format!("({})", time(r.time))),
        Record::RecoveryQuit2(r) => ("RcvQuit", format!("({})", time(r.time))),
        Record::RecoveryQuitKeepAttachments(r) => ("RcvQKA", format!("({})", time(r.time))),
        Record::ShutDownMark => ("ShutDown", String::new()),
        Record::Trace(r) => ("Trace", format!("({:x}) {}", r.session.0, text(r.text))),
        Record::ForceLogRollover(r) => ("FRollLog", format!("({:x}) {}", r.session.0, text(r.text))),
        Record::CommitContext(r) => {
            let (flags, bytes) = r.parts(CommitContext::has_flags(version.2, version.3)).unwrap();
            let names: String = [
                (CommitContextFlags::CALLBACK_NEEDED, 'C'),
                (CommitContextFlags::BEFORE_COMMIT, 'R'),
                (CommitContextFlags::CUSTOMER_DATA, 'P'),
            ]
            .iter()
            .filter(|(bit, _)| flags.contains(*bit))
            .map(|(_, name)| *name)
            .collect();
            ("CommitCtx", format!("({:x}) [{names}]{}", r.session.0, head(&[bytes])))
        }
        Record::Nop2(r) => ("NOP2", format!("(lrtyp = 71, {} bytes)", r.content.len())),
        _ => return None,
    })
}

fn delta(node: &NodePrefix, delta: i64, offset: u16) -> String {
    format!(
        "{}{},{},{delta},offset:{offset},rceid:{},{})",
        lead(&node.page),
        place(&node.page),
        flags(node.page.flags, "uvtc"),
        node.version,
        object(node)
    )
}

fn extent_freed(db_time: DbTime, freed: &ese_log::record::ExtentFreed) -> String {
    let mut why = String::new();
    for (bit, name) in [(1, "T"), (2, "D")] {
        if freed.flags.bits() & bit != 0 {
            why.push_str(name);
        }
    }
    format!(
        "{:x} [{}:{}+{}],[{why}] ({})",
        db_time.0,
        freed.database,
        freed.first_page,
        freed.page_count,
        range(freed.database, freed.first_page, freed.page_count)
    )
}

/// The lines that the dump has under a ReplaceD record, one an entry.
pub(crate) fn difference_lines(replace: &Replace<'_>) -> Vec<String> {
    let page = &replace.node.page;
    let lead = format!("{}{},{}", lead(page), place(page), object(&replace.node));
    DiffEntries::new(replace.data, replace.diff_form())
        .map(|entry| {
            let entry = entry.unwrap();
            let width = if entry.wide { "2B" } else { "1B" };
            let (new, old) = (entry.inserted.len(), entry.removed);
            let what = if old == 0 {
                format!("InsertWithValue ({new})")
            } else if old == new {
                format!("ReplaceWithSameLength ({new})")
            } else {
                format!("ReplaceWithNewValue ({old}=>{new})")
            };
            format!("{lead},[ Offs:{} {width} {what}: {}])", entry.offset, head(&[entry.inserted]))
        })
        .collect()
}
