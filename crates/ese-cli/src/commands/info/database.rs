//! A database.

use ese_format::{
    BackupInfo, BackupInfoKind, DatabaseHeader, DatabaseHeaderPair, DatabaseState, EngineFormatSetting,
    HeaderError, JetError, LogPosition, LogTime, PageNumber, PageSize, Stored, TrailerPage,
};
use ese_io::File;
use serde_json::{Value, json};

use super::report::Report;
use crate::fields;

pub(super) fn fill(
    report: &mut Report,
    file: &dyn File,
    start: &[u8],
    unverified: bool,
) -> Result<(), HeaderError> {
    let head = start.get(..start.len().min(DatabaseHeaderPair::PROBE_LEN)).unwrap_or_default();
    let header = match DatabaseHeaderPair::probe(head) {
        Ok(pair) => {
            report.header_copies(pair.status);
            pair.header
        }
        Err(error) if unverified => damaged(head).ok_or(error)?,
        Err(error) => return Err(error),
    };
    describe(report, &header);
    size(report, header.page_size());
    if let Some(trailer) = trailer(file, report.size, &header) {
        report.line("backup trailer", format_args!("generations {}", generations(&trailer.backup())));
        report.more("trailer", fields::to_json(&trailer.fields()));
    }
    report.check(header.check_database(None));
    // A newer update of the known format can be shown; what it added is not known here.
    let newer = header.version().check_update(EngineFormatSetting::EngineDefault).is_err();
    report.more("newer_format", newer);
    if newer {
        report.line("note", "newer than every format known here: some of its structures may be unknown");
    }
    report.header(header.fields());
    Ok(())
}

/// A header whose checksum is wrong, read in the page size that it names.
fn damaged(start: &[u8]) -> Option<DatabaseHeader> {
    PageSize::ALL.iter().find_map(|size| DatabaseHeader::parse_unverified(start.get(..size.len())?).ok())
}

fn describe(report: &mut Report, header: &DatabaseHeader) {
    report.state(header.state().to_string());
    report.page_size(header.page_size());
    report.database_version(header.version());
    report.log_required(header.min_required(), header.max_required(), header.max_committed());
    report.signature(&header.signature());
    report.log_signature(&header.log_signature());
    event(report, "attached", header.attach_position(), header.attach_time());
    event(report, "detached", header.detach_position(), header.detach_time());
    event(report, "consistent", header.consistent_position(), header.consistent_time());
    if header.state() == DatabaseState::DIRTY_SHUTDOWN && header.is_part_of_backup() {
        report.line("part of", "a backup set that was not restored yet");
    }
    report.backup = json!({
        "previous_full": kept(&header.previous_full_backup(), header.previous_full_backup_kind()),
        "previous_incremental":
            kept(&header.previous_incremental_backup(), header.previous_incremental_backup_kind()),
        "previous_copy": kept(&header.previous_copy_backup(), header.previous_copy_backup_kind()),
        "previous_differential":
            kept(&header.previous_differential_backup(), header.previous_differential_backup_kind()),
        "current_full": fields::backup_to_json(&header.current_full_backup()),
        "current_snapshot": fields::backup_to_json(&header.current_snapshot_backup()),
    });
    for (name, backup) in [
        ("full backup", header.previous_full_backup()),
        ("incremental", header.previous_incremental_backup()),
        ("copy backup", header.previous_copy_backup()),
        ("differential", header.previous_differential_backup()),
        ("current backup", header.current_full_backup()),
        ("current snapshot", header.current_snapshot_backup()),
    ] {
        if !backup.is_none() {
            report.line(name, format_args!("{}, generations {}", backup.time, generations(&backup)));
        }
    }
    report.line("update counter", header.db_time());
    report.line("last object id", header.last_object_id());
    report.line("system", format_args!("{}.{}.{}", header.os_major(), header.os_minor(), header.os_build()));
    for (name, count) in [
        ("repairs", header.repair_count()),
        ("bad checksums", header.bad_checksum_count()),
        ("corrected bits", header.ecc_fix_success_count()),
        ("patched pages", header.page_patch_count()),
        ("reverts", header.revert_count()),
    ] {
        if count > 0 {
            report.line(name, count);
        }
    }
}

fn event(report: &mut Report, name: &'static str, position: LogPosition, time: LogTime) {
    if position.is_none() {
        report.time_line(name, time);
    } else {
        report.line(name, format_args!("{position} at {time}"));
    }
}

/// A remembered backup with its kind, or null.
fn kept(backup: &BackupInfo, kind: BackupInfoKind) -> Value {
    let mut value = fields::backup_to_json(backup);
    if let (Value::Object(object), ese_format::FieldValue::Kind { number, name }) = (&mut value, kind.field())
    {
        object.insert("kind".to_owned(), name.map_or_else(|| number.into(), Value::from));
    }
    value
}

fn generations(backup: &BackupInfo) -> String {
    match backup.high_generation {
        0 => format!("0x{:x} on", backup.low_generation),
        high => format!("0x{:x} to 0x{high:x}", backup.low_generation),
    }
}

/// How many pages the file has, and whether the last one is whole.
fn size(report: &mut Report, page_size: PageSize) {
    let page = u64::from(page_size.bytes());
    let pages = (report.size / page).saturating_sub(2);
    report.more("pages_in_file", pages);
    report.line("pages in file", pages);
    if !report.size.is_multiple_of(page) {
        report.problem(
            Some(JetError::FILE_IO_BEYOND_EOF),
            format_args!("the file ends {} bytes after its last whole page", report.size % page),
        );
    } else if pages == 0 {
        report.problem(Some(JetError::FILE_IO_BEYOND_EOF), "the file ends after its header");
    } else if pages > u64::from(PageNumber::MAX.0) {
        report.problem(Some(JetError::DATABASE_CORRUPTED), "the file has more pages than can be numbered");
    }
}

/// The trailer page of a backup copy, when the last page is one and goes with the header.
fn trailer(file: &dyn File, len: u64, header: &DatabaseHeader) -> Option<TrailerPage> {
    let mut page = vec![0; header.page_size().len()];
    let offset = len.checked_sub(page.len() as u64)?;
    if offset < 2 * page.len() as u64 || !len.is_multiple_of(page.len() as u64) {
        return None;
    }
    file.read_exact_at(offset, &mut page).ok()?;
    let trailer = TrailerPage::parse(&page).ok()?;
    trailer.check(header, false).ok()?;
    Some(trailer)
}
